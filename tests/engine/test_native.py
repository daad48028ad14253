"""Machine code is kept on disk, and a bad file there never harms."""

import os
import subprocess
import sys

import numpy as np
import pytest

from afterglow.engine import driver, native
from toys import TwoCompartments, toy


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache for the code of models; that of the stepping loop is loaded already."""
    driver.loop()
    monkeypatch.setenv("AFTERGLOW_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def answer(model):
    """A result computed with machine code that is loaded afresh."""
    native._loaded.clear()
    return model.run(model.slots(3, k10=[0.1, 0.2, 0.3]), times=[0.0, 4.0]).values


@pytest.fixture
def builds(monkeypatch):
    """How often machine code was built."""
    calls, build = [], native._build
    monkeypatch.setattr(native, "_build", lambda text: calls.append(1) or build(text))
    return calls


def test_the_second_time_comes_from_the_cache(cache, builds):
    model = toy(TwoCompartments)
    first = answer(model)
    (file,) = cache.iterdir()
    assert file.suffix == ".o"
    assert np.array_equal(answer(model), first)
    assert len(builds) == 1


@pytest.mark.parametrize("damage", [b"", b"nonsense", None], ids=["empty", "nonsense", "one byte"])
def test_a_damaged_file_is_rebuilt_silently(cache, builds, capfd, damage):
    model = toy(TwoCompartments)
    first = answer(model)
    (file,) = cache.iterdir()
    good = file.read_bytes()
    file.write_bytes(damage if damage is not None else good[:-9] + bytes([good[-9] ^ 1]) + good[-8:])
    assert np.array_equal(answer(model), first)
    assert len(builds) == 2
    assert native._stored(file) == native._stored(file) is not None
    assert len(list(cache.iterdir())) == 1
    assert capfd.readouterr() == ("", "")


def test_who_finds_the_stepping_loop_stored_does_without_numba(tmp_path):
    script = (
        "import sys; from afterglow.engine import driver; driver.loop();"
        "print(len({'numba', 'afterglow.engine.stepping'} & set(sys.modules)))"
    )
    environment = {**os.environ, "AFTERGLOW_CACHE": str(tmp_path)}

    def loaded():
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True
        )
        assert done.stderr == ""
        return int(done.stdout)

    assert [loaded(), loaded()] == [2, 0]
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"nonsense")
    assert [loaded(), loaded()] == [2, 0]


def test_a_folder_that_cannot_be_written_costs_speed_and_nothing_else(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    monkeypatch.setenv("AFTERGLOW_CACHE", str(blocked / "cache"))
    assert np.isfinite(answer(toy(TwoCompartments))).all()


def test_other_equations_have_other_files(cache):
    one, two = toy(TwoCompartments), toy(TwoCompartments)
    two.program.__dict__["rhs"] = (*two.program.rhs[:-1], two.program.rhs[-1] * 2.0)
    answer(one)
    answer(two)
    assert len(list(cache.iterdir())) == 2


def test_the_engine_knows_no_biology():
    """Not even when it is imported alone."""
    script = (
        "import sys, afterglow.engine.batch, afterglow.engine.judge\n"
        "rooms = {m.split('.')[1] for m in sys.modules if m.startswith('afterglow.')}\n"
        "wrong = rooms - {'engine', 'errors'}\n"
        "sys.exit(' '.join(wrong) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
