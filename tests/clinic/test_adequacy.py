"""Adequate trials: dose and duration, what is missing to decide, and counting by drug."""

import pytest

from afterglow.clinic.adequacy import COLUMNS, DrugTrial, failed_range, judge, resistance
from afterglow.clinic.files import model_from_data
from afterglow.errors import InputError


def trial(drug: str = "sertraline", **parts: object) -> DrugTrial:
    return model_from_data(DrugTrial, {"drug": drug, **parts}, "trial")


@pytest.mark.parametrize(
    ("parts", "adequate", "words", "missing"),
    [
        ({"dose": "150 mg", "weeks": 8}, "yes", "at least 50 mg", ""),
        ({"dose": "50 mg", "weeks": 6}, "yes", "at least 6", ""),
        ({"dose": "25 mg", "weeks": 8}, "no", "below 50 mg", ""),
        ({"dose": "100 mg", "weeks": 3}, "no", "fewer than 4", ""),
        ({"dose": "100 mg", "weeks": 4}, "unknown", "some definitions", "whether 4 or 6 weeks"),
        ({"weeks": 8}, "unknown", "no dose", "the daily dose"),
        ({"dose": "100 mg"}, "unknown", "no duration", "the number of weeks"),
        ({"dose": "1 mg/kg", "weeks": 8}, "unknown", "by body weight", "in mg"),
        ({"weeks": 2}, "no", "fewer than 4", ""),
        ({"dose": "25 mg"}, "no", "below 50 mg", ""),
    ],
)
def test_dose_and_duration_decide(parts: dict, adequate: str, words: str, missing: str):
    found = judge(trial(**parts))
    assert found.adequate == adequate
    assert words in found.reason
    assert missing in found.missing
    assert bool(found.missing) == (adequate == "unknown")


def test_a_drug_without_a_source_is_unknown_unless_it_was_too_short():
    assert judge(trial("lithium", dose="900 mg", weeks=8)).adequate == "unknown"
    assert judge(trial("lithium", dose="900 mg", weeks=1)).adequate == "no"


def test_more_dose_and_more_weeks_never_make_a_trial_less_adequate():
    rank = {"no": 0, "unknown": 1, "yes": 2}
    by_dose = [rank[judge(trial(dose=f"{mg} mg", weeks=8)).adequate] for mg in (10, 49, 50, 51, 200)]
    by_weeks = [rank[judge(trial(dose="50 mg", weeks=weeks)).adequate] for weeks in (0, 3.9, 4, 5.9, 6, 60)]
    assert by_dose == sorted(by_dose)
    assert by_weeks == sorted(by_weeks)
    assert by_dose[0] < by_dose[-1]
    assert by_weeks[0] < by_weeks[-1]


def test_different_drugs_are_counted_once_and_success_is_no_failure():
    enough = {"dose": "300 mg", "weeks": 9}
    assert failed_range([]) == (0, 0)
    assert failed_range([trial(**enough), trial("bupropion", **enough)]) == (2, 2)
    assert failed_range([trial(**enough), trial(**enough)]) == (1, 1)
    assert failed_range([trial(**enough), trial(weeks=9)]) == (1, 1)
    assert failed_range([trial(**enough), trial("bupropion", weeks=9)]) == (1, 2)
    assert failed_range([trial(**enough, helped=True), trial("bupropion", **enough)]) == (1, 1)
    assert failed_range([trial(helped=True), trial("lithium", helped=True)]) == (0, 0)


def test_the_answer_is_a_table_of_reasons_with_sources():
    table = resistance([trial(dose="150 mg", weeks=8), trial("lithium"), trial("amitriptyline", dose="25 mg", weeks=9)])
    assert tuple(table.columns) == COLUMNS
    assert list(table["adequate"]) == ["yes", "unknown", "no"]
    assert (table["reason"].str.len() > 0).all()
    assert table["source"].str.contains("10.1038/s41380-021-01381-x").all()
    assert "clinician decides" in table.attrs["note"]
    assert table.attrs["count"].startswith("1 to 2 different drugs")
    assert len(resistance([])) == 0


def test_what_is_no_drug_is_refused():
    for drug in ("", 7, "x" * 50):
        with pytest.raises(InputError):
            model_from_data(DrugTrial, {"drug": drug}, "trial")
