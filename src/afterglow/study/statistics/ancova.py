"""Analysis of covariance: one outcome, arms, covariates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afterglow.study.statistics.linear import Estimable, centred, estimable
from afterglow.study.statistics.result import Estimate

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


@dataclass(frozen=True)
class Ancova:
    """A fitted model: the first `arms` coefficients are the arms' means at average covariates.

    Attributes:
        arms: how many.
        beta: [arms + c].
        covariance: of beta.
        df: residual degrees of freedom.
        known: what the data determine.
        problem: why nothing can be estimated; empty otherwise.
    """

    arms: int
    beta: FloatArray
    covariance: FloatArray
    df: float
    known: Estimable
    problem: str = ""

    def estimate(self, combination: FloatArray) -> Estimate:
        """A linear combination [arms + c] of the coefficients."""
        if self.problem:
            return Estimate.missing(self.problem)
        if not self.known.covers(combination):
            return Estimate.missing("the data do not determine it: an arm is empty or a covariate stands for it")
        variance = combination @ self.covariance @ combination
        return Estimate(float(combination @ self.beta), float(np.sqrt(variance)), self.df)

    def means(self) -> list[Estimate]:
        """Least-squares mean of every arm."""
        return [self.estimate(row) for row in np.eye(self.arms, len(self.beta))]

    def contrast(self, arm: int, control: int) -> Estimate:
        """Difference of two arms' means."""
        row = np.zeros(len(self.beta))
        row[arm] += 1
        row[control] -= 1
        return self.estimate(row)


def ancova(y: FloatArray, arm: IntArray, covariates: FloatArray | None = None) -> Ancova:
    """Ordinary least squares with one variance for all arms.

    Args:
        y: outcomes [n]; NaN is left out.
        arm: arm of each person [n], 0 to k - 1.
        covariates: [n, c] without NaN.
    """
    seen = ~np.isnan(y)
    arms = int(np.max(arm, initial=0)) + 1
    x = ancova_design(arm[seen], arms, None if covariates is None else np.asarray(covariates)[seen])
    return fit(y[seen], x, arms)


def ancova_design(arm: IntArray, arms: int, covariates: FloatArray | None) -> FloatArray:
    """Columns [n, arms + c]: one indicator for each arm, then the covariates around their means."""
    if not len(arm):
        covariates = None
    return np.hstack([arm[:, None] == np.arange(arms), centred(covariates, len(arm))]).astype(float)


def fit(y: FloatArray, x: FloatArray, arms: int) -> Ancova:
    """Least squares of y [n] on x [n, p], whose first columns are the arms."""
    gram = x.T @ x
    known = estimable(gram)
    narrow = x @ known.basis
    df = len(y) - narrow.shape[1]
    inverse = np.linalg.inv(narrow.T @ narrow)
    coefficients = inverse @ (narrow.T @ y)
    residual = y - narrow @ coefficients
    beta = known.basis @ coefficients
    if df <= 0:
        return Ancova(
            arms, beta, np.full_like(gram, np.nan), df, known, "fewer people than coefficients and a variance"
        )
    variance = residual @ residual / df
    if variance <= 1e-24 * (y @ y):
        return Ancova(arms, beta, np.zeros_like(gram), df, known, "the outcome does not vary within arms")
    covariance = variance * known.basis @ inverse @ known.basis.T
    return Ancova(arms, beta, covariance, df, known)
