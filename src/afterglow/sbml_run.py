"""A model of somebody else's, written in SBML, run in the engine.

    from afterglow.sbml_run import SbmlModel

    model = SbmlModel.of_file("their_model.xml")
    model.run([0.0, 1.0, 2.0], {"k1": 0.3})      # a frame: time, species, whatever changes, rates of reactions

Time is in the file's own unit. A quantity at the very time of an event, or of a switch by time, is the one after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from afterglow.compile.numpy_code import numpy_function
from afterglow.compile.program import Program, program
from afterglow.compile.sbml.reader import Event, Imported, parse_sbml, read_sbml
from afterglow.compile.vector import vector_code
from afterglow.engine.actions import Actions
from afterglow.engine.batch import LANES, Engine, Pause
from afterglow.engine.dosing import find_name
from afterglow.errors import EngineError, Fault, InputError, nearest
from afterglow.lang.expr import Expr

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
FIRST_STEP = 1e-4  # of the time that is run


class SbmlModel:
    """An imported model, compiled."""

    def __init__(self, source: Imported, rtol: float = 1e-8) -> None:
        """`rtol` is the engine's relative tolerance."""
        self.source = source
        self.program: Program = program(source.model)
        self.engine = Engine(vector_code(self.program), self.program.sizes, rtol, 1)

    @staticmethod
    def of_file(path: str | Path, rtol: float = 1e-8) -> SbmlModel:
        """The model of an SBML file. Raises InputError, which names all that cannot be read."""
        return SbmlModel(read_sbml(path), rtol)

    @staticmethod
    def of_text(text: str, rtol: float = 1e-8) -> SbmlModel:
        """The model of an SBML document."""
        return SbmlModel(parse_sbml(text), rtol)

    def run(self, times: Sequence[float] | FloatArray, values: Mapping[str, float] | None = None) -> pd.DataFrame:
        """What the model does: a row for each of `times` (sorted, none below 0), a column for each quantity.

        `values` replace parameters, sizes and initial values of the file, by id.
        """
        import pandas as pd

        at = np.asarray(times, dtype=float)
        if at.ndim != 1 or not len(at) or not np.isfinite(at).all() or (np.diff(at) < 0).any() or at[0] < 0:
            raise InputError(Fault("times", "must be sorted numbers, none below 0", "for instance 0, 1, 2"))
        slots = self._slots(values or {})
        happens = self._happens(slots)
        stops = sorted({0.0, *(t for t in happens if t <= at[-1]), float(at[-1])})
        p, seen = self.program, np.empty((len(at), len(self.program.outputs)))
        grouped = np.repeat(slots[None, :, None], LANES, axis=2)
        pause = Pause(0.0, self.engine.begin(grouped), grouped)
        for begin, end in zip(stops, [*stops[1:], np.inf], strict=True):
            pause = self._act(pause, happens.get(begin, []))
            inside = (at >= begin) & (at < end)
            until = begin if end == np.inf else end
            result = self.engine.run(
                slots[:, None], Actions(), at[inside], range(len(p.outputs)), start=pause, until=until,
                first_step=FIRST_STEP * (until - begin) or FIRST_STEP,
            )  # fmt: skip
            if result.status.any():
                raise EngineError(result.failures()[0])
            seen[inside], pause = result.values[0], result.end
        return pd.DataFrame({"time": at} | {name: seen[:, k] for k, name in enumerate(p.outputs)})

    def _slots(self, values: Mapping[str, float]) -> FloatArray:
        """Values of all inputs, those of switches at time 0."""
        slots, faults, names = np.array(self.program.defaults), [], self.program.slots
        for name, value in values.items():
            found = find_name(name, names)
            if found is None:
                faults.append(Fault(name, "nothing of this name can be set", nearest(name, names)))
            elif not np.isfinite(value):
                faults.append(Fault(name, f"{value} is not a finite number", "give a number"))
            else:
                slots[found] = value
        if faults:
            raise InputError(faults)
        for one in self.source.switches:
            slots[self.program.slot[one.slot]] = float(self._number(one.time, slots) < 0)
        return slots

    def _happens(self, slots: FloatArray) -> dict[float, list[int | Event]]:
        """Slots of switches and events by time, from 0 on."""
        found: dict[float, list[int | Event]] = {}
        for one in self.source.switches:
            if (time := self._number(one.time, slots)) >= 0:
                found.setdefault(time, []).append(self.program.slot[one.slot])
        for event in self.source.events:
            time = self._number(event.time, slots)
            before, at = event.at_start
            if time > 0 or (at if time == 0 else before):
                found.setdefault(max(time, 0.0), []).append(event)
        return found

    def _act(self, pause: Pause, what: Sequence[int | Event]) -> Pause:
        """Switch and change what is due: values of an event may be those from before the others."""
        slots, states = pause.slots.copy(), pause.states.copy()
        slots[:, [k for k in what if isinstance(k, int)]] = 1.0
        before = states[0, :, 0].copy()
        for event in (e for e in what if not isinstance(e, int)):
            y = before if event.frozen else states[0, :, 0].copy()
            values = self._values([x for _, x in event.values], y, slots[0, :, 0])
            for (name, _), value in zip(event.values, values, strict=True):
                states[:, self.program.state[name]] = value
        return Pause(pause.time, states, slots)

    def _number(self, x: Expr, slots: FloatArray) -> float:
        return float(self._values([x], np.empty(0), slots)[0])

    def _values(self, roots: Sequence[Expr], y: FloatArray, slots: FloatArray) -> FloatArray:
        found = numpy_function(list(roots), self.program.y, self.program.p)(y[:, None], slots[:, None])
        return np.array([np.broadcast_to(v, 1)[0] for v in found])
