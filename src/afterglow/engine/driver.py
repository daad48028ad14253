"""The stepping loop of `stepping.py`, ready to call: `loop`.

Numba makes machine code of it once; that is kept beside the code of the models and called by address. Whoever finds it
there does without Numba, which takes longer to load than most runs.
"""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afterglow.engine import native
from afterglow.errors import EngineError

LANES = 8
SAME_TIME = 1e-9  # h; actions closer than this happen together
FINE, NOT_FINITE, TOO_MANY_STEPS, STEP_TOO_SMALL = range(4)
SMALLEST = 1e-12  # h


class _Loop:
    """The loop as code with a name."""

    @property
    def key(self) -> str:
        """Fingerprint of what the machine code is made from."""
        made_from = [Path(__file__).with_name(name).read_bytes() for name in ("driver.py", "stepping.py")]
        return hashlib.sha256(b"\n".join([*made_from, version("numba").encode()])).hexdigest()[:32]

    @property
    def text(self) -> str:
        """LLVM IR."""
        from afterglow.engine import stepping

        return stepping.text()


@cache
def loop() -> Callable[..., None]:
    """`run_groups`, with its machine code made or loaded."""
    address = native.load(_Loop(), ("run_groups",))["run_groups"]

    def run_groups(
        first: int, last: int, addresses: tuple[int, ...], sizes: tuple[int, ...], t0: float, t1: float, *more: Any
    ) -> None:
        """Advance groups first..last from t0 to t1 (h), without the lock of the interpreter.

        Args:
            first: number of the first group.
            last: number after that of the last group.
            addresses: of the model's prepare, outputs, step and dense.
            sizes: numbers of its states, prepared values, outputs and factors.
            t0: start (h).
            t1: end (h).
            more: save [T] times; wanted [K] output numbers; tol [1 + states]; first_step; max_steps; P [groups, slots,
                LANES] and Y [groups, states, LANES], read and left at t1; then actions as in `actions.Table`: start,
                time, kind, place, value; out [K, patients, T]; status, bad_time, bad_place, steps [groups * LANES].
                bad_place is the state that failed, or -2 - slot for a parameter slot that is no finite number.
        """
        states, prepared, outputs, factors = sizes
        work = _rows(10 * states + 2 + prepared + outputs + factors), np.empty((2, LANES), np.int64)
        values = [value for one in (first, last, sizes, addresses, t0, t1, *more, *work) for value in _plain(one)]
        result, error = ctypes.c_void_p(), ctypes.c_void_p()  # Numba's functions write there; not needed
        kinds = ctypes.c_void_p, ctypes.c_void_p, *map(type, values)
        ctypes.CFUNCTYPE(ctypes.c_int, *kinds)(address)(ctypes.byref(result), ctypes.byref(error), *values)

    return run_groups


def _plain(value: Any) -> list[Any]:
    """An argument as Numba's functions take it: tuples one by one, arrays as owners, sizes, address, shape, strides."""
    if isinstance(value, tuple):
        return [ctypes.c_int64(one) for one in value]
    if not isinstance(value, np.ndarray):
        return [ctypes.c_double(value) if isinstance(value, float) else ctypes.c_int64(int(value))]
    if value.dtype not in (np.float64, np.int64) or not value.flags.c_contiguous:
        raise EngineError(f"the stepping loop takes whole arrays of 64-bit numbers, not {value.dtype}")
    nobody, address = ctypes.c_void_p(), ctypes.c_void_p(value.ctypes.data)
    sizes, steps = (value.size, value.itemsize), (*value.shape, *value.strides)
    return [nobody, nobody, *map(ctypes.c_int64, sizes), address, *map(ctypes.c_int64, steps)]


def _rows(count: int) -> NDArray[np.float64]:
    """Room for so many rows, each of them one line of the processor's cache."""
    room = np.empty((count + 1) * LANES)
    skip = -(room.ctypes.data // 8) % LANES
    return room[skip : skip + count * LANES].reshape(count, LANES)
