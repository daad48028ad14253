"""Run a small model of one or a few systems with the batch engine: what the tests of single systems share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from afterglow.compile.numpy_code import numpy_function
from afterglow.compile.program import program
from afterglow.compile.vector import vector_code
from afterglow.data import record
from afterglow.engine.actions import SET_STATE, Actions
from afterglow.engine.batch import Engine
from afterglow.lang import Expr, Model, Param, System, Unit

FloatArray = NDArray[np.float64]
DAY, WEEK, YEAR = 24.0, 168.0, 8760.0
Dose = tuple[float, str, ArrayLike, float]  # time h, "part.route", mg, hours (0 for a bolus)
Signal = tuple[float, str, float]  # time h, "part.input", value from then on


class Small:
    """A compiled small model; every state is an output too."""

    def __init__(self, model: Model, rtol: float = 1e-7) -> None:
        flat = model.flatten()
        self.flat = flat
        self.program = program(replace(flat, outputs={**flat.states, **flat.outputs}))
        self.engine = Engine(vector_code(self.program), self.program.sizes, rtol, threads=1)

    @classmethod
    def of(cls, system: type[System], name: str, **params: Param) -> Small:
        """A model of one system, its inputs left open."""
        model = Model(name)
        model.add(system, name, **params)
        return cls(model)

    def run(
        self,
        times: Sequence[float] | FloatArray,
        doses: Iterable[Dose] = (),
        signals: Iterable[Signal] = (),
        start: Mapping[str, float] | None = None,
        values: Mapping[str, ArrayLike] | None = None,
    ) -> dict[str, FloatArray]:
        """Every state and output [patients, times].

        `start` puts states elsewhere at 0 h; `values` are parameters and inputs, one value or one a patient.
        """
        prog, doses = self.program, list(doses)
        n = max([1, *(np.size(v) for v in (values or {}).values()), *(np.size(d[2]) for d in doses)])
        slots = np.repeat(np.array(prog.defaults)[:, None], n, axis=1)
        for name, value in (values or {}).items():
            slots[prog.slot[name]] = value
        actions, who = Actions(), np.arange(n)
        for name, value in (start or {}).items():
            actions.add(SET_STATE, who, 0.0, prog.state[name], value)
        for time, route, amount, hours in doses:
            way = self.flat.routes[route]
            late = time + (0.0 if way.lag is None else self._number(way.lag, slots))
            for state, share, _ in way.into:
                mg = np.asarray(amount, float) * self._number(share, slots)
                if hours:
                    actions.infusion(who, late, prog.slot[f"rate:{state}"], mg, hours)
                else:
                    actions.bolus(who, late, prog.state[state], mg)
        for time, name, value in signals:
            actions.set(who, time, prog.slot[name], value)
        result = self.engine.run(slots, actions, np.asarray(times, float), range(len(prog.outputs)))
        assert not result.failures()
        return {name: result.values[:, :, k] for name, k in prog.output.items()}

    def _number(self, x: Expr, slots: FloatArray) -> FloatArray:
        return np.broadcast_to(numpy_function([x], (), self.program.p)(np.empty((0, 1)), slots)[0], slots.shape[1])

    def out_of_bounds(self, run: Mapping[str, FloatArray], slack: float = 1e-6) -> list[str]:
        """States that left their declared bounds."""
        return [
            f"{name}: {run[name].min():g} to {run[name].max():g}, declared {s.bounds}"
            for name, s in self.flat.states.items()
            if run[name].min() < s.bounds[0] - slack or run[name].max() > s.bounds[1] + slack
        ]


def published(name: str) -> float:
    """The value of a parameter record that holds one number."""
    value = record(name).value
    assert isinstance(value, float)
    return value


def published_list(name: str) -> list[float]:
    """The values of a parameter record that holds several."""
    value = record(name).value
    assert isinstance(value, list)
    return value


def published_spread(name: str) -> list[float]:
    """The spread of a parameter record, as a list."""
    spread = record(name).spread
    assert spread is not None
    return spread.value if isinstance(spread.value, list) else [spread.value]


def unsourced(system: type[System], params: Mapping[str, Param] | None = None) -> list[str]:
    """Faults of a system's numbers: sources that do not resolve, values that differ from their record's."""
    faults = []
    for name, p in {**system.params, **(params or {})}.items():
        if p.source in ("assumed", "fitted"):
            continue
        known = record(p.source)
        assert p.unit is not None
        if known.grade == "assumed" or not isinstance(known.value, float):
            faults.append(f"{name}: record {p.source} holds {known.value!r}, grade {known.grade}")
            continue
        value = known.value * Unit.parse(known.unit).factor_to(p.unit)
        if abs(value - p.value_) > 0.005 * abs(value):
            faults.append(f"{name} = {p.value_} {p.unit}, but record {p.source} says {value}")
    return faults
