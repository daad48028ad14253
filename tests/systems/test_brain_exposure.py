"""Brain exposure: delay, ratios, and nothing from nothing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from afterglow import data
from afterglow.compile.program import Program, program
from afterglow.compile.vector import vector_code
from afterglow.engine.actions import Actions
from afterglow.engine.batch import Engine
from afterglow.lang import Input, Model, Output, System, Unit
from afterglow.systems.brain_exposure import BrainExposure
from afterglow.systems.ketamine import R_KETAMINE, Ketamine


class Source(System):
    """Plasma held by hand: six open inputs."""

    s = Input("umol/L", "S-ketamine", default=0.0)
    r = Input("umol/L", "R-ketamine", default=0.0)
    nk_s = Input("umol/L", "S-norketamine", default=0.0)
    nk_r = Input("umol/L", "R-norketamine", default=0.0)
    hnk_s = Input("umol/L", "S-hydroxynorketamine", default=0.0)
    hnk_r = Input("umol/L", "R-hydroxynorketamine", default=0.0)
    out_s = Output(s, "umol/L", "S-ketamine")
    out_r = Output(r, "umol/L", "R-ketamine")
    out_nk_s = Output(nk_s, "umol/L", "S-norketamine")
    out_nk_r = Output(nk_r, "umol/L", "R-norketamine")
    out_hnk_s = Output(hnk_s, "umol/L", "S-hydroxynorketamine")
    out_hnk_r = Output(hnk_r, "umol/L", "R-hydroxynorketamine")


WIRES = {
    "out_s": "plasma_s",
    "out_r": "plasma_r",
    "out_nk_s": "plasma_s_norketamine",
    "out_nk_r": "plasma_r_norketamine",
    "out_hnk_s": "plasma_s_hydroxynorketamine",
    "out_hnk_r": "plasma_r_hydroxynorketamine",
}


@pytest.fixture(scope="module")
def held() -> tuple[Program, Engine]:
    model = Model("held")
    source, brain = model.add(Source, "source"), model.add(BrainExposure, "brain")
    for a, b in WIRES.items():
        model.wire(source[a], brain[b])
    made = program(model.flatten())
    return made, Engine(vector_code(made), made.sizes, rtol=1e-8, threads=1)


def watch(held: tuple[Program, Engine], times: list[float], **plasma: float) -> dict[str, NDArray[np.float64]]:
    made, engine = held
    slots = np.array(made.defaults)[:, None]
    for name, value in plasma.items():
        slots[made.slot[f"source.{name}"]] = value
    names = [n for n in made.outputs if n.startswith("brain.")]
    result = engine.run(slots, Actions(), np.array(times), [made.output[n] for n in names])
    assert not result.status.any()
    return {n.removeprefix("brain."): result.values[0, :, k] for k, n in enumerate(names)}


def test_ketamine_follows_with_its_half_life(held: tuple[Program, Engine]) -> None:
    half = 6.1 / 60
    got = watch(held, [half, 2 * half, 5.0], s=1.0, r=0.4)
    np.testing.assert_allclose(got["s_ketamine"], 0.71 * np.array([0.5, 0.75, 1.0]), rtol=1e-5)
    np.testing.assert_allclose(got["r_ketamine"], 0.4 * got["s_ketamine"], rtol=1e-5)


def test_metabolites_follow_at_once(held: tuple[Program, Engine]) -> None:
    got = watch(held, [0.0, 1.0], nk_s=1.0, nk_r=2.0, hnk_s=0.3, hnk_r=0.5)
    np.testing.assert_allclose(got["s_norketamine"], 0.14)
    np.testing.assert_allclose(got["r_norketamine"], 0.28)
    np.testing.assert_allclose(got["hydroxynorketamine"], 0.71 * 0.8)
    assert (got["s_ketamine"] == 0.0).all()


def test_nothing_in_plasma_nothing_in_brain(held: tuple[Program, Engine]) -> None:
    assert all((curve == 0.0).all() for curve in watch(held, [0.0, 1.0, 1000.0]).values())


def test_after_an_infusion_the_brain_peaks_late_and_keeps_the_ratio_of_areas() -> None:
    model = Model("chain")
    s, r = model.add(Ketamine, "ketamine_s"), model.add(Ketamine, "ketamine_r", **R_KETAMINE)
    brain = model.add(BrainExposure, "brain")
    for part, letter in ((s, "s"), (r, "r")):
        model.wire(part["free"], brain[f"plasma_{letter}"])
        model.wire(part["norketamine_free"], brain[f"plasma_{letter}_norketamine"])
        model.wire(part["hydroxynorketamine_free"], brain[f"plasma_{letter}_hydroxynorketamine"])
    made = program(model.flatten())
    engine = Engine(vector_code(made), made.sizes, rtol=1e-7, threads=1)
    actions = Actions()
    for part in ("ketamine_s", "ketamine_r"):
        actions.infusion(0, 0.0, made.slot[f"rate:{part}.central"], 17.5, 2 / 3)
    time = np.linspace(0, 72, 72 * 60 + 1)
    wanted = [made.output[n] for n in ("ketamine_s.free", "brain.s_ketamine", "brain.r_ketamine", "ketamine_s.plasma")]
    plasma, s_site, r_site, total = engine.run(np.array(made.defaults)[:, None], actions, time, wanted).values[0].T
    assert plasma.argmax() < s_site.argmax() < plasma.argmax() + 10  # minutes
    assert s_site.sum() / plasma.sum() == pytest.approx(0.71, rel=1e-3)
    # by construction the brain fluid sees 0.4 of total plasma, as cerebrospinal fluid does
    assert s_site.sum() / (total.sum() / 237.73) == pytest.approx(data.record("moaddel2023.CSF_ratio").value, rel=0.01)
    assert 0.05 < s_site.max() < r_site.max() < 0.2  # umol/L, below the affinity of S-ketamine


@pytest.mark.parametrize("name", BrainExposure.params)
def test_values_are_those_of_their_records(name: str) -> None:
    param = BrainExposure.params[name]
    if param.source == "assumed":
        assert name == "KPUU_HNK"
        return
    record = data.record(param.source)
    assert isinstance(record.value, float)
    assert param.unit is not None
    assert param.value_ == pytest.approx(record.value * Unit.parse(record.unit).factor_to(param.unit), rel=1e-9)


def test_derived_numbers_follow_from_their_records() -> None:
    ratio, unbound = data.record("moaddel2023.CSF_ratio").value, data.record("derived.FU").value
    assert isinstance(ratio, float)
    assert isinstance(unbound, float)
    assert data.record("derived.KPUU").value == pytest.approx(ratio / unbound, abs=0.005)
    lower = np.mean(np.asarray(data.record("label.NK_brain").value))
    assert data.record("derived.KPUU_NK").value == pytest.approx(0.71 / lower, abs=0.005)
