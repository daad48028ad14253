"""A history on one clock, its faults, its tables in CSV files, what if, and saving."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from afterglow.clinic.course import load_course
from afterglow.clinic.files import model_from_text
from afterglow.clinic.history import Observation
from afterglow.clinic.person import Person, load_person
from afterglow.errors import InputError

WHO = "person: A\nage: 44\n"
DOSE = "drug: ketamine, route: iv, dose: 0.5 mg/kg, over: 40 min"
DAYS = f"""{WHO}sex: female
weight: 81 kg
doses:
  - {{day: 1, {DOSE}}}
  - {{day: 3, {DOSE}}}
background: [{{drug: sertraline, dose: 100 mg, from_day: -30}}]
therapy: [{{day: 2, kind: cbt, minutes: 45}}]
stress: [{{day: 2, days: 7, intensity: 1}}]
scores:
  - {{day: 0, scale: MADRS, score: 34}}
  - {{day: 2, scale: PHQ-9, score: 11}}
  - {{day: 8, scale: MADRS, score: 20}}
"""


def person(text: str) -> Person:
    return model_from_text(Person, text, "p.yaml")


def faults(text: str) -> dict[int, str]:
    """Faults of a file by line; each line has one."""
    with pytest.raises(InputError) as caught:
        person(text)
    found = {int(fault.place.rsplit(":", 1)[1]): str(fault) for fault in caught.value.faults}
    assert len(found) == len(caught.value.faults), caught.value
    return found


# ------------------------------------------------------------------------------------------------ the clock


def test_time_counts_from_the_first_dose():
    history = person(DAYS).history()
    assert history.observed == (
        Observation(0.0, "MADRS", 34.0),
        Observation(24.0, "PHQ-9", 11.0),
        Observation(168.0, "MADRS", 20.0),
    )
    assert history.baseline == history.observed[:1]
    assert history.after == history.observed[1:]
    assert history.last_h == 168.0


def test_the_course_so_far_is_that_of_a_course_file():
    course = person(DAYS).history().course()
    same = load_course("iv-induction").sessions(1)[:2]
    assert [(time, line.drug, line.route, line.dose, line.over) for time, (line,) in course.sessions(52)] == [
        (time, line.drug, line.route, line.dose, line.over) for time, (line,) in same
    ]
    assert course.blinding == "open"
    assert course.decisions(52) == []
    assert course.control() is None
    names = {signal.name: signal.time_h for signal in reversed(course.regimen(4).signals) if signal.value}
    assert names["psychotherapy.session"] == names["stress.life_stress"] == 24.0


@pytest.mark.parametrize(
    "text",
    [
        f"start: 2026-03-02\ndoses: [{{on: 2026-03-02, {DOSE}}}]\nscores: [{{day: 2.5, scale: BDI, score: 30}}]",
        f"doses: [{{on: 2026-03-02, at: 10:30, {DOSE}}}]\n"
        "scores: [{on: 2026-03-03, at: 22:30, scale: BDI, score: 30}]",
        f"doses: [{{on: 2026-03-02, at: 23:00, {DOSE}}}]\n"
        "scores: [{on: 2026-03-04, at: 11:00, scale: BDI, score: 30}]",
        f"doses: [{{day: 1, at: '09:00', {DOSE}}}]\nscores: [{{day: 2, at: 21:00, scale: BDI, score: 30}}]",
    ],
)
def test_days_dates_and_times_of_day_say_the_same(text: str):
    assert person(WHO + text).history().observed == (Observation(36.0, "BDI", 30.0),)


def test_a_score_on_the_first_day_is_baseline_before_the_dose_and_not_after_it():
    text = f"{WHO}doses: [{{day: 1, at: 10:30, {DOSE}}}]\nscores: [{{day: 1, at: 'HOUR', scale: MADRS, score: 30}}]"
    assert person(text.replace("HOUR", "09:00")).history().observed[0].time_h == 0.0
    assert person(text.replace("HOUR", "14:30")).history().observed[0].time_h == 4.0
    assert person(text.replace(", at: 'HOUR'", "")).history().observed[0].time_h == 0.0


def test_tables_by_date_are_sorted():
    lines = [f"  - {{on: 2026-03-{day:02d}, scale: MADRS, score: {day}}}" for day in (9, 2, 5)]
    text = WHO + f"doses: [{{on: 2026-03-02, {DOSE}}}]\nscores:\n" + "\n".join(lines)
    assert [one.score for one in person(text).history().observed] == [2, 5, 9]


def test_mixed_scales_keep_their_points_and_others_are_told():
    text = f"{WHO}scores:\n  - {{day: 0, scale: MADRS, score: 30}}\n  - {{day: 0, scale: GAD-7, score: 12}}\n"
    found = person(text)
    assert [one.scale for one in found.history().observed] == ["MADRS"]
    assert any("GAD-7" in line for line in found.not_used)
    assert found.scales == ("MADRS",)


def test_the_latest_baseline_speaks_and_an_old_one_does_not():
    text = f"{WHO}scores:\n" + "".join(
        f"  - {{day: {day}, scale: MADRS, score: {score}}}\n" for day, score in ((-90, 20), (-6, 31), (0, 34))
    )
    found = person(text)
    assert found.baseline_madrs() == 34
    assert [one.score for one in found.history().baseline] == [31, 34]
    assert any("day -90" in line for line in found.not_used)


@pytest.mark.parametrize(("from_day", "simulated_from"), [(-27, None), (-26, 1.0), (1, 1.0), (3, 3.0)])
def test_a_drug_of_four_weeks_is_part_of_the_baseline(from_day: int, simulated_from: float | None):
    found = person(DAYS.replace("from_day: -30", f"from_day: {from_day}"))
    lines = found.history().course().background
    assert [line.from_day for line in lines] == ([] if simulated_from is None else [simulated_from])
    assert any("sertraline" in line for line in found.not_used) == (from_day < 1)


def test_stress_that_goes_on_into_treatment_keeps_its_end():
    course = person(DAYS.replace("{day: 2, days: 7", "{day: -3, days: 7")).history().course()
    assert (course.stress[0].day, course.stress[0].days) == (1.0, 3.0)


def test_a_history_is_simulated():
    from afterglow.simulate import simulate_course

    found = person(DAYS)
    run = simulate_course(found.history().course(), patients=8, weeks=2, population=found.table(1, 0, range(8)))
    assert (run.status == 0).all()
    assert np.isfinite(run.true["MADRS"]).all()
    assert len(run.doses) == 16


# ------------------------------------------------------------------------------------------------ faults


def test_all_faults_of_a_history_at_once():
    found = faults(f"""{WHO}failed_trials: 3
trials: [{{drug: sertraline, dose: 150 mg, weeks: 8}}]
age_band: 50-59
sex: male
conditions: [pregnancy]
doses:
  - {{day: 1, {DOSE}}}
  - {{day: 4, drug: ketamine, route: iv, dose: 20 mg/kg, over: 40 min}}
  - {{day: 3, {DOSE}}}
  - {{day: 20, {DOSE}}}
scores:
  - {{day: 0, scale: MADRS, score: 34}}
  - {{day: 0, scale: MADRS, score: 33}}
  - {{day: 5, scale: MADRS, score: 61}}
  - {{day: 6, scale: MADR, score: 6}}
""")
    expected = {
        3: "failed_trials is 3",
        5: "not in the age_band",
        7: "sex is male",
        10: "above the safety bound",
        11: "visits out of order: day 3 comes behind day 4",
        12: "after the last score",
        15: "MADRS on day 0 is 33, and 34 at the same time",
        16: "outside 0-60",
        17: "scale 'MADR' is not known",
    }
    assert set(found) == set(expected)
    assert all(words in found[line] for line, words in expected.items()), found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"doses: [{{day: 3, {DOSE}}}]\nscale: BDI", "first dose is on day 3"),
        (f"start: 2026-03-01\ndoses: [{{on: 2026-03-02, {DOSE}}}]\nscale: BDI", "first dose is on 2026-03-02"),
        (f"doses: [{{day: 1, {DOSE}}}, {{on: 2026-03-04, {DOSE}}}]\nscale: BDI", "mixed in one table"),
        ("scores: [{on: 2026-03-04, scale: BDI, score: 3}]", "which date is day 1"),
        ("scores: [{on: 04/03/2026, scale: BDI, score: 3}]", "not a date"),
        ("scores: [{scale: BDI, score: 3}]", "neither `day` nor `on`"),
        ("scores: [{day: 1, on: 2026-03-04, scale: BDI, score: 3}]", "both given"),
        ("scores: [{day: 1.5, at: 10:30, scale: BDI, score: 3}]", "has a fraction"),
        ("scores: [{day: 1, at: '25:30', scale: BDI, score: 3}]", "not a time of day"),
        ("scores: [{day: 1, at: 9, scale: BDI, score: 3}]", "not a time of day"),
        (
            f"doses: [{{day: 1, {DOSE}}}]\nscores: [{{day: 2, at: 10:30, scale: BDI, score: 3}}]",
            "the first dose has none",
        ),
        (f"doses: [{{day: 1, {DOSE}}}, {{day: 1, {DOSE}}}]\nscale: BDI", "given twice"),
        ("doses: [{day: 1, drug: ketamine, route: iv, dose: 0.5 mg/kg}]\nscale: BDI", "no duration of infusion"),
        (
            "doses: [{day: 1, drug: ketamine, route: iv, dose: 8 mg/kg, over: 1 h}, "
            "{day: 1.5, drug: ketamine, route: iv, dose: 8 mg/kg, over: 1 h}]\nscale: BDI",
            "within 24 h",
        ),
        ("therapy: [{day: 2, kind: cbd}]\nscale: BDI", "did you mean 'cbt'"),
        ("background: [{drug: fluoxetine, dose: 20 mg}]\nscale: BDI", "not known"),
        (f"until: 4\ndoses: [{{day: 1, {DOSE}}}, {{day: 9, {DOSE}}}]\nscale: BDI", "give it as a plan"),
        ("scores: [{day: 2, scale: GAD-7, score: 3}]", "no score of depression"),
        ("sex: female", "no scale is named"),
        ("scale: GAD-7", "not one of depression"),
        ("baseline: {MADRS: 30}\nscores: [{day: 0, scale: MADRS, score: 31}]", "at the same time"),
    ],
)
def test_a_fault_is_answered(text: str, words: str):
    with pytest.raises(InputError, match=words):
        person(WHO + text)


def test_what_happened_after_the_last_score_is_history_when_said():
    text = f"{WHO}doses: [{{day: 1, {DOSE}}}, {{day: 9, {DOSE}}}]\nscores: [{{day: 3, scale: BDI, score: 31}}]\n"
    with pytest.raises(InputError, match="after the last score"):
        person(text)
    assert person(text + "until: 9").history().last_h == 8 * 24


def test_one_score_twice_is_one_score():
    line = "{day: 2, scale: BDI, score: 31}"
    assert len(person(f"{WHO}scores: [{line}, {line}]").history().observed) == 1


# ------------------------------------------------------------------------------------------------ tables in files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "doses.csv").write_text(
        "Date,Time,Drug,Route,Dose,Over\n2026-03-02,10:30,ketamine,iv,0.5 mg/kg,40 min\n\n"
        "2026-03-04,11:00,ketamine,iv,0.5 mg/kg,40 min\n"
    )
    (tmp_path / "scores.csv").write_text(
        "\ufeffdate;scale;score\n2026-03-03 10:30;PHQ-9;11\n2026-03-01;MADRS;34\n2026-03-05;MADRS;20\n"
    )
    (tmp_path / "p.yaml").write_text(WHO + "doses: doses.csv\nscores: scores.csv\n")
    return tmp_path


def test_tables_of_a_clinic_are_read(folder: Path):
    history = load_person(folder / "p.yaml").history()
    assert [one.time_h for one in history.observed] == [0.0, 24.0, 72.0]
    assert [time for time, _ in history.course().sessions(1)] == [0.0, 48.5]


def test_faults_of_tables_name_file_and_line(folder: Path):
    (folder / "doses.csv").write_text(
        "day,drug,route,dose,over\n1,ketamine,iv,0.5 mg/kg,40 min\n3,ketamin,iv,0.5 mg/kg,40 min\n"
        "3,ketamine,iv,0.5 mg/kg,40 min,more\n"
    )
    (folder / "scores.csv").write_text("day,scale,score,Patient Name\n0,MADRS,34,x\n2,MADRS,many,y\n")
    (folder / "p.yaml").write_text(WHO + "doses: doses.csv\nscores: scores.csv\nstress: stres.csv\ntherapy: ../t.csv\n")
    with pytest.raises(InputError) as caught:
        load_person(folder / "p.yaml")
    found = {fault.place.removeprefix(f"{folder}/"): str(fault) for fault in caught.value.faults}
    expected = {
        "doses.csv:3": "did you mean 'ketamine'?",
        "doses.csv:4": "6 values under 5 columns",
        "scores.csv:1": "no identity is needed",
        "scores.csv:3": "'many' is not a number",
        "p.yaml:5": "there is no 'stres.csv'",
        "p.yaml:6": "not the name of a CSV file",
    }
    assert set(found) == set(expected)
    assert all(words in found[place] for place, words in expected.items()), found


def test_order_and_unknown_columns_of_tables(folder: Path):
    (folder / "scores.csv").write_text("day,scale,score\n0,MADRS,34\n4,MADRS,30\n3,MADRS,31\n")
    (folder / "doses.csv").write_text("day,drug,route,dosage\n1,ketamine,iv,0.5 mg/kg\n")
    with pytest.raises(InputError) as caught:
        load_person(folder / "p.yaml")
    assert [fault.place.rsplit("/", 1)[1] for fault in caught.value.faults] == ["doses.csv:1", "scores.csv:4"]
    assert "did you mean 'dose'?" in str(caught.value)


def test_what_is_no_table_is_answered(folder: Path):
    for text, words in (
        ("", "empty"),
        ("day,scale,score\n0,MADRS,3\x00", r"not a CSV|not a number"),
        ("day,day\n", "two columns"),
    ):
        (folder / "scores.csv").write_text(text)
        with pytest.raises(InputError, match=words):
            load_person(folder / "p.yaml")
    (folder / "scores.csv").write_bytes(b"day,scale,score\n0,MADRS,\xff")
    with pytest.raises(InputError, match="UTF-8"):
        load_person(folder / "p.yaml")


def test_a_number_that_could_be_a_clock_is_asked_about(tmp_path: Path):
    text = f"{WHO}scale: BDI\ndoses: [{{day: 1, at: 10:30, {DOSE}}}]\n"
    (tmp_path / "p.yaml").write_text(text)
    assert load_person(tmp_path / "p.yaml").doses[0].at == 10.5
    (tmp_path / "p.yaml").write_text(text.replace("10:30", "930"))
    with pytest.raises(InputError, match="930 is not a time of day"):
        load_person(tmp_path / "p.yaml")


# ------------------------------------------------------------------------------------------------ what if, and saving


def test_one_thing_more_and_nothing_else_changes():
    before = person(DAYS)
    dosed = before.with_dose("ketamine", "iv", "0.5 mg/kg", "40 min", day=10)
    assert [time / 24 for time, _ in dosed.history().course().sessions(52)] == [0, 2, 9]
    assert dosed.history().observed == before.history().observed
    assert dosed.history().last_h == 9 * 24
    scored = before.with_score("BDI", 30, day=5)
    assert [one.scale for one in scored.history().observed] == ["MADRS", "PHQ-9", "BDI", "MADRS"]
    assert scored.history().course() == before.history().course()
    assert len(before.with_therapy("cbt", day=20).history().course().therapy) == 2
    stressed = before.with_stress(14, day=30).history()
    assert len(stressed.course().stress) == 2
    assert stressed.last_h == before.history().last_h
    with pytest.raises(InputError, match="outside 0-60"):
        before.with_score("MADRS", 90, day=9)


def test_a_missed_visit_takes_out_its_day():
    before = person(DAYS)
    missed = before.without_visit(3)
    assert len(missed.history().course().sessions(52)) == 1
    assert len(before.without_visit(2).history().observed) == 2
    assert before.without_visit(2).history().course().therapy == ()
    with pytest.raises(InputError, match="no visit on day 5"):
        before.without_visit(5)
    with pytest.raises(InputError, match="not on day 1"):
        before.without_visit(1)


def test_a_dated_history_takes_days_and_dates(folder: Path):
    before = load_person(folder / "p.yaml")
    by_date = before.with_score("MADRS", 18, on=date(2026, 3, 9))
    assert by_date.history().observed == before.with_score("MADRS", 18, day=8).history().observed
    assert len(before.without_visit(date(2026, 3, 4)).doses) == 1
    with pytest.raises(InputError, match="knows no dates"):
        person(DAYS).with_score("MADRS", 18, on=date(2026, 3, 9))


@pytest.mark.parametrize("kind", ["days", "tables"])
def test_saving_and_reading_gives_the_same_person(kind: str, folder: Path):
    before = person(DAYS) if kind == "days" else load_person(folder / "p.yaml")
    before = before.with_dose("esketamine", "nasal-device", "56 mg", day=21).with_stress(3, 0.5, day=9)
    before.save(folder / "saved.yaml")
    after = load_person(folder / "saved.yaml")
    assert after == before
    assert after.history() == before.history()
    assert after.known() == before.known()
