"""Result folders: written beside their place and moved there whole, so that nothing half-done is ever left behind.

    tables      NAME.csv and NAME.parquet with the same columns; the unit stands in the Parquet column metadata
    units.json  unit and meaning of every column, and what the intervals cover
    figures/    PNG
    report.html one self-contained page
    manifest.json  versions, seed, inputs, command, and the sha256 of the model and of every file

Two runs with one seed give the same bytes: no clock time and no path of the machine is written.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afterglow.errors import Fault, InputError
from afterglow.interfaces.words import NOTICE

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    import pandas as pd
    import pyarrow as pa

MANIFEST = "manifest.json"
CSV_ROWS = 30_000  # so many at a time fit the processor's cache
LIBRARIES = ("numpy", "scipy", "numba", "pandas", "pyarrow", "matplotlib")
# What decides the numbers of a run; a change in any of these files changes the hash of the model.
MODEL_PARTS = (
    "lang",
    "systems",
    "compile",
    "engine",
    "clinic",
    "data",
    "blocks.py",
    "compiled.py",
    "course_run.py",
    "machine.py",
    "machine_cuda.py",
    "simulate.py",
    "streams.py",
)


def check_free(out: Path, *, force: bool) -> None:
    """Refuse a place that is taken; with `force` only an earlier result folder (or an empty one) may be replaced."""
    if not out.exists() and not out.is_symlink():
        return
    if not out.is_dir() or out.is_symlink():
        raise InputError(Fault("--out", f"'{out.name}' exists and is not a folder", "choose another name"))
    ours = (out / MANIFEST).is_file() or not any(out.iterdir())
    if not ours:
        raise InputError(Fault("--out", f"folder '{out.name}' holds other files than results", "choose another name"))
    if not force:
        remedy = "add --force to replace it, or choose another folder with --out"
        raise InputError(Fault("--out", f"folder '{out.name}' exists", remedy))


@contextmanager
def new_folder(out: Path, *, force: bool = False) -> Iterator[Path]:
    """A temporary folder that becomes `out` when the block ends well, and vanishes when it does not."""
    check_free(out, force=force)
    out = out.absolute()
    made = _make_parents(out.parent)
    work = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        work.chmod(0o777 & ~_umask())
        yield work
        check_free(out, force=force)
        replace_folder(work, out)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        for folder in reversed(made):
            folder.rmdir()
        raise


def write_tables(folder: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    """Each table as CSV and as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for name, table in tables.items():
        arrow = pa.Table.from_pandas(table, preserve_index=False)
        _write_csv(folder / f"{name}.csv", arrow)
        pq.write_table(with_units(arrow), folder / f"{name}.parquet", compression="zstd")


def _write_csv(path: Path, table: pa.Table) -> None:
    """Byte for byte what pandas writes: every different value is written out once and then looked up."""
    import pyarrow as pa
    import pyarrow.compute

    pc: Any = pyarrow.compute  # makes its functions when it is loaded: type checkers do not know them
    ends = [","] * (table.num_columns - 1) + ["\n"]
    with path.open("wb") as file:
        file.write("".join(_csv_text(name) + end for name, end in zip(table.column_names, ends, strict=True)).encode())
        for start in range(0, table.num_rows, CSV_ROWS):
            cells = []
            for column, end in zip(table.slice(start, CSV_ROWS).columns, ends, strict=True):
                known = column.combine_chunks().dictionary_encode()
                texts = pa.array([_csv_text(value) + end for value in known.dictionary.to_pylist()], pa.string())
                cells.append(pc.fill_null(texts.take(known.indices), end))
            file.write(pc.binary_join_element_wise(*cells, "").buffers()[2])


def _csv_text(value: Any) -> str:
    text = str(value)
    return '"' + text.replace('"', '""') + '"' if re.search(r'[",\r\n]', text) else text


def with_units(table: pa.Table) -> pa.Table:
    """The table with unit and meaning in the metadata of its columns."""
    import pyarrow as pa

    from afterglow.study.columns import column

    fields = []
    for field in table.schema:
        unit, meaning = column(field.name)
        fields.append(field.with_metadata({"unit": unit, "meaning": meaning}))
    return table.cast(pa.schema(fields, metadata=table.schema.metadata))


def write_units(folder: Path, tables: Mapping[str, pd.DataFrame], covers: Sequence[str]) -> None:
    """`units.json`: unit and meaning of every column of every table, and how to read the intervals."""
    from afterglow.study.columns import column, quantities

    units: dict[str, Any] = {
        "intervals": {
            "level": 0.9,
            "cover": list(covers),
            "do_not_cover": [s for s in ("parameters", "structure of the model") if s not in covers],
            "held": ["size of rater noise and of fluctuation between ratings, at the fitted values"],
            "method": "t (means), t on the log scale (spreads), Wilson (fractions; with draws at the t quantile); "
            "total variance over draws",
        },
        "tables": {
            name: {c: dict(zip(("unit", "meaning"), column(c), strict=True)) for c in table.columns}
            for name, table in tables.items()
        },
    }
    if "trajectories" in tables:
        units["quantities"] = quantities()
    write_json(folder / "units.json", units)


def write_manifest(
    folder: Path, command: str, settings: Mapping[str, Any], warnings: Sequence[str], **more: Any
) -> None:
    """`manifest.json`; written last, because it holds the hash of every other file."""
    manifest = {
        "what": NOTICE,
        "command": command,
        "settings": dict(settings),
        "warnings": list(warnings),
        **more,
        "model_sha256": model_hash(),
        "versions": {"afterglow": package_version(), "python": platform.python_version(), **library_versions()},
        "files": {
            path.relative_to(folder).as_posix(): {"sha256": file_sha256(path), "bytes": path.stat().st_size}
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        },
    }
    write_json(folder / MANIFEST, manifest)


def write_json(path: Path, contents: Any) -> None:
    """JSON that a person can read; NaN becomes null."""
    text = json.dumps(_plain(contents), indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def write_yaml(path: Path, contents: Any) -> None:
    """YAML in the order given."""
    import yaml

    path.write_text(yaml.safe_dump(contents, sort_keys=False, allow_unicode=True, width=120), encoding="utf-8")


def sha256(contents: bytes) -> str:
    """Hex digest."""
    return hashlib.sha256(contents).hexdigest()


def file_sha256(path: Path) -> str:
    """Hex digest of a file of any size."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def model_hash(*more: str) -> str:
    """One hash over every file of the package that decides the numbers of a run, and over `more` parts of it."""
    total = hashlib.sha256()
    for part in (*MODEL_PARTS, *more):
        for name, entry in _walk(files("afterglow").joinpath(part), part):
            total.update(f"{name}\0{sha256(entry.read_bytes())}\n".encode())
    return total.hexdigest()


def package_version() -> str:
    """Version of afterglow as installed."""
    return version("afterglow")


def library_versions() -> dict[str, str]:
    """Versions of the libraries that compute and write."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _walk(entry: Traversable, name: str) -> Iterator[tuple[str, Traversable]]:
    if entry.is_file():
        yield name, entry
    elif entry.is_dir():
        for child in sorted(entry.iterdir(), key=lambda one: one.name):
            if child.name != "__pycache__" and not child.name.startswith("."):
                yield from _walk(child, f"{name}/{child.name}")


def _make_parents(folder: Path) -> list[Path]:
    """Make missing parents; returns those that were made, outermost first."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()][::-1]
    for one in missing:
        one.mkdir()
    return missing


def replace_folder(work: Path, out: Path) -> None:
    """Move a finished folder to its place; what stood there vanishes only when that went well."""
    if not out.exists():
        work.rename(out)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{out.name}-old-", dir=out.parent))
    out.rename(old / out.name)
    try:
        work.rename(out)
    except BaseException:
        (old / out.name).rename(out)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
