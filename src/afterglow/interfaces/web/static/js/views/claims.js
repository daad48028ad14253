/** What is said about rapid-acting antidepressants, statement by statement, with what records and model say of it. */

import { h } from '../dom.js';
import { interval, number } from '../format.js';
import { linked } from './limits.js';
import { intervalMark } from './marks.js';
import { sentence } from './work.js';

const AGAIN_MS = 2000;
const VERDICTS = {
  supported: ['✓', 'supported'],
  overstated: ['≈', 'overstated'],
  contradicted: ['✕', 'contradicted'],
  open: ['?', 'open'],
  definition: ['≔', 'definition'],
};

/** @param {HTMLElement} root @param {import('../main.js').App} app @returns {{unmount: () => void}} */
export function mount(root, app) {
  let timer = 0;
  let alive = true;
  root.append(h('p', { class: 'waiting' }, 'Reading the claims …'));
  const ask = async () => {
    try {
      const all = await app.api.claims();
      if (!alive) return;
      if (Array.isArray(all)) return void root.replaceChildren(...page(all, app));
      wait(all.share);
      timer = setTimeout(ask, AGAIN_MS);
    } catch (error) {
      if (alive) root.replaceChildren(failed((error.faults ?? []).map(sentence).join(' ')));
    }
  };
  const wait = (share) => {
    if (!root.querySelector('progress')) root.replaceChildren(working());
    root.querySelector('progress').value = share;
  };
  ask();
  return {
    unmount: () => {
      alive = false;
      clearTimeout(timer);
    },
  };
}

function working() {
  return h(
    'section',
    { class: 'card empty', role: 'status', dataset: { testid: 'claims-working' } },
    h('h2', {}, 'Asking the model'),
    h(
      'p',
      {},
      'Each statement is held against published records and against runs of the model. The first time this takes about half a minute, then it is kept. The page comes by itself; the other views work meanwhile.',
    ),
    h('progress', { 'aria-label': 'The claims are being answered', max: 1 }),
  );
}

function failed(said) {
  return h(
    'section',
    { class: 'card empty', role: 'alert' },
    h('h2', {}, 'The claims could not be read'),
    h('p', { class: 'muted' }, said),
  );
}

function page(all, app) {
  const chosen = { verdict: null, group: null, text: '' };
  const count = h('p', { class: 'muted', role: 'status' });
  const cards = all.map((one) => ({ one, el: card(one, app), text: `${one.says} ${one.sentence} ${one.group}`.toLowerCase() }));
  const choose = (patch) => {
    Object.assign(chosen, patch);
    const words = chosen.text.toLowerCase().split(/\s+/).filter(Boolean);
    for (const { one, el, text } of cards) {
      const other = (key) => chosen[key] && one[key] !== chosen[key];
      el.hidden = Boolean(other('verdict') || other('group') || !words.every((word) => text.includes(word)));
    }
    const shown = cards.filter(({ el }) => !el.hidden).length;
    count.textContent = shown === all.length ? `${all.length} statements` : `${shown} of ${all.length} statements`;
  };
  choose({});
  return [
    h(
      'header',
      { class: 'view-head' },
      h('h2', {}, 'Claims, held against records and model'),
      h(
        'p',
        { class: 'muted' },
        'A verdict is about the statement as it is worded. The model’s number is not evidence: it shows what would follow if the model were right.',
      ),
    ),
    h('div', { class: 'filters' }, filters(all, choose), count),
    h(
      'div',
      { class: 'claims' },
      cards.map(({ el }) => el),
    ),
  ];
}

/** A search field, and chips of verdicts and groups with how many statements have them. */
function filters(all, choose) {
  const many = (key, value) => ` ${all.filter((one) => one[key] === value).length}`;
  const verdicts = Object.keys(VERDICTS).filter((name) => all.some((one) => one.verdict === name));
  const groups = [...new Set(all.map((one) => one.group))];
  return [
    h('input', {
      type: 'search',
      class: 'text',
      placeholder: 'Search',
      'aria-label': 'Search the statements',
      dataset: { testid: 'claim-search' },
      on: { input: (event) => choose({ text: event.target.value }) },
    }),
    chips(
      'Verdict',
      verdicts.map((name) => [name, [h('span', { class: `verdict verdict-${name}` }, sign(name)), many('verdict', name)]]),
      (verdict) => choose({ verdict }),
    ),
    chips(
      'Group',
      groups.map((name) => [name, [name, h('small', {}, many('group', name))]]),
      (group) => choose({ group }),
    ),
  ];
}

/** Chips of which one or none is pressed. */
function chips(label, options, choose) {
  let now = null;
  const buttons = options.map(([value, content]) =>
    h(
      'button',
      {
        type: 'button',
        class: 'chip',
        'aria-pressed': 'false',
        dataset: { testid: 'claim-filter', value },
        on: { click: () => press(value) },
      },
      content,
    ),
  );
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
  return h(
    'article',
    { class: 'card claim', dataset: { testid: 'claim-card', id: one.id } },
    h(
      'p',
      { class: 'claim-top' },
      h('span', { class: `verdict verdict-${one.verdict}` }, sign(one.verdict)),
      h('span', { class: 'muted' }, one.group),
    ),
    h('h3', {}, one.says),
    h('p', {}, one.sentence),
    more.length > 0 && h('details', { class: 'claim-more' }, h('summary', {}, told(one)), more),
  );
}

function told({ records: list, model: found }) {
  const parts = [list.length > 0 && `${list.length} ${list.length === 1 ? 'record' : 'records'}`, found && 'the model’s number'].filter(
    Boolean,
  );
  return parts.join(' and ');
}

function records(list) {
  const signs = { supports: '▲ supports', qualifies: '◆ qualifies', contradicts: '▼ contradicts' };
  return h(
    'ul',
    { class: 'records' },
    list.map((one) =>
      h(
        'li',
        {},
        h('span', { class: `direction direction-${one.direction}` }, signs[one.direction] ?? one.direction),
        ' ',
        one.says,
        ' ',
        h(
          'cite',
          {},
          one.link ? h('a', { href: one.link, target: '_blank', rel: 'noopener noreferrer' }, one.citation) : linked(one.citation),
        ),
      ),
    ),
  );
}

function model(found, app) {
  const unit = found.unit === '1' ? '' : found.unit;
  const [low, high] = [Math.min(0, found.lo90), Math.max(0, found.hi90)];
  const room = 0.08 * (high - low || 1);
  const says = `Model: ${number(found.value)}${unit ? ` ${unit}` : ''}, 90 % interval ${interval(found.lo90, found.hi90)}`;
  const go = () => app.store.set({ scenario: found.scenario, window_h: [0, found.scenario.weeks * 168], view: 'explore' });
  return h(
    'div',
    { class: 'claim-model' },
    intervalMark({ value: found.value, lo: found.lo90, hi: found.hi90, low: low - room, high: high + room, label: says, tone: 'green' }),
    h('p', {}, `${says}.`),
    h('p', { class: 'muted' }, `${found.asked.charAt(0).toUpperCase()}${found.asked.slice(1)}.`),
    found.scenario && h('button', { type: 'button', class: 'button', dataset: { testid: 'claim-try' }, on: { click: go } }, 'Try it'),
  );
}
