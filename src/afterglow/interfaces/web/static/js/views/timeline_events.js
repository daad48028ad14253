/** Therapy, stress and daily drugs under the doses; the last two as bars, one lane a kind. */

import { amount, hours, tidy } from '../course.js';
import { clear, s } from '../dom.js';
import { time } from '../format.js';

/** Height of a lane. */
export const EVENT_LANE_PX = 22;
const LETTER_PX = 7.2;

/**
 * Draws the lanes that the course needs.
 * @param {SVGElement} root
 * @param {{app: import('../main.js').App, x: (hours: number) => number, hoursAt: (px: number) => number, top: number}} place
 * @returns {number} how many lanes
 */
export function drawEvents(root, { app, x, hoursAt, top }) {
  const { scenario, window_h: shown } = app.store.get();
  const { therapy = [], stress = [], background = [] } = scenario.course;
  const [from, to] = shown;
  const span = (start, end) => ({
    x: x(Math.max(from, start)),
    width: Math.max(6, x(Math.min(to, end)) - x(Math.max(from, start))),
    seen: end > from && start < to,
  });
  const lanes = [];
  if (therapy.length) lanes.push(['therapy', (y) => therapyMarks(therapy, shown, x, y)]);
  if (stress.length) lanes.push(['stress', (y) => stress.map((one, i) => stressBar(one, span, y, (bar) => drag(bar, app, hoursAt, i)))]);
  for (const drug of background) lanes.push(['daily', (y) => dailyBar(drug, span, scenario.weeks, y)]);
  clear(root);
  lanes.forEach(([text, marks], lane) => {
    const y = top + lane * EVENT_LANE_PX;
    root.append(...marks(y).flat().filter(Boolean), name(text, y));
  });
  return lanes.length;
}

function therapyMarks(therapy, [from, to], x, y) {
  const found = therapy.flatMap((line) => line.days.map((day) => ({ kind: line.kind, at: (day - 1) * 24 })));
  const mark = ({ kind, at }) =>
    s('rect', { class: 'event therapy', x: x(at) - 5, y: y + 4, width: 10, height: 10, rx: 2 }, s('title', {}, `${kind}, ${time(at)}`));
  return found.filter(({ at }) => at >= from && at <= to).map(mark);
}

function stressBar(one, span, y, draggable) {
  const start = (one.day - 1) * 24;
  const { seen, ...place } = span(start, start + one.days * 24);
  if (!seen) return null;
  const opacity = 0.35 + 0.4 * Math.min(1, one.intensity ?? 1);
  const title = s('title', {}, `Stress from ${time(start)}, ${one.days} days`);
  const bar = s('rect', { class: 'event stress', ...place, y: y + 3, height: 12, rx: 3, 'fill-opacity': opacity }, title);
  draggable(bar);
  return bar;
}

function dailyBar(drug, span, weeks, y) {
  const { seen, ...place } = span(((drug.from_day ?? 1) - 1) * 24, drug.until_day ? drug.until_day * 24 : weeks * 168);
  if (!seen) return [];
  const dose = amount(drug.dose);
  const every = hours(drug.every) ?? 24;
  const words = `${drug.drug}${dose ? ` ${dose.value} ${dose.unit}` : ''}${every === 24 ? ' a day' : ` every ${tidy(every)} h`}`;
  const fits = place.width > LETTER_PX * words.length;
  const bar = s('rect', { class: 'event daily', ...place, y: y + 2, height: 15, rx: 3 }, s('title', {}, words));
  return [bar, fits && s('text', { class: 'event-text', x: place.x + 7, y: y + 14 }, words)];
}

const name = (text, y) => s('text', { class: 'lane-name', x: 2, y: y + 14 }, text);

/** A stress episode follows the pointer by whole days. */
function drag(bar, app, hoursAt, i) {
  bar.addEventListener('pointerdown', (event) => {
    const box = bar.ownerSVGElement.getBoundingClientRect();
    const { stress } = app.store.get().scenario.course;
    const begin = hoursAt(event.clientX - box.left);
    const move = (next) => {
      const day = Math.max(1, Math.round(stress[i].day + (hoursAt(next.clientX - box.left) - begin) / 24));
      if (day !== app.store.get().scenario.course.stress[i].day)
        app.edit.course({ stress: stress.map((one, k) => (k === i ? { ...one, day } : one)) }, { dragging: true });
    };
    const end = () => {
      removeEventListener('pointermove', move);
      removeEventListener('pointerup', end);
      removeEventListener('pointercancel', end);
      app.store.set({ dragging: false });
    };
    addEventListener('pointermove', move);
    addEventListener('pointerup', end);
    addEventListener('pointercancel', end);
    event.stopPropagation();
    event.preventDefault();
  });
}
