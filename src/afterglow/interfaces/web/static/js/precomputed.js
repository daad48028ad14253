/** Which of the precomputed scenarios is the one asked for, or nearest to it. */

import { presetOf, sessions, sizeOf } from './course.js';

/**
 * @param {Object[]} entries of data/index.json
 * @param {Object} scenario
 * @returns {{entry: Object, exact: boolean}}
 */
export function nearest(entries, scenario) {
  const found = entries.find((one) => same(used(one.scenario), used(scenario)));
  if (found) return { entry: found, exact: true };
  const far = entries.map((one) => distance(one, scenario));
  return { entry: entries[far.indexOf(Math.min(...far))], exact: false };
}

function distance(entry, scenario) {
  const { course } = scenario;
  const mine = entry.scenario;
  const other = (a, b, weight) => (same(a, b) ? 0 : weight);
  const size = sizeOf(course) ?? 0;
  return (
    (entry.preset === presetOf(course) ? 0 : 1000) +
    (100 * Math.abs((sizeOf(mine.course) ?? 0) - size)) / Math.max(size, 1e-9) +
    10 * Math.abs(sessions(mine.course, mine.weeks).length - sessions(course, scenario.weeks).length) +
    other(asked(mine.who), asked(scenario.who), 40) +
    other(mine.versus, scenario.versus, 20) +
    other(mine.variant, scenario.variant, 10) +
    Math.abs(mine.weeks - scenario.weeks) / 10
  );
}

/** Whether two pieces of data say the same. */
export const same = (a, b) => canonical(a) === canonical(b);

/** A scenario without the fields of `who` that its kind does not use. */
const used = (scenario) => ({ ...scenario, who: asked(scenario.who) });
const asked = (who) => (who?.kind === 'population' ? { kind: who.kind, population: who.population } : who);

/** JSON with sorted keys, without what is null. */
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value ?? null);
  const keys = Object.keys(value)
    .filter((key) => value[key] !== null && value[key] !== undefined)
    .sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(',')}}`;
}
