/** The course table: day, what, dose, minutes; below it the dose that is chosen, and events beside the doses. */

import { coursesByKind } from './courses.js';
import { freeDay, lineOf, presetOf, published, sessions, tidy } from '../course.js';
import { ApiError, isStatic } from '../api.js';
import { button, h, set } from '../dom.js';
import * as dose from './dose.js';
import * as events from './events.js';
import * as demo from './demo.js';

export const ROUTE_SHORT = {
  iv: 'IV',
  im: 'IM',
  sc: 'SC',
  'nasal-device': 'nasal spray',
  'nasal-atomiser': 'nasal drops',
  sublingual: 'sublingual',
  oral: 'oral',
};

/** @param {HTMLElement} root @param {import('../main.js').App} app */
export function mount(root, app) {
  if (isStatic) return demo.mount(root, app);
  const { store, about } = app;
  const undo = button('undo', 'Undo', () => app.edit.undo(), { class: 'link' });
  const shipped = about.presets.map((one) => one.course);
  const look = { class: 'preset', 'aria-label': 'Start from a shipped course', dataset: { testid: 'preset' } };
  const preset = h('select', { ...look, on: { change: () => acts.choose(preset.value) } }, coursesByKind(about, shipped));
  const body = h('tbody', {});
  const add = button('add-dose', '+ Dose', () => acts.add(), { class: 'add' });
  const none = h('p', { class: 'small muted' }, 'No doses in this course.');
  root.append(h('div', { class: 'section-head' }, h('h2', {}, 'Course'), h('span', { class: 'grow' }), undo), preset, tableOf(body), none);
  const foot = h('div', { class: 'course-foot' }, add);
  const place = () => root.appendChild(h('div', { class: 'part' }));
  const parts = [events.mount(place(), app, foot)];
  root.append(foot);
  parts.push(dose.mount(place(), app));
  const rows = [];

  const list = () => sessions(store.get().scenario.course, store.get().scenario.weeks);
  const acts = edits(app, list, (i) => (rows[Math.max(0, i)]?.cross ?? add).focus());

  const draw = () => {
    const all = list();
    while (rows.length < all.length) {
      const row = newRow(rows.length, acts);
      rows.push(row);
      body.append(...row.els);
    }
    while (rows.length > all.length) rows.pop().els.forEach((one) => one.remove());
    const selected = Math.min(store.get().selected ?? 0, all.length - 1);
    all.forEach((one, i) => rows[i].show(one, i === selected));
    none.hidden = all.length > 0;
    body.parentElement.hidden = all.length === 0;
    body.parentElement.classList.toggle(
      'no-minutes',
      all.every((one) => one.minutes === null),
    );
    const name = presetOf(store.get().scenario.course);
    preset.value = shipped.includes(name) ? name : '';
    set(undo, { disabled: !app.edit.canUndo() });
    faults();
  };
  const faults = () => {
    const { error } = app.results.get();
    const all = list();
    rows.forEach((row, i) => row.fault(error instanceof ApiError ? error.faults.filter((one) => lineOf(one.where) === all[i]?.line) : []));
  };
  draw();
  const stops = [
    store.subscribe((state, changed) => {
      if (changed.has('scenario') || changed.has('selected')) draw();
      else if (changed.has('dragging')) set(undo, { disabled: !app.edit.canUndo() });
    }),
    app.results.subscribe((state, changed) => {
      if (changed.has('error')) faults();
    }),
  ];
  return {
    unmount: () => {
      stops.forEach((stop) => stop());
      parts.forEach((one) => one.unmount?.());
    },
  };
}

function tableOf(body) {
  const heads = ['Day', 'Drug', 'Dose', 'Min'].map((text) => h('th', { scope: 'col' }, text));
  const last = h('th', { scope: 'col' }, h('span', { class: 'sr-only' }, 'Remove'));
  const caption = h('caption', { class: 'sr-only' }, 'Doses of the course');
  return h('div', { class: 'course-box' }, h('table', { class: 'course-table' }, caption, h('thead', {}, h('tr', {}, heads, last)), body));
}

/** What the table does to the course; `focus(i)` puts the focus on row `i` after one has gone. */
function edits(app, list, focus) {
  const { store, about } = app;
  const choose = (name) => {
    const course = about.presets.find((one) => one.course === name);
    app.edit.scenario({ course });
    store.set({ selected: 0 });
  };
  const add = () => {
    const all = list();
    const last = all.at(-1);
    const gap = all.length > 1 ? Math.max(1, last.day - all.at(-2).day) : 2;
    const one = last ? { ...last, every: null, day: freeDay(all, last.day + gap) } : published(about, 'ketamine', 'iv', 1);
    if ((one.day - 1) * 24 >= store.get().scenario.weeks * 168) one.day = freeDay(all, 1);
    app.edit.sessions([...all, one]);
    store.set({ selected: list().findIndex((found) => found.day === one.day) });
  };
  const change = (i, patch) => {
    const next = list().map((one, k) => (k === i ? { ...one, ...patch } : one));
    app.edit.sessions(next);
    store.set({ selected: list().findIndex((one) => one.day === next[i].day && one.drug === next[i].drug) });
  };
  const remove = (i) => {
    app.edit.sessions(list().filter((_, k) => k !== i));
    store.set({ selected: Math.max(0, i - 1) });
    focus(i - 1);
  };
  return { choose, add, change, remove, select: (i) => store.set({ selected: i }) };
}

function newRow(i, { change, remove, select }) {
  const box = (label, more, key) =>
    h('input', {
      type: 'number',
      'aria-label': `${label}, dose ${i + 1}`,
      ...more,
      on: {
        change: (event) => {
          const value = event.target.valueAsNumber;
          if (Number.isFinite(value)) change(i, { [key]: value });
        },
        focus: () => select(i),
      },
    });
  const day = box('Day', { min: 1, step: 1, class: 'w-day' }, 'day');
  const value = box('Amount', { min: 0, step: 'any', class: 'w-dose' }, 'value');
  const minutes = box('Minutes', { min: 1, step: 1, class: 'w-min' }, 'minutes');
  const unit = h('span', { class: 'unit' });
  const drug = h('button', { type: 'button', class: 'what', on: { click: () => select(i) } });
  const cross = h(
    'button',
    {
      type: 'button',
      class: 'icon remove',
      'aria-label': `Remove dose ${i + 1}`,
      dataset: { testid: 'remove-dose' },
      on: { click: () => remove(i) },
    },
    '×',
  );
  const said = h('p', { class: 'row-fault', role: 'alert', dataset: { testid: 'row-fault' } });
  const line = h(
    'tr',
    { class: 'course-row', dataset: { testid: 'course-row' } },
    h('td', {}, day),
    h('td', { class: 'grows' }, drug),
    h('td', { class: 'amount' }, value, unit),
    h('td', {}, minutes),
    h('td', {}, cross),
  );
  const second = h('tr', { class: 'fault-row', hidden: true }, h('td', { colspan: 5 }, said));
  line.addEventListener('pointerdown', () => select(i));
  const show = (one, chosen) => {
    keep(day, one.day);
    keep(value, one.value === null ? '' : tidy(one.value));
    keep(minutes, one.minutes ?? '');
    value.hidden = one.value === null;
    minutes.hidden = one.minutes === null;
    unit.textContent = one.unit ?? '';
    drug.replaceChildren(h('span', {}, one.drug), ' ', h('span', { class: 'muted route' }, ROUTE_SHORT[one.route] ?? one.route));
    set(drug, { 'aria-pressed': String(chosen), 'aria-label': `${one.drug} ${one.route}, dose ${i + 1}: choose it` });
    line.classList.toggle('chosen', chosen);
  };
  const fault = (found) => {
    second.hidden = found.length === 0;
    line.classList.toggle('wrong', found.length > 0);
    const text = found.map((one) => `${one.problem}. ${one.remedy}`).join(' ');
    if (said.textContent !== text) said.textContent = text;
  };
  return { els: [line, second], show, fault, cross };
}

function keep(input, value) {
  if (document.activeElement !== input || input.valueAsNumber !== value) input.value = String(value);
}
