"""`afterglow doctor` sees what is there, what is missing and what is broken."""

import json

import pytest
from typer.testing import CliRunner

from afterglow.engine import native
from afterglow.errors import EngineError
from afterglow.interfaces import doctor
from afterglow.interfaces.cli import app


def by_name(found):
    return {one.what: one for one in found}


def test_this_installation_runs_and_the_findings_are_written_down(tmp_path):
    said = CliRunner().invoke(app, ["doctor", "--json", str(tmp_path / "doctor.json")])
    assert said.exit_code == 0, said.output
    rows = {row["what"]: row for row in json.loads((tmp_path / "doctor.json").read_text())["findings"]}
    assert rows["libraries"]["state"] == rows["a small run"]["state"] == "fine"
    assert "numpy" in rows["libraries"]["found"]
    assert {f"extra {name}" for name in doctor.EXTRAS} < rows.keys()


def test_an_extra_that_is_not_there_comes_with_the_line_that_installs_it(monkeypatch):
    monkeypatch.setitem(doctor.EXTRAS, "trial", ("statsmodels", "no_such_module", "neither.this_one"))
    found = by_name(doctor.examine())["extra trial"]
    assert found.state == "missing"
    assert "no_such_module, neither.this_one" in found.found
    assert found.remedy == 'pip install "afterglow[trial]"'


@pytest.mark.parametrize("held", ["1.0", None])
def test_a_library_that_is_too_old_or_missing_is_broken_and_named(monkeypatch, held):
    real = doctor.version

    def version(name):
        if name == "numpy":
            if held is None:
                raise doctor.PackageNotFoundError(name)
            return held
        return real(name)

    monkeypatch.setattr(doctor, "version", version)
    (found,) = doctor._libraries()
    assert found.state == "broken"
    assert found.remedy == "pip install 'numpy>=2.0'"


def test_a_cache_that_cannot_be_written_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("AFTERGLOW_CACHE", str(tmp_path / "kept"))
    assert "0 files" in doctor._cache().found
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    assert (doctor._cache().state, "AFTERGLOW_CACHE" in doctor._cache().remedy) == ("missing", True)


def test_many_threads_for_small_matrices_are_a_hint(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "8")
    assert "unset OPENBLAS_NUM_THREADS" in doctor._threads().remedy


def test_a_run_that_fails_ends_with_code_1(monkeypatch):
    def fails(*_args, **_kwargs):
        raise EngineError("no code for this processor")

    monkeypatch.setattr("afterglow.simulate.simulate_course", fails)
    said = CliRunner().invoke(app, ["doctor"])
    assert said.exit_code == 1
    assert "Broken: a small run." in said.output


def test_the_width_is_that_of_the_processor(monkeypatch):
    monkeypatch.setattr(native, "processor", lambda: ("some-cpu", "+sse2,+avx2,-avx512f"))
    assert "some-cpu, 256-bit vectors" in doctor._processor().found
