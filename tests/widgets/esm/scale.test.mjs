import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bytes,
  duration,
  linear,
  log,
  logTicks,
  nice,
  number,
  percent,
  percentTick,
  power,
  tick,
  ticks,
  upward,
} from "../../../widgets/fedbench_widgets/chart/scale.js";

test("a linear scale maps ends to ends and inverts", () => {
  const scale = linear([0, 50], [40, 340]);
  assert.equal(scale(0), 40);
  assert.equal(scale(50), 340);
  assert.ok(Math.abs(scale.invert(scale(12.3)) - 12.3) < 1e-12);
});

test("a linear scale of no width stays finite", () => {
  assert.ok(Number.isFinite(linear([3, 3], [0, 100])(3)));
});

test("a log scale spaces equal ratios equally", () => {
  const scale = log([0.5, 8], [0, 400]);
  assert.ok(Math.abs(scale(1) - scale(0.5) - (scale(8) - scale(4))) < 1e-9);
  assert.ok(Math.abs(scale.invert(scale(3)) - 3) < 1e-12);
  assert.throws(() => log([0, 1], [0, 1]), RangeError);
});

test("ticks are round, inside and without binary dust", () => {
  assert.deepEqual(ticks(0, 1, 4), [0, 0.25, 0.5, 0.75, 1]);
  assert.deepEqual(ticks(0, 0.3, 3), [0, 0.1, 0.2, 0.3]);
  assert.deepEqual(ticks(-1, 1, 4), [-1, -0.5, 0, 0.5, 1]);
  assert.deepEqual(ticks(2, 2), [2]);
});

test("whole ticks never fall between rounds", () => {
  for (const end of [1, 2, 3, 5, 7, 10, 33, 1000]) {
    assert.ok(ticks(0, end, 6, true).every(Number.isInteger), `up to ${end}`);
  }
});

test("ticks stay few for any span", () => {
  for (let exponent = -6; exponent < 9; exponent += 1) {
    for (const factor of [1, 1.7, 3.3, 9.9]) {
      const found = ticks(0, factor * 10 ** exponent, 5);
      assert.ok(found.length >= 2 && found.length <= 7, `${factor}e${exponent}: ${found}`);
    }
  }
});

test("a nice range holds its values", () => {
  assert.deepEqual(nice(0, 2.37, 4), [0, 3]);
  assert.deepEqual(nice(0, 0), [0, 1]);
  const [low, high] = nice(-0.37, 8.1);
  assert.ok(low <= -0.37 && high >= 8.1);
});

test("log ticks double while they fit, then thin out to decades", () => {
  assert.deepEqual(logTicks(0.4, 10, 7), [0.5, 1, 2, 4, 8]);
  assert.deepEqual(logTicks(0.001, 1000, 7), [0.001, 0.01, 0.1, 1, 10, 100, 1000]);
  for (const high of [1, 10, 100, 5000]) {
    assert.ok(logTicks(0.3, high, 8).every((value) => value >= 0.29 && value <= high * 1.01));
  }
});

test("numbers read as people write them", () => {
  assert.equal(number(3.14159), "3.14");
  assert.equal(number(0.2694), "0.269");
  assert.equal(number(0), "0");
  assert.equal(number(38.4), "38.4");
  assert.equal(number(-2.5, 2), "−2.5");
  assert.equal(number(NaN), "–");
  assert.equal(number(null), "–");
  assert.equal(number(Infinity), "∞");
  assert.equal(number(1e-5), "1e-5");
  assert.equal(power(1.5e-6), "1.5e-6");
  assert.equal(tick(20000), "20k");
  assert.equal(tick(-0.5), "−0.5");
  assert.deepEqual([5e8, 1e9, 1.25e10, -2.5e23].map(tick), ["500M", "1e9", "1.25e10", "−2.5e23"]);
  assert.equal(percent(0.9281), "92.8%");
  assert.equal(percent(NaN), "–");
  assert.deepEqual([0.925, 0.9, 0, 1].map(percentTick), ["92.5%", "90%", "0%", "100%"]);
});

test("bytes and durations carry their unit", () => {
  assert.deepEqual(bytes(8_100_000), ["8.1", "MB"]);
  assert.deepEqual(bytes(999), ["999", "B"]);
  assert.deepEqual(bytes(52_000_000), ["52", "MB"]);
  assert.equal(duration(1.44), "1.4 s");
  assert.equal(duration(252), "4 min 12 s");
  assert.equal(duration(59.9996 + 60), "2 min 0 s");
  assert.equal(duration(3720), "1 h 2 min");
});

test("an ε is never shown smaller than it is", () => {
  assert.deepEqual([4, 4.0004, 12.341, 0.00123, 0.00051, 1234567].map(upward), [
    "4.00",
    "4.01",
    "12.4",
    "0.0013",
    "5.1e-4",
    "1.3e6",
  ]);
  assert.deepEqual([0, Infinity, null].map(upward), ["0", "∞", "–"]);
  assert.equal(upward(Math.fround(0.1)), "0.100");
});
