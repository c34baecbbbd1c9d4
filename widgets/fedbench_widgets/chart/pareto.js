// @ts-check
/** Runs as points of utility against ε, without a page: which none beats, what range holds them. */

import { nice } from "./scale.js";

/**
 * @typedef {object} Point
 * @property {string} id
 * @property {string} label
 * @property {number | null} epsilon null or infinite: a run without privacy
 * @property {number} value
 * @property {number | null} [low] end of the error bar, if there is one
 * @property {number | null} [high]
 * @property {string | null} [line] of runs that differ only by budget and seed; null for a run that
 *   is joined to no other, as it was changed or cut short
 * @property {number} [runs] how many seeds the value is the mean of; one if left out
 * @property {number} [test_rows] that the value is measured on
 * @property {number} [rounds]
 * @property {number | null} [delta]
 * @property {string | null} [unit] what ε protects
 * @property {number | null} [personal] the value by the personal models
 * @property {number | string | null} [seed]
 * @property {boolean} [current]
 * @property {number | null} [auc] of an attacker who guesses who was trained on
 * @property {import("../panel/table.js").Snapshot["metric"]} [metric] what the value measures
 * @property {string} [data] name of the data set
 * @property {string} [of] which data set: two may have one name
 * @property {string} [name] what tells it from other runs
 * @property {string | null} [color] name of the theme colour of a pinned run
 */

/** @param {Point} point */
export function isPrivate(point) {
  return point.epsilon !== null && Number.isFinite(point.epsilon) && point.epsilon > 0;
}

/** @param {Point} point */
export function epsilon(point) {
  return point.epsilon ?? Infinity;
}

/**
 * The points that can be the best of them: single runs are none beside means over several seeds,
 * as the luck of one seed would count for more than an average.
 * @param {Point[]} points
 */
export function rivals(points) {
  const means = points.filter((point) => (point.runs ?? 1) > 1);
  return means.length > 0 ? means : points;
}

/**
 * The rivals that no other beats in both ε and utility, by growing ε.
 * @param {Point[]} points
 * @param {boolean} minimize
 * @returns {Point[]}
 */
export function pareto(points, minimize) {
  const sign = minimize ? -1 : 1;
  const order = [...rivals(points)].sort((a, b) => epsilon(a) - epsilon(b) || sign * (b.value - a.value));
  /** @type {Point[]} */
  const best = [];
  for (const point of order) {
    const last = best[best.length - 1];
    if (!last || sign * point.value > sign * last.value) best.push(point);
  }
  return best;
}

/**
 * What is joined: of the points of each line, those that none of them beats.
 * @param {Point[]} points
 * @param {boolean} minimize
 * @returns {Point[][]}
 */
export function fronts(points, minimize) {
  /** @type {Map<string, Point[]>} */
  const lines = new Map();
  for (const point of points) {
    if (point.line === null) continue;
    const key = point.line ?? "";
    lines.set(key, [...(lines.get(key) ?? []), point]);
  }
  return [...lines.values()].map((line) => pareto(line, minimize));
}

/** @param {Point[]} points @param {boolean} minimize @returns {Point | undefined} */
export function pickBest(points, minimize) {
  const sign = minimize ? -1 : 1;
  return [...rivals(points)].sort((a, b) => sign * (b.value - a.value))[0];
}

/** @param {Point[]} points @returns {[number, number]} */
export function epsilonDomain(points) {
  if (points.length === 0) return [0.3, 20];
  const low = Math.min(0.5, epsilon(points[0]));
  const high = Math.max(8, epsilon(points[points.length - 1]));
  return [low / 1.35, high * 1.35];
}

/**
 * @param {Point[]} points
 * @param {number[]} levels
 * @param {boolean} fraction
 * @returns {[number, number]}
 */
export function valueDomain(points, levels, fraction) {
  const own = points.flatMap((point) => [point.value, point.low, point.high]);
  const ends = [...own, ...levels].filter(isNumber);
  if (ends.length === 0) return [0, 1];
  const low = Math.min(...ends);
  const high = Math.max(...ends);
  const room = Math.max((high - low) * 0.15, fraction ? 0.04 : Math.abs(high) * 0.1);
  const domain = nice(low - room, high + room, 5);
  return fraction ? [Math.max(0, domain[0]), Math.min(1, domain[1])] : domain;
}

/** @param {number | null | undefined} value @returns {value is number} */
export function isNumber(value) {
  return Number.isFinite(value);
}
