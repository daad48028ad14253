/**
 * One store for the whole page.
 * @param {Object} initial
 * @returns {{get: () => any, set: (patch: Object) => void, subscribe: (listener: (state: any, changed: Set<string>) => void) => () => void}}
 *   `set` merges shallowly and tells listeners which keys have changed; `subscribe` gives back how to stop listening.
 */
export function createStore(initial) {
  let state = { ...initial };
  const listeners = new Set();
  return {
    get: () => state,
    set(patch) {
      const changed = new Set(Object.keys(patch).filter((key) => !Object.is(patch[key], state[key])));
      if (changed.size === 0) return;
      state = { ...state, ...patch };
      for (const listener of [...listeners]) listener(state, changed);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
