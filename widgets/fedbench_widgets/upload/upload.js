// @ts-check
/** A file is handed to the kernel part by part; each of its columns is given a role. */

import { html, set, text, uid } from "../chart/dom.js";
import { lifetime } from "../chart/model.js";

/**
 * @typedef {object} Column
 * @property {string} name
 * @property {string} role
 */
/** @typedef {{columns: Record<string, string>, cautions: string[], problem: string}} Inside */
/** @typedef {{token: string, name: string, file: File}} Upload */

const PART = 2 ** 20; // bytes of a message: servers refuse ten times that
const TRAITS = ["columns", "roles", "words", "chosen", "file"];
/** @type {Inside} */
const UNKNOWN = { columns: {}, cautions: [], problem: "" };
const PRIVATE = "Copied to a private folder, and removed when the kernel ends.";
const KINDS = ".csv,.tsv,.txt,.gz,.zip,.xlsx,.parquet,.pq";

/** @param {import("../chart/model.js").View} view */
function render(view) {
  const { model, el } = view;
  const { signal, cleanup } = lifetime(view);
  const id = uid("file");
  const input = html("input", { type: "file", id, accept: KINDS, class: "fb-file" });
  const label = html("label", { for: id, class: "fb-choose" }, "Choose a file…");
  const own = html("p", { class: "fb-hint fb-private" });
  const words = html("p", { class: "fb-hint", role: "status" });
  const list = html("ul", { class: "fb-columns", "aria-label": "Columns of the table" });
  const notes = html("ul", { class: "fb-cautions", "aria-label": "What to know of the table" });
  const page = uid("upload");
  /** @type {Upload | null} */
  let going = null;
  let count = 0;
  let trouble = "";
  let inside = UNKNOWN;

  const draw = () => {
    /** @type {Column[]} */
    const columns = model.get("columns") ?? [];
    /** @type {string[]} */
    const roles = model.get("roles") ?? [];
    const chosen = model.get("chosen") ?? false;
    const file = model.get("file") ?? "";
    text(label, file ? "Choose another file…" : "Choose a file…");
    text(own, file && chosen ? file : chosen ? PRIVATE : `Your own table: CSV, Excel or Parquet. ${PRIVATE}`);
    set(own, { title: PRIVATE });
    list.replaceChildren(...columns.map((column) => row(column, inside.columns, roles, give)));
    set(list, { hidden: columns.length === 0 });
    const { cautions } = inside;
    notes.replaceChildren(...cautions.map((caution) => html("li", {}, caution)));
    set(notes, { hidden: cautions.length === 0 });
    const problem = trouble || inside.problem;
    set(words, { "data-problem": problem !== "" });
    text(words, problem || (model.get("words") ?? ""));
  };
  const give = (/** @type {string} */ column, /** @type {string} */ role) =>
    model.send({ role: { column, role } });

  const send = async (/** @type {number} */ at) => {
    if (!going) return;
    const { token, name, file } = going;
    try {
      const buffer = await file.slice(at, at + PART).arrayBuffer();
      if (going?.token !== token) return;
      model.send({ part: { token, name, size: file.size, at } }, undefined, [buffer]);
      trouble = "";
      text(words, `Reading ${name}: ${percent(at, file.size)}`);
    } catch (error) {
      // the browser cannot read it: a folder, or a file that has gone
      going = null;
      trouble = `${name} cannot be read: ${error instanceof Error ? error.message : error}`;
      draw();
    }
  };
  const picked = () => {
    const file = input.files?.[0];
    input.value = ""; // the same file may be chosen again
    if (!file) return;
    count += 1;
    going = { token: `${page}/${count}`, name: file.name, file };
    void send(0);
  };
  const received = () => {
    const { token, at } = model.get("received") ?? {};
    if (!going || token !== going.token) return;
    if (at >= going.file.size) {
      going = null;
      draw();
    } else {
      void send(at);
    }
  };

  input.addEventListener("change", picked, { signal });
  el.classList.add("fb-root", "fb-upload");
  el.append(html("div", { class: "fb-pick" }, input, label), own, words, list, notes);
  const told = (/** @type {{inside?: Inside}} */ message) => {
    if (!message.inside) return;
    inside = { ...UNKNOWN, ...message.inside };
    draw();
  };
  model.on("msg:custom", told);
  for (const trait of TRAITS) model.on(`change:${trait}`, draw);
  model.on("change:received", received);
  signal.addEventListener("abort", () => {
    for (const trait of TRAITS) model.off(`change:${trait}`, draw);
    model.off("change:received", received);
    model.off("msg:custom", told);
  });
  draw();
  model.send({ look: true });
  return cleanup;
}

/**
 * @param {Column} column
 * @param {Record<string, string>} insides what is in each, which no notebook keeps
 * @param {string[]} roles
 * @param {(column: string, role: string) => void} give
 */
function row(column, insides, roles, give) {
  const choice = html("select", { "aria-label": `Role of ${column.name}` });
  const known = roles.includes(column.role) ? roles : [column.role, ...roles];
  for (const role of known) {
    choice.append(html("option", { value: role, selected: role === column.role }, role));
  }
  choice.addEventListener("change", () => give(column.name, choice.value));
  const name = html("span", { class: "fb-name", title: column.name }, column.name);
  const words = insides[column.name] ?? "";
  const inside = html("span", { class: "fb-inside", title: words }, words);
  return html("li", { "data-role": column.role }, name, choice, inside);
}

/** @param {number} done @param {number} whole */
function percent(done, whole) {
  return `${Math.floor((100 * done) / Math.max(1, whole))} %`;
}

export default { render };
