/** Which of the precomputed scenarios is the one asked for, or nearest to it. */

import { presetOf, sessions, sizeOf } from './course.js';

/**
 * @param {Object[]} entries of data/index.json
 * @param {Object} scenario
 * @returns {{entry: Object, exact: boolean}}
 */
export function nearest(entries, scenario) {
  const wanted = canonical(scenario);
  const same = entries.find((one) => canonical(one.scenario) === wanted);
  if (same) return { entry: same, exact: true };
  const far = entries.map((one) => distance(one, scenario));
  return { entry: entries[far.indexOf(Math.min(...far))], exact: false };
}

function distance(entry, scenario) {
  const { course } = scenario;
  const mine = entry.scenario;
  const other = (a, b, weight) => (canonical(a) === canonical(b) ? 0 : weight);
  const size = sizeOf(course) ?? 0;
  return (
    (entry.preset === presetOf(course) ? 0 : 1000) +
    (100 * Math.abs((sizeOf(mine.course) ?? 0) - size)) / Math.max(size, 1e-9) +
    10 * Math.abs(sessions(mine.course, mine.weeks).length - sessions(course, scenario.weeks).length) +
    other(mine.who, scenario.who, 40) +
    other(mine.versus, scenario.versus, 20) +
    other(mine.variant, scenario.variant, 10) +
    Math.abs(mine.weeks - scenario.weeks) / 10
  );
}

/** JSON with sorted keys, without what is null. */
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value ?? null);
  const keys = Object.keys(value)
    .filter((key) => value[key] !== null && value[key] !== undefined)
    .sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(',')}}`;
}
