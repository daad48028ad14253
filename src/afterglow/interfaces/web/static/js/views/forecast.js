/** Forecast: the scores that were written down, what they say about the next weeks, and the plans for it. */

import { h } from '../dom.js';
import { forecastBody, planBody } from './asked.js';
import { forecastForm } from './forecast_form.js';
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
  const box = faultBox();
  const output = h('div', { class: 'result-side', 'aria-live': 'off' });
  const failed = (faults) => showFaults(form, box, faults);
  const settled = () => {
    if (!kept.result) output.replaceChildren(intro());
  };
  const body = () => forecastBody(app.store.get());
  const run = work(app, { kind: 'forecast', label: 'Forecast', testid: 'forecast-run', body, failed, done: keep, settled });
  const plan = planPart(app, failed);
  const form = forecastForm(app, [box, run.el]);
  root.append(h('div', { class: 'two-sides' }, form, output));

  let shown = null;
  function draw() {
    shown?.unmount();
    output.replaceChildren();
    shown = showForecast(output, app, kept.result, kept.earlier);
    output.append(plan.el);
    plan.draw();
  }
  function keep(result) {
    const first = !kept.result;
    kept.earlier = kept.result?.scale === result.scale ? kept.result : null;
    kept.result = result;
    kept.plan = null;
    draw();
    if (!first) reveal(output);
  }
  if (kept.result) draw();
  else {
    output.append(intro(h('progress', { 'aria-label': 'The forecast of the example is being computed' })));
    run.start(); // of what stands in the form, so that the first look shows both bands
  }
  return {
    unmount: () => {
      run.stop();
      plan.stop();
      shown?.unmount();
    },
  };
}

/** The plans for further doses, asked for by a button of their own. */
function planPart(app, failed) {
  const box = h('div', {});
  const draw = () => {
    box.replaceChildren();
    if (kept.plan) showPlan(box, app, kept.plan);
  };
  const run = work(app, {
    kind: 'plan',
    label: 'See plans',
    testid: 'plan-run',
    body: () => planBody(app.store.get()),
    failed,
    done: (result) => {
      kept.plan = result;
      draw();
    },
    primary: false,
  });
  const el = h(
    'section',
    { class: 'card' },
    h('h2', {}, 'When to give further doses'),
    h(
      'p',
      { class: 'muted' },
      'Rules for further doses in virtual people who might be this one, with the same luck: days in remission beside doses. Takes about a minute.',
    ),
    run.el,
    box,
  );
  return { el, draw, stop: run.stop };
}

function intro(progress) {
  return h(
    'section',
    { class: 'card empty', dataset: { testid: 'forecast-intro' } },
    h('h2', {}, 'What the scores say'),
    h(
      'p',
      {},
      'The population is one wide band. Each score rules out virtual people who would have scored otherwise, and the band of those who are left is the forecast.',
    ),
    h('p', { class: 'muted' }, 'It is a statement about virtual people. It is not for decisions about any person’s treatment.'),
    progress,
  );
}
