/** Who is treated: a population, or people like one person, of whom one is drawn as a line. */

import { isStatic } from '../api.js';
import { button, field, h, segments } from '../dom.js';

// What the server takes where nothing is said: the defaults of `Who`.
const PERSON = { kind: 'person', weight: 75, age: 44, sex: null, failed_trials: 3, severity: 34, number: 0 };
const KINDS = [
  { value: 'trd', label: 'Resistant', title: 'People whose depression has not answered to earlier drugs (TRD).', testid: 'who-trd' },
  { value: 'mdd', label: 'Depressed', title: 'People with major depression (MDD).', testid: 'who-mdd' },
  { value: 'person', label: 'One person', title: 'Bands: people like this one. Black line: one of them.', testid: 'who-person' },
];
const SEXES = { '': 'not said', female: 'female', male: 'male' };
const FIELDS = [
  { key: 'weight', label: 'Weight, kg', min: 35, max: 200 },
  { key: 'age', label: 'Age, years', min: 18, max: 90 },
  { key: 'failed_trials', label: 'Failed drugs', min: 0, max: 10 },
  { key: 'severity', label: 'MADRS at start', min: 10, max: 60 },
];

/** @param {HTMLElement} root @param {import('../main.js').App} app */
export function mount(root, app) {
  const { store } = app;
  let last = PERSON;
  const put = (who) => app.edit.scenario({ who });
  const kinds = segments('Who is treated', KINDS, (kind) => put(kind === 'person' ? last : { kind: 'population', population: kind }));
  const meaning = h('p', { class: 'small muted' });
  const form = personForm((patch) => put({ ...store.get().scenario.who, ...patch }));
  root.append(h('div', { class: 'section-head' }, h('h2', {}, 'Who')), kinds.el, meaning, form.el);
  const show = () => {
    const { who } = store.get().scenario;
    const kind = who.kind === 'person' ? 'person' : who.population;
    kinds.show(kind);
    meaning.textContent = KINDS.find((one) => one.value === kind)?.title ?? '';
    form.el.hidden = who.kind !== 'person';
    if (who.kind !== 'person') return;
    last = { ...PERSON, ...who };
    form.show(last);
  };
  show();
  if (isStatic) for (const one of root.querySelectorAll('button, input, select')) one.disabled = true;
  const stop = store.subscribe((state, changed) => {
    if (changed.has('scenario')) show();
  });
  return { unmount: stop };
}

function personForm(change) {
  let shown = PERSON;
  const inputs = FIELDS.map(({ key, label, min, max }) => {
    const take = () => {
      if (input.reportValidity() && input.value !== '') change({ [key]: input.valueAsNumber });
    };
    const input = h('input', { type: 'number', min, max, step: 1, dataset: { testid: `who-${key}` }, on: { change: take } });
    return { key, input, el: field(label, input) };
  });
  const sexes = Object.entries(SEXES).map(([value, text]) => h('option', { value }, text));
  const sex = h('select', { dataset: { testid: 'who-sex' }, on: { change: () => change({ sex: sex.value || null }) } }, sexes);
  const number = h('span', { class: 'small muted' });
  const another = button('another', 'Another person like this', () => change({ number: (shown.number ?? 0) + 1 }), { class: 'add' });
  const fields = [...inputs.map((one) => one.el), field('Sex', sex)];
  const el = h(
    'div',
    { class: 'person' },
    h('div', { class: 'person-fields' }, fields),
    h('div', { class: 'course-foot' }, another, number),
  );
  const show = (who) => {
    shown = who;
    for (const { key, input } of inputs) if (document.activeElement !== input) input.value = String(who[key]);
    sex.value = who.sex ?? '';
    number.textContent = `Line: person ${(who.number ?? 0) + 1}`;
  };
  return { el, show };
}
