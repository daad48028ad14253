"""Many replicates of a trial, of all its scenarios and worlds: cut into pieces that can be done anywhere.

A piece is some replicates of one scenario in one world. Its tables depend on nothing else, so they are the same
wherever and whenever it is done; `pieces` lists them, `work` does one, `result` puts the tables together.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from afterglow.clinic.phases import arm_courses
from afterglow.clinic.scenarios import Scenario
from afterglow.clinic.trial import Trial
from afterglow.errors import Fault, InputError
from afterglow.study import adam, trial_example, trial_published, trial_summary
from afterglow.study.trial_analysis import Analysis
from afterglow.study.trial_result import Example, TrialResult
from afterglow.study.trial_tables import tables
from afterglow.study.virtual_trial import VirtualTrial
from afterglow.study.work import Task
from afterglow.study.worlds import world

if TYPE_CHECKING:
    import pandas as pd

USUAL = ("posterior", "mean", "masked")  # worlds that are always run
PIECE = 2400  # people times arms in a piece, about a second of work
MOST_REPLICATES = 50  # in a piece
SIZES = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)  # of the power curve, times the planned one
SLOW_H = 6.0  # hours from which a run has to be asked for by name

_ready: dict[str, VirtualTrial] = {}  # the last trial of this process, by what decides it


@dataclass(frozen=True)
class Plan:
    """What is run.

    Attributes:
        scenarios: of the trial file.
        worlds: names (`study.worlds`).
        replicates: of each scenario and world.
        seed: of all chance.
        variant: a rival mechanism in place of the base model.
        people: also keep the patients and scores of every replicate of the first world.
    """

    scenarios: Sequence[Scenario]
    worlds: Sequence[str]
    replicates: int
    seed: int = 1
    variant: str | None = None
    people: bool = False


@dataclass(frozen=True)
class Piece:
    """Some replicates of one scenario in one world."""

    scenario: Scenario
    world: str
    variant: str | None
    seed: int
    first: int
    count: int
    people: bool


def check(plan: Plan) -> None:
    """Refuse what cannot be run, all faults at once."""
    faults: list[Fault] = []
    if plan.replicates < 1:
        faults.append(Fault("--replicates", f"{plan.replicates} replicates", "at least 1"))
    if plan.seed < 0:
        faults.append(Fault("--seed", f"seed {plan.seed}", "write a whole number of at least 0"))
    seen: set[str] = set()
    for scenario in plan.scenarios:
        try:
            trial = VirtualTrial(scenario, world(plan.worlds[0], plan.variant), plan.seed)
            next(trial.run([0]))  # who qualifies is only known when people are rated
        except InputError as error:
            faults += [one for one in error.faults if str(one) not in seen]
            seen |= {str(one) for one in error.faults}
        if len(plan.scenarios) > 20:
            break  # the rest differ in a few fields; their faults are told when they are run
    faults += _library_faults(plan.scenarios)
    if faults:
        raise InputError(faults)


def _library_faults(scenarios: Sequence[Scenario]) -> list[Fault]:
    """Libraries that an analysis needs and that are not installed."""
    from importlib.util import find_spec

    wanted = {"cox": "lifelines", "log-rank": "lifelines", "logistic": "statsmodels"}
    missing = {
        wanted[one.method]
        for scenario in scenarios
        for one in scenario.trial.endpoints
        if one.method in wanted and find_spec(wanted[one.method]) is None
    }
    remedy = 'pip install "afterglow[trial]"'
    return [Fault("endpoints", f"an analysis needs {name}, which is not installed", remedy) for name in sorted(missing)]


def pieces(plan: Plan) -> Iterator[Task]:
    """The pieces of a plan, in the order of its scenarios and worlds."""
    for scenario in plan.scenarios:
        trial = scenario.trial
        size = max(1, min(MOST_REPLICATES, PIECE // (sum(trial.sizes) * len(trial.arms))))
        for name in plan.worlds:
            for first in range(0, plan.replicates, size):
                count = min(size, plan.replicates - first)
                people = plan.people and name == plan.worlds[0]
                piece = Piece(scenario, name, plan.variant, plan.seed, first, count, people)
                yield Task(f"s{scenario.number:06d}-{name}-r{first:06d}", piece)


def work(piece: Piece) -> dict[str, pd.DataFrame]:
    """Simulate and analyse a piece."""
    trial = _virtual(piece)
    found = trial.run(range(piece.first, piece.first + piece.count))
    if not piece.people:
        return tables(trial.trial, found, piece.scenario.number, piece.world)
    kept = list(found)
    head = {"scenario": piece.scenario.number}
    return {
        **tables(trial.trial, kept, piece.scenario.number, piece.world),
        "patients": _of_each(kept, head, lambda one: trial_example.patients_of(trial.courses, trial.trial, one)),
        "scores": _of_each(kept, head, lambda one: trial_example.scores_of(trial.trial, one)),
    }


def _of_each(kept: Sequence[Any], head: Mapping[str, Any], table: Callable[[Any], pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    parts = [table(one).assign(**head, replicate=one.setting.replicate) for one in kept]
    return pd.concat(parts, ignore_index=True)


def _virtual(piece: Piece) -> VirtualTrial:
    """The trial of a piece, kept for the next one: pieces of one scenario and world follow each other."""
    text = f"{piece.scenario.trial.model_dump_json()}{piece.world}{piece.variant}{piece.seed}"
    key = hashlib.sha256(text.encode()).hexdigest()
    if key not in _ready:
        _ready.clear()
        _ready[key] = VirtualTrial(piece.scenario, world(piece.world, piece.variant), piece.seed)
    return _ready[key]


def hours(plan: Plan) -> float:
    """About how long a plan takes in this process, h: from a few replicates of its first scenario."""
    first = plan.scenarios[0]
    piece = Piece(first, plan.worlds[0], plan.variant, plan.seed, 0, 2, False)
    work(piece)  # what is only done once is not counted
    start = time.perf_counter()
    work(piece)
    each = (time.perf_counter() - start) / 2 / _load(first.trial)
    return each * sum(_load(one.trial) for one in plan.scenarios) * plan.replicates * len(plan.worlds) / 3600


def _load(trial: Trial) -> float:
    """How much there is to simulate, relative: people, arms and weeks."""
    return sum(trial.sizes) * len(trial.arms) * (1.0 + trial.ordered_visits[-1].at / 168.0)


# ------------------------------------------------------------------------------------------------ results


def result(plan: Plan, parts: Mapping[str, pd.DataFrame], warnings: Sequence[str] = ()) -> TrialResult:
    """All tables over the replicates of a plan; `parts` are the tables of all its pieces, put together."""
    scenarios = list(plan.scenarios)
    varied = {one.number: {path: str(value) for path, value in one.varied.items()} for one in scenarios}
    margin = {one.number: one.trial.margin for one in scenarios}
    of_first: Any = parts["estimates"]
    of_first = of_first[of_first["scenario"] == scenarios[0].number]
    one = example(plan)
    now = trial_summary.compared(of_first)
    sizes = sorted({max(4, math.ceil(now * share)) for share in SIZES})
    found = {
        "arms": trial_summary.arms(parts["visits"]),
        "contrasts": trial_summary.contrasts(parts["estimates"]),
        "operating_characteristics": trial_summary.operating_characteristics(
            parts["estimates"], parts["flow"], margin, varied
        ),
        "flow": trial_summary.flow(parts["flow"]),
        "guesses": trial_summary.guesses(parts["guesses"]),
        "power_curve": trial_summary.power_curve(of_first, scenarios[0].trial.alpha, sizes),
        "estimates": of_first,
        "patients": trial_example.patients(one),
        "scores": trial_example.scores(one),
        **adam.adam(one),
    }
    found["published"] = trial_published.beside(scenarios[0].trial, found, scenarios[0].number, plan.worlds[0])
    return TrialResult(scenarios, list(plan.worlds), plan.seed, plan.replicates, found, one, list(warnings))


def example(plan: Plan) -> Example:
    """One trial in full, at the central values of the calibration."""
    trial = VirtualTrial(plan.scenarios[0], world("mean", plan.variant), plan.seed, detailed=True)
    found = next(trial.run([0]))
    return Example(trial, found, Analysis(trial.trial, found))


def warnings(plan: Plan) -> list[str]:
    """What a reader must know: courses outside the studied range, and failed simulations are told elsewhere."""
    found: list[str] = []
    for scenario in plan.scenarios[:20]:
        for course in arm_courses(scenario.trial, scenario.document.place):
            found += course.warnings()
    return list(dict.fromkeys(found))


# ------------------------------------------------------------------------------------------------ other sizes


def resized(scenario: Scenario, n: int) -> Scenario:
    """The scenario with so many patients in all, the arms in the same proportion."""
    old = scenario.trial
    if old.n is not None:
        return replace(scenario, trial=old.model_copy(update={"n": n}))
    total = sum(old.sizes)
    arms = tuple(
        arm.model_copy(update={"n": max(2, round(n * size / total))})
        for arm, size in zip(old.arms, old.sizes, strict=True)
    )
    return replace(scenario, trial=old.model_copy(update={"arms": arms}))
