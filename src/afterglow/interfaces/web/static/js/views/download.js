/** Data and pictures of what is on screen, made in the browser: nothing is asked of the server for them. */

import { h } from '../dom.js';
import { drawing, png, svgText } from './drawing.js';

const LEVELS = ['lo50', 'hi50', 'lo80', 'hi80', 'lo90', 'hi90'];
const COLUMNS = ['time_h', 'arm', 'panel', 'unit', 'median', ...LEVELS];

/** @param {import('../main.js').App} app */
export function openDownload(app) {
  const run = app.lastRun();
  if (!run) {
    app.dialog({ title: 'Download', content: h('p', {}, 'There is nothing to download yet: the first answer is still being computed.') });
    return;
  }
  const { scenario, panels: chosen, window_h: shown } = app.store.get();
  const asked = run.scenario ?? app.results?.get().of ?? scenario;
  const panels = app.about.panels.filter((one) => run.panels[one.name] && (!chosen || chosen.includes(one.name)));
  const short = run.scenario_sha256.slice(0, 8);
  const name = `afterglow-${(asked.course.course || 'course').replace(/[^\w-]+/g, '-')}-${short}`;
  const title = asked.course.title || asked.course.course;
  const mark = `afterglow ${app.about.version}, model ${app.about.model_sha256.slice(0, 12)}, scenario ${short}, seed ${asked.seed}`;
  const draw = () => drawing({ title, notice: app.about.notice, run, panels, window: shown, mark });
  const row = (testid, label, text, ending, type, make) =>
    h(
      'li',
      {},
      h(
        'button',
        {
          type: 'button',
          class: 'primary',
          dataset: { testid },
          on: {
            click: async () => {
              save(`${name}.${ending}`, type, await make());
              app.announce(`${label} saved`);
            },
          },
        },
        label,
      ),
      h('span', {}, text),
    );
  app.dialog({
    title: 'Download what is on screen',
    content: h(
      'div',
      {},
      h('p', {}, h('strong', {}, title), h('br'), h('code', { class: 'file-name' }, name)),
      h(
        'ul',
        { class: 'downloads' },
        row('download-csv', 'CSV', `${panels.length} panels, one row a time and panel: ${COLUMNS.join(', ')}`, 'csv', 'text/csv', () =>
          csv(run, panels),
        ),
        row('download-png', 'PNG', 'the panels, for slides', 'png', 'image/png', () => png(draw())),
        row('download-svg', 'SVG', 'the panels as vectors, for papers', 'svg', 'image/svg+xml', () => svgText(draw())),
        row(
          'download-manifest',
          'Manifest',
          'what makes it again: scenario, seed, model, version, and what the intervals cover',
          'json',
          'application/json',
          () => JSON.stringify(manifest(app, run, asked, panels), null, 2),
        ),
      ),
      h('p', { class: 'muted' }, 'Made in your browser. ', app.about.notice),
    ),
  });
}

/**
 * Long form, one row a time, arm and panel.
 * @param {any} run
 * @param {any[]} panels
 * @returns {string}
 */
export function csv(run, panels) {
  const arms = [
    ['course', run.panels],
    ...(run.versus
      ? [
          [run.versus.name, run.versus.panels],
          [`course minus ${run.versus.name}`, run.versus.difference],
        ]
      : []),
  ];
  const lines = [COLUMNS.join(',')];
  for (const [arm, values] of arms) {
    for (const panel of panels.filter((one) => values[one.name])) {
      const band = values[panel.name];
      run.time_h.forEach((t, k) =>
        lines.push(
          [t, quoted(arm), panel.name, quoted(panel.unit), band.median[k], ...LEVELS.map((level) => band[level]?.[k])]
            .map((one) => one ?? '')
            .join(','),
        ),
      );
    }
  }
  return `${lines.join('\n')}\n`;
}

function manifest(app, run, scenario, panels) {
  const { version, model_sha256, notice, drug_share, bands } = app.about;
  return {
    made_by: 'afterglow',
    version,
    model_sha256,
    scenario_sha256: run.scenario_sha256,
    seed: scenario.seed,
    people: run.people,
    covers: run.covers,
    bands,
    precomputed: Boolean(run.precomputed),
    panels: panels.map(({ name, label, unit }) => ({ name, label, unit })),
    numbers: run.numbers,
    safety: run.safety,
    warnings: run.warnings,
    scenario,
    notice,
    drug_share,
  };
}

function quoted(text) {
  return /[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}

function save(file, type, content) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = h('a', { href: url, download: file });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
