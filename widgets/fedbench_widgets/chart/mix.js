// @ts-check
/** A client's classes as bars, those of the whole federation as a line across each. */

import { Axes } from "./axes.js";
import { Pool, fit, html, set, svg } from "./dom.js";
import { Head } from "./head.js";
import { CHARACTER, fold } from "./labels.js";
import { brief } from "./map.js";
import { linear, nice, percentTick, pixel, ticks } from "./scale.js";
import { Words } from "./words.js";

/**
 * @typedef {object} MixDrawing
 * @property {string[]} classes untrusted text
 * @property {number[]} own shares, one per class; empty for nobody
 * @property {number[]} whole shares
 * @property {string} label what a screen reader says
 * @property {string[]} empty
 */

const HEIGHT = 200;
const MARGIN = { top: 16, right: 22, bottom: 24, left: 44 };
const FLOOR = HEIGHT - MARGIN.bottom;

export class Mix {
  constructor() {
    this.width = 0;
    /** @type {MixDrawing | null} */
    this.drawing = null;
    this.axes = new Axes();
    this.bars = svg("path", { class: "fb-mix" });
    this.whole = svg("path", { class: "fb-whole" });
    this.names = new Pool("text", { class: "fb-tick" });
    this.empty = new Words("fb-empty");
    this.svg = svg(
      "svg",
      { role: "img", "data-chart": "mix", "data-points": 0, height: HEIGHT },
      this.axes.grid.group,
      this.bars,
      this.whole,
      this.axes.ticks.group,
      this.names.group,
      this.empty.group,
    );
    this.head = new Head(() => ({
      target: this.el,
      parts: ["client-data"],
      words: this.svg.getAttribute("aria-label") ?? "",
    }));
    this.el = html("div", { class: "fb-chart" }, this.head.el, this.svg);
    this.stop = fit(this);
  }

  /** @param {MixDrawing} drawing */
  draw(drawing) {
    this.drawing = drawing;
    set(this.svg, { "data-points": drawing.own.length, "aria-label": drawing.label });
    this.render();
  }

  render() {
    const drawing = this.drawing;
    if (!drawing || this.width === 0) return;
    const { own, whole, classes } = drawing;
    set(this.svg, { width: this.width });
    const right = Math.max(140, this.width - MARGIN.right);
    const plot = { left: MARGIN.left, right, top: MARGIN.top, floor: FLOOR };
    const y = linear([0, Math.min(1, nice(0, Math.max(0.1, ...own, ...whole), 4)[1])], [FLOOR, MARGIN.top]);
    const x = linear([0, Math.max(1, classes.length)], [plot.left, plot.right]);
    const none = { scale: x, ticks: [], show: String };
    const heights = own.length > 0 ? ticks(0, y.domain[1], 4) : [];
    const up = { scale: y, ticks: heights, show: percentTick };
    this.axes.draw(plot, none, up, { x: 0, y: 0, anchor: "start", text: "" });
    const slot = x(1) - x(0);
    const bar = (/** @type {number} */ k, /** @type {number} */ width) =>
      [x(k) + (slot * (1 - width)) / 2, slot * width].map(pixel);
    const d = own.map((share, k) => {
      const [left, wide] = bar(k, 0.7);
      return share > 0 ? `M${left} ${FLOOR}V${y(share).toFixed(1)}h${wide}V${FLOOR}z` : "";
    });
    set(this.bars, { d: d.join("") });
    const marks = whole.map((share, k) => {
      const [left, wide] = bar(k, 0.94);
      return `M${left} ${y(share).toFixed(1)}h${wide}`;
    });
    set(this.whole, { d: own.length > 0 ? marks.join("") : "" });
    this.names.start();
    const room = Math.floor(slot / CHARACTER);
    const names = distinct(brief(classes));
    const by = Math.max(1, Math.ceil(20 / slot));
    names.forEach((name, k) => {
      if (own.length === 0 || k % by !== 0) return;
      const said = name.length <= room * by ? name : short(name, room * by);
      const place = { x: x(k + 0.5), y: FLOOR + 16, "text-anchor": "middle" };
      this.names.next(place, said, said === name ? said : classes[k]);
    });
    this.names.finish();
    const lines = own.length === 0 ? fold(drawing.empty, plot.right - plot.left) : [];
    this.empty.show(lines, (plot.left + plot.right) / 2, FLOOR / 2, "middle");
  }
}

/**
 * Without the words that all names begin with: they tell nothing apart.
 * @param {string[]} names
 */
export function distinct(names) {
  const [first = "", ...others] = names;
  for (let at = first.lastIndexOf(" "); at > 0; at = first.lastIndexOf(" ", at - 1)) {
    const head = first.slice(0, at + 1);
    if (others.length > 0 && others.every((name) => name.startsWith(head))) {
      return names.map((name) => name.slice(head.length));
    }
  }
  return names;
}

/** @param {string} name @param {number} room */
function short(name, room) {
  return room < 3 ? name.slice(-Math.max(1, room)) : `${name.slice(0, room - 1)}…`;
}
