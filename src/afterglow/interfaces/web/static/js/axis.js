/** The one axis of time that timeline, panels and clock share. */

import { number } from './format.js';

/** Room left and right of the plots, px. */
export const GUTTER = { left: 52, right: 14 };

/** Steps between ticks, h: minutes, hours, days, weeks. */
export const STEPS = [1 / 12, 1 / 6, 0.25, 0.5, 1, 2, 3, 6, 12, 24, 48, 168, 336, 672, 1344];

const LEAST_PX = 58;

/** The step for this range on so many pixels. */
export function stepFor(from, to, width) {
  return STEPS.find((one) => (one * width) / (to - from) >= LEAST_PX) ?? STEPS.at(-1);
}

/** What stands at a tick: "20 min", "3 h", "day 4", "week 2". @param {number} at h @param {number} step h */
export function tickLabel(at, step) {
  if (step >= 168) return at === 0 ? 'start' : `week ${number(at / 168)}`;
  if (step >= 24) return `day ${number(at / 24 + 1)}`;
  const day = Math.floor(at / 24 + 1e-9);
  const rest = at - day * 24;
  if (rest < 1e-6) return day === 0 ? '0' : `day ${day + 1}`;
  return step < 1 && rest < 1 - 1e-9
    ? `${Math.round(rest * 60)} min`
    : rest % 1 > 1e-6
      ? `${Math.floor(rest + 1e-9)}:${String(Math.round((rest % 1) * 60)).padStart(2, '0')}`
      : `${Math.round(rest)} h`;
}

/** Ticks of a range. @returns {{at: number, label: string}[]} */
export function axisTicks(from, to, width) {
  const step = stepFor(from, to, width);
  const found = [];
  for (let k = Math.ceil(from / step - 1e-9); k * step <= to + 1e-9; k += 1) found.push({ at: k * step, label: tickLabel(k * step, step) });
  return found;
}

/** Value at a moment between the points of a series. @param {number[]} times @param {number[]} values @param {number} at */
export function valueAt(times, values, at) {
  if (!values?.length) return null;
  const i = indexAt(times, at);
  if (i >= times.length - 1) return values.at(-1);
  const width = times[i + 1] - times[i];
  const part = width > 0 ? Math.min(1, Math.max(0, (at - times[i]) / width)) : 0;
  return values[i] + part * (values[i + 1] - values[i]);
}

/** The last point at or before a moment. */
export function indexAt(times, at) {
  let low = 0;
  let high = times.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (times[middle] <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}
