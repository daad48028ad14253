"""Recovery of known parameters: made-up data as declared, right intervals cover, wrong ones are found out."""

import numpy as np
import pytest
from scipy.stats import binom

from afterglow import streams
from afterglow.study import recovery
from afterglow.study.calibrate import Free
from afterglow.study.likelihood import Rows
from afterglow.study.recovery import Asked, beside, binomial, compared, made_up, recover, summary

SLOPES = np.array([[1.0, 0.5], [0.2, -1.0], [1.5, 0.1], [-0.3, 0.8], [0.7, 0.7]])
PRIOR_SD = 0.5
TAU = np.array([0.3, 0.2, 0.1])
FREE = [Free("p0", 1.0, PRIOR_SD), Free("p1", 1.0, PRIOR_SD)]
ASKED = Asked.of(FREE, (0.3, 0.4, 0.2))
ROWS = Rows(
    observed=np.zeros(5),
    se=np.array([0.2, 0.3, 0.25, 0.3, 0.2]),
    trial=np.array([0, 0, 1, 1, 1]),
    by_u=np.array([1.0, 1.0, 0.5, 0.5, 0.0]),
    by_v=np.array([0.0, 1.0, 1.0, 0.0, 0.5]),
)


def truths(sets):
    """From the prior, so that exact inference covers exactly."""
    x = PRIOR_SD * streams.generator(2, "truths").standard_normal((sets, 2))
    return [(one, TAU) for one in x]


def exact(rows):
    """A sampler that knows the taus: the posterior of a linear model with normal errors, in closed form."""
    weight = np.linalg.inv(rows.covariance(TAU))
    covariance = np.linalg.inv(SLOPES.T @ weight @ SLOPES + np.eye(2) / PRIOR_SD**2)

    def sampler(observed, seed):
        mean = covariance @ SLOPES.T @ weight @ observed
        noise = streams.generator(seed, "sampler").standard_normal((2000, 2))
        return mean + noise @ np.linalg.cholesky(covariance).T, np.tile(TAU, (2000, 1))

    return sampler


def parameters(table):
    """Without the taus, which the sampler was given."""
    return table[~table["name"].str.startswith("tau")]


def study(rows, sets=400):
    return parameters(recover(ASKED, truths(sets), lambda x: SLOPES @ x, ROWS, exact(rows), seed=5))


@pytest.fixture(scope="module")
def right():
    return study(ROWS)


def test_made_up_values_have_the_declared_covariance():
    rng = streams.generator(1, "test")
    middle = np.arange(5.0)
    drawn = np.array([made_up(ROWS, middle, TAU, rng) for _ in range(20000)])
    assert drawn.mean(axis=0) == pytest.approx(middle, abs=0.02)
    assert np.cov(drawn.T) == pytest.approx(ROWS.covariance(TAU), abs=0.01)


def test_a_row_without_an_answer_shows_nothing():
    predicted = np.array([0.0, np.nan, 0.0, 0.0, 0.0])
    shown = made_up(ROWS, predicted, TAU, streams.generator(1, "test"))
    assert np.flatnonzero(np.isnan(shown)).tolist() == [1]


def test_exact_inference_covers_nine_in_ten_and_ranks_are_uniform(right):
    hits = int(right["covered"].sum())
    low, high = binom.ppf([0.001, 0.999], len(right), 0.9)
    assert low <= hits <= high
    assert right["rank"].mean() == pytest.approx(0.5, abs=0.04)
    assert right["rank"].std() == pytest.approx(12**-0.5, abs=0.03)
    assert right["bias"].mean() == pytest.approx(0, abs=0.12)
    assert right["bias"].std() == pytest.approx(1, abs=0.1)


def test_a_likelihood_that_is_too_sure_is_found_out():
    """Standard errors and trial effects halved in the inference alone."""
    sure = Rows(ROWS.observed, ROWS.se / 2, ROWS.trial, ROWS.by_u / 2, ROWS.by_v / 2)
    found = summary(study(sure, sets=100)).set_index("name")
    assert found.loc["all", "covered"] < 0.78
    assert found.loc["all", "hi95"] < 0.9


def test_a_model_that_is_off_shows_as_bias():
    """The inference takes the model for what it is not: everything one unit higher in the first parameter."""
    off = recover(ASKED, truths(60), lambda x: SLOPES @ (x + np.array([1.0, 0.0])), ROWS, exact(ROWS), seed=5)
    found = summary(parameters(off)).set_index("name")
    assert found.loc["p0", "bias"] > 1
    assert found.loc["p0", "rank"] < 0.2
    assert found.loc["p0", "covered"] < 0.5


def test_the_posterior_is_narrower_than_the_prior(right):
    spread = right.groupby("name")["sd_over_prior"]
    assert (spread.max() < 0.8).all()
    assert (spread.max() - spread.min() < 0.05).all()  # in a linear model it does not depend on the data


def test_comparison_by_hand():
    drawn = np.linspace(0, 1, 101)[:, None]
    line = compared(drawn, np.array([0.951]), np.array([2.0])).iloc[0]
    assert (line["lo90"], line["median"], line["hi90"]) == pytest.approx((0.05, 0.5, 0.95))
    assert line["covered"] == 0
    assert line["rank"] == pytest.approx(96 / 101)
    assert line["bias"] == pytest.approx((0.5 - 0.951) / drawn.std())
    assert line["sd_over_prior"] == pytest.approx(drawn.std() / 2)


def test_the_prior_of_a_tau_is_half_normal():
    drawn = np.abs(streams.generator(1, "half").normal(0, 0.4, 100000))
    assert ASKED.prior_sd[ASKED.names.index("tau_v")] == pytest.approx(drawn.std(), rel=0.02)


def test_summary_counts_each_number_and_all(right):
    found = summary(right).set_index("name")
    assert list(found.index) == ["p0", "p1", "all"]
    assert (found["sets"] == 400).all()
    p0 = right[right["name"] == "p0"]["covered"]
    assert found.loc["p0", "covered"] == pytest.approx(p0.mean())
    assert found.loc["all", "covered"] == pytest.approx(right["covered"].mean())
    assert (found["lo95"] <= found["covered"]).all()
    assert (found["covered"] <= found["hi95"]).all()


def test_the_exact_binomial_interval():
    """Its limits are where the tail has 2.5 %; rule of three at no hits."""
    low, high = binomial(20, 24)
    assert binom.sf(19, 24, low) == pytest.approx(0.025)
    assert binom.cdf(20, 24, high) == pytest.approx(0.025)
    assert binomial(0, 100) == (0.0, pytest.approx(1 - 0.025**0.01))
    assert binomial(24, 24)[1] == 1.0


def exact_mean(rows, slopes):
    weight = np.linalg.inv(rows.covariance(TAU))
    covariance = np.linalg.inv(slopes.T @ weight @ slopes + np.eye(2) / PRIOR_SD**2)
    return covariance @ slopes.T @ weight @ rows.observed, covariance


def test_beside_published_rows_truths_from_their_posterior_are_covered_as_promised():
    """Truths far from the prior's middle: alone the prior draws the intervals away, together they are right."""
    published = ROWS.seen(SLOPES @ np.array([1.5, -1.5]))
    middle, covariance = exact_mean(published, SLOPES)
    rng, hits = streams.generator(9, "joint"), {"alone": 0, "together": 0}
    for _ in range(600):
        truth = rng.multivariate_normal(middle, covariance)
        made = ROWS.seen(made_up(ROWS, SLOPES @ truth, TAU, rng))
        for name, rows, slopes in (
            ("alone", made, SLOPES),
            ("together", beside(published, made), np.vstack([SLOPES, SLOPES])),
        ):
            mean, spread = exact_mean(rows, slopes)
            hits[name] += int(abs(truth[0] - mean[0]) < 1.645 * spread[0, 0] ** 0.5)
    assert hits["together"] / 600 == pytest.approx(0.9, abs=0.035)
    assert hits["alone"] / 600 < 0.87


def test_a_repeated_trial_has_effects_of_its_own():
    both = beside(ROWS, ROWS)
    covariance = both.covariance(TAU)
    assert covariance[:5, :5] == pytest.approx(ROWS.covariance(TAU))
    assert (covariance[:5, 5:] == 0).all()


def test_same_seed_same_sets():
    again = [recover(ASKED, truths(3), lambda x: SLOPES @ x, ROWS, exact(ROWS), seed=s) for s in (5, 5, 6)]
    assert again[0].equals(again[1])
    assert not again[0].equals(again[2])


def test_progress_is_told():
    told = []
    recover(ASKED, truths(2), lambda x: SLOPES @ x, ROWS, exact(ROWS), 1, told.append)
    assert [line.split(":")[0] for line in told] == ["set 1 of 2", "set 2 of 2"]
    assert recovery.LEVEL == 0.9
