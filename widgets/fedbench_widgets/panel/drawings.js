// @ts-check
/** What each live chart draws, as plain data made from the table. Runs in node as well. */

import { short } from "../chart/labels.js";
import { number, percent, percentTick, tick, upward } from "../chart/scale.js";
import { COLUMN, place } from "./axis.js";
import { inline, isShare } from "./table.js";

/** @typedef {import("./table.js").Table} Table */
/** @typedef {import("./axis.js").Axis} Axis */
/** @typedef {import("./axis.js").AxisKind} AxisKind */
/** @typedef {import("../chart/lines.js").Drawing} Drawing */
/** @typedef {import("../chart/lines.js").Series} Series */

const NONE = new Float32Array(0);
const MOST = 48; // characters of a change that have room beside the cursor

/**
 * @param {Table} table
 * @returns {(value: number) => string}
 */
export function format(table) {
  return table.info.metric.percent ? (value) => percent(value) : (value) => number(value);
}

/**
 * What ε is called: it means nothing without the unit that it protects.
 * @param {string | null | undefined} unit
 */
export function epsilonName(unit) {
  return unit ? `${unit} ε` : "ε";
}

/**
 * The metric by the personal models, null where everybody uses the global one.
 * @param {Table} table
 */
function own(table) {
  return table.info.personal ? table.column("personal") : null;
}

/**
 * Finished runs pinned behind the current one, as far as the axis goes: those that measure the same,
 * and of ε those that promise the same.
 * @param {Table} table
 * @param {Axis} axis
 * @param {AxisKind} kind
 * @param {string} column
 * @returns {Series[]}
 */
function pinned(table, axis, kind, column) {
  const { metric, unit, delta } = table.info;
  return table.pins.flatMap((run) => {
    const x = run.columns[COLUMN[kind]];
    const y = run.columns[column];
    if (!x || !y || run.metric !== metric.name) return [];
    if (column === "epsilon" && (run.unit !== unit || run.delta !== delta)) return [];
    const far = x.findIndex((value) => !(value <= axis.xDomain[1]));
    const end = far < 0 ? x.length : far;
    if (!y.slice(0, end).some(Number.isFinite)) return [];
    const style = { color: run.color, dash: "5 4", width: 1.6, quiet: true };
    const name = { key: `pin${run.id}`, name: run.label, label: run.label };
    return [{ ...name, x: x.slice(0, end), y: y.slice(0, end), ...style }];
  });
}

/** @param {Table} table */
function waiting(table) {
  if (table.info.state === "running") return ["The first round is running."];
  if (table.info.state === "failed") return ["The run failed before its first round."];
  return ["Press Start:", "rounds will appear here as they finish."];
}

/**
 * @param {string} title
 * @param {string} value
 * @param {Table} table
 */
function spoken(title, value, table) {
  if (table.rows === 0) return `${title}: no rounds yet`;
  return `${title}: ${value} after round ${table.last("round")} of ${table.info.rounds}`;
}

/** @param {Table} table @param {Axis} axis @param {AxisKind} kind @returns {Drawing} */
export function accuracy(table, axis, kind) {
  const { metric } = table.info;
  const show = format(table);
  const values = table.column("metric") ?? NONE;
  const [low, high] = [table.column("clients_p10"), table.column("clients_p90")];
  const latest = table.rows > 0 ? show(table.last("metric")) : "";
  const personal = own(table);
  const whose = personal ? "personal models, 10–90%" : "clients 10–90%";
  const band = low && high ? { name: whose, color: "s0", low, high } : null;
  /** @type {Series[]} */
  const series = [
    { key: "main", name: "global", color: "s0", y: values, label: latest, width: 2.2 },
  ];
  if (personal) {
    const label = table.rows > 0 ? `own ${show(table.last("personal"))}` : "";
    const style = { color: "s3", dash: "7 2.5 1.5 2.5", width: 2 };
    series.push({ key: "own", name: "personal models", y: personal, label, ...style });
  }
  return {
    ...axis,
    label: spoken(metric.label, latest, table),
    yTick: metric.percent ? percentTick : tick,
    bounds: isShare(metric) ? [0, 1] : [0, Infinity],
    series: [...series, ...pinned(table, axis, kind, "metric")],
    levels: [...table.info.naive, ...table.info.levels.lines].map((line) => ({ ...line, color: "mute" })),
    band,
    empty: waiting(table),
    read(row) {
      const value = show(table.at("metric", row));
      const lines = [`${place(kind, table, row)}: ${personal ? "global " : ""}${value}`];
      if (personal) lines.push(`personal models ${show(table.at("personal", row))}`);
      if (band) lines.push(spread(table, row));
      return [...lines, ...table.turned(row).map((words) => short(words, MOST))];
    },
  };
}

/** @param {Table} table @param {number} row */
function spread(table, row) {
  const [low, high] = [table.at("clients_p10", row), table.at("clients_p90", row)];
  if (!table.info.metric.percent) return `clients ${number(low)} to ${number(high)}`;
  return `clients ${Math.round(100 * low)}–${percent(high, 0)}`;
}

/** @param {Table} table @param {Axis} axis @param {AxisKind} kind @returns {Drawing} */
export function loss(table, axis, kind) {
  const test = table.column("loss") ?? NONE;
  const train = table.column("train_loss");
  const latest = table.rows > 0 && test.length > 0 ? number(table.last("loss")) : "";
  /** @type {Series[]} */
  const series = [
    {
      key: "test",
      name: "test",
      color: "s0",
      y: test,
      label: latest && `test ${latest}`,
      width: 2.2,
    },
  ];
  if (train) {
    const label = table.rows > 0 ? `train ${number(table.last("train_loss"))}` : "";
    series.push({
      key: "train",
      name: "train",
      color: "s2",
      dash: "2 3",
      y: train,
      label,
      width: 1.6,
    });
  }
  return {
    ...axis,
    label: spoken("Loss", latest, table),
    yTick: tick,
    series: [...series, ...pinned(table, axis, kind, "loss")],
    read(row) {
      const lines = [`test ${number(table.at("loss", row))}`];
      if (train) lines.push(`train ${number(table.at("train_loss", row))}`);
      return lines;
    },
  };
}

/** @param {Table} table */
export function isPrivate(table) {
  return table.info.unit !== null || (table.rows > 0 && table.column("epsilon") !== null);
}

/** @param {Table} table @param {Axis} axis @param {AxisKind} kind @returns {Drawing} */
export function epsilon(table, axis, kind) {
  const { budget, unit, epsilon_plan: plan } = table.info;
  const name = epsilonName(unit);
  const spent = table.column("epsilon") ?? NONE;
  const latest = table.rows > 0 ? upward(table.last("epsilon")) : "";
  /** @type {Series[]} */
  const series = [
    {
      key: "spent",
      name: "spent",
      color: "s0",
      y: spent,
      label: latest && `ε ${latest}`,
      width: 2.2,
    },
  ];
  if (plan && kind === "round") {
    const style = { color: "s0", dash: "2 4", width: 1.4, quiet: true };
    const seen = plan.rounds.filter((round) => round <= axis.xDomain[1]);
    const y = plan.epsilon.slice(0, seen.length);
    series.push({ key: "plan", name: "planned", x: seen, y, ...style });
  }
  series.push(...pinned(table, axis, kind, "epsilon"));
  const levels =
    budget === null ? [] : [{ value: budget, label: `budget ${tick(budget)}`, color: "mute" }];
  return {
    ...axis,
    label: spoken("Privacy spent", latest && `${name} ${latest}`, table),
    yTick: tick,
    series,
    levels,
    read: (row) => [`${name} ${upward(table.at("epsilon", row))}`],
  };
}

/** @param {Table} table @param {Axis} axis @param {AxisKind} kind @returns {Drawing} */
export function norm(table, axis, kind) {
  const { clip } = table.info;
  const values = table.column("update_norm") ?? NONE;
  const clipped = table.column("clipped");
  const share = table.last("clipped");
  const latest = table.rows > 0 ? number(table.last("update_norm")) : "";
  const label = clipped && Number.isFinite(share) ? `${percent(share, 0)} clipped` : latest;
  const levels =
    clip === null ? [] : [{ value: clip, label: `clip C = ${tick(clip)}`, color: "mute" }];
  return {
    ...axis,
    label: spoken("Update norm", latest, table),
    yTick: tick,
    series: [
      { key: "norm", name: "median", color: "s0", y: values, label, width: 2.2 },
      ...pinned(table, axis, kind, "update_norm"),
    ],
    levels,
    read(row) {
      const lines = [`norm ${number(table.at("update_norm", row))}`];
      if (clipped) lines.push(`${percent(table.at("clipped", row), 0)} clipped`);
      return lines;
    },
  };
}

/**
 * One sentence for the live region.
 * @param {Table} table
 * @param {AxisKind} kind
 * @param {number} row
 */
export function sentence(table, kind, row) {
  const { metric } = table.info;
  const show = format(table);
  const parts = [`${inline(metric)} ${show(table.at("metric", row))}`];
  if (own(table)) parts.push(`personal models ${show(table.at("personal", row))}`);
  if (table.column("clients_p10") && table.column("clients_p90")) parts.push(spread(table, row));
  if (table.column("loss")) parts.push(`loss ${number(table.at("loss", row))}`);
  if (table.column("epsilon")) {
    parts.push(`${epsilonName(table.info.unit)} ${upward(table.at("epsilon", row))}`);
  }
  if (table.column("update_norm")) parts.push(`norm ${number(table.at("update_norm", row))}`);
  return `${place(kind, table, row)}: ${[...parts, ...table.turned(row)].join(" · ")}`;
}
