"""The emulator against functions it can and cannot follow."""

import numpy as np
import pytest

from afterglow.study.emulator import RIDGES, emulate, features

RNG = np.random.default_rng(3)


def cubic(x):
    return (x[:, :1] ** 3 - x[:, 1:2] ** 3) * 0.3


def test_features_are_all_products_up_to_the_second_degree():
    assert features(np.array([[2.0, 3.0, 5.0]])).tolist() == [[1, 2, 3, 5, 4, 6, 10, 9, 15, 25]]


def test_a_quadratic_is_emulated_exactly():
    x = RNG.normal(size=(60, 4))
    weights = RNG.normal(size=(15, 3))
    made = emulate(x, features(x) @ weights)
    fresh = RNG.normal(size=(20, 4))
    assert made(fresh) == pytest.approx(features(fresh) @ weights, rel=1e-5, abs=1e-5)
    assert made(fresh[0]) == pytest.approx(made(fresh)[:1])
    assert (made.explained > 0.999).all()


def test_the_error_is_what_leaving_one_out_gives():
    """A cubic cannot be emulated: the stated error is about that of points never seen."""
    x = RNG.normal(size=(300, 2))
    made = emulate(x, cubic(x))
    fresh = RNG.normal(size=(4000, 2))
    seen = np.sqrt(np.mean((made(fresh) - cubic(fresh)) ** 2))
    assert made.error[0] == pytest.approx(seen, rel=0.35)


def test_the_error_is_that_of_the_best_ridge_refitted_without_each_point():
    x = RNG.normal(size=(24, 2))
    y = cubic(x) + RNG.normal(size=(24, 4)) * [0.0, 0.5, 1.0, 2.0]
    f = features((x - x.mean(0)) / x.std(0))
    errors = []
    for ridge in RIDGES * len(x):
        left = []
        for k in range(len(x)):
            others = np.arange(len(x)) != k
            inner = f[others].T @ f[others] + ridge * np.diag([0.0, *np.ones(5)])  # the constant is not shrunk
            left.append(y[k] - f[k] @ np.linalg.solve(inner, f[others].T @ y[others]))
        errors.append(np.sqrt(np.mean(np.square(left), axis=0)))
    assert emulate(x, y).error == pytest.approx(np.min(errors, axis=0), rel=1e-6)
    assert len(set(np.argmin(errors, axis=0))) > 1  # rows differ in the ridge that suits them


def test_noise_explains_nothing():
    made = emulate(RNG.normal(size=(200, 3)), RNG.normal(size=(200, 2)))
    assert (made.explained < 0.1).all()
    assert made.error == pytest.approx([1.0, 1.0], rel=0.2)


def test_a_row_that_nothing_moves_is_a_constant():
    made = emulate(RNG.normal(size=(50, 3)), np.full((50, 1), 7.0))
    assert made(RNG.normal(size=(5, 3))) == pytest.approx(np.full((5, 1), 7.0))
    assert made.error[0] < 1e-9


def test_units_of_the_parameters_do_not_matter():
    x, unit = RNG.normal(size=(60, 2)), np.array([1e-3, 50.0])
    fresh = RNG.normal(size=(9, 2))
    one, other = emulate(x, cubic(x)), emulate(x * unit + 4, cubic(x))
    assert other(fresh * unit + 4) == pytest.approx(one(fresh), abs=1e-6)
    assert other.error == pytest.approx(one.error)


def test_some_rows_are_emulated_as_among_all():
    x = RNG.normal(size=(60, 2))
    y = np.hstack([cubic(x), x, RNG.normal(size=(60, 1))])
    made, fresh = emulate(x, y), RNG.normal(size=(7, 2))
    for chosen in (np.array([True, False, True, False]), np.array([3, 0])):
        few = made.only(chosen)
        assert few(fresh) == pytest.approx(made(fresh)[:, chosen])
        assert np.array_equal(few.error, made.error[chosen])
        assert np.array_equal(few.explained, made.explained[chosen])
        alone = emulate(x, y[:, chosen])
        assert few(fresh) == pytest.approx(alone(fresh))
