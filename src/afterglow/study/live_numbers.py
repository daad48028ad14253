"""The few numbers under the curves: response, remission, time to relapse, and the worst moments of the sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from afterglow.clinic import outcome
from afterglow.clinic.quantity import Amount, duration_text
from afterglow.clinic.regimen import SESSION_H
from afterglow.study import intervals
from afterglow.study.live_people import MADRS, Intake, Lived, Order, go
from afterglow.study.quantities import QUANTITIES
from afterglow.study.tables import DAY_1_H, RELAPSE_RULE, WEEK_H

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
WEEK_4 = 4
RATED_H = (2.0, 4.0, DAY_1_H)  # ratings of a usual trial after the first dose, then weekly
# What the calibration leaves open in a share: the same people under so many draws.
DRAWS, PEOPLE = 16, 24
RISKS = ("cadss", "systolic", "nausea", "sedation")


@dataclass(frozen=True)
class Estimate:
    """A number with its 90 % interval; without a value, `help` says why."""

    key: str
    label: str
    unit: str
    value: float | None
    lo90: float | None
    hi90: float | None
    help: str


@dataclass(frozen=True)
class Risk:
    """A worst moment over the sessions: mean over people, and what one person in 20 exceeds."""

    key: str
    label: str
    unit: str
    value: float
    p95: float


@dataclass(frozen=True)
class Given:
    """One dose of a session, over the people who got it."""

    time_h: float
    drug: str
    route: str
    mg_mean: float
    over_h: float
    people: int
    title: str
    reason: str


# ------------------------------------------------------------------------------------------------ outcomes


def estimates(order: Order, run: Lived, first_h: float, coarse: bool) -> list[Estimate]:
    """Response a day after the first dose, remission at week 4 and time to relapse, on scores as written down.

    Args:
        order: what was simulated.
        run: what came of it.
        first_h: start of the first session.
        coarse: leave the calibration out of the intervals, which takes a further run.
    """
    weeks = order.weeks
    week = min(WEEK_4, int(weeks))
    day_1, last = first_h + DAY_1_H, week * WEEK_H
    scores = run.rated[:, run.fine].T.astype(np.float64)
    ratings = run.time_h[_rated(run.time_h, first_h)]
    drawn = () if coarse else _under_draws(_visits(order, (day_1, last, *ratings)))
    after = "the first dose" if run.intakes else "the beginning"
    early = "" if day_1 <= weeks * WEEK_H else " by the end of the weeks shown"
    late = "" if week == WEEK_4 else f" (week 4 lies after the {weeks:g} weeks shown)"
    covers = _covers(len(scores), coarse)
    return [
        _share(
            "response", f"Response a day after {after}", _responded(scores[:, [0, _at(run, day_1)]]),
            [_responded(one[:, [2, 0]]) for one in drawn],
            f"share whose score has fallen by half or more{early}. {covers}",
        ),
        _share(
            "remission", f"Remission at week {week}", _remitted(scores[:, _at(run, last)]),
            [_remitted(one[:, 1]) for one in drawn],
            f"share with a score of 10 or less{late}. {covers}",
        ),
        _relapse(ratings, scores[:, _rated(run.time_h, first_h)], [one[:, 2:] for one in drawn]),
    ]  # fmt: skip


def _covers(people: int, coarse: bool) -> str:
    chance = f"90 % interval: chance among {people} virtual people"
    return chance + (" only." if coarse else f", and what the calibration leaves open ({DRAWS} draws of it).")


def _at(run: Lived, time_h: float) -> int:
    return min(int(np.searchsorted(run.time_h, time_h - 1e-6)), len(run.time_h) - 1)


def _responded(scores: FloatArray) -> FloatArray:
    """1 for response at the last of these visits, [people]; the first is the baseline."""
    return np.where(np.isfinite(scores[:, -1]), outcome.response(scores, scores[:, 0])[:, -1], np.nan)


def _remitted(scores: FloatArray) -> FloatArray:
    """1 for remission, [people]."""
    return np.where(np.isfinite(scores), outcome.remission(scores), np.nan)


def _share(key: str, label: str, hits: FloatArray, draws: Sequence[FloatArray], words: str) -> Estimate:
    main = intervals.fraction(hits)
    low, high = intervals.interval("fraction", main, [intervals.fraction(one) for one in draws])
    value, low, high = (100.0 * float(x) for x in (main.value, low, high))
    return Estimate(key, label, "%", value, low, high, words)


def _visits(order: Order, times: tuple[float, ...]) -> Order:
    """The same for a few people and the score at a few times; the key of what is kept."""
    end = order.weeks * WEEK_H
    return replace(order, rows=range(PEOPLE), times=tuple(min(one, end) for one in times), names=("madrs",))


@lru_cache(maxsize=64)
def _under_draws(order: Order) -> list[FloatArray]:
    """Scores as written down [people, times] of the same people under each of some draws."""
    times = np.unique(order.times)
    block = order.crowd.under_draws(PEOPLE, DRAWS)
    arm, values = go(replace(order, times=tuple(times.tolist())), [block])
    rated = arm.measured("MADRS", values[:, :, arm.outputs.index(MADRS)], times, block)
    rated = np.where((arm.status == 0)[:, None], rated, np.nan)
    return np.split(rated[:, np.searchsorted(times, order.times)], DRAWS)


def _rated(time_h: FloatArray, first_h: float) -> BoolArray:
    """Times at which a usual trial rates: the baseline, `RATED_H` after the first dose, every week."""
    early = np.isin(time_h, [round(first_h + after, 9) for after in RATED_H])
    return np.asarray(early | (time_h % WEEK_H == 0))


def _relapse(times: FloatArray, scores: FloatArray, drawn: Sequence[FloatArray]) -> Estimate:
    """Median time from a confirmed response to relapse, read at the ratings of a usual trial.

    Args:
        times: of the ratings, h; the first is the baseline.
        scores: of everybody, [people, times].
        drawn: of a few people under each of some draws of the calibration; none where they are left out.
    """
    key, label = "relapse", "Median days from response to relapse"
    rule = "back at half of the first score or more, and at 18 or more, at two ratings in a row"
    waits = _waits(times, scores)
    count = len(waits[0])
    if not count:
        return Estimate(key, label, "d", None, None, None, "nobody responds at two ratings in a row")
    middle, low, high = median_wait(*waits, [_waits(times, one) for one in drawn])
    # Ratings are weekly: a relapse that is seen at one of them came at any time since the one before.
    low = low and max(low - WEEK_H, 0.0) / 24.0
    if middle is None:
        words = f"fewer than half of the {count} people who respond relapse in the weeks shown ({rule})"
        return Estimate(key, label, "d", None, low, None, words)
    words = (
        f"{rule}. 90 % interval: chance among the {count} people who respond"
        + (f", what the calibration leaves open ({len(drawn)} draws of it)" if drawn else "")
        + ", and the week between two ratings, in which a relapse is not seen"
    )
    if high is None:
        words += "; its upper end lies beyond the weeks shown"
    return Estimate(key, label, "d", middle / 24.0, low, high and high / 24.0, words)


def _waits(times: FloatArray, scores: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Hours from response to relapse or to the end of those who respond, and whether it was a relapse."""
    scores = scores[np.isfinite(scores).all(axis=1)]
    response = outcome.response(scores, scores[:, 0])
    confirmed = np.column_stack([response[:, :-1] & response[:, 1:], np.zeros(len(scores), dtype=bool)])
    first = outcome.time_to_first(confirmed, times)
    since = np.where(times >= first[:, None], scores, np.nan)
    back = outcome.relapse(since, scores[:, 0], times, RELAPSE_RULE)
    return back.time_h[back.at_risk], back.event[back.at_risk]


def median_wait(
    wait: FloatArray, event: BoolArray, drawn: Sequence[tuple[FloatArray, BoolArray]] = ()
) -> tuple[float | None, float | None, float | None]:
    """Kaplan-Meier median and its 90 % interval; None for what is not reached.

    The interval holds the times at which the share still free is not told from a half (Greenwood's variance). With
    waits under draws of the calibration, the variance of the share over the draws is added to it, and the quantile of
    the normal becomes that of t.

    Source: Brookmeyer R, Crowley J (1982) Biometrics 38:29-41.
    """
    times, free = outcome.kaplan_meier(wait, event)
    if not len(times):
        return None, None, None
    at_risk = len(wait) - np.searchsorted(np.sort(wait), times, side="left")
    events = np.round(at_risk * (1.0 - free / np.concatenate([[1.0], free[:-1]])))
    with np.errstate(divide="ignore", invalid="ignore"):
        greenwood = free**2 * np.cumsum(events / (at_risk * (at_risk - events)))
    variance = np.where(free > 0, greenwood, 0.0)
    shares = [_free(*one, times) for one in drawn if len(one[0])]
    known = len(shares) > 1
    if known:
        variance = variance + np.var(shares, axis=0, ddof=1)
    away = _quantile(len(shares) if known else 0) * np.sqrt(variance)

    def reached(share: FloatArray) -> float | None:
        found = times[share <= 0.5 + 1e-12]
        return float(found[0]) if len(found) else None

    return reached(free), reached(free - away), reached(free + away)


def _free(wait: FloatArray, event: BoolArray, at: FloatArray) -> FloatArray:
    """Kaplan-Meier share still free at some times."""
    times, free = outcome.kaplan_meier(wait, event)
    return np.concatenate([[1.0], free])[np.searchsorted(times, at, side="right")]


def _quantile(draws: int) -> float:
    """The 95 % quantile: of t with so many draws, of the normal without."""
    from scipy.special import ndtri, stdtrit

    return float(stdtrit(draws - 1, 0.95) if draws else ndtri(0.95))


# ------------------------------------------------------------------------------------------------ sessions


def risks(run: Lived) -> list[Risk]:
    """Worst moments at the times of the run; nausea is the chance in any of the sessions."""
    found = []
    for name in RISKS:
        quantity, values = QUANTITIES[name], run.values[name]
        worst = values.max(axis=0)[run.fine].astype(np.float64)
        label, unit = quantity.label, quantity.unit
        if name == "nausea":
            worst, label = _ever(run, values / quantity.factor)[run.fine] * quantity.factor, "Nausea in any session"
        found.append(Risk(name, label, unit, float(worst.mean()), float(np.quantile(worst, 0.95))))
    return found


def _ever(run: Lived, chance: NDArray[np.floating]) -> FloatArray:
    """Chance of an event in any session, [people]: sessions count as independent of each other."""
    none = np.ones(chance.shape[1])
    for intakes in _sessions(run.intakes).values():
        who, start = np.unique(np.concatenate([one.people for one in intakes])), intakes[0].what.time_h
        inside = (run.time_h >= start) & (run.time_h <= start + SESSION_H)
        if inside.any():
            none[who] *= 1.0 - chance[np.ix_(inside, who)].max(axis=0)
    return 1.0 - none


def _sessions(intakes: Sequence[Intake]) -> dict[int | None, list[Intake]]:
    found: dict[int | None, list[Intake]] = {}
    for one in sorted(intakes, key=lambda one: one.what.time_h):
        found.setdefault(one.what.session, []).append(one)
    return found


def given(run: Lived) -> list[Given]:
    """Doses of the sessions by time; what is given in several parts of one session is one dose."""
    rows: dict[tuple[object, ...], list[Intake]] = {}
    for one in sorted(run.intakes, key=lambda one: one.what.time_h):
        rows.setdefault((one.what.session, one.what.drug, one.what.route, one.reason), []).append(one)
    found = []
    for some in rows.values():
        what, people = some[0].what, np.unique(np.concatenate([one.people for one in some]))
        mg = sum(float(one.mg.sum()) for one in some) / len(people)
        found.append(
            Given(what.time_h, what.drug, what.route, mg, what.over_h, len(people), _title(some), some[0].reason)
        )
    return found


def _title(some: Sequence[Intake]) -> str:
    """A dose in words; its amount is that of one person who got all parts."""
    what, first = some[0].what, some[0].people[0]
    amount = sum(one.what.amount for one in some if first in one.people)
    dose = f" {Amount(amount, what.per_kg)}" if amount else ""
    return f"{what.drug} {what.route}{dose}" + (f" over {duration_text(what.over_h)}" if what.over_h else "")
