/**
 * The six steps of the story. Words and scenes only; every number in an answer is read from the run on screen.
 *
 * A step has `scene(about)` {scenario, clock_h, window_h}, where to look (`panels` and `look`), a question with things to
 * `tries` [{label, change(state, about)}], and `reading(run, state, about)`, the numbers that answer it:
 * [{label, value, range}]. Where what is tried is not a scenario, `named(state)` says which of the tries it is.
 */

import { isStatic } from '../api.js';
import { valueAt } from '../axis.js';
import { changed, published, sessions, withSessions } from '../course.js';
import { interval, number, percent, span, unitWord } from '../format.js';
import { DESIGNS } from './trial_design.js';

const DAY = 24;
const WEEK = 168;
const WAITS = [
  ['4 hours', 4],
  ['1 day', DAY],
  ['4 days', 4 * DAY],
  ['2 weeks', 2 * WEEK],
];
const DIFFERENCE = '[data-testid="panel"][data-name="difference"]';
const [WHO, VERSUS] = ['.area-course .part:nth-child(2)', '.area-course .part:nth-child(3)'];
const PART = (key) => `[data-testid="chain-part"][data-key="${key}"]`;

const preset = (about, name) => about.presets.find((one) => one.course === name);
const scene = (about, name, more = {}) => ({
  ...about.default,
  course: preset(about, name),
  versus: null,
  variant: null,
  who: { ...about.default.who, kind: 'population' },
  ...more,
});
const panelOf = (about, key) => about.chain.find((one) => one.key === key).quantity;
const mood = (about) => panelOf(about, 'mood');

/**
 * @typedef {Object} Step
 * @property {string} title
 * @property {(about: any) => string} text
 * @property {string[]} panels links of the chain whose panels are shown
 * @property {string[]} look selectors of what else to look at
 * @property {(about: any) => any} scene
 * @property {string} question
 * @property {{label: string, change: (state: any, about: any) => any}[]} tries
 * @property {(run: any, state: any, about: any) => {label: string, value: string, range: string}[]} reading
 * @property {(state: any) => string} [named]
 * @property {(about: any) => string} [more]
 */

/** @type {Step[]} */
export const STEPS = [
  {
    title: 'What the dose does in an hour',
    text: () =>
      'One infusion, the clock on its first hours. Ketamine reaches the brain within minutes and blocks NMDA receptors. Glutamate surges, and for about two hours people feel unlike themselves while their blood pressure rises: this part needs somebody who watches. Press play, or drag the clock, and see which parts of the chain light up first.',
    scene: (about) => ({ scenario: scene(about, 'iv-single', { weeks: 2 }), clock_h: 40 / 60, window_h: [0, 6] }),
    panels: ['plasma', 'receptor', 'glutamate'],
    look: [PART('plasma'), PART('receptor'), PART('glutamate'), '[data-testid="play"]'],
    question: 'What if it were swallowed, or sprayed into the nose?',
    tries: [
      ['infusion', 'iv'],
      ['by mouth', 'oral'],
      ['under the tongue', 'sublingual'],
      ['atomiser in the nose', 'nasal-atomiser'],
    ].map(([label, route]) => ({ label, change: (state, about) => ({ scenario: byRoute(about, state.scenario, route) }) })),
    reading: (run, state, about) => {
      const band = run.panels[panelOf(about, 'plasma')];
      const top = band.median.indexOf(Math.max(...band.median));
      return [
        {
          label: 'highest in blood',
          value: `${number(band.median[top], 2)} ng/mL, after ${span(run.time_h[top])}`,
          range: `${interval(band.lo90[top], band.hi90[top])} in 9 of 10 people`,
        },
        ...run.safety
          .filter((one) => ['cadss', 'systolic'].includes(one.key))
          .map((one) => ({
            label: lower(one.label),
            value: `${number(one.value, 2)} ${one.unit}`,
            range: `1 person in 20 above ${number(one.p95, 2)}`,
          })),
      ];
    },
  },
  {
    title: 'Why the effect outlasts the drug',
    text: () =>
      'The drug is soon gone, the effect is not. In the model the surge of glutamate makes synapses stronger at once, and hope does its part: that is the first day. It also starts a slower relay, BDNF, then new spines, the mood circuit and what people believe, which holds what is left in the weeks after. Much of this relay is read off animals.',
    scene: (about) => ({ scenario: scene(about, 'iv-single', { weeks: 4 }), clock_h: 4, window_h: [0, 2 * WEEK] }),
    named: (state) => WAITS.find(([, clock_h]) => clock_h === state.clock_h)?.[0] ?? 'where the clock stands',
    panels: ['plasma', 'synapses', 'mood'],
    look: [PART('bdnf'), PART('synapses'), PART('network'), '[data-testid="clock"]'],
    question: 'What if you wait? How much is left of each?',
    tries: WAITS.map(([label, clock_h]) => ({ label, change: () => ({ clock_h }) })),
    reading: (run, state, about) => {
      const at = (key) => run.chain[key] && valueAt(run.time_h, run.chain[key], state.clock_h);
      const row = (key) => ({
        label: lower(about.chain.find((one) => one.key === key).title),
        value: percent(at(key)),
        range: `of its own largest, after ${span(state.clock_h)}`,
      });
      return ['plasma', 'synapses', 'mood'].map(row);
    },
  },
  {
    title: 'Why people differ',
    text: () =>
      'The line is the median of many virtual people; hardly anybody follows it. Weight and liver decide how much reaches the brain, circuits differ in how they answer, moods swing by themselves, and severity at the start sets how far there is to fall. The band shows nine in ten of them, with what the calibration leaves open. An average is not a promise.',
    scene: (about) => ({ scenario: scene(about, 'iv-single', { weeks: 4 }), clock_h: DAY, window_h: [0, 4 * WEEK] }),
    panels: ['mood'],
    look: ['[data-testid="numbers"]', WHO],
    question: 'What if you draw one person, and then another?',
    tries: [
      { label: 'everybody', change: (state) => who(state, { kind: 'population' }) },
      { label: 'one person', change: (state) => who(state, { kind: 'person', number: 0, failed_trials: 3 }) },
      {
        label: 'another like this',
        change: (state) => who(state, { kind: 'person', number: ((state.scenario.who.number ?? 0) + 1) % 200 }),
      },
    ],
    reading: (run, state, about) => {
      const band = run.panels[mood(about)];
      const at = (values) => valueAt(run.time_h, values, DAY);
      const others = {
        label: band.one ? 'people like this one' : 'MADRS after a day',
        value: `${number(at(band.median), 2)} points`,
        range: `${interval(at(band.lo90), at(band.hi90))} in 9 of 10`,
      };
      return band.one
        ? [
            {
              label: 'this person, MADRS after a day',
              value: `${number(at(band.one), 2)} points`,
              range: `from ${number(band.one[0], 2)}`,
            },
            others,
          ]
        : [others];
    },
  },
  {
    title: 'Why blinded trials shrink the effect',
    text: () =>
      'People notice ketamine, and who notices it expects more: part of what follows is the expectation. A control takes off what time, care and hope do by themselves. Saline cannot be felt, so people know; midazolam can, so fewer do, and the difference is smaller. In one small trial under anaesthesia nobody could feel anything, and the groups did not differ clearly (Lii 2023).',
    scene: (about) => ({
      scenario: scene(about, 'iv-single', { weeks: 2, versus: 'midazolam-single' }),
      clock_h: DAY,
      window_h: [0, 2 * WEEK],
    }),
    panels: ['mood'],
    look: [DIFFERENCE, VERSUS],
    question: 'What if the control were saline, or no control at all?',
    tries: [
      ['midazolam', 'midazolam-single'],
      ['saline', 'saline-single'],
      ['none', null],
    ]
      .map(([label, versus]) => ({ label, change: (state) => ({ scenario: { ...state.scenario, versus } }) }))
      .concat(
        isStatic ? [] : [{ label: 'run such a trial, masked', change: () => ({ story: null, view: 'trial', trial: maskedTrial() }) }],
      ),
    reading: (run, state, about) => [effectOn(run, about)],
  },
  {
    title: 'Why boosters',
    text: () =>
      'Six infusions in two weeks lift mood, and then it sinks: what the drug set off decays, and stress and old beliefs pull back. A booster sets it off again before the fall. Each costs a day, another rise of blood pressure and more ketamine, and what years of it do to bladder, memory and dependence is not in this picture.',
    scene: (about) => ({ scenario: scene(about, 'iv-induction', { weeks: 16 }), clock_h: 6 * WEEK, window_h: [0, 16 * WEEK] }),
    panels: ['mood'],
    look: ['.area-time', '[data-testid="numbers"]'],
    question: 'What if boosters follow?',
    tries: [
      ['none', 0],
      ['every 2 weeks', 14],
      ['every week', 7],
    ].map(([label, every]) => ({ label, change: (state, about) => ({ scenario: { ...state.scenario, course: boosted(about, every) } }) })),
    reading: (run, state, about) => {
      const band = run.panels[mood(about)];
      const mean = (values) =>
        values.reduce((sum, value, k) => sum + (k ? ((value + values[k - 1]) / 2) * (run.time_h[k] - run.time_h[k - 1]) : 0), 0) /
        run.time_h[values.length - 1];
      return [
        {
          label: `MADRS, mean over ${state.scenario.weeks} weeks`,
          value: `${number(mean(band.median), 2)} points`,
          range: `${interval(mean(band.lo90), mean(band.hi90))}: edges of the middle 90 %`,
        },
        { label: 'infusions', value: String(run.doses.length), range: '' },
        relapse(run),
      ];
    },
  },
  {
    title: 'What we do not know',
    text: (about) =>
      `Of ${about.parameters.total} numbers in this model ${about.parameters.assumed} are assumed. The largest doubt is the drug itself: a rival model, in which ketamine does nothing but let people notice it, was fitted to the same trials. Put it in the place of the drug and see what stays of the difference. Trials in which nobody can feel what they got could settle it; there are few.`,
    scene: (about) => ({
      scenario: scene(about, 'iv-single', { weeks: 2, versus: 'midazolam-single' }),
      clock_h: DAY,
      window_h: [0, 2 * WEEK],
    }),
    panels: ['synapses', 'mood'],
    look: [DIFFERENCE],
    question: 'What if the drug does nothing but reveal itself?',
    tries: [
      ['the model', null],
      ['the inert rival', 'inert'],
    ].map(([label, variant]) => ({ label, change: (state) => ({ scenario: { ...state.scenario, variant } }) })),
    reading: (run, state, about) => [effectOn(run, about)],
    more: (about) => about.drug_share,
  },
];

function effectOn(run, about) {
  const name = mood(about);
  const at = (values) => valueAt(run.time_h, values, DAY);
  if (!run.versus) {
    const band = run.panels[name];
    return {
      label: 'MADRS after a day, against the start',
      value: `${number(at(band.median) - band.median[0], 2)} points`,
      range: 'no control: everything is in it',
    };
  }
  const band = run.versus.difference[name];
  return {
    label: 'MADRS after a day, minus that under the control',
    value: `${number(at(band.median), 2)} points`,
    range: `${interval(at(band.lo90), at(band.hi90))} in 9 of 10 people`,
  };
}

function relapse(run) {
  const one = run.numbers.find((found) => found.key.startsWith('relapse'));
  return {
    label: lower(one.label).replace('median days', 'median'),
    value: one.value === null ? 'not reached' : `${number(one.value, 2)} ${unitWord(one.unit)}`,
    range: one.value === null ? '' : interval(one.lo90, one.hi90),
  };
}

/** A label inside a sentence: "Dissociation (CADSS)" -> "dissociation (CADSS)". */
function lower(label) {
  return label.charAt(0).toLowerCase() + label.slice(1);
}

function who(state, patch) {
  return { scenario: { ...state.scenario, who: { ...state.scenario.who, ...patch } } };
}

function byRoute(about, scenario, route) {
  const course = preset(about, 'iv-single');
  return { ...scenario, course: route === 'iv' ? course : changed(withSessions(course, [published(about, 'ketamine', route, 1)])) };
}

function boosted(about, every) {
  const course = preset(about, 'iv-induction');
  if (!every) return course;
  const list = sessions(course, 16);
  const last = list[list.length - 1];
  const more = Array.from({ length: Math.floor((16 * 7 - last.day - 1) / every) }, (_, k) => ({
    ...last,
    day: last.day + (k + 1) * every,
  }));
  return changed(withSessions(course, [...list, ...more]));
}

function maskedTrial() {
  return DESIGNS.find((one) => one.name === 'ketamine-masked').change;
}
