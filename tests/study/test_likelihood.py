"""The likelihood of rows with trial effects, against the multivariate normal written out."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from afterglow.study.likelihood import Rows, log_likelihood

TAUS = np.array([(0.0, 0.0, 0.0), (0.3, 0.0, 0.0), (0.0, 0.0, 0.6), (0.2, 0.7, 0.0), (0.4, 0.1, 0.9)])
TRIALS = (0, 1, 2, 4)  # those that have rows


@pytest.fixture
def rows():
    rng = np.random.default_rng(1)
    trial = np.array([0, 2, 0, 1, 2, 0, 4])  # trial 3 has no rows, and trials need not stand together
    n = len(trial)
    return Rows(rng.normal(size=n), rng.uniform(0.5, 2, n), trial, rng.normal(size=n), rng.normal(size=n))


@pytest.fixture
def predicted():
    return np.random.default_rng(2).normal(size=(len(TAUS), 7))


def by_hand(rows, tau):
    """Covariance [rows, rows], one pair of rows after the other."""
    n = len(rows.observed)
    found = np.diag(rows.se**2)
    for i in range(n):
        for j in range(n):
            if rows.trial[i] == rows.trial[j]:
                found[i, j] += tau[0] ** 2 * rows.by_u[i] * rows.by_u[j] + tau[1] ** 2 * rows.by_v[i] * rows.by_v[j]
        found[i, i] += (tau[2] * (rows.by_u[i] + rows.by_v[i])) ** 2
    return found


def test_the_covariance_is_sampling_error_and_three_effects(rows):
    found = rows.covariance(TAUS)
    assert found.shape == (len(TAUS), 7, 7)
    for tau, covariance in zip(TAUS, found, strict=True):
        assert covariance == pytest.approx(by_hand(rows, tau))
        assert rows.covariance(tau) == pytest.approx(covariance)
    assert rows.covariance(TAUS.reshape(5, 1, 3)).shape == (5, 1, 7, 7)


def test_it_is_the_covariance_of_rows_with_such_effects(rows):
    """Effects are drawn for every trial and row; the rows they make scatter as the covariance says."""
    rng, draws, tau = np.random.default_rng(8), 200_000, (0.5, 0.8, 0.6)
    u, v = (t * rng.normal(size=(draws, 5))[:, rows.trial] for t in tau[:2])
    e = tau[2] * rng.normal(size=(draws, 7))
    made = rows.se * rng.normal(size=(draws, 7)) + rows.by_u * (u + e) + rows.by_v * (v + e)
    size = np.sqrt(np.diag(rows.covariance(np.array(tau))))
    away = (np.cov(made.T) - rows.covariance(np.array(tau))) / np.outer(size, size)
    assert np.abs(away).max() < 5 * np.sqrt(2 / draws)


@pytest.mark.parametrize("further", [False, True])
def test_it_is_the_multivariate_normal(rows, predicted, further):
    more = np.random.default_rng(3).uniform(0, 1, 7) if further else 0.0
    found = log_likelihood(rows, predicted, TAUS, more)
    assert found.shape == (len(TAUS), len(TRIALS))
    wide = rows.with_se(np.hypot(rows.se, more))
    for k, tau in enumerate(TAUS):
        for t, trial in enumerate(TRIALS):
            mine = rows.trial == trial
            normal = multivariate_normal(predicted[k, mine], by_hand(wide, tau)[np.ix_(mine, mine)])
            assert found[k, t] == pytest.approx(normal.logpdf(rows.observed[mine]), abs=1e-9)
        together = multivariate_normal(predicted[k], wide.covariance(tau))
        assert found[k].sum() == pytest.approx(together.logpdf(rows.observed), abs=1e-9)


def test_one_point_may_come_alone(rows, predicted):
    alone = log_likelihood(rows, predicted[4], TAUS[4])
    assert alone == pytest.approx(log_likelihood(rows, predicted, TAUS)[4:])


def test_some_rows_have_the_likelihood_of_their_margin(rows, predicted):
    for chosen in (np.array([1, 0, 1, 0, 1, 0, 0], bool), np.array([4, 2, 0])):
        few = rows.only(chosen)
        assert few.trial.tolist() == rows.trial[chosen].tolist()  # trials keep their numbers
        assert few.covariance(TAUS) == pytest.approx(rows.covariance(TAUS)[:, chosen][:, :, chosen])
        found = log_likelihood(few, predicted[:, chosen], TAUS)
        assert found.shape == (len(TAUS), 2)  # those of the other trials drop out
        margin = multivariate_normal(predicted[4, chosen], by_hand(rows, TAUS[4])[np.ix_(*_places(chosen))])
        assert found[4].sum() == pytest.approx(margin.logpdf(rows.observed[chosen]), abs=1e-9)


def _places(chosen):
    places = np.arange(7)[chosen]
    return places, places


def test_a_trial_without_rows_takes_nothing_from_the_others(rows, predicted):
    last = rows.trial != 2
    whole = log_likelihood(rows, predicted, TAUS)
    assert log_likelihood(rows.only(last), predicted[:, last], TAUS) == pytest.approx(whole[:, [0, 1, 3]])


def test_other_values_and_other_errors_leave_the_rest(rows, predicted):
    seen = rows.seen(predicted[0])
    assert np.array_equal(seen.observed, predicted[0])
    assert seen.with_se(2 * rows.se).covariance(TAUS[0]) == pytest.approx(4 * rows.covariance(TAUS[0]))
    assert np.array_equal(seen.covariance(TAUS[4]), rows.covariance(TAUS[4]))
    # what was predicted is the likeliest to be seen
    assert (log_likelihood(seen, predicted[:1], TAUS[4]) >= log_likelihood(rows, predicted[:1], TAUS[4])).all()


def test_a_missing_prediction_is_no_number(rows, predicted):
    """The sampler refuses such a point; it must not pass as likely."""
    predicted[1, 3] = np.nan
    total = log_likelihood(rows, predicted, TAUS).sum(axis=1)
    assert np.isnan(total).tolist() == [False, True, False, False, False]


@pytest.mark.parametrize("tau", [(30.0, 50.0, 1.0), (1e3, 1e3, 0.0), (1e-6, 1e4, 0.0)])
def test_a_trial_of_one_row_is_a_normal_also_with_large_effects(rows, predicted, tau):
    alone = rows.only(np.array([3]))
    variance = alone.se**2 + (tau[0] * alone.by_u) ** 2 + (tau[1] * alone.by_v) ** 2
    variance += (tau[2] * (alone.by_u + alone.by_v)) ** 2
    found = log_likelihood(alone, predicted[:1, [3]], np.array(tau))
    assert found[0] == pytest.approx(norm.logpdf(alone.observed, predicted[0, 3], np.sqrt(variance)), abs=1e-6)


@pytest.mark.parametrize("tau", [(1e9, 1e9, 0.0), (1e9, 1e3, 1.0), (1e-9, 1e12, 0.0)])
def test_effects_of_absurd_size_leave_a_number(rows, predicted, tau):
    """A sampler proposes what it likes: no division by zero, and the prior has the last word."""
    for chosen in (np.array([3]), np.arange(7)):
        assert np.isfinite(log_likelihood(rows.only(chosen), predicted[:1, chosen], np.array(tau))).all()
