// @ts-check
/** The columns and cells of a heat map, without a page: what is named, where a key leads. */

import { step } from "./scale.js";

const NEXT = 64; // pixels that the first name takes
const APART = 32;

/**
 * The moments that are named below the map beside the first: round numbers, and the latest.
 * @param {number} done
 * @param {number} every
 * @param {number} wide pixels of a column
 */
export function marks(done, every, wide) {
  const last = centre(done, every, wide);
  if (last < NEXT) return [];
  const by = step(done, Math.max(1, Math.floor(last / 48)), true);
  const found = [];
  for (let value = by; value < done; value += by) {
    const at = centre(value, every, wide);
    if (at >= NEXT && at <= last - APART) found.push(value);
  }
  return [...found, done];
}

/**
 * Pixels from the left edge to the middle of the column that a unit is in.
 * @param {number} value
 * @param {number} every
 * @param {number} wide
 */
export function centre(value, every, wide) {
  return (Math.ceil(value / every) - 0.5) * wide;
}

/**
 * Where a key leads; the first press goes to the top row at the latest moment.
 * @param {string} key
 * @param {{i: number, column: number} | null} now
 * @param {number} bottom
 * @param {number} last
 * @returns {{i: number, column: number} | null} null for a key that is not ours
 */
export function next(key, now, bottom, last) {
  /** @type {Record<string, [number, number]>} rows and columns */
  const steps = {
    ArrowUp: [-1, 0],
    ArrowDown: [1, 0],
    ArrowLeft: [0, -1],
    ArrowRight: [0, 1],
    PageUp: [-10, 0],
    PageDown: [10, 0],
    Home: [0, -last],
    End: [0, last],
  };
  const by = steps[key];
  if (!by) return null;
  if (!now) return { i: 0, column: key === "Home" ? 0 : last };
  return {
    i: Math.max(0, Math.min(bottom, now.i + by[0])),
    column: Math.max(0, Math.min(last, now.column + by[1])),
  };
}

/**
 * Steps that the eye tells apart, in either theme: the theme's blue, more and more of it.
 * @param {number} shade
 * @param {number} shades
 */
export function opacity(shade, shades) {
  return (0.07 + (0.93 * shade) / Math.max(1, shades - 1)).toFixed(3);
}
