"""Every kind of dosing event, each with an independent judge: closed forms where there are any, SciPy elsewhere.

Shared by the tests and by `bench/dosing.py`, which prints the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import inf

import numpy as np
from scipy.integrate import solve_ivp

from afterglow.event_run import EventModel
from afterglow.lang import Input, Output, Param, Route, State, System, exp
from afterglow.library.textbook import OneCompartment, ParallelAbsorption, TwoCompartments, ZeroOrderAbsorption
from event_tables import CENTRAL, dose, expected, exponentials, table

TOLERANCE = 1e-6  # the largest relative difference that is allowed
BOTH = (OneCompartment, TwoCompartments)
TIMES = (0.5, 1.7, 2.9, 4.3, 5.3, 6.4, 8.8, 9.9, 10.5, 12.1, 13.6, 16.2, 20.7, 24.9, 31.0, 37.3, 48.5, 56, 71.9)
Right = Callable[[type[System], np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Scenario:
    """Rows of an event table and options of the run, looks at `times`, and the right first output at those times."""

    rows: Sequence[Mapping[str, object]]
    right: Right
    options: Mapping[str, object] = field(default_factory=dict)
    times: Sequence[float] = TIMES
    systems: Sequence[type[System]] = BOTH
    judge: str = "closed form"


@cache
def compiled(system: type[System]) -> EventModel:
    return EventModel(system, threads=1)


def difference(scenario: Scenario, system: type[System]) -> float:
    """Largest relative difference (relative to at least 1e-4 of the peak)."""
    frame = table(scenario.rows, scenario.times)
    seen = compiled(system).run(frame, **scenario.options)
    assert not seen.problems
    found = seen.frame.iloc[len(scenario.rows) :, len(seen.frame.columns) - len(compiled(system).outputs)]
    right = scenario.right(system, np.asarray(scenario.times, float))
    return float((np.abs(found.to_numpy() - right) / np.maximum(np.abs(right), 1e-4 * np.abs(right).max())).max())


# ---- closed forms ---------------------------------------------------------------------------------------------------


def plan(*doses: tuple) -> Right:
    """Superposition of doses: (start, compartment, amount, duration[, lag, interval of a steady state])."""
    return lambda system, times: expected(system, doses, times)


def each(n: int, interval: float, place: str, amount: float, duration: float = 0.0, start: float = 0.0) -> list[tuple]:
    return [(start + j * interval, place, amount, duration) for j in range(n)]


def endless(rate: float) -> Right:
    """The level is rate / clearance; then the infusion is off."""

    def right(system: type[System], times: np.ndarray) -> np.ndarray:
        c, k = exponentials(system)["central"]
        return (rate * c / k * np.exp(-k * times[:, None])).sum(axis=1)

    return right


def later(reset: float) -> Sequence[float]:
    return tuple(t for t in TIMES if t > reset)


C, D = "central", "depot"
LINEAR = {
    "bolus": Scenario([dose(100, CENTRAL)], plan((0, C, 100, 0))),
    "bolus, compartment by name": Scenario([dose(100, C)], plan((0, C, 100, 0))),
    "oral": Scenario([dose(100)], plan((0, D, 100, 0))),
    "bolus, ADDL": Scenario([dose(100, ii=12, addl=3)], plan(*each(4, 12, D, 100))),
    "bolus, ADDL, lag, F": Scenario(
        [dose(100, ii=12, addl=3)], plan(*each(4, 12, D, 40, start=5)), {"lag": {D: 5.0}, "f": {D: 0.4}}
    ),
    "infusion": Scenario([dose(100, CENTRAL, rate=25)], plan((0, C, 100, 4))),
    "infusion into the depot": Scenario([dose(100, rate=25)], plan((0, D, 100, 4))),
    "infusion, RATE, F changes duration": Scenario([dose(100, CENTRAL, rate=25)], plan((0, C, 50, 2)), {"f": {C: 0.5}}),
    "infusion, DUR, F changes rate": Scenario([dose(100, CENTRAL, dur=4)], plan((0, C, 50, 4)), {"f": {C: 0.5}}),
    "RATE = -1": Scenario([dose(100, CENTRAL, rate=-1)], plan((0, C, 100, 5)), {"rate": {C: 20.0}}),
    "RATE = -1, F": Scenario([dose(100, CENTRAL, rate=-1)], plan((0, C, 50, 2.5)), {"rate": {C: 20.0}, "f": {C: 0.5}}),
    "RATE = -1, lag": Scenario(
        [dose(100, CENTRAL, rate=-1)], plan((3, C, 100, 5)), {"rate": {C: 20.0}, "lag": {C: 3.0}}
    ),
    "RATE = -2, F": Scenario(
        [dose(100, CENTRAL, rate=-2)], plan((0, C, 61, 9)), {"duration": {C: 9.0}, "f": {C: 0.61}}
    ),
    "RATE = -2, lag": Scenario(
        [dose(100, CENTRAL, rate=-2)], plan((3, C, 100, 9)), {"duration": {C: 9.0}, "lag": {C: 3.0}}
    ),
    "infusion, ADDL, lag": Scenario(
        [dose(100, CENTRAL, rate=50, ii=12, addl=3)], plan(*each(4, 12, C, 100, 2, 4.15)), {"lag": {C: 4.15}}
    ),
    "infusions that overlap, ADDL": Scenario([dose(100, CENTRAL, dur=10, ii=6, addl=2)], plan(*each(3, 6, C, 100, 10))),
    "bolus, then infusion": Scenario(
        [dose(100, CENTRAL), dose(50, CENTRAL, 12.0, rate=5)], plan((0, C, 100, 0), (12, C, 50, 10))
    ),
    "an infusion ends as a dose comes": Scenario(
        [dose(100, CENTRAL, rate=25), dose(50, CENTRAL, 4.0), dose(60, CENTRAL, 4.0, dur=2)],
        plan((0, C, 100, 4), (4, C, 50, 0), (4, C, 60, 2)),
        times=(2.0, 4.0, 6.0, *TIMES[5:]),
    ),
    "into both compartments, each with its own F and lag": Scenario(
        [dose(100), dose(100, C, rate=-2)],
        plan((1, D, 40, 0), (0, C, 60, 3)),
        {"f": {D: 0.4, C: 0.6}, "lag": {D: 1.0}, "duration": {C: 3.0}},
    ),
    "SS bolus": Scenario([dose(100, CENTRAL, ss=1, ii=12)], plan((0, C, 100, 0, 0, 12))),
    "SS oral, ADDL": Scenario(
        [dose(100, ss=1, ii=12, addl=2)], plan((0, D, 100, 0, 0, 12), *each(2, 12, D, 100, start=12))
    ),
    "SS bolus, lag, F": Scenario(
        [dose(100, ss=1, ii=12)], plan((0, D, 40, 0, 5, 12)), {"lag": {D: 5.0}, "f": {D: 0.4}}
    ),
    "SS infusion": Scenario([dose(100, CENTRAL, rate=50, ss=1, ii=12)], plan((0, C, 100, 2, 0, 12))),
    "SS infusion, lag, F": Scenario(
        [dose(100, CENTRAL, rate=25, ss=1, ii=12, addl=2)],
        plan((0, C, 80, 3.2, 5.16, 12), *each(2, 12, C, 80, 3.2, 17.16)),
        {"lag": {C: 5.16}, "f": {C: 0.8}},
    ),
    "SS infusion, lag reaches into the last": Scenario(
        [dose(100, CENTRAL, rate=25, ss=1, ii=12)], plan((0, C, 100, 4, 10, 12)), {"lag": {C: 10.0}}
    ),
    "SS, II < DUR": Scenario([dose(100, CENTRAL, rate=5, ss=1, ii=6)], plan((0, C, 100, 20, 0, 6))),
    "SS, II < DUR, F, ADDL": Scenario(
        [dose(100, CENTRAL, rate=5, ss=1, ii=6, addl=3)],
        plan((0, C, 83, 16.6, 0, 6), *each(3, 6, C, 83, 16.6, 6)),
        {"f": {C: 0.83}},
    ),
    "SS, II < DUR, lag": Scenario(
        [dose(100, CENTRAL, rate=5, ss=1, ii=6)], plan((0, C, 100, 20, 2.5, 6)), {"lag": {C: 2.5}}
    ),
    "SS, II = DUR": Scenario([dose(100, CENTRAL, rate=10, ss=1, ii=10)], plan((0, C, 100, 10, 0, 10))),
    "SS, II = DUR, F": Scenario(
        [dose(100, CENTRAL, dur=10, ss=1, ii=10)], plan((0, C, 40, 10, 0, 10)), {"f": {C: 0.4}}
    ),
    "SS, DUR = 3 II": Scenario([dose(100, CENTRAL, dur=12, ss=1, ii=4)], plan((0, C, 100, 12, 0, 4))),
    "SS, RATE = -1, F, lag": Scenario(
        [dose(100, CENTRAL, rate=-1, ss=1, ii=12)],
        plan((0, C, 60, 3, 1, 12)),
        {"rate": {C: 20.0}, "f": {C: 0.6}, "lag": {C: 1.0}},
    ),
    "SS, RATE = -2, F, lag": Scenario(
        [dose(100, CENTRAL, rate=-2, ss=1, ii=12)],
        plan((0, C, 60, 3, 1, 12)),
        {"duration": {C: 3.0}, "f": {C: 0.6}, "lag": {C: 1.0}},
    ),
    "SS, endless infusion, F ignored": Scenario([dose(0, CENTRAL, rate=22, ss=1)], endless(22.0), {"f": {C: 0.3}}),
    "SS, endless infusion, RATE = -1": Scenario([dose(0, CENTRAL, rate=-1, ss=1)], endless(9.0), {"rate": {C: 9.0}}),
    "SS = 1, then SS = 2": Scenario(
        [dose(100, CENTRAL, ss=1, ii=24), dose(50, CENTRAL, 12.0, ss=2, ii=24)],
        plan((0, C, 100, 0, 0, 24), (12, C, 50, 0, 0, 24)),
    ),
    "SS = 2 infusion on a running infusion": Scenario(
        [dose(100, CENTRAL, dur=20), dose(50, CENTRAL, 6.0, ss=2, ii=12, dur=3)],
        plan((0, C, 100, 20), (6, C, 50, 3, 0, 12)),
    ),
    "SS = 2 spares additional doses to come": Scenario(
        [dose(100, CENTRAL, ii=10, addl=2), dose(50, CENTRAL, 6.0, ss=2, ii=12)],
        plan(*each(3, 10, C, 100), (6, C, 50, 0, 0, 12)),
    ),
    "SS = 1 stops what runs and cancels what is to come": Scenario(
        [dose(100, CENTRAL, dur=30), dose(70, ii=8, addl=4), dose(50, CENTRAL, 10.0, ss=1, ii=12)],
        plan((10, C, 50, 0, 0, 12)),
        times=later(10),
    ),
    "EVID = 3": Scenario(
        [dose(100, CENTRAL), {"TIME": 10, "EVID": 3}, dose(30, CENTRAL, 14.0)], plan((14, C, 30, 0)), times=later(14)
    ),
    "EVID = 3 stops an infusion": Scenario(
        [dose(100, CENTRAL, dur=20), {"TIME": 10, "EVID": 3}, dose(30, CENTRAL, 14.0, dur=3)],
        plan((14, C, 30, 3)),
        times=later(14),
    ),
    "EVID = 3 as an infusion ends": Scenario(
        [dose(100, CENTRAL, dur=10), {"TIME": 10, "EVID": 3}, dose(30, CENTRAL, 10.0, dur=3)],
        plan((10, C, 30, 3)),
        times=later(10),
    ),
    "EVID = 3 cancels additional doses": Scenario(
        [dose(100, CENTRAL, ii=12, addl=3), {"TIME": 20, "EVID": 3}, dose(120, CENTRAL, 54.0)],
        plan((54, C, 120, 0)),
        times=later(54),
    ),
    "EVID = 3, additional doses kept by option": Scenario(
        [dose(100, CENTRAL, ii=12, addl=3, rate=50), {"TIME": 20, "EVID": 3}, dose(120, CENTRAL, 54.0, ii=16, addl=2)],
        plan(*each(2, 12, C, 100, 2, 24), *each(3, 16, C, 120, start=54)),
        {"reset_cancels": False},
        times=later(24),
    ),
    "EVID = 3 cancels a dose that is under way (lag)": Scenario(
        [dose(100, CENTRAL), {"TIME": 2, "EVID": 3}, dose(30, CENTRAL, 4.0)],
        plan((7, C, 30, 0)),
        {"lag": {C: 3.0}},
        times=later(7),
    ),
    "EVID = 4, ADDL": Scenario(
        [dose(100, CENTRAL, ii=12, addl=2, rate=50), dose(120, CENTRAL, 50.0, evid=4, ii=12, addl=3)],
        plan(*each(4, 12, C, 60, start=50)),
        {"f": {C: 0.5}},
        times=later(50),
    ),
    "EVID = 4 cancels additional doses": Scenario(
        [dose(100, CENTRAL, ii=12, addl=5), dose(120, CENTRAL, 20.0, evid=4, ii=16, addl=1)],
        plan(*each(2, 16, C, 120, start=20)),
        times=later(20),
    ),
    "EVID = 4, lag": Scenario(
        [dose(100, CENTRAL), dose(50, CENTRAL, 10.0, evid=4)],
        plan((13, C, 50, 0)),
        {"lag": {C: 3.0}},
        times=later(13),
    ),
    "EVID = 4, SS = 1": Scenario(
        [dose(100, CENTRAL), dose(50, CENTRAL, 10.0, evid=4, ss=1, ii=12, rate=10)],
        plan((10, C, 50, 5, 0, 12)),
        times=later(10),
    ),
    "EVID = 4, SS = 1, lag, ADDL": Scenario(
        [dose(100, CENTRAL, ii=9, addl=3), dose(50, CENTRAL, 10.0, evid=4, ss=1, ii=12, rate=10, addl=2)],
        plan((10, C, 50, 5, 3, 12), *each(2, 12, C, 50, 5, 25)),
        {"lag": {C: 3.0}},
        times=later(10),
    ),
    "ties: a dose comes after the look at its time": Scenario(
        [dose(100, CENTRAL, ii=10, addl=1)], plan((0, C, 100, 0)), times=(5.0, 10.0)
    ),
    "ties, flipped: a dose comes before it": Scenario(
        [dose(100, CENTRAL, ii=10, addl=1)], plan(*each(2, 10, C, 100)), {"doses_first": True}, times=(5.0, 10.0)
    ),
}


# ---- what has no closed form: SciPy, with equations written down once more -------------------------------------------


def integrated(
    rhs: Callable, inputs: Sequence[tuple], times: np.ndarray, start: Sequence[float], changes: Sequence[tuple] = ()
) -> np.ndarray:
    """States [times, n] by SciPy.

    `rhs(y, p)` gives rates; inputs are (time, state, amount, duration); changes are (time, what) and happen before the
    inputs of their time, `what` is a new p or a function of y; a look at the time of either comes before it.
    """
    y, p, rate = np.array(start, float), None, np.zeros(len(start))
    steps: list[tuple[float, int, Callable]] = []

    def give(k: int, amount: float) -> Callable:
        return lambda y, rate: (y + amount * (np.arange(len(y)) == k), rate)

    def run(k: int, speed: float) -> Callable:
        return lambda y, rate: (y, rate + speed * (np.arange(len(y)) == k))

    for time, k, amount, duration in inputs:
        if duration == 0:
            steps.append((time, 1, give(k, amount)))
        else:
            steps += [(time, 1, run(k, amount / duration)), (time + duration, 1, run(k, -amount / duration))]
    steps += [(time, 0, what) for time, what in changes]
    steps.sort(key=lambda s: s[:2])
    out, now = np.empty((len(times), len(y))), min([float(times[0]), *(s[0] for s in steps)])
    for time, kind, what in [*steps, (inf, 2, None)]:
        until = min(time, float(times[-1]))
        if until > now:
            ask = times[(times > now) & (times <= until)]
            sol = solve_ivp(
                lambda _, z, p=p, rate=rate: rhs(z, p) + rate, (now, until), y, "LSODA", np.unique([*ask, until]),
                rtol=1e-12, atol=1e-11,
            )  # fmt: skip
            out[(times > now) & (times <= until)] = sol.y.T[: len(ask)]
            y, now = sol.y[:, -1], until
        out[times == now] = y
        if now < time:
            break
        if kind == 1:
            y, rate = what(y, rate)
        elif callable(what):
            y = np.array(what(y), float)
        else:
            p = what
    return out


def linear_rates(system: type[System]) -> Callable:
    """The equations of one and two compartments; p is the clearance, or None for the model's own."""
    v = {n: x.value_ for n, x in system.params.items()}

    def one(y: np.ndarray, cl: float | None) -> np.ndarray:
        return np.array([-v["KA"] * y[0], v["KA"] * y[0] - (cl or v["CL"]) / v["VC"] * y[1]])

    def two(y: np.ndarray, cl: float | None) -> np.ndarray:
        away = v["Q"] * (y[1] / v["VC"] - y[2] / v["VP"])
        return np.array([-v["KA"] * y[0], v["KA"] * y[0] - (cl or v["CL"]) / v["VC"] * y[1] - away, away])

    return one if system is OneCompartment else two


def by_scipy(inputs: Sequence[tuple], changes: Sequence[tuple] = ()) -> Right:
    """Concentration in one or two compartments."""

    def right(system: type[System], times: np.ndarray) -> np.ndarray:
        n = len(system.states)
        y = integrated(linear_rates(system), inputs, times, np.zeros(n), changes)
        return y[:, 1] / system.params["VC"].value_

    return right


class Saturable(System):
    """Elimination by Michaelis and Menten."""

    depot = State("mg", "drug at the site of administration", bounds=(0.0, inf), size=10.0)
    central = State("mg", "drug in the body", bounds=(0.0, inf), size=10.0)
    ka = Param(1.2, "1/h", "absorption", source="assumed")
    vmax = Param(10.0, "mg/h", "fastest elimination", source="assumed")
    km = Param(50.0, "mg", "half of it", source="assumed")
    depot.dot = -ka * depot
    central.dot = ka * depot - vmax * central / (km + central)
    amount = Output(central, "mg", "drug in the body")
    oral = Route("swallowed", {depot: 1.0})
    iv = Route("into a vein", {central: 1.0})


class Induction(System):
    """A drug that makes the enzyme that takes it away."""

    depot = State("mg", "drug at the site of administration", bounds=(0.0, inf), size=10.0)
    central = State("mg", "drug in the body", bounds=(0.0, inf), size=10.0)
    enzyme = State("1", "enzyme, untreated = 1", init=1.0, bounds=(0.0, inf))
    ka = Param(1.0, "1/h", "absorption", source="assumed")
    cl = Param(2.0, "L/h", "clearance, untreated", source="assumed")
    v = Param(20.0, "L", "volume", source="assumed")
    kout = Param(0.02, "1/h", "turnover of the enzyme", source="assumed")
    most = Param(3.0, "1", "largest induction", source="assumed")
    half = Param(2.0, "mg/L", "concentration of half the induction", source="assumed")
    level = central / v
    depot.dot = -ka * depot
    central.dot = ka * depot - cl * enzyme * level
    enzyme.dot = kout * (1 + most * level / (half + level) - enzyme)
    amount = Output(central, "mg", "drug in the body")
    oral = Route("swallowed", {depot: 1.0})
    iv = Route("into a vein", {central: 1.0})


class Declared(System):
    """A model that says itself how much of a dose arrives, how late and over how long, by covariates too."""

    WT = Input("kg", "body weight", default=70.0)
    central = State("mg", "drug in the body", bounds=(0.0, inf), size=10.0)
    k = Param(0.1, "1/h", "elimination", source="assumed")
    share = Param(0.6, "1", "available at 70 kg", source="assumed")
    delay = Param(0.5, "h", "lag at 70 kg", source="assumed")
    over = Param(2.0, "h", "duration at 70 kg", source="assumed")
    usual = Param(70.0, "kg", "usual weight", source="assumed")
    central.dot = -k * central
    amount = Output(central, "mg", "drug in the body")
    oral = Route(
        "swallowed", {central: share * exp(1 - WT / usual)}, over={central: over * WT / usual}, lag=delay * WT / usual
    )


def saturable(y: np.ndarray, _: object) -> np.ndarray:
    return np.array([-1.2 * y[0], 1.2 * y[0] - 10.0 * y[1] / (50.0 + y[1])])


def induction(y: np.ndarray, _: object) -> np.ndarray:
    c = y[1] / 20.0
    return np.array([-y[0], y[0] - 2.0 * y[2] * c, 0.02 * (1 + 3.0 * c / (2.0 + c) - y[2])])


def long_ago(
    rhs: Callable, start: Sequence[float], n: int, interval: float, state: int, amount: float, duration: float = 0.0,
    lag: float = 0.0, later: Sequence[tuple] = (),
) -> Right:  # fmt: skip
    """The amount in the body after n doses before 0 h and one at `lag`: the steady state by giving the doses."""

    def right(_: type[System], times: np.ndarray) -> np.ndarray:
        doses = [(lag - j * interval, state, amount, duration) for j in range(n, -1, -1)]
        return integrated(rhs, [*doses, *later], times, start)[:, 1]

    return right


def declared(*doses: tuple[float, float, float]) -> Right:
    """(time, amount, weight) of each dose of `Declared`, in closed form."""

    def right(_: type[System], times: np.ndarray) -> np.ndarray:
        out = np.zeros(len(times))
        for time, amount, weight in doses:
            w = weight / 70.0
            got, since, over = amount * 0.6 * np.exp(1 - w), times - time - 0.5 * w, 2.0 * w
            inside, after = np.clip(since, 0, over), np.maximum(since - over, 0)
            out += got / over / 0.1 * -np.expm1(-0.1 * inside) * np.exp(-0.1 * after)
        return out

    return right


def bateman(k: float, ka: float, amount: float) -> Right:
    return lambda _, t: amount * ka / (ka - k) * (np.exp(-k * t) - np.exp(-ka * t))


def even(over: float, amount: float, k: float = 1.1 / 20, v: float = 20.0) -> Right:
    """Zero-order absorption over `over` hours, one compartment."""
    return lambda _, t: amount / over / (k * v) * (np.exp(-k * np.maximum(t - over, 0)) - np.exp(-k * t))


COVARIATES = [dose(100, CENTRAL, CL=1.5), {"TIME": 7.0, "EVID": 2}, {"TIME": 15.0, "EVID": 2, "CL": 3.0},
              {"TIME": 30.0, "EVID": 2, "CL": 0.8}]  # fmt: skip
SOON, FEW = (0.5, 1.7, 4.0, 5.3, 8.8, 11.9), (0.7, 3.1, 7.9, 11.3, 17.7, 23.9)
NONLINEAR, CURVED = {"systems": (Saturable,), "judge": "SciPy"}, {"systems": (Induction,), "judge": "SciPy"}
OTHERS = {
    "covariates between rows, NOCB": Scenario(
        COVARIATES, by_scipy([(0, 1, 100, 0)], [(0, 3.0), (15, 0.8)]), {"carry": "nocb"}, judge="SciPy"
    ),
    "covariates between rows, LOCF": Scenario(
        COVARIATES, by_scipy([(0, 1, 100, 0)], [(0, 1.5), (15, 3.0), (30, 0.8)]), {"carry": "locf"}, judge="SciPy"
    ),
    "EVID = 8 replaces an amount": Scenario(
        [dose(100, CENTRAL, dur=8), {"TIME": 5.0, "EVID": 8, "AMT": 30.0, "CMT": CENTRAL}],
        by_scipy([(0, 1, 100, 8)], [(5, lambda y: [y[0], 30.0, *y[2:]])]),
        judge="SciPy",
        times=later(5),
    ),
    "all at once: overlap, lag, F, reset, covariates": Scenario(
        [dose(100, ii=8, addl=3, CL=1.5), dose(40, CENTRAL, 3.0, dur=2, ii=5, addl=4, CL=1.6),
         dose(10, CENTRAL, 9.0, rate=3, CL=1.4), dose(20, 1, 21.0, evid=4, CL=1.3, ii=6, addl=1),
         dose(30, CENTRAL, 26.0, dur=9, CL=1.8)],
        by_scipy(
            [*((0.7 + 8 * j, 0, 60, 0) for j in range(3)), *((3 + 5 * j, 1, 36, 2) for j in range(4)), (9, 1, 9, 3),
             (21.7, 0, 12, 0), (27.7, 0, 12, 0), (26, 1, 27, 9)],
            [(0, 1.5), (3, 1.6), (9, 1.4), (21, lambda y: 0.0 * y), (21, 1.3), (26, 1.8)],
        ),
        {"lag": {D: 0.7}, "f": {D: 0.6, C: 0.9}, "carry": "locf"},
        judge="SciPy",
    ),
    "F, lag and duration in the language, by covariate": Scenario(
        [dose(100, 1, rate=-2, WT=70.0), dose(80, 1, 12.0, rate=-2, WT=91.0)],
        declared((0, 100, 70.0), (12, 80, 91.0)),
        {"carry": "locf"},
        systems=(Declared,),
    ),
    "duration in the language (zero-order absorption)": Scenario(
        [dose(100, 1, rate=-2)], even(3.0, 100.0), systems=(ZeroOrderAbsorption,)
    ),
    "two ways at once: a row each": Scenario(
        [dose(100), dose(100, C, rate=-2)],
        lambda s, t: bateman(1.1 / 20, 1.5, 40.0)(s, t) / 20 + even(3.0, 60.0)(s, t),
        {"f": {D: 0.4}},
        systems=(ParallelAbsorption,),
    ),
    "saturable: doses, no steady state": Scenario(
        [dose(200, ii=12, addl=2), dose(100, CENTRAL, 5.0, dur=3)],
        long_ago(saturable, [0, 0], 0, 12, 0, 200, later=[(12, 0, 200, 0), (24, 0, 200, 0), (5, 1, 100, 3)]),
        **NONLINEAR,
    ),
    "saturable: SS bolus": Scenario(
        [dose(60, CENTRAL, ss=1, ii=12)], long_ago(saturable, [0, 0], 40, 12, 1, 60), times=SOON, **NONLINEAR
    ),
    "saturable: SS oral, lag, F": Scenario(
        [dose(100, ss=1, ii=12)],
        long_ago(saturable, [0, 0], 40, 12, 0, 60, lag=3.0),
        {"lag": {D: 3.0}, "f": {D: 0.6}},
        times=SOON,
        **NONLINEAR,
    ),
    "saturable: SS infusion, II < DUR, lag": Scenario(
        [dose(60, CENTRAL, dur=20, ss=1, ii=12)],
        long_ago(saturable, [0, 0], 40, 12, 1, 60, 20, lag=2.5),
        {"lag": {C: 2.5}},
        times=SOON,
        **NONLINEAR,
    ),
    "saturable: SS near the limit (90 % of vmax)": Scenario(
        [dose(108, CENTRAL, ss=1, ii=12)], long_ago(saturable, [0, 400], 900, 12, 1, 108), times=SOON, **NONLINEAR
    ),
    "saturable: SS, endless infusion": Scenario(
        [dose(0, CENTRAL, rate=5, ss=1)], lambda _, t: integrated(saturable, [], t, [0, 50.0], [(0, None)])[:, 1],
        times=SOON, **NONLINEAR,
    ),
    "induction: SS oral": Scenario(
        [dose(100, ss=1, ii=12)], long_ago(induction, [0, 0, 1], 100, 12, 0, 100), times=SOON, **CURVED
    ),
    "induction: SS infusion, ADDL": Scenario(
        [dose(100, CENTRAL, rate=50, ss=1, ii=12, addl=1)],
        long_ago(induction, [0, 0, 1], 100, 12, 1, 100, 2, later=[(12, 1, 100, 2)]),
        times=FEW,
        **CURVED,
    ),
    "induction: EVID = 4 with SS, after other doses": Scenario(
        [dose(500, CENTRAL, dur=9, ii=6, addl=9), dose(100, 1, 24.0, evid=4, ss=1, ii=12)],
        lambda s, t: long_ago(induction, [0, 0, 1], 100, 12, 0, 100)(s, t - 24.0),
        times=tuple(24 + t for t in SOON),
        **CURVED,
    ),
}  # fmt: skip
SCENARIOS = LINEAR | OTHERS
