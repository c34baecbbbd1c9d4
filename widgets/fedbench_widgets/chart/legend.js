// @ts-check
/** A chart's legend: one toggle per line, made anew only when the lines are other ones. */

import { html, set, svg } from "./dom.js";

/** @typedef {{key: string, name: string, color: string, dash?: string, band?: boolean}} Entry */

export class Legend {
  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed;
    this.el = html("div", { class: "fb-legend" });
    /** @type {Set<string>} keys switched off */
    this.hidden = new Set();
    this.signature = "";
  }

  /** @param {Pick<import("./lines.js").Drawing, "series" | "band">} drawing */
  update(drawing) {
    const listed = drawing.series.filter((series) => !series.quiet);
    /** @type {Entry[]} */
    const entries = listed.map(({ key, name, color, dash }) => ({ key, name, color, dash }));
    if (drawing.band) {
      const { name, color } = drawing.band;
      entries.splice(1, 0, { key: "band", name, color, band: true });
    }
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
    const button = html("button", { type: "button", "aria-pressed": String(shown) });
    button.append(swatch(entry), entry.name);
    button.addEventListener("click", () => {
      if (!this.hidden.delete(entry.key)) this.hidden.add(entry.key);
      set(button, { "aria-pressed": String(!this.hidden.has(entry.key)) });
      this.changed();
    });
    return button;
  }
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
