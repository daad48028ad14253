"""How likely the published rows are: sampling error, and trials that differ for reasons of their own.

Rows of a trial share two unknown effects: u, by which everything but the drug works more or less there (raters,
setting, what is hoped for), and v, by which the drug does. Both multiply relief on the log scale, exp(u) and exp(v),
and are normal over trials. Linear in them around the simulated prediction,

    rows of a trial ~ N(prediction, D + tau_u^2 a a' + tau_v^2 b b')

with D the squared standard errors and a, b the change of each row per unit of u and v.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """Published rows, on the scale on which their errors are symmetric.

    Attributes:
        observed: [rows].
        se: standard errors, [rows]; a row of weight w has se / sqrt(w).
        trial: number of the trial of each row, [rows].
        by_u, by_v: change of each row per unit of its trial's effects, [rows].
    """

    observed: FloatArray
    se: FloatArray
    trial: IntArray
    by_u: FloatArray
    by_v: FloatArray


def log_likelihood(
    rows: Rows, predicted: FloatArray, tau_u: FloatArray, tau_v: FloatArray, more: FloatArray | float = 0.0
) -> FloatArray:
    """Log density of the rows by trial, [points, trials].

    Args:
        rows: what was published.
        predicted: predictions [points, rows].
        tau_u, tau_v: SDs of the trial effects, [points].
        more: further standard error of each row (of an emulator), [rows].
    """
    trials = int(rows.trial.max()) + 1
    member = (rows.trial[:, None] == np.arange(trials)).astype(float)  # [rows, trials]
    variance = rows.se**2 + np.square(more)
    r = rows.observed - predicted
    a, b = rows.by_u / variance, rows.by_v / variance
    aa, ab, bb = (rows.by_u * a) @ member, (rows.by_u * b) @ member, (rows.by_v * b) @ member
    ra, rb, rr = (r * a) @ member, (r * b) @ member, (r**2 / variance) @ member
    u, v = np.atleast_1d(tau_u)[:, None], np.atleast_1d(tau_v)[:, None]
    # Woodbury's identity for two columns, and the matrix determinant lemma
    m11, m12, m22 = 1 + u**2 * aa, u * v * ab, 1 + v**2 * bb
    det = m11 * m22 - m12**2
    x, y = u * ra, v * rb
    gain = (m22 * x**2 - 2 * m12 * x * y + m11 * y**2) / det
    constant = (np.log(2 * np.pi * variance)) @ member
    return -0.5 * (rr - gain + np.log(det) + constant)
