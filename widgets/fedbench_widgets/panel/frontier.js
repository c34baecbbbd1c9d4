// @ts-check
/** The Privacy–utility tab: every run as a point, and the same runs as a table. */

import { html, set, text } from "../chart/dom.js";
import { saveButtons } from "../chart/export.js";
import { FrontierChart } from "../chart/frontier.js";
import { heading } from "../chart/head.js";
import { isNumber, isPrivate, rivals } from "../chart/pareto.js";
import { number, percent, percentTick, power, tick } from "../chart/scale.js";
import { about, rove } from "../help/marks.js";
import { epsilonName } from "./drawings.js";
import { groups, keyOf, match, nameOf } from "./grouping.js";
import { MEANING, ofInterval, ofMetric } from "./meaning.js";
import { inline, isShare, minimizes } from "./table.js";
import { NONE, controls, heatMap } from "./sweep.js";

/** @typedef {import("../chart/pareto.js").Point} Point */
const [VALUE, AUC] = [2, 3]; // places of these cells after the name

/** @param {import("./panel.js").Context} context @returns {import("./panel.js").Tab} */
export function frontier(context) {
  const load = (/** @type {string} */ id) => context.model.send({ load: id });
  let shownData = "";
  let show = percent;
  /** the group that a person chose, until something else is started */
  let chosen = "";
  let turn = "";
  const chart = new FrontierChart(load);
  const [title, subtitle] = [new Text(), new Text()];
  const cost = about("");
  const measured = about("");
  const head = html(
    "tr",
    {},
    html("th", { scope: "col" }, "run"),
    ...[
      cost,
      about(MEANING.delta, {}, "δ"),
      measured,
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
    parts: [shownData, "privacy-utility"],
    title: title.data,
    words: subtitle.data,
  }));
  const how = html("small", { class: "fb-chart-subtitle fb-how" }, "click a point to load it");
  const figure = html("div", {}, heading(title, subtitle, how, save.el), chart.el);
  const scroll = html("div", { class: "fb-scroll" }, table);
  const bar = controls((asked) => context.model.send({ sweep: asked }));
  const map = heatMap(
    () => show,
    () => shownData,
  );
  const others = html("p", { class: "fb-others", role: "group", "aria-label": "Other runs" });
  const el = html("div", {}, bar.el, others, figure, map.el, scroll);
  /** @type {Map<string, Line>} kept by run, so that focus stays while others arrive */
  const lines = new Map();

  function draw() {
    const data = context.table();
    /** @type {Point[]} */
    const finished = context.model.get("frontier") ?? [];
    /** @type {import("./sweep.js").Sweep} */
    const sweep = { ...NONE, ...context.model.get("sweep") };
    const runs = [...finished, ...sweep.points];
    const { info } = data;
    const known = groups(runs);
    const last = { ...info, metric: info.metric.name };
    const now = JSON.stringify([sweep.latest, sweep.number, finished.length]);
    if (now !== turn) [turn, chosen] = [now, ""];
    const swept = sweep.about ? match(known, sweep.about) : undefined;
    // what was started last; without any of its runs yet, or after a reset, what there is
    const latest = (sweep.latest && swept) || match(known, last) || swept || known.at(-1);
    const group = known.find((each) => keyOf(each) === chosen) ?? latest;
    const metric = group?.metric ?? info.metric;
    const points = group?.points ?? [];
    const mine = group !== undefined && group === swept; // the last sweep is what is shown
    shownData = group?.data ?? info.data;
    show = metric.percent ? percent : number;
    bar.show(sweep, mine || !swept);
    drawOthers(known, group);
    const priv = points.filter(isPrivate);
    const some = rivals(priv).length < priv.length ? "; the line joins only means over seeds" : "";
    text(subtitle, `${shownData}: one point per run or mean over seeds${some}`);
    text(title, `${metric.label} against privacy`);
    save.label();
    text(measured, inline(metric));
    set(measured, { "data-help": ofMetric({ metric }, ofInterval(points)) });
    set(cost, { "data-help": info.help.epsilon ?? "" });
    settle();
    const name = epsilonName(group?.unit);
    const at = group?.delta ? `${name} at δ = ${power(group.delta)}` : name;
    text(cost, name);
    chart.draw({
      points,
      // of a sweep they are among its levels
      levels: mine ? sweep.levels : group?.of === info.of && metric.name === info.metric.name ? info.naive : [],
      format: show,
      yTick: metric.percent ? percentTick : tick,
      bounded: isShare(metric),
      minimize: minimizes(metric),
      name: metric.label,
      cost: name,
      xName: `${at} (lower is more private)`,
      empty: "Each finished run becomes a point here. Press Start, or run a sweep.",
    });
    map.show(mine ? sweep.map : null, minimizes(metric), metric.label);
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

  /** One click to the runs that may not stand on the same chart.
   * @param {import("./grouping.js").Group[]} known
   * @param {import("./grouping.js").Group | undefined} group */
  function drawOthers(known, group) {
    set(others, { hidden: known.length < 2 });
    const key = JSON.stringify(known.map((each) => [keyOf(each), each.points.length, each === group]));
    if (key === others.dataset.key) return;
    others.dataset.key = key;
    const held = others.contains(document.activeElement);
    const buttons = known.map((each) => {
      const name = `${nameOf(each)} (${each.points.length})`;
      const button = html("button", { type: "button", "aria-pressed": String(each === group) }, name);
      button.addEventListener("click", () => {
        chosen = keyOf(each);
        draw();
      });
      return button;
    });
    others.replaceChildren("Runs with different data, metric, privacy type or δ have charts of their own: ", ...buttons);
    if (held) buttons[group ? known.indexOf(group) : 0].focus();
  }

  return { id: "frontier", label: "Privacy–utility", el, draw, stop: chart.stop };
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
    const own = isNumber(point.personal) ? `, personal models ${show(point.personal)}` : "";
    const known = isPrivate(point);
    const name = point.name || point.label || String(point.id);
    const going = point.current ?? false;
    // the run that goes on is on show already: there is nothing to load
    set(this.button, { hidden: going, title: `${point.label}: load this experiment` });
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
