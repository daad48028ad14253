"""Matched controls: same visits, the studied ingredient taken out."""

import pytest

from afterglow.clinic.course import Course, load_course, parse_course, shipped_courses
from afterglow.clinic.drugs import DRUGS

WITHOUT = {"usual-care", "saline-single", "midazolam-single"}
DRUG = {
    "iv-single": "saline",
    "iv-induction": "saline",
    "iv-boosters": "saline",
    "iv-psychotherapy": "saline",
    "im-induction": "saline",
    "sc-induction": "midazolam",
    "nasal-esketamine": "placebo-spray",
    "sublingual-induction": "placebo-pill",
    "oral-induction": "placebo-pill",
}


def control_of(course: Course) -> Course:
    control = course.control()
    assert control is not None
    return control


@pytest.mark.parametrize("name", shipped_courses())
def test_shipped_controls(name: str):
    course = load_course(name)
    if name in WITHOUT:
        assert course.control() is None
        return
    control = control_of(course)
    assert control.name == f"{name}/control"
    assert control.control() is None
    assert control.therapy == ()
    ours, theirs = course.regimen(12).administrations, control.regimen(12).administrations
    assert {(a.time_h) for a in theirs if a.session} == {a.time_h for a in ours if a.session and _first(a, ours)}
    assert [(a.time_h, a.over_h) for a in theirs if not a.session] == [
        (a.time_h, a.over_h) for a in ours if not a.session
    ]
    if name in DRUG:
        assert {a.drug for a in theirs if a.session} == {DRUG[name]}
    contact = [s for s in course.regimen(12).signals if s.name == "expectancy.contact"]
    assert [s for s in control.regimen(12).signals if s.name == "expectancy.contact"] == contact


def _first(one, intakes) -> bool:
    return one.time_h == min(a.time_h for a in intakes if a.session == one.session)


def test_background_stays_unless_it_is_what_is_studied():
    nasal = control_of(load_course("nasal-esketamine"))
    assert {a.drug for a in nasal.regimen(4).administrations} == {"placebo-spray", "escitalopram"}
    ssri = control_of(load_course("ssri"))
    assert {a.drug for a in ssri.regimen(4).administrations} == {"placebo-pill"}
    assert {a.amount for a in ssri.regimen(4).administrations} == {0.0}


def test_studied_parts_can_be_named():
    data = {
        "course": "x",
        "title": "x",
        "doses": [{"drug": "ketamine", "route": "iv", "dose": "0.5 mg/kg", "over": "40 min", "days": [1]}],
        "background": [{"drug": "escitalopram", "dose": "10 mg"}],
        "therapy": [{"kind": "cbt", "days": [2]}],
    }
    default = control_of(parse_course(data))
    assert default.therapy == ()
    assert default.background[0].drug == "escitalopram"
    pills = control_of(parse_course(data | {"studied": ["background"]}))
    assert (pills.doses[0].drug, pills.background[0].drug, len(pills.therapy)) == ("ketamine", "placebo-pill", 1)
    assert parse_course(data | {"control": "none"}).control() is None


def test_midazolam_as_control_keeps_the_infusion():
    dose = {"drug": "ketamine", "route": "iv", "dose": "0.5 mg/kg", "over": "40 min", "days": [1, 3]}
    control = control_of(parse_course({"course": "x", "title": "x", "doses": [dose], "control": "midazolam"}))
    intakes = control.regimen(1).administrations
    assert [(a.drug, a.amount, a.per_kg, a.over_h) for a in intakes] == [("midazolam", 0.045, True, 2 / 3)] * 2


def test_open_courses_have_blind_controls_and_decisions_follow():
    dose = {"drug": "ketamine", "route": "iv", "dose": "0.5 mg/kg", "over": "40 min", "days": [1, 3, 5]}
    checks = [
        {"after_dose": 1, "if": "MADRS > 30", "then": {"dose": "0.75 mg/kg"}},
        {"after_dose": 2, "if": "MADRS > 30", "then": "stop"},
    ]
    maintenance = [{"when": "MADRS >= 22", "dose": "0.5 mg/kg", "at_most": "1 per 7 d"}]
    data = {"course": "x", "title": "x", "doses": [dose], "checks": checks, "maintenance": maintenance}
    control = control_of(parse_course(data | {"blinding": "open"}))
    assert control.blinding == "double-blind"
    decisions = control.decisions(3)
    assert [one.action for one in decisions] == ["stop", "give", "give"]
    given = decisions[1].administrations()
    assert [(a.drug, a.amount) for a in given] == [("saline", 0.0)]


def test_inert_drugs_have_no_control_of_their_own():
    for name in shipped_courses():
        control = load_course(name).control()
        if control is not None:
            active = {line.drug for line in control.doses if DRUGS[line.drug].kind == "ketamine"}
            assert not active
