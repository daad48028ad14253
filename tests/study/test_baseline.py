"""The meta-regression baseline: variances against closed forms and a published example, and honest leaving out."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import multivariate_normal, norm

from afterglow import streams
from afterglow.clinic.scale import noise_ratio
from afterglow.data import trial
from afterglow.study.baseline import (
    COLUMNS,
    MetaRegression,
    arm_columns,
    baseline_rows,
    combined,
    design,
    leave_one_out,
    published,
    regression,
)
from afterglow.study.scoring import score

FREE = np.array([math.inf])

# Trials of the BCG vaccine: cases and others with it, cases and others without it, degrees of latitude, year. Colditz
# GA et al. (1994) JAMA 271:698-702, as in Viechtbauer W (2010) Conducting meta-analyses in R with the metafor package.
# J Stat Softw 36(3):1-48. doi:10.18637/jss.v036.i03
BCG = np.array(
    [
        [4, 119, 11, 128, 44, 1948],
        [6, 300, 29, 274, 55, 1949],
        [3, 228, 11, 209, 42, 1960],
        [62, 13536, 248, 12619, 52, 1977],
        [33, 5036, 47, 5761, 13, 1973],
        [180, 1361, 372, 1079, 44, 1953],
        [8, 2537, 10, 619, 19, 1973],
        [505, 87886, 499, 87892, 13, 1980],
        [29, 7470, 45, 7232, 27, 1968],
        [17, 1699, 65, 1600, 42, 1961],
        [186, 50448, 141, 27197, 18, 1974],
        [5, 2493, 3, 2338, 33, 1969],
        [27, 16886, 29, 17825, 33, 1976],
    ],
    dtype=float,
)


@pytest.fixture(scope="module")
def rows():
    return baseline_rows()


@pytest.fixture(scope="module")
def predictions():
    return leave_one_out()


def bcg(columns):
    a, b, c, d, _, _ = BCG.T
    y = np.log(a / (a + b)) - np.log(c / (c + d))
    variance = 1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)
    return MetaRegression(y, columns, variance, np.eye(13), np.full(columns.shape[1], math.inf))


def test_published_example_without_covariates():
    fit = bcg(np.ones((13, 1))).reml()
    assert fit.between + fit.residual == pytest.approx(0.3132, abs=5e-5)  # groups of one row: only the sum is known
    assert fit.coefficients[0] == pytest.approx(-0.7145, abs=5e-5)
    assert math.sqrt(fit.covariance[0, 0]) == pytest.approx(0.1798, abs=5e-5)


def test_published_example_with_latitude_and_year():
    fit = bcg(np.column_stack([np.ones(13), BCG[:, 4:]])).reml()
    assert fit.between + fit.residual == pytest.approx(0.1108, abs=5e-5)
    assert fit.coefficients[1:] == pytest.approx([-0.0280, 0.0019], abs=5e-5)
    assert np.sqrt(np.diag(fit.covariance))[1:] == pytest.approx([0.0102, 0.0147], abs=5e-5)


def balanced(groups, size, between, residual, sampling, seed=1):
    rng = streams.generator(seed, "balanced")
    member = np.kron(np.eye(groups), np.ones((size, 1)))
    effect = member @ rng.normal(scale=math.sqrt(between), size=groups)
    y = 5.0 + effect + rng.normal(scale=math.sqrt(residual + sampling), size=groups * size)
    return MetaRegression(y, np.ones((len(y), 1)), np.full(len(y), sampling), member, FREE)


def test_balanced_groups_have_the_variances_of_anova():
    model, size = balanced(12, 5, 4.0, 1.0, 0.5), 5
    fit = model.reml()
    table = model.y.reshape(12, size)
    within = table.var(axis=1, ddof=1).mean()
    among = size * table.mean(axis=1).var(ddof=1)
    assert fit.residual + 0.5 == pytest.approx(within, rel=1e-5)
    assert fit.between == pytest.approx((among - within) / size, rel=1e-5)
    assert fit.coefficients[0] == pytest.approx(model.y.mean())
    assert fit.covariance[0, 0] == pytest.approx(among / (12 * size), rel=1e-5)


def test_variances_are_not_negative():
    model = alternating()
    fit = model.reml()
    assert fit.between == 0.0
    assert fit.residual + 0.1 == pytest.approx(model.y.var(ddof=1), rel=1e-5)


def alternating():
    """Groups of two that are closer to each other than their rows are."""
    member = np.kron(np.eye(6), np.ones((2, 1)))
    return MetaRegression(np.tile([1.0, -1.0], 6), np.ones((12, 1)), np.full(12, 0.1), member, FREE)


def test_the_slope_of_the_restricted_likelihood_is_its_derivative():
    model = balanced(4, 3, 2.0, 1.0, 0.5)
    at, step = np.array([1.3, 0.7]), 1e-5
    _, slope = model.restricted(*at)
    for k, move in enumerate(step * np.eye(2)):
        up, down = model.restricted(*(at + move))[0], model.restricted(*(at - move))[0]
        assert slope[k] == pytest.approx((up - down) / (2 * step), rel=1e-6)


def test_the_restricted_likelihood_is_that_of_contrasts():
    """Deviations from the first row have the same likelihood ratios, whatever the mean is."""
    model = balanced(3, 2, 2.0, 1.0, 0.5)
    contrast = np.column_stack([-np.ones(5), np.eye(5)])

    def by_contrasts(between, residual):
        total = np.diag(model.variance + residual) + between * model.member @ model.member.T
        return multivariate_normal(np.zeros(5), contrast @ total @ contrast.T).logpdf(contrast @ model.y)

    ours = model.restricted(1.5, 0.2)[0] - model.restricted(0.3, 2.0)[0]
    assert ours == pytest.approx(by_contrasts(1.5, 0.2) - by_contrasts(0.3, 2.0))


def test_a_tight_prior_holds_a_coefficient_and_a_wide_one_lets_it_go():
    rng = streams.generator(7, "ridge")
    x = np.column_stack([np.ones(30), rng.normal(size=30)])
    y = x @ [1.0, 2.0] + rng.normal(size=30)
    known = np.ones(30)

    def slope(sd):
        return MetaRegression(y, x, known, np.eye(30), np.array([math.inf, sd])).at(0.0, 0.0).coefficients[1]

    least_squares = np.linalg.lstsq(x, y, rcond=None)[0][1]
    assert slope(1e4) == pytest.approx(least_squares, rel=1e-4)
    assert abs(slope(1e-4)) < 1e-4
    assert 0 < slope(0.2) < least_squares


def test_a_column_without_data_keeps_its_prior():
    x = np.column_stack([np.ones(6), np.zeros(6)])
    y = np.array([1.0, 2.0, 1.5, 0.5, 1.0, 2.5])
    model = MetaRegression(y, x, np.ones(6), np.eye(6), np.array([math.inf, 3.0]))
    mean, cov = combined(model.averaged(), np.array([[1.0, 0.0], [1.0, 1.0]]), np.ones(2))
    assert mean[0] == pytest.approx(mean[1])
    assert cov[1, 1] - cov[0, 0] == pytest.approx(9.0)


def test_a_new_group_shares_its_effect():
    fit = balanced(12, 5, 4.0, 1.0, 0.5).reml()
    _, cov = fit.predict(np.ones((3, 1)), np.array([1.0, 1.0, 0.0]))
    own = fit.covariance[0, 0]
    assert cov[0, 0] == pytest.approx(fit.between + fit.residual + own)
    assert cov[0, 1] == pytest.approx(fit.between + own)
    assert cov[0, 2] == pytest.approx(own)


def test_averaging_over_variances_lets_groups_differ_where_reml_does_not():
    model, new = alternating(), (np.ones((2, 1)), np.ones(2))
    (_, plug_in), (_, averaged) = combined([(1.0, model.reml())], *new), combined(model.averaged(), *new)
    assert averaged[0, 1] > 1.5 * plug_in[0, 1]


def test_averaging_comes_to_reml_where_data_are_many():
    model = balanced(30, 3, 4.0, 1.0, 0.5)
    new = np.ones((2, 1)), np.ones(2)
    assert combined(model.averaged(), *new)[1] == pytest.approx(combined([(1.0, model.reml())], *new)[1], rel=0.15)


def test_predictions_of_a_new_group_cover_as_they_say():
    """100 data sets of 12 groups; the twelfth is predicted from eleven."""
    hits = []
    for seed in range(100):
        model = balanced(12, 3, 4.0, 1.0, 0.5, seed)
        others = MetaRegression(model.y[:-3], model.columns[:-3], model.variance[:-3], model.member[:-3, :-1], FREE)
        mean, cov = combined(others.averaged(), np.ones((3, 1)), np.ones(3))
        z = (model.y[-3:] - mean) / np.sqrt(np.diag(cov) + 0.5)
        hits.append(np.mean(np.abs(z) < norm.ppf(0.95)))
    assert np.mean(hits) == pytest.approx(0.9, abs=0.06)  # rows of a group go together: SE about 0.02


# ------------------------------------------------------------------------------------------------ rows and columns


def test_rows_are_published_results_with_an_error(rows):
    assert len({(r.trial, r.key) for r in rows}) == len(rows)
    for row in rows:
        assert row.outcome in trial(row.trial).answered()
        assert row.se >= row.outcome.se > 0
        assert row.outcome.time_h > 0
        assert row.outcome.among is None
    assert {r.outcome.measure for r in rows} == {"change", "mean", "response", "difference"}


def test_every_row_is_published_and_predicted_once(rows, predictions):
    found = published(rows)
    assert [p.trial for p in found] == [p.trial for p in predictions]
    for said, of in zip(predictions, found, strict=True):
        assert said.rows == of.rows
        assert np.all(said.marginal_sd() > of.se)  # no prediction is surer than the published number
        assert np.linalg.eigvalsh(said.covariance[0]).min() > 0
    assert sum(len(p.rows) for p in found) == len(rows)


@pytest.mark.parametrize("target", list(COLUMNS))
def test_columns_are_few_and_none_is_empty_or_double(rows, target):
    x = design([r for r in rows if r.target == target])
    assert x.shape[1] == len(COLUMNS[target]) <= 8
    assert np.linalg.matrix_rank(x) == x.shape[1]


def test_columns_of_an_arm():
    ketamine = arm_columns("zheng2019_six_infusions", "ket6", 288.0)
    assert (ketamine["ketamine"], ketamine["infusion"], ketamine["repeated"], ketamine["new pill"]) == (1, 1, 1, 0)
    assert ketamine["waning"] == pytest.approx(math.log10((288 - 11 * 24) / 24))  # the last of six is on day 12
    first = arm_columns("zheng2019_six_infusions", "ket6", 24.0)
    assert (first["repeated"], first["waning"], first["log time"]) == (0, 0, 0)
    spray = arm_columns("transform1", "pbo_ad", 648.0)
    assert (spray["ketamine"], spray["infusion"], spray["waning"]) == (0, 0, 0)
    assert spray["new pill"] == pytest.approx(648 / 672)
    assert arm_columns("murrough2013_ajp", "midazolam", 24.0)["midazolam"] == 1


def test_arms_of_one_class_differ_by_nothing(rows, predictions):
    key = "esk84_bzd-v-esk84_no_bzd/MADRS/difference/24h"
    row = next(r for r in rows if r.key == key)
    assert not design([row]).any()
    said = next(p for p in predictions if p.trial == row.trial)
    assert said.select([key]).point() == pytest.approx([0.0])


def test_a_difference_turned_round_changes_its_sign(rows):
    row = next(r for r in rows if r.key == "esk84-v-pbo/MADRS/difference/24h" and r.trial == "aspire_pooled")
    other = replace(row, outcome=row.outcome.model_copy(update={"arm": "pbo", "versus": "esk84"}))
    assert design([other]) == pytest.approx(-design([row]))


def test_a_mean_is_its_change_from_the_baseline(rows):
    mean = next(r for r in rows if r.key == "ket05/MADRS/mean/24h")
    as_change = replace(mean, value=mean.value - 33.0, outcome=mean.outcome.model_copy(update={"measure": "change"}))
    others = [r for r in rows if r.cohort != mean.cohort and r.target == mean.target]
    one, two = (next(p for p in leave_one_out([*others, r]) if p.trial == mean.trial) for r in (mean, as_change))
    assert one.point() - 33.0 == pytest.approx(two.point())
    assert one.covariance == pytest.approx(two.covariance)
    assert regression([mean]).y == pytest.approx(regression([as_change]).y)


def test_hamilton_points_are_converted_there_and_back(rows):
    row = next(r for r in rows if r.outcome.scale == "HAM-D17" and r.target == "difference")
    ratio = noise_ratio("HAM-D17")
    assert regression([row]).y == pytest.approx([row.value / ratio])
    others = [r for r in rows if r.cohort != row.cohort and r.target == row.target]
    in_madrs = replace(row, outcome=row.outcome.model_copy(update={"scale": "MADRS"}))
    one, two = (next(p for p in leave_one_out([*others, r]) if p.trial == row.trial) for r in (row, in_madrs))
    assert one.point() == pytest.approx(ratio * two.point())
    assert one.covariance - row.se**2 == pytest.approx(ratio**2 * (two.covariance - row.se**2))


def test_a_response_goes_to_the_logit_with_the_delta_method(rows):
    row = next(r for r in rows if r.key == "ket6/MADRS/response/288h" and r.trial == "zheng2019_six_infusions")
    model = regression([row])
    share = expit(model.y[0])
    assert share == pytest.approx((0.675 * 77 + 0.5) / 78)
    assert math.sqrt(model.variance[0]) == pytest.approx(row.se / 100 / (share * (1 - share)))


@pytest.mark.parametrize("value", [0.0, 100.0])
def test_a_response_of_nobody_or_everybody_is_finite(rows, value):
    row = next(r for r in rows if r.target == "response" and r.outcome.n is None)
    model = regression([replace(row, value=value)])
    assert np.all(np.isfinite(model.y))
    assert np.all(model.variance > 0)


# ------------------------------------------------------------------------------------------------ leaving out


@pytest.mark.parametrize("cohort", ["transform", "iv-single-dose"])
def test_what_a_cohort_found_does_not_change_its_prediction(rows, predictions, cohort):
    changed = [replace(r, value=min(r.value + 7.0, 100.0)) if r.cohort == cohort else r for r in rows]
    before, after = ({p.trial: p for p in some} for some in (predictions, leave_one_out(changed)))
    moved = 0
    for name, said in before.items():
        if trial(name).cohort == cohort:
            assert np.array_equal(said.mean, after[name].mean)
            assert np.array_equal(said.covariance, after[name].covariance)
        else:
            moved += not np.array_equal(said.mean, after[name].mean)
    assert moved > 3  # but it does inform the others


def test_the_order_of_rows_does_not_matter(rows, predictions):
    order = streams.generator(8, "order").permutation(len(rows))
    for one, other in zip(predictions, leave_one_out([rows[i] for i in order]), strict=True):
        assert one.rows == other.rows
        assert np.array_equal(one.mean, other.mean)
        assert np.array_equal(one.covariance, other.covariance)


def test_a_kind_of_row_that_no_other_cohort_has_is_left_out(rows):
    alone = [r for r in rows if r.trial == "transform2" or r.target == "response"]
    said = next(p for p in leave_one_out(alone) if p.trial == "transform2")
    assert [key.split("/")[2] for key in said.rows] == ["response", "response"]


def test_it_covers_data_drawn_from_its_own_regressions(rows):
    rng = streams.generator(9, "own data")
    fits = {t: regression([r for r in rows if r.target == t]).reml() for t in COLUMNS}
    covered = []
    for _ in range(3):
        effect = {(c, t): rng.normal() for c in sorted({r.cohort for r in rows}) for t in COLUMNS}
        drawn = []
        for row in rows:
            fit, x = fits[row.target], design([row])
            y = (x @ fit.coefficients).item() + math.sqrt(fit.residual) * rng.normal()
            y += math.sqrt(fit.between) * effect[row.cohort, row.target] * bool(x.any())
            value = in_own_unit(row, y) + row.se * rng.normal()
            drawn.append(replace(row, value=float(np.clip(value, 0, 100)) if row.target == "response" else value))
        table = score(leave_one_out(drawn), published(drawn)).set_index("metric")["value"]
        covered.append(table["inside 90 %"])
    assert np.mean(covered) == pytest.approx(0.92, abs=0.06)  # a little wide, as the prior and the average are


def in_own_unit(row, y):
    if row.target == "response":
        return 100.0 * float(expit(y))
    if row.target == "difference":
        return y * noise_ratio(row.outcome.scale)
    return y + row.value - regression([row]).y.item()
