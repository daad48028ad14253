"""Units with dimension and scale: parsed by pint, then carried as plain numbers.

A unit is a scale to base units and a tuple of powers of base dimensions, so mg/L and ug/L have one dimension and two
scales. A `point` is a point on a rating scale, a pure number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from math import isclose
from tokenize import TokenError
from typing import TYPE_CHECKING, Any

from afterglow.errors import UnitError, nearest

if TYPE_CHECKING:
    import pint

COMMON = ("1", "1/h", "L", "L/h", "d", "h", "kg", "mg", "mg/L", "min", "mmHg", "ng/mL", "point", "ug", "umol/L", "year")

# What pint gives for the units of the shipped systems (a test compares): to load it takes a third of a second.
_KNOWN: dict[str, tuple[float, tuple[tuple[str, float], ...]]] = {
    "1/d": (1.1574074074074073e-05, (("second", -1.0),)),
    "1/h": (0.0002777777777777778, (("second", -1.0),)),
    "L": (0.0010000000000000002, (("meter", 3.0),)),
    "L/h": (2.7777777777777787e-07, (("meter", 3.0), ("second", -1.0))),
    "L/h/year": (8.802246615008044e-15, (("meter", 3.0), ("second", -2.0))),
    "L/umol": (1000.0000000000002, (("meter", 3.0), ("mole", -1.0))),
    "d": (86400.0, (("second", 1.0),)),
    "g/mol": (1.0, (("gram", 1.0), ("mole", -1.0))),
    "h": (3600.0, (("second", 1.0),)),
    "kg": (1000.0, (("gram", 1.0),)),
    "mg": (0.001, (("gram", 1.0),)),
    "min": (60.0, (("second", 1.0),)),
    "mmHg": (133322.387415, (("gram", 1.0), ("meter", -1.0), ("second", -2.0))),
    "ng*h/mL": (3.6, (("gram", 1.0), ("meter", -3.0), ("second", 1.0))),
    "ng/mL": (0.001, (("gram", 1.0), ("meter", -3.0))),
    "point": (1.0, ()),
    "umol/L": (0.0009999999999999998, (("meter", -3.0), ("mole", 1.0))),
    "year": (31557600.0, (("second", 1.0),)),
}


@cache
def _registry() -> pint.UnitRegistry:
    import pint

    return pint.UnitRegistry(cache_folder=None)


@dataclass(frozen=True)
class Unit:
    """A unit of measurement.

    `scale` converts to base units, `dims` are (base unit, power) pairs in alphabetical order.
    """

    text: str
    scale: float
    dims: tuple[tuple[str, float], ...]

    @staticmethod
    def parse(text: str) -> Unit:
        """The unit written as `text`, e.g. "mg/L"; "1" is a pure number. Raises UnitError."""
        return _parse(text)

    def __mul__(self, other: Unit) -> Unit:
        return _combine(self, other, 1)

    def __truediv__(self, other: Unit) -> Unit:
        return _combine(self, other, -1)

    def __pow__(self, power: float) -> Unit:
        dims = tuple((d, p * power) for d, p in self.dims if p * power)
        text = _written({name: p * power for name, p in _powers(self.text).items()})
        scale = self.scale**power
        return Unit(text, scale, dims) if dims or not isclose(scale, 1.0, rel_tol=1e-9) else ONE

    def same(self, other: Unit) -> bool:
        """Same dimension and same scale."""
        return self.dims == other.dims and isclose(self.scale, other.scale, rel_tol=1e-9)

    @property
    def pure(self) -> bool:
        """A plain number of scale 1."""
        return not self.dims and isclose(self.scale, 1.0, rel_tol=1e-9)

    def factor_to(self, other: Unit) -> float:
        """What a value in this unit is multiplied by to be in `other`. Raises UnitError if the dimensions differ."""
        if self.dims != other.dims:
            raise UnitError(f"[{self}] cannot be converted to [{other}]: {self.dimension} against {other.dimension}")
        ratio = self.scale / other.scale
        return 1.0 if isclose(ratio, 1.0, rel_tol=1e-9) else ratio

    @property
    def converts(self) -> bool:
        """The ratio of two scales, as a number that converts between them has it."""
        return not self.dims and not self.pure

    @property
    def dimension(self) -> str:
        """The dimension in words, e.g. "kilogram / meter^3"."""
        parts = [f"{d}^{p:g}" if p != 1 else d for d, p in self.dims]
        return " * ".join(parts) or "a pure number"

    def __str__(self) -> str:
        return self.text


ONE = Unit("1", 1.0, ())


def of_factor(factor: float) -> Unit:
    """Unit of a number that converts between two scales: 24 h/d has the scale 1/24."""
    return ONE if isclose(factor, 1.0, rel_tol=1e-9) else Unit(f"1/{factor:.12g}", 1.0 / factor, ())


@cache
def _parse(text: str) -> Unit:
    if text.strip() == "1":
        return ONE
    return Unit(text, *_KNOWN[text]) if text in _KNOWN else _by_pint(text)


def _by_pint(text: str) -> Unit:
    import pint

    plain = re.sub(r"\bpoints?\b", "dimensionless", text)  # pint's own "point" is a printer's, a length
    unknown = (pint.PintError, AttributeError, ValueError, TypeError, AssertionError, SyntaxError, TokenError)
    one: Any  # pint's own types promise less than it keeps
    two: Any
    try:
        one, two = (_registry().Quantity(x, plain).to_root_units() for x in (1.0, 2.0))
    except unknown as e:
        raise UnitError(f"'{text}' is not a unit ({nearest(text, COMMON)})") from e
    scale = float(one.magnitude)
    if not isclose(float(two.magnitude), 2.0 * scale, rel_tol=1e-9):
        raise UnitError(f"'{text}' has an offset or is logarithmic: it cannot be multiplied (use kelvin, for instance)")
    dims = tuple(sorted((str(d), float(p)) for d, p in one.units._units.items() if d != "radian"))
    return Unit(text, scale, dims)


@cache
def _combine(a: Unit, b: Unit, sign: int) -> Unit:
    powers = dict(a.dims)
    for d, p in b.dims:
        powers[d] = powers.get(d, 0.0) + sign * p
    dims = tuple(sorted((d, p) for d, p in powers.items() if p))
    scale = a.scale * b.scale**sign
    if b.pure:
        return a
    if not dims and isclose(scale, 1.0, rel_tol=1e-9):
        return ONE
    return Unit(_written(_powers(a.text), {name: sign * p for name, p in _powers(b.text).items()}), scale, dims)


def _powers(text: str) -> dict[str, float]:
    """The factors of a unit as written: {"mg": 1, "L": -1} for "mg/L"; a text less plain than that is one factor."""
    out: dict[str, float] = {}
    for sign, name, power in re.findall(r"([*/]?) *([^*/^() ]+|\(.*\)) *(?:(?:\^|\*\*) *(-?[\d.]+))?", text):
        if not (name == "1" or name.isidentifier()) or (out and not sign):
            return {f"({text})": 1.0}
        out[name] = out.get(name, 0.0) + (-1.0 if sign == "/" else 1.0) * float(power or 1)
    return out


def _written(*powers: dict[str, float]) -> str:
    """The product of factors as text: "mg/L/h"."""
    total: dict[str, float] = {}
    for name, p in (item for some in powers for item in some.items()):
        total[name] = total.get(name, 0.0) + p
    total.pop("1", None)
    above = [name if p == 1 else f"{name}^{p:g}" for name, p in total.items() if p > 0]
    below = [f"/{name}" if p == -1 else f"/{name}^{-p:g}" for name, p in total.items() if p < 0]
    return ("*".join(above) or "1") + "".join(below)
