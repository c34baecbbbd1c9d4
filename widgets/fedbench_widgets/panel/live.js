// @ts-check
/** The Live tab: four charts, one cursor, one x axis. */

import { Cursor } from "../chart/cursor.js";
import { html, set, text, uid } from "../chart/dom.js";
import { LineChart } from "../chart/lines.js";
import { power } from "../chart/scale.js";
import { about, rove } from "../help/marks.js";
import { COLUMN, axis } from "./axis.js";
import { accuracy, epsilon, epsilonName, isPrivate, loss, norm, sentence } from "./drawings.js";
import { MEANING, ofLoss, ofMetric, ofNorm, ofNote } from "./meaning.js";

/** @typedef {import("./axis.js").AxisKind} AxisKind */

const WHAT = "What these numbers are";
const BESIDE = 40; // characters that have room beside a tick
const HINT = "Point at a chart, or focus it and use the arrow keys, to read values.";
// stands where the run's own sentence will be, so that the charts keep their place
const PREVIEW =
  "After each round: how good the global model is on held-out data, how evenly clients " +
  "benefit, and what it costs.";


/** @param {import("./panel.js").Context} context @returns {import("./panel.js").Tab} */
export function live(context) {
  const cursor = new Cursor();
  const charts = {
    accuracy: new LineChart("accuracy", cursor),
    loss: new LineChart("loss", cursor),
    epsilon: new LineChart("epsilon", cursor),
    norm: new LineChart("norm", cursor),
  };
  const words = html("span");
  const what = about("", { class: "fb-what", "aria-label": WHAT, "data-help-name": WHAT }, "?");
  const note = html("p", { class: "fb-note", hidden: true }, words, what);
  const readout = html("p", { class: "fb-readout" });
  const spoken = html("p", { class: "fb-hidden", "aria-live": "polite" });
  /** @type {AxisKind} */
  let kind = "round";
  let end = 0;
  let run = -1;
  const choice = axisChoice((chosen) => {
    kind = chosen;
    end = 0;
    draw();
  });
  const grid = html("div", { class: "fb-grid-two" }, ...Object.values(charts).map((c) => c.el));
  const levels = levelsChoice((wanted) => context.model.send({ levels: wanted }));
  const bar = html("div", { class: "fb-live-bar" }, readout, levels.el, choice.el);
  const el = html("div", {}, note, bar, levels.comment, grid, spoken);
  const settle = rove(el);

  const read = () => {
    const table = context.table();
    const row = cursor.row;
    const pointed = row !== null && row < table.rows;
    const words = pointed ? sentence(table, kind, row) : "";
    text(readout, words || HINT);
    set(readout, { title: words || null }); // a long one is cut
    if (cursor.keyboard) text(spoken, words);
  };
  cursor.listen(read);

  function draw() {
    const table = context.table();
    const { info } = table;
    choice.offer({
      bytes: table.column("bytes_up") !== null,
      time: table.column("seconds") !== null,
      simulated: table.rows > 0 && table.column("simulated_seconds") !== null,
    });
    if (!table.columns.has(COLUMN[kind])) choice.reset((kind = "round"));
    if (info.run !== run) {
      // a run that is over before the page hears of it must not leave its scales behind
      end = 0;
      for (const chart of Object.values(charts)) chart.forget();
    }
    run = info.run;
    for (const chart of Object.values(charts)) chart.head.from = info.data;
    levels.show(info.levels);
    const shared = axis(kind, table, end);
    end = shared.xDomain[1];
    text(words, info.note || (table.rows === 0 ? PREVIEW : ""));
    set(note, { hidden: words.textContent === "" });
    set(what, { hidden: info.note === "", "data-help": ofNote(info) });
    charts.accuracy.head.show(info.metric.label, info.target_unit, ofMetric(info));
    charts.accuracy.draw(accuracy(table, shared, kind));
    charts.loss.head.show("Loss", info.loss_label, ofLoss(info));
    charts.loss.draw(loss(table, shared, kind));
    drawEpsilon(table, shared);
    charts.norm.head.show("Update norm", "median over the cohort", ofNorm(info));
    const unmeasured = table.rows > 0 && table.column("update_norm") === null;
    charts.norm.unavailable(unmeasured ? "This run records no update norms." : null);
    charts.norm.draw(norm(table, shared, kind));
    settle();
    read();
  }

  /** @param {import("./table.js").Table} table @param {import("./axis.js").Axis} shared */
  function drawEpsilon(table, shared) {
    const { delta, unit } = table.info;
    const known = isPrivate(table);
    const at = `${epsilonName(unit)}${delta === null ? "" : ` at δ = ${power(delta)}`}`;
    const spent = table.info.help.epsilon ?? "";
    const help = known ? `${spent}\n${table.info.promise}` : spent;
    charts.epsilon.head.show("Privacy spent", known ? at : "", help);
    charts.epsilon.unavailable(
      known ? null : "No privacy mechanism, so no ε is spent. Choose one under Privacy.",
    );
    charts.epsilon.draw(epsilon(table, shared, kind));
  }

  const stop = () => Object.values(charts).forEach((chart) => chart.stop?.());
  return { id: "live", label: "Live", el, draw, stop };
}

/**
 * A federation lies between all data in one place and each client alone: show where these are.
 * @param {(wanted: boolean) => void} changed
 */
function levelsChoice(changed) {
  const input = html("input", { type: "checkbox" });
  const words = html("small", { role: "status" });
  const comment = html("p", { class: "fb-hint fb-levels-comment", role: "status", hidden: true });
  input.addEventListener("change", () => changed(input.checked));
  const name = html("span", {}, "pooled and alone");
  const help = { "data-help": MEANING.levels, "data-help-name": "Pooled and alone" };
  const el = html("label", { class: "fb-levels", ...help }, input, name, words);
  return {
    el,
    comment,
    /** @param {import("./table.js").Levels} levels */
    show(levels) {
      if (input.checked !== levels.wanted) input.checked = levels.wanted;
      // beside the tick there is room for a word, not for a sentence
      const long = levels.words.length > BESIDE;
      text(words, long ? "" : levels.words);
      text(comment, long ? levels.words : "");
      set(comment, { hidden: !long });
    },
  };
}

/** @param {(kind: AxisKind) => void} changed */
function axisChoice(changed) {
  const group = uid("axis");
  const el = html("div", {
    class: "fb-choice",
    role: "radiogroup",
    "aria-label": "Horizontal axis",
  });
  /** @type {Map<AxisKind, HTMLInputElement>} */
  const inputs = new Map();
  for (const kind of /** @type {AxisKind[]} */ (["round", "bytes", "time", "simulated"])) {
    const input = html("input", { type: "radio", name: group, value: kind });
    input.checked = kind === "round";
    input.addEventListener("change", () => changed(kind));
    inputs.set(kind, input);
    el.append(html("label", {}, input, html("span", {}, kind)));
  }
  return {
    el,
    /** @param {{bytes: boolean, time: boolean, simulated: boolean}} known */
    offer(known) {
      const kinds = /** @type {(keyof typeof known)[]} */ (Object.keys(known));
      for (const kind of kinds) {
        set(/** @type {HTMLInputElement} */ (inputs.get(kind)), { disabled: !known[kind] });
      }
    },
    /** @param {AxisKind} kind */
    reset(kind) {
      const input = inputs.get(kind);
      if (input) input.checked = true;
    },
  };
}
