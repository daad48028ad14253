/** The course of a static page: a preset, a dose and a number of infusions among those that were computed. */

import { index } from '../api.js';
import { amount, presetOf, sessions, sizeOf } from '../course.js';
import { clear, field, h } from '../dom.js';
import { number } from '../format.js';
import { same } from '../precomputed.js';
import { words } from './timeline_marks.js';

/** @param {HTMLElement} root @param {import('../main.js').App} app */
export function mount(root, app) {
  const { store, about } = app;
  const preset = h('select', { 'aria-label': 'Course', dataset: { testid: 'preset' } });
  const dose = h('input', { type: 'range', step: 1, min: 0, 'aria-label': 'Dose', dataset: { testid: 'dose-slider' } });
  const count = h('input', { type: 'range', step: 1, min: 0, 'aria-label': 'Number of doses', dataset: { testid: 'count-slider' } });
  const said = { dose: h('output', {}), count: h('output', {}) };
  const rows = h('ul', { class: 'demo-doses' });
  const doseField = field('Dose', h('span', { class: 'with-output' }, dose, said.dose));
  const countField = field('Number of doses', h('span', { class: 'with-output' }, count, said.count));
  root.append(h('div', { class: 'section-head' }, h('h2', {}, 'Course')), preset, doseField, countField, rows);
  let entries = [];
  const values = (name, key) =>
    [...new Set(entries.filter((one) => one.preset === name && one[key] !== null).map((one) => one[key]))].sort((a, b) => a - b);
  const go = (name, size, number_) => {
    const mine = entries.filter((one) => one.preset === name);
    const { versus } = store.get().scenario;
    const other = (one) => (same(one.scenario.versus, versus) ? 0 : 1e-3); // of equally near ones, the same comparator
    const gap = (one) => Math.abs((one.dose ?? size) - size) * 100 + Math.abs((one.count ?? number_) - number_) + other(one);
    const best = mine.reduce((found, one) => (gap(one) < gap(found) ? one : found), mine[0]);
    app.edit.scenario(best.scenario);
  };
  const now = () => {
    const { course, weeks } = store.get().scenario;
    return { name: presetOf(course), size: sizeOf(course) ?? 0, number_: sessions(course, weeks).length };
  };
  const show = () => {
    const { name, size, number_ } = now();
    preset.value = name;
    const given = amount(store.get().scenario.course.doses?.[0]?.dose);
    for (const [input, key, value, el, unit] of [
      [dose, 'dose', size, doseField, ` ${given?.unit ?? ''}`],
      [count, 'count', number_, countField, ''],
    ]) {
      const found = values(name, key);
      el.hidden = found.length < 2;
      input.max = String(found.length - 1);
      input.value = String(found.findIndex((one) => one >= value - 1e-9));
      said[key].textContent = `${number(value)}${unit}`;
      input.setAttribute('aria-valuetext', `${number(value)}${unit}`);
    }
    clear(rows).append(
      ...sessions(store.get().scenario.course, store.get().scenario.weeks).map((one) =>
        h('li', { dataset: { testid: 'course-row' } }, `Day ${number(one.day)}: ${words(one)}`),
      ),
    );
  };
  preset.addEventListener('change', () => {
    const { size, number_ } = now();
    go(preset.value, size, number_);
  });
  dose.addEventListener('input', () => {
    const { name, number_ } = now();
    go(name, values(name, 'dose')[dose.valueAsNumber], number_);
  });
  count.addEventListener('input', () => {
    const { name, size } = now();
    go(name, size, values(name, 'count')[count.valueAsNumber]);
  });
  index().then(({ scenarios }) => {
    entries = scenarios;
    const names = [...new Set(entries.map((one) => one.preset))];
    preset.append(...names.map((name) => h('option', { value: name }, about.presets.find((one) => one.course === name)?.title || name)));
    show();
  });
  const stop = store.subscribe((state, changed) => {
    if (changed.has('scenario')) show();
  });
  return { unmount: stop };
}
