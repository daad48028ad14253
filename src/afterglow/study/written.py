"""Scores as they may be written down, given those that have been: the one place where a forecast draws them.

Everybody has a path of week-scale fluctuation and, at each hour and on each scale, an error of the rater. These are led
through the scores already written down by adding what is to be expected of the miss there (Matheron's rule). So the
score of a visit is the same whichever other visits are asked for: decisions on the way are taken on the scores that the
forecast shows, and plans are compared with the same luck.

Source: Wilson JT, Borovitskiy V, Terenin A, Mostowsky P, Deisenroth MP (2021) Pathwise conditioning of Gaussian
processes. J Mach Learn Res 22(105):1-47.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from afterglow import streams
from afterglow.blocks import LATER_SESSION, Doing, ScoresByScale
from afterglow.clinic import scale
from afterglow.clinic.course import Course
from afterglow.clinic.decision import Decision
from afterglow.clinic.drugs import DRUGS
from afterglow.course_run import ByScale
from afterglow.study.cloud import Cloud, true_scores
from afterglow.study.rating import ROUNDING, moments, moving

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


class Writer:
    """Writes down scores of some people, given scores that are the same for all of them."""

    def __init__(
        self, cloud: Cloud, time_h: FloatArray, scales: Sequence[str], scores: FloatArray, until_h: float, seed: int
    ) -> None:
        """Of these people, to the hour `until_h`; `time_h`, `scales` and `scores` are those that are known, [known]."""
        self.cloud, self.seed = cloud, seed
        self.seen_h, self.scales, self.scores = np.maximum(time_h, 0.0), list(scales), scores
        self._path = self._paths(max(until_h, *self.seen_h, 0.0))

    def drawn(self, name: str, time_h: FloatArray, true: FloatArray, true_seen: FloatArray) -> FloatArray:
        """Scores before they are rounded and bounded, [people, visits].

        Args:
            name: scale of the visits.
            time_h: hours of the visits, [visits].
            true: true MADRS at the visits, [people, visits].
            true_seen: true MADRS at the scores that are known, [people, known].
        """
        n, noise = len(self.scores), self.cloud.noise
        hours = np.concatenate([self.seen_h, np.maximum(time_h, 0.0)])
        names = [*self.scales, *([name] * len(time_h))]
        mean, swing, own = moments(np.hstack([true_seen, true]), self.cloud.baseline, names, noise)
        found = mean + swing * self._fluctuation(hours) + np.sqrt(own) * self._rater(hours, names)
        if not n:
            return found
        across = swing[:, :, None] * moving(hours, self.seen_h, noise) * swing[:, None, :n]
        known, at = across[:, :n].copy(), np.arange(n)
        known[:, at, at] += own[:, :n] + ROUNDING
        chance = streams.generator(self.seed, "written/rounding of what is known")
        rounded = found[:, :n] + np.sqrt(ROUNDING) * chance.standard_normal((len(found), n))
        return found[:, n:] + (across[:, n:] @ np.linalg.solve(known, (self.scores - rounded)[:, :, None]))[:, :, 0]

    def baseline(self, name: str, true_seen: FloatArray) -> FloatArray:
        """The measured baseline on a scale, [people]: the last one that is known, else drawn."""
        known = [k for k, one in enumerate(self.scales) if one == name and self.seen_h[k] <= 0]
        if known:
            return np.full(len(self.cloud), self.scores[known[-1]])
        drawn = self.drawn(name, np.zeros(1), self.cloud.baseline[:, None], true_seen)
        return written_down(drawn, name)[:, 0]

    def _paths(self, until_h: float) -> FloatArray:
        """The fluctuation of unit size at each `scale.GRID_H`, [grid, people], as in `scale.fluctuation`."""
        steps = int(np.ceil(until_h / scale.GRID_H)) + 1
        keep = np.exp(-scale.GRID_H / (24.0 * self.cloud.noise["fluctuation_tau_d"]))
        chance = streams.generator(self.seed, "written/fluctuation")
        shocks = np.sqrt(1.0 - keep**2) * chance.standard_normal((steps, len(self.cloud)))
        path = np.zeros((steps + 1, len(self.cloud)))
        for step in range(steps):
            path[step + 1] = keep * path[step] + shocks[step]
        return path

    def _fluctuation(self, hours: FloatArray) -> FloatArray:
        """Straight lines between the points of the grid, [people, hours]."""
        before = np.minimum((hours / scale.GRID_H).astype(np.int64), len(self._path) - 2)
        part = (hours / scale.GRID_H - before)[:, None]
        return (self._path[before] * (1.0 - part) + self._path[before + 1] * part).T

    def _rater(self, hours: FloatArray, names: Sequence[str]) -> FloatArray:
        """Standard normal errors of the raters, keyed by scale and hour, [people, hours]."""
        each = [
            streams.generator(self.seed, "written/rater", name, f"{hour:.4f}").standard_normal(len(self.cloud))
            for hour, name in zip(hours, names, strict=True)
        ]
        return np.array(each).T


def written_down(drawn: FloatArray, name: str) -> FloatArray:
    """Scores as whole points inside the scale."""
    return np.rint(bounded(drawn, name))


def bounded(drawn: FloatArray, name: str) -> FloatArray:
    """Scores inside the scale."""
    kind = scale.get(name)
    return np.clip(drawn, kind.low, kind.high)


# ------------------------------------------------------------------------------------------------ decisions


def undecided(course: Course) -> Course:
    """A course without the decisions that look at scores."""
    kept = tuple(line for line in course.maintenance if line.when is None)
    return course.model_copy(update={"checks": (), "maintenance": kept})


class Deciding:
    """A `Conduct`: the decisions of a course, taken on what the writer writes down; the course runs `undecided`.

    Attributes:
        times_h: hours of the decisions.
    """

    def __init__(self, course: Course, until_h: float, writer: Writer) -> None:
        """The decisions of `course` up to the hour `until_h`, for the people of `writer`.

        Decisions up to the last known score have been taken: what came of them is part of the course.
        """
        self.writer, last = writer, max(writer.seen_h, default=-1.0)
        # numbers that no session of the undecided course has
        found = [replace(one, session=LATER_SESSION + one.session) for one in course.decisions((until_h + 1.0) / 168.0)]
        self.decisions: list[Decision] = [one for one in found if last < one.time_h <= until_h]
        self.times_h: Sequence[float] = sorted({one.time_h for one in self.decisions})
        self._doing: Doing | None = None

    def missed(self, session: int, time_h: float) -> BoolArray | None:
        """Nobody misses a session."""
        del session, time_h
        return None

    def at(self, time_h: float, scores: ScoresByScale, baseline: ScoresByScale, doing: Doing) -> None:
        """Take the decisions of this hour."""
        del scores, baseline  # they do not know what has been written down
        self._doing, writer, arm = doing, self.writer, doing.arm
        now = np.array([time_h])
        true, seen = (true_scores(writer.cloud, arm, doing.values, hours) for hours in (now, writer.seen_h))
        rated = ByScale(lambda name: written_down(writer.drawn(name, now, true, seen), name)[:, 0])
        before = ByScale(lambda name: writer.baseline(name, seen))
        for one in self.decisions:
            if one.time_h == time_h:
                holds = one.condition.holds(rated, before) & (arm.status == 0)
                for given in doing.ledger.decide(one, holds):
                    arm.session(given)

    def given(self, from_h: float) -> tuple[FloatArray, FloatArray]:
        """Sessions with ketamine in any form that began after an hour, and their mg, each [people]."""
        assert self._doing is not None  # asked for after a run, and every run has a decision
        mg, sessions = np.zeros(len(self.writer.cloud)), {}
        for who, one, amount, _ in self._doing.arm.given:
            if one.time_h > from_h and DRUGS[one.drug].kind == "ketamine":
                mg[who] += amount
                sessions.setdefault(one.session, np.zeros(len(mg)))[who] = 1.0
        return np.sum([np.zeros(len(mg)), *sessions.values()], axis=0), mg
