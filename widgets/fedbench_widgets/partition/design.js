// @ts-check
/** A hand on the map: a cell is carried to another client, or changed sample by sample. */

import { set, text } from "../chart/dom.js";
import { move, nudge, size, spare } from "./counts.js";

/** @typedef {import("./counts.js").Counts} Counts */
/** @typedef {import("../chart/map.js").ClientMap} ClientMap */
/** @typedef {{column: number, row: number}} Cell */

/**
 * @typedef {object} Hooks
 * @property {() => Counts | null} counts what is shown; null where nothing may be changed
 * @property {(counts: Counts) => void} show draw these, for now
 * @property {(counts: Counts) => void} commit keep these
 * @property {() => void} undo
 * @property {() => void} remove the client at hand
 * @property {(client: number) => string} name
 * @property {() => void} chosen tells that another client is at hand
 */

const STEPS = { "+": 1, "=": 1, "-": -1, "−": -1, PageUp: 10, PageDown: -10 };

export class Designer {
  /**
   * @param {ClientMap} map
   * @param {Hooks} hooks
   * @param {AbortSignal} signal
   */
  constructor(map, hooks, signal) {
    this.map = map;
    this.hooks = hooks;
    /** @type {{base: Counts, from: Cell, pointer: number | null, half: boolean} | null} */
    this.held = null;
    const on = (/** @type {string} */ name, /** @type {(event: any) => void} */ heard) =>
      map.svg.addEventListener(name, heard, { signal });
    on("pointerdown", (event) => this.down(event));
    on("pointermove", (event) => this.drag(event));
    on("pointerup", (event) => this.drop(event.pointerId));
    on("pointercancel", () => this.cancel());
    on("blur", () => this.held?.pointer === null && this.cancel());
    on("keydown", (event) => this.key(event));
  }

  get busy() {
    return this.held !== null;
  }

  /** @param {PointerEvent} event */
  down(event) {
    const counts = this.hooks.counts();
    const cell = this.map.at(event);
    if (!counts || !cell || event.button !== 0) return;
    this.cancel();
    this.choose(cell);
    if (cell.row >= counts.classes) return;
    this.map.svg.setPointerCapture(event.pointerId);
    this.held = { base: counts, from: cell, pointer: event.pointerId, half: event.shiftKey };
  }

  /** @param {PointerEvent} event */
  drag(event) {
    if (this.held?.pointer !== event.pointerId) return;
    this.held.half = event.shiftKey;
    const box = this.map.svg.getBoundingClientRect();
    const frame = this.map.frameOf;
    if (!frame) return;
    const there = Math.floor((event.clientX - box.left - frame.left) / frame.column);
    const last = this.map.columns.length - 1;
    this.over(Math.max(0, Math.min(last, there)));
  }

  /** @param {number | null} pointer */
  drop(pointer) {
    const held = this.held;
    if (!held || held.pointer !== pointer) return;
    const to = this.map.cell?.column ?? held.from.column;
    this.held = null;
    this.lift();
    this.choose({ column: to, row: held.from.row });
    if (to === held.from.column) return this.hooks.show(held.base);
    this.hooks.commit(this.moved(held, to));
    this.speak("Dropped. ");
  }

  cancel() {
    const held = this.held;
    if (!held) return;
    this.held = null;
    this.lift();
    this.choose(held.from);
    this.hooks.show(held.base);
  }

  lift() {
    this.map.note = "";
    set(this.map.svg, { "data-held": null });
  }

  /** @param {Cell} cell */
  choose(cell) {
    this.map.home = cell;
    this.map.move(cell);
    this.hooks.chosen();
  }

  /**
   * Show what the map would be if the cell were dropped on another column.
   * @param {number} column
   */
  over(column) {
    const held = this.held;
    if (!held) return;
    const { from } = held;
    this.map.cell = { column, row: from.row };
    this.map.note = this.words(held, column);
    set(this.map.svg, { "data-held": true });
    this.hooks.show(this.moved(held, column));
  }

  /** @param {NonNullable<Designer["held"]>} held @param {number} to */
  moved(held, to) {
    const { row, column } = held.from;
    return move(held.base, row, column, to, this.amount(held));
  }

  /** @param {NonNullable<Designer["held"]>} held */
  amount({ base, from, half }) {
    const all = base.values[from.column * base.classes + from.row];
    return spare(base, from.column, from.row, half ? Math.ceil(all / 2) : all);
  }

  /** @param {NonNullable<Designer["held"]>} held @param {number} to */
  words(held, to) {
    const count = this.amount(held);
    const { name } = this.hooks;
    if (count === 0) {
      const only = size(held.base, held.from.column) === 1 && "every client keeps at least one sample";
      return only || "there is nothing in this cell to move";
    }
    return to === held.from.column ? `${count} held` : `${count} to ${name(to)}`;
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const counts = this.hooks.counts();
    if (!counts) return;
    const command = event.ctrlKey || event.metaKey;
    if (command && event.key.toLowerCase() === "z") {
      event.preventDefault();
      event.stopPropagation(); // the notebook would undo something of its own
      return this.held ? this.cancel() : this.hooks.undo();
    }
    if (command || event.altKey) return;
    if (event.key === "Escape") return this.escape();
    if (event.key.startsWith("Arrow")) return this.carried(event);
    const cell = this.map.cell ?? this.map.home;
    const step = STEPS[/** @type {keyof typeof STEPS} */ (event.key)];
    const known = step || [" ", "Enter", "Delete"].includes(event.key);
    if (!known || !cell || cell.row >= counts.classes) return;
    event.preventDefault();
    if (event.key === "Delete") return this.held ? undefined : this.hooks.remove();
    if (step) return this.held ? undefined : this.change(counts, cell, step);
    if (this.held) return this.drop(null);
    this.choose(cell);
    this.held = { base: counts, from: cell, pointer: null, half: event.shiftKey };
    this.over(cell.column);
    this.speak("Picked up: ");
  }

  escape() {
    const was = this.held;
    this.cancel();
    if (was) return this.speak("Put back. ");
    this.map.home = null;
    this.hooks.chosen();
  }

  /**
   * The map has moved its frame already; a cell that is carried stays in its row.
   * @param {KeyboardEvent} event
   */
  carried(event) {
    const cell = this.map.cell;
    if (!event.key.startsWith("Arrow") || !cell) return;
    if (!this.held) return this.choose(cell);
    this.over(cell.column);
    this.speak("");
  }

  /** @param {Counts} counts @param {Cell} cell @param {number} by */
  change(counts, cell, by) {
    const next = nudge(counts, cell.column, cell.row, by);
    const at = cell.column * counts.classes + cell.row;
    this.choose(cell);
    if (next.values[at] === counts.values[at]) {
      const why = by > 0 ? "no other client can give one" : "this client has none to give";
      return text(this.map.spoken, `Unchanged: ${why}`);
    }
    this.hooks.commit(next);
    this.speak("");
  }

  /** @param {string} words */
  speak(words) {
    text(this.map.spoken, `${words}${this.map.tip.textContent}`);
  }
}
