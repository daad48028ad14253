/** Changing the scenario, with a way back. */

import { changed, withSessions } from './course.js';

const MOST_STEPS = 50;

/**
 * @param {Object} store the page's store
 * @returns {{scenario: Function, course: Function, sessions: Function, undo: () => void, canUndo: () => boolean}}
 *   `scenario(patch, {dragging})`, `course(patch, {dragging})`, `sessions(list, {dragging})` change the scenario; with `dragging`
 *   few people are computed, and one step back undoes the whole movement.
 */
export function createEditor(store) {
  const past = [];
  let rested = store.get().scenario;
  let undoing = false;
  store.subscribe((state) => {
    if (state.dragging || state.scenario === rested) return;
    if (!undoing) past.push(rested);
    if (past.length > MOST_STEPS) past.shift();
    rested = state.scenario;
  });
  const scenario = (patch, { dragging = false } = {}) => store.set({ scenario: { ...store.get().scenario, ...patch }, dragging });
  const course = (patch, options) => scenario({ course: changed({ ...store.get().scenario.course, ...patch }) }, options);
  const sessions = (list, options) => scenario({ course: changed(withSessions(store.get().scenario.course, list)) }, options);
  const undo = () => {
    if (!past.length) return;
    undoing = true;
    store.set({ scenario: past.pop(), dragging: false });
    undoing = false;
  };
  return { scenario, course, sessions, undo, canUndo: () => past.length > 0 };
}
