"""What an analysis returns: an estimate with its error, its test and its interval, or the reason why there is none."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from scipy.special import ndtr, ndtri, stdtr, stdtrit

Limits = Callable[[float], tuple[float, float]]


@dataclass(frozen=True)
class Estimate:
    """An estimate of a quantity that is zero under the null hypothesis.

    Test and interval are Wald's with `df` degrees of freedom (infinite: normal) unless the analysis has its own.

    Attributes:
        estimate: the value, NaN when the analysis cannot be done.
        se: its standard error.
        df: degrees of freedom of the t distribution.
        p_value: two-sided p of a test that is not Wald's.
        limits: gives the two ends of an interval that is not Wald's, from its level.
        problem: why there is no estimate; empty when there is one.
    """

    estimate: float
    se: float
    df: float = math.inf
    p_value: float | None = None
    limits: Limits | None = None
    problem: str = ""

    @classmethod
    def missing(cls, problem: str) -> Estimate:
        """The result of an analysis that these data do not allow."""
        return cls(math.nan, math.nan, math.nan, problem=problem)

    @property
    def statistic(self) -> float:
        """Estimate over standard error; NaN without an error."""
        return self.estimate / self.se if self.se > 0 else math.nan

    @property
    def p(self) -> float:
        """Two-sided p of no effect."""
        if self.p_value is not None:
            return self.p_value
        return 2 * t_below(-abs(self.statistic), self.df)

    def interval(self, level: float = 0.9) -> tuple[float, float]:
        """The two ends of the interval with this confidence level."""
        if self.limits is not None:
            return self.limits(level)
        half = t_quantile(0.5 + level / 2, self.df) * self.se
        return self.estimate - half, self.estimate + half


def t_below(t: float, df: float) -> float:
    """Probability below t; `df` may be infinite."""
    return float(ndtr(t)) if math.isinf(df) else float(stdtr(df, t))


def t_quantile(share: float, df: float) -> float:
    """Quantile of the t distribution; `df` may be infinite."""
    return float(ndtri(share)) if math.isinf(df) else float(stdtrit(df, share))
