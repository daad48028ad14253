"""Call the machine code of a model directly, for tests of single functions."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np

from afterglow.compile.program import Program
from afterglow.compile.vector import LANES, vector_code
from afterglow.engine import native
from afterglow.lang import Expr, FlatModel, Symbol

FUNCTIONS = ("init", "prepare", "outputs", "step", "dense", "rhs", "factor", "solve")


class Machine:
    """The functions of a compiled program; arguments are float64 arrays with rows of LANES."""

    def __init__(self, program: Program) -> None:
        self.program, self.code = program, vector_code(program)
        self._at = native._load(self.code, FUNCTIONS)

    def __call__(self, name: str, *arrays: np.ndarray) -> None:
        kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(arrays))
        assert all(a.dtype == np.float64 and a.flags.c_contiguous for a in arrays)
        kind(self._at[name])(*(a.ctypes.data for a in arrays))

    def prepared(self, slots: np.ndarray) -> np.ndarray:
        held = np.empty((max(self.code.prepared, 1), LANES))
        self("prepare", slots, held)
        return held

    def outputs(self, states: np.ndarray, slots: np.ndarray) -> np.ndarray:
        out = np.empty((self.code.outputs, LANES))
        self("outputs", states, self.prepared(slots), out)
        return out


def bare_program(
    y: Sequence[Symbol], p: Sequence[Symbol], rhs: Sequence[Expr], outputs: Sequence[Expr], sizes: Sequence[float] = ()
) -> Program:
    """A program made straight from expressions, without systems."""
    return Program(
        model=FlatModel({}, {}, {}, {}, {}, {}, {}, {}, {}),
        states=tuple(s.name for s in y),
        slots=tuple(s.name for s in p),
        defaults=tuple(0.0 for _ in p),
        sizes=tuple(sizes) or tuple(1.0 for _ in y),
        outputs=tuple(f"out{k}" for k in range(len(outputs))),
        y=tuple(y),
        p=tuple(p),
        rhs=tuple(rhs),
        init=tuple(Expr("const", value=0.0) for _ in y),
        values=tuple(outputs),
    )
