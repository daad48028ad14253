/** Building elements. All text goes through text nodes; nothing here reads HTML. */

const SVG = 'http://www.w3.org/2000/svg';

/**
 * An HTML element.
 * @param {string} tag
 * @param {Object<string, any>} [attrs] attributes; besides them `class`, `on` {event: function}, `dataset`, `style` {name: value}.
 *   `true` sets an empty attribute, `false`, `null` and `undefined` leave it out.
 * @param {...(Node|string|number|null|undefined|false|Array)} children
 * @returns {any} the element
 */
export function h(tag, attrs, ...children) {
  return fill(document.createElement(tag), attrs, children);
}

/** An SVG element; arguments as in `h`. @returns {any} */
export function s(tag, attrs, ...children) {
  return fill(document.createElementNS(SVG, tag), attrs, children);
}

/** Removes all children. @param {Element} el @returns {Element} the element */
export function clear(el) {
  el.replaceChildren();
  return el;
}

/**
 * Sets attributes on an element that exists already, as `h` does.
 * @param {any} el
 * @param {Object<string, any>} attrs
 */
export function set(el, attrs) {
  for (const [name, value] of Object.entries(attrs ?? {})) {
    if (name === 'on') for (const [event, listener] of Object.entries(value)) el.addEventListener(event, listener);
    else if (name === 'dataset') Object.assign(el.dataset, value);
    else if (name === 'style') for (const [key, text] of Object.entries(value)) el.style.setProperty(key, text);
    else if (name === 'value' || name === 'checked') el[name] = value;
    else if (value === false || value === null || value === undefined) el.removeAttribute(name);
    else el.setAttribute(name, value === true ? '' : String(value));
  }
  return el;
}

/**
 * The colour of a CSS variable as rgb(), in the theme that is on.
 * @param {string} name for instance '--ink'
 * @returns {string}
 */
export function colour(name) {
  const probe = document.body.appendChild(h('span', { style: { color: `var(${name})` } }));
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** The same colour, let through. @param {string} rgb as `colour` gives it @param {number} alpha 0..1 */
export function faded(rgb, alpha) {
  const [r, g, b] = rgb.match(/[\d.]+/g) ?? [0, 0, 0];
  return `rgba(${r}, ${g}, ${b}, ${alpha})`;
}

/**
 * A button.
 * @param {string} testid
 * @param {string|Node} label
 * @param {() => void} click
 * @param {Object} [attrs] further attributes
 */
export function button(testid, label, click, attrs = {}) {
  return h('button', { type: 'button', dataset: { testid }, on: { click }, ...attrs }, label);
}

/** A labelled form field. @param {string} label @param {Element} control @param {Object} [attrs] */
export function field(label, control, attrs = {}) {
  return h('label', { class: 'field', ...attrs }, h('span', { class: 'field-label' }, label), control);
}

/**
 * A row of buttons of which one is pressed.
 * @param {string} label what is chosen, for screen readers
 * @param {{value: any, label: string, title?: string, testid?: string}[]} options
 * @param {(value: any) => void} choose
 * @returns {{el: HTMLElement, show: (value: any) => void}}
 */
export function segments(label, options, choose) {
  const buttons = options.map((one) =>
    h(
      'button',
      {
        type: 'button',
        class: 'segment',
        title: one.title,
        'aria-pressed': 'false',
        dataset: one.testid ? { testid: one.testid } : {},
        on: { click: () => choose(one.value) },
      },
      one.label,
    ),
  );
  const show = (value) => options.forEach((one, i) => buttons[i].setAttribute('aria-pressed', String(one.value === value)));
  return { el: h('div', { class: 'segments', role: 'group', 'aria-label': label }, buttons), show };
}

function fill(el, attrs, children) {
  const { value, ...rest } = attrs ?? {};
  set(el, rest);
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) el.append(child instanceof Node ? child : String(child));
  }
  if (value !== undefined) el.value = value; // after the options of a select are there
  return el;
}
