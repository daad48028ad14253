"""`afterglow export petab | nonmem | adam | combine | crate`: what is written, and what is refused."""

import json
import zipfile

import pytest
from typer.testing import CliRunner

from afterglow.interfaces.cli import app


def run(*words):
    return CliRunner().invoke(app, ["export", *map(str, words)])


@pytest.fixture(scope="module")
def nonmem(tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "nm"
    assert run("nonmem", "iv-single", "--patients", 2, "--weeks", 1, "--out", out).exit_code == 0
    return out


def test_nonmem_writes_data_control_and_units(nonmem):
    assert (nonmem / "iv-single_SIMULATED.csv").read_text().startswith("ID,TIME,AMT")
    assert "iv-single_SIMULATED.csv IGNORE=@" in (nonmem / "iv-single.ctl").read_text()
    assert "never run by NONMEM" in (nonmem / "README.md").read_text()
    assert json.loads((nonmem / "manifest.json").read_text())["settings"]["patients"] == 2


def test_nothing_is_overwritten_without_force(nonmem):
    before = (nonmem / "manifest.json").read_bytes()
    done = run("nonmem", "iv-single", "--patients", 1, "--weeks", 1, "--out", nonmem)
    assert done.exit_code == 2
    assert "--force" in done.output
    assert (nonmem / "manifest.json").read_bytes() == before


def test_a_result_becomes_a_crate_as_folder_and_as_archive(nonmem, tmp_path):
    assert run("crate", nonmem, "--out", tmp_path / "crate").exit_code == 0
    assert run("crate", nonmem, "--out", tmp_path / "crate.zip").exit_code == 0
    text = (tmp_path / "crate" / "ro-crate-metadata.json").read_text()
    with zipfile.ZipFile(tmp_path / "crate.zip") as whole:
        assert whole.read("ro-crate-metadata.json").decode() == text
        assert whole.read("iv-single.ctl") == (nonmem / "iv-single.ctl").read_bytes()
    assert run("crate", nonmem, "--out", tmp_path / "crate.zip").exit_code == 2
    assert run("crate", nonmem, "--out", tmp_path / "crate.zip", "--force").exit_code == 0


def test_all_faults_of_an_archive_are_told(tmp_path):
    done = run("combine", "nothing", "nothing-else", "--out", tmp_path / "x.zip")
    assert done.exit_code == 2
    assert all(word in done.output for word in ("'nothing'", "'nothing-else'", ".omex"))
    assert not list(tmp_path.iterdir())


def test_an_archive_is_written(tmp_path):
    pytest.importorskip("libsedml")
    assert run("combine", "saline-single", "--weeks", 1, "--out", tmp_path / "x.omex").exit_code == 0
    assert zipfile.is_zipfile(tmp_path / "x.omex")


@pytest.mark.slow
def test_adam_writes_the_named_tables(tmp_path):
    assert run("adam", "ketamine-saline", "--seed", 2, "--out", tmp_path / "adam").exit_code == 0
    names = {p.name for p in (tmp_path / "adam").glob("*.csv")}
    assert names == {f"{n}_SIMULATED.csv" for n in ("adsl", "adqs", "adtte", "adae", "adex")}
    assert run("adam", "ketamine-saline", "--out", tmp_path / "adam").exit_code == 2


@pytest.mark.slow
def test_petab_is_written_whole_and_passes_the_linter(tmp_path):
    petab = pytest.importorskip("petab.v1")
    assert run("petab", "--out", tmp_path / "petab").exit_code == 0
    read = petab.Problem.from_yaml(str(tmp_path / "petab" / "problem.yaml"))
    assert not petab.lint_problem(read)
    assert "What it does not say" in (tmp_path / "petab" / "README.md").read_text()
