/** Stacked panels on the shared clock: which ones, true or as rated, plots or tables. */

import { valueAt } from '../axis.js';
import { button, clear, h, segments, set } from '../dom.js';
import { number, time, unitWord } from '../format.js';
import { table } from '../table.js';
import { createPlot } from './plot.js';

const FIRST = ['plasma', 'synapses', 'mood']; // parts of the chain shown at the start
const TABLE_ROWS = 15;
const SCORES = [
  { value: false, label: 'True' },
  { value: true, label: 'As rated' },
];
export const MOOD = 'madrs';
const DIFFERENCE = 'difference';

/** @param {HTMLElement} root @param {import('../main.js').App} app */
export function mount(root, app) {
  const { store, about } = app;
  const box = h('div', { class: 'panels' });
  const live = new Map();
  const bar = toolbar(app);
  root.append(bar.el, box);

  const sync = () => {
    const state = store.get();
    const specs = wanted(state, about, app.lastRun());
    for (const [name, one] of live) {
      if (specs.some((spec) => spec.name === name)) continue;
      one.destroy();
      live.delete(name);
    }
    for (const spec of specs) {
      if (!live.has(spec.name)) live.set(spec.name, createPanel(spec, app));
    }
    specs.forEach(({ name }, i) => {
      const { el } = live.get(name);
      if (box.children[i] !== el) box.insertBefore(el, box.children[i] ?? null);
    });
    live.forEach((one) => one.fit());
    draw();
  };
  const draw = () => {
    const answer = app.lastRun();
    if (answer) live.forEach((one) => one.draw(answer));
  };
  sync();
  const recolour = () => live.forEach((one) => one.recolour());
  const dark = matchMedia('(prefers-color-scheme: dark)');
  addEventListener('themechange', recolour);
  dark.addEventListener('change', recolour);
  const watch = new ResizeObserver(() => live.forEach((one) => one.fit()));
  watch.observe(box);
  const stops = [
    app.results.subscribe((state, changed) => {
      if (changed.has('answer')) {
        bar.show();
        sync();
      }
    }),
    store.subscribe((state, changed) => {
      if (changed.has('panels') || changed.has('rated') || changed.has('table')) {
        bar.show();
        sync();
      } else if (changed.has('window_h')) live.forEach((one) => one.window());
      if (changed.has('clock_h')) live.forEach((one) => one.clock());
    }),
  ];
  return {
    unmount() {
      stops.forEach((stop) => stop());
      removeEventListener('themechange', recolour);
      dark.removeEventListener('change', recolour);
      watch.disconnect();
      live.forEach((one) => one.destroy());
    },
  };
}

/** Names of the panels that are shown; without a choice, of each part in FIRST the first that is not empty. @param {Object} state @param {Object} about @param {Object|null} answer */
export function shownPanels(state, about, answer) {
  const known = about.panels.filter((one) => !answer || one.name in answer.panels);
  const first = (key) => {
    const mine = known.filter((one) => one.chain === key);
    return (mine.find((one) => answer?.panels[one.name].hi90.some((value) => value > 0)) ?? mine[0])?.name;
  };
  return state.panels ?? FIRST.map(first).filter(Boolean);
}

function wanted(state, about, answer) {
  const names = shownPanels(state, about, answer);
  const specs = about.panels.filter((one) => names.includes(one.name) && (!answer || one.name in answer.panels));
  const mood = about.panels.find((one) => one.name === MOOD);
  if (!answer?.versus || !mood) return specs;
  return [...specs, { ...mood, name: DIFFERENCE, label: 'Difference in MADRS' }];
}

/** What a panel draws: its bands, the ghost of the comparator, a title that says which. */
function contents(spec, answer, rated) {
  if (spec.name === DIFFERENCE)
    return { bands: answer.versus.difference[MOOD], ghost: null, label: `${spec.label} from: ${answer.versus.title}` };
  const isRated = rated && spec.name === MOOD;
  return {
    bands: isRated ? answer.rated : answer.panels[spec.name],
    ghost: answer.versus?.panels[spec.name]?.median ?? null,
    label: isRated ? `${spec.label}, as rated` : spec.label,
  };
}

function createPanel(spec, app) {
  const { store } = app;
  const label = h('h3', { class: 'panel-label' });
  const value = h('span', { class: 'panel-value' });
  const head = h(
    'div',
    { class: 'panel-head' },
    h('span', { class: 'swatch', 'aria-hidden': 'true' }),
    label,
    h('span', { class: 'grow' }),
    value,
  );
  const place = h('div', { class: 'panel-plot', role: 'img' });
  const rows = h('div', { class: 'panel-table', hidden: true });
  const el = h('article', { class: 'panel', dataset: { testid: 'panel', name: spec.name, layer: spec.layer } }, head, place, rows);
  let hover = null;
  const say = () => {
    const answer = app.lastRun();
    if (!answer) return;
    const { bands } = contents(spec, answer, store.get().rated);
    if (!bands) return;
    const at = hover ?? store.get().clock_h;
    const of = (key) => valueAt(answer.time_h, bands[key], at);
    value.replaceChildren(
      h('strong', {}, number(of('median'))),
      ` ${/^1/.test(spec.unit) ? '' : unitWord(spec.unit)} `,
      h('span', { class: 'muted' }, `90 %: ${number(of('lo90'))} to ${number(of('hi90'))}${hover === null ? '' : `, ${time(at)}`}`),
    );
  };
  const plot = createPlot(place, spec, app, (at) => {
    hover = at;
    say();
  });
  const draw = (answer) => {
    const { rated, table: asTable, window_h: range } = store.get();
    const { bands, ghost, label: text } = contents(spec, answer, rated);
    if (!bands) return;
    label.replaceChildren(text, h('span', { class: 'unit' }, ` ${unitWord(spec.unit)}`));
    place.hidden = asTable;
    rows.hidden = !asTable;
    plot.data(answer, bands, ghost, spec.name === DIFFERENCE);
    set(place, { 'aria-label': sentence(text, spec.unit, answer, bands, ghost, store.get()) });
    if (asTable) clear(rows).append(tableOf(text, spec.unit, answer, bands, ghost, range));
    say();
  };
  return {
    el,
    draw,
    clock: () => {
      plot.clock();
      say();
    },
    fit: plot.fit,
    recolour: plot.recolour,
    destroy: () => {
      plot.destroy();
      el.remove();
    },
    window: () => {
      plot.window();
      if (app.lastRun()) draw(app.lastRun());
    },
  };
}

/** What a plot shows now, for those who cannot see it. */
function sentence(label, unit, answer, bands, ghost, { window_h: [from, to], clock_h: at }) {
  const of = (key, when) => number(valueAt(answer.time_h, bands[key], when));
  const peak = bands.median.reduce(
    (best, one, i) => (answer.time_h[i] >= from && answer.time_h[i] <= to && one > bands.median[best] ? i : best),
    0,
  );
  const other = ghost ? ` The comparator's median there is ${number(valueAt(answer.time_h, ghost, at))}.` : '';
  return (
    `${label}${unit ? `, ${unit}` : ''}, from ${time(from)} to ${time(to)}. At ${time(at)} the median is ${of('median', at)}, 90 % of people between ` +
    `${of('lo90', at)} and ${of('hi90', at)}. The median begins at ${of('median', from)}, ends at ${of('median', to)}, and is highest at ${time(answer.time_h[peak])}.${other}`
  );
}

function tableOf(label, unit, answer, bands, ghost, [from, to]) {
  const range = (level) => ({
    key: `b${level}`,
    label: `${level} % of people`,
    format: (found) => `${number(found[0])} to ${number(found[1])}`,
  });
  const columns = [
    { key: 'at', label: 'Time', format: (at) => time(at, { exact: true }) },
    { key: 'median', label: 'Median', unit, format: (found) => number(found) },
    range(50),
    range(80),
    range(90),
  ];
  if (bands.one) columns.push({ key: 'one', label: 'This person', format: (found) => number(found) });
  if (ghost) columns.push({ key: 'ghost', label: 'Comparator, median', format: (found) => number(found) });
  const rows = Array.from({ length: TABLE_ROWS }, (_, i) => {
    const at = from + ((to - from) * i) / (TABLE_ROWS - 1);
    const of = (values) => valueAt(answer.time_h, values, at);
    const pair = (level) => [of(bands[`lo${level}`]), of(bands[`hi${level}`])];
    return { at, median: of(bands.median), b50: pair(50), b80: pair(80), b90: pair(90), one: of(bands.one), ghost: of(ghost) };
  });
  return table(columns, rows, { caption: `${label}${unit ? `, ${unit}` : ''}` });
}

function toolbar(app) {
  const { store, about } = app;
  const toggle = (name) => {
    const now = shownPanels(store.get(), about, app.lastRun());
    const next = now.includes(name) ? now.filter((one) => one !== name) : [...now, name];
    store.set({ panels: about.panels.map((one) => one.name).filter((one) => next.includes(one)) });
  };
  const chips = about.panels.map(({ name, label, layer }) =>
    button('panel-chip', label, () => toggle(name), { class: 'chip', dataset: { testid: 'panel-chip', name, layer } }),
  );
  const score = segments('Score', SCORES, (rated) => store.set({ rated }));
  set(score.el, { dataset: { testid: 'rated' }, title: 'True score, or as a rater writes it down, with noise and expectation' });
  const tables = button('table-toggle', 'Tables', () => store.set({ table: !store.get().table }), { class: 'chip' });
  const keys = legend();
  const show = () => {
    const answer = app.lastRun();
    keys.show(answer);
    const names = shownPanels(store.get(), about, answer);
    about.panels.forEach(({ name }, i) =>
      set(chips[i], { 'aria-pressed': String(names.includes(name)), hidden: Boolean(answer) && !(name in answer.panels) }),
    );
    score.show(store.get().rated);
    set(tables, { 'aria-pressed': String(store.get().table) });
  };
  show();
  const menu = h('summary', { dataset: { testid: 'panel-menu' } }, 'Choose panels');
  const choose = h('details', { class: 'choose' }, menu, h('div', { class: 'chips', role: 'group', 'aria-label': 'Panels shown' }, chips));
  const el = h('div', { class: 'panel-tools' }, choose, keys.el, h('span', { class: 'grow' }), score.el, tables);
  return { el, show };
}

function legend() {
  const key = (look, words) => [h('span', { class: look }), words];
  const daily = h('span', { hidden: true }, key('key-daily', 'daily drug'));
  const el = h(
    'p',
    { class: 'panel-legend small', 'aria-hidden': 'true' },
    key('key-line', 'median'),
    key('key-bands', '50, 80, 90\u202f% of people'),
    key('key-tint', 'drug in body'),
    daily,
  );
  const show = (answer) => set(daily, { hidden: !answer?.daily?.includes(1) });
  return { el, show };
}
