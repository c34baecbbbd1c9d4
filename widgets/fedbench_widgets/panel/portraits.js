// @ts-check
/** What the charts below the map of clients draw, as plain data. Runs in node as well. */

import { number, percent, tick } from "../chart/scale.js";
import { ends, samples, tests } from "./grid.js";

/** @type {Record<string, string>} colours of verdicts */
const COLORS = { gains: "s0", loses: "s1" };

/** @typedef {import("./grid.js").Grid} Grid */
/** @typedef {import("../chart/scatter.js").Mark} Mark */
/**
 * @typedef {object} Picture
 * @property {Grid} grid
 * @property {(value: number) => string} show
 * @property {(value: number) => string} axisTick
 * @property {boolean} percent
 * @property {boolean} bounded values lie between 0 and 1
 * @property {number} end the last round of the x axis
 * @property {number | null} selected client
 * @property {number | null} pointed client
 */

/**
 * Each client alone against the same client in the federation.
 * @param {Picture} picture
 * @param {string} unknown why the levels are not known, empty if nobody asked
 * @returns {import("../chart/scatter.js").ScatterDrawing}
 */
export function alone(picture, unknown) {
  const { grid, show, axisTick } = picture;
  const { info } = grid;
  const bare = info.alone;
  /** @type {Mark[]} */
  const marks = [];
  for (let row = 0; bare && row < grid.rows; row += 1) {
    const [x, y] = [bare[row], grid.last(row)];
    if (x === null || !Number.isFinite(y)) continue;
    // off the diagonal is not yet a gain: the client's test rows decide, see `who_gains`
    const color = COLORS[info.gains?.[row]?.verdict ?? ""] ?? "mute";
    marks.push({ row: info.ids[row], x, y, color });
  }
  const domain = ends(marks.flatMap(({ x, y }) => [x, y]), picture.bounded);
  const sides = ["better together", "better alone"];
  if (info.minimize) sides.reverse();
  return {
    marks,
    xDomain: domain,
    yDomain: domain,
    xTick: axisTick,
    yTick: axisTick,
    xName: "trained alone",
    diagonal: true,
    sides: /** @type {[string, string]} */ (sides),
    selected: picture.selected,
    pointed: picture.pointed,
    label: `Alone vs. together: ${marks.length} clients`,
    empty: grid.columns === 0 ? ["After the first round."] : [unknown || "How would each client do alone?"],
    read(client) {
      const row = grid.rowOf.get(client) ?? -1;
      const other = bare?.[row] ?? NaN;
      const values = `${show(grid.last(row))}, alone ${show(other)}`;
      return [info.names[row] ?? "", values, gained(picture, row), tests(info, row)].filter(Boolean);
    },
  };
}

/**
 * The gain of a client over training alone, with its interval and what follows from that.
 * @param {Picture} picture
 * @param {number} row
 */
function gained({ grid, percent }, row) {
  const gain = grid.info.gains?.[row];
  if (!gain || gain.value === null) return "";
  const show = (/** @type {number} */ value) => signed(percent ? 100 * value : value, percent ? 1 : null);
  const { low, high } = gain;
  const range = low === null || high === null ? "too few rows" : `${show(low)} to ${show(high)}`;
  return `gain ${show(gain.value)}${percent ? " points" : ""} (${range}): ${gain.verdict}`;
}

/**
 * @param {number} value
 * @param {number | null} places null for as many as it takes
 */
function signed(value, places) {
  const size = places === null ? number(Math.abs(value)) : Math.abs(value).toFixed(places);
  return `${value < 0 ? "−" : "+"}${size}`;
}

/**
 * How much a client holds against what it gets.
 * @param {Picture} picture
 * @returns {import("../chart/scatter.js").ScatterDrawing}
 */
export function sizes(picture) {
  const { grid, show, axisTick } = picture;
  const { info } = grid;
  /** @type {Mark[]} */
  const marks = [];
  for (let row = 0; row < grid.rows; row += 1) {
    const y = grid.last(row);
    if (Number.isFinite(y)) marks.push({ row: info.ids[row], x: info.sizes[row], y, color: "s0" });
  }
  const held = marks.map(({ x }) => Math.max(1, x));
  const [least, most] = [Math.min(...held), Math.max(...held)];
  const wide = most >= 10 * least;
  const one = least === most ? 1 : 0;
  return {
    marks,
    xDomain: marks.length > 0 ? [least - one, most + one] : [0, 100],
    xLog: wide && marks.length > 0,
    xWhole: true,
    yDomain: ends(marks.map(({ y }) => y), picture.bounded),
    xTick: tick,
    yTick: axisTick,
    xName: "training samples",
    selected: picture.selected,
    pointed: picture.pointed,
    label: `Size against outcome: ${marks.length} clients`,
    empty: ["After the first round."],
    read(client) {
      const row = grid.rowOf.get(client) ?? -1;
      const values = `${show(grid.last(row))}, ${samples(info.sizes[row])}`;
      return [info.names[row] ?? "", values, tests(info, row)].filter(Boolean);
    },
  };
}

/**
 * One client's values over the rounds.
 * @param {Picture} picture
 * @param {number} row -1 for none
 * @returns {import("../chart/lines.js").Drawing}
 */
export function curve(picture, row) {
  const { grid, show } = picture;
  const { info } = grid;
  const known = row >= 0;
  const y = known ? info.rounds.map((_, column) => grid.value(row, column)) : [];
  const median = known ? grid.median() : [];
  const latest = known ? show(grid.last(row)) : "";
  const bare = known ? (info.alone?.[row] ?? null) : null;
  const style = { color: "mute", dash: "2 3", width: 1.4 };
  return {
    x: info.rounds.slice(0, grid.columns),
    xDomain: [0, Math.max(1, picture.end)],
    xTick: tick,
    xName: "round",
    xWhole: true,
    yTick: picture.axisTick,
    bounds: picture.bounded ? [0, 1] : [0, Infinity],
    series: known
      ? [
          { key: "own", name: "this client", color: "s0", y, label: latest, width: 2.2 },
          { key: "median", name: "median client", y: median, ...style },
        ]
      : [],
    levels: bare === null ? [] : [{ value: bare, label: `alone ${show(bare)}`, color: "mute" }],
    label: known ? `${info.names[row]}: ${latest} after round ${info.done}` : "No client chosen",
    empty: known ? [] : ["Choose a client:", "click its row or its mark, or press Enter there."],
    read(column) {
      if (!known) return [];
      const took = grid.took(row, column) ? "took part" : "did not take part";
      return [`round ${info.rounds[column]}: ${show(y[column])}`, took];
    },
  };
}

/**
 * One client's classes beside those of everybody.
 * @param {Grid} grid
 * @param {number} row -1 for none
 * @returns {import("../chart/mix.js").MixDrawing}
 */
export function mix(grid, row) {
  const { info } = grid;
  const own = shares(grid.held(row));
  const name = info.names[row];
  const top = own.indexOf(Math.max(...own));
  const most = top < 0 ? "" : `: most of ${info.strata[top]}, ${percent(own[top], 0)}`;
  return {
    classes: info.strata,
    own,
    whole: shares(info.mix),
    label: own.length > 0 ? `Data of ${name}, by ${info.kind}${most}` : "No client chosen",
    empty: [row < 0 ? `Its ${info.kind} against those of the whole federation.` : ""],
  };
}

/** @param {number[]} counts */
function shares(counts) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => count / (total || 1));
}
