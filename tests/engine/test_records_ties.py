"""Things that happen at one exact time: what comes first, and that nothing is lost or given twice."""

import numpy as np
import pytest

from afterglow.event_run import EventModel
from afterglow.library.textbook import OneCompartment
from event_tables import dose, look, table

RESET = {"EVID": 3}


@pytest.fixture(scope="module")
def still():
    """One compartment, nothing leaves: the amount in the body is what was given."""
    model = EventModel(OneCompartment)

    def run(rows, **options):
        frame = table([r if "TIME" in r else {"TIME": 10.0} | r for r in rows])
        return 20 * model.run(frame, {"CL": 0.0}, **options).frame["CP"].to_numpy()

    return run


def infusion(start, over=4.0, amount=100.0, **more):
    return dose(amount, 2, start, dur=over, **more)


CASES = {
    "an infusion that ends is whole at its end": ([infusion(6.0), look(10.0), look(11.0)], {}, {1: 100, 2: 100}),
    "... and half at half time": ([infusion(6.0), look(8.0)], {}, {1: 50}),
    "a dose as an infusion ends, look before": ([infusion(6.0), look(10.0), dose(7, 2, 10.0)], {}, {1: 100}),
    "a dose as an infusion ends, look after": ([infusion(6.0), dose(7, 2, 10.0), look(10.0)], {}, {2: 107}),
    "an infusion starts as another ends": (
        [infusion(6.0), infusion(10.0), look(10.0), look(12.0)],
        {},
        {2: 100, 3: 150},
    ),
    "a reset as an infusion ends": ([infusion(6.0), RESET, look(10.0), look(12.0)], {}, {2: 0, 3: 0}),
    "a reset as an infusion starts, row before": ([infusion(10.0), RESET, look(12.0)], {}, {2: 0}),
    "a reset as an infusion starts, row after": ([RESET, infusion(10.0), look(12.0)], {}, {2: 50}),
    "a reset between two doses of its time": ([dose(5, 2, 10.0), RESET, dose(7, 2, 10.0), look(10.0)], {}, {3: 7}),
    "reset and dose as an infusion ends": (
        [infusion(6.0), dose(7, 2, 10.0, evid=4), look(10.0), look(13.0)],
        {},
        {2: 7, 3: 7},
    ),
    "an additional dose as an infusion ends": (
        [infusion(6.0), dose(7, 2, 4.0, ii=6, addl=1), look(10.0), look(11.0)],
        {},
        {2: 107, 3: 114},
    ),
    "... flipped": ([infusion(6.0), dose(7, 2, 4.0, ii=6, addl=1), look(10.0)], {"doses_first": True}, {2: 114}),
    "an additional dose at a reset is cancelled": (
        [dose(7, 2, 4.0, ii=6, addl=2), RESET, look(11.0), look(17.0)],
        {},
        {2: 0, 3: 0},
    ),
    "... or kept": (
        [dose(7, 2, 4.0, ii=6, addl=2), RESET, look(11.0), look(17.0)],
        {"reset_cancels": False},
        {2: 7, 3: 14},
    ),
    "... flipped, it comes first and is wiped out": (
        [dose(7, 2, 4.0, ii=6, addl=2), RESET, look(11.0), look(17.0)],
        {"reset_cancels": False, "doses_first": True},
        {2: 0, 3: 7},
    ),
    "a lagged dose at a reset is cancelled": ([dose(7, 2, 8.0), RESET, look(11.0)], {"lag": {"central": 2.0}}, {2: 0}),
    "a lagged dose at the look": ([dose(7, 2, 8.0), look(10.0), look(11.0)], {"lag": {"central": 2.0}}, {1: 0, 2: 7}),
    "a lagged dose as its infusion's copy ends": (
        [infusion(2.0, 4.0, ii=4, addl=1), look(8.0), look(10.0), look(12.0), look(13.0)],
        {"lag": {"central": 2.0}},
        {1: 100, 2: 150, 3: 200, 4: 200},
    ),
    "a lagged copy runs on from the reset's own dose": (
        [
            dose(7, 2, 2.0, ii=8, addl=1),
            dose(5, 2, 10.0, evid=4, ii=3, addl=1),
            look(10.0),
            look(12.0),
            look(15.0),
            look(16.0),
        ],
        {"lag": {"central": 2.0}},
        {2: 0, 3: 0, 4: 5, 5: 10},
    ),
    "three infusions end at once": (
        [infusion(6.0), infusion(8.0, 2.0), infusion(9.0, 1.0), look(10.0), look(14.0)],
        {},
        {3: 300, 4: 300},
    ),
    "an infusion of 1 s is whole": (
        [infusion(10.0, 1 / 3600), look(10.0), look(10.0 + 1 / 3600), look(11.0)],
        {},
        {1: 0, 2: 100, 3: 100},
    ),
    "an amount replaced between two doses": (
        [dose(5, 2, 10.0), {"EVID": 8, "AMT": 50.0, "CMT": 2}, dose(7, 2, 10.0), look(10.0)],
        {},
        {3: 57},
    ),
    "EVID 5 is EVID 8, and zero is an amount": (
        [dose(5, 2, 9.0), {"EVID": 5, "AMT": 0.0, "CMT": 2}, look(12.0)],
        {},
        {2: 0},
    ),
    "all at one time: rows keep their order": (
        [
            dose(5, 2, 10.0),
            look(10.0),
            infusion(10.0, 2.0, 40.0),
            look(10.0),
            RESET,
            look(10.0),
            dose(9, 2, 10.0),
            look(10.0),
            look(13.0),
        ],
        {},
        {1: 5, 3: 5, 5: 0, 7: 9, 8: 9},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_at_one_time(still, case):
    rows, options, levels = CASES[case]
    seen = still(rows, **options)
    assert {k: seen[k] for k in levels} == pytest.approx(levels, rel=1e-9, abs=1e-6)


def test_an_infusion_of_a_second_rises_at_once(still):
    """The look at its very start comes after its row, and sees nothing of it yet."""
    assert still([infusion(10.0, 1 / 3600), look(10.0)])[1] == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("lag", [0.0, 2.0])
@pytest.mark.parametrize("kind", [{"dur": 4.0}, {"rate": -1}, {"rate": -2}, {"rate": 25.0}])
def test_steady_state_and_an_infusion_end_at_one_time(lag, kind):
    """SS row at the time at which an infusion ends and another dose comes: SS 1 wipes out all, SS 2 adds."""
    model = EventModel(OneCompartment)
    options = {"lag": {"central": lag}, "rate": {"central": 25.0}, "duration": {"central": 4.0}}

    def run(*rows):
        frame = table([*rows, *(look(t) for t in (12.5, 15.0, 19.0, 30.0))])
        return model.run(frame, **options).frame["CP"].to_numpy()[-4:]

    steady = dose(100, 2, 10.0, ss=1, ii=12) | {k.upper(): v for k, v in kind.items()}
    before = [infusion(6.0 - lag), dose(7, 2, 10.0 - lag)]
    alone = run(steady)
    assert run(*before, steady) == pytest.approx(alone, rel=1e-7)
    added = run(*before, steady | {"SS": 2})
    assert added == pytest.approx(alone + run(*before), rel=1e-6)
    assert not np.allclose(added, alone, rtol=1e-3)
