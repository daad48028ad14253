"""Result folders of populations that do not fit into memory: written block by block, and resumed after a stop.

While the run lasts (`unfinished`), each block that is done has two Parquet parts and its sums on disk. Every file
appears under its name only when it is whole, the sums last, so a block either counts or is simulated again. At the end
the parts become the row groups of `patients.parquet` and `scores.parquet`; the same bytes come out however often the
run was interrupted.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from afterglow.interfaces import output, unfinished

if TYPE_CHECKING:
    import pandas as pd

    from afterglow.clinic.course import Course
    from afterglow.study.stream import Block, Stream

STREAM_FROM = 20_000  # patients; more of them are streamed
PARTS = ("patients", "scores")
SHOWN = (("response", 100, "response, %"), ("remission", 100, "remission, %"), ("change", 1, "MADRS change"))


def settings(courses: Sequence[Course], asked: Mapping[str, Any], block: int) -> dict[str, Any]:
    """What decides the bytes of a streamed run."""
    hashes = {one.name: output.sha256(one.model_dump_json().encode()) for one in courses}
    return {"courses": hashes, **asked, "block": block, "model_sha256": output.model_hash()}


def run(
    study: Stream,
    out: Path,
    command: str,
    asked: Mapping[str, Any],
    *,
    resume: bool,
    warnings: Sequence[str] = (),
    progress: Callable[[str, float], None] | None = None,
) -> dict[str, pd.DataFrame]:
    """Simulate what is missing, then put the result folder together; returns the tables over all patients.

    Call `unfinished.faults` first. `asked` are the settings as made by `settings`.
    """
    work = unfinished.begin(out, asked, resume=resume)
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
            for what, factor, name in SHOWN:
                value, low, high = (factor * one[f"{what}{end}"] for end in ("", "_lo90", "_hi90"))
                row[name] = f"{value:.1f} ({low:.1f} to {high:.1f})"
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
    sums = {key: rows.tolist() for key, rows in block.sums.items()}
    unfinished.write_whole(work / f"sums-{block.number:06d}.json", {"sums": sums, "failures": block.failures})


def _join(parts: Sequence[Path], whole: Path) -> None:
    """Parts as row groups of one file."""
    import pyarrow.parquet as pq

    with pq.ParquetWriter(whole, pq.read_schema(parts[0]), compression="zstd") as writer:
        for part in parts:
            writer.write_table(pq.read_table(part))


def _head(path: Path) -> pd.DataFrame:
    import pyarrow.parquet as pq

    return pq.read_schema(path).empty_table().to_pandas()
