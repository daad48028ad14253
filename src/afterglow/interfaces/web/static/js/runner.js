/**
 * Keeps the answer in step with the scenario. While something is dragged: few people on a coarse grid, one request at a
 * time, the newest next. Once it rests: the same quickly, then 1,000 people; a newer change aborts an older request.
 */

import { aborted, isStatic, latest, run } from './api.js';
import { createStore } from './state.js';

const FEW = 104;
const MANY = 1000;

/**
 * @param {{get: Function, subscribe: Function}} store the page's store; `dragging` in it says that something is on the move
 * @param {{limits?: {people?: number}}} about
 * @returns {{results: Object, start: () => void}} `results` is a store of {answer, of, busy, error}; `of` is the scenario of the answer
 */
export function createRunner(store, about) {
  const results = createStore({ answer: null, of: null, busy: false, error: null });
  const many = Math.min(MANY, about.limits?.people ?? MANY);
  const ask = latest((signal, scenario, coarse) => run(scenario, { people: coarse ? FEW : many, coarse, signal }));
  let waiting = false;

  const drag = async () => {
    if (waiting) return;
    waiting = true;
    try {
      for (let asked = null; store.get().dragging && asked !== store.get().scenario;) {
        asked = store.get().scenario;
        await take(asked, true);
      }
    } finally {
      waiting = false;
    }
  };

  const rest = async () => {
    const { scenario } = store.get();
    const first = !isStatic && (await take(scenario, true));
    if (isStatic || first) await take(scenario, false);
  };

  /** Asks, and keeps the answer unless something newer has been asked. Whether it went well. */
  async function take(scenario, coarse) {
    results.set({ busy: true });
    try {
      const answer = await ask(scenario, coarse);
      results.set({ answer, of: scenario, error: null, busy: coarse && !store.get().dragging });
      return store.get().scenario === scenario;
    } catch (error) {
      if (aborted(error)) return false;
      results.set({ error, busy: false });
      return false;
    }
  }

  const start = () => {
    store.subscribe((state, changed) => {
      if (!changed.has('scenario') && !changed.has('dragging')) return;
      if (state.dragging) drag();
      else rest();
    });
    rest();
  };
  return { results, start };
}
