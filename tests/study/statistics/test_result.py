"""Estimates: their tests and intervals."""

import math
import pickle

import numpy as np
import pytest
from scipy import stats

from afterglow.study.statistics.binary import risk_difference
from afterglow.study.statistics.result import Estimate


@pytest.mark.parametrize("df", [1.0, 7.3, 120.0, math.inf])
def test_walds_test_and_interval_are_those_of_the_t_distribution(df):
    one = Estimate(-1.4, 0.8, df)
    law = stats.norm if math.isinf(df) else stats.t(df)
    assert one.statistic == pytest.approx(-1.75)
    assert one.p == pytest.approx(2 * law.cdf(-1.75), rel=1e-12)
    for level in (0.5, 0.9, 0.95):
        assert one.interval(level) == pytest.approx(
            (-1.4 - 0.8 * law.ppf(0.5 + level / 2), -1.4 + 0.8 * law.ppf(0.5 + level / 2)), rel=1e-12
        )


def test_an_interval_that_just_touches_zero_has_the_complementary_level():
    one = Estimate(2.0, 1.3, 11.0)
    assert one.interval(1 - one.p)[0] == pytest.approx(0, abs=1e-12)


def test_what_cannot_be_estimated_says_why_and_is_nan_throughout():
    none = Estimate.missing("an arm is empty")
    assert none.problem == "an arm is empty"
    assert np.isnan([none.estimate, none.se, none.df, none.statistic, none.p, *none.interval()]).all()


def test_estimates_travel_between_processes():
    one = risk_difference(np.array([1.0, 0, 1, 0, 0, 0]), np.array([1, 1, 1, 0, 0, 0]), 1, 0)
    assert pickle.loads(pickle.dumps(one)).interval(0.8) == one.interval(0.8)
