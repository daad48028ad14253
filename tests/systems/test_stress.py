"""Stress: zero at the untreated baseline, charged by life within weeks, relieved by a lighter outlook."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from small import DAY, WEEK, YEAR, Small, unsourced

from afterglow.systems.stress import Stress


@pytest.fixture(scope="module")
def small() -> Small:
    return Small.of(Stress, "stress")


def test_numbers_are_those_of_their_records() -> None:
    assert unsourced(Stress) == []


def test_untreated_the_load_is_zero_for_a_year(small: Small) -> None:
    run = small.run([0.0, DAY, YEAR])
    assert all((values == 0.0).all() for values in run.values())


def test_an_episode_meets_the_closed_form_of_two_stages(small: Small) -> None:
    a, b = 1 / small.flat.values["stress.tau_alarm"], 1 / small.flat.values["stress.tau_load"]
    days = np.array([0.5, 1, 3, 7, 14, 28, 84.0])
    run = small.run(days * DAY, signals=[(0.0, "stress.life_stress", 1.0)])
    want = 1 - (a * np.exp(-b * days) - b * np.exp(-a * days)) / (a - b)
    assert run["stress.load"][0] == pytest.approx(want, abs=1e-5)


def test_load_builds_and_fades_over_one_to_three_weeks(small: Small) -> None:
    weeks = np.array([1, 3, 8, 9, 11, 30]) * WEEK
    run = small.run(weeks, signals=[(0.0, "stress.life_stress", 1.0), (8 * WEEK, "stress.life_stress", 0.0)])
    load = run["stress.load"][0]
    assert 0.2 < load[0] < 0.6
    assert load[1] > 0.7
    assert load[2] > 0.95
    assert 0.4 < load[3] < 0.8
    assert load[4] < 0.3
    assert abs(load[5]) < 1e-3


def test_a_lighter_outlook_lowers_the_load_and_a_darker_one_raises_it(small: Small) -> None:
    run = small.run([30 * WEEK], values={"stress.negative_belief": np.array([0.5, 1.0, 1.5])})
    light, same, dark = run["stress.load"][:, 0]
    feedback = small.flat.values["stress.feedback"]
    assert light == pytest.approx(-feedback / 2, rel=1e-4)
    assert same == 0.0
    assert dark == pytest.approx(feedback / 2, rel=1e-4)


def test_a_perturbed_load_returns(small: Small) -> None:
    run = small.run([0.5 * YEAR], start={"stress.strain": 1.0, "stress.alarm": -0.5})
    assert abs(run["stress.load"][0, 0]) < 1e-4


@settings(max_examples=15, deadline=None)
@given(stress=some.floats(0.1, 3), more=some.floats(1.1, 3), start=some.integers(0, 60), length=some.integers(1, 60))
def test_more_stress_more_load(small: Small, stress: float, more: float, start: int, length: int) -> None:
    times = np.array([start, start + length, start + length + 10]) * DAY + 1
    signals = [
        (start * DAY, "stress.life_stress", stress),
        ((start + length) * DAY, "stress.life_stress", 0.0),
    ]
    run = small.run(times, signals=signals, values={"stress.reactivity": np.array([1.0, more])})
    assert (run["stress.load"][1] > run["stress.load"][0]).all()
    assert small.out_of_bounds(run) == []
