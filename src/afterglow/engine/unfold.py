"""From an event table to the engine's actions: doses repeated, delayed, scaled; resets, steady states, covariates.

What happens to a person at one time happens in this order: additional and lagged doses where `doses_first`, then the
rows of the table as they stand, then additional and lagged doses. A row that looks between two changes of one time
looks at the state between them; such changes are kept apart by MOMENT hours.
"""

from __future__ import annotations

import itertools
import warnings
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from afterglow.engine.actions import ADD_SLOT, ADD_STATE, SET_SLOT, SET_STATE, Actions
from afterglow.engine.dosing import (
    Compartments,
    Dose,
    Options,
    carried,
    covariate_slots,
    dose_rows,
    plain_doses,
    replacements,
)
from afterglow.engine.records import OBSERVE, OTHER, RESET, RESET_AND_DOSE, EventTable
from afterglow.engine.steady_state import FINE, PROBLEM, Asked, Steady, steady_states
from afterglow.errors import EngineError, Fault, InputError

FloatArray = NDArray[np.float64]
SAME_TIME = 1e-9  # h; events closer than this have one time, as in the engine
MOMENT = 4e-9  # h; between changes of one time that a row looks between
SOON = 1e-12  # h; how long after a change a row looks that comes after it


@dataclass(frozen=True)
class Schedule:
    """What the engine is to do and when it is to look.

    `look` is when each row of the table looks (h; EVID 0 and 2, NaN elsewhere), `times` all of these, sorted; `start`
    is the earliest TIME (h), the engine's t0; `parameters` [slots, patients] hold each person's first covariates;
    `used` are the columns that set a parameter slot, and which.
    """

    actions: Actions
    look: FloatArray
    times: FloatArray
    start: float
    patient: NDArray[np.int64]
    parameters: FloatArray | None
    used: dict[str, str]

    def read(self, values: FloatArray) -> FloatArray:
        """Outputs [rows of the table, outputs] out of the engine's [patients, times, outputs]; NaN for other rows."""
        out = np.full((len(self.look), values.shape[2]), np.nan)
        rows = np.flatnonzero(np.isfinite(self.look))
        out[rows] = values[self.patient[rows], np.searchsorted(self.times, self.look[rows])]
        return out


def unfold(events: EventTable, compartments: Compartments, parameters: FloatArray | None, options: Options) -> Schedule:
    """See `EventTable.schedule`."""
    faults: list[Fault] = []
    if options.carry not in ("nocb", "locf"):
        raise InputError(Fault("carry", f"'{options.carry}' is unknown", "use 'nocb' or 'locf'"))
    if parameters is not None and parameters.shape != (len(compartments.slots), events.patients):
        wanted = f"[{len(compartments.slots)}, {events.patients}]"
        raise EngineError(f"parameters must have the shape {wanted} [slots, patients], not {parameters.shape}")
    used = covariate_slots(events, compartments, options, faults)
    values = {column: carried(events, column, options.carry) for column in used}
    at = {column: compartments.slots.index(slot) for column, slot in used.items()}
    rows = dose_rows(events)
    slots = None if parameters is None else _slots_of_rows(parameters[:, events.patient[rows]], rows, at, values)
    doses = plain_doses(events, compartments, options, slots, faults)
    new_amounts = replacements(events, compartments, faults)
    if faults:
        raise InputError(faults)
    steady = _steady_states(events, compartments, doses, rows, slots)
    first = None if parameters is None else parameters.copy()
    out, look = [], np.full(len(events.frame), np.nan)
    edges = np.searchsorted(events.patient[events.order], np.arange(events.patients + 1))
    for who in range(events.patients):
        rows = events.order[edges[who] : edges[who + 1]]
        present = {at[c]: v for c, v in values.items() if np.isfinite(v[rows[0]])}
        if first is not None:
            for slot, v in present.items():
                first[slot, who] = v[rows[0]]
        slots = None if first is None else first[:, who].copy()
        person = _Person(events, compartments, options, rows, doses, present, slots, look, faults)
        person.steady, person.new_amounts = steady, new_amounts
        out += [(who, k, *action) for k, action in enumerate(person.live())]
    if faults:
        raise InputError(faults)
    times = np.unique(look[np.isfinite(look)])
    return Schedule(_batched(out), look, times, float(events.column("TIME").min()), events.patient, first, used)


def _slots_of_rows(
    slots: FloatArray, rows: NDArray[np.int64], at: dict[str, int], values: dict[str, FloatArray]
) -> FloatArray:
    """`slots` [slots, rows] with the covariates of each of `rows` filled in."""
    for column, slot in at.items():
        own = values[column][rows]
        slots[slot] = np.where(np.isfinite(own), own, slots[slot])
    return slots


def _steady_states(
    events: EventTable, compartments: Compartments, doses: dict[int, Dose], rows: NDArray[np.int64],
    slots: FloatArray | None,
) -> dict[int, Steady]:  # fmt: skip
    """The steady state of each row that asks for one. Raises InputError where there is none."""
    asking = [(k, int(row)) for k, row in enumerate(rows) if doses[int(row)].steady]
    if not asking:
        return {}
    part, faults, added = compartments.part, [], []
    if part is None or slots is None:
        for _, row in asking:
            problem = f"SS = {doses[row].steady} needs the equations"
            faults.append(Fault(events.places[row], problem, "give `rates` and `parameters`"))
        raise InputError(faults)
    number = {name: k for k, name in enumerate(compartments.states)}
    questions = []
    for k, row in asking:
        d = doses[row]
        phase = d.interval if d.endless else d.interval - d.lag
        rate = d.rate if d.endless else 0.0
        questions.append(Asked(slots[:, k], number[d.state], d.amount, rate, d.duration, d.interval, phase))
    out = dict(zip((row for _, row in asking), steady_states(part, questions), strict=True))
    for row, found in out.items():
        place, kind = events.places[row], doses[row].steady
        if found.status != FINE:
            problem, remedy = PROBLEM[found.status]
            who = f" (ID {events.ids[events.patient[row]]}, status {found.status})"
            faults.append(Fault(place, f"SS = {kind}: there is no steady state: {problem}{who}", remedy))
        elif kind == 2 and not found.linear:
            added.append(f"{place}: SS = 2 adds steady amounts to a part that is not linear: no superposition there")
    if faults:
        raise InputError(faults)
    if added:
        warnings.warn("\n".join(added), UserWarning, stacklevel=4)
    return out


def _batched(rows: list[tuple[int, int, float, int, int, float]]) -> Actions:
    """Actions out of (patient, rank within the patient, time, kind, place, value): few parts, order kept."""
    actions = Actions()
    if rows:
        who, rank, time, kind, place, value = (np.array(column) for column in zip(*rows, strict=True))
        order = np.lexsort((who, place, kind, rank))
        keys = np.stack([rank, kind, place])[:, order]
        cuts = np.flatnonzero((np.diff(keys) != 0).any(axis=0)) + 1
        for k in np.split(order, cuts):
            actions.add(int(kind[k[0]]), who[k], time[k], int(place[k[0]]), value[k])
    return actions


# ---- one person -----------------------------------------------------------------------------------------------------


@dataclass(order=True)
class _Item:
    """Something that happens: a row (copy 0, not generated) or a dose that arrives on its own."""

    time: float
    rank: int
    row: int
    copy: int
    generated: bool = field(compare=False)


class _Person:
    """Goes through one person's events in order and writes down actions (time, kind, place, value)."""

    def __init__(
        self, events: EventTable, compartments: Compartments, options: Options, rows: NDArray[np.int64],
        doses: dict[int, Dose], covariates: dict[int, FloatArray], slots: FloatArray | None, look: FloatArray,
        faults: list[Fault],
    ) -> None:  # fmt: skip
        self.events, self.model, self.options, self.rows = events, compartments, options, rows
        self.doses, self.covariates, self.slots, self.look, self.faults = doses, covariates, slots, look, faults
        self.part = [compartments.states.index(n) for n in compartments.names]
        self.evid, self.clock = events.column("EVID"), events.column("TIME")
        self.position = {int(k): i for i, k in enumerate(rows)}
        self.after = dict(itertools.pairwise(rows))
        self.out: list[tuple[float, int, int, float]] = []
        self.running: list[tuple[float, int, float]] = []  # end (h), slot, rate (mg/h)
        self.now, self.acted, self.looked = -np.inf, False, False
        self.reset_at: tuple[float, int] | None = None
        self.steady: dict[int, Steady] = {}
        self.new_amounts: dict[int, tuple[str, float]] = {}

    def live(self) -> list[tuple[float, int, int, float]]:
        """All actions, by time."""
        base = -np.inf
        for item in self._items():
            if item.time > base:
                base, self.now, self.acted, self.looked = item.time, item.time, False, False
            if item.generated:
                if not self._is_cancelled(item.row):
                    self._arrive(self.doses[item.row])
            else:
                self._row(item.row)
        for end, slot, rate in self.running:
            self.out.append((end, ADD_SLOT, slot, -rate))
        return sorted(self.out, key=lambda action: action[0])

    def _items(self) -> list[_Item]:
        """Rows and generated doses in order; times closer than SAME_TIME become one."""
        items = [_Item(float(self.clock[k]), 1, self.position[int(k)], 0, False) for k in self.rows]
        addl = self.events.column("ADDL")
        rank = 0 if self.options.doses_first else 2
        for k in map(int, self.rows):
            dose = self.doses.get(k)
            if dose is None or dose.endless:
                continue
            for copy in range(int(addl[k]) + 1):
                if copy or dose.lag > 0:
                    time = float(self.clock[k]) + dose.lag + copy * dose.interval
                    items.append(_Item(time, rank, self.position[k], copy, True))
        items.sort(key=lambda item: item.time)
        base = -np.inf
        for item in items:
            base = item.time = base if item.time - base <= SAME_TIME else item.time
        items.sort()
        for item in items:
            item.row = int(self.rows[item.row])
        return items

    def _is_cancelled(self, row: int) -> bool:
        return bool(self.options.reset_cancels and self.reset_at and self.position[row] < self.reset_at[1])

    def _act(self, kind: int, place: int, value: float) -> None:
        if self.looked:
            self.now, self.looked = self.now + MOMENT, False
        self.acted = True
        self.out.append((self.now, kind, place, value))

    def _row(self, row: int) -> None:
        """What a row of the table does, in order: covariates (LOCF), reset, steady state, dose, look, covariates."""
        if self.options.carry == "locf":
            self._set_covariates(row)
        if self.slots is not None:
            for slot, values in self.covariates.items():
                self.slots[slot] = values[row]
        if self.evid[row] in (RESET, RESET_AND_DOSE):
            self._reset(row)
        dose = self.doses.get(row)
        if dose is not None and dose.steady:
            self._reach(dose)
        if dose is not None and dose.lag == 0 and not dose.endless:
            self._arrive(dose)
        if row in self.new_amounts:
            state, amount = self.new_amounts[row]
            self._act(SET_STATE, self.model.states.index(state), amount)
        if self.evid[row] in (OBSERVE, OTHER):
            self.look[row] = max(np.nextafter(self.now, np.inf), self.now + SOON) if self.acted else self.now
            self.looked = self.acted
        if self.options.carry == "nocb" and row in self.after:
            self._set_covariates(self.after[row])

    def _set_covariates(self, row: int) -> None:
        before = self.rows[max(0, self.position[int(row)] - 1)]
        for slot, values in self.covariates.items():
            if values[row] != values[before]:
                self._act(SET_SLOT, slot, float(values[row]))

    def _arrive(self, dose: Dose) -> None:
        if dose.amount == 0:
            return
        if dose.duration == 0:
            self._act(ADD_STATE, self.model.states.index(dose.state), dose.amount)
        else:
            self._infuse(dose.state, dose.rate, dose.duration)

    def _infuse(self, state: str, rate: float, duration: float) -> None:
        """An infusion from now on; its end is written down when it comes, as a reset may come first."""
        slot = self.model.slots.index(f"rate:{state}")
        self._act(ADD_SLOT, slot, rate)
        self.running.append((self.now + duration, slot, rate))

    def _stop_infusions(self) -> None:
        for end, slot, rate in self.running:
            if end > self.now:
                self._act(ADD_SLOT, slot, -rate)
            else:
                self.out.append((end, ADD_SLOT, slot, -rate))
        self.running = []

    def _start_values(self, row: int) -> FloatArray | None:
        """Untreated values of all states; None and a fault where parameters are missing."""
        n = len(self.model.states)
        if self.model.initial is None:
            return np.zeros(n)
        if self.slots is None:
            self.faults.append(Fault(self.events.places[row], "initial values are equations", "give `parameters`"))
            return None
        return np.array([float(np.asarray(v)) for v in self.model.initial(np.zeros(n), self.slots)])

    def _reset(self, row: int) -> None:
        """Compartments go back to their untreated values, infusions stop."""
        start = self._start_values(row)
        if start is not None:
            self._stop_infusions()
            self.reset_at = (self.now, self.position[row])
            for k in self.part:
                self._act(SET_STATE, k, float(start[k]))

    def _reach(self, dose: Dose) -> None:
        """The state that endlessly many such doses leave, up to the one that is given now (or after its lag)."""
        found = self.steady[dose.row]
        if dose.steady == 1:
            self._stop_infusions()
            self.reset_at = (self.now, self.position[dose.row])
        for k, amount, untreated in zip(self.part, found.states, found.start, strict=True):
            if dose.steady == 1:
                self._act(SET_STATE, k, float(amount))
            elif amount != untreated:
                self._act(ADD_STATE, k, float(amount - untreated))
        since = dose.interval - dose.lag  # hours since the start of each earlier dose that may still run
        while not dose.endless and dose.duration - since > SAME_TIME:
            self._infuse(dose.state, dose.rate, dose.duration - since)
            since += dose.interval
