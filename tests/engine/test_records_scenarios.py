"""Every kind of dose that NONMEM knows against closed forms, on one and two compartments.

`PYTHONPATH=tests python tests/engine/test_records_scenarios.py` prints the table of scenarios.
"""

import numpy as np
import pytest

from afterglow.engine.records import read_events
from afterglow.library.textbook import OneCompartment, TwoCompartments
from event_tables import CENTRAL, dose, expected, exponentials, ready, simulate, table

TOLERANCE = 1e-6


@pytest.fixture(scope="module")
def models():
    return {system: ready(system) for system in (OneCompartment, TwoCompartments)}


# ---- scenarios: rows, options, plan, and when all before is forgotten -----------------------------------------------


def each(n, interval, place, amount, duration=0.0, start=0.0):
    return [(start + j * interval, place, amount, duration) for j in range(n)]


SS = 1
SCENARIOS = {
    "bolus": ([dose(100, CENTRAL)], {}, [(0, "central", 100, 0)]),
    "oral": ([dose(100)], {}, [(0, "depot", 100, 0)]),
    "bolus, ADDL": ([dose(100, ii=12, addl=3)], {}, each(4, 12, "depot", 100)),
    "bolus, ADDL, lag, F": (
        [dose(100, ii=12, addl=3)],
        {"lag": {"depot": 5.0}, "f": {"depot": 0.4}},
        each(4, 12, "depot", 40, start=5),
    ),
    "infusion": ([dose(100, CENTRAL, rate=25)], {}, [(0, "central", 100, 4)]),
    "infusion into the depot": ([dose(100, rate=25)], {}, [(0, "depot", 100, 4)]),
    "infusion, RATE, F changes duration": (
        [dose(100, CENTRAL, rate=25)],
        {"f": {"central": 0.5}},
        [(0, "central", 50, 2)],
    ),
    "infusion, DUR, F changes rate": ([dose(100, CENTRAL, dur=4)], {"f": {"central": 0.5}}, [(0, "central", 50, 4)]),
    "RATE = -1": ([dose(100, CENTRAL, rate=-1)], {"rate": {"central": 20.0}}, [(0, "central", 100, 5)]),
    "RATE = -1, F": (
        [dose(100, CENTRAL, rate=-1)],
        {"rate": {"central": 20.0}, "f": {"central": 0.5}},
        [(0, "central", 50, 2.5)],
    ),
    "RATE = -2, F": (
        [dose(100, CENTRAL, rate=-2)],
        {"duration": {"central": 9.0}, "f": {"central": 0.61}},
        [(0, "central", 61, 9)],
    ),
    "RATE = -2, lag": (
        [dose(100, CENTRAL, rate=-2)],
        {"duration": {"central": 9.0}, "lag": {"central": 3.0}},
        [(3, "central", 100, 9)],
    ),
    "infusion, ADDL, lag": (
        [dose(100, CENTRAL, rate=50, ii=12, addl=3)],
        {"lag": {"central": 4.15}},
        each(4, 12, "central", 100, 2, 4.15),
    ),
    "infusions that overlap, ADDL": (
        [dose(100, CENTRAL, dur=10, ii=6, addl=2)],
        {},
        each(3, 6, "central", 100, 10),
    ),
    "SS bolus": ([dose(100, CENTRAL, ss=SS, ii=12)], {}, [(0, "central", 100, 0, 0, 12)]),
    "SS oral, ADDL": (
        [dose(100, ss=SS, ii=12, addl=2)],
        {},
        [(0, "depot", 100, 0, 0, 12), *each(2, 12, "depot", 100, start=12)],
    ),
    "SS bolus, lag, F": (
        [dose(100, ss=SS, ii=12)],
        {"lag": {"depot": 5.0}, "f": {"depot": 0.4}},
        [(0, "depot", 40, 0, 5, 12)],
    ),
    "SS infusion": ([dose(100, CENTRAL, rate=50, ss=SS, ii=12)], {}, [(0, "central", 100, 2, 0, 12)]),
    "SS infusion, lag, F": (
        [dose(100, CENTRAL, rate=25, ss=SS, ii=12, addl=2)],
        {"lag": {"central": 5.16}, "f": {"central": 0.8}},
        [(0, "central", 80, 3.2, 5.16, 12), *each(2, 12, "central", 80, 3.2, 17.16)],
    ),
    "SS infusion, lag reaches into the last": (
        [dose(100, CENTRAL, rate=25, ss=SS, ii=12)],
        {"lag": {"central": 10.0}},
        [(0, "central", 100, 4, 10, 12)],
    ),
    "SS, II < DUR": ([dose(100, CENTRAL, rate=5, ss=SS, ii=6)], {}, [(0, "central", 100, 20, 0, 6)]),
    "SS, II < DUR, F": (
        [dose(100, CENTRAL, rate=5, ss=SS, ii=6, addl=3)],
        {"f": {"central": 0.83}},
        [(0, "central", 83, 16.6, 0, 6), *each(3, 6, "central", 83, 16.6, 6)],
    ),
    "SS, II < DUR, lag": (
        [dose(100, CENTRAL, rate=5, ss=SS, ii=6)],
        {"lag": {"central": 2.5}},
        [(0, "central", 100, 20, 2.5, 6)],
    ),
    "SS, II = DUR": ([dose(100, CENTRAL, rate=10, ss=SS, ii=10)], {}, [(0, "central", 100, 10, 0, 10)]),
    "SS, II = DUR, F": (
        [dose(100, CENTRAL, dur=10, ss=SS, ii=10)],
        {"f": {"central": 0.4}},
        [(0, "central", 40, 10, 0, 10)],
    ),
    "SS, II = n DUR": ([dose(100, CENTRAL, dur=12, ss=SS, ii=4)], {}, [(0, "central", 100, 12, 0, 4)]),
    "SS, RATE = -2, F, lag": (
        [dose(100, CENTRAL, rate=-2, ss=SS, ii=12)],
        {"duration": {"central": 3.0}, "f": {"central": 0.6}, "lag": {"central": 1.0}},
        [(0, "central", 60, 3, 1, 12)],
    ),
    "SS = 1, then SS = 2": (
        [dose(100, CENTRAL, ss=1, ii=24), dose(50, CENTRAL, 12.0, ss=2, ii=24)],
        {},
        [(0, "central", 100, 0, 0, 24), (12, "central", 50, 0, 0, 24)],
    ),
    "SS = 2 infusion on a running infusion": (
        [dose(100, CENTRAL, dur=20), dose(50, CENTRAL, 6.0, ss=2, ii=12, dur=3)],
        {},
        [(0, "central", 100, 20), (6, "central", 50, 3, 0, 12)],
    ),
    "bolus, then infusion": (
        [dose(100, CENTRAL), dose(50, CENTRAL, 12.0, rate=5)],
        {},
        [(0, "central", 100, 0), (12, "central", 50, 10)],
    ),
    "into both compartments, each with its own F and lag": (
        [dose(100), dose(100, "central", rate=-2)],
        {"f": {"depot": 0.4, "central": 0.6}, "lag": {"depot": 1.0}, "duration": {"central": 3.0}},
        [(1, "depot", 40, 0), (0, "central", 60, 3)],
    ),
}
FORGET = {  # as above, with the time of a reset
    "EVID = 3": (
        [dose(100, CENTRAL), {"TIME": 10, "EVID": 3}, dose(30, CENTRAL, 14.0)],
        {},
        [(14, "central", 30, 0)],
        10,
    ),
    "EVID = 3 stops an infusion": (
        [dose(100, CENTRAL, dur=20), {"TIME": 10, "EVID": 3}, dose(30, CENTRAL, 14.0, dur=3)],
        {},
        [(14, "central", 30, 3)],
        10,
    ),
    "EVID = 3 between additional doses": (
        [dose(100, CENTRAL, ii=12, addl=3, rate=50), {"TIME": 20, "EVID": 3}, dose(120, CENTRAL, 54.0, ii=16, addl=2)],
        {},
        [*each(2, 12, "central", 100, 2, 24), *each(3, 16, "central", 120, start=54)],
        20,
    ),
    "EVID = 3 that cancels additional doses": (
        [dose(100, CENTRAL, ii=12, addl=3), {"TIME": 20, "EVID": 3}, dose(120, CENTRAL, 54.0)],
        {"reset_cancels": True},
        [(54, "central", 120, 0)],
        20,
    ),
    "EVID = 4, ADDL": (
        [dose(100, CENTRAL, ii=12, addl=2, rate=50), dose(120, CENTRAL, 50.0, evid=4, ii=12, addl=3)],
        {"f": {"central": 0.5}},
        each(4, 12, "central", 60, start=50),
        50,
    ),
    "EVID = 4, lag": (
        [dose(100, CENTRAL), dose(50, CENTRAL, 10.0, evid=4)],
        {"lag": {"central": 3.0}},
        [(13, "central", 50, 0)],
        10,
    ),
    "EVID = 4, SS = 1": (
        [dose(100, CENTRAL), dose(50, CENTRAL, 10.0, evid=4, ss=1, ii=12, rate=10)],
        {},
        [(10, "central", 50, 5, 0, 12)],
        10,
    ),
    "SS = 1 forgets and stops what runs": (
        [dose(100, CENTRAL, dur=30), dose(50, CENTRAL, 10.0, ss=1, ii=12)],
        {},
        [(10, "central", 50, 0, 0, 12)],
        10,
    ),
}
TIMES = np.array(
    [0.5, 1.7, 2.9, 4.3, 5.3, 6.4, 8.8, 9.9, 10.5, 12.1, 13.6, 16.2, 20.7, 24.9, 31.0, 37.3, 48.5, 56, 71.9]
)


def difference(ready_model, system, rows, options, plan, reset=None):
    """Largest difference from the closed form, relative to it (where it is above 1e-4 of its peak)."""
    times = TIMES if reset is None else TIMES[reset < TIMES]
    seen = simulate(ready_model, table(rows, times), **options)[len(rows) :, 0]
    right = expected(system, plan, times)
    return float((np.abs(seen - right) / np.maximum(right, 1e-4 * right.max())).max())


@pytest.mark.parametrize("system", [OneCompartment, TwoCompartments])
@pytest.mark.parametrize("name", [*SCENARIOS, *FORGET])
def test_scenario(models, system, name):
    assert difference(models[system], system, *(SCENARIOS | FORGET)[name]) < TOLERANCE


@pytest.mark.parametrize("system", [OneCompartment, TwoCompartments])
def test_endless_infusion(models, system):
    """SS with AMT = 0: the level is rate / clearance and F does not count; then the infusion is off."""
    row = dose(0, CENTRAL, rate=22, ss=1)
    seen = simulate(models[system], table([row], TIMES), f={"central": 0.3})[1:, 0]
    c, k = exponentials(system)["central"]
    right = (22 * c / k * np.exp(-k * TIMES[:, None])).sum(axis=1)
    assert seen == pytest.approx(right, rel=TOLERANCE, abs=1e-9)
    assert (22 * c / k).sum() == pytest.approx(22 / system.params["CL"].value_)


def test_one_compartment_against_the_formula_as_printed_in_textbooks(models):
    """So that the sums of exponentials above are not their own witness."""
    k, ka, v = 1.1 / 20, 1.5, 20
    trough = 100 / v * np.exp(-k * 12) / (1 - np.exp(-k * 12))
    seen = simulate(models[OneCompartment], table([dose(100, CENTRAL, ss=1, ii=12)], [1e-9, 11.0]))[1:, 0]
    assert seen == pytest.approx([trough + 100 / v, (trough + 100 / v) * np.exp(-k * 11)], rel=1e-7)
    bateman = 100 / v * ka / (ka - k) * (np.exp(-k * 3) - np.exp(-ka * 3))
    assert simulate(models[OneCompartment], table([dose(100)], [3.0]))[1, 0] == pytest.approx(bateman, rel=1e-6)


def test_scipy_judges_what_has_no_closed_form(models):
    """Everything at once, covariates that change and all."""
    model, compartments = models[TwoCompartments]
    rows = [
        dose(100, ss=1, ii=8, CL=5.0), dose(40, CENTRAL, 3.0, dur=2, ii=5, addl=4, CL=6.0),
        dose(10, 2, 9.0, rate=3, CL=4.0),
        {"TIME": 17.0, "EVID": 2, "CL": 9.0}, dose(20, 1, 21.0, evid=4, CL=3.0),
        dose(30, 2, 26.0, ss=2, ii=6, dur=9, CL=8.0),
    ]  # fmt: skip
    events = read_events(table(rows, np.arange(0.5, 40, 1.5)))
    options = {"lag": {"depot": 0.7}, "f": {"depot": 0.6, "central": 0.9}}
    for carry in ("nocb", "locf"):
        slots = model.slots(1)
        schedule = events.schedule(compartments, slots, carry=carry, **options)
        result = model.run(schedule.parameters, schedule.actions, schedule.times)
        right = model.judged(schedule.parameters, schedule.actions.table(1), 0, schedule.times, rtol=1e-11)
        assert result.values[0] == pytest.approx(right, rel=1e-6, abs=1e-7)
    assert schedule.used == {"CL": "toy.CL"}


def scenario_table():
    """Largest relative difference from the closed form, by scenario, for both models."""
    both = {s: ready(s) for s in (OneCompartment, TwoCompartments)}
    for name, scenario in (SCENARIOS | FORGET).items():
        found = "  ".join(f"{difference(both[s], s, *scenario):9.1e}" for s in both)
        print(f"{name:55s} {found}")


if __name__ == "__main__":
    scenario_table()
