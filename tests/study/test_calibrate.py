"""The fit: residuals and priors by hand, and a tiny fit whose record draws parameters again."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from afterglow.data import fit_rows, fitted
from afterglow.study import calibrate
from afterglow.study.calibrate import PULL, Fit, Free, Problem, as_record, fit, on_scale, standard_error
from afterglow.study.trials import Noise

TRIALS = ("wilkinson2019_control", "han2016_meta")
# A parameter on either side of a tight bound, a free one, one that no arm of these trials knows, and one of the noise.
FREE = [
    Free("synapses.fast_rate", 20.0, 0.8, (19.8, 20.2)),
    Free("mood.weight_fast", 0.45, 0.3, (0.05, 0.95)),
    Free("monoamines.tau", 20.0, 0.4, (1.0, 200.0)),
    Free("measurement.fluctuation_sd", 9.0, 0.25),
    Free("measurement.fluctuation_tau_d", 6.4, 0.4),
]
DECLARED = calibrate.free_parameters


@pytest.fixture(scope="module", autouse=True)
def small():
    """Few rows and few free numbers."""
    rows = tuple(r for r in fit_rows() if r.trial in TRIALS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibrate, "fit_rows", lambda: rows)
        patch.setattr(calibrate, "free_parameters", lambda _model, _variant: FREE)
        yield


@pytest.fixture
def problem():
    return Problem(16, 1)


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def result(told) -> Fit:
    return fit(patients=16, seed=1, rounds=1, progress=told.append)


def loss(r):
    return float(r @ r)


def fit_row(measure, value, se=None):
    return SimpleNamespace(outcome=SimpleNamespace(measure=measure, value=value, se=se))


# ------------------------------------------------------------------------------------ residuals


def test_ratios_are_compared_as_logarithms_and_rates_have_a_least_error():
    assert on_scale(fit_row("response_rr", 2.0), 2.0) == pytest.approx(math.log(2))
    assert math.isfinite(on_scale(fit_row("hazard_ratio", 1.0), 0.0))
    assert on_scale(fit_row("change", -3.0), -3.0) == -3.0
    assert standard_error(fit_row("response", 50.0, 0.2)) == 3.0
    assert standard_error(fit_row("response", 50.0, 7.0)) == 7.0
    assert standard_error(fit_row("change", -3.0, 0.2)) == 0.2
    assert standard_error(fit_row("change", -3.0)) is None


def test_a_residual_is_itself_when_small_and_a_root_when_large():
    z = np.array([-1e-3, 0.0, 1e-3, 0.5])
    assert calibrate._limited(z) == pytest.approx(z, rel=0.02, abs=1e-9)
    far = np.array([50.0, 200.0, 800.0])
    assert calibrate._limited(far) ** 2 / far == pytest.approx(2 * PULL, rel=0.1)  # the square grows like a line
    every = calibrate._limited(np.linspace(-30, 30, 601))
    assert (np.diff(every) > 0).all()
    assert every == pytest.approx(-every[::-1])


def test_residuals_are_those_of_the_rows_and_then_those_of_the_priors(problem):
    x = np.array([0.0, 0.1, -0.2, 0.05, 0.0])
    r, m = problem.residuals(x), len(problem.rows)
    assert m + len(problem.silent) == len([1 for f in fit_rows() if f.trial in TRIALS and f.role == "fit"])
    assert r[m:] == pytest.approx(x / [f.prior_sd for f in FREE])
    z = (problem.predictions(x) - problem.observed) / problem.se
    assert r[:m] == pytest.approx(problem.weight * calibrate._limited(z))
    assert np.isfinite(r).all()


def test_values_are_the_start_times_the_exponential(problem):
    x = np.arange(5) / 10
    wanted = {f.name: f.start * math.exp(v) for f, v in zip(FREE, x, strict=True)}
    assert problem.values(x) == pytest.approx(wanted)
    noise = calibrate.noise_of(problem.values(x))
    assert noise == Noise(noise.rater_sd, wanted["measurement.fluctuation_sd"], wanted["measurement.fluctuation_tau_d"])


def test_what_was_learned_to_change_nothing_does_change_nothing(problem):
    x, arms = np.zeros(len(FREE)), problem.laboratory.arms
    for j in range(len(FREE)):
        moved = x.copy()
        moved[j] = 0.06
        for arm in arms.values():
            arm._kept.clear()
        problem.residuals(x)
        problem.residuals(moved)
        problem.learn(j, x, moved)
    for (_, name), arm in arms.items():
        assert "monoamines.tau" in arm.inert, "nobody starts an antidepressant in these trials"
        assert ("mood.weight_fast" in arm.inert) == ("ket" not in name)
    elsewhere = np.array([0.005, -0.3, 0.5, 0.1, -0.1])
    assert np.array_equal(problem.residuals(elsewhere), Problem(16, 1).residuals(elsewhere))


def test_the_declared_free_numbers_are_fitted_ones_of_the_model():
    model = calibrate.compiled().program.model
    for free in DECLARED(model):
        assert free.prior_sd > 0
        assert free.bounds[0] < free.start < free.bounds[1]
        if not free.name.startswith("measurement."):
            assert model.params[free.name].source == "fitted"


# ------------------------------------------------------------------------------------ a tiny fit


def test_the_fit_comes_closer_and_says_so(result, told, problem):
    before = loss(problem.residuals(np.zeros(len(FREE))))
    assert result.data_loss + result.prior_loss < before - 1
    assert result.prior_loss == pytest.approx(sum((result.x / [f.prior_sd for f in FREE]) ** 2))
    assert result.data_loss + result.prior_loss == pytest.approx(loss(problem.residuals(result.x)))
    assert result.predicted == pytest.approx(problem.predictions(result.x))
    assert len(told) == 1
    assert "loss" in told[0]
    assert result.evaluations > len(FREE)


def test_values_respect_their_bounds(result):
    for free, x in zip(result.free, result.x, strict=True):
        value = result.values()[free.name]
        assert value == pytest.approx(free.start * math.exp(x))
        assert free.bounds[0] * (1 - 1e-12) <= value <= free.bounds[1] * (1 + 1e-12)
    low, high = FREE[0].bounds
    assert result.values()["synapses.fast_rate"] in (pytest.approx(low), pytest.approx(high))  # it wants to go further


def test_errors_are_no_wider_than_the_priors_and_a_silent_number_keeps_its_prior(result):
    sd = np.sqrt(np.diag(result.covariance))
    prior = np.array([f.prior_sd for f in FREE])
    assert (sd > 0).all()
    assert (sd <= prior * (1 + 1e-9)).all()
    silent = [f.name for f in FREE].index("monoamines.tau")
    assert sd[silent] == pytest.approx(prior[silent])
    assert result.x[silent] == pytest.approx(0, abs=1e-12)
    assert np.allclose(result.covariance, result.covariance.T)


def test_the_same_seed_fits_the_same(result):
    assert np.array_equal(fit(patients=16, seed=1, rounds=1).x, result.x)


# ------------------------------------------------------------------------------------ the record


@pytest.fixture
def record(result, monkeypatch):
    """The record as it comes back from its file."""
    back = yaml.safe_load(yaml.safe_dump(as_record(result, "afterglow calibrate --patients 16 --seed 1")))
    monkeypatch.setattr(fitted, "fit_record", lambda *_variant: back)
    return back


def test_the_record_says_how_it_was_made(record, result):
    assert record["command"].startswith("afterglow calibrate")
    assert (record["patients"], record["seed"], record["rounds"]) == (16, 1, 1)
    assert record["rows"] == len(result.rows)
    assert record["evaluations"] == result.evaluations
    assert record["data_loss"] == pytest.approx(result.data_loss, abs=0.01)


@pytest.mark.usefixtures("record")
def test_fitted_values_come_back_from_the_record(result):
    wanted = result.values()
    head = "measurement."
    assert fitted.fitted_values() == pytest.approx({k: v for k, v in wanted.items() if head not in k}, rel=1e-4)
    noise = fitted.measurement()
    assert noise["fluctuation_sd"] == pytest.approx(wanted["measurement.fluctuation_sd"], rel=1e-4)
    assert noise["rater_sd"] == calibrate.noise_of(wanted).rater_sd


@pytest.mark.usefixtures("record")
def test_draws_from_the_record_scatter_around_the_fit_as_its_covariance_says(result):
    draws = fitted.parameter_draws(4000, 1)
    assert {tuple(d) for d in draws} == {tuple(f.name for f in FREE)}
    logs = np.log([[d[f.name] for f in FREE] for d in draws])
    sd = np.sqrt(np.diag(result.covariance))
    centre = np.log([result.values()[f.name] for f in FREE])
    assert np.abs(logs.mean(axis=0) - centre).max() < 4.5 * sd.max() / math.sqrt(4000)
    assert logs.std(axis=0) == pytest.approx(sd, rel=0.06)  # draws end at 2.5 SD, which takes off 2 to 3 %
    assert np.corrcoef(logs.T) == pytest.approx(result.covariance / np.outer(sd, sd), abs=0.08)
    few = fitted.parameter_draws(10, 1)
    assert few == draws[:10]
    assert fitted.parameter_draws(10, 2) != few


def test_before_the_first_fit_there_is_nothing_to_draw(monkeypatch):
    monkeypatch.setattr(fitted, "fit_record", lambda *_variant: {})
    assert fitted.parameter_draws(5, 1) == []
    assert fitted.fitted_values() == {}
    assert set(fitted.measurement()) == {"rater_sd", "fluctuation_sd", "fluctuation_tau_d"}
