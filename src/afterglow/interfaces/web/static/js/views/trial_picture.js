/** The design of a trial as a picture: who gets what and when, and when they are rated. */

import { hours, sessions } from '../course.js';
import { h, s } from '../dom.js';
import { AT_ALL_VISITS, CONTROLS, trialSettings, visitList } from './trial_design.js';

const [WIDE, NARROW] = [720, 380]; // a phone gets a narrow picture, so that its letters stay legible
const EDGE = { left: 110, right: 24, top: 30, bottom: 40 };
const ROW = 52;
const LABEL = 34; // least room for the name of a visit
const LONGEST_WEEKS = 26;
const BLIND = { 'double-blind': 'double-blind', masked: 'perfectly masked', open: 'open label' };

/** @param {any} app @returns {HTMLElement} */
export function trialPicture(app) {
  const asked = trialSettings(app.store.get());
  const visits = visitList(asked.visits)
    .map((name) => ({ name, at: hours(name) }))
    .filter((one) => one.at !== null)
    .sort((a, b) => a.at - b.at);
  const end = Math.max(24, ...visits.map((one) => one.at));
  const arms = asked.arms.map((arm) => ({ ...arm, ...given(arm, asked.arms[0], app, end) }));
  const height = EDGE.top + EDGE.bottom + ROW * arms.length;
  // Square roots give room to the hours after a dose and still show weeks.
  const width = matchMedia('(max-width: 520px)').matches ? NARROW : WIDE;
  const x = (at) => EDGE.left + (width - EDGE.left - EDGE.right) * Math.sqrt(Math.max(0, at) / end);
  const chosen = AT_ALL_VISITS.includes(asked.measure) ? null : asked.at;
  const words = arms.map((one) => `${one.n} people get ${one.title}`).join('; ');
  const says = `${words}. Rated at baseline${visits.map((one) => `, ${one.name}`).join('')}.`;
  return h(
    'figure',
    { class: 'trial-picture', dataset: { testid: 'trial-picture' } },
    s(
      'svg',
      { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': says },
      visitLines(visits, chosen, x, height),
      arms.map((one, k) => armRow(one, k, x, x(end))),
    ),
    h(
      'figcaption',
      { class: 'muted' },
      `Filled: the treatment. Open: what stands in its place. Dashed: ratings${chosen ? `; bold: the endpoint, at ${chosen.replace(' ', '\u00a0')}` : ''}. ` +
        `The trial is ${BLIND[asked.patients]}, raters ${asked.raters === 'remote' ? 'remote and blinded' : 'at the site'}. Early hours are drawn wider.`,
    ),
  );
}

/** When an arm is given what, up to the last visit. */
function given(arm, first, app, end) {
  const [kind, value] = arm.what.split(/:(.*)/);
  const named = (name) =>
    name === 'on-screen' ? app.store.get().scenario.course : app.about.presets.find((one) => (one.name ?? one.course) === name);
  const control = kind === 'control';
  const course = named(control ? first.what.split(/:(.*)/)[1] : value);
  const times = value === 'waiting-list' || !course ? [] : sessions(course, LONGEST_WEEKS).map((one) => (one.day - 1) * 24);
  const title = control ? `${CONTROLS[value]} instead` : course?.title || course?.course || value;
  return { control, title, times: times.filter((at) => at <= end) };
}

function visitLines(visits, chosen, x, height) {
  let free = -Infinity;
  return [{ name: 'baseline', at: 0 }, ...visits].map(({ name, at }) => {
    const main = name === chosen;
    const room = main || x(at) - free >= LABEL;
    if (room) free = x(at);
    return s(
      'g',
      { class: main ? 'visit main' : 'visit' },
      s('line', { x1: x(at), x2: x(at), y1: EDGE.top - 12, y2: height - EDGE.bottom + 6 }),
      room && s('text', { x: x(at), y: height - EDGE.bottom + 22, 'text-anchor': at === 0 ? 'end' : 'middle' }, name),
    );
  });
}

function armRow(one, k, x, end) {
  const y = EDGE.top + ROW * k + ROW / 2;
  return s(
    'g',
    { class: one.control ? 'trial-row control' : 'trial-row' },
    s('title', {}, one.title),
    s('text', { class: 'arm', x: 0, y: y - 3 }, one.name),
    s('text', { x: 0, y: y + 14 }, `${one.n} people`),
    s('line', { class: 'rail', x1: x(0), x2: end, y1: y, y2: y }),
    one.times.map((at) => s('circle', { cx: x(at), cy: y, r: 7 })),
    !one.times.length && s('text', { x: x(0) + 10, y: y - 6 }, one.title),
  );
}
