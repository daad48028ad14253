import { h } from './dom.js';

/**
 * Opens a modal dialog; Escape, its cross and a press outside close it, and the focus returns to where it was.
 * @param {{title: string, content: Node|Node[], onClose?: () => void, wide?: boolean}} options
 * @returns {{el: HTMLDialogElement, close: () => void}}
 */
export function openDialog({ title, content, onClose, wide = false }) {
  const before = document.activeElement;
  const heading = h('h2', { id: `dialog-${Date.now()}` }, title);
  const close = () => el.close();
  const el = h(
    'dialog',
    { class: wide ? 'dialog wide' : 'dialog', 'aria-labelledby': heading.id, dataset: { testid: 'dialog' } },
    h(
      'div',
      { class: 'dialog-head' },
      heading,
      h('button', { type: 'button', class: 'icon', 'aria-label': 'Close', on: { click: close } }, '×'),
    ),
    h('div', { class: 'dialog-body' }, content),
  );
  el.addEventListener('pointerdown', (event) => {
    if (event.target === el) close();
  });
  el.addEventListener('close', () => {
    el.remove();
    if (before instanceof HTMLElement || before instanceof SVGElement) before.focus();
    onClose?.();
  });
  document.body.append(el);
  el.showModal();
  return { el, close };
}
