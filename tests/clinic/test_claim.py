"""Files of claims: what is read, and what is refused, all at once."""

from pathlib import Path

import pytest

from afterglow.clinic.claim import (
    Claim,
    ClaimFile,
    Range,
    Scenario,
    comparison,
    load_claims,
    shipped_claims,
)
from afterglow.clinic.files import Wrong, model_from_data
from afterglow.errors import InputError

EXAMPLE = Path(__file__).parents[2] / "examples" / "claim.yaml"
SCENARIO = {
    "weeks": 2,
    "measure": "change",
    "of": {"course": "iv-single", "at": "24 h"},
    "minus": {"course": "iv-single/control"},
    "expects": "< 0",
}


def faults(data, model=Claim):
    with pytest.raises(InputError) as caught:
        model_from_data(model, data, "claim")
    return [str(fault) for fault in caught.value.faults]


def scenario_faults(**changes):
    return faults({"id": "A1", "says": "x", "scenario": {**SCENARIO, **changes}})


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("> 0", [1e-9, 5], [0, -1]),
        (">= 0", [0, 5], [-1e-9]),
        ("< -0.5", [-0.6], [-0.5, 3]),
        ("<= 12", [12, 0], [12.001]),
        ("between 60 and 80", [60, 70, 80], [59.9, 80.1]),
        ("between -5 and 5", [0], [-6, 6]),
    ],
)
def test_a_comparison_holds_where_it_says(text, inside, outside):
    found = comparison(text)
    assert all(map(found.holds, inside))
    assert not any(map(found.holds, outside))
    assert comparison(found.written()) == found


@pytest.mark.parametrize("text", ["about 70", "= 3", "between 3 and 2", "", "> 1 or < 0", "between a and b", 7])
def test_what_is_no_comparison_is_refused(text):
    with pytest.raises(Wrong):
        comparison(text)


def test_what_the_second_reading_leaves_out_is_taken_from_the_first():
    one = model_from_data(Scenario, SCENARIO, "s")
    first, second = one.readings()
    assert (first.course, second.course) == ("iv-single", "iv-single/control")
    assert first.at == second.at == 24.0


def test_a_scenario_is_written_as_it_is_read():
    one = model_from_data(Scenario, {**SCENARIO, "of": {**SCENARIO["of"], "among": {"AGE": ">= 60"}}}, "s")
    assert model_from_data(Scenario, one.written(), "s") == one


def test_a_whole_number_of_faults_is_told_at_once():
    found = faults(
        {
            "id": "A 1",
            "says": "x",
            "check": "all",
            "records": [{"found": "y", "speaks": "agrees", "because": "z"}],
            "scenario": {**SCENARIO, "scale": "MARDS", "expects": "about 3", "weeks": 0},
        }
    )
    text = "\n".join(found)
    words = (
        "claim.id",
        "claim.check",
        "one source",
        "records[0].speaks",
        "MADRS",
        "not a comparison",
        "scenario.weeks",
    )
    for part in words:
        assert part in text


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"of": {"at": "24 h"}}, "no course"),
        ({"of": {"course": "iv-single"}}, "no time"),
        ({"of": {"course": "iv-single", "at": "3 weeks"}}, "lies after"),
        ({"of": {"course": "iv-single", "at": "24 h", "output": "mood.madrs"}}, "has no output"),
        ({"measure": "output"}, "needs an output"),
        ({"measure": "share"}, "at_least"),
        ({"measure": "relapse"}, "since when"),
        ({"over": {"at": "2 h"}}, "difference and a ratio"),
        ({"of": {"course": "iv-single", "at": "24 h", "since": "2 d"}}, "window is empty"),
        ({"of": {"course": "iv-single", "at": "24 h", "among": {"AG": "> 3"}}}, "did you mean 'AGE'"),
        ({"wekes": 3}, "did you mean 'weeks'"),
    ],
)
def test_a_scenario_that_cannot_run_is_refused(changes, part):
    assert any(part in fault for fault in scenario_faults(**changes))


def test_a_claim_needs_something_to_answer_it_with():
    assert any("nothing to answer" in fault for fault in faults({"id": "A1", "says": "x"}))
    assert any("model is to answer" in fault for fault in faults({"id": "A1", "says": "x", "check": "both"}))


@pytest.mark.parametrize(
    ("finding", "part"),
    [
        ({"citation": "Someone (2020)", "found": "x"}, "cannot be found"),
        ({"citation": "Someone (2020)", "doi": "10.1000/1"}, "what was found"),
        ({"trial": "a", "citation": "b", "found": "x"}, "one source"),
        ({"citation": "b", "url": "https://c.org/d", "row": "r", "found": "x"}, "belongs to a trial"),
        ({"trial": "a", "row": "r", "value": 3, "unit": "%"}, "already in the record"),
        ({"trial": "a", "found": "x", "value": 3}, "belong together"),
    ],
)
def test_a_finding_has_one_source_that_can_be_found(finding, part):
    data = {"id": "A1", "says": "x", "records": [{**finding, "speaks": "supports", "because": "y"}]}
    assert any(part in fault for fault in faults(data))


def test_an_id_is_used_once():
    one = {"id": "A1", "says": "x", "scenario": SCENARIO}
    assert any("used twice" in fault for fault in faults({"claims": [one, one]}, ClaimFile))


def test_a_file_holds_one_claim_or_several(tmp_path):
    text = EXAMPLE.read_text("utf-8")
    single = load_claims(EXAMPLE)
    several = tmp_path / "several.yaml"
    body = "\n".join("    " + line for line in text.splitlines() if not line.startswith("#"))
    several.write_text("group: mine\nclaims:\n  -\n" + body + "\n", encoding="utf-8")
    again = load_claims(several)
    assert [one.group for one in again] == ["mine"]
    assert again[0].model_copy(update={"group": ""}) == single[0]


def test_shipped_claims_are_the_statements_with_their_groups():
    found = shipped_claims()
    assert len(found) == len({one.id for one in found}) == 47
    assert all(one.group for one in found)
    assert {one.id[0] for one in found} == set("DMCETS")


def test_an_open_end_is_told_apart_from_a_closed_one():
    assert str(Range(low=0, open_low=True)) == "above 0"
    assert str(Range(low=0)) == "at least 0"
    assert str(Range(-1, 1)) == "-1 to 1"
