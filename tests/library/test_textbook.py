"""Textbook models: what goes in comes out, and each way of absorption against its formula."""

import numpy as np
import pandas as pd
import pytest

from afterglow.compile.numpy_code import numpy_function
from afterglow.engine.dosing import Compartments
from afterglow.engine.records import read_events
from afterglow.lang import System
from afterglow.library import textbook
from toys import toy

ALL = [m for m in vars(textbook).values() if isinstance(m, type) and issubclass(m, System) and m is not System]
TIMES = np.array([0.25, 0.5, 1.0, 2.0, 2.999, 4.0, 7.0, 12.0, 24.0])
K, V, KA = 1.1 / 20, 20.0, 1.5


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    """Machine code of test models stays out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AFTERGLOW_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def run(system, rows, times=TIMES, **options):
    model = toy(system)
    p = model.program
    rates = numpy_function(p.rhs, p.y, p.p)
    looks = [{"TIME": t, "EVID": 0} for t in times]
    events = read_events(pd.DataFrame([{"ID": 1} | r for r in [*rows, *looks]]))
    schedule = events.schedule(Compartments.of(p, rates=rates), model.slots(1), **options)
    result = model.run(schedule.parameters, schedule.actions, schedule.times)
    return schedule.read(result.values)[len(rows) :]


def dose(cmt, **more):
    return {"TIME": 0.0, "EVID": 1, "AMT": 100.0, "CMT": cmt} | more


def bateman(t, amount=100.0):
    return amount / V * KA / (KA - K) * (np.exp(-K * t) - np.exp(-KA * t))


def even(t, over, amount=100.0):
    """Zero-order input over `over` hours into one compartment."""
    return amount / over / (K * V) * (np.exp(-K * np.maximum(t - over, 0)) - np.exp(-K * t))


def test_all_are_here():
    assert len(ALL) == 6


@pytest.mark.parametrize("system", ALL)
def test_what_is_known_of_each_number(system):
    assert all(p.source == "assumed" and p.meaning for p in system.params.values())
    assert system.__doc__
    assert set(system.routes) >= {"oral"}


@pytest.mark.parametrize("system", ALL)
def test_the_area_under_the_curve_is_dose_over_clearance(system):
    """By steady state: the level under an endless infusion is its rate over clearance."""
    row = {"TIME": 0, "EVID": 1, "AMT": 0, "RATE": 7.0, "SS": 1, "CMT": "central"}
    level = run(system, [row], [0.0])[0, 0]
    assert level == pytest.approx(7.0 / system.params["CL"].value_, rel=1e-9)


def test_first_order():
    assert run(textbook.OneCompartment, [dose("depot")])[:, 0] == pytest.approx(bateman(TIMES), rel=1e-6)


def test_zero_order():
    seen = run(textbook.ZeroOrderAbsorption, [dose("central", RATE=-2)], duration={"central": 3.0})[:, 0]
    assert seen == pytest.approx(even(TIMES, 3.0), rel=1e-6)


def test_both_at_once():
    rows = [dose("depot"), dose("central", RATE=-2)]
    seen = run(textbook.ParallelAbsorption, rows, f={"depot": 0.4, "central": 0.6}, duration={"central": 3.0})[:, 0]
    assert seen == pytest.approx(bateman(TIMES, 40.0) + even(TIMES, 3.0, 60.0), rel=1e-6)


def test_metabolite():
    """Bolus: both curves are known; a fraction FM of the drug passes through the metabolite."""
    seen = run(textbook.ParentMetabolite, [dose("central")])
    km = 4.0 / 12.0
    right = 0.6 * 100 * K / (km - K) / 12.0 * (np.exp(-K * TIMES) - np.exp(-km * TIMES))
    assert seen[:, 0] == pytest.approx(100 / V * np.exp(-K * TIMES), rel=1e-6)
    assert seen[:, 1] == pytest.approx(right, rel=1e-6)


def test_three_compartments_against_the_eigenvalues_of_their_matrix():
    p = {n: x.value_ for n, x in textbook.ThreeCompartments.params.items()}
    k10, k12, k13 = (p[n] / p["VC"] for n in ("CL", "Q2", "Q3"))
    k21, k31 = p["Q2"] / p["VP2"], p["Q3"] / p["VP3"]
    a = np.array([[-k10 - k12 - k13, k21, k31], [k12, -k21, 0], [k13, 0, -k31]])
    values, vectors = np.linalg.eig(a)
    weight = vectors[0] * np.linalg.solve(vectors, [100.0, 0, 0])
    right = (weight * np.exp(values * TIMES[:, None])).sum(axis=1) / p["VC"]
    assert run(textbook.ThreeCompartments, [dose("central")])[:, 0] == pytest.approx(right, rel=1e-6)
