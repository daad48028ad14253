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
from afterglow.study.written import Deciding, Writer, bounded, undecided, written_down

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

SIZE = 2048  # people that are drawn
ENOUGH = 150.0  # effective people below which they are refined
FUTURES = 768  # people that are put through a plan
BANDS = {"50": 0.25, "80": 0.10, "90": 0.05}
REPLICAS = 2000  # of the history of people of the population, for the check of the own one
STABLE_H = 144.0  # least hours between the first and the last visit of a stable response, of weekly visits
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
    return cloud.baseline


@dataclass(frozen=True, eq=False)
class Updated:
    """A person once the scores are taken in.

    Attributes:
        person: as known.
        cloud: people who might be this one, with their weights.
        effective: effective number of people before any refinement.
        refined: whether they were refined.
        odd: share of people of the population whose history is as odd as this one's; small: outside of it.
        reached: part of the likelihood that refinement has let in.
    """

    person: Person
    cloud: Cloud
    effective: float
    refined: bool
    odd: float
    reached: float = 1.0

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
        if self.reached < 1.0:
            found.append(
                f"refinement ended before the scores counted in full (at {100 * self.reached:.0f} %): the forecast "
                "lies between the population's and this person's"
            )
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
    moved, reached = refined(person.prior, lambda cloud: person.history(cloud).log_likelihood(scores), person.seed)
    return Updated(person, moved, effective, True, odd, reached)


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
        scores: whole points, [futures, visits].
        baseline: measured score before treatment on the scale, [futures].
        before: scores already seen after the first dose, put on the scale, [seen], and their hours, rising.
        outputs: further outputs at the visits, [futures, visits].
        drawn: the scores before they were rounded, [futures, visits]; None where that is not known.
        given: of a plan that decides on scores, its sessions and mg of ketamine in any form, each [futures].
    """

    plan: str
    scale: str
    time_h: FloatArray
    scores: FloatArray
    baseline: FloatArray
    before: tuple[FloatArray, FloatArray]
    outputs: Mapping[str, FloatArray] = field(default_factory=dict)
    drawn: FloatArray | None = None
    given: tuple[FloatArray, FloatArray] | None = None

    def table(self) -> pd.DataFrame:
        """Columns: time_h, scale, plan, mean, lo50 ... hi90, p_response, p_remission, p_relapse (by then).

        Bands are equal-tailed, of scores before they are rounded: of whole points they would cover more than their
        name. Where many scores are at the floor of the scale a band begins there, and covers more all the same.
        """
        return self._table.copy()

    @cached_property
    def _table(self) -> pd.DataFrame:
        import pandas as pd

        columns: dict[str, Any] = {"time_h": self.time_h, "scale": self.scale, "plan": self.plan}
        drawn = self.scores if self.drawn is None else self.drawn
        columns["mean"] = drawn.mean(axis=0)
        for level, tail in BANDS.items():
            low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
            columns |= {f"lo{level}": low, f"hi{level}": high}
        columns["p_response"] = outcome.response(self.scores, self.baseline).mean(axis=0)
        has_rule = bool(scale.get(self.scale).remission)
        columns["p_remission"] = outcome.remission(self.scores, self.scale).mean(axis=0) if has_rule else np.nan
        columns["p_relapse"] = self.relapsed().mean(axis=0)
        return pd.DataFrame(columns)

    def relapsed(self, rule: outcome.RelapseRule = "score-22") -> BoolArray:
        """Who has relapsed by each visit, after a stable response before or since, [futures, visits]; see `relapse`."""
        seen, hours = self.before
        past = np.broadcast_to(seen, (len(self.scores), len(seen)))
        scores, times = np.column_stack([past, self.scores]), np.concatenate([hours, self.time_h])
        when = relapse(scores, self.baseline, times, self.scale, rule, known=len(seen))
        return when[:, None] <= self.time_h[None, :] + 1e-6


def relapse(
    scores: FloatArray,
    baseline: FloatArray,
    time_h: FloatArray,
    name: str = "MADRS",
    rule: outcome.RelapseRule = "score-22",
    known: int = 0,
) -> FloatArray:
    """Hour of the first relapse that is not known yet, [people]; infinite for none.

    Who has been in response at all visits of a week is at risk (stable response; so SUSTAIN-1 chose whom to follow,
    Daly 2019, doi:10.1001/jamapsychiatry.2019.1189, wording assumed). A relapse is the first of two visits running that
    meet the rule. After one, a new stable response is needed to be at risk again. One good visit does not count: scores
    swing, and most of what follows it would be return to the mean.

    Args:
        scores: [people, visits] of one scale.
        baseline: [people].
        time_h: hours of the visits, rising.
        name: the scale.
        rule: see `clinic.outcome`.
        known: number of first visits that have been: a relapse within them is no news.
    """
    people = len(scores)
    well, ill = outcome.response(scores, baseline) & (time_h > 0), outcome.meets(rule, scores, baseline, name)
    since, at_risk, when = np.full(people, np.inf), np.zeros(people, dtype=bool), np.full(people, np.inf)
    for visit, hour in enumerate(time_h):
        since = np.where(well[:, visit], np.minimum(since, hour), np.inf)
        at_risk |= hour - since >= STABLE_H
        if visit and (again := at_risk & ill[:, visit - 1] & ill[:, visit]).any():
            at_risk &= ~again
            if visit >= known:
                when = np.where(again, np.minimum(when, time_h[visit - 1]), when)
    return when


def foresee(
    updated: Updated, plan: str, course: Course, time_h: FloatArray, name: str = "MADRS", count: int = FUTURES,
    extra: Sequence[str] = (),
) -> Future:  # fmt: skip
    """Put the person through a course that begins with what has been done.

    Decisions of the course are taken on scores drawn as those of the forecast are, given all that were written down.

    Args:
        updated: the person.
        plan: a name for tables.
        course: all of it, from the first dose on.
        time_h: visits to come, rising, after the last score.
        name: scale of the forecast.
        count: people that are put through it, a multiple of LANES.
        extra: outputs of the model to keep.
    """
    person, visits = updated.person, np.asarray(time_h, dtype=np.float64)
    cloud = updated.cloud.resampled(count, person.seed, "futures")
    writer = Writer(cloud, person.times, person.scales, person.scores, float(visits[-1]), person.seed)
    deciding = Deciding(course, float(visits[-1]), writer)
    conduct = deciding if deciding.decisions else None
    times = np.unique([0.0, *writer.seen_h, *deciding.times_h, *visits])
    true, outputs = live(cloud, undecided(course), times, person.seed, person.variant, extra, conduct)
    seen, later = np.searchsorted(times, writer.seen_h), np.searchsorted(times, visits)
    drawn = bounded(writer.drawn(name, visits, true[:, later], true[:, seen]), name)
    fine = np.flatnonzero(np.isfinite(true).all(axis=1))  # without those whom the solver gave up
    return Future(
        plan, name, visits, written_down(drawn, name)[fine], writer.baseline(name, true[:, seen])[fine],
        before(person, name), {key: values[fine][:, later] for key, values in outputs.items()}, drawn[fine],
        None if conduct is None else _given(conduct, person, fine),
    )  # fmt: skip


def before(person: Person, name: str) -> tuple[FloatArray, FloatArray]:
    """Scores seen after the first dose, put on a scale by way of the MADRS, and their hours, each [hours].

    Several of one hour count as their mean.
    """
    base = float(person.prior.baseline.mean())  # read by assumed relations only
    found: dict[float, list[float]] = {}
    for one in person.seen:
        if one.time_h > 0:
            same = one.scale == name
            score = one.score if same else scale.convert(scale.to_madrs(one.score, one.scale), base, name)
            found.setdefault(one.time_h, []).append(float(score))
    return np.array([sum(scores) / len(scores) for scores in found.values()]), np.array(list(found), dtype=np.float64)


def _given(deciding: Deciding, person: Person, fine: IntArray) -> tuple[FloatArray, FloatArray]:
    """Sessions after those that have been, and their mg."""
    done = person.course.sessions((max(deciding.times_h) + 1.0) / 168.0)
    sessions, mg = deciding.given(max((start for start, _ in done), default=-1.0))
    return sessions[fine], mg[fine]
