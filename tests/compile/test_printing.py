"""Equations for people: plain text and LaTeX."""

import pytest
from hypothesis import given, settings
from matplotlib.mathtext import MathTextParser

from afterglow.compile.latex import LatexPrinter, latex, symbol, words
from afterglow.compile.text import Printer, text
from afterglow.lang import (
    Input,
    Model,
    Output,
    Param,
    Route,
    State,
    System,
    evaluate,
    exp,
    hill,
    logitnormal,
    lognormal,
    maximum,
    normal,
    sqrt,
    to,
    where,
)
from random_expressions import SYMBOLS, expressions, points

A, B, C, D = SYMBOLS


@pytest.mark.parametrize(
    ("root", "plain"),
    [
        ((-A) * B, "-A*B"),
        (-(A * B), "-A*B"),
        (A * (-B), "-A*B"),
        (A * -2, "-A*2"),
        (A - (-B) * C, "A + B*C"),
        (A + (-B) * C, "A - B*C"),
        (A - (B + C), "A - (B + C)"),
        (A + (B + C), "A + B + C"),
        (A - (B - C), "A - (B - C)"),
        (-(A + B), "-(A + B)"),
        (-A - B, "-A - B"),
        (0 - A, "-A"),
        (A - 2, "A - 2"),
        (A + (-2.0), "A - 2"),
        ((A + B) * C, "(A + B)*C"),
        (A / B / C, "A/(B*C)"),
        (A / (B * C), "A/(B*C)"),
        (A / (B / C), "A/(B/C)"),
        ((A / B) * C, "A/B*C"),
        (A * (B / C), "A*B/C"),
        ((A - B) / C, "(A - B)/C"),
        ((-A) / B, "-A/B"),
        ((A + B) ** 2, "(A + B)^2"),
        (A ** (B + 1), "A^(B + 1)"),
        ((A**B) ** C, "(A^B)^C"),
        ((-A) ** 2, "(-A)^2"),
        (A**-1, "A^(-1)"),
        (sqrt(A), "sqrt(A)"),
        (exp(-A * B), "exp(-A*B)"),
        (maximum(A, 0), "max(A, 0)"),
        (where(A > B, C, -C), "[C if A > B, else -C]"),
        (2 * where(A > B + 1, C, D), "2*[C if A > B + 1, else D]"),
        (hill(A, B, 2), "hill(A, B, 2)"),
    ],
)
def test_no_more_parentheses_than_needed(root, plain):
    said = Printer({}).say(root)
    for s in SYMBOLS:
        plain = plain.replace(s.name.upper(), s.name)
    assert said == plain


@settings(max_examples=150, deadline=None)
@given(expressions, points)
def test_the_text_means_what_the_expression_means(root, at):
    """Read back by Python's own grammar."""
    values = dict(zip(SYMBOLS, at, strict=True))
    said = Printer({}).say(root)
    scope = {s.name: v for s, v in values.items()}
    assert eval(as_python(said), NAMESPACE | scope) == pytest.approx(evaluate([root], values)[0], rel=1e-8, abs=1e-10)


def as_python(said: str) -> str:
    import re

    while "[" in said:  # innermost choice first; its words are hidden from the outer ones
        said = re.sub(r"\[([^\[\]]*) if ([^\[\]]*), else ([^\[\]]*)\]", r"((\1)<IF>(\2)<ELSE>(\3))", said)
    return said.replace("^", "**").replace("<IF>", " if ").replace("<ELSE>", " else ")


def _namespace():
    import math

    functions = {"exp": math.exp, "log": math.log, "tanh": math.tanh, "sqrt": math.sqrt, "max": max, "min": min}
    return functions | {"hill": lambda x, k, n: max(x, 0.0) ** n / (k**n + max(x, 0.0) ** n)}


NAMESPACE = _namespace()


class Drug(System):
    """A drug."""

    weight = Input("kg", "body weight", default=70.0)
    central = State("mg", "drug in the centre")
    brake_1 = State("1", "slow brake", init=0.1)
    CL = Param(10.0, "L/h", "clearance", source="assumed", spread=lognormal(cv=0.3))
    V = Param(2.0, "L/kg", "volume & more", source="record_1", spread=normal(0.2))
    EC50 = Param(0.5, "mg/L", "half effect", source="fitted")
    n = Param(2.0, "1", "steepness", source="assumed")
    tau_brake = Param(3.0, "d", "time constant", source="assumed")
    f = Param(0.3, "1", "absorbed", source="assumed", spread=logitnormal(0.7))
    c = central / (V * weight)
    block = hill(c, EC50, n)
    central.dot = -CL * c
    brake_1.dot = (block - brake_1) / tau_brake
    plasma = Output(c, "ug/L", "concentration")
    effect = Output(block * (1 - brake_1), "1", "effect")
    oral = Route("swallowed", {central: f}, over={central: to(tau_brake, "h")}, lag=tau_brake)


def test_a_system_reads_like_a_methods_section():
    said = text(Drug)
    for line in (
        "c = central/(V*weight)",
        "block = hill(c, EC50, n)",
        "d(central)/dt = -CL*c",
        "d(brake_1)/dt = (block - brake_1)/tau_brake/24[to 1/h]",
        "plasma = 1000[to ug/L]*c",
        "effect = block*(1 - brake_1)",
        "hill(x, k, n) = x^n/(k^n + x^n)",
        "f of it into central, evenly over 24[to h]*tau_brake h",
    ):
        assert line in said, line
    (row,) = [line.split("  ") for line in said.splitlines() if line.strip().startswith("CL ")]
    assert [cell.strip() for cell in row if cell.strip()] == ["CL", "10", "L/h", "CV 30 %", "assumed", "clearance"]
    assert "SD 0.7 on the logit scale" in said
    assert "SD 0.2 L/kg" in said
    assert "[mg/h]" in said


def test_every_declared_thing_is_printed():
    for said in (text(Drug), latex(Drug)):
        for declared in (Drug.params, Drug.states):
            for thing in declared.values():
                if said.startswith("%") and isinstance(thing, State):
                    continue
                assert (words(thing.meaning) if said.startswith("%") else thing.meaning) in said


def test_a_placed_system_prints_its_own_numbers():
    m = Model("m")
    part = m.add(Drug, "drug_r", CL=Param(7.5, "L/h", "clearance of R", source="other"))
    said = text(part)
    assert said.startswith("drug_r (Drug)\n")
    assert "7.5" in said
    assert "clearance of R" in said
    assert "0.123" in text(part, {"f": 0.123})
    assert "0.123" in latex(part, {"f": 0.123})


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tau", r"\tau"),
        ("tau_on", r"\tau_{\mathrm{on}}"),
        ("V1", r"V_{\mathrm{1}}"),
        ("k12", r"k_{\mathrm{12}}"),
        ("ke0", r"\mathit{ke0}"),
        ("CL_NK", r"\mathrm{CL}_{\mathrm{NK}}"),
        ("EC50", r"\mathrm{EC}_{\mathrm{50}}"),
        ("fast_gain", r"\mathit{fast\_gain}"),
    ],
)
def test_latex_names(name, said):
    assert symbol(name) == said


def test_latex_of_a_hill_term_is_a_fraction():
    say = LatexPrinter({}).say
    assert say(hill(A, B)) == r"\frac{a}{b + a}"
    assert say(hill(A, B, D)) == r"\frac{{a}^{d}}{{b}^{d} + {a}^{d}}"
    assert say(hill(A, B) ** 2) == r"{\left(\frac{a}{b + a}\right)}^{2}"


@settings(max_examples=60, deadline=None)
@given(expressions)
def test_latex_of_any_expression_parses(root):
    said = LatexPrinter({}).say(root)
    assert said.count("{") == said.count("}")
    assert said.count(r"\left(") == said.count(r"\right)")
    if "cases" not in said:  # matplotlib's reader of mathematics has no cases
        MathTextParser("agg").parse(f"${said}$")


def test_latex_of_a_system():
    said = latex(Drug)
    assert r"\frac{\mathrm{d}\mathit{central}}{\mathrm{d}t} &= -\mathrm{CL} \, c && \text{[mg/h]}" in said
    assert r"\underset{\text{to $\mu$g/L}}{1000} \, c" in said
    assert r"\underset{\text{to 1/h}}{\frac{1}{24}}" in said
    assert r"volume \& more" in said
    assert r"record\_1" in said
    body = said.split(r"\begin{align*}")[1].split(r"\end{align*}")[0]
    for line in body.strip().split("\\\\\n"):
        MathTextParser("agg").parse(
            "$" + line.split("&&")[0].replace("&", "").replace(r"\text{to $\mu$g/L}", "x") + "$"
        )
