"""Times to an event, some censored. Hazard ratios and log-rank tests are those of the library lifelines."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, ndtri

from afterglow.study.statistics.linear import centred
from afterglow.study.statistics.result import Estimate

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


@dataclass(frozen=True)
class Curve:
    """A Kaplan-Meier curve.

    Attributes:
        times: when somebody had the event [k].
        share: free of the event just after [k].
        doubt: Greenwood's sum up to each time [k]: variance of the share over the share squared.
        growth: the part of that sum that each time adds [k].
    """

    times: FloatArray
    share: FloatArray
    doubt: FloatArray
    growth: FloatArray


def curve(time: FloatArray, event: NDArray[np.bool_]) -> Curve:
    """Kaplan-Meier estimate from times [n] and whether each is an event or a censoring [n]."""
    times, died = np.unique(time[event], return_counts=True)
    risk = len(time) - np.searchsorted(np.sort(time), times)  # whoever is censored at a time is still at risk then
    left = risk - died
    growth = np.divide(died, risk * left, out=np.full(len(died), math.inf), where=left > 0)
    share, doubt = np.cumprod(left / risk, dtype=float), np.cumsum(growth, dtype=float)
    return Curve(times, np.asarray(share, np.float64), np.asarray(doubt, np.float64), growth)


def kaplan_meier(time: FloatArray, event: NDArray[np.bool_], at: float) -> Estimate:
    """Share free of the event at a time, without a test; interval by Greenwood's variance on the log(-log) scale.

    Missing when everybody was censored before `at`.
    """
    if not len(time) or (at > time.max() and not event[time == time.max()].all()):
        return Estimate.missing("nobody was followed until then")
    found = curve(time, event)
    k = np.searchsorted(found.times, at, side="right") - 1
    if k < 0:
        return Estimate(1.0, 0.0, p_value=math.nan, limits=partial(_constant, 1.0))
    share, doubt = float(found.share[k]), float(found.doubt[k])
    if share == 0:
        return Estimate(0.0, 0.0, p_value=math.nan, limits=partial(_constant, 0.0))
    return Estimate(share, share * math.sqrt(doubt), p_value=math.nan, limits=partial(_log_log, share, doubt))


def median(time: FloatArray, event: NDArray[np.bool_]) -> float:
    """When half have had the event; infinite if the curve stays above one half."""
    if not len(time):
        return math.nan
    found = curve(time, event)
    below = np.flatnonzero(found.share <= 0.5 + 1e-12)
    return float(found.times[below[0]]) if len(below) else math.inf


def log_rank(time: FloatArray, event: NDArray[np.bool_], arm: IntArray) -> float:
    """Two-sided p of equal curves in all arms; NaN with fewer than two arms or no event."""
    from lifelines.statistics import multivariate_logrank_test

    if len(np.unique(arm)) < 2 or not np.any(event):
        return math.nan
    return float(multivariate_logrank_test(time, arm, event).p_value)


def cox(
    time: FloatArray,
    event: NDArray[np.bool_],
    arm: IntArray,
    active: int,
    control: int,
    covariates: FloatArray | None = None,
) -> Estimate:
    """Log hazard ratio of active against control; ties by Efron's method.

    p is the likelihood ratio's, which keeps its size better than Wald's in small trials (4.6 % against 3.6 % at 5 %, in
    1,500 simulated trials of 24 people); the interval is Wald's.

    Args:
        time: of event or censoring [n].
        event: whether it is an event [n].
        arm: arm of each person [n].
        active: code of the arm of interest.
        control: code of the arm it is compared with.
        covariates: [n, c] without NaN.
    """
    chosen = (arm == active) | (arm == control)
    treated = arm[chosen] == active
    for group in (treated, ~treated):
        if not group.any():
            return Estimate.missing("an arm is empty")
        if not event[chosen][group].any():
            return Estimate.missing("an arm has no event")
    table = None if covariates is None else np.asarray(covariates, dtype=float).reshape(len(time), -1)[chosen]
    others = centred(table, len(treated))
    full = _fitted(time[chosen], event[chosen], np.column_stack([treated.astype(float), others]))
    reduced = _fitted(time[chosen], event[chosen], others) if others.shape[1] else None
    if full is None or (others.shape[1] and reduced is None):
        return Estimate.missing("the hazard ratio has no maximum of the likelihood")
    gain = full[2] - (reduced[2] if reduced else full[3])
    return Estimate(full[0], full[1], p_value=float(chdtrc(1, max(2 * gain, 0.0))))


def rmst(time: FloatArray, event: NDArray[np.bool_], until: float) -> Estimate:
    """Restricted mean time free of the event: the area below the curve up to `until`, without a test.

    Its variance is Greenwood's: the sum over event times of the area still to come squared, times what the event adds.
    Source: Royston P, Parmar MKB (2013) doi:10.1186/1471-2288-13-152.
    """
    if not len(time) or (until > time.max() and not event[time == time.max()].all()):
        return Estimate.missing("nobody was followed until then")
    found = curve(time, event)
    before = found.times < until
    times = np.concatenate([[0.0], found.times[before], [until]])
    pieces = np.diff(times) * np.concatenate([[1.0], found.share[before]])
    ahead = pieces[::-1].cumsum()[::-1][1:]
    growth = np.where(ahead > 0, found.growth[before], 0.0)
    return Estimate(float(pieces.sum()), math.sqrt(float(ahead**2 @ growth)), p_value=math.nan)


def rmst_difference(
    time: FloatArray, event: NDArray[np.bool_], arm: IntArray, active: int, control: int, until: float
) -> Estimate:
    """Difference of two arms' restricted means, active minus control; see `rmst`.

    Its normal test rejects too often in small arms: 8 % instead of 5 % with 12 people an arm (1,500 simulated trials).
    """
    parts = [rmst(time[arm == code], event[arm == code], until) for code in (active, control)]
    for part in parts:
        if part.problem:
            return part
    se = math.hypot(parts[0].se, parts[1].se)
    if se == 0:
        return Estimate.missing("no event before then")
    return Estimate(parts[0].estimate - parts[1].estimate, se)


def _constant(value: float, _level: float) -> tuple[float, float]:
    return value, value


def _log_log(share: float, doubt: float, level: float) -> tuple[float, float]:
    half = float(ndtri(0.5 + level / 2)) * math.sqrt(doubt) / abs(math.log(share))
    return share ** math.exp(half), share ** math.exp(-half)


def _fitted(time: FloatArray, event: NDArray[np.bool_], x: FloatArray) -> tuple[float, float, float, float] | None:
    """First coefficient, its standard error, log-likelihoods with and without covariates; None without a fit."""
    import pandas as pd
    from lifelines import CoxPHFitter
    from lifelines.exceptions import ConvergenceError

    table = pd.DataFrame({f"x{k}": column for k, column in enumerate(x.T)} | {"time": time, "event": event})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of slow convergence, which is judged below
        try:
            found = CoxPHFitter().fit(table, "time", "event")
            null = found.log_likelihood_ - found.log_likelihood_ratio_test().test_statistic / 2
        except (ConvergenceError, np.linalg.LinAlgError):
            return None
    se = float(found.standard_errors_.iloc[0])
    if not (math.isfinite(se) and se < 1e2):
        return None
    return float(found.params_.iloc[0]), se, float(found.log_likelihood_), float(null)
