/** The form of the forecast: scores, facts of the person, what was given, how far to look. */

import { button, field, h } from '../dom.js';
import { count } from '../format.js';
import { SCALES, dosesGiven, forecastSettings, lastDay } from './forecast_person.js';

/**
 * @param {any} app
 * @param {HTMLElement[]} foot what stands under the fields
 * @returns {HTMLElement}
 */
export function forecastForm(app, foot) {
  const asked = () => forecastSettings(app.store.get());
  const change = (patch) => app.store.set({ forecast: { ...asked(), ...patch } });
  const given = givenSoFar(app, asked, change);
  const card = (title, words, ...parts) =>
    h('section', { class: 'card' }, h('h2', {}, title), words && h('p', { class: 'muted' }, words), ...parts);
  return h(
    'form',
    { class: 'form-side', 'aria-label': 'The person', on: { submit: (event) => event.preventDefault() } },
    card(
      'Scores written down',
      'By day; day 1 is the day of the first dose, day 0 the baseline. An example to start from: replace it, or take it away and see the forecast without any.',
      scoreTable(app, asked, change, given.update),
    ),
    card('The person', 'No names, dates or numbers of records. Leave empty what you do not know.', facts(asked, change)),
    card('Given so far', null, given.el),
    card('Look ahead', null, ahead(app, asked, change)),
    h('section', { class: 'card run-card' }, foot),
  );
}

function scoreTable(app, asked, change, moved) {
  const body = h('tbody');
  const put = (list) => {
    change({ scores: list });
    moved();
  };
  const list = {
    edit: (k, patch) => put(asked().scores.map((one, j) => (j === k ? { ...one, ...patch } : one))),
    remove: (k) => {
      put(asked().scores.filter((_, j) => j !== k));
      draw();
      add.focus();
    },
    more: () => {
      const now = asked().scores;
      const last = now[now.length - 1];
      put([...now, { day: last ? Number(last.day) + 7 : 0, scale: last?.scale ?? 'MADRS', score: '' }]);
      draw();
      body.lastElementChild.querySelector('[data-testid="forecast-score"]').focus();
    },
    clear: () => {
      put([]);
      draw();
    },
    draw,
  };
  const add = button('forecast-add', '+ Score', list.more, { class: 'button' });
  function draw() {
    body.replaceChildren(...asked().scores.map((one, k) => scoreRow(app, one, k, list)));
  }
  draw();
  const heads = ['Day', 'Scale', 'Score'].map((name) => h('th', { scope: 'col' }, name));
  return h(
    'div',
    {},
    h('table', { class: 'entry' }, h('thead', {}, h('tr', {}, heads, h('td', {}))), body),
    h('div', { class: 'row' }, add, button('forecast-clear', 'Take all away', list.clear, { class: 'button' })),
  );
}

function scoreRow(app, one, k, list) {
  const { low, high } = app.about.scales.find((scale) => scale.name === one.scale) ?? { low: 0, high: 100 };
  const number = (key, attrs) =>
    h('input', {
      type: 'number',
      step: 'any',
      inputmode: 'decimal',
      value: one[key],
      on: { change: (event) => list.edit(k, { [key]: read(event) }) },
      ...attrs,
    });
  const choose = (event) => {
    list.edit(k, { scale: event.target.value });
    list.draw();
  };
  const scale = h(
    'select',
    { 'aria-label': `Scale of score ${k + 1}`, dataset: { where: `scores[${k}].scale` }, value: one.scale, on: { change: choose } },
    SCALES.map((name) => h('option', { value: name }, name)),
  );
  const score = number('score', {
    'aria-label': `Score ${k + 1}, ${low} to ${high}`,
    placeholder: `${low}–${high}`,
    min: low,
    max: high,
    dataset: { where: `scores[${k}].score`, testid: 'forecast-score' },
  });
  return h(
    'tr',
    {},
    h('td', {}, number('day', { 'aria-label': `Day of score ${k + 1}`, dataset: { where: `scores[${k}].day` } })),
    h('td', {}, scale),
    h('td', {}, score),
    h(
      'td',
      {},
      button('forecast-remove', '×', () => list.remove(k), { class: 'icon', 'aria-label': `Remove score ${k + 1}` }),
    ),
  );
}

function facts(asked, change) {
  const now = asked();
  const number = (key, attrs) =>
    h('input', {
      type: 'number',
      inputmode: 'numeric',
      value: now[key],
      dataset: { where: key, testid: `forecast-${key}` },
      on: { change: (event) => change({ [key]: read(event) }) },
      ...attrs,
    });
  const sex = h(
    'select',
    { value: now.sex, dataset: { where: 'sex' }, on: { change: (event) => change({ sex: event.target.value }) } },
    [
      ['', 'not said'],
      ['female', 'female'],
      ['male', 'male'],
    ].map(([value, text]) => h('option', { value }, text)),
  );
  return h(
    'div',
    { class: 'fields' },
    field('Age, years', number('age', { min: 18, max: 100 })),
    field('Weight, kg', number('weight', { min: 30, max: 250 })),
    field('Sex', sex),
    field('Failed trials of drugs', number('failed_trials', { min: 0, max: 30 })),
  );
}

function givenSoFar(app, asked, change) {
  const told = h('p', { class: 'muted' });
  const input = h('input', {
    type: 'number',
    min: 1,
    step: 1,
    dataset: { where: 'until', testid: 'forecast-until' },
    on: {
      change: (event) => {
        const day = read(event);
        change({ until: day === '' ? null : day });
        update();
      },
    },
  });
  function update() {
    const until = lastDay(asked());
    const { course } = app.store.get().scenario;
    const list = dosesGiven(course, until);
    input.value = until;
    told.textContent = list.length
      ? `${count(list.length, 'dose')} of “${course.title || course.course}”, on days ${list.map((one) => one.day).join(', ')}.`
      : `No dose of “${course.title || course.course}” up to then.`;
  }
  update();
  return {
    el: h(
      'div',
      {},
      h('div', { class: 'fields' }, field('Up to day', input)),
      told,
      h('p', { class: 'muted' }, 'Doses are those of the course in Explore.'),
    ),
    update,
  };
}

function ahead(app, asked, change) {
  const now = asked();
  const weeks = h('input', {
    type: 'number',
    min: 4,
    max: 26,
    value: now.weeks,
    dataset: { where: 'weeks', testid: 'forecast-weeks' },
    on: { change: (event) => change({ weeks: Number(event.target.value) || 12 }) },
  });
  const scale = h(
    'select',
    { value: now.scale, dataset: { where: 'scale' }, on: { change: (event) => change({ scale: event.target.value }) } },
    SCALES.map((name) => h('option', { value: name }, name)),
  );
  const course = h(
    'select',
    {
      value: now.courses[0] ?? '',
      dataset: { where: 'courses', testid: 'forecast-course' },
      on: { change: (event) => change({ courses: event.target.value ? [event.target.value] : [] }) },
    },
    h('option', { value: '' }, 'boosters only'),
    app.about.presets.map((one) => h('option', { value: one.name ?? one.course }, one.title || one.course)),
  );
  return h(
    'div',
    { class: 'fields' },
    field('Weeks', weeks),
    field('Scale of the forecast', scale),
    field('Consider also', course, { class: 'field wide' }),
  );
}

/** The number in a field, or '' where it is empty. */
function read(event) {
  return event.target.value === '' ? '' : Number(event.target.value);
}
