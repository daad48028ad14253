"""What may be given: contraindications and limits are hard, cautions are counted."""

import pytest

from afterglow.clinic.course import Course, load_course
from afterglow.clinic.dosing import Background, Dose
from afterglow.clinic.person import person_from_data
from afterglow.clinic.quantity import amount
from afterglow.study import plan_screened
from afterglow.study.plan_screened import EVERY_RULE, EXCLUDED, SCREENING, dose_words, screened

DONE = load_course("iv-induction")
ALL = ["ketamine iv 0.5 mg/kg", "esketamine nasal-device 84 mg", "ketamine sc 0.5 mg/kg", "ketamine oral 120 mg"]


def person(**facts):
    return person_from_data({"person": "A", "age": 44, "scale": "MADRS", **facts})


def names(found):
    return [dose_words(line) for line in found.allowed]


def test_nothing_speaks_against_a_healthy_person():
    found = screened(person(), DONE)
    assert names(found) == ALL
    assert list(found.screening.columns) == list(SCREENING)
    assert list(found.excluded.columns) == list(EXCLUDED)
    assert not len(found.excluded)


def test_a_caution_is_counted_and_excludes_nothing():
    found = screened(person(conditions=["hypertension"]), DONE)
    assert names(found) == ALL
    assert [found.count(line, "caution") for line in found.allowed] == [1, 1, 1, 1]


def test_a_stroke_leaves_the_spray_only():
    found = screened(person(conditions=["cerebrovascular-disease"]), DONE)
    assert names(found) == ["esketamine nasal-device 84 mg"]
    assert set(found.excluded["dose"]) == set(ALL) - {"esketamine nasal-device 84 mg"}
    assert set(found.excluded["rule"]) == {EVERY_RULE}
    assert found.excluded[["reason", "source", "what_would_change_it"]].map(len).to_numpy().all()


def test_an_allergy_leaves_nothing():
    found = screened(person(conditions=["ketamine-hypersensitivity"]), DONE)
    assert found.allowed == []
    assert set(found.excluded["dose"]) == set(ALL)


def test_a_dose_above_the_studied_range_is_excluded_and_says_what_is_not():
    high = DONE.model_copy(update={"doses": (DONE.doses[0].model_copy(update={"dose": amount("2 mg/kg")}),)})
    found = screened(None, high)
    assert names(found) == ALL[1:]
    row = found.excluded.iloc[0]
    assert "above the studied range" in row["reason"]
    assert "1 mg/kg" in row["what_would_change_it"]
    assert "Fava" in row["source"]


@pytest.mark.parametrize("dose", ["0.1 mg/kg", "1 mg/kg"])
def test_the_ends_of_the_studied_range_are_allowed(dose):
    line = DONE.doses[0].model_copy(update={"dose": amount(dose)})
    assert screened(None, DONE, [line]).allowed == [line]


def test_daily_drugs_count_for_the_bound_of_a_day():
    daily = Background.model_validate({"drug": "ketamine", "dose": "990 mg", "route": "oral"})
    done = Course(course="daily", background=(daily,))
    line = Dose.model_validate({"drug": "ketamine", "route": "sublingual", "dose": "100 mg", "days": [1]})
    found = screened(None, done, [line])
    assert found.allowed == []
    assert "within 24 h" in found.excluded["reason"].iloc[0]


def test_the_own_route_is_not_offered_twice():
    spray = load_course("nasal-esketamine")
    lines = plan_screened.considered(spray)
    assert dose_words(lines[0]) == "esketamine nasal-device 84 mg"
    assert len({(line.drug, line.route) for line in lines}) == len(lines) == 4


def test_who_has_had_no_dose_gets_the_usual_one_first():
    assert dose_words(plan_screened.considered(Course(course="none"))[0]) == ALL[0]
