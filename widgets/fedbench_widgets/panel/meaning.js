// @ts-check
/** What the numbers of the panel mean: a sentence, a formula and what else is to know, a line each. */

import { minimizes } from "./table.js";

/** @typedef {Pick<import("./table.js").Snapshot, "metric" | "loss_label" | "help">} Measured */

const PROMISE = "P[A(D) ∈ S] ≤ e^ε P[A(D′) ∈ S] + δ";

export const MEANING = {
  delta: `Probability with which the guarantee of ε may fail: smaller is better.\n${PROMISE}`,
  auc: [
    "How well an attacker separates training rows from other rows by their loss: 0.5 is guessing.",
    "P[loss of rows trained on < loss of others]",
    "A value near 0.5 proves nothing: stronger attacks may do better.",
  ].join("\n"),
  perClient: "One row per client, one column per round: darker is better; a dot marks taking part.",
  alone: [
    "Each client: its score when training alone (x) and in the federation (y).",
    "gain = value in the federation − value alone",
    "Blue gains, orange loses: the 95 % interval of the paired difference on its own test rows leaves out 0. " +
      "Grey: these rows cannot tell.",
    "Alone: the same model and training settings on its own rows, for as many rounds. Tuned settings " +
      "may do better: try another learning rate before you trust the gain.",
  ].join("\n"),
  size: "Each client by its number of training rows: shows whether small clients do worse.",
  own: "Score of the selected client over the rounds, for the model that it uses.",
  mix: "Share of each class at the selected client, and in the whole federation.",
  rounds: "Number of rounds of the run.",
  seed: "Number that decides the partition, the initial weights, the cohorts and the batches.",
  levels:
    "Reference levels: one model trained on all data in one place, and each client training " +
    "alone.\n\nComputed when no run is active.",
};

const BAND =
  "The band covers clients with test rows, from the 10th to the 90th percentile.";

/**
 * What the interval of a mean over seeds holds, and what it does not.
 * @param {import("../chart/pareto.js").Point[]} points
 */
export function ofInterval(points) {
  const rows = Math.max(0, ...points.map((point) => point.test_rows ?? 0));
  const same = rows > 0 ? `the same ${rows} test rows` : "the same test rows";
  return `In brackets: 95 % interval of the mean over seeds, all on ${same}, whose own error is not included.`;
}

/**
 * The metric that the charts show first.
 * @param {Pick<Measured, "metric">} info
 * @param {string} [rest] what else is to know
 */
export function ofMetric({ metric }, rest = BAND) {
  return metric.help ? `${metric.help}\n${rest}` : rest;
}

/** @param {Pick<Measured, "help">} info */
export function ofNorm({ help }) {
  const clipping = "With privacy, updates longer than the clipping norm C are scaled down to C.";
  return [help.update_norm, clipping].filter(Boolean).join("\n");
}

/** @param {Pick<Measured, "loss_label" | "help">} info */
export function ofLoss({ loss_label, help }) {
  const formula =
    loss_label === "cross-entropy" ? "−1/n Σ log p(y_i | x_i)" : "1/n Σ (ŷ_i − y_i)²";
  return [help.loss, formula, help.train_loss].filter(Boolean).join("\n");
}

/** The sentence above the charts. @param {Pick<Measured, "metric">} info */
export function ofNote({ metric }) {
  const order = minimizes(metric) ? "largest" : "smallest";
  return [
    "The test set is held out from training. The worst tenth are the clients with the lowest scores on " +
      "their own test rows; among fewer than twenty clients it is the single worst one.",
    `1/m Σ of the m ${order} values, m = max(1, ⌊N/10⌋)`,
    "N counts the clients with test rows; with few rows each, which client is worst is " +
      "mostly chance.",
  ].join("\n");
}
