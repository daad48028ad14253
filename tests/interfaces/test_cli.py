"""The command line: exit codes, faults, start-up, what is left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

import afterglow.simulate
from afterglow.data.fitted import drug_share
from afterglow.errors import EngineError
from afterglow.interfaces import words
from afterglow.interfaces.cli import app
from afterglow.study.posterior import Posterior
from afterglow.study.validate import Unseen
from drawn_runs import fake_simulate
from linear_surface import surface

SMALL = ["--patients", "6", "--weeks", "2", "--draws", "0"]


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(afterglow.simulate, "simulate_course", fake_simulate)

    def call(*words):
        return CliRunner().invoke(app, list(words))

    return call


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_help_loads_nothing_heavy():
    script = (
        "import sys\nfrom afterglow.interfaces.cli import main\nsys.argv = ['afterglow', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "heavy = {'numpy', 'pandas', 'numba', 'scipy', 'matplotlib', 'pydantic', 'yaml', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "compare" in done.stdout


class TestCompare:
    def test_writes_everything_and_prints_a_table(self, run, tmp_path):
        done = run("compare", "iv-single", "ssri", *SMALL, "--out", "X")
        assert done.exit_code == 0, done.output
        names = {path.name for path in (tmp_path / "X").iterdir()}
        tables = {f"{t}.{e}" for t in ("patients", "scores", "arms", "contrasts") for e in ("csv", "parquet")}
        assert tables | {"units.json", "manifest.json", "report.html", "figures"} <= names
        assert "iv-single" in done.stdout
        shown = " ".join(done.stdout.split())
        for text in ("Not a medical device", words.DRUG_SHARE_SHORT, "sedated", "14 mmHg for 16", "crude share"):
            assert text in shown
        record = json.loads((tmp_path / "X" / "manifest.json").read_text())["drug_share"]
        assert record == {"words": words.DRUG_SHARE_SHORT, **drug_share()}

    def test_one_seed_gives_one_set_of_tables(self, run, tmp_path):
        for out in ("A", "B"):
            assert run("compare", "iv-single", *SMALL, "--out", out).exit_code == 0
        assert contents(tmp_path / "A") == contents(tmp_path / "B")
        run("compare", "iv-single", *SMALL, "--seed", "2", "--out", "C")
        assert contents(tmp_path / "A")["scores.csv"] != contents(tmp_path / "C")["scores.csv"]

    def test_all_faults_are_printed_and_nothing_is_left(self, run, tmp_path):
        done = run("compare", "iv-sngle", "--patients", "0", "--weeks", "nan", "--out", "X")
        assert done.exit_code == 2
        lines = done.stderr.strip().splitlines()
        assert lines[0].startswith("course: there is no course 'iv-sngle' (did you mean 'iv-single'?")
        assert [line.split(":")[0] for line in lines] == ["course", "--patients", "--weeks"]
        assert not list(tmp_path.iterdir())

    def test_faults_of_a_course_file_name_its_lines(self, run, tmp_path):
        (tmp_path / "bad.yaml").write_text(
            "course: bad\ntitle: Bad\ndoses:\n  - {drug: ketamin, route: ivv, days: [1]}\n"
        )
        done = run("compare", "bad.yaml", "--out", "X")
        assert done.exit_code == 2
        assert "bad.yaml:4" in done.stderr
        assert len(done.stderr.strip().splitlines()) >= 2
        assert [path.name for path in tmp_path.iterdir()] == ["bad.yaml"]

    @pytest.mark.parametrize("words", [["--patients", "many"], ["--weeks", ""], ["--nonsense"]])
    def test_words_that_are_no_numbers(self, run, words):
        assert run("compare", *words).exit_code == 2

    @pytest.mark.parametrize("draws", ["-5", "1"])
    def test_draws_that_would_do_nothing_are_refused(self, run, draws):
        for command in (["compare", "ssri"], ["simulate", "ssri"], ["validate"]):
            done = run(*command, "--draws", draws)
            assert done.exit_code == 2
            assert done.stderr.startswith("--draws")

    def test_a_folder_is_not_overwritten_without_force(self, run, tmp_path):
        assert run("compare", "iv-single", *SMALL, "--out", "X").exit_code == 0
        before = contents(tmp_path / "X")
        again = run("compare", "ssri", *SMALL, "--out", "X")
        assert again.exit_code == 2
        assert "--force" in again.stderr
        assert contents(tmp_path / "X") == before
        assert run("compare", "ssri", *SMALL, "--out", "X", "--force").exit_code == 0
        assert contents(tmp_path / "X")["scores.csv"] != before["scores.csv"]
        assert [path.name for path in tmp_path.iterdir()] == ["X"]

    def test_a_failure_has_exit_code_1_and_leaves_nothing(self, run, tmp_path, monkeypatch):
        def broken(*_args, **_options):
            raise EngineError("the step became too small")

        monkeypatch.setattr(afterglow.simulate, "simulate_course", broken)
        done = run("compare", "iv-single", *SMALL, "--out", "X")
        assert done.exit_code == 1
        assert "the step became too small" in done.stderr
        assert not list(tmp_path.iterdir())

    def test_scales(self, run, tmp_path):
        assert run("compare", "ssri", *SMALL, "--scales", "PHQ-9", "--out", "X").exit_code == 0
        text = (tmp_path / "X" / "arms.csv").read_text()
        assert ",MADRS," in text
        assert ",PHQ-9," in text

    def test_the_command_in_the_manifest_holds_no_path(self, run, tmp_path):
        assert run("compare", "ssri", *SMALL, "--out", str(tmp_path / "deep" / "X")).exit_code == 0
        text = (tmp_path / "deep" / "X" / "manifest.json").read_text()
        assert str(tmp_path) not in text
        assert json.loads(text)["command"] == "afterglow compare ssri --patients 6 --weeks 2 --seed 1 --draws 0"


class TestSimulate:
    def test_systems_adds_the_whole_chain(self, run, tmp_path):
        assert run("simulate", "iv-single", *SMALL, "--systems", "--out", "X").exit_code == 0
        assert (tmp_path / "X" / "figures" / "systems.png").is_file()
        assert (tmp_path / "X" / "trajectories.parquet").is_file()

    def test_a_person(self, run, tmp_path):
        person = "person: A\nage: 44\nsex: female\nweight: 81 kg\nbaseline: {MADRS: 34}\nconditions: [hypertension]\n"
        (tmp_path / "a.yaml").write_text(person)
        done = run("simulate", "iv-single", "--person", "a.yaml", *SMALL, "--out", "X")
        assert done.exit_code == 0, done.output
        assert "one person" in done.stdout
        assert "caution" in done.stdout

    def test_a_person_with_a_name_is_refused(self, run, tmp_path):
        (tmp_path / "a.yaml").write_text(
            "person: A\nname: Ann\nage: 44\nsex: female\nweight: 81 kg\nbaseline: {MADRS: 34}\n"
        )
        done = run("simulate", "iv-single", "--person", "a.yaml", "--out", "X")
        assert done.exit_code == 2
        assert "a.yaml:2" in done.stderr


class TestSystems:
    def test_lists_them_and_what_is_not_modelled(self, run):
        done = run("systems")
        assert done.exit_code == 0
        for word in ("glutamate", "belief", "monoamines", "psilocybin", "MDMA", "assumed"):
            assert word in done.stdout

    def test_shows_one(self, run):
        assert "d(suppressor)/dt" in run("systems", "glutamate", "--equations").stdout
        assert "tau_surge" in run("systems", "glutamate", "--parameters").stdout
        assert "nmda_block.tonic" in run("systems", "glutamate", "--wires").stdout

    def test_an_unknown_one(self, run):
        done = run("systems", "glutamat")
        assert done.exit_code == 2
        assert "glutamate" in done.stderr


class TestStudies:
    @pytest.fixture
    def table(self):
        names = [
            "trial",
            "arm",
            "visit",
            "scale",
            "measure",
            "observed",
            "observed_se",
            "predicted",
            "lo90",
            "hi90",
            "role",
            "z",
        ]
        rows = [
            ("one2020", "drug v placebo", "24 h", "MADRS", "difference", -7.0, 2.0, -2.5, -5.0, 0.0, "fit", 2.25),
            ("one2020", "drug", "24 h", "MADRS", "remission", 30.0, np.nan, np.nan, np.nan, np.nan, "unused", np.nan),
        ]
        return pd.DataFrame(rows, columns=names)

    def test_validate_prints_misses_and_writes_the_table(self, run, tmp_path, monkeypatch, table):
        drawn = []
        monkeypatch.setattr("afterglow.study.validate.validate", lambda *_names, **_options: table)
        monkeypatch.setattr(
            "afterglow.interfaces.validation_figures.draw",
            lambda folder, *some, **_options: drawn.append((folder, some)),
        )
        done = run("validate", "one2020", "--out", "V")
        assert done.exit_code == 0, done.output
        [(folder, (seen, trials))] = drawn
        assert (folder.name, len(seen), trials) == ("figures", 2, ["one2020"])
        assert "one2020" in done.stdout
        assert "+2.2" in done.stdout
        assert len(pd.read_csv(tmp_path / "V" / "validation.csv")) == 2
        assert run("validate", "--out", "V").exit_code == 2
        assert "Not simulated" not in done.stdout
        everything = " ".join(run("validate").stdout.split())
        assert "Not simulated: " in everything
        assert "its patients are in aspire_pooled" in everything

    def test_unseen_trials_come_with_their_scores(self, run, tmp_path, monkeypatch, table):
        scores = pd.DataFrame({"name": ["model", "baseline"], "metric": ["mae change"] * 2, "value": [3.25, 5.0]})
        found = Unseen(table, scores, pd.DataFrame({"trial": ["one2020"], "value": [1.0]}))
        monkeypatch.setattr("afterglow.study.validate.unseen", lambda **_options: found)
        monkeypatch.setattr("afterglow.interfaces.validation_figures.draw", lambda *_some, **_options: [])
        done = run("validate", "--loo", "--out", "V")
        assert done.exit_code == 0, done.output
        assert "3.25" in done.stdout
        assert "unseen" in done.stdout
        assert pd.read_csv(tmp_path / "V" / "score.csv")["value"].tolist() == [3.25, 5.0]
        assert len(pd.read_csv(tmp_path / "V" / "score_by_trial.csv")) == 1

    def test_unseen_trials_need_the_sampler(self, run, monkeypatch):
        monkeypatch.setattr("afterglow.interfaces.validation.find_spec", lambda _name: None)
        done = run("validate", "--loo")
        assert done.exit_code == 2
        assert "afterglow[fit]" in done.stderr

    @pytest.mark.parametrize("words", [("one2020",), ("--variant", "inert")])
    def test_unseen_refuses_what_it_cannot_do_before_it_runs(self, run, monkeypatch, words):
        monkeypatch.setattr("afterglow.study.validate.unseen", lambda **_options: pytest.fail("it ran"))
        assert run("validate", *words, "--loo").exit_code == 2

    def test_validate_refuses_bad_numbers_before_it_runs(self, run, monkeypatch):
        monkeypatch.setattr("afterglow.study.validate.validate", lambda *_names, **_options: pytest.fail("it ran"))
        assert run("validate", "--patients", "0").exit_code == 2

    def test_calibrate_writes_the_fit(self, run, tmp_path, monkeypatch):
        entry = {"value": 8.1, "start": 8.0, "prior_sd": 0.5, "posterior_sd": 0.3}
        record = {
            "rows": 3,
            "data_loss": 1.5,
            "parameters": {"synapses.tau_fast": entry},
            "measurement": {"rater_sd": entry},
        }
        made, rng = surface(), np.random.default_rng(1)
        x, tau = rng.normal(0, 0.1, (20, 2)), rng.uniform(0.1, 0.4, (20, 3))
        drawn = Posterior(made, made.emulator.only(made.fitted), x, tau, 90.04)
        fitted = SimpleNamespace(x=np.zeros(2), covariance=np.eye(2))
        asked = {}
        monkeypatch.setattr("afterglow.study.calibrate.fit", lambda *_numbers, **_options: fitted)
        monkeypatch.setattr("afterglow.study.calibrate.as_record", lambda _fit, command: {"command": command, **record})
        monkeypatch.setattr("afterglow.study.calibrate.Problem", lambda *_numbers, **options: asked.update(options))
        monkeypatch.setattr("afterglow.study.posterior.calibrate", lambda *_numbers: drawn)
        done = run("calibrate", "--rounds", "2", "--out", "F")
        assert done.exit_code == 0, done.output
        assert asked == {"everything": True}  # rows that are not fitted are predicted too
        assert "omega.second" in done.stdout
        assert len(pd.read_csv(tmp_path / "F" / "posterior.csv")) == 20
        assert not (tmp_path / ".F.partial").exists()
        command = "afterglow calibrate --patients 160 --seed 1 --rounds 2"
        assert command in (tmp_path / "F" / "fit.yaml").read_text()
        how = yaml.safe_load((tmp_path / "F" / "posterior.yaml").read_text())
        assert how["command"].startswith(command)
        assert (how["rows"], how["draws"], how["effective_draws"]) == (5, 20, 90.0)
        assert set(how["between_trials"]) == set("uve")
        assert how["emulator_error"]["worst_over_se"] < 1e-3
        with np.load(tmp_path / "F" / "surface.npz") as kept:
            assert kept["y"] == pytest.approx(made.y, rel=1e-6)
