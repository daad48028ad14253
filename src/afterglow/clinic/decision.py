"""Decisions inside a course: checks after a dose and maintenance on measured scores.

How `simulate` applies them, patient by patient, in the order of `Course.decisions`:

1. At `time_h` the measured scores of that moment and the measured baseline go into `condition.holds(scores, baseline)`.
   A decision at the very time of a session is taken before its dose.
2. Where it holds:
   * `set-dose`: every planned session from `time_h` on gets `amount` instead of its own (intakes: `dosing.unfold`);
     saline and placebos stay as planned;
   * `stop`: every planned session from `time_h` on falls away, and so does later maintenance;
   * `give`: `administrations(amount)` are given now, unless this patient's last session (planned or given) began less
     than `spacing_h` ago or the next planned one begins in less. An `amount` of None means the amount of the patient's
     last session.
3. Sessions that change bring their expectancy signals with them: `regimen.session_signals`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from afterglow.clinic.condition import Condition, ConditionField
from afterglow.clinic.dosing import LEAST_INTERVAL_H, Dose, repeated, unfold
from afterglow.clinic.files import Strict, Wrong
from afterglow.clinic.quantity import Amount, AmountField, Hours, Spacing
from afterglow.clinic.regimen import Administration

CHECK_AFTER_H = 24.0  # convention of the trials: response is first rated a day after a dose
LONGEST_VISIT_INTERVAL_H = 168.0  # people in maintenance are seen at least weekly (assumed)


@dataclass(frozen=True)
class Decision:
    """One decision on measured scores; see the top of this file for how it is applied."""

    time_h: float
    kind: Literal["check", "maintenance"]
    rule: str  # "check 1", "maintenance 2": which line of the course
    condition: Condition
    action: Literal["set-dose", "stop", "give"]
    amount: Amount | None  # None with `give`: the amount of the last session; None with `stop`
    drug: str
    route: str
    over_h: float
    spacing_h: float  # least time between the starts of two sessions; 0 for checks
    session: int  # of a check: the session it follows; of maintenance: the number that a given session gets

    def administrations(self, amount: Amount | None = None) -> tuple[Administration, ...]:
        """The intakes of a given session, at `amount` or this decision's own; none unless the action is `give`."""
        if self.action != "give":
            return ()
        return unfold(self.drug, self.route, amount or self.amount, self.over_h, self.time_h, self.session)


class Then(Strict):
    """Consequence of a check: a new dose for the remaining sessions, or none at all."""

    dose: AmountField | None = Field(default=None, description="new dose of the remaining sessions")
    stop: bool = Field(default=False, description="no further sessions")

    @classmethod
    def rules(cls, good: dict[str, Any]) -> Iterator[Wrong]:
        """Exactly one consequence."""
        if "dose" in good and "stop" in good and (good["dose"] is None) == (not good["stop"]):
            yield Wrong("a check needs one consequence", "write `then: {dose: 0.75 mg/kg}` or `then: stop`")


def _then(value: Any) -> Any:
    if isinstance(value, str):
        if value != "stop":
            raise Wrong(f"consequence '{value}' is not known", "write `then: {dose: 0.75 mg/kg}` or `then: stop`")
        return {"stop": True}
    return value


def _count(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Wrong(f"{value!r} is not the number of a dose", "doses are counted 1, 2, 3, ...")
    return value


class Check(Strict):
    """One line of `checks`."""

    after_dose: Annotated[int, BeforeValidator(_count)] = Field(description="number of the session, from 1")
    condition: ConditionField = Field(alias="if", description="add for instance `if: improvement(MADRS) < 20 %`")
    then: Annotated[Then, BeforeValidator(_then)] = Field(description="add `then: {dose: ...}` or `then: stop`")
    after: Hours = Field(default=CHECK_AFTER_H, description="score taken this long after the dose, before the next one")


class Maintenance(Strict):
    """One line of `maintenance`: sessions after the planned ones, at a fixed interval or when a condition holds."""

    when: ConditionField | None = Field(default=None, description="condition; without it, sessions at `every`")
    dose: AmountField | None = Field(default=None, description="dose; without it, that of the last session")
    every: Hours | None = Field(
        default=None, ge=LEAST_INTERVAL_H, description="interval of sessions, or of visits with `when`"
    )
    at_most: Spacing | None = Field(default=None, ge=LEAST_INTERVAL_H, description="highest frequency, as '1 per 7 d'")
    until: Hours | None = Field(default=None, description="end, counted from day 1")

    @classmethod
    def rules(cls, good: dict[str, Any]) -> Iterator[Wrong]:
        """A fixed interval or a condition with a highest frequency."""
        if not {"when", "every", "at_most"} <= good.keys():
            return
        if good["when"] is None and good["every"] is None:
            yield Wrong("maintenance has neither `when` nor `every`", 'write `when: "MADRS >= 22"` or `every: 7 d`')
        elif good["when"] is None and good["at_most"] is not None:
            yield Wrong("`at_most` belongs to `when`", "leave it out; `every` is the interval", ("at_most",))
        elif good["when"] is not None and good["at_most"] is None:
            yield Wrong("maintenance with `when` has no highest frequency", "add for instance `at_most: 1 per 7 d`")

    def visits(self, last_dose_h: float, horizon_h: float) -> list[float]:
        """Times of fixed sessions, or of the visits at which `when` is judged, h."""
        wait = self.at_most or self.every or LONGEST_VISIT_INTERVAL_H
        step = self.every or min(wait, LONGEST_VISIT_INTERVAL_H)
        end = horizon_h if self.until is None else min(horizon_h, self.until + 1e-6)
        return repeated(last_dose_h + wait, step, end)


def check_decisions(
    checks: Sequence[Check], starts: Sequence[float], dose_at: Sequence[Dose], horizon_h: float
) -> Iterator[Decision]:
    """Decisions of checks; `starts` are the starts of the planned sessions, `dose_at` their lines."""
    for number, check in enumerate(checks, start=1):
        if check.after_dose > len(starts):
            continue  # the session lies behind the horizon
        time = starts[check.after_dose - 1] + check.after
        if check.after_dose < len(starts):
            time = min(time, starts[check.after_dose])
        dose = dose_at[check.after_dose - 1]
        if time < horizon_h:
            yield Decision(
                time_h=time,
                kind="check",
                rule=f"check {number}",
                condition=check.condition,
                action="stop" if check.then.stop else "set-dose",
                amount=check.then.dose,
                drug=dose.drug,
                route=dose.route,
                over_h=dose.over or 0.0,
                spacing_h=0.0,
                session=check.after_dose,
            )


def maintenance_decisions(
    lines: Sequence[Maintenance], last_h: float, dose: Dose, sessions: int, horizon_h: float
) -> Iterator[Decision]:
    """Decisions of maintenance with a condition; `dose` is the line of the last planned session."""
    for number, line in enumerate(lines, start=1):
        if line.when is None:
            continue
        for visit, time in enumerate(line.visits(last_h, horizon_h), start=1):
            yield Decision(
                time_h=time,
                kind="maintenance",
                rule=f"maintenance {number}",
                condition=line.when,
                action="give",
                amount=line.dose,
                drug=dose.drug,
                route=dose.route,
                over_h=dose.over or 0.0,
                spacing_h=line.at_most or 0.0,
                session=sessions + visit,
            )
