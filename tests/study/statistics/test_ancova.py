"""Analysis of covariance against another library, closed forms and degenerate data."""

import numpy as np
import pytest
from scipy import stats

from afterglow.streams import generator
from afterglow.study.statistics.ancova import ancova


@pytest.fixture(scope="module")
def trial():
    draw = generator(1, "ancova")
    arm = np.arange(90) % 3
    covariates = draw.normal(30, 5, (90, 2))
    y = 10 + arm - 0.4 * covariates[:, 0] + draw.normal(0, 4, 90)
    y[[3, 40]] = np.nan
    return y, arm, covariates


def test_contrasts_and_means_are_those_of_an_independent_library(trial):
    from statsmodels.regression.linear_model import OLS

    y, arm, covariates = trial
    seen = ~np.isnan(y)
    x = np.column_stack([arm[:, None] == np.arange(3), covariates])[seen]
    judge = OLS(y[seen], x.astype(float)).fit()
    mine = ancova(y, arm, covariates)
    average = covariates[seen].mean(axis=0)
    for a in range(3):
        row = [*np.eye(3)[a], *average]
        theirs = judge.t_test(row)
        mean = mine.means()[a]
        assert (mean.estimate, mean.se, mean.df) == pytest.approx((theirs.effect[0], theirs.sd[0, 0], 83), rel=1e-9)
    theirs = judge.t_test([-1, 0, 1, 0, 0])
    contrast = mine.contrast(2, 0)
    assert contrast.estimate == pytest.approx(theirs.effect[0], rel=1e-9)
    assert contrast.p == pytest.approx(float(theirs.pvalue), rel=1e-8)
    assert contrast.interval(0.95) == pytest.approx(theirs.conf_int(0.05)[0], rel=1e-9)


def test_two_arms_without_covariates_are_students_t_test(trial):
    y, arm, _ = trial
    y, arm = np.nan_to_num(y)[arm < 2], arm[arm < 2]
    judge = stats.ttest_ind(y[arm == 1], y[arm == 0])
    mine = ancova(y, arm).contrast(1, 0)
    assert (mine.statistic, mine.p, mine.df) == pytest.approx((judge.statistic, judge.pvalue, judge.df), rel=1e-10)


def test_scale_and_origin_of_the_covariates_do_not_matter(trial):
    y, arm, covariates = trial
    mine, moved = ancova(y, arm, covariates), ancova(y, arm, covariates * [1e4, 1e-4] + [5e5, -3])
    assert moved.contrast(1, 0).p == pytest.approx(mine.contrast(1, 0).p, rel=1e-6)
    assert moved.means()[1].estimate == pytest.approx(mine.means()[1].estimate, rel=1e-8)


def test_a_covariate_that_says_nothing_new_changes_nothing(trial):
    y, arm, covariates = trial
    twice = np.column_stack([covariates, covariates.sum(axis=1), np.ones(90)])
    one, other = ancova(y, arm, covariates).contrast(1, 0), ancova(y, arm, twice).contrast(1, 0)
    assert (other.estimate, other.se, other.df) == pytest.approx((one.estimate, one.se, one.df), rel=1e-8)


def test_an_empty_arm_spoils_only_what_needs_it(trial):
    y, arm, covariates = trial
    empty = ancova(np.where(arm == 2, np.nan, y), arm, covariates)
    without = ancova(y[arm < 2], arm[arm < 2], covariates[arm < 2])
    assert "empty" in empty.contrast(2, 0).problem
    assert empty.contrast(1, 0).estimate == pytest.approx(without.contrast(1, 0).estimate, rel=1e-9)


def test_an_arm_that_a_covariate_stands_for_has_no_estimate(trial):
    y, arm, _ = trial
    for scale in (1e-8, 1.0, 1e8):
        found = ancova(y, arm, scale * (arm == 1))
        assert "covariate stands for it" in found.contrast(1, 0).problem
        assert not found.contrast(2, 0).problem


def test_flat_or_too_few_outcomes_have_no_estimate():
    arm = np.arange(6) % 2
    assert "does not vary" in ancova(np.full(6, 31.7), arm).contrast(1, 0).problem
    assert "fewer people" in ancova(np.array([1.0, 2.0]), arm[:2]).contrast(1, 0).problem
    assert "fewer people" in ancova(np.full(6, np.nan), arm).means()[0].problem
