// @ts-check
/** Utility against ε on a log axis: points to choose, error bars, the Pareto line, levels. */

import { Axes } from "./axes.js";
import { Pool, fit, html, set, svg } from "./dom.js";
import { CHARACTER, fold, placed, short } from "./labels.js";
import { epsilon, epsilonDomain, fronts, isNumber, isPrivate, pickBest, valueDomain } from "./pareto.js";
import { linear, log, logTicks, tick, ticks, upward } from "./scale.js";
import { Words } from "./words.js";

/** @typedef {import("./scale.js").Scale} Scale */
/** @typedef {import("./axes.js").Plot} Plot */
/** @typedef {import("./pareto.js").Point} Point */
/**
 * @typedef {object} FrontierDrawing
 * @property {Point[]} points
 * @property {{label: string, value: number}[]} [levels] to compare with
 * @property {(value: number) => string} format
 * @property {(value: number) => string} yTick
 * @property {boolean} bounded values lie between 0 and 1
 * @property {boolean} [minimize] lower values are better
 * @property {string} name of the metric
 * @property {string} cost what ε is called
 * @property {string} xName
 * @property {string} empty
 */

const HEIGHT = 300;
const MARGIN = { top: 14, right: 24, bottom: 46, left: 48 };
const MOST = 200; // pixels for the names of levels, or a quarter of a wide chart
const NARROW = 480; // pixels: labels lie inside
const FLOOR = HEIGHT - MARGIN.bottom;

export class FrontierChart {
  /** @param {(id: string) => void} choose called with a point's id */
  constructor(choose) {
    this.choose = choose;
    this.width = 0;
    /** @type {FrontierDrawing | null} */
    this.drawing = null;
    /** @type {string | null} */
    this.focused = null;
    this.axes = new Axes();
    this.levels = new Pool("path", { class: "fb-level" });
    this.bars = new Pool("path", { class: "fb-bar" });
    this.line = svg("path", { class: "fb-line", stroke: "var(--fb-s0)", "stroke-width": 2 });
    this.labels = new Pool("text", { class: "fb-label" });
    this.marks = svg("g", { class: "fb-points" });
    this.tip = new Words("fb-reading");
    this.empty = new Words("fb-empty");
    this.svg = svg(
      "svg",
      { role: "group", "data-chart": "frontier", "data-points": 0, height: HEIGHT },
      this.axes.grid.group,
      this.levels.group,
      this.line,
      this.bars.group,
      this.axes.ticks.group,
      this.labels.group,
      this.marks,
      this.tip.group,
      this.empty.group,
    );
    this.el = html("div", { class: "fb-chart" }, this.svg);
    /** @type {Map<string, SVGCircleElement>} */
    this.nodes = new Map();
    this.stop = fit(this);
    this.marks.addEventListener("keydown", (event) => this.key(event));
  }

  /** @param {FrontierDrawing} drawing */
  draw(drawing) {
    this.drawing = drawing;
    const finite = drawing.points.filter((point) => Number.isFinite(point.value));
    set(this.svg, {
      "data-points": finite.length,
      "aria-label": `${drawing.name} against ${drawing.cost}: ${finite.length} runs. Enter loads a run.`,
    });
    this.render();
  }

  render() {
    const drawing = this.drawing;
    if (!drawing || this.width === 0) return;
    set(this.svg, { width: this.width });
    const finite = drawing.points.filter((point) => Number.isFinite(point.value));
    this.priv = finite.filter(isPrivate).sort((a, b) => epsilon(a) - epsilon(b));
    const open = finite.filter((point) => !isPrivate(point));
    const most = this.width < NARROW ? 0 : Math.max(MOST, Math.round(this.width / 4));
    const named = levelsOf(drawing, open).map(({ label }) => label.length * CHARACTER + 16);
    const besides = named.filter((wide) => wide <= most); // longer ones go inside the plot
    const right = Math.max(160, this.width - Math.max(MARGIN.right, ...besides));
    const plot = { left: MARGIN.left, right, top: MARGIN.top, floor: FLOOR };
    const x = (this.x = log(epsilonDomain(this.priv), [plot.left, plot.right]));
    const levels = (drawing.levels ?? []).map((level) => level.value);
    const y = (this.y = linear(valueDomain(finite, levels, drawing.bounded), [FLOOR, MARGIN.top]));
    this.renderAxes(drawing, x, y, plot);
    this.renderLevels(drawing, open, y, plot);
    const joined = fronts(this.priv, drawing.minimize ?? false);
    const steps = joined.filter((line) => line.length > 1).map((line) => stairs(line, x, y));
    set(this.line, { d: steps.join("") });
    this.renderPoints(drawing, this.priv, new Set(joined.flat()), x, y);
    const lines = finite.length === 0 ? fold([drawing.empty], plot.right - plot.left) : [];
    this.empty.show(lines, (plot.left + plot.right) / 2, (FLOOR + MARGIN.top) / 2, "middle");
    this.renderTip();
  }

  /**
   * @param {FrontierDrawing} drawing
   * @param {Scale} x
   * @param {Scale} y
   * @param {Plot} plot
   */
  renderAxes(drawing, x, y, plot) {
    const room = Math.max(3, Math.floor((plot.right - plot.left) / 40));
    const across = { scale: x, ticks: logTicks(x.domain[0], x.domain[1], room), show: tick };
    const known = drawing.points.some((point) => Number.isFinite(point.value));
    const heights = known ? ticks(y.domain[0], y.domain[1], 5) : [];
    const up = { scale: y, ticks: heights, show: drawing.yTick };
    const middle = (plot.left + plot.right) / 2;
    const place = { x: middle, y: plot.floor + 37, anchor: /** @type {const} */ ("middle") };
    this.axes.draw(plot, across, up, { ...place, text: drawing.xName });
  }

  /**
   * @param {FrontierDrawing} drawing
   * @param {Point[]} open
   * @param {Scale} y
   * @param {Plot} plot
   */
  renderLevels(drawing, open, y, plot) {
    const lines = levelsOf(drawing, open);
    const [edge, inner] = [plot.right + 8, plot.right - 4];
    const wishes = lines.map(({ label, value }) => {
      const inside = edge + label.length * CHARACTER > this.width;
      const x = inside ? inner : edge;
      return { x, y: y(value) - (inside ? 8 : 0), text: label, anchor: inside ? "end" : "start" };
    });
    this.levels.start();
    this.labels.start();
    for (const { value } of lines) {
      const at = y(value).toFixed(1);
      this.levels.next({ d: `M${plot.left} ${at}H${plot.right}`, stroke: "var(--fb-mute)" });
    }
    for (const { x, y: at, text, anchor } of placed(wishes, edge, 14, [6, FLOOR])) {
      const place = { x, y: (at + 3.5).toFixed(1), "text-anchor": anchor };
      const room = anchor === "end" ? Math.floor((inner - plot.left) / CHARACTER) : Infinity;
      const style = { class: "fb-light", fill: "var(--fb-mute)" };
      this.labels.next({ ...place, ...style }, short(text, room), text);
    }
    this.levels.finish();
    this.labels.finish();
  }

  /**
   * Circles are kept by run, so that focus stays on a run while others arrive.
   * @param {FrontierDrawing} drawing
   * @param {Point[]} points
   * @param {Set<Point>} best
   * @param {Scale} x
   * @param {Scale} y
   */
  renderPoints(drawing, points, best, x, y) {
    const ids = new Set(points.map((point) => point.id));
    for (const [id, node] of this.nodes) {
      if (ids.has(id)) continue;
      node.remove();
      this.nodes.delete(id);
    }
    if (this.focused === null || !ids.has(this.focused)) this.focused = points[0]?.id ?? null;
    this.bars.start();
    for (const point of points) {
      // the run that goes on is not yet one that can be loaded
      const role = point.current ? "img" : "button";
      const cx = x(epsilon(point)).toFixed(1);
      if (Number.isFinite(point.low) && Number.isFinite(point.high)) {
        const [low, high] = [y(point.low ?? 0).toFixed(1), y(point.high ?? 0).toFixed(1)];
        const stroke = `var(--fb-${best.has(point) ? "s0" : "mute"})`;
        this.bars.next({ d: `M${cx} ${low}V${high}`, stroke });
      }
      const node = this.nodes.get(point.id) ?? this.mark(point.id);
      set(node, {
        role,
        cx,
        cy: y(point.value).toFixed(1),
        r: point.current ? 6 : 4.6,
        class: point.current ? "fb-point fb-current" : "fb-point",
        "data-best": best.has(point),
        style: point.color ? `stroke: var(--fb-${point.color})` : null,
        tabindex: point.id === this.focused ? 0 : -1,
        "aria-label": describe(point, drawing).join(", "),
      });
    }
    this.bars.finish();
  }

  /** @param {string} id */
  mark(id) {
    const node = svg("circle");
    node.addEventListener("click", () => this.load(id));
    node.addEventListener("pointerenter", () => this.renderTip(id));
    node.addEventListener("pointerleave", () => this.renderTip());
    node.addEventListener("focus", () => {
      this.focused = id;
      for (const [other, mark] of this.nodes) set(mark, { tabindex: other === id ? 0 : -1 });
      this.renderTip(id);
    });
    node.addEventListener("blur", () => this.renderTip());
    this.nodes.set(id, node);
    this.marks.append(node);
    return node;
  }

  /** @param {string} id */
  load(id) {
    const point = this.drawing?.points.find((candidate) => candidate.id === id);
    if (point && !point.current) this.choose(id);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const order = (this.priv ?? []).map((point) => point.id);
    const at = order.indexOf(this.focused ?? "");
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const forward = event.key === "ArrowRight" || event.key === "ArrowUp";
    const back = event.key === "ArrowLeft" || event.key === "ArrowDown";
    if (event.key === "Enter" || event.key === " ") this.load(order[at]);
    else if (forward || back) {
      this.nodes.get(order[(at + (forward ? 1 : order.length - 1)) % order.length])?.focus();
    } else return;
    event.preventDefault();
  }

  /** @param {string} [id] the run to describe, or none */
  renderTip(id) {
    const { drawing, x, y, tip } = this;
    const point = (this.priv ?? []).find((candidate) => candidate.id === id);
    if (!point || !drawing || !x || !y) return tip.clear();
    const [at, up] = [x(epsilon(point)), y(point.value)];
    const left = at > this.width / 2;
    const lines = describe(point, drawing);
    const first = up + (up < HEIGHT / 2 ? 22 : 1 - tip.height * lines.length);
    tip.show(lines, at + (left ? -12 : 12), first, left ? "end" : "start");
  }
}

/**
 * The levels to compare with: the best without privacy first.
 * @param {FrontierDrawing} drawing
 * @param {Point[]} open
 */
function levelsOf(drawing, open) {
  const best = pickBest(open, drawing.minimize ?? false);
  const bare = best ? [{ label: `no privacy ${drawing.format(best.value)}`, value: best.value }] : [];
  return [...bare, ...(drawing.levels ?? [])];
}

/**
 * Between two budgets nothing better is known than the smaller one's run: steps, not slopes.
 * @param {Point[]} points
 * @param {Scale} x
 * @param {Scale} y
 */
function stairs(points, x, y) {
  const places = points.map((point) => [x(epsilon(point)).toFixed(1), y(point.value).toFixed(1)]);
  return places.map(([h, v], i) => (i === 0 ? `M${h} ${v}` : `H${h}V${v}`)).join("");
}

/** @param {Point} point @param {FrontierDrawing} drawing */
function describe(point, drawing) {
  const { cost, format } = drawing;
  const lines = [`${format(point.value)} at ${cost} ${upward(point.epsilon)}`];
  if (isNumber(point.personal)) lines.push(`personal models ${format(point.personal)}`);
  lines.push(point.label);
  if (point.rounds) lines.push(`${point.rounds} rounds`);
  if (isNumber(point.auc)) lines.push(`attack AUC ${point.auc.toFixed(3)}`);
  return point.current ? [...lines, "this run"] : lines;
}
