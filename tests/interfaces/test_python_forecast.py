"""The Python interface to a forecast: forecast, save, add a score, forecast again."""

import json

import numpy as np
import pandas as pd
import pytest

import afterglow
from afterglow.errors import InputError

PERSON = """
person: A
age: 44
doses:
  - {day: 1, drug: ketamine, route: iv, dose: 0.5 mg/kg, over: 40 min}
scores:
  - {day: 1, scale: MADRS, score: 34}
  - {day: 8, scale: PHQ-9, score: 9}
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(PERSON)
    return path


def test_a_person_is_saved_updated_and_forecast_again(path, tmp_path):
    """A score that is written into a saved file gives the forecast of a score that is added in Python."""
    first = afterglow.forecast(path, weeks=4)
    later = first.person.with_score("MADRS", 30, day=15)
    again = afterglow.load_person(later.save(tmp_path / "later.yaml"))
    one, same = (afterglow.forecast(person, weeks=4) for person in (later, again))
    assert one.table.equals(same.table)
    assert len(one.updated.person.seen) == 3
    folder = one.save(tmp_path / "out", previous=first)
    assert json.loads((folder / "forecast.json").read_text())["person"]["scores"][-1]["score"] == 30
    moved = pd.read_csv(folder / "compared.csv")
    moved = moved[moved["plan"] == "nothing-more"]
    assert (moved["mean"] > moved["mean_before"] + 1.0).all()  # a bad score
    assert "Since the earlier forecast" in (folder / "report.html").read_text()
    assert "afterglow.forecast(person" in (folder / "manifest.json").read_text()
    assert [picture.name for picture in one.pictures()] == ["timeline", "chances"]


def test_it_is_a_runnable_patient(path):
    found = afterglow.forecast(path, ["iv-single"], weeks=4)
    assert found.table["plan"].unique().tolist() == ["nothing-more", "every-7-d", "every-14-d", "iv-single"]
    dose = found.what_if().dose("ketamine", "iv", "0.5 mg/kg", "40 min", day=9)
    assert np.allclose(dose.outlook.future.scores, found.outlooks[-1].future.scores, atol=1.01)


def test_all_faults_at_once(path):
    path.write_text(PERSON.replace("34", "99"))
    with pytest.raises(InputError) as caught:
        afterglow.forecast(path, ["iv-sigle"], weeks=0.5, scale="MADRZ")
    for part in ("99", "iv-sigle", "--weeks", "MADRZ"):
        assert part in str(caught.value)
