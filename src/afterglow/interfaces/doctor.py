"""`afterglow doctor`: what this installation has, what it lacks, and the line that mends it."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from afterglow.interfaces.options import guarded

State = Literal["fine", "missing", "broken"]

# What each extra brings, by the module that is imported.
EXTRAS = {
    "fit": ("emcee", "SALib"),
    "trial": ("lifelines", "statsmodels"),
    "web": ("fastapi", "uvicorn", "swagger_ui_bundle"),
    "export": ("libsbml", "libsedml", "petab"),
    "cluster": ("distributed",),
    "gpu": ("cuda.bindings",),
}
LONGEST = {"fine": "", "missing": "not there", "broken": "BROKEN"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: its name.
        state: fine; missing (something optional is not there); broken (a run would fail).
        found: what was seen.
        remedy: what to do; empty where nothing needs to be done.
    """

    what: str
    state: State
    found: str
    remedy: str = ""


def examine() -> list[Finding]:
    """Look at everything; the last finding runs a small course, all others only look."""
    return [_python(), *_libraries(), _processor(), _threads(), _cache(), *_extras(), _gpu(), _trial_run()]


def _python() -> Finding:
    known = f"{platform.python_version()} on {platform.system()} {platform.machine()}; afterglow {version('afterglow')}"
    fine = sys.version_info >= (3, 11)
    return Finding("Python", "fine" if fine else "broken", known, "" if fine else "install Python 3.11 or newer")


def _libraries() -> list[Finding]:
    """The libraries that every run needs, in the versions that are declared."""
    from packaging.requirements import Requirement

    wanted = [Requirement(line) for line in requires("afterglow") or []]
    needed = [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    found, wrong = [], []
    for one in needed:
        try:
            held = version(one.name)
        except PackageNotFoundError:
            wrong.append(f"'{one}'")
            continue
        found.append(f"{one.name} {held}")
        if not one.specifier.contains(held, prereleases=True):
            wrong.append(f"'{one}'")
    remedy = f"pip install {' '.join(wrong)}" if wrong else ""
    return [Finding("libraries", "broken" if wrong else "fine", ", ".join(found), remedy)]


def _processor() -> Finding:
    from afterglow.engine import native

    name, features = native.processor()
    known = {one[1:] for one in features.split(",") if one.startswith("+")}
    width = next((bits for bits, flag in ((512, "avx512f"), (256, "avx2"), (128, "neon")) if flag in known), 128)
    return Finding("processor", "fine", f"{name}, {width}-bit vectors, {os.cpu_count()} threads")


def _threads() -> Finding:
    chosen = os.environ.get("OPENBLAS_NUM_THREADS")
    if chosen in (None, "1"):
        return Finding("linear algebra", "fine", "one thread, so that it does not crowd out the engine")
    remedy = "unset OPENBLAS_NUM_THREADS, or set it to 1: small matrices are slower on many threads"
    return Finding("linear algebra", "missing", f"OPENBLAS_NUM_THREADS={chosen}", remedy)


def _cache() -> Finding:
    from afterglow.engine import native

    folder = native.cache_folder()
    here = next((one for one in (folder, *folder.parents) if one.exists()), folder)
    if not os.access(here, os.W_OK):
        remedy = "set AFTERGLOW_CACHE to a folder that can be written; until then every process compiles anew"
        return Finding("cache", "missing", f"{folder} cannot be written", remedy)
    kept = [one for one in folder.glob("*") if one.is_file()] if folder.is_dir() else []
    size = sum(one.stat().st_size for one in kept) / 1e6
    return Finding("cache", "fine", f"{folder}: {len(kept)} files, {size:.1f} MB; it may be deleted at any time")


def _extras() -> list[Finding]:
    found = []
    for name, modules in EXTRAS.items():
        lacking = [one for one in modules if not _there(one)]
        remedy = f'pip install "afterglow[{name}]"' if lacking else ""
        what = "lacks " + ", ".join(lacking) if lacking else ", ".join(modules)
        found.append(Finding(f"extra {name}", "missing" if lacking else "fine", what, remedy))
    return found


def _there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of the package that it lies in
        return False


def _gpu() -> Finding:
    from afterglow.engine import nvidia

    problem = nvidia.problem()
    if problem is not None:
        return Finding("GPU", "missing", "none that can be used: everything runs on the CPU", problem)
    return Finding("GPU", "fine", "an NVIDIA GPU with driver and compiler; use it with --device cuda")


def _trial_run() -> Finding:
    """A small course through the engine: it compiles where the cache is empty."""
    from afterglow.errors import AfterglowError

    try:
        from afterglow.clinic.course import load_course
        from afterglow.simulate import simulate_course

        run = simulate_course(load_course("iv-single"), patients=8, weeks=1.0, seed=1)
    except (AfterglowError, ImportError, OSError) as error:
        remedy = "pip install --force-reinstall afterglow, or set AFTERGLOW_CACHE to an empty folder"
        return Finding("a small run", "broken", f"{type(error).__name__}: {error}", remedy)
    if run.problems:
        return Finding("a small run", "broken", run.problems[0], "report this line with the whole output")
    return Finding("a small run", "fine", "8 virtual patients, one infusion, one week")


@guarded
def doctor(
    json: Annotated[
        Path | None, typer.Option("--json", help="Also write the findings to this file.", show_default=False)
    ] = None,
) -> None:
    """What this installation has and lacks, and the line that mends it; exit code 1 when a run would fail."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    found = examine()
    grid = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for name in ("", "", "found", "what to do"):
        grid.add_column(name, overflow="fold")
    for one in found:
        grid.add_row(one.what, LONGEST[one.state], one.found, one.remedy)
    Console(highlight=False, markup=False).print(grid)
    if json is not None:
        from afterglow.interfaces import output

        rows: list[dict[str, Any]] = [vars(one) for one in found]
        output.write_json(json, {"findings": rows})
    broken = [one.what for one in found if one.state == "broken"]
    typer.echo(f"Broken: {', '.join(broken)}." if broken else "A run will work.")
    if broken:
        raise typer.Exit(1)
