// @ts-check
/** One cursor for many charts: which row is pointed at, by mouse or by arrow keys. */

/** @typedef {{row: number | null, keyboard: boolean}} CursorState */

export class Cursor {
  constructor() {
    /** @type {number | null} */
    this.row = null;
    this.keyboard = false;
    /** @type {((cursor: Cursor) => void)[]} */
    this.listeners = [];
  }

  /** @param {(cursor: Cursor) => void} listener */
  listen(listener) {
    this.listeners.push(listener);
  }

  /**
   * @param {number | null} row
   * @param {boolean} [keyboard] moved by keys, so worth speaking
   */
  move(row, keyboard = false) {
    if (row === this.row && keyboard === this.keyboard) return;
    this.row = row;
    this.keyboard = keyboard;
    for (const listener of this.listeners) listener(this);
  }

  /**
   * The row after a key press, or undefined for a key that is not ours.
   * @param {string} key
   * @param {number} rows
   * @returns {number | null | undefined}
   */
  next(key, rows) {
    if (key === "Escape") return null;
    if (rows === 0) return undefined;
    const last = rows - 1;
    const now = this.row ?? last;
    const page = Math.max(1, Math.round(rows / 10));
    switch (key) {
      case "ArrowLeft":
        return this.row === null ? last : Math.max(0, now - 1);
      case "ArrowRight":
        return this.row === null ? 0 : Math.min(last, now + 1);
      case "PageUp":
        return Math.max(0, now - page);
      case "PageDown":
        return Math.min(last, now + page);
      case "Home":
        return 0;
      case "End":
        return last;
      default:
        return undefined;
    }
  }
}

/**
 * The index of the value nearest to `wanted` in a non-decreasing list.
 * @param {ArrayLike<number>} values
 * @param {number} wanted
 * @returns {number | null}
 */
export function nearest(values, wanted) {
  if (values.length === 0) return null;
  let low = 0;
  let high = values.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (values[middle] < wanted) low = middle;
    else high = middle;
  }
  return Math.abs(values[high] - wanted) < Math.abs(values[low] - wanted) ? high : low;
}
