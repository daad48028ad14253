"""What happens to patients between steps: a table of dated actions.

An action changes one state or one parameter slot of one patient at one time. Doses are unfolded into actions: a bolus
adds to a state, an infusion adds to a rate slot at its start and takes the same away at its end. At one time, things
are first observed, then changed; actions at one time keep the order in which they were given.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from afterglow.errors import EngineError

_Part = tuple[NDArray[np.int64], NDArray[np.float64], int, int, NDArray[np.float64]]
ADD_STATE, ADD_SLOT, SET_SLOT, SET_STATE = range(4)


@dataclass
class Actions:
    """A growing table: patient, time (h), kind, place (number of state or slot), value."""

    _parts: list[_Part] = field(default_factory=list)

    def add(self, kind: int, patients: ArrayLike, time: ArrayLike, place: int, value: ArrayLike) -> None:
        """One action for each of `patients`; `time` (h) and `value` are shared or one a patient."""
        who = np.atleast_1d(np.asarray(patients, dtype=np.int64))
        try:
            when = np.broadcast_to(np.asarray(time, dtype=float), who.shape)
            what = np.broadcast_to(np.asarray(value, dtype=float), who.shape)
        except ValueError as e:
            raise EngineError(f"an action's times and values do not fit its {len(who)} patients: {e}") from None
        if not (np.isfinite(when).all() and np.isfinite(what).all()):
            raise EngineError("an action's time or value is not a finite number")
        self._parts.append((who, when, kind, place, what))

    def bolus(self, patients: ArrayLike, time: ArrayLike, state: int, amount: ArrayLike) -> None:
        """Add `amount` to a state."""
        self.add(ADD_STATE, patients, time, state, amount)

    def infusion(self, patients: ArrayLike, time: ArrayLike, slot: int, amount: ArrayLike, duration: ArrayLike) -> None:
        """Deliver `amount` evenly over `duration` (h) through a rate slot."""
        amount, duration, time = np.asarray(amount, float), np.asarray(duration, float), np.asarray(time, float)
        if (duration <= 0).any():
            raise EngineError("an infusion needs a duration above zero")
        rate = amount / duration
        self.add(ADD_SLOT, patients, time, slot, rate)
        self.add(ADD_SLOT, patients, time + duration, slot, -rate)

    def set(self, patients: ArrayLike, time: ArrayLike, slot: int, value: ArrayLike) -> None:
        """Give a parameter slot a new value from `time` on."""
        self.add(SET_SLOT, patients, time, slot, value)

    def table(self, n: int) -> Table:
        """All actions, sorted by patient, then time, then order of entry."""
        parts = self._parts
        if not parts:
            empty = np.empty(0)
            return Table(np.zeros(n + 1, np.int64), empty, empty.astype(np.int64), empty.astype(np.int64), empty)
        who = np.concatenate([p[0] for p in parts])
        if who.min() < 0 or who.max() >= n:
            wrong = who.max() if who.max() >= n else who.min()
            raise EngineError(f"an action names patient {wrong}, but there are {n}")
        when = np.concatenate([p[1] for p in parts])
        kind = np.concatenate([np.full(len(p[0]), p[2]) for p in parts])
        place = np.concatenate([np.full(len(p[0]), p[3]) for p in parts])
        value = np.concatenate([p[4] for p in parts])
        order = np.lexsort((np.arange(len(who)), when, who))
        start = np.searchsorted(who[order], np.arange(n + 1))
        kind, place = kind[order].astype(np.int64), place[order].astype(np.int64)
        return Table(start.astype(np.int64), when[order], kind, place, value[order])


@dataclass(frozen=True)
class Table:
    """Actions sorted by patient and time; those of patient i are rows start[i] to start[i + 1]."""

    start: NDArray[np.int64]
    time: NDArray[np.float64]
    kind: NDArray[np.int64]
    place: NDArray[np.int64]
    value: NDArray[np.float64]
