"""`--device cuda`: used where there is a GPU, skipped loudly where there is none."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import afterglow.simulate
from afterglow import compiled
from afterglow.clinic.course import load_course
from afterglow.engine import cuda, nvidia
from afterglow.interfaces.cli import app
from afterglow.simulate import simulate_course
from drawn_runs import fake_simulate
from host_kernel import COMPILER, HostKernel

NONE = "there is no CUDA device (no driver): install NVIDIA's driver"
SMALL = ["--patients", "6", "--weeks", "2", "--draws", "0", "--out", "X"]


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    asked = []

    def simulate(course, *, device="cpu", **options):
        asked.append(device)
        return fake_simulate(course, **options)

    monkeypatch.setattr(afterglow.simulate, "simulate_course", simulate)

    def call(*words, problem=NONE):
        monkeypatch.setattr(nvidia, "problem", lambda: problem)
        done = CliRunner().invoke(app, [*words, *SMALL])
        place = tmp_path / "X" / "manifest.json"
        return done, json.loads(place.read_text("utf-8")) if place.exists() else None, asked

    return call


@pytest.mark.parametrize("command", ["compare", "simulate"])
def test_without_a_gpu_the_cpu_is_used_and_it_is_said(run, command):
    done, manifest, asked = run(command, "iv-single", "--device", "cuda")
    said = f"--device cuda: running on the CPU instead: {NONE}"
    assert done.exit_code == 0, done.output
    assert done.stderr.splitlines()[0] == f"afterglow: {said}"
    assert f"Warning: {said}" in done.stdout
    assert manifest["settings"]["device"] == "cpu"
    assert manifest["warnings"][0] == said
    assert set(asked) == {"cpu"}


@pytest.mark.parametrize("command", ["compare", "simulate"])
def test_with_a_gpu_it_is_used_and_recorded(run, command):
    done, manifest, asked = run(command, "iv-single", "--device", "cuda", problem=None)
    assert done.exit_code == 0, done.output
    assert "CPU" not in done.stderr
    assert manifest["settings"]["device"] == "cuda"
    assert "--device cuda" in manifest["command"]
    assert set(asked) == {"cuda"}


def test_the_cpu_is_the_default_and_goes_without_saying(run):
    done, manifest, asked = run("simulate", "iv-single")
    assert done.exit_code == 0, done.output
    assert manifest["settings"]["device"] == "cpu"
    assert "--device" not in manifest["command"]
    assert set(asked) == {"cpu"}


def test_an_unknown_device_is_a_fault(run):
    done, manifest, _ = run("compare", "iv-single", "--device", "cude")
    assert done.exit_code == 2
    assert done.stderr == "--device: there is no device 'cude' (did you mean 'cuda'?)\n"
    assert manifest is None


@pytest.mark.skipif(COMPILER is None, reason="no C++ compiler here to play a GPU with")
def test_the_device_reaches_the_engine(monkeypatch):
    monkeypatch.setattr(compiled, "_compiled", compiled._compiled.__wrapped__)
    monkeypatch.setattr(cuda, "CudaKernel", HostKernel)
    course = load_course("iv-single")
    on_cpu, on_cuda = (simulate_course(course, patients=8, weeks=1, device=device) for device in ("cpu", "cuda"))
    gap = np.abs(on_cpu.values["mood.madrs"] - on_cuda.values["mood.madrs"]).max()
    assert 0 < gap < 0.01  # steps of one's own: other numbers, within the tolerance
