// @ts-check
/** The Clients tab: who gains, who took part, and how one client fares. */

import { opacity } from "../chart/cells.js";
import { Cursor } from "../chart/cursor.js";
import { html, set, svg, text, uid } from "../chart/dom.js";
import { Head } from "../chart/head.js";
import { HeatMap } from "../chart/heat.js";
import { LineChart } from "../chart/lines.js";
import { Mix } from "../chart/mix.js";
import { percentTick, tick } from "../chart/scale.js";
import { Scatter } from "../chart/scatter.js";
import { rove } from "../help/marks.js";
import { format } from "./drawings.js";
import { Grid, SHADES, cell, colours, endWords, samples, shade, subtitle } from "./grid.js";
import { MEANING, ofMetric } from "./meaning.js";
import { alone, curve, mix, sizes } from "./portraits.js";
import { isShare } from "./table.js";

/** @typedef {import("./grid.js").Order} Order */

// stands where the run's own sentence will be, so that the charts keep their place
const PREVIEW =
  "What each client gains from the federation: which clients do well, which do not, and which " +
  "would do better alone.";
const HINT = "Click a client, or press Enter on it, to select it; arrow keys read the map when it has the focus.";
/** @type {Record<Order, {word: string, ends: [string, string]}>} */
const ORDERS = {
  last: { word: "latest value", ends: ["best", "worst"] },
  size: { word: "size", ends: ["largest", "smallest"] },
  client: { word: "client", ends: ["first", "last"] },
};

/** @param {import("./panel.js").Context} context @returns {import("./panel.js").Tab} */
export function clients(context) {
  /** @type {number | null} */
  let selected = null;
  /** @type {number | null} */
  let pointed = null;
  /** @type {Order} */
  let order = "last";
  let grid = new Grid(null, null, null);
  /** @type {unknown[]} what the grid was made of */
  let seen = [];
  let version = 0;
  const choose = (/** @type {number} */ client) => {
    selected = selected === client ? null : client;
    draw();
  };
  const point = (/** @type {number | null} */ client) => {
    if (client === pointed) return;
    pointed = client;
    for (const chart of [map, together, bySize]) chart.mark(pointed, selected);
  };
  const map = new HeatMap("clients", choose, point);
  const together = new Scatter("alone", choose, point);
  const bySize = new Scatter("sizes", choose, point);
  const own = new LineChart("client", new Cursor());
  const held = new Mix();

  const lead = html("strong");
  const words = html("span");
  const note = html("p", { class: "fb-note" }, lead, words);
  const hint = html("p", { class: "fb-hint" }, HINT);
  const legend = scale();
  const sort = orderChoice((chosen) => {
    order = chosen;
    draw();
  });
  const ask = html("button", { type: "button" }, "Compute");
  ask.addEventListener("click", () => context.model.send({ levels: true }));
  const asking = html("div", { class: "fb-ask", hidden: true }, ask);
  together.el.append(asking);
  const head = new Head(
    () => ({ target: figure, parts: ["clients"], words: map.svg.getAttribute("aria-label") ?? "" }),
    legend.el,
  );
  head.el.classList.add("fb-map-head");
  const figure = html("div", {}, head.el, map.el);
  const bar = html("div", { class: "fb-live-bar" }, hint, sort.el);
  const pairs = html("div", { class: "fb-grid-two" }, together.el, bySize.el, own.el, held.el);
  const el = html("div", { class: "fb-clients" }, note, bar, figure, pairs);
  const settle = rove(el);

  function draw() {
    const table = context.table();
    const { data, metric, state, rounds, personal, levels } = table.info;
    for (const each of [head, together.head, bySize.head, own.head, held.head]) each.from = data;
    const { model } = context;
    const sent = [model.get("clients"), model.get("values"), model.get("mixes")];
    if (sent.some((each, i) => each !== seen[i])) {
      seen = sent;
      version += 1;
      grid = new Grid(sent[0], sent[1], sent[2]);
    }
    const { info } = grid;
    if (selected !== null && grid.columns > 0 && !grid.rowOf.has(selected)) selected = null;
    const show = format(table);
    const going = state === "running" || state === "paused" || state === "stopping";
    const end = going || info.done === 0 ? Math.max(rounds, info.done) : info.done;
    text(lead, info.head ? `${info.head} ` : "");
    text(words, info.note || PREVIEW);
    const meaning = `${MEANING.perClient}\n${ofMetric(table.info)}`;
    map.sized = () => head.show(`${metric.label} per client`, subtitle(info, personal, map.dotted), meaning);
    map.sized();
    const bounded = isShare(metric);
    const hues = colours(info.scale, bounded);
    const axisTick = metric.percent ? percentTick : tick;
    legend.show(grid.columns > 0 ? endWords(info, hues, axisTick) : null, info.minimize);
    const row = (/** @type {number} */ client) => grid.rowOf.get(client) ?? -1;
    const name = (/** @type {number} */ client) => info.names[row(client)] ?? "";
    const untested = info.done > 0 && info.tested === 0;
    map.draw({
      key: [version, order, hues, end].join(),
      rows: grid.columns > 0 ? grid.order(order).map((i) => info.ids[i]) : [],
      columns: grid.columns,
      planned: Math.ceil(end / info.every),
      expected: info.expected,
      shades: SHADES,
      shade: (client, column) => shade(grid.value(row(client), column), hues, info.minimize),
      dot: (client, column) => grid.took(row(client), column),
      name,
      every: info.every,
      done: info.done,
      ends: ORDERS[order].ends,
      unit: "round",
      read: (client, column) => cell(grid, row(client), column, show),
      selected,
      pointed,
      label: described(metric.label, info),
      empty: untested ? ["Clients have no test rows of their own."] : waiting(state),
    });
    const picture = { grid, show, axisTick, percent: metric.percent, bounded, end, selected, pointed };
    together.head.show(
      "Alone vs. together",
      personal ? "y: joined, personal models; x: alone" : "y: joined, x: alone",
      MEANING.alone,
    );
    const unknown = levels.wanted ? levels.words || "computing…" : "";
    together.draw(alone(picture, info.alone ? "" : unknown));
    set(asking, { hidden: levels.wanted || grid.columns === 0 });
    bySize.head.show("Size against outcome", "do small clients do worse?", MEANING.size);
    bySize.draw(sizes(picture));
    const at = selected === null ? -1 : row(selected);
    const who = at < 0 ? "One client" : info.names[at];
    const took = `took part in ${info.took[at]} of ${info.done} rounds`;
    own.head.show(who, at < 0 ? "" : took, MEANING.own);
    own.draw(curve(picture, at));
    const content = `${samples(info.sizes[at])} by ${info.kind}; line: whole federation`;
    const whose = at < 0 ? "Data of the client" : `Data of ${info.names[at]}`;
    held.head.show(whose, at < 0 ? "" : content, MEANING.mix);
    held.draw(mix(grid, at));
    settle();
  }

  const stop = () => [map, together, bySize, own, held].forEach((chart) => chart.stop?.());
  return { id: "clients", label: "Clients", el, draw, stop };
}

/** @param {string} state */
function waiting(state) {
  if (state === "running") return ["The first round is running."];
  if (state === "failed") return ["The run failed before its first round."];
  return ["Press Start:", "one row per client and one column per round will appear here."];
}

/** @param {string} metric @param {import("./grid.js").Info} info */
function described(metric, info) {
  if (info.rounds.length === 0) return `${metric} per client: no rounds yet`;
  const shape = `${info.ids.length} clients by ${info.rounds.length} rounds`;
  return `${metric} per client, ${shape}. ${info.note} Arrow keys read a cell, Enter chooses a client.`;
}

/** What the colours mean. */
function scale() {
  const [first, last] = [html("span"), html("span")];
  const steps = Array.from({ length: SHADES }, (_, i) =>
    svg("rect", { x: 6 * i, width: 6, height: 10, "fill-opacity": opacity(i, SHADES) }),
  );
  const bar = svg(
    "svg",
    { class: "fb-scale", width: 6 * SHADES, height: 10, "aria-hidden": "true" },
    ...steps,
  );
  const el = html("div", { class: "fb-scale-legend" }, first, bar, last);
  return {
    el,
    /** @param {string[] | null} ends @param {boolean} minimize */
    show(ends, minimize) {
      set(el, { hidden: ends === null });
      const [low, high] = ends ?? ["", ""];
      text(first, minimize ? high : low);
      text(last, minimize ? low : high);
      set(el, { title: `darker is better: from ${first.textContent} to ${last.textContent}` });
    },
  };
}

/** @param {(order: Order) => void} changed */
function orderChoice(changed) {
  const group = uid("order");
  const choice = html("div", { class: "fb-choice", role: "radiogroup", "aria-label": "Sorted by" });
  for (const order of /** @type {Order[]} */ (Object.keys(ORDERS))) {
    const input = html("input", { type: "radio", name: group, value: order });
    input.checked = order === "last";
    input.addEventListener("change", () => changed(order));
    choice.append(html("label", {}, input, html("span", {}, ORDERS[order].word)));
  }
  return { el: html("div", { class: "fb-order" }, "sorted by", choice) };
}
