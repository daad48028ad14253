"""The few numbers of each course that everybody asks for, ready for the terminal and the page."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from afterglow.interfaces.words import signed, visit_words

if TYPE_CHECKING:
    from afterglow.study.compare import Comparison

NEVER = "–"


@dataclass(frozen=True)
class Estimate:
    """A value with its 90 % interval; NaN where there is none."""

    value: float
    low: float = math.nan
    high: float = math.nan

    def share(self) -> tuple[str, str]:
        """As percent: the value, and its interval."""
        between = "" if math.isnan(self.low) else f"{100 * self.low:.0f} to {100 * self.high:.0f} %"
        return percent(self.value), between

    def points(self) -> tuple[str, str]:
        """As points with signs: the value, and its interval."""
        if math.isnan(self.value):
            return NEVER, ""
        return signed(self.value), "" if math.isnan(self.low) else f"{signed(self.low)} to {signed(self.high)}"


@dataclass(frozen=True)
class Line:
    """One course."""

    arm: str
    title: str
    when: str
    response: Estimate
    remission: Estimate
    change: Estimate
    difference: Estimate
    half_by_d: float
    relapse: float
    relapse_d: float
    cadss: float
    cadss_p95: float
    systolic_p95: float
    nausea: float
    sedated: float


def lines(comparison: Comparison) -> list[Line]:
    """One line a course, in order, controls left out."""
    summary = comparison.tables["summary"].set_index("arm")
    contrasts = comparison.tables["contrasts"]
    contrasts = contrasts[contrasts["scale"] == "MADRS"].set_index(["arm", "visit"])
    found = []
    for run in comparison.active:
        row = summary.loc[run.arm]
        key = (run.arm, row["visit"])
        difference = Estimate(math.nan)
        if key in contrasts.index:
            difference = Estimate(*contrasts.loc[key, ["difference", "lo90", "hi90"]])
        found.append(
            Line(
                arm=run.arm,
                title=row["title"],
                when=visit_words(float(run.time_h[run.visit_index[-1]])),
                response=_estimate(row, "response"),
                remission=_estimate(row, "remission"),
                change=_estimate(row, "change"),
                difference=difference,
                half_by_d=row["time_to_response_d"],
                relapse=row["relapse"],
                relapse_d=row["time_to_relapse_d"],
                cadss=row["cadss_worst"],
                cadss_p95=row["cadss_worst_p95"],
                systolic_p95=row["systolic_worst_p95"],
                nausea=row["nausea"],
                sedated=row["sedated"],
            )
        )
    return found


def percent(share: float) -> str:
    """A share as percent; a dash for none."""
    return NEVER if math.isnan(share) else f"{100 * share:.0f} %"


def days(value: float) -> str:
    """A number of days; a dash for never."""
    if math.isnan(value):
        return NEVER
    return f"{24 * value:.0f} h" if value < 1 else f"{value:.0f} d"


def whole(value: float) -> str:
    """A whole number; a dash for none."""
    return NEVER if math.isnan(value) else f"{value:.0f}"


def _estimate(row: Any, name: str) -> Estimate:
    return Estimate(row[name], row[f"{name}_lo90"], row[f"{name}_hi90"])
