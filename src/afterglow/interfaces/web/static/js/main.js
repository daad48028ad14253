/** Starts the page: store, address, header, and the view that is chosen. */

import * as address from './address.js';
import * as api from './api.js';
import { openDialog } from './dialog.js';
import { clear, h } from './dom.js';
import { createEditor } from './edit.js';
import { createRunner } from './runner.js';
import { buildHeader } from './shell.js';
import { createStore } from './state.js';

const VIEWS = {
  explore: () => import('./views/explore.js'),
  forecast: () => import('./views/forecast.js'),
  trial: () => import('./views/trial.js'),
  claims: () => import('./views/claims.js'),
};
const FIRST_CLOCK_H = 26;
const QUIET_MS = 700;

/**
 * What views get.
 * @typedef {Object} App
 * @property {Object} store shared state; see address.js for what the address keeps
 * @property {typeof api} api
 * @property {Object} about the answer of GET /api/about
 * @property {ReturnType<typeof createEditor>} edit changes the scenario, with a way back
 * @property {Object} results store of {answer, of, busy, error} of the newest run
 * @property {typeof openDialog} dialog
 * @property {(text: string) => void} announce says something to screen readers, once things are quiet
 * @property {() => Object|null} lastRun the newest answer of POST /api/run
 * @property {(name: string) => void} openSystem
 */

async function start() {
  const root = document.getElementById('view');
  let about;
  try {
    about = await api.about();
  } catch (error) {
    clear(root).append(
      h(
        'div',
        { class: 'waiting', role: 'alert' },
        h('p', {}, error.message),
        h('button', { type: 'button', on: { click: () => location.reload() } }, 'Try again'),
      ),
    );
    return;
  }
  const { state, problem } = await first(about);
  const store = createStore(state);
  const { results, start: run } = createRunner(store, about);
  /** @type {App} */
  const app = {
    store,
    api,
    about,
    results,
    edit: createEditor(store),
    dialog: openDialog,
    announce: announcer(),
    lastRun: () => results.get().answer,
    openSystem: async (name) => (await import('./views/system.js')).openSystem(name, app),
  };
  theme(state.theme);
  buildHeader(app);
  if (problem) app.dialog({ title: 'The address could not be read', content: h('p', {}, problem) });
  keepAddress(store);
  const show = views(root, app);
  store.subscribe((now, changed) => {
    if (changed.has('view')) show(now.view);
    if (changed.has('theme')) theme(now.theme);
  });
  await show(state.view);
  run();
  if (state.story) (await import('./views/story.js')).startStory(app);
}

/** The state at the start: what the address holds, on top of the default. */
async function first(about) {
  const scenario = about.default;
  const plain = {
    view: 'explore',
    scenario,
    clock_h: FIRST_CLOCK_H,
    window_h: [0, scenario.weeks * 168],
    rated: false,
    panels: null,
    table: false,
    theme: 'auto',
    story: null,
    forecast: null,
    trial: null,
    dragging: false,
  };
  try {
    const shared = await address.decode();
    const state = { ...plain, ...shared };
    return { state: { ...state, view: state.view in VIEWS ? state.view : 'explore' }, problem: null };
  } catch {
    return { state: plain, problem: 'Nothing of it was taken over. What you see is the first screen.' };
  }
}

function views(root, app) {
  let mounted = null;
  let wanted = null;
  return async (name) => {
    wanted = name;
    const module = await VIEWS[name]();
    if (wanted !== name) return;
    mounted?.unmount?.();
    mounted = module.mount(clear(root), app) ?? null;
    root.dataset.view = name;
  };
}

function keepAddress(store) {
  let timer = 0;
  let round = 0;
  const write = async () => {
    const mine = ++round;
    const fragment = await address.encode(store.get());
    if (mine === round) history.replaceState(null, '', `#${fragment}`);
  };
  store.subscribe((state, changed) => {
    if (changed.size === 1 && changed.has('dragging')) return;
    clearTimeout(timer);
    timer = setTimeout(write, 250);
  });
  addEventListener('hashchange', () => location.reload());
}

function announcer() {
  const region = document.getElementById('live');
  let timer = 0;
  return (text) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      region.textContent = text;
    }, QUIET_MS);
  };
}

function theme(name) {
  if (name === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  dispatchEvent(new Event('themechange'));
}

start();
