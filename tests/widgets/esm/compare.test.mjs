import assert from "node:assert/strict";
import { test } from "node:test";
import { fileName } from "../../../widgets/fedbench_widgets/chart/download.js";
import { literal } from "../../../widgets/fedbench_widgets/chart/export.js";
import { promise } from "../../../widgets/fedbench_widgets/panel/code.js";
import { sentence } from "../../../widgets/fedbench_widgets/panel/compare.js";
import {
  best,
  columnsOf,
  layoutOf,
  promised,
  sorted,
  told,
} from "../../../widgets/fedbench_widgets/panel/compared.js";

const ACCURACY = { name: "accuracy", label: "Test accuracy", percent: true };
const RMSE = { name: "rmse", label: "Test RMSE", percent: false, minimize: true };
const AUC = { name: "auc", label: "Test AUC", percent: false, minimize: false };

const TOTALS = [
  { key: "bytes_up", title: "sent up", help: "Bytes.", format: "bytes" },
  { key: "seconds", title: "took", help: "Seconds.", format: "seconds" },
  { key: "simulated_seconds", title: "simulated", help: "Seconds of devices.", format: "seconds" },
  { key: "grad_steps", title: "local steps", help: "Steps.", format: "count" },
];

function row(id, more = {}) {
  return {
    id,
    name: `run ${id}`,
    color: "s1",
    pinned: false,
    current: false,
    cells: [],
    data: "Wine",
    metric: ACCURACY,
    value: 0.5,
    worst_tenth: 0.25,
    epsilon: null,
    unit: null,
    delta: null,
    bytes_up: 2e6,
    seconds: 1.5,
    simulated_seconds: null,
    grad_steps: 1200,
    rounds: 3,
    amended: "",
    ...more,
  };
}

const titles = (rows, settings = []) => columnsOf(settings, rows, TOTALS).map(({ title }) => title);
const words = (key, rows) => {
  const column = columnsOf([], rows, TOTALS).find((each) => each.key === key);
  return rows.map((each) => column.words(each));
};

test("settings come first, and what nobody has is left out", () => {
  const found = titles([row("1", { cells: ["4"] })], [{ path: "privacy.epsilon", title: "Budget ε" }]);
  assert.deepEqual(found, [
    ...["run", "Budget ε", "test accuracy", "worst tenth"],
    ...["sent up", "took", "local steps", "rounds done"],
  ]);
  assert.ok(titles([row("1", { simulated_seconds: 9 })]).includes("simulated"));
});

test("what adds up over rounds is a column by its declaration", () => {
  const rows = [row("1"), row("2", { grad_steps: null })];
  const column = columnsOf([], rows, TOTALS).find(({ key }) => key === "grad_steps");
  assert.deepEqual([column.title, column.meaning], ["local steps", "Steps."]);
  assert.deepEqual(words("grad_steps", rows), ["1,200", "–"]);
  assert.deepEqual(words("bytes_up", rows), ["2.0 MB", "2.0 MB"]);
});

test("settings never push results out of view", () => {
  assert.deepEqual([0, 2, 3].map((count) => layoutOf(count, 1200)), ["apart", "apart", "folded"]);
  assert.deepEqual([0, 1, 6].map((count) => layoutOf(count, 680)), ["apart", "first", "first"]);
  const settings = [{ path: "a", title: "α" }, { path: "b", title: "Strategy" }, { path: "c", title: "E" }];
  const rows = [row("1", { cells: ["0.1", "FedAdam", "2"], told: ["α 0.1", "FedAdam", "Epochs 2"] })];
  assert.equal(told(rows[0]), "α 0.1 · FedAdam · Epochs 2");
  const [name, folded, value] = columnsOf(settings, rows, TOTALS, "folded");
  assert.deepEqual([name.title, folded.title, value.title], ["run", "differs in", "test accuracy"]);
  assert.equal(folded.words(rows[0]), "α 0.1 · FedAdam · Epochs 2");
  const at = (width) => columnsOf(settings, rows, TOTALS, "first", width).map(({ title }) => title);
  assert.deepEqual(at(330), ["run", "α", "test accuracy", "worst tenth"]);
  assert.equal(told(rows[0], 1), "FedAdam · Epochs 2");
  assert.deepEqual(at(640).slice(0, 4), ["run", "α", "Strategy", "test accuracy"]);
  assert.ok(!at(640).includes("took") && at(640).includes("rounds done"));
  const older = { ...rows[0], told: undefined };
  assert.equal(told(older), "0.1 · FedAdam · 2");
});

test("ε is called by its unit, in the head if all runs have the same", () => {
  const client = row("1", { epsilon: 4, unit: "client-level", delta: 1e-3 });
  const example = row("2", { epsilon: 2, unit: "example-level", delta: 1e-5 });
  assert.ok(titles([client, row("3")]).includes("client-level ε"));
  assert.deepEqual(words("epsilon", [client, row("3")]), ["4.00", "–"]);
  assert.ok(titles([client, example]).includes("ε"));
  assert.deepEqual(words("epsilon", [client, example]), ["4.00 client-level", "2.00 example-level"]);
  assert.equal(promised(client), "client-level ε at δ = 1e-3");
  assert.equal(promised(row("3")), "");
});

test("results of different measures say which they are", () => {
  const mixed = [row("1"), row("2", { metric: RMSE, value: 12.5 })];
  assert.ok(titles(mixed).includes("result"));
  assert.deepEqual(words("value", mixed), ["50.0% test accuracy", "12.5 test RMSE"]);
});

test("rows are sorted by numbers as numbers, with gaps last either way", () => {
  const rows = [
    row("1", { cells: ["10"], epsilon: null }),
    row("2", { cells: ["0.25"], epsilon: 8 }),
    row("3", { cells: ["9"], epsilon: 2 }),
  ];
  const columns = columnsOf([{ path: "p", title: "P" }], rows, TOTALS);
  const ids = (key, down) => sorted(rows, columns, { key, down }).map(({ id }) => id);
  assert.deepEqual(ids("p", false), ["2", "3", "1"]);
  assert.deepEqual(ids("p", true), ["1", "3", "2"]);
  assert.deepEqual(ids("epsilon", false), ["3", "2", "1"]);
  assert.deepEqual(ids("epsilon", true), ["2", "3", "1"]);
  assert.deepEqual(ids("", false), ["1", "2", "3"]);
  assert.deepEqual(ids("gone", true), ["1", "2", "3"]);
});

test("the best is the greatest accuracy and the least error among runs that compare", () => {
  const rows = [row("1"), row("2", { value: 0.9 }), row("3", { metric: RMSE, value: 0.95 })];
  const value = columnsOf([], rows, TOTALS).find(({ key }) => key === "value");
  assert.deepEqual(rows.map((each) => best(each, value, rows)), [false, true, false]);
  const errors = [row("1", { metric: RMSE, value: 3 }), row("2", { metric: RMSE, value: 2 })];
  assert.deepEqual(errors.map((each) => best(each, value, errors)), [false, true]);
  const ranked = [row("1", { metric: AUC, value: 0.8 }), row("2", { metric: AUC, value: 0.6 })];
  assert.deepEqual(ranked.map((each) => best(each, value, ranked)), [true, false]);
  const twins = [row("1"), row("2")];
  assert.deepEqual(twins.map((each) => best(each, value, twins)), [false, false]);
});

test("the sentence says what runs share, and which never meet on a chart", () => {
  const two = [row("1"), row("2")];
  assert.match(sentence([], two), /have the same settings/);
  const [one, other] = two;
  const turned = { ...other, amended: "from round 2 on training.lr = 0.5" };
  assert.match(sentence([], [one, turned]), /started with the same settings.*One was edited while running\.$/);
  assert.match(sentence([{ title: "Strategy" }], [turned, turned]), /only in Strategy\. 2 were edited/);
  assert.equal(
    sentence([{ title: "Strategy" }, { title: "Budget ε" }], two),
    "These 2 runs differ only in Strategy and Budget ε.",
  );
  const mixed = [row("1"), row("2", { metric: RMSE })];
  assert.match(sentence([{ title: "Data" }], mixed), /only in Data\..*never drawn together/);
  const many = Array.from({ length: 6 }, (_, i) => ({ title: `S${i}` }));
  assert.equal(sentence(many, two), "These 2 runs differ in 6 settings.");
  const worlds = [row("1"), row("2", { data: "Digits" })];
  assert.match(sentence(many, worlds), /settings\. Compare results only within one data set: there are 2\.$/);
});

test("file names hold nothing that a system would take amiss", () => {
  assert.equal(fileName(["Digits", "accuracy"], "svg"), "digits-accuracy.svg");
  assert.equal(fileName(["../../etc/passwd\u0000", "<b>"], "csv"), "etc-passwd-b.csv");
  assert.equal(fileName(["Größe α", "ε"], "png"), "größe-α-ε.png");
  assert.equal(fileName(["///"], "svg"), "fedbench.svg");
  assert.equal(fileName(["x".repeat(500)], "svg").length, 84);
});

test("colours become literal", () => {
  assert.deepEqual(literal("rgb(0, 114, 178)"), ["#0072b2", 1]);
  assert.deepEqual(literal("rgba(0, 114, 178, 0.5)"), ["#0072b2", 0.5]);
  assert.deepEqual(literal("color(srgb 1 0.5 0)"), ["#ff8000", 1]);
  assert.deepEqual(literal("color(srgb 1 0.5 0 / 0.25)"), ["#ff8000", 0.25]);
  assert.deepEqual(literal("rgba(0, 0, 0, 0)"), ["#000000", 0]);
});

test("code promises a replay only of a run that did not change on its way", () => {
  assert.match(promise(true, []), /same history, bit for bit/);
  assert.match(promise(false, []), /the noise differs each time/);
  const changes = ["from round 97 on training.lr = 0.5", "from round 99 on rounds = 200"];
  assert.equal(
    promise(
      true,
      changes.map((words, i) => ({ round: i, words })),
    ),
    "the settings as they are now; the run shown was edited while running: " + changes.join("; "),
  );
});
