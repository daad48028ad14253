"""The value of one more visit: against closed forms, and nothing where there is nothing to be learnt."""

import numpy as np
import pytest
from scipy.stats import norm

from afterglow.study import plan_waiting
from afterglow.study.plan_front import resampled_weights
from afterglow.study.plan_waiting import Gain

PEOPLE = 20_000
WHO = np.arange(PEOPLE)
WEIGHTS = resampled_weights(WHO, 1, 40)


def chance(seed=1):
    return np.random.Generator(np.random.Philox(seed))


def test_a_score_that_tells_the_gain_is_worth_its_closed_form():
    z, luck = chance().normal(size=(2, PEOPLE))
    gain = Gain(2.0 * z + 3.0 * luck, np.ones(PEOPLE))
    row = plan_waiting.weighed(gain, gain, 20.0 - 5.0 * z, WHO, WEIGHTS, 0.0)
    # E max(2 Z, 0) - max(E 2 Z, 0), and nothing is lost by the delay.
    assert row["worth_of_score_d"] == pytest.approx(2.0 * norm.pdf(0.0), abs=0.08)
    assert row["dosed_after_score"] == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_worth_nothing(seed):
    score, luck = chance(seed).normal(size=(2, 800))
    gain = Gain(0.3 + 5.0 * luck, np.ones(800))
    row = plan_waiting.weighed(gain, gain, score, np.arange(800), resampled_weights(np.arange(800), 1, 40), 0.0)
    error = 5.0 / np.sqrt(800)
    assert abs(row["worth_of_score_d"]) < 2.5 * error


def test_where_a_dose_always_helps_the_score_is_worth_exactly_nothing():
    score = chance().normal(size=PEOPLE)
    gain = Gain(5.0 + score, np.ones(PEOPLE))  # who is ill gains more, but everybody gains in the mean of their score
    row = plan_waiting.weighed(gain, Gain(np.maximum(gain.days, 3.0), gain.doses), score, WHO, WEIGHTS, 0.0)
    assert row["worth_of_score_d"] == 0.0
    assert row["dosed_after_score"] == 1.0
    assert row["now"] == "dose"


def test_where_a_dose_never_pays_nobody_is_dosed_now_or_later():
    score, luck = chance().normal(size=(2, PEOPLE))
    gain = Gain(1.0 + 0.1 * luck, np.ones(PEOPLE))
    row = plan_waiting.weighed(gain, gain, score, WHO, WEIGHTS, 4.0)
    assert (row["now"], row["dosed_after_score"]) == ("no dose", 0.0)
    assert row["value_d"] == row["days_in_remission"] == row["doses"] == 0.0


def test_waiting_is_worth_the_score_less_the_delay():
    z, luck = chance().normal(size=(2, PEOPLE))
    later = Gain(1.0 + 2.0 * z + luck, np.ones(PEOPLE))
    now = Gain(later.days + 0.7, np.ones(PEOPLE))
    row = plan_waiting.weighed(now, later, z, WHO, WEIGHTS, 0.0)
    assert row["value_d"] == pytest.approx(row["worth_of_score_d"] - 0.7, abs=1e-9)
    assert row["value_d"] == pytest.approx(row["days_in_remission"], abs=1e-9)  # doses cost nothing here


def test_the_price_trades_doses_for_days():
    z = chance().normal(size=PEOPLE)
    gain = Gain(2.0 + 2.0 * z, np.full(PEOPLE, 3.0))
    rows = [plan_waiting.weighed(gain, gain, z, WHO, WEIGHTS, price) for price in (0.0, 0.5, 1.0)]
    shares = [row["dosed_after_score"] for row in rows]
    assert shares == sorted(shares, reverse=True)
    for price, row in zip((0.0, 0.5, 1.0), rows, strict=True):
        assert row["value_d"] == pytest.approx(row["days_in_remission"] - price * row["doses"], abs=1e-9)


def test_decisions_are_made_on_other_people():
    who = np.repeat(np.arange(100), 5)
    days, score = chance().normal(size=(2, 500))
    gain = Gain(days, np.ones(500))
    first = plan_waiting.decided(gain, gain, score, who, 0.0)
    mine = who % plan_waiting.FOLDS == 3
    other = Gain(np.where(mine, -days + 9.0, days), np.ones(500))
    again = plan_waiting.decided(other, other, score, who, 0.0)
    assert np.array_equal(first.after[mine], again.after[mine])
    assert np.array_equal(first.now[mine], again.now[mine])


def test_the_regression_finds_a_curve_and_leaves_noise_alone():
    score, luck = chance().normal(size=(2, 4000))
    curve = plan_waiting.expected(score, score**2 + luck, np.array([0.0, 2.0]))
    assert curve == pytest.approx([0.0, 4.0], abs=0.3)
    same = plan_waiting.expected(np.full(50, 3.0), luck[:50], np.array([3.0]))
    assert same == pytest.approx([luck[:50].mean()])
