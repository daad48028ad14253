"""JSON Schemas of the files that users write, for editors and for the reference of file formats.

`python -m afterglow.clinic.json_schema FOLDER` writes all of them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from afterglow.clinic.claim import Claim, ClaimFile
from afterglow.clinic.course import Course
from afterglow.clinic.history_csv import TABLES
from afterglow.clinic.person import Person
from afterglow.clinic.population import Population
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


def course_schema() -> dict[str, Any]:
    """The schema of a course file."""
    return _bounded(Course.model_json_schema())


def population_schema() -> dict[str, Any]:
    """The schema of a population file."""
    return _bounded(Population.model_json_schema())


def claims_schema() -> dict[str, Any]:
    """The schema of a claims file: one claim, or several in a list under `claims`."""
    return _bounded(TypeAdapter(Claim | ClaimFile).json_schema())


SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {
    "course": course_schema,
    "person": person_schema,
    "population": population_schema,
    "trial_design": trial_schema,
    "claims": claims_schema,
}


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


def write_schema(name: str, folder: str | Path) -> Path:
    """Write the schema of this name (see `SCHEMAS`) as `NAME.schema.json` into `folder`, and return its path."""
    path = Path(folder) / f"{name}.schema.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(SCHEMAS[name](), indent=2) + "\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m afterglow.clinic.json_schema FOLDER")
    print(*(write_schema(name, sys.argv[1]) for name in SCHEMAS), sep="\n")
