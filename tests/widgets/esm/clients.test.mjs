import assert from "node:assert/strict";
import { test } from "node:test";
import { marks, next, opacity } from "../../../widgets/fedbench_widgets/chart/cells.js";
import { distinct } from "../../../widgets/fedbench_widgets/chart/mix.js";
import {
  Grid,
  SHADES,
  cell,
  colours,
  endWords,
  ends,
  shade,
  subtitle,
} from "../../../widgets/fedbench_widgets/panel/grid.js";
import { alone, curve, mix, sizes } from "../../../widgets/fedbench_widgets/panel/portraits.js";

const ABSENT = 0xffff;
const INFO = {
  rounds: [1, 2],
  ids: [7, 3, 5],
  names: ["client 7", "<b>3</b>", "client 5"],
  sizes: [10, 30, 30],
  took: [2, 0, 1],
  done: 2,
  low: 0.5,
  high: 1,
  strata: ["yes", "no"],
  mix: [30, 10],
  clients: 4,
  tested: 3,
};

/** Words by round, then a byte of bits for each, at an odd offset as inside a message. */
function pack(words, bits) {
  const view = new DataView(new ArrayBuffer(2 * words.length + bits.length + 1), 1);
  words.forEach((word, i) => view.setUint16(2 * i, word, true));
  bits.forEach((byte, i) => view.setUint8(2 * words.length + i, byte));
  return view;
}

function counts(values) {
  const view = new DataView(new ArrayBuffer(4 * values.length));
  values.forEach((value, i) => view.setUint32(4 * i, value, true));
  return view;
}

const WORDS = [0, ABSENT - 1, ABSENT, ABSENT - 1, 0, 0];
const made = (more = {}, words = WORDS) =>
  new Grid({ ...INFO, ...more }, pack(words, [0b101, 0b001]), counts([4, 6, 30, 0, 15, 15]));
const percent = (value) => `${Math.round(100 * value)}%`;
const picture = (grid) => ({
  grid,
  show: percent,
  axisTick: percent,
  percent: true,
  end: 2,
  selected: null,
  pointed: null,
});

test("values, dots and classes are read by row and round", () => {
  const grid = made();
  assert.deepEqual([grid.rows, grid.columns], [3, 2]);
  assert.deepEqual([grid.value(0, 0), grid.value(1, 0), grid.value(0, 1)], [0.5, 1, 1]);
  assert.ok(Number.isNaN(grid.value(2, 0)));
  assert.ok(Number.isNaN(grid.value(0, 2)));
  const took = [0, 1].map((column) => [0, 1, 2].map((row) => grid.took(row, column)));
  assert.deepEqual(took, [[true, false, true], [true, false, false]]);
  assert.deepEqual([0, 1, 2].map((row) => grid.held(row)), [[4, 6], [30, 0], [15, 15]]);
  assert.deepEqual(grid.held(-1), []);
});

test("words and bytes of two moments draw nothing, and never read past the end", () => {
  const grid = new Grid({ ...INFO, rounds: [1, 2, 3] }, pack(WORDS, [1, 1]), counts([1]));
  assert.equal(grid.columns, 0);
  assert.deepEqual(grid.held(0), []);
  assert.equal(new Grid(null, null, null).columns, 0);
  assert.equal(grid.took(0, 0), false);
});

test("rows are sorted by value, size or client", () => {
  const grid = made();
  assert.deepEqual(grid.order("last"), [0, 1, 2]);
  assert.deepEqual(grid.order("size"), [1, 2, 0]);
  assert.deepEqual(grid.order("client"), [1, 2, 0]);
});

test("the better, the darker, whichever way better is", () => {
  assert.equal(shade(1, [0.5, 1], false), SHADES - 1);
  assert.equal(shade(1, [0.5, 1], true), 0);
  assert.equal(shade(0.1, [0.5, 1], false), 0, "what lies outside has the end's shade");
  assert.equal(shade(NaN, [0.5, 1], false), -1);
  const steps = Array.from({ length: SHADES }, (_, i) => Number(opacity(i, SHADES)));
  assert.ok(steps.every((step, i) => i === 0 || step > steps[i - 1]));
  assert.deepEqual([steps[0], steps[SHADES - 1]], [0.07, 1]);
});

test("the ends of colours and axes are nice, and shares stay between 0 and 1", () => {
  assert.deepEqual(colours([0.62, 0.97], true), [0.6, 1]);
  assert.deepEqual(colours([41, 79], false), [40, 80]);
  const words = (low, high) => endWords({ low, high }, [0.2, 1], (value) => `${100 * value}%`);
  assert.deepEqual(words(0.2, 1), ["20%", "100%"]);
  assert.deepEqual(words(0, 1.2), ["≤ 20%", "≥ 100%"], "what lies beyond looks like the end");
  assert.deepEqual(ends([0.6, 0.97], true), [0.5, 1]);
  assert.deepEqual(ends([0.99, 1], true), [0.75, 1]);
  assert.deepEqual(ends([41, 79], false), [40, 80]);
  assert.deepEqual(ends([], false), [0, 1]);
  assert.deepEqual(ends([0], false), [0, 1]);
});

test("a cell is read out with its client, round, value, part and samples", () => {
  const grid = made();
  assert.equal(cell(grid, 0, 1, percent), "client 7 · round 2: 100%, took part, 10 samples");
  assert.equal(cell(grid, 1, 0, percent), "<b>3</b> · round 1: 100%, did not take part, 30 samples");
  assert.match(cell(grid, 2, 0, percent), /no value/);
});

test("the subtitle says which clients and rounds are drawn", () => {
  const { info } = made();
  assert.equal(
    subtitle(info, false),
    "3 clients; 1 without test rows not shown; a dot marks taking part in the round",
  );
  const many = { ...info, which: "every fifth client", every: 4, tested: 4 };
  assert.equal(
    subtitle(many, true),
    "by the personal models; every fifth client, sorted; a column is 4 rounds, by the last",
  );
  assert.equal(subtitle({ ...info, rounds: [] }, false), "");
});

test("keys walk over the cells and stop at the edges", () => {
  assert.deepEqual(next("ArrowDown", null, 4, 9), { i: 0, column: 9 });
  assert.deepEqual(next("Home", null, 4, 9), { i: 0, column: 0 });
  assert.deepEqual(next("ArrowUp", { i: 0, column: 3 }, 4, 9), { i: 0, column: 3 });
  assert.deepEqual(next("ArrowRight", { i: 2, column: 8 }, 4, 9), { i: 2, column: 9 });
  assert.deepEqual(next("PageDown", { i: 2, column: 8 }, 40, 9), { i: 12, column: 8 });
  assert.deepEqual(next("Home", { i: 2, column: 8 }, 4, 9), { i: 2, column: 0 });
  assert.equal(next("a", { i: 2, column: 8 }, 4, 9), null);
});

test("round numbers are named below the map, and the latest always", () => {
  assert.deepEqual(marks(1, 1, 30), []);
  assert.deepEqual(marks(30, 1, 20), [5, 10, 15, 20, 25, 30]);
  assert.deepEqual(marks(2000, 10, 4), [200, 400, 600, 800, 1000, 1200, 1400, 1600, 1800, 2000]);
  assert.deepEqual(marks(21, 1, 20), [5, 10, 15, 21], "20 would touch the latest");
});

test("a client's colour is the verdict of its test rows, not its side of the diagonal", () => {
  const words = [ABSENT - 1, 0, ABSENT, ABSENT - 1, 0, 0];
  const bare = [0.75, 0.75, 0.5];
  const gains = [
    { value: 0.25, low: 0.1, high: 0.4, verdict: "gains" },
    { value: -0.25, low: -0.4, high: -0.1, verdict: "loses" },
    { value: -0.125, low: null, high: null, verdict: "cannot tell" },
  ];
  const drawn = alone(picture(made({ alone: bare, gains }, words)), "");
  assert.deepEqual(drawn.marks.map(({ row, color }) => [row, color]), [
    [7, "s0"],
    [3, "s1"],
    [5, "mute"],
  ]);
  assert.deepEqual(drawn.sides, ["better together", "better alone"]);
  const gain = "gain −25.0 points (−40.0 to −10.0): loses";
  assert.deepEqual(drawn.read(3), ["<b>3</b>", "50%, alone 75%", gain]);
  assert.equal(drawn.read(5).at(-1), "gain −12.5 points (too few rows): cannot tell");
  const going = alone(picture(made({ alone: bare, minimize: true }, words)), "");
  assert.deepEqual(going.marks.map(({ color }) => color), ["mute", "mute", "mute"]);
  assert.deepEqual(going.sides, ["better alone", "better together"]);
  assert.deepEqual(going.read(3), ["<b>3</b>", "50%, alone 75%"]);
});

test("while nobody is trained alone the chart asks, and then says what goes on", () => {
  assert.deepEqual(alone(picture(made()), "").empty, ["How would each client do alone?"]);
  const words = "partition.clients: 20,000 clients are too many to train each alone";
  const said = alone(picture(made()), words).empty;
  assert.deepEqual(said, [words]);
  const blank = new Grid({ rounds: [] }, null, null);
  assert.deepEqual(alone(picture(blank), "").empty, ["After the first round."]);
});

test("clients without a value or a level have no mark", () => {
  const drawn = alone(picture(made({ alone: [0.75, null, 0.5] }, [0, 0, 0, 0, 0, ABSENT])), "");
  assert.deepEqual(drawn.marks.map(({ row }) => row), [7]);
});

test("sizes have a log axis where they differ by a factor of ten", () => {
  assert.equal(sizes(picture(made())).xLog, false);
  const wide = sizes(picture(made({ sizes: [3, 30, 300] })));
  assert.deepEqual([wide.xLog, wide.xDomain], [true, [3, 300]]);
  assert.deepEqual(sizes(picture(made({ sizes: [9, 9, 9] }))).xDomain, [8, 10]);
  assert.deepEqual(wide.read(7), ["client 7", "100%, 3 samples"]);
  assert.equal(wide.xWhole, true);
  const tested = sizes(picture(made({ sizes: [3, 30, 300], tests: [9, 1, 40] })));
  assert.deepEqual(tested.read(7), ["client 7", "100%, 3 samples", "9 test rows"]);
});

test("a chosen client has a curve beside the median's, and its classes beside everybody's", () => {
  const grid = made({ alone: [0.75, null, 0.5] });
  const drawn = curve(picture(grid), 0);
  assert.deepEqual(drawn.series.map(({ y }) => [...y]), [[0.5, 1], [0.75, 0.5]]);
  assert.deepEqual(drawn.levels.map(({ label }) => label), ["alone 75%"]);
  assert.deepEqual(drawn.read(1), ["round 2: 100%", "took part"]);
  const held = mix(grid, 1);
  assert.deepEqual([held.own, held.whole], [[1, 0], [0.75, 0.25]]);
  assert.equal(held.label, "Data of <b>3</b>, by classes: most of yes, 100%");
  assert.deepEqual(curve(picture(grid), -1).series, []);
  assert.deepEqual(mix(grid, -1).own, []);
});

test("words that all classes begin with are left out", () => {
  assert.deepEqual(distinct(["tenth 1", "tenth 2"]), ["1", "2"]);
  assert.deepEqual(distinct(["no pain", "pain"]), ["no pain", "pain"]);
  assert.deepEqual(distinct(["alone"]), ["alone"]);
});
