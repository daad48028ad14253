/** The safety numbers, always in sight, and what bands and intervals cover. */

import { clear, h } from '../dom.js';
import { MISSING, short } from '../format.js';

/** @param {HTMLElement} root @param {import('../main.js').App} app */
export function mount(root, app) {
  const box = root.appendChild(h('div', { class: 'safety', dataset: { testid: 'safety' } }));
  const covers = h('p', { class: 'small muted' });
  root.append(h('details', { class: 'explain' }, h('summary', {}, 'What bands and intervals cover'), covers));
  const show = ({ answer }) => {
    if (!answer) return;
    covers.textContent = answer.covers;
    safetyTable(box, answer.safety);
  };
  show(app.results.get());
  const stop = app.results.subscribe((state, changed) => {
    if (changed.has('answer')) show(state);
  });
  return { unmount: stop };
}

function safetyTable(root, rows) {
  const text = (one, value) => (Number.isFinite(value) ? short(value, one.unit) : MISSING);
  clear(root).append(
    h(
      'table',
      { class: 'plain' },
      h('caption', {}, 'Worst moment of any session'),
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          h('th', { scope: 'col' }, h('span', { class: 'sr-only' }, 'Effect')),
          h('th', { scope: 'col' }, 'mean'),
          h('th', { scope: 'col' }, '1 in 20 above'),
        ),
      ),
      h(
        'tbody',
        {},
        rows.map((one) =>
          h(
            'tr',
            { dataset: { key: one.key } },
            h('th', { scope: 'row' }, one.label, h('span', { class: 'unit' }, ` ${one.unit}`)),
            h('td', {}, text(one, one.value)),
            h('td', {}, text(one, one.p95)),
          ),
        ),
      ),
    ),
  );
}
