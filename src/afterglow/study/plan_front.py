"""Plans side by side: outcomes in the user's words, their intervals, and the plans that no other beats.

Every plan runs in the same people with the same luck, and two different things are told of each outcome:

    p05, p95    the ends of 90 % of people: who this person might be (the posterior), and their luck
    lo90, hi90  the 90 % interval of the mean over these people, and of its difference from another plan: Monte Carlo
                error, for how few people ran. It shrinks with more of them; what is not known of the person does not.

Intervals are percentiles of a bootstrap over people, paired: a resample has the same people in every plan. People who
were drawn more than once, because the scores speak for them, are resampled together, so that few effective people
make wide intervals. `front_share` is the share of resamples in which a plan is on the front: how far chance among the
simulated people decides it. Neither holds what is wrong with the model.

Source: Efron B, Tibshirani RJ (1993) An Introduction to the Bootstrap, Chapman & Hall, chapter 13.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from afterglow import streams
from afterglow.study.cloud import Cloud

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

RESAMPLES = 1000
TAILS = (0.05, 0.95)


@dataclass(frozen=True)
class Objective:
    """What a plan is judged by.

    Attributes:
        name: as a column of the tables.
        title: in words.
        more: whether more is better.
        digits: after the point, for the reader.
    """

    name: str
    title: str
    more: bool
    digits: int = 0

    @property
    def asked(self) -> str:
        """As it is written on the command line."""
        return self.name.replace("_", "-")

    @property
    def aim(self) -> str:
        """`more` or `less`."""
        return "more" if self.more else "less"


OBJECTIVES = {
    one.asked: one
    for one in (
        Objective("days_in_remission", "days in remission", True, 1),
        Objective("doses", "doses", False, 1),
        Objective("visits", "visits", False, 1),
        Objective("ketamine_mg", "ketamine, mg", False),
        Objective("cadss", "worst dissociation (CADSS)", False, 1),
        Objective("days_ill", "days ill", False, 1),
    )
}
USUAL_OBJECTIVES = ("days-in-remission", "doses")


def same_people(cloud: Cloud) -> IntArray:
    """A number for each person of a resampled cloud; those who were drawn more than once share it, [people]."""
    return np.unique(cloud.own, axis=0, return_inverse=True)[1].ravel().astype(np.int64)


def resampled_weights(who: IntArray, seed: int, count: int = RESAMPLES) -> FloatArray:
    """Weights of people in each bootstrap resample, [resamples, people], rows summing to 1."""
    groups = int(who.max()) + 1
    drawn = streams.generator(seed, "plan/bootstrap").multinomial(groups, np.full(groups, 1.0 / groups), size=count)
    weights = drawn[:, who].astype(np.float64)
    return weights / weights.sum(axis=1, keepdims=True)


def interval(weights: FloatArray, values: FloatArray) -> tuple[float, float]:
    """90 % interval of the mean of `values` [people] over resamples."""
    low, high = np.quantile(weights @ values, TAILS)
    return float(low), float(high)


def unbeaten(values: FloatArray) -> BoolArray:
    """Which plans no other beats: as good in everything, and better in something.

    Args:
        values: of each plan by each objective, more is better, [..., plans, objectives].

    Returns:
        [..., plans].
    """
    one, other = values[..., :, None, :], values[..., None, :, :]
    beaten = (other >= one).all(axis=-1) & (other > one).any(axis=-1)
    return np.logical_not(np.asarray(beaten.any(axis=-1), dtype=bool))


def rules_table(
    described: Sequence[Mapping[str, Any]],
    outcomes: Sequence[Mapping[str, FloatArray]],
    objectives: Sequence[Objective],
    weights: FloatArray,
) -> pd.DataFrame:
    """One row a plan: every outcome, and whether it is on the front of the chosen objectives.

    Therapy takes no doses, so where doses are all that a plan costs, plans with therapy beat those without.
    `front_alike` tells which plans no other with the same therapy beats.

    Args:
        described: what each plan is: columns to begin with, with `therapy`.
        outcomes: of each plan, by name, each [people].
        objectives: that make the front.
        weights: of `resampled_weights`.
    """
    import pandas as pd

    rows = []
    for words, found in zip(described, outcomes, strict=True):
        row: dict[str, Any] = {**words, "people": weights.shape[1]}
        for one in OBJECTIVES.values():
            values = found[one.name]
            row[one.name] = float(values.mean())
            row[f"{one.name}_lo90"], row[f"{one.name}_hi90"] = interval(weights, values)
            row[f"{one.name}_p05"], row[f"{one.name}_p95"] = (float(end) for end in np.quantile(values, TAILS))
        rows.append(row)
    signed = np.array([[(1.0 if one.more else -1.0) * found[one.name] for one in objectives] for found in outcomes])
    table = pd.DataFrame(rows)
    table["front"] = unbeaten(signed.mean(axis=2))
    means = np.einsum("bp,rop->bro", weights, signed, optimize=True)
    table["front_share"] = unbeaten(means.round(9)).mean(axis=0)
    table["front_alike"] = False
    for kind in dict.fromkeys(table["therapy"]):
        mine = (table["therapy"] == kind).to_numpy()
        table.loc[mine, "front_alike"] = unbeaten(signed[mine].mean(axis=2))
    return table


def front_table(
    names: Sequence[str],
    outcomes: Sequence[Mapping[str, FloatArray]],
    objectives: Sequence[Objective],
    weights: FloatArray,
    against: Mapping[str, str],
) -> pd.DataFrame:
    """One row a plan and chosen objective: the mean, and its difference from other plans in the same people.

    Args:
        names: of the plans.
        outcomes: of each plan, by name, each [people].
        objectives: that make the front.
        weights: of `resampled_weights`.
        against: head of the columns -> name of the plan to compare with; one that is not there leaves them empty.
    """
    import pandas as pd

    known = dict(zip(names, outcomes, strict=True))
    rows = []
    for name, found in known.items():
        for one in objectives:
            values = found[one.name]
            row: dict[str, Any] = {"plan": name, "objective": one.name, "aim": one.aim, "mean": float(values.mean())}
            row["lo90"], row["hi90"] = interval(weights, values)
            for head, other in against.items():
                ends = [f"{head}{end}" for end in ("", "_lo90", "_hi90")]
                row |= dict.fromkeys(ends, np.nan)
                if other in known:
                    apart = values - known[other][one.name]
                    row |= dict(zip(ends, (float(apart.mean()), *interval(weights, apart)), strict=True))
            rows.append(row)
    return pd.DataFrame(rows)
