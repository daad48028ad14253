"""What a trial has of its own: relief larger or smaller than elsewhere, without the drug and by the drug."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Own = tuple[float, float]  # effects of a trial on relief without and by the drug, log scale
OwnEach = tuple[FloatArray, FloatArray]  # the same for each patient, [patients, 1]


def moved(madrs: FloatArray, drug: FloatArray, baseline: FloatArray, own: Own | OwnEach) -> FloatArray:
    """True scores [patients, times] where relief is exp(u) times as large without the drug, exp(v) times by the drug.

    Relief is the logarithm of what is left of the baseline.

    Args:
        madrs: true MADRS, points, [patients, times].
        drug: share of the symptoms that the drug alone lifts, [patients, times].
        baseline: true MADRS at baseline, points, [patients].
        own: u and v, of all or of each patient.
    """
    if not (np.any(own[0]) or np.any(own[1])):
        return madrs
    by_drug = -np.log1p(-np.clip(drug, -10.0, 0.999))
    rest = np.log(baseline[:, None] / np.maximum(madrs, 1e-9)) - by_drug
    return baseline[:, None] * np.exp(-np.exp(own[0]) * rest - np.exp(own[1]) * by_drug)
