// @ts-check
/** The toolbar's care for the box around it: marks, keys, and names for the form's controls. */

import { html, set, uid } from "../chart/dom.js";

const EN_SPACE = "\u2002";

/**
 * Call back with the workbench's root once the element is in the page; never for a lone toolbar.
 * @param {HTMLElement} el
 * @param {AbortSignal} signal
 * @param {(root: HTMLElement) => void} callback
 */
export function whenAttached(el, signal, callback) {
  if (signal.aborted) return;
  const root = el.closest(".fedbench-workbench");
  if (root instanceof HTMLElement && el.isConnected) callback(root);
  else if (!el.isConnected) requestAnimationFrame(() => whenAttached(el, signal, callback));
}

/**
 * Mark the root, keep JupyterLab's keys away and watch the form for controls to name.
 * @param {HTMLElement} root
 * @param {AbortSignal} signal
 * @param {() => void} changed called now and whenever the form has changed
 */
export function adopt(root, signal, changed) {
  set(root, { "data-fedbench": "workbench", role: "group", "aria-label": "fedbench workbench" });
  // JupyterLab binds bare letters, arrows and Enter to its cells, and asks the focused element
  // first whether it may; chords such as Ctrl+S and Shift+Enter pass on
  const suppress = (/** @type {KeyboardEvent} */ event) => {
    const { target } = event;
    if (!(target instanceof Element) || !root.contains(target)) return;
    const chord = event.ctrlKey || event.metaKey || event.altKey || event.shiftKey;
    set(target, { "data-lm-suppress-shortcuts": chord ? null : "true" });
  };
  window.addEventListener("keydown", suppress, { capture: true, signal });
  changed();
  let waiting = false;
  const observer = new MutationObserver((records) => {
    if (waiting || !records.some((record) => isForm(record.target))) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      changed();
    });
  });
  observer.observe(root, {
    childList: true,
    subtree: true,
    attributes: true,
    attributeFilter: ["class", "contenteditable"],
  });
  signal.addEventListener("abort", () => observer.disconnect());
}

/** The charts change all the time and name themselves. @param {Node} node */
function isForm(node) {
  return node instanceof Element && !node.closest(".fb-root");
}

/**
 * Give every ipywidgets control inside the root a role and a name; idempotent.
 * @param {HTMLElement} root
 */
export function nameControls(root) {
  for (const handle of root.querySelectorAll(".noUi-handle, .ui-slider-handle")) {
    label(handle, fieldName(handle, root));
  }
  for (const number of root.querySelectorAll(".fb-number input")) {
    label(number, `${fieldName(number, root)} value`.trim());
  }
  for (const input of root.querySelectorAll(".jupyter-widgets :is(input, select, textarea)")) {
    const labels = /** @type {HTMLInputElement} */ (input).labels;
    const named = [...(labels ?? [])].some((node) => node.textContent?.trim());
    // our own widgets name what they hold
    if (!named && !input.closest(".fb-number, .fb-root")) label(input, fieldName(input, root));
  }
  for (const header of root.querySelectorAll(".jupyter-widget-Collapse-header")) {
    part(header);
    fold(header);
  }
}

/**
 * Let the kernel hear what a handle passes while it is dragged, not only where it is let go.
 *
 * ipywidgets' own continuous updates cannot tell a hand from what the kernel wrote; its hidden
 * readout follows the handle, and sends what it says when it is left. Idempotent.
 * @param {HTMLElement} root
 */
export function followHands(root) {
  for (const target of root.querySelectorAll(".fedbench-form .widget-slider .noUi-target")) {
    const { noUiSlider } = /** @type {any} */ (target);
    const readout = target.closest(".widget-slider")?.querySelector(".widget-readout");
    noUiSlider?.off("slide.fb");
    noUiSlider?.on("slide.fb", () => readout?.dispatchEvent(new FocusEvent("blur", { bubbles: true })));
  }
}

/**
 * Mark the fields whose change waits for a reset, and no others; idempotent.
 * @param {HTMLElement} root
 * @param {string[]} paths
 */
export function markPending(root, paths) {
  const names = paths.map((path) => `fb-at-${path.replaceAll(".", "-")}`);
  for (const field of root.querySelectorAll(".fedbench-form [class*=fb-at-]")) {
    const waits = names.some((name) => field.classList.contains(name));
    if (waits !== field.classList.contains("fb-pending")) field.classList.toggle("fb-pending");
  }
}

/** @param {Element} element @param {string} value */
function label(element, value) {
  if (value) set(element, { "aria-label": value });
}

/**
 * The text of the nearest ipywidgets label around a control.
 * @param {Element} control
 * @param {HTMLElement} root
 */
function fieldName(control, root) {
  for (let box = control.parentElement; box && box !== root; box = box.parentElement) {
    const found = box.querySelector(".widget-label");
    const words = found?.textContent?.trim();
    if (words) return words;
    if (box.classList.contains("fedbench-form")) break;
  }
  return control.getAttribute("title") ?? control.getAttribute("placeholder") ?? "";
}

/**
 * ipywidgets' accordion opens by mouse only: make its header a button.
 * @param {Element} header
 */
function fold(header) {
  const box = header.parentElement;
  const open = box?.classList.contains("jupyter-widget-Collapse-open") ?? false;
  if (header.getAttribute("role") !== "button") {
    set(header, { role: "button", tabindex: 0 });
    header.addEventListener("keydown", (event) => {
      const { key } = /** @type {KeyboardEvent} */ (event);
      if (key !== "Enter" && key !== " ") return;
      event.preventDefault();
      /** @type {HTMLElement} */ (header).click();
    });
  }
  set(header, { "aria-expanded": String(open) });
}

/**
 * A section's title may carry a summary of what is inside, after an en space: set it apart.
 * @param {Element} header
 */
function part(header) {
  const title = [...header.children].find((child) => child.tagName === "SPAN");
  const words = title?.textContent ?? "";
  if (!title || title.childElementCount > 0 || !words.includes(EN_SPACE)) return;
  const [head, ...tail] = words.split(EN_SPACE);
  const said = tail.join(EN_SPACE);
  const summary = html("span", { class: "fb-summary", title: said || null }, said); // it may be cut
  title.replaceChildren(html("span", {}, `${head} `), summary);
}

/**
 * The button that folds the form away above the tabs where the workbench is narrow.
 * @param {HTMLButtonElement} button
 * @param {HTMLElement} root
 */
export function foldForm(button, root) {
  const form = root.querySelector(".fedbench-form");
  if (!(form instanceof HTMLElement)) return;
  if (!form.id) form.id = uid("form");
  const show = (/** @type {boolean} */ open) => {
    set(root, { "data-form": open ? "open" : "folded" });
    set(button, { "aria-expanded": String(open), "aria-controls": form.id });
  };
  if (button.getAttribute("aria-controls") === form.id) return;
  button.onclick = () => show(button.getAttribute("aria-expanded") !== "true");
  set(button, { hidden: false });
  show(root.dataset.form === "open");
}

/**
 * Unfold whatever hides an element: the narrow page's form, a section, a tab.
 * @param {Element} element
 * @param {HTMLElement} root
 */
export function reveal(element, root) {
  const form = element.closest(".fedbench-form");
  const press = (/** @type {Element | null | undefined} */ shut) =>
    shut instanceof HTMLElement && shut.click();
  if (form && form.getClientRects().length === 0) press(root.querySelector(".fb-fold"));
  for (let at = /** @type {Element | null} */ (element); at; at = at.parentElement) {
    if (!at.classList.contains("jupyter-widget-Collapse")) continue;
    if (at.classList.contains("jupyter-widget-Collapse-open")) continue;
    press(at.querySelector(":scope > .jupyter-widget-Collapse-header"));
  }
  const panel = element.closest("[role=tabpanel]");
  if (panel instanceof HTMLElement && panel.hidden) {
    press(root.querySelector(`[role=tab][aria-controls="${panel.id}"]`));
  }
}

/**
 * Show the setting at a path, or what it is in, and give it the focus.
 * @param {HTMLElement} root
 * @param {string} path
 */
export function jump(root, path) {
  for (let steps = path.split("."); steps.length > 0; steps = steps.slice(0, -1)) {
    const field = root.querySelector(`.fedbench-form .${CSS.escape(`fb-at-${steps.join("-")}`)}`);
    if (!field) continue;
    reveal(field, root);
    const control = field.querySelector("select, input, textarea, button, [tabindex]");
    // ipywidgets unfolds a section by an animation of its own
    requestAnimationFrame(() => {
      if (control instanceof HTMLElement) control.focus({ preventScroll: true });
      field.scrollIntoView({ block: "center" });
    });
    return;
  }
}
