"""What an event table means for a model: its compartments, dose rows made plain, covariates without gaps."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from afterglow.engine.batch import Engine
from afterglow.engine.records import DOSE, MODELLED_DURATION, MODELLED_RATE, REPLACE, RESET_AND_DOSE, EventTable
from afterglow.engine.steady_linear import Equations
from afterglow.engine.steady_state import Part
from afterglow.errors import Fault, InputError, nearest

FloatArray = NDArray[np.float64]
OfSlots = Callable[[FloatArray], FloatArray]  # slots [slots, rows] -> one number a row
Entry = Mapping[
    str, OfSlots | str
]  # "F", "lag" (h), "duration" (h): what routes say, or the names of those that differ
Value = float | ArrayLike | str | Callable[[pd.DataFrame], ArrayLike]


class Numbered(Protocol):
    """A model whose states and parameter slots have numbers, such as a compiled program."""

    @property
    def states(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def slots(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def sizes(self) -> tuple[float, ...]: ...  # noqa: D102


@dataclass(frozen=True)
class Compartments:
    """What an event table needs to know of a model.

    `names` are the compartments: states that doses and resets may concern, numbered from 1 in this order. `rates` (per
    hour) and `initial` are functions (y, p) of all states and slots, rows of numbers or of arrays; without `initial`
    everything starts at zero. `sizes` are typical magnitudes of the states; `engine` runs dosing intervals where a
    steady state has no closed form (its tolerance bounds theirs); `entries` are what the model's routes say of doses
    into a state; `curved` says that the equations are known not to be linear (without it, trials of them decide).
    """

    states: tuple[str, ...]
    slots: tuple[str, ...]
    names: tuple[str, ...]
    rates: Equations | None = None
    initial: Equations | None = None
    engine: Engine | None = None
    sizes: tuple[float, ...] = ()
    entries: Mapping[str, Entry] = field(default_factory=dict)
    curved: bool = False

    @staticmethod
    def of(
        model: Numbered,
        names: Sequence[str] | None = None,
        rates: Equations | None = None,
        initial: Equations | None = None,
        engine: Engine | None = None,
        entries: Mapping[str, Entry] | None = None,
        curved: bool = False,
    ) -> Compartments:
        """The compartments of a compiled program, by default all its states."""
        chosen = []
        for name in model.states if names is None else names:
            found = find_name(name, model.states)
            if found is None:
                raise InputError(Fault("compartments", f"there is no state '{name}'", nearest(name, model.states)))
            chosen.append(model.states[found])
        states, slots, sizes = tuple(model.states), tuple(model.slots), tuple(model.sizes)
        return Compartments(states, slots, tuple(chosen), rates, initial, engine, sizes, entries or {}, curved)

    @property
    def part(self) -> Part | None:
        """The part of the model that doses act on; None without equations."""
        if self.rates is None:
            return None
        slot = {name: k for k, name in enumerate(self.slots)}
        own = [self.states.index(name) for name in self.names]
        rate_slots = [slot.get(f"rate:{name}", -1) for name in self.names]
        sizes = np.array(self.sizes or np.ones(len(self.states)), dtype=float)
        return Part(own, rate_slots, sizes, self.rates, self.initial, self.engine, self.curved)

    def find(self, cmt: object) -> str | None:
        """The state meant by a CMT: its name, the end of its name, its number; missing or 0 is the first."""
        text = "0" if cmt is None else str(cmt).strip()
        try:
            number = float(text)
        except ValueError:
            found = find_name(text, self.names)
            return None if found is None else self.names[found]
        number = 1.0 if number == 0 else number
        return self.names[int(number) - 1] if number % 1 == 0 and 1 <= number <= len(self.names) else None


def find_name(name: str, known: Sequence[str]) -> int | None:
    """The number of a name, or of the only one that ends in it; case does not matter."""
    lower = [k.lower() for k in known]
    if name in known:
        return list(known).index(name)
    if name.lower() in lower:
        return lower.index(name.lower())
    ends = [i for i, k in enumerate(lower) if k.endswith("." + name.lower())]
    return ends[0] if len(ends) == 1 else None


@dataclass(frozen=True)
class Options:
    """The options of `EventTable.schedule`."""

    f: Mapping[str, Value] = field(default_factory=dict)
    lag: Mapping[str, Value] = field(default_factory=dict)
    rate: Mapping[str, Value] = field(default_factory=dict)
    duration: Mapping[str, Value] = field(default_factory=dict)
    covariates: Mapping[str, str] | None = None
    carry: str = "nocb"
    doses_first: bool = False
    reset_cancels: bool = True


# ---- dose rows made plain -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Dose:
    """A dose row made plain: amount after F (mg), rate (mg/h), duration, lag and interval (h) of each of its doses."""

    row: int
    state: str
    amount: float
    rate: float
    duration: float
    lag: float
    interval: float
    steady: int
    endless: bool


def _per_row(
    events: EventTable, what: str, values: Mapping[str, Value], compartments: Compartments, faults: list[Fault]
) -> dict[str, FloatArray]:
    """One number a row for each compartment named in `values`."""
    out: dict[str, FloatArray] = {}
    rows = len(events.frame)
    for name, value in values.items():
        state, place = compartments.find(name), f"{what} of '{name}'"
        if state is None:
            faults.append(Fault(place, "there is no such compartment", nearest(name, compartments.names)))
            continue
        if isinstance(value, str) and value not in events.frame:
            faults.append(Fault(place, f"there is no column '{value}'", nearest(value, map(str, events.frame.columns))))
            continue
        if isinstance(value, str):
            found = np.asarray(pd.to_numeric(events.frame[value], errors="coerce"), dtype=float)
        elif callable(value):
            found = np.asarray(value(events.frame), dtype=float)
        else:
            found = np.asarray(value, dtype=float)
            if found.shape == (events.patients,):
                found = found[events.patient]
        if found.shape not in ((), (rows,)):
            remedy = f"give one number, one a person ({events.patients}) or one a row ({rows})"
            faults.append(Fault(place, f"has the shape {found.shape}", remedy))
            continue
        out[state] = np.broadcast_to(found, (rows,))
    return out


def _by_route(
    per: dict[str, dict[str, FloatArray]], events: EventTable, compartments: Compartments, rows: NDArray[np.int64],
    slots: FloatArray | None, faults: list[Fault],
) -> None:  # fmt: skip
    """Add to `per` what routes say of F, lag and duration, for states of which the caller says nothing.

    `slots` [slots, dose rows] hold each person's parameters with the covariates of that very row.
    """
    found = [compartments.find(cmt) for cmt in events.frame["CMT"].iloc[rows]]
    for state, entry in compartments.entries.items():
        mine = np.array([name == state for name in found], dtype=bool)
        for what, value in entry.items():
            if not mine.any() or state in per[what]:
                continue
            place = f"{what} of '{state}'"
            if isinstance(value, str):
                if what != "duration":  # that one is asked for only by RATE = -2
                    faults.append(Fault(place, f"routes differ: {value}", f"say what counts: {{'{state}': ...}}"))
            elif slots is None:
                faults.append(Fault(place, "is an equation of the model", "give `parameters`"))
            else:
                values = np.full(len(events.frame), np.nan)
                values[rows[mine]] = value(slots[:, mine])
                per[what][state] = values


def dose_rows(events: EventTable) -> NDArray[np.int64]:
    """Numbers of the rows that give a dose."""
    return np.flatnonzero(np.isin(events.column("EVID"), (DOSE, RESET_AND_DOSE)))


def plain_doses(
    events: EventTable, compartments: Compartments, options: Options, slots: FloatArray | None, faults: list[Fault]
) -> dict[int, Dose]:
    """Every dose row by its number. What the model cannot do is a fault; what delivers nothing warns.

    `slots` [slots, dose rows] hold each person's parameters with the covariates of that very row.
    """
    given = {"F": options.f, "lag": options.lag, "rate": options.rate, "duration": options.duration}
    per = {what: _per_row(events, what, values, compartments, faults) for what, values in given.items()}
    rows = dose_rows(events)
    _by_route(per, events, compartments, rows, slots, faults)
    doses: dict[int, Dose] = {}
    nothing: list[str] = []
    table: Any = events.frame[["CMT", "AMT", "RATE", "DUR", "II", "SS"]]
    columns = table.to_numpy(dtype=object)
    for k in map(int, rows):
        state, place = _state(events, compartments, k, columns[k][0], faults), events.places[k]
        if state is None:
            continue
        own = {what: float(values[state][k]) for what, values in per.items() if state in values}
        own = {"F": 1.0, "lag": 0.0} | own
        amount, rate, duration, interval, steady = map(float, columns[k][1:])
        problems = _problems(state, own, rate, interval if steady and amount > 0 else np.inf)
        if (rate != 0 or duration != 0) and f"rate:{state}" not in compartments.slots:
            problems.append((f"'{state}' takes no infusions", "give the model a Route into it"))
        faults += [Fault(place, problem, remedy) for problem, remedy in problems]
        if problems:
            continue
        f, endless = own["F"], amount == 0
        if rate == MODELLED_DURATION:
            duration = own["duration"]
        if rate == MODELLED_RATE:
            rate = own["rate"]
        if duration > 0:
            rate = f * amount / duration
        elif rate > 0:
            duration = f * amount / rate
        if f == 0 and not endless:
            nothing.append(f"{place}: F of '{state}' is 0: this dose delivers nothing")
        doses[k] = Dose(k, state, f * amount, rate, duration, own["lag"], interval, int(steady), endless)
    if nothing and not faults:
        warnings.warn("\n".join(nothing), UserWarning, stacklevel=4)
    return doses


def replacements(events: EventTable, compartments: Compartments, faults: list[Fault]) -> dict[int, tuple[str, float]]:
    """Rows that replace what a compartment holds: state and new amount (mg), by the number of the row."""
    out: dict[int, tuple[str, float]] = {}
    amounts = events.column("AMT")
    for k in map(int, np.flatnonzero(np.isin(events.column("EVID"), REPLACE))):
        state = _state(events, compartments, k, events.frame["CMT"].iloc[k], faults)
        if state is not None:
            out[k] = state, float(amounts[k])
    return out


def _state(events: EventTable, compartments: Compartments, row: int, cmt: object, faults: list[Fault]) -> str | None:
    """The state that a row concerns; None and a fault where there is none."""
    state = compartments.find(cmt)
    if state is None:
        known = ", ".join(f"{i} {n}" for i, n in enumerate(compartments.names, 1))
        faults.append(Fault(events.places[row], f"CMT = {cmt}: there is no such compartment", f"one of: {known}"))
    return state


def _problems(state: str, own: Mapping[str, float], rate: float, longest_lag: float) -> list[tuple[str, str]]:
    """What is wrong with the values of one dose, and what to do."""
    out = []
    for what, sign in (("rate", MODELLED_RATE), ("duration", MODELLED_DURATION)):
        if rate == sign and what not in own:
            out.append((f"RATE = {sign:g}, but '{state}' has no {what}", f"give {what}={{'{state}': ...}}"))
        elif rate == sign and not 0 < own[what] < np.inf:
            out.append((f"the {what} of '{state}' is {own[what]:g}", f"it must be above zero for RATE = {sign:g}"))
    if not 0 <= own["F"] < np.inf:
        out.append((f"F of '{state}' is {own['F']:g}", "it must be zero or more"))
    if not 0 <= own["lag"] < np.inf:
        out.append((f"the lag of '{state}' is {own['lag']:g}", "it must be zero or more hours"))
    elif not own["lag"] < longest_lag:
        out.append((f"the lag {own['lag']:g} is not below II = {longest_lag:g}", "SS needs a lag shorter than II"))
    return out


# ---- covariates -----------------------------------------------------------------------------------------------------


def covariate_slots(
    events: EventTable, compartments: Compartments, options: Options, faults: list[Fault]
) -> dict[str, str]:
    """Which column sets which slot."""
    own = [s for s in compartments.slots if not s.startswith("rate:")]
    wanted = options.covariates
    if wanted is None:
        found = {c: find_name(c, own) for c in events.covariates}
        return {c: own[i] for c, i in found.items() if i is not None and pd.api.types.is_numeric_dtype(events.frame[c])}
    used = {}
    for column, slot in wanted.items():
        place, number = f"covariate '{column}'", find_name(slot, own)
        if column not in events.frame:
            faults.append(Fault(place, "there is no such column", nearest(column, events.covariates or ("none",))))
        elif number is None:
            faults.append(Fault(place, f"the model has no parameter '{slot}'", nearest(slot, own)))
        elif not pd.api.types.is_numeric_dtype(events.frame[column]):
            faults.append(Fault(place, "not all of its values are numbers", "use numbers, `.` or nothing"))
        else:
            used[column] = own[number]
    return used


def carried(events: EventTable, column: str, carry: str) -> FloatArray:
    """A covariate without gaps: NOCB fills them from the next row, LOCF from the last; at the ends the other way."""
    values: Any = events.frame[column].iloc[events.order]  # pandas promises less than it keeps
    person = events.patient[events.order]
    ahead, behind = values.groupby(person).bfill(), values.groupby(person).ffill()
    full = ahead.fillna(behind) if carry == "nocb" else behind.fillna(ahead)
    out = np.empty(len(full))
    out[events.order] = full
    return out
