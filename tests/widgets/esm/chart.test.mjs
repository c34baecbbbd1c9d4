import assert from "node:assert/strict";
import { test } from "node:test";
import { Cursor, nearest } from "../../../widgets/fedbench_widgets/chart/cursor.js";
import { beside } from "../../../widgets/fedbench_widgets/chart/heat.js";
import { apart, fold, lowered, placed, short, spread, wrap } from "../../../widgets/fedbench_widgets/chart/labels.js";
import { LineChart, fitted, margin } from "../../../widgets/fedbench_widgets/chart/lines.js";
import { brief, sample, shade } from "../../../widgets/fedbench_widgets/chart/map.js";
import { fronts, isPrivate, pareto, pickBest } from "../../../widgets/fedbench_widgets/chart/pareto.js";
import { bandPath, linePath } from "../../../widgets/fedbench_widgets/chart/path.js";
import { linear } from "../../../widgets/fedbench_widgets/chart/scale.js";

const same = linear([0, 100], [0, 100]);
const flipped = linear([0, 1], [100, 0]);

test("labels never overlap, keep their order and stay inside", () => {
  let seed = 3;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  for (let round = 0; round < 200; round += 1) {
    const wishes = Array.from({ length: 1 + Math.floor(random() * 6) }, () => random() * 160);
    const placed = spread(wishes, 14, [10, 150]);
    const order = wishes.map((_, i) => i).sort((a, b) => wishes[a] - wishes[b] || a - b);
    order.slice(1).forEach((index, i) => {
      assert.ok(placed[index] - placed[order[i]] >= 14 - 1e-9, `${wishes} -> ${placed}`);
    });
    assert.ok(
      placed.every((y) => y >= 10 - 1e-9 && y <= 150 + 1e-9),
      `${wishes} -> ${placed}`,
    );
  }
});

test("labels with room stay where they want to be", () => {
  assert.deepEqual(spread([100, 20, 60], 14, [0, 200]), [100, 20, 60]);
});

test("names beside a heat map get the room that they need, as far as there is some", () => {
  assert.equal(beside([], 900), 96);
  assert.equal(beside(["hospital 1", "hospital 12"], 900), 96);
  assert.ok(beside(["Long-Beach-like"], 900) > 8 + 15 * 6);
  assert.equal(beside(["x".repeat(80)], 900), 136);
  assert.equal(beside(["x".repeat(80)], 300), 96);
});

test("labels take at most 30 % of a wide chart, and nothing of a narrow one", () => {
  assert.deepEqual([200, 370, 559].map((width) => margin(width, 999)), [10, 10, 10]);
  assert.deepEqual([560, 800].map((width) => margin(width)), [76, 76]);
  assert.equal(margin(800, 110), 106);
  assert.deepEqual([560, 800].map((width) => margin(width, 999)), [168, 240]);
});

test("an axis is fitted to what is drawn, levels and band too, within the metric's bounds", () => {
  const chart = Object.assign(Object.create(LineChart.prototype), { grown: null, rows: 2 });
  const share = { series: [{ y: [0.71, 0.74] }], bounds: [0, 1] };
  const [low, high] = chart.range(share);
  assert.ok(low > 0.65 && low < 0.71 && high > 0.74 && high < 0.8, `${low} to ${high}`);
  const levels = [{ value: 0.5, label: "chance", color: "mute" }];
  assert.ok(chart.range({ ...share, levels })[0] < 0.5, "a level is never out of sight");
  const band = { name: "", color: "s0", low: [0.2, 0.3], high: [0.9, 1] };
  const wide = chart.range({ ...share, band });
  assert.ok(wide[0] <= 0.2 && wide[1] === 1);
  assert.ok(chart.range(share)[0] <= 0.2, "it only grows");
  assert.deepEqual(fitted(Infinity, -Infinity, [0, 1]), [0, 1]);
  const flat = fitted(0.5, 0.5, [0, 1]);
  assert.ok(flat[0] < 0.5 && flat[1] > 0.5);
  assert.deepEqual(fitted(0, 1, [0, 1]), [0, 1]);
  assert.ok(fitted(0.5, 2, [0, Infinity])[0] >= 0);
  assert.ok(fitted(55, 61, [0, Infinity])[0] > 50);
});

test("labels keep what tells them apart", () => {
  assert.equal(short("best possible 70.5%", 30), "best possible 70.5%");
  assert.equal(short("best possible 70.5%", 12), "best p…70.5%");
  assert.equal(short("anything", 1), "a…");
  const runs = ["example-level ε ≤ 4, FedAdam, τ 0.01", "example-level ε ≤ 4, FedAdam, τ 0.1"];
  assert.deepEqual(apart(runs), ["τ 0.01", "τ 0.1"]);
  assert.deepEqual(apart(["FedAvg, 2 epochs"]), ["FedAvg, 2 epochs"], "alone it keeps its name");
  assert.deepEqual(apart(["FedAvg", "FedAdam, τ 1"]), ["FedAvg", "FedAdam"]);
});

test("words are wrapped into the room there is", () => {
  assert.deepEqual(wrap("click its row or its mark", 13), ["click its row", "or its mark"]);
  assert.deepEqual(wrap("unbreakable word", 4), ["unbreakable", "word"]);
  assert.deepEqual(wrap("", 10), []);
  assert.deepEqual(fold(["click its row or its mark", "once"], 90), [
    "click its row",
    "or its mark",
    "once",
  ]);
});

test("labels that reach into the column at the edge keep clear of those in it", () => {
  const at = (/** @type {number} */ x, /** @type {string} */ text) => ({ x, y: 50, text });
  const heights = (/** @type {{x: number, y: number, text: string}[]} */ labels) =>
    placed(labels, 100, 14, [0, 200]).map(({ text, y }) => [text, y]);
  assert.deepEqual(heights([at(100, "edge"), at(10, "short")]), [
    ["edge", 50],
    ["short", 50],
  ]);
  assert.deepEqual(heights([at(100, "edge"), at(10, "a much longer one")]), [
    ["edge", 43],
    ["a much longer one", 57],
  ]);
});

test("labels that end before the edge keep their height, whatever their length", () => {
  const labels = [
    { x: 100, y: 50, text: "edge", anchor: "start" },
    { x: 97, y: 45, text: "a much longer one, inside", anchor: "end" },
  ];
  const heights = placed(labels, 100, 14, [0, 200]).map(({ text, y }) => [text, y]);
  assert.deepEqual(Object.fromEntries(heights), { edge: 50, "a much longer one, inside": 45 });
});

test("the name of a level goes below its line where another label stands above it", () => {
  const level = { x: 97, y: 40, text: "clip C = 1", anchor: "end", light: true };
  const end = { x: 97, y: 38, text: "58% clipped", anchor: "end" };
  const heights = (/** @type {typeof end[]} */ labels, floor = 150) =>
    lowered(labels, 14, 20, floor).map(({ y }) => y);
  assert.deepEqual(heights([level, end]), [60, 38]);
  assert.deepEqual(heights([level, { ...end, y: 20 }]), [40, 20], "there is room above");
  assert.deepEqual(heights([level, { ...end, x: 20 }]), [40, 38], "it is elsewhere");
  assert.deepEqual(heights([level, end, { ...end, y: 62 }]), [40, 38, 62], "none below");
  assert.deepEqual(heights([level, end], 55), [40, 38], "the axis is there");
  assert.deepEqual(heights([{ ...level, anchor: "start" }, end]), [40, 38], "beside the plot");
});

test("a line skips what is not finite and keeps to the plot", () => {
  assert.equal(linePath([0, 10, 20], [0, NaN, 1], same, flipped), "M0 100L20 0");
  assert.equal(linePath([0, 10], [5, -5], same, flipped), "M0 0L10 100");
  assert.equal(linePath([0, 10], [NaN, Infinity], same, flipped), "");
});

test("a long line keeps the extremes of every pixel and is short", () => {
  const xs = Float32Array.from({ length: 20000 }, (_, i) => i / 200);
  const ys = Float32Array.from(xs, (_, i) => (i === 12345 ? 1 : i % 2 ? 0.4 : 0.5));
  const points = linePath(xs, ys, same, flipped).slice(1).split("L");
  assert.ok(points.length <= 4 * 101, `${points.length}`);
  assert.ok(
    points.some((point) => point.endsWith(" 0")),
    "the single peak is drawn",
  );
  const across = points.map((point) => Number(point.split(" ")[0]));
  assert.deepEqual(
    across,
    [...across].sort((a, b) => a - b),
  );
});

test("a band goes out along the top and back along the bottom", () => {
  assert.equal(bandPath([0, 10], [0.1, 0.2], [0.9, 0.8], same, flipped), "M0 10L10 20L10 80L0 90Z");
  assert.equal(bandPath([0, 10], [NaN, NaN], [1, 1], same, flipped), "");
});

test("the nearest row is found by halving", () => {
  assert.equal(nearest([], 3), null);
  assert.equal(nearest([5], 3), 0);
  assert.equal(nearest([1, 2, 4, 8], 2.9), 1);
  assert.equal(nearest([1, 2, 4, 8], 3.1), 2);
  assert.equal(nearest([1, 2, 4, 8], 99), 3);
});

test("the cursor moves by keys, stops at the ends and leaves on Escape", () => {
  const cursor = new Cursor();
  const heard = [];
  cursor.listen(({ row, keyboard }) => heard.push([row, keyboard]));
  assert.equal(cursor.next("ArrowRight", 0), undefined);
  assert.equal(cursor.next("ArrowLeft", 5), 4);
  cursor.move(4, true);
  assert.equal(cursor.next("ArrowRight", 5), 4);
  assert.equal(cursor.next("ArrowLeft", 5), 3);
  assert.equal(cursor.next("Home", 5), 0);
  assert.equal(cursor.next("a", 5), undefined);
  assert.equal(cursor.next("Escape", 5), null);
  cursor.move(4, true);
  cursor.move(null);
  assert.deepEqual(heard, [
    [4, true],
    [null, false],
  ]);
});

test("the Pareto line holds the runs that none beats", () => {
  const run = (epsilon, value) => ({ id: `${epsilon}/${value}`, label: "", epsilon, value });
  const runs = [run(4, 0.9), run(1, 0.8), run(2, 0.7), run(1, 0.6), run(8, 0.9)];
  assert.deepEqual(
    pareto(runs, false).map((point) => point.id),
    ["1/0.8", "4/0.9"],
  );
  assert.deepEqual(
    pareto(runs, true).map((point) => point.id),
    ["1/0.6"],
  );
});

test("a lucky single run is not on the line through means of seeds", () => {
  const run = (id, epsilon, value, runs) => ({ id, label: "", epsilon, value, runs });
  const points = [run("lucky", 1, 0.9), run("mean 1", 1, 0.6, 5), run("mean 4", 4, 0.8, 5)];
  assert.deepEqual(
    pareto(points, false).map((point) => point.id),
    ["mean 1", "mean 4"],
  );
  assert.equal(pickBest(points, false)?.id, "mean 4");
  assert.equal(pickBest(points.slice(0, 1), false)?.id, "lucky");
});

test("a run without a finite ε is not on the ε axis", () => {
  assert.ok(isPrivate({ id: "a", label: "", epsilon: 2, value: 1 }));
  assert.ok(!isPrivate({ id: "a", label: "", epsilon: null, value: 1 }));
  assert.ok(!isPrivate({ id: "a", label: "", epsilon: Infinity, value: 1 }));
});

test("the map shows few of many clients, spread evenly, each once", () => {
  assert.deepEqual(sample(3, 60), [0, 1, 2]);
  const shown = sample(1000, 60);
  assert.equal(shown.length, 60);
  assert.equal(new Set(shown).size, 60);
  assert.ok(shown.at(-1) < 1000 && shown.at(-1) > 970);
  assert.deepEqual(sample(0, 60), []);
});

test("every share above nothing is visible, and more is darker", () => {
  assert.equal(shade(0), 0);
  assert.ok(shade(0.0001) > 0);
  assert.ok(shade(1) > shade(0.5) && shade(0.5) > shade(0.1));
});

test("names leave out what they have in common", () => {
  const tenths = ["progression: tenth 1", "progression: tenth 10"];
  assert.deepEqual(brief(tenths), ["tenth 1", "tenth 10"]);
  assert.deepEqual(brief(["setosa", "sativa"]), ["setosa", "sativa"]);
  assert.deepEqual(brief(["a: x", "b: x"]), ["a: x", "b: x"]);
  assert.deepEqual(brief(["progression: tenth 1"]), ["progress…"]);
  assert.deepEqual(brief([]), []);
});

test("runs of other settings, changed or stopped ones are not joined", () => {
  /** @param {string} id @param {number} epsilon @param {number} value @param {string | null} line */
  const run = (id, epsilon, value, line) => ({ id, label: id, epsilon, value, line });
  const points = [
    run("a", 1, 0.6, "short"),
    run("b", 4, 0.8, "short"),
    run("c", 2, 0.9, "long"),
    run("d", 3, 0.95, null),
  ];
  const ids = fronts(points, false).map((line) => line.map(({ id }) => id));
  assert.deepEqual(ids, [["a", "b"], ["c"]]);
});

test("the y axis only grows within a run and starts anew with the next", () => {
  const chart = Object.assign(Object.create(LineChart.prototype), { grown: null, rows: 2 });
  const drawing = (/** @type {number[]} */ y) => ({ series: [{ y }] });
  assert.deepEqual(chart.range(drawing([1, 80])), [0, 80]);
  assert.deepEqual(chart.range(drawing([1, 2])), [0, 80]);
  chart.forget();
  assert.deepEqual(chart.range(drawing([1, 2])), [0, 2]);
});
