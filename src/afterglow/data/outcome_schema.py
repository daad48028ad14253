"""Published results of trials: measures, and the rows that hold them.

Conventions:

* `time_h` counts hours from the arm's first dose (day 1 is 0 h).
* A lower score is better, so a negative change, difference or standardised difference favours the arm.
* Percentages are written as percentages (17.3, not 0.173).
* `se` belongs to `value`; for ratios (`hazard_ratio`, `response_rr`, `odds_ratio`) it is that of the natural logarithm.
* A change with `from_h` counts from that time, not from the baseline.
* An SE that follows from what was published is not written down but computed here, and `se_kind` says how.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field, model_validator

from afterglow.data.schema import Identifier, Record
from afterglow.errors import nearest


class MeasureInfo(NamedTuple):
    """What a measure means, and how its numbers are written."""

    meaning: str
    unit: str
    compares: bool = False  # the row needs `versus`
    logarithmic: bool = False  # `se` is the SE of the natural logarithm
    percent: bool = False
    needs_event: bool = False


MEASURES: dict[str, MeasureInfo] = {
    "mean": MeasureInfo("mean score at the time", "points of the scale"),
    "sd": MeasureInfo("standard deviation of scores over patients", "points of the scale"),
    "change": MeasureInfo("mean change from the arm's baseline", "points of the scale"),
    "change_sd": MeasureInfo("standard deviation of that change over patients", "points of the scale"),
    "change_percent": MeasureInfo("mean change as percentage of the baseline", "percent"),
    "difference": MeasureInfo("difference of mean changes, arm minus `versus`", "points of the scale", compares=True),
    "smd": MeasureInfo("standardised mean difference, arm minus `versus`", "standard deviations", compares=True),
    "standardised_beta": MeasureInfo("standardised coefficient of allocation, arm minus `versus`", "1", compares=True),
    "decay_ratio": MeasureInfo("standardised effect at `time_h` over the one at `from_h`", "1", compares=True),
    "response": MeasureInfo("share of patients with response", "percent", percent=True),
    "remission": MeasureInfo("share of patients in remission", "percent", percent=True),
    "relapse": MeasureInfo("share of patients who have relapsed by the time", "percent", percent=True),
    "share": MeasureInfo("share of patients with `event`", "percent", percent=True, needs_event=True),
    "ae_rate": MeasureInfo(
        "share of patients with the adverse event `event`", "percent", percent=True, needs_event=True
    ),
    "relapse_median_days": MeasureInfo("median time to relapse", "days"),
    "relapse_q1_days": MeasureInfo("time by which a quarter has relapsed", "days"),
    "relapse_q3_days": MeasureInfo("time by which three quarters have relapsed", "days"),
    "remission_median_days": MeasureInfo("median time to first remission", "days"),
    "median_infusions_to_response": MeasureInfo("median number of infusions until response", "infusions"),
    "hazard_ratio": MeasureInfo("ratio of hazards, arm over `versus`", "1", compares=True, logarithmic=True),
    "response_rr": MeasureInfo("ratio of response rates, arm over `versus`", "1", compares=True, logarithmic=True),
    "odds_ratio": MeasureInfo("ratio of odds of `event`, arm over `versus`", "1", True, True, needs_event=True),
    "fraction_of_week6": MeasureInfo("drug minus placebo at the time over the same at 6 weeks", "1", compares=True),
    "correlation": MeasureInfo("correlation over patients between the score and `event`", "1", needs_event=True),
}


def _known_measure(name: str) -> str:
    if name not in MEASURES:
        raise ValueError(nearest(name, MEASURES))
    return name


Measure = Annotated[str, AfterValidator(_known_measure), Field(json_schema_extra={"enum": list(MEASURES)})]
SeKind = Literal["published", "ci", "binomial", "sd/sqrt(n)", "sd/sqrt(2(n-1))", "declared"]


class Condition(Record):
    """Picks patients by a measured score: `scale` at any of `times_h`, at least `at_least_visits` of them."""

    scale: str = "MADRS"
    times_h: list[float] = Field(min_length=1, description="hours from the first dose at which the score is looked at")
    at_most: float | None = Field(default=None, description="score <= this")
    fall_at_least: float | None = Field(default=None, gt=0, le=1, description="fall from baseline >= this fraction")
    fall_below: float | None = Field(default=None, gt=0, le=1, description="fall from baseline < this fraction")
    at_least_visits: int | None = Field(default=None, ge=1, description="how many of the times must hold; None: all")

    @model_validator(mode="after")
    def _one_test(self) -> Condition:
        if sum(test is not None for test in (self.at_most, self.fall_at_least, self.fall_below)) != 1:
            raise ValueError("a condition has exactly one of at_most, fall_at_least, fall_below")
        return self


class Outcome(Record):
    """One published number about one arm (or one arm against another) at one time."""

    arm: Identifier = Field(description="name of an arm of this trial")
    versus: Identifier | None = Field(default=None, description="the other arm, for comparisons")
    scale: str | None = Field(default=None, description="rating scale; None where the measure has none")
    time_h: float | None = Field(
        default=None, ge=0, description="hours from the first dose; None where it is not one time"
    )
    from_h: float | None = Field(default=None, ge=0, description="start of the window that ends at time_h, in hours")
    when: str | None = Field(default=None, description="the time in words, where hours do not say it all")
    measure: Measure = Field(description="see MEASURES")
    event: str | None = Field(default=None, description="what is counted, for share, ae_rate, odds_ratio, correlation")
    value: float = Field(description="the number, in the measure's unit")
    n: int | None = Field(default=None, ge=1, description="patients behind the value")
    sd: float | None = Field(default=None, ge=0, description="spread over patients published beside a mean or change")
    ci95: list[float] | None = Field(default=None, min_length=2, max_length=2, description="95 % interval as published")
    se: float | None = Field(default=None, gt=0, description="standard error; computed unless published or declared")
    se_kind: SeKind | None = Field(default=None, description="where the standard error is from")
    se_note: str | None = Field(default=None, description="why this SE; needed when declared")
    definition: str | None = Field(default=None, description="rule of response, remission or relapse, in own words")
    among: list[Condition] | None = Field(default=None, description="only patients who meet all of these")
    source: str | None = Field(default=None, description="key into the trial's more_citations, when not its own paper")
    grade: Literal["page", "derived"] = "page"
    derivation: str | None = Field(default=None, description="from which rows and how; needed for 'derived'")
    note: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Outcome:
        info = MEASURES[self.measure]
        if info.compares != (self.versus is not None):
            raise ValueError(f"measure '{self.measure}' " + ("needs" if info.compares else "has no") + " `versus`")
        if info.needs_event and not self.event:
            raise ValueError(f"measure '{self.measure}' needs `event`")
        if info.percent and not 0 <= self.value <= 100:
            raise ValueError(f"{self.value} is not a percentage")
        if self.measure.endswith("sd") and self.value < 0:
            raise ValueError("a standard deviation cannot be negative")
        if (self.grade == "derived") != (self.derivation is not None):
            raise ValueError("derivation is given if and only if the row is derived")
        if self.time_h is None and not self.when:
            raise ValueError("say `when`, as there is no time_h")
        if self.from_h is not None and (self.time_h is None or self.from_h >= self.time_h):
            raise ValueError("from_h must lie before time_h")
        if self.ci95 and not self.ci95[0] <= self.value <= self.ci95[1]:
            raise ValueError(f"value {self.value} lies outside its interval {self.ci95}")
        self._standard_error()
        return self

    def _standard_error(self) -> None:
        if self.se_kind in (None, "published", "declared"):
            if (self.se is None) != (self.se_kind is None):
                raise ValueError("se and se_kind 'published' or 'declared' go together; the other kinds are computed")
            if self.se_kind == "declared" and not self.se_note:
                raise ValueError("a declared SE needs se_note")
            return
        computed = round(_computed_se(self), 4)
        if self.se is not None and abs(self.se - computed) > 1e-4:
            raise ValueError(f"the SE of kind '{self.se_kind}' is {computed}, not {self.se}; leave it out")
        object.__setattr__(self, "se", computed)

    @property
    def key(self) -> str:
        """Unique within the trial: arm(s)/scale/measure/time."""
        arms = self.arm if self.versus is None else f"{self.arm}-v-{self.versus}"
        measure = self.measure if self.event is None else f"{self.measure}:{self.event.replace(' ', '-')}"
        time = "-" if self.time_h is None else f"{self.time_h:g}h"
        if self.from_h is not None:
            time = f"{self.from_h:g}-{time}"
        return f"{arms}/{self.scale or '-'}/{measure}/{time}" + ("/among" if self.among else "")


def _computed_se(row: Outcome) -> float:
    """Standard error that follows from what the row says."""
    if row.se_kind == "ci":
        if row.ci95 is None:
            raise ValueError("se_kind 'ci' needs ci95")
        low, high = row.ci95
        if MEASURES[row.measure].logarithmic:
            low, high = math.log(low), math.log(high)
        return (high - low) / (2 * 1.959964)
    if row.n is None:
        raise ValueError(f"se_kind '{row.se_kind}' needs n")
    if row.se_kind == "binomial":
        if not MEASURES[row.measure].percent:
            raise ValueError("se_kind 'binomial' is for percentages")
        # standard deviation of the posterior under Jeffreys' prior: never zero, and the usual formula for large n
        share = (row.value / 100 * row.n + 0.5) / (row.n + 1)
        return 100 * math.sqrt(share * (1 - share) / (row.n + 2))
    if row.se_kind == "sd/sqrt(2(n-1))":
        if row.measure not in ("sd", "change_sd"):
            raise ValueError("se_kind 'sd/sqrt(2(n-1))' is for standard deviations")
        return row.value / math.sqrt(2 * (row.n - 1))
    if row.sd is None:
        raise ValueError("se_kind 'sd/sqrt(n)' needs sd")
    return row.sd / math.sqrt(row.n)
