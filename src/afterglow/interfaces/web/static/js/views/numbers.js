/** The three numbers with their intervals. */

import { h, s, set } from '../dom.js';
import { interval, short, unitWord } from '../format.js';

const BAR = 200;

/** @param {HTMLElement} root @param {import('../main.js').App} app */
export function mount(root, app) {
  const cards = root.appendChild(h('div', { class: 'numbers', dataset: { testid: 'numbers' } }));
  const drawn = new Map();
  const show = ({ answer }) => {
    if (!answer) return;
    for (const one of answer.numbers) {
      if (!drawn.has(one.key)) {
        drawn.set(one.key, card(one));
        cards.append(drawn.get(one.key).el);
      }
      drawn.get(one.key).show(one, app.store.get().scenario.weeks);
    }
    if (!app.store.get().dragging) app.announce(answer.numbers.map(words).join('. '));
  };
  show(app.results.get());
  const stop = app.results.subscribe((state, changed) => {
    if (changed.has('answer')) show(state);
  });
  return { unmount: stop };
}

/** @param {Object} one a number of the answer @returns {string} for instance "Response at 24 h: 42 %, 90 % interval 30 to 55 %" */
export function words(one) {
  return one.value === null
    ? `${one.label}: not reached`
    : `${one.label}: ${short(one.value, one.unit)} ${unitWord(one.unit)}, 90 % interval ${interval(one.lo90, one.hi90, one.unit)}`;
}

function card(first) {
  const value = h('span', { class: 'value' });
  const unit = h('span', { class: 'value-unit' });
  const range = h('span', { class: 'range' });
  const help = h('p', { class: 'help' });
  const track = s('rect', { class: 'bar-track', x: 0, y: 5, width: BAR, height: 4, rx: 2 });
  const span = s('rect', { class: 'bar-span', y: 3, height: 8, rx: 4 });
  const dot = s('circle', { class: 'bar-dot', cy: 7, r: 5 });
  const bar = s('svg', { class: 'bar', viewBox: `-6 0 ${BAR + 12} 14`, 'aria-hidden': 'true' }, track, span, dot);
  const title = h('h3', {});
  const el = h(
    'article',
    { class: 'number', dataset: { testid: 'number', key: first.key } },
    h(
      'details',
      { class: 'explain' },
      h('summary', {}, title, h('span', { class: 'question', 'aria-hidden': 'true' }, '?')),
      help,
    ),
    h('p', { class: 'figure' }, value, ' ', unit, range),
    bar,
  );
  const show = (one, weeks) => {
    const most = one.unit === '%' ? 100 : weeks * 7;
    const x = (at) => BAR * Math.min(1, Math.max(0, at / most));
    value.textContent = one.value === null ? 'not reached' : short(one.value, one.unit);
    el.classList.toggle('none', one.value === null);
    unit.textContent = one.value === null ? '' : unitWord(one.unit);
    range.textContent = one.value === null ? `within ${weeks} weeks` : interval(one.lo90, one.hi90, one.unit);
    help.textContent = one.help;
    title.textContent = one.label;
    const known = one.value !== null && one.lo90 !== null;
    set(span, { x: known ? x(one.lo90) : 0, width: known ? Math.max(2, x(one.hi90 ?? most) - x(one.lo90)) : 0 });
    set(dot, { cx: known ? x(one.value) : 0, visibility: known ? 'visible' : 'hidden' });
  };
  return { el, show };
}
