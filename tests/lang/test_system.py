"""A class body is traced into a system; what is wrong with it is said with place, expression, units and remedy."""

import inspect
import math

import pytest

from afterglow.errors import ModelError, UnitError
from afterglow.lang import Input, Output, Param, Route, State, System, exp, hill, lognormal, maximum, sqrt, to


def line_of(marker):
    """`file:line` of the source line that ends with the comment `marker`."""
    source = inspect.getsource(inspect.getmodule(line_of)).splitlines()
    (line,) = [n for n, text in enumerate(source, 1) if text.endswith(f"# <- {marker}")]
    return f"lang/test_system.py:{line}"


def test_names_kinds_and_order():
    class Depot(System):
        temperature = Input("K", "temperature", default=310.0)
        amount = State("mg", "amount")
        rate_constant = Param(0.5, "1/h", "rate", source="assumed", spread=lognormal(cv=0.3))
        loss = rate_constant * amount
        amount.dot = -loss
        left = Output(amount, "ug", "amount left")
        iv = Route("into a vein", {amount: 1.0})

    assert list(Depot.inputs) == ["temperature"]
    assert list(Depot.states) == ["amount"]
    assert list(Depot.params) == ["rate_constant"]
    assert list(Depot.terms) == ["loss"]
    assert list(Depot.outputs) == ["left"]
    assert list(Depot.routes) == ["iv"]
    assert Depot.states["amount"].name == "amount"
    assert Depot.params["rate_constant"].spread.size == pytest.approx(math.sqrt(math.log(1.09)))


def test_a_second_name_for_a_symbol_is_not_a_second_symbol():
    class Alias(System):
        x = State("1", "x")
        same = x
        x.dot = 0.0

    assert list(Alias.states) == ["x"]


def test_a_rate_is_converted_to_hours():
    class Slow(System):
        x = State("1", "x")
        tau = Param(2.0, "d", "time constant", source="assumed")
        x.dot = -x / tau

    rate = Slow.states["x"].dot
    assert rate.op == "mul"
    assert rate.args[0].value == pytest.approx(1 / 24)


def test_a_sum_of_different_dimensions():
    with pytest.raises(UnitError) as e:

        class Wrong(System):
            drug = Input("mg/L", "drug")
            tau = Param(1.0, "h", "time", source="assumed")
            level = drug * 2 + tau  # <- sum

    said = str(e.value)
    assert line_of("sum") in said
    assert "'drug*2' [mg/L]" in said
    assert "'tau' [h]" in said
    assert "multiply one by a parameter that carries the missing unit" in said


@pytest.mark.parametrize("operation", [lambda x, y: x - y, lambda x, y: y + x, maximum, lambda x, y: x > y, hill])
def test_the_same_dimension_at_another_scale(operation):
    here, there = Input("mg/L", "here"), Input("ug/L", "there")
    here.name, there.name = "here", "there"
    with pytest.raises(UnitError) as e:
        operation(here, there)
    said = str(e.value)
    assert "lang/test_system.py:" in said
    assert "'here' [mg/L]" in said
    assert "'there' [ug/L]" in said
    assert "differ by a factor" in said
    assert "convert one: to(" in said


def test_the_remedy_for_a_scale_works():
    here, there = Input("mg/L", "here"), Input("ug/L", "there")
    total = to(here, "ug/L") + there
    assert str(total.unit) == "ug/L"


def test_functions_and_exponents_want_pure_numbers():
    dose, n = Input("mg", "dose"), Input("1", "n")
    for wrong in (lambda: exp(dose), lambda: n**dose):
        with pytest.raises(UnitError, match="divide it by a reference value"):
            wrong()
    with pytest.raises(UnitError, match="must be a plain number"):
        dose**n
    assert str(sqrt(dose * dose).unit) == "mg"


def test_a_literal_zero_fits_any_unit():
    dose = Input("mg", "dose")
    assert maximum(dose, 0.0).unit == dose.unit
    with pytest.raises(UnitError, match="a pure number"):
        maximum(dose, 1.0)


@pytest.mark.parametrize(
    ("what", "problem"),
    [
        (
            lambda: Output(Input("mg", "x"), "h", "wrong"),
            r"an output must be in \[h\].*\[mg\].*missing or extra factor",
        ),
        (lambda: State("mgg", "x"), "'mgg' is not a unit"),
        (lambda: Input("mgg", "x"), "'mgg' is not a unit"),
        (lambda: Param(1.0, "hourz", "x", source="assumed"), "'hourz' is not a unit"),
        (lambda: Param(math.nan, "h", "x", source="assumed"), "nan is not a finite number"),
        (lambda: Param(-1.0, "h", "x", source="assumed"), "outside its bounds"),
        (lambda: State("mg", "x", init=math.inf), "not a finite number"),
        (lambda: State("mg", "x", size=0.0), "size above zero"),
        (lambda: State("mg", "x", bounds=(1.0, 0.0)), "bounds in order"),
        (lambda: lognormal(), "either cv or omega"),
        (lambda: lognormal(cv=0.3, omega=0.3), "either cv or omega"),
        (lambda: Route("iv", {State("mg", "x"): Input("mg", "y")}), "must be a pure number"),
        (lambda: Route("iv", {}, lag=Input("mg", "y")), r"a lag must be in \[h\]"),
    ],
)
def test_a_declaration_that_cannot_be(what, problem):
    with pytest.raises(ModelError, match=problem) as e:
        what()
    assert "lang/test_system.py:" in str(e.value)


def test_a_state_with_two_equations():
    with pytest.raises(ModelError, match="state 'x' has two equations") as e:

        class Twice(System):
            x = State("1", "x")
            x.dot = 0.0
            x.dot = 0.0  # <- twice

    assert line_of("twice") in str(e.value)


def test_a_state_without_an_equation():
    with pytest.raises(ModelError, match=r"state 'y' has no equation: write y.dot = \.\.\.") as e:

        class Half(System):  # <- half
            x = State("1", "x")
            y = State("1", "y")
            x.dot = 0.0

    assert line_of("half") in str(e.value)


def test_the_unit_of_a_rate_is_per_hour_of_its_state():
    with pytest.raises(UnitError) as e:

        class Wrong(System):
            amount = State("mg", "amount")
            clearance = Param(1.0, "L/h", "clearance", source="assumed")
            amount.dot = -clearance * amount  # <- rate

    said = str(e.value)
    assert line_of("rate") in said
    assert "the rate of 'amount' must be in [mg/h]" in said
    assert "is in [L*mg/h]" in said or "is in [L/h*mg]" in said


def test_a_symbol_that_was_replaced_is_not_used_silently():
    with pytest.raises(ModelError, match="uses 'k', which is assigned twice"):

        class Replaced(System):
            x = State("1", "x")
            k = Param(1.0, "1/h", "first", source="assumed")
            x.dot = -k * x
            k = Param(2.0, "1/h", "second", source="assumed")  # noqa: PIE794


def test_a_symbol_of_another_system_is_refused():
    class One(System):
        foreign = Param(1.0, "1/h", "rate", source="assumed")

    with pytest.raises(ModelError, match="an equation of Two uses 'foreign', which belongs to another system"):

        class Two(System):
            x = State("1", "x")
            x.dot = -One.params["foreign"] * x
