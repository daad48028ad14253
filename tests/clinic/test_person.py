"""One person: what is known stays, what is unknown is drawn, identities are refused."""

import re
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


def test_the_files_of_the_page_are_read():
    page = (Path(__file__).parents[2] / "docs" / "person.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) + re.findall(r"`(\{person: .*?\})`", page)
    assert len(blocks) == 2
    for block in blocks:
        assert person(block).scales
    fields = {name for line in page.splitlines() if line.startswith("| `") for name in re.findall("`([a-z_]+)`", line)}
    assert set(Person.model_fields) <= fields


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
    assert set(found) == {1, 2, 3, 4, 5, 8, 9}
    assert "128/82" in found[8]


def test_unknown_words_are_told_and_not_used():
    odd = person(GOOD.replace("[anxiety,", "[anxiety, anxeity,").replace("lorazepam", "lorazepan"))
    assert len(odd.not_used) == 2
    assert "'anxeity' is not a known word (did you mean 'anxiety'?)" in odd.not_used[0]
    assert "lorazepan" in odd.not_used[1]
    assert person().not_used == ()
    assert odd.known()["benzodiazepine"] == 0
    assert person().known()["benzodiazepine"] == 1


# ------------------------------------------------------------------------------------------------ what is unknown


def test_an_age_band_and_a_scale_are_enough():
    little = person("person: A\nage_band: 40-49\nscale: PHQ-9\n")
    assert little.known() == {}
    assert little.scales == ("PHQ-9",)
    assert little.history().observed == ()
    table, drawn = little.table(1, 0, range(2000)), load_population("trd").draw(1, 0, range(2000))
    assert table.drop(columns="AGE").equals(drawn.drop(columns="AGE"))
    assert table["AGE"].between(40, 50).all()
    # mean and SD of a uniform distribution, within four standard errors
    assert table["AGE"].mean() == pytest.approx(45, abs=4 * 10 / 12**0.5 / 2000**0.5)
    assert table["AGE"].std() == pytest.approx(10 / 12**0.5, rel=0.1)


@pytest.mark.parametrize(("line", "column"), [("sex", "SEXF"), ("weight", "WT"), ("conditions", "anxiety")])
def test_what_is_left_out_is_drawn(line: str, column: str):
    text = "\n".join(one for one in GOOD.splitlines() if not one.startswith(line))
    assert person(text).table(1, 0, range(50))[column].nunique() > 1
    assert person().table(1, 0, range(50))[column].nunique() == 1


def test_a_measured_baseline_can_be_left_open():
    table = person().table(1, 0, range(20), measured_baseline=False)
    assert table["baseline_madrs"].equals(load_population("trd").draw(1, 0, range(20))["baseline_madrs"])


def test_failed_trials_that_cannot_be_judged_are_drawn_between_what_is_sure_and_possible():
    trials = "trials: [{drug: sertraline, dose: 50 mg, weeks: 8}, {drug: bupropion, weeks: 9}, {drug: lithium}]"
    found = person(GOOD.replace("failed_trials: 3", trials))
    assert found.failed_range() == (1, 3)
    assert "failed_trials" not in found.known()
    table = found.table(1, 0, range(300))
    assert set(table["failed_trials"]) <= {1, 2, 3}
    assert table["failed_trials"].nunique() > 1
    assert table["trd"].equals((table["failed_trials"] >= 2).astype(float))


# ------------------------------------------------------------------------------------------------ no identities


@pytest.mark.parametrize(
    "line",
    [
        "scores: [{day: 0, scale: MADRS, score: 34, patient name: x}]",
        "doses: [{day: 1, drug: ketamine, route: iv, dose: 0.5 mg/kg, over: 40 min, MRN: 7}]",
        "trials: [{drug: sertraline, date of birth: x}]",
        "background: [{drug: sertraline, dose: 50 mg, email: x}]",
        "therapy: [{day: 2, kind: cbt, id: 3}]",
        "stress: [{day: 2, days: 3, address: x}]",
    ],
)
def test_identities_are_refused_in_nested_blocks(line: str):
    with pytest.raises(InputError, match="no identity is needed"):
        person(GOOD.replace("failed_trials: 3\n", "") + line)


@pytest.mark.parametrize(
    "words",
    [
        "seen with Anna Berg",
        "asked Dr. Berg",
        "since 3 March 1980",
        "March 3, 1980 it began",
        "from 12/05/1979",
        "from 1979-05-12",
        "record 4471902",
        "call 040 123 45 67 8",
        "a.berg@example.org",
        "born in spring",
    ],
)
def test_texts_that_look_like_an_identity_are_refused(words: str):
    for line in (f"notes: '{words}'", f"trials: [{{drug: '{words}'}}]"):
        with pytest.raises(InputError, match=r"looks like|not the name"):
            person(GOOD.replace("failed_trials: 3\n", "") + line)
    with pytest.raises(InputError, match="looks like"):
        person(GOOD.replace("Chronic pain", f"'{words}'"))


def test_ordinary_words_are_no_identity():
    words = "Sleeps 5 h, PHQ-9 fell by 40 % after the 2nd infusion; 56 mg then 84 mg, 128/82 before it."
    assert person(GOOD + f"notes: '{words}'").notes == words


def test_a_label_is_no_record_number():
    with pytest.raises(InputError, match="long number"):
        person(GOOD.replace("person: A", "person: case-4471902"))


def test_a_baseline_of_depression_is_needed():
    with pytest.raises(InputError, match="no score of depression"):
        person(GOOD.replace("MADRS: 34", "GAD-7: 12"))
