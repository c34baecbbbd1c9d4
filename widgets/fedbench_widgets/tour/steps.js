// @ts-check
/** The guided first run as data: five steps, each a few phases that the page's own state ends. */

/**
 * What the page knows of itself, when a step begins and now.
 * @typedef {object} Facts
 * @property {string} state of the run
 * @property {number} round
 * @property {number} runs that have ended
 * @property {number | null} ended the number of the run on show if it has ended
 * @property {Settings} form what is set
 * @property {Settings} ran what the run on show was given
 * @property {boolean} band clients have test rows of their own
 * @property {number} read how often values were read off the accuracy chart
 * @property {string} tab
 */
/** @typedef {{alpha: number | null, epsilon: number | null, private: boolean}} Settings */
/**
 * @typedef {object} Phase
 * @property {(now: Facts) => string} words
 * @property {(now: Facts) => string} target what is pointed at, a key of TARGETS
 * @property {(before: Facts, now: Facts) => boolean} met whether the person has done it
 */
/** @typedef {{title: string, phases: Phase[]}} Step */

/** Where the page has them, below the workbench's root. */
export const TARGETS = {
  start: ".fb-buttons .fb-primary",
  accuracy: ".fb-chart:has(svg[data-chart=accuracy])",
  partition: ".fb-at-partition",
  alpha: ".fb-at-partition-alpha",
  privacy: ".fb-at-privacy",
  epsilon: ".fb-at-privacy-epsilon",
  frontier: '[role=tab][id^="fb-frontier"]',
  code: '[role=tab][id^="fb-code"]',
};

const ASKED = 1; // the ε of the fourth step

const going = (/** @type {Facts} */ { state }) => ["running", "paused", "stopping"].includes(state);
const ended = (/** @type {Facts} */ before, /** @type {Facts} */ now) =>
  now.ended !== null && now.ended !== before.ended;
const startOrChart = (/** @type {Facts} */ now) => (going(now) ? "accuracy" : "start");
const asked = (/** @type {Settings} */ { epsilon }) => epsilon !== null && epsilon <= ASKED;

/** @type {Step[]} */
export const STEPS = [
  {
    title: "Press Start and watch",
    phases: [
      {
        words: () =>
          "Clients train on their own data; the server averages their updates. Press Start.",
        target: () => "start",
        met: (before, now) => going(now) || ended(before, now),
      },
      {
        words: () =>
          "Each round adds a point: how often the model is right on held-out rows, which no client trained on.",
        target: () => "accuracy",
        met: ended,
      },
    ],
  },
  {
    title: "Look behind the average",
    phases: [
      {
        words: () => "There are no rounds yet. Press Start.",
        target: startOrChart,
        met: (_, now) => now.round > 0,
      },
      {
        words: ({ band }) =>
          (band
            ? "The line is the average; the band covers the clients from the 10th to the 90th " +
              "percentile. Its lower edge shows the clients the average hides."
            : "The line is the average over all test rows; here clients have no test rows of their own.") +
          " Point at a few rounds, or focus the chart and press the arrow keys.",
        target: () => "accuracy",
        met: (before, now) => now.read > before.read,
      },
    ],
  },
  {
    title: "Make the clients less alike",
    phases: [
      {
        words: () => "Choose the partition “By label (Dirichlet)”: its α sets how alike clients are.",
        target: () => "partition",
        met: (_, now) => now.form.alpha !== null,
      },
      {
        words: () =>
          "α sets how evenly classes are spread; lower it, to 0.1 for example, and clients keep fewer " +
          "classes, as the map below shows.",
        target: () => "alpha",
        met: (before, now) =>
          now.form.alpha !== null &&
          (before.form.alpha === null || now.form.alpha < before.form.alpha),
      },
      {
        words: (now) =>
          going(now)
            ? "The same model with less similar clients: watch the line and the band."
            : "Now press Start again.",
        target: startOrChart,
        met: (before, now) => ended(before, now) && now.ran.alpha === now.form.alpha,
      },
    ],
  },
  {
    title: "Ask for stronger privacy",
    phases: [
      {
        words: () => "Nothing is protected yet: choose Client-level DP as the privacy.",
        target: () => "privacy",
        met: (_, now) => now.form.private,
      },
      {
        words: () =>
          `ε bounds what anyone can learn about one client. Set ε = ${ASKED}: a line further ` +
          "down shows the noise z that this needs.",
        target: () => "epsilon",
        met: (_, now) => asked(now.form),
      },
      {
        words: (now) =>
          going(now)
            ? "More noise on every update: what does it cost in accuracy?"
            : "Now press Start again.",
        target: startOrChart,
        met: (before, now) => ended(before, now) && asked(now.ran),
      },
    ],
  },
  {
    title: "Compare, then export",
    phases: [
      {
        words: () => "There is no run to compare yet. Press Start.",
        target: startOrChart,
        met: (_, now) => now.runs > 0 || now.round > 0,
      },
      {
        words: ({ runs }) =>
          `${runs > 1 ? "Your runs are now points" : "Your run is now a point"} on a chart. Open Privacy–utility.`,
        target: () => "frontier",
        met: (_, now) => ["frontier", "code"].includes(now.tab),
      },
      {
        words: () =>
          "Further left is more private, further up more accurate; click a point to load its " +
          "settings. To export the experiment, open Code.",
        target: () => "code",
        met: (_, now) => now.tab === "code",
      },
      {
        words: () =>
          "This is the experiment as Python and as a file: copy it, run it anywhere. That was the " +
          "tour.",
        target: () => "code",
        met: () => false,
      },
    ],
  },
];

/**
 * The phase of a step that is to be done, or null if the person has done them all.
 * @param {Step} step
 * @param {Facts} before when the step began
 * @param {Facts} now
 * @returns {Phase | null}
 */
export function phase(step, before, now) {
  return step.phases.find(({ met }) => !met(before, now)) ?? null;
}
