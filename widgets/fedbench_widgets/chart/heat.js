// @ts-check
/** A heat map: a row each, a column per moment, read by pointer or by arrow keys. */

import { centre, marks, next, opacity } from "./cells.js";
import { Pool, fit, html, set, svg, text } from "./dom.js";
import { short } from "./labels.js";
import { pixel, step } from "./scale.js";
import { Words } from "./words.js";

/**
 * @typedef {object} HeatDrawing
 * @property {string} key another one where the cells are others
 * @property {number[]} rows who each row is, from top to bottom; all below go by that
 * @property {number} columns drawn so far
 * @property {number} planned columns there is room for
 * @property {number} expected rows there is room for
 * @property {number} shades
 * @property {(row: number, column: number) => number} shade -1 for none
 * @property {(row: number, column: number) => boolean} dot
 * @property {(row: number) => string} name untrusted text
 * @property {number} every units that a column stands for
 * @property {number} done units so far
 * @property {[string, string]} ends what the first and the last row are
 * @property {string} unit of the columns
 * @property {(row: number, column: number) => string} read
 * @property {number | null} selected row
 * @property {number | null} pointed row
 * @property {string} label what a screen reader says
 * @property {string[]} empty lines of text while there is nothing to draw
 */

const TALL = 400;
const [LEFT, MOST] = [96, 136]; // pixels for names, as the longest needs
const LETTER = 6.2; // pixels of one in a name, about
const NAMED = 12; // pixels that a name needs
const WIDEST = 34;
const TOP = 5; // half of a name
const BELOW = 24;

export class HeatMap {
  /**
   * @param {string} name value of data-chart
   * @param {(row: number) => void} choose
   * @param {(row: number | null) => void} point
   */
  constructor(name, choose, point) {
    this.choose = choose;
    this.point = point;
    this.width = 0;
    this.left = LEFT;
    this.drawn = "";
    /** @type {HeatDrawing | null} */
    this.drawing = null;
    /** the cell that is read out; it stays with whom it is about when rows move
     * @type {{row: number, column: number} | null} */
    this.cell = null;
    this.shades = new Pool("path", { class: "fb-cells" });
    this.light = svg("path", { class: "fb-took" });
    this.dark = svg("path", { class: "fb-took fb-on-light" });
    this.names = new Pool("text", { class: "fb-tick" });
    this.chosen = svg("path", { class: "fb-frame fb-chosen" });
    this.cross = svg("path", { class: "fb-hair", fill: "none" });
    this.frame = svg("path", { class: "fb-frame" });
    this.empty = new Words("fb-empty");
    this.svg = svg(
      "svg",
      { role: "img", tabindex: 0, "data-chart": name, "data-points": 0 },
      this.shades.group,
      this.light,
      this.dark,
      this.names.group,
      this.cross,
      this.chosen,
      this.frame,
      this.empty.group,
    );
    this.sized = () => {}; // called when the size of cells may have changed
    this.tip = html("div", { class: "fb-tip", hidden: true });
    this.spoken = html("div", { class: "fb-hidden", "aria-live": "polite" });
    this.el = html("div", { class: "fb-chart fb-heatmap" }, this.svg, this.tip, this.spoken);
    this.stop = fit(this);
    this.svg.addEventListener("pointermove", (event) => this.move(this.under(event)));
    this.svg.addEventListener("pointerleave", () => this.move(null));
    this.svg.addEventListener("blur", () => this.move(null));
    this.svg.addEventListener("click", (event) => {
      const cell = this.under(event);
      if (cell) this.choose(cell.row);
    });
    this.svg.addEventListener("keydown", (event) => this.key(event));
  }

  /** @param {HeatDrawing} drawing */
  draw(drawing) {
    this.drawing = drawing;
    const dots = drawing.rows.length > 0 ? drawing.columns : 0;
    set(this.svg, { "data-points": dots, "aria-label": drawing.label });
    this.render();
  }

  render() {
    const drawing = this.drawing;
    if (!drawing || this.width === 0) return;
    const count = drawing.rows.length || drawing.expected;
    const tall = Math.max(2, Math.min(22, Math.floor(TALL / Math.max(1, count))));
    this.left = tall >= NAMED ? beside(drawing.rows.map(drawing.name), this.width) : LEFT;
    const wide = Math.min(WIDEST, (this.width - this.left - 1) / Math.max(1, drawing.planned));
    this.size = { tall, wide, floor: TOP + Math.max(count * tall, 88) };
    set(this.svg, { width: this.width, height: this.size.floor + BELOW });
    this.renderCells(drawing, tall, wide);
    this.renderNames(drawing, tall, wide);
    this.empty.centre(drawing.columns === 0 ? drawing.empty : [], this.width / 2, this.floor / 2);
    this.renderMarks();
    this.sized();
  }

  /** Whether cells have room for a dot; where nothing is known of their size, they have. */
  get dotted() {
    return !this.size || (this.size.tall >= 4 && this.size.wide >= 4);
  }

  /**
   * @param {number | null} pointed
   * @param {number | null} selected
   */
  mark(pointed, selected) {
    if (this.drawing) Object.assign(this.drawing, { pointed, selected });
    this.renderMarks();
  }

  get floor() {
    return this.size?.floor ?? 0;
  }

  /**
   * One path per shade and one per kind of dot, however many cells; equal neighbours without a gap
   * between them are one rectangle.
   * @param {HeatDrawing} drawing
   * @param {number} tall
   * @param {number} wide
   */
  renderCells(drawing, tall, wide) {
    const { left } = this;
    const key = [drawing.key, tall, wide, left].join();
    if (key === this.drawn) return;
    this.drawn = key;
    const [gap, below] = [wide >= 6 ? 1 : 0, tall >= 8 ? 1 : 0];
    const { dotted } = this;
    /** @type {string[][]} */
    const paths = Array.from({ length: drawing.shades }, () => []);
    /** @type {string[][]} */
    const dots = [[], []];
    drawing.rows.forEach((row, i) => {
      const y = TOP + i * tall;
      for (let column = 0, next = 0; column < drawing.columns; column = next) {
        const shade = drawing.shade(row, column);
        next = column + 1;
        const joined = gap === 0 && !dotted; // a dot is of one cell
        while (joined && next < drawing.columns && drawing.shade(row, next) === shade) next += 1;
        const [x, right] = [pixel(left + column * wide), pixel(left + next * wide - gap)];
        if (shade >= 0) paths[shade].push(`M${x} ${y}H${right}v${tall - below}H${x}z`);
        if (dotted && drawing.dot(row, column)) {
          const at = `M${pixel((x + right) / 2)} ${pixel(y + (tall - below) / 2)}h0`;
          dots[shade >= drawing.shades / 2 ? 0 : 1].push(at);
        }
      }
    });
    set(this.shades.group, { "shape-rendering": "crispEdges" });
    this.shades.start();
    paths.forEach((path, shade) => {
      this.shades.next({ d: path.join(""), "fill-opacity": opacity(shade, drawing.shades) });
    });
    this.shades.finish();
    const thick = pixel(Math.max(1.5, Math.min(3.2, 0.36 * Math.min(tall, wide))));
    set(this.light, { d: dots[0].join(""), "stroke-width": thick });
    set(this.dark, { d: dots[1].join(""), "stroke-width": thick });
  }

  /**
   * @param {HeatDrawing} drawing
   * @param {number} tall
   * @param {number} wide
   */
  renderNames(drawing, tall, wide) {
    const { rows, columns } = drawing;
    const { left } = this;
    const room = Math.floor((left - 8) / LETTER);
    this.names.start();
    const name = (/** @type {number} */ i, /** @type {string} */ words) => {
      const place = { x: left - 8, y: TOP + i * tall + tall / 2 + 3.5, "text-anchor": "end" };
      this.names.next(place, short(words, room), words);
    };
    if (tall >= NAMED) rows.forEach((row, i) => name(i, drawing.name(row)));
    else if (columns > 0 && rows.length > 1) {
      const by = step(rows.length, 5, true);
      for (let i = by; i < rows.length - by / 2; i += by) name(i - 1, `#${i}`);
      name(0, drawing.ends[0]);
      name(rows.length - 1, drawing.ends[1]);
    }
    if (columns > 0) {
      const y = this.floor + 16;
      this.names.next({ x: left, y, "text-anchor": "start" }, `${drawing.unit} 1`);
      for (const value of marks(drawing.done, drawing.every, wide)) {
        const x = pixel(left + centre(value, drawing.every, wide));
        this.names.next({ x, y, "text-anchor": "middle" }, String(value));
      }
    }
    this.names.finish();
  }

  renderMarks() {
    const { drawing, size, left: edge } = this;
    if (!drawing || !size) return;
    const { tall, wide } = size;
    const right = pixel(edge + drawing.columns * wide);
    const band = (/** @type {number | null} */ row) => {
      const i = row === null ? -1 : drawing.rows.indexOf(row);
      return i < 0 || drawing.columns === 0 ? "" : `M${edge} ${TOP + i * tall}H${right}v${tall}H${edge}z`;
    };
    set(this.chosen, { d: band(drawing.selected) });
    const cell = this.cell;
    const i = cell ? drawing.rows.indexOf(cell.row) : -1;
    const valid = cell !== null && i >= 0 && cell.column < drawing.columns;
    set(this.tip, { hidden: !valid });
    if (!valid) {
      set(this.frame, { d: "" });
      set(this.cross, { d: band(drawing.pointed) });
      return;
    }
    const [x, y] = [pixel(edge + cell.column * wide), TOP + i * tall];
    const middle = [pixel(x + wide / 2), y + tall / 2];
    set(this.frame, { d: `M${x - 1} ${y - 1}h${pixel(wide + 1)}v${tall + 1}h-${pixel(wide + 1)}z` });
    set(this.cross, {
      d: `M${edge} ${middle[1]}H${x - 1}M${middle[0]} ${y + tall + 1}V${this.floor + 3}`,
    });
    text(this.tip, drawing.read(cell.row, cell.column));
    const room = Math.max(0, this.width - this.tip.offsetWidth);
    const left = Math.min(room, Math.max(0, x - 20));
    const above = y + tall + 34 > this.floor && y > 34;
    const top = above ? y - this.tip.offsetHeight - 6 : y + tall + 6;
    this.tip.style.transform = `translate(${pixel(left)}px, ${pixel(top)}px)`;
  }

  /** @param {MouseEvent} event @returns {{row: number, column: number} | null} */
  under(event) {
    const { drawing, size } = this;
    if (!drawing || !size) return null;
    const box = this.svg.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left - this.left) / size.wide);
    const i = Math.floor((event.clientY - box.top - TOP) / size.tall);
    // a name stands for its row, at the latest moment
    const named = column < 0 && event.clientX >= box.left;
    if (i < 0 || i >= drawing.rows.length || drawing.columns === 0) return null;
    if (!named && column >= drawing.columns) return null;
    return { row: drawing.rows[i], column: named ? drawing.columns - 1 : column };
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const drawing = this.drawing;
    if (!drawing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") return this.move(null);
    if (drawing.columns === 0 || drawing.rows.length === 0) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      if (this.cell) this.choose(this.cell.row);
      return;
    }
    const [bottom, last] = [drawing.rows.length - 1, drawing.columns - 1];
    const at = this.cell ? drawing.rows.indexOf(this.cell.row) : -1;
    const now = at < 0 || !this.cell ? null : { i: at, column: Math.min(last, this.cell.column) };
    const to = next(event.key, now, bottom, last);
    if (!to) return;
    event.preventDefault();
    this.move({ row: drawing.rows[to.i], column: to.column });
    text(this.spoken, this.tip.textContent ?? "");
  }

  /** @param {{row: number, column: number} | null} cell */
  move(cell) {
    if (cell?.row === this.cell?.row && cell?.column === this.cell?.column) return;
    const row = cell?.row ?? null;
    const other = row !== (this.cell?.row ?? null);
    this.cell = cell;
    this.renderMarks();
    if (other) this.point(row);
  }
}

/**
 * Pixels at the left so that the longest name is whole, as far as a chart can spare them.
 * @param {string[]} names
 * @param {number} width of the chart
 */
export function beside(names, width) {
  const longest = Math.max(0, ...names.map((name) => name.length));
  const most = Math.max(LEFT, Math.min(MOST, Math.round(0.25 * width)));
  return Math.min(most, Math.max(LEFT, Math.ceil(longest * LETTER) + 8));
}
