// @ts-check
/** What the numbers of the panel mean: a sentence, a formula and what else is to know, a line each. */

import { minimizes } from "./table.js";

/** @typedef {Pick<import("./table.js").Snapshot, "metric" | "loss_label">} Measured */

const PROMISE = "P[A(D) ∈ S] ≤ e^ε P[A(D′) ∈ S] + δ";

export const MEANING = {
  epsilon: [
    "Privacy that was lost so far: how much likelier any result is with what ε protects in the " +
      "data than without it, so smaller is more private.",
    PROMISE,
  ].join("\n"),
  delta: `Chance that what ε promises fails, smaller is better.\n${PROMISE}`,
  norm: [
    "Length of what a client would send, before it is clipped: the median over the cohort.",
    "‖Δ‖ = √(Σ Δ_j²)",
    "Under privacy what is longer than C is scaled down to C.",
  ].join("\n"),
  auc: [
    "How well an attacker tells by their loss rows that were trained on from others: 0.5 is guessing.",
    "P[loss of rows trained on < loss of others]",
    "Near 0.5 nothing is proved: better attacks may do better.",
  ].join("\n"),
  perClient: "A row a client, a column a round: darker is better, and a dot says who took part.",
  alone: [
    "Each client by what it reaches alone, to the right, and in the federation, upwards.",
    "gain = value in the federation − value alone",
    "Alone: the same model and training on its own rows, for as many rounds. With settings of its " +
      "own it may do better: try a learning rate for it before the gain is believed.",
  ].join("\n"),
  size: "Each client by how many rows it trains on: whether small ones are left behind.",
  own: "The chosen client's value over the rounds, by the model that it uses.",
  mix: "Which classes the chosen client holds, in shares, beside those of the whole federation.",
  rounds: "Rounds that the run took.",
  seed: "Number that decides the partition, the first weights, the cohorts and the batches.",
  levels:
    "Levels to compare with: one model trained on all data in one place, and each client training " +
    "alone.\n\nWorked out while no run goes on.",
};

const BAND =
  "The band is over clients with test rows of their own, from the 10th to the 90th percentile.";

/**
 * What the interval of a mean over seeds holds, and what it does not.
 * @param {import("../chart/pareto.js").Point[]} points
 */
export function ofInterval(points) {
  const rows = Math.max(0, ...points.map((point) => point.test_rows ?? 0));
  const same = rows > 0 ? `the same ${rows} test rows` : "the same test rows";
  return `In brackets: 95 % interval of the mean over seeds, all on ${same}, whose own error is not in it.`;
}

/**
 * The metric that the charts show first.
 * @param {Measured} info
 * @param {string} [rest] what else is to know
 */
export function ofMetric({ metric }, rest = BAND) {
  if (metric.name === "auc") {
    const words =
      "How often a held-out row of the second class is given a higher risk than one of the first: " +
      "0.5 is guessing, 1 is always.";
    return `${words}\nP[score of a positive > score of a negative]\n${rest}`;
  }
  if (metric.percent) {
    const words = "Share of the held-out rows that the global model tells right: more is better.";
    return `${words}\n1/n Σ [ŷ_i = y_i]\n${rest}`;
  }
  const words = "Typical error of the global model on the held-out rows: less is better.";
  return `${words}\n√(1/n Σ (ŷ_i − y_i)²)\n${rest}`;
}

/** @param {Measured} info */
export function ofLoss({ loss_label }) {
  const words = "What training lowers: the mean over held-out rows, and over the cohort's batches.";
  return `${words}\n${loss_label === "cross-entropy" ? "−1/n Σ log p(y_i | x_i)" : "1/n Σ (ŷ_i − y_i)²"}`;
}

/** The sentence above the charts. @param {Measured} info */
export function ofNote({ metric }) {
  const order = minimizes(metric) ? "largest" : "smallest";
  return [
    "The test set was held out from training; the worst tenth are the clients on whose own test " +
      "rows the model does worst; of fewer than twenty it is a single one, the worst.",
    `1/m Σ of the m ${order} values, m = max(1, ⌊N/10⌋)`,
    "N counts the clients with test rows of their own; with a few rows each, who is the worst is " +
      "mostly chance.",
  ].join("\n");
}
