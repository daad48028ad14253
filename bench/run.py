"""Time, error, memory and compile time of afterglow, SciPy, libRoadRunner and diffrax, in one run on one machine.

    python bench/run.py --quick                          # whole model, under 50 s
    python bench/run.py --json FILE --figure FILE.png    # everything: half an hour

Peers: pip install -e '.[bench]'; one that is not installed is left out, loudly. See README.md for what is measured.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from models import Case, case, timed
from peers import ENGINES, THREADS, Radau, ScipyJacobian, Setting, installed

LIMIT = 1e-3  # points on the MADRS; mg/L in the pharmacokinetic model
REFERENCE = (1e-11, 1e-11)
TURN_S = 0.3
BLOCK = 16384  # patients at a time where there are very many
PACKAGES = ("numpy", "scipy", "numba", "llvmlite", "libroadrunner", "python-libsbml", "diffrax", "jax")
Row = dict[str, Any]


def machine() -> dict[str, Any]:
    """The machine in words; nothing that says whose it is."""
    cpu, flags = platform.processor() or platform.machine(), ""
    listed = Path("/proc/cpuinfo")
    if listed.exists():
        about = dict(
            (part.strip() for part in line.split(":", 1)) for line in listed.read_text().splitlines() if ":" in line
        )
        cpu, flags = about.get("model name", cpu), about.get("flags", "")
    versions = {}
    for name in ("afterglow", *PACKAGES):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    return {
        "cpu": cpu,
        "avx2": "avx2" in flags.split(),
        "avx512": "avx512f" in flags.split(),
        "cores": THREADS,
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions,
    }


# ---- one engine in a process of its own ----------------------------------------------------------------------------


def alone(name: str, model: str, doses: int, patients: int, setting: Setting, threads: int) -> Row:
    """Compile time, time per patient and peak memory (MB, the whole process); runs in a fresh process.

    More than BLOCK patients go through in blocks, so memory does not grow with them. Making the patients is not timed.
    """
    of, seconds, build_s = case(model, doses), 0.0, None
    for first in range(0, patients, BLOCK):
        count = min(BLOCK, patients - first)
        engine = ENGINES[name](of, count, first)
        spent, _ = timed(engine.build)
        if build_s is None:  # the first run is not timed: it may load or compile the stepping loop
            at_first, _ = timed(engine.run, setting, count if name == "diffrax" else 1)
            build_s = spent + (at_first if name == "diffrax" else 0.0)  # JAX compiles then
        once, _ = turn(lambda e=engine, n=count: e.run(setting, n, threads))
        seconds += once
    return {"build_s": build_s, "us_per_patient": 1e6 * seconds / patients, "peak_mb": peak_mb()}


def peak_mb() -> float:
    """The most memory this process has held. On Linux `ru_maxrss` may be that of the process that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        return float(status.read_text().split("VmHWM:")[1].split()[0]) / 2**10
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def in_process(cache: str, *asked: object) -> Row:
    """`alone` in a fresh process, with this folder as afterglow's cache."""
    command = [sys.executable, __file__, "--alone", json.dumps(asked)]
    done = subprocess.run(command, env=os.environ | {"AFTERGLOW_CACHE": cache}, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{asked[0]} failed in a process of its own:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


# ---- errors and speed, engines taking turns ------------------------------------------------------------------------


def turn(call: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    """Mean seconds of a call, and what it returns.

    Every turn takes TURN_S at least: of turns that differ in length, short ones would find a quiet moment more easily.
    """
    spent, times, values = 0.0, 0, np.empty(0)
    while spent < TURN_S:
        seconds, values = timed(call)
        spent, times = spent + seconds, times + 1
    return spent / times, values


class Comparison:
    """One case: a reference, every engine's ladder, and then the chosen settings against each other."""

    def __init__(self, of: Case, engines: Sequence[str], patients: int, judged: int, rounds: int) -> None:
        self.case, self.patients, self.judged, self.rounds = of, patients, judged, rounds
        self.engines = {}
        for name in engines:
            try:
                engine = ENGINES[name](of, self.count(name))
                engine.build()
                self.engines[name] = engine
            except RuntimeError as e:
                print(f"!! {name} left out of '{of.name}': {e}", flush=True)
        exact = ScipyJacobian(of, judged)
        exact.build()
        self.exact = exact.run(REFERENCE, judged)

    def count(self, name: str) -> int:
        """How many patients an engine simulates at a time; the first `judged` of them count for its error."""
        return self.patients if name == "afterglow" else self.judged

    def error(self, values: np.ndarray) -> float:
        """Largest difference from the reference."""
        return float(np.abs(values[: self.judged] - self.exact[: len(values)]).max())

    def check(self) -> float:
        """How far another method at the same tolerance is from the reference, in the first patient."""
        radau = Radau(self.case, 1)
        radau.build()
        return self.error(radau.run(REFERENCE, 1))

    def row(self, name: str, setting: Setting, seconds: float, count: int, error: float, threads: int = 1) -> Row:
        """What every row has."""
        return {
            "engine": name, "model": self.case.name, "patients": count, "threads": threads,
            "us_per_patient": 1e6 * seconds / count, "max_error": error, "peak_mb": None, "compile_s": None,
            "rtol": setting[0], "atol_share": setting[1], "doses": self.case.doses,
        }  # fmt: skip

    def ladder(self) -> list[Row]:
        """Every engine at every setting; what fails is said and left out."""
        rows = []
        for name, engine in self.engines.items():
            for setting in engine.ladder:
                count = self.count(name)
                try:
                    engine.run(setting, count if name == "diffrax" else 1)
                    seconds, values = turn(lambda e=engine, s=setting, n=count: e.run(s, n))
                except RuntimeError as e:
                    print(f"!! {name} at {setting} on '{self.case.name}': {str(e)[:120]}", flush=True)
                    continue
                row = self.row(name, setting, seconds, count, self.error(values))
                rows.append(row | {"part": "ladder"})
                if row["max_error"] < LIMIT / 10 and name.startswith("scipy"):
                    break  # tighter only costs time
        return rows

    def choose(self, ladder: list[Row]) -> list[Row]:
        """The fastest accurate setting of each peer, and afterglow's fastest that is no worse than each of them."""

        def fastest(name: str, limit: float) -> Row | None:
            fit = [r for r in ladder if r["engine"] == name and r["max_error"] <= limit]
            if not fit:
                print(f"!! {name} has no setting with an error of at most {limit:.2g}", flush=True)
            return min(fit, key=lambda r: r["us_per_patient"], default=None)

        peers = [r for name in self.engines if name != "afterglow" and (r := fastest(name, LIMIT))]
        mine = [fastest("afterglow", limit) for limit in (LIMIT, *(r["max_error"] for r in peers))]
        return [r for k, r in enumerate(mine) if r is not None and r not in mine[:k]] + peers

    def speed(self, chosen: list[Row]) -> list[Row]:
        """The chosen settings take turns; the best of several turns counts."""
        turns: list[tuple[tuple[str, Setting, int], Callable[[], np.ndarray]]] = []
        for row in chosen:
            name, setting, count = row["engine"], (row["rtol"], row["atol_share"]), row["patients"]
            for threads in (1, 2) if name == "afterglow" and THREADS > 1 else (1,):
                engine = self.engines[name]
                call = lambda e=engine, s=setting, n=count, k=threads: e.run(s, n, k)  # noqa: E731
                turns.append(((name, setting, threads), call))
        best: dict[tuple[str, Setting, int], tuple[float, np.ndarray]] = {}
        for _ in range(self.rounds):
            for key, call in turns:
                seconds, values = turn(call)
                if key not in best or seconds < best[key][0]:
                    best[key] = seconds, values
        rows = []
        for (name, setting, threads), (seconds, values) in best.items():
            row = self.row(name, setting, seconds, len(values), self.error(values), threads)
            rows.append(row | {"part": "speed"})
        return [r | against(r, rows) for r in rows]


def against(row: Row, rows: list[Row]) -> Row:
    """How many times slower than afterglow on one thread: than the same setting, or at equal or better error."""
    one = [r for r in rows if (r["engine"], r["threads"]) == ("afterglow", 1)]
    if row["engine"] == "afterglow":
        fit = [r for r in one if r["rtol"] == row["rtol"]]
    else:
        fit = [r for r in one if r["max_error"] <= row["max_error"]]
    if not fit:
        return {"relative": None, "relative_to_rtol": None}
    best = min(fit, key=lambda r: r["us_per_patient"])
    return {"relative": row["us_per_patient"] / best["us_per_patient"], "relative_to_rtol": best["rtol"]}


def cold_and_warm(rows: list[Row]) -> None:
    """Add compile time, warm start and peak memory to the rows of the speed comparison, from processes of their own.

    One process for an engine and a number of threads: another tolerance changes nothing in these.
    """
    seen: dict[tuple[str, int], Row] = {}
    with tempfile.TemporaryDirectory() as cache:
        for row in rows:
            key = row["engine"], row["threads"]
            if key not in seen:
                setting = [row["rtol"], row["atol_share"]]
                seen[key] = in_process(cache, key[0], row["model"], row["doses"], row["patients"], setting, key[1])
    for row in rows:
        name = row["engine"]
        first, again = seen[name, 1], seen.get((name, 2))  # the second process finds the cache full
        row["peak_mb"] = seen[name, row["threads"]]["peak_mb"]
        row["compile_s"], row["warm_s"] = first["build_s"], None if again is None else again["build_s"]


def compared(name: str, asked: argparse.Namespace, engines: Sequence[str]) -> tuple[list[Row], dict[str, Any]]:
    """All rows of one model, and what its reference is."""
    of = case(name)
    print(f"-- {name}: {len(of.model.y)} states, {of.doses} doses, {len(of.times)} times", flush=True)
    comparison = Comparison(of, engines, asked.patients, asked.judged, asked.rounds)
    ladder = comparison.ladder()
    speed = comparison.speed(comparison.choose(ladder))
    cold_and_warm(speed)
    reference = {"method": "SciPy LSODA with Jacobian", "rtol": REFERENCE[0], "patients": asked.judged}
    if not asked.quick:
        reference["largest difference of SciPy Radau, first patient"] = comparison.check()
    return ladder + speed, reference


def growth(chosen: dict[tuple[str, str], Row], most: int) -> list[Row]:
    """More and more patients (of peers a few, their cost is per patient), and more and more doses."""
    rows = []
    with tempfile.TemporaryDirectory() as cache:
        for (name, model), row in chosen.items():
            setting = [row["rtol"], row["atol_share"]]
            threads = THREADS if name == "afterglow" else 1
            limit = {"afterglow": most, "libroadrunner": 100}.get(name, 10)
            counts = [10**k for k in range(1, 7) if 10**k <= min(most, limit)]
            plans = [("patients", row["doses"], n) for n in counts] if model == "whole" else []
            if model == "pk":
                count = min(most, 4096) if name == "afterglow" else 4
                plans = [("doses", d, count) for d in (1, 2, 5, 10, 20, 50, 100, 200)]
            for part, doses, count in plans:
                seen = in_process(cache, name, model, doses, count, setting, threads)
                rows.append(row | {
                    "part": part, "patients": count, "threads": threads, "doses": doses, "relative": None,
                    "us_per_patient": seen["us_per_patient"], "peak_mb": seen["peak_mb"], "max_error": None,
                    "compile_s": None, "warm_s": None,
                })  # fmt: skip
                show(rows[-1:])
    return rows


def pairs(rows: list[Row]) -> list[str]:
    """Every accurate setting of a peer against afterglow's fastest that is no worse: what the choice hangs on."""
    ladder = [r for r in rows if r["part"] == "ladder"]
    mine = [r for r in ladder if r["engine"] == "afterglow"]
    lines = []
    for r in ladder:
        no_worse = [m["us_per_patient"] for m in mine if m["max_error"] <= r["max_error"]]
        if r["engine"] != "afterglow" and r["max_error"] <= LIMIT and no_worse:
            ratio = r["us_per_patient"] / min(no_worse)
            lines.append(f"{r['engine']} at error {r['max_error']:.2g}: {ratio:,.1f} times afterglow on one thread")
    return lines


def show(rows: list[Row], head: bool = False) -> None:
    """Rows as a table."""
    if head:
        print(f"{'':34}{'rtol':>8}{'atol':>8}{'patients':>10}{'us/patient':>13}{'relative':>10}{'error':>10}", end="")
        print(f"{'peak MB':>9}{'compile s':>11}{'warm s':>8}")
    for r in rows:
        label = f"{r['model']:6}{r['engine']}" + (f", {r['threads']} threads" if r["threads"] > 1 else "")
        text = f"{label:34}{r['rtol']:8.0e}{r['atol_share']:8.0e}{r['patients']:10}{r['us_per_patient']:13.4g}"
        for key, form in (("relative", "10.4g"), ("max_error", "10.2g"), ("peak_mb", "9.0f"), ("compile_s", "11.2f"),
                          ("warm_s", "8.2f")):  # fmt: skip
            value, width = r.get(key), int(form.split(".")[0])
            text += " " * width if value is None else f"{value:{form}}"
        print(text + (f"  {r['doses']} doses" if r["part"] == "doses" else ""), flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--quick", action="store_true", help="the whole model alone, no growth, no diffrax")
    ask.add_argument("--json", type=Path, metavar="FILE")
    ask.add_argument("--figure", type=Path, metavar="FILE")
    ask.add_argument("--patients", type=int, help="afterglow's (default 4096, quick 1024)")
    ask.add_argument("--judged", type=int, help="patients of the peers and of the reference (default 8, quick 2)")
    ask.add_argument("--rounds", type=int, help="turns of each (default 5, quick 3)")
    ask.add_argument("--most", type=int, default=1_000_000, help="the growth ends here")
    ask.add_argument("--alone", help=argparse.SUPPRESS)
    asked = ask.parse_args(arguments)
    if asked.alone:
        name, model, doses, patients, setting, threads = json.loads(asked.alone)
        print(json.dumps(alone(name, model, doses, patients, tuple(setting), threads)))
        return
    for key, quick, full in (("patients", 1024, 4096), ("judged", 2, 8), ("rounds", 3, 5)):
        setattr(asked, key, getattr(asked, key) or (quick if asked.quick else full))
    engines = ["afterglow", "scipy-lsoda", "libroadrunner"]
    engines += [] if asked.quick else ["libroadrunner-reduced", "scipy-lsoda-jacobian", "diffrax"]
    for name in [n for n in engines if not installed(n)]:
        print(f"!! {name} is not installed and left out: pip install -e '.[bench]'", flush=True)
        engines.remove(name)

    about = machine()
    print(f"{about['cpu']}, {about['cores']} cores, {about['platform']}, Python {about['python']}")
    rows, references = [], {}
    for name in ("whole",) if asked.quick else ("whole", "pk"):
        more, references[name] = compared(name, asked, engines)
        rows += more
        for part in ("ladder", "speed"):
            print(f"\n{part}")
            show([r for r in more if r["part"] == part], head=True)
        print("\nequal or better error, from the ladder", *pairs(more), sep="\n")
        print(f"reference: {references[name]}\n", flush=True)
    if not asked.quick:
        fast = [
            r for r in rows if r["part"] == "speed" and r["engine"] in ("afterglow", "scipy-lsoda", "libroadrunner")
        ]
        chosen = {(r["engine"], r["model"]): r for r in reversed(fast)}  # afterglow's first is its fastest
        show([], head=True)
        rows += growth(chosen, asked.most)
    result = {"machine": about, "reference": references, "rows": rows}
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if asked.figure:
        from figure import draw

        draw(result, asked.figure)


if __name__ == "__main__":
    main()
