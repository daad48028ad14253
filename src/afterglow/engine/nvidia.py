"""NVIDIA's compiler (NVRTC) and driver, through `cuda.bindings`: `compiled` needs no GPU, `CudaKernel` does.

The extra `afterglow[gpu]` brings both. The binary is made for the very GPU at hand, so that no driver has to translate
it, and kept in the cache next to the machine code of `native`.
"""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afterglow.engine import native
from afterglow.errors import EngineError

INSTALL = "pip install 'afterglow[gpu]'"
THREADS = 64  # a block; few, because every thread needs much and waits for the slowest of its block


@dataclass(frozen=True)
class Built:
    """What NVRTC made: PTX text for an architecture `compute_XX`, a binary for `sm_XX`; and what it said."""

    code: bytes
    log: str


def compiled(source: str, arch: str, options: Sequence[str] = ()) -> Built:
    """Compile CUDA C++ with NVRTC; no GPU and no driver are needed.

    Args:
        source: from `cuda.source`.
        arch: "compute_90" for PTX, "sm_90" for a binary.
        options: further options of NVRTC, for instance "--ptxas-options=-v".
    """
    nvrtc = _nvrtc()
    program = _done(nvrtc.nvrtcCreateProgram(source.encode(), b"afterglow.cu", 0, None, None))
    words = [word.encode() for word in (f"--gpu-architecture={arch}", *options)]
    (state,) = nvrtc.nvrtcCompileProgram(program, len(words), words)
    log = b" " * _done(nvrtc.nvrtcGetProgramLogSize(program))
    _done(nvrtc.nvrtcGetProgramLog(program, log))
    said = log.rstrip(b" \0\n").decode(errors="replace")
    if state != nvrtc.nvrtcResult.NVRTC_SUCCESS:
        raise EngineError(f"NVRTC did not compile the model for {arch}:\n{said}")
    size, read = (
        (nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN)
        if arch.startswith("sm_")
        else (nvrtc.nvrtcGetPTXSize, nvrtc.nvrtcGetPTX)
    )
    code = b" " * _done(size(program))
    _done(read(program, code))
    nvrtc.nvrtcDestroyProgram(program)
    return Built(code, said)


def problem() -> str | None:
    """Why there is no GPU to run on, with the remedy; None where there is one."""
    try:
        _first_gpu()
        _nvrtc()
    except EngineError as error:
        return str(error)
    return None


class CudaKernel:
    """The entry point of a source on the first GPU."""

    def __init__(self, source: str, options: Sequence[str] = (), threads: int = THREADS) -> None:
        self.threads = threads
        self.seconds = 0.0  # of the last launch, without copies
        self._device = _first_gpu()
        cu = self._cu = _bindings("driver")
        kinds = cu.CUdevice_attribute
        self._context = self._call(cu.cuDevicePrimaryCtxRetain(self._device))
        self._call(cu.cuCtxSetCurrent(self._context))
        major = self._attribute(kinds.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
        minor = self._attribute(kinds.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)
        self.arch = f"sm_{major}{minor}"
        self.name = self._call(cu.cuDeviceGetName(128, self._device)).split(b"\0")[0].decode()
        self._module = self._call(cu.cuModuleLoadData(_cached(source, self.arch, options)))
        self._function = self._call(cu.cuModuleGetFunction(self._module, b"run"))
        asked = cu.CUfunction_attribute
        self.registers = int(self._call(cu.cuFuncGetAttribute(asked.CU_FUNC_ATTRIBUTE_NUM_REGS, self._function)))
        local = int(self._call(cu.cuFuncGetAttribute(asked.CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES, self._function)))
        self.local_bytes = local
        # The driver sets aside local memory for every thread that could run at once.
        at_once = self._attribute(kinds.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT) * self._attribute(
            kinds.CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR
        )
        self._reserved = local * at_once

    def room(self) -> int:
        """Bytes that are free for the arrays of one call."""
        self._call(self._cu.cuCtxSetCurrent(self._context))
        free, _ = self._call(self._cu.cuMemGetInfo())
        return max(0, int(free) - self._reserved)

    def __call__(self, patients: int, arguments: Sequence[int | float | NDArray[Any]]) -> None:
        """Copy arrays there, run, copy those that are writeable back."""
        cu = self._cu
        self._call(cu.cuCtxSetCurrent(self._context))  # a context belongs to the calling thread
        held: list[tuple[Any, NDArray[Any]]] = []
        words: list[Any] = []
        try:
            for x in arguments:
                if isinstance(x, np.ndarray):
                    pointer = self._call(cu.cuMemAlloc(max(x.nbytes, 8)))
                    held.append((pointer, x))
                    if x.nbytes:
                        self._call(cu.cuMemcpyHtoD(pointer, x.ctypes.data, x.nbytes))
                    words.append(ctypes.c_uint64(int(pointer)))
                else:
                    words.append(ctypes.c_double(x) if isinstance(x, float) else ctypes.c_int64(x))
            self._launch(-(-patients // self.threads), words)
            for pointer, x in held:
                if x.flags.writeable and x.nbytes:
                    self._call(cu.cuMemcpyDtoH(x.ctypes.data, pointer, x.nbytes))
        finally:
            for pointer, _ in held:
                cu.cuMemFree(pointer)

    def _launch(self, blocks: int, words: Sequence[Any]) -> None:
        """Start the kernel and wait for it; `words` are what its arguments are, in C."""
        cu = self._cu
        addresses = (ctypes.c_void_p * len(words))(*(ctypes.addressof(word) for word in words))
        begin, end = (self._call(cu.cuEventCreate(0)) for _ in range(2))
        try:
            self._call(cu.cuEventRecord(begin, 0))
            self._call(
                cu.cuLaunchKernel(
                    self._function, blocks, 1, 1, self.threads, 1, 1, 0, 0, ctypes.addressof(addresses), 0
                )
            )
            self._call(cu.cuEventRecord(end, 0))
            self._call(cu.cuEventSynchronize(end))
            self.seconds = 1e-3 * float(self._call(cu.cuEventElapsedTime(begin, end)))
        finally:
            cu.cuEventDestroy(begin)
            cu.cuEventDestroy(end)

    def _attribute(self, kind: Any) -> int:
        return int(self._call(self._cu.cuDeviceGetAttribute(kind, self._device)))

    def _call(self, answer: tuple[Any, ...]) -> Any:
        return _done(answer)


def _bindings(name: str) -> Any:
    """`cuda.bindings.driver` or `.nvrtc`."""
    import importlib

    try:
        return importlib.import_module(f"cuda.bindings.{name}")
    except ImportError as error:
        raise EngineError(f"the libraries for a GPU are not installed ({error}): {INSTALL}") from None


def _nvrtc() -> Any:
    """The compiler's bindings, with the library behind them."""
    nvrtc = _bindings("nvrtc")
    try:
        _done(nvrtc.nvrtcVersion())
    except Exception as error:  # of several kinds, by version
        raise EngineError(f"NVIDIA's compiler NVRTC does not load ({_first_line(error)}): {INSTALL}") from error
    return nvrtc


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _first_gpu() -> Any:
    """The first CUDA device, as the driver names it."""
    cu = _bindings("driver")
    try:
        _done(cu.cuInit(0))
        if not _done(cu.cuDeviceGetCount()):
            raise EngineError("the driver reports none")
        return _done(cu.cuDeviceGet(0))
    except Exception as error:  # without a driver the bindings raise errors of several kinds, by version
        remedy = "install NVIDIA's driver on a machine with an NVIDIA GPU, or run on the CPU"
        raise EngineError(f"there is no CUDA device ({_first_line(error)}): {remedy}") from error


def _done(answer: tuple[Any, ...]) -> Any:
    """What a call of the bindings answered, without its error code. Raises EngineError for an error."""
    state, *rest = answer
    if int(state) != 0:
        text = getattr(state, "name", str(state))
        memory = "OUT_OF_MEMORY" in text
        raise EngineError(f"CUDA: {text}" + (": simulate fewer patients, times or outputs at once" if memory else ""))
    return rest[0] if len(rest) == 1 else tuple(rest)


def _cached(source: str, arch: str, options: Sequence[str]) -> bytes:
    """The binary, compiled or taken from the cache."""
    nvrtc = _nvrtc()
    version = _done(nvrtc.nvrtcVersion())
    identity = "\n".join((source, arch, *options, str(version)))
    path = native.cache_folder() / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.cubin"
    found = native._stored(path)
    if found is None:
        found = compiled(source, arch, options).code
        native._store(path, found)
    return found
