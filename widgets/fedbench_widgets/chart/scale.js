// @ts-check
/** Scales, nice ticks and the numbers beside them. Pure: runs in node and in the browser. */

/** @typedef {{(value: number): number, domain: [number, number], invert: (pixel: number) => number}} Scale */

/**
 * @param {[number, number]} domain
 * @param {[number, number]} range pixels
 * @returns {Scale}
 */
export function linear(domain, range) {
  const [low, high] = domain;
  const span = high - low || 1;
  const slope = (range[1] - range[0]) / span;
  return Object.assign((/** @type {number} */ value) => range[0] + (value - low) * slope, {
    domain,
    invert: (/** @type {number} */ pixel) => low + (pixel - range[0]) / (slope || 1),
  });
}

/**
 * @param {[number, number]} domain both ends positive
 * @param {[number, number]} range pixels
 * @returns {Scale}
 */
export function log(domain, range) {
  if (!(domain[0] > 0 && domain[1] > 0)) throw new RangeError("a log axis needs positive ends");
  const inner = linear([Math.log(domain[0]), Math.log(domain[1])], range);
  return Object.assign((/** @type {number} */ value) => inner(Math.log(value)), {
    domain,
    invert: (/** @type {number} */ pixel) => Math.exp(inner.invert(pixel)),
  });
}

/**
 * Where a value lies, or the end of the axis that is nearer to it.
 * @param {Scale} scale
 * @param {number} value
 */
export function within(scale, value) {
  const [low, high] = scale.domain;
  return scale(Math.max(low, Math.min(high, value)));
}

/**
 * As exact as anybody sees, and short in a path: tenths of a pixel.
 * @param {number} value
 */
export function pixel(value) {
  return Math.round(value * 10) / 10;
}

/**
 * The step 1, 2, 2.5 or 5 times a power of ten that gives at most about `count` steps.
 * @param {number} span
 * @param {number} count
 * @param {boolean} [whole] no steps below one
 */
export function step(span, count, whole = false) {
  const raw = span / Math.max(1, count);
  if (!(raw > 0) || !Number.isFinite(raw)) return 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const fits = (/** @type {number} */ factor) =>
    factor * power >= raw * 0.999 && !(whole && (factor * power) % 1 > 0);
  const found = [1, 2, 2.5, 5, 10].find(fits) ?? 10;
  return whole ? Math.max(1, found * power) : found * power;
}

/**
 * Multiples of a nice step inside [low, high].
 * @param {number} low
 * @param {number} high
 * @param {number} [count]
 * @param {boolean} [whole]
 * @returns {number[]}
 */
export function ticks(low, high, count = 5, whole = false) {
  if (!(high > low)) return [low];
  const width = step(high - low, count, whole);
  const first = Math.ceil(low / width - 1e-9);
  const last = Math.floor(high / width + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => tidy((first + i) * width));
}

/**
 * The smallest range with nice ends that holds [low, high].
 * @param {number} low
 * @param {number} high
 * @param {number} [count]
 * @returns {[number, number]}
 */
export function nice(low, high, count = 5) {
  if (!(high > low)) return low === 0 ? [0, 1] : [Math.min(0, low), Math.max(0, low)];
  const width = step(high - low, count);
  return [
    tidy(Math.floor(low / width + 1e-9) * width),
    tidy(Math.ceil(high / width - 1e-9) * width),
  ];
}

/**
 * Ticks of a log axis: doublings while they fit, else 1-2-5, 1-3 or whole decades.
 * @param {number} low positive
 * @param {number} high
 * @param {number} [count]
 * @returns {number[]}
 */
export function logTicks(low, high, count = 7) {
  const first = Math.ceil(Math.log2(low) - 1e-9);
  const last = Math.floor(Math.log2(high) + 1e-9);
  if (last > first && last - first < count && high < 1000 && low > 0.01) {
    return Array.from({ length: last - first + 1 }, (_, i) => 2 ** (first + i));
  }
  for (const factors of [[1, 2, 5], [1, 3], [1]]) {
    const found = [];
    for (
      let power = Math.floor(Math.log10(low));
      power <= Math.ceil(Math.log10(high));
      power += 1
    ) {
      for (const factor of factors) {
        const value = tidy(factor * 10 ** power);
        if (value >= low * 0.999 && value <= high * 1.001) found.push(value);
      }
    }
    if (found.length <= count || factors.length === 1) return found;
  }
  return [];
}

/**
 * Drop the dust that binary fractions leave behind: 0.30000000000000004 becomes 0.3.
 * @param {number} value
 */
function tidy(value) {
  return Number(value.toPrecision(12));
}

/**
 * A number for people: about `digits` significant digits, no exponent in everyday ranges.
 * @param {number | null | undefined} value
 * @param {number} [digits]
 */
export function number(value, digits = 3) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) {
    return power(value);
  }
  const places = size === 0 ? 0 : Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
  return value.toFixed(Math.min(places, 4)).replace("-", "−");
}

/**
 * An ε as `number` writes it, but rounded up: never less than it is.
 * @param {number | null | undefined} value
 */
export function upward(value) {
  if (value === null || value === undefined || !Number.isFinite(value) || value <= 0) {
    return number(value);
  }
  const exponent = Math.floor(Math.log10(value));
  const places = value < 1e-3 || value >= 1e6 ? 1 - exponent : Math.min(2 - exponent, 4);
  const unit = 10 ** -places;
  // what binary fractions add to a decimal one is no reason for another digit
  return number(tidy(Math.ceil((value / unit) * (1 - 1e-7)) * unit));
}

/**
 * With an exponent, as δ is written: 1e-5.
 * @param {number} value
 */
export function power(value) {
  return value.toExponential(1).replace(".0e", "e").replace("e+", "e");
}

/**
 * The shortest text for an axis tick.
 * @param {number} value
 */
export function tick(value) {
  const size = Math.abs(value);
  // as many digits as the tick has: 1.25e10 must not read 1.3e10
  if (size >= 1e9) return tidy(value).toExponential().replace("e+", "e").replace("-", "−");
  if (size >= 1e6) return `${tidy(value / 1e6)}M`;
  if (size >= 1e4) return `${tidy(value / 1e3)}k`;
  return String(tidy(value)).replace("-", "−");
}

/**
 * A share as the shortest text for an axis tick: 92.5%, not 93%.
 * @param {number} value
 */
export function percentTick(value) {
  return `${tick(100 * value)}%`;
}

/**
 * @param {number} value a fraction
 * @param {number} [places]
 */
export function percent(value, places = 1) {
  return Number.isFinite(value) ? `${(100 * value).toFixed(places)}%` : "–";
}

/**
 * @param {number} count
 * @returns {[string, string]} number and unit
 */
export function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  let value = count;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return [unit === 0 ? String(value) : value.toFixed(value < 10 ? 1 : 0), units[unit]];
}

/**
 * @param {number} seconds
 * @returns {string}
 */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
