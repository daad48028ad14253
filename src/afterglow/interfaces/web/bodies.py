"""What may be asked, checked in the processes that compute: a slow check cannot hold up the server.

Sizes are looked at before anything is unfolded, so that a small body cannot ask for much work.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from afterglow.clinic import scale
from afterglow.clinic.course import shipped_courses
from afterglow.clinic.dosing import LEAST_INTERVAL_H
from afterglow.clinic.files import Document, Loc, Strict, Wrong, model_from_data
from afterglow.clinic.phases import arm_courses, rescue_course
from afterglow.clinic.quantity import Number, hours
from afterglow.clinic.scenarios import Scenario as TrialScenario
from afterglow.clinic.trial import Trial
from afterglow.compile.vector import LANES
from afterglow.errors import Fault, InputError, nearest
from afterglow.study.live_scenario import MOST_PEOPLE, MOST_WEEKS, Scenario

MOST_LINES = {
    "doses": 60,
    "background": 20,
    "therapy": 60,
    "stress": 60,
    "checks": 20,
    "maintenance": 20,
    "scores": 300,
    "trials": 40,
}
MOST_DAYS = 200  # in one line
LONGEST_H = 60 * 168.0  # over which a course is checked
MOST_TIMES = 1.2 * LONGEST_H / LEAST_INTERVAL_H
MOST_COURSES = 4
MOST_ARMS = 4
MOST_REPLICATES = 200
MOST_PATIENTS = 1000  # of a trial
MOST_VISITS = 30
MOST_ENDPOINTS = 8
WEEK_H = 168.0
POPULATIONS = ("trd", "mdd")


def _of_lanes(people: Any) -> Any:
    if not isinstance(people, int) or isinstance(people, bool) or people % LANES:
        raise Wrong(f"{people!r} people cannot be simulated here", f"a multiple of {LANES} up to {MOST_PEOPLE}")
    return people


def _shipped(name: Any) -> Any:
    if name not in shipped_courses():
        raise Wrong(f"there is no course {name!r}"[:80], nearest(str(name)[:60], shipped_courses()))
    return name


def _scale(name: Any) -> Any:
    if name not in scale.names():
        raise Wrong(f"there is no scale {name!r}"[:80], nearest(str(name)[:60], scale.names()))
    return name


_People = Annotated[int, Field(ge=LANES, le=MOST_PEOPLE, multiple_of=LANES)]


class RunBody(Strict):
    """Curves, numbers and warnings of a scenario."""

    scenario: Scenario
    people: Annotated[int, BeforeValidator(_of_lanes, json_schema_input_type=_People)] = Field(
        default=MOST_PEOPLE, ge=LANES, le=MOST_PEOPLE, multiple_of=LANES, description="virtual people"
    )
    coarse: bool = Field(default=False, strict=True, description="fewer times: for a slider that is being dragged")


class WhyBody(Strict):
    """Why the band of a scenario is wide."""

    scenario: Scenario


class ForecastBody(Strict):
    """A forecast of one person."""

    person: dict[str, Any] = Field(description="a person file as data; nothing that tells who it is")
    courses: tuple[Annotated[str, BeforeValidator(_shipped)], ...] = Field(
        default=(), max_length=MOST_COURSES, description="shipped courses to consider from tomorrow on"
    )
    weeks: Number = Field(default=12.0, ge=1, le=MOST_WEEKS)
    scale: Annotated[str, BeforeValidator(_scale)] = "MADRS"
    seed: int = Field(default=1, ge=0, lt=2**32)


class PlanBody(Strict):
    """Rules for further doses, for a person or for a population."""

    person: dict[str, Any] | None = Field(default=None, description="a person file as data")
    population: Literal["trd", "mdd"] | None = None
    weeks: Number = Field(default=12.0, ge=4, le=MOST_WEEKS)
    seed: int = Field(default=1, ge=0, lt=2**32)

    @classmethod
    def rules(cls, good: dict[str, Any]) -> Iterator[Wrong]:
        """A person or a population."""
        if {"person", "population"} <= good.keys() and (good["person"] is None) == (good["population"] is None):
            yield Wrong("a plan is for a person or for a population", "give one of the two")


class TrialBody(Strict):
    """A virtual trial."""

    trial: dict[str, Any] = Field(description="a trial file as data")
    replicates: int = Field(default=100, ge=1, le=MOST_REPLICATES)
    seed: int = Field(default=1, ge=0, lt=2**32)


class CodeBody(Strict):
    """Lines that do what a view shows."""

    scenario: Scenario
    view: Literal["explore", "forecast", "plan", "trial", "claims"] = "explore"
    extra: dict[str, Any] | None = Field(default=None, description="the body of the view's job")


BODIES: dict[str, type[Strict]] = {
    "run": RunBody,
    "why": WhyBody,
    "code": CodeBody,
    "forecast": ForecastBody,
    "plan": PlanBody,
    "trial": TrialBody,
}


def read(kind: str, body: bytes) -> Any:
    """The body of a request; all faults at once, placed like `scenario.course.doses[0].dose`."""
    data = json.loads(body)
    if faults := list(_too_many(data)):
        raise InputError(faults)
    try:
        return model_from_data(BODIES[kind], data, "body")
    except InputError as error:
        raise InputError([Fault(_short(one.place), one.problem, one.remedy) for one in error.faults]) from None


def _short(place: str) -> str:
    return place.removeprefix("body.") or "body"


def _too_many(data: Any) -> Iterator[Fault]:
    """Lists that are longer than any course needs."""
    if not isinstance(data, dict):
        return
    scenario = data.get("scenario")
    for where in ("course", "versus"):
        if isinstance(scenario, dict):
            yield from lines_faults(scenario.get(where), f"scenario.{where}")
    yield from lines_faults(data.get("person"), "person")


def lines_faults(course: Any, place: str) -> Iterator[Fault]:
    """Too many lines of a course, or too many days in one."""
    if not isinstance(course, dict):
        return
    given = 0.0
    for key, most in MOST_LINES.items():
        lines = course.get(key)
        if not isinstance(lines, list):
            continue
        if len(lines) > most:
            yield Fault(f"{place}.{key}", f"{len(lines)} lines", f"at most {most}")
        for k, line in enumerate(lines[:most]):
            days = line.get("days") if isinstance(line, dict) else None
            if isinstance(days, list) and len(days) > MOST_DAYS:
                yield Fault(f"{place}.{key}[{k}].days", f"{len(days)} days", f"at most {MOST_DAYS}")
            given += _times(line)
    if given > MOST_TIMES:
        yield Fault(place, "too many intakes to look through", "fewer lines, or longer intervals in `every`")


def _times(line: Any) -> float:
    """How often a line may give something in the longest course."""
    every = line.get("every") if isinstance(line, dict) else None
    try:
        return 0.0 if every is None else LONGEST_H / max(hours(every), LEAST_INTERVAL_H)
    except Wrong:
        return 0.0  # told when the course is read


# ------------------------------------------------------------------------------------------------ trials


class Sent(Document):
    """A trial that was sent: places are paths in it."""

    def place(self, loc: Loc) -> str:
        """`trial.arms[0].n`."""
        return "trial" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)


def trial_scenario(data: Any) -> TrialScenario:
    """A trial of a size that a page can wait for; all faults at once."""
    if faults := list(_too_large(data)):
        raise InputError(faults)
    document = Sent("trial", data, {})
    trial = model_from_data(Trial, data, "trial")
    if faults := list(_file_names(trial)):
        raise InputError(faults)
    arm_courses(trial, document.place)  # courses written into the trial have faults of their own
    rescue_course(trial, document.place)
    return TrialScenario(0, {}, trial, document)


def _too_large(data: dict[str, Any]) -> Iterator[Fault]:
    for key, most in (("arms", MOST_ARMS), ("visits", MOST_VISITS), ("endpoints", MOST_ENDPOINTS)):
        entries = data.get(key)
        if isinstance(entries, list) and len(entries) > most:
            yield Fault(f"trial.{key}", f"{len(entries)} {key}", f"at most {most} here; `afterglow trial` takes more")


def _file_names(trial: Trial) -> Iterator[Fault]:
    """Nothing that is sent may name a file of this machine, or ask for more than a page can wait for."""
    total = sum(trial.sizes)
    if total > MOST_PATIENTS:
        yield Fault("trial.n", f"{total} patients", f"at most {MOST_PATIENTS} here; `afterglow trial` takes more")
    if trial.ordered_visits[-1].at > MOST_WEEKS * WEEK_H:
        yield Fault("trial.visits", "a visit too late", f"at most {MOST_WEEKS:g} weeks")
    if trial.population.base not in POPULATIONS:
        remedy = nearest(trial.population.base[:60], POPULATIONS)
        yield Fault("trial.population.from", f"there is no population '{trial.population.base[:60]}'", remedy)
    courses: list[tuple[str, Any]] = [("trial.rescue.course", trial.rescue and trial.rescue.course)]
    for k, arm in enumerate(trial.arms):
        courses.append((f"trial.arms[{k}].course", arm.course))
        courses += [(f"trial.arms[{k}].then[{j}].course", one.course) for j, one in enumerate(arm.then)]
    for place, course in courses:
        if isinstance(course, str) and course not in shipped_courses():
            yield Fault(place, f"there is no course '{course[:60]}'", nearest(course[:60], shipped_courses()))
        yield from lines_faults(course, place)
