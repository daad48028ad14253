"""Run a compiled model on a GPU, one patient a thread: `CudaEngine`, with the same `run` as `batch.Engine`.

The machine is behind `Kernel`: `nvidia.CudaKernel` on a GPU; tests put a C++ compiler there. A patient has a step size
of their own here, where `batch.Engine` shares one among a group: the two agree within the tolerance, and to rounding
where a group holds copies of one patient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import resources
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from afterglow.engine import driver
from afterglow.engine.actions import ADD_SLOT, ADD_STATE, SET_SLOT, SET_STATE, Actions, Table
from afterglow.engine.batch import LANES, Code, Engine, FloatArray, Pause, Result
from afterglow.engine.nvidia import CudaKernel
from afterglow.errors import EngineError

MOST = 1 << 18  # patients a launch: far more than run at once

_HEAD = """\
#ifdef __CUDACC__
#ifndef FUNCTION  // not inlined: else the compiler takes four times as long and spills far more
#define FUNCTION static __device__ __noinline__
#endif
#else  // any C++ compiler: the same text, one patient after the other
#include <math.h>
#define FUNCTION static
#endif
#define NOTHING nan("")
#define INFINITE 1e308
"""


class Kernel(Protocol):
    """The entry point `run` of a compiled source on some machine."""

    def room(self) -> int:
        """Bytes that are free for the arrays of one call."""
        ...

    def __call__(self, patients: int, arguments: Sequence[int | float | NDArray[Any]]) -> None:
        """Run; arrays that are writeable are results and are changed in place."""
        ...


def source(code: Code) -> str:
    """The whole CUDA C++ source for a model out of `compile.cuda`; also plain C++."""
    numbers: dict[str, int | float] = {
        "ADD_STATE": ADD_STATE, "ADD_SLOT": ADD_SLOT, "SET_SLOT": SET_SLOT, "SET_STATE": SET_STATE,
        "FINE": driver.FINE, "NOT_FINITE": driver.NOT_FINITE, "TOO_MANY_STEPS": driver.TOO_MANY_STEPS,
        "STEP_TOO_SMALL": driver.STEP_TOO_SMALL, "SAME_TIME": driver.SAME_TIME, "SMALLEST": driver.SMALLEST,
    }  # fmt: skip
    defined = "".join(f"#define {name} {value!r}\n" for name, value in numbers.items())
    loop = resources.files("afterglow.engine").joinpath("stepping.cu").read_text(encoding="utf-8")
    return "\n".join([_HEAD + defined, code.text, loop])


class CudaEngine(Engine):
    """One model on a GPU; made and called like `batch.Engine`."""

    def __init__(
        self,
        code: Code,
        sizes: Sequence[float],
        rtol: float = 1e-5,
        build: Callable[[str], Kernel] | None = None,
    ) -> None:
        """`code` comes from `compile.cuda`; `build` makes a kernel of its source, by default for the first GPU.

        Raises:
            EngineError: there is no GPU, or what it needs is not installed; the message says what to do.
        """
        if not 0 < rtol < 0.1:
            raise EngineError(f"rtol must lie between 0 and 0.1, not {rtol}")
        self.code, self.sizes, self.rtol, self.build, self.most = code, tuple(sizes), rtol, build, MOST
        self._tol = np.array([rtol, *(rtol * s for s in sizes)])
        self.kernel = (build or CudaKernel)(source(code))

    def __reduce__(self) -> tuple[object, ...]:
        """Another process builds its own kernel."""
        return CudaEngine, (self.code, self.sizes, self.rtol, self.build)

    def run(
        self,
        parameters: FloatArray,
        actions: Actions | Table,
        times: FloatArray,
        outputs: Sequence[int],
        *,
        start: Pause | None = None,
        t0: float = 0.0,
        until: float | None = None,
        first_step: float = 0.02,
        max_steps: int = 1_000_000,
    ) -> Result:
        """Simulate every patient; arguments as in `batch.Engine.run`."""
        times, t0, t1 = self._span(times, start, t0, until)
        slots, states = self._rows(parameters, start)
        n = slots.shape[1]
        table = actions.table(n) if isinstance(actions, Actions) else actions
        self._check(table, n, outputs)
        wanted = np.asarray(outputs, dtype=np.int64)
        values = np.empty((n, len(times), len(wanted)))
        status, failed_in, steps, failed_at = *np.empty((3, n), np.int64), np.empty(n)
        size = self._chunk(table, len(times) * len(wanted))
        for a in range(0, n, size):
            part = slice(a, min(a + size, n))
            count = part.stop - a
            rows = slice(table.start[a], table.start[part.stop])
            p, y = slots[:, part].copy(), states[:, part].copy()
            out = np.empty((len(times), len(wanted), count))
            given = [
                count, len(times), len(wanted), int(start is None), max_steps, t0, t1, first_step,
                *map(_fixed, (
                    self._tol, times, wanted, table.start[a : part.stop + 1] - table.start[a], table.time[rows],
                    table.kind[rows], table.place[rows], table.value[rows],
                )),
                p, y, out, status[part], failed_at[part], failed_in[part], steps[part],
            ]  # fmt: skip
            self.kernel(count, given)
            slots[:, part], states[:, part] = p, y
            values[part] = out.transpose(2, 0, 1)
        end, c = Pause(t1, _grouped(states), _grouped(slots)), self.code
        return Result(values, status, failed_at, steps, end, failed_in, c.names, c.slot_names)

    def begin(self, slots: FloatArray) -> FloatArray:
        """Initial states [groups, states, LANES] from slots [groups, slots, LANES]."""
        return self.run(_flat(slots), Actions(), np.empty(0), [], until=0.0).end.states

    def _rows(self, parameters: FloatArray, start: Pause | None) -> tuple[FloatArray, FloatArray]:
        """Slots and states [row, patient], to be changed."""
        n_slots, n = parameters.shape
        if n_slots != self.code.slots:
            raise EngineError(f"the model has {self.code.slots} parameter slots, not {n_slots}")
        if n == 0:
            raise EngineError("there is no patient to simulate")
        if start is None:
            return np.array(parameters, dtype=float), np.empty((self.code.states, n))
        groups = -(-n // LANES)
        fitting = (groups, n_slots, LANES), (groups, self.code.states, LANES)
        if (start.slots.shape, start.states.shape) != fitting:
            raise EngineError(f"the pause belongs to another model or number of patients than these {n}")
        slots, states = (
            x.transpose(1, 0, 2).reshape(x.shape[1], -1)[:, :n].copy() for x in (start.slots, start.states)
        )
        return slots, states

    def _chunk(self, table: Table, kept: int) -> int:
        """How many patients at once fit into the machine's memory."""
        actions = int(np.diff(table.start).max())
        each = 8 * (self.code.slots + self.code.states + kept + 4 * actions + 4)
        fitting = int(0.9 * self.kernel.room()) // each
        if fitting < 1:
            raise EngineError(
                "one patient does not fit into the free memory of the GPU: ask for fewer times or outputs"
            )
        return min(fitting, self.most)


def _fixed(x: NDArray[Any]) -> NDArray[Any]:
    """A contiguous view that says that it is not a result."""
    view = np.ascontiguousarray(x).view()
    view.flags.writeable = False
    return view


def _flat(groups: FloatArray) -> FloatArray:
    """[row, patient] out of the groups of a `Pause`."""
    return groups.transpose(1, 0, 2).reshape(groups.shape[1], -1)


def _grouped(rows: FloatArray) -> FloatArray:
    """[row, patient] in the groups of a `Pause`; empty lanes repeat the last patient."""
    count, n = rows.shape
    padded = np.concatenate([rows, np.repeat(rows[:, -1:], -n % LANES, axis=1)], axis=1)
    return np.ascontiguousarray(padded.reshape(count, -1, LANES).transpose(1, 0, 2))
