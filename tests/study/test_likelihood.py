"""The likelihood of rows with trial effects, against the multivariate normal written out."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from afterglow.study.likelihood import Rows, log_likelihood


@pytest.fixture
def rows():
    rng = np.random.default_rng(1)
    trial = np.array([0, 0, 0, 1, 2, 2, 4])  # trial 3 has no rows
    n = len(trial)
    return Rows(rng.normal(size=n), rng.uniform(0.5, 2, n), trial, rng.normal(size=n), rng.normal(size=n))


@pytest.mark.parametrize("tau", [(0.0, 0.0), (0.3, 0.0), (0.2, 0.7)])
def test_it_is_the_multivariate_normal(rows, tau):
    rng = np.random.default_rng(2)
    predicted, more = rng.normal(size=(3, 7)), rng.uniform(0, 1, 7)
    found = log_likelihood(rows, predicted, np.full(3, tau[0]), np.full(3, tau[1]), more)
    assert found.shape == (3, 5)
    for t in range(5):
        mine = rows.trial == t
        a, b = rows.by_u[mine], rows.by_v[mine]
        cov = np.diag(rows.se[mine] ** 2 + more[mine] ** 2)
        cov = cov + tau[0] ** 2 * np.outer(a, a) + tau[1] ** 2 * np.outer(b, b)
        for k in range(3):
            expected = 0.0
            if mine.any():
                expected = multivariate_normal(predicted[k, mine], cov).logpdf(rows.observed[mine])
            assert found[k, t] == pytest.approx(expected, abs=1e-9)
