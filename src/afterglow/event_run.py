"""Any model written in the language, run with an event table in one call.

    from afterglow.event_run import EventModel
    from afterglow.library.textbook import OneCompartment

    run = EventModel(OneCompartment).run("doses.csv", {"CL": 2.0})
    run.frame                                    # the table, with a column for each output of the model

A model of one's own may stand in a file: `EventModel.of_file("my_model.py")`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from afterglow.compile.numpy_code import numpy_function
from afterglow.compile.program import Program, program
from afterglow.compile.sbml.reader import read_sbml
from afterglow.compile.vector import vector_code
from afterglow.engine.batch import Engine
from afterglow.engine.dosing import Compartments, OfSlots, find_name
from afterglow.engine.records import EventTable, read_events
from afterglow.errors import AfterglowError, Fault, InputError, nearest
from afterglow.lang import Expr, FlatModel, Model, System
from afterglow.lang.expr import order

if TYPE_CHECKING:
    import pandas as pd

    from afterglow.engine.dosing import Value

FloatArray = NDArray[np.float64]
STEADY_RTOL = 1e-11  # of the dosing intervals that are run for a steady state without closed form


@dataclass(frozen=True)
class EventRun:
    """What came out.

    `frame` is the event table with a column for each output (its name, or its full name where the table has such a
    column): numbers in rows that look (EVID 0 and 2), NaN elsewhere and after a failure. `status` [people] is 0 where
    all went well; `problems` has a line with time and remedy for each failure. `used` are the columns that set a
    parameter, and which; `note` says how clock times became hours.
    """

    frame: pd.DataFrame
    status: NDArray[np.int64]
    problems: list[str]
    used: dict[str, str]
    note: str


class EventModel:
    """A model, compiled, that takes event tables."""

    def __init__(
        self,
        model: type[System] | Model | FlatModel,
        compartments: Sequence[str] | None = None,
        rtol: float = 1e-8,
        threads: int | None = None,
    ) -> None:
        """Compile a system, or systems wired to a model.

        Args:
            model: what to run.
            compartments: the states that doses and resets concern, numbered from 1 in this order; by default all.
            rtol: relative tolerance of the engine.
            threads: at most so many at once; by default all processors.
        """
        self.program: Program = program(_flat(model))
        p = self.program
        code = vector_code(p)
        self.engine = Engine(code, p.sizes, rtol, threads)
        rates, initial = (numpy_function(x, p.y, p.p) for x in (p.rhs, p.init))
        tight = Engine(code, p.sizes, STEADY_RTOL, threads)
        found = Compartments.of(p, compartments, rates, initial, tight, _entries(p))
        self.compartments = replace(found, curved=_curved(p, found.names))
        ends = [name.split(".")[-1] for name in p.outputs]
        self.outputs = [e if ends.count(e) == 1 else n for e, n in zip(ends, p.outputs, strict=True)]

    @staticmethod
    def of_file(path: str | Path, **options: Any) -> EventModel:
        """The only system, or the only `Model`, of a Python file. Raises InputError with file and line."""
        return EventModel(load_model(path), **options)

    @staticmethod
    def of_sbml(path: str | Path, **options: Any) -> EventModel:
        """The model of an SBML file without events of its own; doses are amounts. Raises InputError."""
        found = read_sbml(path)
        if found.events or found.switches:
            problem, remedy = "has events or switches by time of its own", "run it with afterglow.sbml_run"
            raise InputError(Fault(str(path), problem, remedy))
        return EventModel(found.model, **options)

    def parameters(self, people: int, values: Mapping[str, ArrayLike] | None = None) -> FloatArray:
        """Parameter slots [slots, people]: the model's values, or those of `values` (a number, or one a person)."""
        slots = np.repeat(np.array(self.program.defaults, dtype=float)[:, None], people, axis=1)
        known = [s for s in self.program.slots if not s.startswith("rate:")]
        faults = []
        for name, value in (values or {}).items():
            found, number = find_name(name, known), np.asarray(value, dtype=float)
            if found is None:
                short = {s.split(".")[-1] for s in known}
                faults.append(
                    Fault(name, "the model has no such parameter", nearest(name, known if "." in name else short))
                )
            elif number.shape not in ((), (people,)) or not np.isfinite(number).all():
                faults.append(Fault(name, f"{value!r} does not fit", f"give a number, or one for each of {people}"))
            else:
                slots[self.program.slot[known[found]]] = number
        if faults:
            raise InputError(faults)
        return slots

    def run(
        self,
        table: str | Path | pd.DataFrame | EventTable,
        values: Mapping[str, ArrayLike] | None = None,
        *,
        f: Mapping[str, Value] | None = None,
        lag: Mapping[str, Value] | None = None,
        rate: Mapping[str, Value] | None = None,
        duration: Mapping[str, Value] | None = None,
        covariates: Mapping[str, str] | None = None,
        carry: str = "nocb",
        doses_first: bool = False,
        reset_cancels: bool = True,
    ) -> EventRun:
        """Run everybody of an event table (a CSV file, a frame, or one that was read).

        `values` are parameters by name (a number, or one a person); all others are those of `EventTable.schedule`.
        Raises InputError: all faults of the table, each with row and remedy.
        """
        events = table if isinstance(table, EventTable) else read_events(table)
        slots = self.parameters(events.patients, values)
        schedule = events.schedule(
            self.compartments, slots, f=f, lag=lag, rate=rate, duration=duration, covariates=covariates, carry=carry,
            doses_first=doses_first, reset_cancels=reset_cancels,
        )  # fmt: skip
        frame = events.frame.copy()
        if not len(schedule.times):
            raise InputError(Fault("table", "no row looks at anything", "add rows with EVID 0"))
        assert schedule.parameters is not None
        wanted = range(len(self.outputs))
        done = self.engine.run(schedule.parameters, schedule.actions, schedule.times, wanted, t0=schedule.start)
        seen = schedule.read(done.values)
        for k, (name, full) in enumerate(zip(self.outputs, self.program.outputs, strict=True)):
            frame[full if name in frame else name] = seen[:, k]
        return EventRun(frame, done.status, done.failures(), schedule.used, events.note)


def _flat(model: type[System] | Model | FlatModel) -> FlatModel:
    if isinstance(model, FlatModel):
        return model
    if isinstance(model, Model):
        return model.flatten()
    alone = Model(model.__name__)
    alone.add(model, model.__name__)
    return alone.flatten()


def _curved(p: Program, names: Sequence[str]) -> bool:
    """Whether rates of these states depend on states other than in a straight line, as their equations stand."""
    own, states = {p.state[n] for n in names}, set(p.y)
    slopes = [slope for (i, j), slope in p.jacobian.items() if i in own and j in own]
    return any(node in states for node in order(slopes))


def _entries(p: Program) -> dict[str, dict[str, OfSlots | str]]:
    """What the routes say of doses into each state: F, lag and duration, or the names of the routes that differ."""
    said: dict[str, dict[str, dict[str, Expr | None]]] = {}
    for name, route in p.model.routes.items():
        for state, fraction, over in route.into:
            what = said.setdefault(state, {"F": {}, "lag": {}, "duration": {}})
            what["F"][name] = None if fraction.op == "const" and fraction.value == 1.0 else fraction
            what["lag"][name], what["duration"][name] = route.lag, over
    out: dict[str, dict[str, OfSlots | str]] = {}
    for state, whats in said.items():
        for what, routes in whats.items():
            first, *others = routes.values()
            if any(x is not first for x in others):
                out.setdefault(state, {})[what] = ", ".join(routes)
            elif first is not None:
                out.setdefault(state, {})[what] = _of_slots(first, p)
    return out


def _of_slots(x: Expr, p: Program) -> OfSlots:
    """An expression of parameters and inputs as a function of slots [slots, rows]."""
    f = numpy_function([x], p.y, p.p)
    return lambda slots: np.broadcast_to(f(np.empty((0, slots.shape[1])), slots)[0], slots.shape[1:])


def load_model(path: str | Path) -> type[System] | Model:
    """The only system of a Python file, or its only `Model` where several systems are wired.

    The file is run: load only what you trust. Raises InputError with file, line, problem and remedy.
    """
    path = Path(path)
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise InputError(Fault(str(path), f"cannot be read: {e}", "check the path")) from None
    scope: dict[str, Any] = {"__name__": path.stem, "__file__": str(path)}
    try:
        exec(compile(source, str(path), "exec"), scope)
    except AfterglowError:
        raise  # says file, line and remedy itself
    except SyntaxError as e:
        raise InputError(Fault(f"{path.name}:{e.lineno}", f"is not Python: {e.msg}", "mend this line")) from None
    except Exception as e:
        raise InputError(_explained(e, path, scope)) from e
    models = [x for x in scope.values() if isinstance(x, Model)]
    systems = [x for x in scope.values() if isinstance(x, type) and issubclass(x, System) and x.__module__ == path.stem]
    found: list[Any] = models or systems
    if len(found) != 1:
        names = ", ".join(x.name if isinstance(x, Model) else x.__name__ for x in found) or "none"
        raise InputError(Fault(path.name, f"has {len(found)} models: {names}", "write one System, or wire one Model"))
    return found[0]


def _explained(e: Exception, path: Path, scope: Mapping[str, Any]) -> Fault:
    """What went wrong while a model's file was run: its line, and the nearest name where one is not known."""
    line, names, at = 0, set(scope), e.__traceback__
    while at is not None:
        if at.tb_frame.f_code.co_filename == str(path):
            line, names = at.tb_lineno, names | set(at.tb_frame.f_locals)
        at = at.tb_next
    place = f"{path.name}:{line}"
    if isinstance(e, NameError):
        known = [n for n in names if not n.startswith("_")]
        return Fault(place, f"'{e.name}' is not known", f"declare it first; {nearest(str(e.name), known)}")
    return Fault(place, f"{type(e).__name__}: {e}", "mend this line")
