// @ts-check
/** Where a card goes that speaks of something: beside it, within an area, never on top of it. */

/** @typedef {{left: number, top: number, width: number, height: number}} Box */
/** @typedef {"right" | "below" | "above"} Side */

const GAP = 10;
const EDGE = 8;

/**
 * The first side with room for the card; if none has, the last one, moved into the area.
 * @param {Box} target
 * @param {{width: number, height: number}} card
 * @param {Box} area what may be covered, in the same coordinates
 * @param {Side[]} sides in order of preference
 * @returns {{left: number, top: number, side: Side}}
 */
export function beside(target, card, area, sides) {
  const right = area.left + area.width - EDGE - card.width;
  const bottom = area.top + area.height - EDGE - card.height;
  const within = (/** @type {number} */ value, /** @type {number} */ low, /** @type {number} */ high) =>
    Math.max(low, Math.min(value, high));
  const places = sides.map((side) => {
    if (side === "right") {
      const left = target.left + target.width + GAP;
      const top = within(target.top - EDGE, area.top + EDGE, bottom);
      return { left, top, side, fits: left <= right };
    }
    const left = within(target.left, area.left + EDGE, right);
    const top =
      side === "below" ? target.top + target.height + GAP : target.top - GAP - card.height;
    return { left, top, side, fits: top >= area.top + EDGE && top <= bottom };
  });
  const { left, top, side } = places.find(({ fits }) => fits) ?? places[places.length - 1];
  return { left: within(left, area.left + EDGE, right), top: within(top, area.top + EDGE, bottom), side };
}

/**
 * A box of the page in the coordinates of another, which holds what is placed.
 * @param {Element} element
 * @param {Element} holder
 * @returns {Box}
 */
export function boxIn(element, holder) {
  const inner = element.getBoundingClientRect();
  const outer = holder.getBoundingClientRect();
  const left = inner.left - outer.left - holder.clientLeft;
  const top = inner.top - outer.top - holder.clientTop;
  return { left, top, width: inner.width, height: inner.height };
}

/**
 * Which sides of something suit a card: the form has the charts beside it, the head nothing above.
 * @param {Element} target
 * @returns {Side[]}
 */
export function sidesOf(target) {
  if (target.closest(".fedbench-form")) return ["right", "above", "below"];
  return target.closest(".fb-toolbar") ? ["below"] : ["above", "below"];
}
