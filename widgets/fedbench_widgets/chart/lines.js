// @ts-check
/** A line chart at real pixel width: band, levels, direct labels, legend and shared cursor. */

import { Axes } from "./axes.js";
import { Cursor, nearest } from "./cursor.js";
import { Pool, fit, html, set, svg, text } from "./dom.js";
import { Head } from "./head.js";
import { CHARACTER, apart, fold, lowered, placed, short } from "./labels.js";
import { Legend, levelDash } from "./legend.js";
import { bandPath, linePath } from "./path.js";
import { Reading } from "./reading.js";
import { linear, nice, ticks, within } from "./scale.js";
import { Words } from "./words.js";

/** @typedef {import("./scale.js").Scale} Scale */
/** @typedef {import("./axes.js").Plot} Plot */
/**
 * @typedef {object} Series
 * @property {string} key
 * @property {string} name for the legend
 * @property {string} color name of a theme colour: s0, s1, mute, bad, ...
 * @property {ArrayLike<number>} y NaN where there is no value
 * @property {ArrayLike<number>} [x] own x values; such a line ignores the cursor
 * @property {string} [dash] stroke-dasharray
 * @property {number} [width]
 * @property {string} [label] direct label at the end of the line
 * @property {boolean} [quiet] not in the legend
 */
/** @typedef {{name: string, color: string, low: ArrayLike<number>, high: ArrayLike<number>}} Band */
/** @typedef {{value: number, label: string, color: string}} Level */
/** @typedef {{x: number, label: string}} Turn */
/**
 * @typedef {{x: number, y: number, text: string, color: string, anchor: "start" | "end",
 *   light?: boolean}} Label
 */
/**
 * @typedef {object} Drawing
 * @property {string} label what a screen reader says
 * @property {ArrayLike<number>} x non-decreasing, one value per row
 * @property {[number, number]} xDomain
 * @property {(value: number) => string} xTick
 * @property {string} xName
 * @property {boolean} [xWhole] only whole numbers on the x axis
 * @property {(value: number) => string} yTick
 * @property {[number, number]} [bounds] fits the y axis to what is drawn, within these; else it
 *   starts at zero. Either only grows
 * @property {Series[]} series the first is the chart's subject
 * @property {Band | null} [band]
 * @property {Level[]} [levels] horizontal reference lines
 * @property {string[]} [beside] names of levels that charts beside this one have, for the same room
 * @property {Turn[]} [turns] vertical ones, where the settings changed
 * @property {string[]} [empty] lines of text while there is nothing to draw
 * @property {(row: number) => string[]} read lines of text beside the cursor
 */

const HEIGHT = 200;
const MARGIN = { top: 16, bottom: 24, left: 40 };
const FLOOR = HEIGHT - MARGIN.bottom;
const LABEL = 14;
const TOP = 6; // least y of a label: one above the highest line has room
const BOLD = 7;
const OVER = 12; // pixels into the gap between charts
const GAP = 8; // pixels between the plot and the labels beside it
const WIDE = 560; // pixels: narrower charts have their labels inside, above the lines
const EDGE = 10; // pixels beside the plot, for half of the last number below it

export class LineChart {
  /**
   * @param {string} name value of data-chart
   * @param {Cursor} cursor shared with the other charts
   */
  constructor(name, cursor) {
    this.cursor = cursor;
    /** @type {Drawing | null} */
    this.drawing = null;
    this.width = 0;
    /** @type {[number, number] | null} */
    this.grown = null;
    this.rows = 0;
    this.legend = new Legend(() => this.render());
    this.note = html("p", { class: "fb-chart-note", hidden: true });
    this.axes = new Axes();
    this.band = svg("path", { class: "fb-band" });
    this.levels = new Pool("path", { class: "fb-level" });
    this.turns = new Pool("path", { class: "fb-turn" });
    this.changes = new Pool("text", { class: "fb-label" });
    this.lines = new Pool("path", { class: "fb-line" });
    this.ends = new Pool("circle", { class: "fb-dot" });
    this.labels = new Pool("text", { class: "fb-label" });
    this.reading = new Reading();
    this.empty = new Words("fb-empty");
    this.svg = svg(
      "svg",
      { role: "img", tabindex: 0, "data-chart": name, "data-points": 0, height: HEIGHT },
      this.axes.grid.group,
      this.turns.group,
      this.band,
      this.levels.group,
      this.lines.group,
      this.ends.group,
      this.axes.ticks.group,
      this.changes.group,
      this.labels.group,
      this.reading.group,
      this.empty.group,
    );
    this.head = new Head(
      () => ({ target: this.el, parts: [name], words: this.svg.getAttribute("aria-label") ?? "" }),
      this.legend.el,
    );
    this.el = html("div", { class: "fb-chart" }, this.head.el, this.svg, this.note);
    this.listen();
  }

  listen() {
    this.stop = fit(this);
    this.svg.addEventListener("pointermove", (event) => {
      const scale = this.xScale;
      if (!this.drawing || !scale) return;
      const pixel = event.clientX - this.svg.getBoundingClientRect().left;
      this.cursor.move(nearest(this.drawing.x, scale.invert(pixel)));
    });
    this.svg.addEventListener("pointerleave", () => this.cursor.move(null));
    this.svg.addEventListener("blur", () => this.cursor.move(null));
    this.svg.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const row = this.cursor.next(event.key, this.drawing?.x.length ?? 0);
      if (row === undefined) return;
      event.preventDefault();
      this.cursor.move(row, true);
    });
    this.cursor.listen(() => this.renderCursor());
  }

  /**
   * Show a sentence instead of the chart, or the chart again for null.
   * @param {string | null} sentence
   */
  unavailable(sentence) {
    set(this.svg, { hidden: sentence !== null });
    set(this.legend.el, { hidden: sentence !== null });
    set(this.head.save.el, { hidden: sentence !== null });
    set(this.note, { hidden: sentence === null });
    text(this.note, sentence ?? "");
  }

  /** Let the y axis start anew. */
  forget() {
    this.grown = null;
  }

  /** @param {Drawing} drawing */
  draw(drawing) {
    this.rows = drawing.x.length;
    this.drawing = drawing;
    this.legend.update(drawing);
    set(this.svg, {
      "aria-label": drawing.label,
      "data-points": count(drawing.series[0]?.y ?? []),
    });
    this.render();
  }

  render() {
    const drawing = this.drawing;
    if (!drawing || this.width === 0) return;
    const labels = apart(named(drawing).map(({ label }) => label ?? ""));
    const widths = labels.map((label) => label.length * BOLD);
    const levels = drawing.beside ?? (drawing.levels ?? []).map(({ label }) => label);
    const most = margin(this.width, Infinity) + OVER - GAP;
    for (const label of levels) {
      const wide = label.length * CHARACTER;
      if (wide <= most) widths.push(wide); // a longer one goes above its line
    }
    const right = Math.max(120, this.width - margin(this.width, Math.max(0, ...widths)));
    const plot = (this.plot = { left: MARGIN.left, right, top: MARGIN.top, floor: FLOOR });
    const x = (this.xScale = linear(drawing.xDomain, [plot.left, plot.right]));
    const y = (this.yScale = linear(this.range(drawing), [FLOOR, MARGIN.top]));
    set(this.svg, { width: this.width });
    this.renderAxes(drawing, x, y, plot);
    this.renderBand(drawing, x, y);
    this.renderLines(drawing, x, y, plot);
    const nothing = count(drawing.series[0]?.y ?? []) === 0;
    const lines = nothing ? fold(drawing.empty ?? [], plot.right - plot.left) : [];
    this.empty.centre(lines, (plot.left + plot.right) / 2, (FLOOR + MARGIN.top) / 2 + 4);
    this.renderCursor();
  }

  /** @param {Drawing} drawing @returns {[number, number]} */
  range(drawing) {
    const { bounds, band } = drawing;
    let low = bounds ? Infinity : 0;
    let high = bounds ? -Infinity : 0;
    const drawn = drawing.series.map(({ y }) => y);
    if (band) drawn.push(band.low, band.high);
    drawn.push((drawing.levels ?? []).map(({ value }) => value));
    for (const values of drawn) {
      for (let i = 0; i < values.length; i += 1) {
        const value = values[i];
        if (!Number.isFinite(value)) continue;
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
    const fresh = bounds ? fitted(low, high, bounds) : nice(low, high === 0 && low === 0 ? 1 : high, 4);
    if (this.grown) {
      fresh[0] = Math.min(fresh[0], this.grown[0]);
      fresh[1] = Math.max(fresh[1], this.grown[1]);
    }
    this.grown = this.rows > 0 ? fresh : null;
    return fresh;
  }

  /**
   * @param {Drawing} drawing
   * @param {Scale} x
   * @param {Scale} y
   * @param {Plot} plot
   */
  renderAxes(drawing, x, y, plot) {
    const room = Math.max(2, Math.floor((plot.right - plot.left) / 44));
    const [first, last] = drawing.xDomain;
    const across = {
      scale: x,
      ticks: ticks(first, last, room, drawing.xWhole),
      show: drawing.xTick,
    };
    // the ends of an axis that nothing lies on are anybody's guess
    const marks = this.grown !== null ? ticks(y.domain[0], y.domain[1], 4) : [];
    const up = { scale: y, ticks: marks, show: drawing.yTick };
    const place = {
      x: this.beside ? plot.right + 20 : 0,
      y: plot.floor + 17,
      anchor: /** @type {const} */ ("start"),
    };
    this.axes.draw(plot, across, up, { ...place, text: drawing.xName });
    this.turns.start();
    this.changes.start();
    for (const turn of drawing.turns ?? []) {
      const at = x(turn.x);
      const left = at > (plot.left + plot.right) / 2;
      this.turns.next({ d: `M${at.toFixed(1)} ${plot.top}V${plot.floor}` });
      const place = { x: (at + (left ? -4 : 4)).toFixed(1), y: plot.floor - 5 };
      const room = Math.floor((left ? at - plot.left : plot.right - at) / CHARACTER) - 1;
      const style = { "text-anchor": left ? "end" : "start", class: "fb-light", fill: "var(--fb-mute-text)" };
      this.changes.next({ ...place, ...style }, short(turn.label, Math.max(8, room)), turn.label);
    }
    this.turns.finish();
    this.changes.finish();
  }

  /**
   * @param {Drawing} drawing
   * @param {Scale} x
   * @param {Scale} y
   */
  renderBand(drawing, x, y) {
    const band = drawing.band;
    const visible = band && !this.legend.hidden.has("band");
    const d = visible ? bandPath(drawing.x, band.low, band.high, x, y) : "";
    set(this.band, { d, fill: band ? `var(--fb-${band.color})` : null });
  }

  /**
   * @param {Drawing} drawing
   * @param {Scale} x
   * @param {Scale} y
   * @param {Plot} plot
   */
  renderLines(drawing, x, y, plot) {
    const { beside } = this;
    const edge = plot.right + GAP;
    const raised = LABEL - 4; // above its line
    /** Beside its line, or above it where there is no room.
     * @param {number} x @param {number} y @param {boolean} fits
     * @returns {Pick<Label, "x" | "y" | "anchor">} */
    const at = (x, y, fits) => {
      if (fits) return { x: Math.min(x, edge), y, anchor: "start" };
      return { x: Math.min(plot.right - 3, x - GAP - 1), y: y - raised, anchor: "end" };
    };
    /** @type {Label[]} */
    const labels = [];
    this.levels.start();
    drawing.levels?.forEach((level, i) => {
      const { label, color } = level;
      const height = within(y, level.value);
      const stroke = `var(--fb-${color})`;
      const d = `M${plot.left} ${height.toFixed(1)}H${plot.right}`;
      this.levels.next({ d, stroke, style: `stroke-dasharray: ${levelDash(i)}` });
      const place = at(edge, height, edge + label.length * CHARACTER <= this.width + OVER);
      labels.push({ ...place, text: label, color, light: true });
    });
    this.levels.finish();
    this.lines.start();
    this.ends.start();
    const pins = named(drawing);
    const brief = apart(pins.map(({ label }) => label ?? ""));
    for (const series of this.shown(drawing).reverse()) {
      const xs = series.x ?? drawing.x;
      const stroke = `var(--fb-${series.color})`;
      const dash = series.dash ?? null;
      const d = linePath(xs, series.y, x, y);
      this.lines.next({ d, stroke, "stroke-dasharray": dash, "stroke-width": series.width ?? 2 });
      const last = lastFinite(series.y);
      if (last < 0) continue;
      const [cx, cy] = [x(xs[last]), within(y, series.y[last])];
      if (!series.x) this.ends.next({ cx: cx.toFixed(1), cy: cy.toFixed(1), r: 2.6, fill: stroke });
      if (!series.label) continue;
      const own = brief[pins.indexOf(series)] ?? series.label;
      const fits = beside || cx + GAP + 1 + own.length * BOLD < plot.right;
      labels.push({ ...at(cx + GAP + 1, cy, fits), text: own, color: series.color });
    }
    this.lines.finish();
    this.ends.finish();
    const clear = lowered(labels, LABEL, 2 * raised, FLOOR - 8);
    this.renderLabels(clear, beside ? edge : 0);
  }

  /** @param {Label[]} labels @param {number} edge x of those beside the plot */
  renderLabels(labels, edge) {
    this.labels.start();
    for (const label of placed(labels, edge, LABEL, [TOP, FLOOR - 4])) {
      const { x, y, text: words, color, light, anchor } = label;
      const place = { x: x.toFixed(1), y: (y + 3.5).toFixed(1), "text-anchor": anchor };
      const style = { fill: `var(--fb-${color}-text)`, class: light ? "fb-light" : null };
      const width = anchor === "end" ? x - MARGIN.left : this.width + OVER - x;
      const room = Math.floor(width / (light ? CHARACTER : BOLD));
      this.labels.next({ ...place, ...style }, short(words, Math.max(8, room)), words);
    }
    this.labels.finish();
  }

  renderCursor() {
    const { drawing, xScale: x, yScale: y, plot } = this;
    const row = this.cursor.row;
    set(this.svg, { "data-row": row });
    if (!drawing || !x || !y || !plot || row === null || row >= drawing.x.length) {
      this.reading.clear();
      return;
    }
    const marked = this.shown(drawing).filter((series) => !series.x);
    this.reading.show(drawing, marked, row, x, y, plot);
  }

  /** Whether there is room for labels beside the plot. */
  get beside() {
    return this.width >= WIDE;
  }

  /** @param {Drawing} drawing */
  shown(drawing) {
    return drawing.series.filter((series) => !this.legend.hidden.has(series.key));
  }
}

/** @param {ArrayLike<number>} values */
function count(values) {
  let found = 0;
  for (let i = 0; i < values.length; i += 1) if (Number.isFinite(values[i])) found += 1;
  return found;
}

/** @param {ArrayLike<number>} values */
function lastFinite(values) {
  for (let i = values.length - 1; i >= 0; i -= 1) if (Number.isFinite(values[i])) return i;
  return -1;
}

/** The lines that have their name beside them alone: pinned runs. @param {Drawing} drawing */
function named(drawing) {
  return drawing.series.filter(({ quiet, label }) => quiet && label);
}

/**
 * A range with nice ends around what is drawn, never beyond the bounds.
 * @param {number} low
 * @param {number} high
 * @param {[number, number]} bounds
 * @returns {[number, number]}
 */
export function fitted(low, high, bounds) {
  if (!(high >= low)) return [0, 1];
  const room = 0.06 * (high - low) || 0.05 * Math.abs(high) || 0.05;
  const ends = nice(low - room, high + room, 4);
  return [Math.max(bounds[0], ends[0]), Math.min(bounds[1], ends[1])];
}

/**
 * Room for labels, the same for all charts of a width with the same names of levels and pinned
 * runs: axes line up, and nothing jumps when a label grows. Never more than 30 % of the width.
 * @param {number} width
 * @param {number} [longest] pixels that the names of levels and of pinned runs need
 */
export function margin(width, longest = 0) {
  if (width < WIDE) return EDGE;
  return Math.min(Math.round(0.3 * width), Math.max(76, Math.ceil(longest) + GAP - OVER));
}
