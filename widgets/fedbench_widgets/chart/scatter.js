// @ts-check
/** One mark per client, two measures: where it lies says who gains, or who is left behind. */

import { Axes } from "./axes.js";
import { Pool, fit, html, set, svg, text } from "./dom.js";
import { Head } from "./head.js";
import { CHARACTER, fold, short } from "./labels.js";
import { linear, log, logTicks, pixel, ticks, within } from "./scale.js";
import { Words } from "./words.js";

/** @typedef {import("./scale.js").Scale} Scale */
/** @typedef {{row: number, x: number, y: number, color: string}} Mark row: who it is */
/**
 * @typedef {object} ScatterDrawing
 * @property {Mark[]} marks
 * @property {[number, number]} xDomain
 * @property {[number, number]} yDomain
 * @property {boolean} [xLog]
 * @property {boolean} [xWhole] only whole numbers on the x axis
 * @property {(value: number) => string} xTick
 * @property {(value: number) => string} yTick
 * @property {string} xName
 * @property {boolean} [diagonal] where both measures are the same
 * @property {[string, string] | null} [sides] what lies above the diagonal and below it
 * @property {(row: number) => string[]} read
 * @property {number | null} selected row
 * @property {number | null} pointed row
 * @property {string} label what a screen reader says
 * @property {string[]} empty lines of text while there is nothing to draw
 */

const HEIGHT = 232;
const MARGIN = { top: 22, right: 22, bottom: 42, left: 44 };
const FLOOR = HEIGHT - MARGIN.bottom;
const NEAR = 26; // pixels that a pointer may miss by
const INNER = 14; // pixels, so that no mark lies on an axis
const THICKEST = 26;
const NAMED = 12; // marks that may have their names beside them

export class Scatter {
  /**
   * @param {string} name value of data-chart
   * @param {(row: number) => void} choose
   * @param {(row: number | null) => void} point
   */
  constructor(name, choose, point) {
    this.choose = choose;
    this.point = point;
    this.width = 0;
    /** @type {ScatterDrawing | null} */
    this.drawing = null;
    /** @type {{row: number, x: number, y: number}[]} in pixels, from left to right */
    this.places = [];
    this.axes = new Axes();
    this.diagonal = svg("path", { class: "fb-diagonal" });
    this.sides = new Pool("text", { class: "fb-side" });
    this.marks = new Pool("path", { class: "fb-marks" });
    this.names = new Pool("text", { class: "fb-label" });
    this.ring = svg("circle", { class: "fb-ring", r: 6 });
    this.chosen = svg("circle", { class: "fb-ring fb-chosen", r: 6 });
    this.words = new Words("fb-reading");
    this.empty = new Words("fb-empty");
    this.svg = svg(
      "svg",
      { role: "img", tabindex: 0, "data-chart": name, "data-points": 0, height: HEIGHT },
      this.axes.grid.group,
      this.diagonal,
      this.axes.ticks.group,
      this.marks.group,
      this.names.group,
      this.sides.group,
      this.chosen,
      this.ring,
      this.words.group,
      this.empty.group,
    );
    this.spoken = html("div", { class: "fb-hidden", "aria-live": "polite" });
    this.head = new Head(() => ({
      target: this.el,
      parts: ["clients", name],
      words: this.svg.getAttribute("aria-label") ?? "",
    }));
    this.el = html("div", { class: "fb-chart" }, this.head.el, this.svg, this.spoken);
    this.stop = fit(this);
    this.svg.addEventListener("pointermove", (event) => this.point(this.under(event)));
    this.svg.addEventListener("pointerleave", () => this.point(null));
    this.svg.addEventListener("blur", () => this.point(null));
    this.svg.addEventListener("click", (event) => {
      const row = this.under(event);
      if (row !== null) this.choose(row);
    });
    this.svg.addEventListener("keydown", (event) => this.key(event));
  }

  /** @param {ScatterDrawing} drawing */
  draw(drawing) {
    this.drawing = drawing;
    set(this.svg, { "data-points": drawing.marks.length, "aria-label": drawing.label });
    this.render();
  }

  render() {
    const drawing = this.drawing;
    if (!drawing || this.width === 0) return;
    set(this.svg, { width: this.width });
    const right = Math.max(140, this.width - MARGIN.right);
    const plot = (this.plot = { left: MARGIN.left, right, top: MARGIN.top, floor: FLOOR });
    const scale = drawing.xLog ? log : linear;
    const x = scale(drawing.xDomain, [plot.left + INNER, plot.right - INNER]);
    const y = linear(drawing.yDomain, [FLOOR - INNER / 2, MARGIN.top + INNER / 2]);
    const room = Math.max(2, Math.floor((plot.right - plot.left) / 56));
    const [low, high] = drawing.xDomain;
    const few = Math.min(room, 5);
    // without marks the ends of the axes are anybody's guess
    const none = drawing.marks.length === 0;
    const across = drawing.xLog ? logTicks(low, high, room) : ticks(low, high, few, drawing.xWhole);
    const up = ticks(y.domain[0], y.domain[1], 4);
    const place = { x: (plot.left + plot.right) / 2, y: FLOOR + 35 };
    this.axes.draw(
      plot,
      { scale: x, ticks: none ? [] : across, show: drawing.xTick },
      { scale: y, ticks: none ? [] : up, show: drawing.yTick },
      { ...place, anchor: "middle", text: drawing.xName },
    );
    const ends = drawing.diagonal && drawing.marks.length > 0 ? drawing.xDomain : null;
    const corner = (/** @type {number} */ end) => `${pixel(x(end))} ${pixel(y(end))}`;
    set(this.diagonal, { d: ends ? `M${corner(ends[0])}L${corner(ends[1])}` : "" });
    this.renderSides(drawing, plot);
    this.renderMarks(drawing, x, y);
    this.renderNames(drawing, plot);
    const lines = none ? fold(drawing.empty, plot.right - plot.left) : [];
    this.empty.centre(lines, place.x, (FLOOR + MARGIN.top) / 2 - 8);
    this.renderCursor();
  }

  /** @param {ScatterDrawing} drawing @param {import("./axes.js").Plot} plot */
  renderSides(drawing, plot) {
    this.sides.start();
    if (drawing.sides && drawing.marks.length > 0) {
      const [above, below] = drawing.sides;
      // outside, where no mark lies
      this.sides.next({ x: plot.left, y: plot.top - 9, "text-anchor": "start" }, `↖ ${above}`);
      this.sides.next({ x: plot.right, y: plot.floor + 35, "text-anchor": "end" }, `${below} ↘`);
    }
    this.sides.finish();
  }

  /**
   * Marks are dots of a round pen; many at one place are one dot of as much area.
   * @param {ScatterDrawing} drawing
   * @param {Scale} x
   * @param {Scale} y
   */
  renderMarks(drawing, x, y) {
    const places = drawing.marks.map(({ row, x: across, y: up, color }) => ({
      ...{ row, color },
      ...{ x: pixel(within(x, across)), y: pixel(within(y, up)) },
    }));
    /** @type {Map<string, number>} */
    const piles = new Map();
    for (const { x: left, y: top, color } of places) {
      const key = `${color} M${left} ${top}h0`;
      piles.set(key, (piles.get(key) ?? 0) + 1);
    }
    this.marks.start();
    const wide = places.length > 40 ? 5.5 : 8;
    for (const [key, count] of [...piles].sort((a, b) => b[1] - a[1])) {
      const [color, d] = [key.slice(0, key.indexOf(" ")), key.slice(key.indexOf(" ") + 1)];
      const thick = pixel(Math.min(THICKEST, wide * Math.sqrt(count)));
      this.marks.next({ d, stroke: `var(--fb-${color})`, "stroke-width": thick });
    }
    this.marks.finish();
    this.places = places.sort((a, b) => a.x - b.x || a.y - b.y);
  }

  /**
   * Few marks have their names beside them, those that have room.
   * @param {ScatterDrawing} drawing
   * @param {import("./axes.js").Plot} plot
   */
  renderNames(drawing, plot) {
    this.names.start();
    /** @type {{x: number, y: number, wide: number}[]} */
    const taken = [];
    for (const { row, x, y } of this.places.length <= NAMED ? this.places : []) {
      const whole = drawing.read(row)[0] ?? "";
      const more = this.places.filter((at) => at.x === x && at.y === y).length - 1;
      const name = short(whole, 20) + (more > 0 ? ` +${more}` : "");
      const wide = name.length * CHARACTER;
      const left = x + 9 + wide > plot.right;
      const from = left ? x - 9 - wide : x + 9;
      const meets = (/** @type {{x: number, y: number, wide: number}} */ other) =>
        Math.abs(other.y - y) < 13 && from < other.x + other.wide && other.x < from + wide;
      const covers = this.places.some((at) => at.row !== row && meets({ x: at.x - 5, y: at.y, wide: 10 }));
      if (taken.some(meets) || covers) continue;
      taken.push({ x: from, y, wide });
      const place = { x: left ? x - 9 : x + 9, y: y + 4, "text-anchor": left ? "end" : "start" };
      const full = whole.length > 20 ? whole : name;
      this.names.next({ ...place, class: "fb-light", fill: "var(--fb-mute)" }, name, full);
    }
    this.names.finish();
  }

  /**
   * @param {number | null} pointed
   * @param {number | null} selected
   */
  mark(pointed, selected) {
    if (this.drawing) Object.assign(this.drawing, { pointed, selected });
    this.renderCursor();
  }

  renderCursor() {
    const { drawing, plot } = this;
    if (!drawing || !plot) return;
    const find = (/** @type {number | null} */ row) => this.places.find((at) => at.row === row);
    const [pointed, chosen] = [find(drawing.pointed), find(drawing.selected)];
    const ring = (/** @type {typeof pointed} */ at) => ({
      cx: at?.x ?? 0,
      cy: at?.y ?? 0,
      display: at ? null : "none",
    });
    set(this.ring, ring(pointed));
    set(this.chosen, ring(chosen));
    if (!pointed) return this.words.clear();
    const left = pointed.x > (plot.left + plot.right) / 2;
    const up = pointed.y > (plot.top + plot.floor) / 2 ? pointed.y - 40 : pointed.y + 20;
    const said = this.said(pointed.row);
    this.words.show(said, pointed.x + (left ? -10 : 10), up, left ? "end" : "start");
  }

  /** @param {MouseEvent} event @returns {number | null} */
  under(event) {
    const box = this.svg.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    let [found, least] = [/** @type {number | null} */ (null), NEAR];
    for (const place of this.places) {
      const far = Math.hypot(place.x - x, place.y - y);
      if (far < least) [found, least] = [place.row, far];
    }
    return found;
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const drawing = this.drawing;
    if (!drawing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") return this.point(null);
    const last = this.places.length - 1;
    const now = this.places.findIndex((at) => at.row === drawing.pointed);
    if ((event.key === "Enter" || event.key === " ") && now >= 0) {
      event.preventDefault();
      return this.choose(this.places[now].row);
    }
    const to = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: last }[event.key];
    if (to === undefined || last < 0) return;
    event.preventDefault();
    const row = this.places[Math.max(0, Math.min(last, to))].row;
    this.point(row);
    text(this.spoken, this.said(row).join(", "));
  }

  /** What is read out at a mark, and how many others lie there. @param {number} row */
  said(row) {
    const lines = this.drawing?.read(row) ?? [];
    const at = this.places.find((place) => place.row === row);
    const same = this.places.filter((place) => place.x === at?.x && place.y === at?.y).length;
    return same > 1 ? [...lines, `and ${same - 1} more here`] : lines;
  }
}
