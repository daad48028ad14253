"""Finished tasks on disk: so that a run can be interrupted and resumed, and need not fit into memory.

Each table of a task is one Parquet file. A small JSON file with their hashes is written last; without it, or when a
file is not what it was, the task does not count and is done again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from afterglow.interfaces import output, unfinished

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

GROUP_ROWS = 100_000  # at least so many a row group, except the last: small parts are put together
FILE_ROWS = 2_000_000  # a new file after so many


class Parts:
    """The finished tasks in a folder, each under its key; every task has the same tables."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def done(self) -> set[str]:
        """Keys of the tasks whose files are all there, with the bytes that were written."""
        return {key for path in self.folder.glob("*.done") if (key := _whole(path)) is not None}

    def keep(self, key: str, tables: Mapping[str, pd.DataFrame]) -> None:
        """Write the tables of a finished task. An index is not kept."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        for name, table in tables.items():
            path = self._path(key, name)
            # pandas' own metadata would only say again what the types say
            arrow = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
            pq.write_table(output.with_units(arrow), path.with_suffix(".new"), compression="zstd")
            path.with_suffix(".new").replace(path)
        hashes = {path.name: output.file_sha256(path) for path in (self._path(key, name) for name in tables)}
        unfinished.write_whole(self.folder / f"{_file_name(key)}.done", {"key": key, "sha256": hashes})

    def tables(self, name: str, keys: Sequence[str]) -> Iterator[pa.Table]:
        """One table of each of these tasks, in the order of `keys`.

        Raises:
            FileNotFoundError: A task is not done, or has no such table.
        """
        import pyarrow.parquet as pq

        for key in keys:
            yield pq.read_table(self._path(key, name))

    def read(self, name: str, keys: Sequence[str]) -> pd.DataFrame:
        """One table of all these tasks, in the order of `keys`; without keys an empty one."""
        import pandas as pd
        import pyarrow as pa

        found = list(self.tables(name, keys))
        return pa.concat_tables(found, promote_options="permissive").to_pandas() if found else pd.DataFrame()

    def write_partitioned(self, name: str, keys: Sequence[str], out_folder: Path) -> list[Path]:
        """One table of all these tasks as OUT/NAME/part-000000.parquet and so on; returns these files.

        The rows come in the order of `keys`, whenever the tasks were finished, and never all into memory. A column
        that is empty in some tasks, or holds whole numbers in some, takes the type that it has in the others.
        """
        import pyarrow.parquet as pq

        folder = out_folder / name
        folder.mkdir(parents=True)
        files: list[Path] = []
        if not keys:
            return files
        schema = self._schema(name, keys)
        with ExitStack() as stack:
            writer, rows = None, 0
            for group in _groups(self.tables(name, keys), schema):
                if writer is None or rows >= FILE_ROWS:
                    stack.close()
                    files.append(folder / f"part-{len(files):06d}.parquet")
                    writer, rows = stack.enter_context(pq.ParquetWriter(files[-1], schema, compression="zstd")), 0
                writer.write_table(group)
                rows += group.num_rows
        return files

    def _schema(self, name: str, keys: Sequence[str]) -> pa.Schema:
        """The columns of one table over all these tasks, with types that hold the values of all."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        known = dict.fromkeys(pq.read_schema(self._path(key, name)) for key in keys)
        return pa.unify_schemas(list(known), promote_options="permissive")

    def _path(self, key: str, name: str) -> Path:
        return self.folder / f"{_file_name(key)}.{name}.parquet"


def _groups(tables: Iterator[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """Tables put together until they make a row group."""
    import pyarrow as pa

    def joined() -> pa.Table:
        return pa.concat_tables(held, promote_options="permissive").select(schema.names).cast(schema)

    held, rows = [schema.empty_table()], 0
    for table in tables:
        held.append(table)
        rows += table.num_rows
        if rows >= GROUP_ROWS:
            yield joined()
            held, rows = [schema.empty_table()], 0
    if len(held) > 1:
        yield joined()


def _file_name(key: str) -> str:
    """A name that every file system takes: what can be read of the key, and a hash that tells keys apart."""
    readable = re.sub(r"[^A-Za-z0-9_-]+", "_", key)[:60]
    return f"{readable}-{output.sha256(key.encode())[:16]}"


def _whole(path: Path) -> str | None:
    """The key of a finished task, or None where something is missing or damaged."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        same = all(output.file_sha256(path.with_name(name)) == sha for name, sha in record["sha256"].items())
    except (OSError, ValueError, KeyError):
        return None
    return record["key"] if same else None
