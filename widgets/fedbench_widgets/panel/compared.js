// @ts-check
/** Runs as the rows of a table: its columns, their order and their words. Runs in node as well. */

import { bytes, duration, number, percent, power, upward } from "../chart/scale.js";
import { inline, minimizes } from "./table.js";

/**
 * @typedef {object} Row
 * @property {string} id "0" for the run that goes on
 * @property {string} name
 * @property {string} color name of a theme colour
 * @property {boolean} pinned
 * @property {boolean} current
 * @property {string[]} cells the settings in which some runs differ
 * @property {string[]} [told] the same, each saying by itself what it is of; empty where runs of its data share it
 * @property {string} data name of the data set
 * @property {{name: string, label: string, percent: boolean, minimize?: boolean}} metric
 * @property {number | null} value
 * @property {number | null} worst_tenth
 * @property {number | null} epsilon
 * @property {string | null} unit
 * @property {number | null} delta
 * @property {number} rounds
 * @property {string} amended what changed on its way, nothing for most
 */
/**
 * What adds up over the rounds of a run: a row has its number under its key, null where it has none.
 * @typedef {{key: string, title: string, help: string, format: "bytes" | "seconds" | "count"}} Total
 */
/**
 * @typedef {object} Column
 * @property {string} key
 * @property {string} title
 * @property {string} [meaning]
 * @property {boolean} setting whether it is of the configuration
 * @property {boolean} falls whether the best is the greatest: that end is wanted first
 * @property {(row: Row) => number | string | null} value
 * @property {(row: Row) => string} words
 */
/** @typedef {{key: string, down: boolean}} Order of rows; as they were run for no key */
/** @typedef {"apart" | "folded" | "first"} Layout of settings: columns, one column, the first alone */

const MOST = 2; // settings with a column of their own
const ROOMY = 760; // pixels for every column, whatever the settings
const NARROW = 480; // pixels below which one setting has a column
/** pixels that a row needs beside its columns, and about what each of these takes */
const ROW = { narrow: 140, wide: 252 };
const TAKES = { setting: 84, result: 54 };
const WORDS = {
  bytes: (/** @type {number} */ value) => bytes(value).join(" "),
  seconds: duration,
  count: (/** @type {number} */ value) => value.toLocaleString("en"),
};

const WORST = "Mean over the worst tenth of the clients that have test rows (at least one).";

/**
 * How settings are laid out so that results stay in view.
 * @param {number} settings
 * @param {number} width pixels of the table, 0 while it is not known
 * @returns {Layout}
 */
export function layoutOf(settings, width) {
  if (settings === 0) return "apart";
  if (width > 0 && width < ROOMY) return "first";
  return settings > MOST ? "folded" : "apart";
}

/** How many settings have a column of their own where not all have. @param {number} width */
export function firstOf(width) {
  return width < NARROW ? 1 : MOST;
}

/** What tells a run from the others, less the settings that have columns. @param {Row} row @param {number} [from] */
export function told(row, from = 0) {
  return (row.told ?? row.cells).slice(from).filter(Boolean).join(" · ");
}

/**
 * The columns that a width has room for, as far as some can be spared; what the runs differ in stays.
 * @param {Column[]} columns
 * @param {string[]} spared their keys: what goes first where there is no room for all
 * @param {number} width pixels of the table, 0 while it is not known
 */
export function fitting(columns, spared, width) {
  if (width === 0 || width >= ROOMY) return columns;
  const kept = [...columns];
  const needed = () =>
    kept.slice(1).reduce(
      (sum, { setting }) => sum + (setting ? TAKES.setting : TAKES.result),
      width < NARROW ? ROW.narrow : ROW.wide,
    );
  for (const key of spared) {
    if (needed() <= width) break;
    const at = kept.findIndex((column) => column.key === key);
    if (at >= 0) kept.splice(at, 1);
  }
  return kept;
}

/**
 * @param {{path: string, title: string}[]} settings
 * @param {Row[]} rows
 * @param {Total[]} totals
 * @param {Layout} [layout]
 * @param {number} [width] pixels of the table
 * @returns {Column[]}
 */
export function columnsOf(settings, rows, totals, layout = "apart", width = 0) {
  const falls = rows.every((row) => !minimizes(row.metric));
  const label = one(rows.map((row) => row.metric.label));
  const metric = label && inline({ label });
  const unit = one(rows.filter((row) => row.unit !== null).map((row) => row.unit));
  const all = (/** @type {Row} */ row) => told(row);
  const folded = { ...result("settings", "differs in", all, { words: all }), setting: true };
  const configured = settings.map(({ path, title }, i) => ({
    key: path,
    title,
    meaning: path,
    setting: true,
    falls: false,
    value: (/** @type {Row} */ row) => row.cells[i],
    words: (/** @type {Row} */ row) => row.cells[i],
  }));
  /** @type {(Column & {known: boolean})[]} */
  const results = [
    result("value", metric ?? "result", (row) => row.value, {
      falls,
      words: (row) => `${measured(row, row.value)}${metric ? "" : ` ${inline(row.metric)}`}`,
    }),
    result("worst_tenth", "worst tenth", (row) => row.worst_tenth, {
      falls,
      meaning: WORST,
      words: (row) => measured(row, row.worst_tenth),
    }),
    result("epsilon", unit ? `${unit} ε` : "ε", (row) => row.epsilon, {
      words: (row) => spent(row, unit !== null),
    }),
    ...totals.map(({ key, title, help, format }) => {
      const value = (/** @type {Row & Record<string, any>} */ row) => row[key] ?? null;
      const words = (/** @type {Row} */ row) => (value(row) === null ? "–" : WORDS[format](value(row)));
      return result(key, title, value, { meaning: help, words });
    }),
    result("rounds", "rounds done", (row) => row.rounds, { words: (row) => String(row.rounds) }),
  ].map((column) => ({ ...column, known: rows.some((row) => column.value(row) !== null) }));
  const name = result("name", "run", (row) => row.name, { words: (row) => row.name });
  const first = configured.slice(0, firstOf(width));
  const between = { apart: configured, folded: [folded], first }[layout];
  const spared = [...totals.map(({ key }) => key).reverse(), "rounds"];
  return fitting([name, ...between, ...results.filter(({ known }) => known)], spared, width);
}

/**
 * @param {string} key
 * @param {string} title
 * @param {Column["value"]} value
 * @param {Partial<Column> & Pick<Column, "words">} more
 * @returns {Column}
 */
function result(key, title, value, more) {
  return { key, title, value, setting: false, falls: false, ...more };
}

/**
 * The rows in an order; those without a value come last either way.
 * @param {Row[]} rows
 * @param {Column[]} columns
 * @param {Order} order
 */
export function sorted(rows, columns, order) {
  const column = columns.find(({ key }) => key === order.key);
  if (!column) return rows;
  const sign = order.down ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [x, y] = [column.value(a), column.value(b)];
    if (x === null || y === null) return Number(x === null) - Number(y === null);
    return sign * between(x, y);
  });
}

/** Numbers as numbers, even where they are written out. @param {number | string} x @param {number | string} y */
function between(x, y) {
  const [a, b] = [Number(x), Number(y)];
  if (x !== "" && y !== "" && Number.isFinite(a) && Number.isFinite(b)) return a - b;
  return String(x).localeCompare(String(y), undefined, { numeric: true });
}

/**
 * Whether no other run of the same data and measure is as good in a column.
 * @param {Row} row
 * @param {Column} column
 * @param {Row[]} rows
 */
export function best(row, column, rows) {
  if (column.key !== "value" && column.key !== "worst_tenth") return false;
  const alike = rows.filter(
    (other) => other.metric.name === row.metric.name && other.data === row.data,
  );
  const own = column.value(row);
  if (own === null || alike.length < 2) return false;
  return alike.every((other) => {
    const value = column.value(other);
    if (other === row || value === null) return true;
    return minimizes(row.metric) ? Number(own) < Number(value) : Number(own) > Number(value);
  });
}

/** @param {Row} row @param {number | null} value */
function measured(row, value) {
  if (value === null) return "–";
  return row.metric.percent ? percent(value) : number(value);
}

/** @param {Row} row @param {boolean} named whether the column's title says the unit */
function spent(row, named) {
  if (row.epsilon === null) return "–";
  const value = upward(row.epsilon);
  return named ? value : `${value} ${row.unit}`;
}

/** What an ε rests on. @param {Row} row */
export function promised(row) {
  if (row.epsilon === null || row.delta === null) return "";
  return `${row.unit} ε at δ = ${power(row.delta)}`;
}

/** The value that all have, null where they differ or there is none. @template T @param {T[]} values */
function one(values) {
  return values.length > 0 && values.every((value) => value === values[0]) ? values[0] : null;
}
