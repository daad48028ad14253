"""The fit: residuals, trial effects and priors by hand, and a tiny fit and its record."""

import math
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from afterglow.data import answered_rows, fit_rows, fitted, trials
from afterglow.study import calibrate
from afterglow.study.calibrate import (
    PULL,
    STEP_OWN,
    Fit,
    Free,
    Problem,
    as_record,
    between_trials,
    fit,
    on_scale,
    standard_error,
)
from afterglow.study.published import Noise
from afterglow.systems.variants import VARIANTS

TRIALS = ("wilkinson2019_control", "han2016_meta")
# A parameter with tight bounds, a free one, one that no arm of these trials knows, a spread between people, the noise.
FREE = [
    Free("synapses.fast_rate", 20.0, 0.8, (19.8, 20.2)),
    Free("mood.weight_fast", 0.45, 0.3, (0.05, 0.95)),
    Free("monoamines.tau", 20.0, 0.4, (1.0, 200.0)),
    Free("omega.expectancy.care", 1.1, 0.3),
    Free("measurement.fluctuation_sd", 9.0, 0.25),
    Free("measurement.fluctuation_power", 0.5, 0.5),
    Free("measurement.fluctuation_tau_d", 6.4, 0.4),
]
FREE_VALUES = {f.name: f.start for f in FREE}
SOMEWHERE = np.array([0.005, -0.3, 0.5, 0.2, 0.1, 0.3, -0.1])
DECLARED = calibrate.free_parameters


@pytest.fixture(scope="module", autouse=True)
def small():
    """Few rows and few free numbers."""
    rows = tuple(r for r in answered_rows() if r.trial in TRIALS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibrate, "answered_rows", lambda: rows)
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


@cache
def converged() -> Fit:
    return fit(patients=16, seed=1, rounds=8)


def loss(r):
    return float(r @ r)


def fit_row(measure, value, se=None, weight=1.0):
    outcome = SimpleNamespace(measure=measure, value=value, se=se)
    return SimpleNamespace(trial="mine", outcome=outcome, weight=weight)


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


def miss_and_covariance(problem, x):
    """What the prediction misses, and how far it may: sampling error and trial effects, row by row."""
    rows, (tau_u, tau_v, tau_e) = problem.published, between_trials()
    m = len(rows.observed)
    covariance = np.zeros((m, m))
    for i in range(m):
        for j in range(m):
            if problem.rows[i].trial == problem.rows[j].trial:
                covariance[i, j] = tau_u**2 * rows.by_u[i] * rows.by_u[j] + tau_v**2 * rows.by_v[i] * rows.by_v[j]
        own = tau_e * (rows.by_u[i] + rows.by_v[i])
        covariance[i, i] += standard_error(problem.rows[i]) ** 2 / problem.rows[i].weight + own**2
    return problem.predictions(x) - [on_scale(r, r.outcome.value) for r in problem.rows], covariance


def test_the_residuals_of_the_rows_make_up_their_mahalanobis_distance(problem, monkeypatch):
    monkeypatch.setattr(calibrate, "PULL", 1e4)  # none is limited
    r, m = problem.residuals(SOMEWHERE), len(problem.rows)
    miss, covariance = miss_and_covariance(problem, SOMEWHERE)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() > 1  # trial effects tie rows together
    assert loss(r[:m]) == pytest.approx(miss @ np.linalg.solve(covariance, miss))
    for name in TRIALS:  # trials are independent
        mine = np.array([row.trial == name for row in problem.rows])
        alone = miss[mine] @ np.linalg.solve(covariance[np.ix_(mine, mine)], miss[mine])
        assert loss(r[:m][mine]) == pytest.approx(alone)


def test_residuals_are_those_of_the_rows_limited_and_then_those_of_the_priors(problem):
    r, m = problem.residuals(SOMEWHERE), len(problem.rows)
    assert m + len(problem.silent) == len([1 for f in fit_rows() if f.trial in TRIALS and f.role == "fit"])
    assert problem.fitted.all()
    assert r[m:] == pytest.approx(SOMEWHERE / [f.prior_sd for f in FREE])
    miss, covariance = miss_and_covariance(problem, SOMEWHERE)
    white = np.linalg.solve(np.linalg.cholesky(covariance), miss)
    assert r[:m] == pytest.approx(calibrate._limited(white))
    assert (np.abs(r[:m]) < np.abs(white)).all()


def test_without_trial_effects_a_residual_is_the_miss_in_standard_errors(monkeypatch):
    monkeypatch.setattr(calibrate, "between_trials", lambda: (0.0, 0.0, 0.0))
    problem = Problem(16, 1)
    z = (problem.predictions(SOMEWHERE) - problem.published.observed) / problem.published.se
    assert problem.residuals(SOMEWHERE)[: len(z)] == pytest.approx(calibrate._limited(z))


def test_a_row_without_an_answer_counts_as_a_large_miss(problem, monkeypatch):
    silent = problem.predictions(SOMEWHERE)
    far = silent.copy()
    silent[1], far[1] = np.nan, problem.published.observed[1] + 5 * problem.published.se[1]
    monkeypatch.setattr(problem, "predictions", lambda _x, rows: silent[: len(rows)])
    missing = problem.residuals(SOMEWHERE)
    assert np.isfinite(missing).all()
    monkeypatch.setattr(problem, "predictions", lambda _x, rows: far[: len(rows)])
    assert missing == pytest.approx(problem.residuals(SOMEWHERE))


def test_the_effects_of_a_trial_are_slopes_and_no_drug_means_no_effect_of_it(problem):
    zero, h = np.zeros(len(FREE)), STEP_OWN
    rows = problem.published
    up, down = (problem.predictions(zero, (sign * h, 0.0)) for sign in (1, -1))
    assert rows.by_u == pytest.approx((up - down) / (2 * h))
    up, down = (problem.predictions(zero, (0.0, sign * h)) for sign in (1, -1))
    assert rows.by_v == pytest.approx((up - down) / (2 * h))
    by_arm = {r.outcome.arm: v for r, v in zip(problem.rows, rows.by_v, strict=True) if r.outcome.versus is None}
    drug = {arm: v for arm, v in by_arm.items() if "ket" in arm}
    assert drug
    assert len(drug) < len(by_arm)
    assert all(v != 0 for v in drug.values())
    assert all(v == 0 for arm, v in by_arm.items() if arm not in drug)


def test_a_layer_has_its_own_rows_and_runs_no_other_trial(problem, monkeypatch):
    monkeypatch.setattr(calibrate, "PULL", 1e4)
    mine = np.array([r.layer == "expectancy" for r in problem.rows])
    assert 0 < mine.sum() < len(mine)
    miss, covariance = miss_and_covariance(problem, SOMEWHERE)
    ran = []
    simulate = calibrate.Laboratory.run
    monkeypatch.setattr(calibrate.Laboratory, "run", lambda *given: ran.append(given[-1]) or simulate(*given))
    r = problem.residuals(SOMEWHERE, "expectancy")
    assert ran == [{row.trial for row, one in zip(problem.rows, mine, strict=True) if one}]
    assert ran != [set(TRIALS)]
    wanted = miss[mine] @ np.linalg.solve(covariance[np.ix_(mine, mine)], miss[mine])
    assert len(r) == mine.sum() + len(FREE)
    assert loss(r[: mine.sum()]) == pytest.approx(wanted)
    assert len(problem.residuals(SOMEWHERE, "safety")) == len(FREE)  # no such rows: the priors alone


def test_with_everything_all_published_rows_are_predicted_and_the_same_are_fitted(problem):
    whole = Problem(16, 1, everything=True)
    m = len(problem.rows)
    assert whole.rows[:m] == problem.rows
    assert whole.fitted.tolist() == [True] * m + [False] * (len(whole.rows) - m)
    assert len(whole.rows) > m
    assert whole.predictions(SOMEWHERE)[:m] == pytest.approx(problem.predictions(SOMEWHERE))
    assert whole.residuals(SOMEWHERE) == pytest.approx(problem.residuals(SOMEWHERE))
    unknown = np.array([standard_error(r) is None for r in whole.rows])
    assert np.isnan(whole.published.se).tolist() == unknown.tolist()


def test_trials_can_be_left_out(problem):
    few = Problem(16, 1, everything=True, without=TRIALS[1:])
    assert {r.trial for r in (*few.rows, *few.silent)} == {TRIALS[0]}
    assert {name for name, _ in few.laboratory.arms} == {TRIALS[0]}
    both = [r.trial == TRIALS[0] for r in problem.rows]
    assert few.predictions(SOMEWHERE)[few.fitted] == pytest.approx(problem.predictions(SOMEWHERE)[both])


def test_a_weight_widens_the_standard_error():
    one, half = fit_row("change", -3.0, 0.2), fit_row("change", -3.0, 0.2, weight=0.25)
    rows = calibrate.numbers([one, half, fit_row("change", 1.0)], np.array([1.0, np.nan, 2.0]), np.full(3, np.nan))
    assert rows.se == pytest.approx([0.2, 0.4, np.nan], nan_ok=True)
    assert rows.by_u.tolist() == [1.0, 0.0, 2.0]  # unknown effects count as none
    assert rows.by_v.tolist() == [0.0, 0.0, 0.0]


def test_values_are_the_start_times_the_exponential(problem):
    x = np.arange(len(FREE)) / 10
    wanted = {f.name: f.start * math.exp(v) for f, v in zip(FREE, x, strict=True)}
    assert problem.values(x) == pytest.approx(wanted)
    noise = calibrate.noise_of(problem.values(x))
    names = ("fluctuation_sd", "fluctuation_tau_d", "fluctuation_power")
    assert noise == Noise(rater_sd=noise.rater_sd, **{name: wanted[f"measurement.{name}"] for name in names})


def test_a_spread_between_people_moves_predictions(problem):
    wide = np.zeros(len(FREE))
    wide[[f.name for f in FREE].index("omega.expectancy.care")] = 0.5
    assert not np.allclose(problem.predictions(wide), problem.predictions(np.zeros(len(FREE))))


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
    assert np.array_equal(problem.residuals(SOMEWHERE), Problem(16, 1).residuals(SOMEWHERE))


def test_the_declared_free_numbers_are_fitted_ones_of_the_model():
    model = calibrate.compiled().program.model
    for free in DECLARED(model):
        assert free.prior_sd > 0
        assert free.bounds[0] < free.start < free.bounds[1]
        if free.name.startswith("omega."):
            assert model.params[free.name.removeprefix("omega.")].spread.size == free.start
        elif not free.name.startswith("measurement."):
            assert model.params[free.name].source == "fitted"


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_what_a_variant_fixes_is_not_free_nor_its_spread(variant):
    whole = {f.name for f in DECLARED(calibrate.compiled().program.model)}
    names = {f.name for f in DECLARED(calibrate.compiled().program.model, variant)}
    fixed = set(VARIANTS[variant].values)
    assert names == whole - fixed - {f"omega.{name}" for name in fixed}


def test_every_published_row_has_a_role_and_fitted_ones_come_first():
    every = answered_rows()
    roles = [r.role for r in every]
    assert roles == sorted(roles, key=lambda role: role != "fit")
    assert set(roles) == {"fit", "check", "unused"}
    keys = [(r.trial, r.row) for r in every]
    assert len(set(keys)) == len(keys)
    assert set(keys) == {(t.id, r.key) for t in trials().values() if t.simulate for r in t.answered()}
    listed = {(r.trial, r.row): r for r in fit_rows()}
    for one in every:
        assert one == listed.get((one.trial, one.row), one)
        assert (one.role == "unused") == ((one.trial, one.row) not in listed)
        assert one.outcome.key == one.row
    assert {k for k, r in listed.items() if r.role == "fit"} <= set(keys)


# ------------------------------------------------------------------------------------ a tiny fit


def test_the_fit_comes_closer_and_says_so(result, told, problem):
    before = loss(problem.residuals(np.zeros(len(FREE))))
    assert result.data_loss + result.prior_loss < before - 0.7 * (before - loss(problem.residuals(converged().x)))
    assert result.prior_loss == pytest.approx(sum((result.x / [f.prior_sd for f in FREE]) ** 2))
    assert result.data_loss + result.prior_loss == pytest.approx(loss(problem.residuals(result.x)))
    assert result.predicted == pytest.approx(problem.predictions(result.x))
    assert len(told) == 1
    assert "loss" in told[0]
    assert result.evaluations > len(FREE)


def test_more_steps_end_where_no_number_can_be_moved_for_the_better(problem):
    x = converged().x
    best = loss(problem.residuals(x))
    assert best < loss(problem.residuals(np.zeros(len(FREE)))) - 0.5
    for j in range(len(FREE)):
        for step in (-0.1, 0.1):
            moved = x.copy()
            moved[j] = np.clip(x[j] + step, problem.low[j], problem.high[j])
            assert loss(problem.residuals(moved)) > best - 0.05  # a step that gains less ends the fit


def test_layers_are_fitted_in_their_order_before_all_at_once(monkeypatch):
    layers = {"mood.weight_fast": "drug", "omega.expectancy.care": "expectancy", "monoamines.tau": "course"}
    free = [replace(f, layer=layers.get(f.name, "")) for f in FREE]
    monkeypatch.setattr(calibrate, "free_parameters", lambda _model, _variant: free)
    told = []
    found = fit(patients=16, seed=1, rounds=2, progress=told.append)
    steps = [line.split(",")[0] for line in told]
    assert list(dict.fromkeys(steps)) == ["expectancy", "drug", "all"]  # no row speaks of the course
    assert {f.name for f, x in zip(FREE, found.layered, strict=True) if x} == set(layers) - {"monoamines.tau"}
    problem = Problem(16, 1)
    start, layered, end = (loss(problem.residuals(x)) for x in (np.zeros(len(FREE)), found.layered, found.x))
    assert end < layered < start


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


@pytest.fixture(scope="module")
def record(result):
    """The record as it comes back from its file."""
    return yaml.safe_load(yaml.safe_dump(as_record(result, "afterglow calibrate --patients 16 --seed 1")))


def test_the_record_says_how_it_was_made(record, result):
    assert record["command"].startswith("afterglow calibrate")
    assert (record["patients"], record["seed"], record["rounds"]) == (16, 1, 1)
    assert record["rows"] == len(result.rows)
    assert record["evaluations"] == result.evaluations
    assert record["data_loss"] == pytest.approx(result.data_loss, abs=0.01)
    assert record["prior_loss"] == pytest.approx(result.prior_loss, abs=0.01)


def test_values_and_covariance_come_back_from_the_record(record, result):
    noise = {f"measurement.{name}": entry for name, entry in record["measurement"].items()}
    back = record["parameters"] | noise
    assert {name: entry["value"] for name, entry in back.items()} == pytest.approx(result.values(), rel=1e-4)
    assert {name: entry["start"] for name, entry in back.items()} == pytest.approx({f.name: f.start for f in FREE})
    assert record["covariance_of"] == [f.name for f in FREE]
    assert np.array(record["covariance"]) == pytest.approx(result.covariance, rel=1e-3, abs=1e-12)
    sd = [back[f.name]["sd"] for f in FREE]
    assert sd == pytest.approx(np.sqrt(np.diag(result.covariance)), abs=1e-4)


# ------------------------------------------------------------------------------------ the shipped posterior

DRAWS = {
    "mood.weight_fast": [0.1, 0.5, 0.2],
    "omega.expectancy.care": [1.0, 1.5, 0.5],
    "measurement.fluctuation_sd": [8.0, 9.0, 11.0],
    "measurement.fluctuation_power": [0.2, 0.4, 0.9],
    "tau_u": [0.3, 0.2, 0.1],
    "tau_v": [0.4, 0.5, 0.6],
    "tau_e": [0.1, 0.3, 0.2],
}


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """Three draws in place of the shipped ones, read anew."""
    file = tmp_path / "posterior.csv"
    pd.DataFrame(DRAWS).to_csv(file, index=False)
    monkeypatch.setattr(fitted, "_file", lambda _ending, _variant: file)
    for name in ("posterior", "_medians"):
        monkeypatch.setattr(fitted, name, getattr(fitted, name).__wrapped__)


@pytest.mark.usefixtures("shipped")
def test_fitted_values_are_the_medians_of_the_draws():
    assert fitted.fitted_values() == {"mood.weight_fast": 0.2, "omega.expectancy.care": 1.0}
    noise = fitted.measurement()
    assert noise == {
        "rater_sd": calibrate.noise_of(FREE_VALUES).rater_sd,
        "fluctuation_sd": 9,
        "fluctuation_power": 0.4,
    }
    assert fitted.between_trials() == {"u": 0.2, "v": 0.5, "e": 0.2}


@pytest.mark.usefixtures("shipped")
def test_draws_are_rows_of_the_file_and_none_comes_twice_before_all_have_come():
    known = [{name: column[k] for name, column in DRAWS.items()} for k in range(3)]
    draws = fitted.parameter_draws(7, 1)
    assert all(one in known for one in draws)
    for start in (0, 3):
        assert sorted(d["tau_u"] for d in draws[start : start + 3]) == [0.1, 0.2, 0.3]
    assert fitted.parameter_draws(2, 1) == draws[:2]
    assert any(fitted.parameter_draws(7, seed) != draws for seed in range(2, 6))
