"""A page a system, from its file: equations, numbers with sources, wires, picture, evidence for and against."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

from _pages.markdown import cell, code, folded, prose, slug, table
from afterglow import data
from afterglow.data.schema import Citation, ParameterRecord
from afterglow.lang import Part
from afterglow.study.contrary import Item, items
from afterglow.systems import catalogue
from afterglow.systems.whole import whole

# Which systems a piece of contrary evidence speaks of; tests/test_docs.py asks that all are placed.
AGAINST = {
    "mtor": ("plasticity", "synapses"),
    "spines": ("synapses",),
    "hydroxynorketamine": ("ketamine", "plasticity"),
    "glutamate": ("glutamate",),
    "opioid": ("nmda_block", "mood"),
    "dissociation": ("acute_effects", "expectancy"),
    "cytokines": ("inflammation",),
    "benzodiazepines": ("benzodiazepine", "glutamate"),
}


def pages() -> dict[str, str]:
    """A page a system, by the stem of its file, and the index."""
    groups = by_file()
    lead = "# Systems\n\nIn the order of cause. Each page is made from the system's own file.\n\n"
    rows = []
    for row in catalogue.rows():
        stem = Path(row.file).stem
        counts = (row.states, row.parameters, row.assumed, row.fitted)
        rows.append((f"[{stem}]({stem}.md)", cell(row.title), *map(str, counts)))
    listed = table(("system", "what it is", "states", "numbers", "assumed", "fitted"), rows)
    tree = "```{toctree}\n:hidden:\n" + "".join(f"{stem}\n" for stem in groups) + "```\n"
    index = f"{lead}{listed}\n{catalogue.NOT_MODELLED}\n\n{tree}"
    return {"index": index} | {stem: page(stem, parts) for stem, parts in groups.items()}


def by_file() -> dict[str, list[Part]]:
    """The placed systems by the stem of their file."""
    found: dict[str, list[Part]] = {}
    for part in whole().parts.values():
        found.setdefault(Path(inspect.getfile(part.system)).stem, []).append(part)
    return found


def page(stem: str, parts: list[Part]) -> str:
    """The page of one system, which may be placed several times."""
    title, _, about = (inspect.getdoc(sys.modules[parts[0].system.__module__]) or stem).partition("\n")
    name, colon, rest = title.partition(": ")
    lead = f"{rest[0].upper()}{rest[1:]}\n" if colon else f"{title}\n"
    text = [f"# {name.rstrip('.')}\n" if colon else f"# {stem.replace('_', ' ').capitalize()}\n", cell(lead) + "\n"]
    text += [prose(about)] if about.strip() else []
    placed = ", ".join(f"`{part.name}`" for part in parts)
    text += [f"File: `src/afterglow/systems/{stem}.py`. Placed as {placed}.\n"]
    text += ["## Response\n", *(f"![Response of {part.name}]({part.name}.svg)\n" for part in parts)]
    text += ["Median of 128 virtual people and the middle 90 % of them; the clock is linear in minutes and logarithmic"]
    text += ["from hours on. What is given stands above each picture.\n", "## Equations\n", _equations(parts[0])]
    text += ["## Numbers\n", *(_numbers(part, len(parts) > 1) for part in parts)]
    text += ["## Wires\n", _wires(parts), "## Evidence\n", _evidence(parts)]
    text += ["## Evidence against\n", _against(stem)]
    return "\n".join(text)


def _equations(part: Part) -> str:
    """Equations as text, which needs no script from a network to be read; LaTeX to copy from, folded."""
    whole_text = catalogue.equations(part.name)
    head, _, tail = whole_text.partition("What is known\n")
    feet = [block for block in tail.split("\n\n")[1:] if block.strip()]
    shown = head.rstrip() + "".join("\n\n" + block.rstrip() for block in feet)
    latex = catalogue.equations(part.name, style="latex")
    return code(shown) + "\n" + folded("The same as LaTeX", code(latex))


def _numbers(part: Part, several: bool) -> str:
    if not part.params:
        return "None.\n"
    known = catalogue.parameters(part.name).to_dict("records")
    rows = []
    for row in known:
        record = data.parameter_records().get(str(row["source"]))
        spread = cell(row["spread"]) or ""
        value = [f"`{row['name']}`", f"{row['value']:.4g}", cell(row["unit"]), cell(row["meaning"]), spread]
        rows.append([*value, str(row["grade"]), _brief(record)])
    head = ("symbol", "value", "unit", "meaning", "between people", "grade", "source")
    return (f"### {part.name}\n\n" if several else "") + table(head, rows)


def _brief(record: ParameterRecord | None) -> str:
    """The citation, or the record, which stands under Evidence with all that is known of it."""
    if record is None:
        return ""
    return _cited(record.citation) if record.grade == "page" and record.citation else f"`{record.id}`"


def _source(record: ParameterRecord) -> str:
    """Citation with its link, and where else the number comes from."""
    words = record.derivation or ("" if record.citation else record.note) or ""
    return " ".join(one for one in (_cited(record.citation) if record.citation else "", cell(words)) if one)


def _cited(citation: Citation) -> str:
    words = cell(citation)
    return f"[{words}]({citation.link})" if citation.link else words


def _wires(parts: list[Part]) -> str:
    names = {part.name for part in parts}
    wires = [wire for part in parts for wire in catalogue.wires(part.name).to_dict("records")]
    rows = []
    for wire in wires:
        way = "in" if str(wire["target"]).split(".")[0] in names else "out"
        rows.append((way, f"`{wire['source']}`", f"`{wire['target']}`", "yes" if wire["feedback"] else ""))
    unique = list(dict.fromkeys(rows))
    return table(("way", "from", "to", "runs backwards"), unique) if unique else "None.\n"


def _evidence(parts: list[Part]) -> str:
    sources = dict.fromkeys(param.source for part in parts for param in part.params.values())
    records = [record for source in sources if (record := data.parameter_records().get(source))]
    if not records:
        return "No number here has a record: all are assumed or fitted.\n"
    rows = []
    for record in records:
        value = "" if record.value is None else f"{cell(record.value)} {cell(record.unit)}".removesuffix(" 1")
        who = "; ".join(one for one in (record.population, record.conditions) if one)
        rows.append((f"`{record.id}`", cell(record.quantity), value, cell(who), record.grade, _source(record)))
    return table(("record", "what", "value", "in whom", "grade", "source"), rows)


def _against(stem: str) -> str:
    found = [item for item in items() if stem in AGAINST[item.id]]
    if not found:
        return "None of the findings on [contrary evidence](../../contrary_evidence.md) speaks of this system.\n"
    return "\n".join(_item(item) for item in found)


def _item(item: Item) -> str:
    lines = [f"* [{cell(item.title)}](../../contrary_evidence.md#{slug(item.title)})"]
    for finding in item.findings:
        verdict = "known failure: " + cell(finding.known_failure) if finding.known_failure else "inside what is allowed"
        lines.append(f"  * {cell(finding.claim)}: {verdict}")
    return "\n".join(lines) + "\n"
