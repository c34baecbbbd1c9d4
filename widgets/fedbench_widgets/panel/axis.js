// @ts-check
/** The x axis of the live charts: rounds, bytes sent, seconds here or at the devices, out to the end of the plan. */

import { bytes, duration, nice, tick } from "../chart/scale.js";

/** @typedef {"round" | "bytes" | "time" | "simulated"} AxisKind */
/**
 * @typedef {object} Axis
 * @property {ArrayLike<number>} x
 * @property {[number, number]} xDomain
 * @property {(value: number) => string} xTick
 * @property {string} xName
 * @property {boolean} xWhole
 * @property {string[]} beside names of levels, for which all charts leave the same room
 * @property {import("../chart/lines.js").Turn[]} turns where the run's settings changed
 */

/** @type {Record<AxisKind, string>} */
export const COLUMN = {
  round: "round",
  bytes: "bytes_up",
  time: "seconds",
  simulated: "simulated_seconds",
};

/**
 * @param {AxisKind} kind
 * @param {import("./table.js").Table} table
 * @param {number} floor the end never comes nearer than this during a run
 * @returns {Axis}
 */
export function axis(kind, table, floor) {
  const rounds = table.columns.get("round") ?? new Float32Array(0);
  const x = kind === "round" ? rounds : (table.columns.get(COLUMN[kind]) ?? rounds);
  const turns = table.info.amended
    .map(({ round, words }) => ({ x: x[table.turn(round)], label: words.replace(/^from round \d+ on /, "") }))
    .filter((turn) => Number.isFinite(turn.x));
  const { naive, levels } = table.info;
  const more = { turns, beside: [...naive, ...levels.lines].map(({ label }) => label) };
  const done = table.rows > 0 ? rounds[table.rows - 1] : 0;
  const seen = table.rows > 0 ? x[table.rows - 1] : 0;
  const over = done > 0 && ["done", "failed"].includes(table.info.state);
  // a run that is over goes no further; runs pinned beside it may have
  const furthest = Math.max(0, ...table.pins.map(({ columns }) => columns.round?.at(-1) ?? 0));
  const planned = over ? Math.min(table.info.rounds, furthest) : table.info.rounds;
  if (kind === "round") {
    const end = Math.max(1, planned, done);
    return { x, xDomain: [0, end], xTick: tick, xName: "round", xWhole: true, ...more };
  }
  const guess = done > 0 ? (seen / done) * Math.max(planned, done) : 0;
  const end = Math.max(over ? 0 : floor, nice(0, Math.max(guess, seen, Number.MIN_VALUE), 4)[1]);
  const [, unit] = bytes(end);
  const factor = 1000 ** ["B", "kB", "MB", "GB", "TB"].indexOf(unit);
  return kind === "bytes"
    ? { x, xDomain: [0, end], xTick: (v) => tick(v / factor), xName: unit, xWhole: false, ...more }
    : { x, xDomain: [0, end], xTick: tick, xName: "s", xWhole: false, ...more };
}

/**
 * How the readout says where the cursor is.
 * @param {AxisKind} kind
 * @param {import("./table.js").Table} table
 * @param {number} row
 */
export function place(kind, table, row) {
  const round = `round ${table.at("round", row)}`;
  if (kind === "bytes") return `${round}, ${bytes(table.at("bytes_up", row)).join(" ")}`;
  if (kind === "time") return `${round}, ${duration(table.at("seconds", row))}`;
  if (kind === "simulated") {
    return `${round}, ${duration(table.at("simulated_seconds", row))} simulated`;
  }
  return round;
}
