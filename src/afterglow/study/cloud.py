"""Virtual people who might be one person: drawn from the calibrated population, weighted by the scores written down.

Each has covariates (what is known of the person, the rest drawn), everybody's own luck, a draw of the calibration, and
effects of the place of treatment, as trials have them. Importance weights come from the likelihood of the scores
(`study.rating`). When few people carry the weight, they are refined: the likelihood is let in step by step, and at
each step people are resampled and moved by preconditioned Crank-Nicolson proposals, which keep the normal luck of the
population and so work in any number of dimensions.

Sources: Del Moral P, Doucet A, Jasra A (2006) Sequential Monte Carlo samplers. J R Stat Soc B 68:411-436,
doi:10.1111/j.1467-9868.2006.00553.x; Cotter SL, Roberts GO, Stuart AM, White D (2013) MCMC methods for functions. Stat
Sci 28:424-446, doi:10.1214/13-STS421.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from afterglow import streams
from afterglow.blocks import Block, Conduct
from afterglow.clinic.course import Course
from afterglow.clinic.relief import moved
from afterglow.compile.vector import LANES
from afterglow.compiled import compiled
from afterglow.data import fitted
from afterglow.simulate import Arm
from afterglow.study.draws import split_draws

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
RTOL = 1e-3  # as in the calibration
MOST_STEPS = 30  # in which the likelihood is let in


@dataclass(frozen=True, eq=False)
class Cloud:
    """People who might be this one.

    Attributes:
        people: covariates, one row each; a multiple of LANES rows.
        typical: parameter values by full name, each [people].
        noise: numbers of the measurement, each [people].
        luck: standard normal numbers by purpose, each [people].
        own: effects of the place of treatment on relief without and by the drug, standard normal, [people, 2].
        spread: their spreads, log scale, [people, 2].
        weight: of each, summing to 1.
    """

    people: pd.DataFrame
    typical: Mapping[str, FloatArray]
    noise: Mapping[str, FloatArray]
    luck: Mapping[str, FloatArray]
    own: FloatArray
    spread: FloatArray
    weight: FloatArray

    def __len__(self) -> int:
        return len(self.people)

    @property
    def baseline(self) -> FloatArray:
        """True MADRS before treatment, [people]."""
        return self.people["baseline_madrs"].to_numpy(float)

    @property
    def effects(self) -> tuple[FloatArray, FloatArray]:
        """Effects of the place, log scale, each [people, 1]."""
        found = self.own * self.spread
        return found[:, :1], found[:, 1:]

    @property
    def effective(self) -> float:
        """Effective number of people: 1 / sum of squared weights."""
        return float(1.0 / np.sum(self.weight**2))

    def weighted(self, log_likelihood: FloatArray) -> Cloud:
        """The same people with their weights times exp(log_likelihood)."""
        log = np.log(self.weight) + log_likelihood
        log = np.where(np.isfinite(log), log, -np.inf)
        weight = np.exp(log - log.max())
        return replace(self, weight=weight / weight.sum())

    def take(self, places: IntArray) -> Cloud:
        """People at these places (some several times), all of the same weight."""
        return Cloud(
            self.people.iloc[places].reset_index(drop=True),
            {name: values[places] for name, values in self.typical.items()},
            {name: values[places] for name, values in self.noise.items()},
            {name: values[places] for name, values in self.luck.items()},
            self.own[places],
            self.spread[places],
            np.full(len(places), 1.0 / len(places)),
        )

    def resampled(self, count: int, seed: int, *purpose: object) -> Cloud:
        """So many people by their weights (systematic resampling)."""
        return self.take(_systematic(self.weight, count, streams.generator(seed, "cloud", *purpose).random()))


def _systematic(weight: FloatArray, count: int, start: float) -> IntArray:
    """Places of so many people by their weights, from one uniform number."""
    marks = (np.arange(count) + start) / count
    return np.minimum(np.searchsorted(np.cumsum(weight), marks), len(weight) - 1).astype(np.int64)


def prior(table: pd.DataFrame, seed: int, variant: str | None = None) -> Cloud:
    """Everybody in `table` with luck of their own and a draw of the calibration; draws are spread evenly over people.

    Args:
        table: covariates, one row a person, a multiple of LANES rows.
        seed: of all chance.
        variant: a rival mechanism.
    """
    n = len(table)
    if n % LANES:
        raise ValueError(f"the table must have a multiple of {LANES} rows, not {n}")
    count = len(next(iter(fitted.posterior(variant).values())))
    draws, taus = split_draws(count, seed, variant), fitted.parameter_draws(count, seed, variant)
    of = np.arange(n) % count
    held = fitted.measurement(variant)
    typical = {name: np.array([values[name] for values, _ in draws])[of] for name in draws[0][0]}
    noise = {
        name: np.array([drawn.get(name, value) for _, drawn in draws], dtype=float)[of] for name, value in held.items()
    }
    who = range(n)
    purposes = dict.fromkeys(purpose for purpose, _ in compiled(variant).etas.values())
    luck = {purpose: streams.normal(seed, 0, who, purpose)[:, 0].copy() for purpose in purposes}
    own = streams.normal(seed, 0, who, "cloud/own effects", 2).copy()
    spread = np.array([(one["tau_u"], one["tau_v"]) for one in taus])[of]
    return Cloud(table.reset_index(drop=True), typical, noise, luck, own, spread, np.full(n, 1.0 / n))


# ------------------------------------------------------------------------------------------------ living


def live(
    cloud: Cloud,
    course: Course,
    time_h: FloatArray,
    seed: int,
    variant: str | None = None,
    extra: Sequence[str] = (),
    conduct: Conduct | None = None,
) -> tuple[FloatArray, dict[str, FloatArray]]:
    """What a course does to these people: true MADRS, and further outputs, each [people, times].

    Args:
        cloud: who.
        course: what is done, from the first dose at 0 h.
        time_h: rising hours from 0 on.
        seed: of the run.
        variant: a rival mechanism.
        extra: outputs of the model beside the score.
        conduct: what is done beside the course, by what is seen on the way.
    """
    times = np.asarray(time_h, dtype=np.float64)
    # an hour more than asked for: the horizon is rounded, and a visit after it would have no score
    arm = Arm(
        course, patients=LANES, weeks=(float(times[-1]) + 1.0) / 168.0, seed=seed, population=cloud.people.iloc[:LANES],
        variant=variant, outputs=("mood.madrs", "mood.drug_part", *extra), visits_h=times.tolist(), rtol=RTOL,
    )  # fmt: skip
    block = Block(cloud.people, range(len(cloud)), typical=cloud.typical, luck=cloud.luck)
    values = arm.trajectories_of([block], conduct)
    further = {name: values[:, arm.visit_index, arm.outputs.index(name)] for name in extra}
    return true_scores(cloud, arm, values, times), further


def true_scores(cloud: Cloud, arm: Arm, values: FloatArray, time_h: FloatArray) -> FloatArray:
    """True MADRS of these people at hours that `arm` keeps, [people, times]; NaN for whom the solver gave up.

    Args:
        cloud: who runs in the arm.
        arm: keeps `mood.madrs` and `mood.drug_part`.
        values: its outputs, [people, times of the arm, outputs].
        time_h: hours.
    """
    at = np.searchsorted(arm.time_h, np.asarray(time_h) - 1e-6)
    madrs, drug = (values[:, at, arm.outputs.index(name)] for name in ("mood.madrs", "mood.drug_part"))
    true = moved(madrs, drug, cloud.baseline, cloud.effects)
    return np.where(np.isfinite(true), true, np.nan)


def refined(
    cloud: Cloud, log_likelihood: Callable[[Cloud], FloatArray], seed: int, count: int = 512, moves: int = 3
) -> tuple[Cloud, float]:
    """People drawn from the prior `cloud`, led to the scores step by step; all have the same weight at the end.

    The second value is the part of the likelihood that was let in: less than 1 where `MOST_STEPS` were too few.

    Args:
        cloud: the prior, all of the same weight.
        log_likelihood: of the scores for each of some people, [people].
        seed: of all chance.
        count: people that are kept.
        moves: proposals after each step.
    """
    now = cloud.take(np.arange(count) * len(cloud) // count)
    log, power, reach = _finite(log_likelihood(now)), 0.0, 0.4
    chance = streams.generator(seed, "cloud/refined")
    for _ in range(MOST_STEPS):
        rise = _rise(log, 1.0 - power)
        power += rise
        places = _systematic(now.weighted(rise * log).weight, count, chance.random())
        now, log = now.take(places), log[places]
        for _ in range(moves):
            other = _proposed(now, reach, chance)
            its = _finite(log_likelihood(other))
            better = np.log(chance.random(count)) < power * (its - log)
            now, log = _where(better, other, now), np.where(better, its, log)
            reach = float(np.clip(reach * np.exp(better.mean() - 0.25), 0.02, 0.9))
        if power >= 1.0 - 1e-9:
            return now, 1.0
    return now, power


def _finite(log: FloatArray) -> FloatArray:
    return np.where(np.isfinite(log), log, -1e12)


def _rise(log: FloatArray, most: float) -> float:
    """The largest part of the likelihood that leaves half of the people effective."""

    def effective(part: float) -> float:
        weight = np.exp(part * (log - log.max()))
        return float(weight.sum() ** 2 / np.sum(weight**2))

    if effective(most) >= len(log) / 2:
        return most
    low, high = 0.0, most
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if effective(middle) >= len(log) / 2 else (low, middle)
    return max(low, 1e-6)


def _proposed(cloud: Cloud, reach: float, chance: streams.Generator) -> Cloud:
    """Everybody with luck a step away: normal numbers stay normal numbers."""
    keep = np.sqrt(1.0 - reach**2)
    luck = {name: keep * z + reach * chance.standard_normal(len(cloud)) for name, z in cloud.luck.items()}
    return replace(cloud, luck=luck, own=keep * cloud.own + reach * chance.standard_normal(cloud.own.shape))


def _where(better: NDArray[np.bool_], other: Cloud, cloud: Cloud) -> Cloud:
    luck = {name: np.where(better, other.luck[name], z) for name, z in cloud.luck.items()}
    return replace(cloud, luck=luck, own=np.where(better[:, None], other.own, cloud.own))
