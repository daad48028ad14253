"""The expression graph: SymPy judges derivatives, plain arithmetic judges values."""

import math

import pytest
import sympy as sp
from hypothesis import assume, given, settings

from afterglow.errors import ModelError
from afterglow.lang import (
    Symbol,
    differentiate,
    evaluate,
    exp,
    hill,
    log,
    maximum,
    minimum,
    show,
    sqrt,
    tanh,
    to,
    where,
)
from afterglow.lang.expr import const, order
from random_expressions import NAMES, SYMBOLS, expressions, points

SP = dict(zip(SYMBOLS, sp.symbols(" ".join(NAMES), positive=True), strict=True))
a, b, c, d = SYMBOLS
RULES = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "pow": lambda x, y: x**y,
    "exp": sp.exp,
    "log": sp.log,
    "tanh": sp.tanh,
    "max": lambda x, y: sp.Piecewise((x, x > y), (y, True)),
    "min": lambda x, y: sp.Piecewise((x, x < y), (y, True)),
    "gt": lambda x, y: x > y,
    "where": lambda test, yes, no: sp.Piecewise((yes, test), (no, True)),
    "hill": lambda x, k, n: sp.Piecewise((x**n / (k**n + x**n), x > 0), (0, True)),
}


def to_sympy(root):
    said = {}
    for node in order([root]):
        if node.op == "const":
            said[id(node)] = sp.Float(node.value)
        elif isinstance(node, Symbol):
            said[id(node)] = SP[node]
        else:
            said[id(node)] = RULES[node.op](*(said[id(x)] for x in node.args))
    return said[id(root)]


def agree_with_sympy(root, at):
    """Value and all derivatives."""
    expression, values = to_sympy(root), dict(zip(SYMBOLS, at, strict=True))
    numbers = {SP[s]: v for s, v in values.items()}

    def number(x):
        return float(sp.sympify(x).subs(numbers).evalf(20))

    assert evaluate([root], values)[0] == pytest.approx(number(expression), rel=1e-9, abs=1e-12)
    for s in SYMBOLS:
        mine = evaluate([differentiate(root, s)], values)[0]
        assert mine == pytest.approx(number(sp.diff(expression, SP[s])), rel=1e-8, abs=1e-10), str(s)


@pytest.mark.parametrize(
    "root",
    [
        a + b,
        a - b,
        -a,
        3 * a,
        a * b,
        a / b,
        2 / a,
        a**2,
        a**-1.5,
        a**b,
        2.0 * a ** (b * c),
        sqrt(a + b),
        exp(a * b),
        log(a + b),
        tanh(a - b),
        maximum(a, b),
        minimum(a, b * c),
        where(a > b, a * c, b / c),
        where(a < b, a * c, b / c),
        hill(a, b),
        hill(a, b, 2),
        hill(a, b, 2.5),
        hill(a, b, c),
        hill(a * b, c + d, 1 + d),
        hill(a - 2, b, c),
        a / (b / (c / d)),
        (a * a) * (a * a),
    ],
    ids=str,
)
@pytest.mark.parametrize("at", [(0.7, 1.3, 2.1, 0.4), (2.2, 0.3, 0.9, 1.7)])
def test_every_operation(root, at):
    agree_with_sympy(root, at)


@settings(max_examples=60, deadline=None)
@given(expressions, points)
def test_random_expressions(root, at):
    values = dict(zip(SYMBOLS, at, strict=True))
    for node in order([root]):  # at a kink the derivative is a matter of convention
        if node.op in ("max", "min", "gt"):
            assume(abs(evaluate([node.args[0]], values)[0] - evaluate([node.args[1]], values)[0]) > 1e-6)
    agree_with_sympy(root, at)


# ---- hill: right at zero and far from it


def exact_hill(x, k, n):
    x, k, n = (sp.Rational(str(v)) for v in (x, k, n))
    return float((x / k) ** n / (1 + (x / k) ** n)) if x > 0 else 0.0


@pytest.mark.parametrize("n", [1, 2, 2.5, 4])
@pytest.mark.parametrize("x", [-1.0, 0.0, 1e-9, 0.3, 1.7, 50.0, 1e6])
def test_hill_with_a_parameter_exponent(x, n):
    k = 1.7
    h = hill(a, b, c)
    at = {a: x, b: k, c: float(n)}
    value, by_x, by_k, by_n = evaluate([h, *(differentiate(h, s) for s in (a, b, c))], at)
    assert value == pytest.approx(exact_hill(x, k, n), rel=1e-13, abs=0)
    assert all(math.isfinite(v) for v in (by_x, by_k, by_n))
    if x > 0:
        r = value * exact_hill(k, x, n)  # 1 - value would cancel
        assert by_x == pytest.approx(n * r / x, rel=1e-9)
        assert by_k == pytest.approx(-n * r / k, rel=1e-9)
        assert by_n == pytest.approx(r * math.log(x / k), rel=1e-9, abs=1e-30)
    else:
        assert (value, by_k, by_n) == (0, 0, 0)
        assert by_x == (1 / k if n == 1 and x == 0 else 0)


@pytest.mark.parametrize("n", [1.0, 2.0, 2.5])
def test_hill_neither_overflows_nor_underflows(n):
    for x, expected in ((1e200, 1.0), (1e-200, 0.0)):
        h = hill(a, b, c)
        value, slope = evaluate([h, differentiate(h, a)], {a: x, b: 1.0, c: n})
        assert value == pytest.approx(expected, abs=1e-190)
        assert math.isfinite(slope)


def test_the_derivative_of_a_choice_is_a_choice():
    rate = differentiate(where(a > 0, b / a, b), a)
    assert rate.op == "where"
    assert differentiate(maximum(a, b), a).op == "where"
    assert differentiate(where(a > 0, 2 * b, 2 * b), b).value == 2.0


# ---- building


def test_the_same_thing_written_twice_is_one_node():
    assert (a + b) * 2 is (a + b) * 2


def test_numbers_are_folded_and_neutral_elements_vanish():
    assert (a + 0) is a
    assert (a * 1) is a
    assert (a**1) is a
    assert (a - a).value == 0.0
    assert (0 * a).value == 0.0
    assert (const(2.0) * const(3.0)).value == 6.0


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (lambda: a / 0, "divided by zero"),
        (lambda: a + math.nan, "not a finite number"),
        (lambda: a + math.inf, "not a finite number"),
        (lambda: a + "b", "neither a number nor an expression"),
        (lambda: a + True, "neither a number nor an expression"),
        (lambda: 1 if a > b else 2, r"use where\(\.\.\.\)"),
        (lambda: log(0), "has no value"),
        (lambda: exp(1e6), "has no value"),
        (lambda: const(-8.0) ** 0.5, "has no value"),
        (lambda: to(a, "mg"), "has no unit to convert from"),
    ],
)
def test_what_cannot_be_meant_is_refused_where_it_is_written(wrong, problem):
    with pytest.raises(ModelError, match=problem) as e:
        wrong()
    assert "lang/test_expr.py:" in str(e.value)


@pytest.mark.parametrize(
    ("root", "text"),
    [
        (a + b * c, "a + b*c"),
        ((a + b) * c, "(a + b)*c"),
        (a - (b - c), "a - (b - c)"),
        (a / (b * c), "a/(b*c)"),
        (-(a + b), "-(a + b)"),
        (hill(a, b, 2), "hill(a, b, 2)"),
        ((a + b) ** 2, "(a + b)^2"),
    ],
)
def test_showing(root, text):
    assert show(root) == text
