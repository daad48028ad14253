"""What the model is made of: its systems, their numbers and sources, and the wires between them."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from afterglow import data
from afterglow.compile.latex import latex
from afterglow.compile.text import spread, text
from afterglow.data.fitted import fitted_values
from afterglow.errors import Fault, InputError, nearest
from afterglow.lang import Model, Part
from afterglow.systems.whole import whole

if TYPE_CHECKING:
    import pandas as pd

    from afterglow.data.schema import ParameterRecord

NOT_MODELLED = "Not modelled: psilocybin and MDMA, which the literature mentions as further comparators."


@dataclass(frozen=True)
class SystemRow:
    """A system as listed: one row a class, however often it is placed; numbers count all places.

    `assumed` and `fitted` are how many of the `parameters` rest on our choice (also one that a record explains), or on
    the fit.
    """

    name: str
    title: str
    states: int
    parameters: int
    assumed: int
    fitted: int
    file: str


def rows(model: Model | None = None) -> list[SystemRow]:
    """Every system of the model, in the order of cause. The numbers add up to those of the running model."""
    groups: dict[type, list[Part]] = {}
    for part in (model or whole()).parts.values():
        groups.setdefault(part.system, []).append(part)
    out = []
    for kind, parts in groups.items():
        module = sys.modules[kind.__module__]
        grades = [grade(p.source) for part in parts for p in part.params.values()]
        title = (inspect.getdoc(module) or kind.__name__).splitlines()[0]
        counts = (len(parts) * len(kind.states), len(grades), grades.count("assumed"), grades.count("fitted"))
        out.append(SystemRow(", ".join(p.name for p in parts), title, *counts, Path(inspect.getfile(kind)).name))
    return out


def equations(name: str, style: str = "text", model: Model | None = None) -> str:
    """The equations and numbers of a system, as "text" or "latex". A file's name stands for all that it defines."""
    printers = {"text": text, "latex": latex}
    if style not in printers:
        raise InputError(Fault("style", f"there is no style '{style}'", nearest(style, printers)))
    model = model or whole()
    known = _values(model)
    return "\n".join(
        printers[style](part, {key: known[f"{part.name}.{key}"] for key in part.params}) for part in _find(model, name)
    )


def parameters(name: str | None = None, model: Model | None = None) -> pd.DataFrame:
    """Every number of the model, or of one system: value in use, unit, meaning, spread, source, grade, citation."""
    import pandas as pd

    model = model or whole()
    known, records = _values(model), data.parameter_records()
    table = []
    for part in _find(model, name):
        for key, p in part.params.items():
            row = {"system": part.name, "name": key, "value": known[f"{part.name}.{key}"], "unit": str(p.unit)}
            row |= {"meaning": p.meaning, "spread": spread(p), "source": p.source}
            row |= {"grade": grade(p.source), "citation": _citation(records.get(p.source))}
            table.append(row)
    columns = ["system", "name", "value", "unit", "meaning", "spread", "source", "grade", "citation"]
    return pd.DataFrame(table, columns=pd.Index(columns))


def wires(name: str | None = None, model: Model | None = None) -> pd.DataFrame:
    """The wires of the model, or those at one system: source, target, conversion factor, feedback."""
    import pandas as pd

    model = model or whole()
    here = {part.name for part in _find(model, name)}
    table = [
        (w.source, w.target, w.factor, w.feedback)
        for w in model.wires
        if here & {w.source.split(".")[0], w.target.split(".")[0]}
    ]
    return pd.DataFrame(table, columns=pd.Index(["source", "target", "factor", "feedback"]))


def grade(source: str) -> str:
    """page, derived, assumed, fitted; "missing" where a source points to no record, which a test refuses."""
    record = data.parameter_records().get(source)
    return record.grade if record else source if source in ("assumed", "fitted") else "missing"


def _citation(record: ParameterRecord | None) -> str:
    if record is None:
        return ""
    if record.citation is None:
        return record.derivation or record.note or ""
    return " ".join(str(x) for x in (record.citation, record.citation.link) if x)


def _values(model: Model) -> dict[str, float]:
    """Values in use: declared ones, replaced by the fit, replaced by what the model fixes."""
    declared = {f"{part.name}.{k}": p.value_ for part in model.parts.values() for k, p in part.params.items()}
    return declared | fitted_values() | model.fixed


def _find(model: Model, name: str | None) -> list[Part]:
    """Parts by their name or that of their file; all without a name."""
    parts = list(model.parts.values())
    found = [p for p in parts if name in (None, p.name)] or [
        p for p in parts if Path(inspect.getfile(p.system)).stem == name
    ]
    if not found:
        known = {p.name for p in parts} | {Path(inspect.getfile(p.system)).stem for p in parts}
        raise InputError(Fault("system", f"there is no system '{name}'", nearest(str(name), known)))
    return found
