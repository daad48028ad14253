"""Small SBML documents, written line by line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

libsbml = pytest.importorskip("libsbml")

Number = float | None


def formula(text: str) -> Any:
    """A formula of SBML Level 3."""
    found = libsbml.parseL3Formula(text)
    assert found is not None, libsbml.getLastParseL3Error()
    return found


def sbml_model(
    *,
    compartments: Mapping[str, float] = {"c": 1.0},
    species: Mapping[str, Mapping[str, Any]] | None = None,
    parameters: Mapping[str, Number] | None = None,
    reactions: Mapping[str, tuple[str, str]] | None = None,
    local: Mapping[str, Mapping[str, float]] | None = None,
    rules: Mapping[str, str] | None = None,
    rates: Mapping[str, str] | None = None,
    initial: Mapping[str, str] | None = None,
    events: Sequence[tuple[str, Mapping[str, str]]] = (),
    functions: Mapping[str, str] | None = None,
    version: tuple[int, int] = (3, 2),
) -> Any:
    """A document; reactions are written ("2 A + B -> C", "k * A * B").

    Species: {"concentration": or "amount": , "in_amounts": , "boundary": , "constant": , "vessel": }. Parameters,
    compartments and species that a rule or event changes are not constant.
    """
    document = libsbml.SBMLDocument(*version)
    m = document.createModel()
    m.setId("m")
    changing = {*(rules or {}), *(rates or {}), *(name for _, values in events for name in values)}
    for name, text in (functions or {}).items():
        f = m.createFunctionDefinition()
        f.setId(name)
        f.setMath(formula(text))
    for name, size in compartments.items():
        c = m.createCompartment()
        c.setId(name)
        c.setSpatialDimensions(3)
        c.setSize(size)
        c.setConstant(name not in changing)
    for name, said in (species or {}).items():
        s = m.createSpecies()
        s.setId(name)
        s.setCompartment(said.get("vessel", next(iter(compartments))))
        s.setHasOnlySubstanceUnits(said.get("in_amounts", False))
        s.setBoundaryCondition(said.get("boundary", name in {*(rules or {}), *(rates or {})}))
        s.setConstant(said.get("constant", False))
        if "concentration" in said:
            s.setInitialConcentration(said["concentration"])
        if "amount" in said:
            s.setInitialAmount(said["amount"])
    for name, value in (parameters or {}).items():
        p = m.createParameter()
        p.setId(name)
        p.setConstant(name not in changing)
        if value is not None:
            p.setValue(value)
    for name, (equation, law) in (reactions or {}).items():
        _reaction(m, name, equation, law, (local or {}).get(name, {}))
    for name, text in (initial or {}).items():
        a = m.createInitialAssignment()
        a.setSymbol(name)
        a.setMath(formula(text))
    for create, some in ((m.createAssignmentRule, rules), (m.createRateRule, rates)):
        for name, text in (some or {}).items():
            rule = create()
            rule.setVariable(name)
            rule.setMath(formula(text))
    for k, (trigger, values) in enumerate(events):
        _event(m, f"e{k}", trigger, values)
    return document


def _reaction(m: Any, name: str, equation: str, law: str, local: Mapping[str, float]) -> None:
    r = m.createReaction()
    r.setId(name)
    r.setReversible(False)
    if r.getLevel() < 3 or r.getVersion() < 2:
        r.setFast(False)
    own = set()
    for side, create in zip(equation.split("->"), (r.createReactant, r.createProduct), strict=True):
        for term in filter(None, (t.strip() for t in side.split("+"))):
            *count, one = term.split()
            reference = create()
            reference.setSpecies(one)
            reference.setStoichiometry(float(count[0]) if count else 1.0)
            own.add(one)
            if r.getLevel() > 2:
                reference.setConstant(True)
    k = r.createKineticLaw()
    k.setMath(formula(law))
    for k_name, value in local.items():
        p = k.createLocalParameter() if r.getLevel() > 2 else k.createParameter()
        p.setId(k_name)
        p.setValue(value)
    for s in (m.getSpecies(j).getId() for j in range(m.getNumSpecies())):
        if s not in own and s in law.replace("*", " ").replace("(", " ").replace(")", " ").split():
            r.createModifier().setSpecies(s)


def _event(m: Any, name: str, trigger: str, values: Mapping[str, str]) -> None:
    e = m.createEvent()
    e.setId(name)
    t = e.createTrigger()
    t.setMath(formula(trigger))
    if e.getLevel() > 2:
        e.setUseValuesFromTriggerTime(True)
        t.setInitialValue(False)
        t.setPersistent(True)
    for variable, text in values.items():
        a = e.createEventAssignment()
        a.setVariable(variable)
        a.setMath(formula(text))


def text_of(document: Any) -> str:
    """The document as XML."""
    return libsbml.writeSBMLToString(document)
