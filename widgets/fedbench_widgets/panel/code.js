// @ts-check
/** The Code tab: the experiment as Python and as TOML, to copy or save, and the run to take away. */

import { fileName, download } from "../chart/download.js";
import { html, text } from "../chart/dom.js";
import { heading } from "../chart/head.js";
import { share } from "./share.js";

const REPLAYS = "running this code gives the same history, bit for bit";
const DIFFERS = "the same settings; the noise differs each time: set a noise seed to reproduce it";

/** @param {import("./panel.js").Context} context @returns {import("./panel.js").Tab} */
export function code(context) {
  const info = () => context.table().info;
  const from = () => info().data;
  const python = block("Python", "", "py", from);
  const toml = block("TOML", "the same experiment as a file", "toml", from);
  return {
    id: "code",
    label: "Code",
    el: html("div", {}, python.el, toml.el, share(context)),
    draw() {
      const source = context.model.get("code") ?? {};
      python.show(source.python ?? "");
      python.say(promise(source.replays !== "no", info().amended));
      toml.show(source.toml ?? "");
    },
  };
}

/**
 * What running the code gives; a run that changed on its way is not what its last settings give.
 * @param {boolean} replays
 * @param {import("./table.js").Snapshot["amended"]} amended
 */
export function promise(replays, amended) {
  if (amended.length > 0) {
    return `the settings as they are now; the run shown was edited while running: ${amended.map(({ words }) => words).join("; ")}`;
  }
  return replays ? REPLAYS : DIFFERS;
}

/**
 * @param {string} language
 * @param {string} subtitle
 * @param {string} ending of a file
 * @param {() => string} from what the data are called
 */
function block(language, subtitle, ending, from) {
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
  const save = html("button", { type: "button", "aria-label": `Save ${language}` }, "Save");
  save.addEventListener("click", () => {
    const blob = new Blob([source.textContent ?? ""], { type: "text/plain" });
    const name = fileName([from()], ending);
    download(blob, name);
    text(said, `Saved ${name}`);
    setTimeout(() => text(said, ""), 2000);
  });
  const words = new Text(subtitle);
  const end = html("span", { class: "fb-end" }, said, button, save);
  const head = heading(language, words, end);
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
