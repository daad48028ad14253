"""The catalogue adds up, and says of every number where it comes from."""

import pytest

from afterglow.data import parameter_records
from afterglow.errors import InputError
from afterglow.lang import Input, Model, Output, Param, State, System
from afterglow.systems import catalogue
from afterglow.systems.whole import whole


@pytest.fixture(scope="module")
def model():
    return whole()


class Plasma(System):
    amount = State("mg", "drug in plasma")
    k = Param(0.5, "1/h", "elimination", source="assumed")
    v = Param(20.0, "L", "volume", source="fitted")
    amount.dot = -k * amount
    level = Output(amount / v, "mg/L", "concentration")


class Effect(System):
    level = Input("ug/L", "concentration")
    e = State("ug/L", "effect site")
    ke = Param(2.0, "1/h", "equilibration", source="assumed")
    e.dot = ke * (level - e)
    now = Output(e, "ug/L", "effect")


@pytest.fixture
def toy():
    m = Model("toy")
    s, _ = m.add(Plasma, "s"), m.add(Plasma, "r", k=Param(0.7, "1/h", "elimination of R", source="assumed"))
    effect = m.add(Effect, "effect")
    m.wire(s.level, effect.level)
    m.fixed = {"r.v": 33.0}
    return m


def test_one_row_a_class_and_the_sums_are_those_of_the_model(toy):
    first, second = catalogue.rows(toy)
    assert (first.name, first.states, first.parameters, first.assumed, first.fitted) == ("s, r", 2, 4, 2, 2)
    assert (second.name, second.states, second.parameters) == ("effect", 1, 1)
    assert first.title == "The catalogue adds up, and says of every number where it comes from."
    assert first.file == "test_catalogue.py"


def test_the_whole_model_adds_up(model):
    flat, rows = model.flatten(), catalogue.rows(model)
    assert sum(r.states for r in rows) == len(flat.states)
    assert sum(r.parameters for r in rows) == len(flat.params)
    grades = catalogue.parameters(model=model)["grade"]
    assert sum(r.assumed for r in rows) == (grades == "assumed").sum()
    assert sum(r.fitted for r in rows) == (grades == "fitted").sum()
    assert {name for r in rows for name in r.name.split(", ")} == set(model.parts)


def test_the_values_are_those_in_use(toy):
    table = catalogue.parameters(model=toy).set_index(["system", "name"])
    assert table.loc[("r", "k"), "value"] == 0.7
    assert table.loc[("r", "v"), "value"] == 33.0
    assert table.loc[("s", "v"), "value"] == 20.0
    assert "33" in catalogue.equations("r", model=toy)


def test_every_source_resolves(model):
    table = catalogue.parameters(model=model)
    missing = table[table["grade"] == "missing"]
    assert missing.empty, "\n" + missing[["system", "name", "source"]].to_string()
    cited = table[table["grade"] == "page"]
    assert (cited["citation"].str.len() > 20).all()
    assert set(table["source"]) <= {*parameter_records(), "assumed", "fitted"}


def test_every_system_prints_in_both_styles(model):
    for name, part in model.parts.items():
        plain, tex = catalogue.equations(name, model=model), catalogue.equations(name, "latex", model=model)
        assert plain.startswith(f"{name} (")
        for state in part.system.states:
            assert f"d({state})/dt = " in plain
        assert tex.count(r"\mathrm{d}t") == len(part.system.states)


def test_a_file_stands_for_all_that_it_defines(model):
    both = catalogue.equations("ketamine", model=model)
    assert "ketamine_s (" in both
    assert "ketamine_r (" in both
    assert len(catalogue.parameters("ketamine", model=model)["system"].unique()) == 2


def test_wires_tell_factor_and_feedback(toy, model):
    (wire,) = catalogue.wires("effect", model=toy).itertuples(index=False)
    assert tuple(wire) == ("s.level", "effect.level", pytest.approx(1000.0), False)
    assert catalogue.wires("r", model=toy).empty
    every = catalogue.wires(model=model)
    assert len(every) == len(model.wires)
    assert every["feedback"].sum() == sum(w.feedback for w in model.wires) > 0


@pytest.mark.parametrize("call", [catalogue.equations, catalogue.parameters, catalogue.wires])
def test_an_unknown_system_gets_a_suggestion(call, model):
    with pytest.raises(InputError, match=r"there is no system 'moods' \(did you mean 'mood'\?\)"):
        call("moods", model=model)


def test_an_unknown_style(model):
    with pytest.raises(InputError, match="there is no style 'markdown'"):
        catalogue.equations("mood", "markdown", model=model)


def test_what_is_not_modelled_is_said():
    assert "psilocybin" in catalogue.NOT_MODELLED
    assert "MDMA" in catalogue.NOT_MODELLED
