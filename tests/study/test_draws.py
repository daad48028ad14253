"""Draws of the fitted numbers: inside the declared bounds, and silent about what a variant fixes."""

from __future__ import annotations

import pytest

from afterglow.compiled import compiled
from afterglow.data import fitted
from afterglow.study.draws import bounded_draws, draws_faults, split_draws, tau_draws
from afterglow.systems.variants import VARIANTS


def test_wild_draws_are_clipped_into_the_declared_bounds(monkeypatch):
    wild = [{"mood.weight_fast": 1.7, "measurement.fluctuation_sd": 9.0}, {"mood.weight_fast": 0.5}]
    monkeypatch.setattr(fitted, "parameter_draws", lambda *_: wild)
    high = compiled().program.model.params["mood.weight_fast"].bounds[1]
    assert split_draws(2, 1) == [({"mood.weight_fast": high}, {"fluctuation_sd": 9.0}), ({"mood.weight_fast": 0.5}, {})]


def test_shipped_draws_lie_within_bounds_and_hold_parameters_only():
    declared = compiled().program.model.params
    for one in bounded_draws(40, 1):
        for name, value in one.items():
            low, high = (0.0, 10.0) if name.startswith("omega.") else declared[name].bounds
            assert low <= value <= high


def test_trial_effects_go_with_their_draw():
    drawn = fitted.parameter_draws(5, 3)
    assert tau_draws(5, 3).tolist() == [[one["tau_u"], one["tau_v"], one["tau_e"]] for one in drawn]


def test_every_draw_is_taken_once_before_one_comes_again():
    shipped = sorted(zip(*fitted.posterior().values(), strict=True))
    total = len(shipped)
    seen = [tuple(one.values()) for one in fitted.parameter_draws(total + 3, 2)]
    assert seen[:total] != shipped
    assert sorted(seen[:total]) == shipped
    assert seen[total:] == seen[:3]


def test_what_a_variant_fixes_is_not_drawn():
    assert "nmda_block.weight_r" in bounded_draws(2, 1)[0]
    for name in ("equal-enantiomers", "ki-weighted"):
        assert not any(set(VARIANTS[name].values) & set(one) for one in bounded_draws(2, 1, name))


def test_no_draws_are_none():
    assert split_draws(0, 1) == []


@pytest.mark.parametrize("count", [-5, 1, True, 2.0])
def test_numbers_of_draws_without_a_meaning_are_refused(count):
    assert [fault.place for fault in draws_faults(count)] == ["--draws"]
    assert not draws_faults(0) + draws_faults(2)
