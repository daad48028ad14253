"""Events whose size is a parameter: one SBML file for many courses, chosen by setting parameters.

PEtab and SED-ML change parameters of a model, not its events. So every event of every course stands in the file, adds
the value of a parameter, and that parameter is 0 unless a condition sets it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from afterglow.compile.sbml import identifier
from afterglow.compile.sbml.writer import libsbml
from afterglow.errors import ModelError


class Addition(NamedTuple):
    """At `time_h`, the value of `parameter` is added to `name`, a state or a slot."""

    time_h: float
    name: str
    parameter: str


def with_additions(text: str, additions: Sequence[Addition], more: Mapping[str, str]) -> str:
    """An SBML document with these events.

    Args:
        text: the document; what the additions change must not be constant in it.
        additions: one parameter belongs to one state or slot, and takes its unit.
        more: further parameters, dimensionless and 0 at first, with their names.
    """
    lib = libsbml()
    document = lib.readSBMLFromString(text)
    sheet = document.getModel()
    for parameter, name in more.items():
        _parameter(sheet, parameter, name, "dimensionless")
    for parameter, name in {a.parameter: a.name for a in additions}.items():
        target = sheet.getParameter(identifier(name))
        if target is None or target.getConstant():
            raise ModelError(f"'{name}' cannot be changed in this SBML document")
        _parameter(sheet, parameter, f"added to {name}", target.getUnits())
    for k, time in enumerate(sorted({a.time_h for a in additions})):
        event = sheet.createEvent()
        event.setId(f"at__{k}")
        event.setUseValuesFromTriggerTime(True)
        trigger = event.createTrigger()
        trigger.setInitialValue(False)
        trigger.setPersistent(True)
        unit = f" {sheet.getTimeUnits()}" if sheet.isSetTimeUnits() else ""
        trigger.setMath(_math(lib, f"time >= {time!r}{unit}"))
        here = [a for a in additions if a.time_h == time]
        for name in dict.fromkeys(a.name for a in here):
            said = [identifier(name), *(a.parameter for a in here if a.name == name)]
            assignment = event.createEventAssignment()
            assignment.setVariable(identifier(name))
            assignment.setMath(_math(lib, " + ".join(said)))
    return str(lib.writeSBMLToString(document))


def _parameter(sheet: Any, ident: str, name: str, unit: str) -> None:
    made = sheet.createParameter()
    made.setId(ident)
    made.setName(name)
    made.setValue(0.0)
    made.setConstant(True)
    if unit:
        made.setUnits(unit)


def _math(lib: Any, formula: str) -> Any:
    found = lib.parseL3Formula(formula)
    if found is None:
        raise ModelError(f"libSBML cannot read '{formula}': {lib.getLastParseL3Error()}")
    return found
