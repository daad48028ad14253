"""What has been done to a person and what has been seen: the lines of a person file, put on one clock.

The clock is the model's: 0 h is the first dose, day 1 the day of it. Days may be fractions (day 1.5 is 12 h after the
first dose). Dates (`on`) are counted from `start`, or from the date of the first dose. Times of day (`at`) are counted
from that of the first dose; an entry without one is taken at the hour of the first dose.

Scores up to the first dose are the baseline. Antidepressants and other daily drugs that began four weeks or more before
it are part of that baseline, as in the trials that the model was fitted to, and are not simulated again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from afterglow.clinic import scale
from afterglow.clinic.course import Course
from afterglow.clinic.dosing import dose_rules
from afterglow.clinic.files import Loc, Wrong, model_from_data
from afterglow.clinic.history_lines import DoseGiven, Entry, clock_text
from afterglow.clinic.identity import REMEDY, identifies
from afterglow.errors import nearest

if TYPE_CHECKING:
    from afterglow.clinic.person import Person

DEPRESSION = (
    "MADRS",
    "HAM-D17",
    "QIDS-SR16",
    "PHQ-9",
    "BDI",
)  # scales that speak of depression; the first is preferred
BASELINE_D = 28.0  # earlier scores, and drugs begun earlier, say little of the start: assumed, as long as a short trial


# ------------------------------------------------------------------------------------------------ the clock


@dataclass(frozen=True)
class Origin:
    """Day 1: its date, where one is known, and the time of day of the first dose."""

    on: date | None = None
    at: float | None = None

    def time(self, entry: Entry) -> float:
        """Hours since the first dose."""
        later = 0.0 if entry.at is None else entry.at - (self.at or 0.0)
        return self.day_time(entry.day_or_date) + later

    def day_time(self, day: float | date) -> float:
        """Hours from day 1 to a day or a date."""
        if isinstance(day, date):
            assert self.on is not None  # checked by `find_origin`
            return (day - self.on).days * 24.0
        return (day - 1.0) * 24.0

    def day_number(self, day: float | date) -> int:
        """The whole day that a day or a date belongs to."""
        return 1 + math.floor(self.day_time(day) / 24.0)

    def date_of(self, time_h: float) -> date | None:
        """The date of a time, where dates are known."""
        return None if self.on is None else self.on + timedelta(days=math.floor(time_h / 24.0))


def find_origin(good: Mapping[str, Any]) -> Origin | list[Wrong]:
    """Day 1 of a file, or why it cannot be told. `good` holds doses, scores, therapy, stress, start and until."""
    doses: Sequence[DoseGiven] = good["doses"]
    start: date | None = good["start"]
    faults: list[Wrong] = []
    for table in ("doses", "scores", "therapy", "stress"):
        dated = [one.on is not None for one in good[table]]
        if start is None and len(set(dated)) > 1:
            odd = dated.index(not dated[0])
            problem = "days and dates are mixed in one table"
            faults.append(Wrong(problem, "write one kind, or add `start:`, the date of day 1", (table, odd)))
    if faults:
        return faults
    if start is None and doses and doses[0].on is not None:
        start = min(one.on for one in doses if one.on is not None)
    if start is None:
        for table in ("scores", "therapy", "stress"):
            if any(one.on is not None for one in good[table]):
                faults.append(Wrong("dates, but nothing says which date is day 1", "add `start:`", (table, 0, "on")))
        if isinstance(good["until"], date):
            faults.append(Wrong("a date, but nothing says which date is day 1", "add `start:`", ("until",)))
        if faults:
            return faults
    origin = Origin(start)
    if not doses:
        return origin
    first = min(range(len(doses)), key=lambda i: (origin.time(doses[i]), doses[i].at or 0.0))
    if origin.day_time(doses[first].day_or_date) != 0:
        problem = f"the first dose is on {_when(doses[first])}, not on day 1"
        return [Wrong(problem, "day 1 and `start` are the day of the first dose", ("doses", first))]
    return Origin(start, doses[first].at)


def history_faults(good: Mapping[str, Any]) -> Iterator[Wrong]:
    """What is wrong with a history as a whole; `good` holds fields of a person that are fine by themselves."""
    lines = list(_line_faults(good))
    yield from lines
    if not {"doses", "scores", "therapy", "stress", "background", "start", "until", "baseline"} <= good.keys():
        return
    origin = find_origin(good)
    if isinstance(origin, list):
        yield from origin
        return
    if good["doses"] and origin.at is None:
        for table in ("doses", "scores", "therapy", "stress"):
            for i, one in enumerate(good[table]):
                if one.at is not None:
                    remedy = "give the first dose its `at` too, or leave it out"
                    yield Wrong("a time of day, but the first dose has none", remedy, (table, i, "at"))
                    return
    yield from _order_faults(good, origin)
    yield from _late_faults(good, origin)
    yield from _twice_faults(good, origin)
    if not lines:
        yield from _course_faults(good, origin)


def _line_faults(good: Mapping[str, Any]) -> Iterator[Wrong]:
    """What is wrong with single doses, daily drugs and scores; here, so that it hides nothing else that is wrong."""
    for table in ("doses", "background"):
        for i, one in enumerate(good.get(table, ())):
            parts = {name: getattr(one, name) for name in type(one).model_fields}
            yield from (Wrong(wrong.problem, wrong.remedy, (table, i, *wrong.at)) for wrong in dose_rules(parts))
    for name, score in good.get("baseline", {}).items():
        yield from _score_faults(name, score, ("baseline", name), ("baseline", name))
    for i, one in enumerate(good.get("scores", ())):
        yield from _score_faults(one.scale, one.score, ("scores", i, "scale"), ("scores", i, "score"))


def _score_faults(name: str, score: float, at_name: Loc, at_score: Loc) -> Iterator[Wrong]:
    """An unknown scale, or a score outside of it."""
    known = scale.names()
    if name not in known:
        same = [one for one in known if one.lower() == name.lower()]
        remedy = REMEDY if identifies(name) else nearest(same[0] if same else name.upper(), known)
        yield Wrong(f"scale '{name}' is not known", remedy, at_name)
    elif not scale.get(name).low <= score <= scale.get(name).high:
        low, high = scale.get(name).low, scale.get(name).high
        yield Wrong(f"{name} {score:g} is outside {low:g}-{high:g}", "check the score", at_score)


def _order_faults(good: Mapping[str, Any], origin: Origin) -> Iterator[Wrong]:
    """Tables by date are sorted; a table by day that goes back may hold a slip of the pen."""
    for table in ("doses", "scores", "therapy"):
        entries: Sequence[Entry] = good[table]
        if all(one.on is not None for one in entries):
            continue
        for i, (before, after) in enumerate(pairwise(entries)):
            if origin.time(after) < origin.time(before):
                problem = f"visits out of order: {_when(after)} comes behind {_when(before)}"
                yield Wrong(problem, "check the days, and sort them", (table, i + 1))


def _when(entry: Entry) -> str:
    at = "" if entry.at is None else f" {clock_text(entry.at)}"
    return (f"day {entry.day:g}" if entry.on is None else f"{entry.on}") + at


def _late_faults(good: Mapping[str, Any], origin: Origin) -> Iterator[Wrong]:
    """Nothing is given behind the last date: what is planned is no history."""
    until = good["until"]
    seen = [time for one in good["scores"] if (time := origin.time(one)) > 0]
    if until is not None:
        end, said = origin.day_time(until) + 24.0, "`until`"  # to the end of that day
    elif seen:
        end, said = max(seen), "the last score"
    else:
        return
    tables = ("doses", "therapy") if until is None else ("doses", "therapy", "scores")
    for table in tables:
        for i, one in enumerate(good[table]):
            if origin.time(one) > end:
                what = {"doses": "a dose", "therapy": "a session of therapy", "scores": "a score"}[table]
                remedy = "what is planned is no history: give it as a plan; if it has happened, write `until:` that day"
                yield Wrong(f"{what} on {_when(one)}, after {said}", remedy, (table, i))


def _twice_faults(good: Mapping[str, Any], origin: Origin) -> Iterator[Wrong]:
    """One scale has one score at a time, and one drug is given once at a time."""
    found = {(name, origin.day_time(0.0)): score for name, score in good["baseline"].items()}
    for i, one in enumerate(good["scores"]):
        score = found.setdefault((one.scale, origin.time(one)), one.score)
        if score != one.score:
            problem = f"{one.scale} on {_when(one)} is {one.score:g}, and {score:g} at the same time"
            yield Wrong(problem, "keep the right one, or give each its `at`; `baseline` is day 0", ("scores", i))
    given: set[tuple[str, str, float]] = set()
    for i, dose in enumerate(good["doses"]):
        key = (dose.drug, dose.route, origin.time(dose))
        if key in given:
            problem = f"{dose.drug} {dose.route} is given twice on {_when(dose)}"
            yield Wrong(problem, "keep one, or give each its `at`", ("doses", i))
        given.add(key)


def _course_faults(good: Mapping[str, Any], origin: Origin) -> Iterator[Wrong]:
    """What the rules of courses say, the safety bound of 24 hours for instance."""
    parts, _ = _course_parts(good, origin)
    try:
        Course.model_validate({"course": "history", **parts})
    except ValidationError as error:
        for one in error.errors():
            loc, context = one["loc"], one.get("ctx", {})
            at = loc[:2] if loc[:1] == ("doses",) else loc[:1]  # of other tables not every line is in the course
            yield Wrong(context.get("problem", one["msg"]), context.get("remedy", ""), at)


def _course_parts(good: Mapping[str, Any], origin: Origin) -> tuple[dict[str, Any], list[str]]:
    """Doses, background, therapy and stress as a course has them, and what it leaves out."""
    left: list[str] = []
    doses = [
        {
            **one.model_dump(mode="json", include={"drug", "route", "dose", "over"}, exclude_none=True),
            "days": [1.0 + origin.time(one) / 24.0],
        }
        for one in good["doses"]
    ]
    background = []
    for one in good["background"]:
        said = f"background: {one.drug} from day {one.from_day:g}"
        until = math.inf if one.until_day is None else one.until_day
        if one.from_day <= 1.0 - BASELINE_D or until < 1.0:
            left.append(f"{said} is part of the baseline and not simulated")
            if 1.0 <= until < math.inf:
                left.append(f"{said}: what its end on day {until:g} does is not simulated")
            continue
        if one.from_day < 1.0:
            left.append(f"{said}: simulated from day 1 on")
        line = one.model_dump(mode="json", exclude_none=True)
        background.append({**line, "from_day": max(one.from_day, 1.0)})
    therapy = []
    for one in good["therapy"]:
        if (time := origin.time(one)) < 0:
            left.append(f"therapy: the session of {_when(one)} is before the first dose and not simulated")
        else:
            therapy.append({"kind": one.kind, "days": [1.0 + time / 24.0], "minutes": one.minutes})
    stress = []
    for one in good["stress"]:
        first, last = 1.0 + origin.time(one) / 24.0, 1.0 + origin.time(one) / 24.0 + one.days
        if last <= 1.0:
            left.append(f"stress: the episode of {_when(one)} was over before the first dose and is not simulated")
        else:
            days = max(first, 1.0)
            stress.append({"day": days, "days": last - days, "intensity": one.intensity})
    return {"doses": doses, "background": background, "therapy": therapy, "stress": stress}, left


# ------------------------------------------------------------------------------------------------ history


@dataclass(frozen=True)
class Observation:
    """One score: hours since the first dose (0 for the baseline), scale and points."""

    time_h: float
    scale: str
    score: float


@dataclass(frozen=True)
class History:
    """What has been done to a person and seen so far, in model time: 0 h is the first dose.

    Attributes:
        observed: scores of depression by time, the baseline with its time 0 first.
        last_h: end of the history, h: the last dose, session or score, or the day `until`; 0 at least.
        origin: day 1 and the hour of the first dose.
        not_used: what the file says and the model does not use, in words.
    """

    observed: tuple[Observation, ...]
    last_h: float
    origin: Origin
    not_used: tuple[str, ...]
    _course: dict[str, Any] = field(repr=False)

    @classmethod
    def of(cls, person: Person) -> History:
        """The history of a person, whose faults have been found on reading."""
        good = {name: getattr(person, name) for name in type(person).model_fields}
        origin = find_origin(good)
        assert isinstance(origin, Origin)  # a person with faults cannot be made
        parts, left = _course_parts(good, origin)
        seen = [(origin.day_time(0.0), name, score) for name, score in person.baseline.items()]
        seen += [(origin.time(one), one.scale, one.score) for one in person.scores]
        other = dict.fromkeys(name for _, name, _ in seen if name not in DEPRESSION)
        left += [f"scores: {name} says nothing of depression" for name in other]
        early = [one for one in seen if one[1] in DEPRESSION and one[0] < -24.0 * BASELINE_D]
        left += [f"scores: {name} of day {1 + time / 24:g} is older than the baseline" for time, name, _ in early]
        used = [one for one in dict.fromkeys(seen) if one[1] in DEPRESSION and one not in early]
        used.sort(key=lambda one: (one[0], -DEPRESSION.index(one[1])))
        times = [origin.time(one) for one in (*person.doses, *person.therapy)] + [time for time, _, _ in seen]
        until = [] if person.until is None else [origin.day_time(person.until)]
        return cls(
            observed=tuple(Observation(max(time, 0.0), name, score) for time, name, score in used),
            last_h=max([0.0, *times, *until]),
            origin=origin,
            not_used=tuple(left),
            _course={**parts, "blinding": person.blinding, "raters": person.raters, "control": "none"},
        )

    @property
    def baseline(self) -> tuple[Observation, ...]:
        """Scores up to the first dose, by time: the last is the latest, on the preferred of several scales."""
        return tuple(one for one in self.observed if one.time_h == 0)

    @property
    def after(self) -> tuple[Observation, ...]:
        """Scores after the first dose."""
        return tuple(one for one in self.observed if one.time_h > 0)

    def course(self) -> Course:
        """The course so far, without a future: doses, background, therapy, stress, blinding and raters."""
        return model_from_data(Course, {"course": "history", **self._course}, "history")
