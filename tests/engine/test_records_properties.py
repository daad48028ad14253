"""What must hold for any event table: order of rows, shift in time, dose linearity, other ways to write the same."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from afterglow.compile.numpy_code import numpy_function
from afterglow.engine.dosing import Compartments
from afterglow.engine.records import read_events
from afterglow.library.textbook import TwoCompartments
from toys import toy

END = 60.0
LOOKS = np.arange(0.37, END, 2.4137)  # never the time of a dose: those are multiples of 1/4 h
some = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def model():
    toy_ = toy(TwoCompartments)
    p = toy_.program
    rates, initial = (numpy_function(x, p.y, p.p) for x in (p.rhs, p.init))
    return toy_, Compartments.of(p, rates=rates, initial=initial)


def quarters(low, high):
    return st.integers(int(4 * low), int(4 * high)).map(lambda n: n / 4)


@st.composite
def doses(draw, resets=True):
    """One dose row of any kind."""
    kind = draw(st.sampled_from(("bolus", "rate", "dur")))
    row = {"TIME": draw(quarters(0, 50)), "EVID": 1, "AMT": draw(st.integers(1, 200)) * 1.0}
    row["EVID"] = draw(st.sampled_from((1, 1, 1, 4))) if resets else 1
    row["CMT"] = draw(st.sampled_from(("depot", "central")))
    row |= {"bolus": {}, "rate": {"RATE": row["AMT"] / draw(quarters(0.5, 9))}, "dur": {"DUR": draw(quarters(0.5, 9))}}[
        kind
    ]
    if draw(st.booleans()):
        row |= {"II": draw(quarters(1, 12)), "ADDL": draw(st.integers(1, 4))}
        row |= {"SS": draw(st.sampled_from((0, 0, 1, 2)))} if resets else {}
    return row


def tables(resets=True):
    """Dose rows at different times, and what F and lag they have."""
    return st.lists(doses(resets), min_size=1, max_size=5, unique_by=lambda row: row["TIME"])


FRACTIONS = st.fixed_dictionaries({"depot": st.floats(0.1, 1.0), "central": st.floats(0.1, 1.0)})
LAGS = st.fixed_dictionaries({"depot": quarters(0, 0.75), "central": quarters(0, 0.75)})


def frame(rows, shift=0.0):
    looks = [{"TIME": t, "EVID": 0} for t in LOOKS]
    return pd.DataFrame([{"ID": 1} | row | {"TIME": row["TIME"] + shift} for row in [*rows, *looks]])


def seen(model, table, **options):
    """All outputs, by time of the observation."""
    toy_, compartments = model
    events = read_events(table)
    schedule = events.schedule(compartments, toy_.slots(1), **options)
    result = toy_.run(schedule.parameters, schedule.actions, schedule.times, t0=schedule.start)
    assert not result.failures()
    rows = np.flatnonzero(table["EVID"] == 0)
    return schedule.read(result.values)[rows[np.argsort(table["TIME"].to_numpy()[rows])]]


def same(one, two):
    peak = max(1e-3, np.abs(one).max())
    assert two == pytest.approx(one, rel=1e-6, abs=1e-6 * peak)


@some
@given(rows=tables(), f=FRACTIONS, lag=LAGS, seed=st.integers(0, 99))
def test_the_order_of_rows_does_not_matter(model, rows, f, lag, seed):
    """Resets apart, which may not go back in time: they are doses here."""
    rows = [row | {"EVID": 1} for row in rows]
    table = frame(rows)
    mixed = table.sample(frac=1.0, random_state=seed)
    same(seen(model, table, f=f, lag=lag), seen(model, mixed, f=f, lag=lag))


@some
@given(rows=tables(), f=FRACTIONS, lag=LAGS, shift=st.integers(-100, 500))
def test_a_shift_in_time_shifts_everything(model, rows, f, lag, shift):
    rows = sorted(rows, key=lambda row: row["TIME"])
    same(seen(model, frame(rows), f=f, lag=lag), seen(model, frame(rows, shift * 0.5), f=f, lag=lag))


@some
@given(rows=tables(), factor=st.floats(0.1, 10.0), lag=LAGS)
def test_linear_in_dose(model, rows, factor, lag):
    """AMT and RATE together, or F alone where no infusion has a rate of its own."""
    rows = sorted(rows, key=lambda row: row["TIME"])
    more = [r | {"AMT": r["AMT"] * factor} | ({"RATE": r["RATE"] * factor} if "RATE" in r else {}) for r in rows]
    plain = seen(model, frame(rows), lag=lag)
    same(plain * factor, seen(model, frame(more), lag=lag))
    if not any("RATE" in r for r in rows):
        same(plain * factor, seen(model, frame(rows), lag=lag, f={"depot": factor, "central": factor}))


@some
@given(rows=tables(), f=FRACTIONS, lag=LAGS, cancels=st.booleans())
def test_additional_doses_are_rows_of_their_own(model, rows, f, lag, cancels):
    """Up to the next reset, or whatever comes, as the option says."""
    rows = sorted(rows, key=lambda row: row["TIME"])
    resets = [row["TIME"] for row in rows if row["EVID"] == 4 or row.get("SS") == 1]
    apart = []
    for row in rows:
        single = {k: v for k, v in row.items() if k != "ADDL"}
        apart.append(single if row.get("SS") else {k: v for k, v in single.items() if k != "II"})
        plain = {k: v for k, v in single.items() if k not in ("II", "SS")} | {"EVID": 1}
        end = min((t for t in resets if t > row["TIME"]), default=np.inf) if cancels else np.inf
        copies = [row["TIME"] + n * row["II"] for n in range(1, row.get("ADDL", 0) + 1)]
        apart += [plain | {"TIME": t} for t in copies if t < end]
    apart.sort(key=lambda row: row["TIME"])
    met = {row["TIME"] for row in apart if row["TIME"] in resets}
    if len([row for row in apart if row["TIME"] in met]) > len(met):
        return  # a dose at the very time of a reset: there the order of rows decides
    options = {"f": f, "lag": lag, "reset_cancels": cancels}
    same(seen(model, frame(rows), **options), seen(model, frame(apart), **options))


@some
@given(rows=tables(resets=False), share=st.floats(0.05, 0.95))
def test_a_split_dose_gives_the_same(model, rows, share):
    """Two parts of a dose at one time, each as long as the whole: the same curve, so the same area under it."""
    parts = []
    for row in rows:
        for s in (share, 1 - share):
            parts.append(row | {"AMT": row["AMT"] * s} | ({"RATE": row["RATE"] * s} if "RATE" in row else {}))
    same(seen(model, frame(rows)), seen(model, frame(parts)))


@settings(max_examples=25, deadline=None)
@given(amount=st.floats(1, 500), share=st.floats(0.05, 0.95), gap=quarters(0.25, 20), over=quarters(0, 6))
def test_a_dose_split_in_time_has_the_same_area(model, amount, share, gap, over):
    """The area under the curve, to the end, is what was given over clearance; here by elimination up to 1,000 h."""
    kind = {"DUR": over} if over else {}
    rows = [{"TIME": 0.0, "EVID": 1, "AMT": amount * share, "CMT": "depot"} | kind]
    rows += [{"TIME": gap, "EVID": 1, "AMT": amount * (1 - share), "CMT": "central"} | kind]
    times = np.concatenate([np.linspace(0, gap + 40, 4001), np.geomspace(gap + 40, 400, 400)[1:]])
    table = pd.DataFrame([{"ID": 1} | r for r in [*rows, *({"TIME": t, "EVID": 0} for t in times)]])
    area = np.trapezoid(seen(model, table)[:, 0], times)
    assert area == pytest.approx(amount / TwoCompartments.params["CL"].value_, rel=2e-3)


@some
@given(amount=st.floats(1, 500), over=quarters(0.25, 12), start=quarters(0, 20), ss=st.sampled_from((0, 2)))
def test_two_infusions_of_half_the_rate_are_one(model, amount, over, start, ss):
    row = {"TIME": start, "EVID": 1, "AMT": amount, "RATE": amount / over, "CMT": "central", "SS": ss, "II": 8 * ss}
    half = row | {"AMT": amount / 2, "RATE": amount / over / 2}
    same(seen(model, frame([row])), seen(model, frame([half, half])))


@some
@given(rows=tables(), reset=quarters(0, 55), lag=LAGS)
def test_a_reset_twice_is_a_reset_once(model, rows, reset, lag):
    rows = sorted([*rows, {"TIME": reset, "EVID": 3}], key=lambda row: row["TIME"])
    twice = [copy for row in rows for copy in ([row, row] if row["EVID"] == 3 else [row])]
    same(seen(model, frame(rows), lag=lag), seen(model, frame(twice), lag=lag))


@some
@given(rows=tables(), f=FRACTIONS, lag=LAGS)
def test_written_and_read_again(model, rows, f, lag, tmp_path_factory):
    table = frame(sorted(rows, key=lambda row: row["TIME"]))
    file = tmp_path_factory.mktemp("csv") / "t.csv"
    read_events(table).to_csv(file)
    again = read_events(file).frame
    assert np.array_equal(again["TIME"], table["TIME"])
    assert np.array_equal(seen(model, table, f=f, lag=lag), seen(model, again, f=f, lag=lag))


@some
@given(rows=tables(), n=st.integers(2, 9), lag=LAGS)
def test_people_do_not_touch_each_other(model, rows, n, lag):
    """Person 0 in a crowd, each with other doses, as alone."""
    toy_, compartments = model
    rows = sorted(rows, key=lambda row: row["TIME"])
    crowd = [frame(rows).assign(ID="me")]
    crowd += [
        frame([row | {"AMT": row["AMT"] * (k + 2)} for row in rows[k % len(rows) :]]).assign(ID=k) for k in range(n)
    ]
    events = read_events(pd.concat(crowd, ignore_index=True))
    schedule = events.schedule(compartments, toy_.slots(n + 1), lag=lag)
    result = toy_.run(schedule.parameters, schedule.actions, schedule.times)
    mine = schedule.read(result.values)[np.flatnonzero((events.patient == 0) & (events.column("EVID") == 0))]
    same(seen(model, frame(rows), lag=lag), mine)
