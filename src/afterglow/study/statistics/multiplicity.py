"""Several hypotheses in one trial, with the chance of any false rejection held at alpha."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Decisions:
    """What a procedure says of each hypothesis, in the order given.

    Attributes:
        rejected: whether it is rejected at the procedure's alpha.
        adjusted: the smallest alpha at which it would be.
    """

    rejected: list[bool]
    adjusted: list[float]


def holm(p: Sequence[float], alpha: float = 0.05) -> Decisions:
    """Holm's step-down procedure; a missing p (NaN) counts as one. Source: Holm S (1979) Scand J Stat 6:65-70."""
    values = _without_gaps(p)
    order = np.argsort(values, kind="stable")
    steps = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(steps, 1.0)
    return _decided(adjusted, alpha)


def fixed_sequence(p: Sequence[float], alpha: float = 0.05) -> Decisions:
    """Each hypothesis at full alpha in the order given, until one is not rejected; a missing p (NaN) counts as one.

    The gatekeeping of one primary and ordered secondary outcomes. Source: Maurer W, Hothorn LA, Lehmacher W (1995) in
    Vollmar J (ed) Biometrie in der chemisch-pharmazeutischen Industrie 6:3-18.
    """
    return _decided(np.maximum.accumulate(_without_gaps(p)), alpha)


def _without_gaps(p: Sequence[float]) -> np.ndarray:
    values = np.asarray(p, dtype=float)
    return np.where(np.isnan(values), 1.0, values)


def _decided(adjusted: np.ndarray, alpha: float) -> Decisions:
    return Decisions([bool(a <= alpha) for a in adjusted], [float(a) for a in adjusted])
