"""Repeated measures against published fits of other programs, closed forms, and what must not matter."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import linalg, stats

from afterglow.streams import generator
from afterglow.study.statistics import reml
from afterglow.study.statistics.ancova import ancova
from afterglow.study.statistics.mmrm import mmrm, trial_design, trial_mmrm

DATA = Path(__file__).parent / "data"

# R package mmrm 0.3, README: FEV1 ~ RACE + SEX + ARMCD * AVISIT + us(AVISIT | USUBJID) on fev_data (openpharma/mmrm).
R_BETA = [
    30.77747548, 1.53049977, 5.64356535, 0.32606192, 3.77423004, 4.83958845, 10.34211288, 15.05389826, -0.04192625,
    -0.69368537, 0.62422703,
]  # fmt: skip
R_SE = [0.88656, 0.62448, 0.66561, 0.53195, 1.07415, 0.80172, 0.82269, 1.31281, 1.12932, 1.18765, 1.85085]
R_DF = [218.80, 168.67, 157.14, 166.13, 145.55, 143.88, 155.56, 138.47, 138.56, 158.17, 129.72]
R_SIGMA = [
    [40.5537, 14.3960, 4.9747, 13.3867],
    [14.3960, 26.5715, 2.7855, 7.4745],
    [4.9747, 2.7855, 14.8979, 0.9082],
    [13.3867, 7.4745, 0.9082, 95.5568],
]
# SAS PROC MIXED of the same model, as kept in openpharma/mmrm: "-2 Res Log Likelihood" and least-squares means of
# placebo and treatment at the four visits.
SAS_DEVIANCE = 3386.44987722
SAS_MEANS = [[33.3318, 38.1715, 43.6740, 48.3855], [37.1063, 41.9037, 46.7546, 52.7841]]
SAS_SE = [[0.7554, 0.6117, 0.4617, 1.1886], [0.7626, 0.6023, 0.5086, 1.1877]]
SAS_DF = [[148, 147, 130, 134], [143, 144, 130, 133]]


def table(name):
    with (DATA / name).open() as lines:
        return list(csv.DictReader(line for line in lines if not line.startswith("#")))


@pytest.fixture(scope="module")
def fev():
    people = table("fev.csv")
    y = np.array([[float(one[f"visit{v}"] or "nan") for v in range(1, 5)] for one in people])
    black, white = (np.array([one["race"] == r for one in people]) for r in "BW")
    female = np.array([one["sex"] == "F" for one in people])
    arm = np.array([one["arm"] == "TRT" for one in people])
    x = np.zeros((len(y), 4, 11))
    x[:, :, 0] = 1
    for column, values in enumerate((black, white, female, arm), start=1):
        x[:, :, column] = values[:, None]
    for visit in range(1, 4):
        x[:, visit, 4 + visit] = 1
        x[:, visit, 7 + visit] = arm
    return y, x


def made(people=60, visits=4, gone=0.25, key="made", slope=0.5):
    """A trial with a baseline, a stratum and values missing at random places."""
    draw = generator(3, key)
    arm, baseline = np.arange(people) % 2, draw.normal(30, 5, people)
    stratum = (draw.uniform(size=people) < 0.4).astype(float)
    root = np.linalg.cholesky(20 * (0.4 + 0.6 * np.eye(visits)) + np.diag(np.arange(visits)))
    y = 20 + slope * baseline[:, None] + 2 * stratum[:, None] - arm[:, None] * np.arange(visits)
    y = y + draw.standard_normal((people, visits)) @ root.T
    y[draw.uniform(size=y.shape) < gone] = np.nan
    return y, arm, baseline, stratum[:, None]


# ------------------------------------------------------------------------------------ published fits


def test_the_fit_of_rs_mmrm_is_found_again(fev):
    """R and SAS stop a little short of the maximum, 4e-4 apart; these estimates lie between, the deviance below."""
    fit = mmrm(*fev)
    found = [fit.estimate(row) for row in np.eye(11)]
    assert [e.estimate for e in found] == pytest.approx(R_BETA, abs=2e-4)
    assert [e.se for e in found] == pytest.approx(R_SE, abs=2e-4)
    assert [e.df for e in found] == pytest.approx(R_DF, abs=0.02)
    np.testing.assert_allclose(fit.sigma, R_SIGMA, atol=0.01)
    assert -2 * fit.loglik == pytest.approx(SAS_DEVIANCE, abs=1e-5)
    assert -2 * fit.loglik < SAS_DEVIANCE


def test_given_rs_covariance_the_coefficients_are_rs_to_its_last_digits(fev):
    y, x = fev
    point = reml.at(reml.rows(y, x), np.array(R_SIGMA))
    np.testing.assert_allclose(point.beta, R_BETA, atol=1e-5)
    np.testing.assert_allclose(np.sqrt(np.diag(point.covariance)), R_SE, atol=1.1e-5)


def test_least_squares_means_are_those_of_sas(fev):
    fit = mmrm(*fev)
    for arm in range(2):
        for visit in range(4):
            row = np.array([1, 1 / 3, 1 / 3, 1 / 2, arm, *[0.0] * 6])
            if visit:
                row[[4 + visit, 7 + visit]] = 1, arm
            one = fit.estimate(row)
            assert one.estimate == pytest.approx(SAS_MEANS[arm][visit], abs=1.1e-4)
            assert one.se == pytest.approx(SAS_SE[arm][visit], abs=1.5e-4)
            assert one.df == pytest.approx(SAS_DF[arm][visit], abs=0.6)


def test_the_growth_of_children_is_fitted_as_by_nlme():
    """gls(distance ~ Sex * I(age - 11), corSymm, varIdent) by REML: log-likelihood as printed by anova.gls, and the F
    of sex that nlme's own regression test demands (9.4030752449, at nlme's tolerance of convergence)."""
    children = table("growth.csv")
    y = np.array([[float(one[f"age{a}"]) for a in (8, 10, 12, 14)] for one in children])
    girl = np.array([one["sex"] == "F" for one in children])[:, None] * np.ones(4)
    age = np.ones((27, 1)) * [-3, -1, 1, 3]
    fit = mmrm(y, np.stack([np.ones((27, 4)), girl, age, girl * age], axis=2))
    assert fit.loglik == pytest.approx(-212.2734, abs=5e-5)
    sex = fit.estimate(np.array([0.0, 1, 0, 0]))
    assert sex.statistic**2 == pytest.approx(9.4030752449, rel=2e-5)
    assert sex.df == pytest.approx(25, abs=1e-4)


# ------------------------------------------------------------------------------------ closed forms


def test_complete_data_with_saturated_means_are_visit_by_visit_analyses():
    y, arm, baseline, _ = made(gone=0.0)
    fit = trial_mmrm(y, arm, baseline)
    for visit in range(4):
        mine, alone = fit.contrast(1, 0, visit), ancova(y[:, visit], arm, baseline).contrast(1, 0)
        assert (mine.estimate, mine.se) == pytest.approx((alone.estimate, alone.se), rel=1e-7)
        assert mine.df == pytest.approx(60 - 3, abs=1e-4)
    x = np.column_stack([arm == 0, arm == 1, baseline]).astype(float)
    left = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    np.testing.assert_allclose(fit.fit.sigma, left.T @ left / 57, rtol=1e-5)


def test_one_visit_is_an_analysis_of_covariance():
    y, arm, baseline, strata = made(visits=1)
    mine = trial_mmrm(y, arm, baseline, strata)
    seen = ~np.isnan(y[:, 0])
    alone = ancova(y[seen, 0], arm[seen], np.column_stack([baseline, strata])[seen])
    one, other = mine.contrast(1, 0, 0), alone.contrast(1, 0)
    assert (one.estimate, one.se, one.p) == pytest.approx((other.estimate, other.se, other.p), rel=1e-6)


def test_two_visits_with_monotone_dropout_have_andersons_factored_mean():
    """One arm, no covariates: the mean of visit 2 is its regression on visit 1, taken at everybody's mean of visit 1.
    Source: Anderson TW (1957) doi:10.1080/01621459.1957.10501379."""
    y = made(people=40, visits=2, gone=0.0)[0]
    y[25:, 1] = np.nan
    slope, intercept = np.polyfit(y[:25, 0], y[:25, 1], 1)
    mine = trial_mmrm(y, np.zeros(40, dtype=int)).ls_mean(0, 1)
    assert mine.estimate == pytest.approx(intercept + slope * y[:, 0].mean(), abs=0.02 * mine.se)


# ------------------------------------------------------------------------------------ the likelihood itself


def test_the_likelihood_is_that_of_error_contrasts():
    """The density of K'y, K an orthonormal complement of X, is the restricted likelihood plus log|X'X| / 2."""
    y, arm, baseline, strata = made(people=20, visits=3)
    x = trial_design(arm, 3, baseline, strata).array
    fit = mmrm(y, x)
    seen = ~np.isnan(y).ravel()
    v = linalg.block_diag(*[fit.sigma] * 20)[np.ix_(seen, seen)]
    tall = x.reshape(60, -1)[seen]
    k = linalg.null_space(tall.T)
    density = stats.multivariate_normal(np.zeros(k.shape[1]), k.T @ v @ k).logpdf(k.T @ y.ravel()[seen])
    assert fit.loglik == pytest.approx(density - np.linalg.slogdet(tall.T @ tall)[1] / 2, abs=1e-8)


def test_first_and_second_derivatives_are_those_of_the_likelihood():
    y, arm, baseline, strata = made(people=30, visits=3)
    data = reml.rows(y, trial_design(arm, 3, baseline, strata).array)
    sigma = np.array([[25.0, 6, 4], [6, 30, 9], [4, 9, 40]])
    slope = reml.derivatives(data, reml.at(data, sigma))
    places = list(zip(*np.tril_indices(3), strict=True))

    def moved(k, by):
        there = sigma.copy()
        there[places[k]] += by
        there[places[k][::-1]] = there[places[k]]
        return reml.at(data, there)

    for k in range(6):
        up, down = moved(k, 1e-3), moved(k, -1e-3)
        assert slope.score[k] == pytest.approx((up.loglik - down.loglik) / 2e-3, rel=1e-5, abs=1e-7)
        change = (reml.derivatives(data, up).score - reml.derivatives(data, down).score) / 2e-3
        np.testing.assert_allclose(slope.observed[k], -change, rtol=1e-5, atol=1e-9)


def test_the_expected_information_is_the_mean_of_the_observed():
    """On the null model's own data; tolerance five standard errors of 400 trials."""
    _, arm, baseline, strata = made(people=30, visits=3)
    x = trial_design(arm, 3, baseline, strata).array
    sigma = np.array([[25.0, 6, 4], [6, 30, 9], [4, 9, 40]])
    draw, gone = generator(8, "expected"), made(people=30, visits=3)[0]
    found = []
    for _ in range(400):
        y = draw.standard_normal((30, 3)) @ np.linalg.cholesky(sigma).T
        data = reml.rows(np.where(np.isnan(gone), np.nan, y), x)
        found.append(reml.derivatives(data, reml.at(data, sigma)))
    observed = np.array([one.observed for one in found])
    scores = np.array([one.score for one in found])
    error = observed.std(axis=0) / 20
    assert (np.abs(observed.mean(axis=0) - found[0].expected) < 5 * error).all()
    assert (np.abs(scores.mean(axis=0)) < 5 * scores.std(axis=0) / 20).all()


def test_degrees_of_freedom_do_not_depend_on_the_parameters_of_the_covariance():
    """Satterthwaite's formula again, by numerical derivatives in the logarithmic Cholesky factor."""
    y, arm, baseline, strata = made(people=40, visits=2)
    fit = trial_mmrm(y, arm, baseline, strata)
    data, point = fit.fit.optimum.data, fit.fit.optimum.point
    row = fit.design.cell(1, 1) - fit.design.cell(0, 1)
    root = np.linalg.cholesky(point.sigma)
    centre = np.array([np.log(root[0, 0]), root[1, 0], np.log(root[1, 1])])

    def there(theta):
        factor = np.array([[np.exp(theta[0]), 0], [theta[1], np.exp(theta[2])]])
        return reml.at(data, factor @ factor.T)

    def second(i, j, h=1e-3):
        steps = [(a, b) for a in (1, -1) for b in (1, -1)]
        e = np.eye(3) * h
        return sum(a * b * there(centre + a * e[i] + b * e[j]).loglik for a, b in steps) / (4 * h * h)

    information = -np.array([[second(i, j) for j in range(3)] for i in range(3)])
    spread = [
        (row @ there(centre + e).covariance @ row - row @ there(centre - e).covariance @ row) / 2e-5
        for e in np.eye(3) * 1e-5
    ]
    variance = row @ point.covariance @ row
    df = 2 * variance**2 / (spread @ np.linalg.solve(information, spread))
    assert fit.contrast(1, 0, 1).df == pytest.approx(df, rel=1e-4)


# ------------------------------------------------------------------------------------ what must not matter


def test_the_order_of_people_does_not_matter():
    y, arm, baseline, strata = made()
    turn = generator(5, "order").permutation(60)
    one = trial_mmrm(y, arm, baseline, strata).contrast(1, 0, 3)
    other = trial_mmrm(y[turn], arm[turn], baseline[turn], strata[turn]).contrast(1, 0, 3)
    assert (other.estimate, other.se, other.df) == pytest.approx((one.estimate, one.se, one.df), rel=1e-6)


def test_a_linear_change_of_scale_changes_the_estimate_in_proportion():
    y, arm, baseline, strata = made()
    one = trial_mmrm(y, arm, baseline, strata).contrast(1, 0, 3)
    other = trial_mmrm(1e4 * y - 7e4, arm, 1e-3 * baseline + 8, strata).contrast(1, 0, 3)
    assert (other.estimate, other.se, other.df) == pytest.approx((1e4 * one.estimate, 1e4 * one.se, one.df), rel=1e-5)


def test_many_people_shrink_to_sums_of_products_without_a_trace():
    y, arm, baseline, strata = made(people=400)
    x = trial_design(arm, 4, baseline, strata).array
    whole = reml.rows(y, x)
    assert len(whole.y) < 400
    sigma = np.cov(np.where(np.isnan(y), 30, y).T)
    person = [reml.rows(y[[i]], x[[i]]) for i in range(400) if not np.isnan(y[i]).all()]
    apart = reml.Rows(
        *(np.concatenate([getattr(one, field) for one in person]) for field in ("x", "y")),
        np.arange(len(person)),
        np.arange(len(person)),
        *(np.concatenate([getattr(one, field) for one in person]) for field in ("seen", "people")),
    )
    one, other = reml.at(whole, sigma), reml.at(apart, sigma)
    assert one.loglik == pytest.approx(other.loglik, rel=1e-12)
    np.testing.assert_allclose(one.beta, other.beta, rtol=1e-9)


def test_people_never_seen_and_visits_never_held_change_nothing():
    y, arm, baseline, strata = made()
    one = trial_mmrm(y, arm, baseline, strata)
    wider = np.insert(y, 2, np.nan, axis=1)
    other = trial_mmrm(wider, arm, baseline, strata)
    assert other.contrast(1, 0, 4).estimate == pytest.approx(one.contrast(1, 0, 3).estimate, rel=1e-8)
    assert other.contrast(1, 0, 2).problem
    assert np.isnan(other.fit.sigma[2]).all()
    ghost = np.append(y, np.full((2, 4), np.nan), axis=0)
    mean = [baseline.mean()] * 2
    more = trial_mmrm(
        ghost, np.append(arm, [0, 1]), np.append(baseline, mean), np.append(strata, [strata.mean(axis=0)] * 2, 0)
    )
    assert more.contrast(1, 0, 3).se == pytest.approx(one.contrast(1, 0, 3).se, rel=1e-8)


# ------------------------------------------------------------------------------------ what cannot be done


def test_an_arm_that_is_empty_at_a_visit_spoils_that_visit_alone():
    y, arm, baseline, strata = made()
    y[arm == 1, 3] = np.nan
    fit = trial_mmrm(y, arm, baseline, strata)
    assert "empty" in fit.contrast(1, 0, 3).problem
    assert not fit.ls_mean(0, 3).problem
    assert not fit.contrast(1, 0, 2).problem


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda y: y * np.nan, "nobody"),
        (lambda y: y * 0 + 5, "does not vary"),
        (lambda y: np.column_stack([y[:, :3], y[:, 0] + y[:, 1]]), "no maximum"),
        (lambda y: np.where(np.arange(60)[:, None] < 5, y, np.nan), "no maximum|fewer"),
        (lambda y: np.where((np.arange(60)[:, None] % 2 == 0) == (np.arange(4) < 2), y, np.nan), "nobody in common"),
    ],
)
def test_data_without_a_fit_say_why(spoil, reason):
    y, arm, baseline, strata = made(gone=0.0)
    fit = trial_mmrm(spoil(y), arm, baseline, strata)
    assert not fit.fit.converged
    assert re.search(reason, fit.contrast(1, 0, 3).problem)


# ------------------------------------------------------------------------------------ size


@pytest.mark.slow
def test_a_small_trial_without_effect_is_significant_as_often_as_it_should_be():
    """1,000 trials of 40 people with dropout, level 10 %. The count leaves the band, for a true size between 9 % and
    11 % (Satterthwaite's is an approximation), less than once in 10^4 such tests."""
    draw, hits = generator(21, "size"), 0
    arm = np.arange(40) % 2
    root = np.linalg.cholesky(0.5 + 0.5 * np.eye(4))
    for _ in range(1000):
        y = draw.standard_normal((40, 4)) @ root.T
        y[np.arange(4) >= draw.geometric(0.12, (40, 1))] = np.nan
        hits += trial_mmrm(y, arm).contrast(1, 0, 3).p < 0.1
    low, high = stats.binom.ppf(5e-5, 1000, 0.09), stats.binom.ppf(1 - 5e-5, 1000, 0.11)
    assert low <= hits <= high
