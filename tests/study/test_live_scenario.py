"""Scenarios: read like course files, all faults at once; and what the page knows beforehand."""

import json

import numpy as np
import pytest

from afterglow.clinic import limits
from afterglow.clinic.course import load_course, shipped_courses
from afterglow.clinic.quantity import Amount
from afterglow.errors import InputError
from afterglow.study.live import Scenario, Who, facts, run, scenario_from_data
from afterglow.study.quantities import QUANTITIES
from afterglow.systems.whole import whole

FACTS = facts()


def faults(data):
    with pytest.raises(InputError) as found:
        scenario_from_data(data)
    return {one.place: one for one in found.value.faults}


def test_all_faults_are_told_at_once():
    found = faults(
        {
            "course": {"course": "x", "doses": [{"drug": "ketamin", "route": "iv", "dose": "0.5 mg/kg", "days": [1]}]},
            "versus": "srri", "who": {"kind": "persn", "weight": 3}, "weeks": 99, "variant": "zz", "nope": 1,
        }
    )  # fmt: skip
    assert found.keys() == {
        "scenario.course.doses[0].drug", "scenario.versus", "scenario.who.kind", "scenario.who.weight",
        "scenario.weeks", "scenario.variant", "scenario.nope",
    }  # fmt: skip
    assert "ssri" in found["scenario.versus"].remedy


def test_courses_that_a_page_cannot_answer_at_once_are_refused():
    often = {"course": "a", "doses": [{"drug": "saline", "route": "iv", "over": "10 min", "every": "6 h"}]}
    daily = {"course": "b", "background": [{"drug": "escitalopram", "dose": "1 mg", "every": "1 h"}]}
    assert faults({"course": often, "versus": daily, "weeks": 8}).keys() == {
        "scenario.course.doses",
        "scenario.versus.background",
    }


def test_a_name_stands_for_a_shipped_course():
    found = scenario_from_data({"course": FACTS["presets"][0], "versus": "ssri"})
    assert found.versus == load_course("ssri")


def test_the_fingerprint_is_of_what_was_asked():
    same, again, other = (
        scenario_from_data({"course": FACTS["presets"][0], "seed": seed}).sha256 for seed in (1, 1, 2)
    )
    assert same == again != other


def test_the_schema_takes_a_name_or_a_course_beside():
    kinds = Scenario.model_json_schema()["properties"]["versus"]["anyOf"]
    assert {"type": "string"} in kinds
    assert any("Course" in one.get("$ref", "") for one in kinds)


def test_who_is_drawn_and_fields_of_the_other_kind_do_not_change_the_people():
    assert Who(kind="person", number=3).anyone == Who(kind="person", number=4).anyone
    assert Who(weight=60, number=3).anyone == Who().anyone
    assert Who(kind="person", weight=60).anyone != Who(kind="person").anyone


# ------------------------------------------------------------------------------------------------ facts


def test_facts_are_plain():
    assert json.loads(json.dumps(FACTS)) == FACTS


@pytest.mark.parametrize("name", shipped_courses())
def test_presets_are_the_shipped_courses(name):
    data = next(one for one in FACTS["presets"] if one["course"] == name)
    assert scenario_from_data({"course": data}).course == load_course(name)


def test_doses_to_begin_with_have_been_studied():
    for one in FACTS["doses"]:
        value, unit = one["published"]["dose"], one["published"]["unit"]
        assert list(limits.dose_warnings(one["drug"], one["route"], Amount(value, unit == "mg/kg"))) == []
        assert one["studied"]["source"]
        assert (one["published"]["over_min"] is None) == (one["route"] != "iv")


def test_the_chain_names_what_is_there():
    parts = whole().parts
    for link in FACTS["chain"]:
        assert set(link["systems"]) <= set(parts)
        assert next(one for one in FACTS["panels"] if one["name"] == link["quantity"])["chain"] == link["key"]
    assert {one["name"] for one in FACTS["panels"]} <= QUANTITIES.keys()


def test_every_number_of_the_model_is_counted():
    assert FACTS["parameters"]["total"] == sum(len(part.params) for part in whole().parts.values())


def test_the_page_begins_with_something_to_see():
    found = run(scenario_from_data(FACTS["default"]), 8, coarse=True)
    assert found.panels.keys() <= {one["name"] for one in FACTS["panels"]}
    assert len(found.doses) == 6
    assert np.isfinite(found.panels["madrs"].median).all()


@pytest.mark.parametrize("odd", [[], {}, 3, True])
def test_a_variant_that_is_no_name_is_a_fault_and_no_crash(odd):
    course = {"course": "a", "doses": [{"drug": "ketamine", "route": "iv", "dose": "0.5 mg/kg", "days": [1]}]}
    assert "scenario.variant" in faults({"course": course, "variant": odd})
