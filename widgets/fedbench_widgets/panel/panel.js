// @ts-check
/** The workbench's tabs. A new tab is one module and one entry of TABS. */

import { html, set, uid } from "../chart/dom.js";
import { lifetime } from "../chart/model.js";
import { clients } from "./clients.js";
import { code } from "./code.js";
import { frontier } from "./frontier.js";
import { live } from "./live.js";
import { log } from "./log.js";
import { Table } from "./table.js";

/** @typedef {{model: import("../chart/model.js").Model, table: () => Table}} Context */
/**
 * @typedef {object} Tab
 * @property {string} id
 * @property {string} label
 * @property {HTMLElement} el
 * @property {() => void} draw called after changes while the tab is shown, and when it is chosen
 * @property {() => void} [stop]
 */

/** @type {((context: Context) => Tab)[]} */
const TABS = [live, clients, frontier, code, log];
const TRAITS = [
  ...["snapshot", "series", "clients", "values", "mixes"],
  ...["frontier", "sweep", "code", "log"],
];

/** @param {import("../chart/model.js").View} view */
function render(view) {
  const { model, el } = view;
  const { signal, cleanup } = lifetime(view);
  /** @type {Table | null} */
  let table = null;
  const context = {
    model,
    table: () => (table ??= new Table(model.get("snapshot"), model.get("series"))),
  };
  const tabs = TABS.map((make) => make(context));
  let chosen = tabs[0];
  let frame = 0;

  const list = html("div", { class: "fb-tabs", role: "tablist", "aria-label": "Views of the run" });
  const marks = tabs.map((tab) => {
    const id = uid(tab.id);
    const mark = html(
      "button",
      { type: "button", role: "tab", id, "aria-controls": `${id}-panel` },
      tab.label,
    );
    const box = {
      role: "tabpanel",
      id: `${id}-panel`,
      "aria-labelledby": id,
      class: "fb-tabpanel",
    };
    const panel = html("div", box, tab.el);
    mark.addEventListener("click", () => choose(tab));
    list.append(mark);
    return { tab, mark, panel };
  });
  el.classList.add("fb-root", "fb-panel");
  el.append(list, ...marks.map(({ panel }) => panel));

  const draw = () => {
    frame = 0;
    if (signal.aborted) return;
    chosen.draw();
  };
  const changed = () => {
    table = null;
    if (frame === 0) frame = requestAnimationFrame(draw);
  };

  /** @param {Tab} tab */
  function choose(tab) {
    chosen = tab;
    for (const { tab: other, mark, panel } of marks) {
      const on = other === tab;
      set(mark, { "aria-selected": String(on), tabindex: on ? 0 : -1 });
      set(panel, { hidden: !on });
    }
    tab.draw();
  }

  list.addEventListener("keydown", (event) => {
    const at = tabs.indexOf(chosen);
    const moves = {
      ArrowRight: at + 1,
      ArrowLeft: at - 1 + tabs.length,
      Home: 0,
      End: tabs.length - 1,
    };
    const to = moves[/** @type {keyof typeof moves} */ (event.key)];
    if (to === undefined) return;
    event.preventDefault();
    choose(tabs[to % tabs.length]);
    marks[to % tabs.length].mark.focus();
  });
  for (const trait of TRAITS) model.on(`change:${trait}`, changed);
  signal.addEventListener("abort", () => {
    cancelAnimationFrame(frame);
    for (const trait of TRAITS) model.off(`change:${trait}`, changed);
    for (const tab of tabs) tab.stop?.();
  });
  choose(chosen);
  return cleanup;
}

export default { render };
