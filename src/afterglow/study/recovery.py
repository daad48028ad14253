"""Known parameters, simulated trials: does the calibration find them again, as often as its intervals promise?

A made-up data set is what the declared rows would have shown if one draw of the posterior were the truth: the model
itself predicts (with other virtual patients than those behind the emulator), every trial gets effects of its own, every
row its own effect and its sampling error. The posterior is then sampled as always, on the emulator, from these values.

Truths come from the posterior and not from the prior, since the emulator is good only there. So this tests emulator,
sampler and intervals in the region that matters; it does not promise coverage for a truth far away from it. From
made-up rows alone the test is not exact: the prior draws towards the start, and truths around the posterior do not
follow it there, so right intervals cover less than they promise. It is exact when the published rows speak beside the
made-up ones (`beside`): truths are then draws of what the sampler starts from.

Source: Talts S, Betancourt M, Simpson D, Vehtari A, Gelman A (2018) Validating Bayesian inference algorithms with
simulation-based calibration. arXiv:1804.06788 (ranks).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from afterglow import streams
from afterglow.study.likelihood import Rows

if TYPE_CHECKING:
    import pandas as pd

    from afterglow.study.calibrate import Free

FloatArray = NDArray[np.float64]
LEVEL = 0.9
MEANS = ("rank", "bias", "sd_over_prior")
HALF_NORMAL = float(np.sqrt(1 - 2 / np.pi))  # SD of |N(0, 1)|
Model = Callable[[FloatArray], FloatArray]
Sampler = Callable[[FloatArray, int], tuple[FloatArray, FloatArray]]


@dataclass(frozen=True)
class Asked:
    """The numbers to be found again.

    Attributes:
        names: free numbers, then tau_u, tau_v and tau_e.
        prior_sd: SD of each prior; of log ratios to the start, and of the taus as they are.
    """

    names: tuple[str, ...]
    prior_sd: FloatArray

    @classmethod
    def of(cls, free: Sequence[Free], tau_scale: Sequence[float]) -> Asked:
        """The free numbers of a calibration; `tau_scale` are the scales of the half-normal priors of the taus."""
        sd = [f.prior_sd for f in free] + [HALF_NORMAL * scale for scale in tau_scale]
        return cls((*(f.name for f in free), "tau_u", "tau_v", "tau_e"), np.array(sd))


def made_up(rows: Rows, predicted: FloatArray, tau: FloatArray, rng: streams.Generator) -> FloatArray:
    """Values that the rows could have shown, [rows]: prediction, trial effects and sampling error.

    Args:
        rows: standard errors and what trial effects do; their observed values are not used.
        predicted: [rows].
        tau: SDs of the trial effects (u, v, e).
        rng: the chance.
    """
    root = np.linalg.cholesky(rows.covariance(tau))
    return predicted + root @ rng.standard_normal(len(predicted))


def beside(published: Rows, made: Rows) -> Rows:
    """Published and made-up rows together, as trials of their own: one that was repeated has other effects."""
    pairs = {name: (getattr(published, name), getattr(made, name)) for name in ("observed", "se", "by_u", "by_v")}
    return Rows(
        trial=np.concatenate([published.trial, made.trial + published.trial.max() + 1]),
        **{name: np.concatenate(pair) for name, pair in pairs.items()},
    )


def recover(
    asked: Asked,
    truths: Sequence[tuple[FloatArray, FloatArray]],
    model: Model,
    rows: Rows,
    sampler: Sampler,
    seed: int,
    progress: Callable[[str], None] = lambda _: None,
) -> pd.DataFrame:
    """One made-up data set for each truth, and what the posterior of it says of that truth.

    Args:
        asked: what is to be found.
        truths: log ratios [parameters] and taus [3] of each set.
        model: predictions [rows] at log ratios; NaN where it has no answer, and such a row then shows nothing.
        rows: the fitted rows.
        sampler: posterior draws (x, tau) from observed values [rows] and a seed; NaN is no observation.
        seed: of the made-up values, and of the sampler.
        progress: called with a line a set.

    Returns:
        A line for each set and number: set, name, truth, median, lo90, hi90, covered (0 or 1), rank (share of the draws
        below the truth), bias (mean less truth, in posterior SDs), sd_over_prior.
    """
    import pandas as pd

    lines = []
    for k, (x, tau) in enumerate(truths):
        rng = streams.generator(seed, "recovery/data", k)
        observed = made_up(rows, model(x), tau, rng)
        drawn = np.hstack(sampler(observed, seed + k))
        mine = compared(drawn, np.concatenate([x, tau]), asked.prior_sd)
        mine.insert(0, "set", k)
        mine.insert(1, "name", pd.Series(asked.names, index=mine.index))
        lines.append(mine)
        inside = int(mine["covered"].to_numpy(int).sum())
        progress(f"set {k + 1} of {len(truths)}: {inside} of {len(mine)} inside")
    return pd.concat(lines, ignore_index=True)


def compared(drawn: FloatArray, truth: FloatArray, prior_sd: FloatArray) -> pd.DataFrame:
    """Draws [draws, numbers] beside the truth [numbers]; columns as in `recover`."""
    import pandas as pd

    low, middle, high = np.quantile(drawn, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2], axis=0)
    sd = drawn.std(axis=0)
    return pd.DataFrame(
        {
            "truth": truth,
            "median": middle,
            "lo90": low,
            "hi90": high,
            "covered": ((low <= truth) & (truth <= high)).astype(int),
            "rank": (drawn < truth).mean(axis=0),
            "bias": (drawn.mean(axis=0) - truth) / sd,
            "sd_over_prior": sd / prior_sd,
        }
    )


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Coverage by number, and over all of them (name "all").

    Columns: name, sets, covered (share), lo95, hi95, rank (mean; 0.5 is right), bias, sd_over_prior. The interval of
    one number is the exact binomial one; that of "all" takes the sets (two or more) as independent and the numbers of a
    set as not.
    """
    import pandas as pd

    column = {key: table[key].to_numpy(float) for key in ("covered", *MEANS)}
    names, sets = table["name"].to_numpy(str), table["set"].to_numpy(int)
    every = np.unique(sets)

    def line(name: str, mine: NDArray[np.bool_], interval: tuple[float, float]) -> dict[str, object]:
        found: dict[str, object] = {"name": name, "sets": len(np.unique(sets[mine]))}
        found |= {"covered": float(column["covered"][mine].mean()), "lo95": interval[0], "hi95": interval[1]}
        return found | {key: float(column[key][mine].mean()) for key in MEANS}

    lines = []
    for name in dict.fromkeys(names.tolist()):
        mine = names == name
        lines.append(line(name, mine, binomial(int(column["covered"][mine].sum()), int(mine.sum()))))
    by_set = np.array([column["covered"][sets == k].mean() for k in every])
    middle, reach = float(by_set.mean()), 1.96 * float(by_set.std(ddof=1)) / len(every) ** 0.5
    lines.append(line("all", np.ones(len(table), dtype=bool), (middle - reach, min(middle + reach, 1.0))))
    return pd.DataFrame(lines)


def binomial(hits: int, of: int) -> tuple[float, float]:
    """Exact 95 % interval of a share (Clopper and Pearson)."""
    low = float(beta.ppf(0.025, hits, of - hits + 1)) if hits else 0.0
    return low, float(beta.ppf(0.975, hits + 1, of - hits)) if hits < of else 1.0
