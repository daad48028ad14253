/** What each view asks of the server, for the code and for the jobs. */

import { forecastSettings, personFile } from './forecast_person.js';
import { trialFile, trialSettings } from './trial_design.js';

/**
 * What the code of a view needs besides the scenario.
 * @param {any} state of the store
 * @returns {Object|undefined}
 */
export function extraOf(state) {
  if (state.view === 'forecast') return forecastBody(state);
  if (state.view === 'trial') return trialBody(state);
  return undefined;
}

/** The question of a forecast. @param {any} state */
export function forecastBody(state) {
  const asked = forecastSettings(state);
  return { person: personFile(asked, state.scenario.course), courses: asked.courses, weeks: asked.weeks, scale: asked.scale };
}

/** The question of a plan. @param {any} state */
export function planBody(state) {
  const asked = forecastSettings(state);
  return { person: personFile(asked, state.scenario.course), weeks: Math.max(4, asked.weeks) };
}

/** The question of a trial. @param {any} state */
export function trialBody(state) {
  const asked = trialSettings(state);
  return { trial: trialFile(asked, state.scenario.course), replicates: asked.replicates };
}
