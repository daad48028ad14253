"""Claims as the page shows them: verdict, records, the model's number, and the scenario to try."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel

from afterglow.clinic.claim import Scenario as Asked
from afterglow.clinic.course import Course, parse_course, shipped_courses
from afterglow.clinic.dosing import Background, Dose
from afterglow.clinic.quantity import Amount, duration_text
from afterglow.errors import InputError
from afterglow.interfaces.web.systems import link_in
from afterglow.study.live_facts import default, presets
from afterglow.study.live_scenario import MOST_WEEKS, scenario_from_data, shipped

Tell = Callable[[str, float], None]
Data = dict[str, Any]

CONTROL = "/control"  # of the name of a course: its matched control
LEAST_WEEKS = 1.0


def claims(tell: Tell) -> list[Data]:
    """`afterglow claims`: every claim with its verdict, records and the model's number."""
    from afterglow.study.claims import answers

    found = []
    for one in answers(progress=tell):
        data = one.to_json()
        records = [
            {
                "citation": record["citation"],
                "link": link_in(record["citation"]),
                "says": " ".join(str(part) for part in (record["found"], record["figure"], record["unit"]) if part),
                "direction": record["speaks"],
            }
            for record in data["records"]
        ]
        asked = one.claim.scenario
        model = data["model"] and data["model"] | {"asked": data["asked"], "scenario": asked and to_try(asked)}
        keys = ("id", "says", "group", "verdict", "sentence")
        found.append({key: data[key] for key in keys} | {"records": records, "model": model})
    return found


def to_try(asked: Asked) -> Data | None:
    """The scenario of the page with the arms of a claim; None where the page cannot show them.

    It shows whole populations, shipped courses and their matched controls, for up to `MOST_WEEKS`.
    """
    readings = asked.readings()
    if asked.population not in ("trd", "mdd") or any(one.among for one in readings) or asked.weeks > MOST_WEEKS:
        return None
    courses = [_course(str(one.course)) for one in readings]
    other = courses[1] if len(courses) > 1 and readings[1].course != readings[0].course else None
    if courses[0] is None or (other is None and len({one.course for one in readings}) > 1):
        return None
    found = default() | {
        "course": courses[0],
        "versus": other and (other["course"] if other["course"] in shipped_courses() else other),
        "who": {"kind": "population", "population": asked.population},
        "weeks": max(asked.weeks, LEAST_WEEKS),
    }
    try:
        scenario_from_data(found)
    except InputError:  # more sessions than the page computes at once
        return None
    return found


@cache
def _course(name: str) -> Data | None:
    """A shipped course as its file has it, or its matched control written in the same way."""
    of = name.removesuffix(CONTROL)
    if of not in shipped_courses():
        return None
    if of == name:
        return next(one for one in presets() if one["course"] == name)
    control = shipped(of).control()
    return None if control is None else _written(control)


def _written(course: Course) -> Data | None:
    """A course of doses and daily drugs as a file would have it; None where it holds more than those."""
    found = {
        "course": course.name.replace("/", "-"),
        "title": course.title,
        "doses": _lines(course.doses),
        "background": _lines(course.background),
        "blinding": course.blinding,
        "in_care": course.in_care,
    }
    again = parse_course(found)
    parts = ("doses", "background", "therapy", "stress", "checks", "maintenance", "raters", "open_until")
    return found if all(getattr(again, part) == getattr(course, part) for part in parts) else None


def _lines(lines: Sequence[Dose | Background]) -> list[Data]:
    return [{field.alias or name: _text(name, getattr(line, name)) for name, field in _said(line)} for line in lines]


def _said(line: BaseModel) -> list[tuple[str, Any]]:
    fields = type(line).model_fields
    return [(name, fields[name]) for name in fields if getattr(line, name) != fields[name].default]


def _text(name: str, value: Any) -> Any:
    if isinstance(value, Amount):
        return str(value)
    return duration_text(value) if name in ("over", "every") else value
