"""When to dose again: rules that decide at visits, run in people who might be one person (or in a population).

    fixed       every so many days
    symptom     when the score is at or above a limit
    forecast    when the chance that the next weekly score is a relapse passes a limit

A rule sees scores as they would be written down, given all that were written down before; never the true state. The
chance of the third rule is that of a logistic regression on what a clinic knows (last two scores, baseline, days since
the last dose), fitted to simulated visits of the same people under doses at random: a forecast that can be written on
paper, and that does not know what the simulation knows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from afterglow import streams
from afterglow.blocks import Block, Doing, ScoresByScale
from afterglow.clinic import scale
from afterglow.clinic.course import Course
from afterglow.clinic.dosing import Dose, unfold
from afterglow.clinic.relief import moved
from afterglow.compile.vector import LANES
from afterglow.simulate import Arm
from afterglow.study.cloud import RTOL, Cloud
from afterglow.study.forecast import Person
from afterglow.study.forecast import baseline as true_baseline
from afterglow.study.rating import ratings

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

RELAPSE = 22.0  # MADRS points; see `clinic.outcome`
WELL = 10.0  # MADRS points at or under which is remission; see `data/scales.yaml`
TRY = 0.3  # chance of a dose at a visit while the regression is fitted
LEAST_D = 6.0  # least days between two sessions
CAP_D = 42.0  # days since the last dose count up to here


@dataclass(frozen=True)
class Visit:
    """What a rule knows at a visit, arrays [people]; scores are MADRS points."""

    day: float  # since the first visit of the plan
    score: FloatArray
    before: FloatArray
    baseline: FloatArray
    since_dose_d: FloatArray

    def features(self) -> FloatArray:
        """What the regression sees, [people, 5]."""
        since = np.minimum(self.since_dose_d, CAP_D) / 7.0
        return np.column_stack([np.ones(len(self.score)), self.score, self.before, self.baseline, since])


Rule = Callable[[Visit], BoolArray]


def fixed(every_d: float) -> Rule:
    """A dose every so many days, whatever the score."""
    return lambda visit: visit.since_dose_d >= every_d - 0.5


def symptom(at_least: float) -> Rule:
    """A dose when the score is at or above a limit."""
    return lambda visit: visit.score >= at_least


def foreseen(coefficients: FloatArray, above: float) -> Rule:
    """A dose when the chance of a relapse at the next weekly visit passes a limit."""
    return lambda visit: expit(visit.features() @ coefficients) > above


def never(visit: Visit) -> BoolArray:
    """No dose."""
    return np.zeros(len(visit.score), dtype=bool)


@dataclass
class Plan:
    """A rule at work while people run: decides at visits on scores sampled given all scores before.

    Attributes:
        person: what has been done and seen.
        cloud: who runs.
        rule: decides.
        dose: what is given.
        times_h: visits.
    """

    person: Person
    cloud: Cloud
    rule: Rule
    dose: Dose
    times_h: Sequence[float]
    seed: int
    visits: list[Visit] = field(default_factory=list)
    given: list[BoolArray] = field(default_factory=list)

    def __post_init__(self) -> None:
        people, seen = len(self.cloud), self.person
        self.normal = streams.generator(self.seed, "boosters/ratings").standard_normal((people, len(self.times_h) + 1))
        self.hours = list(np.maximum(seen.times, 0.0)) if seen.seen else [0.0]
        self.scales = seen.scales or ["MADRS"]
        self.scores = np.broadcast_to(seen.scores, (people, len(seen.seen))).copy() if seen.seen else None
        starts = [start for start, _ in seen.course.sessions(520.0)]
        self.last_h = np.full(people, max(starts, default=-24.0 * CAP_D))

    def missed(self, session: int, time_h: float) -> BoolArray | None:
        """Nobody misses a session."""
        del session, time_h
        return None

    def at(self, time_h: float, scores: ScoresByScale, baseline: ScoresByScale, doing: Doing) -> None:
        """Rate, decide, dose."""
        del scores, baseline  # they do not know what has been written down
        now = self._rate(time_h, doing)
        start = self._madrs(0)
        before = self.visits[-1].score if self.visits else (self._madrs(-2) if len(self.hours) > 1 else now)
        visit = Visit((time_h - self.times_h[0]) / 24.0, now, before, start, (time_h - self.last_h) / 24.0)
        wants = self.rule(visit) & (visit.since_dose_d >= LEAST_D)
        who = np.flatnonzero(wants)
        intakes = unfold(
            self.dose.drug, self.dose.route, self.dose.dose, self.dose.over or 0.0, time_h, 20_000 + len(self.visits)
        )
        doing.give(who, intakes, "booster")
        self.last_h[who] = time_h
        self.visits.append(visit)
        self.given.append(wants)

    def _madrs(self, column: int) -> FloatArray:
        assert self.scores is not None
        name = self.scales[column]
        values = self.scores[:, column]
        return values if name == "MADRS" else scale.to_madrs(values, name)

    def _rate(self, time_h: float, doing: Doing) -> FloatArray:
        """Scores at a visit, given all before; kept for the next one."""
        arm = doing.arm
        if self.scores is None:  # a population: its baseline is rated first
            self.scores = self._sampled([0.0], ["MADRS"], np.empty((len(self.cloud), 0)), arm, doing.values)
        hours, names = [*self.hours, time_h], [*self.scales, "MADRS"]
        found = self._sampled(hours, names, self.scores, arm, doing.values)
        self.hours, self.scales, self.scores = hours, names, np.column_stack([self.scores, found])
        return found[:, 0]

    def _sampled(
        self, hours: list[float], names: list[str], known: FloatArray, arm: Arm, values: FloatArray
    ) -> FloatArray:
        at = np.searchsorted(arm.time_h, np.array(hours) - 1e-6)
        madrs, drug = (values[:, at, arm.outputs.index(name)] for name in ("mood.madrs", "mood.drug_part"))
        start = true_baseline(self.cloud)
        true = moved(madrs, drug, start, self.cloud.effects)
        joint = ratings(true, start, np.array(hours), names, self.cloud.noise)
        last = len(hours) - 1
        normal = self.normal[:, len(self.visits) + (known.shape[1] > 0)][:, None]
        sampled = joint.given(list(range(known.shape[1])), known, [last]).sample(normal)
        kind = scale.get(names[-1])
        return np.clip(np.rint(sampled), kind.low, kind.high)


@dataclass(frozen=True)
class Ran:
    """What a rule did.

    Attributes:
        name: of the rule.
        scores: MADRS at each visit, [people, visits].
        doses: given at each visit, [people, visits].
        baseline: measured, [people].
    """

    name: str
    scores: FloatArray
    doses: BoolArray
    baseline: FloatArray

    def outcomes(self, every_d: float = 7.0) -> dict[str, FloatArray]:
        """Of each person: days in remission, doses, days with a score of a relapse."""
        return {
            "days_in_remission": every_d * (self.scores <= WELL).sum(axis=1),
            "doses": self.doses.sum(axis=1).astype(float),
            "days_ill": every_d * (self.scores >= RELAPSE).sum(axis=1),
        }


def run(person: Person, cloud: Cloud, name: str, rule: Rule, dose: Dose, times_h: Sequence[float] | FloatArray) -> Ran:
    """Let a rule decide at visits for people who might be this one.

    Args:
        person: what has been done and seen.
        cloud: who runs, all of the same weight.
        name: of the rule.
        rule: decides.
        dose: what it gives.
        times_h: its visits, rising, after the last score.
    """
    plan = Plan(person, cloud, rule, dose, [float(t) for t in times_h], person.seed)
    seen = np.maximum(person.times, 0.0) if person.seen else np.zeros(1)
    hours = np.unique(np.concatenate([[0.0], seen, times_h]))
    arm = Arm(
        _on(person.course), patients=LANES, weeks=(hours[-1] + 1.0) / 168.0, seed=person.seed,
        population=cloud.people.iloc[:LANES], variant=person.variant, outputs=("mood.madrs", "mood.drug_part"),
        visits_h=hours.tolist(), rtol=RTOL,
    )  # fmt: skip
    arm.trajectories_of([Block(cloud.people, range(len(cloud)), typical=cloud.typical, luck=cloud.luck)], plan)
    scores = np.column_stack([visit.score for visit in plan.visits])
    return Ran(name, scores, np.column_stack(plan.given), plan.visits[0].baseline)


def _on(course: Course) -> Course:
    """What has been done, its own maintenance left out: the rule takes its place."""
    return course.model_copy(update={"maintenance": (), "checks": ()})


def regression(person: Person, cloud: Cloud, dose: Dose, times_h: Sequence[float] | FloatArray) -> FloatArray:
    """Coefficients of the chance that the next weekly score is a relapse, for `foreseen`; see the top of this file."""
    chance = streams.generator(person.seed, "boosters/doses at random")
    seen: list[Visit] = []

    def at_random(visit: Visit) -> BoolArray:
        wants = chance.random(len(visit.score)) < TRY
        seen.append(visit)
        return wants

    found = run(person, cloud, "at random", at_random, dose, times_h)
    rows, ill = [], []
    for k, visit in enumerate(seen[:-1]):
        quiet = ~found.doses[:, k]  # what happens when nothing is given
        rows.append(visit.features()[quiet])
        ill.append(found.scores[quiet, k + 1] >= RELAPSE)
    return _logistic(np.vstack(rows), np.concatenate(ill).astype(float))


def _logistic(x: FloatArray, y: FloatArray) -> FloatArray:
    """Maximum likelihood with a ridge that keeps separated data finite (Newton's method)."""
    beta, ridge = np.zeros(x.shape[1]), 1e-3 * np.eye(x.shape[1])
    for _ in range(50):
        p = expit(x @ beta)
        step = np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + ridge, x.T @ (y - p) - ridge @ beta)
        beta = beta + step
        if np.abs(step).max() < 1e-8:
            break
    return beta


def compared(found: Mapping[str, Ran] | Sequence[Ran]) -> list[dict[str, Any]]:
    """One row a rule: mean of each outcome with the 90 % interval of the mean, and the ends of 90 % of people."""
    rows = []
    for one in found.values() if isinstance(found, Mapping) else found:
        row: dict[str, Any] = {"rule": one.name, "people": len(one.scores)}
        for name, values in one.outcomes().items():
            error = 1.645 * float(values.std(ddof=1)) / math.sqrt(len(values))
            low, high = np.quantile(values, [0.05, 0.95])
            row |= {name: float(values.mean()), f"{name}_lo90": float(values.mean()) - error}
            row |= {f"{name}_hi90": float(values.mean()) + error, f"{name}_p05": low, f"{name}_p95": high}
        rows.append(row)
    return rows


def pareto(rows: Sequence[Mapping[str, Any]], more: str = "days_in_remission", less: str = "doses") -> list[bool]:
    """Which rows no other row beats: as much of `more` with no more of `less`, and better in one of them."""

    def beaten(one: Mapping[str, Any]) -> bool:
        return any(
            other[more] >= one[more]
            and other[less] <= one[less]
            and (other[more], other[less]) != (one[more], one[less])
            for other in rows
        )

    return [not beaten(one) for one in rows]
