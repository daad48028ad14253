"""The Python interface."""

from __future__ import annotations

import subprocess
import sys

import pytest

import afterglow
import afterglow.simulate
from afterglow.errors import InputError
from drawn_runs import fake_simulate


@pytest.fixture(scope="module")
def result():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(afterglow.simulate, "simulate_course", fake_simulate)
        return afterglow.compare(["iv-single", "ssri"], patients=10, weeks=2, draws=0)


def test_importing_the_package_is_light():
    script = "import sys, afterglow; sys.exit(bool({'numpy', 'pandas', 'pydantic'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_public_names():
    assert set(afterglow.__all__) == set(dir(afterglow))
    assert afterglow.__version__.count(".") == 2
    with pytest.raises(AttributeError, match="nonsense"):
        _ = afterglow.nonsense


def test_plot_gives_a_figure_by_name(result):
    from matplotlib.figure import Figure

    for name in (None, "weeks", "contrasts", "systems"):
        assert isinstance(result.plot(name), Figure)
    with pytest.raises(InputError, match="weeks"):
        result.plot("week")


def test_save_refuses_an_existing_folder(result, tmp_path):
    result.save(tmp_path / "X")
    with pytest.raises(InputError, match="force"):
        result.save(tmp_path / "X")
    result.save(tmp_path / "X", force=True)


def test_repr_is_a_line(result):
    assert repr(result) == "<Comparison of iv-single, ssri: 10 patients, 2 weeks, seed 1>"
