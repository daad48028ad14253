/** Long work on the server: a button to start it, how far it is, a button to stop it, and what is wrong with the question. */

import { h } from '../dom.js';

/**
 * @typedef {{where: string, problem: string, remedy: string}} Fault
 */

/**
 * A start button with progress and cancel.
 * @param {any} app
 * @param {Object} options
 * @param {'forecast'|'plan'|'trial'} options.kind
 * @param {string} options.label text of the button
 * @param {string} options.testid
 * @param {() => Object} options.body what is sent, read when the button is pressed
 * @param {(result: any) => void} options.done
 * @param {(faults: Fault[]) => void} options.failed called with an empty list when a new run starts
 * @param {() => void} [options.settled] called at the end, however it ended
 * @param {boolean} [options.primary]
 * @returns {{el: HTMLElement, start: () => void, stop: () => void}} `start` begins without a press, and leaves the focus where it is
 */
export function work(app, { kind, label, testid, body, done, failed, settled, primary = true }) {
  let running = null;
  const bar = h('progress', { max: 1, 'aria-label': `Progress: ${label}` });
  const what = h('span', { class: 'work-what' });
  const cancel = h(
    'button',
    { type: 'button', class: 'button', dataset: { testid: `${kind}-cancel` }, on: { click: () => running?.abort() } },
    'Cancel',
  );
  const progress = h('div', { class: 'work-progress', hidden: true }, bar, what, cancel);
  const start = h(
    'button',
    { type: 'button', class: primary ? 'primary' : 'button', dataset: { testid }, on: { click: () => go(true) } },
    label,
  );

  function busy(on) {
    start.disabled = on;
    progress.hidden = !on;
    bar.removeAttribute('value');
    what.textContent = on ? 'starting' : '';
  }

  async function go(pressed) {
    const mine = new AbortController();
    running = mine;
    failed([]);
    busy(true);
    if (pressed) cancel.focus();
    try {
      const onProgress = (news) => {
        bar.value = news.share;
        what.textContent = `${Math.round(100 * news.share)}\u202f% · ${news.what}`;
      };
      const result = await app.api.job(kind, body(), { onProgress, signal: mine.signal });
      app.announce(`${label}: done`);
      if (!mine.signal.aborted) done(result);
    } catch (error) {
      if (mine.signal.aborted) app.announce(`${label}: cancelled`);
      else failed(error.faults?.length ? error.faults : [{ where: '', problem: error.message, remedy: 'Try again.' }]);
    } finally {
      const held = progress.contains(document.activeElement);
      busy(false);
      if (held) start.focus();
      settled?.();
    }
  }

  return { el: h('div', { class: 'work' }, start, progress), start: () => go(false), stop: () => running?.abort() };
}

/**
 * Faults at the fields they are about, the others in a box.
 * A field says what it is about in `data-where`, for instance "scores[1].score"; faults may have more in front.
 * @param {HTMLElement} form
 * @param {HTMLElement} box
 * @param {Fault[]} faults
 */
export function showFaults(form, box, faults) {
  for (const old of form.querySelectorAll('.field-fault')) old.remove();
  for (const old of form.querySelectorAll('[aria-invalid]')) {
    old.removeAttribute('aria-invalid');
    old.removeAttribute('aria-describedby');
  }
  const fields = [...form.querySelectorAll('[data-where]')];
  const said = new Set(); // one mistake may be met in several places
  const elsewhere = new Set();
  for (const fault of faults) {
    const field = fields.find((one) => about(fault.where, one.dataset.where));
    if (field) mark(field, fault);
    (field ? said : elsewhere).add(sentence(fault));
  }
  const left = [...elsewhere].filter((text) => !said.has(text));
  box.hidden = left.length === 0;
  box.replaceChildren(...left.map((text) => h('p', {}, text)));
  (form.querySelector('[aria-invalid]') ?? (left.length ? box : null))?.focus();
}

/** A box for faults that have no field. @returns {HTMLElement} */
export function faultBox() {
  return h('div', { class: 'fault-box', role: 'alert', tabindex: -1, hidden: true });
}

/** Brings results into view where they lie under the form. @param {HTMLElement} el */
export function reveal(el) {
  if (el.getBoundingClientRect().top > innerHeight - 120) el.scrollIntoView({ block: 'start' });
}

/** A fault in a sentence. @param {Fault} fault @returns {string} */
export function sentence({ problem, remedy }) {
  const first = problem.charAt(0).toUpperCase() + problem.slice(1);
  return remedy ? `${first}: ${remedy}` : first;
}

/** Whether a place, for instance "trial.visits[1].at", lies in what a field is about. */
function about(place, field) {
  const padded = `.${place ?? ''}.`;
  return padded.includes(`.${field}.`) || padded.includes(`.${field}[`);
}

function mark(field, fault) {
  const id = `fault-${field.dataset.where.replace(/\W+/g, '-')}`;
  if (field.getAttribute('aria-describedby') === id) return;
  field.setAttribute('aria-invalid', 'true');
  field.setAttribute('aria-describedby', id);
  const cell = field.closest('label, td, .cell') ?? field;
  cell.append(h('span', { class: 'field-fault', id }, sentence(fault)));
}
