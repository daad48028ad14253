"""Evidence as data, and the functions that read it.

Each folder holds one kind of record: `parameters` (numbers that models use), `trials` (published results), `courses`,
and single files beside them. Everything is read once and kept. Nothing heavy is imported until a function is called.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeVar

from afterglow.errors import Fault, InputError, nearest

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from afterglow.data.fit_schema import FitRow
    from afterglow.data.schema import ParameterRecord, Record
    from afterglow.data.trial_schema import TrialRecord

    R = TypeVar("R", bound=Record)

__all__ = [
    "data_files",
    "fit_rows",
    "fit_version",
    "parameter_records",
    "parse_yaml",
    "read_yaml",
    "record",
    "trial",
    "trials",
]


def parse_yaml(text: str, place: str = "text") -> Any:
    """Parse YAML (safe subset), or raise an `InputError` that names the line."""
    import yaml

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise InputError(
            Fault(f"{place}{line}", f"not valid YAML: {problem}", "check indentation and colons")
        ) from error


def data_files(folder: str = "", ending: str = ".yaml") -> dict[str, Traversable]:
    """Files of a folder of the package data, by name without ending, sorted."""
    root = files("afterglow.data")
    root = root.joinpath(folder) if folder else root
    if not root.is_dir():
        return {}
    found = sorted((entry for entry in root.iterdir() if entry.name.endswith(ending)), key=lambda entry: entry.name)
    return {entry.name.removesuffix(ending): entry for entry in found}


def read_yaml(path: str) -> Any:
    """Contents of one YAML file of the package data, for instance `read_yaml("courses/ssri.yaml")`."""
    entry = files("afterglow.data").joinpath(path)
    if not entry.is_file():
        raise InputError(Fault(f"data/{path}", "no such file in the package data"))
    return parse_yaml(entry.read_text(encoding="utf-8"), f"data/{path}")


def _validated(kind: type[R], contents: Any, place: str) -> R:
    from pydantic import ValidationError

    try:
        return kind.model_validate(contents)
    except ValidationError as error:
        raise InputError(
            Fault(f"{place}: {'.'.join(map(str, fault['loc'])) or 'whole record'}", fault["msg"])
            for fault in error.errors()
        ) from error


@cache
def trials() -> dict[str, TrialRecord]:
    """Every trial record, by id."""
    from afterglow.data.trial_schema import TrialRecord

    records: dict[str, TrialRecord] = {}
    for name in data_files("trials"):
        place = f"trials/{name}.yaml"
        one = _validated(TrialRecord, read_yaml(place), f"data/{place}")
        if one.id != name:
            raise InputError(
                Fault(f"data/{place}", f"the record calls itself '{one.id}'", "name the file after the id")
            )
        records[name] = one
    return records


def trial(name: str) -> TrialRecord:
    """One trial record."""
    known = trials()
    if name not in known:
        raise InputError(Fault("trial", f"there is no trial '{name}'", nearest(name, known)))
    return known[name]


@cache
def parameter_records() -> dict[str, ParameterRecord]:
    """Every record of `data/parameters`, by id; an id that occurs twice is refused."""
    from afterglow.data.schema import ParameterFile

    records: dict[str, ParameterRecord] = {}
    origin: dict[str, str] = {}
    for name in data_files("parameters"):
        place = f"parameters/{name}.yaml"
        for one in _validated(ParameterFile, read_yaml(place), f"data/{place}").records:
            if one.id in records:
                fault = Fault(f"data/{place}", f"the id '{one.id}' is also in {origin[one.id]}", "ids are unique")
                raise InputError(fault)
            records[one.id], origin[one.id] = one, place
    return records


def record(name: str) -> ParameterRecord:
    """One parameter record: what `source=` of a model parameter points to."""
    known = parameter_records()
    if name not in known:
        raise InputError(Fault("record", f"there is no parameter record '{name}'", nearest(name, known)))
    return known[name]


@cache
def fit_rows() -> tuple[FitRow, ...]:
    """The declared list of outcome rows that are fitted or kept for checking, one entry a row."""
    from afterglow.data.fit_schema import FitFile, FitRow

    place = "data/fit_rows.yaml"
    listed: list[FitRow] = []
    faults: list[Fault] = []
    for group in _validated(FitFile, read_yaml("fit_rows.yaml"), place).groups:
        source = trial(group.trial)
        known = {row.key: row for row in source.outcomes}
        for key in group.rows:
            if key not in known:
                faults.append(Fault(f"{place}: {group.trial}", f"there is no outcome '{key}'", nearest(key, known)))
                continue
            common = group.model_dump(include={"trial", "role", "layer", "weight", "why"})
            listed.append(FitRow(row=key, cohort=source.cohort, outcome=known[key], **common))
    pairs = [(one.trial, one.row) for one in listed]
    faults += [
        Fault(f"{place}: {t}", f"'{k}' is listed twice") for t, k in sorted({p for p in pairs if pairs.count(p) > 1})
    ]
    if faults:
        raise InputError(faults)
    return tuple(listed)


@cache
def answered_rows() -> tuple[FitRow, ...]:
    """Every published row that a simulated arm answers, with its role; those that are fitted first."""
    from afterglow.data.fit_schema import FitRow

    listed = {(one.trial, one.row): one for one in fit_rows()}
    found = [
        listed.get((one.id, row.key))
        or FitRow(trial=one.id, row=row.key, role="unused", cohort=one.cohort, outcome=row)
        for one in trials().values()
        if one.simulate is not None
        for row in one.answered()
    ]
    return tuple(sorted(found, key=lambda one: one.role != "fit"))


def fit_version() -> int:
    """Version of the list of fitted rows."""
    return int(read_yaml("fit_rows.yaml")["version"])
