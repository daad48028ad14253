"""Clouds of virtual people: weights, resampling, refinement, and that the prior is the population."""

from dataclasses import replace

import numpy as np
import pytest

from afterglow import streams
from afterglow.clinic.course import load_course
from afterglow.clinic.population import load_population
from afterglow.compiled import compiled, parameters
from afterglow.data import fitted
from afterglow.simulate import Arm
from afterglow.study import cloud as cloud_module
from afterglow.study.cloud import live, prior, refined
from afterglow.study.draws import split_draws

SEED = 4
COURSE = load_course("iv-induction")
PURPOSE = next(iter(compiled().etas.values()))[0]


def people(count):
    """A prior cloud of the population."""
    return prior(load_population().draw(SEED, 0, range(count)), SEED)


@pytest.fixture(scope="module")
def cloud():
    return people(1024)


# ------------------------------------------------------------------------------------------------ weights


def test_everybody_of_the_prior_weighs_the_same(cloud):
    assert cloud.weight == pytest.approx(1 / 1024)
    assert cloud.effective == pytest.approx(1024)


def test_weights_are_prior_weights_times_likelihood(cloud):
    log = streams.generator(1, "test").standard_normal((2, 1024))
    found = cloud.weighted(log[0]).weighted(log[1])
    expected = np.exp(log.sum(axis=0))
    assert found.weight == pytest.approx(expected / expected.sum())
    assert cloud.weighted(log[0] - 1e5).weight == pytest.approx(cloud.weighted(log[0]).weight)


def test_who_cannot_be_weighed_has_no_weight(cloud):
    log = np.zeros(1024)
    log[:1000], log[1000] = np.nan, -np.inf
    found = cloud.weighted(log)
    assert found.weight[:1001].max() == 0
    assert found.effective == pytest.approx(23)


def test_a_table_that_does_not_fill_the_lanes_is_refused():
    with pytest.raises(ValueError, match="multiple of 8"):
        people(12)


def test_resampling_takes_everybody_as_often_as_they_weigh(cloud):
    """Systematic resampling: the count of each is its expectation rounded down or up."""
    weighted = cloud.weighted(3 * streams.generator(2, "test").standard_normal(1024))
    named = replace(weighted, people=weighted.people.assign(row=np.arange(1024)))
    counts = np.zeros(1024)
    for turn in range(200):
        taken = np.bincount(named.resampled(512, 9, turn).people["row"], minlength=1024)
        assert np.all(np.abs(taken - 512 * weighted.weight) < 1 + 1e-9)
        counts += taken
    part = (512 * weighted.weight) % 1
    assert np.all(np.abs(counts / 200 - 512 * weighted.weight) <= 5 * np.sqrt(part * (1 - part) / 200) + 0.03)


def test_resampled_people_stay_who_they_are(cloud):
    weighted = cloud.weighted(np.where(np.arange(1024) == 37, 0.0, -np.inf))
    found = weighted.resampled(16, 1)
    assert np.all(found.people["WT"] == cloud.people["WT"][37])
    assert np.all(found.luck[PURPOSE] == cloud.luck[PURPOSE][37])
    assert all(np.all(values == cloud.typical[name][37]) for name, values in found.typical.items())
    assert all(np.all(values == cloud.noise[name][37]) for name, values in found.noise.items())
    assert np.all(found.own == cloud.own[37])
    assert found.weight == pytest.approx(1 / 16)


# ------------------------------------------------------------------------------------------------ the population


def test_the_luck_of_the_prior_is_that_of_the_streams():
    few = people(16)
    given = parameters(compiled(), few.people, SEED, 0, range(16), luck=few.luck)
    assert np.array_equal(given, parameters(compiled(), few.people, SEED, 0, range(16)))


def test_the_prior_lives_as_the_population_does_draw_by_draw():
    """Person i at draw i, once through the cloud, once through a run with the parameter values of that draw."""
    few, hours = people(16), [0.0, 24.0, 168.0, 336.0, 672.0]
    draws = split_draws(16, SEED)
    arm = Arm(COURSE, patients=16, weeks=4, seed=SEED, population=few.people, visits_h=hours)
    runs = arm.run_each([values for values, _ in draws], noise=[noise for _, noise in draws])
    expected = np.array([run.true["MADRS"][i] for i, run in enumerate(runs)])
    found, _ = live(replace(few, own=np.zeros((16, 2))), COURSE, np.array(hours), SEED)
    assert found == pytest.approx(expected, abs=0.1)  # solver tolerances 1e-3 and 1e-5
    for i, (_, noise) in enumerate(draws):
        assert {name: values[i] for name, values in few.noise.items()} == fitted.measurement() | noise


def test_people_keep_their_lives_in_another_order():
    """Luck, parameters and effects go with the person, not with the place in the cloud."""
    few, hours, places = people(16), np.array([0.0, 24.0, 336.0]), np.arange(16)[::-1]
    found, _ = live(few, COURSE, hours, SEED)
    assert live(few.take(places), COURSE, hours, SEED)[0] == pytest.approx(found[places], abs=0.1)


def test_effects_of_the_place_move_relief():
    few, hours = people(8), np.array([0.0, 24.0])
    neutral, less, more = (
        live(replace(few, own=np.full((8, 2), own)), COURSE, hours, SEED)[0][:, 1] for own in (0.0, -1.0, 1.0)
    )
    assert np.all(less >= neutral)
    assert np.all(more <= neutral)
    assert np.mean(less - more) > 1.0


def test_draws_are_spread_evenly():
    known = fitted.posterior()["omega.synapses.fast_rate"]
    values = people(8 * len(known)).typical["omega.synapses.fast_rate"]
    assert np.array_equal(np.sort(values), np.sort(np.tile(known, 8)))


@pytest.mark.parametrize("last", [100 + 1 / 3, 0.1, 47.0000004])
def test_visits_at_any_minute_have_scores(last):
    found, _ = live(people(8), COURSE, np.array([0.0, last]), SEED)
    assert np.isfinite(found).all()


# ------------------------------------------------------------------------------------------------ refinement


@pytest.mark.parametrize("moves", [1, 6])
def test_refinement_reaches_a_known_posterior(moves):
    """Standard normal luck, seen with an error of SD 0.3 at 2.5: mean 2.5 / 1.09, variance 0.09 / 1.09."""

    def log_likelihood(some):
        return -0.5 * ((2.5 - some.luck[PURPOSE]) / 0.3) ** 2

    runs = [refined(people(2048), log_likelihood, seed, 2048, moves)[0].luck[PURPOSE] for seed in range(8)]
    assert np.mean(runs) == pytest.approx(2.5 / 1.09, abs=0.02)
    assert np.mean(np.std(runs, axis=1)) == pytest.approx(np.sqrt(0.09 / 1.09), rel=0.03)
    assert all(len(run) == 2048 for run in runs)


def test_refinement_knows_correlated_parts(cloud):
    """The sum of two lucks and an effect of the place is seen: each gets a third, and they become anticorrelated."""
    other = next(name for name in cloud.luck if name != PURPOSE)

    def log_likelihood(some):
        return -0.5 * ((3.0 - some.luck[PURPOSE] - some.luck[other] - some.own[:, 0]) / 0.5) ** 2

    found, _ = refined(people(2048), log_likelihood, 5, count=2048, moves=10)
    parts = np.array([found.luck[PURPOSE], found.luck[other], found.own[:, 0]])
    gain = 1 / 3.25
    assert parts.mean(axis=1) == pytest.approx(3.0 * gain * np.ones(3), abs=0.1)
    assert np.cov(parts) == pytest.approx(np.eye(3) - gain, abs=0.1)
    assert found.own[:, 1].mean() == pytest.approx(0.0, abs=0.1)
    assert found.own[:, 1].std() == pytest.approx(1.0, rel=0.1)


def test_refinement_by_nothing_leaves_the_prior(cloud):
    found, reached = refined(cloud, lambda some: np.zeros(len(some)), 3, count=1024)
    assert reached == 1.0
    z = found.luck[PURPOSE]
    assert z.mean() == pytest.approx(0.0, abs=4.5 / np.sqrt(1024))
    assert z.std() == pytest.approx(1.0, abs=4.5 / np.sqrt(2 * 1024))
    assert sorted(found.people["WT"]) == sorted(cloud.people["WT"])
    assert found.people["baseline_madrs"].mean() == pytest.approx(cloud.people["baseline_madrs"].mean())


def test_refinement_weighs_covariates_too(cloud):
    """What cannot be moved is chosen: severity at the baseline against the exact weights."""

    def log_likelihood(some):
        return -0.5 * ((45.0 - some.people["baseline_madrs"].to_numpy(float)) / 2.0) ** 2

    exact = cloud.weighted(log_likelihood(cloud))
    expected = float(exact.weight @ cloud.people["baseline_madrs"])
    found, _ = refined(cloud, log_likelihood, 3, count=1024)
    assert found.people["baseline_madrs"].mean() == pytest.approx(expected, abs=0.3)


def test_refinement_is_deterministic(cloud):
    def log_likelihood(some):
        return -0.5 * (3.0 - some.luck[PURPOSE]) ** 2 / 0.01

    one, same, other = (refined(cloud, log_likelihood, seed, count=128)[0].luck[PURPOSE] for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_refinement_that_runs_out_of_steps_says_how_far_it_came(cloud, monkeypatch):
    def log_likelihood(some):
        return -0.5 * ((4.0 - some.luck[PURPOSE]) / 0.01) ** 2

    parts = []
    for steps in (1, 3, 30):
        monkeypatch.setattr(cloud_module, "MOST_STEPS", steps)
        parts.append(refined(cloud, log_likelihood, 3, count=128)[1])
    assert 0 < parts[0] < parts[1] < parts[2] == 1.0
