"""Long runs that can be stopped: beside the place of the results stands `.NAME.partial` while the run lasts.

It holds the settings of the run, so that it is resumed only by the same one, and whatever the run keeps there.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from afterglow.errors import Fault, InputError
from afterglow.interfaces import output


def partial(out: Path) -> Path:
    """Where an unfinished run of `out` is kept."""
    return out.absolute().with_name(f".{out.name}.partial")


def faults(out: Path, settings: Mapping[str, Any], *, force: bool, resume: bool) -> list[Fault]:
    """What speaks against beginning, or going on with, this run in this place."""
    try:
        output.check_free(out, force=force)
    except InputError as error:
        return error.faults
    kept = partial(out) / "settings.json"
    if not kept.exists():
        remedy = "leave --resume out to begin a run"
        return [Fault("--resume", f"there is no interrupted run of '{out.name}'", remedy)] if resume else []
    if not resume:
        remedy = "add --resume to go on with it, or --force to begin anew"
        return [] if force else [Fault("--out", f"an interrupted run of '{out.name}' is there", remedy)]
    before = json.loads(kept.read_text(encoding="utf-8"))
    remedy = "repeat the command of that run, or begin anew with --force and without --resume"
    return [
        Fault(f"--{name}", f"the interrupted run had {before.get(name)!r}, this one has {value!r}", remedy)
        for name, value in json.loads(json.dumps(settings)).items()
        if before.get(name) != value
    ]


def begin(out: Path, settings: Mapping[str, Any], *, resume: bool) -> Path:
    """The folder of an unfinished run: found again to resume it, else a new one. Call `faults` first."""
    work = partial(out)
    if not resume:
        shutil.rmtree(work, ignore_errors=True)
    if not work.exists():
        work.mkdir(parents=True)
        write_whole(work / "settings.json", settings)
    return work


def write_whole(path: Path, contents: Any) -> None:
    """JSON that appears under its name only when it is whole."""
    output.write_json(path.with_suffix(".new"), contents)
    path.with_suffix(".new").replace(path)
