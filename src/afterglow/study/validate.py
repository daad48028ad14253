"""Published against simulated: every trial record under its own design, misses included.

`afterglow validate` prints the table and writes `validation.csv`. Rows that were fitted and rows kept for checking are
told apart. The interval is what a trial of that size would show in nine of ten repetitions if the model were right:
sampling error of the trial and, from draws of the fitted parameters, what the fit leaves open.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from afterglow.data import fit_rows, trial, trials
from afterglow.data.fit_schema import FitRow
from afterglow.data.fitted import measurement
from afterglow.data.outcome_schema import MEASURES, Outcome
from afterglow.errors import InputError
from afterglow.study.draws import draws_faults, split_draws
from afterglow.study.trials import Laboratory, Noise, predict

COLUMNS = [
    "trial",
    "arm",
    "visit",
    "scale",
    "measure",
    "observed",
    "observed_se",
    "predicted",
    "lo90",
    "hi90",
    "role",
    "z",
]


def _noise(extra: dict[str, float], variant: str | None) -> Noise:
    found = measurement(variant) | extra
    return Noise(found["rater_sd"], found["fluctuation_sd"], found["fluctuation_tau_d"])


def _visit(row: Outcome) -> str:
    if row.time_h is None:
        return row.when or "-"
    return f"{row.time_h:g} h" if row.time_h < 48 else f"{row.time_h / 24:g} d"


def _roles() -> dict[tuple[str, str], FitRow]:
    return {(r.trial, r.row): r for r in fit_rows()}


def validate(
    names: Sequence[str] | None = None,
    *,
    patients: int = 256,
    seed: int = 1,
    draws: int = 0,
    variant: str | None = None,
    progress: Callable[[float], None] | None = None,
) -> pd.DataFrame:
    """Simulate trial records and compare.

    Args:
        names: trials; default all that can be simulated.
        patients: virtual patients an arm.
        seed: seed of the virtual patients.
        draws: draws of the fitted parameters that widen the intervals, at least 2; 0 leaves sampling error of the trial
            alone.
        variant: a rival mechanism.
        progress: called with the share done.

    Returns:
        One row a published number, columns `COLUMNS`; `z` is (predicted - observed) / observed_se. `predicted` is NaN
        where the model does not speak of the number.

    Raises:
        InputError: a number of draws below 0, or one draw.
    """
    if faults := draws_faults(draws):
        raise InputError(faults)
    chosen = [trial(n) for n in names] if names else [t for t in trials().values() if t.simulate is not None]
    laboratory = Laboratory(chosen, patients, seed, variant)
    roles = _roles()
    pairs = [(t, row) for t in chosen for row in t.answered()]
    sets = [({}, {}), *split_draws(draws, seed, variant)]
    columns = []
    for k, (typical, noise) in enumerate(sets):
        arms = laboratory.run(typical, _noise(noise, variant))
        columns.append([_number(predict(row, arms[t.id])) for t, row in pairs])
        if progress:
            progress((k + 1) / len(sets))
    table = np.array(columns, dtype=float)
    spread = np.zeros(len(pairs))
    if len(sets) > 1:
        ratio = np.array([MEASURES[row.measure].logarithmic for _, row in pairs], dtype=bool)
        spread = np.where(ratio, np.log(np.maximum(table[1:], 1e-3)), table[1:]).std(axis=0)
    rows = []
    for k, (t, row) in enumerate(pairs):
        role = roles.get((t.id, row.key))
        rows.append(_line(t.id, row, float(table[0, k]), float(spread[k]), "unused" if role is None else role.role))
    return pd.DataFrame(rows, columns=COLUMNS)


def _number(x: float | None) -> float:
    return float("nan") if x is None else x


def _line(name: str, row: Outcome, predicted: float, spread: float, role: str) -> dict[str, object]:
    logarithmic = MEASURES[row.measure].logarithmic
    se = np.nan if row.se is None else row.se
    width = 1.645 * float(np.hypot(0.0 if row.se is None else row.se, spread))
    if logarithmic:
        low, high = predicted * np.exp(-width), predicted * np.exp(width)
        z = np.log(predicted / row.value) / se if predicted > 0 else np.nan
    else:
        low, high, z = predicted - width, predicted + width, (predicted - row.value) / se
    if MEASURES[row.measure].percent:
        low, high = max(low, 0.0), min(high, 100.0)
    arm = row.arm if row.versus is None else f"{row.arm} v {row.versus}"
    event = f"{row.measure}: {row.event}" if row.event else row.measure
    values = (name, arm, _visit(row), row.scale or "", event, row.value, se, predicted, low, high, role, z)
    return dict(zip(COLUMNS, values, strict=True))


def not_simulated(names: Sequence[str] | None = None) -> dict[str, str]:
    """Trial records that are not simulated, with the reason; of these names, or of all."""
    return {t.id: t.not_simulated for t in trials().values() if t.not_simulated and (not names or t.id in names)}


def score(table: pd.DataFrame) -> pd.DataFrame:
    """How well it fits, by role.

    Only rows with a standard error are scored; `without_se` counts the others. Rows, share within two standard errors,
    coverage of the 90 % interval, and mean absolute errors by measure.
    """
    spoken = table.dropna(subset=["predicted"])
    known = spoken.dropna(subset=["observed_se"])
    roles, measures = known["role"].to_numpy(str), known["measure"].to_numpy(str)
    observed, z = known["observed"].to_numpy(float), known["z"].to_numpy(float)
    near = np.abs(z) <= 2
    inside = (observed >= known["lo90"].to_numpy(float)) & (observed <= known["hi90"].to_numpy(float))
    error = np.abs(known["predicted"].to_numpy(float) - observed)
    out = []
    for role, asked in spoken.groupby("role", sort=True):
        mine = roles == role
        row = {"role": role, "rows": int(mine.sum()), "without_se": len(asked) - int(mine.sum())}
        row |= {"within_2_se": _share(near[mine]), "coverage_90": _share(inside[mine])}
        for measure in ("change", "difference", "response"):
            of_measure = error[mine & (measures == measure)]
            row[f"mae_{measure}"] = float(of_measure.mean()) if len(of_measure) else np.nan
        out.append(row)
    return pd.DataFrame(out)


def _share(hits: np.ndarray) -> float:
    return float(hits.mean()) if len(hits) else np.nan
