/** Numbers and times as people read them. A true minus sign, a thin space before %, a dash for what is missing. */

export const MISSING = '–';

/**
 * @param {number|null|undefined} value
 * @param {number} [digits] significant digits
 * @returns {string}
 */
export function number(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return MISSING;
  if (value === 0) return '0';
  const size = Math.floor(Math.log10(Math.abs(value)));
  if (size < -4 || size > 6) return value.toExponential(digits - 1).replace(/-/g, '−');
  const places = Math.min(6, Math.max(0, digits - 1 - size));
  const text = value.toLocaleString('en', { maximumFractionDigits: places, useGrouping: Math.abs(value) >= 1e4 });
  return text.replace('-', '−');
}

/** A share as a percentage: 0.423 -> "42 %". @param {number|null} value @returns {string} */
export function percent(value) {
  return value === null || value === undefined || !Number.isFinite(value) ? MISSING : `${Math.round(100 * value)}\u202f%`;
}

/** A value as the numbers of the page show it: percent whole, else two digits. */
export function short(value, unit) {
  return unit === '%' && Number.isFinite(value) ? String(Math.round(value)) : number(value, 2);
}

/** "41 to 63 %"; the unit once, at the end. @param {number|null} lo @param {number|null} hi @param {string} [unit] */
export function interval(lo, hi, unit = '') {
  if (!Number.isFinite(lo) || !Number.isFinite(hi)) return MISSING;
  return `${short(lo, unit)} to ${short(hi, unit)}${unit ? `\u202f${unitWord(unit)}` : ''}`;
}

/** Units as words: "d" is "days", "x baseline" is "× baseline"; "1" is no unit. @param {string} unit */
export function unitWord(unit) {
  if (unit === 'd') return 'days';
  return unit === '1' ? '' : unit.replace(/^x /, '× ');
}

/**
 * A moment on the clock, in hours from the start: "40 min", "3 h", "day 12", "day 12, 3 h", "week 4".
 * @param {number} hours
 * @param {{exact?: boolean}} [options] exact: with the hour of the day
 */
export function time(hours, { exact = false } = {}) {
  if (hours < -1e-9) return `−${time(-hours)}`;
  if (hours < 1) return `${Math.round(hours * 60)}\u202fmin`;
  if (hours < 24) return span(hours);
  const day = Math.floor(hours / 24 + 1e-6);
  const rest = hours - day * 24;
  if (exact) return Math.round(rest * 60) === 0 ? `day ${day + 1}` : `day ${day + 1}, ${clock(rest)}`;
  if (hours >= 28 * 24 && Math.abs(hours / 168 - Math.round(hours / 168)) < 1e-6) return `week ${Math.round(hours / 168)}`;
  return `day ${day + 1}`;
}

/** A length of time: "40 min", "3 h", "3 h 20 min", "12 days". @param {number} hours */
export function span(hours) {
  const minutes = Math.round(hours * 60);
  if (minutes < 60) return `${minutes}\u202fmin`;
  if (hours >= 48) return `${number(hours / 24, 3)} days`;
  const rest = minutes % 60;
  return `${Math.floor(minutes / 60)}\u202fh${rest ? ` ${rest}\u202fmin` : ''}`;
}

/** A count with its noun: "1 person", "1,000 people". */
export function count(value, one, many = `${one}s`) {
  return `${value.toLocaleString('en')} ${value === 1 ? one : many}`;
}

function clock(hours) {
  const minutes = Math.round(hours * 60);
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}
