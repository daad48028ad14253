"""The blocks of a trial file: who takes part, what is compared, how it is conducted, what is measured and analysed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from afterglow.clinic import scale
from afterglow.clinic.condition import ConditionField
from afterglow.clinic.files import Strict, Wrong
from afterglow.clinic.outcome import RelapseRule
from afterglow.clinic.population import VARIABLES
from afterglow.clinic.quantity import AmountField, Day, Hours, Number, percent
from afterglow.clinic.regimen import Blinding
from afterglow.errors import nearest

SLUG = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"


def _share(value: Any) -> Any:
    return percent(value) / 100.0 if isinstance(value, str) else value


Chance = Annotated[float, BeforeValidator(_share, json_schema_input_type=float | str), Field(ge=0, le=1)]


def _scale_name(name: Any) -> Any:
    if name not in scale.names():
        raise Wrong(f"there is no scale '{name}'", nearest(str(name), scale.names()))
    return name


ScaleName = Annotated[str, BeforeValidator(_scale_name)]


class Moments(Strict):
    """Mean and SD as a paper's table prints them."""

    mean: Number
    sd: Number = Field(gt=0)


class Failed(Strict):
    """Failed adequate trials: mean, SD and the least number that lets people in."""

    mean: Number = Field(ge=0)
    sd: Number = Field(gt=0)
    low: int = Field(default=2, ge=0)


class TrialPopulation(Strict):
    """Who takes part: a population, moved to a table of means and SDs, and cut by an entry rule."""

    base: str = Field(default="trd", alias="from", description="a shipped population (trd, mdd) or a population file")
    age: Moments | None = Field(default=None, description="years, for instance {mean: 46, sd: 12}")
    weight: Moments | None = Field(default=None, description="kg")
    female: Chance | None = Field(default=None, description="share of women, for instance 52 %")
    madrs: Moments | None = Field(default=None, description="MADRS at baseline, points")
    failed_trials: Failed | None = Field(default=None, description="failed adequate trials: {mean: 3, sd: 1, low: 2}")
    entry: ConditionField | None = Field(
        default=None, description="rule on the score measured at baseline, for instance MADRS >= 22"
    )
    source: str = Field(default="", description="where the numbers are from, or that they are assumed")


class Then(Strict):
    """What an arm goes over to: another course that begins on a day of the trial."""

    course: str | dict[str, Any] = Field(description="name, file or inline course; its day 1 is `day`")
    day: Day = Field(gt=1, description="day of the trial on which it begins")


class TrialArm(Strict):
    """One arm: a course, or the control of another arm's course."""

    name: str = Field(pattern=SLUG, description="a short name of letters, digits, '-' and '_'")
    title: str = Field(default="", description="one line for tables and figures")
    course: str | dict[str, Any] | None = Field(default=None, description="name of a course, a course file, or inline")
    control: Literal["matched", "saline", "midazolam", "placebo", "waiting-list"] | None = Field(
        default=None, description="instead of `course`: what stands for the first arm's course (or that of arm `of`)"
    )
    of: str | None = Field(default=None, description="arm whose course `control` stands for")
    dose: AmountField | None = Field(default=None, description="replaces every dose of the course (dose-response)")
    then: tuple[Then, ...] = Field(default=(), description="courses that follow: crossover, delayed start, withdrawal")
    n: int | None = Field(default=None, ge=1, description="patients of this arm")
    ratio: int = Field(default=1, ge=1, le=20, description="share of the trial's `n`, as in 2:1")
    blinding: Blinding | None = Field(default=None, description="where it differs from the trial's")

    @classmethod
    def rules(cls, good: dict[str, Any]) -> Iterator[Wrong]:
        """A course or a control."""
        if {"course", "control"} <= good.keys() and (good["course"] is None) == (good["control"] is None):
            problem = "has no course" if good["course"] is None else "has a course and a control"
            yield Wrong(f"arm '{good.get('name', '?')}' {problem}", "write `course: iv-single` or `control: saline`")
        if good.get("of") is not None and good.get("control") is None:
            yield Wrong("`of` belongs to `control`", "leave it out", ("of",))
        if good.get("n") is not None and good.get("ratio", 1) != 1:
            yield Wrong("`ratio` shares the trial's `n`, but the arm has its own", "leave one of them out", ("ratio",))


class Stratum(Strict):
    """A covariate that allocation is balanced by: a column of the population, cut at a value or 0/1 as it is."""

    column: str
    cut: Number | None = Field(default=None, description="patients at or above it are one group, the others another")


_STRATUM = re.compile(r"^\s*([A-Za-z_]+)\s*(?:>=\s*([0-9.]+))?\s*$")


def _stratum(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    match = _STRATUM.match(value)
    if match is None or match[1] not in VARIABLES:
        column = match[1] if match else value
        raise Wrong(f"'{column}' is not a column of the population", nearest(column, VARIABLES) + " (as 'AGE >= 50')")
    return {"column": match[1], "cut": None if match[2] is None else float(match[2])}


class Allocation(Strict):
    """How patients are allocated to arms."""

    kind: Literal["exact", "simple", "blocked", "stratified", "minimisation"] = Field(
        default="exact", description="exact: just so many an arm; simple: by chance alone; blocked; stratified blocks"
    )
    block: int | None = Field(default=None, ge=2, description="patients a block; a multiple of the ratio's sum")
    by: tuple[Annotated[Stratum, BeforeValidator(_stratum, json_schema_input_type=str | Stratum)], ...] = Field(
        default=(), description="covariates of stratified allocation and minimisation: [SEXF, 'AGE >= 50']"
    )
    follow: Chance = Field(default=0.8, description="minimisation: chance to take the arm that balances best")

    @classmethod
    def rules(cls, good: dict[str, Any]) -> Iterator[Wrong]:
        """Blocks and covariates belong to their kinds."""
        kind = good.get("kind")
        if kind in ("stratified", "minimisation") and not good.get("by", (0,)):
            yield Wrong(f"{kind} allocation has no covariates", "add for instance `by: [SEXF, 'AGE >= 50']`")
        if kind in ("exact", "simple", "blocked") and good.get("by"):
            yield Wrong(f"{kind} allocation has no covariates", "leave `by` out, or write `kind: stratified`", ("by",))
        if kind not in ("blocked", "stratified", None) and good.get("block") is not None:
            yield Wrong(f"{kind} allocation has no blocks", "leave `block` out, or write `kind: blocked`", ("block",))


class BlindingPlan(Strict):
    """Who knows what, and what the consent form promises."""

    patients: Blinding = Field(
        default="double-blind",
        description="open; double-blind, where dissociation may tell; masked, where nothing can be felt",
    )
    raters: Literal["site", "remote"] = Field(default="site", description="remote: blinded raters by telephone")
    open_until: Day | None = Field(default=None, description="open label before this day, then as `patients` says")
    promised: Chance | None = Field(
        default=None, description="chance of active treatment told in the consent form; without it, as allocated"
    )
    asked: tuple[Hours, ...] = Field(default=(), description="visits at which people guess what they got: [24 h]")


class Visit(Strict):
    """One visit after the baseline, counted from the first dose."""

    at: Hours = Field(description="time since the first dose, for instance 24 h or 7 d")
    window: Hours | None = Field(default=None, description="people come within so much before or after")


class Ratings(Strict):
    """How well raters rate."""

    noise: Number | None = Field(default=None, ge=0, le=15, description="SD of a rating, MADRS points; fitted without")
    raters: int = Field(default=1, ge=1, le=500, description="raters of the trial; each patient keeps one")
    between: Number = Field(default=0.0, ge=0, le=10, description="SD of bias between raters, MADRS points")
    drift: Number = Field(default=0.0, ge=-5, le=5, description="mean drift of ratings, MADRS points a week")
    drift_sd: Number = Field(default=0.0, ge=0, le=5, description="SD of drift between raters, MADRS points a week")


class LackOfEffect(Strict):
    """Leaving because treatment does not help."""

    condition: ConditionField = Field(alias="if", description="for instance improvement(MADRS) < 20 %")
    chance: Chance = Field(description="chance to leave at each visit where it holds")


class SideEffects(Strict):
    """Leaving because of what a session felt like."""

    cadss: Number = Field(ge=0, le=92, description="highest dissociation (CADSS) of a session from which it counts")
    chance: Chance = Field(description="chance to leave after each such session")


class Leaving(Strict):
    """Who stops treatment, and why."""

    at_random: Chance = Field(default=0.0, description="share that leaves in a week for no reason of ours")
    lack_of_effect: LackOfEffect | None = None
    side_effects: SideEffects | None = None
    followed: bool = Field(default=False, strict=True, description="true: they stop treatment but are still rated")


class Rescue(Strict):
    """Another treatment for those who need it: an intercurrent event."""

    condition: ConditionField = Field(alias="if", description="for instance MADRS >= 0.9 * baseline")
    after: Hours = Field(description="first visit at which it can be given")
    course: str | dict[str, Any] = Field(description="course that begins at that visit, open label")


class Randomised(Strict):
    """Randomisation after a run-in: only those who qualify by then are allocated and analysed."""

    day: Day = Field(gt=1, description="day of the trial; the arms have the same course before it")
    condition: ConditionField = Field(alias="if", description="rule at the visits `at`")
    at: tuple[Hours, ...] = Field(min_length=1, description="visits at which it is read, h from the first dose")
    at_least: int | None = Field(default=None, ge=1, description="how many of these must hold; without it, all")


class SecondStage(Strict):
    """Sequential parallel comparison: those on placebo who did not respond are compared again."""

    at: Hours = Field(description="end of the first stage")
    condition: ConditionField = Field(
        alias="if", description="who counts in the second, e.g. improvement(MADRS) < 50 %"
    )
    drug: str = Field(description="arm on drug in the first stage")
    delayed: str = Field(description="arm on placebo that gets the drug in the second stage")
    placebo: str = Field(description="arm on placebo throughout")
    weight: Chance = Field(default=0.6, description="weight of the first stage")


class Crossover(Strict):
    """Two sequences of the same two treatments."""

    period: Hours = Field(description="length of a period, washout included")
    first: str = Field(description="arm that begins with the treatment that is studied")
    second: str = Field(description="arm that begins with the control")


Measure = Literal["change", "response", "remission", "relapse", "time-to-response"]
Analysis = Literal[
    "ancova", "mmrm", "risk-difference", "logistic", "log-rank", "cox", "rmst", "crossover", "sequential-parallel"
]
ANALYSES: dict[str, tuple[Analysis, ...]] = {
    "change": ("mmrm", "ancova", "crossover", "sequential-parallel"),
    "response": ("risk-difference", "logistic"),
    "remission": ("risk-difference", "logistic"),
    "relapse": ("cox", "log-rank", "rmst"),
    "time-to-response": ("cox", "log-rank", "rmst"),
}
AT_ALL_VISITS = ("relapse", "time-to-response")  # measures that have no visit of their own


class Endpoint(Strict):
    """What is compared, when, and how."""

    measure: Measure = "change"
    scale: ScaleName = "MADRS"
    at: Hours | None = Field(default=None, description="visit; the last one where it is left out")
    analysis: Analysis | None = Field(default=None, description="the usual one of the measure where it is left out")
    rule: RelapseRule = Field(default="score-22", description="what a relapse is")
    at_most: Number | None = Field(
        default=None, description="remission: highest score, one of the scale's published rules; the first without it"
    )

    @classmethod
    def rules(cls, good: dict[str, Any]) -> Iterator[Wrong]:
        """The analysis fits the measure."""
        measure, analysis = good.get("measure"), good.get("analysis")
        if measure is None:
            return
        if analysis is not None and analysis not in ANALYSES[measure]:
            yield Wrong(f"{measure} is not analysed by {analysis}", "write one of " + ", ".join(ANALYSES[measure]))
        if measure in AT_ALL_VISITS and good.get("at") is not None:
            yield Wrong(f"{measure} is read at all visits", "leave `at` out", ("at",))
        name, at_most = good.get("scale"), good.get("at_most")
        if measure != "remission":
            if at_most is not None:
                yield Wrong("`at_most` belongs to remission", "leave it out", ("at_most",))
        elif name is not None and not scale.get(name).remission:
            yield Wrong(f"{name} has no published remission rule", "use MADRS, HAM-D17, QIDS-SR16 or PHQ-9", ("scale",))
        elif name is not None and at_most is not None:
            cuts = [rule.at_most for rule in scale.get(name).remission]
            if at_most not in cuts:
                known = ", ".join(f"{cut:g}" for cut in cuts)
                problem = f"{name} <= {at_most:g} is not a published rule of remission"
                yield Wrong(problem, f"cut-offs of {name}: {known}", ("at_most",))

    @property
    def method(self) -> Analysis:
        """The analysis asked for, or the usual one."""
        return self.analysis or ANALYSES[self.measure][0]


class Missing(Strict):
    """What is done about missing scores beside the main analysis, which takes them as missing at random."""

    sensitivity: tuple[Literal["jump-to-reference", "copy-increments"], ...] = Field(
        default=(), description="reference-based multiple imputation of the primary endpoint"
    )
    imputations: int = Field(default=20, ge=5, le=500)
