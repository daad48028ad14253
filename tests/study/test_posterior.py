"""The calibration against problems with known answers; what a stop may lose."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from afterglow import streams
from afterglow.data import fitted
from afterglow.study import posterior as study
from afterglow.study.likelihood import Rows
from linear_surface import FREE, PRIOR, ROWS, SLOPES, surface


class Linear:
    """Rows that are linear in two free numbers, in place of the model."""

    def __init__(self, *, effects=False):
        made = surface(effects=effects)
        self.free, self.rows, self.published, self.fitted = made.free, made.listed, made.rows, made.fitted
        self.low, self.high = np.full(2, -5.0), np.full(2, 5.0)
        self.calls = 0

    def predictions(self, x, own=(0.0, 0.0)):
        self.calls += 1
        assert own == (0.0, 0.0)
        return SLOPES @ x

    def exact(self):
        """Mean and covariance, without trial effects."""
        rows, slopes = self.published.only(self.fitted), SLOPES[self.fitted]
        covariance = np.linalg.inv(slopes.T @ (slopes / rows.se[:, None] ** 2) + np.diag(PRIOR**-2))
        return covariance @ (slopes.T @ (rows.observed / rows.se**2)), covariance


@pytest.fixture
def problem():
    return Linear()


PLAN = study.Plan(patients=1, rounds=(64, 32), draws=300, keep=240, steps=800)
START = (np.zeros(2), 0.09 * np.eye(2))


@pytest.fixture(scope="module")
def found():
    return study.calibrate(*START, Linear(), PLAN, seed=1)


def test_a_linear_problem_has_its_known_posterior(problem, found):
    """Trial effects do nothing here, so the posterior is normal with known mean and covariance."""
    mean, covariance = problem.exact()
    sd = np.sqrt(np.diag(covariance))
    assert (np.abs(found.x.mean(0) - mean) / sd < 0.25).all()
    assert found.x.std(0) == pytest.approx(sd, rel=0.2)
    assert found.effective > 290  # the emulator is exact, so no draw weighs more than another
    # tau has no data: its posterior is the prior
    assert found.tau[:, 0].mean() == pytest.approx(0.3 * np.sqrt(2 / np.pi), rel=0.2)
    median, low, high = found.tau_summary()["v"]
    assert low < median < high
    assert median == pytest.approx(np.median(found.tau[:, 1]), abs=1e-3)


def test_the_surface_keeps_every_run_of_all_rows(found):
    kept = found.surface
    assert len(kept.x) == sum(PLAN.rounds) + PLAN.draws
    assert kept.y == pytest.approx(kept.x @ SLOPES.T)
    assert found.x.shape == (PLAN.keep, 2)
    assert found.tau.shape == (PLAN.keep, 3)
    last = {tuple(x) for x in kept.x[-PLAN.draws :]}
    assert {tuple(x) for x in found.x} <= last  # draws are points at which the model itself was run
    assert found.emulator.weights.shape[1] == kept.fitted.sum()


def test_tables_name_every_number_and_row(found):
    tables = study.tables(found)
    draws = tables["posterior"]
    assert list(draws.columns) == ["mood.first", "omega.second", "tau_u", "tau_v", "tau_e"]
    assert draws[[f.name for f in FREE]].to_numpy() == pytest.approx([2.0, 0.3] * np.exp(found.x), rel=1e-5)
    names = tables["identifiability"].set_index("name")
    assert (names["posterior_over_prior_sd"] < 0.5).all()
    assert names["tied_to"].tolist() == ["omega.second", "mood.first"]
    assert (names["lo90"] < names["median"]).all()
    assert (names["median"] < names["hi90"]).all()
    emulated = tables["emulator"]
    assert emulated["row"].tolist() == [f"row {k}" for k, r in enumerate(ROWS) if r[2] == "fit"]
    assert (emulated["error_over_se"] < 1e-4).all()


def test_the_table_of_draws_is_what_the_shipped_posterior_is_read_from(found, tmp_path, monkeypatch):
    file = tmp_path / "posterior.csv"
    table = study.tables(found)["posterior"]
    table.to_csv(file, index=False)
    monkeypatch.setattr(fitted, "_file", lambda _ending, _variant: file)
    for name in ("posterior", "_medians"):
        monkeypatch.setattr(fitted, name, getattr(fitted, name).__wrapped__)
    assert set(fitted.fitted_values()) == {"mood.first", "omega.second"}
    assert fitted.between_trials()["e"] == pytest.approx(np.median(found.tau[:, 2]), rel=1e-5)
    drawn = pd.DataFrame(fitted.parameter_draws(PLAN.keep, 1))
    assert np.sort(drawn["mood.first"]) == pytest.approx(np.sort(table["mood.first"]))


def test_draws_are_corrected_where_the_emulator_misjudged_them():
    """One row, two draws: the weight of a draw is its likelihood under the model over that under the emulator."""
    rows = Rows(np.zeros(1), np.ones(1), np.zeros(1, int), np.zeros(1), np.zeros(1))
    model, emulated, tau = np.array([[0.5], [1.0], [0.2]]), np.array([[0.5], [0.8], [0.6]]), np.zeros((3, 3))
    ratio = norm.pdf(model[:, 0]) / norm.pdf(emulated[:, 0], scale=np.hypot(1, 0.1))
    weight = study._correction(rows, model, emulated, tau, np.array([0.1]))
    assert weight == pytest.approx(ratio / ratio.sum())
    model[1] = np.nan  # the model has no answer there
    assert study._correction(rows, model, emulated, tau, np.array([0.1]))[1] == 0


def test_no_draw_weighs_more_than_the_limit():
    rows = Rows(np.zeros(1), np.ones(1), np.zeros(1, int), np.zeros(1), np.zeros(1))
    model, n = np.full((100, 1), 6.0), 100
    model[0] = 0.0  # the only one that the model thinks likely
    weight = study._correction(rows, model, np.full((n, 1), 3.0), np.zeros((n, 3)), np.zeros(1))
    others = np.exp(norm.logpdf(6.0) - norm.logpdf(0.0))
    limit = (1 + 99 * others) / n * np.sqrt(n)  # Ionides: sqrt(n) times the mean
    assert weight[0] / weight[1] == pytest.approx(limit / others)


def test_resampling_takes_each_draw_as_often_as_it_weighs():
    weight = np.array([0.5, 0.25, 0.0, 0.2, 0.05])
    for seed in range(5):
        taken = study._resampled(weight, 10, streams.generator(seed, "test/resample"))
        counts = np.bincount(taken, minlength=5)
        assert counts.sum() == 10
        assert (np.abs(counts - 10 * weight) < 1).all()


def test_the_same_seed_gives_the_same_draws(problem):
    plan = study.Plan(patients=1, rounds=(32,), draws=50, keep=50, steps=100)
    one, two = (study.calibrate(*START, problem, plan, seed=4) for _ in range(2))
    assert np.array_equal(one.x, two.x)
    assert np.array_equal(one.tau, two.tau)


def test_a_stopped_calibration_runs_nothing_twice(problem, tmp_path):
    plan = study.Plan(patients=1, rounds=(32, 16), draws=24, keep=24, steps=100)
    file = tmp_path / "runs.jsonl"
    arguments = (*START, problem, plan, 4)
    straight = study.calibrate(*arguments)
    needed = problem.calls

    class Stop(Exception):
        pass

    def stop(line):
        if line.startswith("round 2"):
            raise Stop

    with pytest.raises(Stop):
        study.calibrate(*arguments, file, stop)
    with file.open("a") as f:
        f.write('{"x": "0x1.0p')  # a line that was being written
    problem.calls = 0
    again = study.calibrate(*arguments, file)
    assert np.array_equal(again.x, straight.x)
    assert 0 < problem.calls < needed - 40
    problem.calls = 0
    study.calibrate(*arguments, file)
    assert problem.calls == 0  # the half line has spoiled no other
