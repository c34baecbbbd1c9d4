import assert from "node:assert/strict";
import { test } from "node:test";
import {
  add,
  distance,
  move,
  nudge,
  remove,
  sentence,
  shares,
  size,
  spare,
} from "../../../widgets/fedbench_widgets/partition/counts.js";

/** @param {number[][]} rows */
const made = (rows) => ({
  values: Uint32Array.from(rows.flat()),
  clients: rows.length,
  classes: rows[0].length,
});
const rows = (of) =>
  Array.from({ length: of.clients }, (_, i) => [
    ...of.values.subarray(i * of.classes, (i + 1) * of.classes),
  ]);
const totals = (of) =>
  rows(of).reduce((sum, row) => sum.map((each, k) => each + row[k]), Array(of.classes).fill(0));

test("samples move whole, and a client keeps one", () => {
  const before = made([[4, 0], [1, 2]]);
  assert.deepEqual(rows(move(before, 0, 1, 0, 1)), [[5, 0], [0, 2]]);
  assert.deepEqual(rows(move(before, 0, 0, 1, 99)), [[1, 0], [4, 2]]);
  assert.deepEqual(rows(move(before, 0, 1, 1, 1)), rows(before));
  assert.deepEqual(rows(before), [[4, 0], [1, 2]], "what was there stays");
  assert.equal(spare(before, 0, 0, 4), 3);
  assert.equal(spare(before, 0, 1, 4), 0);
});

test("single samples come from and go to whoever holds most of the class", () => {
  const before = made([[1, 1], [5, 1], [3, 1]]);
  assert.deepEqual(rows(nudge(before, 0, 0, 3)), [[4, 1], [2, 1], [3, 1]]);
  assert.deepEqual(rows(nudge(before, 2, 0, -2)), [[1, 1], [7, 1], [1, 1]]);
  assert.deepEqual(rows(nudge(before, 0, 0, 99)), [[9, 1], [0, 1], [0, 1]]);
  assert.deepEqual(rows(nudge(made([[3, 0]]), 0, 0, 1)), [[3, 0]]);
});

test("a new client gets a fair share and nobody is left with nothing", () => {
  assert.deepEqual(rows(add(made([[6, 0], [0, 6]]))), [[4, 0], [0, 4], [2, 2]]);
  assert.deepEqual(rows(add(made([[1, 0], [2, 0]]))), [[1, 0], [1, 0], [1, 0]]);
  const poor = made([[1, 0], [0, 1]]);
  assert.equal(add(poor), poor, "nobody can part with a sample");
});

test("the samples of a client that goes are with the others", () => {
  assert.deepEqual(rows(remove(made([[4, 2], [3, 0], [1, 0]]), 0)), [[6, 1], [2, 1]]);
  const last = made([[2, 2]]);
  assert.equal(remove(last, 0), last);
});

test("largest remainders add up", () => {
  assert.deepEqual(shares(10, [1, 1, 1]), [4, 3, 3]);
  assert.deepEqual(shares(3, [0, 0]), [2, 1]);
  assert.deepEqual(shares(0, [5, 1]), [0, 0]);
});

test("whatever a hand does, no sample is lost or made and nobody is empty", () => {
  let seed = 5;
  const random = (most) => (seed = (seed * 16807) % 2147483647) % most;
  let now = made(Array.from({ length: 6 }, () => Array.from({ length: 4 }, () => 1 + random(9))));
  const whole = totals(now);
  for (let step = 0; step < 2000; step += 1) {
    const [a, b, k] = [random(now.clients), random(now.clients), random(4)];
    const done = random(4);
    if (done === 0) now = move(now, k, a, b, random(12));
    else if (done === 1) now = nudge(now, a, k, random(9) - 4);
    else if (done === 2) now = add(now);
    else if (now.clients > 2) now = remove(now, a);
    assert.deepEqual(totals(now), whole);
    for (let client = 0; client < now.clients; client += 1) assert.ok(size(now, client) > 0);
  }
});

test("the distance is 0 where all are alike and known where they share nothing", () => {
  assert.equal(distance(made([[2, 4], [1, 2]])), 0);
  // each of two clients knows one of two equal classes: sqrt(3/4 log2(4/3) + 1/4), by hand
  const middle = Math.sqrt((Math.log2(1 / 0.75) + 0.5 * Math.log2(0.5 / 0.75) + 0.5) / 2);
  assert.ok(Math.abs(distance(made([[3, 0], [0, 3]])) - middle) < 1e-12);
});

test("the sentence tells sizes, distance and how many classes are typical", () => {
  assert.equal(
    sentence(made([[3, 0, 1], [0, 3, 0]]), "classes"),
    "3 to 4 training samples per client; label distance 0.56 (Jensen–Shannon, 0 is even). " +
      "A typical client holds 1 of 3 classes.",
  );
});
