"""A quadratic stand-in for slow, smooth predictions: what a sampler asks a hundred thousand times.

Each predicted row is fitted by a full quadratic in the parameters, by ridge regression whose strength is chosen by
leave-one-out error. That error is kept: it enters the likelihood, so a poor fit makes a wide posterior, not a wrong
one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
RIDGES = 10.0 ** np.arange(-8, 3)


@dataclass(frozen=True)
class Emulator:
    """Predictions [rows] as a quadratic in x [parameters].

    Attributes:
        centre, scale: x is standardised by these, [parameters].
        weights: coefficients [features, rows].
        error: leave-one-out standard error of each row, [rows].
        explained: share of the design's variance that is predicted leaving one out, [rows].
    """

    centre: FloatArray
    scale: FloatArray
    weights: FloatArray
    error: FloatArray
    explained: FloatArray

    def only(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Emulator:
        """The emulator of some of the rows."""
        return replace(
            self, weights=self.weights[:, chosen], error=self.error[chosen], explained=self.explained[chosen]
        )

    def __call__(self, x: FloatArray) -> FloatArray:
        """Predictions [points, rows] at x [points, parameters]."""
        return features((np.atleast_2d(x) - self.centre) / self.scale) @ self.weights


def features(z: FloatArray) -> FloatArray:
    """1, z_i and z_i z_j (i <= j) of points [points, parameters]."""
    i, j = np.triu_indices(z.shape[1])
    return np.hstack([np.ones((len(z), 1)), z, z[:, i] * z[:, j]])


def emulate(x: FloatArray, y: FloatArray) -> Emulator:
    """Fit predictions y [points, rows] made at x [points, parameters].

    Every row has the ridge that suits it best; the constant is not shrunk. Needs no more points than parameters, but
    is good only with more than (d + 1)(d + 2) / 2 of them, d parameters.
    """
    centre, scale = x.mean(0), np.maximum(x.std(0), 1e-12)
    f = features((x - centre) / scale)
    middle = f[:, 1:].mean(0)
    u, s, vt = np.linalg.svd(f[:, 1:] - middle, full_matrices=False)
    mean = y.mean(0)
    best = np.full(y.shape[1], np.inf)
    weights = np.zeros((f.shape[1], y.shape[1]))
    projected = u.T @ (y - mean)
    # with fewer points than coefficients an all but free fit goes through every point, and its error cannot be told
    for ridge in (RIDGES if len(x) > f.shape[1] else RIDGES[RIDGES >= 1e-6]) * len(x):
        shrink = (s**2 / (s**2 + ridge))[:, None]
        left = y - mean - u @ (shrink * projected)
        leverage = ((u**2) @ shrink)[:, 0] + 1 / len(x)
        error = np.sqrt(np.mean((left / np.maximum(1 - leverage, 1e-10)[:, None]) ** 2, axis=0))
        better = error < best
        slopes = vt.T @ (np.where(s > 0, s / (s**2 + ridge), 0.0)[:, None] * projected)
        weights[1:, better] = slopes[:, better]
        best = np.minimum(best, error)
    weights[0] = mean - middle @ weights[1:]
    spread = np.maximum(y.std(0), 1e-12)
    return Emulator(centre, scale, weights, best, 1 - np.minimum((best / spread) ** 2, 1.0))
