/** What goes on beside the doses: therapy sessions, stress episodes, daily drugs. */

import { amount, tidy } from '../course.js';
import { button, clear, h } from '../dom.js';

const NEXT_THERAPY_DAYS = 7;
const STRESS = { days: 7, intensity: 1 };

/** @param {HTMLElement} root @param {import('../main.js').App} app @param {HTMLElement} foot where the buttons go */
export function mount(root, app, foot) {
  const { store } = app;
  const acts = actions(app);
  const rows = h('div', { class: 'events' });
  const add = (testid, label, work, title) => button(testid, label, work, { class: 'add', title });
  root.append(rows);
  foot.append(
    add('add-therapy', '+ Therapy', acts.addTherapy, 'Add a session of psychotherapy'),
    add('add-stress', '+ Stress', acts.addStress, 'Add a stressful episode'),
    add('add-daily', '+ Daily drug', acts.addDaily, 'Add a drug taken every day'),
  );
  const draw = () => {
    const { therapy = [], stress = [], background = [] } = acts.course();
    const keepFocus = focusKeeper(rows);
    clear(rows).append(
      ...therapy.map((one, i) => therapyRow(one, i, acts)),
      ...stress.map((one, i) => stressRow(one, i, acts)),
      ...background.map((one, i) => dailyRow(one, i, acts)),
    );
    keepFocus();
  };
  draw();
  const stop = store.subscribe((state, changed) => {
    if (changed.has('scenario')) draw();
  });
  return { unmount: stop };
}

function actions(app) {
  const { store, about } = app;
  const course = () => store.get().scenario.course;
  const today = () => Math.max(1, Math.floor(store.get().clock_h / 24) + 1);
  const daily = about.drugs.filter((one) => one.kind === 'antidepressant' || one.name === 'diazepam');
  const doseOf = (name) => {
    const { dose, unit } = about.doses.find((one) => one.drug === name && one.route === 'oral').published;
    return `${dose} ${unit}`;
  };
  const addTherapy = () => {
    const [first, ...rest] = course().therapy ?? [];
    const days = first?.days ?? [];
    const day = days.length ? Math.max(...days) + NEXT_THERAPY_DAYS : today();
    app.edit.course({ therapy: [{ kind: 'cbt', minutes: 50, ...first, days: [...days, day] }, ...rest] });
  };
  const addStress = () => app.edit.course({ stress: [...(course().stress ?? []), { day: today(), ...STRESS }] });
  const addDaily = () => {
    const taken = new Set((course().background ?? []).map((one) => one.drug));
    const drug = daily.find((one) => !taken.has(one.name))?.name ?? daily[0].name;
    app.edit.course({ background: [...(course().background ?? []), { drug, dose: doseOf(drug) }] });
  };
  const replace = (key, i, patch) => app.edit.course({ [key]: course()[key].map((one, k) => (k === i ? { ...one, ...patch } : one)) });
  const drop = (key, i) => app.edit.course({ [key]: course()[key].filter((_, k) => k !== i) });
  return { course, daily, doseOf, addTherapy, addStress, addDaily, replace, drop };
}

function therapyRow(one, i, { replace, drop }) {
  const change = (event) => {
    const days = daysOf(event.target.value);
    if (days.length) replace('therapy', i, { days });
    else drop('therapy', i);
  };
  const days = h('input', { class: 'days', value: one.days.join(', '), on: { change } });
  const title = h('span', { class: 'grow' }, `Therapy, ${one.kind}`);
  return row('therapy', title, () => drop('therapy', i), h('label', { class: 'mini' }, h('span', {}, 'on days'), days));
}

function stressRow(one, i, { replace, drop }) {
  const put = (key) => (value) => replace('stress', i, { [key]: value });
  return row(
    'stress',
    h('span', { class: 'grow' }, 'Stress episode'),
    () => drop('stress', i),
    input('from day', one.day, { min: 1 }, put('day')),
    input('days', one.days, { min: 1 }, put('days')),
    input('force', one.intensity ?? 1, { min: 0, max: 5, step: 0.1 }, put('intensity')),
  );
}

function dailyRow(one, i, { daily, doseOf, replace, drop }) {
  const dose = amount(one.dose);
  const offered = daily.some((drug) => drug.name === one.drug) ? daily : [...daily, { name: one.drug, title: one.drug }];
  const change = (event) => replace('background', i, { drug: event.target.value, dose: doseOf(event.target.value) });
  const options = offered.map((drug) => h('option', { value: drug.name }, drug.title));
  const select = h('select', { class: 'grow', 'aria-label': 'Daily drug', value: one.drug, on: { change } }, options);
  return row(
    'daily',
    select,
    () => drop('background', i),
    dose && input(dose.unit, dose.value, { min: 0 }, (value) => replace('background', i, { dose: `${tidy(value)} ${dose.unit}` })),
    input('from day', one.from_day ?? 1, { min: 1 }, (day) => replace('background', i, { from_day: day })),
  );
}

function row(kind, title, remove, ...inputs) {
  const cross = button(`remove-${kind}`, '×', remove, { class: 'icon remove', 'aria-label': `Remove ${kind}` });
  const head = h('div', { class: 'event-head' }, h('span', { class: `dot ${kind}` }), title, cross);
  return h('div', { class: 'event-row', dataset: { testid: `${kind}-row` } }, head, inputs);
}

function input(label, value, more, put) {
  const change = (event) => {
    if (Number.isFinite(event.target.valueAsNumber)) put(event.target.valueAsNumber);
  };
  const box = h('input', { type: 'number', step: 'any', ...more, value: String(value), on: { change } });
  return h('label', { class: 'mini' }, h('span', {}, label), box);
}

/** Numbers in a text such as "2, 6, 9", each once, in order. */
function daysOf(text) {
  const found = text
    .split(/[\s,;]+/)
    .map(Number)
    .filter((day) => Number.isFinite(day) && day >= 1);
  return [...new Set(found)].sort((a, b) => a - b);
}

/** Remembers which control of a box has the focus, and gives it back to the one in its place. */
function focusKeeper(box) {
  const all = () => [...box.querySelectorAll('input, select, button')];
  const i = all().indexOf(document.activeElement);
  return () => {
    if (i >= 0) all()[Math.min(i, all().length - 1)]?.focus();
  };
}
