"""Decisions: when they are taken, on what, and what follows."""

from itertools import pairwise

import pytest

from afterglow.clinic.course import load_course, parse_course
from afterglow.clinic.quantity import Amount

IV = {"drug": "ketamine", "route": "iv", "dose": "0.5 mg/kg", "over": "40 min"}


def course(**parts: object):
    return parse_course({"course": "x", "title": "x", "doses": [IV | {"days": [1, 3, 8]}], **parts})


def test_a_check_comes_a_day_after_its_dose():
    (check,) = course(checks=[{"after_dose": 1, "if": "MADRS > 30", "then": {"dose": "0.75 mg/kg"}}]).decisions(4)
    assert (check.time_h, check.kind, check.action, check.amount) == (24.0, "check", "set-dose", Amount(0.75, True))
    assert check.administrations() == ()


@pytest.mark.parametrize(("after", "expected"), [("2 h", 2.0), ("1 d", 24.0), ("40 h", 40.0), ("9 d", 48.0)])
def test_a_check_never_comes_after_the_next_dose(after: str, expected: float):
    (check,) = course(checks=[{"after_dose": 1, "if": "MADRS > 30", "then": "stop", "after": after}]).decisions(4)
    assert check.time_h == expected


def test_checks_behind_the_horizon_fall_away():
    checks = [{"after_dose": n, "if": "MADRS > 30", "then": "stop"} for n in (1, 3)]
    assert [one.session for one in course(checks=checks).decisions(1)] == [1]
    assert [one.session for one in course(checks=checks).decisions(2)] == [1, 3]


def test_boosters_are_judged_at_their_highest_frequency():
    decisions = load_course("iv-boosters").decisions(30)
    boosters = [one for one in decisions if one.kind == "maintenance"]
    days = [one.time_h / 24 + 1 for one in boosters]
    assert days[0] == 12 + 7
    assert {b - a for a, b in pairwise(days)} == {7}
    assert days[-1] <= 26 * 7 + 1
    assert {one.spacing_h for one in boosters} == {168.0}
    (given,) = boosters[0].administrations()
    assert (given.drug, given.amount, given.per_kg, given.time_h) == ("ketamine", 0.5, True, boosters[0].time_h)


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        ({"at_most": "1 per 7 d"}, [15, 22, 29]),
        ({"at_most": "2 per 7 d"}, [11.5, 15, 18.5, 22, 25.5, 29]),
        ({"at_most": "1 per 14 d"}, [22, 29]),
        ({"at_most": "1 per 7 d", "every": "2 d"}, [15, 17, 19, 21, 23, 25, 27, 29]),
        ({"at_most": "1 per 7 d", "until": "3 weeks"}, [15, 22]),
    ],
)
def test_visits_of_maintenance(rule: dict, days: list[float]):
    found = course(maintenance=[{"when": "MADRS >= 22", **rule}]).decisions(29 / 7)
    assert [one.time_h / 24 + 1 for one in found] == days


def test_without_a_dose_the_last_one_is_meant_and_devices_unfold():
    spray = {"drug": "esketamine", "route": "nasal-device", "dose": "56 mg", "days": [1]}
    data = {
        "course": "x",
        "title": "x",
        "doses": [spray],
        "maintenance": [{"when": "MADRS > 9", "at_most": "1 per 7 d"}],
    }
    first = parse_course(data).decisions(2)[0]
    assert first.amount is None
    assert [a.amount for a in first.administrations(Amount(84.0))] == [28.0, 28.0, 28.0]


def test_decisions_come_in_time_order_and_checks_first():
    found = course(
        checks=[{"after_dose": 3, "if": "MADRS > 30", "then": "stop", "after": "7 d"}],
        maintenance=[{"when": "MADRS >= 22", "at_most": "1 per 7 d"}],
    ).decisions(4)
    assert [one.time_h for one in found] == sorted(one.time_h for one in found)
    assert [one.kind for one in found[:2]] == ["check", "maintenance"]
    assert found[0].time_h == found[1].time_h
