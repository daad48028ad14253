"""When people are looked at: visits, at which they are rated, and a denser clock for trajectories."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from afterglow.clinic.course import Course

WEEK_H = 168.0
EARLY_VISITS = ((0.0, "baseline"), (2.0, "2 h"), (4.0, "4 h"))
# The clock of the first day and after each later session, h.
FIRST_DAY = (5 / 60, 10 / 60, 20 / 60, 0.5, 40 / 60, 50 / 60, 1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24)
PEAK_H = (20 / 60, 40 / 60, 1.0, 1.5)  # when acute effects are looked at after the start of a session, h
AFTER_SESSION = (10 / 60, 20 / 60, 40 / 60, 1.0, 1.5, 2.0, 6.0, 12.0)


def visits(weeks: float) -> list[tuple[float, str]]:
    """Times (h) and labels of the visits: first hours, then every day."""
    days = [(24.0 * d, f"{d} d") for d in range(1, int(weeks * 7 + 1e-9) + 1)]
    return [v for v in EARLY_VISITS if v[0] <= weeks * WEEK_H] + days


def label(time_h: float) -> str:
    """Label of a visit at any time."""
    if time_h == 0:
        return "baseline"
    return f"{time_h / 24:g} d" if time_h >= 24 else f"{time_h:g} h"


def clock(course: Course, weeks: float) -> NDArray[np.float64]:
    """The denser times (h) at which trajectories are kept besides the visits.

    Every session has its hours, also one that a decision may give: acute effects are read at these times.
    """
    doses = [(a.time_h, a.over_h) for a in course.regimen(weeks).administrations if a.session is not None]
    doses += [(d.time_h, d.over_h) for d in course.decisions(weeks) if d.action == "give"]
    times = {*FIRST_DAY, *(start + h for start, over in doses for h in (*AFTER_SESSION, over) if h > 0)}
    times |= {24.0 * k + 12.0 for k in range(int(weeks * 7 + 1e-9))}
    return np.array(sorted(round(t, 9) for t in times if t <= weeks * WEEK_H))
