/** A person as the form holds them, and as a person file says it. No identity: a label, ages and weights only. */

import { sessions } from '../course.js';

export const SCALES = ['MADRS', 'HAM-D17', 'QIDS-SR16', 'PHQ-9', 'BDI'];
const LONGEST_WEEKS = 52;

/** What the form starts from: an example, to be replaced. `until` null: as far as the last score. */
export const EXAMPLE = {
  scores: [
    { day: 0, scale: 'MADRS', score: 34 },
    { day: 2, scale: 'MADRS', score: 15 },
    { day: 8, scale: 'MADRS', score: 11 },
    { day: 12, scale: 'PHQ-9', score: 5 },
    { day: 15, scale: 'MADRS', score: 8 },
  ],
  until: null,
  age: 44,
  weight: 75,
  sex: '',
  failed_trials: 3,
  scale: 'MADRS',
  weeks: 12,
  courses: [],
};

/** The settings of the view. @param {any} state of the store */
export function forecastSettings(state) {
  return { ...EXAMPLE, ...(state.forecast ?? {}) };
}

/** Last day of the history: as chosen, or that of the last score. @param {any} asked */
export function lastDay(asked) {
  const days = asked.scores.map((one) => Number(one.day)).filter(Number.isFinite);
  return asked.until ?? Math.max(1, ...days);
}

/**
 * Sessions of a course up to a day, one row each, as a person file has them.
 * @param {any} course
 * @param {number} until
 */
export function dosesGiven(course, until) {
  return sessions(course, LONGEST_WEEKS)
    .filter((one) => one.day <= until)
    .map((one) => ({
      day: one.day,
      drug: one.drug,
      route: one.route,
      ...(one.value === null ? {} : { dose: `${one.value} ${one.unit}` }),
      ...(one.minutes === null ? {} : { over: `${one.minutes} min` }),
    }));
}

/**
 * The person file of the form and of the course on screen, as far as it has been given.
 * @param {any} asked
 * @param {any} course
 */
export function personFile(asked, course) {
  const until = lastDay(asked);
  const written = (value) => value !== null && value !== '' && value !== undefined;
  return {
    person: 'A',
    ...(written(asked.age) && { age: Number(asked.age) }),
    ...(written(asked.weight) && { weight: `${asked.weight} kg` }),
    ...(asked.sex && { sex: asked.sex }),
    ...(written(asked.failed_trials) && { failed_trials: Number(asked.failed_trials) }),
    scale: asked.scale,
    until: Math.ceil(until),
    doses: dosesGiven(course, until),
    background: (course.background ?? []).filter((one) => (one.from_day ?? 1) <= until),
    therapy: (course.therapy ?? []).flatMap(({ days, ...one }) => days.filter((day) => day <= until).map((day) => ({ ...one, day }))),
    stress: (course.stress ?? []).filter((one) => one.day <= until),
    scores: asked.scores
      .filter((one) => written(one.day) && written(one.score))
      .sort((a, b) => a.day - b.day)
      .map((one) => ({ day: Number(one.day), scale: one.scale, score: Number(one.score) })),
  };
}
