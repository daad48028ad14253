"""`afterglow trial`: the folder, the same numbers however the work is shared, stopped or resumed, and bad input."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from afterglow.clinic.scenarios import load_scenarios
from afterglow.errors import InputError
from afterglow.interfaces import trial as steps
from afterglow.interfaces import unfinished
from afterglow.study import trial_study

DESIGN = """
trial: small
n: {n}
population: {{madrs: {{mean: 33, sd: 5.5}}, entry: MADRS >= 22}}
arms:
  - {{name: ketamine, course: iv-single}}
  - {{name: saline, control: saline}}
visits: [24 h, 3 d]
blinding: {{asked: [24 h]}}
endpoints:
  - {{at: 24 h, analysis: ancova}}
  - {{measure: response, at: 24 h}}
"""


@pytest.fixture
def design(tmp_path):
    def write(n="24"):
        path = tmp_path / "small.yaml"
        path.write_text(DESIGN.format(n=n))
        return path

    return write


def run(path, out, replicates=6, **how):
    asked = steps.plan(load_scenarios(path), replicates, 3, None)
    return steps.run(asked, steps.How(out, **how), "afterglow trial small.yaml")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(trial_study, "MOST_REPLICATES", 2)


def test_the_folder_holds_what_it_promises(design, tmp_path):
    result = run(design(), tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    tables = {"arms", "contrasts", "operating_characteristics", "flow", "guesses", "power_curve", "patients", "scores"}
    assert {f"{name}.{end}" for name in tables for end in ("csv", "parquet")} <= names
    assert {"report.html", "trial.yaml", "units.json", "manifest.json", "adam", "estimates", "figures"} <= names
    adam = {path.name for path in (tmp_path / "out" / "adam").glob("*.csv")}
    assert adam == {f"{name}_SIMULATED.csv" for name in ("adsl", "adqs", "adtte", "adae", "adex")}
    estimates = pd.read_parquet(tmp_path / "out" / "estimates")
    assert len(estimates) == 6 * 2 * len(trial_study.USUAL)
    table = result.tables["operating_characteristics"]
    assert list(table["measure"]) == ["change", "response"]
    assert not unfinished.partial(tmp_path / "out").exists()


@pytest.mark.usefixtures("small_pieces")
def test_two_workers_and_one_give_the_same_bytes(design, tmp_path):
    path = design()
    run(path, tmp_path / "one")
    run(path, tmp_path / "two", workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


@pytest.mark.slow
@pytest.mark.usefixtures("small_pieces")
def test_a_dask_cluster_that_loses_a_worker_gives_the_same_bytes(design, tmp_path):
    distributed = pytest.importorskip("distributed")
    path = design("72")
    run(path, tmp_path / "one", replicates=30)
    settings = {"n_workers": 3, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0", "silence_logs": 60}
    with distributed.LocalCluster(**settings) as cluster, distributed.Client(cluster) as client:
        pids = list(client.run(os.getpid).values())
        killed = threading.Event()

        def kill_one(_what: str, share: float) -> None:
            if share > 0.1 and not killed.is_set():
                os.kill(pids[0], signal.SIGKILL)
                killed.set()

        asked = steps.plan(load_scenarios(path), 30, 3, None)
        how = steps.How(tmp_path / "dask", cluster=cluster.scheduler_address)
        steps.run(asked, how, "afterglow trial small.yaml", kill_one)
        assert killed.is_set()
        assert pids[0] not in client.run(os.getpid).values()
    assert contents(tmp_path / "one") == contents(tmp_path / "dask")


@pytest.mark.slow
def test_a_killed_grid_resumes_without_doing_anything_twice(design, tmp_path):
    path = design("[16, 24, 32, 40, 48, 56]")
    total = len(list(trial_study.pieces(steps.plan(load_scenarios(path), 40, 3, None))))
    command = [sys.executable, "-m", "afterglow", "trial", str(path), "--replicates", "40", "--seed", "3", "--out"]
    subprocess.run([*command, "whole"], check=True, cwd=tmp_path, capture_output=True)
    cut = subprocess.Popen([*command, "cut"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    parts = tmp_path / ".cut.partial" / "parts"
    until = time.monotonic() + 120
    while len(list(parts.glob("*.done"))) < 5 and cut.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    cut.kill()
    cut.communicate()
    before = {one.name: one.stat().st_mtime_ns for one in parts.glob("*.done")}
    assert 5 <= len(before) < total
    again = subprocess.run([*command, "cut", "--resume"], check=True, cwd=tmp_path, capture_output=True, text=True)
    assert f"resumed, {len(before)} of {total} pieces were done" in again.stderr
    assert again.stderr.count("  piece ") == total - len(before)
    assert contents(tmp_path / "whole") == contents(tmp_path / "cut")


def test_a_grid_has_a_row_for_each_scenario(design, tmp_path):
    result = run(design("[16, 24]"), tmp_path / "out", replicates=3)
    table = result.tables["operating_characteristics"]
    assert table.groupby("scenario")["n"].first().to_list() == ["16", "24"]
    assert table.groupby("scenario")["n_randomised"].first().to_list() == [16, 24]
    assert set(pd.read_parquet(tmp_path / "out" / "estimates")["scenario"]) == {0, 1}


def test_another_design_does_not_go_on_with_the_parts_of_this_one(design, tmp_path, monkeypatch):
    path = design()

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(steps, "_write", stop)
    with pytest.raises(KeyboardInterrupt):
        run(path, tmp_path / "out", replicates=2)
    with pytest.raises(InputError, match="--resume"):
        run(path, tmp_path / "out", replicates=2)
    with pytest.raises(InputError, match="replicates"):
        run(path, tmp_path / "out", replicates=3, resume=True)


def test_a_run_of_days_has_to_be_asked_for(design, tmp_path, monkeypatch):
    monkeypatch.setattr(steps, "MANY", 0)
    monkeypatch.setattr(trial_study, "SLOW_H", 0.0)
    with pytest.raises(InputError, match=r"would run for about .* hours .*--yes"):
        run(design(), tmp_path / "out", replicates=2)
    assert not (tmp_path / "out").exists()
    assert not unfinished.partial(tmp_path / "out").exists()
    run(design(), tmp_path / "out", replicates=2, yes=True)


def test_the_size_that_is_found_reaches_the_assurance(design, tmp_path):
    asked = steps.plan(load_scenarios(design("16")), 40, 1, None)
    result = steps.run(asked, steps.How(tmp_path / "out", assurance=0.8), "afterglow trial small.yaml")
    table = result.tables["sample_size"]
    assert table["n"].is_monotonic_increasing
    assert "an assurance of 80% needs about" in result.warnings[-1]
    found = int(result.warnings[-1].split("about ")[1].split()[0])
    assert table.set_index("n").loc[found, "assurance"] >= 0.8
    assert (table.loc[table["n"] < found, "assurance"] < 0.8).all()


def afterglow(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "afterglow", *words], cwd=cwd, capture_output=True, text=True)


@pytest.mark.parametrize(("how", "what"), [({"assurance": 2.0}, "assurance of 2"), ({"workers": 0}, "0 workers")])
def test_options_that_cannot_be_are_refused_before_the_run(design, tmp_path, how, what):
    with pytest.raises(InputError, match=what):
        run(design(), tmp_path / "out", replicates=2, **how)
    assert not unfinished.partial(tmp_path / "out").exists()


def test_bad_input_leaves_with_two_and_names_place_and_remedy(design, tmp_path):
    path = design()
    path.write_text(path.read_text().replace("at: 24 h, analysis: ancova", "at: 7 d").replace("saline}", "salt}"))
    done = afterglow("trial", "small.yaml", "--out", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert "small.yaml:7" in done.stderr
    assert "did you mean 'saline'?" in done.stderr
    assert not (tmp_path / "out").exists()


def test_thresholds_that_nobody_meets_say_how_many_qualify(design, tmp_path):
    path = design()
    path.write_text(path.read_text().replace("MADRS >= 22", "MADRS >= 59"))
    done = afterglow("trial", "small.yaml", "--out", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert "candidates meet 'MADRS >= 59'" in done.stderr
    assert "small.yaml:4" in done.stderr


def test_shipped_trials_are_listed_and_shown(tmp_path):
    assert "murrough2013_ajp" in afterglow("trial", "--list", cwd=tmp_path).stdout
    shown = afterglow("trial", "murrough2013_ajp", "--show", cwd=tmp_path).stdout
    (tmp_path / "mine.yaml").write_text(shown)
    assert load_scenarios(tmp_path / "mine.yaml")[0].trial.name == "murrough2013_ajp"
