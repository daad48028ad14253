/** What the course is compared with: a shipped course, or the course as it is at this moment. */

import { coursesByKind } from './courses.js';
import { h, set } from '../dom.js';
import { index, isStatic } from '../api.js';
import { same } from '../precomputed.js';

const OWN = '(this course, kept)';

/** @param {HTMLElement} root @param {import('../main.js').App} app */
export function mount(root, app) {
  const { store, about } = app;
  const kept = h('option', { value: OWN, hidden: true }, 'The course you kept');
  const select = h(
    'select',
    {
      'aria-label': 'Compare with',
      dataset: { testid: 'versus' },
      on: {
        change: () => {
          if (select.value !== OWN) app.edit.scenario({ versus: select.value || null });
        },
      },
    },
    h('option', { value: '' }, 'Nothing'),
    coursesByKind(about, about.comparators),
    kept,
  );
  const keep = h(
    'button',
    {
      type: 'button',
      class: 'add',
      dataset: { testid: 'keep' },
      title: 'Keep the course as a ghost, then change it: A against B',
      on: { click: () => app.edit.scenario({ versus: store.get().scenario.course }) },
    },
    'Keep this course as A',
  );
  const note = h(
    'p',
    { class: 'small muted' },
    h('span', { class: 'key-ghost' }),
    'Dashed: median of the comparator in the same people. The last panel shows the difference.',
  );
  root.append(h('div', { class: 'section-head' }, h('h2', {}, 'Compare with')), select, h('div', { class: 'course-foot' }, keep), note);
  let computed = null; // scenarios of a static page
  const show = () => {
    const { course, versus } = store.get().scenario;
    if (computed) offer(select, new Set(['', ...computed.filter((one) => same(one.course, course)).map((one) => one.versus)]));
    const own = versus !== null && typeof versus === 'object';
    kept.hidden = !own;
    if (own) kept.textContent = `A: ${versus.title || versus.course}`;
    select.value = own ? OWN : (versus ?? '');
    note.hidden = versus === null;
  };
  show();
  if (isStatic) {
    set(keep, { disabled: true });
    index().then((found) => {
      computed = found.scenarios.map((one) => one.scenario);
      show();
    });
  }
  const stop = store.subscribe((state, changed) => {
    if (changed.has('scenario')) show();
  });
  return { unmount: stop };
}

/** Leaves only the comparators that were precomputed. */
function offer(select, known) {
  for (const option of [...select.options]) set(option, { disabled: !known.has(option.value) });
}
