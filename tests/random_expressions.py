"""Random expressions for property tests: smooth or with choices, and safe to evaluate for inputs between 0.1 and 3."""

from __future__ import annotations

from hypothesis import strategies as st

from afterglow.lang import Expr, Symbol, exp, hill, log, maximum, minimum, sqrt, tanh, where

NAMES = ("a", "b", "c", "d")
SYMBOLS = tuple(Symbol(n, None) for n in NAMES)
LOW, HIGH = 0.1, 3.0


def positive(x: Expr) -> Expr:
    """A positive number near `x`, which stays moderate."""
    return 0.2 + tanh(x) * tanh(x)


def _two(children: st.SearchStrategy[Expr]) -> st.SearchStrategy[tuple[Expr, Expr]]:
    return st.tuples(children, children)


def _grow(children: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    exponents = st.sampled_from([0.5, 1, 1.5, 2, 3, -1, -2, SYMBOLS[3], 0.5 + tanh(SYMBOLS[2])])
    return st.one_of(
        _two(children).map(lambda t: t[0] + t[1]),
        _two(children).map(lambda t: t[0] - t[1]),
        _two(children).map(lambda t: t[0] * tanh(t[1])),
        _two(children).map(lambda t: t[0] / positive(t[1])),
        st.tuples(children, exponents).map(lambda t: positive(t[0]) ** t[1]),
        children.map(lambda x: exp(-tanh(x))),
        children.map(lambda x: log(positive(x))),
        children.map(lambda x: sqrt(positive(x))),
        children.map(tanh),
        _two(children).map(lambda t: maximum(t[0], t[1])),
        _two(children).map(lambda t: minimum(t[0], t[1])),
        st.tuples(children, children, children).map(lambda t: where(t[0] > t[1], t[1], t[2])),
        st.tuples(children, children, st.sampled_from([1, 2, 2.5, 1 + SYMBOLS[3]])).map(
            lambda t: hill(tanh(t[0]), positive(t[1]), t[2])
        ),
    )


_numbers = st.sampled_from([-2.0, -0.5, 0.25, 1.5, 3.0])
_leaves = st.one_of(st.sampled_from(SYMBOLS), st.tuples(_numbers, st.sampled_from(SYMBOLS)).map(lambda t: t[0] * t[1]))
expressions = st.recursive(_leaves, _grow, max_leaves=12)
points = st.tuples(*[st.floats(LOW, HIGH).map(lambda x: round(x, 4)) for _ in SYMBOLS])
