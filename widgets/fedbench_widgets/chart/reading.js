// @ts-check
/** The cursor inside one line chart: a hair line, a dot per line and a few words. */

import { Pool, set, svg } from "./dom.js";
import { within } from "./scale.js";
import { Words } from "./words.js";

/** @typedef {import("./scale.js").Scale} Scale */

export class Reading {
  constructor() {
    this.hair = svg("path", { class: "fb-hair" });
    this.dots = new Pool("circle", { class: "fb-dot" });
    this.words = new Words("fb-reading");
    this.group = svg("g", {}, this.hair, this.dots.group, this.words.group);
  }

  clear() {
    set(this.hair, { d: "" });
    this.dots.start();
    this.dots.finish();
    this.words.clear();
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
      const fill = `var(--fb-${color})`;
      this.dots.next({ cx: at.toFixed(1), cy: within(y, values[row]).toFixed(1), r: 3.6, fill });
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
    const y = below ? middle + 22 : plot.top + 8;
    this.words.show(lines, left ? at - 8 : at + 8, y, left ? "end" : "start");
  }
}
