"""Which combinations of the coefficients of a linear model the data determine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
SMALL = 1e-10  # share of the largest eigenvalue of X'X, columns scaled to length one, below which a direction is empty


@dataclass(frozen=True)
class Estimable:
    """The coefficients that a design determines.

    Attributes:
        basis: [p, r]; the model is fitted on X @ basis, which has full rank. The identity when X has.
        length: of each column of X [p]; one for an empty column.
        null: [p, p - r], orthonormal; null / length are directions of the coefficients that leave every fitted value.
    """

    basis: FloatArray
    length: FloatArray
    null: FloatArray

    def covers(self, combination: FloatArray) -> bool:
        """Whether the data determine this combination [p] of the coefficients."""
        scaled = combination / self.length
        return bool(np.all(np.abs(scaled @ self.null) <= 1e-6 * np.linalg.norm(scaled)))


def estimable(gram: FloatArray) -> Estimable:
    """What X'X [p, p] says about the coefficients."""
    length = np.sqrt(np.diag(gram))
    length = np.where(length > 0, length, 1.0)
    values, vectors = np.linalg.eigh(gram / np.outer(length, length))
    full = values > SMALL * values.max(initial=0.0)
    basis = np.eye(len(gram)) if full.all() else vectors[:, full] / length[:, None]
    return Estimable(basis, length, vectors[:, ~full])


def centred(covariates: FloatArray | None, people: int) -> FloatArray:
    """Covariates [people, c] around their means, so that coefficients of arms are means at average covariates."""
    if covariates is None:
        return np.empty((people, 0))
    table = np.asarray(covariates, dtype=float).reshape(people, -1)
    return table - table.mean(axis=0)
