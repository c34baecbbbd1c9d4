// @ts-check
/** The partition at once: which client holds how much of which class. */

import { html, text } from "../chart/dom.js";
import { ClientMap, SHOWN } from "../chart/map.js";
import { lifetime } from "../chart/model.js";

const TRAITS = ["counts", "clients", "classes", "sentence", "version"];

/** @param {import("../chart/model.js").View} view */
function render(view) {
  const { model, el } = view;
  const { signal, cleanup } = lifetime(view);
  const map = new ClientMap();
  const shown = html("span");
  const words = html("span");
  el.classList.add("fb-root", "fb-partition");
  el.append(map.el, html("p", { class: "fb-hint" }, shown, words));
  let frame = 0;

  const draw = () => {
    frame = 0;
    /** @type {string[]} */
    const classes = model.get("classes") ?? [];
    const counts = unsigned(model.get("counts"));
    const rows = Math.max(1, classes.length);
    const clients = Math.min(model.get("clients") ?? 0, Math.floor(counts.length / rows));
    const sentence = model.get("sentence") ?? "";
    const part = clients > SHOWN ? `${SHOWN} of ${clients} clients shown. ` : "";
    const label = `Partition, ${clients} clients by ${rows} classes. ${sentence}`;
    map.draw({ counts, clients, classes, label, empty: "No clients yet." });
    text(shown, part);
    text(words, sentence);
  };
  const changed = () => {
    if (frame === 0) frame = requestAnimationFrame(draw);
  };
  for (const trait of TRAITS) model.on(`change:${trait}`, changed);
  signal.addEventListener("abort", () => {
    cancelAnimationFrame(frame);
    for (const trait of TRAITS) model.off(`change:${trait}`, changed);
    map.stop();
  });
  draw();
  return cleanup;
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
