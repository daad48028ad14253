"""Allocation: numbers, balance, invariance, and what is impossible."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afterglow.clinic.allocation import KINDS, allocate, faults
from afterglow.errors import InputError


def counts(arms: np.ndarray, number: int) -> list[int]:
    return np.bincount(arms, minlength=number).tolist()


def two_factors(people: int, seed: int = 0) -> np.ndarray:
    """A common factor of three levels and a rare one of two; any fixed codes do."""
    place = np.arange(people) * 7919 + seed * 104729
    return np.stack([place % 3, (place // 3 % 5 == 0).astype(int)], axis=1)


def margins(arms: np.ndarray, factors: np.ndarray) -> float:
    """Sum over levels of the difference between two arms."""
    return sum(
        abs(np.sum(arms[factors[:, f] == level] * 2 - 1))
        for f in range(factors.shape[1])
        for level in np.unique(factors[:, f])
    )


# ------------------------------------------------------------------------------------------------ each kind


@pytest.mark.parametrize("weights", [(24, 23), (10, 20, 17), (47,), (1, 45, 1)])
def test_exact_numbers_are_exact(weights: tuple[int, ...]):
    assert counts(allocate("exact", weights, range(47), seed=3), len(weights)) == list(weights)


def test_exact_takes_a_ratio_and_gives_what_is_left_to_the_largest_remainder():
    assert counts(allocate("exact", (2, 1), range(10), seed=1), 2) == [7, 3]
    assert counts(allocate("exact", (1, 2), range(10), seed=1), 2) == [3, 7]
    assert counts(allocate("exact", (1, 1), range(9), seed=1), 2) == [5, 4]


def test_exact_gives_every_place_the_same_chance():
    first = np.array([allocate("exact", (1, 3), range(8), 5, replicate) == 0 for replicate in range(2000)])
    # SD of a share is 0.0097; eight places within 4.5 SD: a false alarm once in 18,000
    assert first.mean(axis=0) == pytest.approx(np.full(8, 0.25), abs=0.044)


def test_simple_shares_are_near_the_ratio():
    share = np.bincount(allocate("simple", (3, 1, 1), range(40_000), seed=2)) / 40_000
    assert share == pytest.approx([0.6, 0.2, 0.2], abs=0.011)  # 4.5 SD of the first


@given(st.integers(0, 10_000), st.sampled_from([(1, 1), (2, 2), (2, 1), (1, 1, 2)]), st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_blocks_never_leave_balance_by_more_than_half_a_block(seed: int, weights: tuple[int, ...], times: int):
    lowest = np.array(weights) // np.gcd.reduce(weights)
    block = int(lowest.sum()) * times
    arms = allocate("blocked", weights, range(3 * block + 2), seed, block=block)
    share = lowest / lowest.sum()
    given_so_far = np.cumsum(arms[:, None] == np.arange(len(weights)), axis=0)
    wanted = np.arange(1, len(arms) + 1)[:, None] * share
    assert (np.abs(given_so_far - wanted) <= block / 2).all()
    full = given_so_far[block - 1 :: block]
    assert np.array_equal(full, np.outer(np.arange(1, len(full) + 1), share * block))


def test_all_orders_of_a_block_are_as_likely():
    blocks = allocate("blocked", (1, 1), range(24_000), seed=4, block=4).reshape(-1, 4)
    _, number = np.unique(blocks, axis=0, return_counts=True)
    assert len(number) == 6
    assert number == pytest.approx(np.full(6, 1000), abs=135)  # 4.7 SD


def test_stratified_balances_each_stratum():
    strata = two_factors(400) @ [1, 10]
    arms = allocate("stratified", (1, 2), range(400), seed=8, block=6, strata=strata)
    for stratum in np.unique(strata):
        number = counts(arms[strata == stratum], 2)
        assert abs(number[1] - 2 * number[0]) <= 6


def test_strata_have_lists_of_their_own():
    alone = allocate("stratified", (1, 1), range(40), seed=8, block=4, strata=np.zeros(40))
    strata = np.tile([0, 1], 40)
    both = allocate("stratified", (1, 1), range(80), seed=8, block=4, strata=strata)
    assert np.array_equal(both[strata == 0], alone)
    assert not np.array_equal(both[strata == 1], alone)


@pytest.mark.parametrize("imbalance", ["range", "variance"])
def test_minimisation_balances_margins_better_than_chance(imbalance):
    factors = two_factors(60)
    by_chance, minimised = [], []
    for replicate in range(40):
        by_chance.append(margins(allocate("simple", (1, 1), range(60), 1, replicate), factors))
        arms = allocate("minimisation", (1, 1), range(60), 1, replicate, factors=factors, imbalance=imbalance)
        minimised.append(margins(arms, factors))
    assert np.mean(minimised) < 0.5 * np.mean(by_chance)


@pytest.mark.parametrize("weights", [(1, 1), (2, 1), (6, 1), (1, 1, 1)])
def test_minimisation_keeps_the_ratio(weights: tuple[int, ...]):
    number = np.zeros(len(weights))
    for replicate in range(10):
        arms = allocate("minimisation", weights, range(105), 2, replicate, factors=two_factors(105))
        number += np.bincount(arms, minlength=len(weights))
    wanted = np.array(weights) / sum(weights)
    assert number / number.sum() == pytest.approx(wanted, abs=0.03)


@pytest.mark.parametrize("follow", [0.5, 0.8, 1.0])
def test_minimisation_follows_the_best_arm_with_its_probability(follow: float):
    """The second of two patients with the same factors goes to the other arm with probability `follow`."""
    pairs = [allocate("minimisation", (1, 1), range(2), 3, r, factors=[[0], [0]], follow=follow) for r in range(2000)]
    other = np.mean([a != b for a, b in pairs])
    assert other == pytest.approx(follow, abs=4.5 * np.sqrt(follow * (1 - follow) / 2000))


def test_minimisation_looks_at_the_patients_own_levels():
    """After two in arm 0 of level 0, a patient of level 1 is free: range 0 in their level whatever came before."""
    first = [allocate("minimisation", (1, 1), range(3), 3, r, factors=[[0], [0], [1]])[2] for r in range(2000)]
    assert np.mean(first) == pytest.approx(0.5, abs=0.05)


# ------------------------------------------------------------------------------------------------ invariance


def extra(kind: str, people: int) -> dict:
    factors = two_factors(people)
    return {
        "blocked": {"block": 6},
        "stratified": {"block": 6, "strata": factors[:, 0]},
        "minimisation": {"factors": factors},
    }.get(kind, {})


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"exact"}))
def test_later_patients_move_nobody(kind: str):
    few = allocate(kind, (2, 1), range(31), 7, 3, **extra(kind, 31))
    many = allocate(kind, (2, 1), range(64), 7, 3, **extra(kind, 64))
    assert np.array_equal(many[:31], few)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", [{"seed": 8}, {"replicate": 4}])
def test_seed_and_replicate_give_another_allocation(kind: str, change: dict):
    usual = {"seed": 7, "replicate": 3}
    one = allocate(kind, (1, 1), range(60), **usual, **extra(kind, 60))
    assert np.array_equal(one, allocate(kind, (1, 1), range(60), **usual, **extra(kind, 60)))
    assert not np.array_equal(one, allocate(kind, (1, 1), range(60), **(usual | change), **extra(kind, 60)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_multiple_of_the_ratio_is_the_same_ratio(kind: str):
    one = allocate(kind, (2, 1), range(60), 7, **extra(kind, 60))
    assert np.array_equal(allocate(kind, (20, 10), range(60), 7, **extra(kind, 60)), one)


@pytest.mark.parametrize("kind", KINDS)
def test_arms_change_places_with_their_weights(kind: str):
    """Arms have no other mark than their weight: their numbers follow it under any naming."""
    number = {}
    for weights in [(3, 2, 1), (1, 3, 2)]:
        total = np.zeros(3)
        for replicate in range(30):
            total += np.bincount(allocate(kind, weights, range(60), 1, replicate, **extra(kind, 60)), minlength=3)
        number[weights] = total / total.sum()
    assert number[3, 2, 1] == pytest.approx(number[1, 3, 2][[1, 2, 0]], abs=0.06)


# ------------------------------------------------------------------------------------------------ faults


@pytest.mark.parametrize(
    ("kind", "weights", "people", "more", "words"),
    [
        ("blocks", (1, 1), 9, {}, "'blocks' is not known.*did you mean 'blocked'"),
        ("simple", (1, 0), 9, {}, "ratio of '1:0'"),
        ("simple", (), 9, {}, "ratio of ''"),
        ("simple", (1, np.inf), 9, {}, "ratio of '1:inf'"),
        ("simple", (1, 1, 1), 2, {}, "3 arms for 2 patients"),
        ("exact", (100, 1), 5, {}, "leaves an arm of 5 patients empty"),
        ("blocked", (1, 1), 9, {}, "size of the blocks is not given.*multiple of 2"),
        ("blocked", (2, 1), 9, {"block": 4}, "blocks of 4 cannot hold a ratio of 2:1.*multiple of 3"),
        ("blocked", (2, 1), 9, {"block": 0}, "blocks of 0"),
        ("blocked", (1.5, 1), 9, {"block": 5}, "whole numbers"),
        ("stratified", (1, 1), 9, {"block": 2}, "no strata"),
        ("minimisation", (1, 1), 9, {}, "no factors"),
        ("minimisation", (1, 1), 9, {"follow": 0.3}, "chance of 0.3.*from 0.5"),
    ],
)
def test_impossible_allocations_are_refused(kind, weights, people, more, words):
    with pytest.raises(InputError, match=words):
        allocate(kind, weights, range(people), 1, **more)


def test_all_faults_come_at_once_with_their_place():
    with pytest.raises(InputError) as caught:
        allocate("stratified", (1, 1, 1), range(2), 1, where="trial.yaml:7")
    assert len(caught.value.faults) == 3
    assert {fault.place for fault in caught.value.faults} == {"trial.yaml:7"}
    assert faults("simple", (1, 1), 2) == []


def test_codes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="shape"):
        allocate("stratified", (1, 1), range(4), 1, block=2, strata=[0, 1])
    with pytest.raises(ValueError, match="shape"):
        allocate("minimisation", (1, 1), range(2), 1, factors=[0, 1])
    with pytest.raises(ValueError, match="count from 0"):
        allocate("minimisation", (1, 1), range(2), 1, factors=[[0], [-1]])
