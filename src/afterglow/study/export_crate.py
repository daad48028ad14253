"""A result folder as an RO-Crate 1.1: what was run, by which software, and what came out, as linked data.

Everything is read from the folder's `manifest.json`; files that are not as they were when it was written are refused.

Source: RO-Crate Metadata Specification 1.1, https://w3id.org/ro/crate/1.1
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from afterglow.errors import Fault, InputError

METADATA = "ro-crate-metadata.json"
MANIFEST = "manifest.json"
PROFILE = "https://w3id.org/ro/crate/1.1"
TERMS = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}
LICENCE = "http://spdx.org/licenses/Apache-2.0"
TYPES = {".parquet": "application/vnd.apache.parquet", ".yaml": "application/yaml", ".csv": "text/csv"}
Entity = dict[str, Any]


def read(folder: Path) -> dict[str, Any]:
    """The manifest of a result folder, once every file was found as it says.

    Raises:
        InputError: no result folder, or files that were changed, lost or added: all of them.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = {name: entry["sha256"] for name, entry in manifest["files"].items()}
        if not isinstance(manifest["command"], str) or "afterglow" not in manifest["versions"]:
            raise ValueError("not ours")
    except (OSError, ValueError, KeyError, TypeError):
        fault = Fault(folder.name, "is not a result folder: it has no manifest.json of ours", "name a result folder")
        raise InputError(fault) from None
    present = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} - {MANIFEST}
    remedy = "run the command again"
    faults = [
        Fault(name, "is in the manifest but not in the folder", remedy) for name in sorted(files.keys() - present)
    ]
    faults += [
        Fault(name, "is in the folder but not in its manifest", "take it out")
        for name in sorted(present - files.keys())
    ]
    for name in sorted(present & files.keys()):
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != files[name]:
            faults.append(Fault(name, "was changed since the run: its hash is another one", remedy))
    if faults:
        raise InputError(faults)
    return manifest


def crate(folder: Path, manifest: Mapping[str, Any]) -> str:
    """The text of `ro-crate-metadata.json` for a folder with this manifest.

    The date is that of the manifest file: results hold no clock time of their own.
    """
    when = datetime.fromtimestamp((folder / MANIFEST).stat().st_mtime, UTC).isoformat(timespec="seconds")
    names = [*manifest["files"], MANIFEST]
    software = _software(manifest["versions"])
    settings = [
        {"@id": f"#setting-{k}", "@type": "PropertyValue", "name": name, "value": _said(value)}
        for k, (name, value) in enumerate(manifest.get("settings", {}).items())
    ]
    action: Entity = {
        "@id": "#run",
        "@type": "CreateAction",
        "name": manifest["command"],
        "description": f"sha256 of the model: {manifest.get('model_sha256', 'not recorded')}",
        "endTime": when,
        "instrument": {"@id": software[0]["@id"]},
        "object": [{"@id": one["@id"]} for one in settings],
        "result": [{"@id": name} for name in names],
    }
    root: Entity = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Results of: {manifest['command']}",
        "description": manifest.get("what", "Results of afterglow."),
        "datePublished": when,
        "license": {"@id": LICENCE},
        "hasPart": [{"@id": name} for name in names],
        "mentions": {"@id": "#run"},
    }
    head: Entity = {
        "@id": METADATA,
        "@type": "CreativeWork",
        "conformsTo": {"@id": PROFILE},
        "about": {"@id": "./"},
    }
    licence: Entity = {"@id": LICENCE, "@type": "CreativeWork", "name": "Apache License 2.0", "url": LICENCE}
    files = [_file(folder / name, name) for name in names]
    graph = [head, root, *files, action, *settings, *software, licence]
    whole = {"@context": [f"{PROFILE}/context", TERMS], "@graph": graph}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _file(path: Path, name: str) -> Entity:
    kind = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return {
        "@id": name,
        "@type": "File",
        "name": path.name,
        "encodingFormat": kind,
        "contentSize": str(path.stat().st_size),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


def _software(versions: Mapping[str, str]) -> list[Entity]:
    """The program that ran, and the libraries that it needed."""
    libraries = [
        {"@id": f"#{name}", "@type": "SoftwareApplication", "name": name, "softwareVersion": version}
        for name, version in versions.items()
        if name != "afterglow"
    ]
    ours: Entity = {
        "@id": "#afterglow",
        "@type": "SoftwareApplication",
        "name": "afterglow",
        "softwareVersion": versions["afterglow"],
        "license": {"@id": LICENCE},
        "softwareRequirements": [{"@id": one["@id"]} for one in libraries],
    }
    return [ours, *libraries]


def _said(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
