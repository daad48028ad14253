"""Ratings of a person as a Gaussian process around the true score: what a likelihood and a forecast need of them.

A measured score is the true one plus week-scale fluctuation (an Ornstein-Uhlenbeck process that starts at 0 at the
baseline and whose size follows the true score) plus rater noise, as in `clinic.scale.measure`. Here both are integrated
out: given the true scores of a virtual person, the scores written down are normal with the mean and covariance below.
Left out: that scores are kept inside the scale, and the straight lines between the 6-hour grid points of sampled paths.
Rounding to whole points counts as an error that is uniform over a point: a score that was written down has it, a score
that is drawn and then rounded gets it by being rounded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afterglow.clinic import scale

FloatArray = NDArray[np.float64]
ROUNDING = 1.0 / 12.0  # variance of an error that is uniform over a point


@dataclass(frozen=True)
class Ratings:
    """Scores of virtual people at some visits, normal given their true scores.

    Attributes:
        mean: points of each visit's scale, [people, visits].
        covariance: [people, visits, visits].
    """

    mean: FloatArray
    covariance: FloatArray

    def pick(self, visits: Sequence[int]) -> Ratings:
        """The same of some visits."""
        at = np.asarray(visits, dtype=np.intp)
        return Ratings(self.mean[:, at], self.covariance[:, at[:, None], at])

    def log_likelihood(self, scores: FloatArray) -> FloatArray:
        """Log density of these scores [visits] for each person, [people]."""
        miss = scores - self.mean
        root = np.linalg.cholesky(self.covariance)
        white = np.linalg.solve(root, miss[:, :, None])[:, :, 0]
        logdet = np.log(np.einsum("nii->ni", root)).sum(axis=1)
        return -0.5 * (white**2).sum(axis=1) - logdet - 0.5 * miss.shape[1] * np.log(2 * np.pi)

    def given(self, known: Sequence[int], scores: FloatArray, wanted: Sequence[int]) -> Ratings:
        """The wanted visits once the scores of known ones are."""
        if not len(known):
            return self.pick(wanted)
        k, w = np.asarray(known, dtype=np.intp), np.asarray(wanted, dtype=np.intp)
        across = self.covariance[:, w[:, None], k]
        gain = np.linalg.solve(self.covariance[:, k[:, None], k], across.transpose(0, 2, 1)).transpose(0, 2, 1)
        mean = self.mean[:, w] + (gain @ (scores - self.mean[:, k])[:, :, None])[:, :, 0]
        return Ratings(mean, self.covariance[:, w[:, None], w] - gain @ across.transpose(0, 2, 1))

    def sample(self, normal: FloatArray) -> FloatArray:
        """Scores [people, visits] from standard normal numbers of that shape, before they are rounded and bounded."""
        root = np.linalg.cholesky(self.covariance - ROUNDING * np.eye(self.covariance.shape[1]))
        return self.mean + (root @ normal[:, :, None])[:, :, 0]


def ratings(
    true: FloatArray,
    baseline: FloatArray,
    time_h: FloatArray,
    scales: Sequence[str],
    noise: Mapping[str, FloatArray | float],
) -> Ratings:
    """Ratings of people with these true scores.

    Args:
        true: true MADRS, points, [people, visits].
        baseline: true MADRS at baseline, [people].
        time_h: hours of the visits, [visits]; up to 0 nothing has fluctuated yet.
        scales: scale of each visit.
        noise: rater_sd, fluctuation_sd, fluctuation_tau_d, fluctuation_power, of all or of each person [people].
    """

    mean, swing, own = moments(true, baseline, scales, noise)
    covariance = swing[:, :, None] * moving(time_h, time_h, noise) * swing[:, None, :]
    at = np.arange(len(time_h))
    covariance[:, at, at] += own + ROUNDING
    return Ratings(mean, covariance)


def moments(
    true: FloatArray, baseline: FloatArray, scales: Sequence[str], noise: Mapping[str, FloatArray | float]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean, size of the fluctuation and variance of the rater, points of each visit's scale, each [people, visits]."""
    mean = np.empty_like(true)
    for name in dict.fromkeys(scales):
        mine = [k for k, one in enumerate(scales) if one == name]
        mean[:, mine] = scale.convert(true[:, mine], baseline[:, None], name)
    factor = np.array([scale.noise_ratio(name) for name in scales])
    # a person whom the solver gave up (NaN) keeps a mean of NaN, and so no weight; the covariances of all stay regular
    size = np.maximum(np.nan_to_num(true), 0.0) / scale.SWING_AT
    swing = size ** _each(noise, "fluctuation_power") * factor * _each(noise, "fluctuation_sd")
    return mean, swing, np.broadcast_to((factor * _each(noise, "rater_sd")) ** 2, true.shape)


def moving(time_h: FloatArray, other_h: FloatArray, noise: Mapping[str, FloatArray | float]) -> FloatArray:
    """Covariance of the fluctuation, of unit size, between two lists of visits, [people or 1, visits, other visits]."""
    time, other = (np.maximum(np.asarray(hours, dtype=np.float64), 0.0) for hours in (time_h, other_h))
    tau = 24.0 * _each(noise, "fluctuation_tau_d")[:, :, None]
    return np.exp(-np.abs(time[:, None] - other) / tau) - np.exp(-(time[:, None] + other) / tau)


def _each(noise: Mapping[str, FloatArray | float], name: str) -> FloatArray:
    """A number of the measurement, [people or 1, 1]."""
    return np.atleast_1d(np.asarray(noise[name], dtype=np.float64))[:, None]
