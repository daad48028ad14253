"""Result tables: pure functions from runs to pandas frames. Their columns are fixed; other programs read them.

Signs: `change` is score minus baseline and `difference` is arm minus control, so for a depression scale negative is
better. Response, remission and relapse are shares of patients, 0-1. Patients whose simulation failed (status not 0)
are left out, and `n` says how many remain. Intervals (`_lo90`, `_hi90`) are those of `study.intervals`.

Time to response and relapse are read at the ratings of a usual trial (hours of the first day, then weekly), not at
every day: scores fluctuate, and whoever looks daily finds more of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from afterglow.clinic import outcome, scale
from afterglow.clinic.regimen import SESSION_H
from afterglow.study import given, intervals
from afterglow.study.given import patient_numbers
from afterglow.study.quantities import QUANTITIES, read

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from afterglow.simulate import CourseRun

    FloatArray = NDArray[np.float64]

QUANTILES = {"p05": 0.05, "p10": 0.10, "p25": 0.25, "median": 0.50, "p75": 0.75, "p90": 0.90, "p95": 0.95}
DAY_1_H, WEEK_H = 24.0, 168.0
RELAPSE_RULE: outcome.RelapseRule = "half-baseline-18"

ARM_ESTIMATES = {
    "mean": "mean",
    "sd": "spread",
    "change": "mean",
    "change_sd": "spread",
    "response": "fraction",
    "remission": "fraction",
}
SUMMARY_ESTIMATES = ("response", "remission", "change")

_RunList = Sequence["CourseRun"]


def patients(runs: _RunList) -> pd.DataFrame:
    """One row a patient: the covariates the population was drawn with."""
    table = runs[0].population.reset_index()
    return table.rename(columns={str(table.columns[0]): "patient"})


def scores(runs: _RunList, scales: Sequence[str] = ("MADRS",)) -> pd.DataFrame:
    """Measured scores: patient, arm, visit, time_h, scale, value."""
    parts: dict[str, list[Any]] = {name: [] for name in ("patient", "visit", "time_h", "value")}
    keys: list[tuple[str, str]] = []
    labels: list[str] = []
    for run in runs:
        fine = np.flatnonzero(run.status == 0)
        times, visits = run.time_h[run.visit_index], len(labels) + np.arange(len(run.visit))
        labels += run.visit
        for name in scales:
            keys.append((run.arm, name))
            parts["patient"].append(np.repeat(patient_numbers(run)[fine], len(times)))
            parts["visit"].append(np.tile(visits, len(fine)))
            parts["time_h"].append(np.tile(times, len(fine)))
            parts["value"].append(run.measured[name][fine].ravel())
    # Words are looked up, not written out: there are three in every one of nearly a million rows.
    rows = [len(one) for one in parts["value"]]
    arm, kind = (pd.Series(column, dtype="str").repeat(rows).array for column in zip(*keys, strict=True))
    whole = {name: np.concatenate(found) for name, found in parts.items()}
    visit = pd.Series(labels, dtype="str").take(whole["visit"]).array
    columns = {"patient": whole["patient"], "arm": arm, "visit": visit, "time_h": whole["time_h"]}
    return pd.DataFrame(columns | {"scale": kind, "value": whole["value"]}, copy=False)


def arms(runs: _RunList, scales: Sequence[str] = ("MADRS",), draws: Sequence[_RunList] = ()) -> pd.DataFrame:
    """Each arm at each visit: n, mean, sd, change, change_sd, response and remission, with 90 % intervals.

    Args:
        runs: one run an arm.
        scales: which measured scales.
        draws: the same arms again, each time at another draw of the model's parameters; widens the intervals by the
            uncertainty of the parameters.
    """
    others = [{run.arm: run for run in draw} for draw in draws]
    parts = []
    for run in runs:
        for name in scales:
            main = _arm_estimates(run, name)
            repeats = [_arm_estimates(other[run.arm], name) for other in others]
            columns: dict[str, Any] = _visit_columns(run, name)
            columns["n"] = main["mean"].n.astype(int)
            for what, kind in ARM_ESTIMATES.items():
                low, high = intervals.interval(kind, main[what], [repeat[what] for repeat in repeats])
                columns |= {what: main[what].value, f"{what}_lo90": low, f"{what}_hi90": high}
            parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def contrasts(runs: _RunList, scales: Sequence[str] = ("MADRS",), draws: Sequence[_RunList] = ()) -> pd.DataFrame:
    """Each arm minus its own matched control, paired by patient, with the power of a parallel trial.

    `difference` is the mean over patients of (score under the arm - score of the same patient under the control).
    `power` is that of a two-arm parallel trial with 50 patients a group which compares the change from baseline by a
    two-sided t-test at 5 %; its spread is that between patients (pooled SD of change), not that of the pairs.
    """
    known = {run.arm: run for run in runs}
    others = [{run.arm: run for run in draw} for draw in draws]
    parts = []
    for run in runs:
        control = known.get(f"{run.arm}/control")
        if control is None:
            continue
        for name in scales:
            main = intervals.mean(_paired(run, control, name))
            repeats = [intervals.mean(_paired(o[run.arm], o[control.arm], name)) for o in others]
            low, high = intervals.interval("mean", main, repeats)
            spreads = [intervals.spread(_change(_measured(arm, name))).value for arm in (run, control)]
            pooled = np.sqrt((spreads[0] ** 2 + spreads[1] ** 2) / 2)
            columns: dict[str, Any] = {**_visit_columns(run, name), "control": control.arm}
            columns |= {"difference": main.value, "lo90": low, "hi90": high}
            columns["power"] = intervals.power(main.value, pooled)
            parts.append(pd.DataFrame(columns))
    names = ["arm", "control", "visit", "time_h", "scale", "difference", "lo90", "hi90", "power"]
    return pd.DataFrame(pd.concat(parts, ignore_index=True) if parts else None, columns=pd.Index(names))


def uncertainty(runs: _RunList, scales: Sequence[str], draws: Sequence[_RunList]) -> pd.DataFrame:
    """Where the intervals of change and difference come from: chance among the patients, or what calibration leaves.

    `sd_sampling` and `sd_parameters` are the two parts of the standard error, `from_parameters` the share of the
    variance that the second makes.
    """
    known = {run.arm: run for run in runs}
    others = [{run.arm: run for run in draw} for draw in draws]
    parts = []
    for run in runs:
        control = known.get(f"{run.arm}/control")
        for name in scales:
            of = {"change": (_mean_change(run, name), [_mean_change(o[run.arm], name) for o in others])}
            if control is not None:
                pairs = [(o[run.arm], o[control.arm]) for o in others]
                repeats = [intervals.mean(_paired(arm, other, name)) for arm, other in pairs]
                of["difference"] = (intervals.mean(_paired(run, control, name)), repeats)
            for what, (main, repeats) in of.items():
                sampling, parameters = intervals.parts(main, repeats)
                columns: dict[str, Any] = {**_visit_columns(run, name), "of": what}
                columns |= {"sd_sampling": np.sqrt(sampling), "sd_parameters": np.sqrt(parameters)}
                with np.errstate(divide="ignore", invalid="ignore"):
                    columns["from_parameters"] = parameters / (sampling + parameters)
                parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def trajectories(runs: _RunList, quantities: Sequence[str] = tuple(QUANTITIES)) -> pd.DataFrame:
    """Dense medians and quantiles over patients: arm, quantity, unit, time_h, p05 ... median ... p95."""
    parts = []
    for run in runs:
        fine = run.status == 0
        for name in quantities:
            values = read(run, name)
            if values is None:
                continue
            found = np.quantile(values[fine], list(QUANTILES.values()), axis=0) if fine.any() else np.nan
            found = np.broadcast_to(found, (len(QUANTILES), len(run.time_h)))
            columns: dict[str, Any] = {"arm": run.arm, "quantity": name, "unit": QUANTITIES[name].unit}
            columns |= {"time_h": run.time_h} | dict(zip(QUANTILES, found, strict=True))
            parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def doses(runs: _RunList) -> pd.DataFrame:
    """What was given: arm, drug, route, patients, doses a patient, and milligrams a dose; each dose counts once."""
    parts = [given.doses(run) for run in runs]
    for run, table in zip(runs, parts, strict=True):
        table.insert(0, "arm", run.arm)
    filled = [table for table in parts if len(table)]  # empty columns have no type to keep
    return pd.concat(filled, ignore_index=True) if filled else parts[0]


def summary(runs: _RunList, name: str = "MADRS", by_arm: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row an arm: what the short table on the screen shows (see `units.json` for each column).

    Args:
        runs: one run an arm.
        name: which measured scale.
        by_arm: the table `arms` of these runs with this scale, where it is there already.
    """
    found: Any = arms(runs, (name,)) if by_arm is None else by_arm[by_arm["scale"] == name]
    estimates = {(row["arm"], row["visit"]): row for row in found.to_dict("records")}
    rows = []
    for run in runs:
        last = run.visit[-1]
        row: dict[str, Any] = {"arm": run.arm, "title": run.course.title, "scale": name}
        late, early = estimates[run.arm, last], estimates.get((run.arm, day_1_visit(run) or ""), {})
        row |= {"n": int(late["n"]), "visit": last}
        columns = [f"{what}{end}" for what in SUMMARY_ESTIMATES for end in ("", "_lo90", "_hi90")]
        row |= {column: late[column] for column in columns}
        row |= {f"day1_{column}": early.get(column, np.nan) for column in columns}
        rows.append(row | _course_of_illness(run, name) | _safety(run))
    return pd.DataFrame(rows)


def day_1_visit(run: CourseRun) -> str | None:
    """The visit a day after the first dose (18-36 h), if there is one."""
    times = run.time_h[run.visit_index]
    nearest = int(np.argmin(np.abs(times - DAY_1_H)))
    return run.visit[nearest] if 18 <= times[nearest] <= 36 else None


def _visit_columns(run: CourseRun, name: str) -> dict[str, Any]:
    return {"arm": run.arm, "visit": list(run.visit), "time_h": run.time_h[run.visit_index], "scale": name}


def _measured(run: CourseRun, name: str) -> FloatArray:
    """Measured scores [patients, visits], NaN where the simulation of a patient failed."""
    return np.where((run.status == 0)[:, None], run.measured[name], np.nan)


def _change(values: FloatArray) -> FloatArray:
    return values - values[:, :1]


def _mean_change(run: CourseRun, name: str) -> intervals.Estimate:
    return intervals.mean(_change(_measured(run, name)))


def _paired(run: CourseRun, control: CourseRun, name: str) -> FloatArray:
    return _measured(run, name) - _measured(control, name)


def _arm_estimates(run: CourseRun, name: str) -> dict[str, intervals.Estimate]:
    values = _measured(run, name)
    known = np.isfinite(values)
    responded = np.where(known, outcome.response(values, values[:, 0]), np.nan)
    has_rule = bool(scale.get(name).remission)
    remitted = np.where(known, outcome.remission(values, name), np.nan) if has_rule else np.full_like(values, np.nan)
    return {
        "mean": intervals.mean(values),
        "sd": intervals.spread(values),
        "change": _mean_change(run, name),
        "change_sd": intervals.spread(_change(values)),
        "response": intervals.fraction(responded),
        "remission": intervals.fraction(remitted),
    }


def _course_of_illness(run: CourseRun, name: str) -> dict[str, float]:
    """Time to response and relapse at the ratings; a response counts when the next rating confirms it."""
    times = run.time_h[run.visit_index]
    rated = (times <= DAY_1_H) | (times % WEEK_H == 0)
    times, values = times[rated], _measured(run, name)[run.status == 0][:, rated]
    if not len(values):
        return dict.fromkeys(("responded_ever", "time_to_response_d", "relapse", "time_to_relapse_d"), np.nan)
    baseline = values[:, 0]
    response = outcome.response(values, baseline)
    confirmed = np.column_stack([response[:, :-1] & response[:, 1:], np.zeros(len(values), dtype=bool)])
    waits = outcome.time_to_first(confirmed, times)
    since = np.where(times >= waits[:, None], values, np.nan)  # missing scores are neither response nor relapse
    back = outcome.relapse(since, baseline, times, RELAPSE_RULE, scale=name)
    return {
        "responded_ever": float(np.isfinite(waits).mean()),
        "time_to_response_d": _days(float(np.quantile(waits, 0.5, method="higher"))),
        "relapse": float(back.event[back.at_risk].mean()) if back.at_risk.any() else np.nan,
        "time_to_relapse_d": _days(back.median_h()),
    }


def _days(hours: float) -> float:
    """Days; NaN for what never comes."""
    return hours / 24 if np.isfinite(hours) else np.nan


def worst(run: CourseRun, name: str) -> FloatArray | None:
    """Each patient's highest value of a quantity over the run; None when it was not recorded or nobody is left."""
    values = read(run, name)
    fine = run.status == 0
    return values[fine].max(axis=1) if values is not None and fine.any() else None


def ever(run: CourseRun, name: str) -> FloatArray | None:
    """Each patient's chance of an event in any of their sessions, in the quantity's unit; None without sessions.

    The chance in one session is that at its worst moment; sessions count as independent of each other.
    """
    risk = read(run, name)
    fine = run.status == 0
    if risk is None or not len(run.doses) or not fine.any():
        return None
    factor = QUANTITIES[name].factor
    none = np.ones(len(risk))
    for _, session in run.doses.groupby("session"):
        who = np.unique(session["patient"].to_numpy(np.int64))
        start = session["time_h"].to_numpy(np.float64).min()
        inside = (run.time_h >= start) & (run.time_h <= start + SESSION_H)
        if inside.any():
            none[who] *= 1 - risk[who][:, inside].max(axis=1) / factor
    return factor * (1 - none[fine])


def _safety(run: CourseRun) -> dict[str, float]:
    """Worst moments (mean over patients, and what one patient in 20 exceeds), nausea in any session, and sedation."""
    row: dict[str, float] = {}
    for name in ("cadss", "systolic"):
        found = worst(run, name)
        found = np.array([np.nan]) if found is None else found
        row |= {f"{name}_worst": float(found.mean()), f"{name}_worst_p95": float(np.quantile(found, 0.95))}
    nausea = ever(run, "nausea")
    row["nausea"] = np.nan if nausea is None else float(nausea.mean()) / QUANTITIES["nausea"].factor
    sedation = worst(run, "sedation")
    row["sedated"] = np.nan if sedation is None else float(sedation.mean()) / QUANTITIES["sedation"].factor
    return row
