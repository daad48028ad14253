"""The page of a forecast: what has been, what may come under each plan, the reasons, and how sure it is.

One self-contained file in the style of `report`, made to be printed on two sheets of A4.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

from afterglow.clinic import scale as scales
from afterglow.clinic import screening
from afterglow.interfaces import forecast_figures, person_page, report, words
from afterglow.interfaces.forecast_figures import pictures
from afterglow.interfaces.numbers import percent
from afterglow.interfaces.person_page import DECIDES, LIMITS, unbroken
from afterglow.interfaces.report import Cell

if TYPE_CHECKING:
    import pandas as pd

    from afterglow.interfaces.canvas import Picture
    from afterglow.study.forecast_study import Forecast

__all__ = ["build", "pictures"]

FILES = "The tables (CSV and Parquet), forecast.json and manifest.json lie beside this page."
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


def build(result: Forecast, command: str, compared: pd.DataFrame | None = None) -> str:
    """The whole page; `compared` is the table that sets an earlier forecast beside this one."""
    title = f"Forecast for person {result.person.person}"
    drawn = {one.name: one for one in pictures(result, compared)}
    end = f"day {1 + math.floor(result.history.last_h / 24.0)}"
    who = f"{person_page.who_words(result.person, result.history)} The forecast begins after {end}."
    body = [
        person_page.opening(title, who, result.warnings),
        _timeline(result, drawn["timeline"], compared),
        _compared(result, compared),
        _plans(result),
        report.figure(drawn["chances"]),
        _scores(result),
        _reasons(result),
        _trust(result),
        person_page.closing(command, result.updated, FILES, _remission(result.scale)),
    ]
    return "\n".join(part for part in body if part)


# ------------------------------------------------------------------------------------------------ parts


def _timeline(result: Forecast, picture: Picture, compared: pd.DataFrame | None) -> str:
    """The timeline twice, of which the style shows the wide or the narrow one."""
    narrow = forecast_figures.timeline_panel(result, forecast_figures.NARROW, compared)
    return report.figure(replace(picture, panels=[*picture.panels, narrow], columns=2))


def _compared(result: Forecast, compared: pd.DataFrame | None) -> str:
    """The first and the last visit that an earlier forecast speaks of too, plan by plan."""
    if compared is None:
        return ""
    head = '<section id="compared"><h2>Since the earlier forecast</h2>'
    if not len(compared):
        return (
            f"{head}<p>The earlier forecast has no plan on this scale at a time that this one looks at.</p></section>"
        )

    def band(row: dict[Any, Any], when: str = "") -> Cell:
        return (f"{row[f'mean{when}']:.0f}", f"{row[f'lo90{when}']:.0f} to {row[f'hi90{when}']:.0f}")

    rows = []
    for plan, mine in compared.groupby("plan", sort=False):
        row: dict[str, Cell] = {"Plan": (str(plan),)}
        for one in mine.iloc[[0, -1]].drop_duplicates("time_h").to_dict("records"):
            day = f"Day {1 + math.floor(one['time_h'] / 24.0)}"
            row |= {f"{day}, before": band(one, "_before"), f"{day}, now": band(one)}
        rows.append(row)
    note = (
        f"Expected {unbroken(result.scale)} at the first and the last visit of which both speak; small print: 90 % of "
        "scores. A plan begins the day after the last score or dose, so its doses have moved on."
    )
    return f'{head}{report.cards(rows)}<p class="caption">{note}</p></section>'


def _number(value: float, unit: str = "") -> str:
    return "–" if math.isnan(value) else f"{value:.0f}{unit}"


def _ends(low: float, high: float) -> Cell:
    return () if math.isnan(low) else (f"{low:.0f} to {high:.0f}",)


def _plans(result: Forecast) -> str:
    """Where each plan leads and what it costs, side by side."""
    days = 7 * len(result.outlooks[0].future.time_h)
    severities = {one.plan.name: Counter(one.screening["severity"]) for one in result.outlooks}
    rows = []
    for one in result.summary.to_dict("records"):
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
                f"{unbroken(result.scale)} at the end": (
                    _number(one["mean_at_end"]),
                    *_ends(one["lo90_at_end"], one["hi90_at_end"]),
                ),
                "Response at the end": (percent(one["p_response_at_end"]),),
                "Remission at the end": (percent(one["p_remission_at_end"]),),
                "Half relapsed by": ("not within" if math.isnan(even) else f"{even:.0f} d",),
                "Sessions": (f"{one['sessions']:.3g}",),
                "Ketamine, mg": (f"{one['ketamine_mg']:.0f}",),
                "Worst CADSS": worst[0],
                "Systolic rise, mmHg": worst[1],
                "Contra\u00adindications": (f"{one['contraindications']}",),
                "Cautions": (f"{counts['caution']}",),
            }
        )
    note = (
        f"Small print: 90 % interval, what one person may see. At the end: after {result.weeks:g} weeks. Relapse: days "
        "from now by which half of all futures have relapsed. Sessions, ketamine and acute effects: from "
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
                f"On the {unbroken(result.scale)}": (f"{one[result.scale]:.0f}",),
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
        f"{person_page.resistance(result.person)}</section>"
    )


# ------------------------------------------------------------------------------------------------ trust


def _trust(result: Forecast) -> str:
    entries = {
        "How many virtual people": _people_words(result),
        "Whether this person fits": person_page.odd_words(result.updated),
        "What the bands are made of": (
            "Differences between people of whom the same is known; rater noise; swings from week to week; what the "
            "calibration leaves open in parameters; differences between places of treatment; bounds of the "
            "scale. Not in them: another structure of the model, and what the calibration held fixed."
        ),
        "What is not used": _unused_words(result),
        "What is assumed of care": (
            f"{words.BLIND_WORDS[result.person.blinding].capitalize()}, {words.RATED_WORDS[result.person.raters]}. "
            "Daily drugs go on; nobody stops treatment or leaves; no stress but what the file names."
        ),
        "Limits": LIMITS,
    }
    return person_page.trust(entries)


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


def _remission(scale: str) -> str:
    if not scales.get(scale).remission:
        return ""
    return f"Remission: {scale} at or under {scales.remission_cut(scale):g}. "
