"""Oral antidepressants: closed forms, mass balance, published concentrations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy.linalg import expm
from small import DAY, YEAR, Small, published, unsourced

from afterglow.lang import Model
from afterglow.systems.oral_antidepressant import BUPROPION, ESCITALOPRAM, SERTRALINE, VENLAFAXINE, OralAntidepressant

DRUGS = {"escitalopram": ESCITALOPRAM, "sertraline": SERTRALINE, "venlafaxine": VENLAFAXINE, "bupropion": BUPROPION}


@pytest.fixture(scope="module")
def four() -> Small:
    model = Model("oral")
    for name, params in DRUGS.items():
        model.add(OralAntidepressant, name, **params)
    return Small(model)


def number(small: Small, name: str) -> float:
    return small.flat.values[name]


def once(drug: str, mg: float) -> list[tuple[float, str, float, float]]:
    return [(0.0, f"{drug}.oral", mg, 0.0)]


def daily(drug: str, mg: float, days: int) -> list[tuple[float, str, float, float]]:
    return [(DAY * k, f"{drug}.oral", mg, 0.0) for k in range(days)]


@pytest.mark.parametrize("drug", DRUGS)
def test_numbers_are_those_of_their_records(drug: str) -> None:
    assert unsourced(OralAntidepressant, DRUGS[drug]) == []


def test_nothing_from_nothing(four: Small) -> None:
    run = four.run([0.0, DAY, YEAR])
    assert all((values == 0.0).all() for values in run.values())


@pytest.mark.parametrize("drug", DRUGS)
def test_one_dose_meets_the_matrix_exponential(four: Small, drug: str) -> None:
    ka, lag, cl, v1, q, v2 = (number(four, f"{drug}.{k}") for k in ("KA", "LAG", "CL", "V1", "Q", "V2"))
    rates = np.array([[-ka, 0, 0], [ka, -(cl + q) / v1, q / v2], [0, q / v1, -q / v2]])
    times = np.array([0.5, 2.0, 4.0, 12.0, 24.0, 72.0])
    run = four.run(times, once(drug, 20.0))
    want = [1000 * (expm(rates * (t - lag)) @ [20.0, 0, 0])[1] / v1 if t > lag else 0.0 for t in times]
    assert run[f"{drug}.plasma"][0] == pytest.approx(want, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("drug", DRUGS)
def test_what_is_not_in_the_body_was_cleared(four: Small, drug: str) -> None:
    times = np.linspace(number(four, f"{drug}.LAG"), 200.0, 8001)
    run = four.run(times, once(drug, 10.0))
    cleared = number(four, f"{drug}.CL") * np.trapezoid(run[f"{drug}.plasma"][0], times) / 1000
    assert run[f"{drug}.amount"][0, -1] + cleared == pytest.approx(10.0, rel=1e-4)


@pytest.mark.parametrize("drug", DRUGS)
def test_mean_at_steady_state_is_dose_rate_over_clearance(four: Small, drug: str) -> None:
    times = np.linspace(39 * DAY, 40 * DAY, 481)
    mean = np.trapezoid(four.run(times, daily(drug, 100.0, 40))[f"{drug}.plasma"][0], times) / DAY
    assert mean == pytest.approx(1000 * 100.0 / DAY / number(four, f"{drug}.CL"), rel=2e-3)


def test_bupropion_meets_its_published_concentrations(four: Small) -> None:
    first = np.linspace(0, 24, 481)
    day1 = four.run(first, once("bupropion", 150.0))["bupropion.plasma"][0]
    assert day1.max() == pytest.approx(published("bupropion_xl2019.CMAX_150"), rel=0.15)
    assert np.trapezoid(day1, first) == pytest.approx(published("bupropion_xl2019.AUC_150"), rel=0.15)
    assert first[day1.argmax()] == pytest.approx(published("bupropion_label.TMAX"), abs=1.0)
    steady = four.run(first + 13 * DAY, daily("bupropion", 300.0, 14))["bupropion.plasma"][0]
    assert steady.max() == pytest.approx(published("bupropion_xl2019.CMAX_300"), rel=0.15)
    assert np.trapezoid(steady, first) == pytest.approx(published("bupropion_xl2019.AUC_300"), rel=0.20)


def test_venlafaxine_peaks_when_published(four: Small) -> None:
    times = np.linspace(0, 24, 241)
    curve = four.run(times, once("venlafaxine", 75.0))["venlafaxine.plasma"][0]
    assert times[curve.argmax()] == pytest.approx(published("swiss_venlafaxine.TMAX"), abs=0.2)


@settings(max_examples=15, deadline=None)
@given(drug=some.sampled_from(sorted(DRUGS)), mg=some.floats(1, 400), faster=some.floats(1.1, 3))
def test_linear_in_dose_and_falling_with_clearance(four: Small, drug: str, mg: float, faster: float) -> None:
    cl = f"{drug}.CL"
    values = {cl: number(four, cl) * np.array([1.0, 1.0, faster])}
    run = four.run([2.0, 12.0, 48.0], [(0.0, f"{drug}.oral", mg * np.array([1.0, 2.0, 1.0]), 0.0)], values=values)
    one, double, cleared = run[f"{drug}.plasma"]
    assert double == pytest.approx(2 * one, rel=1e-4)
    assert (cleared < one).all()
    assert four.out_of_bounds(run) == []
