"""The systems of the model as the page shows them: equations, numbers with their sources, wires."""

from __future__ import annotations

import inspect
import re
import sys
from typing import Any

from afterglow import data
from afterglow.errors import Fault, InputError, nearest
from afterglow.study.live import CHAIN
from afterglow.systems import catalogue
from afterglow.systems.whole import whole

_LINK = re.compile(r"https?://\S+")
_NUMBERS = "What is known"  # the table of parameters under printed equations, which is sent as data


def systems() -> list[dict[str, Any]]:
    """All systems, one row for each name in the model."""
    model = whole()
    titles = {name: row.title for row in catalogue.rows(model) for name in row.name.split(", ")}
    found = []
    for name, part in model.parts.items():
        grades = [_grade(p.source) for p in part.params.values()]
        counts = {"states": len(part.system.states), "parameters": len(grades)}
        counts |= {"assumed": grades.count("assumed"), "fitted": grades.count("fitted")}
        found.append({"name": name, "title": titles[name], **counts, "chain": _chain(name)})
    return found


def _grade(source: str) -> str:
    record = data.parameter_records().get(source)
    return source if record is None else record.grade


def _chain(name: str) -> str | None:
    return next((link.key for link in CHAIN if name in link.systems), None)


def system(name: str) -> dict[str, Any]:
    """One system.

    Raises:
        InputError: there is none of this name.
    """
    model = whole()
    if name not in model.parts:
        raise InputError(Fault("name", f"there is no system '{name[:60]}'", nearest(name[:60], model.parts)))
    part = model.parts[name]
    doc = inspect.getdoc(sys.modules[part.system.__module__]) or ""
    wires = catalogue.wires(name, model).to_dict("records")
    return {
        "name": name,
        "title": doc.splitlines()[0] if doc else name,
        "doc": doc,
        "equations": catalogue.equations(name, model=model).partition(f"\n{_NUMBERS}")[0].rstrip().splitlines(),
        "parameters": [row | {"link": _link(row)} for row in catalogue.parameters(name, model).to_dict("records")],
        "inputs": list(part.system.inputs),
        "outputs": list(part.system.outputs),
        "wires": wires,
    }


def _link(row: dict[Any, Any]) -> str | None:
    """Where the number was published."""
    record = data.parameter_records().get(row["source"])
    if record is not None and record.citation is not None:
        return record.citation.link
    return link_in(str(row["citation"]))


def link_in(text: str) -> str | None:
    """The first address in a text."""
    found = _LINK.search(text)
    return found[0].rstrip(".,;)]") if found else None
