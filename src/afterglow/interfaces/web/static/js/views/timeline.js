/** The timeline: doses, therapy, stress and daily drugs on the axis of the panels. Marks are dragged, or moved by arrow keys. */

import { isStatic } from '../api.js';
import { GUTTER } from '../axis.js';
import { freeDay, published, sessions, tidy } from '../course.js';
import { h, s } from '../dom.js';
import { createDrawing, DOSE_PX } from './timeline_marks.js';

const FINE_H = 24 * 4; // windows up to this long snap to hours
const NEAR_PX = 16;
const DRAG_PX = 4;
const WEEKS = [1, 2, 4, 8, 12, 16, 26];
const HELP =
  'Timeline of the course. Left and right move a dose by a day, with Shift by an hour; up and down choose one; Delete removes it; Enter edits it.';

/** @param {HTMLElement} root @param {import('../main.js').App} app */
export function mount(root, app) {
  const { store } = app;
  const svg = s('svg', {
    class: 'timeline',
    role: 'group',
    'aria-label': isStatic ? 'Timeline of the course' : HELP,
    dataset: { testid: 'timeline' },
  });
  svg.classList.toggle('fixed', isStatic);
  const weeks = weeksSelect(app);
  root.append(
    h(
      'div',
      { class: 'timeline-head' },
      h('h2', {}, 'Timeline'),
      !isStatic && h('p', { class: 'small muted hint' }, 'Drag a dose to another day; press an empty place to add one.'),
      h('span', { class: 'grow' }),
      weeks,
    ),
    svg,
  );
  const acts = actions(app, (i) => drawing.focus(i));
  const drawing = createDrawing(svg, app, { list: acts.list, onKey: (event, i) => onKey(event, i, app, acts), onFocus: acts.select });
  if (!isStatic) drags(svg, app, drawing, acts);
  drawing.draw();
  const watch = new ResizeObserver(drawing.draw);
  watch.observe(svg);
  const stops = [
    store.subscribe((state, changed) => {
      if (['scenario', 'window_h', 'selected'].some((key) => changed.has(key))) drawing.draw();
      else if (changed.has('clock_h')) drawing.tick();
      if (changed.has('scenario')) weeks.value = String(state.scenario.weeks);
    }),
    app.results.subscribe((state, changed) => {
      if (changed.has('answer')) drawing.draw();
    }),
  ];
  return {
    unmount: () => {
      stops.forEach((stop) => stop());
      watch.disconnect();
    },
  };
}

function weeksSelect(app) {
  const offered = WEEKS.filter((one) => one <= (app.about.limits.weeks ?? WEEKS.at(-1)));
  const select = h(
    'select',
    {
      'aria-label': 'Weeks simulated',
      dataset: { testid: 'weeks' },
      disabled: isStatic,
      value: String(app.store.get().scenario.weeks),
      on: { change: () => app.edit.scenario({ weeks: Number(select.value) }) },
    },
    offered.map((one) => h('option', { value: String(one) }, `${one} week${one === 1 ? '' : 's'}`)),
  );
  return select;
}

/** What can be done to the doses; `focus(i)` gives the focus to a mark. */
function actions(app, focus) {
  const { store, about } = app;
  const list = () => sessions(store.get().scenario.course, store.get().scenario.weeks);
  const snap = (at) => {
    const [from, to] = store.get().window_h;
    const grain = to - from <= FINE_H ? 1 : 24;
    const last = store.get().scenario.weeks * 168 - grain;
    return tidy(Math.max(0, Math.min(last, Math.round(at / grain) * grain)) / 24 + 1);
  };
  const select = (i) => {
    if (store.get().selected !== i) store.set({ selected: i });
  };
  /** Moves dose `i` of `all` to a day; two doses never share one. */
  const move = (all, i, day, dragging) => {
    if (all.some((one, k) => k !== i && one.day === day)) return;
    app.edit.sessions(
      all.map((one, k) => (k === i ? { ...one, day } : one)),
      { dragging },
    );
    select(all.filter((one, k) => k !== i && one.day < day).length);
  };
  const remove = (i) => {
    app.edit.sessions(list().filter((_, k) => k !== i));
    select(Math.max(0, i - 1));
    focus(Math.max(0, i - 1));
  };
  const add = (at) => {
    const all = list();
    const day = freeDay(all, snap(at));
    const one = all.length ? { ...all.at(-1), day, every: null } : published(about, 'ketamine', 'iv', day);
    app.edit.sessions([...all, one]);
    select(list().findIndex((found) => found.day === day));
  };
  return { list, snap, select, move, remove, add, focus };
}

function onKey(event, i, app, { list, move, remove, focus }) {
  const all = list();
  const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const next = { ArrowUp: i - 1, ArrowDown: i + 1, Home: 0, End: all.length - 1 }[event.key];
  if (next !== undefined) focus(next);
  else if (isStatic) return;
  else if (way) {
    const last = app.store.get().scenario.weeks * 7;
    move(all, i, tidy(Math.max(1, Math.min(last, all[i].day + way * (event.shiftKey ? 1 / 24 : 1)))), false);
    focus(app.store.get().selected ?? i);
  } else if (event.key === 'Delete' || event.key === 'Backspace') remove(i);
  else if (event.key === 'Enter' || event.key === ' ') document.querySelector('[data-testid="dose-slider"]')?.focus();
  else return;
  event.preventDefault();
}

/** Press on a mark and move it; a press on an empty place adds a dose. */
function drags(svg, app, { x, hoursAt }, { list, snap, select, move, add, focus }) {
  const { store } = app;
  let held = null;
  const place = (event) => {
    const box = svg.getBoundingClientRect();
    return { px: event.clientX - box.left, py: event.clientY - box.top };
  };
  svg.addEventListener('pointerdown', (event) => {
    const { px, py } = place(event);
    if (event.button !== 0 || py > DOSE_PX || px < GUTTER.left - NEAR_PX) return;
    const all = list();
    const gaps = all.map((one) => Math.abs(x((one.day - 1) * 24) - px));
    const i = gaps.indexOf(Math.min(...gaps));
    held = { i: gaps[i] <= NEAR_PX ? i : null, px, all, moved: false, day: null };
    if (held.i !== null) {
      select(held.i);
      focus(held.i);
      event.preventDefault();
    }
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener('pointermove', (event) => {
    if (!held || held.i === null) return;
    const { px } = place(event);
    if (!held.moved && Math.abs(px - held.px) < DRAG_PX) return;
    held.moved = true;
    const day = snap((held.all[held.i].day - 1) * 24 + hoursAt(px) - hoursAt(held.px));
    if (day === held.day) return;
    held.day = day;
    move(held.all, held.i, day, true);
  });
  const end = (event) => {
    if (!held) return;
    const { px } = place(event);
    if (held.moved) store.set({ dragging: false });
    else if (event.type === 'pointerup' && held.i === null && Math.abs(px - held.px) < DRAG_PX) add(hoursAt(px));
    held = null;
    focus(store.get().selected ?? 0);
  };
  svg.addEventListener('pointerup', end);
  svg.addEventListener('pointercancel', end);
}
