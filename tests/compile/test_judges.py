"""One expression, three ways to compute it: node by node, as a NumPy function, as vector machine code."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afterglow.compile.code import elimination
from afterglow.compile.numpy_code import numpy_function, numpy_source
from afterglow.compile.vector import LANES
from afterglow.lang import Symbol, differentiate, evaluate, exp, hill, log, maximum, minimum, sqrt, tanh, where
from afterglow.lang.expr import const, mul
from machine import Machine, bare_program
from random_expressions import HIGH, LOW, SYMBOLS, expressions

A, B, C, D = SYMBOLS
STATES, SLOTS = SYMBOLS[:2], SYMBOLS[2:]


def three_ways(roots, values):
    """Values [roots, LANES] by each way; `values` [symbols, LANES]."""
    machine = Machine(bare_program(STATES, SLOTS, [const(0.0, None)] * 2, roots))
    vector = machine.outputs(np.ascontiguousarray(values[:2]), np.ascontiguousarray(values[2:]))
    f = numpy_function(roots, STATES, SLOTS)
    array = np.array([np.broadcast_to(x, LANES) for x in f(values[:2], values[2:])])
    node = np.array([evaluate(roots, dict(zip(SYMBOLS, lane, strict=True))) for lane in values.T]).T
    return node, array, vector


@settings(max_examples=12, deadline=None)
@given(st.lists(expressions, min_size=5, max_size=8), st.integers(0, 2**32 - 1))
def test_random_expressions_and_their_derivatives(roots, seed):
    values = np.random.default_rng(seed).uniform(LOW, HIGH, (len(SYMBOLS), LANES))
    roots = [*roots, *(differentiate(r, s) for r in roots for s in (A, D))]
    node, array, vector = three_ways(roots, values)
    assert array == pytest.approx(node, rel=1e-12, abs=1e-12)
    assert vector == pytest.approx(node, rel=1e-9, abs=1e-10)


SPECIAL = [
    A + B, A - B, A * B, A / C, A**3, A**-2, A**0.5, A**1.7, A**C, exp(A), log(A + 1), tanh(A), sqrt(C), maximum(A, B),
    minimum(A, B), where(A > B, A, C), where(A < B, A, C), A**70, hill(A, C), hill(A, C, 2), hill(A, C, D),
]  # fmt: skip


def test_every_operation_with_ties_and_zeros():
    values = np.array(
        [
            [0.0, 0.0, 1.0, 1.0, 2.0, 0.5, 1e-9, 40.0],
            [0.0, 1.0, 1.0, 0.5, 2.0, 0.5, 1e-9, 3.0],
            [1.0, 2.0, 0.7, 1.0, 1.0, 3.0, 1.0, 1.0],
            [1.0, 2.0, 2.5, 1.0, 3.0, 1.5, 2.5, 2.0],
        ]
    )
    roots = [r for r in SPECIAL if r is not A**-2]
    node, array, vector = three_ways(roots, values)
    assert array == pytest.approx(node, rel=1e-13, abs=0)
    assert vector == pytest.approx(node, rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("n", [0.6, 1.0, 2.0, 2.5])
@pytest.mark.parametrize("written", ["parameter", "number"])
def test_hill_and_its_derivatives_at_zero_and_below(n, written):
    h = hill(A, C, D if written == "parameter" else n)
    roots = [h, differentiate(h, A), differentiate(h, C), differentiate(hill(A, C, D), D)]
    values = np.ones((4, LANES))
    values[0] = [-1.0, -1e-300, 0.0, 1e-300, 1e-9, 1.0, 5.0, 1e5]
    values[2], values[3] = 2.0, n
    node, array, vector = three_ways(roots, values)
    assert np.isfinite(node).all()
    assert array == pytest.approx(node, rel=1e-10, abs=1e-290)
    assert vector == pytest.approx(node, rel=1e-10, abs=1e-290)


def test_what_is_not_chosen_does_not_spoil_the_derivative():
    steep = differentiate(where(A > 0, B * log(A), B), A)
    machine = Machine(bare_program(STATES, SLOTS, [const(0.0, None)] * 2, [steep]))
    states = np.zeros((2, LANES))
    assert (machine.outputs(states, np.ones((2, LANES))) == 0.0).all()


def test_a_number_that_is_not_finite_stays_visible():
    machine = Machine(bare_program(STATES, SLOTS, [const(0.0, None)] * 2, [A * C + B, log(A), A / B]))
    states = np.ones((2, LANES))
    states[0, 3], states[0, 5], states[1, 6] = np.nan, -1.0, 0.0
    out = machine.outputs(states, np.ones((2, LANES)))
    assert np.isnan(out[0, 3])
    assert np.isnan(out[1, 5])
    assert np.isinf(out[2, 6])
    assert np.isfinite(out[:, [0, 1, 2, 4, 7]]).all()


def test_the_numpy_function_can_be_read():
    assert numpy_source("f", [A * C + hill(B, D, 2)], STATES, SLOTS) == (
        "def f(y, p):\n    t1 = y[0] * p[0]\n    t2 = _hill(y[1], p[1], 2.0)\n    t3 = t1 + t2\n    return [t3]\n"
    )


# ---- sparse elimination


@pytest.mark.parametrize("seed", range(8))
def test_elimination_solves_any_pattern(seed):
    """(g I - J) x = b for a random sparse J, in every lane, against numpy.linalg."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 15))
    filled = (rng.random((n, n)) < rng.uniform(0.05, 0.6)) | np.eye(n, dtype=bool)
    places = [tuple(map(int, ij)) for ij in np.argwhere(filled)]
    y = [Symbol(f"y{i}", None) for i in range(n)]
    p = [Symbol(f"j{i}_{j}", None) for i, j in places]
    rhs = [const(0.0, None)] * n
    for (i, j), entry in zip(places, p, strict=True):
        rhs[i] = rhs[i] + mul(entry, y[j])
    machine = Machine(bare_program(y, p, rhs, [y[0]]))
    entries = np.ascontiguousarray(rng.normal(size=(len(p), LANES)))
    g, factors = np.array([n + 2.0]), np.empty((machine.code.factors, LANES))
    right = np.ascontiguousarray(rng.normal(size=(n, LANES)))
    solved = np.empty_like(right)
    at_zero = np.empty((n, LANES))
    machine("factor", np.zeros((n, LANES)), machine.prepared(entries), g, factors, at_zero)
    assert not at_zero.any()
    machine("solve", factors, 0.25 * right, 0.75 * right, solved)
    for lane in range(LANES):
        matrix = np.zeros((n, n))
        matrix[tuple(np.array(places).T)] = entries[:, lane]
        expected = np.linalg.solve(g[0] * np.eye(n) - matrix, right[:, lane])
        assert solved[:, lane] == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_minimum_degree_order_avoids_fill_in():
    """An arrow matrix fills completely when its head is eliminated first, and not at all when it comes last."""
    n = 12
    arrow = [(0, j) for j in range(n)] + [(i, 0) for i in range(n)]
    sequence, pattern = elimination(n, arrow)
    assert sequence.index(0) >= n - 2
    assert len(pattern) == 3 * n - 2


@given(st.integers(1, 10), st.data())
@settings(max_examples=50, deadline=None)
def test_elimination_keeps_every_entry_and_fills_what_is_needed(n, data):
    entries = data.draw(st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))))
    sequence, pattern = elimination(n, entries)
    assert sorted(sequence) == list(range(n))
    assert pattern >= entries | {(i, i) for i in range(n)}
    rank = {k: r for r, k in enumerate(sequence)}
    for i, k in pattern:
        for kk, j in pattern:
            if k == kk and rank[k] < rank[i] and rank[k] < rank[j]:
                assert (i, j) in pattern
