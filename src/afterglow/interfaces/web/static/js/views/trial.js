/** Trial: design one, conduct it many times in virtual people, and see what blinding does to what it finds. */

import { button, field, h, segments } from '../dom.js';
import { trialBody } from './asked.js';
import { ANALYSES, AT_ALL_VISITS, DESIGNS, MOST_ARMS, START, choices, trialSettings, visitList } from './trial_design.js';
import { trialPicture } from './trial_picture.js';
import { showTrial } from './trial_result.js';
import { faultBox, reveal, showFaults, work } from './work.js';

const kept = { result: null, asked: null }; // outlives a change of view, not the page

/**
 * @param {HTMLElement} root
 * @param {any} app
 * @returns {{unmount: () => void}}
 */
export function mount(root, app) {
  const asked = () => trialSettings(app.store.get());
  const change = (patch) => app.store.set({ trial: { ...asked(), ...patch } });
  const box = faultBox();
  const output = h('div', { class: 'result-side' });
  const form = h('form', { class: 'form-side', 'aria-label': 'The trial', on: { submit: (event) => event.preventDefault() } });
  let used = null;
  const run = work(app, {
    kind: 'trial',
    label: 'Run the trial',
    testid: 'trial-run',
    body: () => {
      used = asked();
      return trialBody(app.store.get());
    },
    failed: (faults) => showFaults(form, box, faults),
    done: (result) => {
      kept.result = result;
      kept.asked = used;
      show();
      reveal(output);
    },
  });
  function show() {
    output.replaceChildren();
    if (kept.result) showTrial(output, app, kept.result, kept.asked);
    else output.append(empty(app));
  }
  function draw() {
    form.replaceChildren(
      start(asked, change, draw),
      arms(app, asked, change, draw),
      people(asked, change),
      blinding(asked, change),
      leaving(asked, change),
      endpoint(app, asked, change, draw),
      h(
        'section',
        { class: 'card run-card' },
        slider('Repeat the trial', 'times', asked().replicates, { min: 20, max: 200, step: 20 }, 'replicates', (value) =>
          change({ replicates: value }),
        ),
        box,
        run.el,
      ),
    );
  }
  draw();
  show();
  root.append(h('div', { class: 'two-sides' }, form, output));
  const stop = app.store.subscribe((state, changed) => {
    if (changed.has('trial') && !kept.result) show();
  });
  return {
    unmount: () => {
      stop();
      run.stop();
    },
  };
}

function empty(app) {
  return h(
    'section',
    { class: 'card empty' },
    h('h2', {}, 'What would this trial find?'),
    h(
      'p',
      {},
      'The trial is repeated in virtual people. Because every person is also put through every other arm, what it finds can be held against what is true in the model, and against the same trial perfectly masked.',
    ),
    trialPicture(app),
    h('p', { class: 'muted' }, 'How much of the effect is the drug is not known; the result says so again.'),
  );
}

function start(asked, change, draw) {
  const pick = h(
    'select',
    {
      dataset: { testid: 'trial-design' },
      on: {
        change: (event) => {
          const found = DESIGNS.find((one) => one.name === event.target.value);
          if (found) {
            change({ ...START, ...found.change, replicates: asked().replicates });
            draw();
          }
        },
      },
    },
    h('option', { value: '' }, 'a design …'),
    DESIGNS.map((one) => h('option', { value: one.name }, one.title)),
  );
  return h('section', { class: 'card' }, h('h2', {}, 'Design'), field('Begin from', pick));
}

function arms(app, asked, change, draw) {
  const list = asked().arms;
  const put = (now) => {
    change({ arms: now });
    draw();
  };
  const edit = (k, patch) => change({ arms: asked().arms.map((one, j) => (j === k ? { ...one, ...patch } : one)) });
  const remove = (k) => put(asked().arms.filter((_, j) => j !== k));
  const add = () => {
    const now = asked().arms;
    let number = 2;
    while (now.some((one) => one.name === `arm-${number}`)) number += 1;
    put([...now.slice(0, -1), { name: `arm-${number}`, what: 'course:iv-single', n: now[0].n }, now[now.length - 1]]);
  };
  return h(
    'section',
    { class: 'card' },
    h('h2', {}, 'Arms'),
    list.map((arm, k) => armCard(app, arm, k, list.length, { edit, remove })),
    list.length < MOST_ARMS && button('trial-add', '+ Arm', add, { class: 'button' }),
  );
}

function armCard(app, arm, k, many, { edit, remove }) {
  const what = h(
    'select',
    {
      value: arm.what,
      'aria-label': `What arm ${k + 1} gets`,
      dataset: { where: `arms[${k}].course` },
      on: { change: (event) => edit(k, { what: event.target.value }) },
    },
    choices(app.about, k === 0).map(([label, options]) =>
      h(
        'optgroup',
        { label },
        options.map(([value, text]) => h('option', { value }, text)),
      ),
    ),
  );
  const name = h('input', {
    value: arm.name,
    maxlength: 30,
    dataset: { where: `arms[${k}].name` },
    on: { change: (event) => edit(k, { name: event.target.value.trim().replace(/\s+/g, '-') }) },
  });
  const n = h('input', {
    type: 'number',
    min: 2,
    max: 500,
    value: arm.n,
    dataset: { where: `arms[${k}].n`, testid: 'trial-n' },
    on: { change: (event) => edit(k, { n: Number(event.target.value) }) },
  });
  const optional = many > 2 && k > 0;
  return h(
    'fieldset',
    { class: 'arm-card', dataset: { testid: 'trial-arm' } },
    h('legend', {}, `Arm ${k + 1}${k === many - 1 ? ' (reference)' : ''}`),
    h('div', { class: 'fields' }, field('Name', name), field('People', n), field('Gets', what, { class: 'field wide' })),
    optional && button('trial-remove', '×', () => remove(k), { class: 'icon', 'aria-label': `Remove arm ${k + 1}` }),
  );
}

function people(asked, change) {
  const now = asked();
  const number = (key, attrs) =>
    h('input', {
      type: 'number',
      step: 'any',
      value: now[key],
      on: { change: (event) => change({ [key]: Number(event.target.value) }) },
      ...attrs,
    });
  const from = h(
    'select',
    { value: now.population, dataset: { where: 'population.from' }, on: { change: (event) => change({ population: event.target.value }) } },
    h('option', { value: 'trd' }, 'treatment-resistant depression'),
    h('option', { value: 'mdd' }, 'major depression'),
  );
  return h(
    'section',
    { class: 'card' },
    h('h2', {}, 'People'),
    h(
      'div',
      { class: 'fields' },
      field('From', from, { class: 'field wide' }),
      field('MADRS at baseline', number('mean', { min: 10, max: 55, dataset: { where: 'population.madrs.mean' } })),
      field('SD', number('sd', { min: 1, max: 15, dataset: { where: 'population.madrs.sd' } })),
      field('Enters from MADRS', number('entry', { min: 0, max: 50, dataset: { where: 'population.entry' } })),
    ),
  );
}

function blinding(asked, change) {
  const now = asked();
  const patients = segments(
    'Blinding of patients',
    [
      { value: 'double-blind', label: 'Double-blind', title: 'What is felt may tell', testid: 'trial-double-blind' },
      { value: 'masked', label: 'Perfectly masked', title: 'Nothing can be felt, as under anaesthesia', testid: 'trial-masked' },
      { value: 'open', label: 'Open', title: 'Everybody knows', testid: 'trial-open' },
    ],
    (value) => {
      change({ patients: value });
      patients.show(value);
    },
  );
  patients.show(now.patients);
  const raters = segments(
    'Raters',
    [
      { value: 'site', label: 'At the site' },
      { value: 'remote', label: 'Remote, blinded' },
    ],
    (value) => {
      change({ raters: value });
      raters.show(value);
    },
  );
  raters.show(now.raters);
  return h(
    'section',
    { class: 'card' },
    h('h2', {}, 'Blinding and expectancy'),
    h(
      'p',
      { class: 'muted' },
      'In a double-blind trial dissociation tells people what they got. How much they then expect is in the model; perfectly masked, nothing can be felt.',
    ),
    patients.el,
    h('p', { class: 'sub' }, 'Raters'),
    raters.el,
    promised(asked, change),
    h('p', { class: 'muted' }, 'What people expect is taken to rise in proportion to it (assumed).'),
  );
}

/** What the consent form promises, where that is set. */
function promised(asked, change) {
  const now = asked();
  const promise = slider(
    'Promised chance of the drug',
    '%',
    now.promised ?? 50,
    { min: 0, max: 100, step: 5 },
    'blinding.promised',
    (value) => change({ promised: value }),
  );
  promise.hidden = now.promised === null;
  const say = h('input', {
    type: 'checkbox',
    checked: now.promised !== null,
    dataset: { testid: 'trial-promise' },
    on: {
      change: (event) => {
        change({ promised: event.target.checked ? Number(promise.querySelector('input').value) : null });
        promise.hidden = !event.target.checked;
      },
    },
  });
  return [h('label', { class: 'check' }, say, ' Set what the consent form promises'), promise];
}

function leaving(asked, change) {
  const now = asked();
  const share = (key, label, max, where) =>
    slider(label, '%', now[key], { min: 0, max, step: 0.5 }, where, (value) => change({ [key]: value }));
  const followed = h('input', {
    type: 'checkbox',
    checked: now.followed,
    on: { change: (event) => change({ followed: event.target.checked }) },
  });
  return h(
    'details',
    { class: 'card' },
    h('summary', {}, h('h2', {}, 'Drop-out')),
    share('at_random', 'Leave in a week, for no reason of the treatment’s', 10, 'leaving.at_random'),
    share('lack_of_effect', 'Leave at a visit that shows under 10 % improvement', 30, 'leaving.lack_of_effect.chance'),
    share('side_effects', 'Leave after a session with CADSS of 40 or more', 50, 'leaving.side_effects.chance'),
    share('missed_visits', 'Miss a visit', 20, 'missed_visits'),
    h('label', { class: 'check' }, followed, ' Who leaves is still rated'),
  );
}

function endpoint(app, asked, change, draw) {
  const now = asked();
  const visits = visitList(now.visits);
  const select = (key, options, attrs = {}) =>
    h(
      'select',
      { value: now[key], on: { change: (event) => change({ [key]: event.target.value }) }, ...attrs },
      options.map((one) => h('option', { value: one }, one)),
    );
  const measure = h(
    'select',
    {
      value: now.measure,
      dataset: { testid: 'trial-measure', where: 'endpoints[0].measure' },
      on: {
        change: (event) => {
          change({ measure: event.target.value, analysis: ANALYSES[event.target.value][0] });
          draw();
        },
      },
    },
    Object.keys(ANALYSES).map((one) => h('option', { value: one }, one.replace(/-/g, ' '))),
  );
  const times = h('input', {
    value: now.visits,
    dataset: { where: 'visits', testid: 'trial-visits' },
    on: {
      change: (event) => {
        const list = visitList(event.target.value);
        change({ visits: list.join(', '), at: list.includes(asked().at) ? asked().at : (list[list.length - 1] ?? '') });
        draw();
      },
    },
  });
  return h(
    'section',
    { class: 'card' },
    h('h2', {}, 'Visits and endpoint'),
    h(
      'div',
      { class: 'fields' },
      field('Visits after the first dose', times, { class: 'field wide' }),
      field('Measure', measure),
      field(
        'Scale',
        select(
          'scale',
          app.about.scales.map((one) => one.name),
          { dataset: { where: 'endpoints[0].scale' } },
        ),
      ),
      !AT_ALL_VISITS.includes(now.measure) && field('At', select('at', visits, { dataset: { where: 'endpoints[0].at' } })),
      field('Analysis', select('analysis', ANALYSES[now.measure], { dataset: { where: 'endpoints[0].analysis' } })),
    ),
  );
}

function slider(label, unit, value, range, where, set) {
  const shown = h('output', {}, `${value}\u202f${unit}`);
  const input = h('input', {
    type: 'range',
    ...range,
    value,
    dataset: { where },
    on: {
      input: (event) => {
        shown.textContent = `${event.target.value}\u202f${unit}`;
      },
      change: (event) => set(Number(event.target.value)),
    },
  });
  return h('label', { class: 'slider' }, h('span', {}, label), shown, input);
}
