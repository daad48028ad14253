"""Words and marks that the pages and pictures of a trial share: arms, worlds, units of estimates, axes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from afterglow.clinic.trial import Trial
from afterglow.clinic.trial_parts import AT_ALL_VISITS, Endpoint
from afterglow.interfaces import canvas
from afterglow.interfaces.plot import Plot, Range, ticks
from afterglow.interfaces.words import signed, visit_words

if TYPE_CHECKING:
    import pandas as pd

    from afterglow.interfaces.canvas import FloatArray, Sheet
    from afterglow.study.trial_result import TrialResult

Row = Mapping[Any, Any]

ARM_COLOURS = (canvas.BLUE, canvas.ORANGE, canvas.GREEN, canvas.PINK, canvas.RED, canvas.SKY)
WORLD_WORDS = {
    "posterior": "as designed",
    "mean": "at the central values",
    "masked": "perfectly masked",
    "null": "no difference between arms",
    "inert": "drug only reveals itself",
    "inert-masked": "the same, masked",
}
WORLD_COLOURS = {
    "posterior": canvas.BLUE,
    "mean": canvas.SKY,
    "masked": canvas.GREEN,
    "null": canvas.MUTED,
    "inert": canvas.ORANGE,
    "inert-masked": canvas.PINK,
}
ANALYSIS_WORDS = {
    "ancova": "ANCOVA",
    "mmrm": "MMRM",
    "risk-difference": "risk difference",
    "logistic": "logistic regression",
    "log-rank": "log-rank test",
    "cox": "Cox regression",
    "rmst": "restricted mean time",
    "crossover": "crossover",
    "sequential-parallel": "both stages together",
    "jump-to-reference": "imputed, jump to reference",
    "copy-increments": "imputed, copy increments",
}
RATIO_TICKS = np.array([0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20, 50, 100])
DAY_H = 24.0
FIRST_DAY = 0.34  # share of a time axis that the first day takes where a visit falls into it


# ------------------------------------------------------------------------------------------------ estimates


@dataclass(frozen=True)
class Unit:
    """How an estimate is written: its noun, a factor, and whether it is the logarithm of a ratio."""

    noun: str
    factor: float = 1.0
    digits: int = 1
    ratio: bool = False

    def text(self, value: float) -> str:
        """An estimate in words, without its noun; a dash where there is none."""
        if not math.isfinite(value):
            return "–"
        return f"{math.exp(value):.2f}" if self.ratio else signed(self.factor * value, self.digits)

    def between(self, low: float, high: float) -> str:
        """An interval in words; empty where there is none."""
        return f"{self.text(low)} to {self.text(high)}" if math.isfinite(low) and math.isfinite(high) else ""

    def ticks(self, limits: Range) -> tuple[FloatArray, list[str]]:
        """Places on an axis of estimates, and their names."""
        if self.ratio:
            places = [math.log(one) for one in RATIO_TICKS if limits[0] <= math.log(one) <= limits[1]]
            thinned = places[:: max(1, math.ceil(len(places) / 6))]
            return np.array(thinned), [f"{math.exp(one):g}" for one in thinned]
        places, names = ticks((self.factor * limits[0], self.factor * limits[1]), 5)
        return places / self.factor, names


def unit(measure: str, analysis: str) -> Unit:
    """The unit of an estimate of a measure by an analysis."""
    if measure == "change":
        return Unit("points")
    if analysis == "risk-difference":
        return Unit("percentage points", 100.0, 0)
    if analysis == "rmst":
        return Unit("days")
    return Unit("hazard ratio" if analysis in ("cox", "log-rank") else "odds ratio", ratio=True)


def endpoint_words(endpoint: Endpoint, trial: Trial) -> str:
    """An endpoint in words: "change of MADRS, day 1"."""
    named = f"{endpoint.measure.replace('-', ' ')} ({endpoint.scale})"
    if endpoint.measure in AT_ALL_VISITS:
        return named
    when = visit_words(trial.ordered_visits[trial.visit_number(endpoint.at)].at)
    return f"change of {endpoint.scale}, {when}" if endpoint.measure == "change" else f"{named}, {when}"


# ------------------------------------------------------------------------------------------------ rows of results


def main_world(result: TrialResult) -> str:
    """The world of the answer: "posterior" where it was run."""
    return "posterior" if "posterior" in result.worlds else result.worlds[0]


def records(table: pd.DataFrame, **wanted: Any) -> list[Row]:
    """Rows of a table that have these values."""
    rows = table.to_dict("records")
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def primary(result: TrialResult, table: str, **wanted: Any) -> list[Row]:
    """Rows of the main analysis of the primary endpoint of the first scenario."""
    first = result.scenarios[0]
    method = first.trial.primary.method
    return records(result.tables[table], scenario=first.number, endpoint=1, analysis=method, **wanted)


def arm_titles(result: TrialResult) -> dict[str, str]:
    """Arm of the first scenario -> its title."""
    return {course.name: course.title for course in result.example.of.courses}


def against(result: TrialResult, row: Row) -> str:
    """What a contrast of the first scenario compares, in words."""
    titles = arm_titles(result)
    return f"{titles[row['arm']]} against {titles[row['control']]}"


def varied_words(varied: Mapping[str, Any], trial: Trial) -> str:
    """What a scenario varies, as people say it: "n of ketamine 24, raters site"."""
    parts = []
    for path, value in varied.items():
        name = path.rsplit(".", 1)[-1]
        if path.startswith("arms["):
            name = f"{name} of {trial.arms[int(path[5 : path.index(']')])].name}"
        parts.append(f"{name.replace('_', ' ')} {value}")
    return ", ".join(parts) or "as designed"


# ------------------------------------------------------------------------------------------------ marks


def legend(sheet: Sheet, top: float, entries: Iterable[tuple[str, str]], width: float = canvas.PANEL_WIDTH) -> float:
    """Squares of colours with their words in rows from `top` on; returns where the next thing can begin."""
    left = 0.0
    for colour, text in entries:
        wide = 30 + 6.1 * len(text)
        if left and left + wide > width:
            left, top = 0.0, top + 16
        square(sheet, left, top + 1, colour)
        sheet.words(left + 15, top, text, size=10.5, colour=canvas.MUTED)
        left += wide
    return top + 18


def square(sheet: Sheet, left: float, top: float, colour: str) -> None:
    """A small square of a colour, as in a legend."""
    corners = [[left, top], [left + 10, top], [left + 10, top + 10], [left, top + 10]]
    sheet.shape(np.array(corners, dtype=float), colour=colour)


def legend_rows(entries: Sequence[tuple[str, str]], width: float = canvas.PANEL_WIDTH) -> int:
    """How many rows `legend` takes."""
    sheet = canvas.Sheet()
    return round(legend(sheet, 0.0, entries, width) - 18) // 16 + 1


class TimeAxis:
    """Hours of visits on an axis: even, or with more room for the first day where a visit falls into it."""

    def __init__(self, visits_h: Sequence[float]) -> None:
        """`visits_h` are the hours of all visits, the baseline among them."""
        self.end_h = max(visits_h)
        first = min(one for one in visits_h if one > 0)
        self.broken, self.early = first <= DAY_H and self.end_h > 2 * DAY_H, first < DAY_H

    def at(self, hours: Any) -> FloatArray:
        """Places from 0 to 1."""
        h = np.asarray(hours, float)
        if not self.broken:
            return h / self.end_h
        later = FIRST_DAY + (1 - FIRST_DAY) * (h - DAY_H) / (self.end_h - DAY_H)
        return np.where(h < DAY_H, FIRST_DAY * h / DAY_H, later)

    def draw(self, plot: Plot) -> None:
        """The axis of a plot whose x runs from 0 to 1."""
        days = self.end_h / DAY_H
        names = {0.0: "0"}
        if days <= 2:
            names |= {float(h): f"{h} h" for h in (4, 12, 24, 48) if h <= self.end_h}
        else:
            step = next((one for one in (1, 2, 7, 14, 28, 56, 112, 182) if days / one <= 5.2), 364)
            later = np.arange(step, days + 0.01, step)
            if self.broken:
                names |= {4.0: "4 h", DAY_H: "1 d"} if self.early else {DAY_H: "1 d"}
                later = later[self.at(later * DAY_H) > FIRST_DAY + 0.09]
            names |= {float(d) * DAY_H: f"{d / 7:g} wk" if step >= 7 else f"{d:g} d" for d in later}
        if self.broken:
            plot.area([0, FIRST_DAY], *plot.y, colour=canvas.MUTED, alpha=0.07)
        plot.x_axis(self.at(list(names)), list(names.values()))
