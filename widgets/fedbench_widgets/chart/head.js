// @ts-check
/** What stands above a chart: what it shows, in a few words, and the buttons that save it. */

import { about } from "../help/marks.js";
import { html, set, text } from "./dom.js";
import { saveButtons } from "./export.js";

/**
 * A title, a few words beside it, and what else belongs there.
 * @param {Node | string} title
 * @param {Node | string} subtitle
 * @param {...Node} more
 */
export function heading(title, subtitle, ...more) {
  return html(
    "div",
    { class: "fb-chart-head" },
    html("h3", { class: "fb-chart-title" }, title),
    html("small", { class: "fb-chart-subtitle" }, subtitle),
    ...more,
  );
}

/** The head of a chart whose title explains itself. */
export class Head {
  /**
   * @param {() => {target: Element, parts: string[], words: string}} what to save, see
   *   `saveButtons`; the name of a file begins with that of the data
   * @param {...Node} more before the buttons
   */
  constructor(what, ...more) {
    this.from = ""; // what the data are called
    this.title = about("");
    this.subtitle = new Text();
    this.save = saveButtons(() => {
      const { parts, ...rest } = what();
      return { ...rest, parts: [this.from, ...parts], title: this.title.textContent ?? "" };
    });
    this.el = heading(this.title, this.subtitle, ...more, this.save.el);
  }

  /**
   * @param {string} title
   * @param {string} subtitle
   * @param {string} meaning of the numbers and what they rest on, see `about`
   */
  show(title, subtitle, meaning) {
    text(this.title, title);
    set(this.title, { "data-help": meaning });
    text(this.subtitle, subtitle);
    this.save.label();
  }
}
