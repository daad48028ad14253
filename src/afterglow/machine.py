"""A compiled model that steps only what a treatment moves: `Machine`, with the contract of `Engine`.

    machine = Machine(program, rtol=1e-5)
    result = machine.run(parameters, actions, times, outputs=[0, 3])

The actions and the parameters of a run say which inputs, rates and states leave their resting values; the rest of the
model is left out by algebra (`compile.resting`). Machine code for each such part is made when it is first needed and
kept on disk, found again by the model's hash, the part, the compiler's own source and the processor. The norm of the
error counts the resting states as exact, so a part takes the same steps as the whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from afterglow import compile as compiler
from afterglow.compile.code import Code
from afterglow.compile.numpy_code import numpy_function
from afterglow.compile.program import Program
from afterglow.compile.resting import still_slots, without_resting
from afterglow.compile.vector import vector_code
from afterglow.engine import native
from afterglow.engine.actions import ADD_SLOT, SET_SLOT, Actions, Table
from afterglow.engine.batch import Engine, Pause, Result

FloatArray = NDArray[np.float64]
Moved = tuple[frozenset[int], frozenset[int]]  # slots and states that leave their resting values


@dataclass(frozen=True)
class PartPause(Pause):
    """Where a batch stands; `moved` says which part of the model its states belong to."""

    moved: Moved = field(default=(frozenset(), frozenset()))


@dataclass(frozen=True)
class PartResult(Result):
    """A result that can be continued by the machine that made it."""

    end: PartPause


@dataclass(frozen=True)
class Part:
    """An engine for some of the states."""

    engine: Engine
    live: tuple[int, ...]

    def place(self, table: Table) -> Table:
        """The table with states numbered as in this part."""
        number = np.full(max(self.live, default=0) + 1, -1, dtype=np.int64)
        number[list(self.live)] = np.arange(len(self.live))
        of_slot = _of_slot(table)
        return replace(table, place=np.where(of_slot, table.place, number[np.where(of_slot, 0, table.place)]))


class Machine:
    """One model, ready to run in whatever part a treatment needs."""

    def __init__(self, program: Program, rtol: float = 1e-5, threads: int | None = None) -> None:
        """`rtol` and `threads` as for `Engine`."""
        self.program, self.rtol, self.threads = program, rtol, threads
        self._still = np.array(still_slots(program), dtype=np.int64)
        self._parts: dict[Moved, Part] = {}
        self._making = Lock()  # a part is made once, also when two threads ask for it

    def run(
        self,
        parameters: FloatArray,
        actions: Actions | Table,
        times: FloatArray,
        outputs: Sequence[int],
        *,
        start: PartPause | None = None,
        t0: float = 0.0,
        until: float | None = None,
        max_steps: int = 1_000_000,
    ) -> PartResult:
        """Simulate every patient; arguments and result as of `Engine.run`, a pause is one of this machine's own."""
        table = actions.table(parameters.shape[1]) if isinstance(actions, Actions) else actions
        moved = self.moved(table, parameters, start)
        part = self.part(moved)
        begin = None if start is None else self._continued(start, part)
        result = part.engine.run(
            parameters, part.place(table), times, outputs, start=begin, t0=t0, until=until, max_steps=max_steps
        )
        end = PartPause(result.end.time, result.end.states, result.end.slots, moved)
        return PartResult(**{**vars(result), "end": end})

    def states(self, pause: PartPause) -> FloatArray:
        """All states [states, patients in whole groups] at a pause; those that rest have their initial values."""
        people = pause.slots.shape[0] * pause.slots.shape[2]
        slots, live = (a.transpose(1, 0, 2).reshape(a.shape[1], people) for a in (pause.slots, pause.states))
        init = numpy_function(self.program.init, self.program.y, self.program.p)
        found = init(np.empty((0, people)), slots)
        whole = np.array([np.broadcast_to(value, people) for value in found])
        whole[list(self.part(pause.moved).live)] = live
        return whole

    def part(self, moved: Moved) -> Part:
        """The engine for a treatment that moves these slots and states."""
        with self._making:
            if moved not in self._parts:
                self._parts[moved] = self.make(moved)
            return self._parts[moved]

    def make(self, moved: Moved) -> Part:
        """A new engine for them."""
        code, live = self._code(moved)
        return Part(Engine(code, [self.program.sizes[i] for i in live], self.rtol, self.threads), live)

    def __reduce__(self) -> tuple[object, ...]:
        """Another process makes its own parts, or finds them in its store."""
        return type(self), (self.program, self.rtol, self.threads)

    def moved(self, actions: Actions | Table, parameters: FloatArray, start: PartPause | None = None) -> Moved:
        """What these actions and parameters [slots, patients] move."""
        table = actions.table(parameters.shape[1]) if isinstance(actions, Actions) else actions
        slots = set(np.unique(table.place[_of_slot(table)]).tolist()) & set(self._still.tolist())
        states = set(np.unique(table.place[~_of_slot(table)]).tolist())
        if start is not None:
            return frozenset(slots | start.moved[0]), frozenset(states | start.moved[1])
        usual = np.array(self.program.defaults)[self._still, None]
        differ = (parameters[self._still] != usual).any(axis=1)
        return frozenset(slots | set(self._still[differ].tolist())), frozenset(states)

    def _continued(self, start: PartPause, part: Part) -> Pause:
        """States of the present part: those of the pause, and initial values where something newly moves."""
        before = self.part(start.moved).live
        if before == part.live:
            return start
        states = part.engine.begin(start.slots)
        states[:, np.searchsorted(part.live, before)] = start.states
        return Pause(start.time, states, start.slots)

    def _code(self, moved: Moved) -> tuple[Code, tuple[int, ...]]:
        """Machine code of a part and its states; from the store of known parts where it can."""
        program = self.program
        key = hashlib.sha256(repr((self._identity, sorted(moved[0]), sorted(moved[1]))).encode()).hexdigest()[:32]

        def emit() -> Code:
            return vector_code(without_resting(program, *moved))

        known = native.recall(key)
        if known is None:
            code = replace(emit(), key=key)
            live = np.flatnonzero(np.isin(program.states, code.names)).tolist()
            native.remember(key, {"live": live, **code.measures()})
        else:
            live = known.pop("live")
            names = {name: tuple(known.pop(name)) for name in ("names", "slot_names")}
            code = Code(emit=emit, key=key, **names, **known)
        return code, tuple(live)

    @cached_property
    def _identity(self) -> tuple[str, tuple[float, ...], str]:
        usual = tuple(self.program.defaults[k] for k in self._still)
        return self.program.hash, usual, _compiler()


def _of_slot(table: Table) -> NDArray[np.bool_]:
    return (table.kind == ADD_SLOT) | (table.kind == SET_SLOT)


@cache
def _compiler() -> str:
    """Fingerprint of the source that writes machine code: an edited compiler must not meet its old work."""
    folder = Path(compiler.__file__).parent
    return hashlib.sha256(b"".join(f.read_bytes() for f in sorted(folder.glob("*.py")))).hexdigest()
