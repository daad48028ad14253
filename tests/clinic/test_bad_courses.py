"""Bad input: every kind of fault is answered with its place, its value and what to do; several at once."""

from pathlib import Path

import pytest

from afterglow.clinic.course import Course, load_course, parse_course
from afterglow.clinic.files import model_from_text, read_model
from afterglow.errors import InputError

GOOD = {"drug": "ketamine", "route": "iv", "dose": "0.5 mg/kg", "over": "40 min", "days": [1]}


def faults(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        model_from_text(Course, text, "my.yaml")
    return [str(fault) for fault in caught.value.faults]


def dose_faults(**change: object) -> list[str]:
    """Faults of a course whose only dose is the good one with these changes (None leaves a key out)."""
    dose = {key: value for key, value in (GOOD | change).items() if value is not None}
    with pytest.raises(InputError) as caught:
        parse_course({"course": "x", "title": "x", "doses": [dose]}, "x")
    return [str(fault) for fault in caught.value.faults]


def test_the_good_dose_is_good():
    parse_course({"course": "x", "title": "x", "doses": [GOOD]})


@pytest.mark.parametrize(
    ("change", "problem", "remedy"),
    [
        ({"drug": "ketamin"}, "ketamin", "did you mean 'ketamine'?"),
        ({"drug": "psilocybin"}, "psilocybin is not modelled", "drugs:"),
        ({"drug": "MDMA"}, "MDMA is not modelled", "drugs:"),
        ({"drug": "Spravato"}, "Spravato", "did you mean 'esketamine'?"),
        ({"route": "intravenous"}, "intravenous", "did you mean 'iv'?"),
        ({"route": "IV"}, "IV", "did you mean 'iv'?"),
        ({"route": "nasal-device", "over": None}, "not given by route 'nasal-device'", "routes: iv"),
        ({"drug": "diazepam", "dose": "5 mg"}, "diazepam is not given by route 'iv'", "routes: oral"),
        ({"dose": "0.5 mg/kk"}, "unknown unit 'mg/kk'", "did you mean 'mg/kg'?"),
        ({"dose": "0.5 MG/KG"}, "unknown unit", "did you mean 'mg/kg'?"),
        ({"dose": "0,5 mg/kg"}, "0,5 mg/kg", "decimal point"),
        ({"dose": 0.5}, "'0.5' has no unit", "0.5 mg/kg"),
        ({"dose": "-0.5 mg/kg"}, "'-0.5 mg/kg' is negative", "0 or more"),
        ({"dose": "0 mg/kg"}, "zero", "saline"),
        ({"dose": float("nan")}, "not a finite number", "for instance"),
        ({"dose": "nan mg/kg"}, "not a finite number", "for instance"),
        ({"dose": "inf mg"}, "not a finite number", "for instance"),
        ({"dose": True}, "True is not a quantity", "for instance"),
        ({"dose": None}, "'dose' of ketamine is missing", "dose: 0.5 mg/kg"),
        ({"dose": "0.5 mg"}, "0.5 mg is far too small", "did you mean 0.5 mg/kg?"),
        ({"dose": "35 mg/kg"}, "above the safety bound of 13 mg/kg", "did you mean 35 mg? bound:"),
        ({"dose": "14 mg/kg"}, "above the safety bound of 13 mg/kg", "bound:"),
        ({"over": None}, "no duration of infusion", "over: 40 min"),
        ({"over": "40 minuts"}, "unknown unit 'minuts'", "did you mean 'minutes'?"),
        ({"over": "40"}, "'40' has no unit", "40 min"),
        ({"over": "40 h"}, "longer than a day", "24 h"),
        ({"route": "im"}, "`over` is the duration of an infusion", "leave `over` out"),
        ({"days": [0]}, "day 0", "count from 1"),
        ({"days": [-3]}, "day -3", "count from 1"),
        ({"days": ["Monday"]}, "day 'Monday'", "count from 1"),
        ({"days": [float("nan")]}, "day nan", "count from 1"),
        ({"days": [3, 3]}, "day 3 is listed twice", "once"),
        ({"days": 3}, "days must be a list", "[a, b, c]"),
        ({"days": []}, "days", "at least 1"),
        ({"days": None}, "neither `days` nor `every`", "every: 7 d"),
        ({"every": "7 d"}, "both given", "days: [1, 3, 5]"),
        ({"days": None, "every": "7 d", "from": 9, "until": 2}, "before `from`", "exchange"),
        ({"days": None, "every": "1 min"}, "every", "greater than"),
        ({"dayz": [1]}, "unknown key 'dayz'", "did you mean 'days'?"),
    ],
)
def test_each_fault_of_a_dose(change: dict, problem: str, remedy: str):
    found = dose_faults(**change)
    assert any(problem in one and remedy in one for one in found), found
    assert all(one.startswith("x.doses[0]") for one in found)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"dose": "50 mg"}, "not a multiple of 28 mg"),
        ({"dose": "10 mg"}, "not a multiple of 28 mg"),
        ({"dose": "0.5 mg/kg"}, "a device holds a fixed dose"),
        ({"dose": "140 mg"}, "above the safety bound of 112 mg"),
    ],
)
def test_faults_of_nasal_devices(change: dict, problem: str):
    found = dose_faults(**{"drug": "esketamine", "route": "nasal-device", "over": None} | change)
    assert any(problem in one for one in found), found


def test_the_sum_of_a_day_has_a_bound_too():
    found = dose_faults(dose="4 mg/kg", days=None, every="2 h")
    assert any("48 mg/kg within 24 h" in one for one in found), found


SPRAY = {"drug": "esketamine", "route": "nasal-device", "dose": "84 mg", "days": [1, 4]}
SHOT = {"drug": "ketamine", "dose": "13 mg/kg", "days": [1]}


@pytest.mark.parametrize(
    ("parts", "place", "problem"),
    [
        ({"maintenance": [{"every": "1 h", "dose": "13 mg/kg"}]}, "maintenance[0]", "312 mg/kg within 24 h"),
        ({"maintenance": [{"when": "MADRS > 9", "at_most": "3 per 1 d", "dose": "5 mg/kg"}]}, "", "within 24 h"),
        (
            {"doses": [SHOT | {"route": "iv", "over": "40 min"}, SHOT | {"route": "im"}, SHOT | {"route": "sc"}]},
            "",
            "3 times",
        ),
        ({"doses": [GOOD | {"dose": "8 mg/kg"}, GOOD | {"drug": "esketamine", "dose": "4 mg/kg"}]}, "", "1.23 times"),
        ({"doses": [GOOD, GOOD | {"route": "oral", "dose": "1000 mg", "over": None}]}, "", "1.04 times"),
        (
            {
                "doses": [GOOD | {"days": [1, 1.5]}],
                "checks": [{"after_dose": 1, "if": "MADRS > 9", "then": {"dose": "7 mg/kg"}}],
            },
            "doses[0]",
            "14 mg/kg within 24 h",
        ),
        ({"doses": [SPRAY], "maintenance": [{"every": "7 d"}, {"every": "14 d"}]}, "maintenance[0]", "168 mg within"),
        ({"doses": [SPRAY], "maintenance": [{"when": "MADRS > 9", "at_most": "2 per 1 d"}]}, "", "within 24 h"),
    ],
)
def test_the_bound_of_a_day_holds_for_all_that_may_be_given(parts: dict, place: str, problem: str):
    parts = {"doses": [GOOD], **parts}
    parts["doses"] = [{k: v for k, v in one.items() if v is not None} for one in parts["doses"]]
    with pytest.raises(InputError) as caught:
        parse_course({"course": "x", "title": "x", **parts}, "x")
    (fault,) = caught.value.faults
    assert fault.place.startswith(f"x.{place}")
    assert problem in str(fault)


@pytest.mark.parametrize(
    "rules",
    [
        [{"every": "7 d"}, {"when": "MADRS > 9", "at_most": "1 per 7 d"}],
        [{"when": "MADRS > 9", "at_most": "1 per 7 d"}, {"when": "MADRS > 20", "at_most": "1 per 2 d"}],
    ],
)
def test_maintenance_that_keeps_its_distance_is_not_added_up(rules: list):
    parse_course({"course": "x", "title": "x", "doses": [SPRAY], "maintenance": rules})


def test_a_wrong_day_is_told_once():
    (found,) = dose_faults(days=[0])
    assert "count from 1" in found


def test_several_faults_at_once_each_with_its_line():
    found = faults(
        """\
course: my course
titel: x
doses:
  - {drug: ketamin, route: iv, dose: 0.5 mg/kg, over: 40 min, days: [1]}
  - drug: ketamine
    route: iv
    dose: 0.5 mg
    over: 40 mn
    days: [1, 0]
    drug: ketamine
checks:
  - {after_dose: 2, if: "improvement(MADR) < 20 %", then: halt}
maintenance:
  - {when: "MADRS >= 22", at_most: weekly, until: 26 wekks}
therapy:
  - {kind: cpt, days: [2]}
blinding: opn
"""
    )
    expected = {
        "my.yaml:1": ["course 'my course' is not allowed"],
        "my.yaml:2": ["unknown key 'titel' (did you mean 'title'?)"],
        "my.yaml:4": ["drug 'ketamin' is not known (did you mean 'ketamine'?)"],
        "my.yaml:7": ["did you mean 0.5 mg/kg?"],
        "my.yaml:8": ["unknown unit 'mn'"],
        "my.yaml:9": ["day 0"],
        "my.yaml:10": ["'drug' is written twice (first in line 5"],
        "my.yaml:12": ["column 13: scale 'MADR' is not known (did you mean 'MADRS'?)", "consequence 'halt'"],
        "my.yaml:14": ["'weekly' is not a frequency", "did you mean 'weeks'?"],
        "my.yaml:16": ["kind 'cpt' is not known"],
        "my.yaml:17": ["blinding 'opn' is not known (did you mean 'open'?)"],
    }
    for place, problems in expected.items():
        for problem in problems:
            assert any(one.startswith(f"{place}: ") and problem in one for one in found), (place, problem, found)
    assert len(found) == sum(map(len, expected.values()))
    lines = [int(one.split(":")[1]) for one in found]
    assert lines == sorted(lines)


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("", "my.yaml:1", "the file is empty"),
        ("- 1\n- 2", "my.yaml:1", "must be a block of keys"),
        ("course: x\n  title: y", "my.yaml:2", "not valid YAML"),
        ("course: x\n\ttitle: y", "my.yaml:2", "not valid YAML"),
        ("course: [x", "my.yaml:1", "not valid YAML"),
        ("course: x\ntitle: !!python/object:os.system y", "my.yaml:2", "not valid YAML"),
        ("course: x\ntitle: y\n---\ncourse: z", "my.yaml:3", "not valid YAML"),
        ("course: x\ntitle: y\n? [a, b]\n: c", "my.yaml:3", "a key must be a word"),
        ("course: x\ntitle: y\ndoses: ketamine", "my.yaml:3", "doses must be a list"),
        ("course: x\ntitle: y\ndoses: [ketamine]", "my.yaml:3", "must be a block of keys, not 'ketamine'"),
    ],
)
def test_broken_yaml(text: str, place: str, problem: str):
    found = faults(text)
    assert any(one.startswith(place) and problem in one for one in found), found


def test_multiplying_aliases_are_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 8)]
    assert any("too large" in one for one in faults("\n".join(lines)))


def test_unknown_course_and_missing_file(tmp_path: Path):
    with pytest.raises(InputError, match=r"no course 'iv-inducton'.*did you mean 'iv-induction'\?"):
        load_course("iv-inducton")
    (tmp_path / "mine.yaml").write_text("course: mine\ntitle: Mine\n")
    assert load_course(tmp_path / "mine.yaml").name == "mine"
    with pytest.raises(InputError, match=r"no such file.*did you mean 'mine.yaml'\?"):
        load_course(tmp_path / "mime.yaml")
    (tmp_path / "latin.yaml").write_bytes("course: m\u00fcde\n".encode("latin-1"))
    with pytest.raises(InputError, match="UTF-8"):
        read_model(Course, tmp_path / "latin.yaml")


@pytest.mark.parametrize("weeks", [0, -1, float("nan"), float("inf")])
def test_a_horizon_is_above_zero(weeks: float):
    course = load_course("iv-single")
    for unfold in (course.regimen, course.decisions, course.sessions):
        with pytest.raises(InputError, match="horizon"):
            unfold(weeks)


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        ({"checks": [{"after_dose": 7, "if": "MADRS > 20", "then": "stop"}]}, "the course has 1 sessions"),
        ({"checks": [{"after_dose": 0, "if": "MADRS > 20", "then": "stop"}]}, "number of a dose"),
        ({"checks": [{"after_dose": 1, "if": "MADRS > 20", "then": {}}]}, "one consequence"),
        ({"checks": [{"after_dose": 1, "if": "MADRS > 20", "then": {"dose": "20 mg/kg"}}]}, "safety bound"),
        ({"maintenance": [{"dose": "0.5 mg/kg"}]}, "neither `when` nor `every`"),
        ({"maintenance": [{"when": "MADRS > 20"}]}, "no highest frequency"),
        ({"maintenance": [{"every": "7 d", "at_most": "1 per 7 d"}]}, "belongs to `when`"),
        ({"maintenance": [{"every": "7 d", "dose": "0.5 mg"}]}, "did you mean 0.5 mg/kg?"),
        ({"stress": [{"day": 3, "days": float("nan")}]}, "finite"),
        ({"stress": [{"day": 3, "days": 2, "intensity": -1}]}, "greater than or equal to 0"),
        ({"background": [{"drug": "escitalopram"}]}, "'dose' of escitalopram is missing"),
        ({"background": [{"drug": "escitalopram", "dose": "50 mg"}]}, "safety bound of 40 mg"),
        ({"background": [{"drug": "escitalopram", "dose": "10 mg", "every": "3 h"}]}, "80 mg within 24 h"),
        ({"background": [{"drug": "escitalopram", "dose": "10 mg", "until_day": 2, "from_day": 9}]}, "exchange"),
        ({"control": "midazolm"}, "did you mean 'midazolam'?"),
        ({"sources": [{"grade": "page"}]}, "has no citation"),
        ({"sources": [{"grade": "assumed"}]}, "has no reason"),
    ],
)
def test_faults_of_other_parts(part: dict, problem: str):
    with pytest.raises(InputError) as caught:
        parse_course({"course": "x", "title": "x", "doses": [GOOD], **part})
    assert any(problem in str(one) for one in caught.value.faults), caught.value


def test_maintenance_and_midazolam_need_the_right_doses():
    with pytest.raises(InputError, match="maintenance without `doses`"):
        parse_course({"course": "x", "title": "x", "maintenance": [{"every": "7 d"}]})
    spray = {"drug": "esketamine", "route": "nasal-device", "dose": "56 mg", "days": [1]}
    with pytest.raises(InputError, match="injections only"):
        parse_course({"course": "x", "title": "x", "doses": [spray], "control": "midazolam"})
