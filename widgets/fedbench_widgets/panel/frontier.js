// @ts-check
/** The Privacy–utility tab: every run as a point, and the same runs as a table. */

import { html, set, text } from "../chart/dom.js";
import { saveButtons } from "../chart/export.js";
import { FrontierChart } from "../chart/frontier.js";
import { heading } from "../chart/head.js";
import { isNumber, isPrivate, rivals } from "../chart/pareto.js";
import { percentTick, power, tick } from "../chart/scale.js";
import { about, rove } from "../help/marks.js";
import { epsilonName, format } from "./drawings.js";
import { MEANING, ofInterval, ofMetric } from "./meaning.js";
import { inline, isShare, minimizes } from "./table.js";
import { NONE, controls, heatMap } from "./sweep.js";

/** @typedef {import("../chart/pareto.js").Point} Point */
/** @typedef {{unit?: string | null, delta?: number | null}} Promised unit and δ of an ε */

const [VALUE, AUC] = [2, 3]; // places of these cells after the name

/** @param {import("./panel.js").Context} context @returns {import("./panel.js").Tab} */
export function frontier(context) {
  const load = (/** @type {string} */ id) => context.model.send({ load: id });
  const chart = new FrontierChart(load);
  const [title, subtitle] = [new Text(), new Text()];
  const cost = about(MEANING.epsilon);
  const metric = about("");
  const head = html(
    "tr",
    {},
    html("th", { scope: "col" }, "run"),
    ...[
      cost,
      about(MEANING.delta, {}, "δ"),
      metric,
      about(MEANING.auc, {}, "attack AUC"),
      about(MEANING.rounds, {}, "rounds"),
      about(MEANING.seed, {}, "seed"),
    ].map((mark) => html("th", { scope: "col" }, mark)),
  );
  const settle = rove(head);
  const body = html("tbody");
  const caption = html("caption", { class: "fb-hidden" }, "Finished runs");
  const table = html("table", { class: "fb-table fb-points-table" }, caption, html("thead", {}, head), body);
  const save = saveButtons(() => ({
    target: figure,
    parts: [context.table().info.data, "privacy-utility"],
    title: title.data,
    words: subtitle.data,
  }));
  const figure = html("div", {}, heading(title, subtitle, save.el), chart.el);
  const scroll = html("div", { class: "fb-scroll" }, table);
  const bar = controls((asked) => context.model.send({ sweep: asked }));
  const map = heatMap(
    () => format(context.table()),
    () => context.table().info.data,
  );
  const el = html("div", {}, bar.el, figure, map.el, scroll);
  /** @type {Map<string, Line>} kept by run, so that focus stays while others arrive */
  const lines = new Map();

  function draw() {
    const data = context.table();
    /** @type {Point[]} */
    const finished = context.model.get("frontier") ?? [];
    /** @type {import("./sweep.js").Sweep} */
    const sweep = { ...NONE, ...context.model.get("sweep") };
    const runs = [...finished, ...sweep.points];
    bar.show(sweep);
    const { info } = data;
    const alike = runs.filter((point) => isPrivate(point) && comparable(point, info, null));
    /** @type {Promised} */
    const promised = (info.unit === null ? alike.at(-1) : info) ?? {};
    const points = runs.filter((point) => comparable(point, info, promised));
    const others = runs.length - points.length;
    const apart = others > 0 ? `; ${others} ${others === 1 ? "run" : "runs"} hidden: different data, privacy type or δ` : "";
    const priv = points.filter(isPrivate);
    const some = rivals(priv).length < priv.length ? "; the line joins only means over seeds" : "";
    text(subtitle, `${info.data}: one point per run or mean over seeds; click one to load it${some}${apart}`);
    const show = format(data);
    text(title, `${info.metric.label} against privacy`);
    save.label();
    text(metric, inline(info.metric));
    set(metric, { "data-help": ofMetric(info, ofInterval(points)) });
    settle();
    const name = epsilonName(promised.unit);
    const at = promised.delta ? `${name} at δ = ${power(promised.delta)}` : name;
    text(cost, name);
    chart.draw({
      points,
      levels: points.some((point) => sweep.points.includes(point)) ? sweep.levels : [],
      format: show,
      yTick: info.metric.percent ? percentTick : tick,
      bounded: isShare(info.metric),
      minimize: minimizes(info.metric),
      name: info.metric.label,
      cost: name,
      xName: `${at} (less is more private)`,
      empty: "Each finished run becomes a point here. Press Start, or run a sweep.",
    });
    map.show(sweep.map, minimizes(info.metric), info.metric.label);
    set(scroll, { hidden: points.length === 0 });
    // nobody guessed: a column of dashes
    const attacked = points.some((point) => isNumber(point.auc));
    set(/** @type {Element} */ (head.children[AUC + 1]), { hidden: !attacked });
    const order = [...points].sort((a, b) => (a.epsilon ?? Infinity) - (b.epsilon ?? Infinity));
    const ids = new Set(order.map((point) => point.id));
    for (const id of [...lines.keys()].filter((known) => !ids.has(known))) {
      lines.get(id)?.el.remove();
      lines.delete(id);
    }
    order.forEach((point, i) => {
      const line = lines.get(point.id) ?? new Line(() => load(point.id));
      lines.set(point.id, line);
      line.show(point, show, attacked);
      if (body.children[i] !== line.el) body.insertBefore(line.el, body.children[i] ?? null);
    });
  }

  return { id: "frontier", label: "Privacy–utility", el, draw, stop: chart.stop };
}

/**
 * Whether a run may stand beside the one on show: the same data and measure, and an ε that
 * promises the same: to clients or to examples, at the same δ.
 * @param {Point} point
 * @param {import("./table.js").Snapshot} info
 * @param {Promised | null} promised null: whatever it promises
 */
export function comparable(point, info, promised) {
  const same = (point.metric ?? info.metric.name) === info.metric.name;
  if (!same || (point.data ?? info.data) !== info.data) return false;
  if (!isPrivate(point) || promised === null) return true;
  return point.unit === promised.unit && point.delta === promised.delta;
}

/**
 * The ends of a point's interval; nothing where there is none: of one run, or seeds that change nothing.
 * @param {Point} point
 * @param {(value: number) => string} show
 */
export function interval({ low, high }, show) {
  return isNumber(low) && isNumber(high) ? `(${show(low)} to ${show(high)})` : "";
}

/** A run's row of the table. */
class Line {
  /** @param {() => void} load */
  constructor(load) {
    this.words = html("span", { class: "fb-brief" });
    this.button = html("button", { type: "button", class: "fb-link" }, this.words);
    this.button.addEventListener("click", load);
    this.name = html("span", { class: "fb-brief" });
    this.mark = html("small");
    this.cells = Array.from({ length: 6 }, () => html("td"));
    const name = html("th", { scope: "row" }, this.button, this.name, this.mark);
    this.el = html("tr", {}, name, ...this.cells);
  }

  /**
   * @param {Point} point
   * @param {(value: number) => string} show
   * @param {boolean} attacked whether any point has an attacker's AUC
   */
  show(point, show, attacked) {
    const range = interval(point, show);
    const own = isNumber(point.personal) ? `, own models ${show(point.personal)}` : "";
    const known = isPrivate(point);
    const name = point.label || String(point.id);
    const going = point.current ?? false;
    // the run that goes on is on show already: there is nothing to load
    set(this.button, { hidden: going, title: `${name}: load this experiment` });
    set(this.name, { hidden: !going, title: name });
    text(this.words, going ? "" : name);
    text(this.name, going ? name : "");
    text(this.mark, going ? " this run" : "");
    const words = [
      known ? tick(Number((point.epsilon ?? 0).toPrecision(3))) : "∞",
      known && point.delta ? power(point.delta) : "–",
      `${show(point.value)}${own}`,
      isNumber(point.auc) ? point.auc.toFixed(3) : "–",
      String(point.rounds ?? "–"),
      String(point.seed ?? "–"),
    ];
    words.forEach((word, i) => text(this.cells[i], word));
    if (range) this.cells[VALUE].append(" ", html("span", { class: "fb-range" }, range));
    set(this.cells[AUC], { hidden: !attacked });
  }
}
