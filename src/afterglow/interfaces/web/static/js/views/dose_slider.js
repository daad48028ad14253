/** A slider for a dose, centred on the published one, with the studied range marked under it. */

import { limitsOf, tidy } from '../course.js';
import { h, s, set } from '../dom.js';
import { number } from '../format.js';

const STEPS = 100; // left half: up to the published dose; right half: beyond it
const DEVICE_MG = 28;
const BEYOND = 2; // the slider ends at so many times the highest studied dose

/**
 * @param {Object} about
 * @param {(dose: number, dragging: boolean) => void} change
 * @param {() => void} rest called when the slider is left
 * @returns {{el: HTMLElement, note: HTMLElement, show: (session: Object) => void}}
 */
export function doseSlider(about, change, rest) {
  let shown = null;
  const value = h('output', { class: 'dose-value' });
  const zone = s('rect', { class: 'zone', y: 0, height: 8, rx: 4 });
  const tick = s('path', { class: 'tick' });
  const rail = s('rect', { class: 'rail', x: 0, y: 0, width: 100, height: 8, rx: 4 });
  const track = s(
    'svg',
    { class: 'dose-track', viewBox: '0 0 100 8', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    rail,
    zone,
    tick,
  );
  const slide = (dragging) => change(scale(about, shown).toDose(slider.valueAsNumber), dragging);
  const slider = h('input', {
    type: 'range',
    min: 0,
    max: STEPS,
    step: 0.5,
    'aria-label': 'Dose',
    dataset: { testid: 'dose-slider' },
    on: { input: () => slide(true), change: () => slide(false), blur: rest },
  });
  const note = h('p', { class: 'small muted dose-note' });
  const el = h('div', { class: 'dose-slider' }, h('div', { class: 'dose-rail' }, track, slider), value);
  const show = (one) => {
    shown = one;
    const limit = limitsOf(about, one.drug, one.route);
    el.hidden = note.hidden = one.value === null || !limit;
    if (el.hidden) return;
    const { toPlace, studied } = scale(about, one);
    const [low, high] = studied.map(toPlace);
    set(zone, { x: low, width: Math.max(1, high - low) });
    set(tick, { d: `M${toPlace(limit.published.dose)} 0V8` });
    const place = toPlace(one.value);
    if (Math.abs(slider.valueAsNumber - place) > 0.6) slider.value = String(place);
    const dose = `${number(one.value)} ${one.unit}`;
    const outside = one.value < studied[0] - 1e-9 || one.value > studied[1] + 1e-9;
    value.textContent = dose;
    for (const part of [value, slider, note]) part.classList.toggle('outside', outside);
    set(slider, { 'aria-valuetext': `${dose}${outside ? ', outside the studied range' : ''}` });
    note.textContent =
      `${outside ? 'Outside the studied range: ' : 'Studied: '}${number(studied[0])} to ${number(studied[1])} ${limit.studied.unit}; ` +
      `published dose ${number(limit.published.dose)} ${limit.published.unit}.`;
  };
  return { el, note, show };
}

/** Place on the slider to dose and back; the published dose lies in the middle. */
function scale(about, { drug, route, unit }) {
  const limit = limitsOf(about, drug, route);
  const middle = limit.published.dose;
  const studied = [limit.studied.low, limit.studied.high];
  const most = Math.max(middle * 2, Math.min(limit.bound?.value ?? Infinity, BEYOND * studied[1]));
  const half = STEPS / 2;
  const device = route === 'nasal-device' && unit === 'mg';
  const grain = device ? DEVICE_MG : 10 ** Math.floor(Math.log10(middle / half));
  const toPlace = (dose) => (dose <= middle ? (half * dose) / middle : half + Math.min(half, (half * (dose - middle)) / (most - middle)));
  const toDose = (place) => {
    const dose = place <= half ? (place * middle) / half : middle + ((place - half) * (most - middle)) / half;
    return tidy(Math.max(grain, Math.round(dose / grain) * grain));
  };
  return { toPlace, toDose, studied };
}
