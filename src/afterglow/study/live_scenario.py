"""What the page asks: a course, who goes through it, what it is laid beside, and how far to look.

    {"course": {"course": "mine", "doses": [{"drug": "ketamine", "route": "iv", "dose": "0.5 mg/kg", "over": "40 min",
     "days": [1, 3, 5]}]}, "versus": "usual-care", "who": {"kind": "population", "population": "trd"}, "weeks": 8}

`course` is a course exactly as in a course file, so that a page and a file share one model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from afterglow.clinic.course import Course, load_course, shipped_courses
from afterglow.clinic.files import Strict, Wrong, model_from_data
from afterglow.clinic.quantity import Number
from afterglow.errors import nearest
from afterglow.systems.variants import VARIANTS

MOST_PEOPLE = 1000
MOST_WEEKS = 26.0
# What one question may cost; far above any course in use.
MOST_SESSIONS, MOST_INTAKES, MOST_DECISIONS = 120, 1000, 60
DEFAULT_COURSE = "iv-induction"


@cache
def shipped(name: str) -> Course:
    """A shipped course."""
    return load_course(name)


def _course(value: Any) -> Any:
    """A shipped course by its name; anything else is left to `Course`."""
    if not isinstance(value, str):
        return value
    if value not in shipped_courses():
        raise Wrong(f"there is no course '{value}'", nearest(value, shipped_courses()))
    return shipped(value)


def _variant(value: Any) -> Any:
    if value is not None and (not isinstance(value, str) or value not in VARIANTS):
        raise Wrong(f"'{value}' is not a variant", nearest(str(value), VARIANTS))
    return value


class Who(Strict):
    """Who goes through the course: a population, or people like one person.

    The fields of the other kind are kept and not used, so that a page can go back and forth.
    """

    kind: Literal["population", "person"] = "population"
    population: Literal["trd", "mdd"] = "trd"
    weight: Number = Field(default=75.0, ge=30, le=250, description="kg")
    age: Number = Field(default=44.0, ge=18, le=100, description="years")
    sex: Literal["female", "male"] | None = None
    failed_trials: int = Field(default=3, ge=0, le=30, description="adequate trials without response")
    severity: Number = Field(default=34.0, ge=1, le=60, description="true MADRS before treatment, points")
    number: int = Field(default=0, ge=0, lt=MOST_PEOPLE, description="which of the people like this one is drawn")

    @property
    def anyone(self) -> Who:
        """The same without what changes nothing in the people: which of them is drawn, fields of the other kind."""
        if self.kind == "population":
            return Who(population=self.population)
        return self.model_copy(update={"number": 0, "population": "trd"})


class Scenario(Strict):
    """One question to the page."""

    course: Course = Field(description="a course as in a course file")
    versus: Annotated[Course | None, BeforeValidator(_course, json_schema_input_type=str | Course | None)] = Field(
        default=None, description="a course to lay beside, or the name of a shipped one"
    )
    who: Who = Who()
    weeks: Number = Field(default=8.0, ge=1, le=MOST_WEEKS, description="how far to look")
    seed: int = Field(default=1, ge=0, lt=2**32, description="of all chance")
    variant: Annotated[str | None, BeforeValidator(_variant)] = Field(default=None, description="a rival mechanism")

    @classmethod
    def rules(cls, good: dict[str, Any]) -> Iterator[Wrong]:
        """No course is larger than a page can answer at once."""
        for field in ("course", "versus"):
            course: Course | None = good.get(field)
            if course is not None and "weeks" in good:
                yield from _size_faults(course, good["weeks"], field)

    @property
    def sha256(self) -> str:
        """Fingerprint of all that was asked."""
        return hashlib.sha256(self.model_dump_json(by_alias=True).encode()).hexdigest()


def _size_faults(course: Course, weeks: float, field: str) -> Iterator[Wrong]:
    sizes = (
        ("doses", "sessions", len(course.sessions(weeks)), MOST_SESSIONS),
        ("background", "intakes", len(course.regimen(weeks).administrations), MOST_INTAKES),
        ("maintenance", "decisions", len(course.decisions(weeks)), MOST_DECISIONS),
    )
    for key, what, count, most in sizes:
        if count > most:
            problem = f"{count} {what} in {weeks:g} weeks are more than this page computes at once"
            yield Wrong(problem, f"at most {most}; `afterglow compare` takes more", (field, key))


def scenario_from_data(data: Any) -> Scenario:
    """A scenario from plain data; all faults at once, placed like `scenario.course.doses[0].dose`."""
    return model_from_data(Scenario, data, "scenario")
