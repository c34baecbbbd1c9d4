// @ts-check
/**
 * A chart as a file of its own: what is seen on the page, with every colour and font spelt out.
 *
 * Heading and legend are HTML, and so are some maps; their words and grounds are placed where they
 * are on the page, so that any element can be drawn.
 */

import { download, fileName } from "./download.js";
import { html, set, svg } from "./dom.js";

const NAMESPACE = "http://www.w3.org/2000/svg";
const SHAPES = "path,line,rect,circle,text,tspan";
// what is for a person at the page: it has no place in a picture
const LEFT_OUT = ".fb-save, .fb-hidden, .fb-tip, .fb-ask, .fb-hint, .fb-how";
const PAD = 12;
const SCALE = 2; // pixels of a PNG for one of the page
const PROPERTIES = [
  ...["stroke-width", "stroke-dasharray", "stroke-linejoin", "stroke-linecap", "paint-order"],
  ...["opacity", "fill-rule"],
];
const LETTERS = ["font-family", "font-size", "font-weight", "font-style", "text-anchor"];

/**
 * A quiet pair of buttons that save an element as SVG or PNG.
 * @param {() => {target: Element, parts: string[], title: string, words?: string}} what the element,
 *   words for the file's name, the chart's title, and what a screen reader says of it
 */
export function saveButtons(what) {
  const said = html("span", { class: "fb-hidden", role: "status" });
  const make = (/** @type {"SVG" | "PNG"} */ kind) => {
    const button = html("button", { type: "button" }, kind);
    button.addEventListener("focus", () => set(button, { "aria-label": name(kind) }));
    button.addEventListener("click", async () => {
      const { target, parts, title, words = "" } = what();
      try {
        const picture = standalone(target, title, words);
        const ending = kind.toLowerCase();
        const blob = kind === "SVG" ? picture.blob : await png(picture);
        download(blob, fileName(parts, ending));
        said.textContent = `${title} saved as ${kind}`;
      } catch (error) {
        said.textContent = `${title} cannot be saved: ${error}`;
      }
    });
    return button;
  };
  const name = (/** @type {string} */ kind) => `Save ${what().title} as ${kind}`;
  const buttons = [make("SVG"), make("PNG")];
  const el = html("span", { class: "fb-save", role: "group" }, ...buttons, said);
  return {
    el,
    /** Say what the buttons are for, once the title is known. */
    label() {
      set(el, { "aria-label": `Save ${what().title}` });
      for (const button of buttons) {
        const label = name(button.textContent ?? "");
        set(button, { "aria-label": label, title: label });
      }
    },
  };
}

/**
 * @typedef {object} Picture
 * @property {string} source
 * @property {Blob} blob
 * @property {number} width
 * @property {number} height
 */

/**
 * An element of the page as an SVG that depends on nothing else.
 * @param {Element} target
 * @param {string} title
 * @param {string} words
 * @returns {Picture}
 */
function standalone(target, title, words) {
  target.classList.add("fb-whole"); // the legend names everything
  const box = extent(target);
  const [width, height] = [Math.ceil(box.width) + 2 * PAD, Math.ceil(box.height) + 2 * PAD];
  const root = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}` });
  root.setAttribute("xmlns", NAMESPACE);
  const [fill] = literal(ground(target));
  root.append(
    titled("title", title),
    titled("desc", words),
    svg("rect", { width, height, fill }),
  );
  const at = { x: box.left - PAD, y: box.top - PAD };
  draw(target, root, at);
  target.classList.remove("fb-whole");
  const source = new XMLSerializer().serializeToString(root);
  return { source, blob: new Blob([source], { type: "image/svg+xml" }), width, height };
}

/** @param {Picture} picture @returns {Promise<Blob>} */
async function png({ blob, width, height }) {
  const url = URL.createObjectURL(blob);
  try {
    const image = new Image(width, height);
    image.src = url;
    await image.decode();
    const canvas = html("canvas", { width: SCALE * width, height: SCALE * height });
    const context = canvas.getContext("2d");
    if (!context) throw new Error("this browser has no canvas");
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve, reject) => {
      canvas.toBlob((made) => (made ? resolve(made) : reject(new Error("no PNG"))), "image/png");
    });
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** @param {"title" | "desc"} name @param {string} words */
function titled(name, words) {
  const element = document.createElementNS(NAMESPACE, name);
  element.textContent = words;
  return element;
}

/** The place of an element and of what sticks out of it, such as labels. @param {Element} target */
function extent(target) {
  const box = target.getBoundingClientRect();
  let { left, top, right, bottom } = box;
  for (const text of target.querySelectorAll("svg text")) {
    const own = text.getBoundingClientRect();
    if (own.width === 0) continue;
    [left, right] = [Math.min(left, own.left), Math.max(right, own.right)];
    [top, bottom] = [Math.min(top, own.top), Math.max(bottom, own.bottom)];
  }
  return { left, top, width: right - left, height: bottom - top };
}

/**
 * @param {Element} element
 * @param {Element} into
 * @param {{x: number, y: number}} origin
 */
function draw(element, into, origin) {
  const style = getComputedStyle(element);
  if (style.display === "none" || element.matches(LEFT_OUT)) return;
  if (element instanceof SVGSVGElement) {
    into.append(flat(element, origin));
    return;
  }
  const box = element.getBoundingClientRect();
  const [fill, alpha] = literal(style.backgroundColor);
  if (alpha > 0 && !element.matches("button")) {
    const place = { x: round(box.left - origin.x), y: round(box.top - origin.y) };
    const size = { width: round(box.width), height: round(box.height) };
    const rx = Number.parseFloat(style.borderTopLeftRadius) || null;
    into.append(svg("rect", { ...place, ...size, rx, fill, "fill-opacity": alpha }));
  }
  for (const child of element.childNodes) {
    if (child instanceof Element) draw(child, into, origin);
    else if (child instanceof Text) letters(child, style, into, origin);
  }
}

/**
 * A copy of a drawing, in its place.
 * @param {SVGSVGElement} original
 * @param {{x: number, y: number}} origin
 */
function flat(original, origin) {
  const box = original.getBoundingClientRect();
  const copy = svg("g", {
    transform: `translate(${round(box.left - origin.x)} ${round(box.top - origin.y)})`,
  });
  for (const shape of original.querySelectorAll(SHAPES)) {
    const style = getComputedStyle(shape);
    if (!shown(shape, original) || style.visibility === "hidden") continue;
    if (shape.closest(".fb-empty")) continue; // what to do where there is nothing to draw
    const own = /** @type {Element} */ (shape.cloneNode(true));
    const kept = ["d", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "rx", "width", "height"];
    for (const { name } of [...own.attributes]) {
      if (!kept.includes(name) && name !== "transform") own.removeAttribute(name);
    }
    paint(own, style, shape.tagName === "text" ? [...PROPERTIES, ...LETTERS] : PROPERTIES);
    copy.append(own);
  }
  return copy;
}

/** Whether a shape and all that hold it are displayed. @param {Element} shape @param {Element} top */
function shown(shape, top) {
  for (let each = /** @type {Element | null} */ (shape); each && each !== top; ) {
    if (getComputedStyle(each).display === "none") return false;
    each = each.parentElement;
  }
  return true;
}

/** @param {Element} shape @param {CSSStyleDeclaration} style @param {string[]} properties */
function paint(shape, style, properties) {
  for (const name of /** @type {const} */ (["fill", "stroke"])) {
    const value = style.getPropertyValue(name);
    const [color, alpha] = value === "none" ? ["none", 1] : literal(value);
    const opacity = alpha * Number(style.getPropertyValue(`${name}-opacity`) || 1);
    set(shape, { [name]: color, [`${name}-opacity`]: opacity < 1 ? round(opacity) : null });
  }
  for (const name of properties) {
    const value = style.getPropertyValue(name);
    if (value && !["none", "normal", "auto"].includes(value)) {
      set(shape, { [name]: value.replace(/(\d)px/g, "$1") });
    }
  }
}

/**
 * A text of the page, one element for each of its lines.
 * @param {Text} node
 * @param {CSSStyleDeclaration} style
 * @param {Element} into
 * @param {{x: number, y: number}} origin
 */
function letters(node, style, into, origin) {
  /** @type {{top: number, left: number, text: string}[]} */
  const lines = [];
  const range = document.createRange();
  for (const word of node.data.matchAll(/\S+\s*/g)) {
    range.setStart(node, word.index);
    range.setEnd(node, word.index + word[0].trimEnd().length);
    const box = range.getBoundingClientRect();
    if (box.width === 0) continue;
    const last = lines.at(-1);
    if (last && Math.abs(last.top - box.top) < 2) last.text += word[0];
    else lines.push({ top: box.top, left: box.left, text: word[0] });
  }
  const rise = ascent(style);
  for (const line of lines) {
    const place = { x: round(line.left - origin.x), y: round(line.top - origin.y + rise) };
    const element = svg("text", place);
    element.textContent = line.text.trimEnd();
    const [fill] = literal(style.color);
    set(element, { fill });
    for (const name of LETTERS.slice(0, 3)) {
      set(element, { [name]: style.getPropertyValue(name).replace(/(\d)px/g, "$1") });
    }
    into.append(element);
  }
}

/** How far the baseline is below the top of a line's letters. @param {CSSStyleDeclaration} style */
function ascent(style) {
  const context = html("canvas").getContext("2d");
  if (!context) return Number.parseFloat(style.fontSize);
  context.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  return context.measureText("x").fontBoundingBoxAscent;
}

/** The colour that an element stands on. @param {Element} target */
function ground(target) {
  for (let each = /** @type {Element | null} */ (target); each; each = each.parentElement) {
    const color = getComputedStyle(each).backgroundColor;
    if (literal(color)[1] > 0) return color;
  }
  return "rgb(255, 255, 255)";
}

/**
 * A colour as browsers compute it, as one that every program knows, and how opaque it is.
 * @param {string} computed such as "rgba(0, 114, 178, 0.5)" or "color(srgb 0 0.447 0.698)"
 * @returns {[string, number]}
 */
export function literal(computed) {
  const found = computed.match(/^(rgba?|color)\((?:srgb )?([^)]*)\)$/);
  if (!found) return computed === "transparent" ? ["#000000", 0] : [computed, 1];
  const numbers = found[2].split(/[\s,/]+/).filter(Boolean).map(Number);
  const parts = numbers.slice(0, 3).map((part) => (found[1] === "color" ? 255 * part : part));
  const digits = parts.map((part) => {
    const whole = Math.round(Math.min(255, Math.max(0, part)));
    return whole.toString(16).padStart(2, "0");
  });
  return [`#${digits.join("")}`, numbers[3] ?? 1];
}

/** @param {number} value */
function round(value) {
  return Math.round(100 * value) / 100;
}
