"""What pages about one person share: their style, who it is, the listed trials, whether the history fits, the end."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING

from afterglow.clinic import adequacy
from afterglow.interfaces import canvas, output, report, words
from afterglow.study.forecast import UNUSUAL

if TYPE_CHECKING:
    from afterglow.clinic.history import History
    from afterglow.clinic.person import Person
    from afterglow.study.forecast import Updated

DECIDES = "A clinician decides."
LIMITS = (
    "Daily life, the quality of care and most illnesses beside depression are not in the model. It under-predicts "
    "blood pressure (14 mmHg for 16 published after an infusion, means). Suicidal crises, hypertensive crises, deep "
    "sedation and slowed breathing, misuse and dependence, and bladder damage are not counted here; that does not mean "
    "that they are absent."
)
STYLE = """
#timeline .panels { display: block; max-width: none; }
#timeline .panels svg { max-width: 1120px; }
#timeline .panels > div:nth-child(2) { display: none; }
#chances .panels { grid-template-columns: repeat(auto-fit, minmax(min(100%, 260px), 1fr)); max-width: 1120px; }
#chances .panels svg { max-width: 350px; }
#scores .wide { max-width: 760px; }
#plans table { font-size: .88rem; }
#plans td:first-child { min-width: 9.5rem; }
#plans td:first-child .range { white-space: normal; }
table.reasons { font-size: .9rem; }
table.reasons th, table.reasons td { text-align: left; white-space: normal; vertical-align: top; }
table.reasons td:first-child { font-weight: 600; }
@media screen and (max-width: 700px) {
  #timeline .panels > div:first-child { display: none; }
  #timeline .panels > div:nth-child(2) { display: block; }
  table.reasons thead { display: none; }
  table.reasons, table.reasons tbody, table.reasons tr, table.reasons td { display: block; width: 100%; }
  table.reasons tr { border: 1px solid var(--grid); border-radius: 6px; padding: 8px 12px; margin: 0 0 12px; }
  table.reasons td { border: 0; padding: 2px 0; }
  table.reasons td:not(:first-child)::before { content: attr(data-label) ": "; color: var(--muted); }
}
@page { size: A4; margin: 9mm 10mm; }
@media print {
  :root { color-scheme: light; --soft: #f4f6f7; --warn: #fff4e0; LIGHT }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { font-size: 8.6pt; line-height: 1.35; }
  main, header, footer { max-width: none; padding: 0; }
  p, .caption, figcaption, .trust > p { max-width: none; margin-bottom: 4px; }
  h1 { font-size: 16pt; margin: 0 0 2px; }
  h2 { font-size: 11pt; break-after: avoid; }
  h3 { font-size: 8.6pt; break-after: avoid; }
  .mark { font-size: 7pt; }
  section { margin: 10px 0 0; break-inside: auto; }
  figure, tr, .trust dl > div { break-inside: avoid; }
  .notice, .warnings { padding: 5px 9px; margin: 0 0 6px; }
  .caption, figcaption { font-size: 7.4pt; }
  .panels { margin: 4px 0; gap: 6px 16px; }
  #timeline .panels svg { max-width: none; }
  #chances .panels { grid-template-columns: repeat(3, 1fr); max-width: none; }
  .wide { overflow: visible; margin-bottom: 4px; }
  #plans table, table.numbers, table.reasons { font-size: 7.4pt; }
  table.reasons td:nth-child(3) { width: 32%; }
  table.reasons td:nth-child(4) { width: 22%; }
  #plans td:first-child { min-width: 6.5rem; }
  th, td { padding: 2px 4px; white-space: normal; }
  thead th { position: static; }
  .range { font-size: 6.8pt; }
  .trust { padding: 8px 10px; }
  .trust dl { display: block; columns: 2; column-gap: 18px; margin-top: 6px; }
  .trust dl > div { margin-bottom: 4px; }
  .trust > p, .trust dd { font-size: 7.6pt; }
  footer { font-size: 7pt; padding: 6px 0 0; }
}
"""


def style() -> str:
    """The style of these pages; on paper always with the colours of light pages."""
    return STYLE.replace("LIGHT", " ".join(f"--{name}: {colour};" for colour, name in canvas.CSS_NAMES.items()))


def opening(title: str, who: str, warnings: list[str], more_style: str = "") -> str:
    """From the doctype to the end of the header."""
    return "\n".join(
        part
        for part in (
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{report.POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)} - afterglow</title>",
            f"<style>{report.css()}{style()}{more_style}</style></head><body>",
            f'<header><p class="mark">AFTERGLOW</p><h1>{escape(title)}</h1>',
            f"<p>{report.prose(who)}</p>",
            f'<p class="notice"><strong>{escape(words.NOTICE)} {DECIDES}</strong>',
            '<a href="#trust">How sure it is</a></p>',
            report.warnings(warnings),
            "</header><main>",
        )
        if part
    )


def closing(command: str, updated: Updated, files: str, more: str = "") -> str:
    """From the end of the main part to that of the page."""
    known = {"afterglow": output.package_version(), **output.library_versions()}
    versions = ", ".join(f"{name} {version}" for name, version in known.items())
    variant = "" if updated.person.variant is None else f" variant {updated.person.variant};"
    return (
        f"</main><footer><h3>To repeat this</h3><p><code>{escape(command)}</code></p><p>{escape(more)}"
        f"Seed {updated.person.seed};{escape(variant)} model <code>{output.model_hash()[:16]}</code>; "
        f"{escape(versions)}. {escape(files)}</p>"
        f"<p>{escape(words.NOT_MODELLED)} {escape(words.NOTICE)} {DECIDES}</p></footer></body></html>\n"
    )


def who_words(person: Person, history: History) -> str:
    """Who, what has been done, and when last seen."""
    about = [f"{person.age:g} years"] if person.age is not None else []
    about += [f"{person.age_band[0]} to {person.age_band[1]} years"] if person.age_band is not None else []
    about += [person.sex] if person.sex else []
    about += [f"{person.weight:g} kg"] if person.weight is not None else []
    if (failed := person.failed_range()) is not None:
        low, high = failed
        about.append(f"{low:g} failed trials" if low == high else f"{low} to {high} failed trials")
    about += [*person.conditions, *(f"takes {drug}" for drug in person.current_drugs)]
    given = Counter(f"{one.drug} {one.route}{'' if one.dose is None else f' {one.dose}'}" for one in person.doses)
    held = Counter(one.kind for one in person.therapy)
    done = [f"{count} × {what}" for what, count in given.items()]
    done += [f"{words.count(count, 'session')} of {kind}" for kind, count in held.items()]
    observed = history.observed
    seen = words.count(len(observed), "score")
    if observed:
        last = observed[-1]
        named = ", ".join(dict.fromkeys(one.scale for one in observed))
        seen += unbroken(f" ({named}), the last on {day(history, last.time_h)}: {last.scale} {last.score:g}")
    said = f"{', '.join(about)}. " if about else ""
    return f"{said}So far: {', '.join(done) or 'no doses'}; {seen}."


def unbroken(name: str) -> str:
    """Names of scales as lines do not break them."""
    return name.replace("-", "\N{NON-BREAKING HYPHEN}")


def day(history: History, time_h: float) -> str:
    """A time as a day of the course, with its date where dates are known."""
    on = history.origin.date_of(time_h)
    return f"day {1 + math.floor(time_h / 24.0)}" + ("" if on is None else f" ({on.isoformat()})")


def resistance(person: Person) -> str:
    """The listed trials judged one by one; nothing where none are listed."""
    if not person.trials:
        return ""
    table = adequacy.resistance(person.trials)
    rows = []
    for one in table.to_dict("records"):
        weeks = one["weeks"]
        parts = [one["dose"], "" if weeks is None or weeks != weeks else f"{weeks:g} weeks"]
        rows.append(
            {
                "Drug": (one["drug"], ", ".join(filter(None, parts))),
                "Adequate": (one["adequate"],),
                "Reason": (one["reason"],),
                "Missing": (one["missing"] or "nothing",),
            }
        )
    sources = " Or: ".join(dict.fromkeys(table["source"]))
    return (
        f"<h3>Treatment resistance: {escape(table.attrs['count'])}</h3>{report.cards(rows, 'reasons')}"
        f'<p class="caption">{escape(table.attrs["note"])} Sources: {escape(sources)}.</p>'
    )


def odd_words(updated: Updated) -> str:
    """Whether the history is one that the population may have."""
    if not updated.person.seen:
        return "Not known: there is no score to compare with what was expected."
    fits = updated.odd >= UNUSUAL
    judged = (
        "Such a history is nothing unusual"
        if fits
        else "Such a history is odd, and the forecast may not fit this person"
    )
    share = f"{100 * updated.odd:.{0 if fits else 1}f} %"
    return f"{judged}: {share} of histories in the virtual population lie at least as far from what was expected."


def trust(entries: Mapping[str, str]) -> str:
    """The section that says how sure it is."""
    listed = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{report.prose(text)}</dd></div>" for name, text in entries.items()
    )
    return (
        '<section id="trust" class="trust"><h2>How sure it is</h2>'
        f"<p><strong>{escape(words.DRUG_SHARE_SHORT)}</strong> {report.prose(words.drug_share())}</p>"
        f"<dl>{listed}</dl></section>"
    )
