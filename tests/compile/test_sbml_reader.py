"""What of SBML is read into which equations, and what is refused, by name and all at once."""

import pytest

from afterglow.compile.sbml import sbml
from afterglow.compile.sbml.reader import parse_sbml, read_sbml
from afterglow.errors import InputError
from afterglow.lang import evaluate
from sbml_models import formula, libsbml, sbml_model, text_of
from toys import TwoCompartments, toy

COMP = "http://www.sbml.org/sbml/level3/version1/comp/version1"
A = {"A": {"concentration": 3.0}}
DECAY = {"species": A, "parameters": {"k": 0.7}, "reactions": {"r": ("A ->", "k * A * c")}}


def refused(document, *names):
    with pytest.raises(InputError) as caught:
        parse_sbml(text_of(document), "m.xml")
    said = str(caught.value)
    for name in names:
        assert name in said
    return caught.value.faults


def test_everything_that_is_refused_is_named_at_once():
    document = sbml_model(
        parameters={"x": 1.0, "y": None, "z": 2.0}, rules={"y": "sin(x) + delay(x, 2)"}, version=(3, 1),
        events=[("x > 2", {"x": "0"}), ("time >= 1", {"z": "0"})], **{k: DECAY[k] for k in ("species", "reactions")},
    )  # fmt: skip
    m = document.getModel()
    m.getReaction(0).setFast(True)
    m.getEvent(1).createDelay().setMath(formula("1"))
    m.getEvent(1).createPriority().setMath(formula("1"))
    m.createAlgebraicRule().setMath(formula("z - 1"))
    m.createParameter().setId("k")
    m.getParameter("k").setConstant(True)
    m.getParameter("k").setValue(1.0)
    parts = "a fast reaction", "event e1: a delay", "event e1: a priority", "an algebraic rule"
    refused(document, *parts, "'sin'", "'delay'", "event e0: an event that something else than time triggers")


def test_formulas_that_are_left_out_are_named():
    """Level 3 Version 2 allows that."""
    document = sbml_model(events=[("time >= 1", {"k": "0"})], **DECAY)
    document.getModel().getReaction(0).unsetKineticLaw()
    document.getModel().getEvent(0).getEventAssignment(0).setMath(None)
    refused(document, "the law of r: a missing formula", "event e0: a missing formula")


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ({"parameters": {"x": 1.0, "y": None}, "rules": {"y": "sin(x)"}}, "'sin'"),
        ({"parameters": {"x": 1.0, "y": None}, "rules": {"y": "floor(x) + factorial(x)"}}, "'factorial'"),
        ({"parameters": {"x": 1.0, "y": None}, "rates": {"x": "1"}, "rules": {"y": "delay(x, 2)"}}, "'delay'"),
        ({"parameters": {"x": 1.0, "y": None}, "rates": {"x": "1"}, "rules": {"y": "rateOf(x)"}}, "'rateOf'"),
        ({"parameters": {"x": 1.0}, "rates": {"x": "1"}, "events": [("x > 2", {"x": "0"})]}, "event e0"),
        ({"parameters": {"x": 1.0}, "events": [("(time > 2) && (time < 3)", {"x": "0"})]}, "event e0"),
        ({"parameters": {"x": 1.0, "y": None}, "rules": {"y": "piecewise(1, 2 * time > x, 0)"}}, "condition on time"),
        ({"parameters": {"x": 1.0}, "rates": {"x": "k"}}, "k"),
        ({"parameters": {"x": 1.0, "k": None}, "rates": {"x": "k"}}, "k: a quantity without a value"),
        (
            {"parameters": {"x": 1.0, "y": None}, "rates": {"x": "1"}, "rules": {"y": "piecewise(1, x > 2)"}},
            "says nothing for everything else",
        ),
        ({"parameters": {"x": 1.0, "y": None}, "rules": {"y": "x / 0"}}, "divided by zero"),
    ],
)
def test_what_is_refused_is_named(parts, name):
    refused(sbml_model(**parts), name)


def test_several_faults_in_formulas_come_together():
    rules = {"y": "sin(x)", "z": "floor(x)"}
    faults = refused(sbml_model(parameters={"x": 1.0, "y": None, "z": None}, rules=rules), "'sin'", "'floor'")
    assert len(faults) == 2


def test_a_package_that_changes_the_meaning_is_refused():
    text = text_of(sbml_model(**DECAY)).replace(
        'level="3"',
        'xmlns:comp="http://www.sbml.org/sbml/level3/version1/comp/version1" comp:required="true" level="3"',
    )
    with pytest.raises(InputError, match="'comp'"):
        parse_sbml(text)


def test_a_file_that_is_wrong_is_told_by_line(tmp_path):
    path = tmp_path / "m.xml"
    path.write_text(text_of(sbml_model(**DECAY)).replace("<ci> k </ci>", "<ci> kk </ci>"))
    with pytest.raises(InputError, match=r"m\.xml:\d+.*kk"):
        read_sbml(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_sbml(tmp_path / "none.xml")


def test_what_never_changes_is_an_input_and_what_changes_is_a_state():
    found = parse_sbml(text_of(sbml_model(**DECAY))).model
    assert list(found.states) == ["A"]
    assert {n: i.default for n, i in found.open_inputs.items()} == {"c": 1.0, "initial.A": 3.0, "k": 0.7}
    assert set(found.outputs) == {"A", "r"}


def test_what_is_written_can_be_read_again():
    """Rates and outputs of a program that was exported and imported are those of the program."""
    model = toy(TwoCompartments).program
    found = parse_sbml(sbml(model))
    old = dict(zip(model.p, model.defaults, strict=True)) | {y: 1.0 + k for k, y in enumerate(model.y)}
    new = {i: i.default for i in found.model.open_inputs.values()}
    names = [n.replace(".", "__") for n in model.states]
    new |= {found.model.states[n]: old[y] for n, y in zip(names, model.y, strict=True)}
    assert evaluate([found.model.dots[n] for n in names], new) == pytest.approx(evaluate(model.rhs, old), rel=1e-12)
    outputs = [found.model.outputs[n.replace(".", "__")] for n in model.outputs]
    assert evaluate(outputs, new) == pytest.approx(evaluate(model.values, old), rel=1e-12)


def test_libsbml_is_the_judge_of_the_documents_of_these_tests():
    document = sbml_model(**DECAY)
    document.setConsistencyChecks(libsbml.LIBSBML_CAT_UNITS_CONSISTENCY, False)
    document.setConsistencyChecks(libsbml.LIBSBML_CAT_MODELING_PRACTICE, False)
    assert document.checkConsistency() == 0
