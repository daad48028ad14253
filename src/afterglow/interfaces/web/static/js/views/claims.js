/** What is said about rapid-acting antidepressants, statement by statement, with what records and model say of it. */

import { h } from '../dom.js';
import { interval, number } from '../format.js';
import { linked } from './limits.js';
import { intervalMark } from './marks.js';
import { sentence } from './work.js';

const VERDICTS = {
  supported: ['✓', 'supported'], overstated: ['≈', 'overstated'], contradicted: ['✕', 'contradicted'], open: ['?', 'open'], definition: ['≔', 'definition'],
};

/** @param {HTMLElement} root @param {import('../main.js').App} app @returns {{unmount: () => void}} */
export function mount(root, app) {
  let alive = true;
  root.append(h('p', { class: 'waiting' }, 'Reading the claims …'));
  app.api.claims().then((all) => alive && root.replaceChildren(...page(all, app))).catch((error) => alive && root.replaceChildren(notYet(error)));
  return { unmount: () => { alive = false; } };
}

function notYet(error) {
  const waiting = error.status === 503;
  return h('section', { class: 'card empty', role: 'alert' }, h('h2', {}, waiting ? 'The claims are not here yet' : 'The claims could not be read'),
    waiting && h('p', {}, 'Each statement is held against published records and against the model, which takes a while once. Come back later; the other views work meanwhile.'),
    (error.faults ?? []).map((one) => h('p', { class: 'muted' }, sentence(one))));
}

function page(all, app) {
  const chosen = { verdict: null, group: null, text: '' };
  const count = h('p', { class: 'muted', role: 'status' });
  const cards = all.map((one) => ({ one, el: card(one, app), text: `${one.says} ${one.sentence} ${one.group}`.toLowerCase() }));
  const show = () => {
    const words = chosen.text.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { one, el, text } of cards) {
      el.hidden = (chosen.verdict && one.verdict !== chosen.verdict) || (chosen.group && one.group !== chosen.group) || !words.every((word) => text.includes(word));
      shown += el.hidden ? 0 : 1;
    }
    count.textContent = shown === all.length ? `${all.length} statements` : `${shown} of ${all.length} statements`;
  };
  const search = h('input', { type: 'search', class: 'text', placeholder: 'Search', 'aria-label': 'Search the statements', dataset: { testid: 'claim-search' }, on: { input: (event) => { chosen.text = event.target.value; show(); } } });
  const verdicts = Object.keys(VERDICTS).filter((name) => all.some((one) => one.verdict === name));
  const groups = [...new Set(all.map((one) => one.group))];
  const number_ = (key, value) => all.filter((one) => one[key] === value).length;
  show();
  return [
    h('header', { class: 'view-head' }, h('h2', {}, 'Claims, held against records and model'),
      h('p', { class: 'muted' }, 'A verdict is about the statement as it is worded. The model’s number is not evidence: it shows what would follow if the model were right.')),
    h('div', { class: 'filters' }, search,
      chips('Verdict', verdicts.map((name) => [name, [h('span', { class: `verdict verdict-${name}` }, sign(name)), ` ${number_('verdict', name)}`]]), (value) => { chosen.verdict = value; show(); }),
      chips('Group', groups.map((name) => [name, [name, h('small', {}, ` ${number_('group', name)}`)]]), (value) => { chosen.group = value; show(); }), count),
    h('div', { class: 'claims' }, cards.map(({ el }) => el)),
  ];
}

/** Chips of which one or none is pressed. */
function chips(label, options, choose) {
  let now = null;
  const buttons = options.map(([value, content]) => h('button', { type: 'button', class: 'chip', 'aria-pressed': 'false', dataset: { testid: 'claim-filter', value }, on: { click: () => press(value) } }, content));
  function press(value) {
    now = now === value ? null : value;
    buttons.forEach((one) => one.setAttribute('aria-pressed', String(one.dataset.value === now)));
    choose(now);
  }
  return h('div', { class: 'chips', role: 'group', 'aria-label': label }, buttons);
}

function sign(verdict) {
  const [symbol, word] = VERDICTS[verdict] ?? ['·', verdict];
  return [h('span', { 'aria-hidden': 'true' }, symbol), ` ${word}`];
}

function card(one, app) {
  const more = [one.records.length > 0 && records(one.records), one.model && model(one.model, app)].filter(Boolean);
  return h('article', { class: 'card claim', dataset: { testid: 'claim-card', id: one.id } },
    h('p', { class: 'claim-top' }, h('span', { class: `verdict verdict-${one.verdict}` }, sign(one.verdict)), h('span', { class: 'muted' }, one.group)),
    h('h3', {}, one.says), h('p', {}, one.sentence),
    more.length > 0 && h('details', { class: 'claim-more' }, h('summary', {}, told(one)), more));
}

function told({ records: list, model: found }) {
  const parts = [list.length > 0 && `${list.length} ${list.length === 1 ? 'record' : 'records'}`, found && 'the model’s number'].filter(Boolean);
  return parts.join(' and ');
}

function records(list) {
  const signs = { supports: '▲ supports', qualifies: '◆ qualifies', contradicts: '▼ contradicts' };
  return h('ul', { class: 'records' }, list.map((one) => h('li', {}, h('span', { class: `direction direction-${one.direction}` }, signs[one.direction] ?? one.direction), ' ', one.says, ' ',
    h('cite', {}, one.link ? h('a', { href: one.link, target: '_blank', rel: 'noopener noreferrer' }, one.citation) : linked(one.citation)))));
}

function model(found, app) {
  const unit = found.unit === '1' ? '' : found.unit;
  const [low, high] = [Math.min(0, found.lo90), Math.max(0, found.hi90)];
  const room = 0.08 * (high - low || 1);
  const says = `Model: ${number(found.value)}${unit ? ` ${unit}` : ''}, 90 % interval ${interval(found.lo90, found.hi90)}`;
  const asked = typeof found.scenario === 'string' ? found.scenario : null; // words for what cannot be shown in Explore
  const go = () => app.store.set({ scenario: found.scenario, window_h: [0, found.scenario.weeks * 168], view: 'explore' });
  return h('div', { class: 'claim-model' },
    intervalMark({ value: found.value, lo: found.lo90, hi: found.hi90, low: low - room, high: high + room, label: says, tone: 'green' }), h('p', {}, `${says}.`), asked && h('p', { class: 'muted' }, `${asked}.`),
    found.scenario && !asked && h('button', { type: 'button', class: 'button', dataset: { testid: 'claim-try' }, on: { click: go } }, 'Try it'));
}
