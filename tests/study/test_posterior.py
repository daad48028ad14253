"""The emulator and the sampler against problems with known answers; what a stop may lose."""

from types import SimpleNamespace

import numpy as np
import pytest

from afterglow.study import posterior as study
from afterglow.study.calibrate import Free
from afterglow.study.emulator import emulate, features

RNG = np.random.default_rng(3)


class Linear:
    """Rows that are linear in two parameters, with a normal posterior that is known in closed form."""

    def __init__(self, slopes, observed, se):
        n = slopes.shape[1]
        self.slopes, self.observed, self.se = slopes, observed, se
        self.free = [Free(f"p{k}", 1.0, 0.5) for k in range(n)]
        self.low, self.high = np.full(n, -5.0), np.full(n, 5.0)
        self.weight = np.ones(len(observed))
        self.rows = [SimpleNamespace(trial=f"t{k}", row=f"r{k}") for k in range(len(observed))]
        self.calls = 0

    def predictions(self, x, own=(0.0, 0.0)):
        self.calls += 1
        assert own == (0.0, 0.0) or abs(own[0] + own[1]) == study.STEP_OWN
        return self.slopes @ x

    def exact(self):
        """Mean and covariance, without trial effects."""
        precision = self.slopes.T @ (self.slopes / self.se[:, None] ** 2) + np.eye(2) / 0.25
        covariance = np.linalg.inv(precision)
        return covariance @ (self.slopes.T @ (self.observed / self.se**2)), covariance


@pytest.fixture
def problem():
    slopes = np.array([[1.0, 0.5], [0.2, -1.0], [1.5, 0.1], [-0.3, 0.8]])
    return Linear(slopes, slopes @ np.array([0.4, -0.2]) + 0.05, np.array([0.1, 0.2, 0.15, 0.3]))


def test_a_quadratic_is_emulated_exactly():
    x = RNG.normal(size=(60, 4))
    weights = RNG.normal(size=(15, 3))
    made = emulate(x, features(x) @ weights)
    fresh = RNG.normal(size=(20, 4))
    assert made(fresh) == pytest.approx(features(fresh) @ weights, rel=1e-5, abs=1e-5)
    assert (made.explained > 0.999).all()


def test_the_error_is_what_leaving_one_out_gives():
    """A cubic cannot be emulated: the stated error is about that of points never seen."""
    x = RNG.normal(size=(300, 2))

    def cubic(x):
        return (x[:, :1] ** 3 - x[:, 1:] ** 3) * 0.3

    made = emulate(x, cubic(x))
    fresh = RNG.normal(size=(4000, 2))
    seen = np.sqrt(np.mean((made(fresh) - cubic(fresh)) ** 2))
    assert made.error[0] == pytest.approx(seen, rel=0.35)


def test_noise_explains_nothing():
    made = emulate(RNG.normal(size=(200, 3)), RNG.normal(size=(200, 2)))
    assert (made.explained < 0.1).all()
    assert made.error == pytest.approx([1.0, 1.0], rel=0.2)


def test_a_linear_problem_has_its_known_posterior(problem):
    """Trial effects do nothing here, so the posterior is normal with known mean and covariance."""
    plan = study.Plan(patients=1, rounds=(64, 32), draws=400, keep=400, steps=1500)
    found = study.calibrate(np.zeros(2), 0.04 * np.eye(2), problem, plan, seed=1)
    mean, covariance = problem.exact()
    sd = np.sqrt(np.diag(covariance))
    assert (np.abs(found.x.mean(0) - mean) / sd < 0.25).all()
    assert found.x.std(0) == pytest.approx(sd, rel=0.2)
    assert found.effective > 300  # the emulator is exact, so no draw weighs more than another
    tables = study.tables(found)
    assert list(tables["posterior"].columns) == ["p0", "p1", "tau_u", "tau_v"]
    assert (tables["identifiability"]["posterior_over_prior_sd"] < 0.5).all()
    # tau has no data: its posterior is the prior
    assert found.tau[:, 0].mean() == pytest.approx(0.3 * np.sqrt(2 / np.pi), rel=0.2)


def test_the_same_seed_gives_the_same_draws(problem):
    plan = study.Plan(patients=1, rounds=(32,), draws=50, keep=50, steps=100)
    one, two = (study.calibrate(np.zeros(2), 0.04 * np.eye(2), problem, plan, seed=4) for _ in range(2))
    assert np.array_equal(one.x, two.x)


def test_a_stopped_calibration_runs_nothing_twice(problem, tmp_path):
    plan = study.Plan(patients=1, rounds=(32, 16), draws=24, keep=24, steps=100)
    file = tmp_path / "runs.jsonl"
    arguments = (np.zeros(2), 0.04 * np.eye(2), problem, plan, 4)
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
