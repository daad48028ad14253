"""When a page looks: minutes after the first dose, hours after each session, days in between."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from afterglow.clinic.course import Course

DAY_H, WEEK_H = 24.0, 168.0
COARSE, FULL = 80, 400  # most times
# After the first dose, h: close enough for a smooth line on a clock from minutes to months.
FIRST_H = (
    5 / 60,
    10 / 60,
    20 / 60,
    30 / 60,
    40 / 60,
    50 / 60,
    1.0,
    1.25,
    1.5,
    2.0,
    3.0,
    4.0,
    6.0,
    8.0,
    12.0,
    16.0,
    24.0,
)
# After the start of every session, the most telling first, h; the end of its infusion stands before them. A line
# through these is near the fall of plasma, of effects felt and of the score of the next day.
SESSION_H = (0.0, 2.0, 1.0, 6.0, 20 / 60, 24.0, 12.0, 1.5, 3.0, 10 / 60)
PEAK_H = 40 / 60  # of what is not infused, about
STEPS_D = (3.5, 2, 1, 0.5)  # between looks without a session


def clock(courses: Sequence[Course], weeks: float, most: int = FULL) -> NDArray[np.float64]:
    """Rising hours from 0 to the horizon, at most so many, for what these courses do.

    The hours of the first dose and the weeks always stand. Further ones follow in the order of what they tell, where
    there is room: ends of infusions, days, hours after each session.
    """
    end = round(weeks * WEEK_H, 6)  # as `Arm` does: no time lies after its horizon
    sessions = dict(sorted(one for course in courses for one in _sessions(course, weeks)))
    first = min(sessions, default=0.0)
    found = _round([0.0, end, *(k * WEEK_H for k in range(int(weeks) + 1)), first, *(first + h for h in FIRST_H)], end)
    ends = [start + (over or PEAK_H) for start, over in sessions.items()]
    after = [[start + hours for start in sessions] for hours in SESSION_H]
    steps = [[k * step * DAY_H for k in range(int(weeks * 7 / step) + 1)] for step in STEPS_D]
    tiers = [ends, steps[0], *after[:2], steps[1], *after[2:6], steps[2], *after[6:], steps[3]]
    for tier in tiers:
        more = found | _round(tier, end)
        found = more if len(more) <= most else found
    return np.array(sorted(found))


def _sessions(course: Course, weeks: float) -> Iterable[tuple[float, float]]:
    """Start and length of sessions that are planned or may be decided on, h."""
    for one in course.regimen(weeks).administrations:
        if one.session is not None:
            yield one.time_h, one.over_h
    for one in course.decisions(weeks):
        if one.action == "give":
            yield one.time_h, one.over_h


def _round(times: Iterable[float], end: float) -> set[float]:
    return {round(time, 9) for time in times if time <= end + 1e-9}
