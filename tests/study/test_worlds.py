"""Worlds: which parameters hold, and what a trial has of its own."""

import numpy as np
import pytest

from afterglow.data import fitted
from afterglow.study.worlds import WORLDS, setting, world
from afterglow.systems.variants import VARIANTS


def test_worlds_are_named_and_take_a_rival():
    assert {name: one.name for name, one in WORLDS.items()} == {name: name for name in WORLDS}
    assert world("posterior").variant is None
    assert world("posterior", "no-open-window" if "no-open-window" in VARIANTS else "inert").variant in VARIANTS
    assert world("inert", "anything").variant == "inert"  # it is about one mechanism


def test_the_mean_world_has_no_draws_and_no_effects_of_its_own():
    one, other = (setting(WORLDS["mean"], replicate, 1) for replicate in (0, 7))
    assert dict(one.typical) == {}
    assert one.own == (0.0, 0.0)
    assert dict(one.noise) == fitted.measurement()
    assert (one.typical, one.noise, one.own) == (other.typical, other.noise, other.own)


def test_a_replicate_has_the_same_numbers_whenever_it_is_asked_for():
    first = [setting(WORLDS["posterior"], k, 1) for k in range(5)]
    again = [setting(WORLDS["posterior"], k, 1) for k in (4, 2, 0)]
    assert again == [first[4], first[2], first[0]]
    assert first[0].typical != first[1].typical
    assert first[0].own != first[1].own
    assert setting(WORLDS["posterior"], 0, 2).own != first[0].own


@pytest.mark.parametrize("name", ["masked", "null"])
def test_worlds_that_differ_in_the_trial_share_their_numbers(name):
    for replicate in (0, 11):
        assert setting(WORLDS[name], replicate, 3) == setting(WORLDS["posterior"], replicate, 3)


def test_every_draw_comes_once_before_one_comes_again():
    count = len(next(iter(fitted.posterior().values())))
    seen = {tuple(setting(WORLDS["posterior"], k, 1).typical.values()) for k in range(count)}
    distinct = len(np.unique(np.column_stack([v for k, v in fitted.posterior().items() if "." in k]), axis=0))
    assert len(seen) >= 0.99 * distinct  # clipping into bounds may make two alike
    first, later = setting(WORLDS["posterior"], 0, 1), setting(WORLDS["posterior"], count, 1)
    assert first.typical == later.typical
    assert first.own != later.own


def test_effects_of_a_trial_have_the_spreads_of_the_posterior():
    own = np.array([setting(WORLDS["posterior"], k, 1).own for k in range(1500)])
    tau = [np.sqrt(np.mean(fitted.posterior()[name] ** 2)) for name in ("tau_u", "tau_v")]
    assert own.std(axis=0) == pytest.approx(tau, rel=0.1)
    assert abs(own.mean(axis=0) / own.std(axis=0) * np.sqrt(1500)).max() < 4
    assert abs(np.corrcoef(own.T)[0, 1]) < 0.1


def test_the_inert_world_draws_from_its_own_calibration_and_fixes_what_makes_the_drug_inert():
    found = setting(WORLDS["inert"], 0, 1)
    assert not VARIANTS["inert"].values.keys() & found.typical.keys()
    assert found.noise != setting(WORLDS["posterior"], 0, 1).noise
    assert found.noise.keys() == fitted.measurement("inert").keys()


def test_a_promise_scales_what_sessions_make_people_expect():
    def trait(promised):
        return setting(WORLDS["posterior"], 0, 1, promised).typical.get("expectancy.trait", 1.0)

    assert trait(0.5) == trait(None)
    assert trait(1.0) == pytest.approx(2 * trait(0.5))
    assert trait(0.25) == pytest.approx(0.5 * trait(0.5))
