"""Run a compiled model for many patients at once: `Engine`.

    engine = Engine(code, sizes, rtol=1e-5)
    result = engine.run(parameters, actions, times, outputs=[0, 3])
    more = engine.run(parameters, actions, later_times, outputs=[0, 3], start=result.end)     # pause and resume

Patients advance in groups of LANES with one common step, so a patient's numbers depend, within the tolerance, on who
shares the group. Whoever wants the same numbers at any size of the batch simulates whole groups and drops the surplus.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from afterglow.engine import driver, native
from afterglow.engine.actions import ADD_SLOT, SET_SLOT, Actions, Table
from afterglow.errors import EngineError

FloatArray = NDArray[np.float64]
LANES = driver.LANES

REMEDY = {
    driver.NOT_FINITE: "a parameter, covariate or state is not a finite number: look at this patient's row",
    driver.TOO_MANY_STEPS: "the step limit was reached: raise max_steps or loosen rtol",
    driver.STEP_TOO_SMALL: "the step became too small: an equation may jump or blow up for this patient's parameters",
}


class Code(native.Code, Protocol):
    """What the engine needs of a compiled model: machine code and the sizes of its arrays."""

    @property
    def names(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def slot_names(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def states(self) -> int: ...  # noqa: D102
    @property
    def slots(self) -> int: ...  # noqa: D102
    @property
    def outputs(self) -> int: ...  # noqa: D102
    @property
    def prepared(self) -> int: ...  # noqa: D102
    @property
    def factors(self) -> int: ...  # noqa: D102


@dataclass(frozen=True)
class Pause:
    """Where a batch stands: time (h), states and parameter slots in groups of lanes."""

    time: float
    states: FloatArray
    slots: FloatArray


@dataclass(frozen=True)
class Result:
    """Outputs [patients, times, outputs], NaN after a failure; status [patients], 0 is fine; where the batch stands.

    Of who failed: `failed_at` (h), and `failed_in`, the number of the state, or -2 - slot for a bad parameter slot.
    """

    values: FloatArray
    status: NDArray[np.int64]
    failed_at: FloatArray
    steps: NDArray[np.int64]
    end: Pause
    failed_in: NDArray[np.int64] | None = None
    names: tuple[str, ...] = ()
    slot_names: tuple[str, ...] = ()

    def failures(self, numbers: Sequence[int] | None = None) -> list[str]:
        """One line for each patient who could not be simulated: number (or the one given), time, state, remedy."""
        return [
            f"patient {numbers[i] if numbers else i}: stopped at {self.failed_at[i]:.6g} h{self._place(i)}: "
            + REMEDY[int(self.status[i])]
            for i in np.flatnonzero(self.status).tolist()
        ]

    def _place(self, i: int) -> str:
        """The state or parameter slot in which patient i failed."""
        at = -1 if self.failed_in is None else int(self.failed_in[i])
        if at >= 0:
            return f" in state {self.names[at] if at < len(self.names) else at}"
        slot = -2 - at
        return "" if at == -1 else f" by parameter {self.slot_names[slot] if slot < len(self.slot_names) else slot}"


class Engine:
    """Vector code of one model, ready to run."""

    def __init__(self, code: Code, sizes: Sequence[float], rtol: float = 1e-5, threads: int | None = None) -> None:
        """`sizes` are typical magnitudes of the states; the absolute tolerance of a state is rtol * size.

        Without `threads`, $AFTERGLOW_THREADS or all processors are used.
        """
        if not 0 < rtol < 0.1:
            raise EngineError(f"rtol must lie between 0 and 0.1, not {rtol}")
        self.code, self.sizes, self.rtol = code, tuple(sizes), rtol
        self.threads = threads or int(os.environ.get("AFTERGLOW_THREADS", 0)) or os.cpu_count() or 1
        self._tol = np.array([rtol, *(rtol * s for s in sizes)])
        self._at, self._loop = native.load(code), driver.loop()

    def __reduce__(self) -> tuple[object, ...]:
        """Another process links the machine code anew, from its own store if it has it."""
        return Engine, (self.code, self.sizes, self.rtol, self.threads)

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
        """Simulate every patient.

        Args:
            parameters: [slots, patients]; ignored when `start` is given.
            actions: what is done to whom and when.
            times: sorted times (h) at which outputs are wanted.
            outputs: numbers of the wanted outputs.
            start: a pause to go on from; otherwise patients start untreated at `t0`.
            until: stop here (h), default the last of `times`.
            first_step: first step after an action (h).
            max_steps: steps before a patient is given up.
        """
        times, t0, t1 = self._span(times, start, t0, until)
        slots, states, n = self._begin(parameters, start)
        groups = slots.shape[0]
        table = actions.table(n) if isinstance(actions, Actions) else actions
        self._check(table, n, outputs)
        begin = np.concatenate([table.start, np.full(groups * LANES - n, table.start[-1])])
        wanted = np.asarray(outputs, dtype=np.int64)
        out = np.empty((len(wanted), groups * LANES, len(times)))  # an output at a time is how they are read
        status = np.zeros(groups * LANES, np.int64)
        failed_at = np.full(groups * LANES, np.nan)
        failed_in = np.full(groups * LANES, -1, np.int64)
        steps = np.zeros(groups * LANES, np.int64)
        c = self.code
        addresses = tuple(self._at[k] for k in ("prepare", "outputs", "step", "dense"))
        sizes = (c.states, max(c.prepared, 1), c.outputs, c.factors)

        def part(first: int, last: int) -> None:
            out[:, first * LANES : last * LANES] = np.nan
            self._loop(
                first, last, addresses, sizes, t0, t1, times, wanted, self._tol, float(first_step), max_steps, slots,
                states, begin, table.time, table.kind, table.place, table.value, out, status, failed_at, failed_in,
                steps,
            )  # fmt: skip

        # More tasks than threads even out slow patients; which thread runs a group changes nothing in it.
        tasks = min(groups, 4 * self.threads)
        edges = [groups * k // tasks for k in range(tasks + 1)]
        if self.threads == 1 or tasks == 1:
            part(0, groups)
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                list(pool.map(part, edges[:-1], edges[1:]))
        for i in np.flatnonzero(status).tolist():  # nothing of a failed patient is left from the failure on
            states[i // LANES, :, i % LANES] = np.nan
            out[:, i, (times > failed_at[i]) | ((times >= t0) & (t0 >= failed_at[i]))] = np.nan
        end = Pause(t1, states, slots)
        return Result(
            out.transpose(1, 2, 0)[:n], status[:n], failed_at[:n], steps[:n], end, failed_in[:n], c.names, c.slot_names
        )

    @staticmethod
    def _span(
        times: FloatArray, start: Pause | None, t0: float, until: float | None
    ) -> tuple[FloatArray, float, float]:
        """Times to look at, and from when to when."""
        times = np.ascontiguousarray(times, dtype=float)
        if times.ndim != 1 or (np.diff(times) < 0).any() or not np.isfinite(times).all():
            raise EngineError("times must be a sorted list of finite numbers")
        t0 = float(start.time if start else t0)
        t1 = float(times[-1] if until is None else until)
        if t1 < t0:
            raise EngineError(f"cannot run backwards from {t0} h to {t1} h")
        return times, t0, t1

    def _check(self, table: Table, n: int, outputs: Sequence[int]) -> None:
        """The machine code trusts these numbers."""
        if len(table.start) != n + 1:
            raise EngineError(f"the actions are for {len(table.start) - 1} patients, not {n}")
        of_slot = (table.kind == ADD_SLOT) | (table.kind == SET_SLOT)
        if (table.place < 0).any() or (table.place >= np.where(of_slot, self.code.slots, self.code.states)).any():
            raise EngineError("an action names a state or slot that the model does not have")
        if any(not 0 <= k < self.code.outputs for k in outputs):
            raise EngineError(f"the model has outputs 0 to {self.code.outputs - 1}, not {list(outputs)}")

    def _begin(self, parameters: FloatArray, start: Pause | None) -> tuple[FloatArray, FloatArray, int]:
        """Slots and states in groups of lanes; empty lanes repeat the last patient."""
        n_slots, n = parameters.shape
        if n_slots != self.code.slots:
            raise EngineError(f"the model has {self.code.slots} parameter slots, not {n_slots}")
        if n == 0:
            raise EngineError("there is no patient to simulate")
        groups = -(-n // LANES)
        if start is not None:
            fitting = (groups, n_slots, LANES), (groups, self.code.states, LANES)
            if (start.slots.shape, start.states.shape) != fitting:
                raise EngineError(f"the pause belongs to another model or number of patients than these {n}")
            return start.slots.copy(), start.states.copy(), n
        padded = np.concatenate([parameters, np.repeat(parameters[:, -1:], groups * LANES - n, axis=1)], axis=1)
        slots = np.ascontiguousarray(padded.reshape(n_slots, groups, LANES).transpose(1, 0, 2))
        return slots, self.begin(slots), n

    def begin(self, slots: FloatArray) -> FloatArray:
        """Initial states [groups, states, LANES] from slots [groups, slots, LANES]."""
        states = np.empty((len(slots), self.code.states, LANES))
        init = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(self._at["init"])
        for p, y in zip(slots, states, strict=True):
            init(p.ctypes.data, y.ctypes.data)
        return states
