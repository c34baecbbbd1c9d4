// @ts-check
/** Files that the kernel makes when it is asked: at once it says so, later it sends them. */

import { download, fileName } from "../chart/download.js";

const PATIENCE = 5000; // milliseconds until a silent kernel counts as gone
const SILENT =
  "The kernel does not answer: it is busy with another cell or was restarted. Nothing is lost " +
  "on this page; try again when it is back.";

let counter = 0;

/**
 * Ask the kernel for a file and save it.
 * @param {import("../chart/model.js").Model} model
 * @param {string} what
 * @param {(words: string, wrong?: boolean) => void} say how it goes
 */
export function saveFromKernel(model, what, say) {
  counter += 1;
  const token = `${Date.now()}-${counter}`;
  const end = () => {
    clearTimeout(timer);
    model.off("msg:custom", heard);
  };
  /**
   * @param {{shared?: string, state?: string, words?: string, name?: string, type?: string}} content
   * @param {DataView[]} [buffers]
   */
  const heard = (content, buffers = []) => {
    if (content?.shared !== token) return;
    clearTimeout(timer);
    if (content.state === "making") return;
    end();
    if (content.state === "failed") say(content.words || "It cannot be saved.", true);
    else {
      const copies = buffers.map(({ buffer, byteOffset: from, byteLength }) =>
        new Uint8Array(buffer, from, byteLength).slice(),
      );
      const [, stem, ending] = (content.name ?? "").match(/^(.*)\.(\w+)$/) ?? ["", "", "txt"];
      const name = fileName([stem], ending);
      download(new Blob(copies, { type: content.type }), name);
      say(`Saved ${name}`);
    }
  };
  const timer = setTimeout(() => {
    end();
    say(SILENT, true);
  }, PATIENCE);
  model.on("msg:custom", heard);
  say("Making it…");
  try {
    model.send({ share: { what, token } });
  } catch {
    end();
    say(SILENT, true);
  }
}

/**
 * A line that says how saving goes: good news quietly, bad news as an alert.
 * @param {HTMLElement} element
 */
export function saying(element) {
  return (/** @type {string} */ words, wrong = false) => {
    element.setAttribute("role", wrong ? "alert" : "status");
    element.classList.toggle("fb-wrong-words", wrong);
    if (element.textContent !== words) element.textContent = words;
  };
}
