// @ts-check
/** Which buttons the state allows, and the row of them with arrow-key focus. */

import { html, set, svg } from "../chart/dom.js";

/** @typedef {"start" | "pause" | "resume" | "step" | "stop" | "reset"} Command */
/** @typedef {{command: Command, name: string, enabled: boolean, why: string}} Button */
/**
 * @typedef {object} Status
 * @property {"idle" | "running" | "paused" | "stopping" | "done" | "failed"} state
 * @property {string} title
 * @property {string} subtitle
 * @property {number} round
 * @property {number} rounds
 * @property {boolean} [solving] whether the noise for the budget is still being worked out
 * @property {number} elapsed seconds
 * @property {number | null} eta seconds
 * @property {number | null} epsilon
 * @property {number | null} budget
 * @property {number | null} delta
 * @property {string | null} unit
 * @property {string} [promise] what ε means and rests on; older notebooks have none
 * @property {Record<string, number | null>} [totals] what adds up over rounds; older notebooks have none
 * @property {Record<string, string>} [help] what each column of a history means
 * @property {{message: string, detail: string} | null} error
 * @property {import("./notes.js").Note[]} notes what to know of the form and of the run
 * @property {boolean} can_start
 * @property {boolean} [wrong] whether that is in the form
 * @property {string} why_not
 * @property {string} [why_path] the setting that is wrong, if it is one
 * @property {string} ended why the run ended
 * @property {string[]} pending
 * @property {boolean} closed
 * @property {{run: number, runs?: number, form: Settings | null, ran: Settings}} [tour] for the guided first run
 */
/** @typedef {import("../tour/steps.js").Settings} Settings */

/**
 * @param {Status} status
 * @param {boolean} dead the kernel is lost or the workbench was replaced
 * @returns {Button[]} Start or its stand-in, Step, Stop, Reset
 */
export function buttons(status, dead) {
  const { state } = status;
  const ready = status.can_start !== false;
  const fresh = state === "idle" || state === "done" || state === "failed";
  /** @type {[Command, string, boolean]} */
  let first = ["start", "Start", fresh && ready];
  if (state === "running" || state === "stopping") first = ["pause", "Pause", state === "running"];
  if (state === "paused") first = ["resume", "Resume", true];
  const begun = status.round > 0 || status.pending.length > 0;
  /** @type {[Command, string, boolean][]} */
  const row = [
    first,
    ["step", "Step", state === "paused" || (state === "idle" && ready)],
    ["stop", "Stop", state === "running" || state === "paused"],
    ["reset", "Reset", state === "paused" || (fresh && (state !== "idle" || begun))],
  ];
  const why = fresh && !ready ? status.why_not : "";
  return row.map(([command, name, allowed]) => ({
    command,
    name,
    enabled: allowed && !dead,
    why: command === "start" || command === "step" ? why : "",
  }));
}

/** @type {Record<Command, string>} */
const GLYPHS = {
  start: "M2.5 1.5V10.5L10 6Z",
  resume: "M2.5 1.5V10.5L10 6Z",
  pause: "M2.5 1.5H5V10.5H2.5ZM7 1.5H9.5V10.5H7Z",
  step: "M2 1.5V10.5L7.5 6ZM8 1.5H10V10.5H8Z",
  stop: "M2 2H10V10H2Z",
  reset: "M6 1.6A4.4 4.4 0 1 1 1.9 4.4L3.3 5A2.9 2.9 0 1 0 6 3.1V5L2.8 2.4L6 0Z",
};

/** A row of buttons of which one is in the tab order; disabled ones stay reachable by arrows. */
export class ButtonRow {
  /** @param {(command: Command) => void} press */
  constructor(press) {
    this.el = html("div", { class: "fb-buttons", role: "toolbar", "aria-label": "Run" });
    this.at = 0;
    this.nodes = Array.from({ length: 4 }, (_, i) => {
      const glyph = svg("path");
      const icon = svg("svg", { width: 12, height: 12, "aria-hidden": "true" }, glyph);
      const name = html("span");
      const button = html("button", { type: "button", class: i === 0 ? "fb-primary" : "" });
      button.append(icon, name);
      button.addEventListener("focus", () => this.rove(i));
      button.addEventListener("click", (event) => {
        // the second click of a double-click would press what the first one turned Start into
        if (event.detail > 1 || button.getAttribute("aria-disabled") === "true") return;
        press(/** @type {Command} */ (button.dataset.command));
      });
      this.el.append(button);
      return { button, glyph, name };
    });
    this.el.addEventListener("keydown", (event) => {
      const last = this.nodes.length - 1;
      const { key } = event;
      let to = -1;
      if (key === "ArrowRight") to = this.at === last ? 0 : this.at + 1;
      if (key === "ArrowLeft") to = this.at === 0 ? last : this.at - 1;
      if (key === "Home") to = 0;
      if (key === "End") to = last;
      if (to < 0) return;
      event.preventDefault();
      this.nodes[to].button.focus();
    });
    this.rove(0);
  }

  /** @param {number} index */
  rove(index) {
    this.at = index;
    this.nodes.forEach(({ button }, i) => set(button, { tabindex: i === index ? 0 : -1 }));
  }

  /** @param {Button[]} row */
  update(row) {
    row.forEach(({ command, name, enabled, why }, i) => {
      const node = this.nodes[i];
      set(node.button, {
        "data-command": command,
        "aria-disabled": enabled ? null : "true",
        title: why || null,
      });
      set(node.glyph, { d: GLYPHS[command] });
      if (node.name.textContent !== name) node.name.textContent = name;
    });
  }
}
