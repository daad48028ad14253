/** A trial as the form holds it, and as a trial file says it (docs/trials.md). */

/** Analyses by measure, the usual one first. */
export const ANALYSES = {
  change: ['mmrm', 'ancova'],
  response: ['risk-difference', 'logistic'],
  remission: ['risk-difference', 'logistic'],
  relapse: ['cox', 'log-rank', 'rmst'],
  'time-to-response': ['cox', 'log-rank', 'rmst'],
};
export const AT_ALL_VISITS = ['relapse', 'time-to-response'];
export const CONTROLS = {
  midazolam: 'midazolam',
  saline: 'saline',
  placebo: 'placebo',
  matched: 'the matched control',
  'waiting-list': 'a waiting list',
};
export const MOST_ARMS = 4; // as the server
const ON_SCREEN = 'course:on-screen';

/** What the form starts from: the shipped design `ketamine-midazolam`. `promised` null: not said. Shares are percent. */
export const START = {
  arms: [
    { name: 'ketamine', what: 'course:iv-single', n: 47 },
    { name: 'midazolam', what: 'control:midazolam', n: 25 },
  ],
  population: 'trd',
  mean: 33,
  sd: 5.5,
  entry: 22,
  visits: '4 h, 24 h, 2 d, 3 d, 7 d',
  patients: 'double-blind',
  raters: 'site',
  promised: null,
  at_random: 0,
  lack_of_effect: 0,
  side_effects: 0,
  missed_visits: 0,
  followed: false,
  measure: 'change',
  scale: 'MADRS',
  at: '24 h',
  analysis: 'ancova',
  replicates: 100,
};

/** Designs to begin from; each says what differs from `START`. */
export const DESIGNS = [
  { name: 'ketamine-midazolam', title: 'One infusion against midazolam', change: {} },
  {
    name: 'ketamine-saline',
    title: 'One infusion against saline',
    change: { arms: [START.arms[0], { name: 'saline', what: 'control:saline', n: 25 }] },
  },
  {
    name: 'ketamine-masked',
    title: 'Against saline, perfectly masked',
    change: { arms: [START.arms[0], { name: 'saline', what: 'control:saline', n: 25 }], patients: 'masked' },
  },
  {
    name: 'six-infusions-midazolam',
    title: 'Six infusions against six of midazolam',
    change: {
      arms: [
        { name: 'ketamine', what: 'course:iv-induction', n: 90 },
        { name: 'midazolam', what: 'control:midazolam', n: 90 },
      ],
      visits: '24 h, 3 d, 5 d, 8 d, 10 d, 12 d, 19 d, 26 d, 40 d',
      raters: 'remote',
      at: '12 d',
      analysis: 'mmrm',
      at_random: 2,
    },
  },
];

/** The settings of the view. @param {any} state of the store */
export function trialSettings(state) {
  return { ...START, ...(state.trial ?? {}) };
}

/** "4 h, 24 h" -> ["4 h", "24 h"]. @param {string} text @returns {string[]} */
export function visitList(text) {
  return text
    .split(/[,;]/)
    .map((one) => one.trim().replace(/^([\d.]+)\s*/, '$1 '))
    .filter(Boolean);
}

/** What an arm may get, by group. @param {any} about @param {boolean} first whether it is the first arm, which has no control */
export function choices(about, first) {
  const courses = [
    [ON_SCREEN, 'the course on screen'],
    ...about.presets.map((one) => [`course:${one.name ?? one.course}`, one.title || one.course]),
  ];
  const controls = Object.entries(CONTROLS).map(([name, title]) => [`control:${name}`, `${title} instead`]);
  return first
    ? [['Courses', courses]]
    : [
        ['In place of the first arm’s treatment', controls],
        ['Courses', courses],
      ];
}

/**
 * The trial file.
 * @param {any} asked
 * @param {any} course on screen in Explore
 */
export function trialFile(asked, course) {
  const arms = asked.arms.map(({ name, what, n }) => {
    const [kind, value] = what.split(/:(.*)/);
    return { name, [kind]: what === ON_SCREEN ? course : value, n };
  });
  const visits = visitList(asked.visits);
  const timed = AT_ALL_VISITS.includes(asked.measure) ? {} : { at: asked.at };
  const primary = { measure: asked.measure, scale: asked.scale, ...timed, analysis: asked.analysis };
  const second = asked.measure === 'change' ? [{ measure: 'response', scale: asked.scale, at: asked.at }] : [];
  const leaving = {
    at_random: asked.at_random / 100,
    followed: asked.followed,
    ...(asked.lack_of_effect > 0 && { lack_of_effect: { if: 'improvement(MADRS) < 10 %', chance: asked.lack_of_effect / 100 } }),
    ...(asked.side_effects > 0 && { side_effects: { cadss: 40, chance: asked.side_effects / 100 } }),
  };
  return {
    trial: 'my-trial',
    title: asked.arms.map((one) => `${one.n} ${one.name}`).join(' against '),
    population: { from: asked.population, madrs: { mean: asked.mean, sd: asked.sd }, entry: `MADRS >= ${asked.entry}`, source: 'assumed' },
    arms,
    blinding: {
      patients: asked.patients,
      raters: asked.raters,
      ...(asked.promised !== null && { promised: asked.promised / 100 }),
      asked: [visits.includes(asked.at) ? asked.at : visits[0]].filter(Boolean),
    },
    visits,
    missed_visits: asked.missed_visits / 100,
    leaving,
    endpoints: [primary, ...second],
  };
}
