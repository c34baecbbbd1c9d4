// @ts-check
/** Which runs may stand on one chart: those of the same data and metric, whose ε promise the same. */

import { isPrivate } from "../chart/pareto.js";
import { power } from "../chart/scale.js";
import { epsilonName } from "./drawings.js";

/** @typedef {import("../chart/pareto.js").Point} Point */
/** @typedef {import("./table.js").Snapshot["metric"]} Metric */
/**
 * @typedef {object} Kind what the runs of a group have in common
 * @property {string} of which data
 * @property {string} data what these are called
 * @property {string | null} unit what ε protects; null without privacy
 * @property {number | null} delta
 */
/** @typedef {Kind & {metric: Metric, points: Point[]}} Group */
/** @typedef {Kind & {metric: string}} Wanted */

/**
 * The groups, in the order of their first runs. A run without privacy is in each of its data.
 * @param {Point[]} points
 * @returns {Group[]}
 */
export function groups(points) {
  /** @type {Group[]} */
  const found = [];
  for (const point of points.filter(isPrivate)) {
    const { unit = null, delta = null } = point;
    const group = found.find((each) => alike(each, point) && each.unit === unit && each.delta === delta);
    if (!group) found.push(groupOf(point, unit, delta));
  }
  for (const point of points) {
    if (!isPrivate(point) && !found.some((each) => alike(each, point))) {
      found.push(groupOf(point, null, null));
    }
  }
  for (const group of found) {
    group.points = points.filter(
      (point) =>
        alike(group, point) &&
        (!isPrivate(point) || (point.unit === group.unit && point.delta === group.delta)),
    );
  }
  return found;
}

/** @param {Point} point @param {string | null} unit @param {number | null} delta @returns {Group} */
function groupOf({ of = "", data = "", metric }, unit, delta) {
  return { of, data, metric: /** @type {Metric} */ (metric), unit, delta, points: [] };
}

/** @param {Group} group @param {Point} point */
function alike(group, point) {
  return group.of === (point.of ?? "") && group.metric.name === point.metric?.name;
}

/**
 * The group that runs of a kind are in; without privacy they are on all charts of their data.
 * @param {Group[]} known
 * @param {Wanted} wanted
 * @returns {Group | undefined}
 */
export function match(known, wanted) {
  const same = known.filter(({ of, metric }) => of === wanted.of && metric.name === wanted.metric);
  const exact = same.find(({ unit, delta }) => unit === wanted.unit && delta === wanted.delta);
  return exact ?? (wanted.unit === null ? same.at(-1) : undefined);
}

/** @param {Group} group */
export function keyOf({ of, metric, unit, delta }) {
  return JSON.stringify([of, metric.name, unit, delta]);
}

/** @param {Group} group */
export function nameOf({ data, metric, unit, delta }) {
  const promise = unit === null ? "no privacy" : epsilonName(unit) + (delta ? ` at δ = ${power(delta)}` : "");
  return `${data}, ${promise}, ${metric.label.charAt(0).toLowerCase()}${metric.label.slice(1)}`;
}
