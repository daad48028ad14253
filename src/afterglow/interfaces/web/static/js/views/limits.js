/**
 * What of the course is outside the studied range, with its source. Silence here never means that a course is safe, and
 * the strip says so; the worst moments themselves stand in the table of safety below it.
 */

import { h } from '../dom.js';

const LINK = /(https?:\/\/[^\s)\]]+|doi:\s?10\.[^\s),;\]]+)/g;
const WATCH = 'Blood pressure, dissociation and sedation are watched after every session, whatever the dose.';

/** @param {HTMLElement} root @param {import('../main.js').App} app @returns {{unmount: () => void}} */
export function mount(root, app) {
  const box = root.appendChild(h('div', { class: 'limits', role: 'status', dataset: { testid: 'limits' } }));
  let said = null;
  const show = ({ answer }) => {
    const warnings = answer?.warnings ?? [];
    const now = answer && JSON.stringify(warnings);
    if (now === said) return; // a status that is written anew is read out anew
    said = now;
    box.classList.toggle('outside', warnings.length > 0);
    if (answer) box.replaceChildren(...(warnings.length ? outside(warnings) : inside()));
  };
  show(app.results.get());
  const stop = app.results.subscribe(show);
  return { unmount: stop };
}

/**
 * Text with its DOIs and addresses as links.
 * @param {string} text
 * @returns {(string|HTMLElement)[]}
 */
export function linked(text) {
  return text.split(LINK).flatMap((part, k) => {
    if (k % 2 === 0) return [part];
    const bare = part.replace(/[.,;]+$/, '');
    const href = bare.startsWith('http') ? bare : `https://doi.org/${bare.replace(/^doi:\s?/, '')}`;
    return [h('a', { href, target: '_blank', rel: 'noopener noreferrer' }, bare), part.slice(bare.length)];
  });
}

function outside(warnings) {
  return [
    h('p', { class: 'limits-head' }, h('span', { 'aria-hidden': 'true' }, '⚠ '), 'Outside what has been studied'),
    h(
      'ul',
      {},
      warnings.map((one) => h('li', {}, linked(one))),
    ),
    h('p', { class: 'small' }, WATCH),
  ];
}

function inside() {
  return [
    h(
      'p',
      { class: 'small muted' },
      'No dose here is outside the studied range. That does not make the course safe, nor a studied one. ',
      WATCH,
    ),
  ];
}
