// @ts-check
/** A chart's legend: one toggle per line, made anew only when the lines are other ones. */

import { html, set, svg } from "./dom.js";

/**
 * @typedef {object} Entry
 * @property {string} key
 * @property {string} name
 * @property {string} color
 * @property {string} [dash]
 * @property {boolean} [band]
 * @property {boolean} [quiet] only in files
 */

export class Legend {
  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed;
    this.el = html("div", { class: "fb-legend" });
    /** @type {Set<string>} keys switched off */
    this.hidden = new Set();
    this.signature = "";
  }

  /** @param {Pick<import("./lines.js").Drawing, "series" | "band" | "levels">} drawing */
  update(drawing) {
    /** @type {Entry[]} */
    const entries = drawing.series.map(({ key, name, color, dash, quiet }) => {
      return { key, name, color, dash, quiet };
    });
    drawing.levels?.forEach(({ label, color }, i) => {
      entries.push({ key: `level${i}`, name: label, color, dash: levelDash(i), quiet: true });
    });
    if (drawing.band) {
      const { name, color } = drawing.band;
      entries.splice(1, 0, { key: "band", name, color, band: true });
    }
    const listed = entries.filter(({ quiet }) => !quiet);
    if (listed.length === 1) listed[0].quiet = true;
    const signature = JSON.stringify(entries);
    if (signature === this.signature) return;
    this.signature = signature;
    this.el.replaceChildren(
      ...(entries.length > 1 ? entries.map((entry) => this.toggle(entry)) : []),
    );
  }

  /** @param {Entry} entry */
  toggle(entry) {
    const shown = !this.hidden.has(entry.key);
    const kind = entry.quiet ? "fb-quiet" : null;
    const button = html("button", { type: "button", "aria-pressed": String(shown), class: kind });
    button.append(swatch(entry), entry.name);
    button.addEventListener("click", () => {
      if (!this.hidden.delete(entry.key)) this.hidden.add(entry.key);
      set(button, { "aria-pressed": String(!this.hidden.has(entry.key)) });
      this.changed();
    });
    return button;
  }
}

/** Reference lines are often close together. @param {number} place */
export function levelDash(place) {
  return ["4 3", "1 3", "9 3", "9 3 1 3"][place % 4];
}

/** @param {Entry} entry */
function swatch(entry) {
  const color = `var(--fb-${entry.color})`;
  const mark = entry.band
    ? svg("rect", { width: 16, height: 10, rx: 2, fill: color, class: "fb-band" })
    : svg("path", {
        d: "M0 5H16",
        stroke: color,
        "stroke-width": 2,
        "stroke-dasharray": entry.dash,
      });
  return svg("svg", { width: 16, height: 10, "aria-hidden": "true" }, mark);
}
