"""exp, log and powers of whole vectors against the C library."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afterglow.compile.vector import LANES
from afterglow.lang.expr import Symbol, rebuild
from machine import Machine, bare_program

X, Y = Symbol("x", None), Symbol("y", None)


@pytest.fixture(scope="module")
def compute():
    """exp(x), log(x), x^y, x^2.5, x^-1.5 of any numbers, LANES at a time."""
    from afterglow.lang.expr import const

    roots = [rebuild("exp", (X,)), rebuild("log", (X,)), rebuild("pow", (X, Y))]
    roots += [rebuild("pow", (X, const(n, None))) for n in (2.5, -1.5)]
    machine = Machine(bare_program([X, Y], [], [X * 0.0, Y * 0.0], roots))

    def run(x, y):
        x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
        rest = -len(x) % LANES
        both = np.array([np.pad(x, (0, rest)), np.pad(y, (0, rest))]).reshape(2, -1, LANES)
        found = [machine.outputs(np.ascontiguousarray(both[:, k]), np.empty((0, LANES))) for k in range(both.shape[1])]
        return np.array(found).transpose(1, 0, 2).reshape(len(roots), -1)[:, : len(x)]

    return run


def agree(found, expected, ulps):
    with np.errstate(invalid="ignore"):
        near = abs(found - expected) <= ulps * np.spacing(np.maximum(abs(expected), 2.0**-1022))
    assert (near | (found == expected) | (np.isnan(found) & np.isnan(expected))).all()


def test_exp_to_two_units_in_the_last_place(compute):
    x = np.concatenate([np.linspace(-708, 709.7, 20_001), np.random.default_rng(1).normal(size=20_000)])
    agree(compute(x, 0.0)[0], np.exp(x), 2)


def test_log_to_two_units_in_the_last_place(compute):
    rng = np.random.default_rng(2)
    x = np.concatenate([10.0 ** rng.uniform(-320, 308, 20_000), 1 + rng.normal(size=20_000) * 1e-3, [1.0, 0.5, 2.0]])
    agree(compute(x, 0.0)[1], np.log(x), 2)


def test_powers_to_the_accuracy_of_the_exponent(compute):
    """The rounding of y log x grows with its size: the relative error is that times one unit in the last place."""
    rng = np.random.default_rng(3)
    x, y = 10.0 ** rng.uniform(-12, 12, 20_000), rng.uniform(-6, 6, 20_000)
    found, expected = compute(x, y)[2], x**y
    assert (abs(found / expected - 1) < 4e-16 * (2 + abs(y * np.log(x)))).all()
    agree(compute(x, y)[3], x**2.5, 4)
    agree(compute(x, y)[4], x**-1.5, 4)


def test_special_values(compute):
    inf, nan = math.inf, math.nan
    x = np.array([0.0, -0.0, inf, -inf, nan, 710.0, -746.0, 1e308, -1e308, -1.0, 5e-324])
    with np.errstate(all="ignore"):
        exps, logs = np.exp(x), np.log(x)
    exps[x == -746.0] = 0.0
    found = compute(x, 0.0)
    agree(found[0], exps, 2)
    agree(found[1], logs, 2)
    pairs = [(0.0, 2.0), (0.0, 0.0), (5.0, 0.0), (inf, 0.0), (nan, 0.0), (-2.0, 3.0), (-2.0, 4.0), (-2.0, 0.5)]
    pairs += [(0.0, -1.0), (inf, -2.0), (inf, 2.0), (nan, 2.0), (2.0, nan), (1.0, 700.0), (0.5, 2000.0)]
    x, y = np.array(pairs).T
    with np.errstate(all="ignore"):
        expected = np.power(x, y)
    agree(compute(x, y)[2], expected, 8)


@settings(max_examples=200, deadline=None)
@given(st.floats(-700, 700))
def test_exp_and_log_undo_each_other(compute, x):
    back = compute(compute([x], 0.0)[0], 0.0)[1][0]
    assert back == pytest.approx(x, rel=1e-13, abs=4e-16)
