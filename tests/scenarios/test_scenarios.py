"""Scenarios that a clinician can write, run through the main job."""

from pathlib import Path

import pytest
import yaml

from afterglow.clinic.course import load_course, parse_course
from afterglow.study.compare import compare

FILES = sorted(Path(__file__).parent.glob("*.yaml"))
PATIENTS = 300


def found(tables, arm, what, visit):
    table = tables["contrasts"] if what == "difference" else tables["arms"]
    row = table[(table["arm"] == arm) & (table["visit"] == visit) & (table["scale"] == "MADRS")]
    assert len(row) == 1, f"no visit '{visit}' of arm '{arm}'"
    return float(row[what].iloc[0])


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_scenario(path):
    scenario = yaml.safe_load(path.read_text(encoding="utf-8"))
    courses = [load_course(c) if isinstance(c, str) else parse_course(c, c["course"]) for c in scenario["courses"]]
    tables = compare(courses, patients=PATIENTS, weeks=scenario["weeks"], seed=1, draws=0, clock=False).tables
    for line in scenario["expect"]:
        value = found(tables, line["arm"], line["what"], line["visit"])
        where = f"{scenario['scenario']}: {line} but it is {value:.3g}"
        if "at_most" in line:
            assert value <= line["at_most"], where
        elif "at_least" in line:
            assert value >= line["at_least"], where
        else:
            assert value < found(tables, line["less_than"], line["what"], line["visit"]), where
