/** What came out of a forecast: one picture, the plans beside each other, what speaks against them, and how far to trust it. */

import { h, segments } from '../dom.js';
import { interval, number, percent, time } from '../format.js';
import { table } from '../table.js';
import { forecastPlot } from './forecast_plot.js';
import { linked } from './limits.js';

const UNUSUAL = 0.05; // as the server's warning
const FEW = 150; // effective people under which the server refines

/**
 * Rows of a table that came as columns or as rows.
 * @param {any} data
 * @returns {any[]}
 */
export function rowsOf(data) {
  if (!data) return [];
  if (Array.isArray(data)) return data;
  const names = Object.keys(data);
  return (data[names[0]] ?? []).map((_, k) => Object.fromEntries(names.map((name) => [name, data[name][k]])));
}

/**
 * @param {HTMLElement} root
 * @param {any} app
 * @param {any} result
 * @param {any} earlier the result before it, or null
 * @returns {{unmount: () => void}}
 */
export function showForecast(root, app, result, earlier) {
  const plans = rowsOf(result.summary);
  const names = plans.map((one) => one.plan);
  const box = h('div', { class: 'plot-box', dataset: { testid: 'forecast-plot' } });
  const said = h('p', { class: 'headline', dataset: { testid: 'forecast-says' } });
  const numbers = h('details', {}, h('summary', {}, 'The numbers as a table'), h('div', {}));
  let plot = null;
  function show(name) {
    choose.show(name);
    plot?.destroy();
    const bands = of(result, name);
    const before = earlier && (of(earlier, name).length ? of(earlier, name) : null);
    plot = forecastPlot(box, app, {
      result,
      bands,
      prior: rowsOf(result.population),
      before,
      fitted: fittedOf(result),
      now_h: (result.person.until - 1) * 24,
    });
    said.replaceChildren(
      ...headline(
        result,
        plans.find((one) => one.plan === name),
        bands,
      ),
    );
    numbers.lastElementChild.replaceChildren(bandTable(result, name, bands));
  }
  const choose = segments(
    'Plan',
    plans.map((one) => ({ value: one.plan, label: planName(one.plan), title: one.what, testid: 'forecast-plan' })),
    show,
  );
  root.append(
    h(
      'section',
      { class: 'card' },
      h('h2', {}, `The next ${result.weeks} weeks`),
      choose.el,
      said,
      box,
      legend(result, earlier),
      numbers,
      scoresTable(result),
    ),
    trust(result),
    h('section', { class: 'card' }, h('h2', {}, 'Plans side by side'), planTable(result, plans), reasons(result)),
  );
  show(names[0]);
  return { unmount: () => plot?.destroy() };
}

/** A plan's name in words: "every-7-d" -> "every 7 days". @param {string} name */
export function planName(name) {
  return name.replace(/^every-(\d+)-d$/, 'every $1 days').replace(/-/g, ' ');
}

const of = (result, name) => rowsOf(result.forecast).filter((one) => one.plan === name);
const fittedOf = (result) => rowsOf(result.fitted).filter((one) => one.scale === result.scale);

function headline(result, plan, bands) {
  const last = bands[bands.length - 1];
  return [
    h('strong', {}, `${number(last.mean, 2)} ${result.scale} points`),
    ` in ${result.weeks} weeks, mean; 9 of 10 virtual people who might be this one lie between ${number(last.lo90, 2)} and ${number(last.hi90, 2)}. `,
    `Response ${percent(plan.p_response_at_end)}, remission ${percent(plan.p_remission_at_end)}.`,
  ];
}

function legend(result, earlier) {
  const key = (kind, text) => h('li', {}, h('span', { class: `key key-${kind}`, 'aria-hidden': 'true' }), text);
  return h(
    'ul',
    { class: 'legend' },
    result.population && key('prior', 'without the scores: the population, no further doses (90 %)'),
    key('updated', 'with the scores (50 and 90 %)'),
    key('point', 'score as written down'),
    key('expected', 'where each was to be expected from those before it (90 %)'),
    earlier && key('before', 'the forecast before this one (90 %)'),
  );
}

function trust(result) {
  const odd = result.oddness;
  const history =
    rowsOf(result.fitted).length === 0
      ? null
      : odd < UNUSUAL
        ? h(
            'p',
            { class: 'warn' },
            h('strong', {}, '⚠ This history is unusual. '),
            `Only ${number(100 * odd, 2)} of 100 virtual people have one at least as far from what was expected. The model may not fit this person, and then the band is wrong, not only wide.`,
          )
        : h(
            'p',
            {},
            h('strong', {}, 'Not an unusual history. '),
            `${Math.round(100 * odd)} of 100 virtual people have one at least as far from what was expected.`,
          );
  const people = result.effective_people;
  const carried = `${number(people, 3)} of the virtual people effectively carry this forecast${result.refined ? '; they were too few, so more like them were looked for' : ''}.`;
  const others = (result.warnings ?? []).filter((one) => !one.startsWith('this history is odd'));
  return h(
    'section',
    { class: 'card', dataset: { testid: 'forecast-trust' } },
    h('h2', {}, 'How far to trust it'),
    history,
    h('p', { class: people < FEW && !result.refined ? 'warn' : '' }, carried),
    h('p', {}, 'Forecast and check share one model: the bands hold for virtual people. How many real people are like them is not known.'),
    others.length > 0 &&
      h(
        'ul',
        { class: 'notes' },
        others.map((one) => h('li', {}, linked(one))),
      ),
  );
}

function planTable(result, plans) {
  const days = (value, row) =>
    value === null ? '–' : cell(number(value, 2), interval(row.days_in_remission_lo90, row.days_in_remission_hi90));
  const worst = (value, row, key) => (row.sessions ? cell(number(value, 2), `1 in 20 above ${number(row[`${key}_p95`], 2)}`) : '–');
  return table(
    [
      { key: 'plan', label: 'Plan', format: (value, row) => cell(planName(value), row.what) },
      {
        key: 'contraindications',
        label: 'Against it',
        format: (value) => (value ? h('strong', { class: 'bad' }, `⚠ ${value}`) : 'none known'),
      },
      { key: 'days_in_remission', label: 'Days in remission', format: days },
      {
        key: 'mean_at_end',
        label: `${result.scale} at the end`,
        format: (value, row) => cell(number(value, 2), interval(row.lo90_at_end, row.hi90_at_end)),
      },
      { key: 'p_response_at_end', label: 'Response', format: percent },
      { key: 'p_remission_at_end', label: 'Remission', format: percent },
      {
        key: 'relapse_even_after_d',
        label: 'Half relapsed within',
        format: (value) => (value === null || value === undefined ? 'not in this time' : `${number(value, 3)} days`),
      },
      { key: 'sessions', label: 'Sessions', format: (value) => number(value, 3) },
      { key: 'ketamine_mg', label: 'Ketamine in any form', unit: 'mg', format: (value) => number(value, 3) },
      { key: 'cadss_worst', label: 'Worst dissociation', unit: 'CADSS', format: (value, row) => worst(value, row, 'cadss_worst') },
      { key: 'systolic_worst', label: 'Worst rise of pressure', unit: 'mmHg', format: (value, row) => worst(value, row, 'systolic_worst') },
    ],
    plans,
    { caption: 'Plans: means over virtual people who might be this one, with the middle 90 % of them' },
  );
}

function reasons(result) {
  const rows = rowsOf(result.screening);
  return rows.length
    ? screening(rows)
    : h(
        'p',
        { class: 'muted' },
        'Contraindications are read off labels, from the few facts above: “none known” is not “none”. A clinician decides.',
      );
}

/**
 * What labels say against a dose or plan, what asks for caution and what has to be watched; each rule once.
 * @param {any[]} rows of the screening
 */
export function screening(rows) {
  const signs = { contraindication: '⛔', caution: '⚠', monitoring: '◉' };
  const rules = new Map();
  for (const one of rows) {
    const key = `${one.rule}\n${one.reason}`;
    if (!rules.has(key)) rules.set(key, { ...one, doses: new Set() });
    rules.get(key).doses.add(planName(one.dose ?? ''));
  }
  const all = new Set(rows.map((one) => one.dose)).size;
  const item = (one) =>
    h(
      'li',
      { class: `severity-${one.severity}` },
      h('span', { class: 'badge' }, `${signs[one.severity] ?? ''} ${one.severity}`),
      ' ',
      one.doses.size < all && h('em', {}, `${[...one.doses].join(', ')}: `),
      one.reason,
      h(
        'small',
        {},
        ' Source: ',
        linked(one.source ?? 'not given'),
        '. What would change it: ',
        one.what_would_change_it || 'not said',
        '.',
      ),
    );
  return h(
    'details',
    { class: 'screening', open: rows.some((one) => one.severity === 'contraindication'), dataset: { testid: 'screening' } },
    h('summary', {}, `What labels say: ${rules.size} ${rules.size === 1 ? 'rule' : 'rules'}`),
    h('ul', {}, [...rules.values()].map(item)),
    h('p', { class: 'muted' }, 'A reading aid from labels, not medical advice and not complete: a clinician decides.'),
  );
}

function bandTable(result, name, bands) {
  return table(
    [
      { key: 'time_h', label: 'When', format: (value) => time(value) },
      { key: 'mean', label: 'Mean', format: (value) => number(value, 3) },
      { key: 'lo50', label: 'Middle 50 %', format: (_, row) => interval(row.lo50, row.hi50) },
      { key: 'lo90', label: 'Middle 90 %', format: (_, row) => interval(row.lo90, row.hi90) },
      { key: 'p_response', label: 'Response', format: percent },
      { key: 'p_remission', label: 'Remission', format: percent },
      { key: 'p_relapse', label: 'Relapsed by then', format: percent },
    ],
    bands,
    { caption: `${result.scale} by week, plan: ${planName(name)}` },
  );
}

function scoresTable(result) {
  const rows = rowsOf(result.fitted);
  if (!rows.length) return null;
  const columns = [
    { key: 'time_h', label: 'When', format: (value) => (value === 0 ? 'baseline' : time(value)) },
    { key: 'scale', label: 'Scale' },
    { key: 'score', label: 'Score', format: (value) => number(value) },
    { key: 'lo90', label: 'Expected, 90 %', format: (_, row) => interval(row.lo90, row.hi90) },
    { key: 'prior_lo90', label: 'From the population, 90 %', format: (_, row) => interval(row.prior_lo90, row.prior_hi90) },
  ];
  return h(
    'details',
    {},
    h('summary', {}, 'The scores, and where each was expected'),
    table(columns, rows, { caption: 'Scores of all scales; each with what was to be expected from those before it' }),
  );
}

function cell(main, small) {
  return h('span', { class: 'cell' }, main, h('small', {}, small));
}
