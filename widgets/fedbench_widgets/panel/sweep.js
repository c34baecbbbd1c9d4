// @ts-check
/** Many runs at once: what to go through, how far it is, and a map where two settings vary. */

import { html, set, text, uid } from "../chart/dom.js";
import { saveButtons } from "../chart/export.js";

/** @typedef {{path: string, name: string, values: string}} Field */
/**
 * @typedef {object} Grid
 * @property {string} across path of the setting in the columns
 * @property {string} down
 * @property {string[]} columns
 * @property {string[]} rows
 * @property {(number | null)[][]} values by row
 */
/**
 * @typedef {object} Sweep
 * @property {Field[]} fields what can be swept, the budget first
 * @property {"none" | "running" | "cancelled" | "done"} state
 * @property {number} done
 * @property {number} total
 * @property {number | null} eta seconds
 * @property {string} words what is wrong
 * @property {string[]} cautions
 * @property {import("../chart/pareto.js").Point[]} points
 * @property {{label: string, value: number}[]} levels
 * @property {Grid | null} map
 * @property {number} number how many sweeps there were
 * @property {boolean} latest whether one was started after the last run
 * @property {import("./grouping.js").Wanted | null} about what the points of the last one are
 */

/** @type {Sweep} */
export const NONE = {
  fields: [],
  state: "none",
  done: 0,
  total: 0,
  eta: null,
  words: "",
  cautions: [],
  points: [],
  levels: [],
  map: null,
  number: 0,
  latest: false,
  about: null,
};
const SEEDS = 5;
const BUDGET = "privacy.epsilon";

/**
 * The sweep's own bar: settings and values, seeds, and the buttons that its state allows.
 * @param {(asked: unknown) => void} ask
 */
export function controls(ask) {
  const first = axis("Sweep", false);
  const second = axis("and", true);
  const seeds = html("input", { type: "number", min: 1, max: 50, value: SEEDS, class: "fb-short" });
  const run = button("Run sweep", () => {
    /** @type {Record<string, string>} */
    const over = {};
    for (const each of [first, second]) if (each.path()) over[each.path()] = each.values();
    ask({ over, seeds: Number(seeds.value) });
  });
  const cancel = button("Cancel sweep", () => ask("cancel"));
  const resume = button("Go on", () => ask("resume"));
  const bar = html("progress", { max: 1, value: 0, "aria-label": "Runs of the sweep" });
  const status = html("span", { role: "status" });
  const wrong = html("p", { class: "fb-wrong", role: "alert" });
  const known = html("p", { class: "fb-hint" });
  const line = html("div", { class: "fb-sweep-line" });
  line.append(first.el, second.el, label("over seeds", seeds), run, cancel, resume, bar, status);
  const el = html("div", { class: "fb-sweep", role: "group", "aria-label": "Sweep" });
  el.append(line, wrong, known);
  let idle = false;
  /** @type {Element | null} the head of the workbench, which hears whether the kernel is there */
  let head = null;
  const heed = () => {
    if (!el.isConnected) {
      watched.disconnect();
      head = null;
    } else if (head === null) {
      head = el.closest("[data-fedbench=workbench]")?.querySelector(".fb-toolbar") ?? null;
      if (head) watched.observe(head, { attributeFilter: ["data-dead"] });
    }
    const dead = head?.hasAttribute("data-dead") ?? false;
    set(run, { disabled: dead || !idle });
    for (const each of [cancel, resume]) set(each, { disabled: dead });
  };
  const watched = new MutationObserver(heed);
  return {
    el,
    /** @param {Sweep} sweep @param {boolean} shown whether its points are those on show */
    show(sweep, shown) {
      first.offer(sweep.fields);
      second.offer(sweep.fields);
      const going = sweep.state === "running";
      idle = !going && sweep.fields.length > 0;
      heed();
      set(cancel, { hidden: !going });
      set(resume, { hidden: !(sweep.state === "cancelled" && sweep.done < sweep.total) });
      set(bar, { hidden: sweep.state === "none", max: Math.max(1, sweep.total), value: sweep.done });
      const of = shown || !sweep.about ? "" : ` (${sweep.about.data})`;
      text(status, `${progress(sweep)}${of}`);
      text(wrong, sweep.words);
      set(wrong, { hidden: sweep.words === "" });
      // of a sweep on other data they would seem to speak of these
      text(known, shown ? sweep.cautions.join("\n") : "");
      set(known, { hidden: !shown || sweep.cautions.length === 0 });
    },
  };
}

/**
 * How far a sweep is, in words.
 * @param {Pick<Sweep, "state" | "done" | "total" | "eta">} sweep
 */
export function progress({ state, done, total, eta }) {
  if (state === "none") return "";
  const runs = `${done} of ${total} runs`;
  if (state === "done") return `${runs} done`;
  if (state === "cancelled") return `cancelled after ${runs}`;
  if (done === total) return `${runs} done, computing pooled and alone…`;
  return eta === null ? `${runs}, starting` : `${runs}, about ${duration(eta)} left`;
}

/** @param {number} seconds */
function duration(seconds) {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return `${Math.round(seconds / 60)} min`;
}

/**
 * A setting to choose and the values that it goes through.
 * @param {string} name
 * @param {boolean} optional
 */
function axis(name, optional) {
  const choice = html("select", { "aria-label": `${name}: setting` });
  const values = html("input", { type: "text", "aria-label": `${name}: values`, spellcheck: "false" });
  const el = html("span", { class: "fb-axis" }, html("span", {}, name), choice, values);
  let offered = "";
  // by hand: neither what was chosen nor what was typed is changed by news of the form
  let picked = false;
  let typed = false;
  /** @type {Map<string, Field>} */
  const fields = new Map();
  const fill = () => {
    if (!typed) values.value = fields.get(choice.value)?.values ?? "";
    set(values, { hidden: choice.value === "" });
  };
  choice.addEventListener("change", () => {
    [picked, typed] = [true, false];
    fill();
  });
  values.addEventListener("input", () => (typed = true));
  set(values, { hidden: optional });
  return {
    el,
    path: () => choice.value,
    values: () => values.value,
    /** @param {Field[]} now */
    offer(now) {
      const appears = fields.size > 0 && !fields.has(BUDGET) && now[0]?.path === BUDGET;
      fields.clear();
      for (const field of now) fields.set(field.path, field);
      const names = JSON.stringify(now.map((field) => [field.path, field.name]));
      if (names !== offered) {
        offered = names;
        const before = choice.value;
        const options = now.map((field) => html("option", { value: field.path }, field.name));
        if (optional) options.unshift(html("option", { value: "" }, "nothing else"));
        choice.replaceChildren(...options);
        const kept = fields.has(before) && (optional || picked || !appears);
        if (kept) choice.value = before;
        else [picked, typed] = [false, false];
      }
      fill();
    },
  };
}

/**
 * The mean for each pair of values, darker where it is better.
 * @param {() => (value: number) => string} format
 * @param {() => string} from what the data are called
 */
export function heatMap(format, from) {
  const id = uid("map");
  const caption = html("caption", { id });
  const table = html("table", { class: "fb-heat", "data-chart": "sweep-map" }, caption);
  const save = saveButtons(() => ({
    target: table,
    parts: [from(), "sweep"],
    title: caption.textContent ?? "",
  }));
  const el = html("div", { class: "fb-scroll", hidden: true }, table, save.el);
  let drawn = "";
  return {
    el,
    /** @param {Grid | null} grid @param {boolean} minimize @param {string} metric */
    show(grid, minimize, metric) {
      set(el, { hidden: grid === null });
      const key = JSON.stringify([grid, metric]);
      if (grid === null || key === drawn) return;
      drawn = key;
      const known = grid.values.flat().filter((value) => value !== null);
      text(caption, `${metric} by ${grid.down} (down) and ${grid.across} (across)`);
      save.label();
      const corner = html("td");
      const head = html("tr", {}, corner, ...grid.columns.map((name) => scope("col", name)));
      const rows = grid.rows.map((name, i) => {
        const cells = grid.values[i].map((value) => cell(value, shade(value, known, minimize)));
        return html("tr", {}, scope("row", name), ...cells);
      });
      set(table, { "data-points": known.length });
      table.replaceChildren(caption, html("thead", {}, head), html("tbody", {}, ...rows));
    },
  };

  /** @param {number | null} value @param {number} depth */
  function cell(value, depth) {
    const element = html("td", { "data-known": value !== null }, value === null ? "" : format()(value));
    element.style.setProperty("--fb-depth", `${Math.round(70 * depth)}%`);
    return element;
  }
}

/**
 * How good a value is among those known, from 0 to 1.
 * @param {number | null} value
 * @param {(number | null)[]} known
 * @param {boolean} minimize
 */
export function shade(value, known, minimize) {
  if (value === null) return 0;
  const all = /** @type {number[]} */ (known);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  if (high === low) return 0.5;
  const place = (value - low) / (high - low);
  return minimize ? 1 - place : place;
}

/** @param {string} kind @param {string} name */
function scope(kind, name) {
  return html("th", { scope: kind }, name);
}

/** @param {string} name @param {Element} input */
function label(name, input) {
  return html("label", { class: "fb-axis" }, html("span", {}, name), input);
}

/** @param {string} name @param {() => void} pressed */
function button(name, pressed) {
  const made = html("button", { type: "button", class: "fb-button" }, name);
  made.addEventListener("click", pressed);
  return made;
}
