"""Steady state of repeated doses in a linear part of a model, in closed form through the matrix exponential.

Amounts x above the untreated state follow x' = A x + rate. After endlessly many equal periods the state at the start
of a period is what the period's own map returns: x = (I - E)^-1 v, with x -> E x + v the map of one period.

Source: Gibaldi M, Perrier D (1982) Pharmacokinetics, 2nd edition, chapter 3 (superposition); SS as in NONMEM Users
Guide VI (PREDPP), V.F.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from afterglow.errors import EngineError

FloatArray = NDArray[np.float64]
Equations = Callable[[FloatArray, FloatArray], Sequence[ArrayLike]]
LINEAR = 1e-9  # how far, relatively, rates may be from a straight line
SAME_TIME = 1e-9  # h


def rate_matrix(rates: Equations, start: FloatArray, slots: FloatArray, part: Sequence[int]) -> FloatArray:
    """A (1/h) of the states `part`: their rates are A times what they hold above `start`.

    Args:
        rates: rates per hour (y, p) of all states.
        start: untreated values of all states, in their units.
        slots: parameter slots of this patient; infusion rates must be 0.
        part: numbers of the states.

    Raises:
        EngineError: the part is not linear, depends on other states, or moves untreated.
    """
    own = np.asarray(part, dtype=int)
    others = np.setdiff1d(np.arange(len(start)), own)

    def f(y: FloatArray) -> FloatArray:
        with np.errstate(all="ignore"):
            return np.array([float(np.asarray(r)) for r in rates(y, slots)])[own]

    def above(x: NDArray[np.floating], elsewhere: float = 0.0) -> FloatArray:
        y = start.copy()
        y[own] += x
        y[others] += elsewhere
        return f(y)

    n, h = len(own), max(1.0, float(np.abs(start[own]).max(initial=0.0)))
    rest = above(np.zeros(n))
    a = np.column_stack([(above(h * e) - rest) / h for e in np.eye(n)])
    if not np.isfinite(a).all():
        raise EngineError("its equations give numbers that are not finite")
    a[np.abs(a) < 1e-13 * np.abs(a).max(initial=0.0)] = 0.0
    if (np.abs(rest) > LINEAR * (np.abs(a) @ np.abs(start[own])) + 1e-300).any():
        raise EngineError("its untreated state is not at rest")
    direction = 1.0 + 0.37 * np.arange(n)
    for size in (1e-3, 1.0, 1e3, 1e6):
        for elsewhere in (0.0, 1.0) if len(others) else (0.0,):
            found, line = above(size * direction, elsewhere), size * (a @ direction)
            room = LINEAR * (size * (np.abs(a) @ direction) + np.abs(a) @ np.abs(start[own]))
            if not (np.abs(found - line) <= room + 1e-300).all():
                why = "depends on states outside it" if elsewhere else "is not linear"
                raise EngineError(f"the part of the model that doses act on {why}")
    return a


def constant_infusion(a: FloatArray, into: int, rate: float) -> FloatArray:
    """Amounts (mg) after an endless infusion of `rate` (mg/h) into state number `into` of A."""
    reach = _reached(a, into)
    x = np.zeros(len(a))
    x[reach] = np.linalg.solve(-a[np.ix_(reach, reach)], rate * (np.asarray(reach) == into))
    return x


def repeated_doses(
    a: FloatArray, into: int, amount: float, duration: float, interval: float, phase: float
) -> FloatArray:
    """Amounts (mg) at `phase` hours after the last of endlessly many equal doses.

    Args:
        a: rates (1/h).
        into: number of the state that takes the doses.
        amount: of each dose (mg).
        duration: of each infusion (h), longer than the interval if need be; 0 for a bolus.
        interval: between starts (h), above 0.
        phase: above 0 up to `interval`; the interval itself is the moment before the next dose.
    """
    reach = _reached(a, into)
    small, entry = a[np.ix_(reach, reach)], (np.asarray(reach) == into).astype(float)
    jump = amount * entry if duration == 0 else 0.0 * entry
    pieces = [(interval, 0.0)]
    if duration > 0:
        whole, rest = running(duration, interval)
        rate = amount / duration
        pieces = [(rest, (whole + 1) * rate), (interval - rest, whole * rate)]
    grow, shift = np.eye(len(reach)), jump
    for length, rate in pieces:
        e, v = _flow(small, rate * entry, length)
        grow, shift = e @ grow, e @ shift + v
    x = np.linalg.solve(np.eye(len(reach)) - grow, shift) + jump
    left = phase
    for length, rate in pieces:
        e, v = _flow(small, rate * entry, min(length, left))
        x, left = e @ x + v, left - min(length, left)
    out = np.zeros(len(a))
    out[reach] = x
    return out


def running(duration: float, interval: float) -> tuple[int, float]:
    """How many infusions always overlap, and for how long (h) after each start one more does."""
    whole = int(np.floor((duration + SAME_TIME) / interval))
    return whole, max(0.0, duration - whole * interval)


def _flow(a: FloatArray, rate: FloatArray, time: float) -> tuple[FloatArray, FloatArray]:
    """E and v of x -> E x + v over `time` hours with constant `rate`."""
    from scipy.linalg import expm

    n = len(a)
    both = np.zeros((n + 1, n + 1))
    both[:n, :n], both[:n, n] = a, rate
    e = np.asarray(expm(both * time), dtype=float)
    return e[:n, :n], e[:n, n]


def _reached(a: FloatArray, into: int) -> list[int]:
    """States that a dose into `into` reaches. Raises EngineError where amounts never leave them."""
    found, todo = {into}, [into]
    while todo:
        for k in np.flatnonzero(a[:, todo.pop()]):
            if int(k) not in found:
                found.add(int(k))
                todo.append(int(k))
    reach = sorted(found)
    slowest = float(np.linalg.eigvals(a[np.ix_(reach, reach)]).real.max())
    if not slowest < -1e-12 * max(1e-300, float(np.abs(a).max())):
        raise EngineError("amounts never leave, so doses pile up without end")
    return reach
