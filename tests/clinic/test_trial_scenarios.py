"""Trial files that ask for several trials: which, in what order, and what is wrong with them."""

import copy
from typing import Any

import pytest

from afterglow.clinic import scenarios as grid
from afterglow.clinic.files import parse
from afterglow.clinic.phases import arm_courses
from afterglow.clinic.scenarios import Scenario, load_scenarios, scenarios
from afterglow.errors import InputError

TRIAL = """\
trial: t
population: {from: trd}
arms:
  - {name: drug, course: iv-single, n: 20}
  - {name: control, control: midazolam, n: 20}
blinding: {raters: site}
visits: [24 h, 7 d]
endpoints:
  - {measure: change, at: 24 h}
"""
INLINE = TRIAL.replace(
    "course: iv-single", "course: {doses: [{drug: ketamine, route: iv, dose: 0.5 mg/kg, over: 40 min, days: [1]}]}"
)


def read(text: str) -> list[Scenario]:
    return scenarios(parse(text, "t.yaml"))


def faults(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        read(text)
    return [str(fault) for fault in caught.value.faults]


def test_a_file_without_lists_is_one_scenario_and_its_data_are_left_alone():
    document = parse(TRIAL, "t.yaml")
    before = copy.deepcopy(document.data)
    (one,) = scenarios(document)
    assert one.varied == {}
    assert one.number == 0
    assert document.data == before


def test_every_combination_in_the_order_of_the_file_the_last_list_fastest():
    text = TRIAL.replace("iv-single, n: 20", "iv-single, n: [20, 40, 80]").replace("site", "[site, remote]")
    found = read(text)
    assert [one.varied for one in found] == [
        {"arms[0].n": n, "blinding.raters": raters} for n in (20, 40, 80) for raters in ("site", "remote")
    ]
    assert [one.number for one in found] == list(range(6))
    assert [(one.trial.arms[0].n, one.trial.blinding.raters) for one in found] == [
        tuple(one.varied.values()) for one in found
    ]


def test_the_data_of_a_file_with_lists_are_left_alone_too():
    document = parse(TRIAL.replace("n: 20", "n: [20, 40]"), "t.yaml")
    before = copy.deepcopy(document.data)
    assert len(scenarios(document)) == 4
    assert document.data == before


@pytest.mark.parametrize(
    ("old", "new", "path", "values"),
    [
        ("from: trd", "from: [trd, mdd]", "population.from", ["trd", "mdd"]),
        ("from: trd", "from: trd, madrs: {mean: [30, 35], sd: 5}", "population.madrs.mean", [30, 35]),
        ("from: trd", "from: trd, madrs: [{mean: 30, sd: 4}, {mean: 35, sd: 5}]", "population.madrs", None),
        ("iv-single", "[iv-single, iv-induction]", "arms[0].course", ["iv-single", "iv-induction"]),
        ("iv-single", "iv-single, dose: [0.2 mg/kg, 0.5 mg/kg]", "arms[0].dose", ["0.2 mg/kg", "0.5 mg/kg"]),
        ("iv-single", "iv-single, then: [{course: iv-single, day: [8, 15]}]", "arms[0].then[0].day", [8, 15]),
        ("at: 24 h", "at: [24 h, 7 d]", "endpoints[0].at", ["24 h", "7 d"]),
        ("[24 h, 7 d]", "[24 h, {at: 7 d, window: [1 h, 2 h]}]", "visits[1].window", ["1 h", "2 h"]),
        ("[24 h, 7 d]", "[[24 h, 7 d], [24 h, 3 d, 7 d]]", "visits", [["24 h", "7 d"], ["24 h", "3 d", "7 d"]]),
    ],
)
def test_what_may_vary(old: str, new: str, path: str, values: list[Any] | None):
    found = read(TRIAL.replace(old, new, 1))
    assert len(found) == 2
    assert all(list(one.varied) == [path] for one in found)
    assert values is None or [one.varied[path] for one in found] == values


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("dose: 0.5 mg/kg", "dose: [0.5 mg/kg, 1 mg/kg]", "arms[0].course.doses[0].dose"),
        ("over: 40 min", "over: [40 min, 100 min]", "arms[0].course.doses[0].over"),
        ("days: [1]", "days: [[1], [1, 3, 5]]", "arms[0].course.doses[0].days"),
    ],
)
def test_fields_of_an_inline_course_may_vary(old: str, new: str, path: str):
    found = read(INLINE.replace(old, new))
    assert [list(one.varied) for one in found] == [[path]] * 2
    first, second = (arm_courses(one.trial, one.document.place)[0].regimen(1.0) for one in found)
    assert first != second


def test_a_field_that_takes_a_list_is_one_value():
    assert len(read(TRIAL.replace("site}", "site, asked: [24 h, 7 d]}"))) == 1
    assert len(read(INLINE.replace("days: [1]", "days: [1, 3, 5]"))) == 1


def test_an_empty_list_is_refused_with_its_line():
    text = TRIAL.replace("site", "[]").replace("midazolam, n: 20", "midazolam, n: []")
    assert faults(text) == [
        "t.yaml:5: arms[1].n is an empty list (write a value)",
        "t.yaml:6: blinding.raters is an empty list (write a value)",
    ]


def test_too_many_scenarios_are_refused_before_any_is_made(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(grid, "model_from_document", None)
    many = str(list(range(10, 410)))
    text = TRIAL.replace("site}", f"site}}\nalpha: {many}").replace("n: 20", f"n: {many}", 1)
    assert faults(text) == ["t.yaml:4: 160000 scenarios (at most 100000; vary fewer fields)"]


def test_faults_of_all_scenarios_are_told_once_each():
    found = faults(TRIAL.replace("site", "[site, phone, remote]").replace("at: 24 h", "at: 25 h"))
    assert len(found) == 2
    assert found[0].startswith("t.yaml:9: nothing is measured at 25 h")
    assert found[1].startswith("t.yaml:6: raters 'phone' is not known")


def test_a_key_written_twice_is_told():
    assert any("t.yaml:2: the key 'trial' is written twice" in one for one in faults("trial: x\n" + TRIAL))


def test_a_trial_by_name_by_path_and_neither(tmp_path):
    assert [one.trial.name for one in load_scenarios("ketamine-midazolam")] == ["ketamine-midazolam"]
    (tmp_path / "mine.yaml").write_text(TRIAL, encoding="utf-8")
    assert load_scenarios(tmp_path / "mine.yaml")[0].trial.name == "t"
    with pytest.raises(InputError, match="did you mean 'ketamine-midazolam'"):
        load_scenarios("ketamine-midazolan")
