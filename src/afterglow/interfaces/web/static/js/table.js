import { h } from './dom.js';

/**
 * A table in a box that scrolls and can be reached by keyboard. The first column names the row.
 * @param {{key: string, label: string, unit?: string, format?: (value: any, row: any) => (string|Node)}[]} columns
 * @param {Object[]} rows
 * @param {{caption: string}} options
 * @returns {HTMLElement}
 */
export function table(columns, rows, { caption }) {
  const head = columns.map((one) => h('th', { scope: 'col' }, one.label, one.unit && h('span', { class: 'unit' }, ` ${one.unit}`)));
  const text = (one, row) => (one.format ? one.format(row[one.key], row) : (row[one.key] ?? '–'));
  const body = rows.map((row) =>
    h(
      'tr',
      {},
      columns.map((one, i) => (i === 0 ? h('th', { scope: 'row' }, text(one, row)) : h('td', {}, text(one, row)))),
    ),
  );
  return h(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': caption },
    h('table', {}, h('caption', {}, caption), h('thead', {}, h('tr', {}, head)), h('tbody', {}, body)),
  );
}
