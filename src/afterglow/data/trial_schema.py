"""A trial record: who took part, what they received, what was found, and how it is simulated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field, model_validator

from afterglow.data.outcome_schema import Condition, Outcome
from afterglow.data.schema import Citation, Identifier, Percent, Record

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
    assumed: list[Assumption] = Field(default=[], description="what the paper does not say and is taken")


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
