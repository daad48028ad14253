"""Times to an event against closed forms without censoring and an independent library with it."""

import math

import numpy as np
import pytest
from scipy import stats

from afterglow.streams import generator
from afterglow.study.statistics.survival import cox, kaplan_meier, log_rank, median, rmst, rmst_difference


@pytest.fixture(scope="module")
def trial():
    """90 people in two arms with a covariate, ties and censoring."""
    draw = generator(6, "survival")
    arm, age = np.arange(90) % 2, draw.normal(0, 1, 90)
    true = draw.exponential(20, 90) * np.exp(0.6 * arm - 0.3 * age)
    censored = draw.uniform(5, 40, 90)
    return np.ceil(np.minimum(true, censored)), true <= censored, arm, age


WHOLE = np.array([2.0, 3, 3, 5, 8, 9, 12, 12, 15, 20])
ALL = np.ones(10, dtype=bool)


def test_without_censoring_the_curve_is_the_share_left():
    for at in (1.0, 3.0, 8.5, 14.0):
        found = kaplan_meier(WHOLE, ALL, at)
        left = (at < WHOLE).mean()
        assert found.estimate == pytest.approx(left)
        assert found.se == pytest.approx(math.sqrt(left * (1 - left) / 10))
    assert kaplan_meier(WHOLE, ALL, 20.0).estimate == 0
    assert median(WHOLE, ALL) == 8


def test_without_censoring_the_restricted_mean_is_the_mean_of_cut_times():
    for until in (4.0, 8.5, 12.5, 30.0):
        cut, found = np.minimum(WHOLE, until), rmst(WHOLE, ALL, until)
        assert found.estimate == pytest.approx(cut.mean())
        assert found.se == pytest.approx(cut.std() / math.sqrt(10))


def test_censoring_by_hand():
    """Five people, one censored at 3: the curve is 4/5, then 4/5 * 2/3, with Greenwood's 1/20 + 1/6."""
    time, event = np.array([2.0, 3, 4, 6, 7]), np.array([True, False, True, False, False])
    found = kaplan_meier(time, event, 5.0)
    assert found.estimate == pytest.approx(8 / 15)
    assert found.se == pytest.approx(8 / 15 * math.sqrt(1 / 20 + 1 / 6))
    assert rmst(time, event, 6.0).estimate == pytest.approx(2 + 2 * 4 / 5 + 2 * 8 / 15)
    assert median(time, event) == math.inf


def test_the_interval_is_that_of_an_independent_library(trial):
    from lifelines import KaplanMeierFitter

    time, event, _, _ = trial
    theirs = KaplanMeierFitter(alpha=0.1).fit(time, event).confidence_interval_survival_function_
    for at in (3.0, 10.0, 25.0):
        assert kaplan_meier(time, event, at).interval(0.9) == pytest.approx(theirs.loc[at].to_numpy(), rel=1e-9)


def test_the_log_rank_test_is_that_of_an_independent_library(trial):
    from statsmodels.duration.survfunc import survdiff

    time, event, arm, _ = trial
    assert log_rank(time, event, arm) == pytest.approx(survdiff(time, event, arm)[1], rel=1e-9)


def test_the_hazard_ratio_is_that_of_an_independent_library(trial):
    from statsmodels.duration.hazard_regression import PHReg

    time, event, arm, age = trial
    full = PHReg(time, np.column_stack([arm, age]), event, ties="efron").fit()
    reduced = PHReg(time, age[:, None], event, ties="efron").fit()
    found = cox(time, event, arm, 1, 0, age)
    assert (found.estimate, found.se) == pytest.approx((full.params[0], full.bse[0]), rel=1e-5)
    assert found.p == pytest.approx(stats.chi2.sf(2 * (full.llf - reduced.llf), 1), rel=1e-4)
    alone = PHReg(time, arm[:, None], event, ties="efron").fit()
    null = PHReg(time, arm[:, None], event, ties="efron").loglike(np.zeros(1))
    assert cox(time, event, arm, 1, 0).p == pytest.approx(stats.chi2.sf(2 * (alone.llf - null), 1), rel=1e-4)


def test_exchanging_the_arms_exchanges_the_sign(trial):
    time, event, arm, _ = trial
    one, other = cox(time, event, arm, 1, 0), cox(time, event, arm, 0, 1)
    assert (other.estimate, other.p) == pytest.approx((-one.estimate, one.p), rel=1e-5)
    one, other = (rmst_difference(time, event, arm, *pair, until=25.0) for pair in ((1, 0), (0, 1)))
    assert (other.estimate, other.p) == pytest.approx((-one.estimate, one.p))


def test_more_hazard_less_time(trial):
    time, event, arm, _ = trial
    sooner = np.where(arm == 1, np.ceil(time / 3), time)
    assert cox(sooner, event, arm, 1, 0).estimate > cox(time, event, arm, 1, 0).estimate
    assert (
        rmst_difference(sooner, event, arm, 1, 0, 12.0).estimate
        < rmst_difference(time, event, arm, 1, 0, 12.0).estimate
    )


def test_what_the_data_do_not_hold_says_why():
    none = np.zeros(10, dtype=bool)
    arm = np.arange(10) % 2
    assert kaplan_meier(WHOLE, none, 5.0).interval() == (1, 1)
    assert "followed" in kaplan_meier(WHOLE, none, 21.0).problem
    assert "followed" in rmst(WHOLE, none, 21.0).problem
    assert "no event" in cox(WHOLE, none, arm, 1, 0).problem
    assert "empty" in cox(WHOLE, ALL, arm, 1, 2).problem
    assert "no maximum" in cox(WHOLE, ALL, (WHOLE > 8).astype(int), 1, 0).problem
    assert "no event" in rmst_difference(WHOLE, none, arm, 1, 0, 5.0).problem
    assert math.isnan(log_rank(WHOLE, none, arm))
    assert math.isnan(log_rank(WHOLE, ALL, np.zeros(10, dtype=int)))


@pytest.mark.slow
def test_tests_of_equal_hazards_keep_their_size():
    """100 trials of 60 people, level 10 %. The count leaves the band, for a true size between 8.5 % and 12 %, less than
    once in 10^4 such tests."""
    draw, arm = generator(4, "survival size"), np.arange(60) % 2
    counts = np.zeros(3)
    for _ in range(100):
        true, censored = draw.exponential(10, 60), draw.uniform(3, 20, 60)
        time, event = np.minimum(true, censored), true <= censored
        p = cox(time, event, arm, 1, 0).p, log_rank(time, event, arm), rmst_difference(time, event, arm, 1, 0, 9.0).p
        counts += np.array(p) < 0.1
    assert (counts >= stats.binom.ppf(5e-5, 100, 0.085)).all()
    assert (counts <= stats.binom.ppf(1 - 5e-5, 100, 0.12)).all()
