"""Two stages weighed together."""

import math

import pytest
from scipy import stats

from afterglow.study.statistics.result import Estimate
from afterglow.study.statistics.sequential_parallel import combined


def test_effects_add_by_weight_and_variances_by_its_square():
    both = combined(Estimate(-4.0, 1.5), Estimate(-2.0, 2.0), 0.6)
    assert both.estimate == pytest.approx(-3.2)
    assert both.se == pytest.approx(math.hypot(0.9, 0.8))
    assert both.p == pytest.approx(2 * stats.norm.sf(3.2 / math.hypot(0.9, 0.8)))


def test_all_weight_on_one_stage_is_that_stage():
    first, second = Estimate(-4.0, 1.5, 31.0), Estimate(-2.0, 2.0, 12.0)
    for weight, alone in ((1.0, first), (0.0, second)):
        both = combined(first, second, weight)
        assert (both.estimate, both.se, both.df, both.p) == pytest.approx((alone.estimate, alone.se, alone.df, alone.p))


def test_weights_by_precision_give_the_smallest_error():
    first, second = Estimate(-4.0, 1.5), Estimate(-2.0, 2.0)
    best = (1 / 2.25) / (1 / 2.25 + 1 / 4)
    errors = [combined(first, second, best + step).se for step in (-0.05, 0, 0.05)]
    assert errors[1] == min(errors)


def test_degrees_of_freedom_are_welchs_when_two_means_are_compared():
    a, b = [3.1, 4.0, 2.2, 5.9, 4.4], [1.0, 9.0, 2.5, 7.7]
    parts = [Estimate(float(stats.tmean(x)), float(stats.sem(x)), len(x) - 1) for x in (a, b)]
    assert combined(*parts, 0.5).df == pytest.approx(stats.ttest_ind(a, b, equal_var=False).df)


def test_a_stage_without_estimate_leaves_none():
    assert combined(Estimate(-4.0, 1.5), Estimate.missing("nobody was left")).problem == "nobody was left"
