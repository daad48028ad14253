"""Who gets which arm of a trial.

    simple         every patient by an independent draw, by the ratio
    exact          fixed numbers per arm in random order, as the tables of most published trials have them
    blocked        permuted blocks: each full block holds the ratio exactly
    stratified     a list of permuted blocks for each stratum
    minimisation   the arm that best balances the factors so far, with high probability (Pocock & Simon)

Patients stand in order of entry. Chance is keyed by patient (simple, exact, minimisation) or by place on the
randomisation list (blocked, stratified), never by what else is simulated. So patients who enter later change nobody's
arm, except with `exact`, where the arms are one permutation of all.

Sources: Pocock SJ, Simon R (1975) Sequential treatment assignment with balancing for prognostic factors in the
controlled clinical trial. Biometrics 31:103-115. doi:10.2307/2529712. Unequal ratios in minimisation: Han B, Enas NH,
McEntegart D (2009) Randomization by minimization for unbalanced treatment allocation. Stat Med.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from afterglow import streams
from afterglow.errors import Fault, InputError, nearest

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

Kind = Literal["simple", "exact", "blocked", "stratified", "minimisation"]
Imbalance = Literal["range", "variance"]

KINDS: tuple[str, ...] = get_args(Kind)
FOLLOW = 0.8  # chance of taking the arm that balances best (assumed; a usual choice)
_PURPOSE = "trial/allocation"


def allocate(
    kind: str,
    weights: Sequence[float],
    patients: range,
    seed: int,
    replicate: int = 0,
    *,
    block: int | None = None,
    strata: ArrayLike | None = None,
    factors: ArrayLike | None = None,
    follow: float = FOLLOW,
    imbalance: Imbalance = "range",
    where: str = "allocation",
) -> IntArray:
    """Arm of each patient, [patients], codes 0, 1, ... in the order of `weights`.

    Args:
        kind: one of `KINDS`.
        weights: the ratio, [arms], each above 0; for `exact` the numbers themselves may be given.
        patients: numbers of all patients of the trial, in order of entry.
        seed: the run's seed.
        replicate: number of the trial replicate.
        block: patients in a block (blocked, stratified), a multiple of the sum of the ratio in lowest terms.
        strata: [patients] codes (stratified).
        factors: [patients, factors] codes of levels from 0 (minimisation).
        follow: chance of taking the arm that balances best (minimisation); stated for the rarest arm, and higher for
            commoner ones.
        imbalance: how the spread of a level's patients over the arms is measured (minimisation).
        where: place that faults are reported at.

    Raises:
        InputError: the ratio, the block or the number of patients are impossible, or something is not given.
    """
    found = faults(kind, weights, len(patients), block=block, follow=follow, where=where)
    if kind == "stratified" and strata is None:
        found.append(Fault(where, "stratified allocation has no strata", "name what the patients are stratified by"))
    if kind == "minimisation" and factors is None:
        found.append(Fault(where, "minimisation has no factors", "name the factors that it balances"))
    if found:
        raise InputError(found)
    ratio = np.asarray(weights, dtype=np.float64)
    if kind == "exact":
        return _exact(ratio, _luck(seed, replicate, patients))
    if kind == "blocked" and block is not None:
        return _blocks(ratio, block, patients, seed, replicate, _PURPOSE)
    if kind == "stratified" and block is not None and strata is not None:
        return _stratified(ratio, block, _codes(strata, patients, 1), seed, replicate)
    if kind == "minimisation" and factors is not None:
        return _minimised(ratio, _codes(factors, patients, 2), _luck(seed, replicate, patients), follow, imbalance)
    return _by_share(ratio / ratio.sum(), _luck(seed, replicate, patients))


def faults(
    kind: str,
    weights: Sequence[float],
    patients: int,
    *,
    block: int | None = None,
    follow: float = FOLLOW,
    where: str = "allocation",
) -> list[Fault]:
    """Everything that makes an allocation impossible, for whoever checks a plan before there are patients."""
    found: list[Fault] = []
    if kind not in KINDS:
        found.append(Fault(where, f"allocation '{kind}' is not known", nearest(kind, KINDS)))
    ratio = np.asarray(weights, dtype=np.float64)
    told = ":".join(f"{weight:g}" for weight in ratio)
    if ratio.size == 0 or not (np.isfinite(ratio) & (ratio > 0)).all():
        found.append(Fault(where, f"a ratio of '{told}'", "give every arm a number above 0"))
        return found
    if len(ratio) > patients:
        found.append(Fault(where, f"{len(ratio)} arms for {patients} patients", "at least one patient for each arm"))
    elif kind == "exact" and not _numbers(ratio, patients).all():
        problem = f"a ratio of {told} leaves an arm of {patients} patients empty"
        found.append(Fault(where, problem, "more patients or a milder ratio"))
    if kind in ("blocked", "stratified"):
        found += _block_faults(ratio, told, block, where)
    by_ratio = ratio.min() / ratio.sum()
    if kind == "minimisation" and not by_ratio <= follow <= 1.0:
        problem = f"a chance of {follow:g} to take the arm that balances best"
        found.append(Fault(where, problem, f"from {by_ratio:.3g}, the share of the rarest arm, to 1"))
    return found


def _block_faults(ratio: FloatArray, told: str, block: int | None, where: str) -> list[Fault]:
    if (ratio != np.rint(ratio)).any():
        return [Fault(where, f"blocks cannot hold a ratio of {told}", "write the ratio in whole numbers")]
    least = int(_lowest(ratio).sum())
    if block is None:
        return [Fault(where, "the size of the blocks is not given", f"a multiple of {least}")]
    if block < 1 or block % least:
        return [Fault(where, f"blocks of {block} cannot hold a ratio of {told}", f"a multiple of {least}")]
    return []


def _luck(seed: int, replicate: int, patients: range) -> FloatArray:
    return streams.uniform(seed, replicate, patients, _PURPOSE)[:, 0]


def _codes(values: ArrayLike, patients: range, dimensions: int) -> IntArray:
    codes = np.asarray(values, dtype=np.int64)
    if codes.ndim != dimensions or len(codes) != len(patients):
        raise ValueError(f"codes have shape {codes.shape}, expected {dimensions} dimensions and {len(patients)} rows")
    if codes.min(initial=0) < 0:
        raise ValueError(f"codes count from 0, not from {codes.min()}")
    return codes


def _by_share(share: FloatArray, luck: FloatArray) -> IntArray:
    """The arm that each uniform number falls on."""
    return np.searchsorted(np.cumsum(share)[:-1], luck, side="right")


# ------------------------------------------------------------------------------------------------ lists


def _numbers(ratio: FloatArray, patients: int) -> IntArray:
    """Patients of each arm: the ratio, with what is left over given to the largest remainders, earlier arms first."""
    exact = patients * ratio / ratio.sum()
    number = np.floor(exact + 1e-9).astype(np.int64)
    order = np.argsort(-np.round(exact - number, 9), kind="stable")
    number[order[: patients - number.sum()]] += 1
    return number


def _exact(ratio: FloatArray, luck: FloatArray) -> IntArray:
    arms = np.empty(len(luck), dtype=np.int64)
    arms[np.argsort(luck)] = np.repeat(np.arange(len(ratio)), _numbers(ratio, len(luck)))
    return arms


def _lowest(ratio: FloatArray) -> IntArray:
    whole = ratio.astype(np.int64)
    return whole // np.gcd.reduce(whole)


def _blocks(ratio: FloatArray, block: int, places: range, seed: int, replicate: int, purpose: str) -> IntArray:
    """The first entries of a list of permuted blocks; whole blocks are drawn, so a longer list begins the same."""
    whole = -(-len(places) // block)
    luck = streams.uniform(seed, replicate, range(places.start, places.start + whole * block), purpose)
    content = _lowest(ratio)
    one_block = np.repeat(np.arange(len(ratio)), content * (block // content.sum()))
    arms = np.empty((whole, block), dtype=np.int64)
    np.put_along_axis(arms, np.argsort(luck.reshape(whole, block), axis=1), one_block[None, :], axis=1)
    return arms.ravel()[: len(places)]


def _stratified(ratio: FloatArray, block: int, strata: IntArray, seed: int, replicate: int) -> IntArray:
    arms = np.empty(len(strata), dtype=np.int64)
    for stratum in np.unique(strata):
        mine = strata == stratum
        places = range(int(mine.sum()))
        arms[mine] = _blocks(ratio, block, places, seed, replicate, f"{_PURPOSE}/stratum {stratum}")
    return arms


# ------------------------------------------------------------------------------------------------ minimisation


def _minimised(ratio: FloatArray, factors: IntArray, luck: FloatArray, follow: float, imbalance: Imbalance) -> IntArray:
    """Each patient gets the best arm with a set chance and one drawn by the ratio otherwise.

    The numbers of a level are divided by the ratio before they are compared. The set chance gives the rarest arm
    a probability of `follow` when it is the best one and commoner arms more, so that any ratio can be reached.
    """
    spread = np.ptp if imbalance == "range" else np.var
    share = ratio / ratio.sum()
    sure = 1.0 - (1.0 - follow) / (1.0 - share.min()) if len(ratio) > 1 else 1.0
    number = np.zeros((factors.shape[1], factors.max(initial=0) + 1, len(ratio)))
    column, one_more = np.arange(factors.shape[1]), np.eye(len(ratio))[:, None, :]
    arms = np.empty(len(luck), dtype=np.int64)
    for patient, levels in enumerate(factors):
        after = (number[column, levels] + one_more) / share  # [arm given, factor, arm]
        total = spread(after, axis=2).sum(axis=1)
        best = np.where(total <= total.min() * (1 + 1e-9), share, 0.0)  # ties are drawn by the ratio
        arm = _by_share((1.0 - sure) * share + sure * best / best.sum(), luck[patient : patient + 1])[0]
        number[column, levels, arm] += 1
        arms[patient] = arm
    return arms
