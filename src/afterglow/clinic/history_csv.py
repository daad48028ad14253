"""Tables of doses, scores, therapy and stress as clinics export them: one CSV file each, named in a person file.

The first line names the columns: `day` or `date`, `time`, and the keys of a line of the person file. Columns are
separated by commas, semicolons or tabs. Faults name the file and the line.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from afterglow.clinic.files import Document, Loc, Wrong
from afterglow.clinic.history_lines import DoseGiven, Entry, ScoreSeen, StressSeen, TherapyHeld
from afterglow.clinic.identity import REMEDY, identifies
from afterglow.errors import Fault, nearest

TABLES: dict[str, type[Entry]] = {
    "doses": DoseGiven,
    "scores": ScoreSeen,
    "therapy": TherapyHeld,
    "stress": StressSeen,
}
_OTHER_WORDS = {"date": "on", "time": "at", "duration": "over"}
_NUMBERS = frozenset({"day", "score", "minutes", "days", "intensity"})
_DATE_AND_TIME = re.compile(r"^(\d{4}-\d{2}-\d{2})[T ](\d{1,2}:\d{2}(?::00)?)$")


@dataclass(frozen=True)
class Table:
    """Rows of a CSV file as a person file would have them, the line of each, and what is wrong with the file."""

    name: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def read_table(text: str, name: str, model: type[Entry]) -> Table:
    """The rows of a CSV text; types of single values are left to `model`."""
    text = text.removeprefix("\ufeff")
    header, _, _ = text.partition("\n")
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    table = Table(name)
    try:
        _read(reader, model, table)
    except csv.Error as error:
        table.faults.append(Fault(f"{name}:{reader.line_num}", f"not a CSV file: {error}", "export it again"))
    return table


def _read(reader: Any, model: type[Entry], table: Table) -> None:
    columns = _columns(next(reader, []), model, table)
    if any(fault.remedy != REMEDY for fault in table.faults):
        return  # rows without a column that was meant would only say so again
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(columns):
            problem = f"{len(cells)} values under {len(columns)} columns"
            remedy = "put quotes around a value that holds the separator"
            table.faults.append(Fault(f"{table.name}:{reader.line_num}", problem, remedy))
            continue
        pairs = zip(columns, cells, strict=False)
        table.rows.append(_row({key: cell.strip() for key, cell in pairs if key is not None and cell.strip()}))
        table.lines.append(reader.line_num)


def _columns(header: Sequence[str], model: type[Entry], table: Table) -> list[str | None]:
    """The key behind each column; None where there is none, which is a fault."""
    keys: list[str | None] = []
    known = [*model.model_fields, *_OTHER_WORDS]
    for cell in header:
        word = re.sub(r"\s+", "_", cell.strip().lower())
        key = _OTHER_WORDS.get(word, word)
        problem = remedy = ""
        if key not in model.model_fields:
            problem, remedy = f"unknown column '{cell.strip()}'", nearest(word, known)
            remedy = REMEDY if identifies(word) else remedy
        elif key in keys:
            problem, remedy = f"two columns are '{key}'", "keep one"
        if problem:
            table.faults.append(Fault(f"{table.name}:1", problem, remedy))
        keys.append(None if problem else key)
    if not header:
        table.faults.append(Fault(f"{table.name}:1", "the file is empty", "the first line names the columns"))
    return keys


def _row(cells: dict[str, str]) -> dict[str, Any]:
    row: dict[str, Any] = {key: _number(cell) if key in _NUMBERS else cell for key, cell in cells.items()}
    both = _DATE_AND_TIME.match(cells.get("on", ""))
    if both and "at" not in row:
        row |= {"on": both[1], "at": both[2]}
    return row


def _number(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


@dataclass(frozen=True)
class TableDocument(Document):
    """A person file whose tables may stand in CSV files: places lead into those."""

    tables: dict[str, Table] = field(default_factory=dict)

    def place(self, loc: Loc) -> str:
        """`file:line` of the innermost known part of a path."""
        table = self.tables.get(str(loc[0])) if loc else None
        if table is None:
            return super().place(loc)
        row = loc[1] if len(loc) > 1 else None
        return f"{table.name}:{table.lines[row] if isinstance(row, int) else 1}"


def with_tables(document: Document, folder: Path) -> TableDocument:
    """The document with the CSV files beside it read in."""
    data, tables, faults = document.data, {}, list(document.faults)
    if isinstance(data, dict):
        data = dict(data)
        for key, model in TABLES.items():
            if isinstance(data.get(key), str):
                try:
                    tables[key] = read_table(_text(folder, data[key]), str(folder / data[key]), model)
                except Wrong as wrong:
                    faults.append(Fault(document.place((key,)), wrong.problem, wrong.remedy))
                data[key] = tables[key].rows if key in tables else []
    faults += [fault for table in tables.values() for fault in table.faults]
    return TableDocument(document.name, data, document.lines, tuple(faults), tables)


def _text(folder: Path, name: str) -> str:
    """The text of a file beside the person file."""
    if Path(name).name != name or Path(name).suffix.lower() != ".csv":
        raise Wrong(
            f"'{name}' is not the name of a CSV file", "write for instance `doses: doses.csv`, a file beside this"
        )
    try:
        return (folder / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        near = sorted(one.name for one in folder.glob("*.csv"))
        raise Wrong(
            f"there is no '{name}' beside this file", nearest(name, near) if near else "check the name"
        ) from None
    except UnicodeDecodeError:
        raise Wrong(f"'{name}' is not text in UTF-8", "save it as UTF-8") from None
    except OSError as error:
        raise Wrong(f"'{name}' cannot be read: {error.strerror}", "check the file") from None
