"""What if: a plan of a forecast with one dose more, a session of therapy, a missed visit or a stressful episode.

    changed = result.what_if().dose("ketamine", "iv", "0.5 mg/kg", "40 min", day=40).stress(14, day=50)
    changed.outlook.future.table()

The same people go through the changed plan with the same luck, so that what differs is the change; without a change
every number is that of the forecast. What has been done is changed in the person instead, by `Person.with_dose` and so
on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

from afterglow.clinic.course import Course, Stress, Therapy
from afterglow.clinic.dosing import Dose
from afterglow.clinic.files import model_from_data
from afterglow.errors import Fault, InputError
from afterglow.study.candidates import Candidate

if TYPE_CHECKING:
    from afterglow.study.forecast_study import Forecast, Outlook

_LONGEST_W = 60.0  # weeks for which sessions at intervals are written out; those of a course are checked as long


@dataclass(frozen=True, eq=False)
class WhatIf:
    """A plan of a forecast, changed; nothing is run before `outlook` is asked for.

    Days count from 1, the day of the first dose; a date stands for a day where the person file knows dates.

    Attributes:
        forecast: whose person it is.
        plan: as changed so far.
    """

    forecast: Forecast
    plan: Candidate

    @cached_property
    def outlook(self) -> Outlook:
        """What the changed plan may bring, and what it costs."""
        return self.forecast.outlook(self.plan)

    def dose(
        self, drug: str, route: str, dose: str | None = None, over: str | None = None, *, day: float | date
    ) -> WhatIf:
        """One more session; maintenance of a course counts from its last planned session, this one included."""
        start = self._start(day)
        line = model_from_data(
            Dose, _given(drug=drug, route=route, dose=dose, over=over, days=[1.0 + start / 24.0]), "dose"
        )
        course = self.plan.course
        starts = [one for one, _ in course.sessions(_LONGEST_W)]
        number, later = 1 + sum(one < start for one in starts), int(start not in starts)
        checks = tuple(
            one.model_copy(update={"after_dose": one.after_dose + later}) if one.after_dose >= number else one
            for one in course.checks
        )
        return self._with({"doses": (*course.doses, line), "checks": checks}, f"{drug} {route} on {_named(day)}")

    def therapy(self, kind: str = "cbt", minutes: float = 50.0, *, day: float | date) -> WhatIf:
        """One more session of psychotherapy."""
        days = [1.0 + self._start(day) / 24.0]
        line = model_from_data(Therapy, {"kind": kind, "minutes": minutes, "days": days}, "therapy")
        return self._with({"therapy": (*self.plan.course.therapy, line)}, f"{kind} on {_named(day)}")

    def stress(self, days: float, intensity: float = 1.0, *, day: float | date) -> WhatIf:
        """A stressful episode of so many days; intensity 1 is a severe one."""
        first = 1.0 + self._start(day) / 24.0
        line = model_from_data(Stress, {"day": first, "days": days, "intensity": intensity}, "stress")
        return self._with({"stress": (*self.plan.course.stress, line)}, f"{days:g} d of stress from {_named(day)}")

    def missed(self, day: float | date) -> WhatIf:
        """No planned session of doses or psychotherapy on this day; what a decision gives on it stays."""
        origin = self.forecast.history.origin
        self._start(day)
        number, course = origin.day_number(day), self.plan.course

        def kept(days: Sequence[float]) -> tuple[float, ...]:
            return tuple(one for one in days if int(one // 1) != number)

        doses: list[Dose] = []
        for line in course.doses:
            days = [1.0 + start / 24.0 for start in line.starts(_LONGEST_W * 168.0)]
            if len(left := kept(days)) == len(days):
                doses.append(line)
            elif left:
                alone = {"days": left, "every": None, "first": 1.0, "until": None}
                doses.append(line.model_copy(update=alone))
        lines = [(line, kept(line.days)) for line in course.therapy]
        therapy = tuple(line.model_copy(update={"days": days}) for line, days in lines if days)
        gone = [k for k, (start, _) in enumerate(course.sessions(_LONGEST_W), start=1) if start // 24.0 + 1 == number]
        if not gone and therapy == course.therapy:
            raise InputError(
                Fault("day", f"nothing is planned on {_named(day)}", "name a day with a session of the plan")
            )
        checks = tuple(
            one.model_copy(update={"after_dose": one.after_dose - sum(k < one.after_dose for k in gone)})
            for one in course.checks
            if one.after_dose not in gone
        )
        changes = {"doses": tuple(doses), "therapy": therapy, "checks": checks}
        return self._with(changes, f"{_named(day)} missed")

    def _start(self, day: float | date) -> float:
        """Hour of a day, which lies ahead and within the forecast."""
        history, last = self.forecast.history, float(self.forecast.outlooks[0].future.time_h[-1])
        if isinstance(day, date) and history.origin.on is None:
            raise InputError(Fault("day", f"{day}, but the file knows no dates", "name the day by its number"))
        start = history.origin.day_time(day)
        if not history.last_h < start < last:
            first, end = (_named(1 + hour / 24.0) for hour in (history.last_h, last))
            problem = f"{_named(day)} does not lie ahead, between {first} and {end}"
            raise InputError(Fault("day", problem, "what has been is changed in the person, by `with_dose` and so on"))
        return start

    def _with(self, changes: dict[str, Any], words: str) -> WhatIf:
        course = self.plan.course.model_copy(update=changes)
        found = Course.rules({name: getattr(course, name) for name in Course.model_fields})
        if faults := [Fault("what if", one.problem, one.remedy) for one in found]:
            raise InputError(faults)
        plan = self.plan
        title = f"{plan.title}; {words}"
        return replace(self, plan=replace(plan, name=f"{plan.name}, {words}", title=title, course=course))


def _named(day: float | date) -> str:
    return day.isoformat() if isinstance(day, date) else f"day {day:.4g}"


def _given(**parts: Any) -> dict[str, Any]:
    return {key: value for key, value in parts.items() if value is not None}
