"""Courses made of other courses: one that follows on another, one with other doses, the courses of a trial's arms."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from afterglow.clinic.control import matched_control
from afterglow.clinic.course import Course, load_course, parse_course
from afterglow.clinic.decision import Maintenance
from afterglow.clinic.dosing import Background, Dose, amount_faults
from afterglow.clinic.drugs import DRUGS
from afterglow.clinic.files import Loc
from afterglow.clinic.quantity import Amount
from afterglow.errors import Fault, InputError

if TYPE_CHECKING:
    from afterglow.clinic.trial import Trial
    from afterglow.clinic.trial_parts import TrialArm

LATEST_DAY = 1e9  # of something that goes on to the end


def followed_by(first: Course, second: Course, day: float) -> Course:
    """`first` up to `day`, then `second` with its day 1 on that day.

    What `first` still had planned falls away, its maintenance too; conditions of `second` count from the trial's own
    baseline. Blinding, raters and care are those of `first`.
    """
    shift = day - 1.0
    kept = sum(start < shift * 24.0 for start, _ in first.sessions(max(shift / 7.0, 1e-6)))
    doses = [cut for line in first.doses if (cut := _dose_before(line, day))]
    background = [cut for line in first.background if (cut := _background_before(line, day))]
    therapy = [
        line.model_copy(update={"days": days})
        for line in first.therapy
        if (days := tuple(one for one in line.days if one < day))
    ]
    checks = [check for check in first.checks if check.after_dose <= kept]
    moved = {
        "doses": (*doses, *(_dose_later(line, shift) for line in second.doses)),
        "background": (*background, *(_background_later(line, shift) for line in second.background)),
        "therapy": (
            *therapy,
            *(line.model_copy(update={"days": tuple(one + shift for one in line.days)}) for line in second.therapy),
        ),
        "stress": (*first.stress, *(line.model_copy(update={"day": line.day + shift}) for line in second.stress)),
        "checks": (
            *checks,
            *(check.model_copy(update={"after_dose": check.after_dose + kept}) for check in second.checks),
        ),
        "maintenance": tuple(_maintenance_later(line, shift) for line in second.maintenance),
    }
    return first.model_copy(update=moved)


def _dose_before(line: Dose, day: float) -> Dose | None:
    if line.days is not None:
        days = tuple(one for one in line.days if one < day)
        return line.model_copy(update={"days": days}) if days else None
    if line.first >= day:
        return None
    # `until` keeps sessions that start before its day's end
    return line.model_copy(update={"until": min(line.until or LATEST_DAY, day - 1.0)})


def _dose_later(line: Dose, shift: float) -> Dose:
    if line.days is not None:
        return line.model_copy(update={"days": tuple(one + shift for one in line.days)})
    until = None if line.until is None else line.until + shift
    return line.model_copy(update={"first": line.first + shift, "until": until})


def _background_before(line: Background, day: float) -> Background | None:
    if line.from_day >= day:
        return None
    return line.model_copy(update={"until_day": min(line.until_day or LATEST_DAY, day - 1.0)})


def _background_later(line: Background, shift: float) -> Background:
    until = None if line.until_day is None else line.until_day + shift
    return line.model_copy(update={"from_day": line.from_day + shift, "until_day": until})


def _maintenance_later(line: Maintenance, shift: float) -> Maintenance:
    until = None if line.until is None else line.until + 24.0 * shift
    return line.model_copy(update={"until": until})


def with_dose(course: Course, amount: Amount) -> Course:
    """The course with another amount in every active dose; raises `InputError` where it cannot be given."""
    active = dict.fromkeys((line.drug, line.route) for line in course.doses if DRUGS[line.drug].kind != "inert")
    faults = [
        Fault("dose", wrong.problem, wrong.remedy)
        for drug, route in active
        for wrong in amount_faults(drug, route, amount)
    ]
    if faults:
        raise InputError(faults)
    lines = [
        line if DRUGS[line.drug].kind == "inert" else line.model_copy(update={"dose": amount}) for line in course.doses
    ]
    return course.model_copy(update={"doses": tuple(lines)})


# ------------------------------------------------------------------------------------------------ arms of a trial


def arm_courses(trial: Trial, place: Callable[[Loc], str]) -> list[Course]:
    """The course of each arm, named as the arm; all faults at once, at `place(path in the file)`."""
    faults: list[Fault] = []
    own: dict[str, Course] = {}
    for k, arm in enumerate(trial.arms):
        if arm.course is not None:
            found = _read(arm.course, arm.name, ("arms", k, "course"), place, faults)
            if found is not None:
                own[arm.name] = found
    courses: list[Course] = []
    for k, arm in enumerate(trial.arms):
        base = own.get(arm.name) if arm.control is None else _control(arm, own, ("arms", k, "control"), place, faults)
        if base is None:
            continue
        try:
            base = base if arm.dose is None else with_dose(base, arm.dose)
        except InputError as error:
            faults += [Fault(place(("arms", k, "dose")), one.problem, one.remedy) for one in error.faults]
        for j, phase in enumerate(arm.then):
            later = _read(phase.course, f"{arm.name}-{j + 2}", ("arms", k, "then", j, "course"), place, faults)
            base = base if later is None else followed_by(base, later, phase.day)
        courses.append(_as_arm(trial, arm, base))
    if not faults:
        faults += _before_dosing(courses, place)
    if faults:
        raise InputError(faults)
    return courses


def rescue_course(trial: Trial, place: Callable[[Loc], str]) -> Course | None:
    """The course of the rescue, open label, or None."""
    if trial.rescue is None:
        return None
    faults: list[Fault] = []
    found = _read(trial.rescue.course, "rescue", ("rescue", "course"), place, faults)
    if faults or found is None:
        raise InputError(faults)
    return found.model_copy(update={"blinding": "open", "checks": (), "maintenance": ()})


def _read(
    course: str | dict[str, Any], name: str, loc: Loc, place: Callable[[Loc], str], faults: list[Fault]
) -> Course | None:
    try:
        if isinstance(course, str):
            return load_course(course)
        return parse_course({"course": name.replace("_", "-"), **course}, place(loc))
    except InputError as error:
        faults += [Fault(place(loc), f"{one.place}: {one.problem}", one.remedy) for one in error.faults]
        return None


def _control(
    arm: TrialArm, own: dict[str, Course], loc: Loc, place: Callable[[Loc], str], faults: list[Fault]
) -> Course | None:
    if arm.control == "waiting-list":
        return Course(course=arm.name.replace("_", "-"), in_care=False)
    of = own.get(arm.of or next(iter(own), ""))
    if of is None:
        return None  # the fault of that course has been told
    injected = all(line.injected for line in of.doses) and bool(of.doses)
    if arm.control in ("saline", "midazolam") and not injected:
        problem = f"{arm.control} can stand for infusions and injections only, not for the course '{of.name}'"
        faults.append(Fault(place(loc), problem, "write `control: placebo`"))
        return None
    kind = "midazolam" if arm.control == "midazolam" else "matched"
    found = matched_control(of.model_copy(update={"control_kind": kind}))
    if found is None:
        faults.append(Fault(place(loc), f"'{of.name}' has nothing active to be replaced", "give the arm a `course`"))
    return found


def _as_arm(trial: Trial, arm: TrialArm, course: Course) -> Course:
    changes: dict[str, Any] = {
        "course": arm.name,
        "title": arm.title or course.title or arm.name,
        "blinding": arm.blinding or trial.blinding.patients,
        "raters": trial.blinding.raters,
        "open_until": trial.blinding.open_until,
        "control_kind": "none",
    }
    return course.model_copy(update=changes)


def _before_dosing(courses: list[Course], place: Callable[[Loc], str]) -> list[Fault]:
    """Time counts from the first dose: an arm whose treatment begins only after a visit is measured before it."""
    first = min((one.time_h for c in courses for one in c.regimen(60.0).administrations), default=0.0)
    if first > 0:
        problem = f"no arm is treated before day {first / 24.0 + 1:g}, and visits count from the first dose"
        return [Fault(place(("visits",)), problem, "let the courses begin on day 1")]
    return []
