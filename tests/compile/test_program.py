"""Numbered programs: slots, Jacobian, and rewriting that must not change a value."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from afterglow.compile.numpy_code import numpy_function
from afterglow.compile.program import hoisted, program, tidy
from afterglow.lang import Input, Model, Output, Param, Route, State, Symbol, System, evaluate, hill, lognormal, tanh
from afterglow.lang.expr import order
from random_expressions import SYMBOLS, expressions, points


class Chain(System):
    stress = Input("1", "stress", default=0.3)
    drug = State("mg", "drug", size=5.0)
    brake = State("1", "brake", size=0.5)
    k = Param(0.4, "1/h", "elimination", source="assumed")
    half = Param(2.0, "mg", "half effect", source="assumed")
    n = Param(2.5, "1", "steepness", source="assumed")
    tau = Param(3.0, "h", "time constant", source="assumed")
    block = hill(drug, half, n)
    drug.dot = -k * drug * (1 - brake)
    brake.dot = (block * (1 + stress) - brake) / tau
    effect = Output(block - brake, "1", "effect")
    iv = Route("into a vein", {drug: 1.0})


def chain(**exponent):
    m = Model("chain")
    own = {"n": Param(2.5, "1", "steepness", **exponent)} if exponent else {}
    m.add(Chain, "c", **own)
    return program(m.flatten())


KEPT = [{"source": "fitted"}, {"source": "assumed", "spread": lognormal(omega=0.2)}]


def test_slots_are_parameters_inputs_and_rates():
    p = chain()
    assert p.slots == ("c.k", "c.half", "c.tau", "c.stress", "rate:c.drug")  # the exponent is a number by now
    assert p.defaults == (0.4, 2.0, 3.0, 0.3, 0.0)
    assert p.slot["rate:c.drug"] == 4
    assert p.state == {"c.drug": 0, "c.brake": 1}
    assert p.output == {"c.effect": 0}
    assert p.sizes == (5.0, 0.5)


@pytest.mark.parametrize("exponent", KEPT)
def test_an_exponent_that_may_differ_keeps_its_slot(exponent):
    folded, kept = chain(), chain(**exponent)
    assert kept.slots == ("c.k", "c.half", "c.n", "c.tau", "c.stress", "rate:c.drug")
    y = np.array([1.3, 0.2])
    one, other = (numpy_function(p.rhs, p.y, p.p)(y, np.array(p.defaults)) for p in (folded, kept))
    assert one == pytest.approx(other, rel=1e-14)


def test_a_parameter_that_is_more_than_an_exponent_keeps_its_slot():
    class Twice(System):
        x = State("1", "x")
        n = Param(2.0, "1", "steepness and speed", source="assumed")
        tau = Param(1.0, "h", "time", source="assumed")
        x.dot = (hill(x, 1.0, n) - n * x) / tau

    m = Model("twice")
    m.add(Twice, "t")
    assert "t.n" in program(m.flatten()).slot


def test_an_infusion_enters_the_rate():
    p = chain()
    f = numpy_function(p.rhs, p.y, p.p)
    slots = np.array(p.defaults)
    before = f(np.array([1.0, 0.2]), slots)
    slots[p.slot["rate:c.drug"]] = 7.0
    after = f(np.array([1.0, 0.2]), slots)
    assert np.subtract(after, before) == pytest.approx([7.0, 0.0])


@pytest.mark.parametrize("y", [(1.3, 0.2), (4.0, 0.9), (0.0, 0.0)])
def test_jacobian_against_differences(y):
    p = chain()
    slots, y = np.array(p.defaults), np.array(y)
    f = numpy_function(p.rhs, p.y, p.p)
    jacobian = np.zeros((2, 2))
    for place, value in zip(p.jacobian, numpy_function(list(p.jacobian.values()), p.y, p.p)(y, slots), strict=True):
        jacobian[place] = value
    for j in range(2):
        step = np.eye(2)[j] * 1e-6
        low = np.maximum(y - step, 0.0)
        slope = np.subtract(f(y + step, slots), f(low, slots)) / (y + step - low)[j]
        assert jacobian[:, j] == pytest.approx(slope, rel=1e-6, abs=1e-8)


def test_the_fingerprint_follows_the_equations_and_not_the_values():
    class Other(System):
        drug = State("mg", "drug")
        k = Param(0.4, "1/h", "elimination", source="assumed")
        drug.dot = -k * drug * 1.0000000000001

    m = Model("chain")
    m.add(Chain, "c", k=Param(0.9, "1/h", "elimination", source="assumed"))
    assert program(m.flatten()).hash == chain().hash
    one, two = Model("other"), Model("other")
    one.add(Other, "c")
    two.add(Other, "d")
    assert len({chain().hash, program(one.flatten()).hash, program(two.flatten()).hash}) == 3


def test_a_deep_chain_of_shared_terms_stays_small():
    """Written out in full, 60 levels of doubling would have 2^60 terms."""

    class Tall(System):
        x = State("1", "x")
        level = x
        for _ in range(60):
            level = tanh(level) + level * 0.5
        x.dot = 0.0
        out = Output(level, "1", "level")

    m = Model("tall")
    m.add(Tall, "t")
    p = program(m.flatten())
    assert len(order(p.values)) < 300
    assert len(p.hash) == 16


@settings(max_examples=80, deadline=None)
@given(st.lists(expressions, min_size=1, max_size=3), points, st.sets(st.sampled_from(SYMBOLS)))
def test_tidy_and_hoisted_preserve_values(roots, at, fixed):
    values = dict(zip(SYMBOLS, at, strict=True))
    tidied = tidy(list(roots), set(fixed))
    assert evaluate(tidied, values) == pytest.approx(evaluate(roots, values), rel=1e-9, abs=1e-9)
    once = hoisted(tidied, set(fixed))
    for part in once:
        assert {s for s in order([part]) if isinstance(s, Symbol)} <= set(fixed)
    for node in remaining(tidied, once):
        assert not {s for s in order([node]) if isinstance(s, Symbol)} <= set(fixed)


def remaining(roots, once):
    """Operations that are left when the hoisted parts are given."""
    known, out = {id(x) for x in once}, {}
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node.args and id(node) not in known and id(node) not in out:
            out[id(node)] = node
            stack.extend(node.args)
    return list(out.values())


def test_tidy_leaves_no_division_by_parameters():
    x, k, v, q = SYMBOLS
    roots = tidy([x * k / v * q / k, (x - q) / (k * v), (x / k - q / v) / (k + v)], {k, v})
    assert all(node.op != "div" for node in remaining(roots, hoisted(roots, {k, v})))


@pytest.mark.parametrize("exponent", [{}, *KEPT])
def test_the_whole_jacobian_against_sympy(exponent):
    p = chain(**exponent)
    names = {s: sp.Symbol(s.name.replace(".", "_").replace(":", "_"), positive=True) for s in (*p.y, *p.p)}
    drug, brake = (names[s] for s in p.y)
    k, half, *steepness, tau, stress, rate = (names[s] for s in p.p)
    n = steepness[0] if exponent else 2.5
    block = drug**n / (half**n + drug**n)
    rhs = sp.Matrix([-k * drug * (1 - brake) + rate, (block * (1 + stress) - brake) / tau])
    numbers = dict(zip((drug, brake), (1.7, 0.3), strict=True)) | dict(
        zip(map(names.get, p.p), p.defaults, strict=True)
    )
    judged = np.array(rhs.jacobian([drug, brake]).subs(numbers), dtype=float)
    mine = numpy_function(list(p.jacobian.values()), p.y, p.p)(np.array([1.7, 0.3]), np.array(p.defaults))
    for place, value in zip(p.jacobian, mine, strict=True):
        assert value == pytest.approx(judged[place], rel=1e-12)
    assert set(p.jacobian) == {(0, 0), (0, 1), (1, 0), (1, 1)}
