"""Long-term safety: exposure counted in infusions, far from heavy use under treatment."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from small import DAY, YEAR, Small, unsourced

from afterglow.lang import Model
from afterglow.systems.ketamine import R_KETAMINE, Ketamine
from afterglow.systems.long_term_safety import LongTermSafety

HALF_DOSE = 17.5  # mg of each enantiomer in 0.5 mg/kg at 70 kg


@pytest.fixture(scope="module")
def small() -> Small:
    model = Model("months")
    s, r = model.add(Ketamine, "ketamine_s"), model.add(Ketamine, "ketamine_r", **R_KETAMINE)
    safety = model.add(LongTermSafety, "safety")
    model.wire(s.plasma, safety.s_plasma)
    model.wire(r.plasma, safety.r_plasma)
    return Small(model, rtol=1e-6)


@pytest.fixture(scope="module")
def held() -> Small:
    return Small.of(LongTermSafety, "safety")


def infusions(days: list[float], times: float = 1.0) -> list[tuple[float, str, float, float]]:
    return [(d * DAY, f"ketamine_{x}.iv", times * HALF_DOSE, 2 / 3) for d in days for x in "sr"]


def test_numbers_are_those_of_their_records() -> None:
    assert unsourced(LongTermSafety) == []


def test_without_drug_there_is_none_for_a_year(held: Small) -> None:
    assert all((values == 0.0).all() for values in held.run([0.0, YEAR]).values())


def test_an_infusion_counts_as_one(small: Small) -> None:
    run = small.run([10 * DAY, 40 * DAY], infusions([0.0]))
    assert run["safety.exposure"][0] == pytest.approx([1.0, 1.0], rel=3e-3)
    six = small.run([30 * DAY], infusions([0, 2, 4, 7, 9, 11]))
    assert six["safety.exposure"][0, 0] == pytest.approx(6.0, rel=3e-3)


def test_bladder_and_habit_recover_after_stopping(held: Small) -> None:
    run = held.run([0.0, 90 * DAY, YEAR], start={"safety.bladder": 100.0, "safety.habit": 100.0})
    assert run["safety.bladder_load"][0, 1:] == pytest.approx(100 * np.exp([-1.0, -365 / 90]), rel=1e-4)
    assert run["safety.habit"][0, 1] == pytest.approx(100 * np.exp(-3.0), rel=1e-4)


def test_weekly_treatment_stays_far_from_heavy_use(held: Small) -> None:
    auc = held.flat.values["safety.one_infusion"]
    weekly, gram_a_day = auc / 168, 28 * auc / 24  # mean ng/mL of one infusion a week, and of 1 g a day
    run = held.run([YEAR], values={"safety.s_plasma": np.array([weekly, gram_a_day])})
    (calm, heavy), (calm_use, heavy_use) = run["safety.bladder_risk"][:, 0], run["safety.misuse_risk"][:, 0]
    assert calm < 0.001 < 0.5 < heavy
    assert calm_use < 0.01 < 0.5 < heavy_use


@settings(max_examples=10, deadline=None)
@given(c=some.floats(0, 500), more=some.floats(1, 500))
def test_more_exposure_more_load_within_bounds(held: Small, c: float, more: float) -> None:
    values = {"safety.s_plasma": np.array([c, c + more]), "safety.r_plasma": c}
    run = held.run([DAY, 100 * DAY], values=values)
    for name in ("exposure", "bladder_load", "bladder_risk", "misuse_risk"):
        assert (run[f"safety.{name}"][1] > run[f"safety.{name}"][0]).all()
    assert run["safety.bladder_risk"].max() < 1
    assert held.out_of_bounds(run) == []
