"""Dates and clock times of event tables, made hours."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from afterglow.errors import Fault

_CLOCK = re.compile(r"(\d{1,3}):([0-5]\d)(?::([0-5]\d(?:\.\d*)?))?")
OTHER_DATES = ("DAT1", "DAT2", "DAT3")  # NONMEM's names for days in another order
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def hours_of_clock(raw: Any, places: list[str], faults: list[Fault]) -> tuple[Any, str]:
    """TIME as hours where it is a clock time (hh:mm or hh:mm:ss) or where there is a DATE; else the table as it is.

    DATE is a calendar day (yyyy-mm-dd) or the number of a day; without it all clock times are of one day. As in NONMEM,
    hours count from the person's first row. Returns the table without DATE, and a line that says what was done ("" for
    nothing).
    """
    text = raw["TIME"].map(lambda x: str(x).strip() if isinstance(x, str) else x)
    for column in (c for c in raw.columns if str(c).upper() in OTHER_DATES):
        faults.append(
            Fault(str(column), "days in this order are not read", "write them as yyyy-mm-dd in a column DATE")
        )
    if "DATE" not in raw and not any(isinstance(x, str) and ":" in x for x in text):
        return raw, ""
    hours = np.array([_hour(x) for x in text])
    days = np.zeros(len(raw)) if "DATE" not in raw else np.array([_day(x) for x in raw["DATE"]])
    for k in np.flatnonzero(np.isnan(hours)):
        faults.append(Fault(places[k], f"TIME = {text.iloc[k]!r} is no clock time", "use hh:mm, hh:mm:ss or hours"))
    for k in np.flatnonzero(np.isnan(days)):
        value = raw["DATE"].iloc[k]
        faults.append(Fault(places[k], f"DATE = {value!r} is no day", "use yyyy-mm-dd or the number of the day"))
    total = pd.Series(24.0 * days + hours, index=raw.index)
    person = total.groupby(raw["ID"].map(lambda x: str(x).strip()), sort=False)
    for k in np.flatnonzero((person.diff() < 0) & ("DATE" not in raw)):
        faults.append(Fault(places[k], f"TIME = {text.iloc[k]} goes back", "give the days in a column DATE"))
    out = raw.drop(columns="DATE", errors="ignore")
    out["TIME"] = total - person.transform("first")
    what = "DATE and TIME" if "DATE" in raw else "TIME (clock times of one day)"
    return out, f"{what} became hours since each person's first row"


def _hour(x: object) -> float:
    """Hours of hh:mm, hh:mm:ss or a number; NaN for anything else."""
    found = _CLOCK.fullmatch(str(x))
    if found:
        return int(found[1]) + int(found[2]) / 60 + float(found[3] or 0) / 3600
    return _number(x)


def _day(x: object) -> float:
    """Days since some day; NaN for what is none."""
    text = str(x).strip().removesuffix(" 00:00:00")  # as pandas writes a day
    if _DAY.fullmatch(text):
        try:
            return float(date.fromisoformat(text).toordinal())
        except ValueError:
            return np.nan
    value = _number(x)
    return value if value % 1 == 0 else np.nan


def _number(x: object) -> float:
    try:
        value = float(str(x))
    except ValueError:
        return np.nan
    return value if np.isfinite(value) else np.nan
