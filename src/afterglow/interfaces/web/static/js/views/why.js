/** Why the band is wide: how much of its width comes from people, parameters, ratings and the size of the sample. */

import { aborted, latest } from '../api.js';
import { clear, h, s } from '../dom.js';
import { number } from '../format.js';

const WIDE = 240;
const ROW = 46;
const VALUE = 80; // room for the number behind a bar

/** @param {HTMLElement} root @param {import('../main.js').App} app */
export function mount(root, app) {
  const { store } = app;
  let open = false;
  const box = h('div', { class: 'why-box', hidden: true, 'aria-live': 'polite' });
  const button = h(
    'button',
    { type: 'button', class: 'add wide', 'aria-expanded': 'false', dataset: { testid: 'why' }, on: { click: () => toggle() } },
    'Why is the band wide?',
  );
  root.append(button, box);
  const ask = latest((signal, scenario) => app.api.why(scenario, { signal }));
  const load = async () => {
    box.classList.add('busy');
    if (!box.firstChild) box.append(h('p', { class: 'small muted' }, 'Computing …'));
    try {
      draw(box, await ask(store.get().scenario));
    } catch (error) {
      if (aborted(error)) return;
      clear(box).append(h('p', { class: 'fault' }, error.message));
    }
    box.classList.remove('busy');
  };
  const toggle = () => {
    open = !open;
    box.hidden = !open;
    button.setAttribute('aria-expanded', String(open));
    if (open) load();
  };
  const stop = app.results.subscribe((state, changed) => {
    if (open && changed.has('busy') && !state.busy && !state.error) load();
  });
  return { unmount: stop };
}

function draw(box, { total, parts }) {
  const width = (one) => one.width_mean;
  const whole = width(total);
  const most = Math.max(whole, ...parts.map(width), 1e-9);
  const bars = [
    { source: 'total', title: 'Scores as written down, all together', width: whole },
    ...parts.map((one) => ({ source: one.source, title: one.title, width: width(one) })),
  ];
  const picture = s(
    'svg',
    {
      class: 'why',
      viewBox: `0 0 ${WIDE} ${bars.length * ROW}`,
      role: 'img',
      'aria-label': `Mean width of the 90 % band of MADRS, points. ${bars.map((one) => `${one.title}: ${number(one.width, 2)}`).join('. ')}`,
    },
    bars.map((one, i) =>
      s(
        'g',
        { transform: `translate(0 ${i * ROW})` },
        s('text', { class: 'why-name', x: 0, y: 15 }, one.title),
        s('text', { class: 'why-value', x: WIDE, y: 31, 'text-anchor': 'end' }, `${number(one.width, 2)} points`),
        s('rect', { class: 'rail', x: 0, y: 21, width: WIDE - VALUE, height: 11, rx: 3 }),
        s('rect', {
          class: 'why-bar',
          x: 0,
          y: 21,
          width: Math.max(2, ((WIDE - VALUE) * one.width) / most),
          height: 11,
          rx: 3,
          dataset: { source: one.source },
        }),
      ),
    ),
  );
  clear(box).append(
    h(
      'p',
      { class: 'small muted' },
      'Mean over the weeks of the width of the 90 % band of the MADRS as it is written down, and of the band that each source alone would give. Widths do not add up: independent sources add like squares, and no score is below 0.',
    ),
    picture,
    h(
      'dl',
      { class: 'why-help' },
      parts.map((one) => [h('dt', {}, one.title), h('dd', {}, one.help)]),
    ),
  );
}
