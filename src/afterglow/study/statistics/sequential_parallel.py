"""The sequential parallel comparison design: two stages, the second among those whom placebo did not help.

Sources: Fava M, Evins AE, Dorer DJ, Schoenfeld DA (2003) doi:10.1159/000069738; Chen YF, Yang Y, Hung HMJ, Wang SJ
(2011) Contemp Clin Trials 32:592-604.
"""

from __future__ import annotations

import math

from afterglow.study.statistics.result import Estimate


def combined(first: Estimate, second: Estimate, weight: float = 0.5) -> Estimate:
    """The weighted effect `weight` * first + (1 - `weight`) * second.

    The stages' estimates are taken as uncorrelated, as Chen et al. show for large trials. Degrees of freedom are
    Satterthwaite's for a sum of two independent variances.

    Args:
        first: effect in the first stage.
        second: effect in the second stage, among placebo's non-responders.
        weight: of the first stage, 0 to 1.
    """
    for stage in (first, second):
        if stage.problem:
            return Estimate.missing(stage.problem)
    parts = ((weight * first.se) ** 2, ((1 - weight) * second.se) ** 2)
    variance = sum(parts)
    doubt = parts[0] ** 2 / first.df + parts[1] ** 2 / second.df
    df = variance**2 / doubt if doubt > 0 else math.inf
    return Estimate(weight * first.estimate + (1 - weight) * second.estimate, math.sqrt(variance), df)
