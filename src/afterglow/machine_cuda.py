"""A compiled model on a GPU: `CudaMachine`, a `Machine` whose parts run on `engine.cuda`."""

from __future__ import annotations

from collections.abc import Callable

from afterglow.compile.code import Code
from afterglow.compile.cuda import cuda_code
from afterglow.compile.program import Program
from afterglow.compile.resting import without_resting
from afterglow.engine.cuda import CudaEngine, Kernel, source
from afterglow.machine import Machine, Moved, Part


class CudaMachine(Machine):
    """One model, ready to run on the first GPU in whatever part a treatment needs; called like `Machine`."""

    def __init__(self, program: Program, rtol: float = 1e-5, build: Callable[[str], Kernel] | None = None) -> None:
        """`rtol` and `build` as for `CudaEngine`."""
        super().__init__(program, rtol)
        self.build = build

    def __reduce__(self) -> tuple[object, ...]:
        """Another process builds its own kernels."""
        return CudaMachine, (self.program, self.rtol, self.build)

    def make(self, moved: Moved) -> Part:
        """A new engine for a treatment that moves these slots and states."""
        code = self.cuda(moved)
        live = tuple(self.program.state[name] for name in code.names)
        return Part(CudaEngine(code, [self.program.sizes[i] for i in live], self.rtol, self.build), live)

    def cuda(self, moved: Moved) -> Code:
        """CUDA C++ of the part that moves these slots and states."""
        return cuda_code(without_resting(self.program, *moved))


def cuda_source(program: Program) -> str:
    """The whole CUDA C++ source of a program, to be read or compiled elsewhere."""
    return source(cuda_code(program))
