"""Claims on the page: what can be tried is what was asked of the model."""

import pytest

from afterglow.clinic.claim import Scenario, shipped_claims
from afterglow.clinic.course import load_course
from afterglow.interfaces.web.claims import to_try
from afterglow.study.live_scenario import scenario_from_data

ASKED = {one.id: one.scenario for one in shipped_claims() if one.scenario is not None}
WHOLE = {"weeks": 4, "measure": "change", "of": {"course": "iv-single", "at": "7 d"}, "expects": "< 0"}


def asked(**changed):
    return Scenario.model_validate(WHOLE | changed)


def arms(scenario):
    return [load_course(one.removesuffix("/control")) if not one.endswith("/control")
            else load_course(one.removesuffix("/control")).control()
            for one in dict.fromkeys(str(reading.course) for reading in scenario.readings())]  # fmt: skip


@pytest.mark.parametrize("name", [key for key, one in ASKED.items() if to_try(one) is not None])
def test_what_can_be_tried_has_the_arms_of_the_claim(name):
    tried = scenario_from_data(to_try(ASKED[name]))
    assert tried.weeks == max(ASKED[name].weeks, 1)
    assert tried.who.population == ASKED[name].population
    courses = [one for one in (tried.course, tried.versus) if one is not None]
    for found, expected in zip(courses, arms(ASKED[name]), strict=True):
        for part in ("doses", "background", "therapy", "stress", "checks", "maintenance", "blinding", "in_care"):
            assert getattr(found, part) == getattr(expected, part), part


def test_most_claims_can_be_tried():
    assert sum(to_try(one) is not None for one in ASKED.values()) > 0.8 * len(ASKED)


@pytest.mark.parametrize("changed", [
    {"of": {"course": "iv-single", "at": "7 d", "among": {"AGE": ">= 65"}}},
    {"of": {"course": "mine.yaml", "at": "7 d"}},
    {"minus": {"course": "mine.yaml"}},
    {"population": "mine.yaml"},
    {"weeks": 52},
])  # fmt: skip
def test_what_the_page_cannot_show_is_not_offered(changed):
    assert to_try(asked()) is not None
    assert to_try(asked(**changed)) is None


def test_two_readings_of_one_course_are_one_course():
    assert to_try(asked(minus={"at": "1 d"}))["versus"] is None
