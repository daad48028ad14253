"""`afterglow forecast`: its folder, comparison with an earlier forecast, bad input."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from afterglow.clinic.person import load_person
from afterglow.interfaces import forecast as steps
from afterglow.study.forecast_study import forecast

PERSON = """
person: A
age: 44
sex: female
failed_trials: 3
conditions: [hypertension]
doses:
  - {day: 1, drug: ketamine, route: iv, dose: 0.5 mg/kg, over: 40 min}
  - {day: 4, drug: ketamine, route: iv, dose: 0.5 mg/kg, over: 40 min}
scores:
  - {day: 1, scale: MADRS, score: 34}
  - {day: 2, scale: PHQ-9, score: 11}
  - {day: 8, scale: MADRS, score: 18}
"""


def afterglow(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "afterglow", *words], cwd=cwd, capture_output=True, text=True)


@pytest.fixture
def person(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(PERSON)
    return path


def test_a_forecast_leaves_its_folder_and_one_more_score_is_compared(person, tmp_path):
    first = afterglow("forecast", "a.yaml", "--weeks", "6", "--out", "first", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    table = pd.read_csv(tmp_path / "first" / "forecast.csv")
    bands = ["lo90", "lo80", "lo50", "mean", "hi50", "hi80", "hi90"]
    assert {"time_h", "scale", "plan", *bands, "p_response", "p_remission", "p_relapse"} <= set(table.columns)
    assert (np.diff(table[["lo90", "lo80", "lo50", "hi50", "hi80", "hi90"]], axis=1) >= 0).all()
    assert table.groupby("plan", sort=False).size().to_list() == [6, 6, 6]
    assert (table.groupby("plan")["p_relapse"].diff().dropna() >= 0).all()
    kept = json.loads((tmp_path / "first" / "forecast.json").read_text())
    assert kept["person"]["person"] == "A"
    assert len(kept["forecast"]["mean"]) == len(table)
    assert (tmp_path / "first" / "report.html").exists()
    person.write_text(person.read_text() + "  - {day: 15, scale: MADRS, score: 30}\n")
    again = afterglow("forecast", "a.yaml", "--weeks", "6", "--out", "second", "--previous", "first", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    units = json.loads((tmp_path / "second" / "units.json").read_text())["tables"]
    assert set(units) == {"forecast", "summary", "fitted", "compared"}
    for name, columns in units.items():
        assert list(columns) == list(pd.read_csv(tmp_path / "second" / f"{name}.csv").columns)
        assert all(one["meaning"] for one in columns.values())
    moved = pd.read_csv(tmp_path / "second" / "compared.csv")
    soon = moved[(moved["plan"] == "nothing-more") & (moved["time_h"] < 24 * 24)]
    assert "Since the earlier forecast" in (tmp_path / "second" / "report.html").read_text()
    assert (soon["mean"] > soon["mean_before"] + 1.0).all()  # a bad score makes the weeks after it look worse


def test_a_booster_helps_and_costs(person):
    found = forecast(load_person(person), weeks=6).summary.set_index("plan")
    assert found.loc["every-7-d", "mean_at_end"] < found.loc["nothing-more", "mean_at_end"] - 1.0
    assert found["sessions"].to_list() == [0, 6, 3]
    assert found.loc["every-7-d", "ketamine_mg"] == pytest.approx(2 * found.loc["every-14-d", "ketamine_mg"], rel=0.01)
    assert found.loc["nothing-more", "cadss_worst"] == 0.0


def test_straight_lines_between_earlier_visits():
    columns = {"scale": "MADRS", "plan": "p", "lo90": [0.0, 0.0], "hi90": [20.0, 40.0]}
    before = pd.DataFrame({"time_h": [0.0, 100.0], "mean": [10.0, 20.0], **columns})
    now = pd.DataFrame({"time_h": [50.0, 200.0], "mean": [12.0, 13.0], **columns})
    found = steps.compared(now, before)
    assert found["time_h"].to_list() == [50.0]
    assert found["mean_before"].to_list() == [15.0]
    assert found["width90_before"].to_list() == [30.0]


def test_all_faults_at_once_and_nothing_written(person, tmp_path):
    person.write_text(person.read_text().replace("score: 34", "score: 99") + "name: Jane Doe\n")
    done = afterglow("forecast", "a.yaml", "--scale", "MADRZ", "--weeks", "-1", "--out", "out", cwd=tmp_path)
    assert done.returncode == 2
    for part in ("--scale", "--weeks", "99", "name"):
        assert part in done.stderr
    assert not (tmp_path / "out").exists()


def test_an_earlier_folder_without_a_forecast_is_refused(tmp_path, person):
    done = afterglow("forecast", person.name, "--previous", "nowhere", "--out", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert "'nowhere' holds no forecast" in done.stderr
    assert not (tmp_path / "out").exists()
