"""Steady states that event tables ask for: linear parts in closed form, all others by iteration.

Every distinct case (person's parameters, dose, interval) is solved once, all of a kind together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from afterglow.engine import steady_iteration as by_iteration
from afterglow.engine import steady_linear as linear
from afterglow.engine.steady_linear import Equations

if TYPE_CHECKING:
    from afterglow.engine.batch import Engine

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
REST_PERIOD = 24.0  # h; an endless infusion is at rest if nothing changes over this time
FINE, NOT_FINITE, FROM_OUTSIDE, NEVER_LEAVES, RUN_FAILED, PILES_UP, UNDECIDED, UNSTABLE, NO_ENGINE = range(9)
_ONE_BY_ONE = "leave SS out and give the doses one by one (ADDL)"
PROBLEM = {  # what is wrong, what to do; by status
    NOT_FINITE: ("its equations give numbers that are not finite", "look at this person's parameters and covariates"),
    FROM_OUTSIDE: (
        "the part of the model that doses act on depends on states outside it",
        "name those states among the compartments, or leave SS out and give the doses one by one (ADDL)",
    ),
    NEVER_LEAVES: ("amounts never leave, so doses pile up without end", "give elimination a value above zero"),
    RUN_FAILED: ("the engine stopped within the first dosing intervals", _ONE_BY_ONE + " to see where"),
    PILES_UP: (
        "doses pile up without end: more comes in than the model can take away",
        "give less or less often, or look at this person's elimination",
    ),
    UNDECIDED: (
        f"{by_iteration.MOST} steps did not come within {by_iteration.TOLERANCE:g} of one",
        _ONE_BY_ONE + " until nothing changes",
    ),
    UNSTABLE: ("repeated doses lead away from the only one that was found", _ONE_BY_ONE),
    NO_ENGINE: (
        "the part of the model that doses act on is not linear, or moves untreated",
        "give the compartments an `engine` that can find it by iteration",
    ),
}
_OF_ITERATION = {
    by_iteration.REACHED: FINE,
    by_iteration.RUN_FAILED: RUN_FAILED,
    by_iteration.PILES_UP: PILES_UP,
    by_iteration.UNDECIDED: UNDECIDED,
    by_iteration.UNSTABLE: UNSTABLE,
}
_OF_MATRIX = {linear.NOT_FINITE: NOT_FINITE, linear.FROM_OUTSIDE: FROM_OUTSIDE, linear.IS_LINEAR: FINE}


@dataclass(frozen=True)
class Asked:
    """One steady state: the person's slots, the state that takes the doses, amount (mg), rate (mg/h), times (h).

    An endless infusion has amount 0; all other doses have an interval above 0.
    """

    slots: FloatArray
    into: int
    amount: float
    rate: float
    duration: float
    interval: float
    phase: float

    def key(self) -> tuple[object, ...]:
        """The same key, the same steady state."""
        return self.slots.tobytes(), self.into, self.amount, self.rate, self.duration, self.interval, self.phase


@dataclass(frozen=True)
class Steady:
    """States [part] at the asked moment, the untreated ones, a status (0 is fine), and whether the part is linear."""

    states: FloatArray
    start: FloatArray
    status: int
    linear: bool


@dataclass(frozen=True)
class Part:
    """The part of a model that doses act on.

    `states` are its numbers, `rate_slots` the number of each one's rate slot (-1 for none), `sizes` the typical
    magnitudes of all the model's states; `rates` (per hour) and `initial` are functions (y, p) of all states and slots;
    `curved` says that the equations are known not to be linear.
    """

    states: Sequence[int]
    rate_slots: Sequence[int]
    sizes: FloatArray
    rates: Equations
    initial: Equations | None
    engine: Engine | None
    curved: bool = False

    def untreated(self, slots: FloatArray) -> FloatArray:
        """Untreated values [states, m] under `slots` [slots, m]."""
        zeros = np.zeros((len(self.sizes), slots.shape[1]))
        return zeros if self.initial is None else linear.rates_of(self.initial, zeros, slots)


def steady_states(part: Part, asked: Sequence[Asked]) -> list[Steady]:
    """The steady state of each question, in order; equal questions are answered once."""
    if not asked:
        return []
    first = {a.key(): a for a in reversed(asked)}
    number, single = {key: k for k, key in enumerate(first)}, list(first.values())
    slots = np.stack([a.slots for a in single], axis=1)
    slots[[k for k in part.rate_slots if k >= 0]] = 0.0
    own = list(part.states)
    with np.errstate(all="ignore"):
        start = part.untreated(slots)
        matrix, kind = linear.rate_matrices(part.rates, start, slots, own)
    if part.curved:
        kind[kind == linear.IS_LINEAR] = linear.IS_CURVED
    status = np.array([_OF_MATRIX.get(int(k), NO_ENGINE) for k in kind])
    x = start[own].copy()
    straight = np.flatnonzero(status == FINE)
    _solve_linear(part, [single[k] for k in straight], matrix[straight], straight, x, status)
    bent = np.flatnonzero(status == NO_ENGINE)
    if part.engine is not None and len(bent):
        x[:, bent], found = by_iteration.iterate(
            part.engine, start[:, bent], slots[:, bent], _repeated(part, [single[k] for k in bent]), own, part.sizes
        )
        status[bent] = [_OF_ITERATION[int(k)] for k in found]
    is_linear = kind == linear.IS_LINEAR
    answers = [Steady(x[:, k], start[own, k], int(status[k]), bool(is_linear[k])) for k in range(len(single))]
    return [answers[number[a.key()]] for a in asked]


def _solve_linear(
    part: Part, asked: list[Asked], matrix: FloatArray, rows: IntArray, x: FloatArray, status: IntArray
) -> None:
    """Add the closed forms to x [part, ...]; people whose matrix has the same zeros go together."""
    groups: dict[tuple[int, bool, bytes], list[int]] = {}
    for k, a in enumerate(asked):
        groups.setdefault((a.into, a.amount == 0, (matrix[k] != 0).tobytes()), []).append(k)
    for (into, endless, _), members in groups.items():
        k, local = np.array(members), list(part.states).index(into)
        one = [asked[j] for j in members]
        if endless:
            above, leaves = linear.endless_infusions(matrix[k], local, np.array([a.rate for a in one]))
        else:
            values = (np.array([getattr(a, n) for a in one]) for n in ("amount", "duration", "interval", "phase"))
            above, leaves = linear.repeated_doses(matrix[k], local, *values)
        x[:, rows[k]] += above.T
        status[rows[k]] = np.where(leaves, FINE, NEVER_LEAVES)


def _repeated(part: Part, asked: list[Asked]) -> by_iteration.Repeated:
    """As the iteration takes it; an endless infusion is one that lasts as long as its interval."""
    endless = np.array([a.amount == 0 for a in asked])
    rate, amount, duration, interval, phase = (
        np.array([getattr(a, n) for a in asked]) for n in ("rate", "amount", "duration", "interval", "phase")
    )
    return by_iteration.Repeated(
        np.array([a.into for a in asked]),
        np.array([part.rate_slots[list(part.states).index(a.into)] for a in asked]),
        np.where(endless, rate * REST_PERIOD, amount),
        np.where(endless, REST_PERIOD, duration),
        np.where(endless, REST_PERIOD, interval),
        np.where(endless, REST_PERIOD, phase),
    )
