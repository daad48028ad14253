"""The benchmark's own parts: cases, rows, choice of settings. No test here looks at a clock."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from afterglow.lang import evaluate

BENCH = Path(__file__).parents[1] / "bench"


@pytest.fixture(scope="module")
def bench():
    """`bench/run.py` and its neighbours, which are scripts and no package."""
    pytest.importorskip("libsbml")
    sys.path.insert(0, str(BENCH))
    spec = importlib.util.spec_from_file_location("bench_run", BENCH / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(BENCH))


def test_the_machine_is_described_and_not_named(bench):
    about = bench.machine()
    assert {"cpu", "avx2", "avx512", "cores", "platform", "python", "versions"} <= about.keys()
    text = json.dumps(about)
    assert str(Path.home()) not in text
    assert about["versions"]["numpy"] == np.__version__


@pytest.mark.parametrize("name", ["whole", "pk"])
def test_a_peer_gets_the_same_equations(bench, name):
    """With everything constant worked out, rates and output are what they were."""
    from models import lean

    of = bench.case(name)
    peer, slots, k = lean(of, 2), of.people(2), 1
    own = dict(zip(of.model.p, slots[:, k], strict=True))
    start = evaluate(of.model.init, own)
    assert peer.start[:, k] == pytest.approx(start, rel=1e-12, abs=1e-15)
    states = np.array(start) * 1.1 + 0.05
    mine = own | dict(zip(of.model.y, states, strict=True))
    theirs = dict(zip(peer.model.p, peer.slots[:, k], strict=True)) | dict(zip(peer.model.y, states, strict=True))
    assert evaluate(peer.model.rhs, theirs) == pytest.approx(evaluate(of.model.rhs, mine), rel=1e-9, abs=1e-12)
    output = of.model.values[of.model.output[of.output]]
    assert evaluate(peer.model.values, theirs) == pytest.approx(evaluate([output], mine), rel=1e-12)


def test_patients_are_the_same_in_blocks_and_at_once(bench):
    of = bench.case("pk")
    assert np.array_equal(of.people(10)[:, 4:], of.people(6, first=4))


def ladder_row(engine, us, error):
    return {"engine": engine, "part": "ladder", "us_per_patient": us, "max_error": error}


def test_afterglow_is_compared_at_equal_or_better_error(bench):
    rows = [
        ladder_row("afterglow", 1.0, 9e-4), ladder_row("afterglow", 2.0, 3e-4),
        ladder_row("libroadrunner", 50.0, 5e-3), ladder_row("libroadrunner", 100.0, 4e-4),
    ]  # fmt: skip
    comparison = object.__new__(bench.Comparison)
    comparison.engines = dict.fromkeys(["afterglow", "libroadrunner"])
    chosen = comparison.choose(rows)
    assert [(r["engine"], r["us_per_patient"]) for r in chosen] == [
        ("afterglow", 1.0), ("afterglow", 2.0), ("libroadrunner", 100.0),
    ]  # fmt: skip
    done = [r | {"threads": 1, "rtol": r["max_error"]} for r in chosen]
    assert [bench.against(r, done)["relative"] for r in done] == [1.0, 1.0, 50.0]
    assert bench.pairs(rows) == ["libroadrunner at error 0.0004: 50.0 times afterglow on one thread"]


def test_a_row_and_its_picture(bench, tmp_path):
    from figure import draw

    of = bench.case("pk")
    comparison = object.__new__(bench.Comparison)
    comparison.case = of
    rows = [
        comparison.row("afterglow", (1e-4, 1e-4), 0.5, 1000, 1e-4)
        | {"part": "speed", "relative": 1.0, "relative_to_rtol": 1e-4}
    ]
    wanted = {"engine", "model", "patients", "threads", "us_per_patient", "max_error", "peak_mb", "compile_s"}
    assert wanted <= rows[0].keys()
    assert rows[0]["us_per_patient"] == pytest.approx(500.0)
    rows += [rows[0] | {"part": "doses", "doses": d} for d in (1, 10)]
    draw({"machine": bench.machine(), "rows": rows}, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 1000
