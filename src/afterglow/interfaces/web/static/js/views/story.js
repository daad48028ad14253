/**
 * The guided story: a card beside the page, not over it. Each step sets the scene on the real page, rings the parts to look
 * at, asks a "what if" and answers it with numbers of the run on screen.
 */

import { h } from '../dom.js';
import { STEPS } from './story_steps.js';

const RING_MS = 250; // a view that was just opened, or drawn anew, has its parts by then
const BESIDE = '(min-width: 1100px)'; // as in views.css
const KEPT = ['view', 'scenario', 'clock_h', 'window_h', 'panels', 'table']; // what leaving brings back
let running = null;

/** @param {import('../main.js').App} app @returns {void} */
export function startStory(app) {
  running?.end(true);
  running = new Story(app);
  running.go(running.before.story ?? 1);
}

/** One telling of the story, from its start to leaving. */
class Story {
  /** @param {import('../main.js').App} app */
  constructor(app) {
    this.app = app;
    this.before = app.store.get();
    this.back = document.activeElement;
    this.step = null; // 1 to 6 while it is told
    this.trying = ''; // label of what is being tried
    this.asked = false; // whether something was tried in this step
    this.tried = new Map(); // label -> its reading
    this.body = h('div', { class: 'story-body' });
    this.readings = h('div', { class: 'story-readings', 'aria-live': 'polite', dataset: { testid: 'story-answer' } });
    this.buttons = {
      leave: button('story-leave', 'Leave', () => this.end(true), 'button'),
      back: button('story-back', 'Back', () => this.go(this.step - 1), 'button'),
      next: button('story-next', 'Next', () => (this.step === STEPS.length ? this.end(false) : this.go(this.step + 1)), 'primary'),
    };
    const { leave, back, next } = this.buttons;
    this.card = h(
      'aside',
      { class: 'story', role: 'region', 'aria-label': 'Story', dataset: { testid: 'story-card' } },
      this.body,
      h('div', { class: 'story-foot' }, leave, h('span', { class: 'grow' }), back, next),
    );
    document.body.append(this.card);
    document.body.classList.add('story-on');
    this.listen();
  }

  listen() {
    const { store, results } = this.app;
    const escape = (event) => {
      if (event.key === 'Escape' && !document.querySelector('dialog[open]')) this.end(true);
    };
    document.addEventListener('keydown', escape);
    this.stops = [
      () => document.removeEventListener('keydown', escape),
      results.subscribe((_, changed) => {
        if (!changed.has('answer') && !changed.has('error')) return;
        this.read();
        setTimeout(() => this.ring(false), RING_MS);
      }),
      store.subscribe((state, changed) => {
        if (changed.has('view') && state.view !== 'explore') this.end(false);
        else if (changed.has('clock_h') && STEPS[this.step - 1]?.named) this.read();
      }),
    ];
  }

  /** Sets the scene of a step and tells it. @param {number} to */
  go(to) {
    const { about, store } = this.app;
    this.step = Math.min(STEPS.length, Math.max(1, to));
    const one = STEPS[this.step - 1];
    this.tried = new Map();
    this.trying = one.tries[0].label;
    this.asked = false;
    const heading = h('h2', { tabindex: -1 }, one.title);
    const tries = one.tries.map((option) =>
      h(
        'button',
        {
          type: 'button',
          class: 'chip',
          'aria-pressed': 'false',
          dataset: { testid: 'story-try' },
          on: { click: () => this.take(option) },
        },
        option.label,
      ),
    );
    this.body.replaceChildren(
      h('p', { class: 'story-count' }, `${this.step} of ${STEPS.length}`),
      heading,
      h('p', {}, one.text(about)),
      h('p', { class: 'story-question' }, one.question),
      h('div', { class: 'chips story-tries', role: 'group', 'aria-label': 'Try' }, tries),
      this.readings,
    );
    if (one.more) this.body.append(h('details', {}, h('summary', {}, 'How much of it is the drug'), h('p', {}, one.more(about))));
    this.body.scrollTop = 0;
    this.buttons.back.disabled = this.step === 1;
    this.buttons.next.textContent = this.step === STEPS.length ? 'Explore on' : 'Next';
    store.set({ view: 'explore', story: this.step, table: false, panels: panelsOf(one, about), ...one.scene(about) });
    heading.focus({ preventScroll: true });
    this.read();
    setTimeout(() => this.ring(true), RING_MS);
  }

  /** Tries something: changes the page, and shows the answer. @param {any} option */
  take(option) {
    const patch = option.change(this.app.store.get(), this.app.about);
    this.trying = option.label;
    if (patch.view) this.end(false);
    this.app.store.set(patch);
    if (patch.view) return;
    this.asked = true;
    this.read();
  }

  /** Takes the reading once the answer on screen is that of the scenario on screen. */
  read() {
    if (this.step === null) return;
    const { about, store, results } = this.app;
    const one = STEPS[this.step - 1];
    this.trying = one.named?.(store.get()) ?? this.trying;
    this.body
      .querySelectorAll('[data-testid="story-try"]')
      .forEach((chip, k) => chip.setAttribute('aria-pressed', String(one.tries[k].label === this.trying)));
    const { answer, of, error } = results.get();
    const fresh = answer && of === store.get().scenario;
    if (fresh) this.tried.set(this.trying, one.reading(answer, store.get(), about));
    this.readings.replaceChildren(...[...this.tried].map(([label, rows]) => reading(label, rows, label === this.trying)));
    if (fresh && answer.precomputed && !answer.exact)
      this.readings.append(h('p', { class: 'muted' }, 'Of the nearest scenario that was computed for this demo.'));
    if (!fresh) this.readings.append(h('p', { class: 'muted' }, error ? error.message : 'Computing …'));
    if (this.asked) this.reveal();
  }

  /** Scrolls the card, which is low on a phone, to the answer. */
  reveal() {
    const now = this.readings.querySelector('.now') ?? this.readings;
    const below = now.getBoundingClientRect().bottom - this.body.getBoundingClientRect().bottom;
    if (below > 0) this.body.scrollTop += below + 8;
  }

  /** Rings the parts to look at, and moves them into view. @param {boolean} move */
  ring(move) {
    for (const old of document.querySelectorAll('.spotlit')) old.classList.remove('spotlit');
    if (this.step === null) return;
    const one = STEPS[this.step - 1];
    const panels = panelsOf(one, this.app.about).map((name) => `[data-testid="panel"][data-name="${name}"]`);
    const found = [...panels, ...one.look].flatMap((selector) => [...document.querySelectorAll(selector)]);
    found.forEach((el) => el.classList.add('spotlit'));
    if (move && found.length) intoView(found);
  }

  /** Ends the story. @param {boolean} restore whether the page is again what it was before */
  end(restore) {
    if (this.step === null) return;
    this.step = null;
    this.ring(false);
    this.stops.forEach((stop) => stop());
    document.body.classList.remove('story-on');
    this.card.remove();
    running = null;
    const kept = Object.fromEntries(KEPT.map((key) => [key, this.before[key]]));
    this.app.store.set({ story: null, ...(restore ? kept : {}) });
    const back =
      this.back instanceof HTMLElement && this.back.isConnected && this.back !== document.body
        ? this.back
        : document.querySelector('[data-testid="story"]');
    back?.focus();
  }
}

function panelsOf(one, about) {
  return one.panels.map((key) => about.chain.find((link) => link.key === key).quantity);
}

function reading(label, rows, current) {
  return h(
    'dl',
    { class: current ? 'now' : '' },
    h('dt', {}, label),
    rows.map((row) => h('dd', {}, h('span', {}, row.label), ' ', h('strong', {}, row.value), row.range && h('small', {}, ' ', row.range))),
  );
}

/** Beside the card everything from the topmost part on is in view; above it, on a phone, only the first panel. */
function intoView(found) {
  const top = (el) => el.getBoundingClientRect().top;
  const target = matchMedia(BESIDE).matches ? found.reduce((best, el) => (top(el) < top(best) ? el : best)) : found[0];
  target.scrollIntoView({ block: 'start', behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth' });
}

function button(testid, label, click, look) {
  return h('button', { type: 'button', class: look, dataset: { testid }, on: { click } }, label);
}
