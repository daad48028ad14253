"""Outcomes that are yes or no: shares, differences of shares, odds ratios."""

from __future__ import annotations

import math
import warnings
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, ndtri

from afterglow.study.statistics.linear import centred
from afterglow.study.statistics.result import Estimate, t_below

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
EDGE = 1e-12  # how near to a difference of one the interval is looked for


def share(hit: FloatArray) -> Estimate:
    """Share of hits with Wilson's interval and no test.

    Source: Wilson EB (1927) doi:10.1080/01621459.1927.10502953.

    Args:
        hit: 0 or 1 [n]; NaN is left out.
    """
    hits, n = _counted(hit)
    if n == 0:
        return Estimate.missing("nobody has an outcome")
    p = hits / n
    return Estimate(p, math.sqrt(p * (1 - p) / n), p_value=math.nan, limits=partial(_wilson, p, n))


def risk_difference(hit: FloatArray, arm: IntArray, active: int, control: int) -> Estimate:
    """Difference of two arms' shares, active minus control, with the score test and interval of Miettinen and Nurminen.

    The interval holds the differences that the test does not reject, so the two never disagree. Their variance is the
    one of Farrington and Manning times N / (N - 1).

    Sources: Miettinen O, Nurminen M (1985) doi:10.1002/sim.4780040211; Farrington CP, Manning G (1990)
    doi:10.1002/sim.4780091208.

    Args:
        hit: 0 or 1 [n]; NaN is left out.
        arm: arm of each person [n].
        active: code of the arm of interest.
        control: code of the arm it is compared with.
    """
    x1, n1 = _counted(hit[arm == active])
    x0, n0 = _counted(hit[arm == control])
    if n1 == 0 or n0 == 0:
        return Estimate.missing("an arm is empty")
    p1, p0 = x1 / n1, x0 / n0
    se = math.sqrt(p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0)
    z = _score(0.0, x1, n1, x0, n0)
    return Estimate(
        p1 - p0, se, p_value=2 * t_below(-abs(z), math.inf), limits=partial(_score_interval, x1, n1, x0, n0)
    )


def logistic(
    hit: FloatArray, arm: IntArray, active: int, control: int, covariates: FloatArray | None = None
) -> Estimate:
    """Log odds ratio of active against control, adjusted for covariates; p by the likelihood ratio.

    The interval is Wald's. Where an arm has only hits or none, or covariates separate hits from misses, the odds ratio
    has no estimate and the result is missing; `risk_difference` still has one.

    Args:
        hit: 0 or 1 [n]; NaN is left out.
        arm: arm of each person [n].
        active: code of the arm of interest.
        control: code of the arm it is compared with.
        covariates: [n, c] without NaN.
    """
    chosen = ((arm == active) | (arm == control)) & ~np.isnan(hit)
    y, treated = hit[chosen], (arm[chosen] == active).astype(float)
    for group in (y[treated == 1], y[treated == 0]):
        if not len(group):
            return Estimate.missing("an arm is empty")
        if group.min() == group.max():
            return Estimate.missing("an arm has only hits or none")
    table = None if covariates is None else np.asarray(covariates, dtype=float).reshape(len(hit), -1)[chosen]
    others = np.hstack([np.ones((len(y), 1)), centred(table, len(y))])
    full = _fitted(y, np.column_stack([treated, others]))
    reduced = _fitted(y, others)
    if full is None or reduced is None:
        return Estimate.missing("the covariates separate hits from misses, or repeat each other")
    p = float(chdtrc(1, max(2 * (full[2] - reduced[2]), 0.0)))
    return Estimate(full[0], full[1], p_value=p)


def _counted(hit: FloatArray) -> tuple[float, int]:
    seen = hit[~np.isnan(hit)]
    return float(seen.sum()), len(seen)


def _wilson(p: float, n: int, level: float) -> tuple[float, float]:
    z2 = float(ndtri(0.5 + level / 2)) ** 2
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def _score(difference: float, x1: float, n1: int, x0: float, n0: int) -> float:
    """Score statistic of a difference of shares, from the shares most likely under it."""
    p0 = _restricted(difference, x1, n1, x0, n0)
    p1 = min(max(p0 + difference, 0.0), 1.0)
    total = n1 + n0
    variance = (p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0) * total / max(total - 1, 1)
    distance = x1 / n1 - x0 / n0 - difference
    if variance <= 0:
        return math.copysign(math.inf, distance) if abs(distance) > EDGE else 0.0
    return distance / math.sqrt(variance)


def _restricted(difference: float, x1: float, n1: int, x0: float, n0: int) -> float:
    """The control's share under a difference: the root of the likelihood's cubic, Farrington and Manning's form."""
    ratio, s1, s0, d = n0 / n1, x1 / n1, x0 / n0, difference
    a = 1 + ratio
    b = -(a + s1 + ratio * s0 + d * (ratio + 2))
    c = d * d + d * (2 * s1 + a) + s1 + ratio * s0
    e = -s1 * d * (1 + d)
    v = (b / (3 * a)) ** 3 - b * c / (6 * a * a) + e / (2 * a)
    u = math.copysign(math.sqrt(max((b / (3 * a)) ** 2 - c / (3 * a), 0.0)), v)
    cosine = 0.0 if u == 0 else min(max(v / u**3, -1.0), 1.0)
    p1 = 2 * u * math.cos((math.pi + math.acos(cosine)) / 3) - b / (3 * a)
    return min(max(p1 - d, 0.0, -d), 1.0, 1.0 - d)


def _score_interval(x1: float, n1: int, x0: float, n0: int, level: float) -> tuple[float, float]:
    from scipy.optimize import root_scalar

    z = float(ndtri(0.5 + level / 2))
    seen = x1 / n1 - x0 / n0
    ends = []
    for edge, wanted in ((-1 + EDGE, z), (1 - EDGE, -z)):

        def beyond(difference: float, wanted: float = wanted) -> float:
            return min(max(_score(difference, x1, n1, x0, n0), -1e6), 1e6) - wanted

        crossed = beyond(edge) * beyond(seen) < 0
        ends.append(
            float(root_scalar(beyond, bracket=(edge, seen), xtol=1e-10).root) if crossed else float(round(edge))
        )
    return ends[0], ends[1]


def _fitted(y: FloatArray, x: FloatArray) -> tuple[float, float, float] | None:
    """First coefficient, its standard error and the log-likelihood of a logistic regression; None without a fit."""
    from statsmodels.discrete.discrete_model import Logit

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of failure, which is judged below
        try:
            found = Logit(y, x).fit(disp=0, maxiter=50)
        except np.linalg.LinAlgError:
            return None
    se = float(found.bse[0])
    if not found.mle_retvals["converged"] or not math.isfinite(se) or np.abs(found.bse).max() > 1e3:
        return None
    return float(found.params[0]), se, float(found.llf)
