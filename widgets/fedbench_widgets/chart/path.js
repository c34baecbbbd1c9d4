// @ts-check
/** Path data for lines and bands; more points than pixels cost no more than the pixels. */

import { pixel, within } from "./scale.js";

/** @typedef {import("./scale.js").Scale} Scale */

/**
 * @param {ArrayLike<number>} xs
 * @param {ArrayLike<number>} ys values that are not finite are skipped
 * @param {Scale} x
 * @param {Scale} y
 * @returns {string} empty without a finite point
 */
export function linePath(xs, ys, x, y) {
  const points = corners(xs, ys, x, y);
  return points.length === 0 ? "" : `M${points.join("L")}`;
}

/**
 * @param {ArrayLike<number>} xs
 * @param {ArrayLike<number>} low
 * @param {ArrayLike<number>} high
 * @param {Scale} x
 * @param {Scale} y
 */
export function bandPath(xs, low, high, x, y) {
  const upper = corners(xs, high, x, y);
  const lower = corners(xs, low, x, y).reverse();
  return upper.length === 0 || lower.length === 0 ? "" : `M${[...upper, ...lower].join("L")}Z`;
}

/**
 * The points as "x y". In each column of pixels only the first, lowest, highest and last remain,
 * which paints the same line (Jugel et al. 2014, M4).
 * @param {ArrayLike<number>} xs
 * @param {ArrayLike<number>} ys
 * @param {Scale} x
 * @param {Scale} y
 * @returns {string[]}
 */
function corners(xs, ys, x, y) {
  /** @type {string[]} */
  const found = [];
  let column = NaN;
  let [first, last, least, most] = [-1, -1, -1, -1];
  const add = (/** @type {number} */ index) => {
    found.push(`${pixel(x(xs[index]))} ${pixel(within(y, ys[index]))}`);
  };
  const flush = () => {
    if (first < 0) return;
    const [early, late] = least < most ? [least, most] : [most, least];
    add(first);
    if (early !== first) add(early);
    if (late !== early) add(late);
    if (last !== late) add(last);
  };
  for (let i = 0; i < ys.length; i += 1) {
    const value = ys[i];
    if (!Number.isFinite(value) || !Number.isFinite(xs[i])) continue;
    const at = Math.round(x(xs[i]));
    if (at !== column) {
      flush();
      column = at;
      first = least = most = i;
    }
    if (value < ys[least]) least = i;
    if (value > ys[most]) most = i;
    last = i;
  }
  flush();
  return found;
}
