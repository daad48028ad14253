"""The lines of a person file that have a time: doses, scores, sessions, stress, and drugs taken every day."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, datetime
from typing import Annotated, Any, get_args

from pydantic import BeforeValidator, Field, PlainSerializer

from afterglow.clinic.adequacy import DoseText
from afterglow.clinic.course import Therapy
from afterglow.clinic.drugs import DrugName, RouteName
from afterglow.clinic.files import Wrong
from afterglow.clinic.identity import Unnamed
from afterglow.clinic.quantity import Number, hours
from afterglow.errors import nearest


def _date(value: Any) -> date:
    if isinstance(value, datetime):
        raise Wrong(f"{value} is a date with a time", f"write `on: {value:%Y-%m-%d}, at: '{value:%H:%M}'`")
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value).strip()) if len(str(value).strip()) == 10 else _not_a_date(value)
    except ValueError:
        return _not_a_date(value)


def _not_a_date(value: Any) -> date:
    raise Wrong(f"{value!r} is not a date", "write the date as 2026-03-02")


def _day_or_date(value: Any) -> float | date:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and abs(value) <= 3660 else _date(value)


def _clock(value: Any) -> float:
    """Hours since midnight of "10:30", also where YAML has read it as a number to the base of 60."""
    if isinstance(value, int) and not isinstance(value, bool) and 60 <= value < 24 * 60:
        return value / 60.0
    hour, colon, minute = str(value).strip().partition(":")
    if colon and hour.isdecimal() and minute[:2].isdecimal() and minute[2:] in ("", ":00"):
        found = int(hour) + int(minute[:2]) / 60.0
        if int(hour) < 24 and len(minute[:2]) == 2 and int(minute[:2]) < 60:
            return found
    raise Wrong(f"{value!r} is not a time of day", "write for instance `at: '10:30'`")


def clock_text(hour: float) -> str:
    """Hours since midnight as "10:30"."""
    minutes = round(hour * 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _length_text(time_h: float) -> str:
    whole = math.isclose(time_h, round(time_h), rel_tol=1e-12)
    return f"{round(time_h)} h" if whole else f"{time_h * 60:.12g} min"


def _therapy_kind(value: Any) -> str:
    known = get_args(Therapy.model_fields["kind"].annotation)
    if value not in known:
        raise Wrong(f"kind {value!r} is not known", nearest(str(value).lower(), known))
    return value


Date = Annotated[date, BeforeValidator(_date)]
Clock = Annotated[float, BeforeValidator(_clock, json_schema_input_type=str), PlainSerializer(clock_text)]
Length = Annotated[
    float, BeforeValidator(lambda text: hours(text), json_schema_input_type=str), PlainSerializer(_length_text)
]
AnyDay = Annotated[Number, Field(ge=-3660, le=3660)]
DayOrDate = Annotated[float | date, BeforeValidator(_day_or_date)]


# ------------------------------------------------------------------------------------------------ lines


class Entry(Unnamed):
    """One line with a time: `day` (1 is the day of the first dose, may be a fraction) or `on` (a date), with `at`."""

    day: AnyDay | None = Field(default=None, description="day, counted from 1, the day of the first dose")
    on: Date | None = Field(default=None, description="date, instead of `day`")
    at: Clock | None = Field(default=None, description="time of day")

    @property
    def day_or_date(self) -> float | date:
        """The day or the date, whichever is given."""
        return self.on or self.day or 0.0

    @classmethod
    def rules(cls, good: dict[str, Any]) -> Iterator[Wrong]:
        """A day or a date, and a time of day only with a whole day."""
        if not {"day", "on", "at"} <= good.keys():
            return
        day, on = good["day"], good["on"]
        if (day is None) == (on is None):
            problem = "neither `day` nor `on` is given" if day is None else "`day` and `on` are both given"
            yield Wrong(problem, "write `day: 2` or `on: 2026-03-03`")
        elif day is not None and good["at"] is not None and day != math.floor(day):
            yield Wrong(f"day {day:g} has a fraction, and `at` is given too", "write one of the two", ("at",))


class DoseGiven(Entry):
    """One line of `doses`: one dose that has been given."""

    drug: DrugName = Field(description="add `drug:`")
    route: RouteName = Field(description="add `route:`")
    dose: DoseText | None = Field(default=None, description="mg or mg/kg; not for saline and placebos")
    over: Length | None = Field(default=None, description="duration of an infusion")


class TherapyHeld(Entry):
    """One line of `therapy`: one session of psychotherapy."""

    kind: Annotated[str, BeforeValidator(_therapy_kind)] = Field(description="add `kind:`")
    minutes: Number = Field(default=50.0, gt=0, le=480, description="length, min")


class StressSeen(Entry):
    """One line of `stress`: a stressful episode."""

    days: Number = Field(gt=0, le=3660, description="length, days")
    intensity: Number = Field(default=1.0, ge=0, le=5, description="0 ordinary life, 1 a severe episode")


class DailyDrug(Unnamed):
    """One line of `background`: a drug taken every day, one that the model has."""

    drug: DrugName = Field(description="add `drug:`")
    dose: DoseText | None = Field(default=None, description="mg; not for placebo-pill")
    every: Length = Field(default=24.0, ge=1.0, description="interval between intakes")
    from_day: AnyDay = Field(default=1.0, description="first day; before day 1 it may be 0 or less")
    until_day: AnyDay | None = Field(default=None, description="last day; without it, still taken")
    route: RouteName = Field(default="oral", description="oral, unless said otherwise")

    @classmethod
    def rules(cls, good: dict[str, Any]) -> Iterator[Wrong]:
        """The days are in order."""
        until = good.get("until_day")
        if until is not None and until < good.get("from_day", 1.0):
            yield Wrong(f"until_day {until:g} is before from_day", "exchange them", ("until_day",))


class ScoreSeen(Entry):
    """One line of `scores`: one score that was written down."""

    scale: str = Field(description="add `scale:`")
    score: Number = Field(description="add `score:`")
