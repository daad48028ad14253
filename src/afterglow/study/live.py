"""What the page shows of a scenario: curves with bands, what was given, a few numbers and what to be warned of.

    answer = run(scenario_from_data({"course": {...}, "versus": "usual-care"}), people=1000)
    answer.panels["madrs"].median          # [times]

Everybody carries a draw of the calibration of their own, so that bands cover people and parameters together. People
and their luck are the same under every course: differences are paired.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afterglow.clinic.course import Course
from afterglow.compile.vector import LANES
from afterglow.errors import Fault, InputError
from afterglow.study.live_bands import Band, band, plain
from afterglow.study.live_clock import COARSE, FULL, WEEK_H, clock
from afterglow.study.live_facts import facts
from afterglow.study.live_numbers import RISKS, Estimate, Given, Risk, estimates, given, risks
from afterglow.study.live_panels import CHAIN, chain, drugs_of, panels_of, present
from afterglow.study.live_people import Crowd, Lived, Order, Values, lived
from afterglow.study.live_scenario import MOST_PEOPLE, Scenario, Who, scenario_from_data
from afterglow.study.live_why import why

__all__ = ["CHAIN", "Answer", "Scenario", "Versus", "Who", "facts", "run", "scenario_from_data", "why"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Versus:
    """The course laid beside, in the same people; `difference` is the course minus this one."""

    name: str
    title: str
    panels: Mapping[str, Band]
    chain: Mapping[str, FloatArray]
    difference: Mapping[str, Band]


@dataclass(frozen=True, eq=False)
class Answer:
    """What the page shows of a scenario.

    Attributes:
        people: virtual people behind it, without those who could not be simulated.
        time_h: hours from the first day, [times].
        panels: bands of each quantity of `study.quantities`, true values.
        rated: MADRS as it would be written down, with rater noise and fluctuation.
        chain: how far each link is from untreated, as a share of its own largest, [times].
        present: 1 while a drug of the sessions is in the body, above 1 % of its own peak.
        daily: the same of drugs taken daily.
        doses: of the sessions.
        versus: the course laid beside.
        numbers: outcomes with their intervals.
        safety: worst moments.
        warnings: what a reader must know.
        covers: what the bands cover.
        milliseconds: time it took.
        scenario_sha256: fingerprint of what was asked.
    """

    people: int
    time_h: FloatArray
    panels: Mapping[str, Band]
    rated: Band
    chain: Mapping[str, FloatArray]
    present: NDArray[np.int64]
    daily: NDArray[np.int64]
    doses: Sequence[Given]
    versus: Versus | None
    numbers: Sequence[Estimate]
    safety: Sequence[Risk]
    warnings: Sequence[str]
    covers: str
    milliseconds: float
    scenario_sha256: str

    def plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        return plain(self)


def run(scenario: Scenario, people: int = MOST_PEOPLE, coarse: bool = False) -> Answer:
    """Put the people of a scenario through its course, and through the one beside it.

    Args:
        scenario: what is asked.
        people: virtual people, a multiple of LANES; fewer are the first of more.
        coarse: fewer times, and intervals without the calibration: for a slider that is being dragged.
    """
    start = time.perf_counter()
    if people % LANES or not LANES <= people <= MOST_PEOPLE:
        raise InputError(
            Fault("people", f"{people} people", f"a multiple of {LANES} between {LANES} and {MOST_PEOPLE}")
        )
    asked = _Asked(scenario, people, coarse)
    main = asked.live(scenario.course)
    other = None if scenario.versus is None else asked.live(scenario.versus)
    fine = main.fine if other is None else main.fine & other.fine
    if not fine.any():
        raise InputError(Fault("scenario.course", "nobody could be simulated", "choose usual doses"))
    shown = asked.panels
    line = asked.one(scenario.course) if scenario.who.kind == "person" else None
    panels = {name: band(_of(main.values[name], fine), None if line is None else line[name]) for name in shown}
    in_sessions, of_days = drugs_of(scenario.course)
    return Answer(
        people=int(fine.sum()),
        time_h=main.time_h,
        panels=panels,
        rated=band(_of(main.rated, fine), None if line is None else line["rated"]),
        chain=chain(panels),
        present=present(panels, in_sessions),
        daily=present(panels, of_days),
        doses=given(main),
        versus=None if other is None or scenario.versus is None else _versus(scenario.versus, main, other, fine, shown),
        numbers=estimates(asked.order(scenario.course), main, asked.first_h, coarse),
        safety=risks(main),
        warnings=_warnings(scenario, main, other),
        covers=covers(int(fine.sum()), scenario),
        milliseconds=1e3 * (time.perf_counter() - start),
        scenario_sha256=scenario.sha256,
    )


class _Asked:
    """A scenario with the people, times and quantities that follow from it."""

    def __init__(self, scenario: Scenario, people: int, coarse: bool) -> None:
        self.weeks, self.people, self.number = scenario.weeks, people, scenario.who.number
        self.crowd = Crowd(scenario.who.anyone, scenario.seed, scenario.variant)
        courses = [one for one in (scenario.course, scenario.versus) if one is not None]
        self.times = tuple(clock(courses, scenario.weeks, COARSE if coarse else FULL).tolist())
        self.first_h = min((start for start, _ in scenario.course.sessions(scenario.weeks)), default=0.0)
        self.panels = panels_of(courses)

    def order(self, course: Course) -> Order:
        return Order(course, self.crowd, range(self.people), self.weeks, self.times, (*self.panels, *RISKS))

    def live(self, course: Course) -> Lived:
        return lived(self.order(course))

    def one(self, course: Course) -> dict[str, Values]:
        """The lines of the person drawn: the same with few people as with many."""
        order, column = self.order(course), self.number
        if self.number >= self.people:
            first, column = self.number - self.number % LANES, self.number % LANES
            order = replace(order, rows=range(first, first + LANES))
        found = lived(order)
        return {name: values[:, column] for name, values in {**found.values, "rated": found.rated}.items()}


def covers(people: int, scenario: Scenario) -> str:
    """What the bands cover, in a sentence."""
    who = "virtual people like this one" if scenario.who.kind == "person" else "virtual people"
    return (
        f"Bands: the middle 50, 80 and 90 % of {people:,} {who}, each with a draw of the calibration of their own, so "
        "that differences between people and what the calibration leaves open are in them together. Not in them: "
        "ratings, unless the score is shown as written down; what one place of treatment has of its own; another "
        "structure of the model; whatever the calibration held fixed."
    )


def _of(values: Values, fine: NDArray[np.bool_]) -> Values:
    return values if fine.all() else values[:, fine]


def _versus(course: Course, main: Lived, other: Lived, fine: NDArray[np.bool_], shown: Sequence[str]) -> Versus:
    panels = {name: band(_of(other.values[name], fine)) for name in shown}
    difference = {name: band(_of(main.values[name] - other.values[name], fine)) for name in shown}
    return Versus(course.name, course.title or course.name, panels, chain(panels), difference)


def _warnings(scenario: Scenario, main: Lived, other: Lived | None) -> list[str]:
    runs = [(scenario.course, main)]
    if scenario.versus is not None and other is not None:
        runs.append((scenario.versus, other))
    found: list[str] = []
    for course, one in runs:
        title = course.title or course.name
        found += [f"{title}: {text.removeprefix(f'{course.name}: ')}" for text in course.warnings()]
        failed = int((~one.fine).sum())
        if failed:
            found.append(f"{title}: {failed} of {len(one.fine)} people could not be simulated and are left out")
        late = [day for line in course.doses for day in line.days or () if (day - 1) * 24 >= scenario.weeks * WEEK_H]
        if late:
            found.append(f"{title}: {len(late)} of its days lie after week {scenario.weeks:g}, the last one shown")
    return list(dict.fromkeys(found))
