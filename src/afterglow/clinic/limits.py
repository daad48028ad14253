"""Studied ranges and safety bounds of doses.

Outside the studied range a course runs with a warning; above the bound it is refused. Every limit has a source record.
Doses in mg and limits in mg/kg, or the other way round, are compared at 70 kg.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Literal

from pydantic import Field

from afterglow.clinic.drugs import DrugName, RouteName
from afterglow.clinic.files import Strict, Wrong, model_from_text, shipped_text
from afterglow.clinic.quantity import Amount, Number
from afterglow.clinic.source import Source

REFERENCE_KG = 70.0  # convention of allometric scaling; used only to compare mg with mg/kg


class Range(Strict):
    """A published range of doses."""

    low: Number = Field(description="lowest dose")
    high: Number = Field(description="highest dose")
    source: Source = Field(description="where it was published")

    @classmethod
    def rules(cls, good: dict[str, Any]) -> Iterator[Wrong]:
        """The ends are in order."""
        if good.get("low", 0) > good.get("high", float("inf")):
            yield Wrong("low is above high", "exchange them", ("low",))


class Bound(Strict):
    """A dose above which a course is refused."""

    value: Number = Field(description="highest dose, in the limit's unit (mg for mg/day)")
    source: Source = Field(description="where it comes from")


class Limit(Strict):
    """Limits of one drug by some routes."""

    drug: DrugName
    routes: tuple[RouteName, ...]
    unit: Literal["mg", "mg/kg", "mg/day"]
    studied: Range
    label: Range | None = None
    bound: Bound

    def value(self, amount: Amount) -> float:
        """The dose in this limit's unit (mg for mg/day), at the reference weight where needed."""
        wanted_per_kg = self.unit == "mg/kg"
        if wanted_per_kg and not amount.per_kg:
            return amount.value / REFERENCE_KG
        if amount.per_kg and not wanted_per_kg:
            return amount.value * REFERENCE_KG
        return amount.value

    @property
    def dose_unit(self) -> str:
        """Unit of one dose."""
        return "mg/kg" if self.unit == "mg/kg" else "mg"


class LimitFile(Strict):
    """The shipped file of limits."""

    limits: tuple[Limit, ...]


@cache
def _table() -> dict[tuple[str, str], Limit]:
    file = model_from_text(LimitFile, shipped_text("limits.yaml"), "data/limits.yaml")
    return {(limit.drug, route): limit for limit in file.limits for route in limit.routes}


def find(drug: str, route: str) -> Limit | None:
    """The limits of a drug by a route; inert ones have none."""
    return _table().get((drug, route))


def dose_faults(drug: str, route: str, amount: Amount) -> Iterator[Wrong]:
    """Why one dose is refused: above the bound, or in mg where mg/kg is meant."""
    limit = find(drug, route)
    if limit is None:
        return
    value = limit.value(amount)
    if value > limit.bound.value:
        problem = f"{drug} {route} {amount} is above the safety bound of {limit.bound.value:g} {limit.dose_unit}"
        yield Wrong(problem, f"{_other_unit(limit, amount)}bound: {limit.bound.source}")
    elif limit.unit == "mg/kg" and not amount.per_kg and value < limit.studied.low / 2:
        if amount.value <= limit.bound.value:
            remedy = f"did you mean {amount.value:g} mg/kg?"
        else:
            remedy = f"studied doses begin at {limit.studied.low:g} mg/kg"
        yield Wrong(f"{drug} {route} {amount} is far too small for a person", remedy)


def _other_unit(limit: Limit, amount: Amount) -> str:
    """A hint when the same number with the other unit would be an ordinary dose."""
    other = Amount(amount.value, not amount.per_kg)
    low, high = limit.studied.low / 2, max(limit.studied.high, limit.label.high if limit.label else 0.0)
    return f"did you mean {other}? " if low <= limit.value(other) <= high else ""


def total_fault(kinds: Sequence[tuple[str, str]], total: float) -> tuple[str, str]:
    """Problem and remedy of 24 hours above the bound; `kinds` are drugs and routes, `total` the multiple of it."""
    (drug, route), remedy = kinds[0], "give it less often or in smaller doses"
    limit = find(drug, route)
    if len(kinds) == 1 and limit is not None:
        bound, unit = limit.bound.value, limit.dose_unit
        problem = f"{drug} {route}: {total * bound:g} {unit} within 24 h, bound {bound:g} {unit}"
        return problem, f"{remedy}; bound: {limit.bound.source}"
    names = " + ".join(f"{drug} {route}" for drug, route in kinds)
    return f"{names}: together {total:.3g} times the safety bound within 24 h", remedy


def dose_warnings(drug: str, route: str, amount: Amount, per_day: float = 1.0) -> Iterator[str]:
    """What to say of a dose outside the studied range; `per_day` is the number of intakes a day (unit mg/day only)."""
    limit = find(drug, route)
    if limit is None:
        return
    value = limit.value(amount) * (per_day if limit.unit == "mg/day" else 1.0)
    studied, unit = limit.studied, limit.unit
    said = f"{drug} {route} {value:.3g} {unit}"
    span = f"{studied.low:g}-{studied.high:g} {unit}" if studied.low < studied.high else f"{studied.low:g} {unit}"
    if value > studied.high * (1 + 1e-9):
        beyond = ""
        if limit.label and value > limit.label.high:
            beyond = f", and above the label's {limit.label.high:g} {unit} ({limit.label.source.note})"
        yield f"{said} is above the studied range of {span}{beyond} [{studied.source}]"
    elif value < studied.low * (1 - 1e-9):
        yield f"{said} is below the studied range of {span} [{studied.source}]"
