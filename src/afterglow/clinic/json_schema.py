"""JSON Schema of the trial file, for editors: `python -m afterglow.clinic.json_schema FOLDER` writes it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from afterglow.clinic.trial import Trial


def trial_schema() -> dict[str, Any]:
    """The schema of a trial file with scenarios: a field takes a value or a list of values."""
    schema = Trial.model_json_schema()
    for part in (schema, *schema.get("$defs", {}).values()):
        for key, field in part.get("properties", {}).items():
            part["properties"][key] = _value_or_values(field)
    return schema


def _value_or_values(field: dict[str, Any]) -> dict[str, Any]:
    about = {key: field.pop(key) for key in ("title", "description", "default") if key in field}
    return {**about, "anyOf": [field, {"type": "array", "items": field, "minItems": 1}]}


def write_trial_schema(folder: str | Path) -> Path:
    """Write `trial_design.schema.json` into `folder`, and return its path."""
    path = Path(folder) / "trial_design.schema.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(trial_schema(), indent=2) + "\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m afterglow.clinic.json_schema FOLDER")
    print(write_trial_schema(sys.argv[1]))
