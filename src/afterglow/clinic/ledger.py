"""What each patient of an arm has had and will have, while decisions change it.

The planned sessions of a course are shared; a check changes the dose of some patients' remaining sessions or ends them;
maintenance gives further sessions to those who need one. The ledger answers "who gets what now", in groups of patients
with the same intakes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afterglow.clinic.decision import Decision
from afterglow.clinic.dosing import unfold
from afterglow.clinic.drugs import DRUGS
from afterglow.clinic.quantity import Amount
from afterglow.clinic.regimen import Administration

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Given:
    """One session for a group of patients: who, what, and why (planned, check, maintenance)."""

    who: IntArray
    intakes: tuple[Administration, ...]
    reason: str


class Ledger:
    """Sessions of `n` patients."""

    def __init__(self, n: int, planned: Sequence[Administration]) -> None:
        """`planned`: the intakes of the course's own sessions, in time order."""
        # Drugs of one session may alternate in time (double dummy).
        lines: dict[tuple[int, str, str], list[Administration]] = {}
        for a in planned:
            if a.session is not None:
                lines.setdefault((a.session, a.drug, a.route), []).append(a)
        self._planned = sorted(map(tuple, lines.values()), key=lambda intakes: intakes[0].time_h)
        self._starts = np.array([intakes[0].time_h for intakes in self._planned])
        self._stopped = np.zeros(n, bool)
        self._last = np.full(n, -np.inf)  # start of the last session, h
        self._changed: dict[int, Amount] = {}  # a check's dose for a patient's remaining sessions
        # dose of a patient's last session, by drug and route
        self._amount: dict[tuple[str, str], dict[int, Amount]] = {}

    def planned(self, begin_h: float, end_h: float) -> Iterator[Given]:
        """The planned sessions that start from `begin_h` to before `end_h`, as checks have left them."""
        for intakes in self._planned:
            if begin_h <= intakes[0].time_h < end_h:
                who = np.flatnonzero(~self._stopped)
                first = intakes[0]
                inert = DRUGS[first.drug].kind == "inert"  # a check's dose is not theirs
                for dose, members in self._by({} if inert else self._changed, who).items():
                    if dose is None:
                        yield self._enter(Given(members, intakes, "planned"))
                    else:
                        new = unfold(first.drug, first.route, dose, first.over_h, first.time_h, first.session)
                        yield self._enter(Given(members, new, "check"))

    def decide(self, decision: Decision, holds: NDArray[np.bool_]) -> Iterator[Given]:
        """Apply a decision to the patients for whom its condition holds; yields sessions given at once."""
        who = np.flatnonzero(holds & ~self._stopped)
        if decision.action == "stop":
            self._stopped[who] = True
        elif decision.action == "set-dose" and decision.amount is not None:
            self._changed.update(dict.fromkeys(who.tolist(), decision.amount))
        elif decision.action == "give":
            after = self._starts[self._starts >= decision.time_h - 1e-9]
            if len(after) and after[0] - decision.time_h < decision.spacing_h - 1e-9:
                return  # the next planned session is too near
            ready = who[decision.time_h - self._last[who] >= decision.spacing_h - 1e-9]
            last = self._amount.get((decision.drug, decision.route), {})
            wanted = dict.fromkeys(ready.tolist(), decision.amount) if decision.amount else last
            for dose, members in self._by(wanted, ready).items():
                yield self._enter(Given(members, decision.administrations(dose), "maintenance"))

    def stop(self, who: IntArray) -> None:
        """No further sessions for these patients."""
        self._stopped[who] = True

    def _by(self, doses: dict[int, Amount], who: IntArray) -> dict[Amount | None, IntArray]:
        if not doses:
            return {None: who} if len(who) else {}
        groups: dict[Amount | None, list[int]] = {}
        for i in who.tolist():
            groups.setdefault(doses.get(i), []).append(i)
        return {dose: np.array(members) for dose, members in groups.items()}

    def _enter(self, given: Given) -> Given:
        first = given.intakes[0]
        total = Amount(sum(a.amount for a in given.intakes), first.per_kg)
        self._last[given.who] = first.time_h
        self._amount.setdefault((first.drug, first.route), {}).update(dict.fromkeys(given.who.tolist(), total))
        return given
