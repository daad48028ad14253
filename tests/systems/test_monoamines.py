"""Monoamines: occupancy at once, relief over weeks, no dead time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from small import DAY, WEEK, YEAR, Small, published, published_list, unsourced

from afterglow.lang import Model
from afterglow.systems.monoamines import Monoamines
from afterglow.systems.oral_antidepressant import BUPROPION, ESCITALOPRAM, SERTRALINE, VENLAFAXINE, OralAntidepressant

DRUGS = {"escitalopram": ESCITALOPRAM, "sertraline": SERTRALINE, "venlafaxine": VENLAFAXINE, "bupropion": BUPROPION}
USUAL = {"escitalopram": 10.0, "sertraline": 50.0, "venlafaxine": 75.0, "bupropion": 300.0}


@pytest.fixture(scope="module")
def small() -> Small:
    model = Model("monoamines")
    drugs = {name: model.add(OralAntidepressant, name, **params) for name, params in DRUGS.items()}
    target = model.add(Monoamines, "monoamines")
    for name, drug in drugs.items():
        model.wire(drug["plasma"], target[name])
    return Small(model)


def daily(drug: str, mg: float, days: int) -> list[tuple[float, str, float, float]]:
    return [(DAY * k, f"{drug}.oral", mg, 0.0) for k in range(days)]


def steady(small: Small, drug: str, mg: float) -> dict[str, float]:
    times = np.linspace(20 * DAY, 21 * DAY, 25)
    run = small.run(times, daily(drug, mg, 21))
    return {k.split(".")[1].removesuffix("_occupancy"): v[0].mean() for k, v in run.items() if k.endswith("occupancy")}


def test_numbers_are_those_of_their_records() -> None:
    assert unsourced(Monoamines) == []


def test_untreated_everything_is_exactly_zero_for_a_year(small: Small) -> None:
    run = small.run([0.0, DAY, YEAR])
    assert all((values == 0.0).all() for values in run.values())


@pytest.mark.parametrize("drug", ["escitalopram", "sertraline", "venlafaxine"])
def test_lowest_therapeutic_dose_occupies_as_much_sert_as_published(small: Small, drug: str) -> None:
    low, high = published_list("meyer2004.SERT_MINIMUM")
    assert low - 0.02 < steady(small, drug, USUAL[drug])["sert"] < high + 0.02


def test_bupropion_occupies_little_dat_and_no_sert(small: Small) -> None:
    held = steady(small, "bupropion", 300.0)
    assert published("meyer2002.DAT") < held["dat"] < published("learned2003.DAT")
    assert held["sert"] == 0.0


def test_venlafaxine_reaches_net_at_high_doses_only(small: Small) -> None:
    dose = published("aldosary2022.NET_DOSE")
    assert steady(small, "venlafaxine", 75.0)["net"] < 0.3
    assert steady(small, "venlafaxine", dose)["net"] == pytest.approx(0.5, abs=0.06)


def test_one_dose_occupies_within_hours_and_holds_for_days(small: Small) -> None:
    run = small.run([4.0, 48.0], [(0.0, "sertraline.oral", 50.0, 0.0)])
    at4, at48 = run["monoamines.sert_occupancy"][0]
    low, high = published_list("single_ssri2016.SERT_4H")
    assert low - 0.05 < at4 < high + 0.05
    assert at48 == pytest.approx(np.mean(published_list("single_ssri2016.SERT_48H")), abs=0.16)


@pytest.mark.parametrize("drug", DRUGS)
def test_a_third_of_the_six_week_relief_is_there_after_one(small: Small, drug: str) -> None:
    weeks = np.array([4 / WEEK, 1, 2, 4, 6, 8])
    relief = small.run(weeks * WEEK, daily(drug, USUAL[drug], 57))["monoamines.relief"][0]
    assert relief[1] / relief[4] == pytest.approx(published("taylor2006.WEEK_1"), abs=0.05)
    assert 0 < relief[0] < 0.2 * relief[4]  # no dead time, no jump
    assert (np.diff(relief) > 0).all()
    assert relief[5] < 1.12 * relief[4]


def test_escitalopram_sets_the_share_that_is_there_at_once(small: Small) -> None:
    relief = small.run([WEEK, 6 * WEEK], daily("escitalopram", 10.0, 43))["monoamines.relief"][0]
    assert relief[0] / relief[1] == pytest.approx(published("taylor2006.WEEK_1"), abs=0.02)


def test_relief_fades_over_weeks_after_stopping(small: Small) -> None:
    run = small.run(np.array([8, 9, 12, 60]) * WEEK, daily("escitalopram", 10.0, 56))
    relief, adaptation = run["monoamines.relief"][0], run["monoamines.adaptation"][0]
    assert 0.4 < relief[1] / relief[0] < 0.9
    assert 0.1 < relief[2] / relief[0] < 0.4
    assert relief[3] < 1e-4
    assert ((adaptation >= 0) & (adaptation <= 1)).all()


def test_relief_is_larger_where_fewer_trials_failed(small: Small) -> None:
    values = {"monoamines.failed_trials": np.array([0.0, 1.0, 2.0, 5.0])}
    relief = small.run([6 * WEEK], daily("sertraline", 50.0, 43), values=values)["monoamines.relief"][:, 0]
    assert relief[0] / relief[2] == pytest.approx(small.flat.values["monoamines.less_resistant"])
    assert relief[0] > relief[1] > relief[2] == relief[3]


@settings(max_examples=15, deadline=None)
@given(drug=some.sampled_from(sorted(DRUGS)), mg=some.floats(1, 500), more=some.floats(1.2, 5))
def test_more_drug_more_occupancy_and_relief_within_bounds(small: Small, drug: str, mg: float, more: float) -> None:
    doses = [(t, name, mg * np.array([1.0, more]), h) for t, name, mg, h in daily(drug, mg, 15)]
    run = small.run([12.0, WEEK, 15 * DAY], doses)
    for name in ("sert_occupancy", "net_occupancy", "dat_occupancy", "adaptation", "relief"):
        less, higher = run[f"monoamines.{name}"]
        assert (higher >= less - 1e-9).all()
        assert (run[f"monoamines.{name}"] >= 0).all()
    assert run["monoamines.relief"][1, -1] > run["monoamines.relief"][0, -1]
    assert small.out_of_bounds(run) == []
    assert all(run[f"monoamines.{k}_occupancy"].max() < 1 for k in ("sert", "net", "dat"))
