// @ts-check
/** The partition at once: which client holds how much of which class, and a hand to change it. */

import { html, set, text, uid } from "../chart/dom.js";
import { saveButtons } from "../chart/export.js";
import { ClientMap, SHOWN } from "../chart/map.js";
import { lifetime } from "../chart/model.js";
import { add, remove, sentence } from "./counts.js";
import { Designer } from "./design.js";

/** @typedef {import("./counts.js").Counts} Counts */

const TRAITS = ["counts", "clients", "classes", "names", "sentence", "kind", "off"];
const MORE = ["edit", "undoable", "version"];
const MOST = 100; // columns that a hand can still meet; the kernel allows no more either
const KEYS =
  "Drag a cell to another client to move its samples (Shift: half). Keys: arrows, Space to " +
  "pick up and drop, + and −, Escape.";

/** @param {import("../chart/model.js").View} view */
function render(view) {
  const { model, el } = view;
  const { signal, cleanup } = lifetime(view);
  const map = new ClientMap();
  const shown = html("span");
  const words = html("span");
  const help = html("p", { class: "fb-hint fb-help", id: uid("help") });
  const page = uid("page");
  let frame = 0;
  let edits = 0;
  /** what a hand has made and the kernel has not shown yet
   * @type {{counts: Counts, names: string[], token: string} | null} */
  let ahead = null;
  /** under the hand @type {Counts | null} */
  let passing = null;

  const kernel = () => {
    /** @type {string[]} */
    const classes = model.get("classes") ?? [];
    const values = unsigned(model.get("counts"));
    const rows = Math.max(1, classes.length);
    const clients = Math.min(model.get("clients") ?? 0, Math.floor(values.length / rows));
    return { values, clients, classes: rows };
  };
  const now = () => ahead?.counts ?? kernel();
  /** @returns {string[]} */
  const names = () => ahead?.names ?? model.get("names") ?? [];
  const name = (/** @type {number} */ client) => names()[client] ?? `client ${client}`;
  const editable = () => (model.get("off") ?? "") === "" && now().clients > 0;

  const draw = () => {
    frame = 0;
    if (ahead && model.get("edit") === ahead.token) ahead = null;
    const free = editable();
    const own = passing ?? ahead?.counts;
    const of = own ?? kernel();
    const said = own ? sentence(own, model.get("kind") ?? "classes") : model.get("sentence") ?? "";
    /** @type {string[]} */
    const classes = model.get("classes") ?? [];
    const most = free ? MOST : SHOWN;
    const part = of.clients > most ? `${most} of ${of.clients} clients shown. ` : "";
    const label = `Partition, ${of.clients} clients by ${of.classes} classes. ${said}`;
    set(map.svg, {
      role: free ? "application" : "img",
      "aria-roledescription": free ? "partition editor" : null,
      "aria-describedby": help.id,
      "data-editable": free,
    });
    const empty = model.get("off") || "No clients yet.";
    const { values: counts, clients } = of;
    map.draw({ counts, clients, classes, label, empty, most, names: names() });
    text(shown, part);
    text(words, said);
    text(help, free ? KEYS : model.get("off") ?? "");
    off(adder, !free || of.clients >= MOST);
    off(taker, !free || of.clients < 2 || !map.home);
    off(back, !free || !(ahead || model.get("undoable")));
    set(buttons, { hidden: !free });
    const none = clients === 0; // the map's own place says why
    set(save.el, { hidden: none });
    set(note, { hidden: none });
    set(help, { hidden: none });
  };
  const changed = () => {
    if (frame === 0) frame = requestAnimationFrame(draw);
  };
  const commit = (/** @type {Counts} */ counts, made = names()) => {
    edits += 1;
    passing = null;
    ahead = { counts, names: made, token: `${page}/${edits}` };
    draw();
    const rows = Array.from({ length: counts.clients }, (_, client) =>
      Array.from(counts.values.subarray(client * counts.classes, (client + 1) * counts.classes)),
    );
    model.send({ design: { counts: rows, names: made, token: ahead.token } });
  };
  const undo = () => {
    edits += 1;
    const token = `${page}/${edits}`;
    // what it was, the kernel knows; until it answers the map stays as it is
    ahead = { counts: now(), names: names(), token };
    model.send({ undo: token });
  };
  const append = () => {
    const before = now();
    const counts = add(before);
    if (counts === before) return text(map.spoken, "No client has a sample to spare");
    const called = names();
    commit(counts, called.length ? [...called, fresh(called)] : called);
    text(map.spoken, `Added ${name(counts.clients - 1)}`);
  };
  const dismiss = () => {
    const home = map.home;
    const before = now();
    if (!home || before.clients < 2) return;
    const gone = name(home.column);
    const column = Math.min(home.column, before.clients - 2);
    const kept = names().filter((_, client) => client !== home.column);
    map.home = { ...home, column };
    map.cell = map.home;
    commit(remove(before, home.column), kept);
    text(map.spoken, `Removed ${gone}; its samples went to the other clients`);
  };

  const adder = button("Add client", append);
  const taker = button("Remove client", dismiss);
  const back = button("Undo", undo);
  const buttons = html("div", { class: "fb-design", role: "group" }, adder, taker, back);
  set(buttons, { "aria-label": "Change the partition" });
  const note = html("p", { class: "fb-hint" }, shown, words);
  el.classList.add("fb-root", "fb-partition");
  const save = saveButtons(() => ({
    target: map.el,
    parts: ["partition"],
    title: "Partition",
    words: map.svg.getAttribute("aria-label") ?? "",
  }));
  save.label();
  el.append(map.el, save.el, note, buttons, help);

  const hooks = {
    counts: () => (editable() ? now() : null),
    show: (/** @type {Counts} */ counts) => {
      passing = designer.busy ? counts : null;
      draw();
    },
    commit,
    undo: () => (off(back) ? undefined : undo()),
    remove: dismiss,
    name,
    chosen: changed,
  };
  const designer = new Designer(map, hooks, signal);
  for (const trait of [...TRAITS, ...MORE]) model.on(`change:${trait}`, changed);
  signal.addEventListener("abort", () => {
    cancelAnimationFrame(frame);
    for (const trait of [...TRAITS, ...MORE]) model.off(`change:${trait}`, changed);
    map.stop();
  });
  draw();
  return cleanup;
}

/** @param {string} label @param {() => void} pressed */
function button(label, pressed) {
  const made = html("button", { type: "button" }, label);
  made.addEventListener("click", () => off(made) || pressed());
  return made;
}

/**
 * Switch a button off, keeping its focus; or only tell whether it is off.
 * @param {HTMLButtonElement} made
 * @param {boolean} [state]
 */
function off(made, state) {
  if (state !== undefined) set(made, { "aria-disabled": state ? "true" : null });
  return made.getAttribute("aria-disabled") === "true";
}

/** @param {string[]} taken */
function fresh(taken) {
  let count = 1;
  while (taken.includes(`new client ${count}`)) count += 1;
  return `new client ${count}`;
}

/**
 * @param {DataView | null} bytes uint32, little-endian
 * @returns {Uint32Array}
 */
function unsigned(bytes) {
  const values = new Uint32Array(bytes ? Math.floor(bytes.byteLength / 4) : 0);
  for (let i = 0; bytes && i < values.length; i += 1) values[i] = bytes.getUint32(4 * i, true);
  return values;
}

export default { render };
