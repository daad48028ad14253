/** The prior band, the band once the scores are taken in, and the scores, on one picture. */

import { colour, faded, h } from '../dom.js';
import { number } from '../format.js';
import uPlot from '../vendor/uPlot.esm.js';

const WEEK_H = 168;

/**
 * @param {HTMLElement} box
 * @param {any} app
 * @param {{result: any, bands: any[], prior: any[], before: any[]|null, fitted: any[], now_h: number}} data rows of tables, see `forecast_result`
 * @returns {{destroy: () => void}}
 */
export function forecastPlot(box, app, data) {
  const { bands } = data;
  const rows = [0, ...data.fitted, ...bands, ...data.prior, ...(data.before ?? [])];
  const times = [...new Set(rows.map((one) => (one.time_h ?? 0) / WEEK_H))].sort((a, b) => a - b);
  const lines = columns(times, data);
  let plot = null;
  const build = () => {
    plot?.destroy();
    const tone = Object.fromEntries(['ink', 'muted', 'grid', 'blue', 'page'].map((name) => [name, colour(`--${name}`)]));
    const hooks = { draw: [(u) => scores(u, data.fitted, tone, data.now_h)], setCursor: [(u) => tell(u.cursor.idx)] };
    plot = new uPlot({ ...options(box, app, data.result, times, tone), hooks }, lines, box);
    plot.root.setAttribute('role', 'img');
    plot.root.setAttribute(
      'aria-label',
      `${data.result.scale} over weeks: the population's band, the band with the scores, and the scores. The numbers follow as a table.`,
    );
  };
  const note = h('p', { class: 'readout muted', 'aria-hidden': 'true' }, ' ');
  const tell = (index) => {
    const t = index === null || index === undefined ? null : times[index];
    const row = t === null ? null : bands.find((one) => Math.abs(one.time_h / WEEK_H - t) < 1e-9);
    note.textContent = row
      ? `week ${number(t)}: mean ${number(row.mean, 2)}, middle 90 % ${number(row.lo90, 2)} to ${number(row.hi90, 2)}`
      : ' ';
  };
  build();
  box.append(note);
  let width = box.clientWidth;
  const sized = new ResizeObserver(() => {
    if (Math.abs(box.clientWidth - width) < 2) return;
    width = box.clientWidth;
    plot.setSize(size(box));
  });
  sized.observe(box);
  addEventListener('themechange', build);
  const media = matchMedia('(prefers-color-scheme: dark)');
  media.addEventListener('change', build);
  return {
    destroy() {
      sized.disconnect();
      removeEventListener('themechange', build);
      media.removeEventListener('change', build);
      plot.destroy();
      note.remove();
    },
  };
}

const size = (box) => ({ width: Math.max(240, box.clientWidth), height: box.clientWidth < 500 ? 300 : 380 });

/** Lines over the times, null where there is none; the order is that of `series` in `options`. */
function columns(times, { bands, prior, before }) {
  const on = (rows, key) => times.map((t) => rows?.find((one) => Math.abs(one.time_h / WEEK_H - t) < 1e-9)?.[key] ?? null);
  return [
    times,
    ...['hi90', 'lo90', 'mean'].map((key) => on(prior, key)),
    ...['hi90', 'lo90', 'hi50', 'lo50', 'mean'].map((key) => on(bands, key)),
    ...['hi90', 'lo90'].map((key) => on(before, key)),
  ];
}

function options(box, app, result, times, tone) {
  const kind = app.about.scales.find((one) => one.name === result.scale) ?? { low: 0, high: 60 };
  const line = (stroke, width = 0, dash = undefined) => ({ stroke, width, dash, points: { show: false }, spanGaps: true });
  const twice = (one) => [{ ...one }, { ...one }]; // uPlot writes into them
  const axis = (label, values, extra) => ({
    label,
    labelSize: 20,
    labelGap: 2,
    labelFont: '13px system-ui',
    font: '12px system-ui',
    size: 28,
    stroke: tone.muted,
    grid: { stroke: tone.grid, width: 1 },
    ticks: { stroke: tone.grid, width: 1 },
    values,
    ...extra,
  });
  return {
    ...size(box),
    cursor: { drag: { x: false, y: false }, points: { show: false } },
    legend: { show: false },
    scales: { x: { time: false, range: [-0.15, times[times.length - 1]] }, y: { range: [kind.low, kind.high] } },
    axes: [
      axis('weeks since the first dose', (u, ticks) => ticks.map((t) => number(t))),
      axis(`${result.scale}, points`, (u, ticks) => ticks.map(String), { size: 44 }),
    ],
    series: [
      { label: 'week' },
      ...twice(line(faded(tone.muted, 0.35), 1)),
      line(tone.muted, 1.5, [5, 4]),
      ...twice(line(faded(tone.blue, 0.5), 1)),
      ...twice(line(tone.blue)),
      line(tone.blue, 2.5),
      ...twice(line(tone.ink, 1, [2, 3])),
    ],
    bands: [
      { series: [1, 2], fill: faded(tone.muted, 0.16) },
      { series: [4, 5], fill: faded(tone.blue, 0.16) },
      { series: [6, 7], fill: faded(tone.blue, 0.26) },
    ],
  };
}

/** Where each score was expected (grey: from the population, blue: from those before it), the scores, and where now is. */
function scores(u, fitted, tone, now) {
  const { ctx } = u;
  const ratio = devicePixelRatio;
  const x = (hours) => u.valToPos(hours / WEEK_H, 'x', true);
  const y = (value) => u.valToPos(value, 'y', true);
  ctx.save();
  ctx.strokeStyle = tone.muted;
  ctx.lineWidth = ratio;
  ctx.setLineDash([4 * ratio, 4 * ratio]);
  stroke(ctx, x(now), u.bbox.top, u.bbox.top + u.bbox.height);
  ctx.setLineDash([]);
  for (const one of fitted) {
    const at = x(one.time_h);
    whisker(ctx, at, y(one.prior_lo90), y(one.prior_hi90), 6 * ratio, faded(tone.muted, 0.35));
    whisker(ctx, at, y(one.lo90), y(one.hi90), 2.5 * ratio, tone.blue);
    ctx.beginPath();
    ctx.arc(at, y(one.score), 5 * ratio, 0, 2 * Math.PI);
    ctx.fillStyle = tone.ink;
    ctx.strokeStyle = tone.page;
    ctx.lineWidth = 2 * ratio;
    ctx.fill();
    ctx.stroke();
  }
  ctx.restore();
}

function whisker(ctx, x, low, high, width, stroked) {
  ctx.strokeStyle = stroked;
  ctx.lineWidth = width;
  stroke(ctx, x, low, high);
}

function stroke(ctx, x, from, to) {
  ctx.beginPath();
  ctx.moveTo(x, from);
  ctx.lineTo(x, to);
  ctx.stroke();
}
