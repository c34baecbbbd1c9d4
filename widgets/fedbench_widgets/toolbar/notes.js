// @ts-check
/** What to know of the form and of the run: warnings and information, each said to be of which. */

import { html, set } from "../chart/dom.js";

/** @typedef {{about: "form" | "run", level: "warning" | "info", text: string, path: string}} Note */

const HEADS = { form: "Settings", run: "This run" };

/** The notes in groups, each a banner of its own: warnings first, the form before the run.
 * @param {Note[]} notes
 * @returns {{about: Note["about"], level: Note["level"], notes: Note[]}[]}
 */
export function groups(notes) {
  const found = [];
  for (const level of /** @type {const} */ (["warning", "info"])) {
    for (const about of /** @type {const} */ (["form", "run"])) {
      const some = notes.filter((note) => note.about === about && note.level === level);
      if (some.length > 0) found.push({ about, level, notes: some });
    }
  }
  return found;
}

/**
 * The banners of all notes; one of the form leads to its field.
 * @param {(path: string) => void} jump
 */
export function notesOf(jump) {
  const el = html("div", { class: "fb-notes" });
  let drawn = "";
  return {
    el,
    /** @param {Note[]} notes */
    show(notes) {
      const key = JSON.stringify(notes);
      if (key === drawn) return;
      drawn = key;
      el.replaceChildren(...groups(notes).map((group) => banner(group, jump)));
      set(el, { hidden: notes.length === 0 });
    },
  };
}

/**
 * @param {ReturnType<typeof groups>[number]} group
 * @param {(path: string) => void} jump
 */
function banner({ about, level, notes }, jump) {
  const lines = notes.map(({ text, path }) => {
    if (about === "run") return html("li", {}, text);
    const link = html("button", { type: "button", class: "fb-jump", title: "Go to this setting" }, text);
    link.addEventListener("click", () => jump(path));
    return html("li", {}, link);
  });
  const kind = { class: "fb-banner", "data-fedbench-banner": level, "data-about": about };
  return html("div", kind, html("b", {}, HEADS[about]), html("ul", {}, ...lines));
}
