// @ts-check
/** The Compare tab: runs side by side, what tells them apart first, and which are pinned. */

import { html, onWidth, set, text } from "../chart/dom.js";
import { heading } from "../chart/head.js";
import { saveFromKernel, saying } from "./asking.js";
import { RunRow } from "./runrow.js";
import { columnsOf, firstOf, layoutOf, sorted, told } from "./compared.js";
import { inline } from "./table.js";

/** @typedef {import("./compared.js").Row} Row */
/** @typedef {import("./compared.js").Column} Column */
/** @typedef {import("./compared.js").Order} Order */
/**
 * @typedef {object} Compared
 * @property {{path: string, title: string}[]} columns settings in which some runs differ
 * @property {import("./compared.js").Total[]} totals
 * @property {Row[]} rows
 * @property {string} deleted name of the run that can be brought back, or nothing
 */

/** @type {Compared} */
const NONE = { columns: [], totals: [], rows: [], deleted: "" };
const FEW = 3; // settings that a sentence lists
const SWEEPS = "Points of sweeps are on Privacy–utility.";
const EMPTY =
  "Finished runs are listed here. Press Start, change a setting, press Start again.";

/** @param {import("./panel.js").Context} context @returns {import("./panel.js").Tab} */
export function compare(context) {
  const { model } = context;
  const ask = (/** @type {unknown} */ wanted) => model.send({ compare: wanted });
  const load = (/** @type {string} */ id) => model.send({ load: id });

  const note = html("p", { class: "fb-note" });
  const said = html("span", { role: "status" });
  const say = saying(said);
  const save = (/** @type {string} */ name, /** @type {string} */ what) => {
    const button = html("button", { type: "button" }, name);
    button.addEventListener("click", () => saveFromKernel(model, what, say));
    return button;
  };
  const buttons = [save("Save CSV", "compare.csv"), save("Save report", "compare.report")];
  const hint = new Text();
  const end = html("span", { class: "fb-end" }, said, ...buttons);
  const head = heading("Runs", hint, end);

  const gone = html("span");
  const undo = html("button", { type: "button" }, "Undo");
  undo.addEventListener("click", () => ask("undo"));
  const deleted = html("p", { class: "fb-undo", role: "status" }, gone, undo);

  const top = html("tr");
  const body = html("tbody");
  const caption = html("caption", { class: "fb-hidden" }, "Runs of this workbench");
  const table = html("table", { class: "fb-table fb-runs" }, caption, html("thead", {}, top), body);
  const scroll = html("div", { class: "fb-scroll" }, table);
  const el = html("div", { class: "fb-compare" }, note, head, deleted, scroll);

  /** @type {Order} */
  let order = { key: "", down: false };
  let heads = "";
  let width = 0;
  /** @type {Map<string, RunRow>} kept by run, so that focus stays while others change */
  const lines = new Map();

  function draw() {
    /** @type {Compared} */
    const { columns: settings, totals, rows, deleted: lost } = { ...NONE, ...model.get("compare") };
    const layout = layoutOf(settings.length, width);
    const columns = columnsOf(settings, rows, totals, layout, width);
    const none = rows.length === 0;
    const swept = (model.get("sweep")?.points ?? []).length > 0;
    text(note, [none ? EMPTY : sentence(settings, rows), swept ? SWEEPS : ""].join(" ").trim());
    text(hint, none ? "" : "tick a run to show it as a dashed line behind the live charts");
    const ended = rows.some((row) => !row.current);
    for (const button of buttons) set(button, { disabled: !ended });
    set(head, { hidden: none });
    set(scroll, { hidden: none });
    set(deleted, { hidden: lost === "" });
    text(gone, lost === "" ? "" : `Deleted ${lost}.`);
    drawHead(columns);
    drawRows(sorted(rows, columns, order), columns, layout === "first" ? firstOf(width) : Infinity);
  }

  /** @param {Column[]} columns */
  function drawHead(columns) {
    const names = JSON.stringify([columns.map((column) => [column.key, column.title]), order]);
    if (names === heads) return;
    heads = names;
    const focused = top.querySelector("button:focus")?.parentElement?.dataset.key;
    top.replaceChildren(
      html("th", { scope: "col" }, html("span", { class: "fb-hidden" }, "pin and colour")),
      ...columns.map(columnHead),
      html("th", { scope: "col" }, html("span", { class: "fb-hidden" }, "load or delete")),
    );
    if (focused === undefined) return;
    for (const button of top.querySelectorAll("button")) {
      if (button.parentElement?.dataset.key === focused) button.focus();
    }
  }

  /** @param {Column} column */
  function columnHead(column) {
    const on = order.key === column.key;
    const button = html("button", { type: "button", title: column.meaning }, column.title);
    button.addEventListener("click", () => {
      // a third click brings the order of the runs back
      if (order.key !== column.key) order = { key: column.key, down: column.falls };
      else if (order.down === column.falls) order = { ...order, down: !order.down };
      else order = { key: "", down: false };
      draw();
    });
    const sort = on ? (order.down ? "descending" : "ascending") : "none";
    const kind = column.setting ? "fb-setting" : null;
    return html(
      "th",
      { scope: "col", "aria-sort": sort, "data-key": column.key, class: kind },
      button,
    );
  }

  /** @param {Row[]} rows @param {Column[]} columns @param {number} shown settings that have columns */
  function drawRows(rows, columns, shown) {
    const ids = new Set(rows.map((row) => row.id));
    for (const [id, line] of lines) {
      if (ids.has(id)) continue;
      if (line.el.contains(document.activeElement)) queueMicrotask(() => undo.focus());
      line.el.remove();
      lines.delete(id);
    }
    const { metric } = context.table().info;
    rows.forEach((row, i) => {
      const line = lines.get(row.id) ?? new RunRow(row.id, ask, load);
      lines.set(row.id, line);
      const other = row.metric.name === metric.name ? "" : inline(metric);
      line.show(row, columns, rows, told(row, shown), other);
      if (body.children[i] !== line.el) body.insertBefore(line.el, body.children[i] ?? null);
    });
  }

  const stop = onWidth(el, (now) => {
    width = now;
    draw();
  });
  return { id: "compare", label: "Compare", el, draw, stop };
}

/**
 * Where the runs differ, and which of them compare.
 * @param {{title: string}[]} settings
 * @param {Row[]} rows
 */
export function sentence(settings, rows) {
  if (rows.length === 1) return "One run so far: change something and press Start to compare.";
  const all = `These ${rows.length} runs`;
  const amended = rows.filter((row) => row.amended).length;
  const changed = ["", " One was edited while running."][amended] ?? ` ${amended} were edited while running.`;
  if (settings.length === 0) {
    const but = changed ? "started with" : "have";
    return `${all} ${but} the same settings; any difference comes from random noise.${changed}`;
  }
  const names = settings.map((setting) => setting.title);
  const last = names.pop();
  const list = names.length > 0 ? `${names.join(", ")} and ${last}` : last;
  const few = settings.length <= FEW;
  const differ =
    (few ? `${all} differ only in ${list}.` : `${all} differ in ${settings.length} settings.`) + changed;
  const metrics = new Set(rows.map((row) => row.metric.name));
  const worlds = new Set(rows.map((row) => row.data));
  if (metrics.size > 1) {
    return `${differ} Runs with different metrics are never drawn together.`;
  }
  const apart = `Compare results only within one data set: there are ${worlds.size}.`;
  return worlds.size > 1 ? `${differ} ${apart}` : differ;
}
