"""What replicates of a trial say together: arms, contrasts, operating characteristics, the power of other sizes.

Intervals of `arms` and `contrasts` (`_lo90`, `_hi90`) hold 90 % of the replicates: what one such trial would report.
Intervals of powers and other shares are those of the number of replicates (Wilson).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from afterglow.study.statistics.binary import share
from afterglow.study.trial_tables import better

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
Row = dict[str, Any]
Loose = Any  # a frame or a column of one: pandas' own types promise less than it keeps

AVERAGED = ("mean", "sd", "change", "change_sd", "response", "remission", "lsmean")
CONTRAST = ["scenario", "endpoint", "measure", "scale", "analysis", "arm", "control", "visit", "time_h"]
LEVEL = 0.9
# name of each world's power among the operating characteristics, and what it counts
POWERS = {
    "posterior": "assurance",
    "mean": "power_at_mean",
    "masked": "power_masked",
    "inert": "power_inert",
    "inert-masked": "power_inert_masked",
}


def arms(visits: pd.DataFrame) -> pd.DataFrame:
    """Arms by visit over replicates: scenario, world, arm, visit, time_h, scale, n and each of `AVERAGED`."""
    keys = ["scenario", "world", "arm", "visit", "time_h", "scale"]
    rows = []
    for row, some in _groups(visits, keys):
        row["n"] = float(some["n"].mean())
        for name in AVERAGED:
            row |= _spread(name, some[name].to_numpy(float))
        rows.append(row)
    return _frame(rows)


def _spread(name: str, values: FloatArray) -> Row:
    """Mean over replicates, and the ends between which 90 % of them lie."""
    known = values[np.isfinite(values)]
    if not len(known):
        return {name: math.nan, f"{name}_lo90": math.nan, f"{name}_hi90": math.nan}
    low, high = np.quantile(known, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return {name: float(known.mean()), f"{name}_lo90": float(low), f"{name}_hi90": float(high)}


def contrasts(estimates: pd.DataFrame) -> pd.DataFrame:
    """Each contrast in each world: difference (mean estimate), lo90, hi90, se, truth, power and its interval."""
    keys = ["world", *CONTRAST]
    rows = []
    for row, some in _groups(estimates, keys):
        values = _spread("difference", some["estimate"].to_numpy(float))
        row["replicates"] = len(some)
        row |= {
            "difference": values["difference"],
            "lo90": values["difference_lo90"],
            "hi90": values["difference_hi90"],
        }
        row |= {name: _mean(some[name]) for name in ("se", "truth", "n_arm", "n_control")}
        row |= _share("power", some["significant"] & some["favours"])
        row["without_estimate"] = int((some["problem"] != "").sum())
        rows.append(row)
    return _frame(rows)


def _mean(column: Loose) -> float:
    values = column.to_numpy(float)
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


def _share(name: str, hits: Iterable[Any]) -> Row:
    """A share of replicates with its Wilson interval."""
    found = share(np.asarray(list(hits), dtype=float))
    if found.problem:
        return {name: math.nan, f"{name}_lo90": math.nan, f"{name}_hi90": math.nan}
    low, high = found.interval(LEVEL)
    return {name: found.estimate, f"{name}_lo90": low, f"{name}_hi90": high}


def operating_characteristics(
    estimates: pd.DataFrame, flow: pd.DataFrame, margin: dict[int, float], varied: Mapping[int, Mapping[str, Any]]
) -> pd.DataFrame:
    """One row a scenario and contrast.

    Args:
        estimates, flow: tables of replicates (`study.trial_tables`).
        margin: distance from the truth that counts as near, by scenario.
        varied: what each scenario varies, by path in the file.

    Returns:
        Columns: the scenario's varied fields; the contrast; assurance, power_at_mean, power_masked, power_inert,
        type_1_error (each with its interval, where its world was run); confirmed (after multiplicity); estimate,
        truth, bias and its standard error, coverage of the 95 % interval, near (share of replicates within `margin`
        of the truth) in the posterior world; estimate_masked; mean numbers of people.
    """
    people = _people(flow)
    rows = []
    for key, some in _groups(estimates, CONTRAST):
        scenario = int(key["scenario"])
        row = {"scenario": scenario, **varied[scenario], **key}
        worlds = {one["world"]: part for one, part in _groups(some, ["world"])}
        for name, power in POWERS.items():
            if name in worlds:
                row |= _share(power, worlds[name]["significant"] & worlds[name]["favours"])
        if "null" in worlds:
            row |= _share("type_1_error", worlds["null"]["significant"])
        main = worlds.get("posterior", next(iter(worlds.values())))
        row |= _share("confirmed", main["confirmed"])
        row |= _accuracy(main, margin[scenario])
        for name in ("masked", "mean", "inert"):
            if name in worlds:
                row[f"estimate_{name}"] = _mean(worlds[name]["estimate"])
        row["replicates"] = len(main)
        row |= people.get(scenario, {})
        rows.append(row)
    return _frame(rows)


def _accuracy(some: Loose, margin: float) -> Row:
    estimate, truth = some["estimate"].to_numpy(float), some["truth"].to_numpy(float)
    known = np.isfinite(estimate) & np.isfinite(truth)
    row: Row = {"estimate": _mean(some["estimate"]), "se": _mean(some["se"]), "truth": _mean(some["truth"])}
    if not known.any():
        return row | {"bias": math.nan, "bias_se": math.nan, "coverage95": math.nan, "near": math.nan, "margin": margin}
    miss = (estimate - truth)[known]
    inside = (some["lo95"].to_numpy(float) <= truth) & (truth <= some["hi95"].to_numpy(float))
    row |= {
        "bias": float(miss.mean()),
        "bias_se": float(miss.std(ddof=1) / math.sqrt(len(miss))) if len(miss) > 1 else math.nan,
    }
    row |= _share("coverage95", inside[known])
    in_points = str(some["measure"].iloc[0]) == "change"
    return row | ({"near": float(np.mean(np.abs(miss) <= margin)), "margin": margin} if in_points else {})


def _people(flow: pd.DataFrame) -> dict[int, Row]:
    """Mean numbers of people by scenario, over replicates of the first world."""
    found: dict[int, Row] = {}
    for key, some in _groups(flow, ["scenario"]):
        first: Loose = some[some["world"] == some["world"].iloc[0]]
        by = first.groupby("replicate")
        found[int(key["scenario"])] = {
            "n_rated": float(by["rated"].first().mean()),
            "n_randomised": float(by["randomised"].sum().mean()),
            "n_completed": float(by["completed"].sum().mean()),
        }
    return found


def power_curve(estimates: pd.DataFrame, alpha: float, sizes: Sequence[int]) -> pd.DataFrame:
    """Power of the primary contrast at other sizes, by what the replicates say of effect and error at this one.

    A replicate's chance to succeed with m times as many patients is that of a normal estimate around its truth with
    standard error / sqrt(m). Averaged over the draws of the posterior that is the assurance. Analyses whose truth is
    not one number (hazard and odds ratios) take the mean estimate for it, which leaves out what the draws add.

    Args:
        estimates: of one scenario (`study.trial_tables`).
        alpha: two-sided level.
        sizes: patients of an arm and its control together.

    Returns:
        Columns: world, arm, n (as `sizes`), power; empty for a trial without a contrast.
    """
    import pandas as pd

    rows = []
    if not len(estimates):
        return pd.DataFrame(columns=pd.Index(["world", "arm", "n", "power"]))
    first: Loose = estimates[estimates["endpoint"] == estimates["endpoint"].iloc[0]]
    main: Loose = first[first["analysis"] == first["analysis"].iloc[0]]
    z = float(ndtri(1 - alpha / 2))
    for key, some in _groups(main, ["world", "arm"]):
        se = some["se"].to_numpy(float)
        truth = some["truth"].to_numpy(float)
        truth = np.where(np.isfinite(truth), truth, _mean(some["estimate"]))
        good = 1.0 if better(str(some["measure"].iloc[0]), str(some["analysis"].iloc[0]), 1.0) else -1.0
        fine = np.isfinite(se) & (se > 0) & np.isfinite(truth)
        now = float((some["n_arm"] + some["n_control"]).mean())
        for n in sizes:
            chance = ndtr(good * truth[fine] / (se[fine] * math.sqrt(now / n)) - z)
            rows.append({**key, "n": n, "power": float(chance.mean()) if fine.any() else math.nan})
    return _frame(rows)


def compared(estimates: pd.DataFrame) -> float:
    """Patients of the first arm and its control in the primary analysis, mean over replicates; 0 without a contrast."""
    if not len(estimates):
        return 0.0
    one = estimates.iloc[0]
    same: Loose = estimates[(estimates["endpoint"] == one["endpoint"]) & (estimates["arm"] == one["arm"])]
    return float((same["n_arm"] + same["n_control"]).mean())


def guesses(table: pd.DataFrame) -> pd.DataFrame:
    """What arms believe and guess, over replicates: believed and guessed_active with the ends of 90 % of replicates."""
    import pandas as pd

    keys = ["scenario", "world", "arm", "visit", "time_h"]
    shares = [f"{name}{end}" for name in ("believed", "guessed_active") for end in ("", "_lo90", "_hi90")]
    rows = []
    for row, some in _groups(table, keys):
        row["asked"] = float(some["asked"].mean())
        for name in ("believed", "guessed_active"):
            row |= _spread(name, some[name].to_numpy(float))
        rows.append(row)
    return pd.DataFrame(rows, columns=pd.Index([*keys, "asked", *shares]))  # nobody may be asked


def flow(table: pd.DataFrame) -> pd.DataFrame:
    """Numbers of people of each arm, means over replicates; of `with_event` also the ends of 90 % of replicates."""
    keys = ["scenario", "world", "arm"]
    counted = [name for name in table.columns if name not in (*keys, "replicate", "with_event")]
    rows = []
    for row, some in _groups(table, keys):
        row |= {name: float(some[name].mean()) for name in counted}
        rows.append(row | _spread("with_event", some["with_event"].to_numpy(float)))
    return _frame(rows)


def _groups(table: Loose, keys: Sequence[str]) -> Iterator[tuple[Row, Loose]]:
    """Parts of a table that share these columns, in the order in which they first come, with what they share."""
    for key, some in table.groupby(list(keys), sort=False, dropna=False):
        yield dict(zip(keys, key, strict=True)), some


def _frame(rows: Sequence[Row]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(list(rows))
