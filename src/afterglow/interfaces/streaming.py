"""Result folders of populations that do not fit into memory: written block by block, and resumed after a stop.

Beside the place of the results stands `.NAME.partial` while the run lasts: its settings, and for each block that is
done two Parquet parts and its sums. Every file appears under its name only when it is whole, the sums last, so a block
either counts or is simulated again. At the end the parts become the row groups of `patients.parquet` and
`scores.parquet`; the same bytes come out however often the run was interrupted.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from afterglow.errors import Fault, InputError
from afterglow.interfaces import output

if TYPE_CHECKING:
    import pandas as pd

    from afterglow.clinic.course import Course
    from afterglow.study.stream import Block, Stream

STREAM_FROM = 20_000  # patients; more of them are streamed
PARTS = ("patients", "scores")
CHANGE = ("change", 1, "MADRS change")


def partial(out: Path) -> Path:
    """Where an unfinished run of `out` is kept."""
    return out.absolute().with_name(f".{out.name}.partial")


def faults(out: Path, settings: Mapping[str, Any], *, force: bool, resume: bool) -> list[Fault]:
    """What speaks against beginning, or going on with, this run in this place."""
    try:
        output.check_free(out, force=force)
    except InputError as error:
        return error.faults
    work = partial(out)
    if not work.exists():
        remedy = "leave --resume out to begin a run"
        return [Fault("--resume", f"there is no interrupted run of '{out.name}'", remedy)] if resume else []
    if force:
        return []
    done = len(list(work.glob("sums-*.json")))
    if not resume:
        remedy = "add --resume to go on with it, or --force to begin anew"
        much = f", {done} blocks of it done" if done else ""
        return [Fault("--out", f"an interrupted run of '{out.name}' is there{much}", remedy)]
    before = json.loads((work / "settings.json").read_text(encoding="utf-8"))
    now = json.loads(json.dumps(settings))
    remedy = "repeat the command of that run, or begin anew with --force"
    return [
        Fault(f"--{name}", f"the interrupted run had {before.get(name)!r}, this one has {value!r}", remedy)
        for name, value in now.items()
        if before.get(name) != value
    ]


def settings(courses: Sequence[Course], asked: Mapping[str, Any], block: int) -> dict[str, Any]:
    """What decides the bytes of a streamed run."""
    hashes = {one.name: output.sha256(one.model_dump_json().encode()) for one in courses}
    return {"courses": hashes, **asked, "block": block, "model_sha256": output.model_hash()}


def begin(out: Path, asked: Mapping[str, Any], *, force: bool) -> Path:
    """The folder of an unfinished run, made or, if it is there and not to be replaced, found again."""
    work = partial(out)
    if force and work.exists():
        shutil.rmtree(work)
    work.mkdir(parents=True, exist_ok=True)
    output.write_json(work / "settings.json", asked)
    return work


def run(
    study: Stream,
    out: Path,
    command: str,
    asked: Mapping[str, Any],
    *,
    force: bool,
    warnings: Sequence[str] = (),
    progress: Callable[[str, float], None] | None = None,
) -> dict[str, pd.DataFrame]:
    """Simulate what is missing, then put the result folder together; returns the tables over all patients.

    Call `faults` first. `asked` are the settings as made by `settings`.
    """
    work = begin(out, asked, force=force)
    done = [int(path.stem.split("-")[1]) for path in work.glob("sums-*.json")]
    if progress and done:
        progress(f"resumed, {len(done)} of {study.blocks} blocks were done", len(done) / study.blocks)
    for count, block in enumerate(study.run(done), start=len(done) + 1):
        _keep(work, block)
        if progress:
            progress(f"block {count} of {study.blocks}", count / study.blocks)
    kept = [json.loads((work / f"sums-{k:06d}.json").read_text(encoding="utf-8")) for k in range(study.blocks)]
    tables = study.tables([{key: np.array(rows, dtype=float) for key, rows in one["sums"].items()} for one in kept])
    failures = [line for one in kept for line in one["failures"]]
    result = work / "result"
    shutil.rmtree(result, ignore_errors=True)  # a stop may have come while it was written
    result.mkdir()
    for name in PARTS:
        _join([work / f"{name}-{k:06d}.parquet" for k in range(study.blocks)], result / f"{name}.parquet")
    output.write_tables(result, tables)
    (result / "failures.txt").write_text("".join(f"{line}\n" for line in failures), encoding="utf-8")
    some = {name: _head(result / f"{name}.parquet") for name in PARTS}
    output.write_units(result, {**some, **tables}, ("sampling",))
    output.write_manifest(result, command, asked, warnings, failed=len(failures))
    output.replace_folder(result, out)
    shutil.rmtree(work)
    return tables


def summary(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The short table for the screen: each arm a day after its start and at the end."""
    import pandas as pd

    rows = []
    arms, contrasts = (tables[name].set_index(["arm", "time_h", "scale"]) for name in ("arms", "contrasts"))
    for arm in dict.fromkeys(tables["arms"]["arm"]):
        times = tables["arms"].loc[tables["arms"]["arm"] == arm, "time_h"]
        for time in dict.fromkeys([24.0 if (times == 24.0).any() else times.iloc[-1], times.iloc[-1]]):
            key = (arm, time, "MADRS")
            one = arms.loc[key]
            row = {"arm": arm, "visit": one["visit"], "n": int(one["n"])}
            for what in ("response", "remission"):
                row[f"{what}, %"] = "{:.1f} ({:.1f} to {:.1f})".format(
                    *(100 * one[f"{what}{end}"] for end in ("", "_lo90", "_hi90"))
                )
            row["MADRS change"] = "{:.2f} ({:.2f} to {:.2f})".format(
                *(one[f"change{e}"] for e in ("", "_lo90", "_hi90"))
            )
            found = contrasts.loc[key, ["difference", "lo90", "hi90"]] if key in contrasts.index else None
            row["minus control"] = "" if found is None else "{:.1f} ({:.1f} to {:.1f})".format(*found)
            rows.append(row)
    return pd.DataFrame(rows)


def _keep(work: Path, block: Block) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = {"patients": pa.Table.from_pandas(block.patients, preserve_index=False), "scores": block.scores}
    for name, table in tables.items():
        path = work / f"{name}-{block.number:06d}.parquet"
        pq.write_table(output.with_units(table), path.with_suffix(".new"), compression="zstd")
        path.with_suffix(".new").replace(path)
    path = work / f"sums-{block.number:06d}.json"
    output.write_json(
        path.with_suffix(".new"),
        {"sums": {key: rows.tolist() for key, rows in block.sums.items()}, "failures": block.failures},
    )
    path.with_suffix(".new").replace(path)


def _join(parts: Sequence[Path], whole: Path) -> None:
    """Parts as row groups of one file."""
    import pyarrow.parquet as pq

    with pq.ParquetWriter(whole, pq.read_schema(parts[0]), compression="zstd") as writer:
        for part in parts:
            writer.write_table(pq.read_table(part))


def _head(path: Path) -> pd.DataFrame:
    import pyarrow.parquet as pq

    return pq.read_schema(path).empty_table().to_pandas()
