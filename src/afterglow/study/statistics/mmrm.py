"""Mixed model for repeated measures: visits with one unstructured covariance, missing values at random.

Fitted by restricted maximum likelihood; degrees of freedom by Satterthwaite's method from the observed information of
the covariance, as R's package mmrm and SAS PROC MIXED do. Degrees of freedom and likelihood do not depend on how the
covariance is parameterised.

Sources: Mallinckrodt CH, Lane PW, Schnell D et al. (2008) doi:10.1177/009286150804200402; Giesbrecht FG, Burns JC
(1985) Biometrics 41:477-486 (Satterthwaite's degrees of freedom in mixed models).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afterglow.study.statistics.linear import centred
from afterglow.study.statistics.reml import Optimum, maximise
from afterglow.study.statistics.result import Estimate

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


@dataclass(frozen=True)
class Mmrm:
    """A fitted model.

    Attributes:
        beta: [p]; NaN where the data do not determine a coefficient.
        covariance: of beta [p, p].
        sigma: covariance of a person's visits [visits, visits]; NaN for a visit without values.
        loglik: restricted log-likelihood with the constant -(N - p) log(2 pi) / 2 and without log|X'X|, as R's mmrm
            and SAS print it (-2 times it is SAS's "-2 Res Log Likelihood"); comparable when X has full rank.
        optimum: what the fit holds on the visits that have values; None without one.
        problem: why there is no fit; empty otherwise.
    """

    beta: FloatArray
    covariance: FloatArray
    sigma: FloatArray
    loglik: float
    optimum: Optimum | None
    problem: str = ""

    @property
    def converged(self) -> bool:
        """Whether there is a maximum."""
        return self.optimum is not None

    def estimate(self, combination: FloatArray) -> Estimate:
        """A linear combination [p] of the coefficients, with Satterthwaite's degrees of freedom."""
        if self.optimum is None:
            return Estimate.missing(self.problem)
        found = self.optimum
        if not found.known.covers(combination):
            return Estimate.missing(
                "the data do not determine it: an arm is empty at a visit or a covariate stands for it"
            )
        narrow = combination @ found.known.basis
        direction = found.point.covariance @ narrow
        variance = float(narrow @ direction)
        gradient = np.einsum("qij,i,j->q", found.slopes, direction, direction)
        df = 2 * variance**2 / float(gradient @ found.spread @ gradient)
        return Estimate(float(narrow @ (found.offset + found.point.beta)), math.sqrt(variance), df)


def mmrm(y: FloatArray, design: FloatArray) -> Mmrm:
    """Fit a mixed model for repeated measures.

    Args:
        y: outcomes [n, visits]; NaN is missing at random.
        design: [n, visits, p] without NaN.
    """
    y = np.asarray(y, dtype=float)
    _, visits, p = design.shape
    held = ~np.isnan(y).all(axis=0)
    found = maximise(y[:, held], design[:, held]) if held.any() else "nobody has an outcome"
    if isinstance(found, str):
        nothing = np.full((p, p), np.nan)
        return Mmrm(nothing[0], nothing, np.full((visits, visits), np.nan), math.nan, None, found)
    basis, point = found.known.basis, found.point
    beta = basis @ (found.offset + point.beta)
    beta[np.abs(found.known.null).max(axis=1, initial=0.0) > 1e-6] = np.nan
    sigma = np.full((visits, visits), np.nan)
    sigma[np.ix_(held, held)] = point.sigma
    values = np.count_nonzero(~np.isnan(y))
    loglik = point.loglik - (values - basis.shape[1]) / 2 * math.log(2 * math.pi)
    return Mmrm(beta, basis @ point.covariance @ basis.T, sigma, loglik, found)


@dataclass(frozen=True)
class TrialDesign:
    """The usual design of a trial: means of arm by visit, baseline by visit, strata.

    Attributes:
        array: [n, visits, p].
        columns: name of each column.
        arms: how many.
        visits: how many.
    """

    array: FloatArray
    columns: list[str]
    arms: int
    visits: int

    def cell(self, arm: int, visit: int) -> FloatArray:
        """Coefficients [p] of an arm's mean at a visit, at average baseline and strata."""
        row = np.zeros(len(self.columns))
        row[arm * self.visits + visit] = 1
        return row


def trial_design(
    arm: IntArray, visits: int, baseline: FloatArray | None = None, strata: FloatArray | None = None
) -> TrialDesign:
    """Columns: arm by visit, baseline by visit, strata; baseline and strata around their means over everybody.

    Args:
        arm: arm of each person [n], 0 to k - 1.
        visits: how many.
        baseline: [n].
        strata: indicators or other covariates [n, s].
    """
    people, arms = len(arm), int(np.max(arm, initial=0)) + 1
    start, layers = centred(baseline, people), centred(strata, people)
    rank = np.arange(people)
    slopes, side = arms * visits, (arms + start.shape[1]) * visits
    array = np.zeros((people, visits, side + layers.shape[1]))
    for v in range(visits):
        array[rank, v, arm * visits + v] = 1
        if baseline is not None:
            array[:, v, slopes + v] = start[:, 0]
    array[:, :, side:] = layers[:, None, :]
    columns = [f"arm {a}, visit {v}" for a in range(arms) for v in range(visits)]
    columns += [f"baseline, visit {v}" for v in range(visits if baseline is not None else 0)]
    columns += [f"stratum {s}" for s in range(layers.shape[1])]
    return TrialDesign(array, columns, arms, visits)


@dataclass(frozen=True)
class TrialMmrm:
    """A trial's repeated measures by arm and visit."""

    design: TrialDesign
    fit: Mmrm

    def ls_mean(self, arm: int, visit: int) -> Estimate:
        """Least-squares mean of an arm at a visit."""
        return self.fit.estimate(self.design.cell(arm, visit))

    def contrast(self, arm: int, control: int, visit: int) -> Estimate:
        """Difference of two arms' means at a visit."""
        return self.fit.estimate(self.design.cell(arm, visit) - self.design.cell(control, visit))


def trial_mmrm(
    y: FloatArray, arm: IntArray, baseline: FloatArray | None = None, strata: FloatArray | None = None
) -> TrialMmrm:
    """Fit the usual model of a trial; see `mmrm` and `trial_design`."""
    design = trial_design(arm, y.shape[1], baseline, strata)
    return TrialMmrm(design, mmrm(y, design.array))
