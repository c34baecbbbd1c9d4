// @ts-check
/** Clients by rounds as the kernel sends them: values, who took part, what they hold. Pure. */

import { nice } from "../chart/scale.js";

/**
 * @typedef {object} Info
 * @property {number[]} rounds one per column
 * @property {number} every rounds that a column stands for
 * @property {number[]} ids one per row, from the best to the worst
 * @property {string[]} names untrusted text
 * @property {number[]} sizes training samples
 * @property {number[]} tests rows that a client is tested on
 * @property {number[]} took rounds that a client took part in
 * @property {(number | null)[] | null} alone what each would get alone; null while unknown
 * @property {(Gain | null)[] | null} gains over training alone; null while unknown
 * @property {number} done rounds so far
 * @property {number} expected rows there will be
 * @property {number} low of the values
 * @property {number} high
 * @property {[number, number]} scale what colours tell apart
 * @property {boolean} minimize lower values are better
 * @property {number} clients in the federation
 * @property {number} tested clients with a value
 * @property {string} which of them are shown, empty for all
 * @property {string} head
 * @property {string} note
 * @property {string[]} strata classes, or tenths of the target
 * @property {string} kind what these are called
 * @property {number[]} mix samples of each in the whole federation
 */
/** @typedef {{value: number | null, low: number | null, high: number | null, verdict: string}} Gain */
/** @typedef {"last" | "size" | "client"} Order */

/** @type {Info} */
const BLANK = {
  rounds: [],
  every: 1,
  ids: [],
  names: [],
  sizes: [],
  tests: [],
  took: [],
  alone: null,
  gains: null,
  done: 0,
  expected: 10,
  low: 0,
  high: 1,
  scale: [0, 1],
  minimize: false,
  clients: 0,
  tested: 0,
  which: "",
  head: "",
  note: "",
  strata: [],
  kind: "classes",
  mix: [],
};
const ABSENT = 0xffff;
export const SHADES = 16;
const DOTTED = 100;

export class Grid {
  /**
   * @param {Partial<Info> | null} info
   * @param {DataView | null} values uint16, then a bit per client, both by round
   * @param {DataView | null} mixes uint32, clients × strata
   */
  constructor(info, values, mixes) {
    /** @type {Info} */
    this.info = { ...BLANK, ...info };
    const { ids, rounds, strata } = this.info;
    this.rows = ids.length;
    this.bytes = Math.ceil(this.rows / 8);
    const each = 2 * this.rows + this.bytes;
    // words and bytes travel as several traits: those of another moment do not fit
    const fits = values !== null && values.byteLength === each * rounds.length;
    this.columns = this.rows > 0 && fits ? rounds.length : 0;
    this.words = new Uint16Array(this.rows * this.columns);
    for (let i = 0; values && i < this.words.length; i += 1) {
      this.words[i] = values.getUint16(2 * i, true);
    }
    this.bits = values;
    /** @type {Map<number, number>} row of each client */
    this.rowOf = new Map(ids.map((id, row) => [id, row]));
    this.mixes = mixes && mixes.byteLength === 4 * this.rows * strata.length ? mixes : null;
  }

  /** @param {number} row @param {number} column */
  value(row, column) {
    const word = this.words[column * this.rows + row];
    const { low, high } = this.info;
    return word === undefined || word === ABSENT
      ? NaN
      : low + ((high - low) * word) / (ABSENT - 1);
  }

  /** @param {number} row */
  last(row) {
    return this.value(row, this.columns - 1);
  }

  /** @param {number} row @param {number} column */
  took(row, column) {
    if (!this.bits || row >= this.rows || column >= this.columns) return false;
    const at = 2 * this.words.length + column * this.bytes + (row >> 3);
    return ((this.bits.getUint8(at) >> (row & 7)) & 1) === 1;
  }

  /** Samples of each class that a client holds. @param {number} row @returns {number[]} */
  held(row) {
    const { mixes } = this;
    const wide = this.info.strata.length;
    if (!mixes || row < 0) return [];
    return Array.from({ length: wide }, (_, k) => mixes.getUint32(4 * (row * wide + k), true));
  }

  /**
   * Rows from top to bottom.
   * @param {Order} by
   * @returns {number[]}
   */
  order(by) {
    const { ids, sizes } = this.info;
    const rows = ids.map((_, row) => row);
    if (by === "size") rows.sort((a, b) => sizes[b] - sizes[a] || ids[a] - ids[b]);
    if (by === "client") rows.sort((a, b) => ids[a] - ids[b]);
    return rows;
  }

  /** The median over the rows, for each round. @returns {number[]} */
  median() {
    return Array.from({ length: this.columns }, (_, column) => {
      const known = this.info.ids.map((_, row) => this.value(row, column)).filter((v) => v === v);
      known.sort((a, b) => a - b);
      const half = (known.length - 1) / 2;
      return known.length === 0 ? NaN : (known[Math.floor(half)] + known[Math.ceil(half)]) / 2;
    });
  }
}

/**
 * The ends of the colour scale: nice numbers, so that it seldom changes while values arrive.
 * @param {[number, number]} scale
 * @param {boolean} bounded values lie between 0 and 1
 * @returns {[number, number]}
 */
export function colours(scale, bounded) {
  const [low, high] = nice(scale[0], scale[1], 4);
  return bounded ? [Math.max(0, low), Math.min(1, high)] : [low, high];
}

/**
 * How dark a cell is, from 0 to SHADES - 1: the better, the darker; -1 without a value.
 * @param {number} value
 * @param {[number, number]} ends
 * @param {boolean} minimize
 */
export function shade(value, ends, minimize) {
  if (Number.isNaN(value)) return -1;
  const share = Math.max(0, Math.min(1, (value - ends[0]) / (ends[1] - ends[0] || 1)));
  return Math.round((minimize ? 1 - share : share) * (SHADES - 1));
}

/**
 * The ends of an axis for values that go on changing: steps that are seldom passed.
 * @param {number[]} values
 * @param {boolean} bounded values lie between 0 and 1
 * @returns {[number, number]}
 */
export function ends(values, bounded) {
  const finite = values.filter(Number.isFinite);
  if (finite.length === 0) return [0, 1];
  if (!bounded) {
    const [low, high] = nice(Math.min(...finite), Math.max(...finite), 4);
    return low < high ? [low, high] : [0, 1];
  }
  return [Math.min(0.75, Math.floor(Math.min(...finite) * 4) / 4), 1];
}

/**
 * A cell in words.
 * @param {Grid} grid
 * @param {number} row
 * @param {number} column
 * @param {(value: number) => string} show
 */
export function cell(grid, row, column, show) {
  const { names, rounds, sizes } = grid.info;
  const value = grid.value(row, column);
  const said = Number.isNaN(value) ? "no value" : show(value);
  const took = grid.took(row, column) ? "took part" : "did not take part";
  const parts = [said, took, samples(sizes[row]), tests(grid.info, row)].filter(Boolean);
  return `${names[row]} · round ${rounds[column]}: ${parts.join(", ")}`;
}

/**
 * What a client's value rests on; nothing where notebooks of earlier versions do not say it.
 * @param {Info} info
 * @param {number} row
 */
export function tests(info, row) {
  const count = info.tests[row];
  return count === undefined ? "" : `${count} test ${count === 1 ? "row" : "rows"}`;
}

/**
 * What the ends of the colours stand for: values beyond them look like the end.
 * @param {Pick<Info, "low" | "high">} info
 * @param {[number, number]} ends
 * @param {(value: number) => string} show
 */
export function endWords({ low, high }, ends, show) {
  const dust = 1e-6 * (ends[1] - ends[0]);
  const words = [low < ends[0] - dust ? "≤ " : "", high > ends[1] + dust ? "≥ " : ""];
  return words.map((sign, i) => sign + show(ends[i]));
}

/** @param {number} count */
export function samples(count) {
  return `${count} ${count === 1 ? "sample" : "samples"}`;
}

/**
 * What the rows of the map are.
 * @param {Info} info
 * @param {boolean} personal
 * @param {boolean} [dotted] whether cells have room for a dot
 */
export function subtitle(info, personal, dotted = true) {
  const whose = personal ? "by the personal models; " : "";
  if (info.rounds.length === 0) return whose.replace("; ", "");
  const untested = info.clients - info.tested;
  const parts = [
    info.which ? `${info.which}, sorted` : `${info.ids.length} clients`,
    untested > 0 ? `${untested} without test rows not shown` : "",
    info.every > 1 ? `a column is ${info.every} rounds, by the last` : "",
    dotted && info.every === 1 && info.ids.length <= DOTTED ? "a dot marks taking part in the round" : "",
  ];
  return whose + parts.filter(Boolean).join("; ");
}
