"""Event tables in the style of NONMEM: reading, checking, writing; `unfold` turns them into actions of the engine.

    events = read_events("doses.csv")
    schedule = events.schedule(Compartments.of(program), f={"depot": 0.7}, lag={"depot": "TLAG"})
    result = engine.run(parameters, schedule.actions, schedule.times, outputs, t0=schedule.start)
    seen = schedule.read(result.values)                      # one line a row of the table, NaN where nothing is read

Columns, in upper or lower case; `.` and empty mean missing: ID TIME (h, or DATE and a clock time) EVID AMT (mg) RATE
(mg/h) DUR (h) II (h) ADDL SS CMT. DV and MDV are kept and not used; all others are covariates. Rows of a person are put
in order of time; rows at one time keep the order in which they stand. EVID 0 to 4 are NONMEM's; 5 and 8 replace what a
compartment holds by AMT. docs/dosing.md says what each column means and how cases are decided.

Source of the rules: NONMEM Users Guide VI (PREDPP), chapter V; NONMEM help, EVID, RATE, ADDL, SS.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from afterglow.engine.actions import Actions
from afterglow.engine.clock import hours_of_clock
from afterglow.errors import Fault, InputError

if TYPE_CHECKING:
    from afterglow.engine.dosing import Compartments, Value
    from afterglow.engine.unfold import Schedule

FloatArray = NDArray[np.float64]
Loose = Any  # a frame or a column of one: pandas' own types promise less than it keeps
Flags = NDArray[np.bool_]
Rows = Mapping[str, FloatArray]
NUMBERS = ("TIME", "EVID", "AMT", "RATE", "DUR", "II", "ADDL", "SS")  # 0 where missing, but for TIME and EVID
KNOWN = ("ID", *NUMBERS, "CMT", "DV", "MDV")
CALENDAR = "DATE"  # becomes part of TIME
MISSING = ("", ".")
OBSERVE, DOSE, OTHER, RESET, RESET_AND_DOSE = range(5)
REPLACE = (5, 8)
MODELLED_RATE, MODELLED_DURATION = -1.0, -2.0


@dataclass(frozen=True)
class EventTable:
    """A checked event table.

    `frame` has the known columns in upper case, all of NUMBERS as floats; `places` says where each row was read
    (file:line); `patient` is the number of each row's person in `ids`; `order` lists the rows by person, then time;
    `note` says how dates and clock times became hours ("" where there were none).
    """

    frame: pd.DataFrame
    places: tuple[str, ...]
    ids: tuple[object, ...]
    patient: NDArray[np.int64]
    order: NDArray[np.int64]
    note: str = ""

    @property
    def patients(self) -> int:
        """How many people the table has."""
        return len(self.ids)

    def column(self, name: str) -> FloatArray:
        """A column as numbers, one a row."""
        return np.asarray(self.frame[name], dtype=float)

    @property
    def covariates(self) -> tuple[str, ...]:
        """Names of the columns that are not NONMEM's."""
        return tuple(str(c) for c in self.frame.columns if c not in KNOWN)

    def schedule(
        self,
        compartments: Compartments,
        parameters: FloatArray | None = None,
        *,
        f: Mapping[str, Value] | None = None,
        lag: Mapping[str, Value] | None = None,
        rate: Mapping[str, Value] | None = None,
        duration: Mapping[str, Value] | None = None,
        covariates: Mapping[str, str] | None = None,
        carry: str = "nocb",
        doses_first: bool = False,
        reset_cancels: bool = True,
    ) -> Schedule:
        """What the engine is to do and when it is to look.

        A value in `f`, `lag`, `rate` and `duration` is a number, an array with one number a person, the name of a
        column, or a function of the rows (the frame) that gives one number a row. It is that of the dose's own record
        and stays with the dose, its additional doses and its steady state. Where none is given, the model's routes
        count (`Compartments.entries`), with the person's parameters and the covariates of the dose's own record.

        Args:
            compartments: what the model has and which part of it doses and resets concern.
            parameters: [slots, patients]; needed for steady states and for initial values that are equations.
            f: bioavailable fraction by compartment, 1 if not given. With AMT and RATE it changes the duration of an
                infusion, with DUR or RATE = -2 its rate; the endless infusion of SS ignores it.
            lag: delay (h) by compartment.
            rate: rate (mg/h) by compartment, for RATE = -1.
            duration: duration (h) by compartment, for RATE = -2.
            covariates: parameter slot by column; if not given, columns named as a slot is.
            carry: between rows a covariate is "nocb" (that of the next row, as in NONMEM) or "locf" (that of the last).
            doses_first: whether additional and lagged doses come before the observations of their time; rows that
                stand in the table always keep their order.
            reset_cancels: whether a reset (EVID 3 or 4, SS 1) also cancels additional and lagged doses still to come
                (NONMEM says so of SS 1); otherwise they are given, as rows of their own would be.

        Raises:
            InputError: all faults, with row and remedy; also where a steady state cannot be.
        """
        from afterglow.engine.dosing import Options
        from afterglow.engine.unfold import unfold

        options = Options(f or {}, lag or {}, rate or {}, duration or {}, covariates, carry, doses_first, reset_cancels)
        return unfold(self, compartments, parameters, options)

    def actions(
        self,
        compartments: Compartments,
        parameters: FloatArray | None = None,
        *,
        f: Mapping[str, Value] | None = None,
        lag: Mapping[str, Value] | None = None,
    ) -> Actions:
        """The actions of `schedule` with the usual options: whoever has times to look at of their own needs no more."""
        return self.schedule(compartments, parameters, f=f, lag=lag).actions

    def to_csv(self, path: str | Path) -> None:
        """Write the table as NONMEM reads it: comma-separated, `.` for missing; `read_events` gives the same back."""
        self.frame.to_csv(path, index=False, na_rep=".", lineterminator="\n")


def read_events(source: str | Path | pd.DataFrame) -> EventTable:
    """Read and check an event table (see the top of this file for its columns).

    Args:
        source: a comma-separated file or a frame.

    Raises:
        InputError: all faults, each with file:line (or the frame's row), value and remedy.
    """
    raw, places, name = _raw(source)
    faults: list[Fault] = []
    raw = _named(raw, name, faults)
    for column in ("ID", "TIME"):
        if column not in raw:
            faults.append(Fault(name, f"there is no column {column}", "an event table needs ID and TIME"))
    if faults:
        raise InputError(faults)
    if raw.empty:
        raise InputError(Fault(name, "there are no rows", "give at least one event"))
    raw, note = hours_of_clock(raw, places, faults)
    frame, missing = _numbers(raw, places, faults)
    ids = _identities(raw["ID"], places, faults)
    frame["ID"] = ids
    frame["CMT"] = _compartments(raw, places, faults)
    if not faults:
        _check({c: np.asarray(frame[c], dtype=float) for c in NUMBERS}, missing, places, faults)
    if faults:
        raise InputError(faults)
    patient, known = pd.factorize(ids)
    first = [c for c in KNOWN if c in frame]
    frame = pd.DataFrame(frame[[*first, *(c for c in frame.columns if c not in first)]])
    patient = patient.astype(np.int64)
    table = EventTable(frame, tuple(places), tuple(known), patient, np.lexsort((frame["TIME"], patient)), note)
    _check_clock(table)
    return table


def _raw(source: str | Path | pd.DataFrame) -> tuple[Loose, list[str], str]:
    """The table as it is, the place of each row, a name for the whole."""
    if isinstance(source, pd.DataFrame):
        frame = source.reset_index(drop=True)
        return frame, [f"row {k}" for k in source.index], "table"
    path = Path(source)
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True, skip_blank_lines=False)
    except OSError as e:
        raise InputError(Fault(str(path), f"cannot be read: {e.strerror}", "check the path")) from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as e:
        fault = Fault(str(path), f"is not a comma-separated table: {e}", "save it as CSV in UTF-8")
        raise InputError(fault) from None
    if not isinstance(frame.index, pd.RangeIndex):  # pandas takes surplus fields for an index, silently
        raise InputError(Fault(str(path), "rows have more fields than the header", "give each column a name"))
    frame = frame.fillna("")
    full = ~frame.apply(lambda column: column.str.strip() == "").all(axis=1)
    places = [f"{path.name}:{k + 2}" for k in np.flatnonzero(full)]
    return frame[full].reset_index(drop=True), places, path.name


def _named(raw: Loose, name: str, faults: list[Fault]) -> Loose:
    """Known columns in upper case."""
    names = [str(c).strip() for c in raw.columns]
    names = [c.upper() if c.upper() in (*KNOWN, CALENDAR) else c for c in names]
    for twice in sorted({c for c in names if names.count(c) > 1}):
        faults.append(Fault(name, f"there are two columns {twice}", "keep one"))
    return raw.set_axis(names, axis=1)


def _absent(column: Loose) -> Flags:
    """Where a column has no value: empty or a dot."""
    blank = column.map(lambda x: isinstance(x, str) and x.strip() in MISSING)
    return np.asarray(blank | column.isna(), dtype=bool)


def _numbers(raw: Loose, places: list[str], faults: list[Fault]) -> tuple[pd.DataFrame, dict[str, Flags]]:
    """Numbers where numbers belong; covariates that are not numbers stay text. Also what is missing in NUMBERS."""
    columns: dict[str, object] = {}
    missing: dict[str, Flags] = {}
    for name in [*NUMBERS, *(c for c in raw.columns if c not in (*NUMBERS, "ID", "CMT"))]:
        if name not in raw:
            columns[name], missing[name] = np.zeros(len(raw)), np.ones(len(raw), bool)
            continue
        absent = _absent(raw[name])
        values = _exact(raw[name].where(~absent))
        wrong = ~absent & ~np.isfinite(values)
        if name in NUMBERS:
            for k in np.flatnonzero(wrong):
                value = raw[name].iloc[k]
                faults.append(Fault(places[k], f"{name} = {value!r} is not a number", "use a number, `.` or nothing"))
            values[absent] = 0.0
            missing[name] = absent
        elif wrong.any():
            columns[name] = raw[name].where(~absent)
            continue
        columns[name] = values
    if missing["EVID"].any():
        columns["EVID"] = np.where(missing["EVID"], np.asarray(columns["AMT"]) != 0, np.asarray(columns["EVID"])) * 1.0
    return pd.DataFrame(columns), missing


def _exact(column: Loose) -> FloatArray:
    """The column as numbers, NaN where it holds none; text to the last bit, which older pandas misses."""
    found = np.array(pd.to_numeric(column, errors="coerce"), dtype=float)
    text = [k for k, x in enumerate(column) if isinstance(x, str) and np.isfinite(found[k])]
    found[text] = [float(column.iloc[k]) for k in text]
    return found


def _identities(column: Loose, places: list[str], faults: list[Fault]) -> Loose:
    """Whole numbers where all are, otherwise as they stand."""
    for k in np.flatnonzero(_absent(column)):
        faults.append(Fault(places[k], "ID is missing", "say whose event this is"))
    text = column.map(lambda x: x.strip() if isinstance(x, str) else x)
    number: Loose = pd.to_numeric(text, errors="coerce")
    whole = bool((number.notna() & (number % 1 == 0)).all()) and not any(
        isinstance(x, str) and len(x) > 1 and x.startswith("0") for x in text
    )
    return number.astype(np.int64) if whole else text


def _compartments(raw: Loose, places: list[str], faults: list[Fault]) -> pd.Series:
    """Names and numbers as they stand, None where missing."""
    if "CMT" not in raw:
        return pd.Series([None] * len(raw), dtype=object)
    absent = _absent(raw["CMT"])
    number = np.array(pd.to_numeric(raw["CMT"].where(~absent), errors="coerce"), dtype=float)
    for k in np.flatnonzero(number < 0):  # in NONMEM this switches a compartment off
        problem = f"CMT = {raw['CMT'].iloc[k]}: compartments cannot be switched off"
        faults.append(Fault(places[k], problem, "use EVID 8 with AMT 0 to empty it, or EVID 3"))
    return pd.Series([None if no else x for x, no in zip(raw["CMT"], absent, strict=True)], dtype=object)


@dataclass(frozen=True)
class _Rule:
    """A rule that rows must follow: where it is broken, the columns to name, what is wrong, what to do."""

    broken: Callable[[Rows], Flags]
    columns: str
    problem: str
    remedy: str


def _doses(t: Rows) -> Flags:
    return np.isin(t["EVID"], (DOSE, RESET_AND_DOSE))


def _any_of(t: Rows, *columns: str) -> Flags:
    return np.any([t[c] != 0 for c in columns], axis=0)


def _endless(t: Rows) -> Flags:
    """The endless infusion: SS with AMT 0, II 0 and a rate."""
    return (t["SS"] > 0) & (t["AMT"] == 0) & (t["II"] == 0) & ((t["RATE"] > 0) | (t["RATE"] == MODELLED_RATE))


_RULES = (
    _Rule(lambda t: ~np.isin(t["EVID"], (0, 1, 2, 3, 4, *REPLACE)), "EVID", "is unknown", "use 0, 1, 2, 3, 4 or 8"),
    _Rule(lambda t: ~np.isin(t["SS"], (0, 1, 2)), "SS", "is unknown", "use 0, 1 or 2"),
    _Rule(lambda t: t["AMT"] < 0, "AMT", "is below zero", "give a dose of zero or more"),
    _Rule(lambda t: t["DUR"] < 0, "DUR", "is below zero", "give a duration above zero, or none"),
    _Rule(lambda t: t["II"] < 0, "II", "is below zero", "give the hours between doses"),
    _Rule(lambda t: (t["ADDL"] < 0) | (t["ADDL"] % 1 != 0), "ADDL", "is not a count", "give how many doses follow"),
    _Rule(
        lambda t: (t["RATE"] < 0) & ~np.isin(t["RATE"], (MODELLED_RATE, MODELLED_DURATION)),
        "RATE",
        "is unknown",
        "use a rate above zero, -1 (rate from the model), -2 (duration from the model) or 0 (bolus)",
    ),
    _Rule(
        lambda t: np.isin(t["EVID"], (OBSERVE, OTHER, RESET)) & _any_of(t, "AMT", "RATE", "DUR", "II", "ADDL", "SS"),
        "EVID AMT RATE DUR II ADDL SS",
        "give a dose in a row that is none",
        "use EVID 1 (or 4), or leave AMT, RATE, DUR, II, ADDL and SS out",
    ),
    _Rule(
        lambda t: np.isin(t["EVID"], REPLACE) & _any_of(t, "RATE", "DUR", "II", "ADDL", "SS"),
        "EVID RATE DUR II ADDL SS",
        "replace an amount and want more",
        "give AMT alone: what the compartment then holds",
    ),
    _Rule(
        lambda t: _doses(t) & (t["AMT"] == 0) & (t["RATE"] == 0),
        "AMT RATE",
        "are both zero in a dose",
        "give AMT, or use EVID 2",
    ),
    _Rule(
        lambda t: _doses(t) & (t["AMT"] == 0) & (t["RATE"] != 0) & ~_endless(t),
        "AMT RATE II SS",
        "give an infusion without an amount",
        "give AMT; only the endless infusion (SS > 0, II = 0, RATE > 0 or -1) goes without",
    ),
    _Rule(lambda t: (t["RATE"] != 0) & (t["DUR"] != 0), "RATE DUR", "are both given", "give one of them"),
    _Rule(lambda t: (t["ADDL"] > 0) & (t["II"] <= 0), "ADDL II", "repeat a dose without an interval", "give II > 0"),
    _Rule(
        lambda t: (t["SS"] > 0) & (t["II"] <= 0) & ~_endless(t) & (t["AMT"] > 0),
        "SS II",
        "ask for a steady state without an interval",
        "give II > 0, or an endless infusion (AMT = 0, RATE > 0)",
    ),
)


def _check(t: Rows, missing: dict[str, Flags], places: list[str], faults: list[Fault]) -> None:
    """All rules on all rows; what is allowed but does nothing warns."""
    found: list[tuple[int, Fault]] = []
    for k in np.flatnonzero(missing["TIME"]):
        found.append((int(k), Fault(places[k], "TIME is missing", "give the hours since the start")))
    for rule in _RULES:
        for k in np.flatnonzero(rule.broken(t)):
            said = ", ".join(f"{c} = {t[c][k]:g}" for c in rule.columns.split())
            found.append((int(k), Fault(places[k], f"{said}: {rule.problem}", rule.remedy)))
    faults += [fault for _, fault in sorted(found, key=lambda pair: pair[0])]
    idle = _doses(t) & (t["II"] > 0) & (t["ADDL"] == 0) & (t["SS"] == 0)
    lines = [f"{places[k]}: II = {t['II'][k]:g} without ADDL or SS does nothing" for k in np.flatnonzero(idle)]
    if lines and not faults:
        warnings.warn("\n".join(lines), UserWarning, stacklevel=3)


def _check_clock(table: EventTable) -> None:
    """NONMEM lets the clock go back at a reset; here a person has one clock."""
    time, evid = table.column("TIME"), table.column("EVID")
    faults, last = [], dict.fromkeys(range(table.patients), -np.inf)
    for k, who in enumerate(table.patient):
        if evid[k] in (RESET, RESET_AND_DOSE) and time[k] < last[who]:
            problem = f"TIME = {time[k]:g} goes back to before {last[who]:g} at a reset"
            faults.append(Fault(table.places[k], problem, "let time go on, or give the second period an ID of its own"))
        last[who] = max(last[who], time[k])
    if faults:
        raise InputError(faults)
