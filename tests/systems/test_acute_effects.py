"""Acute effects: onset and end within a session, tolerance over sessions, published sizes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from small import DAY, YEAR, Small, published, published_list, published_spread, unsourced

from afterglow.lang import Input, Model, Output, System
from afterglow.systems.acute_effects import AcuteEffects
from afterglow.systems.brain_exposure import BrainExposure
from afterglow.systems.ketamine import R_KETAMINE, Ketamine

HOURS = np.array([0, 0.25, 0.5, 2 / 3, 0.75, 1.0, 1.5, 2.0, 4.0, 24.0])
TWICE_WEEKLY = [0, 3, 7, 10, 14, 17, 21, 24]


class Held(System):
    """Effect of a benzodiazepine, held by hand."""

    level = Input("1", "effect", default=0.0)
    gaba = Output(level, "1", "effect")


@pytest.fixture(scope="module")
def small() -> Small:
    model = Model("session")
    drugs = {"s": model.add(Ketamine, "ketamine_s"), "r": model.add(Ketamine, "ketamine_r", **R_KETAMINE)}
    held, brain = model.add(Held, "held"), model.add(BrainExposure, "brain")
    acute = model.add(AcuteEffects, "acute")
    for x, drug in drugs.items():
        model.wire(drug["free"], brain[f"plasma_{x}"])
        model.wire(drug["norketamine_free"], brain[f"plasma_{x}_norketamine"])
        model.wire(drug["hydroxynorketamine_free"], brain[f"plasma_{x}_hydroxynorketamine"])
        model.wire(drug["plasma"], acute[f"{x}_plasma"])
        model.wire(brain[f"{x}_ketamine"], acute[f"{x}_ketamine"])
    model.wire(held.gaba, acute.gaba)
    return Small(model, rtol=1e-6)


def infusion(mg: float = 35.0, day: float = 0.0) -> list[tuple[float, str, float, float]]:
    return [(day * DAY, f"ketamine_{x}.iv", mg / 2, 2 / 3) for x in "sr"]


def injection(day: float = 0.0) -> list[tuple[float, str, float, float]]:
    return [(day * DAY, f"ketamine_{x}.sc", 35.0, 0.0) for x in "sr"]  # 1 mg/kg


def spray(devices: int, day: float = 0.0) -> list[tuple[float, str, float, float]]:
    first = [(day * DAY, "ketamine_s.nasal_device_first", 28.0, 0.0)]
    later = [(day * DAY + 5 * k / 60, "ketamine_s.nasal_device_later", 28.0, 0.0) for k in range(1, devices)]
    return first + later


def peaks(run: dict[str, np.ndarray], name: str, sessions: int) -> np.ndarray:
    return run[f"acute.{name}"][0].reshape(sessions, -1).max(axis=1)


def test_numbers_are_those_of_their_records() -> None:
    assert unsourced(AcuteEffects) == []


def test_half_maximal_dissociation_is_the_published_plasma_concentration() -> None:
    total = published("simons2022.C50_HIGH")
    in_brain = total * Ketamine.params["FU"].value_ * BrainExposure.params["KPUU"].value_
    assert AcuteEffects.params["half"].value_ == pytest.approx(in_brain, rel=0.01)


def test_without_drug_only_the_risks_of_placebo(small: Small) -> None:
    run = small.run([0.0, DAY, YEAR])
    for name in ("dissociation", "cadss", "systolic_rise", "diastolic_rise", "sedation", "tolerance"):
        assert (run[f"acute.{name}"] == 0.0).all()
    for name, event in (("nausea", "NAUSEA"), ("dizziness", "DIZZINESS")):
        once = run[f"acute.{name}_risk"][0, 0]
        assert 1 - (1 - once) ** 8 == pytest.approx(published_list(f"nasal2023.{event}")[0], abs=1e-3)


@pytest.mark.parametrize("doses", [infusion(), spray(2), spray(3), injection()], ids=["iv", "56", "84", "sc"])
def test_dissociation_comes_within_the_hour_and_is_over_by_two(small: Small, doses: list) -> None:
    felt = small.run(HOURS, doses)["acute.dissociation"][0]
    assert felt.max() > 0.25
    assert HOURS[felt.argmax()] <= 0.75
    late = felt[published("spravato_cognition.RESOLVED") <= HOURS]
    assert (late < 0.15 * felt.max()).all()
    assert felt[-1] < 1e-3


def test_dissociation_and_pressure_rise_with_dose(small: Small) -> None:
    runs = [small.run(HOURS, infusion(70 * q)) for q in (0.1, 0.2, 0.5, 1.0, 2.0)]
    for name in ("dissociation", "systolic_rise", "sedation", "nausea_risk"):
        assert (np.diff([run[f"acute.{name}"].max() for run in runs]) > 0).all()


def test_psychedelic_effect_is_nearly_linear_between_50_and_200() -> None:
    racemate = np.array([50, 100, 150, 200.0])
    half, w, n = (AcuteEffects.params[k].value_ for k in ("half", "weight_r", "n"))
    level = racemate / 2 * (1 + w) * half / 71.3  # 71.3 ng/mL are 0.30 umol/L
    fresh = level**n / (half**n + level**n)
    k = AcuteEffects.params["accustoming"].value_
    accustomed = level**n / ((half * (1 + k * fresh)) ** n + level**n)
    low = published_list("bowdle1998.LINEAR")[0]
    assert np.corrcoef(racemate, fresh)[0, 1] > low
    assert np.corrcoef(racemate, accustomed)[0, 1] > low


def test_size_of_cadss_lies_between_the_two_published_means(small: Small) -> None:
    mean = np.sqrt(2.0)  # mean over median of a log-normal spread of 100 %
    iv = mean * small.run(HOURS, infusion())["acute.cadss"].max()
    sc = mean * small.run(HOURS, injection())["acute.cadss"].max()
    assert published("vanschalkwyk2018.CADSS") < iv < 1.5 * published("vanschalkwyk2018.CADSS")
    assert 0.7 * published("glue2018.CADSS_1") < sc < published("glue2018.CADSS_1")
    most = small.run(HOURS, infusion(140.0), values={"acute.scale": 400.0})["acute.cadss"].max()
    assert most <= 92.0


def test_tolerance_over_weekly_sessions_is_the_published_one(small: Small) -> None:
    doses = [d for week in range(14) for d in injection(7 * week)]
    times = np.concatenate([7 * DAY * week + np.linspace(0.3, 1.2, 10) for week in range(14)])
    felt = peaks(small.run(times, doses), "dissociation", 14)
    want = published("glue2018.CADSS_14") / published("glue2018.CADSS_1")
    assert felt[-1] / felt[0] == pytest.approx(want, abs=0.02)
    assert (np.diff(felt) < 1e-4).all()
    rested = small.run([YEAR], doses)["acute.tolerance"][0, 0]
    assert rested < 0.01


@pytest.mark.parametrize(("devices", "column"), [(1, 1), (2, 2), (3, 3)])
def test_four_weeks_of_nasal_sessions_meet_the_published_event_rates(small: Small, devices: int, column: int) -> None:
    doses = [d for day in TWICE_WEEKLY for d in spray(devices, day)]
    times = np.concatenate([day * DAY + np.linspace(0.3, 1.0, 15) for day in TWICE_WEEKLY])
    run = small.run(times, doses)
    for name, event in (("nausea", "NAUSEA"), ("dizziness", "DIZZINESS")):
        risk = peaks(run, f"{name}_risk", 8)
        assert (np.diff(risk) <= 0).all()
        assert 1 - np.prod(1 - risk) == pytest.approx(published_list(f"nasal2023.{event}")[column], abs=0.025)


def test_sedation_after_the_spray_is_the_published_one(small: Small) -> None:
    seen = [small.run(np.linspace(0, 2, 81), spray(k))["acute.sedation"].max() for k in (2, 3)]
    assert seen == pytest.approx(published_list("spravato.SEDATED"), abs=0.02)


def test_a_benzodiazepine_sedates_and_adds_to_ketamine(small: Small) -> None:
    c50, ec50 = published("barr2001.C50"), published("midazolam_eeg2004.EC50")
    alone = small.run([1.0], values={"held.level": np.array([0.0, c50 / (c50 + ec50), 0.999])})["acute.sedation"][:, 0]
    assert alone == pytest.approx([0.0, 0.5, 1.0], abs=3e-3)
    both = small.run([2 / 3], infusion(), values={"held.level": np.array([0.0, 0.5])})["acute.sedation"][:, 0]
    assert 1 > both[1] > both[0] > 0.3


def test_blood_pressure_lies_among_its_sources(small: Small) -> None:
    iv = small.run(HOURS, infusion())
    spread = np.sqrt(1.36)  # mean over median of a log-normal spread of 60 %
    for name, key in (("systolic", "SYSTOLIC"), ("diastolic", "DIASTOLIC")):
        rise = spread * iv[f"acute.{name}_rise"][0]
        assert HOURS[rise.argmax()] == pytest.approx(2 / 3)
        pooled, clinic = published_spread(f"vankawala2021.{key}"), published_spread(f"yale2024.{key}")[0]
        low, high = pooled
        assert low < rise.max() < high
        assert abs(rise.max() - published(f"yale2024.{key}")) < 0.5 * clinic
        nasal = np.mean([small.run(HOURS, spray(k))[f"acute.{name}_rise"].max() for k in (2, 3)])
        assert nasal == pytest.approx(np.mean(published_list(f"spravato.{key}")), rel=0.35)
        assert nasal < rise.max()


@settings(max_examples=10, deadline=None)
@given(mg=some.floats(1, 300), more=some.floats(1.2, 3), gaba=some.floats(0, 0.95))
def test_fractions_stay_fractions(small: Small, mg: float, more: float, gaba: float) -> None:
    doses = [(t, route, half * np.array([1.0, more]), h) for t, route, half, h in infusion(mg)]
    run = small.run(HOURS, doses, values={"held.level": gaba})
    for name in ("dissociation", "sedation", "nausea_risk", "dizziness_risk"):
        assert ((run[f"acute.{name}"] >= 0) & (run[f"acute.{name}"] <= 1)).all()
    assert run["acute.systolic_rise"][1].max() > run["acute.systolic_rise"][0].max()
    assert small.out_of_bounds(run) == []
