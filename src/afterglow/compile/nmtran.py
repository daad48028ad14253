"""Print a system's kinetics as NM-TRAN: the abbreviated code of $PK and $DES.

Names are in capitals, as is usual. A parameter is a THETA, with an ETA where people differ; a term that follows from
parameters and covariates alone belongs to $PK, one that follows from amounts to $DES.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from afterglow.compile.text import ATOM, POWER, PRODUCT, Printer, placed
from afterglow.errors import ModelError
from afterglow.lang import Expr, Part, Spread, Unit
from afterglow.lang.expr import is_const, order

_FUNCTIONS = {"exp": "EXP", "log": "LOG"}


class NmTranPrinter(Printer):
    """Writes expressions in Fortran's manner; `spelled` says how each symbol and term is called."""

    def __init__(self, names: Mapping[Expr, str], spelled: Mapping[str, str]) -> None:
        super().__init__(names)
        self.spelled = spelled

    def name(self, name: str) -> str:
        """A symbol or a term."""
        return self.spelled[name]

    def power(self, base: Expr, n: Expr) -> tuple[str, int]:
        """`base` to the power `n`."""
        return f"{self.say(base, ATOM)}**{self.say(n, ATOM)}", POWER

    def call(self, op: str, args: Sequence[Expr]) -> tuple[str, int]:
        """A function; the larger of two by their distance, as the language need not know MAX."""
        if op == "max":
            one, other = args
            below = self.say(other, PRODUCT)
            if is_const(other, 0.0):
                return f"(({self.say(one)}) + ABS({self.say(one)}))/2", PRODUCT
            return f"({self.say(one)} + {below} + ABS({self.say(one)} - {below}))/2", PRODUCT
        if op not in _FUNCTIONS:
            raise ModelError(f"the NM-TRAN printer knows no operation '{op}'")
        return f"{_FUNCTIONS[op]}({self.say(args[0])})", ATOM

    def conversion(self, factor: float, unit: Unit | None, what: tuple[str, int]) -> tuple[str, int]:
        """A factor that only changes the unit, which NM-TRAN has no place for."""
        del unit
        return f"{factor:.10g}*{self._hold(what, PRODUCT)}", PRODUCT


class PlacedSystem:
    """One system of a model in NM-TRAN: its compartments, numbered from `first`, and its lines of code.

    Attributes:
        compartments: their names in capitals, in order.
        number: compartment by state.
    """

    def __init__(self, part: Part, first: int, suffix: str, covariates: Mapping[str, str], own: Iterable[str]) -> None:
        """Read a placed system.

        Args:
            part: the system.
            first: number of its first compartment.
            suffix: what its names end with, where the model holds several like it; else empty.
            covariates: column of the data by input.
            own: parameters that differ from those of the other systems, hence have the suffix.
        """
        self.kind, self.params, self.terms = placed(part)
        self.number = {state: first + k for k, state in enumerate(self.kind.states)}
        self.compartments = [f"{state}{suffix}".upper() for state in self.kind.states]
        self.spelled = {state: f"A({n})" for state, n in self.number.items()} | dict(covariates)
        self.spelled |= {name: (name + suffix if name in own else name).upper() for name in self.params}
        taken = set(self.spelled.values())
        for term in self.kind.terms:
            name = f"{term}{suffix}".upper()
            self.spelled[term] = f"{term}I{suffix}".upper() if name in taken else name
        self.say = NmTranPrinter(self.terms, self.spelled).say

    def fixed_lines(self, more: Iterable[Expr] = ()) -> list[str]:
        """Terms of parameters and covariates that the rates, or these expressions, need."""
        return self._term_lines([*self._rates(), *more], moving=False)

    def rate_lines(self) -> list[str]:
        """Terms of amounts, and the rate of each compartment."""
        lines = self._term_lines(self._rates(), moving=True)
        return lines + [f"DADT({self.number[k]}) = {self.say(s.dot)}" for k, s in self.kind.states.items()]

    def _rates(self) -> list[Expr]:
        return [s.dot for s in self.kind.states.values()]

    def _term_lines(self, needed_by: list[Expr], *, moving: bool) -> list[str]:
        states, needed = set(self.kind.states.values()), set(order(needed_by))
        lines = []
        for name, term in self.kind.terms.items():
            if term in needed and moving == any(node in states for node in order([term])):
                lines.append(f"{self.spelled[name]} = {self.say(term, whole=True)}")
        return lines


def individual(typical: str, spread: Spread | None, eta: str) -> str:
    """The parameter of a person: a typical value and an ETA on the scale of its spread."""
    if spread is None:
        return typical
    if spread.kind == "lognormal":
        return f"{typical}*EXP({eta})"
    if spread.kind == "logitnormal":
        return f"1/(1 + (1 - {typical})/{typical}*EXP(-{eta}))"
    return f"{typical} + {eta}"
