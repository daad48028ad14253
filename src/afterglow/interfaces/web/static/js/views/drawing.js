/** The panels as one vector drawing, made from the data: for files, so with its own colours and no style sheet. */

import { axisTicks } from '../axis.js';
import { s } from '../dom.js';
import { number } from '../format.js';

const INK = '#1f2328';
const MUTED = '#5d6871';
const GRID = '#dfe3e6';
const LAYERS = { drug: '#d55e00', target: '#e69f00', plasticity: '#009e73', mind: '#cc79a7', mood: '#0072b2' };
const FONT = 'system-ui, Segoe UI, Helvetica, Arial, sans-serif';
const [WIDTH, PANEL, HEAD, FOOT, LEFT, RIGHT] = [960, 150, 74, 62, 70, 30];
const BANDS = [
  ['90', 0.14],
  ['80', 0.16],
  ['50', 0.22],
];

/**
 * @param {Object} what
 * @param {string} what.title
 * @param {string} what.notice
 * @param {any} what.run answer of POST /api/run
 * @param {any[]} what.panels descriptions, in order
 * @param {[number, number]} what.window hours
 * @param {string} what.mark what identifies the drawing: version, hash, seed
 * @returns {SVGSVGElement}
 */
export function drawing({ title, notice, run, panels, window: shown, mark }) {
  const height = HEAD + panels.length * PANEL + FOOT;
  const sub = `${run.people.toLocaleString('en')} virtual people: median, and the middle 50, 80 and 90 % of them${run.versus ? `; dashed: median of ${run.versus.title || run.versus.name}` : ''}`;
  return s(
    'svg',
    { xmlns: 'http://www.w3.org/2000/svg', viewBox: `0 0 ${WIDTH} ${height}`, width: WIDTH, height, 'font-family': FONT },
    s('title', {}, title),
    s('rect', { width: WIDTH, height, fill: '#ffffff' }),
    text(LEFT - 46, 32, title, { size: 20, weight: 700 }),
    text(LEFT - 46, 54, sub, { size: 13, colour: MUTED }),
    panels.map((panel, k) => one(panel, run, shown, HEAD + k * PANEL, k === panels.length - 1)),
    text(LEFT - 46, height - 22, notice, { size: 11, colour: MUTED }),
    text(LEFT - 46, height - 8, mark, { size: 10, colour: MUTED }),
  );
}

/** An SVG as text of a file. @param {SVGSVGElement} svg */
export function svgText(svg) {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(svg)}\n`;
}

/**
 * The same drawing as PNG, twice as fine.
 * @param {SVGSVGElement} svg
 * @returns {Promise<Blob>}
 */
export async function png(svg) {
  const url = URL.createObjectURL(new Blob([svgText(svg)], { type: 'image/svg+xml' }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement('canvas');
    canvas.width = 2 * image.naturalWidth;
    canvas.height = 2 * image.naturalHeight;
    canvas.getContext('2d').drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((done, fail) =>
      canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error('The picture could not be made.'))), 'image/png'),
    );
  } finally {
    URL.revokeObjectURL(url);
  }
}

function one(panel, run, [from, to], top, last) {
  const band = run.panels[panel.name];
  const ghost = run.versus?.panels[panel.name];
  const inside = run.time_h
    .map((t, k) => [t, k])
    .filter(([t], i, all) => (all[i + 1]?.[0] ?? t) >= from && (all[i - 1]?.[0] ?? t) <= to)
    .map(([, k]) => k);
  const values = inside.flatMap((k) => [band.lo90[k], band.hi90[k], ...(ghost ? [ghost.median[k]] : [])]);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const [plotTop, plotHeight] = [top + 26, PANEL - 50];
  const x = (t) => LEFT + ((WIDTH - LEFT - RIGHT) * (Math.min(to, Math.max(from, t)) - from)) / (to - from);
  const y = (v) => plotTop + plotHeight - (plotHeight * (v - low)) / (high - low || 1);
  const way = (list, order) => order.map((k) => `${x(run.time_h[k]).toFixed(1)} ${y(list[k]).toFixed(1)}`).join('L');
  const back = [...inside].reverse();
  const colour = LAYERS[panel.layer] ?? INK;
  const ticks = axisTicks(from, to, WIDTH - LEFT - RIGHT);
  return s(
    'g',
    {},
    text(LEFT - 46, top + 14, `${panel.label}, ${panel.unit}`, { size: 13, weight: 600 }),
    levels(low, high).map((v) =>
      s(
        'g',
        {},
        s('line', { x1: LEFT, x2: WIDTH - RIGHT, y1: y(v), y2: y(v), stroke: GRID }),
        text(LEFT - 8, y(v) + 4, number(v, 3), { size: 11, colour: MUTED, anchor: 'end' }),
      ),
    ),
    BANDS.map(([level, alpha]) =>
      s('path', { d: `M${way(band[`hi${level}`], inside)}L${way(band[`lo${level}`], back)}Z`, fill: colour, 'fill-opacity': alpha }),
    ),
    ghost &&
      s('path', { d: `M${way(ghost.median, inside)}`, fill: 'none', stroke: '#6b7f8f', 'stroke-width': 1.6, 'stroke-dasharray': '6 4' }),
    s('path', { d: `M${way(band.median, inside)}`, fill: 'none', stroke: colour, 'stroke-width': 2.2, 'stroke-linejoin': 'round' }),
    run.doses
      .filter((dose) => dose.time_h >= from && dose.time_h <= to)
      .map((dose) => s('path', { d: `M${x(dose.time_h).toFixed(1)} ${plotTop + plotHeight}l-4 6h8z`, fill: MUTED })),
    last && ticks.map(({ at, label }) => text(x(at), plotTop + plotHeight + 22, label, { size: 11, colour: MUTED, anchor: 'middle' })),
  );
}

/** Round numbers of a scale, three or four of them. */
function levels(low, high) {
  const rough = (high - low || 1) / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 2.5, 5, 10].find((one) => one * power >= rough * 0.8);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, k) => (first + k) * step);
}

function text(x, y, words, { size, weight = 400, colour = INK, anchor = 'start' }) {
  return s('text', { x, y, 'font-size': size, 'font-weight': weight, fill: colour, 'text-anchor': anchor }, words);
}
