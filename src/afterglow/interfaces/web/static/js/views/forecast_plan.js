/** Rules for further doses: days in remission against doses, and what labels say. Nothing is added up into one number. */

import { h, s } from '../dom.js';
import { interval, number } from '../format.js';
import { table } from '../table.js';
import { rowsOf, screening } from './forecast_result.js';
import { linked } from './limits.js';

const [WIDTH, HEIGHT] = [760, 420];
const EDGE = { left: 52, right: 16, top: 14, bottom: 44 };
const STEP = 22; // between discs
const SIDE = 56; // room for discs beside the first and last number of doses

/**
 * @param {HTMLElement} root
 * @param {any} app
 * @param {any} plan tables as lists of rows: rules, excluded, waiting, little, screening; besides them `warnings`
 */
export function showPlan(root, app, plan) {
  const rules = rowsOf(plan.rules)
    .sort((a, b) => b.days_in_remission - a.days_in_remission)
    .map((one, k) => ({ ...one, number: k + 1, what: [one.dose, one.therapy].filter(Boolean).join(', ') || 'no doses, no therapy' }));
  const labels = rowsOf(plan.screening);
  const little = rowsOf(plan.little);
  const later = rowsOf(plan.waiting);
  const warnings = plan.warnings ?? [];
  root.append(
    h(
      'div',
      { dataset: { testid: 'plan-result' } },
      picture(rules),
      rulesTable(rules),
      left(rowsOf(plan.excluded)),
      warnings.length > 0 &&
        h(
          'ul',
          { class: 'notes', dataset: { testid: 'plan-warnings' } },
          warnings.map((one) => h('li', {}, linked(one))),
        ),
      labels.length > 0 && screening(labels),
      later.length > 0 && waiting(later, plan.waiting_in_words),
      little.length > 0 && enough(little),
    ),
  );
}

function picture(rules) {
  return h(
    'figure',
    {},
    h('div', { class: 'front-box', tabindex: 0, role: 'region', 'aria-label': 'Picture of the rules' }, front(rules)),
    h(
      'figcaption',
      { class: 'muted' },
      'Each number is a rule of the table below; those alike are set side by side. ' +
        'Filled: no other rule gives more days in remission for as many doses or fewer. ' +
        'Bars: the middle 90 % of virtual people; that they overlap so much says more than the order of the means.',
    ),
  );
}

function rulesTable(rules) {
  return table(
    [
      {
        key: 'rule',
        label: 'Rule',
        format: (value, row) => h('span', { class: 'cell' }, `${row.number}. ${value}`, h('small', {}, row.what)),
      },
      { key: 'days_in_remission', label: 'Days in remission', format: (value, row) => spread(row, 'days_in_remission') },
      { key: 'doses', label: 'Doses', format: (value, row) => spread(row, 'doses') },
      { key: 'days_ill', label: 'Days ill', format: (value, row) => spread(row, 'days_ill') },
      { key: 'ketamine_mg', label: 'Ketamine in any form', unit: 'mg', format: (value) => number(value, 3) },
      { key: 'cadss', label: 'Worst dissociation', unit: 'CADSS', format: (value, row) => spread(row, 'cadss') },
      { key: 'front', label: 'No other beats it', format: (value) => (value ? '● yes' : 'no') },
    ],
    rules,
    { caption: 'Rules: mean, and the middle 90 % of virtual people' },
  );
}

/** What is not in the comparison, and why; that nothing is left out is said too. */
function left(excluded) {
  const dataset = { testid: 'plan-excluded' };
  if (!excluded.length) return h('p', { class: 'muted', dataset }, 'No dose is left out of the comparison by a label or a limit.');
  return h(
    'div',
    { class: 'fault-box', role: 'note', dataset },
    h('p', {}, h('strong', {}, 'Left out, never simulated: ')),
    excluded.map((one) => h('p', {}, `${one.dose}: ${one.reason}. `, h('small', {}, 'Source: ', linked(one.source)))),
  );
}

/** What one more score is worth before the next dose, at several prices of a dose. */
function waiting(rows, words) {
  const tenths = (value) => number(Math.round(10 * value) / 10, 3);
  const of = (key) => (value, row) =>
    h('span', { class: 'cell' }, tenths(value), h('small', {}, `${tenths(row[`${key}_lo90`])} to ${tenths(row[`${key}_hi90`])}`));
  const columns = [
    { key: 'choice', label: 'Dose' },
    { key: 'price_d', label: 'It has to bring', unit: 'days in remission', format: (value) => number(value) },
    { key: 'now', label: 'Best now, without the score' },
    { key: 'days_in_remission', label: 'Waiting changes days in remission by', format: of('days_in_remission') },
    { key: 'doses', label: 'and doses by', format: of('doses') },
    { key: 'worth_of_score_d', label: 'Worth of the score', unit: 'days', format: of('worth_of_score_d') },
    { key: 'value_d', label: 'With the delay taken off', unit: 'days', format: of('value_d') },
  ];
  return h(
    'details',
    { open: true, dataset: { testid: 'plan-waiting' } },
    h('summary', {}, 'Decide now, or after one more visit?'),
    words && h('p', {}, words),
    table(columns, rows, { caption: 'What a week of waiting for one more score is worth, with 90 % intervals over the virtual people' }),
  );
}

function enough(little) {
  const fewest = little.find((one) => one.enough);
  const columns = [
    { key: 'sessions', label: 'Sessions' },
    {
      key: 'change',
      label: 'Change over four weeks',
      unit: 'points',
      format: (value, row) => h('span', { class: 'cell' }, number(value), h('small', {}, interval(row.p05, row.p95))),
    },
    { key: 'share', label: 'Of the change after six', format: (value) => `${Math.round(100 * value)}\u202f%` },
  ];
  return h(
    'details',
    {},
    h('summary', {}, `How little is enough: ${fewest ? `${fewest.sessions} of 6 sessions keep 90 % of the change` : 'see the table'}`),
    table(columns, little, { caption: 'The first sessions of six infusions, as for a new start; with the middle 90 % of virtual people' }),
  );
}

function spread(row, key) {
  return h('span', { class: 'cell' }, number(row[key]), h('small', {}, interval(row[`${key}_p05`], row[`${key}_p95`])));
}

function front(rules) {
  const most = Math.max(1, ...rules.map((one) => one.doses_p95));
  const high = Math.max(1, ...rules.map((one) => one.days_in_remission_p95));
  const x = (doses) => EDGE.left + SIDE + ((WIDTH - EDGE.left - EDGE.right - 2 * SIDE) * doses) / most;
  const y = (days) => HEIGHT - EDGE.bottom - ((HEIGHT - EDGE.top - EDGE.bottom) * days) / high;
  const places = apart(rules, x, y);
  return s(
    'svg',
    {
      class: 'front',
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      role: 'img',
      'aria-label': `Days in remission against doses for ${rules.length} rules; the table below holds the numbers`,
    },
    ticks(high, 4).map((v) =>
      s(
        'g',
        { class: 'tick' },
        s('line', { x1: EDGE.left, x2: WIDTH - EDGE.right, y1: y(v), y2: y(v) }),
        s('text', { x: EDGE.left - 8, y: y(v) + 4, 'text-anchor': 'end' }, String(v)),
      ),
    ),
    ticks(most, 6).map((v) => s('text', { class: 'axis', x: x(v), y: HEIGHT - 24, 'text-anchor': 'middle' }, String(v))),
    s('text', { class: 'axis', x: WIDTH / 2 + 20, y: HEIGHT - 6, 'text-anchor': 'middle' }, 'doses'),
    s(
      'text',
      { class: 'axis', x: -(HEIGHT - EDGE.bottom) / 2, y: 14, transform: 'rotate(-90)', 'text-anchor': 'middle' },
      'days in remission',
    ),
    rules.map((one, k) => mark(one, places[k], { x, y })),
  );
}

/** Discs that would lie on each other are set side by side. */
function apart(rules, x, y) {
  const taken = [];
  return rules.map((one) => {
    const [wanted, down] = [x(one.doses), y(one.days_in_remission)];
    let at = wanted;
    const free = () => taken.every(([other, height]) => Math.abs(other - at) >= STEP || Math.abs(height - down) >= STEP);
    for (let side = 1; !free() && side < 40; side += 1) at = wanted + (side % 2 ? 1 : -1) * STEP * Math.ceil(side / 2);
    taken.push([at, down]);
    return at;
  });
}

function mark(one, at, { y }) {
  const low = y(one.days_in_remission_p05);
  const high = y(one.days_in_remission_p95);
  const says = `${one.number}. ${one.rule}, ${one.what}: ${number(one.days_in_remission)} days in remission (${interval(one.days_in_remission_p05, one.days_in_remission_p95)}), ${number(one.doses)} doses`;
  return s(
    'g',
    { class: one.front ? 'rule on-front' : 'rule' },
    s('title', {}, says),
    s('line', { class: 'bar', x1: at, x2: at, y1: low, y2: high }),
    s('circle', { cx: at, cy: y(one.days_in_remission), r: 9.5 }),
    s('text', { x: at, y: y(one.days_in_remission) + 4, 'text-anchor': 'middle' }, String(one.number)),
  );
}

function ticks(high, wanted) {
  const rough = high / wanted;
  const step = [1, 2, 5, 10, 20, 50, 100].find((one) => one >= rough) ?? 200;
  return Array.from({ length: Math.floor(high / step) + 1 }, (_, k) => k * step);
}
