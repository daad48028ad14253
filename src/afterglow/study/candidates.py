"""What may be done next for a person: candidate courses that begin with what has been done."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afterglow.blocks import Block
from afterglow.clinic.course import Course
from afterglow.clinic.dosing import Dose
from afterglow.clinic.drugs import DRUGS
from afterglow.clinic.phases import followed_by
from afterglow.clinic.visits import PEAK_H
from afterglow.compile.vector import LANES
from afterglow.simulate import Arm
from afterglow.study.cloud import RTOL, Cloud
from afterglow.study.forecast import Updated

FloatArray = NDArray[np.float64]
EVERY_D = (7.0, 14.0)  # intervals of the boosters that are offered, days
CADSS, SYSTOLIC = "acute_effects.cadss", "acute_effects.systolic_rise"


@dataclass(frozen=True)
class Candidate:
    """A plan: its name, what it means, and the whole course, what has been done included."""

    name: str
    title: str
    course: Course


def candidates(done: Course, now_h: float, weeks: float, others: Sequence[Course] = ()) -> list[Candidate]:
    """Nothing more, the last dose again at fixed intervals, and courses that were asked for, from the day after now.

    Args:
        done: what has been done, from the first dose on.
        now_h: hour of the last score or dose.
        weeks: how far to look.
        others: courses to begin then.
    """
    day = math.floor(now_h / 24.0) + 2.0  # the next day, counted from 1
    last = day + weeks * 7.0
    found = [Candidate("nothing-more", "no further doses; daily drugs go on", done)]
    line = last_dose(done)
    for every in EVERY_D if line is not None else ():
        booster = Course(course="booster", doses=(_repeated(line, every, last - day + 1.0),))
        title = f"the last dose again every {every:g} days"
        found.append(Candidate(f"every-{every:g}-d", title, _continued(done, booster, day)))
    for one in others:
        found.append(Candidate(one.name, one.title or one.name, _continued(done, one, day)))
    return found


def last_dose(done: Course) -> Dose | None:
    """The line of the last session with ketamine in any form; None where there was none."""
    sessions = [(start, line) for start, lines in done.sessions(520.0) for line in lines if _active(line)]
    return max(sessions, key=lambda one: one[0])[1] if sessions else None


def _active(line: Dose) -> bool:
    return DRUGS[line.drug].kind == "ketamine"


def _repeated(line: Dose | None, every_d: float, until: float) -> Dose:
    assert line is not None
    changes = {"days": None, "every": every_d * 24.0, "first": 1.0, "until": max(until, 1.0)}
    return line.model_copy(update=changes)


def _continued(done: Course, later: Course, day: float) -> Course:
    """Daily drugs of what has been done go on beside the new course."""
    found = followed_by(done, later, day)
    kept = [line for line in done.background if line.until_day is None]
    others = [line for line in found.background if line.drug not in {one.drug for one in kept}]
    return found.model_copy(update={"background": (*kept, *others), "course": later.name})


@dataclass(frozen=True)
class Burden:
    """What a plan costs from now on.

    Attributes:
        sessions: with ketamine in any form.
        mg: of ketamine in any form, mean over people who might be this one.
        cadss: highest dissociation of any session by person, points [people]; empty without sessions.
        systolic: highest rise of systolic pressure by person, mmHg [people].
    """

    sessions: int
    mg: float
    cadss: FloatArray
    systolic: FloatArray


def burden(updated: Updated, course: Course, from_h: float, until_h: float, count: int = 256) -> Burden:
    """Sessions, exposure and acute effects of a plan between two hours."""
    person = updated.person
    cloud: Cloud = updated.cloud.resampled(count, person.seed, "burden")
    weeks = until_h / 168.0
    active = [(t, lines) for t, lines in course.sessions(weeks) if t > from_h and any(map(_active, lines))]
    weight = cloud.people["WT"].to_numpy(float)
    intakes = [one for one in course.regimen(weeks).administrations if one.time_h > from_h]
    mg = sum(
        float(np.mean(one.amount * weight if one.per_kg else one.amount))
        for one in intakes
        if DRUGS[one.drug].kind == "ketamine"
    )
    if not active:
        return Burden(0, mg, np.empty(0), np.empty(0))
    peaks = np.array(sorted({t + after for t, _ in active for after in PEAK_H if t + after <= until_h}))
    arm = Arm(
        course, patients=LANES, weeks=weeks, seed=person.seed, population=cloud.people.iloc[:LANES],
        variant=person.variant, outputs=(CADSS, SYSTOLIC), visits_h=[0.0, *peaks.tolist()], rtol=RTOL,
    )  # fmt: skip
    block = Block(cloud.people, range(len(cloud)), typical=cloud.typical, luck=cloud.luck)
    values = arm.trajectories_of([block])[:, arm.visit_index[1:]]
    worst = [values[:, :, arm.outputs.index(name)].max(axis=1) for name in (CADSS, SYSTOLIC)]
    return Burden(len(active), mg, worst[0], worst[1])
