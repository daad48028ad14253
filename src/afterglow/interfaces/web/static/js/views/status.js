/** Whether the screen is up to date, and what went wrong if it is not. */

import { clear, h } from '../dom.js';
import { lineOf } from '../course.js';
import { count } from '../format.js';
import { isStatic } from '../api.js';

/** @param {HTMLElement} root @param {import('../main.js').App} app */
export function mount(root, app) {
  const line = root.appendChild(h('p', { class: 'status', dataset: { testid: 'status' } }));
  const fault = root.appendChild(h('div', { role: 'alert' }));
  const show = ({ answer, busy, error }) => {
    const people = answer ? count(answer.people, 'virtual person', 'virtual people') : '';
    const near = isStatic && answer && !answer.exact ? 'The nearest precomputed scenario is shown. ' : '';
    line.textContent = busy ? `${people || 'Computing'} …` : `${near}${people}`;
    line.dataset.busy = String(busy);
    clear(fault);
    if (error) {
      fault.append(
        h(
          'div',
          { class: 'fault', dataset: { testid: 'fault' } },
          h('strong', {}, 'Not computed. '),
          atRows(error) ? 'See the marked row of the course.' : error.message,
          answer && h('span', {}, ' What you see is the last answer.'),
        ),
      );
    }
    document.body.classList.toggle('stale', Boolean(error));
  };
  show(app.results.get());
  const stop = app.results.subscribe(show);
  return {
    unmount: () => {
      stop();
      document.body.classList.remove('stale');
    },
  };
}

/** Whether all that is wrong is said at the rows of the course table. */
const atRows = (error) => Boolean(error.faults?.length) && error.faults.every((one) => lineOf(one.where) !== null);
