"""How likely the published rows are: sampling error, and trials that differ for reasons of their own.

Rows of a trial share two unknown effects: u, by which everything but the drug works more or less there (raters,
setting, what is hoped for), and v, by which the drug does. Both multiply relief on the log scale, exp(u) and exp(v),
and are normal over trials. Each row has a further effect e of its own on all relief: time courses differ too. Linear in
them around the simulated prediction,

    rows of a trial ~ N(prediction, D + tau_e^2 C + tau_u^2 a a' + tau_v^2 b b')

with D the squared standard errors, a and b the change of each row per unit of u and v, and C diagonal with (a + b)^2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


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

    def only(self, chosen: BoolArray | NDArray[np.intp]) -> Rows:
        """Some of the rows; trials keep their numbers."""
        fields = {name: getattr(self, name)[chosen] for name in ("observed", "se", "trial", "by_u", "by_v")}
        return replace(self, **fields)

    def seen(self, observed: FloatArray) -> Rows:
        """The same rows with other observed values."""
        return replace(self, observed=observed)

    def with_se(self, se: FloatArray) -> Rows:
        """The same rows with other standard errors."""
        return replace(self, se=se)

    def covariance(self, tau: FloatArray) -> FloatArray:
        """Covariance of the rows about their predictions, [..., rows, rows], for tau [..., (u, v, e)]."""
        tau = np.asarray(tau, dtype=np.float64)[..., None, None]
        same = self.trial[:, None] == self.trial
        shared = tau[..., 0, :, :] ** 2 * np.outer(self.by_u, self.by_u)
        shared = (shared + tau[..., 1, :, :] ** 2 * np.outer(self.by_v, self.by_v)) * same
        return shared + np.diag(self.se**2) + tau[..., 2, :, :] ** 2 * np.diag((self.by_u + self.by_v) ** 2)


def log_likelihood(rows: Rows, predicted: FloatArray, tau: FloatArray, more: FloatArray | float = 0.0) -> FloatArray:
    """Log density of the rows by trial, [points, trials that have rows].

    Args:
        rows: what was published.
        predicted: predictions [points, rows].
        tau: SDs of the trial effects u, v, e, [points, 3].
        more: further standard error of each row (of an emulator), [rows].
    """
    member = (rows.trial[:, None] == np.unique(rows.trial)).astype(float)  # [rows, trials]
    u, v, e = (column[:, None] for column in np.atleast_2d(tau).T)
    variance = rows.se**2 + np.square(more) + e**2 * (rows.by_u + rows.by_v) ** 2
    r = rows.observed - predicted
    a, b = rows.by_u / variance, rows.by_v / variance
    aa, ab, bb = (rows.by_u * a) @ member, (rows.by_u * b) @ member, (rows.by_v * b) @ member
    ra, rb, rr = (r * a) @ member, (r * b) @ member, (r**2 / variance) @ member
    # Woodbury's identity for two columns, and the matrix determinant lemma, written so that nothing cancels
    det = 1 + u**2 * aa + v**2 * bb + (u * v) ** 2 * np.maximum(aa * bb - ab**2, 0.0)
    both = np.maximum(bb * ra**2 - 2 * ab * ra * rb + aa * rb**2, 0.0)
    gain = ((u * ra) ** 2 + (v * rb) ** 2 + (u * v) ** 2 * both) / det
    constant = np.log(2 * np.pi * variance) @ member
    return -0.5 * (rr - gain + np.log(det) + constant)
