"""Every trial predicted by a posterior that has not seen it.

Trials of one cohort share patients, so they are left out together: the posterior is sampled anew on the surface without
all fitted rows of that cohort, and its draws predict every published row of the cohort, fitted or not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from afterglow.data.fit_schema import FitRow
from afterglow.data.outcome_schema import Outcome
from afterglow.study.calibrate import on_scale, standard_error
from afterglow.study.published import DIRECT
from afterglow.study.scoring import Predictive, Published
from afterglow.study.surface import Surface

FloatArray = NDArray[np.float64]
STEPS = 2500  # of each walker; half are dropped
COMPONENTS = 250  # draws that make up a prediction


def leave_one_out(
    surface: Surface, seed: int = 1, steps: int = STEPS, progress: Callable[[str, float], None] | None = None
) -> list[Predictive]:
    """Predictions of all rows with a standard error, trial by trial, each from the other cohorts.

    Args:
        surface: of a calibration.
        seed: of the sampler.
        steps: of each walker.
        progress: called with the cohort and the share done.
    """
    cohorts = list(dict.fromkeys(surface.cohort.tolist()))
    everybody: tuple[FloatArray, FloatArray] | None = None
    found: list[Predictive] = []
    for k, cohort in enumerate(cohorts):
        mine = surface.cohort == cohort
        if (surface.fitted & mine).any():
            x, tau = surface.posterior(surface.fitted & ~mine, seed, steps)
        else:
            everybody = everybody or surface.posterior(surface.fitted, seed, steps)
            x, tau = everybody
        found += predictives(surface, x, tau, np.flatnonzero(mine))
        if progress:
            progress(cohort, (k + 1) / len(cohorts))
    return found


def predictives(
    surface: Surface, x: FloatArray, tau: FloatArray, rows: Sequence[int] | NDArray[np.intp]
) -> list[Predictive]:
    """What draws say about some of the rows, one `Predictive` a trial: parameters, trial effects and sampling error.

    Args:
        surface: of a calibration.
        x, tau: draws [draws, parameters] and [draws, 3]; `COMPONENTS` of them, evenly spaced, are used.
        rows: places of the rows; those without a standard error are left out.
    """
    chosen = np.linspace(0, len(x) - 1, min(COMPONENTS, len(x))).astype(int)
    x, tau = x[chosen], tau[chosen]
    se = np.array([standard_error(r) or np.nan for r in surface.listed])  # not widened by a row's weight in the fit
    found = []
    for trial in dict.fromkeys(surface.listed[i].trial for i in rows):
        mine = [i for i in rows if surface.listed[i].trial == trial and _counts(surface.listed[i])]
        at = np.array(mine, dtype=np.intp)
        if not len(at):
            continue
        emulator = surface.emulator.only(at)
        published = surface.rows.only(at).with_se(np.hypot(se[at], emulator.error))
        keys = tuple(surface.listed[i].row for i in at)
        found.append(Predictive(trial, keys, emulator(x), published.covariance(tau)))
    return found


def _counts(row: FitRow) -> bool:
    """Whether a row can be scored: it has a standard error, and is no baseline, which a simulation is given."""
    return standard_error(row) is not None and row.outcome.time_h != 0


def _kind(row: Outcome) -> str:
    """Measure under which a row is scored: a mean score after the baseline is a change; other scales stand apart."""
    mood = row.scale is None or row.scale not in DIRECT
    if row.measure in ("change", "mean"):
        return "change" if mood else f"{row.measure} of {row.scale}"
    return row.measure


def observed(surface: Surface) -> list[Published]:
    """The published rows with a standard error, by trial, as `scoring` wants them."""
    known = [r for r in surface.listed if _counts(r)]
    found = []
    for trial in dict.fromkeys(r.trial for r in known):
        mine = [r for r in known if r.trial == trial]
        found.append(
            Published(
                trial=trial,
                rows=tuple(r.row for r in mine),
                measure=tuple(_kind(r.outcome) for r in mine),
                value=np.array([on_scale(r, r.outcome.value) for r in mine]),
                se=np.array([standard_error(r) for r in mine], dtype=np.float64),
            )
        )
    return found
