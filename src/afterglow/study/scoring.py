"""Score probabilistic predictions of published numbers: no biology, only predictions, numbers and standard errors.

A model says about the rows of a trial it has not seen a mixture of normals that includes the sampling error of the rows
(`Predictive`). Three questions are asked of it:

* how far the point prediction lies from what was published (mean absolute error),
* whether intervals hold what they promise (coverage, and their width),
* how much probability the trial as a whole was given (log score: the joint log density of its rows, in nats).

Errors and log scores are averaged within a trial first and then over trials, so a trial with many rows counts once.
Coverage counts rows. The log score is a strictly proper rule, the absolute error is proper for the median: Gneiting T,
Raftery AE (2007) Strictly proper scoring rules, prediction, and estimation. J Am Stat Assoc 102:359-378.
doi:10.1198/016214506000001437
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import brentq
from scipy.special import logsumexp, ndtr

FloatArray = NDArray[np.float64]

ERROR_MEASURES = ("change", "difference", "response")
ARM_MEASURES = ("change", "mean", "response", "remission", "sd", "change_sd")
JOINT, SINGLE = "log score, joint", "log score, rows alone"
COLUMNS = ["name", "metric", "value", "se", "trials", "rows"]


@dataclass(frozen=True)
class Predictive:
    """What a model says about the rows of one trial it has not seen: a mixture of normals.

    Attributes:
        trial: id of the trial.
        rows: keys of the rows, each once.
        mean: means of the components, [components, rows] or, for one component, [rows].
        covariance: with the sampling error of the rows; [components, rows, rows], or [rows, rows] for all components.
        weight: weights of the components, [components]; equal unless given, and made to sum to 1.

    All on the scale on which a row's error is symmetric (`calibrate.on_scale`).
    """

    trial: str
    rows: tuple[str, ...]
    mean: FloatArray
    covariance: FloatArray
    weight: FloatArray = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        """Bring arrays to full shape; raise a `ValueError` where they do not fit together."""
        mean = np.atleast_2d(np.asarray(self.mean, dtype=np.float64))
        k, n = len(mean), len(self.rows)
        covariance = np.asarray(self.covariance, dtype=np.float64)
        weight = np.asarray(self.weight if np.size(self.weight) else np.ones(k), dtype=np.float64)
        if not n or len(set(self.rows)) != n:
            raise ValueError(f"{self.trial}: rows are missing or occur twice")
        if mean.shape[1] != n or covariance.shape not in {(n, n), (k, n, n)}:
            raise ValueError(f"{self.trial}: mean {mean.shape} and covariance {covariance.shape} for {n} rows")
        if weight.shape != (k,) or np.any(weight < 0) or not weight.sum() > 0:
            raise ValueError(f"{self.trial}: {k} components need as many weights, none negative")
        if not (np.all(np.isfinite(mean)) and np.all(np.isfinite(covariance))):
            raise ValueError(f"{self.trial}: leave out rows of which the model does not speak")
        if np.any(np.diagonal(covariance, axis1=-2, axis2=-1) <= 0):
            raise ValueError(f"{self.trial}: a variance is not positive")
        full = {"mean": mean, "covariance": np.broadcast_to(covariance, (k, n, n)), "weight": weight / weight.sum()}
        for name, value in full.items():
            object.__setattr__(self, name, value)

    def select(self, rows: Sequence[str]) -> Predictive:
        """The same for these rows alone, in this order."""
        index = [self.rows.index(row) for row in rows]
        covariance = self.covariance[np.ix_(range(len(self.mean)), index, index)]
        return Predictive(self.trial, tuple(rows), self.mean[:, index], covariance, self.weight)

    def point(self) -> FloatArray:
        """Mean of the mixture, [rows]."""
        return self.weight @ self.mean

    def component_sd(self) -> FloatArray:
        """Standard deviation of each row within each component, [components, rows]."""
        return np.sqrt(np.diagonal(self.covariance, axis1=1, axis2=2))

    def marginal_sd(self) -> FloatArray:
        """Standard deviation of each row under the mixture, [rows]."""
        square = self.weight @ (self.component_sd() ** 2 + self.mean**2)
        return np.sqrt(np.maximum(square - self.point() ** 2, 0.0))

    def quantile(self, share: float) -> FloatArray:
        """Quantile of each row under the mixture, [rows], by root finding on the mixture's distribution function."""
        if not 0 < share < 1:
            raise ValueError(f"a quantile lies between 0 and 1, not at {share}")
        reach = 1.0 + math.sqrt(1.0 / min(share, 1.0 - share))  # Chebyshev: every component's quantile is within
        sd = self.component_sd()
        low, high = (self.mean - reach * sd).min(axis=0), (self.mean + reach * sd).max(axis=0)

        def excess(x: float, row: int) -> float:
            return float(self.weight @ np.asarray(ndtr((x - self.mean[:, row]) / sd[:, row]))) - share

        return np.array([brentq(excess, low[j], high[j], args=(j,), xtol=1e-9) for j in range(len(self.rows))])

    def interval(self, level: float = 0.9) -> FloatArray:
        """Central interval of each row under the mixture, [rows, 2]."""
        return np.column_stack([self.quantile((1 - level) / 2), self.quantile((1 + level) / 2)])

    def log_density(self, observed: FloatArray) -> float:
        """Joint log density of the trial's rows, nats; `observed` is [rows]."""
        parts = [_normal_log_density(observed - m, c) for m, c in zip(self.mean, self.covariance, strict=True)]
        return float(np.asarray(logsumexp(parts, b=self.weight)))

    def row_log_densities(self, observed: FloatArray) -> FloatArray:
        """Log density of each row on its own, [rows], nats: blind to how rows go together."""
        sd = self.component_sd()
        each = -0.5 * ((observed - self.mean) / sd) ** 2 - np.log(sd) - 0.5 * math.log(2 * math.pi)
        return np.asarray(logsumexp(each, axis=0, b=self.weight[:, None]), dtype=np.float64)


def _normal_log_density(deviation: FloatArray, covariance: FloatArray) -> float:
    factor = cho_factor(covariance, lower=True)
    log_det = 2.0 * float(np.log(np.diag(factor[0])).sum())
    return -0.5 * (float(deviation @ cho_solve(factor, deviation)) + log_det + len(deviation) * math.log(2 * math.pi))


@dataclass(frozen=True)
class Published:
    """Published rows of one trial.

    Attributes:
        trial: id of the trial.
        rows: keys of the rows, each once.
        measure: measure of each row.
        value: on the scale on which the error is symmetric, [rows].
        se: standard error on that scale, [rows].
    """

    trial: str
    rows: tuple[str, ...]
    measure: tuple[str, ...]
    value: FloatArray
    se: FloatArray

    def __post_init__(self) -> None:
        """Raise a `ValueError` where lengths differ or a key occurs twice."""
        if len({len(self.rows), len(set(self.rows)), len(self.measure), len(self.value), len(self.se)}) != 1:
            raise ValueError(f"{self.trial}: rows, measures, values and errors differ in number, or a row occurs twice")

    def select(self, rows: Sequence[str]) -> Published:
        """These rows alone, in this order."""
        at = [self.rows.index(row) for row in rows]
        return Published(self.trial, tuple(rows), tuple(self.measure[i] for i in at), self.value[at], self.se[at])


Pair = tuple[Predictive, Published]


def _pairs(predictives: Iterable[Predictive], observed: Iterable[Published]) -> list[Pair]:
    """Predictions beside what was published, over the rows both have, in the published order."""
    said = {one.trial: one for one in predictives}
    pairs = []
    for one in observed:
        known = set(said[one.trial].rows) if one.trial in said else set()
        if rows := [row for row in one.rows if row in known]:
            pairs.append((said[one.trial].select(rows), one.select(rows)))
    return pairs


Line = tuple[str, str, float, int]  # trial, metric, value, rows


def by_trial(predictives: Iterable[Predictive], observed: Iterable[Published]) -> pd.DataFrame:
    """Errors and log scores of each trial: columns trial, metric, value, rows."""
    return pd.DataFrame(
        _by_trial(_pairs(predictives, observed)), columns=pd.Index(["trial", "metric", "value", "rows"])
    )


def _by_trial(pairs: Sequence[Pair]) -> list[Line]:
    lines: list[Line] = []
    for said, found in pairs:
        lines += _by_measure(found, np.abs(said.point() - found.value))
        lines.append((said.trial, JOINT, said.log_density(found.value), len(found.rows)))
        lines.append((said.trial, SINGLE, float(said.row_log_densities(found.value).sum()), len(found.rows)))
    return lines


def _by_measure(found: Published, error: FloatArray) -> list[Line]:
    """Mean of the rows' errors, for each measure that the trial has."""
    lines: list[Line] = []
    for name in ERROR_MEASURES:
        mine = np.array([measure == name for measure in found.measure])
        if mine.any():
            lines.append((found.trial, f"mae {name}", float(error[mine].mean()), int(mine.sum())))
    return lines


def _mean_over_trials(lines: Sequence[Line], name: str) -> list[tuple[object, ...]]:
    """One line of `COLUMNS` a metric."""
    out: list[tuple[object, ...]] = []
    for metric in (*(f"mae {m}" for m in ERROR_MEASURES), JOINT, SINGLE):
        value = np.array([x for _, of, x, _ in lines if of == metric])
        n, rows = len(value), sum(r for _, of, _, r in lines if of == metric)
        if n:
            se = float(value.std(ddof=1)) / math.sqrt(n) if n > 1 else math.nan
            out.append((name, metric, float(value.mean()), se, n, rows))
    return out


def _coverage(pairs: Sequence[Pair], name: str, level: float) -> list[tuple[object, ...]]:
    """Share of arm-level rows inside the interval, over all and by measure, and mean widths by measure."""
    found: list[tuple[str, str, bool, float]] = []
    for said, of in pairs:
        for measure, value, (low, high) in zip(of.measure, of.value, said.interval(level), strict=True):
            if measure in ARM_MEASURES:
                found.append((of.trial, measure, bool(low <= value <= high), float(high - low)))
    percent, out = f"{100 * level:g} %", []
    for measure in ("", *ARM_MEASURES):
        mine = [line for line in found if measure in ("", line[1])]
        if mine:
            size, label = (len({line[0] for line in mine}), len(mine)), f"{percent} {measure}".strip()
            out.append((name, f"inside {label}", float(np.mean([line[2] for line in mine])), math.nan, *size))
            if measure:
                out.append((name, f"width {label}", float(np.mean([line[3] for line in mine])), math.nan, *size))
    return out


def score(
    predictives: Iterable[Predictive], observed: Iterable[Published], name: str = "model", level: float = 0.9
) -> pd.DataFrame:
    """Score one model on the rows of which it speaks.

    Args:
        predictives: what it says, one a trial.
        observed: what was published, one a trial.
        name: goes into the first column.
        level: of the intervals.

    Returns:
        Columns `COLUMNS`. Metrics: "mae <measure>" and the log scores, averaged over trials, with the standard error of
        that average over trials; "inside 90 %" (share of arm-level rows, all and by measure), "width 90 % <measure>".
    """
    return _score(_pairs(predictives, observed), name, level)


def _score(pairs: Sequence[Pair], name: str, level: float) -> pd.DataFrame:
    return pd.DataFrame(
        _mean_over_trials(_by_trial(pairs), name) + _coverage(pairs, name, level), columns=pd.Index(COLUMNS)
    )


def shared_rows(sides: Iterable[Iterable[Predictive]], observed: Iterable[Published]) -> list[Published]:
    """The published rows of which all competitors speak."""
    said = [{one.trial: set(one.rows) for one in side} for side in sides]
    kept = []
    for one in observed:
        if rows := [row for row in one.rows if all(row in side.get(one.trial, ()) for side in said)]:
            kept.append(one.select(rows))
    return kept


def compare_scores(
    ours: Iterable[Predictive],
    theirs: Iterable[Predictive],
    observed: Iterable[Published],
    names: tuple[str, str] = ("model", "baseline"),
    level: float = 0.9,
) -> pd.DataFrame:
    """Score two competitors on exactly the rows of which both speak, and their paired differences.

    Returns:
        As `score`, first for ours, then for theirs; then lines named "<ours> - <theirs>" with the mean over trials of
        the difference of each error and log score, and its standard error over trials. A negative difference of errors
        and a positive one of log scores favour ours.
    """
    sides = list(ours), list(theirs)
    shared = shared_rows(sides, observed)
    pairs = [_pairs(side, shared) for side in sides]
    tables = [_score(mine, name, level) for name, mine in zip(names, pairs, strict=True)]
    first, second = (_by_trial(mine) for mine in pairs)
    apart = [(t, metric, x - y, n) for (t, metric, x, n), (_, _, y, _) in zip(first, second, strict=True)]
    tables.append(pd.DataFrame(_mean_over_trials(apart, " - ".join(names)), columns=pd.Index(COLUMNS)))
    return pd.concat(tables, ignore_index=True)


def noise_floor(observed: Iterable[Published]) -> pd.DataFrame:
    """Mean absolute error to expect from a perfect model, given the published standard errors alone.

    A row adds E|N(0, se)| = se sqrt(2 / pi); averaged as in `score`, within trials and then over trials.

    Returns:
        Columns `COLUMNS`, name "noise floor", metrics "mae <measure>".
    """
    lines = [line for one in observed for line in _by_measure(one, one.se * math.sqrt(2 / math.pi))]
    return pd.DataFrame(_mean_over_trials(lines, "noise floor"), columns=pd.Index(COLUMNS))
