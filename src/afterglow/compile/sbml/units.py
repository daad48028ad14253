"""Units of a program for SBML: every symbol declares one, and every other node's follows from its parts.

Equations were checked, dimension and scale, when they were written. Here the same units are worked out once more for
the equations of the whole model, so that a reader of the exported file can check them too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from afterglow.compile.program import Program
from afterglow.lang.expr import Expr, Symbol, order
from afterglow.lang.units import ONE, Unit

HOUR = Unit.parse("h")
RATE = "rate:"

_KINDS = {"gram": "UNIT_KIND_GRAM", "meter": "UNIT_KIND_METRE", "mole": "UNIT_KIND_MOLE", "second": "UNIT_KIND_SECOND"}


def units(model: Program, roots: Sequence[Expr]) -> dict[int, Unit]:
    """Unit of every node below `roots`, by identity; empty where the program's symbols have none.

    A literal zero counts as a pure number here; it takes the unit of what it is added to or compared with.
    """
    known = {id(s): s.unit for s in (*model.y, *model.p) if s.unit is not None}
    for name, symbol in zip(model.slots, model.p, strict=True):
        state = model.model.states.get(name.removeprefix(RATE)) if name.startswith(RATE) else None
        if state is not None and state.unit is not None:
            known[id(symbol)] = state.unit / HOUR
    if len(known) < len(model.y) + len(model.p):
        return {}
    for node in order(roots):
        if not isinstance(node, Symbol):
            known[id(node)] = _unit(node, [known[id(arg)] for arg in node.args])
    return known


def _unit(node: Expr, parts: Sequence[Unit]) -> Unit:
    if node.op == "const":
        return node.unit or ONE
    if node.op in ("add", "sub", "max", "min"):
        return joint(node.args, parts)
    if node.op == "where":
        return joint(node.args[1:], parts[1:])
    if node.op == "mul":
        return parts[0] * parts[1]
    if node.op == "div":
        return parts[0] / parts[1]
    if node.op == "pow" and not parts[0].pure:
        return parts[0] ** node.args[1].value
    return ONE


def joint(args: Sequence[Expr], parts: Sequence[Unit]) -> Unit:
    """The common unit of things that are added or compared: that of the first that is not a plain number."""
    return next((unit for arg, unit in zip(args, parts, strict=True) if arg.op != "const"), parts[0])


class Definitions:
    """Unit definitions of one document: the same unit, the same id."""

    def __init__(self, lib: Any, sheet: Any, declared: Sequence[Unit] = ()) -> None:
        """`declared` units lend their names to what comes out the same."""
        self.lib, self.sheet = lib, sheet
        self.declared = [*declared]
        self.made: list[tuple[Unit, str]] = []

    def name(self, unit: Unit) -> str:
        """The id of a unit; it is defined where it is not there yet."""
        if unit.pure:
            return "dimensionless"
        found = next((name for one, name in self.made if one.same(unit)), None)
        return self._make(unit) if found is None else found

    def _make(self, unit: Unit) -> str:
        unit = next((one for one in self.declared if one.same(unit)), unit)
        name = re.sub(r"\W+", "_", unit.text.replace("/", "_per_")).strip("_")
        name = name if name.isidentifier() else f"unit_{name}"
        name += f"_{len(self.made)}" if name in {other for _, other in self.made} else ""
        definition = self.sheet.createUnitDefinition()
        definition.setId(name)
        definition.setName(unit.text)
        # The scale stands in a factor of its own, so that a product of units has the product of the scales.
        self._factor(definition, "UNIT_KIND_DIMENSIONLESS", 1.0, unit.scale)
        for dim, power in unit.dims:
            self._factor(definition, _KINDS[dim], power, 1.0)
        self.made.append((unit, name))
        return name

    def _factor(self, definition: Any, kind: str, power: float, multiplier: float) -> None:
        one = definition.createUnit()
        one.setKind(getattr(self.lib, kind))
        one.setExponent(power)
        one.setScale(0)
        one.setMultiplier(multiplier)
