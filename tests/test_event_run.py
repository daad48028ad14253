"""Any model with an event table in one call; models in files, and what is said of their faults."""

import numpy as np
import pandas as pd
import pytest

from afterglow.engine.records import read_events
from afterglow.errors import AfterglowError, InputError
from afterglow.event_run import EventModel, load_model
from afterglow.lang import Input, Model, Output, Param, State, System
from afterglow.library.textbook import OneCompartment
from event_tables import dose, look, table


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    """Machine code of test models stays out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AFTERGLOW_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def model(own_cache):  # noqa: ARG001
    return EventModel(OneCompartment, threads=1)


def test_from_a_file_to_a_table_in_one_call(model, tmp_path):
    file = tmp_path / "doses.csv"
    file.write_text("id,time,evid,amt,cmt,dv\n7,0,1,100,central,.\n7,5,0,.,.,3.1\n8,0,1,50,2,.\n8,5,0,.,.,1.2\n")
    run = model.run(file, {"CL": [1.0, 2.0], "VC": 10.0})
    assert run.problems == []
    assert run.status.tolist() == [0, 0]
    assert run.frame["DV"].tolist()[1::2] == [3.1, 1.2]
    assert run.frame["CP"].to_numpy()[1::2] == pytest.approx([10 * np.exp(-0.5), 5 * np.exp(-1.0)], rel=1e-7)
    assert run.frame["CP"].isna().tolist() == [True, False, True, False]
    again = model.run(read_events(file), {"CL": [1.0, 2.0], "VC": 10.0})
    pd.testing.assert_frame_equal(run.frame, again.frame)


def test_columns_that_set_parameters_are_named(model):
    run = model.run(table([dose(100, 2, CL=2.0, WT=70.0), look(1.0)]))
    assert run.used == {"CL": "OneCompartment.CL"}


def test_a_column_of_the_table_is_not_written_over(model):
    seen = model.run(table([dose(100, 2), look(0.0) | {"CP": 4.8}])).frame
    assert seen["CP"][1] == 4.8
    assert seen["OneCompartment.CP"][1] == pytest.approx(5.0)


def test_wrong_parameters_are_all_named(model):
    frame = table([dose(100, 2), look(1.0)])
    with pytest.raises(InputError) as caught:
        model.run(frame, {"CLL": 1.0, "VC": [1.0, 2.0], "KA": np.nan})
    said = str(caught.value)
    assert "CLL: the model has no such parameter (did you mean" in said
    assert "VC: [1.0, 2.0] does not fit (give a number, or one for each of 1)" in said
    assert "KA: nan does not fit" in said
    with pytest.raises(InputError, match="no row looks at anything"):
        model.run(table([dose(100, 2)]))


def test_who_fails_is_said_and_the_others_go_on():
    class Blows(System):
        y = State("1", "grows without bound", init=1.0)
        r = Param(0.0, "1/h", "speed", source="assumed")
        y.dot = r * y * y
        out = Output(y, "1", "y")

    rows = table([look(0.5), look(2.0)])
    run = EventModel(Blows).run(pd.concat([rows.assign(ID=k) for k in range(9)]), {"r": [1.0] + [0.0] * 8})
    assert run.status.tolist()[1:] == [0] * 8
    assert run.problems
    assert run.problems[0].startswith("patient 0: stopped at")
    assert np.isnan(run.frame["out"].iloc[1])
    assert run.frame["out"].iloc[3] == 1.0


def test_wired_systems_run_too():
    class Effect(System):
        drug = Input("mg/L", "concentration")
        e = State("mg/L", "effect site")
        ke = Param(0.5, "1/h", "equilibration", source="assumed")
        e.dot = ke * (drug - e)
        site = Output(e, "mg/L", "effect site")

    m = Model("pkpd")
    pk, pd_ = m.add(OneCompartment, "pk"), m.add(Effect, "pd")
    m.wire(pk.CP, pd_.drug)
    model = EventModel(m, compartments=["pk.depot", "central"])
    run = model.run(table([dose(100, "central", ss=1, ii=12), look(3.0), look(40.0)]))
    assert model.outputs == ["CP", "site"]
    k, ke = 1.1 / 20, 0.5
    peak = 5 / (1 - np.exp(-k * 12))
    right = peak * ke / (ke - k) * (np.exp(-k * 3) - np.exp(-ke * 3))
    assert run.frame["site"][1] == pytest.approx(right, rel=1e-6), "the effect site starts untreated: SS is of the drug"


# ---- models in files -------------------------------------------------------------------------------------------------

GOOD = """from afterglow.lang import Input, Output, Param, Route, State, System


class Mine(System):
    central = State("mg", "drug")
    CL = Param(2.0, "L/h", "clearance", source="assumed")
    V = Param(20.0, "L", "volume", source="assumed")
    central.dot = -CL / V * central
    C = Output(central / V, "mg/L", "concentration")
    iv = Route("into a vein", {central: 1.0})
"""
TWO = """
from afterglow.lang import Model


class Loop(System):
    x = Input("1", "x")
    y = Output(2 * x, "1", "y")


m = Model("loop")
a, b = m.add(Loop, "a"), m.add(Loop, "b")
m.wire(a.y, b.x)
m.wire(b.y, a.x, feedback=True)
"""
FAULTS = {  # what is replaced in the good file by what, and what is then said
    "a unit that does not fit": (
        ("-CL / V * central", "-CL * central"),
        r"/bad\.py:8: the rate of 'central' must be in \[mg/h\].*check for a missing or extra factor",
    ),
    "a sum of two units": (
        ("-CL / V", "-(CL + V) / V"),
        r"bad\.py:8: .*'CL' \[L/h\].*'V' \[L\].*multiply one",
    ),
    "a unit that is none": (('"L/h"', '"L/hr2x"'), r"bad\.py:6: 'L/hr2x' is not a unit"),
    "a name that is not known": (
        ("-CL / V * central", "-CL / V * centrl"),
        r"bad\.py:8: 'centrl' is not known \(declare it first; did you mean 'central'\?\)",
    ),
    "a number without source": (
        (', "clearance", source="assumed"', ', "clearance"'),
        r"/bad\.py:6: a parameter has no source: give a record's id",
    ),
    "a state without equation": (
        ("    central.dot = -CL / V * central\n", ""),
        r"/bad\.py:4: state 'central' has no equation: write central\.dot",
    ),
    "a state with two equations": (
        ("    C = Output", "    central.dot = 0.0\n    C = Output"),
        r"/bad\.py:9: state 'central' has two equations",
    ),
    "an input that nothing drives": (
        ("    V =", '    W = Input("kg", "weight")\n    V ='),
        r"inputs that nothing drives and that have no default: Mine\.W",
    ),
    "a question of truth": (
        ("-CL / V * central", "-CL / V * central if central > 0 else 0.0"),
        r"bad\.py:8: the truth of .* is not known while a model is traced; use where",
    ),
    "a dose that is no number": (
        ("{central: 1.0})", "{central: V})"),
        r"bad\.py:10: the fraction into 'central' is in",
    ),
    "a syntax error": (("{central: 1.0})", "{central: 1.0}"), r"bad\.py:\d+: is not Python"),
    "an import that fails": (
        ("from afterglow.lang", "import no_such_thing\nfrom afterglow.lang"),
        r"bad\.py:1: ModuleNotFoundError: .*no_such_thing.* \(mend this line\)",
    ),
    "two models": (("", ""), r"bad\.py: has 2 models: Mine, Other \(write one System, or wire one Model\)"),
    "an algebraic loop": (("", ""), r"algebraic loop: [ab]\.y -> .*let one of these pass through a state"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_models_file_is_said_with_place_and_remedy(tmp_path, fault):
    (old, new), said = FAULTS[fault]
    text = GOOD.replace(old, new)
    text += {"two models": GOOD.replace("Mine", "Other"), "an algebraic loop": TWO}.get(fault, "")
    assert text != GOOD
    file = tmp_path / "bad.py"
    file.write_text(text)
    with pytest.raises(AfterglowError, match=said):
        EventModel.of_file(file)


def test_a_model_in_a_file_runs(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(GOOD)
    run = EventModel.of_file(file).run(table([dose(100, "central", dur=2.0), look(2.0)]))
    assert run.frame["C"][1] == pytest.approx(50 / 2.0 * -np.expm1(-0.2), rel=1e-7)
    with pytest.raises(InputError, match="cannot be read"):
        load_model(tmp_path / "none.py")
    file.write_text("x = 1\n")
    with pytest.raises(InputError, match="has 0 models: none"):
        load_model(file)
