"""Time of `afterglow compare --out DIR` with nothing asked: seven courses, 1,000 patients, tables, report and pictures.

    python bench/main_job.py [--runs 3] [--patients 1000]

The first run is cold (empty caches of machine code in a temporary folder), the others are warm. Each is a process of
its own. The parts are timed from within by wrapping the functions below; `rest` is what no part claims: starting
Python, the command line, reading the data files, and the manifest. CPU seconds count all threads.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PARTS = ("imports", "simulate", "draws", "tables", "figures", "writing")
# Modules that the job loads sooner or later; loaded first, so that their time stands by itself.
IMPORTS = (
    "pandas", "pyarrow.parquet", "afterglow.interfaces.cli", "afterglow.interfaces.python", "afterglow.simulate",
    "afterglow.interfaces.figures", "afterglow.interfaces.drawing", "afterglow.interfaces.report",
)  # fmt: skip


def child(out: str, patients: int) -> None:
    """The job itself, in this process; wall and CPU seconds of its parts go to stderr as JSON."""
    spent = {part: [0.0, 0.0] for part in PARTS}

    def timed(part: str, call: Callable[..., Any], cpu: Callable[[], float] = time.thread_time) -> Callable[..., Any]:
        @functools.wraps(call)
        def run(*args: Any, **options: Any) -> Any:
            start = time.perf_counter(), cpu()
            try:
                return call(*args, **options)
            finally:
                spent[part][0] += time.perf_counter() - start[0]
                spent[part][1] += cpu() - start[1]

        return run

    timed("imports", lambda: [__import__(name) for name in IMPORTS])()
    from afterglow.interfaces import cli, drawing, output, python, report
    from afterglow.study import compare, tables

    wrapped: list[tuple[Any, str, str]] = [(tables, name, "tables") for name in ("patients", "scores", "arms")]
    wrapped += [(tables, name, "tables") for name in ("contrasts", "summary", "doses")]
    wrapped += [(python.Comparison, "pictures", "figures"), (drawing, "png", "figures"), (report, "build", "figures")]
    wrapped += [(output, name, "writing") for name in ("write_tables", "write_units")]
    for owner, name, part in wrapped:
        setattr(owner, name, timed(part, getattr(owner, name)))
    study: Any = compare._Study
    for name, part in (("_simulate", "simulate"), ("_repeat", "draws")):
        setattr(study, name, timed(part, getattr(study, name), time.process_time))  # the engine has threads
    sys.argv = ["afterglow", "compare", "--out", out, "--patients", str(patients)]
    try:
        cli.main()
    finally:
        print(json.dumps(spent), file=sys.stderr)


def measure(folder: Path, number: int, patients: int) -> dict[str, list[float]]:
    """One run in a fresh process: wall and CPU seconds of every part, of the rest, and in all."""
    caches = {"AFTERGLOW_CACHE": str(folder / "machine-code"), "NUMBA_CACHE_DIR": str(folder / "numba")}
    command = [sys.executable, __file__, "--child", str(folder / f"out{number}"), "--patients", str(patients)]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, env={**os.environ, **caches}, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(done.stderr)
    spent = json.loads(done.stderr.splitlines()[-1])
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    inside = [sum(part[k] for part in spent.values()) for k in (0, 1)]
    return spent | {"rest": [wall - inside[0], cpu - inside[1]], "all": [wall, cpu]}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="warm runs")
    parser.add_argument("--patients", type=int, default=1000)
    parser.add_argument("--child", metavar="OUT", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        child(asked.child, asked.patients)
        return
    with tempfile.TemporaryDirectory() as place:
        found = [measure(Path(place), number, asked.patients) for number in range(1 + asked.runs)]
    heads = ["cold", *(f"warm {number}" for number in range(1, len(found)))]
    print(f"{asked.patients} patients; wall / CPU seconds (parts that run side by side count twice in wall seconds)")
    print(f"{'':10}" + "".join(f"{head:>16}" for head in heads))
    for part in (*PARTS, "rest", "all"):
        print(f"{part:10}" + "".join("{:>9.2f} /{:>5.2f}".format(*one[part]) for one in found))


if __name__ == "__main__":
    main()
