"""Who enters a virtual trial: candidates are rated and let in by the entry rule, then allocated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from afterglow.clinic import scale
from afterglow.clinic.allocation import allocate, faults
from afterglow.clinic.conduct import rater_error
from afterglow.clinic.population import Population, load_population
from afterglow.clinic.trial import Trial
from afterglow.compile.vector import LANES
from afterglow.errors import Fault, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from afterglow.clinic.files import Loc

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

LEAST_SHARE = 0.005  # of candidates who qualify; below it a trial would not recruit
FIRST_LOOK = 2000  # candidates rated before that is said


def population(trial: Trial) -> Population:
    """The population of a trial: a shipped or user's one, moved to the trial's table."""
    asked = trial.population
    base = load_population(asked.base)

    def pair(name: str) -> tuple[float, float] | None:
        found = getattr(asked, name)
        return None if found is None else (found.mean, found.sd)

    failed = asked.failed_trials
    return base.matching(
        trial.name, asked.source or "the trial file", age=pair("age"), weight=pair("weight"), madrs=pair("madrs"),
        female=asked.female, failed_trials=None if failed is None else (failed.mean, failed.sd, failed.low),
    )  # fmt: skip


@dataclass(frozen=True)
class Enrolled:
    """People let into a replicate of a trial.

    Attributes:
        people: one row each; whole groups of lanes, so a few more than the trial has.
        who: numbers of all candidates.
        keep: places in `who` of the people.
        rated: candidates who were rated until the trial was full.
        n: patients of the trial: the first so many rows.
    """

    people: pd.DataFrame
    who: range
    keep: IntArray
    rated: int
    n: int

    def parts(self, size: int) -> list[Enrolled]:
        """These people in groups of at most so many."""
        found = []
        for first in range(0, len(self.people), size):
            keep = self.keep[first : first + size]
            who = range(int(keep[0]), int(keep[-1]) + 1)
            people, n = self.people.iloc[first : first + size], min(max(self.n - first, 0), len(keep))
            found.append(Enrolled(people, who, keep - who.start, self.rated, n))
        return found


def enrol(
    trial: Trial, of: Population, noise: Mapping[str, float], seed: int, replicate: int, place: Callable[[Loc], str]
) -> Enrolled:
    """Rate candidates in order until enough qualify; `InputError` where next to nobody does."""
    import pandas as pd

    n = sum(trial.sizes)
    need = -(-n // LANES) * LANES
    if trial.population.entry is None:
        return Enrolled(of.draw(seed, replicate, range(need)), range(need), np.arange(need), n, n)
    tables, fits, stop = [], np.empty(0, bool), 0
    while fits.sum() < need:
        wanted = need + need // 4 if not stop else max(need, int((need - fits.sum()) * stop / max(fits.sum(), 1)))
        some = range(stop, stop + min(wanted, 50 * FIRST_LOOK))
        table = of.draw(seed, replicate, some)
        tables.append(table)
        fits = np.concatenate([fits, _qualify(trial, table, some, noise, seed, replicate)])
        stop = some.stop
        if stop >= FIRST_LOOK and fits.mean() < LEAST_SHARE:
            problem = f"{int(fits.sum())} of {stop} candidates meet '{trial.population.entry}'"
            remedy = f"their MADRS has mean {of.madrs.mean:g} and SD {of.madrs.sd:g}: change the rule or the population"
            raise InputError(Fault(place(("population", "entry")), problem, remedy))
    keep = np.flatnonzero(fits)[:need]
    people = pd.concat(tables).iloc[keep].reset_index(drop=True)
    return Enrolled(people, range(int(keep[-1]) + 1), keep, int(keep[n - 1]) + 1, n)


def _qualify(
    trial: Trial, table: pd.DataFrame, who: range, noise: Mapping[str, float], seed: int, replicate: int
) -> BoolArray:
    """Who meets the entry rule by the score measured at the baseline."""
    entry = trial.population.entry
    assert entry is not None
    true = table["baseline_madrs"].to_numpy(float)[:, None]
    error = errors(trial, who, np.zeros(1), seed, replicate)
    scores = {
        name: scale.measure(true, [0.0], who, seed, replicate, name, true, keep=None, error=error, **noise)[:, 0]
        for name in entry.scales
    }
    return entry.holds(scores, scores)


def errors(trial: Trial, who: range, times: FloatArray, seed: int, replicate: int) -> FloatArray:
    """Bias and drift of the raters of all candidates, MADRS points, [candidates, times]."""
    asked = trial.ratings
    return rater_error(
        times, who, seed, replicate, raters=asked.raters, bias_sd=asked.between, drift_per_week=asked.drift,
        drift_sd=asked.drift_sd,
    )  # fmt: skip


def strata(trial: Trial, people: pd.DataFrame) -> IntArray:
    """Levels (0 or 1) of the covariates that allocation is balanced by, [people, covariates]."""
    columns = [
        people[one.column].to_numpy(float) >= (0.5 if one.cut is None else one.cut) for one in trial.allocation.by
    ]
    return np.array(columns, dtype=np.int64).reshape(len(columns), len(people)).T


def weights(trial: Trial) -> list[float]:
    """Ratio of the arms: as declared, or their sizes."""
    return [float(arm.ratio) for arm in trial.arms] if trial.n is not None else [float(one) for one in trial.sizes]


def allocation_faults(trial: Trial, place: Callable[[Loc], str]) -> list[Fault]:
    """What makes the allocation impossible."""
    plan = trial.allocation
    return faults(
        plan.kind, weights(trial), sum(trial.sizes), block=plan.block, follow=plan.follow,
        where=place(("allocation",)),
    )  # fmt: skip


def allocated(trial: Trial, levels: IntArray, seed: int, replicate: int) -> IntArray:
    """Arm of each of the people who are randomised, in order of entry.

    Args:
        trial: the design.
        levels: as of `strata`, of these people.
        seed: the run's seed.
        replicate: number of the replicate.
    """
    plan, people = trial.allocation, len(levels)
    if people == 0:
        return np.empty(0, np.int64)
    code = levels @ (1 << np.arange(levels.shape[1])) if levels.shape[1] else None
    ratio: list[float] = [float(one) for one in trial.sizes] if plan.kind == "exact" else weights(trial)
    kind = plan.kind
    if kind == "exact" and people < len(ratio):
        kind = "simple"  # a run-in that leaves fewer people than arms
    return allocate(
        kind, ratio, range(people), seed, replicate, block=plan.block, strata=code, factors=levels,
        follow=plan.follow,
    )  # fmt: skip
