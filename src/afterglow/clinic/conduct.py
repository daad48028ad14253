"""How a trial is conducted: visits off schedule, visits and sessions missed, people who leave, raters who drift.

Times are hours since the patient's own first dose. Chance is keyed by patient and by the scheduled hour of a visit or
the number of a session, so that further visits, sessions or patients move nobody else's luck. A lower chance keeps a
part of the events of a higher one, so that designs can be compared on the same people.

What is missing here is missing at random: it depends on nothing, on measured scores (lack of effect), or on what
happened in a session (side effects), never on a score that was not taken. An analysis that does not use side effects
meets the last kind as not quite at random.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from afterglow import streams
from afterglow.errors import Fault, InputError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

WEEK_H = 168.0
# Middles of five equal parts of a window of -1 to 1: their spread is close to that of a uniform time.
_OFFSETS = np.array([-0.8, -0.4, 0.0, 0.4, 0.8])


# ------------------------------------------------------------------------------------------------ visits


@dataclass(frozen=True)
class Candidates:
    """The hours at which visits can take place: a run keeps all of them, and each person is read at one per visit."""

    nominal_h: FloatArray  # scheduled, [visits]
    time_h: FloatArray  # every candidate, sorted: those of the first visit, of the second, ...
    first: IntArray  # place in `time_h` of each visit's first candidate, [visits]
    count: IntArray  # candidates of each visit, [visits]


def candidates(nominal_h: Sequence[float], window_h: Sequence[float], where: str = "visits") -> Candidates:
    """Candidate hours of visits: five spread over the window, or the scheduled one where there is no window.

    Args:
        nominal_h: scheduled hours, rising.
        window_h: how much earlier or later a visit may be, h, for each visit; 0 for none.
        where: place that faults are reported at.

    Raises:
        InputError: visits do not rise, a window is negative, reaches before the first dose or into another one.
    """
    pairs = list(zip(nominal_h, window_h, strict=True))
    found: list[Fault] = []
    for hour, window in pairs:
        if not (np.isfinite(hour) and np.isfinite(window) and window >= 0):
            found.append(Fault(where, f"a visit at {hour:g} h with a window of {window:g} h", "a window is 0 or more"))
        elif window > 0 and hour - window < 0:
            problem = f"the window of the visit at {hour:g} h begins before the first dose"
            found.append(Fault(where, problem, f"at most {max(hour, 0):g} h"))
    for (hour, window), (later, its_window) in pairwise(pairs):
        if later <= hour:
            found.append(Fault(where, f"a visit at {later:g} h follows one at {hour:g} h", "sort them"))
        elif hour + window > later - its_window + 1e-9:
            problem = f"the windows of the visits at {hour:g} and {later:g} h overlap"
            found.append(Fault(where, problem, f"together at most {later - hour:g} h"))
    if found:
        raise InputError(found)
    times = [hour + window * (_OFFSETS if window else np.zeros(1)) for hour, window in pairs]
    count = np.array([len(one) for one in times], dtype=np.int64)
    joined = np.concatenate([np.empty(0), *times])
    return Candidates(np.asarray(nominal_h, dtype=np.float64), joined, np.cumsum(count) - count, count)


def actual_visits(grid: Candidates, patients: range, seed: int, replicate: int = 0) -> IntArray:
    """Which candidate hour each person is seen at: places in `grid.time_h`, [patients, visits], rising in a row."""
    luck = _by_hour(seed, replicate, patients, "trial/visit time", grid.nominal_h)
    return grid.first + (luck * grid.count).astype(np.int64)


def missed(time_h: ArrayLike, patients: range, seed: int, replicate: int = 0, *, chance: float) -> BoolArray:
    """Which visits a person misses, [patients, visits]; the baseline, at hour 0 or before, never.

    Args:
        time_h: scheduled hours, [visits].
        patients: numbers of the patients.
        seed: the run's seed.
        replicate: number of the trial replicate.
        chance: probability of missing a visit, independent between visits.
    """
    hours = np.asarray(time_h, dtype=np.float64)
    return (_by_hour(seed, replicate, patients, "trial/missed visit", hours) < chance) & (hours > 0)


def missed_sessions(
    sessions: Sequence[int], patients: range, seed: int, replicate: int = 0, *, chance: float
) -> BoolArray:
    """Which treatment sessions a person misses, [patients, sessions].

    Args:
        sessions: numbers of the sessions that can be missed; leave out 1 where people enter by their first dose.
        patients: numbers of the patients.
        seed: the run's seed.
        replicate: number of the trial replicate.
        chance: probability of missing a session, independent between sessions.
    """
    draws = [streams.uniform(seed, replicate, patients, f"trial/missed session/{number}") for number in sessions]
    return np.concatenate([np.empty((len(patients), 0)), *draws], axis=1) < chance


def _by_hour(seed: int, replicate: int, patients: range, purpose: str, hours: FloatArray) -> FloatArray:
    """Uniform draws, [patients, hours], keyed by the hour."""
    draws = [streams.uniform(seed, replicate, patients, f"{purpose}/{hour:.4f}") for hour in hours]
    return np.concatenate([np.empty((len(patients), 0)), *draws], axis=1)


# ------------------------------------------------------------------------------------------------ leaving


class Reason(IntEnum):
    """Why a person left a trial."""

    NONE = 0
    AT_RANDOM = 1
    LACK_OF_EFFECT = 2
    SIDE_EFFECTS = 3


@dataclass(frozen=True)
class Leaving:
    """Who leaves, arrays [patients]."""

    time_h: FloatArray  # when, h; infinite for those who attend the last visit
    visit: IntArray  # the first visit no longer attended; the number of visits for completers
    reason: IntArray  # a `Reason`


@dataclass(frozen=True)
class Occasions:
    """Moments after which a person may leave: visits without effect, or sessions with side effects."""

    time_h: ArrayLike  # scheduled hours, [occasions]
    holds: BoolArray  # whether there is a reason to leave, [patients, occasions]; false where not attended
    chance: float  # of leaving at each such occasion


def leaving(
    visit_h: ArrayLike,
    patients: range,
    seed: int,
    replicate: int = 0,
    *,
    hazard_per_week: float = 0.0,
    lack_of_effect: Occasions | None = None,
    side_effects: Occasions | None = None,
) -> Leaving:
    """Who leaves the trial, when and why; the earliest reason wins.

    A visit at the very hour of a session comes before its dose, so that it is still attended by those whom the session
    drives away. Nobody leaves before the baseline is taken.

    Args:
        visit_h: scheduled hours of the visits, rising, [visits].
        patients: numbers of the patients.
        seed: the run's seed.
        replicate: number of the trial replicate.
        hazard_per_week: constant hazard of leaving for no reason in the model, from hour 0.
        lack_of_effect: visits at which a measured score is poor.
        side_effects: sessions in which side effects were strong.
    """
    hours = np.asarray(visit_h, dtype=np.float64)
    luck = streams.uniform(seed, replicate, patients, "trial/leaving/at random")[:, 0]
    with np.errstate(divide="ignore", over="ignore"):  # without a hazard nobody ever leaves
        at_random = -np.log(luck) * WEEK_H / np.float64(hazard_per_week)
    times = np.stack(
        [
            at_random,
            _first(lack_of_effect, patients, seed, replicate, "trial/leaving/lack of effect"),
            _first(side_effects, patients, seed, replicate, "trial/leaving/side effects"),
        ]
    )
    time = times.min(axis=0)
    visit = np.searchsorted(hours, time, side="right")
    left = visit < len(hours)
    reason = np.where(left, times.argmin(axis=0) + Reason.AT_RANDOM, Reason.NONE)
    return Leaving(np.where(left, time, np.inf), visit, reason)


def _first(occasions: Occasions | None, patients: range, seed: int, replicate: int, purpose: str) -> FloatArray:
    """Hour of the first occasion at which each person leaves; infinite where there is none."""
    if occasions is None:
        return np.full(len(patients), np.inf)
    hours = np.asarray(occasions.time_h, dtype=np.float64)
    if occasions.holds.shape != (len(patients), len(hours)):
        raise ValueError(f"holds has shape {occasions.holds.shape}, expected {(len(patients), len(hours))}")
    goes = occasions.holds & (_by_hour(seed, replicate, patients, purpose, hours) < occasions.chance)
    return np.where(goes, hours, np.inf).min(axis=1, initial=np.inf)


# ------------------------------------------------------------------------------------------------ raters


def rater_error(
    time_h: ArrayLike,
    patients: range,
    seed: int,
    replicate: int = 0,
    *,
    raters: int,
    bias_sd: float = 0.0,
    drift_per_week: float = 0.0,
    drift_sd: float = 0.0,
) -> FloatArray:
    """Points to add to the scores, [patients, visits]: each rater's constant bias and drift.

    A patient keeps one rater, by number. Dates of enrolment are not modelled, so drift grows with the time since the
    patient's own first dose, not since the start of the trial.

    Args:
        time_h: hours of the visits, [visits], or [patients, visits] where people are seen at different hours.
        patients: numbers of the patients.
        seed: the run's seed.
        replicate: number of the trial replicate.
        raters: how many raters there are, at least 1.
        bias_sd: SD between raters of their bias, points.
        drift_per_week: mean drift, points a week; negative where raters grow lenient.
        drift_sd: SD between raters of their drift, points a week.
    """
    rater = np.asarray(patients) % raters
    luck = streams.normal(seed, replicate, range(raters), "trial/rater", 2)
    bias, drift = bias_sd * luck[rater, :1], drift_per_week + drift_sd * luck[rater, 1:]
    return bias + drift * np.maximum(np.asarray(time_h, dtype=np.float64), 0.0) / WEEK_H
