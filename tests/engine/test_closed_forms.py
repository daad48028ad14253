"""The engine against textbook solutions."""

import numpy as np
import pytest

from afterglow.engine.actions import Actions
from toys import TwoCompartments, toy

TIMES = np.linspace(0.0, 48.0, 97)
PEOPLE = 11
KA, K10 = np.linspace(0.6, 2.4, PEOPLE), np.linspace(0.1, 0.5, PEOPLE)
C, P, D = range(3)


@pytest.fixture(scope="module")
def model():
    return toy(TwoCompartments)


def bateman(dose, ka, k, t):
    return dose * ka / (ka - k) * (np.exp(-k * t) - np.exp(-ka * t)) * (t >= 0)


def test_bolus_one_compartment(model):
    doses = Actions()
    doses.bolus(np.arange(PEOPLE), 0.0, model.place("central"), 100.0)
    result = model.run(model.slots(PEOPLE, k12=0.0, k10=K10), doses, TIMES)
    expected = 100 * np.exp(-K10[:, None] * TIMES)
    expected[:, 0] = 0.0  # what happens at a time is seen after it
    assert result.values[:, :, C] == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_oral_one_compartment(model):
    doses = Actions()
    doses.bolus(np.arange(PEOPLE), 0.0, model.place("depot"), 100.0)
    result = model.run(model.slots(PEOPLE, k12=0.0, k10=K10, ka=KA), doses, TIMES)
    expected = [bateman(100, ka, k, TIMES) for ka, k in zip(KA, K10, strict=True)]
    assert result.values[:, :, C] == pytest.approx(np.array(expected), rel=1e-6, abs=1e-6)


def infusion(dose, over, k, t):
    rate, inside = dose / over, np.minimum(np.maximum(t, 0.0), over)
    return rate / k * (1 - np.exp(-k * inside)) * np.exp(-k * np.maximum(t - over, 0.0))


def test_infusion_one_compartment(model):
    """Everybody has another start and duration, so that one group holds events at many times."""
    start, over = np.linspace(0.0, 9.7, PEOPLE), np.linspace(0.11, 7.3, PEOPLE)
    doses = Actions()
    doses.infusion(np.arange(PEOPLE), start, model.place("rate:toy.central"), 100.0, over)
    result = model.run(model.slots(PEOPLE, k12=0.0, k10=K10), doses, TIMES)
    expected = [infusion(100, d, k, TIMES - s) for d, k, s in zip(over, K10, start, strict=True)]
    assert result.values[:, :, C] == pytest.approx(np.array(expected), rel=1e-6, abs=1e-6)


def test_repeated_overlapping_infusions_superpose(model):
    doses = Actions()
    plan = [(0.0, 50.0, 4.0), (2.0, 30.0, 6.0), (2.0, 10.0, 0.5), (24.0, 80.0, 40 / 60)]
    for start, dose, over in plan:
        doses.infusion(np.arange(PEOPLE), start, model.place("rate:toy.central"), dose, over)
    result = model.run(model.slots(PEOPLE, k12=0.0, k10=K10), doses, TIMES)
    expected = [sum(infusion(dose, over, k, TIMES - s) for s, dose, over in plan) for k in K10]
    assert result.values[:, :, C] == pytest.approx(np.array(expected), rel=1e-6, abs=1e-6)


def test_bolus_two_compartments(model):
    k10, k12, k21 = 0.3, 0.5, 0.2
    doses = Actions()
    doses.bolus([0], 0.0, model.place("central"), 100.0)
    result = model.run(model.slots(1), doses, TIMES)
    total, product = k10 + k12 + k21, k10 * k21
    fast, slow = (total + s * np.sqrt(total**2 - 4 * product) for s in (1, -1))
    fast, slow = fast / 2, slow / 2
    a, b = (fast - k21) / (fast - slow), (k21 - slow) / (fast - slow)
    expected = 100 * (a * np.exp(-fast * TIMES) + b * np.exp(-slow * TIMES))
    assert result.values[0, 1:, C] == pytest.approx(expected[1:], rel=1e-6, abs=1e-6)
    there = 100 * k12 / (fast - slow) * (np.exp(-slow * TIMES) - np.exp(-fast * TIMES))
    assert result.values[0, :, P] == pytest.approx(there, rel=1e-6, abs=1e-6)


def test_oral_doses_every_12_hours_reach_the_closed_steady_state(model):
    """The accumulated curve of n doses against its own geometric series."""
    doses = Actions()
    for n in range(4):
        doses.bolus(np.arange(PEOPLE), 12.0 * n, model.place("depot"), 20.0)
    result = model.run(model.slots(PEOPLE, k12=0.0, k10=K10, ka=KA), doses, TIMES)
    expected = [
        sum(bateman(20, ka, k, np.maximum(TIMES - 12 * n, 0)) for n in range(4)) for ka, k in zip(KA, K10, strict=True)
    ]
    assert result.values[:, :, C] == pytest.approx(np.array(expected), rel=1e-6, abs=1e-6)


def test_an_infusion_delivers_its_amount(model):
    """Without elimination what is in the body is what was given, during and after overlapping infusions."""
    doses = Actions()
    doses.infusion([0], 1.0, model.place("rate:toy.central"), 50.0, 3.0)
    doses.infusion([0], 2.5, model.place("rate:toy.central"), 20.0, 0.5)
    times = np.array([1.0, 2.0, 2.5, 2.75, 3.0, 4.0, 1000.0])
    result = model.run(model.slots(1, k10=0.0), doses, times)
    given = 50 * np.clip(times - 1, 0, 3) / 3 + 20 * np.clip(times - 2.5, 0, 0.5) / 0.5
    assert result.values[0, :, [C, P, D]].sum(axis=0) == pytest.approx(given, rel=1e-9, abs=1e-9)


def test_a_lower_tolerance_is_nearer(model):
    doses = Actions()
    doses.bolus(np.arange(PEOPLE), 0.0, model.place("depot"), 100.0)
    expected = np.array([bateman(100, ka, k, TIMES) for ka, k in zip(KA, K10, strict=True)])
    slots = model.slots(PEOPLE, k12=0.0, k10=K10, ka=KA)
    errors = [
        abs(model.run(slots, doses, TIMES, rtol=r).values[:, :, C] - expected).max() for r in (1e-3, 1e-5, 1e-7, 1e-9)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] < 1.0
    assert errors[-1] < 1e-6
