"""One self-contained page: inline SVG figures, the tables behind them, and how far to trust it.

No scripts, and no request leaves the machine; the content policy of the page forbids both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from afterglow.interfaces import canvas, words
from afterglow.interfaces.numbers import NEVER, Line, days, lines, percent, whole

if TYPE_CHECKING:
    import pandas as pd

    from afterglow.interfaces.canvas import Picture
    from afterglow.study.compare import Comparison

Cell = tuple[str, ...]  # text and lines of small print
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class Facts:
    """What the page says about the model itself."""

    parameters: int
    assumed: int
    fitted: int
    variant: str | None
    variant_meaning: str
    population: str
    command: str
    model_sha256: str
    versions: Mapping[str, str]


def build(comparison: Comparison, pictures: Sequence[Picture], facts: Facts) -> str:
    """The whole page."""
    asked = comparison.settings
    count = len(comparison.active)
    courses = comparison.active[0].course.title if count == 1 else f"{count} courses of treatment"
    who = "one person" if asked.person else words.count(asked.patients, "virtual patient")
    title = f"{courses}, {who}, {words.count(asked.weeks, 'week')}"
    first, rest = list(pictures[:1]), list(pictures[1:])
    body = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)} - afterglow</title><style>{css()}</style></head><body>",
        f'<header><p class="mark">AFTERGLOW</p><h1>{escape(title)}</h1>',
        f'<p class="notice"><strong>{escape(words.NOTICE)}</strong> <a href="#trust">How far to trust it</a></p>',
        warnings(comparison.warnings),
        "</header><main>",
        *map(figure, first),
        _numbers(comparison),
        _trust(comparison, facts),
        *map(figure, rest),
        "</main>",
        _footer(comparison, facts),
        "</body></html>\n",
    ]
    return "\n".join(part for part in body if part)


def css() -> str:
    """The style sheet."""
    return files("afterglow.interfaces").joinpath("assets/report.css").read_text(encoding="utf-8")


def warnings(found: Sequence[str]) -> str:
    """A box of warnings; nothing where there are none."""
    if not found:
        return ""
    items = "".join(f"<li>{escape(one)}</li>" for one in found)
    return f'<div class="warnings" role="note"><h3>Warnings</h3><ul>{items}</ul></div>'


def figure(picture: Picture) -> str:
    """A picture with its words and its numbers as a table."""
    drawn = "\n".join(f"<div>{canvas.svg(panel)}</div>" for panel in picture.panels)
    kind = {1: " one", 2: " two"}.get(min(len(picture.panels), picture.columns), "")
    return (
        f'<section id="{picture.name}"><h2>{escape(picture.title)}</h2>\n<figure>'
        f'<div class="panels{kind}">\n{drawn}\n</div>\n<figcaption>{prose(picture.caption)}</figcaption></figure>\n'
        f"<details><summary>The numbers as a table</summary>{table(picture.table)}</details></section>"
    )


def prose(text: str) -> str:
    """Escaped text; what stands in backticks becomes code, and numbers keep their percent sign."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text)).replace(" %", "\u00a0%")


def table(frame: pd.DataFrame) -> str:
    """A plain table that scrolls inside its own box."""
    head = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in frame.columns)
    rows = []
    for record in frame.itertuples(index=False):
        found = "".join(_cell(value) for value in record)
        rows.append(f"<tr>{found}</tr>")
    box = '<div class="scroll" tabindex="0" role="region" aria-label="table">'
    return f"{box}<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"


def cards(rows: Sequence[Mapping[str, Cell]], kind: str = "numbers") -> str:
    """A table of the class `kind` that becomes a list of cards on a phone; the first column names the row."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    lines = []
    for row in rows:
        cells = []
        for name in names:
            text, *details = row.get(name, (NEVER,))
            small = "".join(f'<span class="range">{escape(one)}</span>' for one in details)
            cells.append(f'<td data-label="{escape(name)}"><span>{escape(text)}{small}</span></td>')
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<div class="wide"><table class="{kind}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return f'<td class="words">{escape(value)}</td>'
    if value is None or value != value:
        return "<td>–</td>"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f"<td>{escape(text.replace('-', '−'))}</td>"


def _numbers(comparison: Comparison) -> str:
    shown = [_cells(line) for line in lines(comparison)]
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in shown[0])
    rows = []
    for line in shown:
        found = []
        for name, (text, detail) in line.items():
            small = f'<span class="range">{escape(detail)}</span>' if detail else ""
            found.append(f'<td data-label="{escape(name)}"><span>{escape(text)}{small}</span></td>')
        rows.append(f"<tr>{''.join(found)}</tr>")
    note = words.interval_words(comparison.covers, comparison.settings.patients)
    return (
        '<section id="numbers"><h2>In numbers</h2><div class="wide"><table class="numbers">'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        f'<p class="caption">{prose(note)} {prose(words.COUNTING)}</p></section>'
    )


def _cells(line: Line) -> dict[str, tuple[str, str]]:
    """One row of the table of numbers: column -> text and small print."""
    again = f"half by {days(line.relapse_d)}" if line.relapse_d == line.relapse_d else ""
    above = f"1 in 20: {whole(line.cadss_p95)}" if line.cadss_p95 >= 0.5 else ""
    return {
        "Course": (line.title, line.arm),
        f"Response, {line.when}": line.response.share(),
        f"Remission, {line.when}": line.remission.share(),
        f"MADRS change, {line.when}": line.change.points(),
        "Minus its control": line.difference.points(),
        "Half responded by": (days(line.half_by_d), ""),
        "Relapse of responders": (percent(line.relapse), again),
        "Worst dissociation": (whole(line.cadss), above),
        "Nausea": (percent(line.nausea), ""),
        "Sedated": (percent(line.sedated), ""),
    }


def _trust(comparison: Comparison, facts: Facts) -> str:
    asked = comparison.settings
    assumed = (
        f"Of the model's {facts.parameters} parameters {facts.assumed} are assumed, {facts.fitted} fitted to trials; "
        "the rest are taken or derived from publications. `afterglow systems NAME --parameters` prints them with their "
        "sources."
    )
    outside = [one for run in comparison.active for one in map(str, run.course.warnings())]
    studied = "Outside the studied range: " + " ".join(outside) if outside else words.STUDIED
    variant = "Base model." if facts.variant is None else f"Variant {facts.variant}: {facts.variant_meaning}."
    entries = {
        "What the intervals cover": words.interval_words(comparison.covers, asked.patients),
        "What is assumed": f"{assumed} {variant}",
        "Who is simulated": f"{facts.population} {words.NOT_A_PERSON}",
        "What has been studied": studied,
        "What chance does": words.COUNTING,
        "What is missing": words.MISSING,
    }
    listed = "".join(f"<div><dt>{escape(name)}</dt><dd>{prose(text)}</dd></div>" for name, text in entries.items())
    return (
        '<section id="trust" class="trust"><h2>How far to trust it</h2>'
        f"<p><strong>{escape(words.DRUG_SHARE_SHORT)}</strong> {prose(words.drug_share())}</p>"
        f"<dl>{listed}</dl></section>"
    )


def _footer(comparison: Comparison, facts: Facts) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in facts.versions.items())
    return (
        "<footer><h3>To repeat this</h3>"
        f"<p><code>{escape(facts.command)}</code></p>"
        f"<p>Seed {comparison.settings.seed}; model <code>{facts.model_sha256[:16]}</code>; {escape(versions)}. "
        "The tables (CSV and Parquet), units.json and manifest.json lie beside this page.</p>"
        f"<p>{escape(words.NOT_MODELLED)} {escape(words.NOTICE)}</p></footer>"
    )
