"""When to dose again: rules that decide at visits, run in people who might be one person (or in a population).

    fixed        every so many days
    begun        from a day on, every so many days
    taper        weekly four times, every two weeks twice, then every four weeks
    stretch      at intervals that grow while the person is well, and shrink after a score of a relapse
    symptom      when the score is at or above a limit
    foreseen     when the chance that the next weekly score is a relapse passes a limit
    until_well   another rule, until so many scores running are in remission
    while_useful another rule, until so many doses have brought no response

A rule is a function of a `Visit`: scores as they would be written down, given all that were written down before, and
doses; never the true state. All schedules and limits are assumed: choices to compare, not advice. The chance of
`foreseen` is that of a logistic regression on what a clinic knows (last two scores, baseline, days since the last
dose), fitted to simulated visits of the same people under doses at random: a forecast that can be written on paper,
and that does not know what the simulation knows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from afterglow import streams
from afterglow.blocks import Block, Doing, IntArray, ScoresByScale
from afterglow.clinic.course import Course
from afterglow.clinic.dosing import Dose, unfold
from afterglow.clinic.visits import PEAK_H
from afterglow.compile.vector import LANES
from afterglow.simulate import Arm
from afterglow.study.cloud import RTOL, Cloud, true_scores
from afterglow.study.forecast import Person, before
from afterglow.study.written import Writer, bounded, written_down

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

RELAPSE = 22.0  # MADRS points; see `clinic.outcome`
WELL = 10.0  # MADRS points at or under which is remission; see `data/scales.yaml`
TRY = 0.3  # chance of a dose at a visit while the regression is fitted
LEAST_D = 6.0  # least days between two sessions
CAP_D = 42.0  # days since the last dose count up to here
TAPER_D = (0, 7, 14, 21, 35, 49)  # days of the doses of a taper; from the last on every four weeks
LONGEST_WK = 6.0  # interval up to which `stretch` goes
CADSS = "acute_effects.cadss"


@dataclass(frozen=True)
class Visit:
    """What a rule knows at a visit, arrays [people]; scores are MADRS points."""

    day: float  # since the first visit of the plan
    scores: FloatArray  # of the plan's visits up to this one, [people, visits]
    doses: BoolArray  # given at earlier visits of the plan, [people, visits - 1]
    before: FloatArray  # the score before this one
    baseline: FloatArray
    since_dose_d: FloatArray

    @property
    def score(self) -> FloatArray:
        """The score of this visit."""
        return self.scores[:, -1]

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


def begun(first_d: float, every_d: float | None = None) -> Rule:
    """A dose on the plan's day `first_d`, and then every so many days; without `every_d` only that one."""

    def rule(visit: Visit) -> BoolArray:
        after = round(visit.day - first_d)
        due = after == 0 or (every_d is not None and after > 0 and after % every_d == 0)
        return np.full(len(visit.score), due)

    return rule


def taper(visit: Visit) -> BoolArray:
    """Weekly four times, every two weeks twice, then every four weeks."""
    day = round(visit.day)
    late = day - TAPER_D[-1]
    return np.full(len(visit.score), day in TAPER_D or (late > 0 and late % 28 == 0))


def stretch(visit: Visit) -> BoolArray:
    """Treat and extend: the interval begins at a week.

    A dose that is given in remission makes it a week longer, up to `LONGEST_WK`; a score of a relapse at any visit
    makes it a week shorter again.
    """
    weeks = np.ones(len(visit.score))
    for k in range(visit.scores.shape[1]):
        if k:
            weeks += visit.doses[:, k - 1] & (visit.scores[:, k - 1] <= WELL)
        weeks -= visit.scores[:, k] >= RELAPSE
        weeks = np.clip(weeks, 1.0, LONGEST_WK)
    return visit.since_dose_d >= 7.0 * weeks - 0.5


def until_well(rule: Rule, visits: int) -> Rule:
    """`rule`, until so many weekly scores running are in remission; then no dose ever again."""

    def stopped(visit: Visit) -> BoolArray:
        run = np.zeros(len(visit.score), dtype=int)
        done = np.zeros(len(visit.score), dtype=bool)
        for score in visit.scores.T:
            run = np.where(score <= WELL, run + 1, 0)
            done |= run >= visits
        return done

    return lambda visit: rule(visit) & ~stopped(visit)


def while_useful(rule: Rule, doses: int) -> Rule:
    """`rule`, unless after so many of its doses no score has been a response (half of the baseline gone); then none."""

    def useless(visit: Visit) -> BoolArray:
        given = np.zeros(len(visit.score), dtype=int)
        responded, judged, done = (np.zeros(len(visit.score), dtype=bool) for _ in range(3))
        for k, score in enumerate(visit.scores.T):
            if k:
                given += visit.doses[:, k - 1]
            responded |= (given > 0) & (score <= 0.5 * visit.baseline)
            now = (given >= doses) & ~judged
            done |= now & ~responded
            judged |= now
        return done

    return lambda visit: rule(visit) & ~useless(visit)


@dataclass
class Plan:
    """A rule at work while people run: decides at visits on the scores that are written down there.

    Attributes:
        person: what has been done and seen.
        writer: writes scores down, given those that were.
        rule: decides.
        dose: what is given; None where nothing is.
        times_h: visits.
        visits: what the rule has seen.
        given: who was dosed at each of them.
        drawn: scores of the visits before they were rounded.
    """

    person: Person
    writer: Writer
    rule: Rule
    dose: Dose | None
    times_h: Sequence[float]
    visits: list[Visit] = field(default_factory=list)
    given: list[BoolArray] = field(default_factory=list)
    drawn: list[FloatArray] = field(default_factory=list)

    def __post_init__(self) -> None:
        starts = [start for start, _ in self.person.course.sessions(520.0)]
        self.last_h = np.full(len(self.writer.cloud), max(starts, default=-24.0 * CAP_D))

    def missed(self, session: int, time_h: float) -> BoolArray | None:
        """Nobody misses a session."""
        del session, time_h
        return None

    def at(self, time_h: float, scores: ScoresByScale, baseline: ScoresByScale, doing: Doing) -> None:
        """Rate, decide, dose."""
        del scores, baseline  # they do not know what has been written down
        writer, now = self.writer, np.array([time_h])
        true, seen = (true_scores(writer.cloud, doing.arm, doing.values, hours) for hours in (now, writer.seen_h))
        self.drawn.append(bounded(writer.drawn("MADRS", now, true, seen), "MADRS")[:, 0])
        score = written_down(self.drawn[-1], "MADRS")
        if self.visits:
            start, earlier = self.visits[-1].baseline, self.visits[-1].score
        else:
            start = writer.baseline("MADRS", seen)
            past, _ = before(self.person, "MADRS")
            earlier = np.full(len(score), past[-1]) if len(past) else start
        visit = Visit(
            (time_h - self.times_h[0]) / 24.0, np.column_stack([*(one.score for one in self.visits), score]),
            np.array(self.given, dtype=bool).reshape(len(self.given), len(score)).T, earlier, start,
            (time_h - self.last_h) / 24.0,
        )  # fmt: skip
        wants = self.rule(visit) & (visit.since_dose_d >= LEAST_D)
        self.visits.append(visit)
        self.given.append(wants)
        if self.dose is None:
            return
        who, line = np.flatnonzero(wants), self.dose
        session = 20_000 + len(self.visits)
        doing.give(who, unfold(line.drug, line.route, line.dose, line.over or 0.0, time_h, session), "booster")
        self.last_h[who] = time_h


@dataclass(frozen=True)
class Ran:
    """What a rule did.

    Attributes:
        name: of the rule.
        scores: MADRS at each visit, [people, visits]; NaN for whom the solver gave up.
        doses: given at each visit, [people, visits].
        baseline: measured, [people].
        cadss: worst dissociation after any of these doses, points, [people]; 0 without doses, NaN where nobody looked.
        drawn: the scores before they were rounded, [people, visits].
    """

    name: str
    scores: FloatArray
    doses: BoolArray
    baseline: FloatArray
    cadss: FloatArray
    drawn: FloatArray

    def take(self, who: IntArray) -> Ran:
        """The same of some people."""
        return Ran(
            self.name, self.scores[who], self.doses[who], self.baseline[who], self.cadss[who], self.drawn[who]
        )  # fmt: skip

    def outcomes(self, every_d: float = 7.0) -> dict[str, FloatArray]:
        """Of each person: days in remission, doses, days with a score of a relapse."""
        return {
            "days_in_remission": every_d * (self.scores <= WELL).sum(axis=1),
            "doses": self.doses.sum(axis=1).astype(float),
            "days_ill": every_d * (self.scores >= RELAPSE).sum(axis=1),
        }


def run(
    person: Person, cloud: Cloud, name: str, rule: Rule, dose: Dose | None, times_h: Sequence[float] | FloatArray,
    acute: bool = False,
) -> Ran:  # fmt: skip
    """Let a rule decide at visits for people who might be this one.

    Args:
        person: what has been done and seen.
        cloud: who runs, all of the same weight.
        name: of the rule.
        rule: decides.
        dose: what it gives; None for nothing at all.
        times_h: its visits, rising, after the last score.
        acute: also look at dissociation in the hours after each dose.
    """
    visits = np.asarray(times_h, dtype=np.float64)
    writer = Writer(cloud, person.times, person.scales, person.scores, float(visits[-1]), person.seed)
    plan = Plan(person, writer, rule, dose, visits.tolist())
    peaks = (visits[:, None] + np.array(PEAK_H)).ravel() if acute else np.empty(0)
    hours = np.unique(np.concatenate([[0.0], np.maximum(person.times, 0.0), visits, peaks]))
    outputs = ("mood.madrs", "mood.drug_part", *((CADSS,) if acute else ()))
    arm = Arm(
        _on(person.course), patients=LANES, weeks=(hours[-1] + 1.0) / 168.0, seed=person.seed,
        population=cloud.people.iloc[:LANES], variant=person.variant, outputs=outputs,
        visits_h=hours.tolist(), rtol=RTOL,
    )  # fmt: skip
    block = Block(cloud.people, range(len(cloud)), typical=cloud.typical, luck=cloud.luck)
    values = arm.trajectories_of([block], plan)
    doses, cadss = np.column_stack(plan.given), np.full(len(cloud), np.nan)
    if acute:
        at = np.searchsorted(arm.time_h, peaks - 1e-6)
        after = values[:, at, outputs.index(CADSS)].reshape(len(cloud), len(visits), -1).max(axis=2)
        cadss = np.where(doses, after, 0.0).max(axis=1)
    return Ran(name, plan.visits[-1].scores, doses, plan.visits[0].baseline, cadss, np.column_stack(plan.drawn))


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
