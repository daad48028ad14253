"""Draws of the fitted numbers as studies use them: within declared bounds, and never over what a variant fixes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from afterglow.data.fitted import MEASUREMENT as HEAD
from afterglow.data.fitted import TAU
from afterglow.errors import Fault


def split_draws(count: int, seed: int, variant: str | None = None) -> list[tuple[dict[str, float], dict[str, float]]]:
    """Draws from the shipped posterior, each as parameters by full name and measurement numbers without their prefix.

    Parameters are clipped into their declared bounds; those that `variant` fixes are left out.
    """
    from afterglow.compiled import compiled
    from afterglow.data import fitted
    from afterglow.systems.variants import VARIANTS

    found = fitted.parameter_draws(count, seed, variant) if count > 0 else []
    declared = compiled(variant).program.model.params
    fixed = VARIANTS[variant].values if variant else {}

    def within(name: str, value: float) -> float:
        low, high = declared[name].bounds if name in declared else (value, value)
        return min(max(value, low), high)

    return [
        (
            {k: within(k, v) for k, v in one.items() if not k.startswith((HEAD, TAU)) and k not in fixed},
            {k.removeprefix(HEAD): v for k, v in one.items() if k.startswith(HEAD)},
        )
        for one in found
    ]


def tau_draws(count: int, seed: int, variant: str | None = None) -> NDArray[np.float64]:
    """Spreads of trial effects (u, v, e) of the same draws, [draws, 3]."""
    from afterglow.data import fitted

    drawn = fitted.parameter_draws(count, seed, variant)
    return np.array([[one[TAU + name] for name in "uve"] for one in drawn])


def bounded_draws(count: int, seed: int, variant: str | None = None) -> list[dict[str, float]]:
    """The parameters of `split_draws` alone: what `simulate_course` takes as `typical`."""
    return [values for values, _ in split_draws(count, seed, variant)]


def draws_faults(draws: int) -> list[Fault]:
    """What is wrong with a number of draws: one draw has no spread."""
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 0 or draws == 1:
        return [Fault("--draws", f"{draws} draws", "write 0 (chance only) or a whole number of at least 2")]
    return []
