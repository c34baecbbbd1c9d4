import assert from "node:assert/strict";
import { test } from "node:test";
import { STEPS, TARGETS, phase } from "../../../widgets/fedbench_widgets/tour/steps.js";

const SET = { alpha: 1, epsilon: 8, private: true };
const FRESH = {
  state: "idle",
  round: 0,
  runs: 0,
  ended: null,
  form: SET,
  ran: SET,
  band: true,
  read: 0,
  tab: "live",
};
const RUN = { ...FRESH, state: "done", round: 30, runs: 1, ended: 2 };
const at = (step, before, now) => {
  const found = phase(STEPS[step], before, now);
  return found && STEPS[step].phases.indexOf(found);
};
const target = (step, before, now) => phase(STEPS[step], before, now)?.target(now);

test("there are five steps, and each points at something that the page has", () => {
  assert.equal(STEPS.length, 5);
  for (const { phases } of STEPS) {
    for (const { target, words } of phases) {
      for (const now of [FRESH, RUN, { ...RUN, state: "running" }]) {
        assert.ok(TARGETS[target(now)]);
        assert.ok(words(now).length > 20);
      }
    }
  }
});

test("the first step waits for a start, then for the end of the run", () => {
  assert.equal(at(0, FRESH, FRESH), 0);
  assert.equal(at(0, FRESH, { ...FRESH, state: "running", round: 3 }), 1);
  assert.equal(at(0, FRESH, RUN), null);
  assert.equal(at(0, RUN, RUN), 0, "a run that had ended before does not count");
  assert.equal(at(0, RUN, { ...RUN, ended: 3 }), null, "even if nobody saw it running");
  assert.equal(at(0, FRESH, { ...FRESH, state: "failed" }), 0);
});

test("the band is read once values were, and not before there are any", () => {
  assert.equal(target(1, FRESH, FRESH), "start");
  assert.equal(target(1, RUN, RUN), "accuracy");
  assert.equal(at(1, RUN, { ...RUN, read: 1 }), null);
  assert.match(phase(STEPS[1], RUN, { ...RUN, band: false }).words({ ...RUN, band: false }), /clients have no test rows/);
});

test("the third step wants a smaller α and a run with it", () => {
  assert.equal(target(2, RUN, RUN), "alpha");
  const larger = { ...RUN, form: { ...SET, alpha: 5 } };
  assert.equal(target(2, RUN, larger), "alpha");
  const smaller = { ...RUN, form: { ...SET, alpha: 0.1 } };
  assert.equal(target(2, RUN, smaller), "start");
  assert.equal(target(2, RUN, { ...smaller, state: "running", ended: null }), "accuracy");
  assert.equal(target(2, RUN, { ...smaller, ended: 3 }), "start", "that run had another α");
  assert.equal(at(2, RUN, { ...smaller, ended: 3, ran: smaller.form }), null);
});

test("where the partition has no α, the words ask for one that has", () => {
  const iid = { ...RUN, form: { ...SET, alpha: null } };
  assert.equal(target(2, iid, iid), "partition");
  assert.equal(target(2, iid, RUN), "start");
});

test("the fourth step wants ε = 1 or less, and privacy where there is none", () => {
  const open = { ...RUN, form: { ...SET, epsilon: null, private: false } };
  assert.equal(target(3, open, open), "privacy");
  assert.equal(target(3, open, RUN), "epsilon");
  const asked = { ...RUN, form: { ...SET, epsilon: 1 } };
  assert.equal(target(3, RUN, asked), "start");
  assert.equal(at(3, RUN, { ...asked, ended: 3 }), 2, "that run had another ε");
  assert.equal(at(3, RUN, { ...asked, ended: 3, ran: asked.form }), null);
});

test("the last step goes through two tabs and ends only by the person", () => {
  assert.equal(target(4, RUN, RUN), "frontier");
  assert.equal(target(4, RUN, { ...RUN, tab: "frontier" }), "code");
  assert.equal(at(4, RUN, { ...RUN, tab: "code" }), 3);
  assert.equal(target(4, FRESH, FRESH), "start", "without a run there is no point");
  assert.equal(target(4, FRESH, { ...FRESH, runs: 1 }), "frontier", "a reset keeps the runs");
});
