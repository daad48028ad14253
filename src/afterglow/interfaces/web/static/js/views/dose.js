/** The dose that is chosen: its drug, route chips, the slider; for this dose or all alike. */

import { published, sessions } from '../course.js';
import { clear, field, h, segments } from '../dom.js';
import { number } from '../format.js';
import { ROUTE_SHORT } from './course.js';
import { doseSlider } from './dose_slider.js';

const SCOPES = [
  { value: true, label: 'All doses', testid: 'scope-all' },
  { value: false, label: 'This one', testid: 'scope-one' },
];

/** @param {HTMLElement} root @param {import('../main.js').App} app */
export function mount(root, app) {
  const { store, about } = app;
  const choice = choices(app);
  const { list, current, retype, apply } = choice;
  const drugs = about.drugs.map((one) => h('option', { value: one.name }, one.title));
  const drug = h('select', { dataset: { testid: 'drug' }, on: { change: () => retype({ drug: drug.value }) } }, drugs);
  const routes = h('div', { class: 'chips', role: 'group', 'aria-label': 'Route' });
  const scope = segments('What a change applies to', SCOPES, (all) => {
    choice.all = all;
    draw();
  });
  const heading = h('h3', {});
  const slider = doseSlider(
    about,
    (value, dragging) => apply({ value }, { dragging }),
    () => store.set({ dragging: false }),
  );
  const head = h('div', { class: 'section-head' }, heading, h('span', { class: 'grow' }), scope.el);
  root.append(head, field('Drug', drug, { class: 'field inline' }), routes, slider.el, slider.note);

  const chip = (route, chosen) =>
    h(
      'button',
      {
        type: 'button',
        class: 'chip',
        'aria-pressed': String(route === chosen),
        title: about.routes[route],
        dataset: { testid: 'route', name: route },
        on: { click: () => retype({ route }) },
      },
      ROUTE_SHORT[route] ?? route,
    );
  const draw = () => {
    const one = current();
    root.hidden = !one;
    if (!one) return;
    const all = list();
    const kin = all.filter((other) => alike(other, one)).length;
    heading.textContent = choice.all && kin > 1 ? `Doses (${kin})` : `Dose on day ${number(one.day)}`;
    scope.el.hidden = all.length < 2;
    scope.show(choice.all);
    drug.value = one.drug;
    const focused = routes.contains(document.activeElement);
    clear(routes).append(...routesOf(about, one.drug).map((route) => chip(route, one.route)));
    if (focused) routes.querySelector('[aria-pressed="true"]')?.focus();
    slider.show(one);
  };
  draw();
  const stop = store.subscribe((now, changed) => {
    if (changed.has('scenario') || changed.has('selected')) draw();
  });
  return { unmount: stop };
}

const alike = (one, other) => one.drug === other.drug && one.route === other.route;
const routesOf = (about, drug) => about.drugs.find((one) => one.name === drug)?.routes ?? [];

/** The chosen dose, and changes to it or, with `all`, to all of its drug and route. */
function choices(app) {
  const { store, about } = app;
  const list = () => sessions(store.get().scenario.course, store.get().scenario.weeks);
  const at = () => Math.max(0, Math.min(store.get().selected ?? 0, list().length - 1));
  const current = () => list()[at()] ?? null;
  const self = { all: true, list, current };
  self.apply = (patch, options) => {
    const chosen = current();
    if (!chosen) return;
    const changed = (one, i) => i === at() || (self.all && alike(one, chosen));
    app.edit.sessions(
      list().map((one, i) => (changed(one, i) ? { ...one, ...patch } : one)),
      options,
    );
  };
  self.retype = (patch) => {
    const wanted = { ...current(), ...patch };
    const allowed = routesOf(about, wanted.drug);
    const route = allowed.includes(wanted.route) ? wanted.route : allowed[0];
    const { value, unit, minutes } = published(about, wanted.drug, route, 1);
    self.apply({ drug: wanted.drug, route, value, unit, minutes });
  };
  return self;
}
