"""Reference-based multiple imputation: what people who left would have scored under a stated assumption.

A mixed model for repeated measures gives the arms' means and one covariance. Each imputation draws these from their
posterior, then the missing values of each person given the observed ones. Gaps before a person's last visit are imputed
as missing at random; what follows it obeys the rule:

    missing at random          the mean of the person's own arm
    jump to reference          the control's mean from the first missing visit on
    copy increments            the last own mean plus the control's changes from there on (from baseline, if nothing
                               was observed, where the arms are equal: the control's mean)

An analysis of covariance of the last visit in each completed trial is pooled by Rubin's rules, whose variance is larger
than the repeated-sampling variance under the reference-based rules.

Sources: Carpenter JR, Roger JH, Kenward MG (2013) doi:10.1080/10543406.2013.834911; Barnard J, Rubin DB (1999)
doi:10.1093/biomet/86.4.948.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from afterglow.streams import Generator, generator
from afterglow.study.statistics.ancova import ancova_design, fit
from afterglow.study.statistics.mmrm import TrialMmrm, trial_mmrm
from afterglow.study.statistics.reml import Optimum, at
from afterglow.study.statistics.result import Estimate

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
Rule = Literal["missing at random", "jump to reference", "copy increments"]


def imputed_ancova(
    y: FloatArray,
    arm: IntArray,
    control: int,
    baseline: FloatArray,
    rule: Rule,
    imputations: int = 20,
    seed: int = 1,
    strata: FloatArray | None = None,
) -> dict[int, Estimate]:
    """Difference of each active arm from control at the last visit, by arm.

    Args:
        y: outcomes [n, visits]; NaN is missing.
        arm: arm of each person [n], 0 to k - 1.
        control: code of the control, the reference of the rules.
        baseline: [n].
        rule: for values after a person's last visit, in active arms; the control's are always missing at random.
        imputations: how many completed trials, two or more.
        seed: of the draws.
        strata: further covariates [n, s] of the model and of the analysis.
    """
    model = trial_mmrm(y, arm, baseline, strata)
    active = [a for a in range(model.design.arms) if a != control]
    if model.fit.optimum is None:
        return dict.fromkeys(active, Estimate.missing(model.fit.problem))
    if np.isnan(model.fit.sigma).any() or np.isnan(model.fit.beta[: model.design.arms * y.shape[1]]).any():
        return dict.fromkeys(active, Estimate.missing("an arm is empty at a visit"))
    draws = generator(seed, "imputation")  # the rules share their luck
    drawn = posterior(model.fit.optimum, draws, imputations)
    if drawn is None:
        return dict.fromkeys(active, Estimate.missing("the covariance of the visits is not determined"))
    last = _imputed(y, _means(model, drawn[0], arm), drawn[1], arm, control, rule, draws)
    covariates = np.column_stack([baseline, *([] if strata is None else [strata])])
    x = ancova_design(arm, model.design.arms, covariates)
    fits = [fit(values, x, model.design.arms) for values in last]
    return {a: pooled([one.contrast(a, control) for one in fits]) for a in active}


def pooled(parts: list[Estimate]) -> Estimate:
    """Rubin's rules with Barnard and Rubin's degrees of freedom, from the estimates in each completed trial."""
    for part in parts:
        if part.problem:
            return part
    m = len(parts)
    values = np.array([part.estimate for part in parts])
    within = float(np.mean([part.se**2 for part in parts]))
    between = float(values.var(ddof=1)) * (1 + 1 / m)
    total = within + between
    complete, lost = parts[0].df, between / total
    observed = (complete + 1) / (complete + 3) * complete * (1 - lost)
    df = 1 / (lost**2 / (m - 1) + 1 / observed)
    return Estimate(float(values.mean()), math.sqrt(total), df)


def posterior(found: Optimum, draws: Generator, count: int) -> tuple[FloatArray, FloatArray] | None:
    """Draws of the coefficients [count, p] and of Sigma [count, V, V]; None where Sigma is all but singular.

    Sigma's logarithmic Cholesky factor is taken as normal around the restricted maximum, with the observed information;
    the coefficients given Sigma are exactly normal under a flat prior.
    """
    sigma = found.point.sigma
    visits = len(sigma)
    root = np.linalg.cholesky(sigma)
    row, column = np.tril_indices(visits)
    diagonal = row == column
    centre = root[row, column]
    centre[diagonal] = np.log(centre[diagonal])
    slope = np.empty((len(row), len(row)))  # of Sigma's entries in the factor's
    for k, (i, j) in enumerate(zip(row, column, strict=True)):
        change = np.zeros((visits, visits))
        change[i, j] = root[i, i] if i == j else 1.0
        moved = change @ root.T
        slope[:, k] = (moved + moved.T)[row, column]
    back = np.linalg.inv(slope)
    spread = np.linalg.cholesky(back @ found.spread @ back.T)
    betas, sigmas = [], []
    for _ in range(count):
        factor = np.zeros((visits, visits))
        drawn = centre + spread @ draws.standard_normal(len(row))
        drawn[diagonal] = np.exp(drawn[diagonal])
        factor[row, column] = drawn
        point = at(found.data, factor @ factor.T)
        if point is None:
            return None
        noise = point.half @ draws.standard_normal(len(point.beta))
        betas.append(found.known.basis @ (found.offset + point.beta + noise))
        sigmas.append(point.sigma)
    return np.array(betas), np.array(sigmas)


def _means(model: TrialMmrm, betas: FloatArray, arm: IntArray) -> FloatArray:
    """Mean of each person in each arm, had they been there [imputations, arms, n, visits]."""
    people, visits, arms = len(arm), model.design.visits, model.design.arms
    cells = arms * visits
    own = np.einsum("nvp,kp->knv", model.design.array[:, :, cells:], betas[:, cells:])
    return betas[:, :cells].reshape(-1, arms, 1, visits) + own.reshape(-1, 1, people, visits)


def _imputed(
    y: FloatArray, means: FloatArray, sigmas: FloatArray, arm: IntArray, control: int, rule: Rule, draws: Generator
) -> FloatArray:
    """Everybody's last visit, completed [imputations, n]."""
    count, visits = len(means), y.shape[1]
    out = np.tile(y[:, -1], (count, 1))
    seen = ~np.isnan(y)
    code = seen @ (1 << np.arange(visits))
    for one in np.unique(code[~seen[:, -1]]):
        mine = np.flatnonzero(code == one)
        have = np.flatnonzero(seen[mine[0]])
        own = means[:, arm[mine], mine]
        reference = means[:, control, mine]
        share = np.linalg.solve(sigmas[:, have[:, None], have], sigmas[:, have, -1:])[:, :, 0]
        left = sigmas[:, -1, -1] - np.einsum("kh,kh->k", share, sigmas[:, have, -1])
        pull = np.einsum("knh,kh->kn", y[mine][:, have] - own[:, :, have], share)
        centre = _unseen(own, reference, int(have[-1]) if len(have) else None, rule)
        noise = np.sqrt(left)[:, None] * draws.standard_normal((count, len(mine)))
        out[:, mine] = centre + pull + noise
    return out


def _unseen(own: FloatArray, reference: FloatArray, last: int | None, rule: Rule) -> FloatArray:
    """Mean of the last visit, which is missing, [imputations, people]; `last` is the last visit that is not."""
    if rule == "missing at random":
        return own[:, :, -1]
    if rule == "jump to reference" or last is None:
        return reference[:, :, -1]
    return own[:, :, last] + reference[:, :, -1] - reference[:, :, last]
