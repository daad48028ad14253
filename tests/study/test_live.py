"""The page's answers: paired people, closed forms where nothing happens, and the same numbers as the Python API."""

import json

import numpy as np
import pytest

from afterglow import simulate_course
from afterglow.clinic.course import load_course, parse_course
from afterglow.clinic.person import person_from_data
from afterglow.errors import InputError
from afterglow.simulate import Arm
from afterglow.study.cloud import RTOL
from afterglow.study.live import run, scenario_from_data
from afterglow.study.live_facts import presets
from afterglow.study.live_people import Crowd, Order, go
from afterglow.study.live_scenario import Who

PEOPLE = 64
FLAT = {"course": "nothing", "in_care": False}
PERSON = {"kind": "person", "weight": 81, "age": 52, "sex": "female", "failed_trials": 3, "severity": 36}


def infusions(dose="0.5 mg/kg", days=(1, 3, 5), **more):
    """A course of infusions."""
    line = {"drug": "ketamine", "route": "iv", "dose": dose, "over": "40 min", "days": list(days)}
    return {"course": "mine", "doses": [line], **more}


def ask(course, people=PEOPLE, coarse=False, **more):
    """An answer for a few people."""
    return run(scenario_from_data({"course": course, "weeks": 4, **more}), people, coarse)


@pytest.fixture(scope="module")
def answer():
    return ask(infusions(), versus="usual-care")


def test_nothing_moves_without_treatment():
    found = ask(FLAT)
    for name, band in found.panels.items():
        assert band.median == pytest.approx(np.full(len(found.time_h), band.median[0]), abs=1e-3), name
    assert all((values == 0).all() for values in found.chain.values())
    assert not found.present.any()
    assert found.doses == []


def test_a_course_beside_itself_makes_no_difference():
    course = infusions()
    found = ask(course, versus=course).versus
    for band in found.difference.values():
        assert (band.lo90 == 0).all()
        assert (band.hi90 == 0).all()


def test_people_are_the_same_under_both_courses(answer):
    assert answer.versus.panels["madrs"].mean[0] == answer.panels["madrs"].mean[0]
    paired = answer.panels["madrs"].mean - answer.versus.panels["madrs"].mean
    assert answer.versus.difference["madrs"].mean == pytest.approx(paired, abs=1e-4)
    assert answer.versus.difference["madrs"].lo90[0] == answer.versus.difference["madrs"].hi90[0] == 0


def test_a_course_is_the_same_beside_another_as_alone():
    beside = ask(infusions(), versus="nasal-esketamine").versus
    alone = ask(next(one for one in presets() if one["course"] == "nasal-esketamine"), versus=infusions())
    for name, found in beside.panels.items():
        assert (found.hi90 == alone.panels[name].hi90).all(), name


def test_bands_are_nested_and_ordered(answer):
    for band in (*answer.panels.values(), answer.rated, *answer.versus.difference.values()):
        order = [band.lo90, band.lo80, band.lo50, band.median, band.hi50, band.hi80, band.hi90]
        assert (np.diff(order, axis=0) >= 0).all()


def test_a_dose_a_day_later_moves_the_curves_by_a_day():
    early, late = (ask(infusions(days=(day,), in_care=False)) for day in (3, 4))
    common = [t for t in early.time_h if t >= 48 and t + 24 in late.time_h]
    assert len(common) > 20
    a, b = np.searchsorted(early.time_h, common), np.searchsorted(late.time_h, np.array(common) + 24)
    for name, found in early.panels.items():
        scale = np.abs(found.median).max()
        assert found.median[a] == pytest.approx(late.panels[name].median[b], abs=0.01 * scale), name


def test_coarse_and_full_agree_where_both_look():
    coarse, full = (ask(infusions(), coarse=coarse) for coarse in (True, False))
    common = np.intersect1d(coarse.time_h, full.time_h)
    assert len(common) > 40
    a, b = (np.searchsorted(one.time_h, common) for one in (coarse, full))
    for name, found in coarse.panels.items():
        assert found.hi90[a] == pytest.approx(full.panels[name].hi90[b], rel=1e-5, abs=1e-6), name


def test_more_dose_more_block_and_dissociation():
    found = [ask(infusions(dose)) for dose in ("0.1 mg/kg", "0.5 mg/kg", "1 mg/kg")]
    assert np.diff([one.panels["nmda"].median.max() for one in found]).min() > 0
    assert np.diff([one.safety[0].value for one in found]).min() > 0


def test_chain_runs_from_0_to_1_in_the_order_of_cause(answer):
    assert all(values.max() == 1 and values.min() == 0 for values in answer.chain.values())
    half = {key: answer.time_h[np.argmax(values >= 0.5)] for key, values in answer.chain.items()}
    assert half["plasma"] < half["glutamate"] < half["bdnf"]
    assert half["glutamate"] < half["synapses"] < half["belief"]


def test_the_drug_is_there_after_a_dose_and_gone_at_the_end(answer):
    assert answer.present[np.searchsorted(answer.time_h, 40 / 60 - 1e-6)] == 1
    assert answer.present[0] == answer.present[-1] == 0


def test_drugs_taken_daily_are_told_from_those_of_sessions():
    """A tint over the whole picture would say nothing."""
    daily = {"drug": "escitalopram", "dose": "10 mg"}
    both = ask({**infusions(), "background": [daily]})
    assert (both.present == ask(infusions()).present).all()
    assert both.daily.mean() > 0.9
    alone = ask({"course": "pills", "background": [daily]})
    assert not alone.present.any()
    assert alone.daily.mean() > 0.9


def test_warnings_name_the_title():
    high = {**infusions("1.5 mg/kg"), "title": "My course"}
    found = ask(high).warnings
    assert found
    assert all(one.startswith("My course: ") for one in found)


def test_doses_are_those_of_the_file(answer):
    assert [one.time_h for one in answer.doses] == [0, 48, 96]
    weight = Crowd(Who(), 1, None).block(range(PEOPLE)).people["WT"]
    assert answer.doses[0].mg_mean == pytest.approx(0.5 * weight.mean())
    assert answer.doses[0].title == "ketamine iv 0.5 mg/kg over 40 min"


def test_devices_of_one_session_are_one_dose():
    found = ask(next(one for one in presets() if one["course"] == "nasal-esketamine")).doses
    assert [one.mg_mean for one in found[:2]] == pytest.approx([56, 84])
    assert found[1].title == "esketamine nasal-device 84 mg"


# ------------------------------------------------------------------------------------------------ one person


def test_another_person_like_this_one_moves_only_the_line():
    first, other = (ask(infusions(), who={**PERSON, "number": number}) for number in (3, 4))
    assert (first.panels["madrs"].hi90 == other.panels["madrs"].hi90).all()
    assert not np.array_equal(first.panels["madrs"].one, other.panels["madrs"].one)


def test_the_line_is_one_of_the_people_and_the_same_however_many_there_are():
    few, many = (ask(infusions(), people=people, who={**PERSON, "number": 70}) for people in (64, 80))
    assert few.panels["madrs"].one == pytest.approx(many.panels["madrs"].one, rel=1e-6)
    assert few.rated.one == pytest.approx(many.rated.one)


def test_everybody_like_a_person_begins_as_ill():
    found = ask(infusions(), who=PERSON).panels["madrs"]
    assert found.lo90[0] == found.hi90[0] == found.one[0] == 36
    assert ask(infusions()).panels["madrs"].one is None


def test_the_line_is_what_simulate_course_gives_that_person():
    """Same covariates, luck and parameter values: the page has no numbers of its own."""
    number = 5
    found = ask(infusions(), who={**PERSON, "number": number})
    crowd = Crowd(Who.model_validate(PERSON), 1, None)
    typical = {name: float(values[number]) for name, values in crowd.block(range(8)).typical.items()}
    person = person_from_data(
        {"person": "A", "age": 52, "sex": "female", "weight": "81 kg", "failed_trials": 3, "baseline": {"MADRS": 36}}
    )
    again = simulate_course(
        parse_course(infusions()), patients=8, weeks=4, seed=1, population=person.table(1, 0, range(8)),
        typical=typical, visits_h=found.time_h.tolist(), outputs=("mood.madrs", "nmda_block.tonic"),
    )  # fmt: skip
    assert found.panels["madrs"].one == pytest.approx(again.values["mood.madrs"][number], abs=0.1)
    assert found.panels["nmda"].one == pytest.approx(100 * again.values["nmda_block.tonic"][number], abs=0.5)
    assert np.abs(found.rated.one - again.measured["MADRS"][number]).max() <= 1  # of a point that is rounded


def test_people_at_the_medians_are_those_of_an_arm():
    course, times = load_course("iv-single"), (0.0, 2.0, 24.0, 168.0)
    crowd = Crowd(Who(), 1, None)
    order = Order(course, crowd, range(PEOPLE), 1.0, times)
    _, values = go(order, [crowd.at_medians(range(PEOPLE))])
    arm = Arm(course, patients=PEOPLE, weeks=1, seed=1, outputs=("mood.madrs",), visits_h=times, rtol=RTOL)
    assert (values == arm.trajectories()).all()


def test_people_under_draws_are_the_same_people():
    crowd, people = Crowd(Who(), 1, None), 8
    block = crowd.under_draws(people, 3)
    order = Order(load_course("iv-single"), crowd, range(people), 1.0, (0.0, 24.0))
    arm, values = go(order, [block])
    assert (values[:people, 0] == values[people : 2 * people, 0]).all()  # as ill at the start
    assert not np.allclose(values[:people, 1], values[people : 2 * people, 1])
    noise = arm.measured("MADRS", np.full((3 * people, 2), 30.0), np.array([0.0, 24.0]), block)
    assert (noise[:people] == noise[people : 2 * people]).all()


# ------------------------------------------------------------------------------------------------ what to know


def test_warns_of_what_has_not_been_studied():
    assert ask(infusions()).warnings == []
    assert "above the studied range" in ask(infusions("2 mg/kg")).warnings[0]
    assert "1 of its days lie after week 4" in ask(infusions(days=(1, 50))).warnings[0]
    assert "above the studied range" in ask(infusions(), versus={**infusions("2 mg/kg"), "course": "b"}).warnings[0]


@pytest.mark.parametrize("people", [0, 12, 2000])
def test_people_come_in_groups(people):
    with pytest.raises(InputError, match="multiple of 8"):
        ask(infusions(), people=people)


def test_panels_are_those_of_the_drugs():
    assert "transporter" not in ask(infusions(), people=8).panels
    assert {"ketamine", "antidepressant", "transporter"} <= ask(infusions(), people=8, versus="ssri").panels.keys()


def test_a_variant_changes_the_people_and_an_inert_drug_leaves_synapses_alone():
    found = ask(infusions(), variant="inert")
    assert found.chain["plasma"].max() == 1
    assert found.chain["glutamate"].max() == 0


def test_plain_answers_are_what_json_holds(answer):
    found = answer.plain()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["panels"]["madrs"]["lo90"] == pytest.approx(answer.panels["madrs"].lo90, rel=1e-5)
    assert found["time_h"] == pytest.approx(answer.time_h, rel=1e-5)
    assert found["doses"][0]["drug"] == "ketamine"
