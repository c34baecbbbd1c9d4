// @ts-check
/** The Log tab: what happened, newest last. */

import { html, set } from "../chart/dom.js";

/** @typedef {{time: string, level: "info" | "warning" | "error", text: string}} Line */

/** @param {import("./panel.js").Context} context @returns {import("./panel.js").Tab} */
export function log(context) {
  const list = html("div", { class: "fb-log", role: "log", tabindex: 0, "aria-label": "Log" });
  const empty = html("p", { class: "fb-chart-note" }, "Nothing has happened yet.");
  const el = html("div", {}, empty, list);
  /** @type {string[]} */
  let shown = [];

  function draw() {
    /** @type {Line[]} */
    const lines = context.model.get("log") ?? [];
    const keys = lines.map((line) => JSON.stringify([line.time, line.level, line.text]));
    set(empty, { hidden: lines.length > 0 });
    set(list, { hidden: lines.length === 0 });
    const kept = shown.length <= keys.length && shown.every((key, i) => key === keys[i]);
    if (kept && shown.length === keys.length) return;
    const follows = list.scrollHeight - list.scrollTop - list.clientHeight < 24;
    if (!kept) list.replaceChildren();
    list.append(...lines.slice(kept ? shown.length : 0).map(entry));
    shown = keys;
    if (follows) list.scrollTop = list.scrollHeight;
  }

  return { id: "log", label: "Log", el, draw };
}

/** @param {Line} line */
function entry(line) {
  const level = ["warning", "error"].includes(line.level) ? line.level : "info";
  return html(
    "div",
    { class: "fb-entry", "data-level": level },
    html("span", { class: "fb-when" }, line.time),
    html("span", { class: "fb-level-name" }, level),
    html("span", { class: "fb-what" }, line.text),
  );
}
