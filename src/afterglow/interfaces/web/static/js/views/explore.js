/** The first screen: change a course of treatment and watch the chain from dose to mood answer. */

import { h } from '../dom.js';
import * as chain from './chain.js';
import * as clock from './clock.js';
import * as course from './course.js';
import * as limits from './limits.js';
import * as mechanism from './mechanism.js';
import * as numbers from './numbers.js';
import * as panels from './panels.js';
import * as safety from './safety.js';
import * as status from './status.js';
import * as timeline from './timeline.js';
import * as versus from './versus.js';
import * as who from './who.js';
import * as why from './why.js';

/** @param {HTMLElement} root @param {import('../main.js').App} app @returns {{unmount: () => void}} */
export function mount(root, app) {
  const box = (name, label, parts) => {
    const el = h('section', { class: `area area-${name}`, 'aria-label': label });
    const mounted = Object.entries(parts).map(([key, part]) => part.mount(el.appendChild(h('div', { class: `part part-${key}` })), app));
    return { el, mounted };
  };
  const areas = [
    box('course', 'Course of treatment', { course, who, versus, mechanism }),
    box('chain', 'From dose to mood', { chain }),
    box('time', 'Timeline', { timeline }),
    box('panels', 'Panels', { panels }),
    box('clock', 'Clock', { clock }),
    box('numbers', 'Numbers', { status, numbers, safety, why, limits }),
  ];
  root.append(
    h(
      'div',
      { class: 'explore' },
      areas.map((one) => one.el),
    ),
  );
  return { unmount: () => areas.forEach((one) => one.mounted.forEach((part) => part?.unmount?.())) };
}
