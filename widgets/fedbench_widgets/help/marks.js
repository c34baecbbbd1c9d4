// @ts-check
/** What carries an explanation: up to three lines of a sentence, a formula and facts. */

import { html, set } from "../chart/dom.js";

/**
 * A word or number that explains itself when it is pointed at, focused or pressed.
 * @param {string} words its explanation
 * @param {import("../chart/dom.js").Attributes} [attributes]
 * @param {...(Node | string)} children
 */
export function about(words, attributes = {}, ...children) {
  const all = { type: "button", tabindex: 0, "data-help": words, ...attributes };
  return html("button", { ...all, class: `fb-about ${attributes.class ?? ""}`.trim() }, ...children);
}

/**
 * Make the explained words of a group one stop of the tab order, with arrow keys between them.
 * @param {HTMLElement} group
 * @returns {() => void} to be called when words have come or gone
 */
export function rove(group) {
  const all = () =>
    /** @type {HTMLElement[]} */ ([...group.querySelectorAll("button[data-help]")]).filter(
      (mark) => !mark.closest("[hidden]"),
    );
  const settle = (/** @type {EventTarget | null} */ chosen = null) => {
    const marks = all();
    const at = marks.find((mark) => mark === chosen) ?? marks.find((mark) => mark.tabIndex === 0);
    for (const mark of marks) set(mark, { tabindex: mark === (at ?? marks[0]) ? 0 : -1 });
  };
  group.addEventListener("focusin", ({ target }) => {
    if (target instanceof Element && target.matches("button[data-help]")) settle(target);
  });
  group.addEventListener("keydown", (event) => {
    const marks = all().filter((mark) => mark.offsetParent !== null); // not those of hidden columns
    const at = marks.findIndex((mark) => mark === event.target);
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (at < 0 || step === undefined) return;
    event.preventDefault();
    marks[(at + step + marks.length) % marks.length].focus();
  });
  return () => settle();
}
