"""Network: normal two days after an infusion, lost by day ten."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from small import DAY, YEAR, Small, published, unsourced

from afterglow.lang import Input, Model, Output, Param, State, System
from afterglow.systems.network import Network


class Gain(System):
    """Fast gain that decays, and spines held by hand."""

    held = Input("1", "restored spines", default=0.0)
    left = State("1", "fast gain", bounds=(0, 1), size=0.1)
    tau = Param(8.0, "d", "decay", source="assumed")
    left.dot = -left / tau
    fast = Output(left, "1", "fast gain")
    spines = Output(held, "1", "restored spines")


@pytest.fixture(scope="module")
def small() -> Small:
    model = Model("circuit")
    gain, network = model.add(Gain, "gain"), model.add(Network, "network")
    model.wire(gain.fast, network.fast_gain)
    model.wire(gain.spines, network.spines_gain)
    return Small(model)


def test_numbers_are_those_of_their_records() -> None:
    assert unsourced(Network) == []


def test_untreated_it_stays_where_it_is_for_a_year(small: Small) -> None:
    run = small.run([0.0, YEAR])
    assert run["network.connectivity"][0] == pytest.approx([0.8, 0.8], abs=1e-12)


def test_normal_at_two_days_and_lost_by_ten(small: Small) -> None:
    days = np.array([published("evans2018.NORMAL"), published("evans2018.LOST"), 30.0])
    restored = small.run(days * DAY, start={"gain.left": 0.21})["network.restored"][0]
    assert restored[0] > 0.75
    assert restored[1] < 0.35
    assert restored[2] < 0.02


def test_it_follows_with_the_declared_lag(small: Small) -> None:
    tau = small.flat.values["network.tau"]
    run = small.run([tau, 2 * tau], values={"gain.held": 10.0})  # saturated at once
    assert run["network.restored"][0] == pytest.approx(1 - np.exp([-1.0, -2.0]), rel=2e-3)


def test_a_perturbed_state_returns(small: Small) -> None:
    run = small.run([30 * DAY], start={"network.linked": 1.1})
    assert run["network.connectivity"][0, 0] == pytest.approx(0.8, abs=1e-6)


def test_lost_spines_do_not_push_it_below_depression(small: Small) -> None:
    run = small.run([30 * DAY], values={"gain.held": -0.5})
    assert run["network.connectivity"][0, 0] == pytest.approx(0.8)


@settings(max_examples=15, deadline=None)
@given(gain=some.floats(0.02, 0.6), more=some.floats(0.02, 0.4), spines=some.floats(-0.3, 1))
def test_more_gain_more_connectivity_within_bounds(small: Small, gain: float, more: float, spines: float) -> None:
    times = [DAY, 4 * DAY, 20 * DAY]
    less = small.run(times, start={"gain.left": gain}, values={"gain.held": spines})
    higher = small.run(times, start={"gain.left": gain + more}, values={"gain.held": spines})
    assert (higher["network.connectivity"] >= less["network.connectivity"] - 1e-9).all()
    assert ((higher["network.connectivity"] >= 0.8 - 1e-9) & (higher["network.connectivity"] <= 1)).all()
    assert small.out_of_bounds(higher) == []
