"""Intervals of plans, and the plans that no other beats."""

import numpy as np
import pytest

from afterglow.study import plan_front
from afterglow.study.plan_front import OBJECTIVES

FRONT = [OBJECTIVES["days-in-remission"], OBJECTIVES["doses"]]


def draws(*means, people=400, sd=5.0):
    chance = np.random.Generator(np.random.Philox(3))
    noise = chance.normal(0.0, sd, people)  # the same luck in every plan
    return [noise + mean for mean in means]


def found(days, doses, therapy=None):
    outcomes = [
        {one.name: np.zeros(len(d)) for one in OBJECTIVES.values()} | {"days_in_remission": d, "doses": n}
        for d, n in zip(days, doses, strict=True)
    ]
    described = [{"plan": f"p{k}", "therapy": one} for k, one in enumerate(therapy or [""] * len(outcomes))]
    return described, outcomes


def test_the_front_holds_what_nothing_beats():
    values = np.array([[10, 0], [20, -4], [19, -5], [20, -6], [30, -8]], dtype=float)
    assert plan_front.unbeaten(values).tolist() == [True, True, False, False, True]


def test_with_a_third_objective_nothing_leaves_the_front():
    chance = np.random.Generator(np.random.Philox(1))
    values = chance.normal(size=(7, 12, 3))
    assert (plan_front.unbeaten(values) >= plan_front.unbeaten(values[..., :2])).all()


def test_of_equal_plans_both_stay():
    assert plan_front.unbeaten(np.array([[1.0, 2.0], [1.0, 2.0]])).all()


def test_a_plan_that_is_beaten_in_everybody_is_on_no_front():
    days = draws(10.0, 20.0, 19.0)
    doses = [np.full(400, n) for n in (0.0, 4.0, 5.0)]
    weights = plan_front.resampled_weights(np.arange(400), 1, 200)
    table = plan_front.rules_table(*found(days, doses), FRONT, weights)
    assert table["front"].tolist() == [True, True, False]
    assert table["front_share"].tolist() == [1.0, 1.0, 0.0]


def test_two_plans_that_chance_tells_apart_share_the_resamples():
    chance = np.random.Generator(np.random.Philox(4))
    days = [chance.normal(20.0, 5.0, 400) for _ in range(2)]
    days[1] += days[0].mean() - days[1].mean()  # equal means, so that each wins half of the resamples
    weights = plan_front.resampled_weights(np.arange(400), 1, 600)
    table = plan_front.rules_table(*found(days, [np.full(400, 4.0)] * 2), FRONT, weights)
    assert table["front_share"].sum() == pytest.approx(1.0)
    assert table["front_share"].to_numpy() == pytest.approx([0.5, 0.5], abs=0.1)


def test_therapy_does_not_hide_the_front_of_those_without():
    days, doses = draws(10.0, 20.0, 19.0, 30.0), [np.full(400, n) for n in (0.0, 4.0, 5.0, 0.0)]
    weights = plan_front.resampled_weights(np.arange(400), 1, 50)
    table = plan_front.rules_table(*found(days, doses, ["", "", "", "CBT"]), FRONT, weights)
    assert table["front"].tolist() == [False, False, False, True]
    assert table["front_alike"].tolist() == [True, True, False, True]


def test_the_interval_of_a_mean_is_that_of_its_standard_error():
    values = draws(0.0, people=2000)[0]
    low, high = plan_front.interval(plan_front.resampled_weights(np.arange(2000), 1, 2000), values)
    half = 1.645 * values.std() / np.sqrt(2000)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.15 * half)


def test_people_drawn_twice_do_not_count_twice():
    values = draws(0.0, people=300)[0]
    once = plan_front.interval(plan_front.resampled_weights(np.arange(300), 1, 2000), values)
    four = plan_front.interval(
        plan_front.resampled_weights(np.repeat(np.arange(300), 4), 1, 2000), np.repeat(values, 4)
    )
    assert four == pytest.approx(once, abs=1e-9)


def test_paired_differences_know_that_luck_is_the_same():
    weights = plan_front.resampled_weights(np.arange(400), 1, 200)
    days = draws(10.0, 13.0)
    _, outcomes = found(days, [np.zeros(400)] * 2)
    table = plan_front.front_table(["a", "b"], outcomes, FRONT, weights, {"vs_a": "a", "vs_none": "none"})
    row = table[(table["plan"] == "b") & (table["objective"] == "days_in_remission")].iloc[0]
    assert row["vs_a_lo90"] == pytest.approx(3.0)
    assert row["vs_a_hi90"] == pytest.approx(3.0)
    assert row["hi90"] - row["lo90"] > 0.5
    assert table["vs_none"].isna().all()
