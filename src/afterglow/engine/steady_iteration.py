"""Steady state of repeated doses in a part of a model that is not linear: by iteration, many people at once.

The map of one dosing period (state before a dose -> state before the next) is run by the engine itself. Its fixed point
is found by Newton's method; the map's derivative comes from running the period once more for each state, a little
displaced. Steps are kept near to where the period itself leads, and ever nearer when they go to and fro, so that the
search stays where repeated doses lead.

Source: shooting for periodic solutions, Stoer J, Bulirsch R (2002) Introduction to Numerical Analysis, 3rd edition,
section 7.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afterglow.engine.actions import ADD_STATE, SET_SLOT, Actions
from afterglow.engine.batch import LANES, Engine, Pause
from afterglow.engine.steady_linear import SAME_TIME, periods

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
TOLERANCE = 1e-7  # how far, relatively, the state may be from the steady state before the last correction
MOST = 60  # Newton's steps
HEAP = 1e5  # doses' worth; whoever holds more piles up
FARTHEST = 4.0  # how many times what one period alone leads to
DISPLACED = 1e-4  # relatively
REACHED, RUN_FAILED, PILES_UP, UNDECIDED, UNSTABLE = range(5)


@dataclass(frozen=True)
class Repeated:
    """m regular doses, one each `interval` (h), all arrays [m]; the state is wanted `phase` h after the last.

    `into` and `slot` are the numbers of the state and of its rate slot (-1 where a bolus needs none).
    """

    into: IntArray
    slot: IntArray
    amount: FloatArray
    duration: FloatArray
    interval: FloatArray
    phase: FloatArray

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Repeated:
        """Some of them."""
        whole, times = (self.into[rows], self.slot[rows]), (self.duration[rows], self.interval[rows], self.phase[rows])
        return Repeated(*whole, self.amount[rows], *times)

    def actions(self) -> Actions:
        """What one period does: the dose at its start, and all infusions that run."""
        actions = Actions()
        for k in map(int, np.unique(self.into[self.duration == 0])):
            who = np.flatnonzero((self.into == k) & (self.duration == 0))
            actions.add(ADD_STATE, who, 0.0, k, self.amount[who])
        (more, high), (_, low) = periods(self.amount, self.duration, self.interval)
        for k in map(int, np.unique(self.slot[self.duration > 0])):
            who = np.flatnonzero((self.slot == k) & (self.duration > 0))
            short = more[who] <= SAME_TIME
            actions.add(SET_SLOT, who, 0.0, k, np.where(short, low[who], high[who]))
            actions.add(SET_SLOT, who[~short], more[who[~short]], k, low[who[~short]])
        return actions


def after(engine: Engine, states: FloatArray, slots: FloatArray, doses: Repeated, hours: FloatArray) -> FloatArray:
    """States [states, m] `hours` [m] after the start of a period that begins with `states`; NaN where a run failed."""
    out = np.empty_like(states)
    for length in np.unique(hours):
        who = np.flatnonzero(hours == length)
        start = Pause(0.0, _lanes(states[:, who]), _lanes(slots[:, who]))
        done = engine.run(slots[:, who], doses.take(who).actions(), np.array([length]), [], start=start)
        found = done.end.states.transpose(1, 0, 2).reshape(len(states), -1)[:, : len(who)]
        out[:, who] = np.where(done.status == 0, found, np.nan)
    return out


def _lanes(x: FloatArray) -> FloatArray:
    """[rows, m] in groups of lanes; empty lanes repeat the last."""
    groups = -(-x.shape[1] // LANES)
    full = np.concatenate([x, np.repeat(x[:, -1:], groups * LANES - x.shape[1], axis=1)], axis=1)
    return np.ascontiguousarray(full.reshape(len(x), groups, LANES).transpose(1, 0, 2))


def iterate(
    engine: Engine, start: FloatArray, slots: FloatArray, doses: Repeated, part: Sequence[int], sizes: FloatArray
) -> tuple[FloatArray, IntArray]:
    """The steady state of each of m regular doses, at `phase` hours after the last.

    Args:
        engine: runs the periods; its tolerance bounds the accuracy.
        start: untreated values [states, m].
        slots: parameter slots [slots, m]; infusion rates must be 0.
        doses: what is repeated.
        part: numbers of the states that doses act on.
        sizes: typical magnitudes [states].

    Returns:
        States [part, m] and a status [m]: REACHED; RUN_FAILED (the engine stopped), PILES_UP (more than HEAP doses'
        worth came together, or still grows after MOST steps), UNDECIDED (not within TOLERANCE after MOST steps),
        UNSTABLE (doses lead away from it).
    """
    own = np.asarray(part, dtype=int)
    m = start.shape[1]
    size = np.maximum(sizes[own, None], np.abs(start[own]))
    heap = HEAP * np.maximum(size, doses.amount)
    x, status = start[own].copy(), np.full(m, UNDECIDED, dtype=np.int64)
    span, went, grows = np.full(m, FARTHEST), np.zeros(x.shape), np.zeros(m, bool)
    for _ in range(MOST):
        todo = np.flatnonzero(status == UNDECIDED)
        if not len(todo):
            break
        old, unit = x[:, todo], size[:, todo]
        image, slope = _map(engine, start[:, todo], slots[:, todo], doses.take(todo), own, old, unit)
        failed = np.asarray(~(np.isfinite(image).all(axis=0) & np.isfinite(slope).all(axis=(1, 2))))
        step, stable = _newton(image - old, np.where(failed[:, None, None], 0.0, slope))
        reach = np.maximum(np.abs(old), unit)
        moved = np.abs((image - old) / unit).max(axis=0)
        near = (np.abs(step) <= TOLERANCE * reach).all(axis=0) & (moved <= TOLERANCE * (reach / unit).max(axis=0))
        piled = ((np.abs(image) > heap[:, todo]) & (np.abs(image) > np.abs(old))).any(axis=0)
        status[todo] = np.select(
            [failed, piled, near & stable, near], [RUN_FAILED, PILES_UP, REACHED, UNSTABLE], UNDECIDED
        )
        grows[todo] = (image - old > 0.01 * doses.amount[todo]).any(axis=0)
        new = _kept(old + step, image, span[todo], unit)
        back = (((new - old) / unit) * went[:, todo]).sum(axis=0) < 0  # beyond the goal: shorter from now on
        span[todo] = np.where(back, np.sqrt(span[todo]), span[todo])
        new = np.where(near, old + step, _kept(old + step, image, span[todo], unit))
        x[:, todo], went[:, todo] = new, (new - old) / unit
    status[(status == UNDECIDED) & grows] = PILES_UP
    late = np.flatnonzero((status == REACHED) & (doses.phase < doses.interval))
    if len(late):
        states = start[:, late].copy()
        states[own] = x[:, late]
        x[:, late] = after(engine, states, slots[:, late], doses.take(late), doses.phase[late])[own]
    return x, status


def _map(
    engine: Engine,
    start: FloatArray,
    slots: FloatArray,
    doses: Repeated,
    own: IntArray,
    x: FloatArray,
    unit: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Where one period leads from x [n, m], and the derivative of that [m, n, n]."""
    n, m = x.shape
    shift = DISPLACED * np.maximum(np.abs(x), unit)
    many = np.arange(m * (n + 1)) % m  # everybody, then everybody with the first state displaced, ...
    states = start[:, many]
    states[own] = x[:, many]
    for k in range(n):
        states[own[k], (k + 1) * m : (k + 2) * m] += shift[k]
    there = after(engine, states, slots[:, many], doses.take(many), doses.interval[many])[own].reshape(n, n + 1, m)
    return there[:, 0], ((there[:, 1:] - there[:, :1]) / shift).transpose(2, 0, 1)


def _kept(new: FloatArray, image: FloatArray, span: FloatArray, unit: FloatArray) -> FloatArray:
    """`new`, but of the sign of what one period alone leads to, and at most `span` times as much or as little."""
    some = np.abs(image) > TOLERANCE * unit
    most = span * np.where(some, np.abs(image), unit)
    low = np.where(some & (image > 0), image / span, -most)
    high = np.where(some & (image < 0), image / span, most)
    return np.clip(np.where(np.isfinite(new), new, image), low, high)


def _newton(gap: FloatArray, slope: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Newton's step [n, m] to the fixed point, and whether periods lead towards it."""
    n, m = gap.shape
    step = np.full((n, m), np.inf)
    matrix = np.eye(n) - slope
    regular = np.flatnonzero(np.isfinite(gap).all(axis=0) & (np.abs(np.linalg.det(matrix)) > 0))
    step[:, regular] = np.linalg.solve(matrix[regular], gap[:, regular].T[..., None])[..., 0].T
    return step, np.abs(np.linalg.eigvals(slope)).max(axis=1) < 1
