/** One uPlot: median and bands of 50, 80 and 90 %, the ghost of a comparator, a tint where the drug is in the body. */

import uPlot from '../vendor/uPlot.esm.js';
import { GUTTER, stepFor, STEPS, tickLabel } from '../axis.js';
import { colour, faded, h } from '../dom.js';
import { number } from '../format.js';

const TONE = { drug: '--red', target: '--orange', plasticity: '--green', mind: '--pink', mood: '--blue' };
const BANDS = [
  ['hi90', 'lo90', 0.13],
  ['hi80', 'lo80', 0.16],
  ['hi50', 'lo50', 0.24],
];
const KEYS = [...BANDS.flatMap(([hi, lo]) => [hi, lo]), 'median', 'one', 'ghost'];
const FONT = '13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
const TAP_PX = 6;
const LEAST_WINDOW_H = 0.25;

/**
 * @param {HTMLElement} place
 * @param {{layer: string, label: string}} spec
 * @param {import('../main.js').App} app
 * @param {(hours: number|null) => void} onHover
 */
export function createPlot(place, spec, app, onHover) {
  const { store } = app;
  const look = { palette: palette(spec.layer), range: [0, 1], zero: false, labels: labelled(place) };
  let present = [];
  let daily = [];
  const line = h('div', { class: 'now-line', 'aria-hidden': 'true' });
  const size = () => ({ width: Math.max(120, place.clientWidth || 600), height: place.clientHeight || 120 });
  const empty = [[0, 1], ...KEYS.map(() => [null, null])];
  const u = new uPlot(options(size(), look, { store, onHover, tint: () => tint(u, present, daily, look.palette) }), empty, place);
  u.over.append(line);
  touch(u, store);

  const clock = () => {
    const {
      clock_h: at,
      window_h: [from, to],
    } = store.get();
    line.style.transform = `translateX(${(u.bbox.width / devicePixelRatio) * ((at - from) / (to - from))}px)`;
    line.hidden = at < from - 1e-6 || at > to + 1e-6;
  };
  const range = () => {
    const [min, max] = store.get().window_h;
    u.setScale('x', { min, max });
    clock();
  };
  const data = (answer, bands, ghost, zero) => {
    const nothing = answer.time_h.map(() => null);
    present = spans(answer.time_h, answer.present);
    daily = spans(answer.time_h, answer.daily ?? []);
    look.zero = zero;
    look.range = limits([bands.lo90, bands.hi90, bands.one, ghost], zero);
    u.setData([answer.time_h, ...KEYS.slice(0, 7).map((key) => bands[key]), bands.one ?? nothing, ghost ?? nothing], false);
    u.batch(() => {
      u.setScale('y', { min: look.range[0], max: look.range[1] });
      range();
    });
  };
  const fit = () => {
    const next = size();
    look.labels = labelled(place);
    if (place.clientWidth && (next.width !== u.width || next.height !== u.height)) u.setSize(next);
    clock();
  };
  const recolour = () => {
    look.palette = palette(spec.layer);
    u.redraw(false, true);
  };
  return { data, window: range, clock, fit, recolour, destroy: () => u.destroy() };
}

/** Whether the panels have an axis of time of their own, or that of the clock under them will do. */
const labelled = (place) => getComputedStyle(place).getPropertyValue('--time-labels').trim() === 'own';

function labels(u, at, own) {
  const width = u.over.clientWidth;
  const step = stepFor(u.scales.x.min, u.scales.x.max, width);
  return at.map((one) => (own && u.valToPos(one, 'x') < width - 12 ? tickLabel(one, step) : ''));
}

function palette(layer) {
  const [tone, ink, muted, grid, other, drug] = [TONE[layer] ?? '--blue', '--ink', '--muted', '--grid', '--ghost', '--red'].map(colour);
  return { tone, ink, muted, grid, other, drug };
}

function options(size, look, { store, onHover, tint }) {
  const hidden = KEYS.slice(0, 6).map(() => ({ width: 0, points: { show: false } }));
  const stroke = (of, width, dash) => ({ stroke: () => look.palette[of], width, dash, points: { show: false } });
  const axis = (more) => ({
    stroke: () => look.palette.muted,
    font: FONT,
    grid: { stroke: () => look.palette.grid, width: 1 },
    ticks: { show: false },
    ...more,
  });
  return {
    ...size,
    legend: { show: false },
    padding: [6, GUTTER.right, 0, 0],
    scales: { x: { time: false }, y: { range: () => look.range } },
    series: [{}, ...hidden, stroke('tone', 2.2), stroke('ink', 1.6), stroke('other', 2, [6, 4])],
    bands: BANDS.map(([, , alpha], i) => ({ series: [2 * i + 1, 2 * i + 2], fill: () => faded(look.palette.tone, alpha) })),
    axes: [
      axis({ size: () => (look.labels ? 22 : 3), gap: 4, incrs: STEPS, space: 58, values: (u, at) => labels(u, at, look.labels) }),
      axis({ size: GUTTER.left, gap: 6, space: 26, values: (u, at) => at.map((one) => number(one)) }),
    ],
    cursor: {
      sync: { key: 'clock', setSeries: false },
      points: { show: false },
      y: false,
      drag: { x: true, y: false, setScale: false, dist: TAP_PX },
      bind: {
        dblclick: () => () => {
          store.set({ window_h: [0, store.get().scenario.weeks * 168] });
          return null;
        },
      },
    },
    hooks: {
      drawClear: [tint],
      draw: [
        (u) => {
          if (look.zero) zeroLine(u, look.palette);
        },
      ],
      setCursor: [(u) => onHover(u.cursor.left >= 0 ? u.posToVal(u.cursor.left, 'x') : null)],
      setSelect: [
        (u) => {
          if (u.select.width < TAP_PX || !u.root.matches(':hover')) return; // the shared cursor selects in every panel
          const from = u.posToVal(u.select.left, 'x');
          const to = u.posToVal(u.select.left + u.select.width, 'x');
          u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
          zoom(store, from, to);
        },
      ],
    },
  };
}

function zoom(store, from, to) {
  const end = store.get().scenario.weeks * 168;
  const length = Math.min(end, Math.max(LEAST_WINDOW_H, to - from));
  const start = Math.max(0, Math.min(from, end - length));
  const { clock_h: at } = store.get();
  store.set({ window_h: [start, start + length], clock_h: at < start || at > start + length ? start + length / 2 : at });
}

/** A press sets the clock; pinch, or the wheel with Ctrl, zooms; the wheel with Shift pans. */
function touch(u, store) {
  const fingers = new Map();
  let pressed = null;
  let pinch = null;
  const at = (event) => u.posToVal(event.clientX - u.over.getBoundingClientRect().left, 'x');
  u.over.addEventListener('pointerdown', (event) => {
    fingers.set(event.pointerId, event);
    pressed = fingers.size === 1 ? event.clientX : null;
    if (fingers.size === 2) pinch = { values: [...fingers.values()].map(at), range: store.get().window_h };
  });
  u.over.addEventListener('pointermove', (event) => {
    if (!fingers.has(event.pointerId)) return;
    fingers.set(event.pointerId, event);
    if (fingers.size !== 2 || !pinch) return;
    const left = u.over.getBoundingClientRect().left;
    const [a, b] = [...fingers.values()].map((one) => (one.clientX - left) / u.over.clientWidth);
    if (Math.abs(a - b) < 0.05) return;
    const length = Math.abs((pinch.values[0] - pinch.values[1]) / (a - b));
    const from = pinch.values[0] - a * length;
    zoom(store, from, from + length);
  });
  const lift = (event) => {
    if (event.type === 'pointerup' && pressed !== null && Math.abs(event.clientX - pressed) < TAP_PX)
      store.set({ clock_h: Math.max(0, at(event)) });
    fingers.delete(event.pointerId);
    pinch = null;
    pressed = null;
  };
  for (const name of ['pointerup', 'pointercancel', 'pointerleave']) u.over.addEventListener(name, lift);
  u.over.addEventListener(
    'wheel',
    (event) => {
      const [from, to] = store.get().window_h;
      if (event.ctrlKey) {
        const factor = Math.exp(0.01 * Math.max(-60, Math.min(60, event.deltaY)));
        const middle = at(event);
        zoom(store, middle - (middle - from) * factor, middle + (to - middle) * factor);
      } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        const by = ((event.deltaX || event.deltaY) / u.over.clientWidth) * (to - from);
        zoom(store, from + by, to + by);
      } else return;
      event.preventDefault();
    },
    { passive: false },
  );
}

/** Where the drug is in the body: [from, to] pairs. */
function spans(times, present) {
  const found = [];
  for (let i = 0; i < times.length; i += 1) {
    if (!present[i]) continue;
    if (i > 0 && present[i - 1]) found.at(-1)[1] = times[i];
    else found.push([times[i], times[i]]);
  }
  return found;
}

/** Tinted: drugs of sessions. A thin line at the foot: drugs taken daily. */
function tint(u, present, daily, { drug }) {
  const { ctx, bbox } = u;
  const thin = 2 * devicePixelRatio;
  const fill = (from, to, top, height) => {
    const left = Math.max(bbox.left, u.valToPos(from, 'x', true));
    const right = Math.min(bbox.left + bbox.width, u.valToPos(to, 'x', true));
    if (right > left) ctx.fillRect(left, top, Math.max(1, right - left), height);
  };
  ctx.save();
  ctx.fillStyle = faded(drug, 0.08);
  for (const [from, to] of present) fill(from, to, bbox.top, bbox.height);
  ctx.fillStyle = faded(drug, 0.5);
  for (const [from, to] of daily) fill(from, to, bbox.top + bbox.height - thin, thin);
  ctx.restore();
}

function zeroLine(u, { ink }) {
  const y = Math.round(u.valToPos(0, 'y', true));
  u.ctx.save();
  u.ctx.strokeStyle = ink;
  u.ctx.lineWidth = 1;
  u.ctx.beginPath();
  u.ctx.moveTo(u.bbox.left, y);
  u.ctx.lineTo(u.bbox.left + u.bbox.width, y);
  u.ctx.stroke();
  u.ctx.restore();
}

/** Range of the value axis over the whole run, so that it stays put while the window moves. */
function limits(series, zero) {
  let low = Infinity;
  let high = -Infinity;
  for (const values of series) {
    for (const one of values ?? []) {
      if (one < low) low = one;
      if (one > high) high = one;
    }
  }
  if (zero || (low >= 0 && low < 0.45 * high)) low = Math.min(0, low);
  if (zero) high = Math.max(0, high);
  const room = 0.06 * (high - low || Math.abs(high) || 1);
  return [low < 0 || low > 0 ? low - room : 0, high + room];
}
