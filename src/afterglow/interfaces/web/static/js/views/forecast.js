/** Forecast: the scores that were written down, what they say about the next weeks, and the plans for it. */

import { field, h } from '../dom.js';
import { count } from '../format.js';
import { forecastBody, planBody } from './asked.js';
import { SCALES, dosesGiven, forecastSettings, lastDay } from './forecast_person.js';
import { showForecast } from './forecast_result.js';
import { showPlan } from './forecast_plan.js';
import { faultBox, reveal, showFaults, work } from './work.js';

const kept = { result: null, earlier: null, plan: null }; // outlives a change of view, not the page

/**
 * @param {HTMLElement} root
 * @param {any} app
 * @returns {{unmount: () => void}}
 */
export function mount(root, app) {
  const asked = () => forecastSettings(app.store.get());
  const change = (patch) => app.store.set({ forecast: { ...asked(), ...patch } });
  const box = faultBox();
  const scores = scoreTable(app, asked, change, () => given.update());
  const given = givenSoFar(app, asked, change);
  const failed = (faults) => showFaults(form, box, faults);
  const run = work(app, { kind: 'forecast', label: 'Forecast', testid: 'forecast-run', body: () => forecastBody(app.store.get()), failed, done: keep });
  const plan = work(app, { kind: 'plan', label: 'See plans', testid: 'plan-run', body: () => planBody(app.store.get()), failed, done: keepPlan, primary: false });
  const form = h('form', { class: 'form-side', 'aria-label': 'The person', on: { submit: (event) => event.preventDefault() } },
    h('section', { class: 'card' }, h('h2', {}, 'Scores written down'),
      h('p', { class: 'muted' }, 'By day; day 1 is the day of the first dose, day 0 the baseline. An example to start from: replace it, or take it away and see the forecast without any.'),
      scores.el),
    h('section', { class: 'card' }, h('h2', {}, 'The person'), h('p', { class: 'muted' }, 'No names, dates or numbers of records. Leave empty what you do not know.'), facts(asked, change)),
    h('section', { class: 'card' }, h('h2', {}, 'Given so far'), given.el),
    h('section', { class: 'card' }, h('h2', {}, 'Look ahead'), ahead(app, asked, change)),
    h('section', { class: 'card run-card' }, box, run.el));
  const output = h('div', { class: 'result-side', 'aria-live': 'off' });
  const planBox = h('div', {});
  root.append(h('div', { class: 'two-sides' }, form, output));

  let shown = null;
  function draw() {
    shown?.unmount();
    output.replaceChildren();
    planBox.replaceChildren();
    if (!kept.result) {
      output.append(empty());
      return;
    }
    shown = showForecast(output, app, kept.result, kept.earlier);
    output.append(h('section', { class: 'card' }, h('h2', {}, 'When to give further doses'),
      h('p', { class: 'muted' }, 'Rules for further doses in virtual people who might be this one, with the same luck: days in remission beside doses. Takes about a minute.'), plan.el, planBox));
    if (kept.plan) showPlan(planBox, app, kept.plan);
  }
  function keep(result) {
    kept.earlier = kept.result?.scale === result.scale ? kept.result : null;
    kept.result = result;
    kept.plan = null;
    draw();
    reveal(output);
  }
  function keepPlan(result) {
    kept.plan = result;
    planBox.replaceChildren();
    showPlan(planBox, app, result);
  }
  draw();
  return { unmount: () => { run.stop(); plan.stop(); shown?.unmount(); } };
}

function empty() {
  return h('section', { class: 'card empty' }, h('h2', {}, 'What the scores say'),
    h('p', {}, 'The population is one wide band. Each score rules out virtual people who would have scored otherwise, and the band of those who are left is the forecast.'),
    h('p', { class: 'muted' }, 'It is a statement about virtual people. It is not for decisions about any person’s treatment.'));
}

function scoreTable(app, asked, change, moved) {
  const body = h('tbody');
  const add = h('button', { type: 'button', class: 'button', dataset: { testid: 'forecast-add' }, on: { click: more } }, '+ Score');
  const clearAll = h('button', { type: 'button', class: 'button', dataset: { testid: 'forecast-clear' }, on: { click: () => { put([]); draw(); } } }, 'Take all away');
  const put = (list) => { change({ scores: list }); moved(); };
  const edit = (k, patch) => put(asked().scores.map((one, j) => (j === k ? { ...one, ...patch } : one)));
  function more() {
    const list = asked().scores;
    const last = list[list.length - 1];
    put([...list, { day: last ? Number(last.day) + 7 : 0, scale: last?.scale ?? 'MADRS', score: '' }]);
    draw();
    body.lastElementChild.querySelector('[data-testid="forecast-score"]').focus();
  }
  function row(one, k) {
    const range = (name) => app.about.scales.find((scale) => scale.name === name) ?? { low: 0, high: 100 };
    const number = (key, attrs) => h('input', { type: 'number', step: 'any', inputmode: 'decimal', value: one[key], on: { change: (event) => edit(k, { [key]: read(event) }) }, ...attrs });
    const scale = h('select', { 'aria-label': `Scale of score ${k + 1}`, dataset: { where: `scores[${k}].scale` }, value: one.scale, on: { change: (event) => { edit(k, { scale: event.target.value }); draw(); } } },
      SCALES.map((name) => h('option', { value: name }, name)));
    const { low, high } = range(one.scale);
    return h('tr', {},
      h('td', {}, number('day', { 'aria-label': `Day of score ${k + 1}`, dataset: { where: `scores[${k}].day` } })),
      h('td', {}, scale),
      h('td', {}, number('score', { 'aria-label': `Score ${k + 1}, ${low} to ${high}`, placeholder: `${low}–${high}`, min: low, max: high, dataset: { where: `scores[${k}].score`, testid: 'forecast-score' } })),
      h('td', {}, h('button', { type: 'button', class: 'icon', 'aria-label': `Remove score ${k + 1}`, on: { click: () => { put(asked().scores.filter((_, j) => j !== k)); draw(); add.focus(); } } }, '×')));
  }
  function draw() {
    body.replaceChildren(...asked().scores.map(row));
  }
  draw();
  const heads = ['Day', 'Scale', 'Score'].map((name) => h('th', { scope: 'col' }, name));
  const el = h('div', {}, h('table', { class: 'entry' }, h('thead', {}, h('tr', {}, heads, h('td', {}))), body), h('div', { class: 'row' }, add, clearAll));
  return { el };
}

function facts(asked, change) {
  const now = asked();
  const number = (key, attrs) => h('input', { type: 'number', inputmode: 'numeric', value: now[key], dataset: { where: key, testid: `forecast-${key}` }, on: { change: (event) => change({ [key]: read(event) }) }, ...attrs });
  const sex = h('select', { value: now.sex, dataset: { where: 'sex' }, on: { change: (event) => change({ sex: event.target.value }) } },
    [['', 'not said'], ['female', 'female'], ['male', 'male']].map(([value, text]) => h('option', { value }, text)));
  return h('div', { class: 'fields' }, field('Age, years', number('age', { min: 18, max: 100 })), field('Weight, kg', number('weight', { min: 30, max: 250 })), field('Sex', sex),
    field('Failed trials of drugs', number('failed_trials', { min: 0, max: 30 })));
}

function givenSoFar(app, asked, change) {
  const told = h('p', { class: 'muted' });
  const input = h('input', { type: 'number', min: 1, step: 1, dataset: { where: 'until', testid: 'forecast-until' }, on: { change: (event) => { const day = read(event); change({ until: day === '' ? null : day }); update(); } } });
  function update() {
    const until = lastDay(asked());
    const { course } = app.store.get().scenario;
    const list = dosesGiven(course, until);
    input.value = until;
    told.textContent = list.length ? `${count(list.length, 'dose')} of “${course.title || course.course}”, on days ${list.map((one) => one.day).join(', ')}.` : `No dose of “${course.title || course.course}” up to then.`;
  }
  update();
  return { el: h('div', {}, h('div', { class: 'fields' }, field('Up to day', input)), told, h('p', { class: 'muted' }, 'Doses are those of the course in Explore.')), update };
}

function ahead(app, asked, change) {
  const now = asked();
  const weeks = h('input', { type: 'number', min: 4, max: 26, value: now.weeks, dataset: { where: 'weeks', testid: 'forecast-weeks' }, on: { change: (event) => change({ weeks: Number(event.target.value) || 12 }) } });
  const scale = h('select', { value: now.scale, dataset: { where: 'scale' }, on: { change: (event) => change({ scale: event.target.value }) } }, SCALES.map((name) => h('option', { value: name }, name)));
  const course = h('select', { value: now.courses[0] ?? '', dataset: { where: 'courses', testid: 'forecast-course' }, on: { change: (event) => change({ courses: event.target.value ? [event.target.value] : [] }) } },
    h('option', { value: '' }, 'boosters only'), app.about.presets.map((one) => h('option', { value: one.name ?? one.course }, one.title || one.course)));
  return h('div', { class: 'fields' }, field('Weeks', weeks), field('Scale of the forecast', scale), field('Consider also', course, { class: 'field wide' }));
}

/** The number in a field, or '' where it is empty. */
function read(event) {
  return event.target.value === '' ? '' : Number(event.target.value);
}
