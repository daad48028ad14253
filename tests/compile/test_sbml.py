"""The exported SBML says what the program says."""

import sys
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings

from afterglow.compile.program import program
from afterglow.compile.sbml import Change, identifier, sbml
from afterglow.compile.sbml.units import HOUR, units
from afterglow.engine.actions import Actions
from afterglow.errors import ModelError
from afterglow.lang import Symbol, evaluate
from afterglow.lang.expr import Expr, const, is_const
from afterglow.systems.whole import whole
from machine import bare_program
from random_expressions import SYMBOLS, expressions, points
from toys import Jump, Stiff, TwoCompartments, toy

libsbml = pytest.importorskip("libsbml")


@cache
def whole_program():
    return program(whole().flatten())


@cache
def whole_text():
    return sbml(whole_program())


def problems(text: str) -> list[str]:
    document = libsbml.readSBMLFromString(text)
    document.checkConsistencyWithStrictUnits()
    return [document.getError(k).getMessage() for k in range(document.getNumErrors())]


class Reader:
    """Evaluates a document by itself: nothing of afterglow in it."""

    def __init__(self, text: str, known: dict[str, float]) -> None:
        self.document = libsbml.readSBMLFromString(text)  # keeps the model alive
        self.model = self.document.getModel()
        self.known = dict(known)
        m = self.model
        for k in range(m.getNumParameters()):
            p = m.getParameter(k)
            if p.isSetValue():
                self.known.setdefault(p.getId(), p.getValue())
        rules = [m.getRule(k) for k in range(m.getNumRules())]
        self.rates = {r.getVariable(): r.getMath() for r in rules if r.isRate()}
        self.math = {r.getVariable(): r.getMath() for r in rules if r.isAssignment()}
        initial = [m.getInitialAssignment(k) for k in range(m.getNumInitialAssignments())]
        self.math |= {a.getSymbol(): a.getMath() for a in initial if a.getSymbol() not in self.known}

    def value(self, name: str) -> float:
        if name not in self.known:
            self.known[name] = self._at(self.math[name], {})
        return self.known[name]

    def rate(self, name: str) -> float:
        return self._at(self.rates[name], {})

    def _at(self, node, local: dict[str, float]) -> float:
        kind = node.getType()
        children = [node.getChild(k) for k in range(node.getNumChildren())]
        if node.isNumber():
            return float(node.getValue())
        if kind == libsbml.AST_NAME:
            return local[node.getName()] if node.getName() in local else self.value(node.getName())
        if kind == libsbml.AST_FUNCTION_PIECEWISE:
            yes, test, no = children
            return self._at(yes if self._at(test, local) else no, local)
        said = [self._at(c, local) for c in children]
        if kind == libsbml.AST_FUNCTION:
            f = self.model.getFunctionDefinition(node.getName())
            names = [f.getArgument(k).getName() for k in range(f.getNumArguments())]
            return self._at(f.getBody(), dict(zip(names, said, strict=True)))
        if kind == libsbml.AST_MINUS:
            return -said[0] if len(said) == 1 else said[0] - said[1]
        return {
            libsbml.AST_PLUS: lambda: sum(said),
            libsbml.AST_TIMES: lambda: float(np.prod(said)),
            libsbml.AST_DIVIDE: lambda: said[0] / said[1],
            libsbml.AST_POWER: lambda: said[0] ** said[1],
            libsbml.AST_FUNCTION_POWER: lambda: said[0] ** said[1],
            libsbml.AST_FUNCTION_EXP: lambda: np.exp(said[0]),
            libsbml.AST_FUNCTION_LN: lambda: np.log(said[0]),
            libsbml.AST_FUNCTION_TANH: lambda: np.tanh(said[0]),
            libsbml.AST_FUNCTION_MAX: lambda: max(said),
            libsbml.AST_FUNCTION_MIN: lambda: min(said),
            libsbml.AST_RELATIONAL_GT: lambda: float(said[0] > said[1]),
        }[kind]()


@pytest.mark.parametrize("system", [TwoCompartments, Stiff, Jump])
def test_libsbml_finds_no_fault_in_small_models(system):
    assert problems(sbml(toy(system).program)) == []


def test_libsbml_finds_no_fault_in_the_whole_model():
    assert problems(whole_text()) == []


def test_units_that_follow_from_the_parts_are_those_declared():
    """Dimension and scale; libSBML does not look at every scale."""
    model = whole_program()
    found = units(model, [*model.rhs, *model.values])
    for name, symbol, rate in zip(model.states, model.y, model.rhs, strict=True):
        assert is_const(rate, 0.0) or found[id(rate)].same(symbol.unit / HOUR), name
    for name, value in zip(model.outputs, model.values, strict=True):
        assert is_const(value, 0.0) or found[id(value)].same(model.model.output_meta[name].unit), name


def test_shared_parts_stay_shared():
    """Written out as trees, the equations of the whole model would be far longer."""
    assert len(whole_text()) < 500_000


@given(expressions, points)
@settings(max_examples=100, deadline=None)
def test_any_expression_has_the_same_value(expression, point):
    values = dict(zip(SYMBOLS, point, strict=True))
    model = bare_program(SYMBOLS[:1], SYMBOLS[1:], [expression], [expression])
    names = {identifier(s.name): v for s, v in values.items()}
    reader = Reader(sbml(model, changing=("b", "c", "d")), names)
    expected = evaluate([expression], values)[0]
    assert reader.rate("a") == pytest.approx(expected, rel=1e-10, abs=1e-12)
    assert reader.value("out0") == pytest.approx(expected, rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("trial", range(3))
def test_rates_and_outputs_of_the_whole_model(trial):
    model = whole_program()
    rng = np.random.default_rng(trial)
    slots = dict(zip(model.p, model.defaults, strict=True))
    start = evaluate(model.init, slots)
    values = slots | {s: v * rng.uniform(0.5, 1.5) + rng.uniform(0, 0.1) for s, v in zip(model.y, start, strict=True)}
    reader = Reader(whole_text(), {identifier(n): values[s] for n, s in zip(model.states, model.y, strict=True)})
    rates = [reader.rate(identifier(n)) for n in model.states]
    assert rates == pytest.approx(evaluate(model.rhs, values), rel=1e-9, abs=1e-12)
    outputs = [reader.value(identifier(n)) for n in model.outputs]
    assert outputs == pytest.approx(evaluate(model.values, values), rel=1e-9, abs=1e-12)


def test_initial_values():
    model = whole_program()
    reader = Reader(whole_text(), {})
    expected = evaluate(model.init, dict(zip(model.p, model.defaults, strict=True)))
    assert [reader.value(identifier(n)) for n in model.states] == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_a_hill_term_is_zero_below_zero():
    x = Symbol("x", None)
    model = bare_program([x], [], [Expr("hill", (x, const(2.0, None), const(2.5, None)))], [x])
    assert Reader(sbml(model), {"x": -1.0}).rate("x") == 0.0


def test_inputs_may_change_and_parameters_may_not():
    model = toy(Stiff).program
    sheet = libsbml.readSBMLFromString(sbml(model))
    constant = {n: sheet.getModel().getParameter(identifier(n)).getConstant() for n in model.slots}
    assert {n for n, fixed in constant.items() if not fixed} == {"toy.tone", "rate:toy.drug"}


def test_changes_of_one_time_are_one_event_that_counts_them_all():
    doses = [Change(1.0, "toy.central", 1.0, add=True), Change(1.0, "toy.central", 2.0, add=True)]
    doses += [Change(1.0, "rate:toy.depot", 5.0), Change(1.0, "rate:toy.depot", 2.0, add=True)]
    model = libsbml.readSBMLFromString(text := sbml(toy(TwoCompartments).program, changes=doses)).getModel()
    assert problems(text) == []
    event = model.getEvent(0)
    said = [libsbml.formulaToL3String(event.getEventAssignment(k).getMath()) for k in range(2)]
    assert (model.getNumEvents(), said) == (1, ["toy__central + 3 mg", "7 mg_per_h"])


def test_without_units_of_the_symbols_nothing_has_one():
    x = Symbol("x", None)
    assert "units" not in sbml(bare_program([x], [], [Expr("mul", (const(-2.0, None), x))], [x]))


def test_only_the_outputs_that_are_asked_for():
    text = sbml(toy(Stiff).program, outputs=["toy.m"])
    assert 'id="toy__m"' in text
    assert 'id="toy__b"' not in text


def test_doses_are_events():
    doses = [Change(0.0, "toy.central", 100.0, add=True), Change(12.0, "rate:toy.depot", 5.0)]
    text = sbml(toy(TwoCompartments).program, changes=doses)
    assert problems(text) == []
    document = libsbml.readSBMLFromString(text)
    events = [document.getModel().getEvent(k) for k in range(document.getModel().getNumEvents())]
    said = [libsbml.formulaToL3String(e.getEventAssignment(0).getMath()) for e in events]
    assert said == ["toy__central + 100 mg", "5 mg_per_h"]
    assert [libsbml.formulaToL3String(e.getTrigger().getMath()) for e in events] == ["time >= 0 h", "time >= 12 h"]


# ---- what is refused


def test_an_operation_that_sbml_does_not_have_is_named():
    x = Symbol("x", None)
    model = bare_program([x], [], [Expr("hill_dx", (x, const(2.0, None), const(2.0, None)))], [x])
    with pytest.raises(ModelError, match="hill_dx"):
        sbml(model)


@pytest.mark.parametrize(
    "options", [{"outputs": ["toy.q"]}, {"changing": ["toy.q"]}, {"changes": [Change(0, "toy.q", 1)]}]
)
def test_unknown_names_are_refused(options):
    with pytest.raises(ModelError, match=r"toy\.q"):
        sbml(toy(TwoCompartments).program, **options)


@pytest.mark.parametrize("change", [Change(-1.0, "toy.central", 1.0), Change(1.0, "toy.central", float("nan"))])
def test_events_before_the_start_or_without_a_number_are_refused(change):
    with pytest.raises(ModelError, match="start at 0 h"):
        sbml(toy(TwoCompartments).program, changes=[change])


def test_names_that_become_the_same_are_refused():
    a, b = Symbol("a.b", None), Symbol("a:b", None)
    with pytest.raises(ModelError, match="a__b"):
        sbml(bare_program([a, b], [], [a, b], []))


def test_without_libsbml_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "libsbml", None)
    with pytest.raises(ModelError, match=r"afterglow\[export\]"):
        sbml(toy(TwoCompartments).program)


# ---- another simulator


def test_another_simulator_finds_the_same_course():
    roadrunner = pytest.importorskip("roadrunner")
    small = toy(TwoCompartments)
    doses = [Change(0.0, "toy.central", 100.0, add=True), Change(6.0, "toy.depot", 50.0, add=True)]
    doses += [Change(12.0, "rate:toy.depot", 5.0), Change(14.0, "rate:toy.depot", 0.0)]
    simulator = roadrunner.RoadRunner(sbml(small.program, changes=doses))
    simulator.integrator.relative_tolerance, simulator.integrator.absolute_tolerance = 1e-10, [1e-10] * 3
    times = [1.0, 5.0, 7.0, 13.0, 20.0, 24.0]
    seen = np.array(simulator.simulate(times=[0.0, *times], selections=["toy__c", "toy__p", "toy__d"]))[1:]

    actions = Actions()
    actions.bolus([0], 0.0, small.place("central"), 100.0)
    actions.bolus([0], 6.0, small.place("depot"), 50.0)
    actions.infusion([0], 12.0, small.place("rate:toy.depot"), 10.0, 2.0)
    slots = small.slots(1)
    judged = small.judged(slots, actions.table(1), 0, times)
    columns = [small.program.output[f"toy.{n}"] for n in "cpd"]
    assert seen == pytest.approx(judged[:, columns], rel=1e-6, abs=1e-7)
