/** What a repeated trial found: power, effect against the truth, what unblinding does, who guessed what. */

import { h } from '../dom.js';
import { interval, number, percent, span } from '../format.js';
import { table } from '../table.js';
import { intervalMark } from './marks.js';
import { rowsOf } from './forecast_result.js';

const ENOUGH = 0.8; // power that trials usually ask for
const WORLDS = {
  posterior: ['As blinded', 'as designed, with what the calibration leaves open'],
  masked: ['Perfectly masked', 'the same people and luck, but nothing can be felt'],
  mean: ['At central values', 'ignores what is not known'],
  null: ['Nothing to find', 'every arm treated like the reference'],
  inert: ['If the drug is inert', 'it does nothing but reveal itself'],
  'inert-masked': ['Inert, masked', 'the low end'],
};

/**
 * @param {HTMLElement} root
 * @param {any} app
 * @param {any} result
 * @param {any} asked the settings that the result is of
 */
export function showTrial(root, app, result, asked) {
  const estimates = rowsOf(result.estimates);
  const primary = estimates[0];
  root.append(
    ...[
      headline(primary, asked),
      effect(estimates, asked),
      worlds(rowsOf(result.worlds), primary, asked),
      guesses(rowsOf(result.blinding)),
      arms(rowsOf(result.arms)),
      flow(rowsOf(result.flow)),
      h(
        'section',
        { class: 'card' },
        h('h2', {}, 'How far to trust it'),
        h('p', {}, app.about.drug_share),
        result.warnings?.length > 0 &&
          h(
            'ul',
            { class: 'notes' },
            result.warnings.map((one) => h('li', {}, one)),
          ),
        h('p', {}, 'Trial and analysis share one model. The numbers say how such a design behaves if people are like the virtual ones.'),
      ),
    ].filter(Boolean),
  );
}

function headline(primary, asked) {
  const short = primary.power < ENOUGH;
  const sure = short && primary.power_hi < ENOUGH;
  const verdict = sure ? 'Not powered. ' : short ? 'Likely not powered. ' : primary.power_lo >= ENOUGH ? 'Powered. ' : 'Likely powered. ';
  return h(
    'section',
    { class: 'card' },
    h('h2', {}, 'Power'),
    h(
      'p',
      { class: 'big-number', dataset: { testid: 'trial-power' } },
      h('strong', {}, percent(primary.power)),
      h('span', {}, `${shares(primary.power_lo, primary.power_hi)}, 90 % interval of ${asked.replicates} repeats`),
    ),
    h(
      'p',
      { class: short ? 'warn' : '' },
      h('strong', {}, verdict),
      short
        ? `Of ten such trials about ${Math.round(10 * primary.power)} would find a difference in the model. A trial that is not powered teaches little whatever it finds, and those that do find something overstate it.`
        : `Of ten such trials about ${Math.round(10 * primary.power)} would find a difference in the model.`,
    ),
    h(
      'p',
      { class: 'muted' },
      `${endpointName(primary)} by ${primary.analysis}. This is assurance: the chance of success with what the calibration does not know averaged in.`,
    ),
  );
}

function effect(estimates, asked) {
  const columns = [
    {
      key: 'endpoint',
      label: 'Endpoint',
      format: (_, row) => h('span', { class: 'cell' }, endpointName(row), h('small', {}, row.analysis)),
    },
    {
      key: 'estimate',
      label: 'Estimate (95 %)',
      format: (value, row) => h('span', { class: 'cell' }, number(value), h('small', {}, interval(row.lo95, row.hi95))),
    },
    ...(estimates.some((one) => known(one.truth)) ? [{ key: 'truth', label: 'Truth in the model', format: (value) => number(value) }] : []),
    {
      key: 'power',
      label: 'Power (90 %)',
      format: (value, row) => h('span', { class: 'cell' }, percent(value), h('small', {}, shares(row.power_lo, row.power_hi))),
    },
  ];
  const one = estimates[0];
  const far = Math.max(...[one.lo95, one.hi95, one.estimate].map(Math.abs)) * 1.15;
  const says = `Estimate ${number(one.estimate)}, 95 % interval ${interval(one.lo95, one.hi95)}${known(one.truth) ? `, truth in the model ${number(one.truth)}` : ''}`;
  return h(
    'section',
    { class: 'card' },
    h('h2', {}, 'What it finds, and what is true'),
    asked.measure !== 'relapse' &&
      asked.measure !== 'time-to-response' &&
      h(
        'div',
        { class: 'effect' },
        intervalMark({ value: one.estimate, lo: one.lo95, hi: one.hi95, mark: one.truth, low: -far, high: far, label: says }),
        h(
          'p',
          { class: 'muted' },
          `${says}. ${one.estimate < 0 && asked.measure === 'change' ? 'Left of the line favours the first arm.' : ''} ▼ is the truth.`,
        ),
      ),
    table(columns, estimates, { caption: 'Estimates: mean over repeats, with the interval that one trial would report' }),
  );
}

function worlds(all, primary, asked) {
  const rows = all.filter((one) => WORLDS[one.world] && one.endpoint === primary.endpoint && one.arm === primary.arm);
  const blind = rows.find((one) => one.world === 'posterior');
  const masked = rows.find((one) => one.world === 'masked');
  if (!blind || !masked) return null;
  const card = (one) =>
    h(
      'div',
      { class: 'world', dataset: { testid: `world-${one.world}` } },
      h('h3', {}, WORLDS[one.world][0]),
      h('p', { class: 'mid-number' }, percent(one.power), h('small', {}, ` power, ${shares(one.power_lo, one.power_hi)}`)),
      h('div', { class: 'meter', 'aria-hidden': 'true' }, h('span', { style: { width: `${100 * one.power}%` } })),
      known(one.estimate) &&
        h('p', {}, `effect ${number(one.estimate)}`, h('small', {}, ` ${interval(one.lo90, one.hi90)} in 9 of 10 repeats`)),
      h('p', { class: 'muted' }, WORLDS[one.world][1]),
    );
  const lost = blind.power - masked.power;
  const without =
    known(masked.estimate) && known(blind.estimate)
      ? ` and the effect ${number(masked.estimate)} instead of ${number(blind.estimate)}`
      : '';
  const words =
    asked.patients === 'masked'
      ? 'This trial is masked as designed, so both are the same.'
      : Math.abs(lost) < 0.03
        ? 'In the calibrated model masking changes little here: the expectancy that the drug raises above this control is small beside the rest. The inert rival says otherwise; only masked trials can tell.'
        : `Without unblinding the power would be ${percent(masked.power)} instead of ${percent(blind.power)}${without}. The rest is people noticing what they got.`;
  return h(
    'section',
    { class: 'card' },
    h('h2', {}, 'What unblinding does'),
    h('div', { class: 'worlds' }, rows.map(card)),
    h('p', {}, words),
  );
}

function guesses(rows) {
  if (!rows.length) return null;
  return h(
    'section',
    { class: 'card' },
    h('h2', {}, 'Who guessed “the drug”'),
    h(
      'ul',
      { class: 'bars' },
      rows.map((row) =>
        h(
          'li',
          {},
          h('span', { class: 'bar-name' }, row.arm, h('small', {}, ` after ${span(row.time_h)}, ${WORLDS[row.world][0].toLowerCase()}`)),
          h('span', { class: 'meter', 'aria-hidden': 'true' }, h('span', { style: { width: `${100 * row.guessed_active}%` } })),
          h(
            'span',
            { class: 'bar-value' },
            percent(row.guessed_active),
            h('small', {}, ` ${shares(row.guessed_active_lo90, row.guessed_active_hi90)}`),
          ),
        ),
      ),
    ),
    h(
      'p',
      { class: 'muted' },
      'Where nobody can tell, the bars are as long in every arm. Guesses come from what is felt, what was promised and early benefit, with weights that are assumed.',
    ),
  );
}

function arms(rows) {
  if (!rows.length) return null;
  const columns = [
    { key: 'arm', label: 'Arm' },
    { key: 'n', label: 'People', format: (value) => number(value) },
    {
      key: 'change',
      label: 'Change',
      unit: 'points',
      format: (value, row) => h('span', { class: 'cell' }, number(value), h('small', {}, interval(row.lo90, row.hi90))),
    },
    { key: 'response', label: 'Response', format: percent },
    { key: 'remission', label: 'Remission', format: percent },
  ];
  return h(
    'section',
    { class: 'card' },
    h('h2', {}, 'By arm'),
    table(columns, rows, { caption: `${rows[0].visit ? `At ${rows[0].visit}: ` : ''}means over repeats, with the middle 90 % of repeats` }),
  );
}

function flow(rows) {
  if (!rows.length) return null;
  const names = {
    rated: 'Rated for entry',
    enrolled: 'Enrolled',
    randomised: 'Randomised',
    left_at_random: 'Left',
    left_lack_of_effect: 'Left, no effect',
    left_side_effects: 'Left, side effects',
    rescued: 'Rescued',
    completed: 'Completed',
    missed_visits: 'Visits missed',
  };
  const columns = Object.entries(names)
    .filter(([key]) => known(rows[0][key]))
    .map(([key, label]) => ({ key, label, format: (value) => number(value) }));
  return h(
    'section',
    { class: 'card' },
    h('h2', {}, 'Flow of people'),
    table([{ key: 'arm', label: 'Arm' }, ...columns], rows, { caption: 'Means over repeats' }),
  );
}

function endpointName(row) {
  return [row.endpoint, row.arm && `(${row.arm})`].filter(Boolean).join(' ');
}

/** Ends of an interval of shares: "82 to 92 %". */
const shares = (lo, hi) => interval(100 * lo, 100 * hi, '%');

const known = (value) => value !== null && value !== undefined && Number.isFinite(value);
