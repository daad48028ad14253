"""What a record of evidence looks like: citations, parameters, trials, and the list of rows that are fitted.

Every number in `afterglow/data` is one of these records, checked when it is read. Grades say how a number came here:

* `page`     printed in the cited paper, its open copy, or its abstract;
* `derived`  computed from other records, and `derivation` says from which and how;
* `assumed`  chosen by us, and a reason is given. Outcomes of trials are never assumed.

Conventions of the outcomes of trials:

* `time_h` counts hours from the arm's first dose (day 1 is 0 h).
* A lower score is better, so a negative change, difference or standardised difference favours the arm.
* Percentages are written as percentages (17.3, not 0.173).
* `se` belongs to `value`; for ratios (`hazard_ratio`, `response_rr`, `odds_ratio`) it is that of the natural logarithm.
* A change with `from_h` counts from that time, not from the baseline.
* An SE that follows from what was published is not written down but computed here, and `se_kind` says how.

`python -m afterglow.data.schema FOLDER` writes the JSON Schemas.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from afterglow.errors import nearest

Grade = Literal["page", "derived", "assumed"]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+\-]*$")]
Percent = Annotated[float, Field(ge=0, le=100)]

# Addresses that are not a source: numeric hosts, ports, proxies, mirrors, document scrapers.
_NOT_A_SOURCE = re.compile(r"//\d+\.\d+\.\d+\.\d+|://[^/]*:\d|proxy|mirror|scribd|weglot|qxmd", re.IGNORECASE)


class Record(BaseModel):
    """Base of all records: unknown fields are refused, types are not guessed, nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


# -------------------------------------------------------------------------------- citations, parameters


class Citation(Record):
    """Where a number was published."""

    authors: str = Field(description="first authors, as in a reference list")
    year: int | None = Field(default=None, ge=1950, le=2100, description="year of publication")
    title: str | None = Field(default=None, description="title of the paper")
    journal: str | None = Field(default=None, description="journal, volume, pages; or the kind of document")
    doi: str | None = Field(default=None, pattern=r"^10\.\d{4,9}/\S+$", description="DOI without the resolver")
    pmid: str | None = Field(default=None, pattern=r"^\d{5,9}$", description="PubMed identifier")
    pmcid: str | None = Field(default=None, pattern=r"^PMC\d{5,9}$", description="PubMed Central identifier")
    url: str | None = Field(
        default=None, pattern=r"^https?://\S+$", description="page of the publisher or of an archive"
    )
    note: str | None = Field(default=None, description="what a reader should know; why an identifier is missing")

    @model_validator(mode="after")
    def _findable(self) -> Citation:
        if not (self.doi or self.pmid or self.pmcid or self.url or self.note):
            raise ValueError("give a DOI, PMID, PMC identifier or url, or say in `note` why there is none")
        if self.url and _NOT_A_SOURCE.search(self.url):
            raise ValueError(f"'{self.url}' is a proxy, mirror or copy: cite the paper instead")
        return self

    @property
    def link(self) -> str | None:
        """Address that leads to the paper, or None."""
        if self.doi:
            return f"https://doi.org/{self.doi}"
        if self.pmcid:
            return f"https://pmc.ncbi.nlm.nih.gov/articles/{self.pmcid}/"
        if self.pmid:
            return f"https://pubmed.ncbi.nlm.nih.gov/{self.pmid}/"
        return self.url

    def __str__(self) -> str:
        return " ".join(
            str(part) for part in (self.authors, f"({self.year})" if self.year else "", self.journal) if part
        )


class Spread(Record):
    """How far a quantity varies, between people unless the record says otherwise."""

    kind: Literal["cv", "sd", "se", "omega2", "range", "ci95", "iqr"] = Field(
        description="cv: coefficient of variation as a fraction; sd, se: in the record's unit; omega2: variance on the "
        "log scale; range, ci95, iqr: [low, high] in the record's unit"
    )
    value: float | list[float] = Field(
        description="one number, or [low, high]; one entry a value where the record has a list"
    )

    @model_validator(mode="after")
    def _shape(self) -> Spread:
        if self.kind in ("range", "ci95", "iqr"):
            if not (isinstance(self.value, list) and len(self.value) == 2 and self.value[0] <= self.value[1]):
                raise ValueError(f"a spread of kind '{self.kind}' is [low, high]")
        elif any(number < 0 for number in (self.value if isinstance(self.value, list) else [self.value])):
            raise ValueError(f"a spread of kind '{self.kind}' cannot be negative")
        return self


class ParameterRecord(Record):
    """One published, derived or assumed number that a model may use."""

    id: Identifier = Field(description="unique name; what `source=` of a model parameter points to")
    quantity: str = Field(description="what was measured, in own words")
    value: float | list[float] | None = Field(
        description="as published, in `unit`; None when published but not readable"
    )
    unit: str = Field(description="unit that pint reads; '1' for a pure number")
    spread: Spread | None = Field(default=None, description="spread as published")
    population: str | None = Field(default=None, description="who was studied, and how many")
    site: str | None = Field(default=None, description="where it was measured: arterial, venous, plasma, tissue ...")
    conditions: str | None = Field(default=None, description="dose, route, species, assay: what the number depends on")
    note: str | None = Field(default=None, description="conflicts, caveats")
    citation: Citation | None = Field(default=None, description="where it was published; needed for grade 'page'")
    grade: Grade = Field(description="page, derived or assumed")
    derivation: str | None = Field(
        default=None, description="from which records or inputs, and how; needed unless 'page'"
    )

    @model_validator(mode="after")
    def _grounded(self) -> ParameterRecord:
        if self.grade == "page" and self.citation is None:
            raise ValueError("a number of grade 'page' needs a citation")
        if self.grade == "derived" and not self.derivation:
            raise ValueError("a derived number needs a derivation")
        if self.grade == "assumed" and not (self.derivation or self.note):
            raise ValueError("an assumed number needs a reason, as derivation or note")
        return self


class ParameterFile(Record):
    """One file of `data/parameters`."""

    records: list[ParameterRecord]


# -------------------------------------------------------------------------------- outcomes of trials


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


# -------------------------------------------------------------------------------- how a trial is simulated

ControlKind = Literal["saline", "midazolam", "placebo-spray", "placebo-pill", "none"]


class Population(Record):
    """Who took part."""

    dx: str = Field(description="diagnosis")
    n: int | None = Field(default=None, ge=1, description="patients in the trial or analysis")
    age_mean: float | None = Field(default=None, description="years")
    age_sd: float | None = Field(default=None, ge=0, description="years")
    pct_female: Percent | None = None
    trd: bool | None = Field(
        default=None, description="treatment resistant by the trial's own rule; None if mixed or unstated"
    )
    min_failed_trials: int | None = Field(
        default=None, ge=0, description="adequate antidepressant trials failed, at least"
    )
    baseline_scale: str | None = None
    baseline_mean: float | None = None
    baseline_sd: float | None = Field(default=None, ge=0)
    note: str | None = None


class Arm(Record):
    """What one arm received."""

    name: Identifier
    drug: str = Field(description="active ingredient or kind of placebo, in lower case")
    route: str | None = Field(default=None, description="iv, im, sc, nasal-device, nasal-atomiser, sublingual, oral")
    dose: float | None = Field(default=None, ge=0, description="one dose, in `unit`")
    dose_range: list[float] | None = Field(
        default=None, min_length=2, max_length=2, description="doses allowed, low to high"
    )
    unit: str | None = Field(default=None, description="mg, mg/kg, mg/day ...")
    over_min: float | None = Field(default=None, ge=0, description="minutes over which one dose is given")
    days: list[float] | None = Field(default=None, description="days of dosing; day 1 is the first")
    schedule: str | None = Field(default=None, description="dosing in words, where days do not say it all")
    n: int | None = Field(default=None, ge=1)
    background: str | None = Field(default=None, description="treatment beside it")
    note: str | None = None


COURSE_PARTS = {"course", "title", "doses", "background", "therapy", "stress", "checks", "maintenance"}


class VirtualPopulation(Record):
    """Population to draw for a simulated trial."""

    n: int = Field(ge=1, description="virtual patients an arm")
    diagnosis: Literal["MDD", "MDD with suicidal ideation", "PTSD", "GAD or SAD", "CRPS", "anxiety"] = "MDD"
    trd: bool = Field(description="treatment resistant (two or more failed trials)")
    madrs_mean: float = Field(ge=0, le=60)
    madrs_sd: float = Field(gt=0, le=20)
    age_mean: float | None = Field(default=None, description="years; None: the default population's")
    age_sd: float | None = None
    pct_female: Percent | None = None


class PopulationOverride(Record):
    """What differs in one arm from the population of the whole trial."""

    trd: bool | None = None
    madrs_mean: float | None = Field(default=None, ge=0, le=60)
    madrs_sd: float | None = Field(default=None, gt=0, le=20)
    age_mean: float | None = None
    age_sd: float | None = None
    pct_female: Percent | None = None


class ResponseRule(Record):
    """Response: the score has fallen by at least this fraction of the baseline."""

    scale: str = "MADRS"
    fall_at_least: float = Field(default=0.5, gt=0, le=1)
    times_h: list[float] | None = Field(default=None, description="the visits that count, where response needs several")
    at_least_visits: int | None = Field(default=None, ge=1, description="how many of them must show it")


class RemissionRule(Record):
    """Remission: the score is at most this."""

    scale: str = "MADRS"
    at_most: float = Field(ge=0)


class RelapseRule(Record):
    """Relapse: score at or above the limits at `visits` visits in a row, counted from `from_h` on."""

    scale: str = "MADRS"
    at_least: float | None = Field(default=None, ge=0, description="score limit")
    at_least_fraction: float | None = Field(default=None, gt=0, description="limit as fraction of the baseline score")
    visits: int = Field(default=1, ge=1, description="consecutive visits")
    from_h: float = Field(ge=0, description="hours from the first dose from which relapse is counted")
    every_h: float = Field(gt=0, description="hours between visits")
    until_h: float = Field(gt=0, description="end of observation, hours from the first dose")


class Rules(Record):
    """The trial's own rules for its outcomes."""

    response: ResponseRule = ResponseRule()
    remission: RemissionRule | None = None
    relapse: RelapseRule | None = None


class SimulatedArm(Record):
    """How one arm is simulated, and which rows it answers."""

    arm: Identifier = Field(description="name of an arm of the trial")
    blinding: Literal["open", "double-blind", "masked"] = Field(
        description="masked: allocation cannot be felt either, for instance under anaesthesia"
    )
    control_kind: ControlKind = Field(description="what this arm's control treatment is; none for an active arm")
    alternative: ControlKind | None = Field(
        default=None, description="control of this arm's own trial, in pooled trials"
    )
    raters: Literal["site", "remote"]
    new_antidepressant: bool = Field(default=False, description="a new oral antidepressant starts with the first dose")
    hospital: bool = Field(default=False, description="treatment begins in hospital")
    population: PopulationOverride | None = None
    course: dict[str, Any] = Field(description="inline course: doses, background, therapy; see `course_data`")
    select: list[Condition] | None = Field(default=None, description="only patients who meet all of these are counted")
    select_not: Identifier | None = Field(
        default=None, description="and who are not picked for this arm by its `select`"
    )
    answers: Literal["all"] | list[str] = Field(description="keys of the rows that this arm answers; all: every one")


class Assumption(Record):
    """Something a simulation needs and the paper does not say."""

    what: str = Field(description="field or rule it concerns")
    value: str | float | bool = Field(description="what is taken")
    why: str


class Simulate(Record):
    """How the trial is simulated."""

    population: VirtualPopulation
    control: ControlKind = Field(
        description="the control of the trial: what participants know they may be given instead"
    )
    rules: Rules = Rules()
    arms: list[SimulatedArm] = Field(min_length=1)
    assumed: list[Assumption] = []


class TrialRecord(Record):
    """One trial, cohort or meta-analysis."""

    id: Identifier
    title: str = Field(description="what it is, in own words")
    citation: Citation
    more_citations: dict[str, Citation] = Field(default={}, description="other papers that report on it, by key")
    cohort: Identifier = Field(description="trials with the same cohort share patients")
    population: Population
    design: str
    arms: list[Arm]
    outcomes: list[Outcome]
    simulate: Simulate | None = Field(default=None, description="None: not simulated, and `not_simulated` says why")
    not_simulated: str | None = None
    left_out: list[str] = Field(default=[], description="published numbers that are not here, and why")
    note: str | None = None

    @model_validator(mode="after")
    def _coherent(self) -> TrialRecord:
        faults = list(self._faults())
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _faults(self) -> Iterator[str]:
        names = [arm.name for arm in self.arms]
        keys = [row.key for row in self.outcomes]
        yield from (f"two arms are called '{name}'" for name in {n for n in names if names.count(n) > 1})
        yield from (f"two outcomes have the key '{key}'" for key in sorted({k for k in keys if keys.count(k) > 1}))
        for row in self.outcomes:
            yield from (f"{row.key}: no arm '{a}'" for a in (row.arm, row.versus) if a is not None and a not in names)
            if row.source is not None and row.source not in self.more_citations:
                yield f"{row.key}: no citation '{row.source}' in more_citations"
        if (self.simulate is None) == (self.not_simulated is None):
            yield "give either `simulate` or `not_simulated`"
        if self.simulate is None:
            return
        rows = {row.key: row for row in self.outcomes}
        simulated = {arm.arm for arm in self.simulate.arms}
        for arm in self.simulate.arms:
            if arm.arm not in names:
                yield f"simulate: no arm '{arm.arm}'"
            if arm.select_not is not None and arm.select_not not in simulated:
                yield f"simulate.{arm.arm}: select_not names '{arm.select_not}', which is not simulated"
            if arm.course.keys() - COURSE_PARTS:
                yield f"simulate.{arm.arm}: a course here has only {sorted(COURSE_PARTS)}"
            for key in arm.answers if arm.answers != "all" else ():
                if key not in rows:
                    yield f"simulate.{arm.arm}: no outcome '{key}'"
                elif rows[key].arm != arm.arm or rows[key].versus not in {None, *simulated}:
                    yield f"simulate.{arm.arm}: '{key}' is not this arm's row, or its other arm is not simulated"

    def outcome(self, key: str) -> Outcome:
        """The outcome row with this key."""
        return next(row for row in self.outcomes if row.key == key)

    def arm(self, name: str) -> Arm:
        """The arm with this name."""
        return next(arm for arm in self.arms if arm.name == name)

    def simulated_arm(self, name: str) -> SimulatedArm:
        """How the arm with this name is simulated."""
        return next(arm for arm in (self.simulate.arms if self.simulate else []) if arm.arm == name)

    def answers(self, name: str) -> list[Outcome]:
        """The outcome rows that the simulated arm with this name answers."""
        arm = self.simulated_arm(name)
        if arm.answers != "all":
            return [self.outcome(key) for key in arm.answers]
        simulated = {None, *(one.arm for one in self.simulate.arms)} if self.simulate else set()
        return [row for row in self.outcomes if row.arm == name and row.versus in simulated]

    def answered(self) -> list[Outcome]:
        """The outcome rows that some simulated arm answers."""
        return [row for arm in (self.simulate.arms if self.simulate else []) for row in self.answers(arm.arm)]

    def course_data(self, name: str) -> dict[str, Any]:
        """The simulated arm's course with title, blinding and raters: what `clinic.parse_course` reads."""
        arm = self.simulated_arm(name)
        head = {"title": f"{self.title}: {name}", "control": "none", "blinding": arm.blinding, "raters": arm.raters}
        return {**head, **arm.course}


# -------------------------------------------------------------------------------- which rows are fitted

Layer = Literal["noise", "course", "expectancy", "drug", "setting", "therapy", "relapse", "safety"]


class FitGroup(Record):
    """Rows of one trial with the same role, weight and reason."""

    trial: Identifier
    role: Literal["fit", "check"]
    layer: Layer = Field(description="step of the calibration that the rows belong to")
    weight: float = Field(default=1.0, gt=0, le=1, description="weight in the loss (fit) or in the score (check)")
    rows: list[str] = Field(min_length=1, description="keys of outcome rows")
    why: str


class FitFile(Record):
    """`fit_rows.yaml`."""

    version: int = Field(ge=1, description="raised whenever a row, role or weight changes")
    groups: list[FitGroup]


class FitRow(Record):
    """One row of the list, flat."""

    trial: str
    row: str = Field(description="key of the outcome row")
    role: Literal["fit", "check"]
    layer: Layer
    weight: float
    why: str
    cohort: str = Field(description="cohort of the trial")
    outcome: Outcome


RECORDS: dict[str, type[Record]] = {"trial": TrialRecord, "parameters": ParameterFile, "fit_rows": FitFile}


def write_json_schemas(folder: str | Path) -> list[Path]:
    """Write the JSON Schema of every kind of file into `folder`, and return the paths."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, record in RECORDS.items():
        path = folder / f"{name}.schema.json"
        path.write_text(json.dumps(record.model_json_schema(), indent=2) + "\n", encoding="utf-8")
        paths.append(path)
    return paths


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m afterglow.data.schema FOLDER")
    print(*write_json_schemas(sys.argv[1]), sep="\n")
