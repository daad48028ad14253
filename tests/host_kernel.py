"""A C++ compiler in the place of a GPU: the same CUDA source, one patient after the other."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

COMPILER = next((found for name in ("c++", "g++", "clang++") if (found := shutil.which(name))), None)


@cache
def built(source: str) -> str:
    """The shared library of a source; lives as long as the tests."""
    folder = Path(tempfile.mkdtemp(prefix="afterglow-cuda-"))
    (folder / "model.cu").write_text(source, encoding="utf-8")
    flags = ["-x", "c++", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-shared", "-fPIC"]
    done = subprocess.run(
        [str(COMPILER), *flags, "-o", str(folder / "model.so"), str(folder / "model.cu")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[:4000]
    return str(folder / "model.so")


class HostKernel:
    """See `engine.cuda.Kernel`."""

    def __init__(self, source: str) -> None:
        self.run = ctypes.CDLL(built(source)).run
        self.run.restype = None
        self.calls: list[int] = []

    def room(self) -> int:
        return 1 << 30

    def __call__(self, patients: int, arguments) -> None:
        self.calls.append(patients)
        self.run(*map(as_c, arguments))


def as_c(x):
    if isinstance(x, np.ndarray):
        assert x.flags.c_contiguous
        return ctypes.c_void_p(x.ctypes.data)
    return ctypes.c_double(x) if isinstance(x, float) else ctypes.c_longlong(x)
