// @ts-check
/** What the numbers of the panel mean: a sentence, a formula and what else is to know, a line each. */

import { minimizes } from "./table.js";

/** @typedef {Pick<import("./table.js").Snapshot, "metric" | "loss_label">} Measured */

const PROMISE = "P[A(D) ∈ S] ≤ e^ε P[A(D′) ∈ S] + δ";

export const MEANING = {
  epsilon: [
    "Privacy spent: including one unit of what ε protects (a client, a patient's record) changes the " +
      "odds of any outcome by at most a factor e^ε (apart from probability δ), so smaller is more private.",
    PROMISE,
  ].join("\n"),
  delta: `Probability with which the guarantee of ε may fail: smaller is better.\n${PROMISE}`,
  norm: [
    "Norm of a client's update before clipping: the median over the cohort.",
    "‖Δ‖ = √(Σ Δ_j²)",
    "With privacy, updates longer than the clipping norm C are scaled down to C.",
  ].join("\n"),
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
 * @param {Measured} info
 * @param {string} [rest] what else is to know
 */
export function ofMetric({ metric }, rest = BAND) {
  if (metric.name === "auc") {
    const words =
      "How often a held-out row of the second class gets a higher score than one of the first: " +
      "0.5 is guessing, 1 is always.";
    return `${words}\nP[score of a positive > score of a negative]\n${rest}`;
  }
  if (metric.percent) {
    const words = "Share of the held-out rows that the global model classifies correctly: higher is better.";
    return `${words}\n1/n Σ [ŷ_i = y_i]\n${rest}`;
  }
  const words = "Typical error of the global model on the held-out rows: lower is better.";
  return `${words}\n√(1/n Σ (ŷ_i − y_i)²)\n${rest}`;
}

/** @param {Measured} info */
export function ofLoss({ loss_label }) {
  const words = "The loss that training minimises: the mean over held-out rows, and over the cohort's batches.";
  return `${words}\n${loss_label === "cross-entropy" ? "−1/n Σ log p(y_i | x_i)" : "1/n Σ (ŷ_i − y_i)²"}`;
}

/** The sentence above the charts. @param {Measured} info */
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
