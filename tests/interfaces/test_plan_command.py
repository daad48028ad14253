"""`afterglow plan`: bad input all at once, and one run from the file to the folder."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

PERSON = """
person: A
age: 44
doses: [{day: 1, drug: ketamine, route: iv, dose: 0.5 mg/kg, over: 40 min}]
scores: [{day: 1, scale: MADRS, score: 34}, {day: 8, scale: MADRS, score: 18}]
"""


def plan(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "afterglow", "plan", *words], cwd=cwd, capture_output=True, encoding="utf-8"
    )


def test_everything_that_is_wrong_is_told_at_once(tmp_path):
    (tmp_path / "a.yaml").write_text(PERSON.replace("score: 34", "score: 99"))
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "other").write_text("")
    asked = ["--weeks", "1", "--objective", "doses", "--objective", "dayz", "--seed", "-1", "--out", "taken"]
    done = plan("a.yaml", *asked, "--population", "nowhere", cwd=tmp_path)
    assert done.returncode == 2
    for part in (
        "--weeks",
        "'dayz'",
        "--seed",
        "'taken' holds other files",
        "99",
        "person or for a population",
        "nowhere",
    ):
        assert part in done.stderr


def test_bad_numbers_of_a_population_end_with_two_and_write_nothing(tmp_path):
    done = plan("--population", "trd", "--seed", "-1", "--weeks", "nan", cwd=tmp_path)
    assert done.returncode == 2
    assert "--seed" in done.stderr
    assert "--weeks" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_person_file_becomes_a_folder(tmp_path):
    (tmp_path / "a.yaml").write_text(PERSON)
    asked = ["--weeks", "4", "--objective", "days-in-remission", "--objective", "visits", "--out", "plan"]
    done = plan("a.yaml", *asked, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.index("Screening") < done.stdout.index("Plans for person A")
    rules = pd.read_csv(tmp_path / "plan" / "rules.csv").set_index("plan")
    assert rules.loc["nothing more", "front"]
    assert rules.loc["nothing more", "days_in_remission"] < rules.loc["every 7 days", "days_in_remission"]
    page = (tmp_path / "plan" / "report.html").read_text()
    assert "afterglow plan a.yaml --weeks 4 --seed 1 --objective days-in-remission --objective visits" in page
