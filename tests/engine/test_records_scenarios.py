"""Every kind of dosing event against an independent judge: the scenarios of `dosing_scenarios`."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from afterglow.event_run import EventModel
from afterglow.library.textbook import OneCompartment
from dosing_scenarios import SCENARIOS, TOLERANCE, difference, integrated, linear_rates
from event_tables import CENTRAL, dose, expected, table

CASES = [(name, system) for name, scenario in SCENARIOS.items() for system in scenario.systems]


@pytest.mark.parametrize(("name", "system"), CASES, ids=lambda x: x if isinstance(x, str) else x.__name__)
def test_scenario(name, system):
    assert difference(SCENARIOS[name], system) < TOLERANCE


def test_a_wrong_dose_is_seen():
    """The judges can say no."""
    right = SCENARIOS["SS infusion, lag, F"]
    wrong = type(right)(right.rows, right.right, right.options | {"f": {"central": 0.800002}}, right.times)
    assert difference(wrong, OneCompartment) > TOLERANCE


def test_one_compartment_against_the_formula_as_printed_in_textbooks():
    """So that the sums of exponentials of the scenarios are not their own witness."""
    k, ka, v = 1.1 / 20, 1.5, 20
    trough = 100 / v * np.exp(-k * 12) / (1 - np.exp(-k * 12))
    model = EventModel(OneCompartment)
    seen = model.run(table([dose(100, CENTRAL, ss=1, ii=12)], [1e-9, 11.0])).frame["CP"][1:]
    assert list(seen) == pytest.approx([trough + 100 / v, (trough + 100 / v) * np.exp(-k * 11)], rel=1e-7)
    bateman = 100 / v * ka / (ka - k) * (np.exp(-k * 3) - np.exp(-ka * 3))
    assert model.run(table([dose(100)], [3.0])).frame["CP"][1] == pytest.approx(bateman, rel=1e-6)


def test_both_judges_agree():
    """SciPy as it judges scenarios, and the closed forms, on a dose that both know."""
    times = np.array([0.5, 2.0, 3.0, 5.0, 11.0])
    inputs = [(0.0, 1, 100.0, 3.0), (5.0, 0, 40.0, 0.0)]
    found = integrated(linear_rates(OneCompartment), inputs, times, [0.0, 0.0])[:, 1] / 20.0
    right = expected(OneCompartment, [(0, "central", 100, 3), (5, "depot", 40, 0)], times)
    assert found == pytest.approx(right, rel=1e-9)


def test_the_table_of_scenarios_is_printed_by_one_command(tmp_path, monkeypatch, capsys):
    file = Path(__file__).parents[2] / "bench" / "dosing.py"
    spec = importlib.util.spec_from_file_location("bench_dosing", file)
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    monkeypatch.setattr(bench, "SCENARIOS", {"oral": SCENARIOS["oral"]})
    monkeypatch.setattr("sys.argv", ["dosing.py", "--json", str(tmp_path / "rows.json")])
    assert bench.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:2] == ["oral", "one,"]
    assert lines[-1].startswith("2 rows, the worst ")
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert [row["judge"] for row in rows] == ["closed form"] * 2
    monkeypatch.setattr(bench, "TOLERANCE", 0.0)
    assert bench.main() == 1
