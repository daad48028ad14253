/** The clock: play, scrub, and how much time the page shows. It lies under the panels, on the same axis. */

import { button, h, s, segments, set } from '../dom.js';
import { span, time } from '../format.js';
import { axisTicks, GUTTER } from '../axis.js';

const WINDOWS = [
  { value: 3, label: '3 h', testid: 'window-3h' },
  { value: 24, label: '1 day', testid: 'window-1d' },
  { value: 168, label: '1 week', testid: 'window-1w' },
  { value: 336, label: '2 weeks', testid: 'window-2w' },
  { value: Infinity, label: 'All', testid: 'window-all' },
];
const SECONDS_PER_WINDOW = 24;
const SLOW_H_PER_S = 3; // while a dose acts
const SLOW_FOR_H = 4; // from the start of a dose
const SPEEDS = [0.5, 1, 2, 4];

/** @param {HTMLElement} root @param {import('../main.js').App} app */
export function mount(root, app) {
  const { store } = app;
  const controls = parts(app);
  const { slider, ticks, said, windows, player } = controls;
  root.append(...controls.rows);
  let end = store.get().scenario.weeks * 168;
  const show = (state) => {
    const [from, to] = state.window_h;
    const text = time(state.clock_h, { exact: true });
    set(slider, { min: from, max: to, step: step(to - from), value: state.clock_h, 'aria-valuetext': `${text} after the start` });
    said.textContent = text;
    windows.show(chosen(state));
  };
  const showTicks = ({ window_h: [from, to] }) => {
    const place = (at) => ({ left: `${(100 * (at - from)) / (to - from)}%` });
    const found = axisTicks(from, to, ticks.clientWidth || 600);
    ticks.replaceChildren(...found.map(({ at, label }) => h('span', { style: place(at) }, label)));
  };
  show(store.get());
  const watch = new ResizeObserver(() => showTicks(store.get()));
  watch.observe(ticks);
  const stop = store.subscribe((state, changed) => {
    if (changed.has('scenario') && state.scenario.weeks * 168 !== end) {
      const before = end;
      end = state.scenario.weeks * 168;
      store.set(fitted(state, before));
      return;
    }
    if (!changed.has('clock_h') && !changed.has('window_h')) return;
    const inside = withClock(state);
    if (inside !== state.window_h) store.set({ window_h: inside });
    else {
      show(state);
      if (changed.has('window_h')) showTicks(state);
    }
  });
  return {
    unmount: () => {
      stop();
      player.stop();
      watch.disconnect();
    },
  };
}

function parts(app) {
  const { store } = app;
  const play = button('play', playIcon(), () => player.toggle(), { class: 'play' });
  const said = h('output', { class: 'clock-said', dataset: { testid: 'clock-said' } });
  const pace = h('span', { class: 'small muted pace' });
  const speeds = SPEEDS.map((one) => h('option', { value: String(one) }, `${one}×`));
  const speed = h('select', { class: 'speed', 'aria-label': 'Speed', dataset: { testid: 'speed' }, value: '1' }, speeds);
  const scrub = () => {
    player.stop();
    store.set({ clock_h: Number(slider.value) });
  };
  const slider = h('input', { type: 'range', class: 'scrub', 'aria-label': 'Clock', dataset: { testid: 'clock' }, on: { input: scrub } });
  const ticks = h('div', { class: 'scrub-ticks', 'aria-hidden': 'true' });
  const windows = segments('Time shown', WINDOWS, (hours) => store.set({ window_h: around(store.get(), hours) }));
  const pan = (testid, sign, label, way) =>
    button(testid, sign, () => store.set(moved(store.get(), way)), { class: 'icon', 'aria-label': label });
  const pans = h('span', { class: 'pan' }, pan('pan-back', '‹', 'Earlier', -1), pan('pan-on', '›', 'Later', 1));
  const player = createPlayer(
    app,
    () => Number(speed.value),
    (on, rate) => {
      set(play, { 'aria-label': on ? 'Pause' : 'Play', 'aria-pressed': String(on) });
      pace.textContent = on ? `1 s = ${span(rate)}` : '';
    },
  );
  const gutter = { 'padding-left': `${GUTTER.left - 8}px`, 'padding-right': `${GUTTER.right - 8}px` };
  const rows = [
    h('div', { class: 'clock-row' }, play, said, pace, h('span', { class: 'grow' }), speed, windows.el, pans),
    h('div', { class: 'scrub-row', style: gutter }, slider, ticks),
  ];
  return { rows, slider, ticks, said, windows, player };
}

/** The window of this length in which the clock lies; windows begin at multiples of their length. */
function around(state, hours) {
  const end = state.scenario.weeks * 168;
  if (hours >= end) return [0, end];
  return clamped(Math.floor(state.clock_h / hours) * hours, hours, end);
}

function clamped(from, length, end) {
  const start = Math.max(0, Math.min(from, end - length));
  return [start, start + length];
}

function moved(state, way) {
  const [from, to] = state.window_h;
  const next = clamped(from + way * (to - from), to - from, state.scenario.weeks * 168);
  return { window_h: next, clock_h: Math.min(next[1], Math.max(next[0], state.clock_h + next[0] - from)) };
}

/** Clock and window for a run of another length; a window that showed all shows all again. */
function fitted(state, before) {
  const end = state.scenario.weeks * 168;
  const [from, to] = state.window_h;
  const all = to - from >= before - 1e-6;
  const next = all ? [0, end] : clamped(from, Math.min(end, to - from), end);
  return { window_h: next, clock_h: Math.min(next[1], Math.max(next[0], state.clock_h)) };
}

/** The window, shifted where the clock has left it. */
function withClock({ window_h: range, clock_h: at, scenario }) {
  const [from, to] = range;
  if (at >= from && at <= to) return range;
  const next = clamped(at < from ? at : at - (to - from), to - from, scenario.weeks * 168);
  return Math.abs(next[0] - from) < 1e-9 ? range : next; // rounding alone must not move it, again and again
}

function chosen({ window_h: [from, to], scenario }) {
  const length = to - from;
  if (length >= scenario.weeks * 168 - 1e-6) return Infinity;
  return WINDOWS.find((one) => Math.abs(one.value - length) < 1e-6)?.value ?? null;
}

/** Of the slider: a minute, a quarter of an hour, an hour, six hours. */
const step = (length) => (length <= 6 ? 1 / 60 : length <= 48 ? 0.25 : length <= 336 ? 1 : 6);

/** Plays through the window; slows down while a dose acts, as minutes matter there. */
function createPlayer(app, speed, show) {
  const { store } = app;
  let frame = 0;
  let last = 0;
  const rate = ({ clock_h: at, window_h: [from, to] }) => {
    const usual = (to - from) / SECONDS_PER_WINDOW;
    const acting = (app.lastRun()?.doses ?? []).some((one) => at >= one.time_h - 1e-9 && at < one.time_h + SLOW_FOR_H);
    return speed() * (acting ? Math.min(usual, SLOW_H_PER_S) : usual);
  };
  const stop = () => {
    if (!frame) return;
    cancelAnimationFrame(frame);
    frame = 0;
    document.body.classList.remove('playing');
    show(false, 0);
  };
  const tick = (now) => {
    const state = store.get();
    const pace = rate(state);
    const next = state.clock_h + (pace * Math.min(100, now - last)) / 1000;
    last = now;
    show(true, pace);
    store.set({ clock_h: Math.min(next, state.window_h[1]) });
    if (next >= state.window_h[1]) stop();
    else frame = requestAnimationFrame(tick);
  };
  const toggle = () => {
    if (frame) return stop();
    const {
      clock_h: at,
      window_h: [from, to],
    } = store.get();
    if (at >= to - 1e-6) store.set({ clock_h: from });
    last = performance.now();
    document.body.classList.add('playing');
    frame = requestAnimationFrame(tick);
    return undefined;
  };
  show(false, 0);
  return { toggle, stop };
}

function playIcon() {
  return s(
    'svg',
    { viewBox: '0 0 20 20', 'aria-hidden': 'true' },
    s('path', { class: 'when-still', d: 'M6 3.5v13l11-6.5z' }),
    s('path', { class: 'when-playing', d: 'M5 4h3.5v12H5zM11.5 4H15v12h-3.5z' }),
  );
}
