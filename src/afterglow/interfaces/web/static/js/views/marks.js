/** Small drawings that several views share: an interval on a line, a curve with its band. */

import { s } from '../dom.js';
import { interval, number } from '../format.js';

/**
 * An interval on a line from `low` to `high`, with its value and, where there is one, a second mark.
 * @param {{value: number, lo: number, hi: number, low: number, high: number, mark?: number, label: string, tone?: string}} options
 * @returns {SVGElement}
 */
export function intervalMark({ value, lo, hi, low, high, mark, label, tone = 'blue' }) {
  const x = (v) => 4 + 192 * Math.min(1, Math.max(0, (v - low) / (high - low || 1)));
  return s(
    'svg',
    { class: `interval-mark tone-${tone}`, viewBox: '0 0 200 22', role: 'img', 'aria-label': label },
    s('line', { class: 'rail', x1: 4, x2: 196, y1: 11, y2: 11 }),
    low < 0 && high > 0 && s('line', { class: 'zero', x1: x(0), x2: x(0), y1: 2, y2: 20 }),
    s('line', { class: 'bar', x1: x(lo), x2: x(hi), y1: 11, y2: 11 }),
    s('circle', { class: 'dot', cx: x(value), cy: 11, r: 4.5 }),
    mark !== undefined && mark !== null && s('path', { class: 'truth', d: `M${x(mark)} 6.5 l-4 -6 h8 z` }),
  );
}

/**
 * A curve with its 90 % band over time; times are spread by their logarithm, so that minutes and weeks both show.
 * @param {{time_h: number[], band: {median: number[], lo90: number[], hi90: number[]}, label: string, unit: string, layer?: string}} options
 * @returns {SVGElement}
 */
export function curve({ time_h: time, band, label, unit, layer = 'mood' }) {
  const [width, height, left] = [560, 150, 16];
  const last = time[time.length - 1];
  const low = Math.min(...band.lo90);
  const high = Math.max(...band.hi90);
  const x = (t) => left + ((width - 2 * left) * Math.log1p(Math.max(t, 0))) / Math.log1p(last);
  const y = (v) => height - 20 - ((height - 30) * (v - low)) / (high - low || 1);
  const way = (values, order) => order.map((k) => `${x(time[k]).toFixed(1)} ${y(values[k]).toFixed(1)}`).join('L');
  const forth = time.map((_, k) => k);
  const says = `${label}: ${number(band.median[0])} at the start, ${number(band.median[time.length - 1])} at the end; 90 % of people from ${interval(low, high, unit)} over the whole time`;
  const ticks = [
    [1, '1 h'],
    [24, '1 d'],
    [168, '1 wk'],
    [1344, '8 wk'],
  ].filter(([t]) => t <= last);
  return s(
    'svg',
    { class: `curve layer-${layer}`, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': says },
    ticks.map(([t, text]) =>
      s('g', { class: 'tick' }, s('line', { x1: x(t), x2: x(t), y1: 8, y2: height - 18 }), s('text', { x: x(t), y: height - 5 }, text)),
    ),
    s('path', { class: 'band', d: `M${way(band.hi90, forth)}L${way(band.lo90, [...forth].reverse())}Z` }),
    s('path', { class: 'median', d: `M${way(band.median, forth)}` }),
  );
}
