// @ts-check
/** The Code tab: the experiment as Python and as TOML, to copy. */

import { html, text } from "../chart/dom.js";

const REPLAYS = "running this gives the same history, to the bit";
const DIFFERS = "the same set-up; the noise differs each time: set a noise seed to replay";

/** @param {import("./panel.js").Context} context @returns {import("./panel.js").Tab} */
export function code(context) {
  const python = block("Python", "");
  const toml = block("TOML", "the same experiment as a file");
  return {
    id: "code",
    label: "Code",
    el: html("div", {}, python.el, toml.el),
    draw() {
      const source = context.model.get("code") ?? {};
      python.show(source.python ?? "");
      python.say(source.replays === "no" ? DIFFERS : REPLAYS);
      toml.show(source.toml ?? "");
    },
  };
}

/**
 * @param {string} language
 * @param {string} subtitle
 */
function block(language, subtitle) {
  const source = html("code");
  const pre = html(
    "pre",
    { class: "fb-code", tabindex: 0, "aria-label": `${language} code` },
    source,
  );
  const button = html("button", { type: "button", "aria-label": `Copy ${language}` }, "Copy");
  const said = html("span", { class: "fb-copied", role: "status" });
  button.addEventListener("click", async () => {
    const done = await copy(source);
    text(said, done ? "Copied" : "Selected: press Ctrl+C");
    setTimeout(() => text(said, ""), 2000);
  });
  const words = html("small", { class: "fb-chart-subtitle" }, subtitle);
  const head = html(
    "div",
    { class: "fb-chart-head" },
    html("h3", { class: "fb-chart-title" }, language),
    words,
    html("span", { class: "fb-end" }, said, button),
  );
  const el = html("section", { class: "fb-block", "aria-label": language }, head, pre);
  return {
    el,
    show: (/** @type {string} */ value) => text(source, value),
    say: (/** @type {string} */ value) => text(words, value),
  };
}

/**
 * Copy an element's text; where the page may not write the clipboard, select it instead.
 * @param {HTMLElement} element
 * @returns {Promise<boolean>} whether the clipboard has it
 */
async function copy(element) {
  try {
    await navigator.clipboard.writeText(element.textContent ?? "");
    return true;
  } catch {
    getSelection()?.selectAllChildren(element);
    return document.execCommand?.("copy") ?? false;
  }
}
