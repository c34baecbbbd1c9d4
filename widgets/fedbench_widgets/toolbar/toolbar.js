// @ts-check
/** The workbench's head: what runs, the buttons, progress, chips of cost, and what went wrong. */

import { html, set, text } from "../chart/dom.js";
import { lifetime } from "../chart/model.js";
import { bytes, duration, power, tick, upward } from "../chart/scale.js";
import { explain } from "../help/help.js";
import { about, rove } from "../help/marks.js";
import { Tour } from "../tour/tour.js";
import { ButtonRow, buttons } from "./buttons.js";
import { watch } from "./life.js";
import { notesOf } from "./notes.js";
import { adopt, foldForm, jump, followHands, markPending, nameControls, whenAttached } from "./root.js";

/** @typedef {import("./buttons.js").Status} Status */

const LOST =
  "The kernel does not answer: it is busy with another cell or was restarted. " +
  "Re-run the cell to get a live workbench.";
const SAVED =
  "This is the saved output, without a running kernel. " +
  "Run the cell to get a live workbench.";
const REPLACED = "This workbench was replaced: the cell was run again.";

/** @type {Status} */
const BLANK = {
  state: "idle",
  title: "fedbench",
  subtitle: "",
  round: 0,
  rounds: 0,
  elapsed: 0,
  eta: null,
  epsilon: null,
  budget: null,
  delta: null,
  unit: null,
  error: null,
  notes: [],
  can_start: true,
  why_not: "",
  ended: "",
  pending: [],
  closed: false,
};

/**
 * @param {Status} status
 * @returns {string} for the live region; the same text until the state changes
 */
export function announce(status) {
  const at = `round ${status.round} of ${status.rounds}`;
  switch (status.state) {
    case "running":
      return status.solving ? "Computing the noise…" : "Running";
    case "paused":
      return `Paused at ${at}`;
    case "stopping":
      return "Stopping";
    case "done":
      if (status.ended.startsWith("target")) return `Target reached at ${at}`;
      if (status.ended.startsWith("privacy budget")) return `Budget spent at ${at}`;
      return status.round >= status.rounds ? "Done" : `Stopped at ${at}`;
    case "failed":
      return "Failed";
    default:
      return status.can_start ? "Ready" : "Not ready";
  }
}

/** What the number on a chip is called, and what it means: a sentence and a formula, a line each. */
const MEANING = {
  rounds: ["Rounds", "Rounds completed, of those planned."],
  time: [
    "Time",
    "Seconds spent in rounds, without pauses, and an estimate of the time left." +
      "\nleft = seconds / rounds completed · rounds left",
  ],
};
/** Chips of a column of the history, which says itself what it means. */
const COLUMN = {
  privacy: ["Privacy spent", "epsilon"],
  sent: ["Sent", "bytes_up"],
  simulated: ["Simulated time", "simulated_seconds"],
};

/**
 * The chips as [text, is it emphasised] pieces.
 * @param {Status} status
 * @returns {{key: string, pieces: [string, boolean][], over?: boolean}[]}
 */
export function chips(status) {
  /** @type {{key: string, pieces: [string, boolean][], over?: boolean}[]} */
  const found = [
    {
      key: "rounds",
      pieces: [
        [`${status.round}`, true],
        [`/${status.rounds} rounds`, false],
      ],
    },
  ];
  if (status.round > 0 || status.elapsed > 0) {
    /** @type {[string, boolean][]} */
    const time = [[duration(status.elapsed), true]];
    if (status.eta !== null && status.state === "running") {
      time.push([", ", false], [duration(status.eta), true], [" left", false]);
    }
    found.push({ key: "time", pieces: time });
  }
  if (status.epsilon !== null || status.budget !== null) {
    /** @type {[string, boolean][]} */
    const spent = [
      [status.unit ? `${status.unit} ε ` : "ε ", false],
      [upward(status.epsilon ?? (status.round > 0 ? Infinity : 0)), true],
    ];
    if (status.budget !== null) spent.push([` of ${tick(status.budget)}`, false]);
    if (status.delta !== null) spent.push([` · δ ${power(status.delta)}`, false]);
    const over = status.ended.startsWith("privacy budget");
    found.push({ key: "privacy", pieces: spent, over });
  }
  const { bytes_up: sent, simulated_seconds: simulated } = status.totals ?? {};
  if (sent) {
    const [amount, unit] = bytes(sent);
    found.push({
      key: "sent",
      pieces: [
        [amount, true],
        [` ${unit} up`, false],
      ],
    });
  }
  if (typeof simulated === "number") {
    found.push({
      key: "simulated",
      pieces: [
        [duration(simulated), true],
        [" simulated", false],
      ],
    });
  }
  return found;
}

/**
 * What the number on a chip means and rests on.
 * @param {string} key
 * @param {Status} status
 */
export function meaning(key, status) {
  const [title, column] = COLUMN[/** @type {keyof typeof COLUMN} */ (key)] ?? [];
  const own = MEANING[/** @type {keyof typeof MEANING} */ (key)] ?? [];
  const [name, words] = column ? [title, status.help?.[column] ?? ""] : own;
  const more = key === "privacy" && status.promise ? `\n${status.promise}` : "";
  return { "data-help-name": name, "data-help": `${words}${more}` };
}

/** @param {import("../chart/model.js").View} view */
function render(view) {
  const { model, el } = view;
  const { signal, cleanup } = lifetime(view);
  /** @type {HTMLElement | null} */
  let root = null;
  let lost = false;
  let saved = false;

  const send = (/** @type {string} */ command) => model.send({ command });
  const row = new ButtonRow(send);
  const title = html("h2", { class: "fb-title" });
  const subtitle = html("span", { class: "fb-subtitle" });
  const bar = html("i");
  const track = html(
    "div",
    { class: "fb-track", role: "progressbar", "aria-label": "Rounds" },
    bar,
  );
  const state = html("span", { class: "fb-state", role: "status" });
  const wrong = html("button", { type: "button", class: "fb-why", "data-fedbench": "wrong" });
  const waits = html("span", { class: "fb-waits", "data-fedbench": "waits" });
  const list = html("div", { class: "fb-chips", role: "group", "aria-label": "Progress and cost" });
  const settle = rove(list);
  const tour = new Tour(() => ({ ...BLANK, ...model.get("status") }), signal);
  const fold = html("button", { type: "button", class: "fb-fold", hidden: true }, "Settings");
  const banners = html("div", { class: "fb-banners" });
  const kernel = banner("kernel", "alert");
  const closed = banner("closed", "alert");
  const failure = banner("error", "alert", "The run failed");
  const detail = html("pre", { tabindex: 0, "aria-label": "Details of the error" });
  const more = html("details", {}, html("summary", {}, "Details"), detail);
  failure.el.append(more);
  const why = banner("why-not", null, "Settings");
  const goTo = (/** @type {string} */ path) => root && jump(root, path);
  const notes = notesOf(goTo);
  wrong.addEventListener("click", () => goTo(model.get("status")?.why_path ?? ""));
  banners.append(...[kernel, closed, failure, why, notes].map((item) => item.el));

  el.classList.add("fb-root", "fb-toolbar");
  el.append(
    html("div", { class: "fb-heading" }, title, subtitle, tour.opener),
    row.el,
    html("div", { class: "fb-progress" }, track, html("div", { class: "fb-facts" }, state, wrong, waits, list)),
    tour.offer,
    banners,
    fold,
  );

  const draw = () => {
    /** @type {Status} */
    const status = { ...BLANK, ...model.get("status") };
    const dead = lost || status.closed;
    text(title, status.title);
    text(subtitle, status.subtitle);
    row.update(buttons(status, dead));
    const share = status.rounds > 0 ? Math.min(1, status.round / status.rounds) : 0;
    bar.style.transform = `scaleX(${share})`;
    set(track, {
      "aria-valuemin": 0,
      "aria-valuemax": status.rounds,
      "aria-valuenow": status.round,
      "aria-valuetext": `round ${status.round} of ${status.rounds}`,
    });
    const silent = saved ? "Saved" : "No answer";
    text(state, status.closed ? "Replaced" : lost ? silent : announce(status));
    drawChips(list, status);
    settle();
    set(el, { "data-state": status.state, "data-dead": dead });
    if (root) set(root, { "data-state": status.state });
    kernel.say(lost && !status.closed ? (saved ? SAVED : LOST) : "");
    closed.say(status.closed ? REPLACED : "");
    failure.say(status.error?.message ?? "");
    text(detail, status.error?.detail ?? "");
    set(more, { hidden: !status.error?.detail });
    const fresh = ["idle", "done", "failed"].includes(status.state);
    // what is wrong in the form stands beside its field too: here it takes no banner
    why.say(fresh && !status.can_start && !status.wrong ? status.why_not : "");
    text(wrong, status.wrong ? status.why_not : "");
    set(wrong, { hidden: !status.wrong });
    const several = status.pending.length;
    text(waits, `${several} ${several === 1 ? "change waits" : "changes wait"} for Reset`);
    set(waits, { hidden: several === 0 });
    if (root) markPending(root, status.pending);
    notes.show(status.notes);
    tour.update();
  };

  model.on("change:status", draw);
  signal.addEventListener("abort", () => model.off("change:status", draw));
  draw();
  watch(model, el, signal, (...verdict) => {
    [lost, saved] = verdict;
    draw();
  });
  whenAttached(el, signal, (found) => {
    root = found;
    const takeIn = explain(found, () => model.get("help") ?? {}, signal);
    model.on("change:help", takeIn);
    signal.addEventListener("abort", () => model.off("change:help", takeIn));
    adopt(found, signal, () => {
      nameControls(found);
      followHands(found);
      markPending(found, { ...BLANK, ...model.get("status") }.pending);
      takeIn();
      foldForm(fold, found);
      tour.update();
    });
    tour.attach(found);
    draw();
  });
  return cleanup;
}

/**
 * A line under the buttons, hidden while it has nothing to say.
 * @param {string} kind
 * @param {string | null} role
 * @param {string} [head] what it speaks of
 */
function banner(kind, role, head = "") {
  const words = html("p");
  // the alert is in the page before its words are, or screen readers miss the first one
  const el = html("div", { class: "fb-banner", role, "data-fedbench-banner": kind, hidden: true });
  if (head) el.append(html("b", {}, head));
  el.append(words);
  return {
    el,
    /** @param {string} sentence */
    say(sentence) {
      set(el, { hidden: sentence === "" });
      text(words, sentence);
    },
  };
}

/**
 * Chips keep their nodes as long as their number of pieces is the same.
 * @param {HTMLElement} list
 * @param {Status} status
 */
function drawChips(list, status) {
  const wanted = chips(status);
  const shape = wanted.map(({ key, pieces }) => `${key}${pieces.length}`).join();
  if (list.dataset.shape !== shape) {
    list.dataset.shape = shape;
    list.replaceChildren(
      ...wanted.map(({ key, pieces }) => {
        const parts = pieces.map(([, strong]) => html(strong ? "b" : "span"));
        return about("", { class: "fb-chip", "data-chip": key }, ...parts);
      }),
    );
  }
  wanted.forEach(({ key, pieces, over }, i) => {
    const chip = list.children[i];
    set(chip, meaning(key, status));
    chip.classList.toggle("fb-warn", over ?? false);
    pieces.forEach(([words], j) => text(chip.children[j], words));
  });
}

export default { render };
