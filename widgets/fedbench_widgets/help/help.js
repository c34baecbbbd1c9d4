// @ts-check
/** Help in place: one card beside whatever is pointed at or focused, for the whole workbench. */

import { html, set, text, uid } from "../chart/dom.js";
import { formula } from "./formula.js";
import { beside, boxIn, sidesOf } from "./place.js";

const REST = 400; // milliseconds that a pointer rests before it is answered
const LINGER = 200; // and that the card waits for the pointer to come over

/**
 * Explain what carries `data-help` below `root` until the signal aborts.
 * @param {HTMLElement} root
 * @param {() => Record<string, string>} known what is said of the form's fields, by their classes
 * @param {AbortSignal} signal
 * @returns {() => void} gives it to the fields; to be called when they have changed
 */
export function explain(root, known, signal) {
  const name = html("p", { class: "fb-explain-name" });
  const words = html("p");
  const maths = html("p", { class: "fb-formula" });
  const facts = html("p", { class: "fb-explain-facts" });
  const id = uid("help");
  const card = html("div", { class: "fb-root fb-card fb-explain", role: "tooltip", id, hidden: true });
  card.append(name, words, maths, facts);
  root.append(card);
  /** @type {HTMLElement | null} */
  let shown = null;
  let timer = 0;

  const hide = () => {
    clearTimeout(timer);
    if (shown) for (const control of controls(shown)) set(control, { "aria-describedby": null });
    shown = null;
    set(card, { hidden: true });
  };
  const fill = (/** @type {HTMLElement} */ subject) => {
    const [sentence = "", source = "", rest = ""] = (subject.dataset.help ?? "").split("\n");
    text(name, title(subject));
    text(words, sentence);
    if (maths.dataset.source !== source) {
      maths.dataset.source = source;
      maths.replaceChildren(...formula(source));
    }
    text(facts, rest);
    for (const [line, content] of /** @type {const} */ ([[maths, source], [facts, rest]])) {
      set(line, { hidden: content === "" });
    }
  };
  const show = (/** @type {HTMLElement} */ subject) => {
    clearTimeout(timer);
    if (!subject.dataset.help || !subject.isConnected) return;
    if (subject.closest(".fb-pointed")) return; // the tour speaks of it
    if (shown !== subject) hide();
    shown = subject;
    fill(subject);
    set(card, { hidden: false });
    for (const control of controls(subject)) set(control, { "aria-describedby": id });
    const { left, top } = beside(boxIn(subject, root), boxIn(card, root), visible(root), sidesOf(subject));
    card.style.left = `${left}px`;
    card.style.top = `${top}px`;
  };
  const later = (/** @type {() => void} */ act, /** @type {number} */ wait) => {
    clearTimeout(timer);
    timer = setTimeout(act, wait);
  };

  const listen = (/** @type {string} */ kind, /** @type {(event: any) => void} */ act, capture = false) =>
    root.addEventListener(kind, act, { signal, capture });
  listen("focusin", ({ target }) => {
    const subject = subjectOf(target);
    // a mouse that presses a button wants what the button does
    if (subject && target.matches(":focus-visible")) show(subject);
  });
  listen("focusout", ({ target }) => {
    if (shown && subjectOf(target) === shown) hide();
  });
  listen("pointerover", ({ target, pointerType }) => {
    if (pointerType !== "mouse") return;
    if (card.contains(target)) return clearTimeout(timer);
    const subject = subjectOf(target);
    if (subject === shown) clearTimeout(timer);
    else if (subject) later(() => show(subject), REST);
    else if (shown && !focused(shown)) later(hide, LINGER);
    else if (!shown) clearTimeout(timer);
  });
  listen("pointerleave", () => {
    if (!shown) clearTimeout(timer);
    else if (!focused(shown)) later(hide, LINGER);
  });
  listen("click", ({ target, pointerType }) => {
    const subject = subjectOf(target);
    if (subject && (subject.matches("button") || pointerType === "touch")) show(subject);
  });
  // who changes a value looks at what it does
  listen("input", ({ target }) => {
    if (subjectOf(target) === shown) hide();
  });
  listen("pointerdown", ({ target }) => {
    if (!card.contains(target)) hide();
  });
  listen(
    "keydown",
    (event) => {
      if (!shown) return;
      const handle = event.target instanceof Element && event.target.matches("[role=slider]");
      if (event.key === "Escape") event.stopPropagation();
      if (event.key === "Escape" || (handle && event.key.startsWith("Arrow"))) hide();
    },
    true,
  );
  signal.addEventListener("abort", () => {
    hide();
    card.remove();
  });
  return () => {
    adopt(root, known());
    if (shown && !shown.isConnected) hide();
    else if (shown) fill(shown);
  };
}

/**
 * Give the form's fields what is said of them, by the class that names it.
 * @param {HTMLElement} root
 * @param {Record<string, string>} known
 */
function adopt(root, known) {
  for (const field of root.querySelectorAll(".fedbench-form [class*=fb-says-]")) {
    const name = [...field.classList].find((each) => each.startsWith("fb-says-"));
    set(field, { "data-help": known[name ?? ""] });
  }
}

/** @param {EventTarget | null} target @returns {HTMLElement | null} */
function subjectOf(target) {
  return target instanceof Element ? target.closest("[data-help]") : null;
}

/** @param {HTMLElement} subject */
function controls(subject) {
  const inside = subject.querySelectorAll(
    "input, select, textarea, [role=slider], .noUi-handle",
  );
  return inside.length > 0 ? [...inside] : [subject];
}

/** @param {HTMLElement} subject */
function focused(subject) {
  const at = document.activeElement;
  return at !== null && subject.contains(at) && at.matches(":focus-visible");
}

/** @param {HTMLElement} subject */
function title(subject) {
  // ipywidgets leaves a label without a visible letter beside a tick
  const label = [...subject.querySelectorAll(".widget-label, .widget-label-basic, .fb-tick")].find(
    (each) => /[^\s\u200b]/.test(each.textContent ?? ""),
  );
  return (subject.dataset.helpName ?? (label ?? subject).textContent ?? "").trim();
}

/**
 * The part of the workbench that is on the screen, in its own coordinates.
 * @param {HTMLElement} root
 * @returns {import("./place.js").Box}
 */
function visible(root) {
  const { top, bottom } = root.getBoundingClientRect();
  const from = Math.max(0, -top);
  const height = Math.min(bottom, window.innerHeight) - Math.max(0, top);
  return { left: 0, top: from, width: root.clientWidth, height: Math.max(0, height) };
}
