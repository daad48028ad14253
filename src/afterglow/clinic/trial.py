"""The trial file: a design that `afterglow trial` runs and analyses.

    trial: ketamine-midazolam
    title: One infusion of ketamine against midazolam
    population: {from: trd, madrs: {mean: 33, sd: 5.5}, entry: MADRS >= 22}
    arms:
      - {name: ketamine, course: iv-single, n: 47}
      - {name: midazolam, control: midazolam, n: 25}
    visits: [4 h, 24 h, 2 d, 3 d, 7 d]
    endpoints:
      - {measure: change, at: 24 h, analysis: ancova}
      - {measure: response, at: 24 h}

Every field is described in docs/trials.md. A field that takes one value may be given a list of them: the trial is then
run for each (see `clinic.scenarios`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from afterglow.clinic.files import Strict, Wrong, shipped_names
from afterglow.clinic.quantity import duration_text
from afterglow.clinic.trial_parts import (
    SLUG,
    Allocation,
    BlindingPlan,
    Chance,
    Crossover,
    Endpoint,
    Leaving,
    Missing,
    Randomised,
    Ratings,
    Rescue,
    SecondStage,
    TrialArm,
    TrialPopulation,
    Visit,
)
from afterglow.errors import nearest

NEAR_H = 1e-6  # two times closer than this are the same visit, h


def _visit(value: Any) -> Any:
    return value if isinstance(value, dict) else {"at": value}


class Trial(Strict):
    """A trial file; see the top of this file for its form."""

    trial: str = Field(pattern=SLUG, description="`trial: a-short-name` of letters, digits, '-' and '_'")
    title: str = Field(default="", description="one line for reports")
    population: TrialPopulation = TrialPopulation()
    n: int | None = Field(default=None, ge=2, description="patients in all, shared by the arms' ratios")
    arms: tuple[TrialArm, ...] = Field(min_length=1, description="add `arms:` with a name and a course each")
    reference: str | None = Field(default=None, description="arm that the others are compared with; the last one")
    allocation: Allocation = Allocation()
    blinding: BlindingPlan = BlindingPlan()
    visits: tuple[Annotated[Visit, BeforeValidator(_visit, json_schema_input_type=str | Visit)], ...] = Field(
        min_length=1, description="times since the first dose, for instance [4 h, 24 h, 7 d]"
    )
    missed_visits: Chance = Field(default=0.0, description="chance that a person misses a visit")
    missed_sessions: Chance = Field(default=0.0, description="chance that a person misses a treatment session")
    ratings: Ratings = Ratings()
    leaving: Leaving = Leaving()
    rescue: Rescue | None = None
    randomised: Randomised | None = None
    second_stage: SecondStage | None = None
    crossover: Crossover | None = None
    estimand: Literal["treatment-policy", "hypothetical", "composite"] = Field(
        default="treatment-policy",
        description="scores after rescue or the end of treatment: taken as they are, missing, or as no change",
    )
    endpoints: tuple[Endpoint, ...] = Field(min_length=1, description="the primary endpoint first")
    multiplicity: Literal["fixed-sequence", "holm", "none"] = Field(
        default="fixed-sequence", description="over contrasts and endpoints, in their order"
    )
    alpha: Chance = Field(default=0.05, gt=0, lt=1, description="two-sided level")
    margin: Annotated[float, Field(gt=0)] = Field(
        default=2.0, description="distance from the truth that counts as near"
    )
    missing: Missing = Missing()
    notes: str = ""
    assumed: tuple[str, ...] = Field(default=(), description="what no paper says and was chosen")
    sources: tuple[str, ...] = Field(default=(), description="papers behind the design")

    @classmethod
    def rules(cls, good: dict[str, Any]) -> Iterator[Wrong]:
        """Arms, sizes, visits and endpoints belong together."""
        yield from _arm_faults(good)
        yield from _size_faults(good)
        yield from _visit_faults(good)
        yield from _stage_faults(good)

    # -------------------------------------------------------------------------------------------- what follows

    @property
    def name(self) -> str:
        """The trial's name, as in tables."""
        return self.trial

    @cached_property
    def ordered_visits(self) -> tuple[Visit, ...]:
        """The visits by time."""
        return tuple(sorted(self.visits, key=lambda one: one.at))

    @property
    def primary(self) -> Endpoint:
        """The primary endpoint."""
        return self.endpoints[0]

    @cached_property
    def reference_arm(self) -> int:
        """Number of the arm that the others are compared with."""
        names = [arm.name for arm in self.arms]
        return names.index(self.reference) if self.reference else len(names) - 1

    @property  # not cached: a copy with another `n` would keep the old sizes
    def sizes(self) -> tuple[int, ...]:
        """Planned patients of each arm."""
        if self.n is None:
            return tuple(arm.n or 0 for arm in self.arms)
        ratios = [arm.ratio for arm in self.arms]
        exact = [self.n * one / sum(ratios) for one in ratios]
        sizes = [int(one) for one in exact]
        for k in sorted(range(len(exact)), key=lambda k: sizes[k] - exact[k])[: self.n - sum(sizes)]:
            sizes[k] += 1  # what rounding left over goes to the arms that lost most by it
        return tuple(sizes)

    def visit_number(self, at_h: float | None) -> int:
        """Number of a visit among those after the baseline; the last one for None."""
        times = [one.at for one in self.ordered_visits]
        if at_h is None:
            return len(times) - 1
        return next(k for k, time in enumerate(times) if abs(time - at_h) < NEAR_H)


def _arm_faults(good: dict[str, Any]) -> Iterator[Wrong]:
    arms: tuple[TrialArm, ...] = good.get("arms", ())
    names = [arm.name for arm in arms]
    for k, name in enumerate(names):
        if name in names[:k]:
            yield Wrong(f"two arms are called '{name}'", "give each its own name", ("arms", k, "name"))
    reference = good.get("reference")
    if arms and reference is not None and reference not in names:
        yield Wrong(f"there is no arm '{reference}'", nearest(reference, names), ("reference",))
    with_course = [arm.name for arm in arms if arm.course is not None]
    for k, arm in enumerate(arms):
        if arm.control is not None and arm.of is None and not with_course:
            yield Wrong("no arm has a course to be the control of", "give one arm a `course`", ("arms", k, "control"))
        if arm.of is not None and arm.of not in with_course:
            yield Wrong(f"there is no arm '{arm.of}' with a course", nearest(arm.of, with_course), ("arms", k, "of"))


def _size_faults(good: dict[str, Any]) -> Iterator[Wrong]:
    arms: tuple[TrialArm, ...] = good.get("arms", ())
    if not arms or "n" not in good:
        return
    n, missing = good["n"], [arm.name for arm in arms if arm.n is None]
    if n is None and missing:
        yield Wrong(f"arm '{missing[0]}' has no size", "give every arm `n`, or the trial `n` and arms a `ratio`")
    elif n is not None and len(missing) < len(arms):
        yield Wrong("the trial and its arms both have `n`", "leave one of them out", ("n",))
    elif n is not None and n < 2 * len(arms):
        yield Wrong(f"{n} patients for {len(arms)} arms", f"at least {2 * len(arms)}", ("n",))
    allocation: Allocation | None = good.get("allocation")
    ratios = [arm.ratio for arm in arms] if n is not None else [arm.n or 0 for arm in arms]
    if allocation is not None and allocation.block is not None and n is not None and allocation.block % sum(ratios):
        problem = f"a block of {allocation.block} does not hold the ratio {':'.join(map(str, ratios))}"
        yield Wrong(problem, f"write a multiple of {sum(ratios)}", ("allocation", "block"))


def _visit_faults(good: dict[str, Any]) -> Iterator[Wrong]:
    visits: tuple[Visit, ...] = good.get("visits", ())
    if not visits:
        return
    times = [one.at for one in visits]
    for k, time in enumerate(times):
        if any(abs(time - other) < NEAR_H for other in times[:k]):
            yield Wrong(f"the visit at {duration_text(time)} is listed twice", "list it once", ("visits", k))
    ordered = sorted(visits, key=lambda one: one.at)
    for before, after in itertools.pairwise(ordered):
        if before.at + (before.window or 0.0) > after.at - (after.window or 0.0) + NEAR_H:
            problem = f"the windows of {duration_text(before.at)} and {duration_text(after.at)} overlap"
            yield Wrong(problem, "make them smaller", ("visits", visits.index(after)))
    for one in visits:
        if (one.window or 0.0) >= one.at:
            yield Wrong(
                f"a visit at {duration_text(one.at)} may fall before the first dose", "make its window smaller",
                ("visits", visits.index(one)),
            )  # fmt: skip
    for k, endpoint in enumerate(good.get("endpoints", ())):
        if endpoint.at is not None and not _near(endpoint.at, times):
            problem = f"nothing is measured at {duration_text(endpoint.at)}"
            yield Wrong(problem, "add the visit, or name one of " + _listed(times), ("endpoints", k, "at"))
    blinding: BlindingPlan | None = good.get("blinding")
    for k, at in enumerate(blinding.asked if blinding else ()):
        if not _near(at, times):
            yield Wrong(f"there is no visit at {duration_text(at)}", _listed(times), ("blinding", "asked", k))


def _stage_faults(good: dict[str, Any]) -> Iterator[Wrong]:
    times = [one.at for one in good.get("visits", ())]
    names = [arm.name for arm in good.get("arms", ())]
    if (run_in := good.get("randomised")) is not None and times:
        for k, at in enumerate(run_in.at):
            if not _near(at, times):
                yield Wrong(f"there is no visit at {duration_text(at)}", _listed(times), ("randomised", "at", k))
        if run_in.at_least is not None and run_in.at_least > len(run_in.at):
            problem = f"{run_in.at_least} of {len(run_in.at)} visits cannot hold"
            yield Wrong(problem, f"at most {len(run_in.at)}", ("randomised", "at_least"))
    for key, parts in (("second_stage", ("drug", "delayed", "placebo")), ("crossover", ("first", "second"))):
        block = good.get(key)
        for part in parts if block is not None and names else ():
            if getattr(block, part) not in names:
                yield Wrong(
                    f"there is no arm '{getattr(block, part)}'", nearest(getattr(block, part), names), (key, part)
                )
    stage = good.get("second_stage")
    if stage is not None and times and not _near(stage.at, times):
        yield Wrong(f"there is no visit at {duration_text(stage.at)}", _listed(times), ("second_stage", "at"))
    for k, endpoint in enumerate(good.get("endpoints", ())):
        wanted = {"crossover": "crossover", "sequential-parallel": "second_stage"}.get(endpoint.method)
        if wanted is not None and wanted in good and good[wanted] is None:
            yield Wrong(
                f"analysis {endpoint.method} needs `{wanted}`", f"add `{wanted}:`", ("endpoints", k, "analysis")
            )
    yield from _second_period_faults(good, times)


def _second_period_faults(good: dict[str, Any], times: list[float]) -> Iterator[Wrong]:
    """A crossover reads its second period where it begins and at the endpoint's visit."""
    crossover = good.get("crossover")
    if crossover is None or not times:
        return
    for k, endpoint in enumerate(good.get("endpoints", ())):
        at = max(times) if endpoint.at is None else endpoint.at
        for time in (crossover.period, crossover.period + at) if endpoint.method == "crossover" else ():
            if not _near(time, times):
                problem = f"the second period has no visit at {duration_text(time)}"
                yield Wrong(
                    problem, "add it; visits are those of the first period, later by `period`", ("endpoints", k)
                )


def _near(at: float, times: list[float]) -> bool:
    return any(abs(at - time) < NEAR_H for time in times)


def _listed(times: list[float]) -> str:
    return ", ".join(duration_text(one) for one in sorted(times))


def shipped_trials() -> list[str]:
    """Names of the shipped trial files, sorted."""
    return shipped_names("designs")
