"""Units with dimension and scale: parsed by pint, then carried as plain numbers.

A unit is a scale to base units and a tuple of powers of base dimensions, so mg/L and ug/L have one dimension and two scales.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import isclose
from typing import TYPE_CHECKING

from afterglow.errors import UnitError, nearest

if TYPE_CHECKING:
    import pint

COMMON = ("1", "h", "d", "min", "mg", "ug", "L", "L/h", "mg/L", "ug/L", "ng/mL", "umol/L", "kg", "year", "mmHg", "1/h", "point")


@cache
def _registry() -> pint.UnitRegistry:
    import pint

    registry = pint.UnitRegistry(cache_folder=None)
    registry.define("point = [] = points")  # a point on a rating scale
    return registry


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
        return Unit(f"({self.text})^{power:g}" if dims else "1", self.scale**power, dims)

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
    def dimension(self) -> str:
        """The dimension in words, e.g. "kilogram / meter^3"."""
        parts = [f"{d}^{p:g}" if p != 1 else d for d, p in self.dims]
        return " * ".join(parts) or "a pure number"

    def __str__(self) -> str:
        return self.text


ONE = Unit("1", 1.0, ())


@cache
def _parse(text: str) -> Unit:
    if text.strip() == "1":
        return ONE
    import pint

    try:
        quantity = _registry().Quantity(1.0, text).to_root_units()
    except (pint.UndefinedUnitError, pint.OffsetUnitCalculusError, AttributeError, ValueError, TypeError, AssertionError) as e:
        raise UnitError(f"'{text}' is not a unit ({nearest(text, COMMON)})") from e
    if not quantity.unitless and any(str(u).startswith(("degree_", "delta_")) for u in quantity.units._units):
        raise UnitError(f"'{text}' has an offset and cannot be multiplied")
    dims = tuple(sorted((str(d), float(p)) for d, p in quantity.units._units.items() if d not in ("point", "radian")))
    return Unit(text, float(quantity.magnitude), dims)


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
    if sign < 0 and a.same(b):
        return ONE
    join = f"{a.text}*{b.text}" if sign > 0 else f"{a.text}/({b.text})" if "/" in b.text or "*" in b.text else f"{a.text}/{b.text}"
    if a.pure:
        join = b.text if sign > 0 else f"1/({b.text})" if "/" in b.text or "*" in b.text else f"1/{b.text}"
    return Unit(join, scale, dims)
