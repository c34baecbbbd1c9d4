// @ts-check
/** What there is to take away of the run on show: its numbers, and a page about it. */

import { html } from "../chart/dom.js";
import { heading } from "../chart/head.js";
import { saveFromKernel, saying } from "./asking.js";

/** @type {[string, string, string][]} name, what the kernel calls it, what it is */
const FILES = [
  ["History as CSV", "history.csv", "one row a round"],
  ["History as JSON", "history.json", "the experiment, what it came to, and a row for each round"],
  ["Report as HTML", "report", "figures, tables, privacy and code on one page; needs no network"],
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
  const head = heading("Share", "the run on show, as files", end);
  return html("section", { class: "fb-block", "aria-label": "Share" }, head);
}
