"""Sensitivity of any function of points in (0, 1): one input at a time, Morris' elementary effects, Sobol' indices.

A `Run` takes points [sets, inputs] to outcomes [sets, outcomes]; nothing else of the model is known here. Sampling and
estimators are those of SALib (doi:10.18174/sesmo.18155).

Sources: Morris MD (1991) Technometrics 33:161; Campolongo F et al. (2007) Environ Model Softw 22:1509 (absolute
effects); Saltelli A et al. (2010) Comput Phys Commun 181:259 (first-order and total indices); Owen AB (2020)
arXiv:2008.08051 (scrambled points).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from afterglow import streams

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
Run = Callable[[FloatArray], FloatArray]

LOW, HIGH = 0.05, 0.95  # where one input at a time is moved to
LEVELS = 4  # of Morris' grid
RESAMPLES = 200  # behind the intervals


def swings(run: Run, count: int) -> tuple[FloatArray, FloatArray]:
    """One of `count` inputs at a time from its 5 % to its 95 % value, the others in the middle.

    Returns:
        outcomes [outcomes] with all in the middle, and [2, count, outcomes] with each at its low and high end.
    """
    points = np.full((2 * count + 1, count), 0.5)
    points[1 : count + 1][np.diag_indices(count)] = LOW
    points[count + 1 :][np.diag_indices(count)] = HIGH
    found = run(points)
    return found[0], found[1:].reshape(2, count, -1)


def _seed(seed: int, *purpose: object) -> int:
    """A seed for a library that takes whole numbers only."""
    return int(streams.generator(seed, "sensitivity", *purpose).integers(1, 2**31))


def _problem(names: Sequence[str], ends: tuple[float, float], groups: Sequence[str] | None = None) -> dict[str, Any]:
    return {"num_vars": len(names), "names": list(names), "bounds": [list(ends)] * len(names), "groups": groups}


def _by_name(run: Run, names: Sequence[str]) -> tuple[list[str], Run]:
    """Inputs in the order of their names: results must not hang on the order in which they come."""
    order = sorted(range(len(names)), key=lambda i: names[i])
    back = np.argsort(order)

    def sorted_run(points: FloatArray) -> FloatArray:
        return run(points[:, back])

    return [names[i] for i in order], sorted_run


def _whole(found: FloatArray, size: int) -> NDArray[np.bool_]:
    """Rows of those blocks of `size` in which everything is finite: one failed run spoils its block and no other."""
    fine = np.isfinite(found).all(axis=1).reshape(-1, size).all(axis=1)
    return np.repeat(fine, size)


def screen(run: Run, names: Sequence[str], outcomes: Sequence[str], trajectories: int, seed: int) -> pd.DataFrame:
    """Morris' elementary effects: what an outcome changes when an input goes from its 5 % to its 95 % value.

    Returns:
        outcome, input, mu_star (mean absolute effect, in the unit of the outcome), mu_star_conf (half width of its 90 %
        interval), mu (with sign), sigma (SD of the effects: interactions and curves), n (trajectories); largest first.
    """
    import pandas as pd
    from SALib.analyze import morris as analyse
    from SALib.sample import morris as sample

    names, run = _by_name(run, names)
    problem = _problem(names, (LOW, HIGH))
    points = sample.sample(problem, trajectories, num_levels=LEVELS, seed=_seed(seed, "morris"))
    found = run(points)
    fine = _whole(found, len(names) + 1)
    parts = []
    for j, name in enumerate(outcomes):
        luck = _seed(seed, "morris/resample", name)
        one = analyse.analyze(
            problem, points[fine], found[fine, j], num_resamples=RESAMPLES, conf_level=0.9, num_levels=LEVELS, seed=luck
        )
        columns = {key: np.asarray(one[key], float) for key in ("mu_star", "mu_star_conf", "mu", "sigma")}
        table = pd.DataFrame({"outcome": name, "input": names, **columns, "n": int(fine.sum()) // (len(names) + 1)})
        parts.append(table.sort_values(["mu_star", "input"], ascending=[False, True]))
    return pd.concat(parts, ignore_index=True)


def indices(
    run: Run,
    names: Sequence[str],
    outcomes: Sequence[str],
    base: int,
    seed: int,
    groups: Sequence[str] | None = None,
) -> tuple[pd.DataFrame, FloatArray]:
    """Sobol' indices of inputs that vary independently: shares of an outcome's variance.

    Args:
        run: the model.
        names: of the inputs.
        outcomes: names of the outcomes.
        base: base samples, a power of 2; there are `base` x (inputs or groups + 2) runs.
        seed: of the points.
        groups: a group for each input: then the indices are those of groups, whose inputs vary together.

    Returns:
        outcome, input (or group), first (what it does alone), total (with all its interactions), each with the half
        width of its 90 % interval (bootstrap), and n (base samples), largest total first; and a plain sample of the
        outcomes [2 x n, outcomes], all inputs varied.
    """
    import pandas as pd
    from SALib.analyze import sobol as analyse
    from SALib.sample import sobol as sample

    kinds = None if groups is None else dict(zip(names, groups, strict=True))
    names, run = _by_name(run, names)
    of = list(names) if kinds is None else sorted(set(kinds.values()))
    problem = _problem(names, (0.0, 1.0), None if kinds is None else [kinds[name] for name in names])
    luck = _seed(seed, "sobol", *of)
    points = sample.sample(problem, base, calc_second_order=False, seed=luck)
    found, size = run(points), len(of) + 2
    found = found[_whole(found, size)]
    parts = []
    for j, name in enumerate(outcomes):
        table = pd.DataFrame(0.0, index=pd.Index(of), columns=pd.Index(["total", "total_conf", "first", "first_conf"]))
        if np.ptp(found[:, j]) > 0:
            luck = _seed(seed, "sobol/resample", name)
            one = analyse.analyze(
                problem, found[:, j], calc_second_order=False, num_resamples=RESAMPLES, conf_level=0.9, seed=luck
            )
            total, first = one.to_df()
            table[["total", "total_conf"]] = total.loc[of, ["ST", "ST_conf"]].to_numpy()
            table[["first", "first_conf"]] = first.loc[of, ["S1", "S1_conf"]].to_numpy()
        table = table.rename_axis("input").reset_index()
        table.insert(0, "outcome", name)
        parts.append(table.assign(n=len(found) // size).sort_values(["total", "input"], ascending=[False, True]))
    blocks = found.reshape(-1, size, found.shape[1])
    return pd.concat(parts, ignore_index=True), np.vstack([blocks[:, 0], blocks[:, -1]])
