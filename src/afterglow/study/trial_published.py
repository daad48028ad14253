"""What a published trial reported, beside what its simulated replicates report.

Only for designs that bear the id of a trial record. The calibration saw some of these numbers: this table shows how the
model fits a trial; `afterglow validate --loo` shows how it predicts trials it has not seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from afterglow.clinic.trial import NEAR_H, Trial
from afterglow.data.outcome_schema import Outcome
from afterglow.data.trial_schema import TrialRecord

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("arm", "control", "scale", "time_h", "measure", "published", "published_se", "simulated", "lo90", "hi90")
BY_ARM = ("mean", "sd", "change", "change_sd", "response", "remission")
PERCENT = ("response", "remission")
Loose = Any  # a frame or a row of one: pandas' own types promise less than it keeps


def beside(trial: Trial, tables: Mapping[str, pd.DataFrame], scenario: int, world: str) -> pd.DataFrame:
    """Published numbers that the simulated trial measures too; empty where the trial is not a record.

    Returns:
        Columns as `COLUMNS`; shares in percent; `lo90` to `hi90` holds 90 % of the replicates.
    """
    import pandas as pd

    record = _record(trial.name)
    rows = []
    for row in record.outcomes if record is not None else ():
        found = _simulated(row, tables, scenario, world)
        if found is not None and math.isfinite(found[0]):
            line = {"arm": row.arm, "control": row.versus or "", "scale": row.scale or "", "time_h": row.time_h}
            line |= {"measure": row.measure, "published": row.value, "published_se": row.se}
            rows.append(line | dict(zip(("simulated", "lo90", "hi90"), found, strict=True)))
    return pd.DataFrame(rows, columns=pd.Index(COLUMNS))


def _record(name: str) -> TrialRecord | None:
    from afterglow import data

    return data.trials().get(name)


def _simulated(
    row: Outcome, tables: Mapping[str, pd.DataFrame], scenario: int, world: str
) -> tuple[float, float, float] | None:
    """The simulated number with the ends between which 90 % of replicates lie."""
    if row.among or row.from_h is not None:
        return None

    def pick(name: str, **wanted: Any) -> Loose:
        table: Loose = tables[name]
        keep = (table["scenario"] == scenario) & (table["world"] == world)
        for column, value in wanted.items():
            if column == "time_h":
                keep &= (table[column] - value).abs() < NEAR_H
            else:
                keep &= table[column] == value
        return table[keep].iloc[0] if keep.any() else None

    if row.measure in BY_ARM and row.time_h is not None:
        one = pick("arms", arm=row.arm, scale=row.scale, time_h=row.time_h)
        factor = 100.0 if row.measure in PERCENT else 1.0
        return None if one is None else _scaled(one, row.measure, factor)
    if row.measure == "difference" and row.time_h is not None:
        wanted = {"measure": "change", "arm": row.arm, "control": row.versus, "scale": row.scale, "time_h": row.time_h}
        one = pick("contrasts", **wanted)
        return None if one is None else (one["difference"], one["lo90"], one["hi90"])
    if row.measure == "hazard_ratio":
        one = pick("contrasts", measure="relapse", analysis="cox", arm=row.arm, control=row.versus)
        return None if one is None else (math.exp(one["difference"]), math.exp(one["lo90"]), math.exp(one["hi90"]))
    if row.measure == "relapse" and row.time_h is None:
        one = pick("flow", arm=row.arm)
        return None if one is None else _scaled(one, "with_event", 100.0)
    return None


def _scaled(row: Loose, name: str, factor: float) -> tuple[float, float, float]:
    return factor * row[name], factor * row[f"{name}_lo90"], factor * row[f"{name}_hi90"]
