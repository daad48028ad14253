"""Shares, differences and odds ratios against published intervals, other libraries and first principles."""

import math

import numpy as np
import pytest
from scipy import optimize, stats

from afterglow.streams import generator
from afterglow.study.statistics.binary import logistic, risk_difference, share


def counts(x1, n1, x0, n0):
    """Outcomes and arms with x1 hits of n1 in arm 1 and x0 of n0 in arm 0."""
    hit = np.concatenate([np.arange(n1) < x1, np.arange(n0) < x0]).astype(float)
    return hit, np.repeat([1, 0], [n1, n0])


def difference(*four):
    return risk_difference(*counts(*four), active=1, control=0)


# Newcombe RG (1998) doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I, Table II, method 6 at 95 %
PUBLISHED = [
    ((56, 70, 48, 80), (0.0528, 0.3382)),
    ((9, 10, 3, 10), (0.1700, 0.8406)),
    ((6, 7, 2, 7), (0.0342, 0.8534)),
    ((5, 56, 0, 29), (-0.0326, 0.1933)),
    ((0, 10, 0, 20), (-0.1658, 0.2844)),
    ((0, 10, 0, 10), (-0.2879, 0.2879)),
    ((10, 10, 0, 20), (0.7156, 1.0)),
    ((10, 10, 0, 10), (0.6636, 1.0)),
]


@pytest.mark.parametrize(("four", "ends"), PUBLISHED)
def test_the_interval_of_a_difference_is_the_published_one(four, ends):
    assert difference(*four).interval(0.95) == pytest.approx(ends, abs=6e-5)


@pytest.mark.parametrize("four", [(56, 70, 48, 80), (9, 10, 3, 10), (5, 56, 0, 29), (3, 40, 11, 20), (20, 20, 7, 9)])
def test_the_ends_of_the_interval_are_where_the_score_test_rejects(four):
    """With the restricted shares found by a numerical search of the likelihood instead of the cubic's root."""
    x1, n1, x0, n0 = four
    for end, sign in zip(difference(*four).interval(0.9), (1, -1), strict=True):
        if abs(end) == 1:
            continue

        def deviance(p0, d=end):
            return -(stats.binom.logpmf(x1, n1, p0 + d) + stats.binom.logpmf(x0, n0, p0))

        inside = (max(0, -end), min(1, 1 - end))
        p0 = optimize.minimize_scalar(deviance, bounds=inside, method="bounded", options={"xatol": 1e-11}).x
        p1, total = p0 + end, n1 + n0
        variance = (p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0) * total / (total - 1)
        assert (x1 / n1 - x0 / n0 - end) / math.sqrt(variance) == pytest.approx(sign * stats.norm.ppf(0.95), abs=1e-4)


def test_the_test_of_no_difference_is_the_chi_square_test_with_one_less_person():
    found = difference(31, 60, 20, 65)
    chi = stats.chi2_contingency([[31, 29], [20, 45]], correction=False).statistic
    assert found.p == pytest.approx(stats.chi2.sf(chi * 124 / 125, 1), rel=1e-9)
    assert found.estimate == pytest.approx(31 / 60 - 20 / 65)


@pytest.mark.parametrize(("four", "_"), PUBLISHED)
def test_test_and_interval_agree(four, _):
    one = difference(*four)
    low, high = one.interval(0.95)
    assert (one.p < 0.05) == (low > 0 or high < 0)


def test_the_arms_can_be_exchanged():
    one, other = difference(9, 14, 30, 61), difference(30, 61, 9, 14)
    assert other.p == pytest.approx(one.p, rel=1e-12)
    assert other.interval() == pytest.approx([-end for end in one.interval()[::-1]], abs=1e-9)


def test_missing_outcomes_and_other_arms_are_left_out():
    hit, arm = counts(9, 14, 30, 61)
    more, arms = np.append(hit, [np.nan, 1, 1]), np.append(arm, [1, 2, 2])
    assert risk_difference(more, arms, 1, 0).interval() == difference(9, 14, 30, 61).interval()
    assert risk_difference(more, arms, 3, 0).problem == "an arm is empty"


@pytest.mark.parametrize(("x", "n"), [(0, 9), (4, 10), (81, 263), (15, 15)])
def test_wilsons_interval_is_that_of_an_independent_library(x, n):
    found = share(np.append((np.arange(n) < x).astype(float), np.nan))
    theirs = stats.binomtest(x, n).proportion_ci(0.95, method="wilson")
    assert found.estimate == x / n
    assert found.interval(0.95) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_the_odds_ratio_without_covariates_is_that_of_the_table():
    found = logistic(*counts(31, 60, 20, 65), 1, 0)
    g = 2 * sum(o * math.log(o * 125 / (r * c)) for o, r, c in [(31, 60, 51), (29, 60, 74), (20, 65, 51), (45, 65, 74)])
    assert found.estimate == pytest.approx(math.log(31 * 45 / (29 * 20)), rel=1e-7)
    assert found.se == pytest.approx(math.sqrt(1 / 31 + 1 / 29 + 1 / 20 + 1 / 45), rel=1e-5)
    assert found.p == pytest.approx(stats.chi2.sf(g, 1), rel=1e-6)


def test_a_covariate_is_adjusted_for():
    """Within each level of the covariate the arms are alike; without it they are not."""
    low, high = counts(4, 20, 8, 40), counts(24, 40, 12, 20)
    hit, arm = np.append(low[0], high[0]), np.append(low[1], high[1])
    level = np.repeat([0.0, 1.0], 60)
    assert logistic(hit, arm, 1, 0).estimate > 0.3
    assert logistic(hit, arm, 1, 0, level).estimate == pytest.approx(0, abs=1e-7)
    assert logistic(hit, arm, 1, 0, level).p == pytest.approx(1, abs=1e-4)


def test_separation_has_no_odds_ratio_but_a_difference():
    hit, arm = counts(12, 12, 5, 12)
    assert "only hits" in logistic(hit, arm, 1, 0).problem
    assert difference(12, 12, 5, 12).p < 0.05
    hit, arm = counts(6, 12, 5, 12)
    assert "separate" in logistic(hit, arm, 1, 0, 2 * hit - 1).problem
    assert "repeat" in logistic(hit, arm, 1, 0, arm).problem


@pytest.mark.slow
def test_tests_of_no_difference_keep_their_size():
    """600 trials of 80 people, level 10 %. The count leaves the band, for a true size between 8 % and 12.5 % (the data
    are discrete), less than once in 10^4 such tests."""
    draw, arm = generator(4, "binary size"), np.arange(80) % 2
    hits = (draw.uniform(size=(600, 80)) < 0.35).astype(float)
    for analysis in (risk_difference, logistic):
        rejected = sum(analysis(hit, arm, 1, 0).p < 0.1 for hit in hits)
        assert stats.binom.ppf(5e-5, 600, 0.08) <= rejected <= stats.binom.ppf(1 - 5e-5, 600, 0.125)
