"""NVIDIA's compiler without a GPU, and the calls of the driver against one that is played by this machine."""

import ctypes
import importlib
from enum import IntEnum
from types import SimpleNamespace

import numpy as np
import pytest

from afterglow.compile.cuda import cuda_code
from afterglow.compile.program import program
from afterglow.engine import native, nvidia
from afterglow.engine.actions import Actions
from afterglow.engine.cuda import CudaEngine, source
from afterglow.errors import EngineError
from afterglow.systems.whole import whole
from host_kernel import COMPILER, HostKernel, built
from toys import TwoCompartments, toy

TIMES = np.linspace(0.0, 24.0, 9)


@pytest.fixture(scope="module")
def nvrtc():
    try:
        nvidia._nvrtc()
    except EngineError as error:
        pytest.skip(str(error))


# ---- the compiler


@pytest.mark.usefixtures("nvrtc")
@pytest.mark.parametrize("arch", ["compute_80", "compute_90"])
def test_the_whole_model_compiles_to_ptx_without_a_gpu(arch):
    made = nvidia.compiled(source(cuda_code(program(whole().flatten()))), arch)
    ptx = made.code.decode()
    assert made.log == ""
    assert f".target sm_{arch[-2:]}" in ptx
    assert ".visible .entry run(" in ptx
    assert ".f64" in ptx


@pytest.mark.usefixtures("nvrtc")
def test_the_binary_keeps_the_hot_functions_in_registers():
    """No spills in the functions that run at every stage; else the printing order has grown worse."""
    text = source(cuda_code(program(whole().flatten())))
    made = nvidia.compiled(text, "sm_90", ["--ptxas-options=-v"])
    assert made.code[:4] == b"\x7fELF"
    lines = made.log.splitlines()
    for name in ("rhs", "factor", "solve"):
        (at,) = (i for i, line in enumerate(lines) if "properties for " in line and f"{len(name)}{name}EPK" in line)
        spilled = int(lines[at + 1].split("bytes spill stores")[0].split(",")[-1])
        assert spilled <= 64, f"{name}: {lines[at + 1]}"


@pytest.mark.usefixtures("nvrtc")
def test_what_does_not_compile_is_shown():
    with pytest.raises(EngineError, match=r"(?s)did not compile the model for compute_90:.*nonsense"):
        nvidia.compiled("nonsense", "compute_90")


# ---- the driver


class Answer(IntEnum):
    CUDA_ERROR_OUT_OF_MEMORY = 2


class PlayedDriver:
    """Answers like `cuda.bindings.driver`; memory is this machine's, and a kernel is a shared library."""

    CUdevice_attribute = SimpleNamespace(
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR=9, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR=0,
        CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT=2, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR=64,
    )  # fmt: skip
    CUfunction_attribute = SimpleNamespace(CU_FUNC_ATTRIBUTE_NUM_REGS=255, CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES=1024)

    def __init__(self, free=1 << 24, devices=1, most=10**9):
        self.free, self.devices, self.most, self.held, self.blocks = free, devices, most, {}, []

    def __getattr__(self, name):
        """Calls that only have to succeed."""
        if not name.startswith("cu"):
            raise AttributeError(name)
        return lambda *_: (0, 1) if "Create" in name or "Retain" in name or "DeviceGet" in name else (0,)

    def cuDeviceGetCount(self):
        return 0, self.devices

    def cuDeviceGetName(self, *_):
        return 0, b"Played GPU\0\0"

    def cuDeviceGetAttribute(self, what, _):
        return 0, what

    def cuFuncGetAttribute(self, what, _):
        return 0, what

    def cuMemGetInfo(self):
        return 0, self.free, self.free

    def cuModuleLoadData(self, image):
        return 0, ctypes.CDLL(image.decode())

    def cuModuleGetFunction(self, module, name):
        return 0, module[name.decode()]

    def cuMemAlloc(self, size):
        if sum(map(len, self.held.values())) + size > self.most:
            return Answer.CUDA_ERROR_OUT_OF_MEMORY, None
        room = ctypes.create_string_buffer(b"\xff" * size, size)
        self.held[ctypes.addressof(room)] = room
        return 0, ctypes.addressof(room)

    def cuMemFree(self, pointer):
        del self.held[pointer]
        return (0,)

    def cuMemcpyHtoD(self, there, here, size):
        assert size <= len(self.held[there])
        ctypes.memmove(there, here, size)
        return (0,)

    def cuMemcpyDtoH(self, here, there, size):
        assert size <= len(self.held[there])
        ctypes.memmove(here, there, size)
        return (0,)

    def cuEventElapsedTime(self, *_):
        return 0, 12.5

    def cuLaunchKernel(self, function, x, y, z, threads, *more):
        """23 words: five whole numbers, three times, fifteen addresses."""
        assert (y, z, more[:4], more[5]) == (1, 1, (1, 1, 0, 0), 0)
        kinds = [ctypes.c_longlong] * 5 + [ctypes.c_double] * 3 + [ctypes.c_void_p] * 15
        at = (ctypes.c_void_p * len(kinds)).from_address(more[4])
        words = [kind.from_address(where) for kind, where in zip(kinds, at, strict=True)]
        assert (x - 1) * threads < words[0].value <= x * threads
        self.blocks.append(x)
        function.restype = None
        function(*words)
        return (0,)


@pytest.fixture
def play(monkeypatch, tmp_path):
    """Put a played driver in the place of NVIDIA's."""
    if COMPILER is None:
        pytest.skip("no C++ compiler here to play a GPU with")
    monkeypatch.setenv("AFTERGLOW_CACHE", str(tmp_path))

    def begin(**options):
        driver = PlayedDriver(**options)
        compiler = SimpleNamespace(nvrtcVersion=lambda: (0, 13, 0))
        monkeypatch.setattr(nvidia, "_bindings", {"driver": driver, "nvrtc": compiler}.__getitem__)
        monkeypatch.setattr(nvidia, "compiled", lambda text, *_: nvidia.Built(built(text).encode(), ""))
        return driver

    return begin


def patients(n):
    model = toy(TwoCompartments)
    doses = Actions()
    doses.bolus(np.arange(n), 0.5 + 0.01 * np.arange(n), model.place("central"), 10.0)
    return model, model.slots(n), doses


def test_arguments_arrive_and_results_come_back(play):
    driver = play()
    model, slots, doses = patients(150)
    code = cuda_code(model.program)
    ours, expected = (CudaEngine(code, model.program.sizes, build=build) for build in (None, HostKernel))
    a, b = (engine.run(slots, doses, TIMES, range(3)) for engine in (ours, expected))
    for name in ("values", "status", "failed_at", "steps"):
        assert np.array_equal(getattr(a, name), getattr(b, name), equal_nan=True), name
    again = [engine.run(slots, doses, TIMES + 24, range(3), start=r.end) for engine, r in ((ours, a), (expected, b))]
    assert np.array_equal(again[0].values, again[1].values)
    assert not driver.held
    kernel = ours.kernel
    assert (kernel.name, kernel.arch, kernel.seconds, driver.blocks) == ("Played GPU", "sm_90", 0.0125, [3, 3])
    assert kernel.room() == (1 << 24) - 1024 * 2 * 64


def test_patients_come_in_pieces_that_fit_into_the_memory(play):
    driver = play(free=200_000)
    model, slots, doses = patients(2000)
    engine = CudaEngine(cuda_code(model.program), model.program.sizes)
    found = engine.run(slots, doses, TIMES, range(3))
    assert len(driver.blocks) > 2
    assert not found.status.any()
    assert np.isfinite(found.values).all()


def test_memory_that_runs_out_is_said_and_given_back(play):
    driver = play(most=20_000)
    model, slots, doses = patients(150)
    engine = CudaEngine(cuda_code(model.program), model.program.sizes)
    with pytest.raises(EngineError, match="CUDA_ERROR_OUT_OF_MEMORY: simulate fewer patients"):
        engine.run(slots, doses, TIMES, range(3))
    assert not driver.held


def test_the_binary_is_kept(play, monkeypatch):
    play()
    model = toy(TwoCompartments)
    CudaEngine(cuda_code(model.program), model.program.sizes)
    monkeypatch.setattr(nvidia, "compiled", lambda *_: pytest.fail("compiled twice"))
    CudaEngine(cuda_code(model.program), model.program.sizes)
    assert len(list(native.cache_folder().glob("*.cubin"))) == 1


def test_no_device_is_a_line_with_a_remedy(play):
    assert play() is not None
    assert nvidia.problem() is None
    play(devices=0)
    assert nvidia.problem() == (
        "there is no CUDA device (the driver reports none): "
        "install NVIDIA's driver on a machine with an NVIDIA GPU, or run on the CPU"
    )


def test_a_missing_library_is_a_line_with_a_remedy(monkeypatch):
    real = importlib.import_module

    def missing(name, package=None):
        if name.startswith("cuda."):
            raise ImportError(f"No module named '{name}'")
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", missing)
    assert str(nvidia.problem()).endswith("No module named 'cuda.bindings.driver'): pip install 'afterglow[gpu]'")
    model = toy(TwoCompartments)
    with pytest.raises(EngineError, match="are not installed"):
        CudaEngine(cuda_code(model.program), model.program.sizes)
