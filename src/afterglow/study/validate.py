"""Published against simulated: every trial record under its own design, misses included.

`afterglow validate` prints the table and writes `validation.csv`; rows that were fitted and rows kept for checking are
told apart. The interval is what such a trial would show in nine of ten repetitions if the model were right: what the
posterior leaves open, what trials have of their own, and the sampling error of the published number.

With `loo` every trial is predicted by a posterior that has not seen it, from the emulator that the calibration has
left, beside a meta-regression that is left out in the same way and the error that a perfect model would have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from afterglow.data import answered_rows, trial, trials
from afterglow.data.fit_schema import FitRow
from afterglow.data.fitted import between_trials, measurement
from afterglow.data.outcome_schema import MEASURES, Outcome
from afterglow.errors import InputError
from afterglow.study import baseline, loo, scoring
from afterglow.study.calibrate import STEP_OWN, numbers, on_scale
from afterglow.study.draws import draws_faults, split_draws, tau_draws
from afterglow.study.published import Noise, predict
from afterglow.study.scoring import Predictive
from afterglow.study.surface import Surface, shipped
from afterglow.study.trials import Laboratory, Own

FloatArray = NDArray[np.float64]
COLUMNS = [
    "trial", "arm", "visit", "scale", "measure", "observed", "observed_se", "predicted", "lo90", "hi90", "role", "z",
]  # fmt: skip
Progress = Callable[[float], None]


def validate(
    names: Sequence[str] | None = None,
    *,
    patients: int = 256,
    seed: int = 1,
    draws: int = 0,
    variant: str | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Simulate trial records and compare.

    Args:
        names: trials; default all that can be simulated.
        patients: virtual patients an arm.
        seed: seed of the virtual patients.
        draws: draws of the posterior that make up prediction and interval, at least 2; 0 takes typical values alone.
        variant: a rival mechanism.
        progress: called with the share done.

    Returns:
        One row a published number, columns `COLUMNS`; `z` is (predicted - observed) / observed_se. `predicted` is NaN
        where the model does not speak of the number.

    Raises:
        InputError: an unknown trial, a number of draws below 0, or one draw.
    """
    if faults := draws_faults(draws):
        raise InputError(faults)
    chosen = [trial(n) for n in names] if names else [t for t in trials().values() if t.simulate is not None]
    laboratory = Laboratory(chosen, patients, seed, variant)
    held = measurement(variant)
    listed = [r for t in chosen for r in answered_rows() if r.trial == t.id]

    def predicted(values: Mapping[str, float], noise: Mapping[str, float], own: Own = (0.0, 0.0)) -> FloatArray:
        arms = laboratory.run(values, Noise(**(held | dict(noise))), own)
        found = [predict(r.outcome, arms.get(r.trial, {})) for r in listed]
        return np.array([np.nan if p is None else on_scale(r, p) for r, p in zip(listed, found, strict=True)])

    sets = split_draws(draws, seed, variant) if draws else [({}, {})]
    tau = tau_draws(draws, seed, variant) if draws else np.array([[between_trials(variant)[k] for k in "uve"]])
    up, down = ((predicted({}, {}, (h, 0.0)), predicted({}, {}, (0.0, h))) for h in (STEP_OWN, -STEP_OWN))
    by = [(one - other) / (2 * STEP_OWN) for one, other in zip(up, down, strict=True)]
    table = []
    for k, (values, noise) in enumerate(sets):
        table.append(predicted(values, noise))
        if progress:
            progress((k + 1) / len(sets))
    return _table(listed, _predictives(listed, np.array(table), tau, by))


def _predictives(
    listed: Sequence[FitRow], predicted: FloatArray, tau: FloatArray, by: Sequence[FloatArray]
) -> list[Predictive]:
    """Mixtures over draws, from predictions [draws, rows]; rows of which the model does not speak are left out."""
    rows = numbers(listed, *by)
    known = np.isfinite(predicted)
    spoken: list[int] = np.flatnonzero(known.any(axis=0)).tolist()
    middle = np.where(known, predicted, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    predicted = np.where(known, predicted, middle)
    se = np.array([_se(r) for r in listed])
    found = []
    for name in dict.fromkeys(r.trial for r in listed):
        at = np.array([i for i in spoken if listed[i].trial == name], dtype=np.intp)
        if len(at):
            covariance = rows.only(at).with_se(se[at]).covariance(tau)
            found.append(Predictive(name, tuple(listed[i].row for i in at), predicted[:, at], covariance))
    return found


def _se(row: FitRow) -> float:
    """Standard error on the scale of the error; where none is published the interval is the model's alone."""
    return row.outcome.se or 1e-6


def _table(listed: Iterable[FitRow], said: Iterable[Predictive]) -> pd.DataFrame:
    """One line a published row."""
    known: dict[tuple[str, str], tuple[float, float, float]] = {}
    for one in said:
        for key, point, (low, high) in zip(one.rows, one.point(), one.interval(), strict=True):
            known[one.trial, key] = (float(point), float(low), float(high))
    nothing = (np.nan, np.nan, np.nan)
    return pd.DataFrame([_line(r, *known.get((r.trial, r.row), nothing)) for r in listed], columns=pd.Index(COLUMNS))


def _visit(row: Outcome) -> str:
    if row.time_h is None:
        return row.when or "-"
    return f"{row.time_h:g} h" if row.time_h < 48 else f"{row.time_h / 24:g} d"


def _line(of: FitRow, point: float, low: float, high: float) -> dict[str, object]:
    row, se = of.outcome, np.nan if of.outcome.se is None else of.outcome.se
    z = (point - on_scale(of, row.value)) / se
    if MEASURES[row.measure].logarithmic:
        point, low, high = (float(np.exp(x)) for x in (point, low, high))
    if MEASURES[row.measure].percent:
        point, low, high = (float(np.clip(x, 0.0, 100.0)) for x in (point, low, high))
    arm = row.arm if row.versus is None else f"{row.arm} v {row.versus}"
    event = f"{row.measure}: {row.event}" if row.event else row.measure
    values = (of.trial, arm, _visit(row), row.scale or "", event, row.value, se, point, low, high, of.role, z)
    return dict(zip(COLUMNS, values, strict=True))


# ------------------------------------------------------------------------------------------------ unseen trials


@dataclass(frozen=True)
class Unseen:
    """Every trial predicted unseen: `table` as of `validate`, `scores` as of `scoring.compare_scores`."""

    table: pd.DataFrame
    scores: pd.DataFrame
    by_trial: pd.DataFrame


def unseen(
    surface: Surface | None = None, seed: int = 1, progress: Callable[[str, float], None] | None = None
) -> Unseen:
    """Leave one cohort out at a time, and score beside the baseline and the noise floor on the rows of both.

    Args:
        surface: of a calibration; None for the shipped one.
        seed: of the sampler.
        progress: called with the cohort and the share done.
    """
    surface = shipped() if surface is None else surface
    ours, seen = loo.leave_one_out(surface, seed, progress=progress), loo.observed(surface)
    theirs = baseline.leave_one_out()
    shared = scoring.shared_rows([ours, theirs], seen)
    everything = scoring.score(ours, seen, "model, all rows")
    scores = [scoring.compare_scores(ours, theirs, seen), scoring.noise_floor(shared), everything]
    sides = {"model": ours, "baseline": theirs}
    lines = [scoring.by_trial(said, shared).assign(name=name) for name, said in sides.items()]
    return Unseen(_table(surface.listed, ours), pd.concat(scores, ignore_index=True), pd.concat(lines))


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
