"""The examples that the repository shows are read and run."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from afterglow.clinic.course import load_course
from afterglow.clinic.person import load_person
from afterglow.simulate import simulate_course

EXAMPLES = Path(__file__).parent.parent / "examples"
SCRIPTS = sorted(path.stem for path in EXAMPLES.glob("*.py"))


def test_the_example_person_goes_through_the_example_course():
    person = load_person(EXAMPLES / "person.yaml")
    people = person.table(1, 0, range(16))
    run = simulate_course(load_course(EXAMPLES / "course.yaml"), patients=16, weeks=6, population=people)
    assert (run.status == 0).all()
    assert len(run.doses) >= 8 * 16
    assert bool(run.population["AGE"].eq(44).all())


def a_system_of_ones_own(left: dict[str, Any]) -> None:
    """Sleep follows strength: none at once, most within days, gone after two weeks."""
    sleep = left["seen"].set_index("TIME")["sleep"]
    assert left["run"].problems == []
    assert sleep[0.67] < 0.05
    assert 0.3 < sleep[72] < 1.5
    assert sleep[336] < sleep[72] / 2
    assert left["seen"]["madrs"].between(0, 60).all()


def known_numbers_are_found(left: dict[str, Any]) -> None:
    for name, error in zip(left["TRUTH"], left["errors"], strict=True):
        assert abs(np.log(left["found"][name] / left["TRUTH"][name])) < 3.5 * error


def courses_are_compared(left: dict[str, Any]) -> None:
    day = left["chosen"][left["chosen"]["visit"] == "1 d"].set_index("arm")["difference"]
    assert day["iv-induction"] < day["ssri"]
    assert Path("compared/report.html").exists()


def a_person_is_forecast(left: dict[str, Any]) -> None:
    assert set(left["result"].summary["plan"]) >= {"nothing-more", "every-7-d"}
    assert (left["changed"]["lo90"] <= left["changed"]["hi90"]).all()


def larger_trials_find_more(left: dict[str, Any]) -> None:
    table = left["found"].set_index("arms[0].n")
    assert list(table.index) == ["10", "20", "40"]
    assert table.loc["40", "assurance"] >= table.loc["10", "assurance"]


HOLDS = {
    "compare_courses": courses_are_compared,
    "fit_own_data": known_numbers_are_found,
    "forecast_person": a_person_is_forecast,
    "own_system": a_system_of_ones_own,
    "virtual_trial": larger_trials_find_more,
}


def test_every_script_has_its_check_and_is_short():
    assert set(SCRIPTS) == set(HOLDS)
    assert all(len((EXAMPLES / f"{name}.py").read_text("utf-8").splitlines()) < 60 for name in SCRIPTS)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPTS)
def test_the_script_runs_as_it_stands(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.chdir(tmp_path)
    left = runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="example")
    HOLDS[name](left)
    assert capsys.readouterr().out.strip()
