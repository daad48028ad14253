"""JSON Schemas of the trial file and the person file, for editors.

`python -m afterglow.clinic.json_schema FOLDER` writes both.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from afterglow.clinic.history_csv import TABLES
from afterglow.clinic.person import Person
from afterglow.clinic.trial import Trial

_BOUNDS = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum"}


def trial_schema() -> dict[str, Any]:
    """The schema of a trial file with scenarios: a field takes a value or a list of values."""
    schema = Trial.model_json_schema()
    for part in (schema, *schema.get("$defs", {}).values()):
        for key, field in part.get("properties", {}).items():
            part["properties"][key] = _with_other(field, lambda one: {"type": "array", "items": one, "minItems": 1})
    return schema


def person_schema() -> dict[str, Any]:
    """The schema of a person file: doses, scores, therapy and stress are lists of lines, or the name of a CSV file."""
    schema = Person.model_json_schema()
    for key in TABLES:
        schema["properties"][key] = _with_other(schema["properties"][key], lambda _: {"type": "string"})
    return _bounded(schema)


def _with_other(field: dict[str, Any], other: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    about = {key: field.pop(key) for key in ("title", "description", "default") if key in field}
    return {**about, "anyOf": [field, other(field)]}


def _bounded(schema: Any) -> Any:
    """Bounds of optional numbers under the names that JSON Schema gives them; quantities are words and have none."""
    if isinstance(schema, list):
        return [_bounded(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _bounded(value) for key, value in schema.items() if key not in _BOUNDS}
    numbers = schema.get("type") in ("number", "integer")
    return kept | {_BOUNDS[key]: schema[key] for key in _BOUNDS if numbers and key in schema}


def write_trial_schema(folder: str | Path) -> Path:
    """Write `trial_design.schema.json` into `folder`, and return its path."""
    return _written(trial_schema(), Path(folder) / "trial_design.schema.json")


def write_person_schema(folder: str | Path) -> Path:
    """Write `person.schema.json` into `folder`, and return its path."""
    return _written(person_schema(), Path(folder) / "person.schema.json")


def _written(schema: dict[str, Any], path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m afterglow.clinic.json_schema FOLDER")
    print(write_trial_schema(sys.argv[1]), write_person_schema(sys.argv[1]), sep="\n")
