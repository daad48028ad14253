"""The crossover of two treatments in two periods.

Source: Hills M, Armitage P (1979) Br J Clin Pharmacol 8:7-20.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afterglow.study.statistics.ancova import ancova
from afterglow.study.statistics.result import Estimate

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Crossover:
    """Active minus control, three ways.

    Attributes:
        treatment: from the differences within people, by sequence; free of a period effect, n1 + n2 - 2 degrees of
            freedom; biased by half of any difference of carry-over.
        carry_over: difference of the sequences' sums over both periods: the carry-over of active minus control, tested
            between people and so with little power.
        first_period: from the first period alone, which nothing carries over into.
    """

    treatment: Estimate
    carry_over: Estimate
    first_period: Estimate


def crossover(y: FloatArray, active_first: NDArray[np.bool_]) -> Crossover:
    """Analyse a two-period crossover.

    Args:
        y: outcomes [n, 2] by period; a person with a missing period counts only in `first_period`.
        active_first: whether a person had the active treatment first [n].
    """
    sequence = np.asarray(active_first).astype(np.intp)

    def compared(values: FloatArray) -> Estimate:
        if not {0, 1} <= set(sequence[~np.isnan(values)].tolist()):
            return Estimate.missing("a sequence is empty")
        return ancova(values, sequence).contrast(1, 0)

    return Crossover(compared((y[:, 0] - y[:, 1]) / 2), compared(y.sum(axis=1)), compared(y[:, 0]))
