"""The surface: its posterior against quadrature, and what comes back from its file."""

import numpy as np
import pytest
from scipy.stats import kstest, norm

from afterglow.errors import InputError
from afterglow.study import surface as study
from afterglow.study.calibrate import Free, between_trials
from afterglow.study.surface import Surface
from linear_surface import FREE, PRIOR, ROWS, SLOPES, exact, listed, surface

STEPS = 800


def agree(draws, mean, sd):
    """Means within a sixth of an SD, SDs within a sixth of themselves: draws of a chain of this length."""
    assert (np.abs(draws.mean(0) - mean) / sd).max() < 1 / 6
    assert draws.std(0) == pytest.approx(sd, rel=1 / 6)


# ------------------------------------------------------------------------------------ rows and emulator


def test_fitted_rows_are_those_of_the_list_that_have_a_standard_error():
    made = surface()
    assert made.fitted.tolist() == [True] * 5 + [False] * 4
    assert made.cohort.tolist() == [cohort for _, cohort, *_ in ROWS]
    made.listed[8].role = "fit"  # has none
    assert Surface(made.free, made.listed, made.rows, made.x, made.y).fitted.sum() == 5


def test_points_without_an_answer_to_a_fitted_row_are_left_out_and_others_are_filled():
    whole = surface(points=200)
    y = whole.y.copy()
    y[:20, 1] = np.nan  # a fitted row
    y[:60, 7] = np.nan  # one for checking
    part = Surface(whole.free, whole.listed, whole.rows, whole.x, y)
    few = Surface(whole.free, whole.listed, whole.rows, whole.x[20:], whole.y[20:])
    assert part.emulator.centre == pytest.approx(few.emulator.centre)
    rest = np.arange(len(ROWS)) != 7
    fresh = np.random.default_rng(1).normal(size=(10, 2))
    assert part.emulator(fresh)[:, rest] == pytest.approx(fresh @ SLOPES[rest].T, abs=1e-5)
    assert np.isfinite(part.emulator(fresh)).all()
    # what is not known makes the row less certain, and does not move its mean
    assert part.emulator.error[7] > 100 * few.emulator.error[7]
    assert part.emulator(part.x[20:])[:, 7].mean() == pytest.approx(y[60:, 7].mean(), abs=0.05)


# ------------------------------------------------------------------------------------ posterior


def test_the_posterior_is_that_of_quadrature():
    made = surface()
    x, tau = made.posterior(made.fitted, 1, STEPS)
    assert x.shape == (len(tau), 2)
    assert tau.shape[1] == 3
    mean, sd, tau_mean, tau_sd = exact(made.rows.only(made.fitted), SLOPES[made.fitted])
    agree(x, mean, sd)
    agree(tau, tau_mean, tau_sd)
    assert (sd < 0.8 * PRIOR).any()


def test_fewer_rows_and_other_values_have_their_own_posterior():
    made = surface()
    chosen = made.fitted & (made.cohort != "a")
    mean, sd, _, _ = exact(made.rows.only(chosen), SLOPES[chosen])
    agree(made.posterior(chosen, 2, STEPS)[0], mean, sd)
    other = made.rows.observed + 0.5 * np.sign(SLOPES[:, 0])
    moved, _, _, _ = exact(made.rows.only(chosen).seen(other[chosen]), SLOPES[chosen])
    assert (np.abs(moved - mean) / sd).max() > 0.5
    agree(made.posterior(chosen, 2, STEPS, other)[0], moved, sd)


def test_without_trial_effects_it_is_normal():
    """Rows that effects leave alone: the posterior of x is normal in closed form, that of tau is the prior."""
    made = surface(effects=False)
    x, tau = made.posterior(made.fitted, 3, STEPS)
    rows, s = made.rows.only(made.fitted), SLOPES[made.fitted]
    covariance = np.linalg.inv(np.diag(PRIOR**-2) + s.T @ np.diag(rows.se**-2) @ s)
    agree(x, covariance @ s.T @ (rows.observed / rows.se**2), np.sqrt(np.diag(covariance)))
    wanted = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    assert np.corrcoef(x.T)[0, 1] == pytest.approx(wanted, abs=0.1)
    scale = np.array(between_trials())
    agree(tau, scale * np.sqrt(2 / np.pi), scale * np.sqrt(1 - 2 / np.pi))


def test_without_rows_the_posterior_is_the_prior():
    made = surface()
    x, _ = made.posterior(np.zeros(len(ROWS), bool), 4, STEPS)
    agree(x, np.zeros(2), PRIOR)
    for k in range(2):
        assert kstest(x[:, k] / PRIOR[k], norm.cdf).statistic < 0.06


def test_draws_stay_within_declared_bounds_and_within_reach_of_the_design():
    made = surface()
    free = [Free("mood.first", 2.0, 0.5, (2.0, 2.2)), FREE[1]]
    near = Surface(free, made.listed, made.rows, 0.02 * made.x + 0.05, (0.02 * made.x + 0.05) @ SLOPES.T)
    x, _ = near.posterior(made.fitted, 5, 400)
    assert x[:, 0].min() >= 0
    assert x[:, 0].max() <= np.log(1.1)
    away = np.abs(x - near.emulator.centre) / near.emulator.scale
    assert away.max() <= study.REACH
    assert away.max() > 0.8 * study.REACH  # the data pull further than the design goes


def test_the_same_seed_draws_the_same_and_another_does_not():
    made = surface()
    one, again, other = (made.posterior(made.fitted, seed, 100) for seed in (1, 1, 2))
    assert np.array_equal(one[0], again[0])
    assert np.array_equal(one[1], again[1])
    assert not np.array_equal(one[0], other[0])


# ------------------------------------------------------------------------------------ file


@pytest.fixture
def declared(monkeypatch):
    """What is declared at the time of reading: free numbers and rows of the toy."""
    now = {"free": list(FREE), "rows": surface().listed}
    monkeypatch.setattr(study, "free_parameters", lambda _model, _variant: now["free"])
    monkeypatch.setattr(study, "answered_rows", lambda: tuple(now["rows"]))
    return now


def saved(made, folder):
    file = folder / "surface.npz"
    made.save(file)
    return file


def test_a_surface_comes_back_with_seven_digits(declared, tmp_path):
    made = surface()
    made.y[3, 7] = np.nan
    back = Surface.load(saved(made, tmp_path))
    assert back.free == declared["free"]
    assert back.listed == made.listed
    for name in ("x", "y"):
        wanted, found = getattr(made, name), getattr(back, name)
        assert found.dtype == np.float64
        assert found == pytest.approx(wanted, rel=1e-6, nan_ok=True)
    for name in ("observed", "se", "by_u", "by_v", "trial"):
        assert getattr(back.rows, name) == pytest.approx(getattr(made.rows, name), rel=1e-6, nan_ok=True)
    assert back.fitted.tolist() == made.fitted.tolist()
    fresh = np.random.default_rng(1).normal(size=(5, 2))
    rest = np.arange(len(ROWS)) != 7
    assert back.emulator(fresh)[:, rest] == pytest.approx(made.emulator(fresh)[:, rest], abs=1e-5)


def test_rows_are_found_by_name_and_have_the_values_declared_now(declared, tmp_path):
    made = surface()
    file = saved(made, tmp_path)
    order = [5, 0, 8, 2, 1, 3, 4, 7]  # another order, and one row for checking is gone
    declared["rows"] = [listed(made.rows.observed + 1)[k] for k in order]
    declared["rows"][1].role = "check"
    declared["free"] = [Free("mood.first", 2.0, 0.1), FREE[1]]
    back = Surface.load(file)
    assert back.y == pytest.approx(made.y[:, order], rel=1e-6)
    assert back.rows.by_u == pytest.approx(made.rows.by_u[order], rel=1e-6)
    assert back.rows.observed == pytest.approx(made.rows.observed[order] + 1)
    assert back.fitted.tolist() == [False, False, False, True, True, True, True, False]
    assert back.free[0].prior_sd == 0.1


@pytest.mark.parametrize(
    "free", [FREE[:1], FREE[::-1], [*FREE, Free("mood.third", 1.0, 0.3)]], ids=["fewer", "other order", "more"]
)
def test_other_free_numbers_are_refused(declared, tmp_path, free):
    file = saved(surface(), tmp_path)
    declared["free"] = free
    with pytest.raises(InputError, match=r"surface\.npz: made for other free numbers.*afterglow calibrate"):
        Surface.load(file)


def test_a_file_without_a_fitted_row_is_refused_and_without_another_is_not(declared, tmp_path):
    made = surface()
    more = listed(np.zeros(len(ROWS)))[7]
    more.row = "not run"
    declared["rows"] = [*made.listed, more]
    file = saved(made, tmp_path)
    assert len(Surface.load(file).listed) == len(ROWS)
    more.role = "fit"
    with pytest.raises(InputError, match=r"surface\.npz.*afterglow calibrate"):
        Surface.load(file)
