"""Steady state of repeated doses in a linear part of a model: closed form, many people at once.

Amounts x above the untreated state follow x' = A x + rate. After endlessly many equal periods the state at the start
of a period is what the period's own map returns: x = (I - E)^-1 v, with x -> E x + v the map of one period.

Arrays: m people (or doses), n states of the part; A is [m, n, n], amounts are [m, n].

Source: Gibaldi M, Perrier D (1982) Pharmacokinetics, 2nd edition, chapter 3 (superposition); SS as in NONMEM Users
Guide VI (PREDPP), V.F.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Equations = Callable[[FloatArray, FloatArray], Sequence[ArrayLike]]
LINEAR = 1e-9  # how far, relatively, rates may be from a straight line
SAME_TIME = 1e-9  # h
IS_LINEAR, IS_CURVED, NOT_AT_REST, FROM_OUTSIDE, NOT_FINITE = range(5)


def rates_of(rates: Equations, y: FloatArray, slots: FloatArray) -> FloatArray:
    """Rates (per hour) [states, m] of y [states, m] and slots [slots, m]."""
    with np.errstate(all="ignore"):
        return np.array([np.broadcast_to(np.asarray(r, dtype=float), y.shape[1:]) for r in rates(y, slots)])


def rate_matrices(
    rates: Equations, start: FloatArray, slots: FloatArray, part: Sequence[int]
) -> tuple[FloatArray, IntArray]:
    """A (1/h) of the states `part` for each person, and what is to be said of it.

    Args:
        rates: rates per hour (y, p) of all states, rows of arrays allowed.
        start: untreated values [states, m] of all states, in their units.
        slots: parameter slots [slots, m]; infusion rates must be 0.
        part: numbers of the states.

    Returns:
        A [m, n, n] and [m] one of IS_LINEAR, IS_CURVED, NOT_AT_REST (it moves untreated), FROM_OUTSIDE (it depends on
        states that are not in the part), NOT_FINITE.
    """
    own = np.asarray(part, dtype=int)
    others = np.setdiff1d(np.arange(len(start)), own)
    n, m = len(own), start.shape[1]

    def above(x: NDArray[np.floating], elsewhere: float = 0.0) -> FloatArray:
        y = start.copy()
        y[own] += x
        y[others] += elsewhere
        return rates_of(rates, y, slots)[own]

    base = np.abs(start[own])
    h = np.maximum(1.0, base.max(axis=0, initial=0.0))
    rest = above(np.zeros((n, m)))
    a = np.stack([(above(h * e[:, None]) - rest) / h for e in np.eye(n)], axis=1)  # [n, n, m]
    curved, outside = np.zeros(m, bool), np.zeros(m, bool)
    finite = np.isfinite(a).all(axis=(0, 1))
    a = np.where(np.abs(a) < 1e-13 * np.abs(a).max(axis=(0, 1), initial=0.0), 0.0, a)
    with np.errstate(invalid="ignore"):
        standing = np.einsum("ijm,jm->im", np.abs(a), base)
        direction = 1.0 + 0.37 * np.arange(n)
        for size in (1e-3, 1.0, 1e3, 1e6):
            line = size * np.einsum("ijm,j->im", a, direction)
            room = LINEAR * (size * np.einsum("ijm,j->im", np.abs(a), direction) + standing) + 1e-300
            found = above(np.broadcast_to(size * direction[:, None], (n, m)))
            curved |= ~(np.abs(found - rest - line) <= room).all(axis=0)
            if len(others):
                apart = above(np.broadcast_to(size * direction[:, None], (n, m)), 1.0)
                outside |= ~(np.abs(apart - found) <= room).all(axis=0)
        moves = (np.abs(rest) > LINEAR * standing + 1e-300).any(axis=0)
    said = np.select([~finite, outside, curved, moves], [NOT_FINITE, FROM_OUTSIDE, IS_CURVED, NOT_AT_REST], IS_LINEAR)
    return np.ascontiguousarray(a.transpose(2, 0, 1)), said


def endless_infusions(a: FloatArray, into: int, rate: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Amounts (mg) [m, n] after endless infusions of `rate` (mg/h) into state `into`; False where amounts never leave.

    All A must have the same zeros.
    """
    reach, leaves = _reached(a, into)
    x = np.zeros(a.shape[:2])
    entry = (np.asarray(reach) == into).astype(float)
    small = a[leaves][:, reach][:, :, reach]
    x[np.flatnonzero(leaves)[:, None], reach] = np.linalg.solve(-small, (rate[leaves, None] * entry)[..., None])[..., 0]
    return x, leaves


def repeated_doses(
    a: FloatArray, into: int, amount: FloatArray, duration: FloatArray, interval: FloatArray, phase: FloatArray
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Amounts (mg) [m, n] at `phase` hours after the last of endlessly many equal doses; False where they never leave.

    Args:
        a: rates (1/h) [m, n, n], all with the same zeros.
        into: number of the state that takes the doses.
        amount: of each dose (mg).
        duration: of each infusion (h), longer than the interval if need be; 0 for a bolus.
        interval: between starts (h), above 0.
        phase: above 0 up to `interval`; the interval itself is the moment before the next dose.
    """
    reach, leaves = _reached(a, into)
    shape = a.shape[:2]
    a, amount, duration = a[leaves][:, reach][:, :, reach], amount[leaves], duration[leaves]
    interval, phase = interval[leaves], phase[leaves]
    entry = (np.asarray(reach) == into).astype(float)
    jump = np.where(duration == 0, amount, 0.0)[:, None] * entry
    pieces = [(length, rate[:, None] * entry) for length, rate in periods(amount, duration, interval)]
    grow, shift = np.broadcast_to(np.eye(len(reach)), a.shape), jump
    for length, rate in pieces:
        e, v = _flow(a, rate, length)
        grow, shift = e @ grow, (e @ shift[..., None])[..., 0] + v
    x = np.linalg.solve(np.eye(len(reach)) - grow, shift[..., None])[..., 0]
    if (phase < interval).any():
        x, left = x + jump, phase
        for length, rate in pieces:
            e, v = _flow(a, rate, np.minimum(length, left))
            x, left = (e @ x[..., None])[..., 0] + v, left - np.minimum(length, left)
    out = np.zeros(shape)
    out[np.flatnonzero(leaves)[:, None], reach] = x
    return out, leaves


def periods(amount: FloatArray, duration: FloatArray, interval: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
    """The pieces of one period: their lengths (h) and the total rate (mg/h) of all infusions that run in them.

    Infusions longer than the interval overlap: `whole` of them always run, and one more for a while after each start.
    """
    whole = np.floor((duration + SAME_TIME) / interval)
    more = np.maximum(0.0, duration - whole * interval)
    rate = np.divide(amount, duration, out=np.zeros_like(amount), where=duration > 0)
    return [(more, (whole + 1) * rate), (interval - more, whole * rate)]


def _flow(a: FloatArray, rate: FloatArray, time: FloatArray) -> tuple[FloatArray, FloatArray]:
    """E and v of x -> E x + v over `time` hours [m] with constant `rate` [m, n]."""
    m, n = rate.shape
    both = np.zeros((m, n + 1, n + 1))
    both[:, :n, :n], both[:, :n, n] = a, rate
    e = exponential(both * time[:, None, None])
    return e[:, :n, :n], e[:, :n, n]


def exponential(a: FloatArray) -> FloatArray:
    """exp of each matrix [m, n, n]: Pade's approximation of degree 6 after halving, then squaring.

    Source: Golub GH, Van Loan CF (2013) Matrix Computations, 4th edition, section 9.3.
    """
    norm = float(np.abs(a).sum(axis=2).max(initial=0.0))
    halvings = max(0, int(np.ceil(np.log2(norm))) + 1) if norm > 0 else 0
    x, one = a / 2.0**halvings, np.eye(a.shape[-1])
    above, below, power, c = one + 0.5 * x, one - 0.5 * x, x, 0.5
    for k in range(2, 7):
        c *= (7 - k) / (k * (13 - k))
        power = x @ power
        above, below = above + c * power, below + (-1.0) ** k * c * power
    out = np.asarray(np.linalg.solve(below, above), dtype=float)
    for _ in range(halvings):
        out = out @ out
    return out


def _reached(a: FloatArray, into: int) -> tuple[list[int], NDArray[np.bool_]]:
    """States that a dose into `into` reaches, and in whom all of it leaves them again."""
    found, todo = {into}, [into]
    while todo:
        for k in np.flatnonzero(a[0, :, todo.pop()]):
            if int(k) not in found:
                found.add(int(k))
                todo.append(int(k))
    reach = sorted(found)
    slowest = np.linalg.eigvals(a[:, reach][:, :, reach]).real.max(axis=1)
    return reach, slowest < -1e-12 * np.maximum(1e-300, np.abs(a).max(axis=(1, 2)))
