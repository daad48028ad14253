"""Courses made of other courses, and the courses of a trial's arms."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afterglow.clinic.course import Course, load_course, parse_course
from afterglow.clinic.files import Loc, parse
from afterglow.clinic.phases import arm_courses, followed_by, rescue_course, with_dose
from afterglow.clinic.quantity import Amount
from afterglow.clinic.regimen import Signal
from afterglow.clinic.scenarios import scenarios
from afterglow.clinic.trial import Trial
from afterglow.errors import InputError

SIX = [1, 3, 5, 8, 10, 12]
INFUSION = {"drug": "ketamine", "route": "iv", "dose": "0.5 mg/kg", "over": "40 min"}


def course(**parts: Any) -> Course:
    return parse_course({"course": "x", **parts}, "x")


def same(one: Course, other: Course, weeks: float = 30.0) -> bool:
    """Whether intakes, signals and decisions agree as plain data."""
    return one.regimen(weeks) == other.regimen(weeks) and one.decisions(weeks) == other.decisions(weeks)


def signal_at(signals: tuple[Signal, ...], name: str, time_h: float) -> float:
    values = [one.value for one in signals if one.name == name and one.time_h <= time_h]
    return values[-1] if values else 0.0


def read(arms: str, more: str = "", visits: str = "24 h, 60 d") -> tuple[Trial, Callable[[Loc], str]]:
    text = f"trial: t\narms:\n{arms}\nvisits: [{visits}]\nendpoints: [{{measure: change}}]\n{more}"
    (one,) = scenarios(parse(text, "t.yaml"))
    return one.trial, one.document.place


def courses(arms: str, more: str = "") -> list[Course]:
    return arm_courses(*read(arms, more))


def faults(arms: str, more: str = "", visits: str = "24 h, 60 d") -> list[str]:
    with pytest.raises(InputError) as caught:
        arm_courses(*read(arms, more, visits))
    return [str(fault) for fault in caught.value.faults]


# ------------------------------------------------------------------------------------------------ one after another


def test_two_infusions_are_the_course_written_by_hand():
    by_hand = course(
        doses=[{**INFUSION, "days": [1]}, {"drug": "saline", "route": "iv", "over": "40 min", "days": [8]}]
    )
    assert same(followed_by(load_course("iv-single"), load_course("saline-single"), 8), by_hand)


def test_sprays_with_an_antidepressant_are_the_course_written_by_hand():
    placebo = course(
        doses=[{"drug": "placebo-spray", "route": "nasal-device", "every": "7 d", "from": 4, "until": 60}],
        background=[{"drug": "escitalopram", "dose": "20 mg", "from_day": 2, "until_day": 30}],
    )
    spray = {"drug": "esketamine", "route": "nasal-device"}
    by_hand = course(
        doses=[
            {**spray, "dose": "56 mg", "days": [1]},
            {**spray, "dose": "84 mg", "days": [4, 8, 11, 15, 18, 22, 25]},
            {**spray, "dose": "84 mg", "every": "7 d", "from": 29, "until": 39},
            {"drug": "placebo-spray", "route": "nasal-device", "every": "7 d", "from": 43, "until": 99},
        ],
        background=[
            {"drug": "escitalopram", "dose": "10 mg", "until_day": 39},
            {"drug": "escitalopram", "dose": "20 mg", "from_day": 41, "until_day": 69},
        ],
    )
    assert same(followed_by(load_course("nasal-esketamine"), placebo, 40), by_hand)


def test_therapy_and_stress_move_too():
    def talks(*days: float) -> list[dict[str, Any]]:
        return [{"kind": "cbt", "days": [*days], "minutes": 50}]

    first = course(therapy=talks(2, 9, 16), stress=[{"day": 3, "days": 2}])
    second = course(therapy=talks(1, 8), stress=[{"day": 5, "days": 2}])
    by_hand = course(therapy=[*talks(2, 9), *talks(15, 22)], stress=[{"day": 3, "days": 2}, {"day": 19, "days": 2}])
    assert same(followed_by(first, second, 15), by_hand)


def test_checks_of_the_second_course_count_its_own_sessions():
    check = {"after_dose": 2, "if": "improvement(MADRS) < 20 %", "then": {"dose": "0.75 mg/kg"}}
    late = {"after_dose": 5, "if": "improvement(MADRS) < 50 %", "then": "stop"}
    six = course(doses=[{**INFUSION, "days": SIX}], checks=[check, late])
    made = followed_by(six, six, 9)
    assert [one.after_dose for one in made.checks] == [2, 6, 9]  # four sessions before day 9; the old fifth fell away
    by_hand = course(
        doses=[{**INFUSION, "days": [1, 3, 5, 8, 9, 11, 13, 16, 18, 20]}],
        checks=[check, {**check, "after_dose": 6}, {**late, "after_dose": 9}],
    )
    assert same(made, by_hand)


def test_maintenance_of_the_first_course_ends_and_that_of_the_second_moves():
    first = course(doses=[{**INFUSION, "days": [1]}], maintenance=[{"every": "7 d"}])
    boosters = {"when": "MADRS >= 22", "at_most": "1 per 7 d"}
    second = course(doses=[{**INFUSION, "days": [1]}], maintenance=[{**boosters, "until": "4 weeks"}])
    by_hand = course(doses=[{**INFUSION, "days": [1, 15]}], maintenance=[{**boosters, "until": "6 weeks"}])
    assert same(followed_by(first, second, 15), by_hand)


@given(day=st.integers(2, 40), first=st.sampled_from(["iv-induction", "nasal-esketamine", "sc-induction", "ssri"]))
def test_nothing_changes_before_the_day_and_nothing_of_the_first_is_left_after(day: int, first: str):
    edge = (day - 1) * 24.0
    one, second = load_course(first), load_course("ndri")
    made = followed_by(one, second, day).regimen(12.0).administrations

    def plain(intakes: Any, shift: float = 0.0) -> list[tuple[float, str, float]]:
        return [(one.time_h + shift, one.drug, one.amount) for one in intakes]

    before = [one for one in one.regimen(12.0).administrations if one.time_h < edge]
    assert plain(one for one in made if one.time_h < edge) == plain(before)
    later = [one for one in second.regimen(12.0).administrations if one.time_h + edge < 12.0 * 168.0]
    assert plain(one for one in made if one.time_h >= edge) == plain(later, edge)


# ------------------------------------------------------------------------------------------------ another dose


def test_another_dose_is_given_in_every_active_session():
    mixed = course(doses=[{**INFUSION, "days": SIX}, {"drug": "saline", "route": "iv", "over": "40 min", "days": [15]}])
    changed = with_dose(mixed, Amount(0.2, True)).regimen(4.0).administrations
    assert [one.amount for one in changed] == [0.2] * 6 + [0.0]
    by_hand = course(
        doses=[
            {**INFUSION, "dose": "0.2 mg/kg", "days": SIX},
            {"drug": "saline", "route": "iv", "over": "40 min", "days": [15]},
        ]
    )
    assert same(with_dose(mixed, Amount(0.2, True)), by_hand)


def test_a_dose_that_cannot_be_given_is_refused_with_its_line():
    spray, infusion = faults(
        "  - {name: a, course: nasal-esketamine, dose: 50 mg, n: 9}\n"
        "  - {name: b, course: iv-single, dose: 100 mg/kg, n: 9}\n"
        "  - {name: c, course: iv-single, n: 9}"
    )
    assert spray == "t.yaml:3: 50 mg is not a multiple of 28 mg, the content of a device (did you mean 56 mg?)"
    assert infusion.startswith("t.yaml:4: ketamine iv 100 mg/kg is above the safety bound of 13 mg/kg")


# ------------------------------------------------------------------------------------------------ arms of a trial


@pytest.mark.parametrize(
    ("name", "control", "kind"),
    [
        ("iv-induction", "saline", "matched"),
        ("iv-induction", "matched", "matched"),
        ("iv-induction", "midazolam", "midazolam"),
        ("sc-induction", "midazolam", "midazolam"),
        ("nasal-esketamine", "placebo", "matched"),
        ("iv-psychotherapy", "matched", "matched"),
        ("ssri", "placebo", "matched"),
    ],
)
def test_a_control_is_that_of_its_course(name: str, control: str, kind: str):
    drug, other = courses(f"  - {{name: a, course: {name}, n: 9}}\n  - {{name: b, control: {control}, n: 9}}")
    matched = load_course(name).model_copy(update={"control_kind": kind}).control()
    assert matched is not None
    assert other.doses == matched.doses
    assert same(other, matched)
    assert not same(drug, other)
    assert (drug.name, other.name) == ("a", "b")


def test_a_control_stands_for_the_first_course_or_the_one_that_is_named():
    arms = "  - {name: c, control: matched, n: 9}\n  - {name: a, course: iv-single, n: 9}\n"
    first, _, _ = courses(arms + "  - {name: b, course: iv-induction, n: 9}")
    assert len(first.doses[0].days or ()) == 1
    arms = arms.replace("matched,", "matched, of: b,")
    named, _, _ = courses(arms + "  - {name: b, course: iv-induction, n: 9}")
    assert len(named.doses[0].days or ()) == 6


def test_a_control_keeps_the_sessions_when_its_course_has_another_dose():
    low, control = courses(
        "  - {name: a, course: iv-single, dose: 0.1 mg/kg, n: 9}\n  - {name: b, control: saline, n: 9}"
    )
    assert [one.time_h for one in low.regimen(1.0).administrations] == [
        one.time_h for one in control.regimen(1.0).administrations
    ]


def test_a_waiting_list_has_nothing_and_no_care():
    _, waiting = courses("  - {name: a, course: psychotherapy, n: 9}\n  - {name: b, control: waiting-list, n: 9}")
    regimen = waiting.regimen(8.0)
    assert regimen.administrations == ()
    assert signal_at(regimen.signals, "expectancy.contact", 100.0) == 0.0


def test_an_arm_follows_its_phases_in_their_order():
    first, second = courses(
        "  - {name: a, course: iv-single, n: 9,"
        " then: [{course: saline-single, day: 8}, {course: iv-single, day: 15}]}\n"
        "  - {name: b, control: saline, n: 9, then: [{course: {doses: [{drug: ketamine, route: iv, dose: 0.5 mg/kg,"
        " over: 40 min, days: [1]}]}, day: 8}]}"
    )
    assert [(one.time_h, one.drug) for one in first.regimen(4.0).administrations] == [
        (0.0, "ketamine"),
        (168.0, "saline"),
        (336.0, "ketamine"),
    ]
    assert [(one.time_h, one.drug) for one in second.regimen(4.0).administrations] == [
        (0.0, "saline"),
        (168.0, "ketamine"),
    ]


def test_arms_are_blinded_as_the_trial_says_and_an_arm_may_differ():
    arms = "  - {name: a, course: iv-single, n: 9}\n  - {name: b, control: saline, blinding: open, n: 9}"
    drug, control = courses(arms, "blinding: {patients: masked, raters: remote}")
    assert (drug.blinding, drug.raters) == ("masked", "remote")
    assert (control.blinding, control.raters) == ("open", "remote")
    masked, other = drug.regimen(1.0).signals, control.regimen(1.0).signals
    assert (signal_at(masked, "expectancy.masked", 1.0), signal_at(other, "expectancy.masked", 1.0)) == (1.0, 0.0)
    assert (signal_at(masked, "expectancy.open_label", 1.0), signal_at(other, "expectancy.open_label", 1.0)) == (
        0.0,
        1.0,
    )
    assert signal_at(masked, "expectancy.remote_raters", 1.0) == 1.0


def test_open_until_is_open_label_up_to_that_day():
    arms = "  - {name: a, course: nasal-esketamine, n: 9}\n  - {name: b, control: placebo, n: 9}"
    for one in courses(arms, "blinding: {open_until: 29}"):
        signals = one.regimen(8.0).signals
        seen = [signal_at(signals, "expectancy.open_label", time) for time in (0.0, 671.9, 672.0, 1000.0)]
        assert seen == [1.0, 1.0, 0.0, 0.0]
    for one in courses(arms, "blinding: {patients: open, open_until: 29}"):
        assert signal_at(one.regimen(8.0).signals, "expectancy.open_label", 1000.0) == 1.0


def test_what_cannot_be_a_control_is_told_at_once_with_lines():
    found = faults(
        "  - {name: a, course: nasal-esketamine, n: 9}\n"
        "  - {name: b, control: midazolam, n: 9}\n"
        "  - {name: c, course: usual-care, n: 9}\n"
        "  - {name: d, control: matched, of: c, n: 9}\n"
        "  - {name: e, course: iv-singl, n: 9}\n"
        "  - {name: f, course: {doses: [{drug: ketamin, route: iv}]}, n: 9}\n"
        "  - {name: g, course: iv-single, n: 9, then: [{course: nothing, day: 8}]}"
    )
    for line, problem in (
        (4, "midazolam can stand for infusions and injections only, not for the course 'nasal-esketamine'"),
        (6, "nothing active to be replaced"),
        (7, "there is no course 'iv-singl' (did you mean 'iv-single'?"),
        (8, "drug 'ketamin' is not known (did you mean 'ketamine'?)"),
        (9, "there is no course 'nothing'"),
    ):
        assert any(one.startswith(f"t.yaml:{line}: ") and problem in one for one in found), problem


def test_a_trial_begins_with_its_first_dose():
    arms = "  - {name: a, course: {doses: [{drug: saline, route: iv, over: 40 min, days: [3]}]}, n: 9}"
    (only,) = faults(arms)
    assert only.startswith("t.yaml:4: no arm is treated before day 3, and visits count from the first dose")


def test_rescue_is_open_and_decides_nothing():
    arms = "  - {name: a, course: iv-single, n: 9}"
    assert rescue_course(*read(arms)) is None
    rescue = rescue_course(*read(arms, "rescue: {if: MADRS >= 30, after: 24 h, course: iv-boosters}"))
    assert rescue is not None
    assert (rescue.blinding, rescue.checks, rescue.maintenance) == ("open", (), ())
    assert len(rescue.sessions(4.0)) == 6
    with pytest.raises(InputError, match=r"t\.yaml:6: .*there is no course 'none'"):
        rescue_course(*read(arms, "rescue: {if: MADRS >= 30, after: 24 h, course: none}"))
