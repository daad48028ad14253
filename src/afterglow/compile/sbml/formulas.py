"""Formulas of SBML as expressions of the language; what the language cannot say is refused by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from types import ModuleType
from typing import Any

from afterglow.errors import Fault, ModelError
from afterglow.lang.expr import (
    Expr,
    add,
    const,
    div,
    exp,
    is_const,
    log,
    maximum,
    minimum,
    mul,
    power,
    sub,
    tanh,
    where,
)

Names = Callable[[str], Expr]
Compare = Callable[[str, Expr, Expr], Expr]

AVOGADRO = 6.02214179e23  # as SBML Level 3 defines it


def greater(a: Expr, b: Expr) -> Expr:
    """1 where a > b, else 0."""
    if a.op == "const" and b.op == "const":
        return const(float(a.value > b.value))
    return a > b


def compared(kind: str, a: Expr, b: Expr) -> Expr:
    """A comparison as a number: gt, geq, lt, leq, eq, neq."""
    match kind:
        case "gt":
            return greater(a, b)
        case "lt":
            return greater(b, a)
        case "geq":
            return opposite(greater(b, a))
        case "leq":
            return opposite(greater(a, b))
        case "neq":
            return maximum(greater(a, b), greater(b, a))
    return opposite(maximum(greater(a, b), greater(b, a)))


def opposite(x: Expr) -> Expr:
    """Not x."""
    return sub(1.0, x)


def _parity(parts: Sequence[Expr]) -> Expr:
    """1 where an odd number of parts is 1."""
    found = const(0.0)
    for x in parts:
        found = add(mul(found, opposite(x)), mul(opposite(found), x))
    return found


def _fold(build: Callable[[Expr, Expr], Expr], start: float | None = None) -> Callable[[list[Expr]], Expr]:
    """An operation of two as one of any number of parts, with its value for none."""

    def of_all(parts: list[Expr]) -> Expr:
        if not parts and start is not None:
            return const(start)
        found = parts[0]
        for x in parts[1:]:
            found = build(found, x)
        return found

    return of_all


def _minus(parts: list[Expr]) -> Expr:
    return mul(-1.0, parts[0]) if len(parts) == 1 else sub(*parts)


def _root(parts: list[Expr]) -> Expr:
    degree, x = parts if len(parts) == 2 else (const(2.0), parts[0])
    return power(x, div(1.0, degree))


def _logarithm(parts: list[Expr]) -> Expr:
    base, x = parts if len(parts) == 2 else (const(10.0), parts[0])
    return div(log(x), log(base))


def _hyperbolic(sign: float) -> Callable[[list[Expr]], Expr]:
    return lambda parts: mul(0.5, add(exp(parts[0]), mul(sign, exp(mul(-1.0, parts[0])))))


# Operations by the names that libSBML gives their types.
_OPERATIONS: dict[str, Callable[[list[Expr]], Expr]] = {
    "PLUS": _fold(add, 0.0),
    "TIMES": _fold(mul, 1.0),
    "MINUS": _minus,
    "DIVIDE": lambda parts: div(*parts),
    "POWER": lambda parts: power(*parts),
    "FUNCTION_POWER": lambda parts: power(*parts),
    "FUNCTION_ROOT": _root,
    "FUNCTION_EXP": lambda parts: exp(*parts),
    "FUNCTION_LN": lambda parts: log(*parts),
    "FUNCTION_LOG": _logarithm,
    "FUNCTION_ABS": lambda parts: maximum(parts[0], mul(-1.0, parts[0])),
    "FUNCTION_MAX": _fold(maximum),
    "FUNCTION_MIN": _fold(minimum),
    "FUNCTION_TANH": lambda parts: tanh(*parts),
    "FUNCTION_SINH": _hyperbolic(-1.0),
    "FUNCTION_COSH": _hyperbolic(1.0),
    "LOGICAL_AND": _fold(mul, 1.0),
    "LOGICAL_OR": _fold(maximum, 0.0),
    "LOGICAL_NOT": lambda parts: opposite(*parts),
    "LOGICAL_XOR": _parity,
}
_CONSTANTS = {
    "CONSTANT_E": math.e,
    "CONSTANT_PI": math.pi,
    "CONSTANT_TRUE": 1.0,
    "CONSTANT_FALSE": 0.0,
    "NAME_AVOGADRO": AVOGADRO,
}


class Formulas:
    """Reads formulas; `name` gives what an id stands for, `time` the time, `compare` a comparison.

    What cannot be said is put into `faults`, and a number stands in its place.
    """

    def __init__(self, lib: ModuleType, name: Names, time: Callable[[], Expr], compare: Compare) -> None:
        self.name, self.time, self.compare = name, time, compare
        self.kinds = {v: k.removeprefix("AST_") for k, v in vars(lib).items() if k.startswith("AST_")}
        self.faults: list[Fault] = []

    def read(self, node: Any, place: str) -> Expr:
        """An expression of pure numbers; `place` is where the formula stands, None one that the file leaves out."""
        if node is None:
            return self.refuse(place, "a missing formula")
        kind = self.kinds.get(node.getType(), "UNKNOWN")
        if node.isNumber():
            value = float(node.getValue())
            return const(value) if math.isfinite(value) else self.refuse(place, f"the number {value}")
        if kind == "NAME":
            return self.name(node.getName())
        if kind == "NAME_TIME":
            return self.time()
        if kind in _CONSTANTS:
            return const(_CONSTANTS[kind])
        if kind == "FUNCTION_PIECEWISE":
            return self._piecewise(node, place)
        parts = [self.read(node.getChild(k), place) for k in range(node.getNumChildren())]
        if kind.startswith("RELATIONAL_"):
            pairs = [self.compare(kind.removeprefix("RELATIONAL_").lower(), a, b) for a, b in pairwise(parts)]
            return _OPERATIONS["LOGICAL_AND"](pairs)
        if kind not in _OPERATIONS:
            return self.refuse(place, f"the function '{self._called(node, kind)}'")
        try:
            return _OPERATIONS[kind](parts)
        except ModelError as e:
            return self.refuse(place, f"a formula without value: {e}")

    def _piecewise(self, node: Any, place: str) -> Expr:
        count = node.getNumChildren()
        parts = [self.read(node.getChild(k), place) for k in range(count)]
        if count % 2 == 0:
            return self.refuse(place, "a piecewise that says nothing for everything else")
        found = parts[-1]
        for k in range(count - 3, -1, -2):
            test = parts[k + 1]
            if test.op == "const":
                found = found if is_const(test, 0.0) else parts[k]
            else:
                found = where(test if test.op == "gt" else greater(test, const(0.5)), parts[k], found)
        return found

    def refuse(self, place: str, what: str) -> Expr:
        """Note what cannot be said."""
        self.faults.append(Fault(place, f"{what} cannot be read"))
        return const(1.0)

    @staticmethod
    def _called(node: Any, kind: str) -> str:
        return node.getName() or kind.removeprefix("FUNCTION_").lower()
