"""Benzodiazepines: relief while the drug is there, rebound after it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy.linalg import expm
from small import DAY, YEAR, Small, published, unsourced

from afterglow.systems.benzodiazepine import Benzodiazepine

STOP = 28 * DAY


@pytest.fixture(scope="module")
def small() -> Small:
    return Small.of(Benzodiazepine, "benzo")


def diazepam(days: float, mg: float = 5.0, every: float = 12.0) -> list[tuple[float, str, float, float]]:
    return [(t, "benzo.diazepam_oral", mg, 0.0) for t in np.arange(0.0, days * DAY, every)]


def test_numbers_are_those_of_their_records() -> None:
    assert unsourced(Benzodiazepine) == []


def test_nothing_from_nothing_for_a_year(small: Small) -> None:
    assert all((values == 0.0).all() for values in small.run([0.0, DAY, YEAR]).values())


def test_diazepam_meets_the_matrix_exponential(small: Small) -> None:
    ka, cl, v1, q, v2, f, lag = (small.flat.values[f"benzo.{k}"] for k in ("KA", "CL", "V1", "Q", "V2", "F", "LAG"))
    rates = np.array([[-ka, 0, 0], [ka, -(cl + q) / v1, q / v2], [0, q / v1, -q / v2]])
    times = np.array([0.5, 1.0, 4.0, 24.0, 96.0])
    want = [1000 * (expm(rates * (t - lag)) @ [5 * f, 0, 0])[1] / v1 for t in times]
    run = small.run(times, [(0.0, "benzo.diazepam_oral", 5.0, 0.0)])
    assert run["benzo.diazepam_plasma"][0] == pytest.approx(want, rel=1e-5)


def test_midazolam_infusion_meets_the_matrix_exponential(small: Small) -> None:
    cl, v, qf, qs, vp = (small.flat.values[f"benzo.{k}"] for k in ("CL_MID", "V1_MID", "Q_FAST", "Q_SLOW", "VP_MID"))
    rates = np.array([[-(cl + qf + qs) / v, qf / vp, qs / vp], [qf / v, -qf / vp, 0], [qs / v, 0, -qs / vp]])
    held, hours = np.array([3.6 / (2 / 3), 0, 0]), 2 / 3
    end = np.linalg.solve(rates, (expm(rates * hours) - np.eye(3)) @ held)
    times = np.array([hours, 2.0, 6.0, 12.0])
    want = [1000 * (expm(rates * (t - hours)) @ end)[0] / v for t in times]
    run = small.run(times, [(0.0, "benzo.midazolam_iv", 3.6, hours)])
    assert run["benzo.midazolam_plasma"][0] == pytest.approx(want, rel=1e-5)


def test_diazepam_relieves_within_a_day_and_adaptation_takes_most_of_it_back(small: Small) -> None:
    run = small.run([0.0, 2.0, DAY, 2 * DAY, 14 * DAY, STOP - 1], diazepam(28))
    relief = run["benzo.relief"][0]
    assert (relief[1:4] > 0.05).all()
    assert 0 < relief[5] < relief[4] < 0.7 * relief[3]


def test_stopping_ends_the_effect_in_days_and_brings_a_rebound(small: Small) -> None:
    after = np.array([0, 1, 2, 3, 5, 7, 10, 14, 28, 60]) * DAY
    run = small.run(STOP + after, diazepam(28))
    gaba, relief = run["benzo.gaba"][0], run["benzo.relief"][0]
    assert gaba[4] < 0.15 * gaba[0]
    assert (relief[3:8] < 0).all()
    assert relief.min() < -0.04
    assert abs(relief[-1]) < 1e-4


def test_tapering_softens_the_rebound(small: Small) -> None:
    times = np.arange(STOP, STOP + 60 * DAY, 6.0)
    taper = [(STOP + DAY * k, "benzo.diazepam_oral", 10 * (1 - k / 28), 0.0) for k in range(28)]
    abrupt = small.run(times, diazepam(28))["benzo.relief"].min()
    slow = small.run(times, [*diazepam(28), *taper])["benzo.relief"].min()
    assert abrupt < 1.8 * slow < 0


def test_midazolam_acts_only_while_it_is_there(small: Small) -> None:
    run = small.run([2 / 3, 2.0, 12.0, DAY, 3 * DAY], [(0.0, "benzo.midazolam_iv", 3.6, 2 / 3)])
    gaba, relief = run["benzo.gaba"][0], run["benzo.relief"][0]
    assert gaba[0] > 0.5
    assert relief[0] > 0.15
    assert gaba[3] < 0.02
    assert (np.abs(relief[3:]) < 0.01).all()


def test_half_effect_at_the_published_concentration(small: Small) -> None:
    v = small.flat.values["benzo.V1_MID"]
    mg = published("midazolam_eeg2004.EC50") * v / 1000
    run = small.run([0.0, 1e-9], start={"benzo.midazolam": mg})
    assert run["benzo.gaba"][0, 1] == pytest.approx(0.5, abs=1e-6)


@settings(max_examples=15, deadline=None)
@given(mg=some.floats(0.5, 40), more=some.floats(1.2, 4), every=some.sampled_from([8.0, 12.0, 24.0]))
def test_more_drug_more_effect_within_bounds(small: Small, mg: float, more: float, every: float) -> None:
    doses = [(t, route, mg * np.array([1.0, more]), h) for t, route, mg, h in diazepam(3, mg, every)]
    run = small.run([6.0, DAY, 3 * DAY, 10 * DAY], doses)
    assert (run["benzo.gaba"][1] > run["benzo.gaba"][0]).all()
    assert (run["benzo.surge_attenuation"][1] > run["benzo.surge_attenuation"][0]).all()
    assert run["benzo.surge_attenuation"].max() < 0.35
    assert small.out_of_bounds(run) == []
