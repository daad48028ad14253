"""Multiple imputation: what each rule does to a mean, Rubin's rules, and agreement with the mixed model."""

import numpy as np
import pytest
from scipy import stats

from afterglow.streams import generator
from afterglow.study.statistics.ancova import ancova
from afterglow.study.statistics.imputation import imputed_ancova, pooled, posterior
from afterglow.study.statistics.mmrm import trial_mmrm
from afterglow.study.statistics.result import Estimate

MAR, JUMP, COPY = "missing at random", "jump to reference", "copy increments"
EFFECT = np.array([-2.0, -4.0, -7.0])


def made(people, gone=0.3, key="imputation", at=2):
    """Two arms, three visits; a share of the active arm leaves by chance after visit `at`."""
    draw = generator(9, key)
    arm, baseline = np.arange(people) % 2, draw.normal(30, 4, people)
    y = 5 + 0.5 * baseline[:, None] + arm[:, None] * EFFECT
    y = y + draw.standard_normal((people, 3)) @ np.linalg.cholesky(9 * (0.5 + 0.5 * np.eye(3))).T
    y[(arm == 1) & (draw.uniform(size=people) < gone), at:] = np.nan
    return y, arm, baseline


def shares(rule, y, arm, baseline, imputations=60):
    return imputed_ancova(y, arm, 0, baseline, rule, imputations)[1]


def test_nobody_missing_is_the_analysis_of_covariance():
    y, arm, baseline = made(60, gone=0.0)
    alone = ancova(y[:, -1], arm, baseline).contrast(1, 0)
    for rule in (MAR, JUMP, COPY):
        found = shares(rule, y, arm, baseline)
        assert (found.estimate, found.se) == pytest.approx((alone.estimate, alone.se))
        assert found.df == pytest.approx(58 / 60 * 57)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_each_rule_takes_from_the_effect_what_it_says(at):
    """In a large trial the effect among those who left is none (jump), or what they had at their last visit (copy);
    under randomness it is everybody's. Tolerance: three times the error of the means."""
    y, arm, baseline = made(4000, at=at)
    left = np.isnan(y[arm == 1, -1]).mean()
    model = trial_mmrm(y, arm, baseline)
    effects = [model.contrast(1, 0, visit).estimate for visit in range(3)]
    held = effects[at - 1] if at else 0.0
    near = 3 * 3 * np.sqrt(4 / 4000)
    assert shares(MAR, y, arm, baseline).estimate == pytest.approx(effects[-1], abs=near)
    assert shares(JUMP, y, arm, baseline).estimate == pytest.approx((1 - left) * effects[-1], abs=near)
    assert shares(COPY, y, arm, baseline).estimate == pytest.approx((1 - left) * effects[-1] + left * held, abs=near)


def test_imputation_at_random_agrees_with_the_mixed_model():
    """300 imputations of 400 people, 60 % of an arm gone: the estimates differ by the imputations' own chance; of the
    error, a good third comes from the imputations, so that a part left out would show."""
    y, arm, baseline = made(400, gone=0.6)
    mixed, found = trial_mmrm(y, arm, baseline).contrast(1, 0, 2), shares(MAR, y, arm, baseline, 300)
    assert found.estimate == pytest.approx(mixed.estimate, abs=0.15 * mixed.se)
    assert 0.98 < found.se / mixed.se < 1.05


def test_draws_spread_as_the_posterior_of_complete_data():
    """There Sigma is inverse Wishart with n - p degrees of freedom: log variances spread by sqrt(2 / (n - p)). 2,000
    draws, tolerance 12 % (five standard errors, and a little for the approximation)."""
    y, arm, baseline = made(60, gone=0.0)
    found = trial_mmrm(y, arm, baseline).fit.optimum
    betas, sigmas = posterior(found, generator(1, "posterior"), 2000)
    variances = np.log(np.diagonal(sigmas, axis1=1, axis2=2))
    assert variances.std(axis=0) == pytest.approx(np.sqrt(2 / 57), rel=0.12)
    assert variances.mean(axis=0) == pytest.approx(np.log(np.diag(found.point.sigma)), abs=0.03)
    assert betas.var(axis=0) == pytest.approx(np.diag(found.point.covariance), rel=0.2)
    assert betas.mean(axis=0) == pytest.approx(found.offset + found.point.beta, abs=0.1)


def test_a_gap_before_the_last_visit_falls_under_no_rule():
    """Whoever came back counts with what was seen, or, having left again, with all that was seen before."""
    y, arm, baseline = made(80, gone=0.0)
    y[:20, 1] = np.nan
    alone = ancova(y[:, -1], arm, baseline).contrast(1, 0)
    for rule in (JUMP, COPY):
        assert shares(rule, y, arm, baseline).estimate == pytest.approx(alone.estimate)


def test_the_rules_share_their_luck():
    """Where nobody who left had been seen, jump and copy say the same, and do so to the last digit."""
    y, arm, baseline = made(100, at=0)
    jump, copied = shares(JUMP, y, arm, baseline), shares(COPY, y, arm, baseline)
    assert (copied.estimate, copied.se) == pytest.approx((jump.estimate, jump.se), rel=1e-12)


def test_the_controls_missing_values_are_random_under_every_rule():
    y, arm, baseline = made(2000, gone=0.0)
    y[(arm == 0) & (np.arange(2000) % 3 == 0), 2] = np.nan
    found = [shares(rule, y, arm, baseline).estimate for rule in (MAR, JUMP, COPY)]
    assert np.ptp(found) < 0.1


def test_one_seed_one_result_and_arms_each_have_theirs():
    y, arm, baseline = made(90)
    arm = np.where((arm == 0) & (np.arange(90) % 4 == 0), 2, arm)
    one = imputed_ancova(y, arm, 0, baseline, JUMP, 10, seed=4)
    assert one == imputed_ancova(y, arm, 0, baseline, JUMP, 10, seed=4)
    assert one != imputed_ancova(y, arm, 0, baseline, JUMP, 10, seed=5)
    assert sorted(one) == [1, 2]


def test_strata_enter_model_and_analysis():
    y, arm, baseline = made(100, gone=0.0)
    stratum = (np.arange(100) % 5 < 2).astype(float)
    found = imputed_ancova(y, arm, 0, baseline, MAR, strata=stratum[:, None])[1]
    assert found.se == pytest.approx(ancova(y[:, -1], arm, np.column_stack([baseline, stratum])).contrast(1, 0).se)


def test_a_trial_that_cannot_be_modelled_says_why():
    y, arm, baseline = made(60)
    assert "empty" in shares(JUMP, np.where(arm[:, None] * [0, 0, 1], np.nan, y), arm, baseline).problem
    assert "nobody" in shares(JUMP, y * np.nan, arm, baseline).problem


# ------------------------------------------------------------------------------------ Rubin's rules


def test_rubins_rules_by_hand():
    parts = [Estimate(value, 2.0, 1e12) for value in (3.0, 5.0, 7.0, 5.0)]
    found, between = pooled(parts), 8 / 3 * 1.25
    assert found.estimate == 5
    assert found.se == pytest.approx(np.sqrt(4 + between))
    assert found.df == pytest.approx(3 * (1 + 4 / between) ** 2, rel=1e-6)


def test_degrees_of_freedom_stay_below_those_of_complete_data():
    """Barnard and Rubin: never above, growing with them."""
    parts = (3.0, 3.1, 2.9, 3.05)
    df = [pooled([Estimate(value, 2.0, complete) for value in parts]).df for complete in (5, 20, 80)]
    assert (np.diff(df) > 0).all()
    assert (np.array(df) < [5, 20, 80]).all()


def test_what_no_imputation_can_be_analysed_is_missing():
    assert pooled([Estimate(1.0, 1.0, 9.0), Estimate.missing("flat")]).problem == "flat"


@pytest.mark.slow
def test_imputation_at_random_keeps_its_size():
    """400 trials of 50 people without effect, a third leaving by their last score, level 10 %. The count leaves the
    band, for a true size between 8 % and 12 %, less than once in 10^4 such tests."""
    draw, rejected = generator(31, "size"), 0
    arm = np.arange(50) % 2
    for k in range(400):
        baseline = draw.normal(0, 1, 50)
        y = baseline[:, None] + draw.standard_normal((50, 3)) @ np.linalg.cholesky(0.5 + 0.5 * np.eye(3)).T
        y[y[:, 0] > 0.9, 1:] = np.nan
        rejected += imputed_ancova(y, arm, 0, baseline, MAR, 20, seed=k)[1].p < 0.1
    assert stats.binom.ppf(5e-5, 400, 0.08) <= rejected <= stats.binom.ppf(1 - 5e-5, 400, 0.12)
