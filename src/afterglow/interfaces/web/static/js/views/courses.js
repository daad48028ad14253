import { h } from '../dom.js';

/** Shipped courses as options of a select, those with ketamine first. @param {Object} about @param {string[]} names */
export function coursesByKind(about, names) {
  const kinds = new Map(about.drugs.map((one) => [one.name, one.kind]));
  const found = names.map((name) => about.presets.find((one) => one.course === name)).filter(Boolean);
  const isKetamine = (one) => (one.doses ?? []).some((line) => kinds.get(line.drug) === 'ketamine');
  const group = (label, list) =>
    list.length > 0 &&
    h(
      'optgroup',
      { label },
      list.map((one) => h('option', { value: one.course }, one.title || one.course)),
    );
  return [
    group('Ketamine', found.filter(isKetamine)),
    group(
      'Other treatments and controls',
      found.filter((one) => !isKetamine(one)),
    ),
  ];
}
