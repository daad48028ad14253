"""One person: what is known stays, what is unknown is drawn, identities are refused."""

from pathlib import Path

import pytest

from afterglow.clinic.files import model_from_text
from afterglow.clinic.person import Person, load_person
from afterglow.clinic.population import load_population
from afterglow.errors import InputError

GOOD = """\
person: A
age: 44
sex: female
weight: 81 kg
baseline: {MADRS: 34}
failed_trials: 3
conditions: [anxiety, Chronic pain]
current_drugs: [sertraline, lorazepam]
blood_pressure: 128/82
"""


def person(text: str = GOOD) -> Person:
    return model_from_text(Person, text, "p.yaml")


def test_reading(tmp_path: Path):
    (tmp_path / "p.yaml").write_text(GOOD)
    assert load_person(tmp_path / "p.yaml") == person()
    assert person().conditions == ("anxiety", "chronic-pain")
    assert person().blood_pressure == (128.0, 82.0)


def test_known_columns_are_constant_and_unknown_ones_are_drawn():
    table = person().table(1, 0, range(300))
    for column, value in person().known().items():
        assert (table[column] == value).all()
    assert (table["benzodiazepine"] == 1).all()
    assert (table["trd"] == 1).all()
    assert 0.2 < table["met_carrier"].mean() < 0.5
    assert table["crp"].nunique() == 300
    drawn = load_population("trd").draw(1, 0, range(300))
    assert list(table.columns) == list(drawn.columns)
    assert table["crp"].equals(drawn["crp"])
    assert table.iloc[:100].equals(person().table(1, 0, range(100)))


def test_derived_columns_follow_what_is_known():
    table = person(GOOD.replace("failed_trials: 3", "failed_trials: 1\ncrp: 8")).table(1, 0, range(5))
    assert (table["trd"] == 0).all()
    assert (table["crp_high"] == 1).all()


@pytest.mark.parametrize(("scale", "score", "madrs"), [("HAM-D17", 20, 26), ("QIDS-SR16", 16, 26), ("MADRS", 34, 34)])
def test_other_baselines_are_converted_by_published_tables(scale: str, score: float, madrs: float):
    assert person(GOOD.replace("MADRS: 34", f"{scale}: {score}")).baseline_madrs() == pytest.approx(madrs)


@pytest.mark.parametrize(
    "key", ["name", "Name", "first_name", "date-of-birth", "email", "ssn", "address", "patient id", "phone", "mrn"]
)
def test_identities_are_refused(key: str):
    with pytest.raises(InputError, match="no identity is needed"):
        person(GOOD + f"{key}: something\n")


def test_several_faults_at_once():
    text = """\
person: John Smith
age: 4
sex: f
weight: 81
baseline: {MADR: 34, PHQ-9: 40}
conditions: [anxeity]
current_drugs: [lorazepan]
blood_pressure: 82/128
histroy: x
"""
    with pytest.raises(InputError) as caught:
        person(text)
    found = {int(fault.place.rsplit(":", 1)[1]): str(fault) for fault in caught.value.faults}
    assert set(found) == set(range(1, 10))
    assert "'anxiety'" in found[6]
    assert "'lorazepam'" in found[7]
    assert "128/82" in found[8]


def test_a_baseline_of_depression_is_needed():
    with pytest.raises(InputError, match="no score of depression"):
        person(GOOD.replace("MADRS: 34", "GAD-7: 12"))
