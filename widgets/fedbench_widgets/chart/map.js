// @ts-check
/** Client × class map: a column per client, a row per class, bars of client sizes below. */

import { Pool, fit, html, set, svg, text } from "./dom.js";

/**
 * @typedef {object} MapDrawing
 * @property {ArrayLike<number>} counts row-major, clients × classes
 * @property {number} clients
 * @property {string[]} classes
 * @property {string} label what a screen reader says
 * @property {string} empty
 * @property {string[]} [names] what the clients are called; untrusted text
 * @property {number} [most] columns at most
 */

export const SHOWN = 60;
const SHADES = 12;
const BARS = 22;
const GAP = 6;

export class ClientMap {
  constructor() {
    this.width = 0;
    /** @type {MapDrawing | null} */
    this.drawing = null;
    /** @type {number[]} */
    this.columns = [];
    /** @type {{column: number, row: number} | null} */
    this.cell = null;
    /** where the frame returns when the pointer leaves @type {{column: number, row: number} | null} */
    this.home = null;
    /** instead of what the cell holds */
    this.note = "";
    this.shades = new Pool("path", { class: "fb-cells" });
    this.bars = svg("path", { class: "fb-sizes" });
    this.names = new Pool("text", { class: "fb-tick" });
    this.frame = svg("path", { class: "fb-frame" });
    this.empty = svg("text", { class: "fb-empty", "text-anchor": "middle" });
    this.svg = svg(
      "svg",
      { role: "img", tabindex: 0, "data-chart": "partition", "data-points": 0 },
      this.shades.group,
      this.bars,
      this.names.group,
      this.frame,
      this.empty,
    );
    this.tip = html("div", { class: "fb-tip", hidden: true });
    this.spoken = html("div", { class: "fb-hidden", "aria-live": "polite" });
    this.el = html("div", { class: "fb-chart fb-map" }, this.svg, this.tip, this.spoken);
    this.stop = fit(this);
    this.svg.addEventListener("pointermove", (event) => this.point(event));
    this.svg.addEventListener("pointerleave", () => this.leave());
    this.svg.addEventListener("blur", () => this.leave());
    this.svg.addEventListener("keydown", (event) => this.key(event));
  }

  /** @param {MapDrawing} drawing */
  draw(drawing) {
    this.drawing = drawing;
    this.columns = sample(drawing.clients, drawing.most ?? SHOWN);
    set(this.svg, { "data-points": this.columns.length, "aria-label": drawing.label });
    this.render();
  }

  render() {
    const drawing = this.drawing;
    if (!drawing || this.width === 0) return;
    const rows = Math.max(1, drawing.classes.length);
    const named = rows <= 12 && drawing.classes.length > 1;
    const names = brief(drawing.classes);
    const longest = Math.max(0, ...names.map((name) => name.length));
    const left = named ? Math.min(64, Math.ceil(longest * 6.2) + 8) : 0;
    const tallest = rows <= 6 ? 18 : 12;
    const cell = rows <= 1 ? 0 : Math.max(2, Math.min(tallest, Math.floor(140 / rows)));
    const column = (this.width - left) / Math.max(1, this.columns.length);
    this.frameOf = { left, cell, column, rows };
    const top = rows * cell + (cell > 0 ? GAP : 0);
    set(this.svg, { width: this.width, height: top + BARS });
    this.renderCells(drawing, left, column, cell, rows);
    this.renderSizes(drawing, left, column, top, rows);
    this.names.start();
    if (named) {
      names.forEach((name, row) => {
        const place = { x: left - 6, y: row * cell + cell / 2 + 3.5, "text-anchor": "end" };
        this.names.next(place, name, name.endsWith("…") ? drawing.classes[row] : name);
      });
    }
    this.names.finish();
    text(this.empty, this.columns.length === 0 ? drawing.empty : "");
    set(this.empty, { x: this.width / 2, y: (top + BARS) / 2 });
    this.move(this.cell);
  }

  /**
   * One path per shade, however many cells: a redraw stays cheap with a hundred classes.
   * @param {MapDrawing} drawing
   * @param {number} left
   * @param {number} column
   * @param {number} cell
   * @param {number} rows
   */
  renderCells(drawing, left, column, cell, rows) {
    const paths = new Array(SHADES + 1).fill("");
    const gapX = column > 4 ? 1 : 0.4;
    const gapY = cell > 4 ? 1 : 0.4;
    for (let i = 0; cell > 0 && i < this.columns.length; i += 1) {
      const start = this.columns[i] * rows;
      let total = 0;
      for (let row = 0; row < rows; row += 1) total += drawing.counts[start + row] || 0;
      const x = (left + i * column).toFixed(1);
      const shape = `h${(column - gapX).toFixed(1)}v${cell - gapY}h-${(column - gapX).toFixed(1)}z`;
      for (let row = 0; row < rows; row += 1) {
        const share = total === 0 ? 0 : (drawing.counts[start + row] || 0) / total;
        paths[shade(share)] += `M${x} ${row * cell}${shape}`;
      }
    }
    this.shades.start();
    paths.forEach((d, level) => {
      this.shades.next({ d, "fill-opacity": (0.05 + (0.95 * level) / SHADES).toFixed(3) });
    });
    this.shades.finish();
  }

  /**
   * @param {MapDrawing} drawing
   * @param {number} left
   * @param {number} column
   * @param {number} top
   * @param {number} rows
   */
  renderSizes(drawing, left, column, top, rows) {
    const sizes = this.columns.map((client) => size(drawing, client, rows));
    const most = Math.max(1, ...sizes);
    const wide = Math.max(0.6, column - 1).toFixed(1);
    const d = sizes.map((count, i) => {
      const tall = count === 0 ? 0 : Math.max(1, (count / most) * BARS);
      return `M${(left + i * column).toFixed(1)} ${top + BARS}v-${tall.toFixed(1)}h${wide}v${tall.toFixed(1)}z`;
    });
    set(this.bars, { d: d.join("") });
  }

  /** @param {PointerEvent} event */
  point(event) {
    this.move(this.at(event));
  }

  /**
   * The cell under the pointer; its row is one too many on the bars of sizes.
   * @param {PointerEvent} event
   */
  at(event) {
    const frame = this.frameOf;
    if (!frame) return null;
    const box = this.svg.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left - frame.left) / frame.column);
    const row = frame.cell > 0 ? Math.floor((event.clientY - box.top) / frame.cell) : 0;
    const inside = column >= 0 && column < this.columns.length && row >= 0;
    return inside ? { column, row: Math.min(row, frame.rows) } : null;
  }

  leave() {
    this.move(this.home);
    set(this.tip, { hidden: true });
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const frame = this.frameOf;
    if (!frame || event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const by = steps[/** @type {keyof typeof steps} */ (event.key)];
    if (!by && event.key !== "Escape") return;
    event.preventDefault();
    if (!by) return this.move(null);
    const now = this.cell ?? this.home ?? { column: -Math.min(0, by[0]) - Math.max(0, by[0]), row: 0 };
    const column = Math.max(0, Math.min(this.columns.length - 1, now.column + by[0]));
    const row = Math.max(0, Math.min(frame.rows - 1, now.row + by[1]));
    this.move({ column, row });
    text(this.spoken, this.tip.textContent ?? "");
  }

  /** @param {{column: number, row: number} | null} cell */
  move(cell) {
    const { drawing, frameOf: frame } = this;
    const valid = cell && drawing && frame && cell.column < this.columns.length;
    this.cell = valid ? cell : null;
    set(this.tip, { hidden: !valid });
    if (!valid) return set(this.frame, { d: "" });
    const client = this.columns[cell.column];
    const all = size(drawing, client, frame.rows);
    const x = frame.left + cell.column * frame.column;
    const inMap = frame.cell > 0 && cell.row < frame.rows;
    const count = drawing.counts[client * frame.rows + cell.row] || 0;
    const what = inMap ? `${drawing.classes[cell.row]}: ${count} of ${all}` : `${all} samples`;
    text(this.tip, this.note || `${drawing.names?.[client] ?? `client ${client}`} · ${what}`);
    const y = inMap ? cell.row * frame.cell : frame.rows * frame.cell + GAP;
    const tall = inMap ? frame.cell - 1 : BARS;
    const wide = Math.max(1, frame.column - 1).toFixed(1);
    set(this.frame, { d: `M${x.toFixed(1)} ${y}h${wide}v${tall}h-${wide}z` });
    const room = Math.max(0, this.width - this.tip.offsetWidth);
    this.tip.style.transform = `translate(${Math.min(room, Math.max(0, x - 20))}px, ${y + tall + 5}px)`;
  }
}

/**
 * At most `most` indices spread evenly over `count`.
 * @param {number} count
 * @param {number} most
 * @returns {number[]}
 */
export function sample(count, most) {
  const shown = Math.min(count, most);
  return Array.from({ length: shown }, (_, i) => Math.floor((i * count) / shown));
}

/**
 * The root makes small shares visible beside large ones.
 * @param {number} share of a client's samples, 0 to 1
 */
export function shade(share) {
  return share <= 0 ? 0 : Math.max(1, Math.round(Math.sqrt(share) * SHADES));
}

/** @param {MapDrawing} drawing @param {number} client @param {number} rows */
function size(drawing, client, rows) {
  let total = 0;
  for (let row = 0; row < rows; row += 1) total += drawing.counts[client * rows + row] || 0;
  return total;
}

/**
 * Names with room for nine characters: what all have in common before a colon tells nothing apart.
 * @param {string[]} names
 * @returns {string[]}
 */
export function brief(names) {
  const at = names[0]?.lastIndexOf(": ") ?? -1;
  const head = at < 0 ? "" : names[0].slice(0, at + 2);
  const shared = names.length > 1 && names.every((name) => name.startsWith(head));
  return names
    .map((name) => (shared ? name.slice(head.length) : name))
    .map((name) => (name.length > 9 ? `${name.slice(0, 8)}…` : name));
}
