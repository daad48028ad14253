"""Scores of probabilistic predictions, against closed forms and scipy."""

import math

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from afterglow import streams
from afterglow.study.scoring import (
    JOINT,
    SINGLE,
    Predictive,
    Published,
    by_trial,
    compare_scores,
    noise_floor,
    score,
    shared_rows,
)


def spread(n, purpose="matrix"):
    """A covariance matrix [n, n] that is not diagonal."""
    root = streams.generator(1, purpose).normal(size=(n, n))
    return root @ root.T + 0.5 * np.eye(n)


def said(trial, mean, sd=1.0, rows=None):
    mean = np.asarray(mean, float)
    return Predictive(trial, tuple(rows or [f"r{i}" for i in range(len(mean))]), mean, sd**2 * np.eye(len(mean)))


def found(trial, value, measure="change", se=1.0):
    n = len(value)
    return Published(trial, tuple(f"r{i}" for i in range(n)), (measure,) * n, np.array(value, float), np.full(n, se))


def metric(table, name, of=None):
    mine = table[(table["metric"] == name) & ((table["name"] == of) | (of is None))]
    assert len(mine) == 1
    return mine.iloc[0]


@pytest.fixture
def mixture():
    """Three components of two rows, each with its own covariance."""
    mean = np.array([[-10.0, 30.0], [0.0, 50.0], [4.0, 20.0]])
    return Predictive("t", ("a", "b"), mean, np.array([spread(2, k) for k in "xyz"]), np.array([1.0, 2.0, 1.0]))


def test_one_component_is_the_normal():
    cov = spread(3)
    one = Predictive("t", ("a", "b", "c"), np.array([1.0, -20.0, 300.0]), cov)
    sd = np.sqrt(np.diag(cov))
    assert one.marginal_sd() == pytest.approx(sd)
    assert one.interval(0.9) == pytest.approx(np.column_stack(norm.interval(0.9, one.mean[0], sd)))
    value = np.array([0.0, -18.0, 301.0])
    assert one.log_density(value) == pytest.approx(multivariate_normal(one.mean[0], cov).logpdf(value))


@pytest.mark.parametrize("share", [1e-4, 0.05, 0.5, 0.95, 0.9999])
def test_quantiles_of_a_mixture_have_that_share_below(mixture, share):
    x = mixture.quantile(share)
    below = sum(
        w * norm.cdf(x, m, s) for w, m, s in zip(mixture.weight, mixture.mean, mixture.component_sd(), strict=True)
    )
    assert below == pytest.approx(share, rel=1e-5)


def test_log_density_of_a_mixture(mixture):
    value = np.array([1.0, 40.0])
    parts = [multivariate_normal(m, c).pdf(value) for m, c in zip(mixture.mean, mixture.covariance, strict=True)]
    assert mixture.log_density(value) == pytest.approx(math.log(mixture.weight @ parts))
    alone = [mixture.select([row]).log_density(value[[i]]) for i, row in enumerate(mixture.rows)]
    assert mixture.row_log_densities(value) == pytest.approx(np.array(alone))


def test_moments_of_a_mixture_against_draws(mixture):
    rng = streams.generator(2, "draws")
    which = rng.choice(3, size=40_000, p=mixture.weight)
    draws = mixture.mean[which] + rng.normal(size=(40_000, 2)) * mixture.component_sd()[which]
    assert mixture.point() == pytest.approx(draws.mean(axis=0), abs=4 * 12 / 200)
    assert mixture.marginal_sd() == pytest.approx(draws.std(axis=0), rel=0.02)


def test_equal_components_and_a_shared_covariance_are_one_normal():
    cov = spread(2)
    one = Predictive("t", ("a", "b"), np.array([3.0, 4.0]), cov)
    many = Predictive("t", ("a", "b"), np.tile([3.0, 4.0], (5, 1)), cov)
    value = np.array([2.0, 6.0])
    assert many.log_density(value) == pytest.approx(one.log_density(value))
    assert many.interval() == pytest.approx(one.interval())


def test_select_keeps_the_marginal_in_the_order_asked_for(mixture):
    back = mixture.select(["b", "a"])
    assert back.point() == pytest.approx(mixture.point()[::-1])
    assert back.log_density(np.array([40.0, 1.0])) == pytest.approx(mixture.log_density(np.array([1.0, 40.0])))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rows": ("a", "a")}, "occur twice"),
        ({"mean": np.zeros(3)}, "for 2 rows"),
        ({"mean": np.array([np.nan, 0.0])}, "does not speak"),
        ({"covariance": np.diag([1.0, 0.0])}, "not positive"),
        ({"weight": np.array([1.0, 1.0])}, "as many weights"),
    ],
)
def test_a_predictive_that_does_not_fit_together_is_refused(change, words):
    good = {"trial": "t", "rows": ("a", "b"), "mean": np.zeros(2), "covariance": np.eye(2)}
    with pytest.raises(ValueError, match=words):
        Predictive(**{**good, **change})


def test_errors_count_trials_and_not_rows():
    predictions = [said("one", [0.0]), said("many", np.zeros(9))]
    published = [found("one", [4.0]), found("many", [1.0] * 9)]
    line = metric(score(predictions, published), "mae change")
    assert line["value"] == pytest.approx(2.5)  # rows counted alike would give 1.3
    assert (line["trials"], line["rows"]) == (2, 10)
    assert line["se"] == pytest.approx(1.5)  # half the distance of two trials


def test_coverage_counts_rows_of_one_arm_only():
    reach = norm.ppf(0.95)
    inside, outside = reach - 0.01, reach + 0.01
    predictions = [said("t", np.zeros(4)), said("u", np.zeros(2))]
    published = [found("t", [inside, -inside, outside, inside]), found("u", [outside, outside], "difference")]
    table = score(predictions, published)
    assert metric(table, "inside 90 %")["value"] == pytest.approx(0.75)
    assert metric(table, "inside 90 %")["rows"] == 4
    assert metric(table, "width 90 % change")["value"] == pytest.approx(2 * reach)
    assert not (table["metric"] == "inside 90 % difference").any()


def test_intervals_of_the_true_distribution_cover_as_they_say():
    rng = streams.generator(3, "coverage")
    predictions, published = [], []
    for k in range(300):
        cov = spread(4, k)
        draw = rng.multivariate_normal(np.zeros(4), cov)
        predictions.append(Predictive(f"t{k}", ("r0", "r1", "r2", "r3"), np.zeros(4), cov))
        published.append(found(f"t{k}", draw))
    line = metric(score(predictions, published), "inside 90 %")
    assert line["value"] == pytest.approx(0.9, abs=0.03)  # three binomial errors of 1200 rows are 0.026


def test_a_log_score_is_best_for_the_true_distribution():
    rng = streams.generator(4, "proper")
    published = [found(f"t{k}", rng.normal(size=3)) for k in range(400)]
    mean = {
        sd: metric(score([said(p.trial, np.zeros(3), sd) for p in published], published), JOINT)["value"]
        for sd in (0.7, 1.0, 1.5)
    }
    assert mean[1.0] > max(mean[0.7], mean[1.5])
    assert mean[1.0] == pytest.approx(-1.5 * math.log(2 * math.pi * math.e), abs=0.2)  # minus the entropy


def test_competitors_are_compared_on_the_rows_both_speak_of():
    ours = [said("t", [0.0, 0.0, 0.0]), said("u", [0.0])]
    theirs = [said("t", [1.0, 1.0], 2.0, ["r2", "r0"]), said("v", [0.0])]
    published = [found("t", [0.5, 100.0, -0.5]), found("u", [0.0]), found("v", [0.0])]
    assert [(one.trial, one.rows) for one in shared_rows([ours, theirs], published)] == [("t", ("r0", "r2"))]
    table = compare_scores(ours, theirs, published, ("a", "b"))
    assert set(table["trials"]) == {1}
    assert metric(table, "mae change", "a")["value"] == pytest.approx(0.5)
    assert metric(table, "mae change", "b")["value"] == pytest.approx(1.0)
    assert metric(table, "mae change", "a - b")["value"] == pytest.approx(-0.5)
    ratio = norm.logpdf([0.5, -0.5]).sum() - norm.logpdf([0.5, -0.5], 1.0, 2.0).sum()
    assert metric(table, JOINT, "a - b")["value"] == pytest.approx(ratio)


def test_paired_differences_are_paired():
    rng = streams.generator(5, "paired")
    published = [found(f"t{k}", rng.normal(scale=10.0, size=1 + k % 3)) for k in range(20)]
    ours = [said(p.trial, np.zeros(len(p.rows)), 2.0) for p in published]
    theirs = [said(p.trial, np.full(len(p.rows), 0.1), 2.0) for p in published]
    table = compare_scores(ours, theirs, reversed(published), ("a", "b"))
    gain = by_trial(ours, published)["value"] - by_trial(theirs, published)["value"]
    mine = gain[by_trial(ours, published)["metric"] == JOINT].to_numpy()
    line = metric(table, JOINT, "a - b")
    assert line["value"] == pytest.approx(mine.mean())
    assert line["se"] == pytest.approx(mine.std(ddof=1) / math.sqrt(20))
    assert line["se"] < 0.1 * metric(table, JOINT, "a")["se"]  # what trials share cancels
    same = compare_scores(ours, ours, published, ("a", "b"))
    assert metric(same, SINGLE, "a - b")[["value", "se"]].tolist() == [0.0, 0.0]


def test_the_noise_floor_is_the_error_of_a_perfect_model():
    rng = streams.generator(6, "floor")
    published = [found(f"t{k}", rng.normal(scale=3.0, size=2), "response", 3.0) for k in range(2000)]
    perfect = metric(score([said(p.trial, np.zeros(2)) for p in published], published), "mae response")
    floor = metric(noise_floor(published), "mae response")
    assert floor["value"] == pytest.approx(3.0 * math.sqrt(2 / math.pi))
    assert abs(floor["value"] - perfect["value"]) < 4 * perfect["se"]
    assert (floor["trials"], floor["rows"]) == (2000, 4000)


def test_the_noise_floor_counts_trials_and_not_rows():
    published = [found("one", [0.0], se=5.0), found("many", [0.0] * 9, se=1.0)]
    assert metric(noise_floor(published), "mae change")["value"] == pytest.approx(3.0 * math.sqrt(2 / math.pi))
