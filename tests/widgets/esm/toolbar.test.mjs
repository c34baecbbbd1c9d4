import assert from "node:assert/strict";
import { test } from "node:test";
import { buttons } from "../../../widgets/fedbench_widgets/toolbar/buttons.js";
import { Heartbeat, watch } from "../../../widgets/fedbench_widgets/toolbar/life.js";
import { groups } from "../../../widgets/fedbench_widgets/toolbar/notes.js";
import { announce, chips } from "../../../widgets/fedbench_widgets/toolbar/toolbar.js";

const STATUS = {
  state: "idle",
  title: "",
  subtitle: "",
  round: 0,
  rounds: 50,
  elapsed: 0,
  eta: null,
  epsilon: null,
  budget: null,
  delta: null,
  unit: null,
  totals: {},
  error: null,
  notes: [],
  can_start: true,
  why_not: "",
  ended: "",
  pending: [],
  closed: false,
};

const enabled = (more, dead = false) =>
  buttons({ ...STATUS, ...more }, dead)
    .filter((button) => button.enabled)
    .map((button) => button.name);

test("each state allows its own buttons", () => {
  assert.deepEqual(enabled({ state: "idle" }), ["Start", "Step"]);
  assert.deepEqual(enabled({ state: "running", round: 3 }), ["Pause", "Stop"]);
  assert.deepEqual(enabled({ state: "paused", round: 3 }), ["Resume", "Step", "Stop", "Reset"]);
  assert.deepEqual(enabled({ state: "stopping", round: 3 }), []);
  assert.deepEqual(enabled({ state: "done", round: 50 }), ["Start", "Reset"]);
  assert.deepEqual(enabled({ state: "failed", round: 3 }), ["Start", "Reset"]);
});

test("a bad form disables Start and says why", () => {
  const row = buttons({ ...STATUS, can_start: false, why_not: "C must be positive" }, false);
  assert.deepEqual(
    row.filter((button) => button.enabled),
    [],
  );
  assert.equal(row[0].why, "C must be positive");
});

test("without a kernel nothing can be pressed", () => {
  for (const state of ["idle", "running", "paused", "done"]) {
    assert.deepEqual(enabled({ state, round: 3 }, true), []);
  }
});

test("notes are grouped by what they speak of, warnings first", () => {
  const note = (about, level, text) => ({ about, level, text, path: "" });
  const found = groups([
    note("run", "info", "a"),
    note("form", "info", "b"),
    note("run", "warning", "c"),
    note("form", "warning", "d"),
    note("form", "warning", "e"),
  ]);
  assert.deepEqual(
    found.map(({ about, level, notes }) => [about, level, notes.map(({ text }) => text).join("")]),
    [
      ["form", "warning", "de"],
      ["run", "warning", "c"],
      ["form", "info", "b"],
      ["run", "info", "a"],
    ],
  );
});

test("chips show what is known and nothing else", () => {
  const words = (more) =>
    chips({ ...STATUS, ...more }).map(({ pieces }) => pieces.map(([piece]) => piece).join(""));
  assert.deepEqual(words({}), ["0/50 rounds"]);
  assert.deepEqual(words({ totals: { simulated_seconds: 41 } }), ["0/50 rounds", "41 s simulated"]);
  assert.deepEqual(
    words({
      state: "running",
      round: 31,
      elapsed: 1.4,
      eta: 0.9,
      epsilon: 3.021,
      budget: 4,
      delta: 1e-3,
      unit: "client-level",
      totals: { bytes_up: 8_100_000, simulated_seconds: null },
    }),
    ["31/50 rounds", "1.4 s, 0.9 s left", "client-level ε 3.03 of 4 · δ 1e-3", "8.1 MB up"],
  );
});

test("the live region speaks on a change of state, not on every round", () => {
  const solving = { ...STATUS, state: "running", round: 0, solving: true };
  assert.equal(announce(solving), "Computing the noise…");
  assert.equal(announce({ ...STATUS, state: "running", round: 1 }), "Running");
  assert.equal(announce({ ...STATUS, state: "running", round: 2 }), "Running");
  assert.equal(announce({ ...STATUS, state: "done", round: 50 }), "Done");
  assert.equal(announce({ ...STATUS, state: "done", round: 7 }), "Stopped at round 7 of 50");
  assert.equal(announce({ ...STATUS, can_start: false }), "Not ready");
  const early = { ...STATUS, state: "done", round: 7 };
  const target = "target reached: accuracy 0.95";
  assert.equal(announce({ ...early, ended: target }), "Target reached at round 7 of 50");
  const budget = "privacy budget: round 8 would bring ε to 4.1, past 4";
  assert.equal(announce({ ...early, ended: budget }), "Budget spent at round 7 of 50");
  const privacy = (ended) =>
    chips({ ...early, ended, epsilon: 4, budget: 4 }).find(({ key }) => key === "privacy").over;
  assert.deepEqual([privacy("all 7 rounds done"), privacy(budget)], [false, true]);
});

test("a kernel that answers is never lost", () => {
  const heart = new Heartbeat(0);
  for (let now = 0; now < 60000; now += 250) {
    if (heart.tick(now)) heart.life(now + 40);
    assert.ok(!heart.lost);
  }
});

test("silence is noticed within five seconds and forgiven at the first sign of life", () => {
  const heart = new Heartbeat(0);
  let noticed = null;
  for (let now = 0; now <= 5000 && noticed === null; now += 250) {
    heart.tick(now);
    if (heart.lost) noticed = now;
  }
  assert.ok(noticed >= 4500 && noticed <= 5000, `${noticed}`);
  heart.life(6000);
  assert.ok(!heart.lost);
});

test("beats of a running kernel count as life though pings wait in its queue", () => {
  const heart = new Heartbeat(0);
  for (let now = 0; now < 60000; now += 250) {
    heart.tick(now);
    if (now % 2000 === 0) heart.life(now);
    assert.ok(!heart.lost);
  }
});

test("a busy kernel finds few pings in its queue", () => {
  const heart = new Heartbeat(0);
  let sent = 0;
  for (let now = 0; now < 600000; now += 250) if (heart.tick(now)) sent += 1;
  assert.ok(sent <= 61, `${sent}`);
});

test("a page that was hidden does not accuse the kernel", () => {
  const heart = new Heartbeat(0);
  heart.tick(0);
  heart.wake(60000);
  heart.tick(60000);
  assert.ok(!heart.lost);
});

test("only a state that no kernel was ever behind is called saved", (context) => {
  context.mock.timers.enable({ apis: ["setInterval", "Date"] });
  globalThis.document = { hidden: false, addEventListener() {} };
  const cut = new Set();
  const said = [];
  const heard = {};
  const model = { on: (name, call) => (heard[name] = call), off() {}, send() {} };
  const el = { classList: { contains: (name) => cut.has(name) } };
  const begin = () =>
    watch(model, el, new AbortController().signal, (lost, saved) => said.push([lost, saved]));

  cut.add("jupyter-widgets-disconnected");
  begin();
  assert.deepEqual(said.splice(0), [[true, true]]);

  cut.clear();
  begin();
  heard["msg:custom"]();
  cut.add("jupyter-widgets-disconnected");
  context.mock.timers.tick(500);
  assert.deepEqual(said.splice(0), [[true, false]]);
  delete globalThis.document;
});
