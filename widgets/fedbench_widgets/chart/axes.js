// @ts-check
/** A quiet grid with numbers beside it. */

import { Pool } from "./dom.js";

/** @typedef {import("./scale.js").Scale} Scale */
/** @typedef {{left: number, right: number, top: number, floor: number}} Plot pixels */
/** @typedef {{scale: Scale, ticks: number[], show: (value: number) => string}} Axis */
/** @typedef {{text: string, x: number, y: number, anchor: "start" | "middle"}} Title */

export class Axes {
  constructor() {
    this.grid = new Pool("path", { class: "fb-grid" });
    this.ticks = new Pool("text", { class: "fb-tick" });
  }

  /**
   * @param {Plot} plot
   * @param {Axis} x
   * @param {Axis} y
   * @param {Title} title of the x axis
   */
  draw(plot, x, y, title) {
    this.grid.start();
    this.ticks.start();
    for (const value of y.ticks) {
      const at = Math.round(y.scale(value)) + 0.5;
      this.grid.next({ d: `M${plot.left} ${at}H${plot.right}`, class: null });
      this.ticks.next({ x: plot.left - 7, y: at + 3.5, "text-anchor": "end" }, y.show(value));
    }
    this.grid.next({ d: `M${plot.left} ${plot.floor + 0.5}H${plot.right}`, class: "fb-base" });
    for (const value of x.ticks) {
      const place = { x: x.scale(value).toFixed(1), y: plot.floor + 17, "text-anchor": "middle" };
      this.ticks.next(place, x.show(value));
    }
    this.ticks.next({ x: title.x, y: title.y, "text-anchor": title.anchor }, title.text);
    this.grid.finish();
    this.ticks.finish();
  }
}
