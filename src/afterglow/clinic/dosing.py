"""One line of `doses` (treatment sessions) or `background` (daily drugs) of a course, checked and unfolded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field

from afterglow.clinic.drugs import DRUGS, INJECTED, DrugName, RouteName
from afterglow.clinic.files import Strict, Wrong
from afterglow.clinic.limits import dose_faults
from afterglow.clinic.quantity import Amount, AmountField, Day, Hours
from afterglow.clinic.regimen import DEVICE_GAP_H, DEVICE_MG, Administration

LEAST_INTERVAL_H = 1.0  # shorter intervals are infusions; write `over`


def unfold(
    drug: str, route: str, amount: Amount | None, over_h: float, time_h: float, session: int | None
) -> tuple[Administration, ...]:
    """The intakes of one dose: one, or one a nasal device (28 mg each, 5 min apart, the same session)."""
    dose = amount or Amount(0.0)
    if route == "nasal-device" and not dose.per_kg and dose.value > DEVICE_MG:
        number = round(dose.value / DEVICE_MG)
        each = dose.value / number
        return tuple(
            Administration(time_h + i * DEVICE_GAP_H, drug, route, each, False, over_h, session) for i in range(number)
        )
    return (Administration(time_h, drug, route, dose.value, dose.per_kg, over_h, session),)


def repeated(first_h: float, every_h: float, end_h: float) -> list[float]:
    """Times first, first + every, ... before the end, hours; computed by multiplication, so that nothing drifts."""
    times: list[float] = []
    while (time := first_h + len(times) * every_h) < end_h - 1e-9:
        times.append(time)
    return times


def dose_rules(good: dict[str, Any]) -> Iterator[Wrong]:
    """Rules on drug, route, dose and duration; `good` as in `Strict.rules`."""
    drug, route = good.get("drug"), good.get("route")
    amount: Amount | None = good.get("dose")
    if drug is None or route is None:
        return
    allowed = DRUGS[drug].routes
    if route not in allowed:
        yield Wrong(f"{drug} is not given by route '{route}' here", "routes: " + ", ".join(allowed), ("route",))
        return
    if DRUGS[drug].kind == "inert":
        if amount is not None:
            yield Wrong(f"{drug} has no dose, but {amount} is given", "leave `dose` out", ("dose",))
    elif "dose" in good and amount is None:
        yield Wrong(f"'dose' of {drug} is missing", "add for instance `dose: 0.5 mg/kg`")
    elif amount is not None:
        yield from (Wrong(wrong.problem, wrong.remedy, ("dose",)) for wrong in amount_faults(drug, route, amount))
    if "over" in good:
        yield from _duration_faults(drug, route, good["over"])


def amount_faults(drug: str, route: str, amount: Amount) -> Iterator[Wrong]:
    """Why one amount is refused for a drug and route."""
    if route == "nasal-device" and DRUGS[drug].kind != "inert":
        if amount.per_kg:
            yield Wrong(
                f"{amount} by nasal device: a device holds a fixed dose", f"write for instance '{2 * DEVICE_MG:g} mg'"
            )
            return
        devices = amount.value / DEVICE_MG
        if abs(devices - round(devices)) > 1e-9 or round(devices) == 0:
            near = max(1, round(devices)) * DEVICE_MG
            yield Wrong(
                f"{amount} is not a multiple of {DEVICE_MG:g} mg, the content of a device", f"did you mean {near:g} mg?"
            )
    yield from dose_faults(drug, route, amount)


def _duration_faults(drug: str, route: str, over_h: float | None) -> Iterator[Wrong]:
    if route == "iv" and over_h is None:
        yield Wrong(f"{drug} iv has no duration of infusion", "add for instance `over: 40 min`")
    elif over_h is not None and route not in ("iv", "sc"):
        yield Wrong(f"`over` is the duration of an infusion, not of route '{route}'", "leave `over` out", ("over",))
    elif over_h is not None and over_h > 24.0:
        yield Wrong(f"an infusion of {over_h:g} h is longer than a day", "at most 24 h", ("over",))


class Dose(Strict):
    """One line of `doses`: treatment sessions with one drug, on given days or at a fixed interval."""

    drug: DrugName = Field(description="add `drug:`")
    route: RouteName = Field(description="add `route:`")
    dose: AmountField | None = Field(default=None, description="mg or mg/kg; not for saline and placebos")
    over: Hours | None = Field(default=None, description="duration of an infusion, h")
    days: tuple[Day, ...] | None = Field(default=None, min_length=1, description="days, counted from 1")
    every: Hours | None = Field(default=None, ge=LEAST_INTERVAL_H, description="interval, instead of `days`")
    first: Day = Field(default=1.0, alias="from", description="first day, with `every`")
    until: Day | None = Field(default=None, description="last day, with `every`")

    @classmethod
    def rules(cls, good: dict[str, Any]) -> Iterator[Wrong]:
        """Drug, route, dose and duration fit; days or an interval, not both."""
        yield from dose_rules(good)
        days, every, until = good.get("days"), good.get("every"), good.get("until")
        if "days" in good and "every" in good:
            if (days is None) == (every is None):
                problem = "neither `days` nor `every` is given" if days is None else "`days` and `every` are both given"
                yield Wrong(problem, "write `days: [1, 3, 5]`, or `every: 7 d` with `from` and `until`")
            elif days is not None and (until is not None or good.get("first", 1.0) != 1.0):
                yield Wrong("`from` and `until` belong to `every`, but `days` are given", "leave them out")
        if days and (twice := sorted({day for day in days if days.count(day) > 1})):
            yield Wrong(f"day {twice[0]:g} is listed twice", "list each day once", ("days",))
        if until is not None and until < good.get("first", 1.0):
            yield Wrong(f"`until` {until:g} is before `from`", "exchange them", ("until",))

    def starts(self, horizon_h: float) -> list[float]:
        """Starts of the sessions before the horizon, h."""
        if self.days is not None:
            return [(day - 1) * 24.0 for day in sorted(self.days) if (day - 1) * 24.0 < horizon_h]
        end = horizon_h if self.until is None else min(horizon_h, self.until * 24.0)
        return repeated((self.first - 1) * 24.0, self.every or 24.0, end)

    def at(self, time_h: float, session: int | None) -> tuple[Administration, ...]:
        """The intakes of one session."""
        return unfold(self.drug, self.route, self.dose, self.over or 0.0, time_h, session)

    @property
    def injected(self) -> bool:
        """Whether the route needs a needle."""
        return self.route in INJECTED


class Background(Strict):
    """One line of `background`: a drug taken every day, not part of the sessions."""

    drug: DrugName = Field(description="add `drug:`")
    dose: AmountField | None = Field(default=None, description="mg; not for placebo-pill")
    every: Hours = Field(default=24.0, ge=LEAST_INTERVAL_H, description="interval between intakes")
    from_day: Day = Field(default=1.0, description="first day")
    until_day: Day | None = Field(default=None, description="last day; without it, to the end")
    route: RouteName = Field(default="oral", description="oral, unless said otherwise")

    @classmethod
    def rules(cls, good: dict[str, Any]) -> Iterator[Wrong]:
        """Drug, route and dose fit; the days are in order."""
        yield from dose_rules(good)
        until = good.get("until_day")
        if until is not None and until < good.get("from_day", 1.0):
            yield Wrong(f"until_day {until:g} is before from_day", "exchange them", ("until_day",))

    def starts(self, horizon_h: float) -> list[float]:
        """Times of the intakes before the horizon, h."""
        end = horizon_h if self.until_day is None else min(horizon_h, self.until_day * 24.0)
        return repeated((self.from_day - 1) * 24.0, self.every, end)

    def at(self, time_h: float) -> tuple[Administration, ...]:
        """One intake."""
        return unfold(self.drug, self.route, self.dose, 0.0, time_h, None)
