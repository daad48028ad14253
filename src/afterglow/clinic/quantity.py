"""Numbers with units as people write them, into the project's units: mg, mg/kg, h, kg.

The list of units is closed, so that a wrong one is answered with the nearest right one and nothing is ever guessed.
Every function raises `Wrong`, which models turn into a fault with its line.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from afterglow.clinic.files import Wrong
from afterglow.errors import nearest

_MASS = {"mg": 1.0, "g": 1e3, "ug": 1e-3, "mcg": 1e-3, "\u00b5g": 1e-3, "\u03bcg": 1e-3}
_TIME = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1 / 3600),
    **dict.fromkeys(("min", "minute", "minutes"), 1 / 60),
    **dict.fromkeys(("h", "hour", "hours"), 1.0),
    **dict.fromkeys(("d", "day", "days"), 24.0),
    **dict.fromkeys(("wk", "week", "weeks"), 168.0),
}
_WEIGHT = {"kg": 1.0, "lb": 0.45359237, "g": 1e-3}
_NUMBER = re.compile(
    r"^\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[+-]?\.?(?:nan|inf(?:inity)?))\s*(.*?)\s*$", re.I
)


@dataclass(frozen=True)
class Amount:
    """A dose: `value` in mg, or in mg per kg of body weight when `per_kg`."""

    value: float
    per_kg: bool = False

    def mg(self, weight_kg: float) -> float:
        """The dose of a person of this weight, mg."""
        return self.value * weight_kg if self.per_kg else self.value

    def __str__(self) -> str:
        return f"{self.value:g} {'mg/kg' if self.per_kg else 'mg'}"


def _split(text: object, example: str) -> tuple[float, str]:
    """A finite, non-negative number and the unit behind it."""
    if isinstance(text, bool) or not isinstance(text, int | float | str):
        raise Wrong(f"{text!r} is not a quantity", f"write a number and a unit, for instance '{example}'")
    if re.match(r"^\s*[+-]?\d+,\d", str(text)):
        raise Wrong(f"'{text}' has a decimal comma", "write the decimal point as '.'")
    match = _NUMBER.match(str(text))
    if match is None:
        raise Wrong(f"'{text}' does not begin with a number", f"write a number and a unit, for instance '{example}'")
    number, unit = float(match[1].lstrip("+").replace(".nan", "nan").replace(".inf", "inf")), match[2]
    if not math.isfinite(number):
        raise Wrong(f"'{text}' is not a finite number", f"write a number, for instance '{example}'")
    if number < 0:
        raise Wrong(f"'{text}' is negative", "write a number of 0 or more")
    return number, unit


def _factor(unit: str, known: dict[str, float], text: object, example: str) -> float:
    if not unit:
        raise Wrong(f"'{text}' has no unit", f"write for instance '{example}'")
    if unit not in known:
        same = [name for name in known if name.lower() == unit.lower()]
        raise Wrong(f"unknown unit '{unit}'", f"did you mean '{same[0]}'?" if same else nearest(unit.lower(), known))
    return known[unit]


def amount(text: object) -> Amount:
    """A dose such as "56 mg" or "0.5 mg/kg"; must be above 0."""
    if isinstance(text, Amount):
        return text
    number, unit = _split(text, "0.5 mg/kg")
    units = _MASS | {f"{name}/kg": factor for name, factor in _MASS.items()}
    compact = re.sub(r"\s+", "", unit.replace(" per ", "/"))
    value = number * _factor(compact, units, text, "0.5 mg/kg")
    if value == 0:
        raise Wrong(f"the dose '{text}' is zero", "leave the line out, or give saline or a placebo instead")
    return Amount(value, compact.endswith("/kg"))


def hours(text: object) -> float:
    """A duration such as "40 min" or "26 weeks", in hours; must be above 0."""
    number, unit = _split(text, "40 min")
    value = number * _factor(unit, _TIME, text, "40 min")
    if value == 0:
        raise Wrong(f"the duration '{text}' is zero", "write a duration above 0")
    return value


def percent(text: object) -> float:
    """A percentage such as "20 %", as 20.0."""
    number, unit = _split(text, "20 %")
    return number * _factor(unit, {"%": 1.0, "percent": 1.0}, text, "20 %")


def kilograms(text: object) -> float:
    """A body weight such as "81 kg", in kg."""
    number, unit = _split(text, "81 kg")
    return number * _factor(unit, _WEIGHT, text, "81 kg")


def spacing(text: object) -> float:
    """A highest frequency such as "1 per 7 d", as the least time between two doses, in hours."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        raise Wrong(f"'{text}' says no period", "write for instance '1 per 7 d'")
    match = re.match(r"^\s*(\d+)\s*(?:x\s*)?(?:per|/|every)\s*(.+?)\s*$", str(text))
    if match is None or int(match[1]) == 0:
        raise Wrong(f"'{text}' is not a frequency", "write for instance '1 per 7 d'")
    period = match[2] if match[2][0].isdigit() else f"1 {match[2]}"
    return hours(period) / int(match[1])


def duration_text(time_h: float) -> str:
    """Hours as people write them: "40 min", "24 h", "7 d", "26 weeks"."""
    for unit, size, above in (("weeks", 168.0, 168.0), ("d", 24.0, 24.0), ("h", 1.0, 1.0), ("min", 1 / 60, 0.0)):
        if time_h > above and math.isclose(time_h / size, round(time_h / size), rel_tol=1e-9):
            return f"{round(time_h / size)} {unit}"
    return f"{time_h:.3g} h"


def _number(value: Any) -> Any:
    if isinstance(value, bool | str):
        raise Wrong(f"{value!r} is not a number", "write a plain number")
    return value


def _day(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 1 or math.isinf(value):
        raise Wrong(f"day {value!r} is not a day of a course", "days are numbers that count from 1")
    return float(value)


# `json_schema_input_type`: what people write, for editors that read the JSON Schema of a file
AmountField = Annotated[Amount, BeforeValidator(amount, json_schema_input_type=str)]
Hours = Annotated[float, BeforeValidator(lambda text: hours(text), json_schema_input_type=str)]
Kilograms = Annotated[float, BeforeValidator(lambda text: kilograms(text), json_schema_input_type=str)]
Spacing = Annotated[float, BeforeValidator(lambda text: spacing(text), json_schema_input_type=str)]
Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
Day = Annotated[float, BeforeValidator(_day)]
