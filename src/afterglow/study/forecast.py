"""A forecast for one person: the population, updated by the scores written down, put through what may come.

    person -> people who might be this one (`study.cloud`) -> weights by the scores (`study.rating`) -> a plan -> bands

Bands are those of scores as they would be written down: rater noise, fluctuation and the scale's bounds included.
Without scores the forecast is the population's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from afterglow import streams
from afterglow.clinic import outcome, scale
from afterglow.clinic.course import Course
from afterglow.study.cloud import Cloud, live, refined
from afterglow.study.rating import Ratings, ratings

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

SIZE = 2048  # people that are drawn
ENOUGH = 150.0  # effective people below which they are refined
FUTURES = 768  # people that are put through a plan
BANDS = {"50": 0.25, "80": 0.10, "90": 0.05}
REPLICAS = 2000  # of the history of people of the population, for the check of the own one
UNUSUAL = 0.05  # share of people with a history as odd as this one, below which the forecast warns


@dataclass(frozen=True)
class Seen:
    """One score that was written down."""

    time_h: float
    scale: str
    score: float


@dataclass(frozen=True, eq=False)
class Person:
    """What is known of a person for a forecast.

    Attributes:
        prior: people who might be this one, before the scores.
        course: what has been done.
        seen: scores, by time.
    """

    prior: Cloud
    course: Course
    seen: Sequence[Seen]
    seed: int = 1
    variant: str | None = None

    @property
    def times(self) -> FloatArray:
        """Hours of the scores."""
        return np.array([one.time_h for one in self.seen])

    @property
    def scales(self) -> list[str]:
        """Scale of each score."""
        return [one.scale for one in self.seen]

    @property
    def scores(self) -> FloatArray:
        """The scores."""
        return np.array([one.score for one in self.seen], dtype=np.float64)

    @cached_property
    def expected(self) -> Ratings:
        """Ratings of the people of the prior at the times of the scores."""
        return self.history(self.prior)

    def history(self, cloud: Cloud) -> Ratings:
        """Ratings of some people at the times of the scores, had they had this course."""
        times = np.unique(np.maximum(self.times, 0.0))
        true, _ = live(cloud, self.course, times, self.seed, self.variant)
        at = np.searchsorted(times, np.maximum(self.times, 0.0))
        return ratings(true[:, at], baseline(cloud), self.times, self.scales, cloud.noise)


def baseline(cloud: Cloud) -> FloatArray:
    """True MADRS before treatment, [people]."""
    return cloud.people["baseline_madrs"].to_numpy(float)


@dataclass(frozen=True, eq=False)
class Updated:
    """A person once the scores are taken in.

    Attributes:
        person: as known.
        cloud: people who might be this one, with their weights.
        effective: effective number of people before any refinement.
        refined: whether they were refined.
        odd: share of people of the population whose history is as odd as this one's; small: outside of it.
    """

    person: Person
    cloud: Cloud
    effective: float
    refined: bool
    odd: float

    @property
    def warnings(self) -> list[str]:
        """What a reader must know."""
        found = []
        if self.odd < UNUSUAL:
            found.append(
                f"this history is odd: {100 * self.odd:.1f} % of the virtual population has one as far from what was "
                "expected; the forecast may not fit this person"
            )
        if not self.refined and self.effective < ENOUGH:
            found.append(f"only {self.effective:.0f} effective virtual people carry this forecast")
        return found


def update(person: Person) -> Updated:
    """Take the scores in."""
    if not person.seen:
        return Updated(person, person.prior, float(len(person.prior)), False, 1.0)
    found = person.expected
    weighted = person.prior.weighted(found.log_likelihood(person.scores))
    odd, effective = oddness(found, person.scores, person.scales, person.seed), weighted.effective
    if effective >= ENOUGH:
        return Updated(person, weighted, effective, False, odd)
    scores = person.scores
    moved = refined(person.prior, lambda cloud: person.history(cloud).log_likelihood(scores), person.seed)
    return Updated(person, moved, effective, True, odd)


def oddness(found: Ratings, scores: FloatArray, scales: Sequence[str], seed: int) -> float:
    """Share of histories of the population that are at least as far from its mean as these scores.

    Distance is Mahalanobis' under the mean and covariance of the population's histories, people and ratings together.
    Histories are whole points inside the bounds of their scales, as they would be written down.
    """
    fine = np.isfinite(found.mean).all(axis=1)
    found = Ratings(found.mean[fine], found.covariance[fine])
    mean = found.mean.mean(axis=0)
    spread = np.cov(found.mean, rowvar=False).reshape(len(scores), -1) + found.covariance.mean(axis=0)
    pick = np.arange(min(REPLICAS, len(found.mean)))
    some = Ratings(found.mean[pick], found.covariance[pick])
    normal = streams.generator(seed, "forecast/oddness").standard_normal(some.mean.shape)
    inverse = np.linalg.inv(spread)

    def distance(values: FloatArray) -> FloatArray:
        miss = values - mean
        return np.einsum("ni,ij,nj->n", miss, inverse, miss)

    low, high = np.array([(scale.get(name).low, scale.get(name).high) for name in scales]).T
    written = np.clip(np.rint(some.sample(normal)), low, high)
    return float(np.mean(distance(written) >= distance(scores[None, :])[0]))


# ------------------------------------------------------------------------------------------------ futures


@dataclass(frozen=True, eq=False)
class Future:
    """What a plan may bring: sampled scores as they would be written down.

    Attributes:
        plan: its name.
        scale: of the scores.
        time_h: visits to come, [visits].
        scores: [futures, visits].
        baseline: measured score before treatment on the scale, [futures].
        before: scores already seen on the scale, [seen], and their hours.
        outputs: further outputs at the visits, [futures, visits].
    """

    plan: str
    scale: str
    time_h: FloatArray
    scores: FloatArray
    baseline: FloatArray
    before: tuple[FloatArray, FloatArray]
    outputs: Mapping[str, FloatArray] = field(default_factory=dict)

    def table(self) -> pd.DataFrame:
        """Columns: time_h, scale, plan, mean, lo50 ... hi90, p_response, p_remission, p_relapse (by then)."""
        import pandas as pd

        columns: dict[str, Any] = {"time_h": self.time_h, "scale": self.scale, "plan": self.plan}
        columns["mean"] = self.scores.mean(axis=0)
        for level, tail in BANDS.items():
            low, high = np.quantile(self.scores, [tail, 1 - tail], axis=0)
            columns |= {f"lo{level}": low, f"hi{level}": high}
        columns["p_response"] = outcome.response(self.scores, self.baseline).mean(axis=0)
        has_rule = bool(scale.get(self.scale).remission)
        columns["p_remission"] = outcome.remission(self.scores, self.scale).mean(axis=0) if has_rule else np.nan
        columns["p_relapse"] = self.relapsed().mean(axis=0)
        return pd.DataFrame(columns)

    def relapsed(self, rule: outcome.RelapseRule = "score-22") -> BoolArray:
        """Who has responded, before or since, and then relapsed by each visit, [futures, visits]."""
        seen, hours = self.before
        past = np.broadcast_to(seen, (len(self.scores), len(seen)))
        scores = np.column_stack([past, self.scores])
        times = np.concatenate([hours, self.time_h])
        found = outcome.relapse(scores, self.baseline, times, rule, scale=self.scale)
        responded = outcome.time_to_response(scores, self.baseline, times)
        when = np.where(found.event, responded + found.time_h, np.inf)
        return when[:, None] <= self.time_h[None, :] + 1e-6


def foresee(
    updated: Updated, plan: str, course: Course, time_h: FloatArray, name: str = "MADRS", count: int = FUTURES,
    extra: Sequence[str] = (),
) -> Future:  # fmt: skip
    """Put the person through a course that begins with what has been done.

    Args:
        updated: the person.
        plan: a name for tables.
        course: all of it, from the first dose on.
        time_h: visits to come, rising, after the last score.
        name: scale of the forecast.
        count: people that are put through it, a multiple of LANES.
        extra: outputs of the model to keep.
    """
    person = updated.person
    cloud = updated.cloud.resampled(count, person.seed, "futures")
    seen_h = np.maximum(person.times, 0.0)
    times = np.unique(np.concatenate([[0.0], seen_h, time_h]))
    true, outputs = live(cloud, course, times, person.seed, person.variant, extra)
    fine = np.flatnonzero(np.isfinite(true).all(axis=1))  # without those whom the solver gave up
    cloud, true, outputs = cloud.take(fine), true[fine], {key: values[fine] for key, values in outputs.items()}
    places = np.searchsorted(times, np.concatenate([seen_h, time_h, [0.0]]))
    joint = ratings(
        true[:, places], baseline(cloud), times[places], [*person.scales, *([name] * (len(time_h) + 1))], cloud.noise
    )
    known = list(range(len(person.seen)))
    wanted = list(range(len(person.seen), len(places)))
    chance = streams.generator(person.seed, "forecast/futures")
    normal = chance.standard_normal((len(cloud), len(wanted)))
    kind = scale.get(name)
    sampled = np.clip(np.rint(joint.given(known, person.scores, wanted).sample(normal)), kind.low, kind.high)
    first = [one.score for one in person.seen if one.scale == name and one.time_h <= 0]
    start = np.full(len(cloud), first[-1]) if first else sampled[:, -1]
    mine = [k for k, one in enumerate(person.seen) if one.scale == name and one.time_h > 0]
    at = np.searchsorted(times, time_h)
    return Future(
        plan, name, np.asarray(time_h, dtype=np.float64), sampled[:, :-1], start,
        (person.scores[mine], person.times[mine]), {key: values[:, at] for key, values in outputs.items()},
    )  # fmt: skip
