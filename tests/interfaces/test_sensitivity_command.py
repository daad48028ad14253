"""`afterglow sensitivity`: files, faults, what is printed and drawn."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from typer.testing import CliRunner

from afterglow.interfaces import canvas, drawing
from afterglow.interfaces import sensitivity as shown
from afterglow.interfaces.cli import app
from afterglow.study import sensitivity as study

TINY = study.Plan(trajectories=2, base=2, system_base=2, people_base=2, draws=2, chosen=4)
FEW = ("acute_effects", "expectancy", "oral_antidepressant")


def small(patch):
    """Few inputs and few points, so that a run takes a second."""
    some = [one for one in study.inputs() if one.system in FEW]
    patch.setattr(study, "QUICK", TINY)
    patch.setattr(study, "inputs", lambda: some)


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "150")
    small(monkeypatch)

    def call(*words):
        return CliRunner().invoke(app, ["sensitivity", "--quick", "--patients", "8", *words])

    return call


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A folder that was made once, and what was printed."""
    place = tmp_path_factory.mktemp("first")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("COLUMNS", "150")
        small(patch)
        done = CliRunner().invoke(app, ["sensitivity", "--quick", "--patients", "8", "--out", "X"])
    assert done.exit_code == 0, done.output
    return place / "X", done


def test_writes_its_folder_and_prints_a_line_an_outcome(first):
    folder, done = first
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")}
    tables = {f"{t}.{e}" for t in ("tornado", "morris", "sobol", "systems", "ranges") for e in ("csv", "parquet")}
    assert names == tables | {"figures/tornado.png", "figures/tornado.svg", "manifest.json"}
    for one in study.OUTCOMES:
        assert one.name in done.stdout
    assert "Results: X" in done.stdout
    assert "Morris screening" in done.stderr
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["command"] == "afterglow sensitivity --patients 8 --seed 1 --quick"
    assert manifest["settings"]["plan"]["trajectories"] == 2
    assert len(manifest["chosen"]) == 4
    assert "escitalopram.CL" in manifest["inert"]
    written = {name for keys in manifest["columns"] for name in keys.split(", ")}
    assert {"swing", "mu_star", "total", "varied"} <= written


@pytest.mark.parametrize(("seed", "same"), [("1", True), ("2", False)])
def test_the_seed_decides_every_byte(run, first, tmp_path, seed, same):
    assert run("--out", "Y", "--seed", seed).exit_code == 0
    for name in ("morris.csv", "sobol.csv", "figures/tornado.svg", "figures/tornado.png"):
        assert ((first[0] / name).read_bytes() == (tmp_path / "Y" / name).read_bytes()) == same


def test_every_fault_is_printed_and_nothing_is_left(run, tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("")
    done = run("--patients", "0", "--seed", "-1", "--out", "taken")
    assert done.exit_code == 2
    assert [line.split(":")[0] for line in done.stderr.strip().splitlines()] == ["--patients", "--seed", "--out"]
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_without_its_library_it_says_what_to_install(run, monkeypatch, tmp_path):
    monkeypatch.setattr(shown, "find_spec", lambda _name: None)
    done = run("--out", "X")
    assert done.exit_code == 2
    assert "pip install 'afterglow[fit]'" in done.stderr
    assert not list(tmp_path.iterdir())


def drawn_table(swings):
    """A row for each question, outcome and input."""
    rows = [
        {"question": question, "outcome": one.name, "input": name, "swing": abs(high - low), "at_low": low,
         "at_typical": 1.0, "at_high": high}
        for question in ("numbers", "people")
        for one in study.OUTCOMES
        for name, (low, high) in swings.items()
    ]  # fmt: skip
    return pd.DataFrame(rows).sort_values("swing", ascending=False)


def test_the_largest_swing_is_on_top_and_what_moves_nothing_is_left_out():
    picture = shown.tornado(drawn_table({"small": (0.9, 1.2), "large": (3.0, 0.0), "none": (1.0, 1.0)}))
    assert len(picture.panels) == 2 * len(study.OUTCOMES)
    sheet = canvas.Sheet()
    picture.panels[0].draw(sheet)
    texts = {mark.text: mark.y for mark in sheet.marks if isinstance(mark, canvas.Words)}
    assert texts["large"] < texts["small"]
    assert "none" not in texts
    bars = [mark for mark in sheet.marks if isinstance(mark, canvas.Shape)]
    assert len(bars) == 4
    below = [mark for mark in bars if mark.paths[0][:, 1].mean() > texts["large"]]
    first = [mark for mark in below if mark.paths[0][:, 1].mean() < texts["small"]]
    ends = {mark.colour: mark.paths[0][:, 0] for mark in first}
    assert ends[canvas.BLUE].max() > ends[canvas.ORANGE].max()  # the 5 % value gives the larger outcome
    assert drawing.png(picture).startswith(b"\x89PNG")


def test_a_table_in_which_nothing_moves_can_be_drawn():
    picture = shown.tornado(drawn_table({"none": (1.0, 1.0)}))
    assert "nothing moves it" in picture.panels[0].alt
    assert drawing.png(picture).startswith(b"\x89PNG")
