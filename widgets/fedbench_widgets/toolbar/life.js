// @ts-check
/** Is the kernel there? A ping every two seconds; any sign of life counts as an answer. */

const PERIOD = 2000;
const PATIENCE = 4500;
const RESEND = 10000;
const LOOK = 250;

/** The rule apart from clocks and timers: tell it what happened when, ask it what to do. */
export class Heartbeat {
  /** @param {number} now milliseconds on any clock */
  constructor(now) {
    this.heard = now;
    this.sent = -Infinity;
    this.waiting = false;
    this.lost = false;
  }

  /** @param {number} now */
  life(now) {
    this.heard = now;
    this.waiting = false;
    this.lost = false;
  }

  /**
   * Whether to send a ping now. While one is unanswered the next comes only after a long pause,
   * so that a kernel busy with another cell does not find a thousand of them in its queue.
   * @param {number} now
   */
  tick(now) {
    if (this.waiting && now - this.heard >= PATIENCE) this.lost = true;
    if (now - this.sent < (this.waiting ? RESEND : PERIOD)) return false;
    this.sent = now;
    this.waiting = true;
    return true;
  }

  /** Silence while the page was hidden says nothing. @param {number} now */
  wake(now) {
    this.heard = now;
    this.sent = -Infinity;
  }
}

/**
 * Watch a model's kernel until the signal aborts.
 * @param {import("../chart/model.js").Model} model
 * @param {HTMLElement} el the view's element, which ipywidgets marks when the comm closes
 * @param {AbortSignal} signal
 * @param {(lost: boolean, saved: boolean) => void} verdict called on every change; `saved` where
 *   no kernel was ever behind the model, whose state is a notebook's
 */
export function watch(model, el, signal, verdict) {
  const heart = new Heartbeat(Date.now());
  let said = false;
  let heard = false;
  let number = 0;
  const judge = () => {
    const cut = el.classList.contains("jupyter-widgets-disconnected");
    const lost = heart.lost || cut;
    if (lost !== said) verdict((said = lost), cut && !heard);
  };
  const life = () => {
    heard = true;
    heart.life(Date.now());
    judge();
  };
  const look = () => {
    if (document.hidden) return;
    if (heart.tick(Date.now())) {
      number += 1;
      try {
        model.send({ ping: number });
      } catch {
        heart.lost = true;
      }
    }
    judge();
  };
  // ipywidgets marks the element in the same event, before or after this listener
  const closed = () => queueMicrotask(judge);
  const timer = setInterval(look, LOOK);
  model.on("msg:custom", life);
  model.on("change", life);
  model.on("comm_live_update", closed);
  document.addEventListener("visibilitychange", () => heart.wake(Date.now()), { signal });
  signal.addEventListener("abort", () => {
    clearInterval(timer);
    model.off("msg:custom", life);
    model.off("change", life);
    model.off("comm_live_update", closed);
  });
  look();
}
