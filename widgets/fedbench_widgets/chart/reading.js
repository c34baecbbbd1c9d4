// @ts-check
/** The cursor inside one line chart: a hair line, a dot per line and a few words. */

import { Pool, set, svg } from "./dom.js";

/** @typedef {import("./scale.js").Scale} Scale */

const LINE = 15;

export class Reading {
  constructor() {
    this.hair = svg("path", { class: "fb-hair" });
    this.dots = new Pool("circle", { class: "fb-dot" });
    this.words = new Pool("text", { class: "fb-reading" });
    this.group = svg("g", {}, this.hair, this.dots.group, this.words.group);
  }

  clear() {
    set(this.hair, { d: "" });
    this.dots.start();
    this.dots.finish();
    this.words.start();
    this.words.finish();
  }

  /**
   * @param {import("./lines.js").Drawing} drawing
   * @param {import("./lines.js").Series[]} series those to mark
   * @param {number} row
   * @param {Scale} x
   * @param {Scale} y
   * @param {import("./axes.js").Plot} plot
   */
  show(drawing, series, row, x, y, plot) {
    const at = x(drawing.x[row]);
    set(this.hair, { d: `M${at.toFixed(1)} ${plot.top - 4}V${plot.floor}` });
    this.dots.start();
    for (const { y: values, color } of series) {
      if (!Number.isFinite(values[row])) continue;
      const up = Math.max(plot.top, Math.min(plot.floor, y(values[row])));
      const fill = `var(--fb-${color})`;
      this.dots.next({ cx: at.toFixed(1), cy: up.toFixed(1), r: 3.6, fill });
    }
    this.dots.finish();
    this.write(drawing.read(row), at, y(drawing.series[0]?.y[row] ?? NaN), plot);
  }

  /**
   * The words go where the line is not: into the other half, on the roomier side.
   * @param {string[]} lines
   * @param {number} at x of the hair
   * @param {number} value y of the main line, NaN for none
   * @param {import("./axes.js").Plot} plot
   */
  write(lines, at, value, plot) {
    const middle = (plot.floor + plot.top) / 2;
    const below = !(value >= middle);
    const left = at > plot.left + 110;
    this.words.start();
    lines.forEach((line, i) => {
      const attributes = {
        x: (left ? at - 8 : at + 8).toFixed(1),
        y: (below ? middle + 22 : plot.top + 8) + i * LINE,
        "text-anchor": left ? "end" : "start",
        class: i === 0 ? "fb-strong" : null,
      };
      this.words.next(attributes, line);
    });
    this.words.finish();
  }
}
