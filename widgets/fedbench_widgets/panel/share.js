// @ts-check
/** What there is to take away of the run on show: its numbers, and a page about it. */

import { html } from "../chart/dom.js";
import { heading } from "../chart/head.js";
import { saveFromKernel, saying } from "./asking.js";

/** @type {[string, string, string][]} name, what the kernel calls it, what it is */
const FILES = [
  ["History as CSV", "history.csv", "one row per round"],
  ["History as JSON", "history.json", "the experiment, its results, and one row per round"],
  ["Report as HTML", "report", "figures, tables, privacy card and code on one page; works offline"],
];

/** @param {import("./panel.js").Context} context */
export function share(context) {
  const said = html("span", { role: "status" });
  const say = saying(said);
  const buttons = FILES.map(([name, what, title]) => {
    const button = html("button", { type: "button", title }, name);
    button.addEventListener("click", () => saveFromKernel(context.model, what, say));
    return button;
  });
  const end = html("span", { class: "fb-end fb-start" }, ...buttons, said);
  const head = heading("Share", "the run shown, as files", end);
  return html("section", { class: "fb-block", "aria-label": "Share" }, head);
}
