"""Inflammation: own baseline, acute rise after one infusion, lower level after a course."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from small import DAY, WEEK, YEAR, Small, published, unsourced

from afterglow.systems.inflammation import Inflammation

SESSION = 1.5  # h at the exposure of an infusion
EXPOSURE = 0.10  # umol/L


@pytest.fixture(scope="module")
def small() -> Small:
    return Small.of(Inflammation, "body")


def infusions(days: list[float]) -> list[tuple[float, str, float]]:
    on = [(d * DAY, "body.s_ketamine", EXPOSURE) for d in days]
    return on + [(d * DAY + SESSION, "body.s_ketamine", 0.0) for d in days]


def test_numbers_are_those_of_their_records() -> None:
    assert unsourced(Inflammation) == []
    assert Inflammation.inputs["crp_high"].default == published("osimo2019.CRP_HIGH")


def test_untreated_everybody_keeps_their_own_level_for_a_year(small: Small) -> None:
    run = small.run([0.0, DAY, YEAR], values={"body.crp_high": np.array([0.0, 0.27, 1.0])})
    assert (run["body.load"] == 0.0).all()
    assert run["body.level"][:, -1] == pytest.approx([1.0, 1.27, 2.0])


def test_one_infusion_raises_interleukin_for_hours_and_hardly_moves_what_acts(small: Small) -> None:
    run = small.run(np.array([0, 4, 24, 72, 1000.0]), signals=infusions([0.0]))
    level, load = run["body.level"][0], run["body.load"][0]
    assert level[1] > 1.03 * level[0]
    assert level[3] < level[1]
    assert (np.abs(load[:3]) < 0.1).all()
    assert abs(level[4] - level[0]) < 0.02


def test_six_infusions_lower_it_for_two_weeks_and_more(small: Small) -> None:
    times = np.array([0, 13 * DAY, 26 * DAY, YEAR])
    level = small.run(times, signals=infusions([0, 2, 4, 7, 9, 11]))["body.level"][0]
    assert level[1] < 0.9 * level[0]
    assert level[2] < 0.95 * level[0]
    assert level[3] == pytest.approx(level[0], abs=1e-3)


def test_stress_raises_it_in_proportion_to_the_own_level(small: Small) -> None:
    values = {"body.crp_high": np.array([0.0, 1.0]), "body.stress": 1.0}
    load = small.run([20 * WEEK], values=values)["body.load"][:, 0]
    by_stress = small.flat.values["body.by_stress"]
    assert load == pytest.approx([by_stress, 2 * by_stress], rel=1e-4)


def test_a_perturbed_level_returns(small: Small) -> None:
    run = small.run([0.5 * YEAR], start={"body.slow": 4.0, "body.restraint": 0.8, "body.acute": 2.0})
    assert abs(run["body.load"][0, 0]) < 1e-3


@settings(max_examples=15, deadline=None)
@given(exposure=some.floats(0, 3), stress=some.floats(-0.5, 2), flag=some.floats(0, 1))
def test_fractions_stay_fractions_and_more_exposure_restrains_more(
    small: Small, exposure: float, stress: float, flag: float
) -> None:
    values = {"body.s_ketamine": np.array([exposure, exposure + 0.1]), "body.stress": stress, "body.crp_high": flag}
    run = small.run([DAY, 30 * DAY, 200 * DAY], values=values)
    assert (run["body.restraint"][1] > run["body.restraint"][0]).all()
    assert (run["body.load"][1] < run["body.load"][0]).all()
    assert (run["body.level"] >= 0).all()
    assert small.out_of_bounds(run) == []
