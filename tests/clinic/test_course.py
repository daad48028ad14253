"""Courses: the shipped ones, unfolding into intakes and signals, warnings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from afterglow.clinic.course import Course, load_course, parse_course, shipped_courses
from afterglow.clinic.drugs import DRUGS
from afterglow.clinic.files import model_from_text
from afterglow.clinic.quantity import Amount
from afterglow.clinic.regimen import SESSION_H, Signal, session_signals, windows

SHIPPED = [
    "benzodiazepine",
    "im-induction",
    "iv-boosters",
    "iv-induction",
    "iv-psychotherapy",
    "iv-single",
    "midazolam-single",
    "nasal-esketamine",
    "ndri",
    "oral-induction",
    "psychotherapy",
    "saline-single",
    "sc-induction",
    "snri",
    "ssri",
    "sublingual-induction",
    "usual-care",
]

# The form that others rely on, letter by letter.
EXAMPLE = """\
course: iv-boosters
title: Six infusions in two weeks, then boosters as needed
doses:
  - {drug: ketamine, route: iv, dose: 0.5 mg/kg, over: 40 min, days: [1, 3, 5, 8, 10, 12]}
checks:
  - {after_dose: 2, if: "improvement(MADRS) < 20 %", then: {dose: 0.75 mg/kg}}
maintenance:
  - {when: "MADRS >= 0.5 * baseline", dose: 0.5 mg/kg, at_most: 1 per 7 d, until: 26 weeks}
therapy:
  - {kind: cbt, days: [2, 6, 9, 13], minutes: 50}
"""


def one(**parts: object) -> Course:
    return parse_course({"course": "x", "title": "x", **parts})


def signal_at(signals: tuple[Signal, ...], name: str, time_h: float) -> float:
    values = [s.value for s in signals if s.name == name and s.time_h <= time_h]
    return values[-1] if values else 0.0


def test_all_courses_are_shipped():
    assert shipped_courses() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_courses_unfold_without_warnings(name: str):
    course = load_course(name)
    assert course.name == name
    assert course.warnings() == []
    assert course.sources or name == "usual-care"
    for weeks in (0.5, 8, 52):
        regimen = course.regimen(weeks)
        times = [a.time_h for a in regimen.administrations]
        assert times == sorted(times)
        assert all(0 <= t < weeks * 168 for t in times)
        assert all(a.drug in DRUGS and a.amount >= 0 for a in regimen.administrations)
        assert all(0 <= s.time_h < weeks * 168 for s in regimen.signals)
        assert [s.time_h for s in regimen.signals] == sorted(s.time_h for s in regimen.signals)


def test_the_example_of_the_documentation():
    course = model_from_text(Course, EXAMPLE, "example.yaml")
    infusions = course.regimen(8).administrations
    assert [a.time_h / 24 + 1 for a in infusions] == [1, 3, 5, 8, 10, 12]
    assert {(a.drug, a.route, a.amount, a.per_kg, a.over_h) for a in infusions} == {
        ("ketamine", "iv", 0.5, True, 2 / 3)
    }
    assert [a.session for a in infusions] == [1, 2, 3, 4, 5, 6]
    therapy = [s for s in course.regimen(8).signals if s.name == "psychotherapy.session"]
    assert [(s.time_h, s.value) for s in therapy[:2]] == [(24.0, 1.0), (24.0 + 50 / 60, 0.0)]
    assert len(therapy) == 8


def test_label_schedule_of_nasal_esketamine():
    regimen = load_course("nasal-esketamine").regimen(16)
    sprays = [a for a in regimen.administrations if a.drug == "esketamine"]
    assert {a.amount for a in sprays} == {28.0}
    sessions = {a.session: a.time_h for a in reversed(sprays)}
    days = [sessions[number] / 24 + 1 for number in sorted(s for s in sessions if s)]
    assert days == [1, 4, 8, 11, 15, 18, 22, 25, 29, 36, 43, 50, 57, 71, 85, 99]
    assert [a.session for a in sprays].count(1) == 2
    assert all([a.session for a in sprays].count(number) == 3 for number in range(2, 17))
    first = [a.time_h * 60 for a in sprays if a.session == 2]
    assert np.diff(first) == pytest.approx([5.0, 5.0])
    pills = [a for a in regimen.administrations if a.drug == "escitalopram"]
    assert len(pills) == 16 * 7
    assert {a.session for a in pills} == {None}


def test_diazepam_twice_daily_for_four_weeks():
    pills = load_course("benzodiazepine").regimen(8).administrations
    assert len(pills) == 56
    assert pills[-1].time_h == 28 * 24 - 12


def test_steps_of_venlafaxine_neither_overlap_nor_leave_a_gap():
    pills = load_course("snri").regimen(3).administrations
    assert [a.time_h for a in pills] == [24.0 * i for i in range(21)]
    assert [a.amount for a in pills] == [75.0] * 7 + [150.0] * 14


def test_session_windows_last_two_hours_and_merge():
    signals = load_course("iv-single").regimen(1).signals
    assert signal_at(signals, "expectancy.iv_session", 0.0) == 1.0
    assert signal_at(signals, "expectancy.iv_session", SESSION_H - 1e-6) == 1.0
    assert signal_at(signals, "expectancy.iv_session", SESSION_H) == 0.0
    found = windows("x", [(0, 2, 1.0), (1, 3, 2.0), (3, 4, 2.0), (9, 8, 5.0), (20, 30, 1.0)], 10.0)
    assert [(s.time_h, s.value) for s in found] == [(0, 1.0), (1, 2.0), (4, 0.0)]


@pytest.mark.parametrize(
    ("name", "session"),
    [
        ("iv-single", "iv_session"),
        ("im-induction", "iv_session"),
        ("nasal-esketamine", "nasal_session"),
        ("sublingual-induction", "nasal_session"),
        ("saline-single", "saline_session"),
        ("midazolam-single", "midazolam_session"),
    ],
)
def test_what_people_are_told_decides_the_session_signal(name: str, session: str):
    names = {s.name for s in load_course(name).regimen(1).signals}
    assert names == {f"expectancy.{session}", "expectancy.contact"}


def test_signals_of_setting_and_blinding():
    dose = {"drug": "ketamine", "route": "iv", "dose": "0.5 mg/kg", "over": "40 min", "days": [1]}
    course = one(doses=[dose], blinding="open", raters="remote", in_care=False)
    names = {s.name for s in course.regimen(1).signals}
    assert names == {"expectancy.iv_session", "expectancy.open_label", "expectancy.remote_raters"}
    masked = one(doses=[dose], blinding="masked")
    control = masked.control()
    assert control is not None
    assert control.regimen(1).signals == masked.regimen(1).signals
    assert signal_at(masked.regimen(1).signals, "expectancy.masked", 0.0) == 1.0


def test_stress_and_overlapping_episodes():
    course = one(stress=[{"day": 3, "days": 4}, {"day": 5, "days": 4, "intensity": 0.5}])
    signals = course.regimen(4).signals
    assert [signal_at(signals, "stress.life_stress", 24.0 * (day - 1)) for day in (2, 3, 6, 7, 8, 9)] == [
        0.0,
        1.0,
        1.0,
        0.5,
        0.5,
        0.0,
    ]


def test_fixed_maintenance_is_planned():
    dose = {"drug": "ketamine", "route": "iv", "dose": "0.5 mg/kg", "over": "40 min", "days": [1, 3]}
    course = one(doses=[dose], maintenance=[{"every": "7 d", "dose": "0.4 mg/kg", "until": "4 weeks"}])
    planned = course.regimen(12).administrations
    assert [a.time_h / 24 + 1 for a in planned] == [1, 3, 10, 17, 24]
    assert [a.amount for a in planned] == [0.5, 0.5, 0.4, 0.4, 0.4]
    assert [a.session for a in planned] == [1, 2, 3, 4, 5]
    assert course.decisions(12) == []


def test_two_drugs_at_one_time_are_one_session():
    iv = {"route": "iv", "over": "40 min", "days": [1, 8]}
    course = one(
        doses=[{"drug": "ketamine", "dose": "0.5 mg/kg", **iv}, {"drug": "midazolam", "dose": "0.02 mg/kg", **iv}]
    )
    assert [a.session for a in course.regimen(2).administrations] == [1, 1, 2, 2]


@given(st.floats(0.1, 8.0))
def test_high_iv_doses_can_be_simulated_and_are_warned_of(dose: float):
    line = {"drug": "ketamine", "route": "iv", "dose": f"{dose:.4f} mg/kg", "over": "40 min", "days": [1]}
    warnings = one(doses=[line]).warnings()
    rounded = float(f"{dose:.4f}")
    assert bool(warnings) == (rounded > 1.0 or rounded < 0.1)
    if rounded > 1.0:
        assert "above the studied range of 0.1-1 mg/kg" in warnings[0]
        assert "Fava M" in warnings[0]
        assert ("above the label's 4.5 mg/kg" in warnings[0]) == (rounded > 4.5)


def test_other_warnings():
    line = {"drug": "ketamine", "route": "iv", "dose": "0.5 mg/kg", "over": "4 h", "days": [1, 2]}
    course = one(
        doses=[line],
        checks=[{"after_dose": 1, "if": "MADRS > 20", "then": {"dose": "2 mg/kg"}}],
        background=[{"drug": "escitalopram", "dose": "15 mg", "every": "12 h"}],
    )
    text = "\n".join(course.warnings())
    assert "over 4 h" in text
    assert "ketamine iv 2 mg/kg is above" in text
    assert "escitalopram oral 30 mg/day is above the studied range of 5-20 mg/day" in text


def test_session_signals_of_changed_sessions():
    intakes = load_course("iv-induction").regimen(2).administrations[:2]
    found = session_signals(intakes, 336.0)
    assert [(s.time_h, s.value) for s in found] == [(0.0, 1.0), (2.0, 0.0), (48.0, 1.0), (50.0, 0.0)]


def test_doses_in_mg_and_mg_per_kg():
    assert load_course("iv-single").regimen(1).administrations[0].mg(80.0) == 40.0
    assert Amount(28.0).mg(80.0) == load_course("nasal-esketamine").regimen(1).administrations[0].mg(80.0)


def test_no_two_sessions_share_a_number():
    dose = {"drug": "ketamine", "route": "iv", "dose": "0.5 mg/kg", "over": "40 min", "days": [1, 3]}
    rules = [
        {"every": "10 d"},
        {"when": "MADRS > 20", "at_most": "1 per 7 d"},
        {"when": "MADRS > 30", "at_most": "1 per 3 d"},
    ]
    course = one(doses=[dose], maintenance=rules)
    numbers = [(a.time_h, a.session) for a in course.regimen(8).administrations]
    numbers += [(d.time_h, d.session) for d in course.decisions(8)]
    assert sorted(number for _, number in numbers) == list(range(1, len(numbers) + 1))
    assert [number for _, number in sorted(numbers)] == sorted(number for _, number in numbers)
    assert {d.session for d in course.decisions(4)} < {d.session for d in course.decisions(8)}


def test_kinds_of_therapy_are_not_told_apart_and_this_is_said():
    assert one(therapy=[{"kind": "cbt", "days": [2]}]).warnings() == []
    (warning,) = one(therapy=[{"kind": "mindfulness", "days": [2]}]).warnings()
    assert "kinds of therapy are not told apart by the model" in warning
