"""Systems put together: units at wires, declared feedback, loops, and what the flat model says."""

import math

import pytest

from afterglow.errors import ModelError, UnitError
from afterglow.lang import Input, Model, Output, Param, Route, State, System, Unit, evaluate
from afterglow.lang.expr import order


class Plasma(System):
    weight = Input("kg", "body weight", default=70.0)
    amount = State("mg", "drug in plasma")
    k = Param(0.5, "1/h", "elimination", source="assumed")
    volume = Param(2.0, "L/kg", "volume", source="assumed")
    amount.dot = -k * amount
    level = Output(amount / (volume * weight), "ug/L", "concentration")
    iv = Route("into a vein", {amount: 1.0})


class Effect(System):
    drug = Input("mg/L", "concentration")
    brake = Input("1", "brake", default=0.0)
    e = State("mg/L", "effect-site concentration")
    ke = Param(2.0, "1/h", "equilibration", source="assumed")
    e.dot = ke * (drug - e) * (1 - brake)
    now = Output(e, "mg/L", "effect")
    direct = Output(drug * (1 - brake), "mg/L", "passes through at once")


class Brake(System):
    effect = Input("mg/L", "what is seen")
    half = Param(1.0, "mg/L", "reference", source="assumed")
    out = Output(effect / half, "1", "brake")


def two():
    m = Model("two")
    return m, m.add(Plasma, "plasma"), m.add(Effect, "effect")


def test_a_wire_converts_and_reports_the_factor():
    m, plasma, effect = two()
    m.wire(plasma.level, effect.drug)
    (wire,) = m.wires
    assert (wire.source, wire.target, wire.feedback) == ("plasma.level", "effect.drug", False)
    assert wire.factor == pytest.approx(1e-3)
    flat = m.flatten()
    at = dict.fromkeys(flat.states.values(), 7.0) | {p: flat.values[n] for n, p in flat.params.items()}
    at |= {i: i.default for i in flat.open_inputs.values()}
    level, rate = evaluate([flat.outputs["plasma.level"], flat.dots["effect.e"]], at)
    assert level == pytest.approx(7 / 140 * 1000)
    assert rate == pytest.approx(2 * (7 / 140 - 7))


def test_a_wire_between_dimensions_is_refused():
    m, plasma, effect = two()
    with pytest.raises(UnitError) as e:
        m.wire(plasma.level, effect.brake)
    said = str(e.value)
    assert "lang/test_wiring.py:" in said
    assert "'plasma.level' [ug/L] -> 'effect.brake' [1]" in said


def test_feedback_must_be_declared():
    m, plasma, effect = two()
    brake = m.add(Brake, "brake")
    m.wire(plasma.level, effect.drug)
    m.wire(effect.now, brake.effect)
    with pytest.raises(ModelError, match="runs backwards; say feedback=True"):
        m.wire(brake.out, effect.brake)
    m.wire(brake.out, effect.brake, feedback=True)
    assert m.wires[-1].feedback
    assert m.flatten().dots


def test_an_algebraic_loop_is_refused_and_named():
    m, plasma, effect = two()
    brake = m.add(Brake, "brake")
    m.wire(plasma.level, effect.drug)
    m.wire(effect.direct, brake.effect)
    m.wire(brake.out, effect.brake, feedback=True)
    with pytest.raises(ModelError, match=r"algebraic loop: brake.out -> effect.direct -> brake.out; let one of these"):
        m.flatten()


def test_a_wire_to_itself_is_feedback():
    m = Model("one")
    effect = m.add(Effect, "effect")
    with pytest.raises(ModelError, match="runs backwards"):
        m.wire(effect.now, effect.drug)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (lambda m, p, e: m.wire(p.levels, e.drug), r"plasma has no output 'levels' \(did you mean 'level'\?\)"),
        (lambda m, p, e: m.wire(p.level, e.drugs), r"effect has no input 'drugs' \(did you mean 'drug'\?\)"),
        (lambda m, p, e: [m.wire(p.level, e.drug) for _ in "12"], "'effect.drug' is wired twice"),
        (lambda m, p, e: m.add(Plasma, "plasma"), "has a system 'plasma' already"),  # noqa: ARG005
        (
            lambda m, p, e: m.add(Plasma, "other", kk=Param(1.0, "1/h", "x", source="assumed")),  # noqa: ARG005
            r"Plasma has no parameter 'kk' \(did you mean 'k'\?\)",
        ),
        (
            lambda m, p, e: m.add(Plasma, "other", k=Param(1.0, "1/d", "x", source="assumed")),  # noqa: ARG005
            r"parameter 'k' of Plasma is in \[1/h\], not \[1/d\]",
        ),
    ],
)
def test_wrong_wires_and_places(wrong, problem):
    with pytest.raises(ModelError, match=problem) as e:
        wrong(*two())
    assert "lang/test_wiring.py:" in str(e.value)


def test_an_input_that_nothing_drives_needs_a_default():
    m, _, _ = two()
    with pytest.raises(ModelError, match=r"no default: effect\.drug$"):
        m.flatten()


def test_an_input_that_nothing_drives_may_be_held():
    m, _, _ = two()
    m.held = {"effect.drug": 3.0, "effect.brake": 0.5}
    flat = m.flatten()
    at = dict.fromkeys(flat.states.values(), 1.0) | {p: flat.values[n] for n, p in flat.params.items()}
    at |= {i: i.default for i in flat.open_inputs.values()}
    assert evaluate([flat.dots["effect.e"]], at) == pytest.approx([2 * (3 - 1) * 0.5])
    m.held["effect.brakes"] = 1.0
    with pytest.raises(ModelError, match=r"held.*effect\.brakes"):
        m.flatten()


def test_a_number_that_converts_carries_the_ratio_of_the_units():
    m, plasma, effect = two()
    m.wire(plasma.level, effect.drug)
    rate = m.flatten().dots["effect.e"]
    factors = {n.value: n.unit for n in order([rate]) if n.op == "const" and n.unit is not None and n.unit.converts}
    there, back = sorted(factors)
    assert (there, back) == pytest.approx((1e-3, 1e3))
    assert (factors[there] * Unit.parse("ug/L")).same(Unit.parse("mg/L"))
    assert (factors[back] * Unit.parse("mg/L")).same(Unit.parse("ug/L"))


def test_one_class_in_two_places_with_its_own_numbers():
    m = Model("pair")
    m.add(Plasma, "s")
    m.add(Plasma, "r", k=Param(0.7, "1/h", "elimination of R", source="assumed"))
    flat = m.flatten()
    assert flat.values == {"s.k": 0.5, "s.volume": 2.0, "r.k": 0.7, "r.volume": 2.0}
    assert list(flat.states) == ["s.amount", "r.amount"]
    assert flat.states["s.amount"] is not flat.states["r.amount"]


def test_other_values():
    m, plasma, effect = two()
    m.wire(plasma.level, effect.drug)
    flat = m.flatten().with_values({"plasma.k": 0.9})
    assert flat.values["plasma.k"] == 0.9
    assert flat.values["plasma.volume"] == 2.0
    with pytest.raises(ModelError, match=r"no parameter 'plasma.kk' \(did you mean 'plasma.k'\?\)"):
        flat.with_values({"plasma.kk": 1.0})
    with pytest.raises(ModelError, match=r"not a finite number: plasma.k = nan"):
        flat.with_values({"plasma.k": math.nan})


def test_what_holds_before_the_start_cannot_depend_on_a_state():
    class Early(System):
        x = State("1", "x")
        y = State("1", "y", init=x)
        x.dot = 0.0
        y.dot = 0.0
        give = Route("somehow", {x: y})

    m = Model("early")
    m.add(Early, "early")
    with pytest.raises(ModelError) as e:
        m.flatten()
    assert "the initial value of 'early.y' depends on 'early.x'" in str(e.value)
    assert "route 'early.give' depends on 'early.y'" in str(e.value)


def test_a_route_keeps_fractions_durations_and_lag():
    class Gut(System):
        body = State("mg", "in the body")
        gut = State("mg", "in the gut")
        f = Param(0.3, "1", "available", source="assumed")
        half_hour = Param(30.0, "min", "duration", source="assumed")
        gut.dot = 0.0
        body.dot = 0.0
        oral = Route("swallowed", {body: f, gut: 1 - f}, over={gut: half_hour}, lag=half_hour)

    m = Model("gut")
    m.add(Gut, "g")
    flat = m.flatten()
    route = flat.routes["g.oral"]
    at = {p: flat.values[n] for n, p in flat.params.items()}
    (first, share, over), (second, rest, later) = route.into
    assert (first, second, over) == ("g.body", "g.gut", None)
    assert evaluate([share, rest, later, route.lag], at) == pytest.approx([0.3, 0.7, 0.5, 0.5])
