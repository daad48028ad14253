"""The course file: what is given, when, and what is decided on the way.

    course: iv-boosters
    title: Six infusions in two weeks, then boosters as needed
    doses:
      - {drug: ketamine, route: iv, dose: 0.5 mg/kg, over: 40 min, days: [1, 3, 5, 8, 10, 12]}
    checks:
      - {after_dose: 2, if: "improvement(MADRS) < 20 %", then: {dose: 0.75 mg/kg}}
    maintenance:
      - {when: "MADRS >= 0.5 * baseline", dose: 0.5 mg/kg, at_most: 1 per 7 d, until: 26 weeks}
    therapy:
      - {kind: cbt, days: [2, 6, 9, 13], minutes: 50}

`Course.regimen(weeks)` unfolds it into intakes and signals, `Course.decisions(weeks)` into decisions on measured
scores, `Course.control()` gives the matched control and `Course.warnings()` what a reader of results must know.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from afterglow.clinic import limits
from afterglow.clinic.control import matched_control
from afterglow.clinic.decision import Check, Decision, Maintenance, check_decisions, maintenance_decisions
from afterglow.clinic.dosing import Background, Dose, amount_faults
from afterglow.clinic.drugs import DRUGS
from afterglow.clinic.files import (
    Strict,
    Wrong,
    model_from_data,
    model_from_text,
    read_model,
    shipped_names,
    shipped_text,
)
from afterglow.clinic.quantity import Amount, Day, Number, duration_text
from afterglow.clinic.regimen import Administration, Blinding, Regimen, Signal, session_signals, windows
from afterglow.clinic.source import Source
from afterglow.errors import Fault, InputError, nearest

# Infusions of 2 to 100 min have been used: Andrade C (2017) J Clin Psychiatry 78:e852-e857.
STUDIED_INFUSION_H = (2.0 / 60.0, 100.0 / 60.0)
_LONGEST_H = 60 * 168.0  # horizon of the checks that need unfolded doses
_Part = Literal["doses", "background", "therapy"]


class Therapy(Strict):
    """One line of `therapy`: sessions of psychotherapy."""

    kind: Literal["cbt", "behavioural-activation", "interpersonal", "mindfulness", "asat", "supportive"]
    days: tuple[Day, ...] = Field(min_length=1, description="add `days: [2, 9, 16]`")
    minutes: Number = Field(default=50.0, gt=0, le=480, description="length of a session, min")


class Stress(Strict):
    """One line of `stress`: a stressful episode."""

    day: Day = Field(description="first day of the episode")
    days: Number = Field(gt=0, le=3660, description="length, days")
    intensity: Number = Field(default=1.0, ge=0, le=5, description="0 ordinary life, 1 a severe episode")


class Course(Strict):
    """A course of treatment; see the top of this file for its form."""

    course: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*$", description="`course: a-short-name` of letters, digits and '-'"
    )
    title: str = Field(default="", description="one line for tables and figures")
    doses: tuple[Dose, ...] = ()
    background: tuple[Background, ...] = ()
    therapy: tuple[Therapy, ...] = ()
    stress: tuple[Stress, ...] = ()
    checks: tuple[Check, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    blinding: Blinding = "double-blind"
    raters: Literal["site", "remote"] = "site"
    open_until: Day | None = Field(default=None, description="open label before this day, then as `blinding` says")
    in_care: bool = Field(default=True, strict=True, description="visits and ratings")
    control_kind: Literal["matched", "midazolam", "none"] = Field(default="matched", alias="control")
    studied: tuple[_Part, ...] | None = Field(default=None, description="parts that the matched control takes out")
    notes: str = ""
    sources: tuple[Source, ...] = ()

    @classmethod
    def rules(cls, good: dict[str, Any]) -> Iterator[Wrong]:
        """Decisions have sessions to act on, and no 24 hours hold more than the safety bound."""
        doses: Sequence[Dose] = good.get("doses", ())
        if "doses" not in good:
            return
        starts = _sessions(doses, _LONGEST_H)
        for i, check in enumerate(good.get("checks", ())):
            if check.after_dose > len(starts):
                problem = f"a check after dose {check.after_dose}, but the course has {len(starts)} sessions"
                yield Wrong(problem, f"at most {len(starts)}" if starts else "add `doses`", ("checks", i, "after_dose"))
        if good.get("maintenance") and not doses:
            yield Wrong(
                "maintenance without `doses`", "add `doses`; maintenance uses their drug and route", ("maintenance",)
            )
        if good.get("control_kind") == "midazolam" and any(not dose.injected for dose in doses):
            yield Wrong("midazolam can replace injections only", "leave `control` out", ("control",))
        yield from _consequence_faults(doses, good)
        yield from _total_faults(doses, good)

    # -------------------------------------------------------------------------------------------- unfolding

    @property
    def name(self) -> str:
        """The course's name, as in tables."""
        return self.course

    def sessions(self, weeks: float) -> list[tuple[float, list[Dose]]]:
        """Planned sessions of `doses` in order: start (h) and the lines given then."""
        return _sessions(self.doses, _horizon(weeks))

    def regimen(self, weeks: float) -> Regimen:
        """Everything planned for so many weeks, decisions aside. Fixed maintenance counts as planned."""
        horizon = _horizon(weeks)
        intakes: list[Administration] = []
        for number, (start, found) in enumerate(self._occasions(horizon), start=1):
            if not isinstance(found, Decision):
                intakes += [one for line in found for one in line.at(start, number)]
        for drug in self.background:
            intakes += [one for time in drug.starts(horizon) for one in drug.at(time)]
        intakes = sorted((one for one in intakes if one.time_h < horizon), key=lambda one: one.time_h)
        signals = sorted(self._signals(intakes, horizon), key=lambda one: (one.time_h, one.name))
        return Regimen(tuple(intakes), tuple(signals))

    def _occasions(self, horizon: float) -> list[tuple[float, list[Dose] | Decision]]:
        """Planned sessions and those that maintenance may give, by time: their order is the number of a session.

        So no two sessions share a number; numbers of sessions that a patient was not given stay unused.
        """
        planned = _sessions(self.doses, _LONGEST_H)
        if not planned:
            return []
        rules = maintenance_decisions(self.maintenance, planned[-1][0], planned[-1][1][-1], len(planned), horizon)
        found: list[tuple[float, list[Dose] | Decision]] = [*self._planned(horizon), *((r.time_h, r) for r in rules)]
        return sorted(found, key=lambda one: one[0])

    def _planned(self, horizon: float) -> list[tuple[float, list[Dose]]]:
        """Sessions of `doses` and of maintenance at fixed intervals."""
        planned = _sessions(self.doses, horizon)
        if not planned:
            return planned
        all_planned = _sessions(self.doses, _LONGEST_H)
        last, line = all_planned[-1][0], all_planned[-1][1][-1]
        for rule in self.maintenance:
            if rule.when is None:
                again = line.model_copy(update={"dose": rule.dose or line.dose})
                planned += [(time, [again]) for time in rule.visits(last, horizon)]
        return sorted(planned, key=lambda one: one[0])

    def _signals(self, intakes: list[Administration], horizon: float) -> list[Signal]:
        signals = session_signals(intakes, horizon, self.blinding)
        switches = {
            "expectancy.contact": self.in_care,
            "expectancy.open_label": self.blinding == "open",
            "expectancy.masked": self.blinding == "masked",
            "expectancy.remote_raters": self.raters == "remote",
        }
        signals += [Signal(0.0, name, 1.0) for name, on in switches.items() if on]
        if self.open_until is not None and self.blinding != "open":
            signals += windows("expectancy.open_label", [(0.0, (self.open_until - 1) * 24.0, 1.0)], horizon)
        therapy = [((day - 1) * 24.0, line.minutes / 60.0) for line in self.therapy for day in line.days]
        signals += windows("psychotherapy.session", [(t, t + long, 1.0) for t, long in therapy], horizon)
        stress = [((one.day - 1) * 24.0, (one.day - 1 + one.days) * 24.0, one.intensity) for one in self.stress]
        return signals + windows("stress.life_stress", stress, horizon)

    def decisions(self, weeks: float) -> list[Decision]:
        """Decisions on measured scores within so many weeks, by time; checks come before maintenance."""
        horizon = _horizon(weeks)
        planned = _sessions(self.doses, _LONGEST_H)
        if not planned:
            return []
        starts, lines = [start for start, _ in planned], [found[0] for _, found in planned]
        found = list(check_decisions(self.checks, starts, lines, horizon))
        for number, (_, one) in enumerate(self._occasions(horizon), start=1):
            if isinstance(one, Decision):
                found.append(replace(one, session=number))
        return sorted(found, key=lambda one: (one.time_h, one.kind))

    def control(self) -> Course | None:
        """The matched control, named `<course>/control`, or None where there is nothing to take out."""
        return matched_control(self)

    # -------------------------------------------------------------------------------------------- judging

    def warnings(self) -> list[str]:
        """What a reader of results must know: what lies outside of what has been studied, or of the model."""
        found: list[str] = []
        for line in self.doses:
            if line.dose is not None:
                found += limits.dose_warnings(line.drug, line.route, line.dose)
            low, high = STUDIED_INFUSION_H
            if line.route == "iv" and line.over is not None and not low - 1e-9 <= line.over <= high + 1e-9:
                found.append(
                    f"{line.drug} iv over {duration_text(line.over)}: infusions of 2 to 100 min have been studied "
                    "[Andrade C (2017) J Clin Psychiatry 78:e852-e857]"
                )
            later = [check.then.dose for check in self.checks] + [rule.dose for rule in self.maintenance]
            found += [text for dose in later if dose for text in limits.dose_warnings(line.drug, line.route, dose)]
        for drug in self.background:
            if drug.dose is not None:
                found += limits.dose_warnings(drug.drug, drug.route, drug.dose, 24.0 / drug.every)
        kinds = sorted({line.kind for line in self.therapy} - {"cbt"})
        if kinds:
            found.append(f"therapy {', '.join(kinds)} acts like cbt: kinds of therapy are not told apart by the model")
        return [f"{self.course}: {text}" for text in dict.fromkeys(found)]


def _horizon(weeks: float) -> float:
    if not math.isfinite(weeks) or weeks <= 0:
        raise InputError(Fault("weeks", f"a horizon of {weeks:g} weeks", "write a number above 0, for instance 8"))
    return weeks * 168.0


def _sessions(doses: Sequence[Dose], horizon_h: float) -> list[tuple[float, list[Dose]]]:
    found: dict[float, list[Dose]] = {}
    for dose in doses:
        for start in dose.starts(horizon_h):
            found.setdefault(start, []).append(dose)
    return sorted(found.items(), key=lambda one: one[0])


def _consequence_faults(doses: Sequence[Dose], good: dict[str, Any]) -> Iterator[Wrong]:
    """Doses of checks and maintenance fit every drug and route of the course."""
    amounts: list[tuple[Amount | None, tuple[str | int, ...]]] = [
        (check.then.dose, ("checks", i, "then", "dose")) for i, check in enumerate(good.get("checks", ()))
    ]
    amounts += [(rule.dose, ("maintenance", i, "dose")) for i, rule in enumerate(good.get("maintenance", ()))]
    for amount, at in amounts:
        for drug, route in dict.fromkeys((dose.drug, dose.route) for dose in doses if dose.dose is not None):
            if amount is not None:
                yield from (Wrong(one.problem, one.remedy, at) for one in amount_faults(drug, route, amount))


@dataclass(frozen=True)
class _Intake:
    """One intake for the safety bound: its largest possible amount, as a part of the bound of its drug and route."""

    time_h: float
    drug: str
    route: str
    part: float
    at: tuple[str | int, ...]


def _total_faults(doses: Sequence[Dose], good: dict[str, Any]) -> Iterator[Wrong]:
    """No 24 hours hold more than the safety bound: all that is planned and may be decided, by all routes together.

    Routes and enantiomers have bounds of their own, so what is summed is each intake's part of its bound. Every intake
    counts with the largest amount that a check may give it.
    """
    planned, maybe = _most(doses, good)
    for family in dict.fromkeys(_family(one.drug) for one, _ in [*((p, 0) for p in planned), *maybe]):
        mine = sorted((one for one in planned if _family(one.drug) == family), key=lambda one: one.time_h)
        given = [(one, wait) for one, wait in maybe if _family(one.drug) == family]
        if any(one.part > 1 + 1e-9 for one in (*mine, *(one for one, _ in given))):
            continue  # told by itself
        worst = _worst_day(mine)
        if any(wait < 24.0 for _, wait in given):
            worst += [one for one, wait in given for _ in range(math.ceil(24.0 / wait - 1e-9))]
        elif given:  # a day without another session, but for background drugs
            alone = [max((one for one, _ in given), key=lambda one: one.part)]
            alone += _worst_day([one for one in mine if one.at[0] == "background"])
            worst = max(worst, alone, key=_sum)
        if (total := _sum(worst)) > 1 + 1e-9:
            kinds = list(dict.fromkeys((one.drug, one.route) for one in worst))
            problem, remedy = limits.total_fault(kinds, total)
            yield Wrong(problem, remedy, worst[0].at)


def _family(drug: str) -> str:
    """Racemic ketamine and its enantiomers count together."""
    return "ketamine" if DRUGS[drug].kind == "ketamine" else drug


def _sum(intakes: Sequence[_Intake]) -> float:
    return math.fsum(one.part for one in intakes)


def _worst_day(intakes: Sequence[_Intake]) -> list[_Intake]:
    """The intakes of the 24 hours that hold most; `intakes` are sorted by time."""
    if not intakes:
        return []
    times, sums = np.array([one.time_h for one in intakes]), np.cumsum([0.0, *(one.part for one in intakes)])
    until = np.searchsorted(times, times + 24.0 - 1e-9)
    first = int(np.argmax(sums[until] - sums[:-1]))
    return list(intakes[first : until[first]])


def _most(doses: Sequence[Dose], good: dict[str, Any]) -> tuple[list[_Intake], list[tuple[_Intake, float]]]:
    """The most that a course may give: planned intakes, and with their least spacing (h) those of conditions."""
    checks = [check.then.dose for check in good.get("checks", ()) if check.then.dose is not None]
    end = _LONGEST_H + 168.0
    planned: list[_Intake] = []
    maybe: list[tuple[_Intake, float]] = []

    def intake(line: Dose | Background, amounts: Sequence[Amount | None], at: tuple[str | int, ...]) -> _Intake | None:
        limit, amounts = limits.find(line.drug, line.route), [one for one in amounts if one is not None]
        if limit is None or line.dose is None or not amounts:
            return None
        return _Intake(0.0, line.drug, line.route, max(map(limit.value, amounts)) / limit.bound.value, at)

    def plan(one: _Intake | None, times: Sequence[float]) -> None:
        planned.extend(replace(one, time_h=time) for time in times if one is not None)

    for i, line in enumerate(doses):
        plan(intake(line, [line.dose, *checks], ("doses", i)), line.starts(end))
    for i, line in enumerate(good.get("background", ())):
        plan(intake(line, [line.dose], ("background", i)), line.starts(end))
    sessions = _sessions(doses, _LONGEST_H)
    if not sessions:
        return planned, maybe
    last, line = sessions[-1][0], sessions[-1][1][-1]
    rules: Sequence[Maintenance] = good.get("maintenance", ())
    any_dose = [line.dose, *checks, *(rule.dose for rule in rules)]
    for i, rule in enumerate(rules):
        times, at = rule.visits(last, end), ("maintenance", i)
        if rule.when is None:
            plan(intake(line, [rule.dose or line.dose, *checks], at), times)
        elif times and (one := intake(line, [rule.dose] if rule.dose else any_dose, at)):
            maybe.append((one, max(rule.at_most or 0.0, rule.every or 0.0)))
    return planned, maybe


# ------------------------------------------------------------------------------------------------ reading


def shipped_courses() -> list[str]:
    """Names of the shipped courses, sorted."""
    return shipped_names("courses")


def parse_course(data: Any, name: str = "course") -> Course:
    """A course from plain Python data (as YAML would give it); all faults at once."""
    return model_from_data(Course, data, name)


def load_course(name_or_path: str | Path) -> Course:
    """A shipped course by name, or a course file by path; all faults at once, each with its line."""
    text = str(name_or_path)
    if text in shipped_courses():
        return model_from_text(Course, shipped_text(f"courses/{text}.yaml"), f"{text}.yaml")
    if Path(text).suffix in (".yaml", ".yml") or Path(text).is_file():
        return read_model(Course, text)
    remedy = nearest(text, shipped_courses()) + " Or name a .yaml file."
    raise InputError(Fault("course", f"there is no course '{text}'", remedy))
