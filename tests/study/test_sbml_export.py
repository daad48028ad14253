"""The exported model is valid, says where its numbers come from, and other simulators find the same course."""

import re
import warnings
from functools import cache

import numpy as np
import pytest

from afterglow import data
from afterglow.clinic.course import load_course
from afterglow.compile.sbml import identifier
from afterglow.compile.vector import LANES
from afterglow.compiled import compiled
from afterglow.engine.actions import ADD_STATE, SET_SLOT, Actions
from afterglow.errors import InputError, ModelError
from afterglow.lang import evaluate
from afterglow.machine import Machine
from afterglow.sbml_run import SbmlModel
from afterglow.study.sbml_export import document, notes, written

libsbml = pytest.importorskip("libsbml")

COURSES = ("iv-induction", "nasal-esketamine", "iv-psychotherapy")
PERSON = "person: A\nage: 61\nweight: 81 kg\nbaseline: {MADRS: 37}\ncrp: 6\n"


@cache
def text(course=None, system=None):
    return document(system, course=course, weeks=8.0)


@cache
def sheet(course=None, system=None):
    return libsbml.readSBMLFromString(text(course, system))


def problems(found):
    """Everything that libSBML's checks say, warnings too; those of units as errors."""
    found.checkConsistencyWithStrictUnits()
    return [found.getError(k).getMessage() for k in range(found.getNumErrors())]


# ---- valid


@pytest.mark.parametrize("course", [None, *COURSES])
def test_libsbml_finds_no_fault_and_warns_of_nothing(course):
    assert problems(sheet(course)) == []


@pytest.mark.parametrize("system", list(compiled().model.parts))
def test_nor_in_any_system_alone(system):
    assert problems(sheet(None, system)) == []


def test_everything_has_a_unit():
    model = sheet("iv-induction").getModel()
    assert all(model.getParameter(k).isSetUnits() for k in range(model.getNumParameters()))
    assert model.getTimeUnits() == "h"
    assert "<cn>" not in text("iv-induction")


@pytest.mark.parametrize("unit", ["mg", "year", "unit_1_per_24"])
def test_the_judge_would_see_a_wrong_unit_of_one_number(unit):
    assert problems(libsbml.readSBMLFromString(text().replace(f'units="{unit}"', 'units="dimensionless"', 1))) != []


# ---- where numbers come from


def test_sources_stand_with_their_parameters():
    model, records = compiled().program, data.parameter_records()
    found = sheet().getModel()
    cited = 0
    for name in model.slots:
        parameter = model.model.params.get(name)
        record = records.get(parameter.source) if parameter is not None else None
        doi = record.citation.doi if record and record.citation else None
        terms = [found.getParameter(identifier(name)).getCVTerm(k) for k in range(bool(doi))]
        assert [t.getResourceURI(0) for t in terms] == [f"https://identifiers.org/doi:{doi}"] * bool(doi)
        cited += bool(doi)
    assert cited > 50


def test_notes_say_meaning_grade_and_spread():
    known = notes(compiled().program)
    spread = next(n for n, p in compiled().program.model.params.items() if p.spread is not None)
    assert any(line.startswith("Between people: ") for line in known[spread].lines)
    grades = {line for n in compiled().program.model.params for line in known[n].lines if line.startswith("Grade")}
    assert grades == {"Grade: page.", "Grade: derived.", "Grade: assumed.", "Grade: fitted."}
    assert "Grade" in sheet().getModel().getParameter(identifier(spread)).getNotesString()


def test_the_model_says_who_made_it_and_under_which_licence():
    said = document(notice="Not a medical device.")
    assert "Not a medical device." in said
    assert "The afterglow developers" in said
    assert "https://spdx.org/licenses/Apache-2.0" in said
    assert document(notice="Not a medical device.") == said


# ---- one person, one system, one course


def test_a_person_file_sets_what_it_says(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(PERSON)
    one, usual = (dict(zip(w.model.slots, w.model.defaults, strict=True)) for w in (written(person=path), written()))
    assert one["ketamine_s.weight"] == one["ketamine_r.weight"] == 81
    assert one["mood.baseline"] == 37
    assert one["inflammation.crp_high"] == 1
    assert one["monoamines.failed_trials"] == usual["monoamines.failed_trials"]


def test_the_course_delivers_its_doses(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(PERSON)
    total, rates = 0.0, {}
    for change in written(course="iv-induction", person=path).changes:
        if change.name.startswith("rate:"):
            since, rate = rates.get(change.name, (0.0, 0.0))
            total += rate * (change.time_h - since)
            rates[change.name] = change.time_h, change.value
    assert total == pytest.approx(len(load_course("iv-induction").regimen(8).administrations) * 0.5 * 81)
    assert all(rate == pytest.approx(0.0, abs=1e-9) for _, rate in rates.values())


def test_a_system_alone_starts_as_in_the_whole():
    """Its inputs are held where they rest, so rates and outputs at the start are the same."""
    whole = compiled().program
    slots = dict(zip(whole.p, whole.defaults, strict=True))
    start = slots | dict(zip(whole.y, evaluate(whole.init, slots), strict=True))
    outputs = dict(zip(whole.outputs, evaluate(whole.values, start), strict=True))
    rates = dict(zip(whole.states, evaluate(whole.rhs, start), strict=True))
    for name in compiled().model.parts:
        one = written(name).model
        own = dict(zip(one.p, one.defaults, strict=True))
        own |= dict(zip(one.y, evaluate(one.init, own), strict=True))
        assert evaluate(one.values, own) == pytest.approx([outputs[n] for n in one.outputs], rel=1e-12, abs=1e-15)
        assert evaluate(one.rhs, own) == pytest.approx([rates[n] for n in one.states], rel=1e-12, abs=1e-15)


def test_decisions_on_scores_are_refused():
    with pytest.raises(ModelError, match=r"iv-boosters.*decides by scores.*check 1"):
        written(course="iv-boosters")


def test_wrong_options_are_told_at_once():
    with pytest.raises(InputError) as caught:
        written("mod", course="iv-induction", weeks=-1, variant="inertt")
    assert [fault.place for fault in caught.value.faults] == ["--weeks", "--system", "--course", "--variant"]


# ---- other simulators

TIMES = np.sort([0.3, 1.0, 2.5, 5.0, 13.0, *(24.0 * np.arange(0.5, 56.0))])


@cache
def ours(course):
    """Outputs [times, outputs] of the typical person, and the program."""
    one = written(course=course, weeks=8.0)
    model, actions, who = one.model, Actions(), np.arange(LANES)
    for change in one.changes:
        if change.add:
            actions.add(ADD_STATE, who, change.time_h, model.state[change.name], change.value)
        else:
            actions.add(SET_SLOT, who, change.time_h, model.slot[change.name], change.value)
    slots = np.repeat(np.array(model.defaults)[:, None], LANES, axis=1)
    done = Machine(model, 1e-10, 1).run(slots, actions, TIMES, range(len(model.outputs)), until=8 * 168.0)
    assert not done.status.any()
    return done.values[0], model


def furthest(seen, course):
    """Largest relative difference; what is less than a thousandth of its own largest value counts as that."""
    expected, _ = ours(course)
    size = np.maximum(np.abs(expected), 1e-3 * np.abs(expected).max(axis=0))
    return (np.abs(seen - expected) / np.where(size > 0, size, 1.0)).max()


@pytest.mark.slow
@pytest.mark.parametrize("course", COURSES)
def test_libroadrunner_finds_the_same_course(course):
    roadrunner = pytest.importorskip("roadrunner", reason="pip install libroadrunner")
    model = ours(course)[1]
    simulator = roadrunner.RoadRunner(text(course))
    ids = [simulator.model.getStateVectorId(k) for k in range(len(model.states))]
    size = dict(zip(map(identifier, model.states), model.sizes, strict=True))
    simulator.integrator.relative_tolerance = 1e-10
    simulator.integrator.absolute_tolerance = [1e-12 * size[i] for i in ids]
    names = [identifier(n) for n in model.outputs]
    assert furthest(np.array(simulator.simulate(times=[0.0, *TIMES], selections=names))[1:], course) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("course", COURSES)
def test_copasi_finds_the_same_course(course):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its imports
        basico = pytest.importorskip("basico", reason="pip install copasi-basico")
    loaded = basico.load_model_from_string(text(course))
    wanted = ["Time", *(f"Values[{n}]" for n in ours(course)[1].outputs)]
    frame = basico.run_time_course_with_output(
        wanted, values=[0.0, *TIMES], start_time=0, duration=8 * 168, method="deterministic", use_numbers=False,
        r_tol=1e-10, a_tol=1e-12, max_steps=10**7, automatic=False, model=loaded,
    ).to_numpy()  # fmt: skip
    rows = np.searchsorted(frame[:, 0], TIMES - 1e-9)
    assert frame[rows, 0] == pytest.approx(TIMES)
    assert furthest(frame[rows, 1:], course) < 1e-5


@pytest.mark.slow
def test_and_so_does_our_own_reader():
    frame = SbmlModel.of_text(text("iv-induction"), rtol=1e-9).run(TIMES)
    seen = frame[[identifier(n) for n in ours("iv-induction")[1].outputs]].to_numpy()
    assert furthest(seen, "iv-induction") < 1e-5


def test_numbers_keep_fifteen_digits():
    """libSBML writes so many: more than any tolerance asks for."""
    model = compiled().program
    found = {n: float(v) for n, v in re.findall(r'<parameter[^>]* id="(\w+)"[^>]* value="([^"]+)"', text())}
    expected = {identifier(n): v for n, v in zip(model.slots, written().model.defaults, strict=True)}
    assert found == pytest.approx({n: expected[n] for n in found}, rel=1e-14)
    assert len(found) == len(expected)
