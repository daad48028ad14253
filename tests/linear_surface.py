"""A small surface whose rows are linear in two free numbers: its posterior is known by quadrature."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from afterglow.study.calibrate import Free, between_trials, numbers
from afterglow.study.likelihood import Rows
from afterglow.study.surface import Surface

FloatArray = NDArray[np.float64]

FREE = [Free("mood.first", 2.0, 0.5), Free("omega.second", 0.3, 0.8)]
PRIOR = np.array([f.prior_sd for f in FREE])
SLOPES = np.array(
    [[1.0, 0.5], [0.2, -1.0], [1.5, 0.1], [-0.3, 0.8], [0.6, 0.6], [1.0, -1.0], [0.7, 0.2], [0.1, 1.2], [0.4, -0.5]]
)
# trial, cohort, role, standard error, weight; trials 1 and 2 share their patients
ROWS = [
    ("one", "a", "fit", 0.2, 1.0),
    ("two", "b", "fit", 0.3, 0.5),
    ("two", "b", "fit", 0.4, 1.0),
    ("three", "b", "fit", 0.3, 1.0),
    ("one", "a", "fit", 0.25, 1.0),
    ("one", "a", "check", 0.3, 1.0),
    ("two", "b", "unused", None, 1.0),
    ("four", "c", "check", 0.5, 1.0),
    ("five", "d", "unused", None, 1.0),
]


def listed(observed: FloatArray) -> list[Any]:
    """Stand-ins for the rows of the trial records."""
    return [
        SimpleNamespace(
            trial=trial, row=f"row {k}", cohort=cohort, role=role, weight=weight,
            outcome=SimpleNamespace(measure="change", value=float(observed[k]), se=se, time_h=24.0, scale="MADRS"),
        )
        for k, (trial, cohort, role, se, weight) in enumerate(ROWS)
    ]  # fmt: skip


def surface(*, effects: bool = True, observed: FloatArray | None = None, points: int = 60) -> Surface:
    """The surface, with trial effects or rows that they leave alone."""
    rng = np.random.default_rng(11)
    seen = SLOPES @ [0.3, -0.4] + rng.normal(0, 0.3, len(ROWS)) if observed is None else observed
    by_u, by_v = rng.normal(0, effects, (2, len(ROWS)))
    x = rng.normal(0, 1.0, (points, 2))
    rows = listed(seen)
    return Surface(FREE, rows, numbers(rows, by_u, by_v), x, x @ SLOPES.T)


def exact(rows: Rows, slopes: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Means and SDs of x and of tau given some rows, by quadrature over the spreads of trial effects.

    Given those, all is normal: the mean and covariance of x and the probability of the rows have closed forms.
    """
    scale = np.array(between_trials())
    one = (np.arange(16) + 0.5) / 4.5  # up to 3.5 SDs of the half-normal prior
    grid = np.stack(np.meshgrid(one, one, one, indexing="ij"), axis=-1).reshape(-1, 3)
    tau = np.asarray(grid * scale, dtype=np.float64)
    covariance = rows.covariance(tau)
    precision = np.linalg.inv(covariance)
    prior = np.diag(PRIOR**-2)
    inner = np.linalg.inv(prior + slopes.T @ precision @ slopes)  # covariance of x, [tau, 2, 2]
    mean = (inner @ (slopes.T @ precision @ rows.observed)[..., None])[..., 0]
    whole = covariance + slopes @ np.diag(PRIOR**2) @ slopes.T
    _, size = np.linalg.slogdet(whole)
    misfit = np.einsum("i,tij,j->t", rows.observed, np.linalg.inv(whole), rows.observed)
    log_weight = -0.5 * (size + misfit + ((tau / scale) ** 2).sum(1))
    weight = np.exp(log_weight - logsumexp(log_weight))
    centre = weight @ mean
    spread = weight @ (np.einsum("tii->ti", inner) + mean**2) - centre**2
    tau_mean = weight @ tau
    return centre, np.sqrt(spread), tau_mean, np.sqrt(weight @ tau**2 - tau_mean**2)
