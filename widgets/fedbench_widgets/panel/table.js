// @ts-check
/** The panel's traits as columns of numbers. */

/**
 * @typedef {object} Snapshot
 * @property {number} version
 * @property {number} run changes with every run and reset
 * @property {string} data name of the data set
 * @property {string} of which data
 * @property {string} state
 * @property {{name: string, label: string, percent: boolean, minimize?: boolean, help?: string}} metric
 * @property {number} rounds planned
 * @property {string[]} columns
 * @property {Record<string, string>} help what each column means
 * @property {number} points
 * @property {number | null} budget
 * @property {number | null} delta
 * @property {number | null} clip
 * @property {string | null} unit what ε protects: "client-level" or "example-level"
 * @property {string} promise what ε means and rests on
 * @property {boolean} personal clients use models of their own
 * @property {string} loss_label
 * @property {string} note
 * @property {{round: number, words: string}[]} amended what changed while the run went on, from which round
 * @property {{label: string, value: number}[]} naive what predictions without a model score
 * @property {string} target_unit of a number that is predicted, empty if it has none
 * @property {Levels} levels of pooled data and of clients alone, if they are wanted
 * @property {{rounds: number[], epsilon: number[]} | null} epsilon_plan to the end of the plan
 */
/** @typedef {{wanted: boolean, words: string, lines: {label: string, value: number}[]}} Levels */
/**
 * A pinned run; its columns are float32, little-endian.
 * @typedef {object} Pin
 * @property {string} id
 * @property {string} label
 * @property {string} color name of a theme colour
 * @property {string} metric
 * @property {string | null} unit
 * @property {number | null} delta
 * @property {Record<string, DataView>} columns
 */
/** @typedef {Omit<Pin, "columns"> & {columns: Record<string, Float32Array>}} Pinned */

/** Notebooks saved by earlier versions do not say it. @param {Snapshot["metric"]} metric */
export function minimizes(metric) {
  return metric.minimize ?? !metric.percent;
}

/** Whether a metric lies between 0 and 1. @param {{name: string, percent: boolean}} metric */
export function isShare(metric) {
  return metric.percent || metric.name === "auc";
}

/** A metric's name inside a sentence: "test accuracy", "test AUC". @param {{label: string}} metric */
export function inline({ label }) {
  return label.charAt(0).toLowerCase() + label.slice(1);
}

/** @type {Snapshot} */
const BLANK = {
  version: 0,
  run: 0,
  data: "",
  of: "",
  state: "idle",
  metric: { name: "accuracy", label: "Test accuracy", percent: true },
  rounds: 10,
  columns: [],
  help: {},
  points: 0,
  budget: null,
  delta: null,
  clip: null,
  unit: null,
  promise: "",
  personal: false,
  loss_label: "",
  note: "",
  amended: [],
  epsilon_plan: null,
  naive: [],
  target_unit: "",
  levels: { wanted: false, words: "", lines: [] },
};

export class Table {
  /**
   * @param {Partial<Snapshot> | null} snapshot
   * @param {DataView | null} series float32, little-endian, row-major
   * @param {Pin[] | null} [pins]
   */
  constructor(snapshot, series, pins = []) {
    /** @type {Snapshot} */
    this.info = { ...BLANK, ...snapshot };
    /** @type {Pinned[]} */
    this.pins = (pins ?? []).map((pin) => ({ ...pin, columns: columnsOf(pin) }));
    const wide = this.info.columns.length;
    const floats = series ? Math.floor(series.byteLength / 4) : 0;
    // the snapshot and its bytes travel as two traits: never read past the shorter one
    this.rows = wide === 0 ? 0 : Math.min(this.info.points, Math.floor(floats / wide));
    /** @type {Map<string, Float32Array>} */
    this.columns = new Map();
    this.info.columns.forEach((name, j) => {
      const values = new Float32Array(this.rows);
      for (let i = 0; series && i < this.rows; i += 1) {
        values[i] = series.getFloat32(4 * (i * wide + j), true);
      }
      this.columns.set(name, values);
    });
  }

  /**
   * A column that holds at least one number, else null.
   * @param {string} name
   * @returns {Float32Array | null}
   */
  column(name) {
    const values = this.columns.get(name);
    return values && (this.rows === 0 || values.some(Number.isFinite)) ? values : null;
  }

  /**
   * @param {string} name
   * @param {number} row
   */
  at(name, row) {
    return this.columns.get(name)?.[row] ?? NaN;
  }

  /**
   * The first row to which a change of the run's settings applies, -1 before there is one.
   * @param {number} round
   */
  turn(round) {
    return (this.columns.get("round") ?? new Float32Array(0)).findIndex((done) => done >= round);
  }

  /**
   * What changed last on the way to a row, in words; nothing before the first change.
   * @param {number} row
   */
  turned(row) {
    const before = this.info.amended.filter(({ round }) => round <= this.at("round", row));
    return before.slice(-1).map(({ words }) => words);
  }

  /**
   * The last number of a column.
   * @param {string} name
   */
  last(name) {
    const values = this.columns.get(name) ?? [];
    for (let i = values.length - 1; i >= 0; i -= 1)
      if (Number.isFinite(values[i])) return values[i];
    return NaN;
  }
}

/** @type {WeakMap<DataView, Float32Array>} columns stay the same while rounds go by */
const READ = new WeakMap();

/** @param {Pin} pin @returns {Record<string, Float32Array>} */
function columnsOf(pin) {
  return Object.fromEntries(
    Object.entries(pin.columns).map(([name, view]) => {
      const known = READ.get(view);
      if (known) return [name, known];
      const values = new Float32Array(view.byteLength / 4);
      for (let i = 0; i < values.length; i += 1) values[i] = view.getFloat32(4 * i, true);
      READ.set(view, values);
      return [name, values];
    }),
  );
}
