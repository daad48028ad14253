"""The GPU against the CPU: equal numbers, time per patient, compile time. For a machine with an NVIDIA GPU.

    pip install -e '.[gpu]'
    python bench/gpu.py --json gpu.json

The course is that of `run.py`: six ketamine infusions in two weeks, 56 days, an output a day. Every part is measured
on its own and written to the JSON file at once: what goes wrong in one costs only that one. Copies to and from the GPU
are in "all", not in "kernel".
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from models import TIMES, course, people, timed

from afterglow.compile.cuda import cuda_code
from afterglow.compile.program import program
from afterglow.engine import nvidia
from afterglow.engine.actions import Table
from afterglow.engine.cuda import CudaEngine, source
from afterglow.machine import Machine
from afterglow.machine_cuda import CudaMachine
from afterglow.systems.whole import whole

BASE = 10_000  # patients who differ; larger numbers repeat them


def repeated(table: Table, times: int) -> Table:
    """The actions of the same patients several times over."""
    rows = table.start[-1] * np.arange(times)
    start = np.append((table.start[:-1] + rows[:, None]).ravel(), table.start[-1] * times)
    return Table(start, *(np.tile(x, times) for x in (table.time, table.kind, table.place, table.value)))


class Bench:
    """All measurements; results gather in `found`."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self.asked = asked
        self.found: dict[str, Any] = {"machine": platform.machine(), "processors": os.cpu_count()}
        self.model = program(whole().flatten())
        self.madrs = self.model.output["mood.madrs"]
        self.base = min(BASE, max(asked.patients))
        self.slots, actions = people(self.model, self.base), course(self.model, self.base)
        self.table = actions.table(self.base)
        self.cpu, self.gpu = Machine(self.model, 1e-5), CudaMachine(self.model, 1e-5)
        self.moved = self.gpu.moved(self.table, self.slots)

    def part(self, name: str, measure: Callable[[], Any]) -> None:
        """One measurement, kept whatever becomes of the next."""
        try:
            seconds, result = timed(measure)
            self.found[name] = result
            print(f"{name} ({seconds:.1f} s): {json.dumps(result)}", flush=True)
        except Exception as error:
            self.found[name] = {"error": f"{type(error).__name__}: {error}"[:2000]}
            traceback.print_exc()
            print(f"{name}: FAILED", flush=True)
        if self.asked.json:
            self.asked.json.write_text(json.dumps(self.found, indent=1), encoding="utf-8")

    def compile(self) -> dict[str, Any]:
        """Seconds to emit and compile, registers and local memory: the part for this course, and the whole model."""
        out: dict[str, Any] = {}
        for name, emit in (("part", lambda: self.gpu.cuda(self.moved)), ("whole", lambda: cuda_code(self.model))):
            emit_s, code = timed(emit)
            build_s, kernel = timed(nvidia.CudaKernel, source(code))
            self.found |= {"gpu": kernel.name, "arch": kernel.arch}
            out[name] = {
                "states": code.states, "emit_s": emit_s, "compile_s": build_s, "registers": kernel.registers,
                "local_bytes": kernel.local_bytes, "free_bytes": kernel.room(),
            }  # fmt: skip
        return out

    def same_steps(self) -> dict[str, Any]:
        """Eight patients; the CPU's groups hold copies of one, so that both must take the same steps."""
        everything, difference, equal = range(len(self.model.outputs)), [], []
        for k in range(8):
            own = course(self.model, 8)
            cpu = self.cpu.run(np.repeat(self.slots[:, [k]], 8, axis=1), own, TIMES, everything)
            gpu = self.gpu.run(self.slots[:, [k]], course(self.model, 1), TIMES, everything)
            difference.append(self.compared(cpu.values[:1], gpu.values))
            equal.append(bool(cpu.steps[0] == gpu.steps[0]))
        return {"same_number_of_steps": equal, **{n: max(d[n] for d in difference) for n in difference[0]}}

    def tolerance(self, rtol: float) -> dict[str, Any]:
        """64 patients in the CPU's groups of eight against the same on the GPU."""
        slots, actions = self.slots[:, :64], course(self.model, 64)
        everything = range(len(self.model.outputs))
        cpu, gpu = (
            m.run(slots, actions, TIMES, everything) for m in (Machine(self.model, rtol), CudaMachine(self.model, rtol))
        )
        return {"rtol": rtol, "failed": int(gpu.status.any()), **self.compared(cpu.values, gpu.values)}

    def compared(self, a: np.ndarray, b: np.ndarray) -> dict[str, float]:
        """Largest difference in MADRS points, and of any output relative to its range."""
        span = np.maximum(np.ptp(a, axis=(0, 1)), 1e-12)
        gap = np.abs(a - b).max(axis=(0, 1))
        return {"madrs_points": float(gap[self.madrs]), "of_range": float((gap / span).max())}

    def speed(self, count: int) -> dict[str, Any]:
        """Microseconds a patient at so many patients."""
        times = -(-count // self.base)
        slots = np.tile(self.slots, (1, times))[:, :count]
        part = self.gpu.part(self.moved)
        table = repeated(part.place(self.table), times)
        table = replace(table, start=table.start[: count + 1])
        engine = part.engine
        assert isinstance(engine, CudaEngine)
        kernel = Summed(engine.kernel)
        engine.kernel = kernel
        try:
            rounds = []
            for _ in range(2 if count > BASE else 3):
                kernel.seconds, kernel.launches = 0.0, 0
                seconds, result = timed(engine.run, slots, table, TIMES, [self.madrs])
                rounds.append((seconds, kernel.seconds))
        finally:
            engine.kernel = kernel.inner
        all_s, kernel_s = min(rounds)
        return {
            "patients": count, "us_all": 1e6 * all_s / count, "us_kernel": 1e6 * kernel_s / count,
            "launches": kernel.launches, "failed": int(result.status.any()), "mean_steps": float(result.steps.mean()),
        }  # fmt: skip

    def processor(self) -> dict[str, Any]:
        """The CPU engine on this machine, all processors."""
        count = min(self.base, 4096)
        actions = course(self.model, count)
        rounds = [timed(self.cpu.run, self.slots[:, :count], actions, TIMES, [self.madrs])[0] for _ in range(3)]
        return {"patients": count, "threads": os.cpu_count(), "us": 1e6 * min(rounds) / count}

    def variants(self) -> list[dict[str, Any]]:
        """Kernel time for threads a block and registers a thread: which defaults are right?"""
        code = self.gpu.cuda(self.moved)
        part = self.gpu.part(self.moved)
        table, count = part.place(self.table), self.base
        slots, table = np.tile(self.slots, (1, 5)), repeated(table, 5)
        out = []
        for options in ((), ("--maxrregcount=128",), ("--maxrregcount=96",), ("--fmad=false",)):
            for threads in (32, 64, 128):
                build = lambda text, o=options, t=threads: nvidia.CudaKernel(text, o, t)  # noqa: E731
                engine = CudaEngine(code, [self.model.sizes[i] for i in part.live], 1e-5, build)
                best = np.inf
                for _ in range(2):
                    engine.run(slots, table, TIMES, [self.madrs])
                    best = min(best, engine.kernel.seconds)
                out.append({"options": options, "threads": threads, "us_kernel": 1e6 * best / (5 * count)})
        return out


class Summed:
    """A kernel that adds up the seconds of its launches."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.seconds, self.launches = inner, 0.0, 0

    def room(self) -> int:
        return self.inner.room()

    def __call__(self, patients: int, arguments: Any) -> None:
        self.inner(patients, arguments)
        self.seconds += self.inner.seconds
        self.launches += 1


def main() -> None:
    """Measure, print, write."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--patients", type=lambda s: [int(x) for x in s.split(",")], default=[10_000, 100_000, 1_000_000])
    ask.add_argument("--json", type=Path, help="file for the results")
    asked = ask.parse_args()
    if (why := nvidia.problem()) is not None:
        print(f"bench/gpu.py: nothing measured: {why}", file=sys.stderr)
        sys.exit(2)
    with tempfile.TemporaryDirectory() as empty:  # a cold start: nothing in the cache
        os.environ["AFTERGLOW_CACHE"] = empty
        bench = Bench(asked)
        bench.part("compile", bench.compile)
        bench.part("equal_same_steps", bench.same_steps)
        bench.part("equal_tight", lambda: bench.tolerance(1e-9))
        bench.part("equal_usual", lambda: bench.tolerance(1e-5))
        bench.part("cpu", bench.processor)
        for count in asked.patients:
            bench.part(f"gpu_{count}", lambda count=count: bench.speed(count))
        bench.part("variants", bench.variants)
    failed = [name for name, one in bench.found.items() if isinstance(one, dict) and "error" in one]
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
