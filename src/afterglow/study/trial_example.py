"""One replicate of a trial as tables: its patients, their observed scores, and what they were given.

Everybody is shown in their own arm. People who were not randomised after a run-in are shown up to the day of the
randomisation; the arms are alike before it. People whom the engine could not simulate have nothing on record.

`patients_of` and `scores_of` take any replicate. What was given is known for the replicate that was run last, because
checks, maintenance, rescue and missed sessions decide it: `patients`, `sessions` and `daily` take the `Example`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from afterglow.clinic.conduct import Reason
from afterglow.clinic.course import Course
from afterglow.clinic.trial import Trial
from afterglow.clinic.visits import label
from afterglow.course_run import dose_table
from afterglow.simulate import Arm
from afterglow.study.trial_result import Example
from afterglow.study.virtual_trial import Conducted

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Loose = Any  # a frame or a column of one: pandas' own types promise less than it keeps

NEAR_H = 1e-6  # two times closer than this are the same, h
REASONS = {
    Reason.NONE: "",
    Reason.AT_RANDOM: "at random",
    Reason.LACK_OF_EFFECT: "lack of effect",
    Reason.SIDE_EFFECTS: "side effects",
}


class Records:
    """What is on record of the enrolled people of a replicate, each in their own arm.

    Attributes:
        arm: own arm, [people]; the reference for those who were not randomised.
        end_h: where the record of those who were not randomised ends, h; infinite for others.
        left_h: when people left or, if they are still followed, stopped treatment, h; infinite for others.
        reason: why (`clinic.conduct.Reason`).
        rescued_h: when they got rescue, h; infinite for others.
        attended: visits that took place, the baseline first, [people, visits].
    """

    def __init__(self, trial: Trial, found: Conducted) -> None:
        """Of a replicate as it was conducted."""
        self.trial, self.found = trial, found
        self.arm = np.where(found.arm >= 0, found.arm, trial.reference_arm)
        run_in_h = -np.inf if trial.randomised is None else (trial.randomised.day - 1) * 24.0
        self.end_h = np.where(found.randomised, np.inf, np.where(found.failed, -np.inf, run_in_h))
        left_h, rescued_h = self._own("left_h"), self._own("rescued_h")
        self.left_h = np.where(left_h <= self.end_h, left_h, np.inf)
        self.rescued_h = np.where(rescued_h <= self.end_h, rescued_h, np.inf)
        self.reason = np.where(np.isfinite(self.left_h), self._own("reason"), Reason.NONE).astype(np.int64)
        gone_h = self.end_h if trial.leaving.followed else np.minimum(self.end_h, self.left_h)
        self.attended = found.kept & (found.visit_h <= gone_h[:, None])

    def _own(self, name: str) -> FloatArray:
        stacked = np.array([getattr(one, name) for one in self.found.arms], dtype=np.float64)
        return stacked[self.arm, np.arange(len(self.arm))]

    def scores(self, scale: str) -> FloatArray:
        """Measured scores [people, visits]; NaN where there was no visit."""
        stacked = np.array([one.scores[scale] for one in self.found.arms])
        return np.where(self.attended, stacked[self.arm, np.arange(len(self.arm))], np.nan)

    def treated_at(self, start_h: FloatArray, who: IntArray) -> BoolArray:
        """Whether something that the course gives at these hours to these people was still given to them.

        People who left are treated no longer, but for the session that drove them away. The treatment of people who are
        still followed is ended by the simulation itself.
        """
        before_end = start_h < self.end_h[who] - NEAR_H
        if self.trial.leaving.followed:
            return before_end
        left_h = self.left_h[who]
        by_session = (self.reason[who] == Reason.SIDE_EFFECTS) & (start_h < left_h + NEAR_H)
        return before_end & ((start_h < left_h - NEAR_H) | by_session)


# ------------------------------------------------------------------------------------------------ any replicate


def patients_of(courses: Sequence[Course], trial: Trial, found: Conducted) -> pd.DataFrame:
    """One row an enrolled person of a replicate.

    Args:
        courses: the arms' courses (`VirtualTrial.courses`).
        trial: the design.
        found: the replicate.

    Returns:
        Columns: patient, arm (empty if not randomised), the covariates, randomised, baseline (measured, on the scale of
        the primary endpoint), left_h, left_reason, rescued_h, sessions_planned (of the course, up to leaving), and
        for each visit at which people are asked believed_VISIT and guessed_VISIT. Empty where there is nothing.
    """
    import pandas as pd

    records = Records(trial, found)
    names = np.array([one.name for one in trial.arms], dtype=object)
    table = found.people.reset_index(drop=True)
    table.insert(0, "patient", np.arange(len(table)))
    table.insert(1, "arm", np.where(found.randomised, names[records.arm], ""))
    more: dict[str, Any] = {
        "randomised": found.randomised,
        "baseline": records.scores(trial.primary.scale)[:, 0],
        "left_h": _finite(records.left_h),
        "left_reason": [REASONS[Reason(one)] for one in records.reason],
        "rescued_h": _finite(records.rescued_h),
        "sessions_planned": _planned(courses, records),
    }
    for column, at in enumerate(trial.blinding.asked):
        visit = trial.visit_number(at) + 1
        asked = found.randomised & records.attended[:, visit] & (found.visit_h[visit] <= records.left_h)
        name = label(at).replace(" ", "")
        more[f"believed_{name}"] = np.where(asked, found.believed[:, column], np.nan)
        more[f"guessed_{name}"] = np.where(asked, np.where(found.guessed[:, column], "active", "control"), "")
    return pd.concat([table, pd.DataFrame(more)], axis=1)


def _finite(time_h: FloatArray) -> FloatArray:
    return np.where(np.isfinite(time_h), time_h, np.nan)


def _planned(courses: Sequence[Course], records: Records) -> IntArray:
    """Sessions that the course plans for each person until they leave."""
    weeks = max(float(records.found.visit_h[-1]), 1.0) / 168.0
    counts = np.zeros(len(records.arm), dtype=np.int64)
    for k, course in enumerate(courses):
        mine = np.flatnonzero(records.arm == k)
        for start, _ in course.sessions(weeks):
            counts[mine] += records.treated_at(np.full(len(mine), start), mine)
    return counts


def scores_of(trial: Trial, found: Conducted) -> pd.DataFrame:
    """One row an observed score: patient, arm, visit, time_h (scheduled), actual_h, scale, value.

    Scores are as measured, also after rescue and of those who stopped treatment; what the analysis makes of them is in
    `study.trial_data`.
    """
    import pandas as pd

    records = Records(trial, found)
    names = np.array([one.name for one in trial.arms], dtype=object)
    visits = np.array([label(time) for time in found.visit_h.tolist()], dtype=object)
    parts = []
    for scale in sorted(found.arms[0].scores):
        values = records.scores(scale)
        who, visit = np.nonzero(~np.isnan(values))
        parts.append(
            pd.DataFrame(
                {
                    "patient": who,
                    "arm": np.where(found.randomised[who], names[records.arm[who]], ""),
                    "visit": visits[visit],
                    "time_h": found.visit_h[visit],
                    "actual_h": found.actual_h[who, visit],
                    "scale": scale,
                    "value": values[who, visit],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


# ------------------------------------------------------------------------------------------------ the example


def patients(example: Example) -> pd.DataFrame:
    """As `patients_of`, with the sessions that each person really had (column sessions)."""
    of = example.of
    table = patients_of(of.courses, of.trial, example.found)
    had: Loose = sessions(example)[["patient", "session"]].drop_duplicates()
    counts = np.bincount(had["patient"].to_numpy(np.int64), minlength=len(table))
    table.insert(list(table.columns).index("sessions_planned") + 1, "sessions", counts)
    return table


def scores(example: Example) -> pd.DataFrame:
    """As `scores_of`."""
    return scores_of(example.of.trial, example.found)


def sessions(example: Example) -> pd.DataFrame:
    """What was given in treatment sessions: one row a person, session, drug and route.

    Returns:
        Columns: patient, session (1, 2, ... in the order in which the person had them), time_h (start), drug, route,
        mg, reason (planned, check, maintenance, rescue).
    """
    records = Records(example.of.trial, example.found)
    table = _joined([_given(arm, records, k) for k, arm in enumerate(example.of.arms)])
    table = table.sort_values(["patient", "time_h", "drug", "route"], kind="stable", ignore_index=True)
    table["session"] = table.groupby("patient")["time_h"].rank(method="dense").astype(np.int64)
    return table[["patient", "session", "time_h", "drug", "route", "mg", "reason"]]


def _given(arm: Arm, records: Records, number: int) -> Loose:
    """Sessions of the people of one arm, at their starts; `session` is still the number in the course."""
    _must_hold(arm, records)
    table: Loose = dose_table(arm.given, range(len(records.arm)))
    table = table[records.arm[table["patient"].to_numpy(np.int64)] == number]
    start = table.groupby(["patient", "session"])["time_h"].transform("min")
    table = table.assign(time_h=start)
    table = table[records.treated_at(start.to_numpy(float), table["patient"].to_numpy(np.int64))]
    keys = ["patient", "session", "time_h", "drug", "route", "reason"]
    return table.groupby(keys, as_index=False)["mg"].sum()


def daily(example: Example) -> pd.DataFrame:
    """What was taken outside sessions: one row a person and stretch of one drug at one dose.

    Returns:
        Columns: patient, drug, route, mg, first_h, last_h, intakes, reason (planned, rescue).
    """
    records = Records(example.of.trial, example.found)
    table = _joined([_intakes(arm, records, k) for k, arm in enumerate(example.of.arms)])
    table = table.sort_values(["patient", "drug", "route", "time_h"], kind="stable")
    what = table[["patient", "drug", "route", "mg", "reason"]]
    new = (what != what.shift()).any(axis=1)
    by = table.assign(stretch=new.cumsum()).groupby(["stretch", *what.columns], as_index=False)
    found = by.agg(first_h=("time_h", "min"), last_h=("time_h", "max"), intakes=("time_h", "size"))
    return found[["patient", "drug", "route", "mg", "first_h", "last_h", "intakes", "reason"]]


def _intakes(arm: Arm, records: Records, number: int) -> Loose:
    """Every intake outside sessions of the people of one arm."""
    import pandas as pd

    _must_hold(arm, records)
    columns = ["patient", "drug", "route", "mg", "time_h", "reason"]
    parts = []
    for who, one, mg, reason in arm.given:
        if one.session is None:
            real = who < len(records.arm)  # groups of lanes are filled up with others
            who, mg = who[real], mg[real]
            mine = (records.arm[who] == number) & records.treated_at(np.full(len(who), one.time_h), who)
            shared = {"drug": one.drug, "route": one.route, "time_h": one.time_h, "reason": reason}
            parts.append(pd.DataFrame({"patient": who[mine], "mg": mg[mine]}).assign(**shared)[columns])
    return _joined(parts) if parts else pd.DataFrame(columns=pd.Index(columns))


def _joined(parts: Sequence[Loose]) -> Loose:
    """One table below the other; the empty ones, whose columns have no types, only where there is nothing else."""
    import pandas as pd

    return pd.concat([one for one in parts if len(one)] or list(parts[:1]), ignore_index=True)


def _must_hold(arm: Arm, records: Records) -> None:
    """What an arm has given is that of its last run."""
    held = [one.replicate for one in arm.blocks]
    if held != [records.found.setting.replicate]:
        raise ValueError(f"the arm holds replicates {held}, not {records.found.setting.replicate} alone")
