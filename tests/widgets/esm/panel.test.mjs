import assert from "node:assert/strict";
import { test } from "node:test";
import { axis, place } from "../../../widgets/fedbench_widgets/panel/axis.js";
import {
  accuracy,
  epsilon,
  isPrivate,
  loss,
  norm,
  sentence,
} from "../../../widgets/fedbench_widgets/panel/drawings.js";
import { groups, keyOf, match, nameOf } from "../../../widgets/fedbench_widgets/panel/grouping.js";
import { interval } from "../../../widgets/fedbench_widgets/panel/frontier.js";
import { Table } from "../../../widgets/fedbench_widgets/panel/table.js";

const COLUMNS = ["round", "metric", "loss", "epsilon", "bytes_up"];
const ROWS = [
  [1, 0.5, 2.0, 0.5, 1e6],
  [2, NaN, 1.5, 0.8, 2e6],
  [3, 0.75, 1.25, 1.0, 3e6],
];

/** The bytes start at an odd offset, as they do inside a message. */
function pack(rows) {
  const view = new DataView(new ArrayBuffer(rows.flat().length * 4 + 3), 3);
  rows.flat().forEach((value, i) => view.setFloat32(4 * i, value, true));
  return view;
}

function table(rows = ROWS, more = {}) {
  return new Table({ columns: COLUMNS, points: rows.length, rounds: 10, ...more }, pack(rows));
}

test("the table reads columns from unaligned little-endian bytes", () => {
  const found = table();
  assert.equal(found.rows, 3);
  assert.deepEqual([...found.column("loss")], [2, 1.5, 1.25]);
  assert.equal(found.last("metric"), 0.75);
  assert.equal(found.column("update_norm"), null);
});

test("snapshot and bytes that disagree never read past the end", () => {
  assert.equal(new Table({ columns: COLUMNS, points: 9 }, pack(ROWS)).rows, 3);
  assert.equal(new Table({ columns: COLUMNS, points: 2 }, pack(ROWS)).rows, 2);
  assert.equal(new Table({ columns: COLUMNS, points: 2 }, null).rows, 0);
  assert.equal(new Table(null, null).rows, 0);
});

test("a column of NaN counts as absent once there are rounds", () => {
  const silent = table([[1, 0.5, 2, NaN, 1]]);
  assert.equal(silent.column("epsilon"), null);
  assert.ok(!isPrivate(silent));
  assert.ok(isPrivate(table([[1, 0.5, 2, NaN, 1]], { unit: "client-level" })));
});

test("the axis reaches to the end of the plan and never comes nearer", () => {
  assert.deepEqual(axis("round", table(), 0).xDomain, [0, 10]);
  const sent = axis("bytes", table(), 0);
  assert.equal(sent.xDomain[1], 10e6);
  assert.equal(sent.xName, "MB");
  assert.equal(sent.xTick(5e6), "5");
  assert.equal(axis("bytes", table(), 20e6).xDomain[1], 20e6);
  assert.deepEqual(axis("round", table(ROWS, { state: "paused" }), 0).xDomain, [0, 10]);
  const over = table(ROWS, { state: "done" });
  assert.deepEqual(axis("round", over, 0).xDomain, [0, 3], "a run that is over goes no further");
  assert.equal(axis("bytes", over, 20e6).xDomain[1], 3e6);
});

/** @param {import("../../../widgets/fedbench_widgets/panel/axis.js").Axis} shared */
function xs(shared) {
  return shared.turns.map(({ x }) => x);
}

test("where settings changed stands on every axis, and is said where the cursor is", () => {
  const amended = [
    { round: 2, words: "from round 2 on training.lr = 0.3" },
    { round: 9, words: "from round 9 on rounds = 20" },
  ];
  const changed = table(ROWS, { amended });
  assert.deepEqual(xs(axis("round", changed, 0)), [2], "the other round is not reached");
  assert.deepEqual(xs(axis("bytes", changed, 0)), [2e6]);
  assert.deepEqual(xs(axis("round", table(), 0)), []);
  const thinned = table([ROWS[0], ROWS[2]], { amended });
  assert.deepEqual(xs(axis("round", thinned, 0)), [3]);
  assert.match(sentence(changed, "round", 1), /from round 2 on training\.lr = 0\.3$/);
  assert.match(sentence(changed, "round", 2), /from round 2 on/, "it is in force");
  assert.doesNotMatch(sentence(changed, "round", 0), /from round/);
  const drawn = accuracy(changed, axis("round", changed, 0), "round");
  assert.deepEqual(drawn.turns, [{ x: 2, label: "training.lr = 0.3" }]);
  assert.deepEqual(drawn.read(1).slice(-1), ["from round 2 on training.lr = 0.3"]);
});

test("the accuracy chart says its title, latest value and plan", () => {
  const drawn = accuracy(table(), axis("round", table(), 0), "round");
  assert.equal(drawn.label, "Test accuracy: 75.0% after round 3 of 10");
  assert.equal(drawn.series[0].label, "75.0%");
  assert.deepEqual(drawn.bounds, [0, 1]);
  assert.equal(drawn.band, null);
});

test("a metric that is no share gets no percent sign", () => {
  const plain = table(ROWS, { metric: { name: "rmse", label: "Test RMSE", percent: false } });
  const drawn = accuracy(plain, axis("round", plain, 0), "round");
  assert.equal(drawn.label, "Test RMSE: 0.750 after round 3 of 10");
  assert.deepEqual(drawn.bounds, [0, Infinity]);
});

test("what needs no model is a level of the metric, before pooled and alone", () => {
  const naive = [{ label: "always “no” 70.8%", value: 0.708 }];
  const levels = { wanted: true, words: "", lines: [{ label: "pooled 72.5%", value: 0.725 }] };
  const plain = table(ROWS, { naive, levels });
  const drawn = accuracy(plain, axis("round", plain, 0), "round");
  assert.deepEqual(drawn.levels, [
    { label: "always “no” 70.8%", value: 0.708, color: "mute" },
    { label: "pooled 72.5%", value: 0.725, color: "mute" },
  ]);
});

test("before the first round the chart says what to do", () => {
  const blank = new Table({ columns: COLUMNS, points: 0, rounds: 10 }, null);
  const drawn = accuracy(blank, axis("round", blank, 0), "round");
  assert.match(drawn.empty.join(" "), /^Press Start: rounds will appear here/);
  assert.equal(drawn.label, "Test accuracy: no rounds yet");
});

test("the budget and the clipping norm are levels with a name", () => {
  const found = table(ROWS, { budget: 4, clip: 1 });
  const shared = axis("round", found, 0);
  assert.deepEqual(epsilon(found, shared, "round").levels, [
    { value: 4, label: "budget 4", color: "mute" },
  ]);
  assert.equal(norm(found, shared, "round").levels[0].label, "clip C = 1");
  assert.deepEqual(epsilon(table(), shared, "round").levels, []);
});

test("a run without a budget has its privacy chart before it starts", () => {
  assert.ok(isPrivate(table([], { unit: "client-level" })));
  assert.ok(!isPrivate(table([], { unit: null })));
});

test("only runs that can be compared stand side by side, and each has its chart", () => {
  const accuracy = { name: "accuracy", label: "Test accuracy", percent: true };
  const rmse = { name: "rmse", label: "Test RMSE", percent: false };
  const promised = { unit: "client-level", delta: 1e-3 };
  const run = { label: "", metric: accuracy, data: "Wine", of: "Wine", value: 0.9, epsilon: null };
  const spent = { ...run, epsilon: 4, ...promised };
  const points = [
    { ...run, id: "free" },
    { ...spent, id: "spent" },
    { ...spent, id: "other delta", delta: 1e-6 },
    { ...spent, id: "other unit", unit: "example-level" },
    { ...run, id: "other data", data: "Digits", of: "Digits" },
    { ...run, id: "other metric", metric: rmse },
    { ...spent, id: "table", data: "a.csv", of: "Table x/a.csv" },
    { ...spent, id: "namesake", data: "a.csv", of: "Table y/a.csv" },
  ];
  const known = groups(points);
  assert.deepEqual(
    known.map((group) => group.points.map(({ id }) => id).join()),
    [
      "free,spent",
      "free,other delta",
      "free,other unit",
      "table",
      "namesake",
      "other data",
      "other metric",
    ],
  );
  assert.equal(new Set(known.map(keyOf)).size, known.length);
  assert.equal(nameOf(known[0]), "Wine, client-level ε at δ = 1e-3, test accuracy");
  const wanted = { ...run, metric: "accuracy", unit: null, delta: null };
  assert.equal(match(known, { ...wanted, ...promised }), known[0]);
  assert.equal(match(known, wanted), known[2]); // on all charts of its data
  assert.equal(match(known, { ...wanted, of: "Iris" }), undefined);
  assert.equal(match(known, { ...wanted, unit: "local", delta: 1 }), undefined);
});

test("only an interval that there is stands beside a value", () => {
  const point = (low, high) => ({ id: "a", label: "", epsilon: 1, value: 0.7, low, high });
  assert.equal(interval(point(0.5, 0.75), String), "(0.5 to 0.75)");
  assert.equal(interval(point(0, 0), String), "(0 to 0)");
  assert.equal(interval(point(null, null), String), "");
  assert.equal(interval(point(), String), "");
});

test("wherever ε is read, the unit that it protects is named", () => {
  const found = table(ROWS, { unit: "example-level" });
  const drawn = epsilon(found, axis("round", found, 0), "round");
  assert.deepEqual(drawn.read(1), ["example-level ε 0.800"]);
  assert.equal(drawn.label, "Privacy spent: example-level ε 1.00 after round 3 of 10");
  assert.match(sentence(found, "round", 2), /· example-level ε 1.00$/);
});

test("own models are a line and a reading for runs that have them, and for no others", () => {
  const columns = [...COLUMNS.slice(0, 2), "personal", "clients_p10", "clients_p90"];
  const rows = [
    [1, 0.1, 0.5, 0.25, 0.75],
    [2, 0.125, 0.625, 0.5, 0.8],
  ];
  const draw = (more) => {
    const found = table(rows, { columns, ...more });
    return [found, accuracy(found, axis("round", found, 0), "round")];
  };
  const [, plain] = draw({ personal: false });
  assert.deepEqual(plain.series.map(({ key }) => key), ["main"]);
  assert.equal(plain.band.name, "clients 10–90%");
  assert.deepEqual(plain.read(1), ["round 2: 12.5%", "clients 50–80%"]);
  const [found, drawn] = draw({ personal: true });
  const [global, own] = drawn.series;
  assert.equal(drawn.band.name, "personal models, 10–90%");
  assert.deepEqual([own.name, own.label, [...own.y]], ["personal models", "own 62.5%", [0.5, 0.625]]);
  assert.ok(own.dash && !global.dash && own.color !== global.color);
  assert.deepEqual(drawn.read(1), ["round 2: global 12.5%", "personal models 62.5%", "clients 50–80%"]);
  assert.match(sentence(found, "round", 1), /test accuracy 12.5% · personal models 62.5% · clients/);
});

test("the planned privacy is a line of its own, by round alone", () => {
  const plan = { rounds: [1, 5, 10], epsilon: [0.5, 1.4, 2.2] };
  const found = table(ROWS, { budget: 4, epsilon_plan: plan });
  const keys = (kind) => epsilon(found, axis(kind, found, 0), kind).series.map((line) => line.key);
  assert.deepEqual(keys("round"), ["spent", "plan"]);
  assert.deepEqual(keys("bytes"), ["spent"]);
  const line = epsilon(found, axis("round", found, 0), "round").series[1];
  assert.deepEqual([line.x, line.y], [plan.rounds, plan.epsilon]);
});

const packed = (values) => pack([values]);

function pinning(pin, more = {}) {
  const columns = { round: packed([1, 2, 30]), metric: packed([0.4, 0.9, 0.95]), ...pin.columns };
  const run = { id: "3", label: "no DP", color: "s3", metric: "accuracy", ...pin, columns };
  const snapshot = { columns: COLUMNS, points: 3, rounds: 10, ...more };
  return new Table(snapshot, pack(ROWS), [{ unit: null, delta: null, ...run }]);
}

test("pinned runs are dashed lines as far as the axis goes", () => {
  const found = pinning({});
  const lines = (kind) => accuracy(found, axis(kind, found, 0), kind).series.slice(1);
  const [line] = lines("round");
  assert.deepEqual([line.key, line.label, line.color, line.dash], ["pin3", "no DP", "s3", "5 4"]);
  assert.deepEqual([...line.x], [1, 2]); // round 30 is beyond the plan
  assert.deepEqual([...line.y], [0.4, 0.9].map(Math.fround));
  assert.deepEqual(lines("bytes"), []);
  assert.equal(loss(found, axis("round", found, 0), "round").series.length, 1);
});

test("a pinned run is never drawn against another measure or another promise", () => {
  const other = pinning({ metric: "rmse" });
  assert.equal(accuracy(other, axis("round", other, 0), "round").series.length, 1);
  const columns = { epsilon: packed([1, 2, 3]) };
  const promise = { unit: "client-level", delta: 1e-3 };
  const drawn = (pin) => {
    const found = pinning({ columns, ...pin }, promise);
    return epsilon(found, axis("round", found, 0), "round").series.map(({ key }) => key);
  };
  assert.deepEqual(drawn(promise), ["spent", "pin3"]);
  assert.deepEqual(drawn({ ...promise, delta: 1e-5 }), ["spent"]);
  assert.deepEqual(drawn({ ...promise, unit: "example-level" }), ["spent"]);
});

test("the readout is one sentence over all charts", () => {
  assert.equal(sentence(table(), "round", 2), "round 3: test accuracy 75.0% · loss 1.25 · ε 1.00");
  assert.equal(place("bytes", table(), 1), "round 2, 2.0 MB");
});
