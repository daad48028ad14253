/** Which mechanism carries the effect: the base model, or a rival that the literature has not ruled out. */

import { isStatic } from '../api.js';
import { h } from '../dom.js';

const BASE = 'disinhibition';

/** @param {HTMLElement} root @param {import('../main.js').App} app */
export function mount(root, app) {
  const { store, about } = app;
  const rivals = about.variants.filter((one) => one.name !== BASE);
  const select = h(
    'select',
    {
      'aria-label': 'Mechanism',
      disabled: isStatic,
      dataset: { testid: 'variant' },
      on: { change: () => app.edit.scenario({ variant: select.value || null }) },
    },
    h('option', { value: '' }, 'Base model'),
    rivals.map((one) => h('option', { value: one.name }, one.name)),
  );
  const note = h('p', { class: 'small muted meaning' });
  root.append(h('div', { class: 'section-head' }, h('h2', {}, 'Mechanism')), select, note);
  const show = () => {
    const { variant } = store.get().scenario;
    select.value = variant ?? '';
    note.textContent = about.variants.find((one) => one.name === (variant ?? BASE))?.meaning ?? '';
  };
  show();
  const stop = store.subscribe((state, changed) => {
    if (changed.has('scenario')) show();
  });
  return { unmount: stop };
}
