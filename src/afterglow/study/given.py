"""What was given in an arm: dose times and amounts, from the sessions of every patient and from the daily drugs.

What a patient got of a drug in several parts of one session is one dose. Daily drugs are taken as prescribed by
everybody. Grouping is done on arrays: a course has ten thousand doses, and frames are slow at many small groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    from afterglow.clinic.regimen import Administration
    from afterglow.simulate import CourseRun

WEEK_H = 168.0
Columns = dict[str, NDArray[Any]]


def patient_numbers(run: CourseRun) -> NDArray[np.int64]:
    """The patients' numbers, as in the table `patients`."""
    known = len(run.population) == len(run.status)
    return run.population.index.to_numpy() if known else np.arange(len(run.status))


def intakes(run: CourseRun) -> pd.DataFrame:
    """Every dose time of one arm: drug, route, time_h, share of the patients, and milligrams (mg, mg_p05, mg_p95).

    Sessions are those given, checks and boosters included.
    """
    return _intakes(run, _sessions(run))


def _intakes(run: CourseRun, sessions: Columns) -> pd.DataFrame:
    names = ["drug", "route", "time_h", "share", "mg", "mg_p05", "mg_p95", "planned"]
    total = _patients(run)
    rows: list[tuple[Any, ...]] = []
    for key, some in _groups(sessions, ("drug", "route", "time_h")):
        low, middle, high = np.quantile(some["mg"], [0.05, 0.5, 0.95])
        share = len(np.unique(some["patient"])) / total
        rows.append((*key, share, middle, low, high, (some["reason"] == "planned").mean()))
    for one in _daily(run):
        rows.append((one.drug, one.route, one.time_h, 1.0, one.amount, one.amount, one.amount, 1.0))
    return pd.DataFrame(rows, columns=pd.Index(names))


def doses(run: CourseRun) -> pd.DataFrame:
    """One row a drug and route: share of patients, doses a patient, and milligrams a dose; each dose counts once."""
    sessions = _sessions(run)
    times, middle = _intakes(run, sessions), _median_mg(run, sessions)
    rows = []
    for (drug, route), some in _groups({name: times[name].to_numpy() for name in times}, ("drug", "route")):
        row = {"drug": drug, "route": route, "share": some["share"].max(), "doses_mean": some["share"].sum()}
        row |= {"mg": middle[drug, route], "mg_p05": some["mg_p05"].min(), "mg_p95": some["mg_p95"].max()}
        row |= {"first_h": some["time_h"].min(), "last_h": some["time_h"].max()}
        rows.append(row | {"planned": (some["planned"] * some["share"]).sum() / row["doses_mean"]})
    names = ["drug", "route", "share", "doses_mean", "mg", "mg_p05", "mg_p95", "first_h", "last_h", "planned"]
    return pd.DataFrame(rows, columns=pd.Index(names))


def _sessions(run: CourseRun) -> Columns:
    """One row a patient, session and drug, of patients whose simulation went well."""
    table = run.doses
    fine = np.isin(table["patient"].to_numpy(), patient_numbers(run)[run.status == 0])
    given = {name: table[name].to_numpy()[fine] for name in table}
    if not fine.any():
        return given
    codes = [pd.factorize(given[name])[0] for name in ("patient", "session", "drug", "route")]
    order = np.lexsort(codes[::-1])
    new = np.any([code[order][1:] != code[order][:-1] for code in codes], axis=0)
    start = np.concatenate([[0], np.flatnonzero(new) + 1])
    rows = {name: column[order][start] for name, column in given.items()}
    rows["time_h"] = np.minimum.reduceat(given["time_h"][order], start)
    rows["mg"] = np.add.reduceat(given["mg"][order], start)
    return rows


def _groups(rows: Columns, by: Sequence[str]) -> Iterator[tuple[tuple[Any, ...], Columns]]:
    """The rows with one value of the columns `by`, sorted by these."""
    if not len(rows[by[0]]):
        return
    found = [pd.factorize(rows[name], sort=True) for name in by]
    number = np.ravel_multi_index([codes for codes, _ in found], [len(values) for _, values in found])
    order = np.argsort(number, kind="stable")
    for some in np.split(order, np.flatnonzero(np.diff(number[order])) + 1):
        yield tuple(values[codes[some[0]]] for codes, values in found), {k: v[some] for k, v in rows.items()}


def _median_mg(run: CourseRun, sessions: Columns) -> dict[tuple[str, str], float]:
    """Median amount over all doses of all patients, by drug and route."""
    daily, everybody = _daily(run), _patients(run)
    rows = {
        name: np.concatenate([sessions[name].astype(object), np.array([getattr(one, field) for one in daily], object)])
        for name, field in {"drug": "drug", "route": "route", "mg": "amount"}.items()
    }
    rows["patients"] = np.repeat([1.0, everybody], [len(sessions["mg"]), len(daily)])
    return {
        key: float(np.quantile(some["mg"].astype(float), 0.5, weights=some["patients"], method="inverted_cdf"))
        for key, some in _groups(rows, ("drug", "route"))
    }


def _daily(run: CourseRun) -> list[Administration]:
    """Intakes outside sessions, which everybody takes as prescribed."""
    return [one for one in run.course.regimen(float(run.time_h[-1]) / WEEK_H).administrations if one.session is None]


def _patients(run: CourseRun) -> int:
    return max(int((run.status == 0).sum()), 1)
