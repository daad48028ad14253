"""docs/dosing.md: its example runs, its table and its links are up to date."""

import re
from pathlib import Path

import numpy as np
import pytest

from afterglow.engine.steady_iteration import MOST, TOLERANCE
from afterglow.engine.steady_state import PROBLEM
from afterglow.event_run import STEADY_RTOL
from dosing_scenarios import SCENARIOS
from dosing_scenarios import TOLERANCE as ALLOWED

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "dosing.md").read_text(encoding="utf-8")


def test_the_example_runs_as_it_stands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AFTERGLOW_CACHE", str(tmp_path / "cache"))
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(code.split("events =")[0].splitlines()) <= 40
    scope = {"__name__": "page"}
    exec(compile(code, "docs/dosing.md", "exec"), scope)
    run = scope["run"]
    assert run.problems == []
    looks = run.frame["EVID"] == 0
    assert looks.sum() == 4
    assert np.isfinite(run.frame.loc[looks, ["CP", "E"]].to_numpy()).all()
    assert run.frame.loc[looks, "E"].between(0, 8).all()
    assert "CP" in capsys.readouterr().out


def test_the_table_has_all_scenarios_and_holds_what_is_promised():
    table = PAGE.split("```")[-2].splitlines()
    rows = {line[:53].strip(): float(line.split()[-1]) for line in table[2:] if line and not line.startswith("124")}
    rows = {name: value for name, value in rows.items() if " rows, the worst " not in name}
    assert list(rows) == list(SCENARIOS)
    assert max(rows.values()) < ALLOWED


def test_numbers_on_the_page():
    assert f"below {TOLERANCE:g}" in PAGE.replace("1e-7", "1e-07")
    assert f"after {MOST} steps" in PAGE
    assert f"{STEADY_RTOL:g}" in PAGE
    for status in PROBLEM:
        assert re.search(rf"[ ,\n]{status} [a-z]", PAGE.split("status and remedy:")[1])


def test_paths_on_the_page_exist():
    named = re.findall(r"`((?:src|tests|bench)/[\w./-]+)`", PAGE)
    assert named
    assert all((ROOT / path).exists() for path in named)


@pytest.mark.parametrize("page", ["dosing.md", "architecture.md"])
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+?)\)", (ROOT / "docs" / page).read_text(encoding="utf-8"))
    assert not [link for link in links if "://" not in link and not (ROOT / "docs" / link).exists()]
