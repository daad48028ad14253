"""What happens to people of a virtual trial besides their course: visits, sessions missed, rescue, leaving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afterglow.blocks import Doing, ScoresByScale
from afterglow.clinic.conduct import Candidates, Occasions, actual_visits, candidates, leaving, missed, missed_sessions
from afterglow.clinic.course import Course
from afterglow.clinic.trial import Trial
from afterglow.clinic.visits import PEAK_H
from afterglow.simulate import Arm

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

ACUTE = {
    "CADSS": "acute_effects.cadss",
    "systolic": "acute_effects.systolic_rise",
    "nausea": "acute_effects.nausea_risk",
    "dizziness": "acute_effects.dizziness_risk",
    "sedation": "acute_effects.sedation",
}
FROM_SESSION = 2  # people enter by their first session, so that one is never missed


@dataclass(frozen=True)
class Diary:
    """When people of one replicate are seen, the same in every arm; the first column is the baseline.

    Attributes:
        place: places among all candidate hours, [people, visits].
        kept: whether the visit is kept, [people, visits].
    """

    place: IntArray
    kept: BoolArray


def calendar(trial: Trial) -> Candidates:
    """Hours at which visits can take place, the baseline first."""
    visits = trial.ordered_visits
    return candidates([0.0, *(one.at for one in visits)], [0.0, *(one.window or 0.0 for one in visits)])


def diary(trial: Trial, grid: Candidates, who: range, keep: IntArray, seed: int, replicate: int) -> Diary:
    """Visits of these people."""
    place = actual_visits(grid, who, seed, replicate)[keep]
    skipped = missed(grid.nominal_h, who, seed, replicate, chance=trial.missed_visits)[keep]
    return Diary(place, ~skipped)


@dataclass(frozen=True)
class Luck:
    """Whose chance it is: numbers of the candidates of one replicate, and which of them take part."""

    who: range
    keep: IntArray
    seed: int
    replicate: int


def leave(
    trial: Trial,
    visit_h: FloatArray,
    luck: Luck,
    poor: BoolArray | None,
    felt: tuple[FloatArray, BoolArray] | None,
) -> tuple[FloatArray, IntArray]:
    """When people leave (h, infinite for those who stay), and why (`clinic.conduct.Reason`).

    Args:
        trial: the design.
        visit_h: hours of the visits with the baseline, [visits].
        luck: of these people.
        poor: visits at which treatment does not help, [people, visits]; false where not seen.
        felt: starts of the sessions, [sessions], and whether they were too much, [people, sessions].
    """
    plan = trial.leaving

    def everybody(some: BoolArray) -> BoolArray:
        out = np.zeros((len(luck.who), some.shape[1]), dtype=bool)
        out[luck.keep] = some
        return out

    lack, side = plan.lack_of_effect, plan.side_effects
    found = leaving(
        visit_h,
        luck.who,
        luck.seed,
        luck.replicate,
        hazard_per_week=float(-np.log1p(-min(plan.at_random, 1 - 1e-12))),
        lack_of_effect=None if lack is None or poor is None else Occasions(visit_h, everybody(poor), lack.chance),
        side_effects=None if side is None or felt is None else Occasions(felt[0], everybody(felt[1]), side.chance),
    )
    return found.time_h[luck.keep], found.reason[luck.keep]


def session_peaks(arm: Arm, values: FloatArray) -> dict[str, FloatArray]:
    """Worst of each acute effect that was kept by session, [people, sessions]; NaN for sessions still to come."""
    kept = {name: output for name, output in ACUTE.items() if output in arm.outputs}
    out: dict[str, FloatArray] = {}
    starts = [start for start, _ in arm.course.sessions(arm.weeks)] if kept else []
    for name, output in kept.items():
        column = values[:, :, arm.outputs.index(output)]
        inside = [(arm.time_h >= t) & (arm.time_h <= t + PEAK_H[-1] + 1e-6) for t in starts]
        worst = [column[:, some].max(axis=1) for some in inside if some.any()]
        out[name] = np.array(worst).reshape(len(worst), len(values)).T
    return out


def felt_too_much(trial: Trial, arm: Arm, acute: dict[str, FloatArray]) -> tuple[FloatArray, BoolArray] | None:
    """Starts of the sessions and whether they were too much, [people, sessions]; None where nobody leaves for that."""
    if trial.leaving.side_effects is None or "CADSS" not in acute:
        return None
    starts = np.array([start for start, _ in arm.course.sessions(arm.weeks)][: acute["CADSS"].shape[1]])
    return starts, acute["CADSS"] >= trial.leaving.side_effects.cadss


class Rules:
    """Rescue, the end of treatment of those who are still followed, and missed sessions, while an arm runs."""

    def __init__(
        self,
        trial: Trial,
        nominal_h: FloatArray,
        diaries: Sequence[Diary],
        lucks: Sequence[Luck],
        rescue: Course | None,
        baseline_only: bool = False,
    ) -> None:
        """`baseline_only` is for the course of things without intercurrent events."""
        self.trial, self.visit_h, self.lucks, self.rescue = trial, nominal_h, lucks, rescue
        self.kept = np.concatenate([one.kept for one in diaries])
        people = len(self.kept)
        self.starts = np.cumsum([0, *(len(one.keep) for one in lucks)])
        self.rescued_h = np.full(people, np.inf)
        self.left_h = np.full(people, np.inf)  # when treatment ends, as far as is known
        self.poor = np.zeros((people, len(nominal_h)), dtype=bool)
        self.felt: tuple[FloatArray, BoolArray] | None = None  # sessions so far, and whether they were too much
        plan = trial.leaving
        reasons = plan.at_random > 0 or plan.lack_of_effect is not None or plan.side_effects is not None
        self.ends = plan.followed and reasons
        self.active = (rescue is not None or self.ends) and not baseline_only
        self.times_h: Sequence[float] = [float(t) for t in nominal_h[1:-1]] if self.active else []
        if self.ends and self.active:
            for k in range(len(lucks)):
                self._know(k)  # who stops at random is known from the beginning
        self._missed: dict[int, BoolArray] = {}

    def missed(self, session: int, time_h: float) -> BoolArray | None:
        """Who misses a session, by chance or because treatment has ended."""
        ended = self.left_h < time_h if self.ends and self.active else None
        if session < FROM_SESSION or self.trial.missed_sessions == 0:
            return ended
        by_chance = self._by_chance(session)
        return by_chance if ended is None else by_chance | ended

    def _by_chance(self, session: int) -> BoolArray:
        if session not in self._missed:
            parts = [
                missed_sessions([session], one.who, one.seed, one.replicate, chance=self.trial.missed_sessions)
                for one in self.lucks
            ]
            pairs = zip(parts, self.lucks, strict=True)
            self._missed[session] = np.concatenate([part[one.keep, 0] for part, one in pairs])
        return self._missed[session]

    def at(self, time_h: float, scores: ScoresByScale, baseline: ScoresByScale, doing: Doing) -> None:
        """Rescue those who need it, end the treatment of those who stop it."""
        visit = int(np.argmin(np.abs(self.visit_h - time_h)))
        seen = self.kept[:, visit]
        if self.ends:
            self._end(visit, scores, baseline, seen, doing)
        plan = self.trial.rescue
        if plan is None or self.rescue is None or time_h < plan.after - 1e-6:
            return
        needs = plan.condition.holds(scores, baseline) & seen & ~np.isfinite(self.rescued_h)
        who = np.flatnonzero(needs & (self.left_h > time_h))
        self.rescued_h[who] = time_h
        doing.begin(who, self.rescue, time_h, "rescue")

    def _end(self, visit: int, scores: ScoresByScale, baseline: ScoresByScale, seen: BoolArray, doing: Doing) -> None:
        plan = self.trial.leaving
        if plan.lack_of_effect is not None:
            self.poor[:, visit] = plan.lack_of_effect.condition.holds(scores, baseline) & seen
        if plan.side_effects is not None:
            self.felt = felt_too_much(self.trial, doing.arm, session_peaks(doing.arm, doing.values))
        if plan.lack_of_effect is not None or plan.side_effects is not None:
            for k in range(len(self.lucks)):
                self._know(k)
        doing.end(np.flatnonzero(self.left_h <= self.visit_h[visit] + 1e-6))

    def _know(self, replicate: int) -> None:
        """When treatment of people of a replicate ends, as far as is known by now."""
        self.left_h[self.starts[replicate] : self.starts[replicate + 1]] = self.ended(replicate)[0]

    def ended(self, replicate: int) -> tuple[FloatArray, IntArray]:
        """When treatment of people of a replicate ends, and why; see `leave`."""
        mine = slice(self.starts[replicate], self.starts[replicate + 1])
        felt = None if self.felt is None else (self.felt[0], self.felt[1][mine])
        return leave(self.trial, self.visit_h, self.lucks[replicate], self.poor[mine], felt)
