// @ts-check
/** Direct labels: keep each near its line, apart from one another and inside the chart. */

export const CHARACTER = 6.6; // pixels that one takes, about

/**
 * Move labels up and down as little as possible until none overlaps.
 *
 * Labels that touch are merged into a block centred on the mean of their wishes, as in pool
 * adjacent violators, so the order of the lines is kept.
 * @param {number[]} wishes y of each label
 * @param {number} height of one label
 * @param {[number, number]} bounds least and greatest y
 * @returns {number[]} y of each label, in the order given
 */
export function spread(wishes, height, bounds) {
  const order = wishes.map((_, i) => i).sort((a, b) => wishes[a] - wishes[b] || a - b);
  /** @type {{members: number[], centre: number}[]} */
  const blocks = [];
  for (const index of order) {
    let block = { members: [index], centre: wishes[index] };
    clamp(block, height, bounds);
    for (;;) {
      const above = blocks[blocks.length - 1];
      if (!above || bottom(above, height) <= top(block, height)) break;
      blocks.pop();
      const members = [...above.members, ...block.members];
      const total = members.reduce((sum, i) => sum + wishes[i], 0);
      block = { members, centre: total / members.length };
      clamp(block, height, bounds);
    }
    blocks.push(block);
  }
  const placed = new Array(wishes.length).fill(0);
  for (const block of blocks) {
    block.members.forEach((index, i) => {
      placed[index] = top(block, height) + (i + 0.5) * height;
    });
  }
  return placed;
}

/**
 * Labels with the y of each moved so that none overlaps; those that reach into the column at the
 * edge share its places.
 * @template {{x: number, y: number, text: string, anchor?: string}} T
 * @param {T[]} labels
 * @param {number} edge x of the last column
 * @param {number} height of one label
 * @param {[number, number]} bounds least and greatest y
 * @returns {T[]}
 */
export function placed(labels, edge, height, bounds) {
  const before = labels.filter(({ x }) => x < edge);
  const reach = (/** @type {T} */ { x, text, anchor }) =>
    anchor === "end" ? x : x + text.length * CHARACTER;
  const meets = before.some((label) => reach(label) > edge);
  const columns = meets ? [labels] : [labels.filter(({ x }) => x >= edge), before];
  return columns.flatMap((column) => {
    const places = spread(column.map(({ y }) => y), height, bounds);
    return column.map((label, i) => ({ ...label, y: places[i] }));
  });
}

/**
 * Labels of which the light ones, names of levels above their lines, go below them where they would
 * meet another label and there is room.
 * @template {{x: number, y: number, text: string, anchor?: string, light?: boolean}} T
 * @param {T[]} labels
 * @param {number} height of one label
 * @param {number} by how far it is from above a line to below it
 * @param {number} floor greatest y
 * @returns {T[]}
 */
export function lowered(labels, height, by, floor) {
  const ends = (/** @type {T} */ { x, text, anchor }) => {
    const wide = text.length * CHARACTER;
    return anchor === "end" ? [x - wide, x] : [x, x + wide];
  };
  return labels.map((label) => {
    if (!label.light || label.anchor !== "end") return label;
    const [left, right] = ends(label);
    const beside = labels.filter((other) => {
      const [from, to] = ends(other);
      return other !== label && from < right && left < to;
    });
    const meets = (/** @type {number} */ y) => beside.some((other) => Math.abs(other.y - y) < height);
    const y = label.y + by;
    return meets(label.y) && !meets(y) && y <= floor ? { ...label, y } : label;
  });
}

/**
 * A label with room for so many characters: what is at its ends tells it from others.
 * @param {string} label
 * @param {number} room
 */
export function short(label, room) {
  if (label.length <= room) return label;
  const tail = Math.max(0, Math.floor((room - 1) / 2));
  const head = Math.max(1, room - 1 - tail);
  return `${label.slice(0, head).trimEnd()}…${tail > 0 ? label.slice(-tail).trimStart() : ""}`;
}

/**
 * Labels without what all of them begin with, and only as far as it takes to tell them apart, in
 * parts between commas or dots in the middle.
 * @param {string[]} labels
 */
export function apart(labels) {
  const [first = ""] = labels;
  let shared = 0;
  for (const { index, 0: end } of first.matchAll(/, | · /g)) {
    const head = first.slice(0, index + end.length);
    if (labels.length > 1 && labels.every((label) => label.startsWith(head))) shared = head.length;
  }
  const rest = labels.map((label) => label.slice(shared));
  const heads = rest.map((label) => label.split(/, | · /)[0]);
  return labels.length > 1 && new Set(heads).size === labels.length ? heads : rest;
}

/**
 * Words as lines of at most so many characters, a longer word on a line of its own.
 * @param {string} words
 * @param {number} room
 */
export function wrap(words, room) {
  /** @type {string[]} */
  const lines = [];
  for (const word of words.split(" ").filter(Boolean)) {
    const last = lines.at(-1);
    const fits = last !== undefined && last.length + 1 + word.length <= room;
    if (fits) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/**
 * Paragraphs as lines that a width has room for.
 * @param {string[]} paragraphs
 * @param {number} width pixels
 */
export function fold(paragraphs, width) {
  return paragraphs.flatMap((words) => wrap(words, Math.floor(width / CHARACTER)));
}

/** @typedef {{members: number[], centre: number}} Block */

/** @param {Block} block @param {number} height */
function top(block, height) {
  return block.centre - (block.members.length * height) / 2;
}

/** @param {Block} block @param {number} height */
function bottom(block, height) {
  return block.centre + (block.members.length * height) / 2;
}

/** @param {Block} block @param {number} height @param {[number, number]} bounds */
function clamp(block, height, bounds) {
  const half = ((block.members.length - 1) * height) / 2;
  block.centre = Math.min(bounds[1] - half, Math.max(bounds[0] + half, block.centre));
}
