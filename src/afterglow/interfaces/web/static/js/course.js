/**
 * Reading and changing a course, as in a course file. Nothing here changes its arguments.
 * A *session* is one dose on one day: {line, day, drug, route, value, unit, minutes, every}; `every` (h) marks one that repeats.
 */

const INFUSION_MIN = 40;
const LONG = { sec: 1 / 3600, second: 1 / 3600, minute: 1 / 60, hour: 1, day: 24, week: 168 };

/** "0.5 mg/kg" -> {value: 0.5, unit: "mg/kg"}; null for saline and placebos. @param {any} dose */
export function amount(dose) {
  if (dose === null || dose === undefined) return null;
  if (typeof dose === 'object') return { value: dose.value, unit: dose.per_kg ? 'mg/kg' : 'mg' };
  const match = /^\s*([\d.]+)\s*(\S.*?)?\s*$/.exec(String(dose));
  return match ? { value: Number(match[1]), unit: match[2] ?? 'mg' } : null;
}

/** A length of time in hours; numbers are hours. @param {any} text "40 min", "7 d" */
export function hours(text) {
  if (text === null || text === undefined || typeof text === 'number') return text ?? null;
  const match = /^\s*([\d.]+)\s*([a-z]+)\s*$/i.exec(text);
  const factor = { s: 1 / 3600, min: 1 / 60, h: 1, d: 24, wk: 168, w: 168 }[match?.[2]] ?? LONG[match?.[2].replace(/s$/, '')];
  return match && factor ? Number(match[1]) * factor : null;
}

/** All sessions of `doses`, by day. @param {Object} course @param {number} weeks */
export function sessions(course, weeks) {
  const found = [];
  (course.doses ?? []).forEach((line, number) => {
    const given = amount(line.dose);
    const over = hours(line.over);
    const every = line.days ? null : (hours(line.every) ?? 24);
    for (const day of line.days ?? repeated(line, every, weeks)) {
      found.push({
        line: number,
        day,
        drug: line.drug,
        route: line.route,
        value: given?.value ?? null,
        unit: given?.unit ?? null,
        minutes: over === null ? null : Math.round(over * 6000) / 100,
        every,
      });
    }
  });
  return found.sort((a, b) => a.day - b.day || a.line - b.line);
}

/** The course with these sessions; what is alike becomes one line. @param {Object} course @param {Object[]} list */
export function withSessions(course, list) {
  const lines = new Map();
  for (const one of [...list].sort((a, b) => a.day - b.day)) {
    const line = {
      drug: one.drug,
      route: one.route,
      ...(one.value === null ? {} : { dose: `${tidy(one.value)} ${one.unit}` }),
      ...(one.minutes === null ? {} : { over: `${tidy(one.minutes)} min` }),
    };
    const key = JSON.stringify(line);
    if (!lines.has(key)) lines.set(key, { ...line, days: [] });
    lines.get(key).days.push(tidy(one.day));
  }
  const doses = [...lines.values()];
  const { checks, ...rest } = course;
  const kept = (checks ?? []).filter((check) => check.after_dose <= list.length);
  return { ...rest, doses, ...(kept.length ? { checks: kept } : {}), ...(doses.length ? {} : { maintenance: [] }) };
}

/** The limits of a drug and route. @param {Object} about @param {string} drug @param {string} route */
export function limitsOf(about, drug, route) {
  return about.doses.find((one) => one.drug === drug && one.route === route) ?? null;
}

/** A session of this drug and route at its published dose. */
export function published(about, drug, route, day) {
  const found = limitsOf(about, drug, route)?.published;
  const inert = about.drugs.find((one) => one.name === drug)?.kind === 'inert';
  const minutes = route === 'iv' ? (found?.over_min ?? INFUSION_MIN) : null;
  return {
    line: -1,
    day,
    drug,
    route,
    value: inert ? null : (found?.dose ?? 1),
    unit: inert ? null : (found?.unit ?? 'mg'),
    minutes,
    every: null,
  };
}

/** The day nearest to `day` on which nothing is given yet. */
export function freeDay(list, day) {
  const taken = new Set(list.map((one) => one.day));
  let free = Math.max(1, day);
  while (taken.has(free)) free += 1;
  return free;
}

/** Which line of `doses` a fault is about; null where it is about something else. @param {string} where */
export function lineOf(where) {
  const match = /doses\D{1,3}(\d+)/.exec(where ?? '');
  return match ? Number(match[1]) : null;
}

/** Name of the shipped course from which this one began. @param {Object} course */
export const presetOf = (course) => course.course.replace(/-changed$/, '');

/** The same course under a name that says it is no longer the shipped one. */
export function changed(course) {
  if (course.course.endsWith('-changed')) return course;
  const { notes, sources, ...rest } = course;
  return { ...rest, course: `${course.course}-changed`, title: course.title ? `${course.title}, changed` : 'Changed course' };
}

/** Value of the first dose, whatever its unit. */
export const sizeOf = (course) => amount(course.doses?.[0]?.dose)?.value ?? null;

/** A number without the dust of floating point. */
export const tidy = (value) => Number(value.toPrecision(6));

function repeated(line, every, weeks) {
  const first = ((line.from ?? line.first ?? 1) - 1) * 24;
  const end = Math.min(weeks * 168, line.until ? line.until * 24 : Infinity);
  const days = [];
  for (let at = first; at < end - 1e-9; at = first + days.length * every) days.push(at / 24 + 1);
  return days;
}
