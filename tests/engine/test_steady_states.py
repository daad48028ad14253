"""Steady states: linear in closed form, others by iteration; what cannot be is an error with a status, never zeros."""

import itertools
from math import inf

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.integrate import simpson
from scipy.linalg import expm

from afterglow.engine import steady_state
from afterglow.engine.steady_iteration import TOLERANCE, _kept
from afterglow.engine.steady_linear import exponential
from afterglow.errors import InputError
from afterglow.event_run import EventModel
from afterglow.lang import Output, Param, Route, State, System, hill, where
from afterglow.library.textbook import OneCompartment, TwoCompartments
from dosing_scenarios import Induction, Saturable
from event_tables import dose, look, table


@pytest.fixture(scope="module")
def models():
    return {s: EventModel(s, threads=1) for s in (Saturable, Induction, OneCompartment, TwoCompartments)}


def people(rows, n):
    return pd.concat([table(rows).assign(ID=k) for k in range(n)], ignore_index=True)


@pytest.mark.parametrize(
    ("row", "level"),
    [({"rate": 12.0}, None), ({"rate": 10.0}, None), ({"rate": 9.9}, 50 * 9.9 / 0.1), ({"rate": 2.0}, 50 * 2.0 / 8.0)],
)
def test_an_endless_infusion_into_saturable_elimination(models, row, level):
    """Level where vmax x / (km + x) = rate; none at or above vmax."""
    frame = table([dose(0, 2, ss=1, **row), look(0.0)])
    if level is None:
        with pytest.raises(InputError, match=r"row 0: SS = 1: .*pile up without end.*\(ID 1, status 5\) \(give less"):
            models[Saturable].run(frame)
    else:
        assert models[Saturable].run(frame).frame["amount"][1] == pytest.approx(level, rel=1e-7)


def test_faults_of_all_people_come_at_once_and_by_row(models):
    """Who gets more than vmax has no steady state; the others are named by nobody."""
    frame = people([dose(100, 2, ss=1, ii=12), look(0.0)], 5)
    with pytest.raises(InputError) as caught:
        models[Saturable].run(frame, {"vmax": [10.0, 8.0, 9.0, 5.0, 20.0]})
    assert [f.place for f in caught.value.faults] == ["row 2", "row 6"]
    assert "ID 3" in str(caught.value)
    assert all(f.remedy for f in caught.value.faults)


def test_many_people_are_as_each_alone(models):
    rows, vmax = [dose(90, ss=1, ii=12), look(1.0), look(11.0)], np.linspace(9, 20, 11)
    together = models[Saturable].run(people(rows, 11), {"vmax": vmax}).frame["amount"].to_numpy().reshape(11, 3)[:, 1:]
    for k in (0, 4, 10):
        alone = models[Saturable].run(table(rows), {"vmax": vmax[k]}).frame["amount"].to_numpy()[1:]
        assert together[k] == pytest.approx(alone, rel=1e-7)


@pytest.mark.parametrize("system", [Saturable, Induction])
def test_one_more_dose_changes_nothing(models, system):
    rows = [dose(80, ss=1, ii=12, addl=3), *(look(t) for t in (0.0, 12.0, 24.0, 36.0, 5.0, 17.0, 29.0, 41.0))]
    seen = models[system].run(table(rows)).frame["amount"].to_numpy()[1:]
    order = np.argsort([12 * (k % 4) + 5 * (k >= 4) for k in range(8)], kind="stable")
    assert sorted(order) == list(range(8))
    assert seen[1:4] == pytest.approx(np.full(3, seen[1]), rel=3 * TOLERANCE)
    assert seen[4:] == pytest.approx(np.full(4, seen[4]), rel=3 * TOLERANCE)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    share=st.floats(0.02, 0.97), vmax=st.floats(1.0, 50.0), km=st.floats(1.0, 200.0), ka=st.floats(0.1, 5.0),
    interval=st.sampled_from((4.0, 8.0, 24.0)), over=st.sampled_from((0.0, 1.0, 1.0, 2.5)), lag=st.floats(0.0, 3.5),
)  # fmt: skip
def test_any_saturable_steady_state_repeats_itself_and_balances(models, share, vmax, km, ka, interval, over, lag):
    """What comes in during an interval leaves in it: the mean rate of elimination is the rate of dosing."""
    amount = share * vmax * interval
    row = dose(amount, 1, ss=1, ii=interval, addl=1, dur=over * interval)
    times = lag + np.linspace(0, 1, 201) * interval
    run = models[Saturable].run(
        table([row, *(look(t) for t in times)]), {"vmax": vmax, "km": km, "ka": ka}, lag={"depot": lag}
    )
    x = run.frame["amount"].to_numpy()[1:]
    assert x[-1] == pytest.approx(x[0], rel=1e-6, abs=1e-6)
    if over:  # a bolus through a fast depot is too steep for the sum below
        assert simpson(vmax * x / (km + x), x=times) == pytest.approx(amount, rel=2e-3)


def test_ss_2_in_a_part_that_is_not_linear_adds_and_warns(models):
    """As NONMEM does: amounts are added, though superposition does not hold."""
    steady = dose(60, 2, ss=1, ii=12)
    alone = models[Saturable].run(table([steady, look(0.0)])).frame["amount"][1]
    rows = [dose(25, 2), steady | {"SS": 2}, look(0.0)]
    with pytest.warns(UserWarning, match="row 1: SS = 2 adds steady amounts to a part that is not linear"):
        seen = models[Saturable].run(table(rows)).frame["amount"][2]
    assert seen == pytest.approx(alone + 25, rel=1e-7)


def test_an_induced_enzyme_must_be_among_the_compartments():
    only_drug = EventModel(Induction, compartments=["depot", "central"])
    with pytest.raises(InputError, match=r"depends on states outside it .*\(name those states among the compartments"):
        only_drug.run(table([dose(60, ss=1, ii=12), look(0.0)]))


class Runaway(System):
    """More drug, more drug: from a certain amount on it grows by itself."""

    x = State("mg", "drug", size=10.0)
    begin = Param(0.0, "mg", "untreated", source="assumed")
    k = Param(0.1, "1/h", "loss", source="assumed")
    self_made = Param(1e-4, "1/mg/h", "growth by itself", source="assumed")
    x.init = begin * 1.0
    x.dot = -k * x + self_made * x * x
    out = Output(x, "mg", "drug")
    iv = Route("into a vein", {x: 1.0})


@pytest.mark.parametrize("amount", [50.0, 2000.0])
def test_a_steady_state_below_a_point_of_no_return(amount):
    """50 mg a day settle; 2,000 mg start beyond the point from which the model blows up."""
    model = EventModel(Runaway)
    frame = table([dose(amount, 1, ss=1, ii=24), look(0.0), look(24.0)])
    if amount < 100:
        seen = model.run(frame).frame["out"]
        assert seen[1] - 50 == pytest.approx(seen[2] - 0, rel=1e-6)
    else:
        with pytest.raises(InputError, match=r"SS = 1: there is no steady state"):
            model.run(frame)


def test_a_steady_state_that_doses_lead_away_from_is_none():
    """Next to the point of no return there is a state that comes back to itself, but nobody stays there."""
    with pytest.raises(InputError, match=r"repeated doses lead away from the only one .*status 7"):
        EventModel(Runaway).run(table([dose(5, 1, ss=1, ii=24), look(0.0)]), {"begin": 990.0})


class Switch(System):
    """Hardly any elimination below a threshold, a strong one above: Newton's first steps lead far astray."""

    x = State("mg", "drug", bounds=(0.0, inf), size=10.0)
    slow = Param(1e-3, "1/h", "loss below", source="assumed")
    vmax = Param(30.0, "mg/h", "loss above", source="assumed")
    half = Param(50.0, "mg", "threshold", source="assumed")
    x.dot = -slow * x - vmax * hill(x, half, 8)
    out = Output(x, "mg", "drug")
    iv = Route("into a vein", {x: 1.0})


@pytest.mark.parametrize("slow", [1e-3, 1e-9])
@pytest.mark.parametrize("amount", [20.0, 100.0, 170.0, 300.0])
def test_where_newtons_steps_lead_astray_the_doses_themselves_lead_back(amount, slow):
    model, values = EventModel(Switch), {"slow": slow}
    rows = [dose(amount, 1, ss=1, ii=12), look(0.0), look(11.9)]
    steady = model.run(table(rows), values).frame["out"].to_numpy()[1:]
    rows = [dose(amount, 1, ii=12, addl=400), look(4800.0), look(4811.9)]
    given = model.run(table(rows), values).frame["out"].to_numpy()[1:]
    assert steady[0] == pytest.approx(given[0] + amount, rel=1e-6), "the row's own dose, then the look"
    assert steady[1] == pytest.approx(given[1], rel=1e-6)


def test_steady_states_that_take_hundreds_of_small_doses_are_found():
    """54 people who differ, doses from 6 to 80 % of what can leave: each reaches a level that comes back to itself."""
    grid = itertools.product((1e-10, 1e-6, 1e-3), (0.15, 3.0), (5.0, 50.0, 350.0), (0.06, 0.5, 0.8))
    slow, vmax, half, share = np.array(list(grid)).T
    frame = people([dose(1, 1, ss=1, ii=4, addl=1), look(0.0), look(4.0)], len(slow))
    frame["AMT"] = frame["AMT"] * np.repeat(share * vmax * 4, 3)
    seen = (
        EventModel(Switch).run(frame, {"slow": slow, "vmax": vmax, "half": half}).frame["out"].to_numpy().reshape(-1, 3)
    )
    amount = share * vmax * 4
    assert seen[:, 2] + amount == pytest.approx(seen[:, 1], rel=1e-6)
    assert (seen[:, 2] > 0).all()


def test_the_search_never_leaves_the_sign_of_what_the_period_leads_to():
    """Saturable elimination has a second root at a negative amount: nobody may land there."""
    image, unit, span = np.array([[2.0, 2.0, -2.0, 0.0, 2.0]]), np.ones((1, 5)), np.full(5, 4.0)
    kept = _kept(np.array([[-5.0, 99.0, 3.0, -9.0, np.inf]]), image, span, unit)
    assert kept[0] == pytest.approx([0.5, 8.0, -0.5, -4.0, 2.0])


def test_a_limit_that_doses_exceed_piles_up():
    """Above the limit the period only adds, and Newton's steps have no direction."""
    with pytest.raises(InputError, match=r"pile up without end.*status 5"):
        EventModel(Kink).run(table([dose(100, 1, ss=1, ii=12), look(0.0)]), {"far": 50.0})


def test_equal_questions_are_answered_once(models, monkeypatch):
    """Ten equal people with two equal doses, and one who differs: two cases to solve."""
    solved = []
    whole = steady_state.linear.repeated_doses
    monkeypatch.setattr(
        steady_state.linear, "repeated_doses", lambda a, *more: solved.append(len(a)) or whole(a, *more)
    )
    rows = [dose(100, ss=1, ii=12), dose(100, 1, 96.0, ss=1, ii=12), look(100.0)]
    cl = np.where(np.arange(10) == 3, 2.0, 1.1)
    seen = models[OneCompartment].run(people(rows, 10), {"CL": cl}).frame["CP"].to_numpy()[2::3]
    assert solved == [2]
    assert len(set(np.round(seen, 9))) == 2


def test_people_whose_matrices_have_other_zeros(models):
    """Without exchange the periphery is not reached; both kinds go through one table."""
    rows = [dose(100, ss=1, ii=12), look(6.0)]
    seen = models[TwoCompartments].run(people(rows, 2), {"Q": [0.0, 8.0]}).frame["CP"].to_numpy()[1::2]
    k, ka, v = 5.0 / 20, 1.2, 20.0
    right = 100 / v * ka / (ka - k) * sum(s * np.exp(-r * 6) / (1 - np.exp(-r * 12)) for s, r in ((1, k), (-1, ka)))
    assert seen[0] == pytest.approx(right, rel=1e-7)
    assert seen[1] < seen[0]


class Kink(System):
    """Linear wherever one would try, but for a limit far away."""

    x = State("mg", "drug", bounds=(0.0, inf), size=10.0)
    k = Param(0.1, "1/h", "loss", source="assumed")
    far = Param(3e7, "mg", "where it becomes slower", source="assumed")
    x.dot = -k * where(x > far, far, x)
    out = Output(x, "mg", "drug")
    iv = Route("into a vein", {x: 1.0})


def test_what_is_linear_is_read_off_the_equations():
    """Numbers alone would take `Kink` for linear; its equation says otherwise, and both ways agree."""
    assert EventModel(Kink).compartments.curved
    assert not EventModel(TwoCompartments).compartments.curved
    seen = EventModel(Kink).run(table([dose(100, 1, ss=1, ii=12), look(6.0)])).frame["out"][1]
    assert seen == pytest.approx(100 * np.exp(-0.6) / (1 - np.exp(-1.2)), rel=1e-7)
    with pytest.raises(InputError, match="pile up without end"):
        EventModel(Kink).run(table([dose(1e8, 1, ss=1, ii=12), look(6.0)]))


@pytest.mark.parametrize("size", [1e-8, 0.3, 7.0, 300.0])
def test_exponentials_of_matrices(size):
    a = -np.array(
        [[[1.0, -0.4, 0.0], [-0.5, 0.9, -0.1], [0.0, 0.0, 0.3]], [[2.0, 0.0, 0.0], [-2.0, 0.1, 0.0], [0.0] * 3]]
    )
    assert exponential(size * a) == pytest.approx(expm(size * a), rel=1e-11, abs=1e-13)
