// @ts-check
/** Building and reusing nodes. Text from data only ever becomes a text node or an attribute. */

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Record<string, string | number | boolean | null | undefined>} Attributes */

/**
 * Set attributes that differ; null, undefined and false remove one.
 * @template {Element} T
 * @param {T} element
 * @param {Attributes} attributes
 * @returns {T}
 */
export function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) {
      if (element.hasAttribute(name)) element.removeAttribute(name);
      continue;
    }
    const text = value === true ? "" : String(value);
    if (element.getAttribute(name) !== text) element.setAttribute(name, text);
  }
  return element;
}

/**
 * Replace a node's text if it differs, so that live regions speak only on a change.
 * @param {Element | Text} node
 * @param {string} value
 */
export function text(node, value) {
  if (node.textContent !== value) node.textContent = value;
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function html(tag, attributes = {}, ...children) {
  const element = set(document.createElement(tag), attributes);
  element.append(...children);
  return element;
}

/**
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes} [attributes]
 * @param {...Node} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function svg(tag, attributes = {}, ...children) {
  const element = set(document.createElementNS(SVG, tag), attributes);
  element.append(...children);
  return element;
}

/**
 * Words in a drawing; where only a part of them has room, the whole is the tooltip.
 * @param {SVGElement} element
 * @param {string} shown
 * @param {string} whole
 */
export function caption(element, shown, whole) {
  const cut = shown === whole ? null : whole;
  const now = element.getAttribute("data-cut");
  if (now === cut && element.firstChild?.textContent === shown) return;
  if (now !== null || cut !== null) element.replaceChildren();
  text(element, shown);
  set(element, { "data-cut": cut });
  if (cut !== null) element.append(svg("title", {}, document.createTextNode(cut)));
}

/**
 * A group whose children are made once and reused by position; those not used again are hidden.
 * @template {keyof SVGElementTagNameMap} K
 */
export class Pool {
  /**
   * @param {K} tag
   * @param {Attributes} [attributes] of the group
   */
  constructor(tag, attributes = {}) {
    this.tag = tag;
    this.group = svg("g", attributes);
    /** @type {SVGElementTagNameMap[K][]} */
    this.nodes = [];
    this.used = 0;
  }

  start() {
    this.used = 0;
  }

  /**
   * @param {Attributes} attributes
   * @param {string} [content]
   * @param {string} [whole] what `content` is a part of, where there is no room for all of it
   * @returns {SVGElementTagNameMap[K]}
   */
  next(attributes, content, whole = content) {
    let element = this.nodes[this.used];
    if (!element) {
      element = svg(this.tag);
      this.nodes.push(element);
      this.group.append(element);
    }
    this.used += 1;
    set(element, { ...attributes, display: null });
    if (content !== undefined) caption(element, content, whole ?? content);
    return element;
  }

  finish() {
    for (const element of this.nodes.slice(this.used)) set(element, { display: "none" });
  }
}

/**
 * Call back with the element's content width in whole pixels, now and whenever it changes.
 * @param {Element} element
 * @param {(width: number) => void} callback
 * @returns {() => void} stops observing
 */
export function onWidth(element, callback) {
  let last = 0;
  const observer = new ResizeObserver(([entry]) => {
    const width = Math.floor(entry.contentRect.width);
    if (width > 0 && width !== last) callback((last = width));
  });
  observer.observe(element);
  return () => observer.disconnect();
}

/**
 * Draw a chart, at the width of its element, now and whenever that changes.
 * @param {{el: Element, width: number, render: () => void}} chart
 * @returns {() => void} stops observing
 */
export function fit(chart) {
  return onWidth(chart.el, (width) => {
    chart.width = width;
    chart.render();
  });
}

let counter = 0;

/**
 * An id no other node of the page has.
 * @param {string} stem
 */
export function uid(stem) {
  counter += 1;
  return `fb-${stem}-${counter}-${Math.random().toString(36).slice(2, 8)}`;
}
