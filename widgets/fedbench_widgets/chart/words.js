// @ts-check
/** Lines of words in a drawing: read at a mark, or said where there is nothing to draw. */

import { Pool } from "./dom.js";
import { pixel } from "./scale.js";

const HEIGHT = { "fb-reading": 15, "fb-empty": 18 };

export class Words {
  /** @param {keyof typeof HEIGHT} kind */
  constructor(kind) {
    this.height = HEIGHT[kind];
    this.lines = new Pool("text", { class: kind });
    this.group = this.lines.group;
  }

  /**
   * @param {string[]} lines
   * @param {number} x
   * @param {number} y of the first line
   * @param {"start" | "middle" | "end"} anchor
   */
  show(lines, x, y, anchor) {
    this.lines.start();
    lines.forEach((line, i) => {
      const place = { x: pixel(x), y: pixel(y + i * this.height) };
      this.lines.next({ ...place, "text-anchor": anchor }, line);
    });
    this.lines.finish();
  }

  clear() {
    this.show([], 0, 0, "start");
  }

  /**
   * Around a point.
   * @param {string[]} lines
   * @param {number} x
   * @param {number} y
   */
  centre(lines, x, y) {
    this.show(lines, x, y - ((lines.length - 1) * this.height) / 2, "middle");
  }
}
