"""Ratings as a Gaussian process: against sampled measurements, closed forms and SciPy."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from afterglow import streams
from afterglow.clinic import scale
from afterglow.study.rating import ROUNDING, Ratings, ratings

NOISE = {"rater_sd": 3.0, "fluctuation_sd": 5.0, "fluctuation_tau_d": 6.0, "fluctuation_power": 0.5}
HOURS = np.array([0.0, 24.0, 120.0, 192.0, 504.0])
TRUE = np.array([34.0, 26.0, 24.0, 30.0, 33.0])  # far from the bounds, so that hardly a score is cut off


def one(true=TRUE, hours=HOURS, scales=None, noise=NOISE) -> Ratings:
    """Ratings of one person."""
    return ratings(np.array([true]), np.array([34.0]), hours, scales or ["MADRS"] * len(hours), noise)


@pytest.fixture
def some() -> Ratings:
    """Three people with different means, covariances and noise."""
    true = np.array([TRUE, TRUE - 8.0, np.full(5, 15.0)])
    noise = NOISE | {"fluctuation_sd": np.array([5.0, 9.0, 2.0]), "fluctuation_tau_d": np.array([6.0, 3.0, 20.0])}
    return ratings(true, true[:, 0], HOURS, ["MADRS"] * 5, noise)


@pytest.mark.parametrize("name", ["MADRS", "QIDS-SR16", "HAM-D17"])
def test_mean_and_covariance_are_those_of_measured_scores(name):
    n = 40_000
    noise: dict[str, Any] = NOISE | {"fluctuation_sd": 3.0, "rater_sd": 2.0}
    scores = scale.measure(np.tile(TRUE, (n, 1)), HOURS, range(n), 3, 0, name, 34.0, **noise)
    expected = one(scales=[name] * 5, noise=noise)
    mean, covariance = expected.mean[0], expected.covariance[0]
    sizes = np.diag(covariance)
    assert scores.mean(axis=0) == pytest.approx(mean, abs=4.5 * np.sqrt(sizes.max() / n))
    error = np.sqrt((np.outer(sizes, sizes) + covariance**2) / n)
    assert np.all(np.abs(np.cov(scores, rowvar=False) - covariance) < 4.5 * error)


def test_fluctuation_is_an_ornstein_uhlenbeck_process_from_the_baseline_on():
    noise = NOISE | {"rater_sd": 0.0, "fluctuation_power": 0.0}
    covariance = one(noise=noise).covariance[0] - ROUNDING * np.eye(5)
    tau = 24 * NOISE["fluctuation_tau_d"]
    assert np.diag(covariance) == pytest.approx(25.0 * (1 - np.exp(-2 * HOURS / tau)))
    late = one(hours=np.array([9000.0, 9100.0, 9200.0, 9250.0, 9300.0]), noise=noise).covariance[0] - ROUNDING * np.eye(
        5
    )
    assert late[0] / 25.0 == pytest.approx(np.exp(-np.array([0.0, 100.0, 200.0, 250.0, 300.0]) / tau))


def test_nothing_has_fluctuated_before_the_first_dose():
    found = one(hours=np.array([-300.0, -24.0, 0.0, 24.0, 48.0])).covariance[0]
    assert found[:3, :3] == pytest.approx(np.eye(3) * (NOISE["rater_sd"] ** 2 + ROUNDING))
    assert np.all(found[:3, 3:] == 0)


def test_fluctuation_follows_how_ill_the_person_is():
    noise = NOISE | {"rater_sd": 0.0}
    ill, well = (one(true=np.full(5, level), noise=noise).covariance[0, 4, 4] - ROUNDING for level in (30.0, 7.5))
    assert well / ill == pytest.approx((7.5 / 30.0) ** (2 * NOISE["fluctuation_power"]))


def test_scores_of_two_scales_share_the_fluctuation_by_their_noise_ratios():
    same, mixed = (one(scales=["MADRS", *names]).covariance[0] for names in (["MADRS"] * 4, ["PHQ-9", "MADRS"] * 2))
    ratio = scale.noise_ratio("PHQ-9")
    assert mixed[1, 2] == pytest.approx(ratio * same[1, 2])
    assert mixed[1, 3] == pytest.approx(ratio**2 * same[1, 3])
    assert mixed[1, 1] - ROUNDING == pytest.approx(ratio**2 * (same[1, 1] - ROUNDING))


def test_the_likelihood_is_that_of_a_multivariate_normal(some):
    scores = np.array([33.0, 21.0, 30.0, 18.0, 27.0])
    expected = [multivariate_normal(m, c).logpdf(scores) for m, c in zip(some.mean, some.covariance, strict=True)]
    assert some.log_likelihood(scores) == pytest.approx(np.array(expected))


def test_likelihoods_chain_over_visits(some):
    """p(all) = p(known) p(the rest given the known), whichever visits are known."""
    scores = np.array([33.0, 21.0, 30.0, 18.0, 27.0])
    known, rest = [3, 0], [1, 4, 2]
    after = some.given(known, scores[known], rest)
    together = some.pick(known).log_likelihood(scores[known]) + after.log_likelihood(scores[rest])
    assert together == pytest.approx(some.log_likelihood(scores))


def test_conditioning_is_that_of_the_precision_matrix(some):
    known, wanted, scores = [0, 2], [1, 3, 4], np.array([40.0, 12.0])
    found = some.given(known, scores, wanted)
    for k in range(3):
        precision = np.linalg.inv(some.covariance[k])
        of_wanted = np.linalg.inv(precision[np.ix_(wanted, wanted)])
        shift = -of_wanted @ precision[np.ix_(wanted, known)] @ (scores - some.mean[k, known])
        assert found.covariance[k] == pytest.approx(of_wanted)
        assert found.mean[k] == pytest.approx(some.mean[k, wanted] + shift)


def test_without_known_scores_nothing_changes(some):
    found = some.given([], np.empty(0), [4, 1])
    assert np.array_equal(found.mean, some.mean[:, [4, 1]])
    assert np.array_equal(found.covariance, some.covariance[:, [[4], [1]], [4, 1]])


def test_samples_have_the_moments_of_scores_before_they_are_rounded(some):
    n = 60_000
    first = Ratings(np.repeat(some.mean[1:2], n, axis=0), np.repeat(some.covariance[1:2], n, axis=0))
    scores = first.sample(streams.generator(5, "test").standard_normal((n, 5)))
    expected = some.covariance[1] - ROUNDING * np.eye(5)
    assert scores.mean(axis=0) == pytest.approx(some.mean[1], abs=4.5 * np.sqrt(expected.max() / n))
    sizes = np.diag(expected)
    error = np.sqrt((np.outer(sizes, sizes) + expected**2) / n)
    assert np.all(np.abs(np.cov(scores, rowvar=False) - expected) < 4.5 * error)


def test_rounding_counts_once():
    """Scores that are drawn and then rounded spread as scores that were written down do."""
    n, noise = 400_000, NOISE | {"rater_sd": 0.5, "fluctuation_sd": 0.0}
    found = ratings(np.full((n, 1), 20.3), np.full(n, 34.0), HOURS[1:2], ["MADRS"], noise)
    written = np.rint(found.sample(streams.generator(6, "test").standard_normal((n, 1))))
    assert written.var() == pytest.approx(found.covariance[0, 0, 0], rel=0.03)  # a point is two rater SDs wide


def test_a_person_whom_the_solver_gave_up_spoils_nobody_else():
    true = np.array([TRUE, np.full(5, np.nan)])
    both = ratings(true, true[:, 0], HOURS, ["MADRS"] * 5, NOISE).log_likelihood(TRUE)
    assert both[0] == one().log_likelihood(TRUE)[0]
    assert np.isnan(both[1])
