/**
 * The chain from dose to mood as a picture. Eight parts, each a button; a part lights up as far as it has moved from
 * untreated at the moment on the clock, as a share of its own largest.
 */

import { valueAt } from '../axis.js';
import { h, s, set } from '../dom.js';
import { percent, time } from '../format.js';
import { DRAWINGS } from './chain_drawings.js';

const LAYER = {
  plasma: 'drug',
  receptor: 'target',
  glutamate: 'target',
  bdnf: 'plasticity',
  synapses: 'plasticity',
  network: 'mind',
  belief: 'mind',
  mood: 'mood',
};
const SPARK = { width: 120, height: 24 };
const LIT = 0.05; // under it a part counts as quiet

/** @param {HTMLElement} root @param {import('../main.js').App} app */
export function mount(root, app) {
  const words = (name) => app.about.panels.find((one) => one.name === name)?.label ?? name;
  const parts = app.about.chain.map((one, i) => part({ ...one, quantity: words(one.quantity) }, i, app));
  root.append(
    h(
      'div',
      { class: 'chain-head' },
      h('h2', {}, 'From dose to mood'),
      h(
        'p',
        { class: 'small muted' },
        'Each part lights up as far as it has moved from untreated. Press one for its equations and sources.',
      ),
    ),
    h(
      'div',
      { class: 'chain', role: 'list' },
      parts.map((one) => one.el),
    ),
  );
  const light = () => {
    const answer = app.lastRun();
    const { clock_h: at } = app.store.get();
    if (answer) parts.forEach((one) => one.light(valueAt(answer.time_h, answer.chain[one.key], at) ?? 0, at));
  };
  const sparks = () => {
    const answer = app.lastRun();
    if (answer) parts.forEach((one) => one.spark(answer.time_h, answer.chain[one.key], app.store.get().window_h));
  };
  const both = () => {
    sparks();
    light();
  };
  both();
  const stops = [
    app.results.subscribe((state, changed) => {
      if (changed.has('answer')) both();
    }),
    app.store.subscribe((state, changed) => {
      if (changed.has('window_h')) both();
      else if (changed.has('clock_h')) light();
    }),
  ];
  return { unmount: () => stops.forEach((stop) => stop()) };
}

function part({ key, title, systems, quantity }, index, app) {
  const drawing = DRAWINGS[key]();
  const share = h('span', { class: 'chain-share' });
  const line = s('path', { class: 'spark-line' });
  const area = s('path', { class: 'spark-area' });
  const now = s('line', { class: 'spark-now', y1: 0, y2: SPARK.height });
  const spark = s(
    'svg',
    { class: 'spark', viewBox: `0 0 ${SPARK.width} ${SPARK.height}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    area,
    line,
    now,
  );
  const button = h(
    'button',
    {
      type: 'button',
      class: 'chain-part',
      dataset: { testid: 'chain-part', key, layer: LAYER[key] },
      title: quantity,
      on: { click: () => app.openSystem(systems[0]) },
    },
    h('span', { class: 'chain-picture' }, s('svg', { viewBox: '0 0 120 100', 'aria-hidden': 'true' }, index > 0 && arrow(), drawing.node)),
    h('span', { class: 'chain-title' }, title),
    spark,
    share,
  );
  const el = h('div', { class: 'chain-item', role: 'listitem' }, button);
  let shownLevel = null;
  const light = (level, at) => {
    const {
      window_h: [from, to],
    } = app.store.get();
    const x = (SPARK.width * (at - from)) / (to - from);
    set(now, { x1: x, x2: x });
    const rounded = Math.round(200 * Math.min(1, Math.max(0, level))) / 200;
    if (rounded === shownLevel) return;
    shownLevel = rounded;
    button.style.setProperty('--lit', String(rounded));
    button.classList.toggle('lit', rounded >= LIT);
    share.textContent = percent(rounded);
    drawing.paint(rounded);
    set(button, {
      'aria-label': `${title}: ${quantity}. ${percent(rounded)} of its largest change at ${time(at)}. Opens its equations and sources.`,
    });
  };
  const drawSpark = (times, levels, [from, to]) => {
    const path = sparkPath(times, levels, from, to);
    set(line, { d: path });
    set(area, { d: `${path}L${SPARK.width} ${SPARK.height}L0 ${SPARK.height}Z` });
  };
  return { key, el, light, spark: drawSpark };
}

/** The course of a level over the window, its largest value in each of so many columns, so that short peaks stay. */
function sparkPath(times, levels, from, to) {
  const columns = 80;
  const points = [];
  let i = 0;
  while (i < times.length && times[i] < from) i += 1;
  for (let k = 0; k <= columns; k += 1) {
    const at = from + ((to - from) * k) / columns;
    let level = valueAt(times, levels, at);
    for (; i < times.length && times[i] <= at; i += 1) level = Math.max(level, levels[i]);
    const y = SPARK.height - 1.5 - (SPARK.height - 3) * Math.min(1, Math.max(0, level));
    points.push(`${((SPARK.width * k) / columns).toFixed(1)} ${y.toFixed(1)}`);
  }
  return `M${points.join('L')}`;
}

function arrow() {
  return s('g', { class: 'chain-arrow' }, s('path', { d: 'M-9 50H5' }), s('path', { d: 'M1 45.5 6 50 1 54.5' }));
}
