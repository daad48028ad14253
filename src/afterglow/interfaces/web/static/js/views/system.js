/** One system of the model: what it is, its equations, every number with its source, and what it is wired to. */

import { h } from '../dom.js';
import { number } from '../format.js';
import { linked } from './limits.js';
import { curve } from './marks.js';
import { sentence } from './work.js';

const GRADES = {
  page: ['published', 'read in the publication'],
  derived: ['derived', 'worked out from publications'],
  fitted: ['fitted', 'by the calibration'],
  assumed: ['assumed', 'chosen; no source says it'],
  missing: ['missing', 'its record is missing'],
};

/**
 * @param {string} name
 * @param {import('../main.js').App} app
 * @returns {Promise<void>}
 */
export async function openSystem(name, app) {
  const body = h('div', { class: 'system', 'aria-busy': 'true' }, h('p', {}, 'Opening …'));
  const part = app.about.chain.find((one) => one.systems.includes(name));
  const { el, close } = app.dialog({ title: words(name), content: body, wide: true });
  el.dataset.testid = 'system-dialog';
  const go = (other) => {
    close();
    openSystem(other, app);
  };
  try {
    const found = await app.api.system(name);
    body.replaceChildren(
      ...[
        h('div', { class: 'lead' }, paragraphs(found.doc || found.title)),
        counts(found.parameters),
        response(part, app),
        neighbours(found, name, go),
        equations(found.equations),
        numbers(found.parameters, name),
      ].filter(Boolean),
    );
  } catch (error) {
    body.replaceChildren(
      h(
        'div',
        { class: 'fault-box', role: 'alert' },
        (error.faults ?? [{ problem: error.message }]).map((one) => h('p', {}, sentence(one))),
      ),
    );
  } finally {
    body.removeAttribute('aria-busy');
  }
}

/** "nmda_block" -> "Nmda block". */
function words(name) {
  return (name.charAt(0).toUpperCase() + name.slice(1)).replace(/_/g, ' ').replace(/^Nmda/, 'NMDA');
}

/** Paragraphs of a docstring; what stands in backticks becomes code. */
function paragraphs(doc) {
  return doc.split(/\n\s*\n/).map((text) =>
    h(
      'p',
      {},
      text
        .replace(/\s+/g, ' ')
        .trim()
        .split('`')
        .map((one, k) => (k % 2 ? h('code', {}, one) : one)),
    ),
  );
}

function counts(parameters) {
  const of = (grade) => parameters.filter((one) => gradeOf(one) === grade).length;
  const parts = ['published', 'derived', 'fitted', 'assumed', 'missing'].map((grade) => [grade, of(grade)]).filter(([, n]) => n > 0);
  return h(
    'p',
    { class: 'counts' },
    h('strong', {}, `${parameters.length} ${parameters.length === 1 ? 'number' : 'numbers'}`),
    parts.map(([grade, n]) => [' ', h('span', { class: `badge grade-${grade}` }, `${n} ${grade}`)]),
  );
}

function response(part, app) {
  const run = app.lastRun();
  const panel = part && app.about.panels.find((one) => (one.chain === part.key || one.name === part.quantity) && run?.panels[one.name]);
  if (!panel) return null;
  const unit = panel.unit === '1' ? '' : panel.unit;
  return h(
    'figure',
    { class: 'system-response' },
    curve({ time_h: run.time_h, band: run.panels[panel.name], label: panel.label, unit, layer: panel.layer }),
    h(
      'figcaption',
      { class: 'muted' },
      `${[panel.label, unit].filter(Boolean).join(', ')}, for what is on screen: median and the middle 90 % of people, from the first minutes to the last week.`,
    ),
  );
}

function neighbours({ wires }, name, go) {
  const end = (place) => place.split('.')[0];
  const coming = wires.filter((one) => end(one.target) === name && end(one.source) !== name);
  const going = wires.filter((one) => end(one.source) === name && end(one.target) !== name);
  const chip = (other, what) =>
    h(
      'li',
      {},
      h(
        'button',
        { type: 'button', class: 'chip', on: { click: () => go(other) } },
        other.replace(/_/g, ' '),
        h('small', {}, ` ${what.replace(/_/g, ' ')}`),
      ),
    );
  const list = (heading, items) => items.length > 0 && h('div', {}, h('h3', {}, heading), h('ul', { class: 'chips' }, items));
  return h(
    'div',
    { class: 'neighbours' },
    list(
      'What comes in',
      coming.map((one) => chip(end(one.source), one.target.split('.')[1])),
    ),
    list(
      'What goes out',
      going.map((one) => chip(end(one.target), one.source.split('.')[1])),
    ),
  );
}

function equations(lines) {
  return h(
    'section',
    {},
    h('h3', {}, 'Equations'),
    h('pre', { class: 'equations', tabindex: 0, role: 'region', 'aria-label': 'Equations' }, h('code', {}, lines.join('\n'))),
  );
}

function numbers(parameters, name) {
  if (!parameters.length) return null;
  const several = new Set(parameters.map((one) => one.system)).size > 1;
  const rows = parameters.map((one) =>
    h(
      'tr',
      { class: `grade-row-${gradeOf(one)}` },
      h('th', { scope: 'row' }, h('code', {}, several && one.system !== name ? `${one.system}.${one.name}` : one.name)),
      h('td', { class: 'value' }, number(one.value, 4), one.unit && one.unit !== '1' ? h('span', { class: 'unit' }, ` ${one.unit}`) : null),
      h('td', { class: 'words' }, one.meaning, one.spread && h('small', {}, `between people: ${one.spread}`)),
      h('td', { class: 'words' }, badge(one), ' ', source(one)),
    ),
  );
  return h(
    'section',
    {},
    h('h3', {}, 'Numbers'),
    h(
      'div',
      { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Numbers of this system' },
      h(
        'table',
        { class: 'parameters' },
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            ['Symbol', 'Value', 'Meaning', 'Source'].map((one) => h('th', { scope: 'col' }, one)),
          ),
        ),
        h('tbody', {}, rows),
      ),
    ),
  );
}

function badge(one) {
  const [word, title] = GRADES[one.grade] ?? [one.grade, null];
  return h('span', { class: `badge grade-${gradeOf(one)}`, title }, word);
}

function source(one) {
  const text = one.citation ?? '';
  if (!one.link) return h('span', {}, linked(text));
  const bare = text.replace(one.link, '').trim();
  return h('a', { href: one.link, target: '_blank', rel: 'noopener noreferrer' }, bare || one.link);
}

function gradeOf(one) {
  return (GRADES[one.grade] ?? [one.grade])[0];
}
