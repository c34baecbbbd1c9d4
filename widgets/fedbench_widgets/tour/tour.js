// @ts-check
/** The guided first run: a card beside what is to be done next; it blocks nothing. */

import { html, set, text, uid } from "../chart/dom.js";
import { beside, boxIn, sidesOf } from "../help/place.js";
import { reveal } from "../toolbar/root.js";
import { known, remember } from "./memory.js";
import { STEPS, TARGETS, phase } from "./steps.js";

/** @typedef {import("./steps.js").Facts} Facts */

const LOOKS = 20;
/** @type {import("./steps.js").Settings} */
const UNSET = { alpha: null, epsilon: null, private: false };

export class Tour {
  /**
   * @param {() => import("../toolbar/buttons.js").Status} status
   * @param {AbortSignal} signal
   */
  constructor(status, signal) {
    this.status = status;
    this.signal = signal;
    /** @type {HTMLElement | null} */
    this.root = null;
    this.at = -1; // no step
    /** @type {Facts | null} */
    this.before = null;
    /** @type {Element | null} */
    this.pointed = null;
    this.read = 0;
    this.rows = new Set();
    this.form = UNSET;

    this.opener = button("Tour", "fb-tour-open", () => this.start());
    set(this.opener, { hidden: true });
    const take = button("Take the tour", "fb-link", () => this.start());
    const refuse = button("×", "fb-close", () => this.refuse());
    set(refuse, { "aria-label": "No, thanks" });
    this.offer = html("p", { class: "fb-offer", hidden: true });
    this.offer.append(html("span", {}, "New here? ", take, ": five steps, two minutes."), refuse);

    const [name, about] = [uid("tour"), uid("tour")];
    this.count = html("span", { class: "fb-tour-count" });
    this.title = html("b");
    this.words = html("p", { id: about });
    this.back = button("Back", "fb-button", () => this.turn(-1));
    this.next = button("Next", "fb-button", () => this.turn(1));
    const leave = button("Leave", "fb-button", () => this.leave());
    const head = html("p", { id: name, class: "fb-tour-head" }, this.title, this.count);
    const live = html("div", { "aria-live": "polite" }, head, this.words);
    const row = html("div", { class: "fb-tour-row" }, this.back, this.next, leave);
    this.card = html("div", {
      class: "fb-root fb-card fb-tour",
      role: "dialog",
      "aria-modal": "false",
      "aria-labelledby": name,
      "aria-describedby": about,
      tabindex: -1,
      hidden: true,
    });
    this.card.append(live, row);
    this.meant = -1;
    this.looks = 0; // frames to go in which what is pointed at is brought into view
    this.frame = 0;
    this.card.addEventListener("pointerdown", () => (this.meant = this.at));
  }

  /** @param {number} by */
  turn(by) {
    // a step may end by itself between press and release: that click was meant for the last one
    const late = this.meant >= 0 && this.meant !== this.at;
    this.meant = -1;
    if (!late) this.go(this.at + by);
  }

  /** @param {HTMLElement} root the workbench */
  attach(root) {
    this.root = root;
    root.append(this.card);
    set(this.opener, { hidden: false });
    set(this.offer, { hidden: known() });
    root.addEventListener("keydown", (event) => this.pressed(event), { signal: this.signal });
    const marks = new MutationObserver((records) => this.saw(records));
    const attributeFilter = ["data-row", "aria-selected"];
    marks.observe(root, { subtree: true, attributes: true, attributeFilter });
    this.signal.addEventListener("abort", () => {
      marks.disconnect();
      this.at = -1;
      this.point(null);
      this.card.remove();
    });
  }

  start() {
    remember();
    set(this.offer, { hidden: true });
    this.go(0);
    this.card.focus({ preventScroll: true });
  }

  refuse() {
    remember();
    set(this.offer, { hidden: true });
    this.opener.focus();
  }

  leave() {
    this.at = -1;
    this.point(null);
    set(this.card, { hidden: true });
    this.opener.focus({ preventScroll: true });
  }

  /** @param {number} step */
  go(step) {
    if (step >= STEPS.length) return this.leave();
    this.at = Math.max(0, step);
    this.before = this.facts();
    this.update();
    return undefined;
  }

  /** Look at the page: say and show what is to be done, or go on if it was done. */
  update() {
    if (this.at < 0 || !this.root || !this.before) return;
    const now = this.facts();
    const step = STEPS[this.at];
    const doing = phase(step, this.before, now);
    if (doing === null) return this.go(this.at + 1);
    text(this.title, step.title);
    text(this.count, `Step ${this.at + 1} of ${STEPS.length}`);
    text(this.words, doing.words(now));
    const last = this.at === STEPS.length - 1;
    text(this.next, last ? "Finish" : "Next");
    // disabled, it would take the focus with it
    set(this.back, { "aria-disabled": this.at === 0 ? "true" : null });
    set(this.card, { hidden: false });
    const key = /** @type {keyof typeof TARGETS} */ (doing.target(now));
    this.point(this.root.querySelector(TARGETS[key]));
    return undefined;
  }

  /** @returns {Facts} */
  facts() {
    const { state, round, tour } = this.status();
    // while something in the form is wrong, it stays what it was
    this.form = tour?.form ?? this.form;
    const band = this.root?.querySelector("svg[data-chart=accuracy] .fb-band");
    const tab = this.root?.querySelector("[role=tab][aria-selected=true]");
    return {
      state,
      round,
      runs: tour?.runs ?? 0,
      ended: state === "done" && round > 0 ? (tour?.run ?? null) : null,
      form: this.form,
      ran: tour?.ran ?? UNSET,
      band: (band?.getAttribute("d") ?? "") !== "",
      read: this.read,
      tab: tab?.id.split("-")[1] ?? "",
    };
  }

  /** @param {Element | null} target */
  point(target) {
    if (target !== this.pointed) {
      this.pointed?.classList.remove("fb-pointed");
      target?.classList.add("fb-pointed");
      this.pointed = target;
      if (target && this.root) reveal(target, this.root);
      this.looks = LOOKS;
    } else if (target && !target.classList.contains("fb-pointed")) {
      target.classList.add("fb-pointed"); // ipywidgets made its classes anew
    }
    this.follow();
  }

  /** Stay beside what is pointed at, whatever moves it. */
  follow() {
    cancelAnimationFrame(this.frame);
    this.place();
    if (this.looks > 0 && this.at >= 0) {
      // a section that unfolds gives it a place only after some frames
      this.looks -= 1;
      this.card.scrollIntoView({ block: "nearest" });
      this.pointed?.scrollIntoView({ block: "nearest" });
    }
    if (this.at >= 0) this.frame = requestAnimationFrame(() => this.follow());
  }

  place() {
    const { root, card, pointed } = this;
    if (!root || this.at < 0) return;
    const area = { left: 0, top: 0, width: root.clientWidth, height: root.clientHeight };
    const target = pointed ? boxIn(pointed, root) : { left: area.width, top: 0, width: 0, height: 0 };
    const sides = pointed?.closest(".fb-panel") ? /** @type {const} */ (["below"]) : null;
    const to = beside(target, boxIn(card, root), area, sides ? [...sides] : sidesOf(pointed ?? card));
    card.style.left = `${to.left}px`;
    card.style.top = `${to.top}px`;
    set(card, { "data-side": to.side });
  }

  /** Whether values were read off the chart, or another tab was opened. @param {MutationRecord[]} records */
  saw(records) {
    if (this.at < 0) return;
    for (const { target } of records) {
      if (!(target instanceof Element) || !target.matches("svg[data-chart=accuracy]")) continue;
      const row = target.getAttribute("data-row");
      if (row !== null) this.rows.add(row);
      // on its way to the card's buttons the pointer is not done reading
      else if (this.rows.size > 1 && !this.card.matches(":hover")) {
        this.read += 1;
        this.rows.clear();
      }
    }
    this.update();
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    if (this.at < 0 || event.key !== "Escape" || event.defaultPrevented) return;
    event.preventDefault();
    this.leave();
  }
}

/** @param {string} name @param {string} kind @param {() => void} pressed */
function button(name, kind, pressed) {
  const made = html("button", { type: "button", class: kind }, name);
  made.addEventListener("click", () => {
    if (made.getAttribute("aria-disabled") !== "true") pressed();
  });
  return made;
}
