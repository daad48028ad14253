"""The page of a forecast: what has been, what may come under each plan, the reasons, and how sure it is.

One self-contained file in the style of `report`, made to be printed on two sheets of A4.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

from afterglow.clinic import adequacy, screening
from afterglow.clinic import scale as scales
from afterglow.interfaces import canvas, forecast_figures, output, report, words
from afterglow.interfaces.forecast_figures import pictures
from afterglow.interfaces.numbers import percent
from afterglow.interfaces.report import Cell
from afterglow.interfaces.trial_report import BLIND_WORDS, RATED_WORDS
from afterglow.study.forecast import UNUSUAL

if TYPE_CHECKING:
    from afterglow.interfaces.canvas import Picture
    from afterglow.study.forecast_study import Forecast

__all__ = ["build", "pictures"]

DECIDES = "A clinician decides."
UNKNOWN = {
    "AGE": "age",
    "SEXF": "sex",
    "WT": "weight",
    "failed_trials": "failed trials",
    "anxiety": "conditions",
    "benzodiazepine": "current drugs",
    "crp": "C-reactive protein",
    "met_carrier": "Met allele of BDNF",
}
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


def build(result: Forecast, command: str) -> str:
    """The whole page."""
    title = f"Forecast for person {result.person.person}"
    drawn = {one.name: one for one in pictures(result)}
    body = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{report.POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)} - afterglow</title><style>{report.css()}{_style()}</style></head><body>",
        f'<header><p class="mark">AFTERGLOW</p><h1>{escape(title)}</h1>',
        f"<p>{report.prose(who_words(result))}</p>",
        f'<p class="notice"><strong>{escape(words.NOTICE)} {DECIDES}</strong> <a href="#trust">How sure it is</a></p>',
        report.warnings(result.warnings),
        "</header><main>",
        _timeline(result, drawn["timeline"]),
        _plans(result),
        report.figure(drawn["chances"]),
        _scores(result),
        _reasons(result),
        _trust(result),
        "</main>",
        _footer(result, command),
        "</body></html>\n",
    ]
    return "\n".join(part for part in body if part)


def _style() -> str:
    """The style of this page; on paper always with the colours of light pages."""
    return STYLE.replace("LIGHT", " ".join(f"--{name}: {colour};" for colour, name in canvas.CSS_NAMES.items()))


def who_words(result: Forecast) -> str:
    """Who, what has been done, and when last seen."""
    person, history = result.person, result.history
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
    found = f"{words.count(len(observed), 'score')}"
    if observed:
        last = observed[-1]
        named = ", ".join(dict.fromkeys(one.scale for one in observed))
        scores = f" ({named}), the last on {_day(result, last.time_h)}: {last.scale} {last.score:g}"
        found += _unbroken(scores)
    end = f"day {1 + math.floor(history.last_h / 24.0)}"
    said = f"{', '.join(about)}. " if about else ""
    return f"{said}So far: {', '.join(done) or 'no doses'}; {found}. The forecast begins after {end}."


def _unbroken(name: str) -> str:
    """Names of scales as lines do not break them."""
    return name.replace("-", "\N{NON-BREAKING HYPHEN}")


def _day(result: Forecast, time_h: float) -> str:
    """A time as a day of the course, with its date where dates are known."""
    on = result.history.origin.date_of(time_h)
    return f"day {1 + math.floor(time_h / 24.0)}" + ("" if on is None else f" ({on.isoformat()})")


# ------------------------------------------------------------------------------------------------ parts


def _timeline(result: Forecast, picture: Picture) -> str:
    """The timeline twice, of which the style shows the wide or the narrow one."""
    narrow = forecast_figures.timeline_panel(result, forecast_figures.NARROW)
    return report.figure(replace(picture, panels=[*picture.panels, narrow], columns=2))


def _number(value: float, unit: str = "") -> str:
    return "–" if math.isnan(value) else f"{value:.0f}{unit}"


def _ends(low: float, high: float) -> Cell:
    return () if math.isnan(low) else (f"{low:.0f} to {high:.0f}",)


def _plans(result: Forecast) -> str:
    """Where each plan leads and what it costs, side by side."""
    days = 7 * len(result.outlooks[0].future.time_h)
    severities = {one.plan.name: Counter(one.screening["severity"]) for one in result.outlooks}
    rows = []
    for one in result.plans.to_dict("records"):
        even, counts = one["relapse_even_after_d"], severities[one["plan"]]
        worst = [
            (f"{one[name]:.0f}", f"1 in 20: {one[f'{name}_p95']:.0f}") for name in ("cadss_worst", "systolic_worst")
        ]
        rows.append(
            {
                "Plan": (one["plan"], one["what"]),
                f"Days in remission of {days}": (
                    _number(one["days_in_remission"]),
                    *_ends(one["days_in_remission_lo90"], one["days_in_remission_hi90"]),
                ),
                f"{_unbroken(result.scale)} at the end": (
                    _number(one["mean_at_end"]),
                    *_ends(one["lo90_at_end"], one["hi90_at_end"]),
                ),
                "Response at the end": (percent(one["p_response_at_end"]),),
                "Remission at the end": (percent(one["p_remission_at_end"]),),
                "Half relapsed by": ("not within" if math.isnan(even) else f"{even:.0f} d",),
                "Sessions": (f"{one['sessions']}",),
                "Ketamine, mg": (f"{one['ketamine_mg']:.0f}",),
                "Worst CADSS": worst[0],
                "Systolic rise, mmHg": worst[1],
                "Contra\u00adindications": (f"{one['contraindications']}",),
                "Cautions": (f"{counts['caution']}",),
            }
        )
    note = (
        f"Small print: 90 % interval, what one person may see. At the end: after {result.weeks:g} weeks. Relapse: days "
        "from now by which half of all futures have responded and relapsed. Sessions, ketamine and acute effects: from "
        "now on. CADSS (dissociation) and systolic pressure: the worst moment of each virtual person, mean and what 1 "
        f"in 20 exceeds. No plan is best in every column. {DECIDES}"
    )
    return (
        f'<section id="plans"><h2>The plans side by side</h2>{report.cards(rows)}'
        f'<p class="caption">{report.prose(note)}</p></section>'
    )


def _scores(result: Forecast) -> str:
    """Scores as written, beside what was to be expected."""
    found = forecast_figures.seen(result)
    if not len(found):
        return (
            '<section id="scores"><h2>Scores so far</h2><p>None is given: this is the forecast of the population for '
            "people of whom the same is known.</p></section>"
        )
    rows = []
    for one in found.to_dict("records"):
        expected = f"{one['expected']:.0f} ({one['lo90']:.0f} to {one['hi90']:.0f})"
        rows.append(
            {
                "Day": (f"day {one['day']:.4g}",),
                "As written": (one["written"],),
                f"On the {_unbroken(result.scale)}": (f"{one[result.scale]:.0f}",),
                "Expected from those before (90 %)": (expected.replace(" ", "\N{NO-BREAK SPACE}"),),
                "Population (90 %)": _ends(one["population_lo90"], one["population_hi90"]),
            }
        )
    return f'<section id="scores"><h2>Scores so far</h2>{report.cards(rows)}</section>'


def _reasons(result: Forecast) -> str:
    """Each rule once, with the plans that it holds for; then the count of treatment resistance."""
    plans: dict[Cell, list[str]] = {}
    for one in result.outlooks:
        for row in one.screening.itertuples(index=False):
            plans.setdefault(tuple(map(str, row)), []).append(one.plan.name)
    rows = []
    order = sorted(plans, key=lambda rule: screening.SEVERITIES.index(rule[1]))
    for name, severity, reason, source, change in order:
        held = plans[name, severity, reason, source, change]
        rows.append(
            {
                "Severity": (severity, name),
                "Plans": ("all" if len(held) == len(result.outlooks) else ", ".join(held),),
                "Reason": (reason,),
                "What would change it": (change,),
                "Source": (source,),
            }
        )
    table = report.cards(rows, "reasons") if rows else "<p>No rule of the screening speaks of these plans.</p>"
    done = "What has been given counts in every plan. " if result.person.doses else ""
    return (
        f'<section id="reasons"><h2>Reasons</h2>{table}<p class="caption">{done}{escape(screening.NOTE)}</p>'
        f"{_resistance(result)}</section>"
    )


def _resistance(result: Forecast) -> str:
    if not result.person.trials:
        return ""
    table = adequacy.resistance(result.person.trials)
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


# ------------------------------------------------------------------------------------------------ trust


def _trust(result: Forecast) -> str:
    entries = {
        "How many virtual people": _people_words(result),
        "Whether this person fits": _odd_words(result),
        "What the bands are made of": (
            "Differences between people of whom the same is known; rater noise; swings from week to week; what the "
            "calibration leaves open in parameters; differences between places of treatment; bounds of the scale and "
            "whole points. Not in them: another structure of the model, and what the calibration held fixed."
        ),
        "What is not used": _unused_words(result),
        "What is assumed of care": (
            f"{BLIND_WORDS[result.person.blinding].capitalize()}, {RATED_WORDS[result.person.raters]}. Daily drugs go "
            "on; nobody stops treatment or leaves; no stress but what the file names."
        ),
        "Limits": LIMITS,
    }
    listed = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{report.prose(text)}</dd></div>" for name, text in entries.items()
    )
    return (
        '<section id="trust" class="trust"><h2>How sure it is</h2>'
        f"<p><strong>{escape(words.DRUG_SHARE_SHORT)}</strong> {report.prose(words.drug_share())}</p>"
        f"<dl>{listed}</dl></section>"
    )


def _people_words(result: Forecast) -> str:
    updated = result.updated
    drawn, futures = len(updated.person.prior), len(result.outlooks[0].future.scores)
    # The largest standard error of a share, for a share of one half.
    error = 164.5 * math.sqrt(0.25 / min(futures, updated.cloud.effective))
    if not updated.person.seen:
        carried = f"{drawn:,} virtual people were drawn, and without scores all count alike."
    elif updated.refined:
        carried = (
            f"Of {drawn:,} virtual people {updated.effective:,.0f} (effective number) fitted the scores: too few, so "
            f"others were led to the scores step by step; {len(updated.cloud):,} of equal weight remain."
        )
    else:
        carried = (
            f"{drawn:,} virtual people were drawn; {updated.effective:,.0f} (effective number) carry the forecast."
        )
    return (
        f"{carried} {futures:,} futures of each plan were counted, so a chance may be off by about "
        f"{error:.0f} percentage points by chance alone (90 %)."
    )


def _odd_words(result: Forecast) -> str:
    updated = result.updated
    if not updated.person.seen:
        return "Not known: there is no score to compare with what was expected."
    share = f"{100 * updated.odd:.0f} %" if updated.odd >= UNUSUAL else f"{100 * updated.odd:.1f} %"
    judged = (
        "Such a history is nothing unusual"
        if updated.odd >= UNUSUAL
        else "Such a history is odd, and the forecast may not fit this person"
    )
    return f"{judged}: {share} of histories in the virtual population lie at least as far from what was expected."


def _unused_words(result: Forecast) -> str:
    person = result.person
    listed = "; ".join(person.not_used)
    known = {*person.known(), *(("AGE",) if person.age_band else ()), *(("failed_trials",) if person.trials else ())}
    drawn = [name for column, name in UNKNOWN.items() if column not in known]
    parts = [f"Of the file: {listed}." if listed else "Nothing of the file is left out altogether."]
    parts.append(
        "Of conditions and current drugs only anxiety, PTSD, chronic pain and benzodiazepines move the forecast; the "
        "others serve the screening."
    )
    if drawn:
        parts.append(f"Not given, and so drawn from the population: {', '.join(drawn)}.")
    return " ".join(parts)


def _footer(result: Forecast, command: str) -> str:
    known: dict[str, Any] = {"afterglow": output.package_version(), **output.library_versions()}
    versions = ", ".join(f"{name} {version}" for name, version in known.items())
    person = result.updated.person
    variant = "" if person.variant is None else f" variant {person.variant};"
    cut = ""
    if scales.get(result.scale).remission:
        cut = f"Remission: {result.scale} at or under {scales.remission_cut(result.scale):g}. "
    return (
        f"<footer><h3>To repeat this</h3><p><code>{escape(command)}</code></p><p>{escape(cut)}Seed {person.seed};"
        f"{escape(variant)} model <code>{output.model_hash()[:16]}</code>; {escape(versions)}. The tables (CSV and "
        "Parquet), forecast.json and manifest.json lie beside this page.</p>"
        f"<p>{escape(words.NOT_MODELLED)} {escape(words.NOTICE)} {DECIDES}</p></footer>"
    )
