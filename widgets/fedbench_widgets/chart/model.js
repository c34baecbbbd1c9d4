// @ts-check
/** What the modules use of anywidget's model. */

/**
 * @typedef {object} Model
 * @property {(name: string) => any} get
 * @property {(name: string, value: any) => void} set
 * @property {() => void} save_changes
 * @property {(name: string, callback: (...args: any[]) => void) => void} on
 * @property {(name: string, callback?: ((...args: any[]) => void) | null) => void} off
 * @property {(content: any, callbacks?: any, buffers?: ArrayBuffer[]) => void} send
 */
/** @typedef {{model: Model, el: HTMLElement, signal?: AbortSignal}} View */

/**
 * An abort signal for the view: anywidget's own, or one that the returned cleanup aborts.
 * @param {View} view
 * @returns {{signal: AbortSignal, cleanup: () => void}}
 */
export function lifetime(view) {
  const controller = new AbortController();
  view.signal?.addEventListener("abort", () => controller.abort());
  return { signal: controller.signal, cleanup: () => controller.abort() };
}
