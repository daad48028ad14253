"""JSON Schemas of the evidence files, for editors: `python -m afterglow.data.json_schema FOLDER` writes them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from afterglow.data.fit_schema import FitFile
from afterglow.data.schema import ParameterFile, Record
from afterglow.data.trial_schema import TrialRecord

RECORDS: dict[str, type[Record]] = {"trial": TrialRecord, "parameters": ParameterFile, "fit_rows": FitFile}


def write_json_schemas(folder: str | Path) -> list[Path]:
    """Write the JSON Schema of every kind of file into `folder`, and return the paths."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, record in RECORDS.items():
        path = folder / f"{name}.schema.json"
        path.write_text(json.dumps(record.model_json_schema(), indent=2) + "\n", encoding="utf-8")
        paths.append(path)
    return paths


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m afterglow.data.json_schema FOLDER")
    print(*write_json_schemas(sys.argv[1]), sep="\n")
