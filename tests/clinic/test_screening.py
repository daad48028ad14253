"""Screening: rules, their sources, and who decides."""

import pytest

from afterglow.clinic.course import load_course, shipped_courses
from afterglow.clinic.files import model_from_text
from afterglow.clinic.person import Person
from afterglow.clinic.population import load_population
from afterglow.clinic.screening import COLUMNS, SEVERITIES, screen, shipped_rules


def person(age: int = 44, **parts: object) -> Person:
    lines = [f"{key}: {value}" for key, value in parts.items()]
    text = f"person: A\nage: {age}\nsex: female\nweight: 80 kg\nbaseline: {{MADRS: 34}}\n" + "\n".join(lines)
    return model_from_text(Person, text, "p.yaml")


def severities(who: Person, course: str) -> dict[str, str]:
    table = screen(who, load_course(course))
    return dict(zip(table["rule"], table["severity"], strict=True))


def test_every_answer_has_a_source_and_says_what_would_change_it():
    for course in shipped_courses():
        table = screen(person(conditions="[psychosis, pregnancy]", current_drugs="[maoi, opioid]"), load_course(course))
        assert tuple(table.columns) == COLUMNS
        assert (table[list(COLUMNS)].map(len) > 0).all(axis=None)
        assert "clinician decides" in table.attrs["note"]
        order = [SEVERITIES.index(one) for one in table["severity"]]
        assert order == sorted(order)


def test_every_rule_can_hold_for_somebody():
    file = shipped_rules()
    names = [rule.rule for rule in file.rules_]
    assert len(set(names)) == len(names)
    for rule in file.rules_:
        if rule.when is not None:
            assert rule.when.model_dump(exclude_defaults=True), rule.rule
    used = {word for rule in file.rules_ if rule.when for word in (*rule.when.conditions, *rule.when.current_drugs)}
    assert used <= set(file.conditions) | set(file.current_drugs)


@pytest.mark.parametrize(
    ("parts", "course", "rule", "severity"),
    [
        ({"conditions": "[aneurysmal-disease]"}, "nasal-esketamine", "esketamine-vascular", "contraindication"),
        (
            {"conditions": "[intracerebral-haemorrhage]"},
            "nasal-esketamine",
            "esketamine-brain-bleed",
            "contraindication",
        ),
        ({"conditions": "[ketamine-hypersensitivity]"}, "iv-induction", "ketamine-allergy", "contraindication"),
        ({"conditions": "[uncontrolled-hypertension]"}, "iv-induction", "ketamine-pressure-hazard", "contraindication"),
        ({"conditions": "[psychosis]"}, "iv-induction", "ketamine-psychosis", "caution"),
        ({"current_drugs": "[diazepam]"}, "iv-induction", "ketamine-sedatives", "caution"),
        ({"blood_pressure": "150/85"}, "nasal-esketamine", "ketamine-pressure-before-dose", "caution"),
        ({"blood_pressure": "130/95"}, "nasal-esketamine", "ketamine-pressure-before-dose", "caution"),
        ({"current_drugs": "[maoi]"}, "ssri", "antidepressant-maoi", "contraindication"),
        ({"conditions": "[eating-disorder]"}, "ndri", "bupropion-seizures", "contraindication"),
        ({"conditions": "[sleep-apnoea]"}, "benzodiazepine", "diazepam-contraindications", "contraindication"),
        ({"age": 20}, "ssri", "antidepressant-young-adults", "caution"),
        ({"age": 80}, "nasal-esketamine", "esketamine-oldest", "caution"),
    ],
)
def test_a_rule_holds_for_its_person_and_not_for_a_healthy_one(parts: dict, course: str, rule: str, severity: str):
    assert severities(person(**parts), course)[rule] == severity
    assert rule not in severities(person(), course)


def test_monitoring_follows_the_route():
    assert "nasal-observation" in severities(person(), "nasal-esketamine")
    assert "injection-vital-signs" in severities(person(), "im-induction")
    assert "nasal-observation" not in severities(person(), "iv-induction")
    assert "swallowed-ketamine" in severities(person(), "oral-induction")
    assert severities(person(), "usual-care") == {}
    assert severities(person(conditions="[psychosis]"), "psychotherapy") == {}


def test_background_drugs_are_screened_too():
    assert (
        severities(person(current_drugs="[pimozide]"), "nasal-esketamine")["escitalopram-pimozide"]
        == "contraindication"
    )


def test_rows_of_a_population():
    table = load_population("trd").draw(1, 0, range(40))
    sedated = table[table["benzodiazepine"] == 1].iloc[0]
    other = table[table["benzodiazepine"] == 0].iloc[0]
    course = load_course("iv-induction")
    assert "ketamine-sedatives" in set(screen(sedated, course)["rule"])
    assert "ketamine-sedatives" not in set(screen(other, course)["rule"])
