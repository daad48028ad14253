"""A compiled model on a GPU: `CudaMachine`, a `Machine` whose parts run on `engine.cuda`."""

from __future__ import annotations

from collections.abc import Callable

from afterglow.compile.cuda import CudaCode, cuda_code
from afterglow.compile.program import Program
from afterglow.compile.resting import without_resting
from afterglow.engine.cuda import CudaEngine, Kernel, source
from afterglow.machine import Machine, Moved, _Part


class CudaMachine(Machine):
    """One model, ready to run on the first GPU in whatever part a treatment needs; called like `Machine`."""

    def __init__(self, program: Program, rtol: float = 1e-5, build: Callable[[str], Kernel] | None = None) -> None:
        """`rtol` and `build` as for `CudaEngine`."""
        super().__init__(program, rtol)
        self.build = build

    def part(self, moved: Moved) -> _Part:
        """The engine for a treatment that moves these slots and states."""
        if moved not in self._parts:
            code = self.cuda(moved)
            live = tuple(self.program.state[name] for name in code.names)
            sizes = [self.program.sizes[i] for i in live]
            self._parts[moved] = _Part(CudaEngine(code, sizes, self.rtol, self.build), live)
        return self._parts[moved]

    def cuda(self, moved: Moved) -> CudaCode:
        """CUDA C++ of the part that moves these slots and states."""
        return cuda_code(without_resting(self.program, *moved))


def cuda_source(program: Program) -> str:
    """The whole CUDA C++ source of a program, to be read or compiled elsewhere."""
    return source(cuda_code(program))
