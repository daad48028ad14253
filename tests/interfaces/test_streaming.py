"""Large populations: the same bytes however the run was cut into blocks and interrupted."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from afterglow.clinic.course import load_course
from afterglow.errors import InputError
from afterglow.interfaces import streaming, unfinished
from afterglow.study import compare as study
from afterglow.study.stream import Stream

ASKED = {"patients": 96, "weeks": 1.0, "seed": 3, "variant": None, "scales": ["MADRS"]}
FILES = ("patients.parquet", "scores.parquet", "arms.csv", "arms.parquet", "contrasts.csv", "manifest.json")


def stream(block=32, **more):
    asked = {**ASKED, **more}
    courses = [load_course("iv-single")]
    return Stream(courses, **asked, block=block), streaming.settings(courses, asked, block)


def run(out, block=32, *, force=False, resume=False, **more):
    made, settings = stream(block, **more)
    if found := unfinished.faults(out, settings, force=force, resume=resume):
        raise InputError(found)
    return streaming.run(made, out, "afterglow simulate", settings, resume=resume)


class Stop(Exception):
    """An interruption."""


def interrupted(out, after, monkeypatch):
    """A run that ends when so many blocks are kept, in the middle of the next one."""
    keep, count = streaming._keep, []

    def failing(work, block):
        if len(count) == after:
            (work / f"scores-{block.number:06d}.parquet").write_bytes(b"half written")
            raise Stop
        count.append(1)
        keep(work, block)

    monkeypatch.setattr(streaming, "_keep", failing)
    with pytest.raises(Stop):
        run(out)
    monkeypatch.undo()


def bytes_of(folder, names=FILES):
    return {name: (folder / name).read_bytes() for name in names}


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    out = tmp_path_factory.mktemp("stream") / "straight"
    return out, run(out)


def test_blocks_agree_with_the_ordinary_run(straight):
    out, tables = straight
    usual = study.compare(["iv-single"], patients=96, weeks=1, seed=3, draws=0, clock=False)
    for name in ("arms", "contrasts"):
        pd.testing.assert_frame_equal(tables[name], usual.tables[name], check_exact=False, rtol=1e-9, check_dtype=False)
    keys = ["arm", "patient", "time_h"]
    scores = pd.read_parquet(out / "scores.parquet").sort_values(keys)
    expected = usual.tables["scores"].sort_values(keys)
    assert list(scores.columns) == list(expected.columns)
    assert np.array_equal(scores["value"], expected["value"])
    patients = pd.read_parquet(out / "patients.parquet")
    assert np.array_equal(patients["AGE"], usual.tables["patients"]["AGE"])
    assert list(patients["patient"]) == list(range(96))


@pytest.mark.parametrize("block", [8, 40, 96])
def test_tables_do_not_depend_on_the_size_of_a_block(straight, tmp_path, block):
    run(tmp_path / "other", block)
    csv = ("arms.csv", "contrasts.csv")
    assert bytes_of(tmp_path / "other", csv) == bytes_of(straight[0], csv)
    one, two = (pd.read_parquet(f / "scores.parquet") for f in (straight[0], tmp_path / "other"))
    keys = ["arm", "patient", "time_h"]
    assert np.array_equal(one.sort_values(keys)["value"], two.sort_values(keys)["value"])


def test_an_interrupted_run_is_resumed_to_the_same_bytes(straight, tmp_path, monkeypatch):
    out = tmp_path / "cut"
    interrupted(out, 2, monkeypatch)
    assert not out.exists()
    with pytest.raises(InputError, match="an interrupted run of 'cut' is there"):
        run(out)
    with pytest.raises(InputError, match="the interrupted run had 3, this one has 4"):
        run(out, resume=True, seed=4)
    made = []
    block = Stream._block
    monkeypatch.setattr(Stream, "_block", lambda self, number: made.append(number) or block(self, number))
    run(out, resume=True)
    assert made == [2]
    assert bytes_of(out) == bytes_of(straight[0])
    assert not unfinished.partial(out).exists()


def test_force_begins_anew(straight, tmp_path, monkeypatch):
    out = tmp_path / "cut"
    interrupted(out, 1, monkeypatch)
    run(out, force=True)
    assert bytes_of(out) == bytes_of(straight[0])


def test_force_and_resume_together_lose_nothing(straight, tmp_path, monkeypatch):
    """`--force` is about the earlier results; what the interrupted run has done is still worth something."""
    out = tmp_path / "cut"
    interrupted(out, 2, monkeypatch)
    made = []
    block = Stream._block
    monkeypatch.setattr(Stream, "_block", lambda self, number: made.append(number) or block(self, number))
    run(out, force=True, resume=True)
    assert made == [2]
    assert bytes_of(out) == bytes_of(straight[0])


def test_nothing_to_resume_is_said(tmp_path):
    with pytest.raises(InputError, match="no interrupted run"):
        run(tmp_path / "none", resume=True)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_killed_and_resumed_from_the_command_line(tmp_path):
    words = ["simulate", "iv-single", "--patients", "40000", "--weeks", "0.2", "--out"]
    command = [sys.executable, "-m", "afterglow", *words]
    done = subprocess.run([*command, "whole"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "block 5 of 5" in done.stderr
    child = subprocess.Popen([*command, "cut"], cwd=tmp_path, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    partial = tmp_path / ".cut.partial"
    while len(list(partial.glob("sums-*.json"))) < 2 and child.poll() is None:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (tmp_path / "cut").exists()
    again = subprocess.run([*command, "cut", "--resume"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "resumed" in again.stderr
    assert bytes_of(tmp_path / "cut") == bytes_of(tmp_path / "whole")
    manifest = json.loads((tmp_path / "cut" / "manifest.json").read_text())
    assert manifest["failed"] == 0


def test_what_cannot_be_streamed_is_refused(tmp_path):
    command = [sys.executable, "-m", "afterglow", "simulate", "iv-single", "--patients", "30000", "--systems"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--systems" in done.stderr
    assert "20,000" in done.stderr
    assert not list(tmp_path.iterdir())
