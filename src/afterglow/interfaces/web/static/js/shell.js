/** Header and strip of every view. */

import { encode } from './address.js';
import { isStatic } from './api.js';
import { clear, h, s, set } from './dom.js';

const TABS = [
  ['explore', 'Explore'],
  ['forecast', 'Forecast'],
  ['trial', 'Trial'],
  ['claims', 'Claims'],
];
const NEXT_THEME = { auto: 'dark', dark: 'light', light: 'auto' };
const THEME_WORDS = { auto: 'as the system', dark: 'dark', light: 'light' };
const NEEDS_SERVER = new Set(['forecast', 'trial']);

/** Fills the header and the strip. @param {import('./main.js').App} app */
export function buildHeader(app) {
  const { store } = app;
  const tabs = TABS.map(([name, title]) => {
    const off = isStatic && NEEDS_SERVER.has(name);
    return h(
      'button',
      {
        type: 'button',
        class: 'tab',
        dataset: { testid: `tab-${name}` },
        disabled: off,
        title: off ? 'Needs `afterglow serve`' : null,
        on: { click: () => store.set({ view: name }) },
      },
      title,
    );
  });
  const show = () => TABS.forEach(([name], i) => set(tabs[i], { 'aria-current': store.get().view === name ? 'page' : null }));
  const tool = (testid, label, work, title) =>
    h(
      'button',
      { type: 'button', class: 'tool', dataset: { testid }, title, on: { click: work } },
      icon(testid),
      h('span', { class: 'tool-label' }, label),
    );
  const themeButton = tool('theme', 'Theme', () => store.set({ theme: NEXT_THEME[store.get().theme] }));
  const showTheme = () => {
    const text = `Theme: ${THEME_WORDS[store.get().theme]}`;
    set(themeButton, { 'aria-label': text, title: text });
  };
  clear(document.getElementById('top')).append(
    h('h1', { class: 'brand' }, mark(), h('span', {}, 'afterglow')),
    h('nav', { class: 'tabs', 'aria-label': 'Views' }, tabs),
    h(
      'div',
      { class: 'tools', role: 'group', 'aria-label': 'Tools' },
      tool('story', 'Story', async () => (await import('./views/story.js')).startStory(app), 'A guided story in six steps'),
      tool('code', 'Code', async () => (await import('./views/code.js')).openCode(app), 'Python and command line of what is on screen'),
      tool('share', 'Share', () => share(app), 'Copy the address: it holds the whole scenario'),
      tool('download', 'Download', async () => (await import('./views/download.js')).openDownload(app), 'Data and pictures'),
      themeButton,
    ),
  );
  strip(app);
  show();
  showTheme();
  store.subscribe((state, changed) => {
    if (changed.has('view')) show();
    if (changed.has('theme')) showTheme();
  });
}

function strip(app) {
  const { about } = app;
  const more = () =>
    app.dialog({
      title: 'What this is, and what it is not',
      content: [
        about.notice,
        about.drug_share,
        about.bands,
        about.not_modelled,
        `Of ${about.parameters.total} parameters ` +
          `${about.parameters.assumed} are assumed and ${about.parameters.fitted} fitted to trials; the rest are taken or derived from ` +
          'publications. Open any part of the chain to see them with their sources.',
      ].map((text) => h('p', {}, text)),
    });
  clear(document.getElementById('strip')).append(
    h(
      'p',
      {},
      h('strong', {}, 'Virtual patients, a research and planning model. '),
      h('span', {}, 'Not a medical device; not for decisions about any person’s treatment.'),
    ),
    h('button', { type: 'button', class: 'link', dataset: { testid: 'about' }, on: { click: more } }, 'What it is and is not'),
    ...(isStatic
      ? [
          h(
            'p',
            { class: 'demo', dataset: { testid: 'demo' } },
            'Demo on precomputed results: choose among them; run `afterglow serve` to change everything.',
          ),
        ]
      : []),
  );
}

async function share(app) {
  history.replaceState(null, '', `#${await encode(app.store.get())}`);
  try {
    await navigator.clipboard.writeText(location.href);
    toast('Address copied. It holds the whole scenario.');
  } catch {
    app.dialog({
      title: 'Share',
      content: [
        h('p', {}, 'This address holds the whole scenario:'),
        h('textarea', {
          readonly: true,
          rows: 6,
          class: 'address',
          'aria-label': 'Address',
          value: location.href,
          on: { focus: (event) => event.target.select() },
        }),
      ],
    });
  }
}

function toast(text) {
  const el = h('p', { class: 'toast', role: 'status', dataset: { testid: 'toast' } }, text);
  document.body.append(el);
  setTimeout(() => el.remove(), 3500);
}

function mark() {
  return s(
    'svg',
    { viewBox: '0 0 32 32', class: 'brand-mark', 'aria-hidden': 'true' },
    s('path', { d: 'M2 20 L8 20 L10.5 6 L14 21 Q19 28 30 13' }),
  );
}

const ICONS = {
  story: 'M3 4.5h4.5a2 2 0 0 1 2 2V16a1.6 1.6 0 0 0-1.6-1.4H3zM16 4.5h-4.5a2 2 0 0 0-2 2V16a1.6 1.6 0 0 1 1.6-1.4H16z',
  code: 'M7 5.5 3 10l4 4.5M12.5 5.5l4 4.5-4 4.5',
  share: 'M8 11.5 13.5 6M9.5 5.5H14V10M12.5 11.5V15h-8V7H8',
  download: 'M9.7 3.5v9M6 9l3.7 3.7L13.4 9M4 16h11.5',
  theme: 'M9.7 3.5a6.3 6.3 0 1 0 0 12.6zM9.7 3.5a6.3 6.3 0 0 1 0 12.6a6.3 6.3 0 0 0 0-12.6z',
};

function icon(name) {
  return s('svg', { viewBox: '0 0 19.5 19.5', class: 'tool-icon', 'aria-hidden': 'true' }, s('path', { d: ICONS[name] }));
}
