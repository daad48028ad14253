/** What the timeline draws: axis, marks of the doses, lanes of events, doses that decisions gave, and the clock. */

import { axisTicks, GUTTER } from '../axis.js';
import { limitsOf } from '../course.js';
import { clear, s, set } from '../dom.js';
import { number, time } from '../format.js';
import { drawEvents, EVENT_LANE_PX } from './timeline_events.js';

/** Height of the lane of the doses. */
export const DOSE_PX = 56;
const BASE_PX = DOSE_PX - 6;
const AXIS_PX = 22;

/**
 * @param {SVGSVGElement} svg
 * @param {import('../main.js').App} app
 * @param {{list: () => Object[], onKey: (event: KeyboardEvent, i: number) => void, onFocus: (i: number) => void}} acts
 * @returns {{draw: () => void, tick: () => void, focus: (i: number) => void, x: (hours: number) => number, hoursAt: (px: number) => number}}
 */
export function createDrawing(svg, app, { list, onKey, onFocus }) {
  const { store } = app;
  const axis = s('g', { class: 'timeline-axis', 'aria-hidden': 'true' });
  const base = s('line', { class: 'timeline-base', x1: GUTTER.left, y1: BASE_PX, y2: BASE_PX });
  const [given, events, marks] = [s('g', {}), s('g', {}), s('g', {})];
  const now = s('g', { class: 'timeline-now', 'aria-hidden': 'true' }, s('line', { y1: 6 }), s('path', { d: 'M-6 0H6L0 8Z' }));
  svg.append(base, axis, events, given, marks, now);
  const pool = [];
  let width = 600;
  const plotWidth = () => width - GUTTER.left - GUTTER.right;
  const x = (at) => {
    const [from, to] = store.get().window_h;
    return GUTTER.left + (plotWidth() * (at - from)) / (to - from);
  };
  const hoursAt = (px) => {
    const [from, to] = store.get().window_h;
    return from + ((to - from) * (px - GUTTER.left)) / plotWidth();
  };
  const tick = () => set(now, { transform: `translate(${x(store.get().clock_h).toFixed(1)} 0)` });
  const focus = (i) => pool[Math.max(0, Math.min(pool.length - 1, i))]?.focus();

  const draw = () => {
    const all = list();
    const [from, to] = store.get().window_h;
    width = Math.max(280, svg.clientWidth || 600);
    const height = DOSE_PX + drawEvents(events, { app, x, hoursAt, top: DOSE_PX }) * EVENT_LANE_PX + AXIS_PX;
    set(svg, { viewBox: `0 0 ${width} ${height}`, height });
    set(base, { x2: width - GUTTER.right });
    set(now.firstChild, { y2: height - AXIS_PX });
    clear(axis).append(
      ...axisTicks(from, to, plotWidth()).flatMap(({ at, label }) => [
        s('line', { x1: x(at), x2: x(at), y1: 0, y2: height - AXIS_PX + 3 }),
        s('text', { x: x(at), y: height - 5, 'text-anchor': 'middle' }, label),
      ]),
    );
    drawGiven(given, app, x);
    while (pool.length < all.length) pool.push(marks.appendChild(newMark(onKey, onFocus)));
    while (pool.length > all.length) pool.pop().remove();
    const chosen = Math.min(store.get().selected ?? 0, all.length - 1);
    all.forEach((one, i) => drawMark(pool[i], one, { app, x, i, chosen: i === chosen, count: all.length }));
    tick();
  };
  return { draw, tick, focus, x, hoursAt };
}

/** "ketamine iv, 0.5 mg/kg over 40 min". @param {Object} one a session */
export function words(one) {
  return `${one.drug} ${one.route}${one.value === null ? '' : `, ${number(one.value)} ${one.unit}`}${one.minutes === null ? '' : ` over ${number(one.minutes)} min`}`;
}

function newMark(onKey, onFocus) {
  const mark = s(
    'g',
    {
      class: 'dose-mark',
      role: 'button',
      dataset: { testid: 'dose-mark' },
      on: { keydown: (event) => onKey(event, Number(mark.dataset.index)), focus: () => onFocus(Number(mark.dataset.index)) },
    },
    s('rect', { class: 'hit', x: -12, y: -BASE_PX, width: 24, height: DOSE_PX }),
    s('line', { class: 'stem', y1: 0 }),
    s('circle', { class: 'head', r: 7 }),
    s('circle', { class: 'foot', r: 2.5 }),
  );
  return mark;
}

function drawMark(mark, one, { app, x, i, chosen, count }) {
  const { about, store } = app;
  const at = (one.day - 1) * 24;
  const [from, to] = store.get().window_h;
  const limit = limitsOf(about, one.drug, one.route);
  const part = one.value === null ? 0.4 : Math.sqrt(one.value / (limit?.published?.dose || one.value));
  const rise = Math.round(Math.max(12, Math.min(40, 24 * part)));
  const outside =
    limit && one.value !== null && one.unit === limit.studied.unit && (one.value > limit.studied.high || one.value < limit.studied.low);
  set(mark, {
    transform: `translate(${x(at).toFixed(1)} ${BASE_PX})`,
    visibility: at >= from - 1e-6 && at <= to + 1e-6 ? 'visible' : 'hidden',
    tabindex: chosen ? 0 : -1,
    'aria-pressed': String(chosen),
    'aria-label': `Dose ${i + 1} of ${count}: ${words(one)}, ${time(at, { exact: true })}${outside ? ', outside the studied range' : ''}`,
  });
  mark.dataset.index = String(i);
  mark.dataset.kind = about.drugs.find((drug) => drug.name === one.drug)?.kind ?? 'inert';
  mark.classList.toggle('outside', Boolean(outside));
  const [, stem, head] = mark.children;
  set(stem, { y2: -rise });
  set(head, { cy: -rise });
}

/** Doses that checks and maintenance gave: rings on the line. */
function drawGiven(root, app, x) {
  const [from, to] = app.store.get().window_h;
  const found = (app.lastRun()?.doses ?? []).filter((one) => one.reason !== 'planned' && one.time_h >= from && one.time_h <= to);
  clear(root).append(
    ...found.map((one) =>
      s(
        'circle',
        { class: 'given', cx: x(one.time_h), cy: BASE_PX - 8, r: 4 },
        s('title', {}, `${one.title}: ${one.reason}, ${time(one.time_h)}`),
      ),
    ),
  );
}
