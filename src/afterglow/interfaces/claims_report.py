"""The page of claims: each with its verdict, a small picture, the findings and the scenario behind it.

One self-contained file in the style of `report`, without scripts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from afterglow.interfaces import canvas, output, report, words
from afterglow.interfaces.plot import Plot, padded, ticks
from afterglow.study.claim_rule import VERDICTS
from afterglow.study.claims import Answered, Published, amount

TONE = {"supported": "green", "overstated": "orange", "contradicted": "red", "open": "blue", "definition": "muted"}
MEANING = {
    "supported": "published findings support it, none limits it, and the model does not stand against it",
    "overstated": "a part holds, and the wording says more than was found",
    "contradicted": "published findings speak against it and none for it, or the model alone does",
    "open": "nothing decides it, or the model stands against the findings that support it",
    "definition": "says what a word or a practice means",
}
DIRECTIONS = {"supports": canvas.GREEN, "qualifies": canvas.ORANGE, "contradicts": canvas.RED}
HEIGHT, LEFT, RIGHT, TOP = 62, 10, 10, 12
STYLE = """
.claim { border: 1px solid var(--grid); border-radius: 8px; padding: 14px 16px; margin: 0 0 14px; display: grid;
  grid-template-columns: minmax(0, 1fr) 340px; gap: 4px 24px; }
.claim h3 { font-size: 1.02rem; margin: 0 0 6px; }
.claim > div { min-width: 0; }
.claim svg { width: 100%; max-width: 340px; height: auto; display: block; }
.claim p { overflow-wrap: anywhere; }
.claim .drawn p { font-size: .84rem; color: var(--muted); margin: 2px 0 0; }
.claim details { grid-column: 1 / -1; }
.claim ul { margin: 6px 0; padding-left: 1.1em; font-size: .92rem; }
.claim li { margin: 0 0 7px; overflow-wrap: anywhere; }
.claim li span { color: var(--muted); display: block; }
.claim pre { background: var(--soft); border-radius: 6px; padding: 8px 12px; overflow-x: auto; font-size: .82rem; }
.badge { display: inline-block; border: 2px solid; border-radius: 999px; padding: 0 9px; font-size: .8rem;
  font-weight: 600; margin-right: 6px; }
.id { color: var(--muted); font-weight: 400; margin-right: 4px; }
.legend { padding-left: 0; list-style: none; }
.legend li { margin: 0 0 6px; }
@media (max-width: 760px) { .claim { grid-template-columns: minmax(0, 1fr); padding: 12px; } }
@media print { .claim { break-inside: avoid; } }
"""


def build(found: Sequence[Answered], command: str) -> str:
    """The whole page."""
    title = found[0].claim.says if len(found) == 1 else f"{len(found)} claims, checked"
    counts = {name: sum(one.verdict == name for one in found) for name in VERDICTS}
    listed = "".join(
        f"<li>{badge(name)} {count}: {escape(MEANING[name])}</li>" for name, count in counts.items() if count
    )
    groups = list(dict.fromkeys(one.claim.group for one in found))
    sections = []
    for number, group in enumerate(groups):
        mine = "".join(_claim(one) for one in found if one.claim.group == group)
        head = f"<h2>{escape(group)}</h2>" if group else ""
        sections.append(f'<section id="group-{number + 1}">{head}{mine}</section>')
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{report.POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)} - afterglow</title><style>{report.css()}{STYLE}</style></head><body>",
            f'<header><p class="mark">AFTERGLOW</p><h1>{escape(title)}</h1>',
            f'<p class="notice"><strong>{escape(words.NOTICE)}</strong>',
            '<a href="#rule">How a verdict comes about</a></p>',
            f'<ul class="legend">{listed}</ul></header><main>',
            *sections,
            _rule(),
            "</main>",
            f"<footer><h3>To repeat this</h3><p><code>{escape(command)}</code></p>"
            f"<p>Model <code>{output.model_hash()[:16]}</code>.</p></footer>",
            "</body></html>\n",
        ]
    )


def badge(verdict: str) -> str:
    """The verdict in its colour."""
    tone = f"var(--{TONE[verdict]})"
    return f'<span class="badge" style="border-color: {tone}">{escape(verdict)}</span>'


def _claim(one: Answered) -> str:
    sentence = one.sentence.partition(": ")[2]
    note = f"<p>Note: {report.prose(one.claim.note.strip())}</p>" if one.claim.note else ""
    records = "".join(map(_record, one.records)) or "<li>None is listed.</li>"
    scenario = ""
    if one.model is not None:
        scenario = f"<h3>Scenario</h3><p>{escape(one.asked)}</p><pre>{escape(scenario_text(one))}</pre>"
    return (
        f'<article class="claim" id="{escape(one.claim.id)}"><div>'
        f'<h3><span class="id">{escape(one.claim.id)}</span> {escape(one.claim.says)}</h3>'
        f"<p>{badge(one.verdict)} {report.prose(sentence)}</p></div>{_drawn(one)}"
        f"<details><summary>Findings and scenario</summary><ul>{records}</ul>{note}{scenario}</details></article>\n"
    )


def _record(one: Published) -> str:
    figure = f": {one.figure} {'' if one.unit == '1' else one.unit}" if one.figure else ""
    cited = f'<a href="{escape(link(one.locator))}">{escape(one.locator)}</a>'
    return (
        f"<li><strong>{escape(one.speaks)}</strong>: {report.prose(one.because.rstrip('.'))}."
        f"<span>{report.prose(one.found + figure)}</span><span>{escape(one.citation)}, {cited}</span></li>"
    )


def link(locator: str) -> str:
    """The address behind a locator."""
    if locator.startswith("doi:"):
        return f"https://doi.org/{locator.removeprefix('doi:')}"
    if locator.startswith("PMC"):
        return f"https://pmc.ncbi.nlm.nih.gov/articles/{locator}/"
    if locator.startswith("PMID "):
        return f"https://pubmed.ncbi.nlm.nih.gov/{locator.removeprefix('PMID ')}/"
    return locator


def scenario_text(one: Answered) -> str:
    """The scenario as in its file."""
    import yaml

    if one.claim.scenario is None:
        return ""
    return yaml.safe_dump(one.claim.scenario.written(), sort_keys=False, allow_unicode=True, width=100)


def _drawn(one: Answered) -> str:
    drawn = panel(one)
    if drawn is None or one.model is None:
        return f'<div class="drawn">{canvas.svg(findings_panel(one))}</div>'
    text = f"The model: {amount(one.model)}. Shaded: what the statement asks for."
    ring = " Ring: published." if one.claim.scenario is not None and one.claim.scenario.published is not None else ""
    return f'<div class="drawn">{canvas.svg(drawn)}<p>{escape(text + ring)}</p></div>'


def findings_panel(one: Answered) -> canvas.Panel:
    """A disc for each published finding, in the row of what it says: the picture where the model is not asked."""
    rows = [(speaks, sum(record.speaks == speaks for record in one.records)) for speaks in DIRECTIONS]

    def draw(sheet: canvas.Sheet) -> None:
        for number, (speaks, count) in enumerate(rows):
            y = 12 + 19 * number
            sheet.words(LEFT, y, speaks, size=11, colour=canvas.MUTED, va="center")
            for k in range(count):
                sheet.dot(96 + 16 * k, y, 10, DIRECTIONS[speaks])

    alt = f"{one.claim.id}, published findings: " + ", ".join(f"{count} {speaks}" for speaks, count in rows) + "."
    return canvas.Panel(one.claim.id, alt, HEIGHT, draw)


def panel(one: Answered) -> canvas.Panel | None:
    """The model's interval beside the range that is asked for; None without a finite value."""
    found, scenario = one.model, one.claim.scenario
    if found is None or scenario is None or not all(map(math.isfinite, (found.value, found.lo90, found.hi90))):
        return None
    asked, ring = scenario.expects, scenario.published
    ends = [end for end in (asked.low, asked.high, ring, found.lo90, found.hi90) if end is not None]
    ends = [end for end in ends if math.isfinite(end)]
    limits = padded(min(ends), max(ends), 0.15)
    colour = getattr(canvas, TONE[one.verdict].upper())

    def draw(sheet: canvas.Sheet) -> None:
        box = (LEFT, TOP, canvas.PANEL_WIDTH - LEFT - RIGHT, HEIGHT - TOP - 22)
        plot = Plot(sheet, box, limits, (0.0, 1.0))
        plot.bar(max(asked.low, limits[0]), min(asked.high, limits[1]), 0.5, 1.0, colour=canvas.MUTED, alpha=0.22)
        plot.x_axis(*ticks(limits, 5), grid=True)
        plot.line([found.lo90, found.hi90], 0.5, colour=colour, width=6, alpha=0.45)
        plot.dot(found.value, 0.5, 9, colour)
        if ring is not None:
            plot.dot(ring, 0.5, 9, canvas.PAGE, edge=canvas.INK)

    alt = f"{one.claim.id}: the model gives {amount(found)}; the statement asks for {one.expects}."
    return canvas.Panel(one.claim.id, alt, HEIGHT, draw)


def _rule() -> str:
    entries = {
        "Findings come first": "A published finding supports a statement, qualifies it (it holds in part, or says more "
        "than was found) or contradicts it. Any that contradicts makes it contradicted, or overstated where others "
        "support a part. Any that qualifies makes it overstated.",
        "The model can withhold support": "Where findings support and the model's interval lies outside what the "
        "statement asks for, it is open. The model never makes supported what findings limit. What was put into the "
        "model by hand does not count.",
        "Without findings": "The model alone decides, and the sentence says so.",
        "What the interval covers": "90 %: chance in the virtual people, and the fitted numbers (draws of the "
        "posterior). Not the form of the model.",
        "What the rule does not weigh": "How large or how good a study is. One small study counts as one finding; the "
        "findings are listed so that a reader can weigh them.",
    }
    listed = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{report.prose(text)}</dd></div>" for name, text in entries.items()
    )
    return f'<section id="rule" class="trust"><h2>How a verdict comes about</h2><dl>{listed}</dl></section>'
