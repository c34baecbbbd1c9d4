// @ts-check
/** A run's row in the Compare tab: its pin, colour and name, and what can be done with it. */

import { html, set, text } from "../chart/dom.js";
import { best, promised } from "./compared.js";

/** @typedef {import("./compared.js").Row} Row */
/** @typedef {import("./compared.js").Column} Column */

/** Names of the theme's colours. */
const COLORS = {
  s1: "orange",
  s3: "purple",
  s2: "green",
  s4: "ochre",
  s5: "sky blue",
  s0: "blue",
  mute: "grey",
};

export class RunRow {
  /**
   * @param {string} id
   * @param {(wanted: unknown) => void} ask
   * @param {(id: string) => void} load
   */
  constructor(id, ask, load) {
    this.pin = html("input", { type: "checkbox" });
    this.pin.addEventListener("change", () => ask({ id, pinned: this.pin.checked }));
    const options = Object.entries(COLORS).map(([value, name]) => html("option", { value }, name));
    this.color = html("select", { class: "fb-swatch" }, ...options);
    this.color.addEventListener("change", () => ask({ id, color: this.color.value }));
    this.dot = html("span", { class: "fb-dot-now", "aria-hidden": "true" });
    this.marks = html("td", {}, this.pin, this.color, this.dot);
    this.name = html("textarea", { rows: 1, maxlength: 60, spellcheck: "false" });
    this.name.addEventListener("change", () => ask({ id, name: this.name.value }));
    this.name.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.name.blur();
      else if (event.key === "Escape") {
        this.name.value = this.called;
        this.name.blur();
      } else return;
      event.preventDefault(); // a name has no second line
      event.stopPropagation();
    });
    this.called = "";
    this.bare = html("span");
    this.told = html("small");
    this.extra = html("small");
    this.head = html("th", { scope: "row" }, this.name, this.bare, this.told, this.extra);
    this.load = html("button", { type: "button", class: "fb-link" }, "Load");
    this.load.addEventListener("click", () => load(id));
    this.remove = html("button", { type: "button", class: "fb-link fb-cross" }, "✕");
    this.remove.addEventListener("click", () => ask({ id, delete: true }));
    this.actions = html("td", {}, this.load, this.remove);
    /** @type {HTMLTableCellElement[]} */
    this.cells = [];
    this.el = html("tr", {}, this.marks, this.head, this.actions);
  }

  /**
   * @param {Row} row
   * @param {Column[]} columns the first is the name
   * @param {Row[]} rows
   * @param {string} below the name: what tells it from the others, if no column does
   * @param {string} other what the live charts measure, if that is something else
   */
  show(row, columns, rows, below, other) {
    const { current, name, color } = row;
    this.called = name;
    for (const element of [this.pin, this.color, this.name]) set(element, { hidden: current });
    for (const element of [this.load, this.remove]) set(element, { hidden: current });
    set(this.bare, { hidden: !current });
    set(this.dot, { hidden: !current });
    set(this.el, { class: current ? "fb-now" : null });
    text(this.bare, current ? name : "");
    this.pin.checked = row.pinned;
    if (document.activeElement !== this.color) this.color.value = color;
    this.color.style.backgroundColor = `var(--fb-${color})`;
    if (document.activeElement !== this.name) this.name.value = name;
    set(this.name, { title: name });
    // a name that was made of the settings says them already
    text(this.told, below.split(" · ").every((each) => name.includes(each)) ? "" : below);
    const off = other && row.pinned ? `not on charts of ${other}` : "";
    text(this.extra, [row.amended, off].filter(Boolean).join(", "));
    this.label(name);
    while (this.cells.length > columns.length - 1) this.cells.pop()?.remove();
    columns.slice(1).forEach((column, i) => {
      const cell = this.cells[i] ?? html("td");
      if (!this.cells[i]) {
        this.cells.push(cell);
        this.actions.before(cell);
      }
      const words = column.words(row);
      text(cell, words);
      const told = column.key === "epsilon" ? promised(row) : words.length > 24 ? words : "";
      const wide = column.key === "epsilon" ? "fb-spent" : null;
      const kind = column.setting ? "fb-setting" : best(row, column, rows) ? "fb-best" : wide;
      set(cell, { title: told || null, class: kind });
    });
  }

  /** @param {string} name */
  label(name) {
    set(this.pin, { "aria-label": `Pin ${name}` });
    set(this.color, { "aria-label": `Colour of ${name}` });
    set(this.name, { "aria-label": `Name of ${name}` });
    set(this.load, { "aria-label": `Load ${name}`, title: "Load its settings into the form" });
    set(this.remove, { "aria-label": `Delete ${name}`, title: "Delete" });
  }
}
