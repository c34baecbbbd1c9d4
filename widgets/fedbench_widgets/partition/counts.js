// @ts-check
/**
 * A partition as counts, clients × classes row-major, and what a hand can do to it.
 *
 * Every function returns new counts; a client always keeps one sample, and none is lost or made.
 */

/**
 * @typedef {object} Counts
 * @property {Uint32Array} values
 * @property {number} clients
 * @property {number} classes
 */

/** @param {Counts} of @param {number} client */
export function size(of, client) {
  let total = 0;
  for (let k = 0; k < of.classes; k += 1) total += of.values[client * of.classes + k];
  return total;
}

/**
 * How many of `wanted` samples of a class a client can give: it keeps one sample of any class.
 * @param {Counts} of @param {number} client @param {number} row @param {number} wanted
 */
export function spare(of, client, row, wanted) {
  const held = of.values[client * of.classes + row];
  return Math.max(0, Math.min(wanted, held, size(of, client) - 1));
}

/**
 * Hand samples of one class from a client to another.
 * @param {Counts} of @param {number} row @param {number} from @param {number} to
 * @param {number} wanted
 * @returns {Counts}
 */
export function move(of, row, from, to, wanted) {
  const values = of.values.slice();
  const count = from === to ? 0 : spare(of, from, row, wanted);
  values[from * of.classes + row] -= count;
  values[to * of.classes + row] += count;
  return { ...of, values };
}

/**
 * Give a client `by` samples of a class, each from whoever else holds most of it then; a negative
 * `by` hands them to those instead.
 * @param {Counts} of @param {number} client @param {number} row @param {number} by
 * @returns {Counts}
 */
export function nudge(of, client, row, by) {
  let now = of;
  for (let i = 0; i < Math.abs(by); i += 1) {
    const other = most(now, row, client, by > 0);
    if (other < 0) return now;
    const [from, to] = by > 0 ? [other, client] : [client, other];
    if (spare(now, from, row, 1) === 0) return now;
    now = move(now, row, from, to, 1);
  }
  return now;
}

/**
 * A new client, last, with the share of each class that a fair deal would give it, taken one by
 * one from whoever then holds most.
 * @param {Counts} of
 * @returns {Counts}
 */
export function add(of) {
  const wanted = Array.from({ length: of.classes }, (_, row) => fair(of, row));
  const values = new Uint32Array((of.clients + 1) * of.classes);
  values.set(of.values);
  const made = { ...of, values, clients: of.clients + 1 };
  const sizes = Array.from({ length: of.clients }, (_, client) => size(of, client));
  const take = (/** @type {number} */ row) => {
    let giver = -1;
    for (let client = 0; client < of.clients; client += 1) {
      const held = values[client * of.classes + row];
      if (held === 0 || sizes[client] < 2) continue;
      if (giver < 0 || held > values[giver * of.classes + row]) giver = client;
    }
    if (giver < 0) return false;
    values[giver * of.classes + row] -= 1;
    sizes[giver] -= 1;
    values[of.clients * of.classes + row] += 1;
    return true;
  };
  wanted.forEach((count, row) => {
    for (let i = 0; i < count && take(row); i += 1);
  });
  // few samples: one of any class, or there is nothing to part with
  for (let row = 0; row < of.classes && size(made, of.clients) === 0; row += 1) take(row);
  return size(made, of.clients) === 0 ? of : made;
}

/** @param {Counts} of @param {number} row */
function fair(of, row) {
  let total = 0;
  for (let client = 0; client < of.clients; client += 1) {
    total += of.values[client * of.classes + row];
  }
  return Math.round(total / (of.clients + 1));
}

/**
 * Without one client; its samples go to the others in proportion to what they hold of the class,
 * evenly where nobody else holds any.
 * @param {Counts} of @param {number} client
 * @returns {Counts}
 */
export function remove(of, client) {
  if (of.clients < 2) return of;
  const start = client * of.classes;
  const values = new Uint32Array((of.clients - 1) * of.classes);
  values.set(of.values.subarray(0, start));
  values.set(of.values.subarray(start + of.classes), start);
  const left = of.clients - 1;
  for (let row = 0; row < of.classes; row += 1) {
    const held = Array.from({ length: left }, (_, other) => values[other * of.classes + row]);
    shares(of.values[start + row], held).forEach((count, other) => {
      values[other * of.classes + row] += count;
    });
  }
  return { ...of, values, clients: left };
}

/**
 * Share `count` out in proportion to `weights` by largest remainders.
 * @param {number} count
 * @param {number[]} weights
 */
export function shares(count, weights) {
  const total = weights.reduce((sum, each) => sum + each, 0);
  const exact = weights.map((each) => (count * (total ? each : 1)) / (total || weights.length));
  const whole = exact.map(Math.floor);
  const rest = count - whole.reduce((sum, each) => sum + each, 0);
  const order = exact.map((_, i) => i).sort((a, b) => exact[b] - whole[b] - (exact[a] - whole[a]));
  for (const i of order.slice(0, rest)) whole[i] += 1;
  return whole;
}

/** @param {Counts} of @param {number} row @param {number} but @param {boolean} giver */
function most(of, row, but, giver) {
  let found = -1;
  for (let client = 0; client < of.clients; client += 1) {
    if (client === but || (giver && spare(of, client, row, 1) === 0)) continue;
    const held = of.values[client * of.classes + row];
    if (found < 0 || held > of.values[found * of.classes + row]) found = client;
  }
  return found;
}

/**
 * The mean over clients of the Jensen–Shannon distance from the federation's mix of classes, the
 * square root of the divergence to base 2; the kernel's own formula.
 * @param {Counts} of
 */
export function distance(of) {
  const { values, clients, classes } = of;
  const mix = new Float64Array(classes);
  values.forEach((count, i) => (mix[i % classes] += count));
  const total = mix.reduce((sum, each) => sum + each, 0);
  let sum = 0;
  for (let client = 0; client < clients; client += 1) {
    const all = size(of, client);
    let divergence = 0;
    for (let row = 0; row < classes && all > 0; row += 1) {
      const own = values[client * classes + row] / all;
      const whole = mix[row] / total;
      const middle = (own + whole) / 2;
      if (own > 0) divergence += (own * Math.log2(own / middle)) / 2;
      if (whole > 0) divergence += (whole * Math.log2(whole / middle)) / 2;
    }
    sum += Math.sqrt(Math.max(0, divergence));
  }
  return clients ? sum / clients : 0;
}

/**
 * The kernel's sentence about a partition, while a hand is changing it.
 * @param {Counts} of
 * @param {string} kind what the rows are called
 */
export function sentence(of, kind) {
  const sizes = Array.from({ length: of.clients }, (_, client) => size(of, client));
  const known = Array.from({ length: of.clients }, (_, client) => {
    const own = of.values.subarray(client * of.classes, (client + 1) * of.classes);
    return own.filter((count) => count > 0).length;
  }).sort((a, b) => a - b);
  const half = (known.length - 1) / 2;
  const typical = Math.floor((known[Math.floor(half)] + known[Math.ceil(half)]) / 2);
  const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
  const each = least === most ? `${least}` : `${least} to ${most}`;
  return (
    `${each} training samples per client; label distance ` +
    `${distance(of).toFixed(2)} (Jensen–Shannon, 0 is even). A typical client holds ${typical} of ` +
    `${of.classes} ${kind}.`
  );
}
