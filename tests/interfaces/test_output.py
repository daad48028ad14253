"""Result folders: whole or not at all."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from afterglow.errors import InputError
from afterglow.interfaces import output


def test_a_folder_appears_whole(tmp_path):
    with output.new_folder(tmp_path / "deep" / "X") as work:
        (work / "a.txt").write_text("a")
        assert not (tmp_path / "deep" / "X").exists()
    assert (tmp_path / "deep" / "X" / "a.txt").read_text() == "a"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["X"]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_an_error_leaves_nothing_not_even_parents(tmp_path, failure):
    def write():
        with output.new_folder(tmp_path / "deep" / "X") as work:
            (work / "a.txt").write_text("a")
            raise failure

    with pytest.raises(failure):
        write()
    assert not list(tmp_path.iterdir())


def earlier(folder):
    folder.mkdir()
    (folder / output.MANIFEST).write_text("{}")
    (folder / "old.txt").write_text("old")


def test_force_replaces_an_earlier_result(tmp_path):
    earlier(tmp_path / "X")
    with output.new_folder(tmp_path / "X", force=True) as work:
        (work / "new.txt").write_text("new")
    assert [path.name for path in (tmp_path / "X").iterdir()] == ["new.txt"]


def test_an_error_under_force_keeps_the_earlier_result(tmp_path):
    earlier(tmp_path / "X")
    with pytest.raises(RuntimeError), output.new_folder(tmp_path / "X", force=True):
        raise RuntimeError
    assert (tmp_path / "X" / "old.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["X"]


def test_force_never_replaces_what_is_not_a_result(tmp_path):
    (tmp_path / "X").mkdir()
    (tmp_path / "X" / "thesis.txt").write_text("mine")
    (tmp_path / "Y").write_text("a file")
    for name in ("X", "Y"):
        with pytest.raises(InputError, match="choose another name"):
            output.check_free(tmp_path / name, force=True)
    assert (tmp_path / "X" / "thesis.txt").read_text() == "mine"


def test_csv_and_parquet_hold_the_same_and_units_travel(tmp_path):
    import pyarrow.parquet as pq

    table = pd.DataFrame({"arm": ["a", "b"], "time_h": [0.0, 0.1 + 0.2], "mean": [30.0, np.nan]})
    output.write_tables(tmp_path, {"arms": table})
    output.write_units(tmp_path, {"arms": table}, ["sampling"])
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "arms.csv", float_precision="round_trip"), table, check_exact=True
    )
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "arms.parquet"), table, check_exact=True)
    assert pq.read_schema(tmp_path / "arms.parquet").field("time_h").metadata[b"unit"] == b"h"
    units = json.loads((tmp_path / "units.json").read_text())
    assert units["tables"]["arms"]["time_h"]["unit"] == "h"
    assert units["intervals"]["cover"] == ["sampling"]
    assert "parameters" in units["intervals"]["do_not_cover"]
    assert "rater noise" in units["intervals"]["held"][0]


def test_csv_is_what_pandas_writes(tmp_path, monkeypatch):
    monkeypatch.setattr(output, "CSV_ROWS", 3)
    table = pd.DataFrame(
        {
            "a, b": ["plain", 'says "hi"', "two\nlines", None, "ä, ö"],
            "x": [0.1 + 0.2, 1e-7, np.nan, -0.0, 1e22],
            "n": [1, -2, 3, 4, 10**12],
            "yes": [True, False, True, True, False],
        }
    )
    for name, part in {"some": table, "none": table.iloc[:0]}.items():
        output.write_tables(tmp_path, {name: part})
        assert (tmp_path / f"{name}.csv").read_text() == part.to_csv(index=False, lineterminator="\n")


def test_the_manifest_hashes_every_other_file(tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "a.png").write_bytes(b"png")
    (tmp_path / "b.csv").write_bytes(b"csv")
    output.write_manifest(tmp_path, "afterglow compare", {"seed": 1, "weeks": np.float64(8)}, ["careful"])
    found = json.loads((tmp_path / "manifest.json").read_text())
    assert {name: entry["sha256"] for name, entry in found["files"].items()} == {
        "figures/a.png": output.sha256(b"png"),
        "b.csv": output.sha256(b"csv"),
    }
    assert found["settings"] == {"seed": 1, "weeks": 8.0}
    assert found["warnings"] == ["careful"]
    assert found["model_sha256"] == output.model_hash()
    assert set(found["versions"]) >= {"afterglow", "python", "numpy"}
