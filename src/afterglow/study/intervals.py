"""90 % intervals of means, spreads and fractions, with or without the uncertainty of the parameters.

Two sources can be covered. *Sampling*: the population mean is known only as well as the number of simulated patients
allows. *Parameters*: the same study is repeated at other draws of the model's parameters. Both are joined by the law of
total variance,

    Var(estimate) = mean over draws of Var(estimate | draw)  +  variance over draws of estimate

and the number of degrees of freedom by Satterthwaite's rule. Model structure is covered by neither: that is what
variants are for.

Sources: Wilson EB (1927) J Am Stat Assoc 22:209 (fractions); Satterthwaite FE (1946) Biometrics Bulletin 2:110.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

LEVEL = 0.90
POWER_PER_GROUP = 50
POWER_ALPHA = 0.05


@dataclass(frozen=True)
class Estimate:
    """An estimate with its sampling variance from `n` patients; arrays over visits."""

    value: FloatArray
    variance: FloatArray
    n: FloatArray


def mean(values: FloatArray) -> Estimate:
    """Mean over patients (axis 0); NaN is a missing patient."""
    n, sd = _n(values), _sd(values)
    return Estimate(_mean(values), sd**2 / np.maximum(n, 1), n)


def spread(values: FloatArray) -> Estimate:
    """Standard deviation over patients; its variance is that of a normal sample, s^2 / 2(n - 1)."""
    n, sd = _n(values), _sd(values)
    return Estimate(sd, sd**2 / np.where(n > 1, 2 * (n - 1), np.nan), n)


def fraction(hits: FloatArray) -> Estimate:
    """Share of patients with a 1; the variance is taken at the Agresti-Coull centre, so that 0 and 1 have one too."""
    n = _n(hits)
    return share(_mean(hits) * n, n)


def share(hits: FloatArray, n: FloatArray) -> Estimate:
    """The same from counts: `hits` of `n` patients."""
    z = _normal(LEVEL)
    centre = (hits + z**2 / 2) / (n + z**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return Estimate(hits / n, centre * (1 - centre) / np.maximum(n, 1), n)


def interval(kind: str, main: Estimate, draws: Sequence[Estimate] = ()) -> tuple[FloatArray, FloatArray]:
    """Lower and upper end of the 90 % interval around `main`.

    Args:
        kind: "mean" (t), "spread" (t on the log scale, never negative) or "fraction" (Wilson, stays in 0-1; with draws
            at the t quantile of the mean).
        main: the estimate in the middle.
        draws: the same estimate at other draws of the parameters; at least two, else only sampling is covered. They
            may come from fewer patients.
    """
    within, between = parts(main, draws)
    if kind == "fraction":
        z = _t_quantile(within, between, main.n, len(draws)) if len(draws) > 1 else _normal(LEVEL)
        return _wilson(main.value, main.n * within / (within + between), z)
    half = _t_quantile(within, between, main.n, len(draws)) * np.sqrt(within + between)
    if kind == "mean":
        return main.value - half, main.value + half
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(main.value > 0, np.exp(half / main.value), 1.0)
    ratio = np.where(np.isfinite(half), ratio, np.nan)
    return main.value / ratio, main.value * ratio


def parts(main: Estimate, draws: Sequence[Estimate] = ()) -> tuple[FloatArray, FloatArray]:
    """Variance of the estimate by sampling, and by the parameters (0 without draws).

    Draws share their patients and their luck, so chance hardly adds to what lies between them.
    """
    if len(draws) < 2:
        return main.variance, np.zeros_like(main.value)
    within = np.mean([draw.variance * draw.n for draw in draws], axis=0) / main.n
    return within, np.var([draw.value for draw in draws], axis=0, ddof=1)


def power(difference: FloatArray, sd: FloatArray) -> FloatArray:
    """Power of a parallel trial with 50 a group: two-sided t-test at 5 %, exact (noncentral t)."""
    from scipy.special import nctdtr, stdtrit  # scipy.stats takes a third of a second to load

    df = 2 * POWER_PER_GROUP - 2
    critical = float(stdtrit(df, 1 - POWER_ALPHA / 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = np.abs(difference) / sd * np.sqrt(POWER_PER_GROUP / 2)
    near = np.clip(shift, None, 12.0)  # beyond, the power is 1 to 20 digits and the series fails
    other_side = 1 - nctdtr(df, -near, critical)  # the lower tail at -critical, by symmetry
    return np.asarray(1 - nctdtr(df, near, critical) + other_side)


def _t_quantile(within: FloatArray, between: FloatArray, n: FloatArray, draws: int) -> FloatArray:
    from scipy.special import stdtrit

    with np.errstate(divide="ignore", invalid="ignore"):
        bottom = within**2 / (n - 1) + (between**2 / (draws - 1) if draws > 1 else 0.0)
        df = np.where(bottom > 0, (within + between) ** 2 / bottom, n - 1)
    return np.asarray(stdtrit(np.where(n > 1, df, np.nan), 0.5 + LEVEL / 2))


def _wilson(p: FloatArray, n: FloatArray, z: FloatArray | float) -> tuple[FloatArray, FloatArray]:
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def _normal(level: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(0.5 + level / 2))


def _n(values: FloatArray) -> FloatArray:
    return np.sum(np.isfinite(values), axis=0).astype(float)


def _mean(values: FloatArray) -> FloatArray:
    n = _n(values)
    return np.where(n > 0, np.nansum(values, axis=0) / np.maximum(n, 1), np.nan)


def _sd(values: FloatArray) -> FloatArray:
    n = _n(values)
    square = np.nansum((values - _mean(values)) ** 2, axis=0)
    return np.where(n > 1, np.sqrt(square / np.maximum(n - 1, 1)), np.nan)
