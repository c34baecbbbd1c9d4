// @ts-check
/** Formulas, written as plain text in which `_` lowers and `^` raises a letter or a {group}. */

import { html } from "../chart/dom.js";

/** @typedef {{text: string, level: -1 | 0 | 1, letter: boolean}} Piece */

/**
 * What is set how: single letters stand for numbers and slant, words do not.
 * @param {string} source
 * @returns {Piece[]}
 */
export function pieces(source) {
  /** @type {Piece[]} */
  const found = [];
  for (const [, mark, group, one, plain] of source.matchAll(/([_^])(?:\{([^}]*)\}|(.))|([^_^]+)/gu)) {
    const level = mark === "_" ? -1 : mark === "^" ? 1 : 0;
    for (const text of (group ?? one ?? plain).match(/\p{L}+|[^\p{L}]+/gu) ?? []) {
      found.push({ text, level, letter: [...text].length === 1 && /\p{L}/u.test(text) });
    }
  }
  return found;
}

/**
 * @param {string} source
 * @returns {Node[]}
 */
export function formula(source) {
  return pieces(source).map(({ text, level, letter }) => {
    const set = letter ? html("i", {}, text) : document.createTextNode(text);
    return level === 0 ? set : html(level < 0 ? "sub" : "sup", {}, set);
  });
}
