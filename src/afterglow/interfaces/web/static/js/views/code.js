/** What is on screen as Python, as a command line and as files, ready to run. */

import { h } from '../dom.js';
import { extraOf } from './asked.js';
import { sentence } from './work.js';

/**
 * @param {any} app
 * @returns {Promise<void>}
 */
export async function openCode(app) {
  const { view, scenario } = app.store.get();
  const body = h('div', { class: 'code-view', 'aria-busy': 'true' }, h('p', {}, 'Writing the code …'));
  app.dialog({ title: 'Code of what is on screen', content: body, wide: true });
  try {
    const about = view === 'claims' ? 'explore' : view;
    const found = await app.api.code(scenario, about, extraOf(app.store.get()));
    body.replaceChildren(
      h('p', { class: 'muted' }, 'The same model, the same numbers: run it on your own machine.'),
      ...tabs(app, parts(found)),
    );
  } catch (error) {
    body.replaceChildren(
      h(
        'div',
        { class: 'fault-box', role: 'alert' },
        (error.faults ?? []).map((one) => h('p', {}, sentence(one))),
        !error.faults?.length && h('p', {}, error.message),
      ),
    );
  } finally {
    body.removeAttribute('aria-busy');
  }
}

function parts(found) {
  const files = Object.entries(found.files ?? {}).filter(([, text]) => text !== found.course_yaml && text !== found.python);
  return [
    ['Python', found.python, 'afterglow.py'],
    ['Command line', found.cli, 'afterglow.sh'],
    ['Course file', found.course_yaml, 'course.yaml'],
    ...files.map(([name, text]) => [name, text, name]),
  ].filter(([, text]) => text);
}

function tabs(app, all) {
  const panels = all.map(([label, text, file], k) =>
    h(
      'div',
      { id: `code-panel-${k}`, class: 'code-panel', role: 'tabpanel', 'aria-labelledby': `code-tab-${k}`, hidden: k > 0 },
      h('div', { class: 'code-tools' }, h('span', { class: 'muted' }, file), copyButton(app, label, text)),
      h('pre', { tabindex: 0 }, h('code', {}, text)),
    ),
  );
  const buttons = all.map(([label], k) =>
    h(
      'button',
      {
        type: 'button',
        id: `code-tab-${k}`,
        role: 'tab',
        'aria-controls': `code-panel-${k}`,
        'aria-selected': String(k === 0),
        tabindex: k ? -1 : 0,
        dataset: { testid: 'code-tab' },
        on: { click: () => show(k), keydown: (event) => step(event, k) },
      },
      label,
    ),
  );
  function show(k) {
    panels.forEach((one, j) => {
      one.hidden = j !== k;
    });
    buttons.forEach((one, j) => {
      one.setAttribute('aria-selected', String(j === k));
      one.tabIndex = j === k ? 0 : -1;
    });
  }
  function step(event, k) {
    const to = { ArrowRight: k + 1, ArrowLeft: k - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = (to + all.length) % all.length;
    show(next);
    buttons[next].focus();
  }
  return [h('div', { class: 'tabs', role: 'tablist', 'aria-label': 'Forms of the code' }, buttons), ...panels];
}

function copyButton(app, label, text) {
  const button = h('button', { type: 'button', class: 'button', dataset: { testid: 'code-copy' }, on: { click: copy } }, 'Copy');
  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = 'Copied';
      app.announce(`${label} copied`);
    } catch {
      button.textContent = 'Select and copy by hand';
    }
    setTimeout(() => {
      button.textContent = 'Copy';
    }, 2500);
  }
  return button;
}
