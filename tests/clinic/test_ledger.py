"""Who gets what, while decisions change it: by hand, and against one patient at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afterglow.clinic.decision import Decision
from afterglow.clinic.dosing import unfold
from afterglow.clinic.ledger import Ledger
from afterglow.clinic.quantity import Amount

HALF, MORE, LESS = Amount(0.5, True), Amount(0.75, True), Amount(0.3, True)


def session(number, day, amount=HALF, drug="ketamine", route="iv", over=2 / 3):
    return unfold(drug, route, amount, over, 24.0 * (day - 1), number)


def infusions(*days):
    return [a for number, day in enumerate(days, 1) for a in session(number, day)]


def decision(action, day, amount=None, spacing=0.0, number=9, drug="ketamine", route="iv"):
    kind = "maintenance" if action == "give" else "check"
    parts = {"kind": kind, "rule": f"{kind} 1", "condition": None, "drug": drug, "route": route, "over_h": 2 / 3}
    return Decision(time_h=24.0 * (day - 1), action=action, amount=amount, spacing_h=spacing, session=number, **parts)


def who(n, *chosen):
    return np.isin(np.arange(n), chosen)


def told(given):
    """(patients, mg or mg/kg of each intake, reason) of each group, in the order of patients."""
    found = [(g.who.tolist(), [a.amount for a in g.intakes], g.reason) for g in given]
    return sorted(found)


# ------------------------------------------------------------------------------------ planned


def test_planned_sessions_come_once_and_to_everybody():
    ledger = Ledger(3, infusions(1, 3, 5))
    assert told(ledger.planned(0.0, 48.0)) == [([0, 1, 2], [0.5], "planned")]
    times = [g.intakes[0].time_h for g in ledger.planned(48.0, 1000.0)]
    assert times == [48.0, 96.0]
    assert list(ledger.planned(96.1, 1000.0)) == []


def test_background_drugs_are_not_sessions():
    daily = unfold("escitalopram", "oral", Amount(10.0), 0.0, 0.0, None)
    assert list(Ledger(2, daily).planned(0.0, 100.0)) == []


def test_the_devices_of_a_session_come_together():
    spray = session(1, 1, Amount(84.0), "esketamine", "nasal-device", 0.0)
    (given_,) = Ledger(2, spray).planned(0.0, 24.0)
    assert [a.amount for a in given_.intakes] == [28.0, 28.0, 28.0]
    assert {a.session for a in given_.intakes} == {1}
    assert np.diff([a.time_h for a in given_.intakes]) == pytest.approx([1 / 12, 1 / 12])


# ------------------------------------------------------------------------------------ checks


def test_a_new_dose_holds_for_the_remaining_sessions_of_those_who_need_it():
    ledger = Ledger(4, infusions(1, 3, 5))
    list(ledger.planned(0.0, 24.0))
    assert list(ledger.decide(decision("set-dose", 2, MORE), who(4, 1, 3))) == []
    wanted = [([0, 2], [0.5], "planned"), ([1, 3], [0.75], "check")]
    assert told(ledger.planned(24.0, 72.0)) == wanted
    assert told(ledger.planned(72.0, 120.0)) == wanted


def test_patients_are_grouped_by_amount_and_the_last_check_counts():
    ledger = Ledger(5, infusions(1, 3, 5))
    list(ledger.decide(decision("set-dose", 1, MORE), who(5, 0, 1, 2)))
    list(ledger.decide(decision("set-dose", 1, LESS), who(5, 2, 4)))
    wanted = [([0, 1], [0.75], "check"), ([2, 4], [0.3], "check"), ([3], [0.5], "planned")]
    assert told(ledger.planned(0.0, 24.0)) == wanted


def test_a_new_dose_of_a_spray_is_whole_devices_of_the_same_session():
    ledger = Ledger(
        2, [a for n, d in ((1, 1), (2, 4)) for a in session(n, d, Amount(56.0), "esketamine", "nasal-device")]
    )
    list(ledger.planned(0.0, 24.0))
    list(ledger.decide(decision("set-dose", 2, Amount(84.0), route="nasal-device", drug="esketamine"), who(2, 1)))
    assert told(ledger.planned(24.0, 100.0)) == [([0], [28.0, 28.0], "planned"), ([1], [28.0, 28.0, 28.0], "check")]


def test_stop_ends_planned_sessions_and_maintenance():
    ledger = Ledger(3, infusions(1, 3))
    list(ledger.planned(0.0, 24.0))
    assert list(ledger.decide(decision("stop", 2), who(3, 0))) == []
    assert told(ledger.planned(24.0, 100.0)) == [([1, 2], [0.5], "planned")]
    assert told(ledger.decide(decision("give", 30, HALF), who(3, 0, 1))) == [([1], [0.5], "maintenance")]
    list(ledger.decide(decision("stop", 31), who(3, 0, 1, 2)))
    assert list(ledger.planned(0.0, 100.0)) == []
    assert list(ledger.decide(decision("give", 60, HALF), who(3, 0, 1, 2))) == []


def test_a_new_dose_of_a_double_dummy_is_that_dose_once_and_the_saline_once():
    both = [a for n, d in ((1, 1), (2, 4)) for a in session(n, d, Amount(84.0), "esketamine", "nasal-device", 0.0)]
    both += [a for n, d in ((1, 1), (2, 4)) for a in session(n, d, None, "saline", "iv")]
    ledger = Ledger(1, sorted(both, key=lambda a: a.time_h))  # the saline comes between the devices
    drugs = [(g.intakes[0].drug, len(g.intakes)) for g in ledger.planned(0.0, 24.0)]
    assert sorted(drugs) == [("esketamine", 3), ("saline", 1)]
    list(ledger.decide(decision("set-dose", 2, Amount(56.0)), who(1, 0)))
    assert told(ledger.planned(24.0, 100.0)) == [([0], [0.0], "planned"), ([0], [28.0, 28.0], "check")]
    again = decision("give", 20, drug="esketamine", route="nasal-device")  # not the saline's dose
    assert told(ledger.decide(again, who(1, 0))) == [([0], [28.0, 28.0], "maintenance")]


# ------------------------------------------------------------------------------------ maintenance


def test_a_booster_keeps_its_distance_from_the_next_planned_session():
    ledger = Ledger(1, infusions(1, 15))
    list(ledger.planned(0.0, 24.0))
    week = {"amount": HALF, "spacing": 168.0}
    for day in (9, 12, 15):
        assert list(ledger.decide(decision("give", day, **week), who(1, 0))) == []
    assert told(ledger.decide(decision("give", 8, **week), who(1, 0))) == [([0], [0.5], "maintenance")]


def test_a_booster_keeps_its_distance_from_the_last_session():
    ledger = Ledger(3, infusions(1))
    list(ledger.planned(0.0, 24.0))
    week = {"amount": HALF, "spacing": 168.0}
    assert list(ledger.decide(decision("give", 7, **week), who(3, 0, 1, 2))) == []
    assert told(ledger.decide(decision("give", 8, **week), who(3, 0))) == [([0], [0.5], "maintenance")]
    assert told(ledger.decide(decision("give", 10, **week), who(3, 0, 1))) == [([1], [0.5], "maintenance")]
    assert told(ledger.decide(decision("give", 15, **week), who(3, 0, 1))) == [([0], [0.5], "maintenance")]


def test_a_booster_carries_the_time_and_number_of_its_decision():
    ledger = Ledger(1, infusions(1))
    list(ledger.planned(0.0, 24.0))
    (given_,) = ledger.decide(decision("give", 20, MORE, number=7), who(1, 0))
    (intake,) = given_.intakes
    assert (intake.time_h, intake.session, intake.amount, intake.over_h) == (19 * 24.0, 7, 0.75, 2 / 3)


def test_a_booster_without_a_dose_repeats_the_last_one_of_each_patient():
    ledger = Ledger(3, infusions(1, 3))
    list(ledger.planned(0.0, 24.0))
    list(ledger.decide(decision("set-dose", 2, MORE), who(3, 1)))
    list(ledger.planned(24.0, 100.0))
    first = told(ledger.decide(decision("give", 20), who(3, 0, 1, 2)))
    assert first == [([0, 2], [0.5], "maintenance"), ([1], [0.75], "maintenance")]
    list(ledger.decide(decision("give", 30, LESS), who(3, 0)))
    again = told(ledger.decide(decision("give", 40), who(3, 0, 1, 2)))
    assert again == [([0], [0.3], "maintenance"), ([1], [0.75], "maintenance"), ([2], [0.5], "maintenance")]


def test_a_repeated_spray_is_the_whole_dose_again():
    ledger = Ledger(1, session(1, 1, Amount(84.0), "esketamine", "nasal-device", 0.0))
    list(ledger.planned(0.0, 24.0))
    again = decision("give", 9, route="nasal-device", drug="esketamine")
    assert told(ledger.decide(again, who(1, 0))) == [([0], [28.0, 28.0, 28.0], "maintenance")]


# ------------------------------------------------------------------------------------ one patient at a time

N, DAYS = 6, 30
DECISIONS = st.lists(
    st.tuples(
        st.integers(1, DAYS),
        st.sampled_from(["set-dose", "stop", "give", "give"]),
        st.sampled_from([HALF, MORE, LESS]),
        st.booleans(),
        st.integers(0, 10),
        st.lists(st.booleans(), min_size=N, max_size=N),
    ),
    max_size=8,
)


def alone(i, days, decisions):
    """(day, amount, reason) of the sessions of one patient, read from the course like a nurse would."""
    out, stopped, changed, last, amount = [], False, None, -np.inf, None
    events = sorted([(day, 1, None) for day in days] + [(d[0], 0, d) for d in decisions], key=lambda e: e[:2])
    for day, _, event in events:
        if event is None:
            if not stopped:
                amount = changed or HALF
                out.append((day, amount.value, "check" if changed else "planned"))
                last = day
            continue
        _, action, new, own, spacing, holds = event
        if not holds[i] or stopped:
            continue
        if action == "stop":
            stopped = True
        elif action == "set-dose":
            changed = new
        elif day - last >= spacing and not any(day <= one < day + spacing for one in days) and (own or amount):
            amount = new if own else amount
            out.append((day, amount.value, "maintenance"))
            last = day
    return out


@settings(max_examples=60, deadline=None)
@given(days=st.sets(st.integers(1, DAYS), min_size=1, max_size=6), decisions=DECISIONS)
def test_everybody_gets_what_a_patient_alone_would_get(days, decisions):
    first = min(days)
    decisions = sorted((d for d in decisions if d[0] > first), key=lambda d: d[0])
    ledger, found = Ledger(N, infusions(*sorted(days))), {i: [] for i in range(N)}

    def enter(given_):
        for i in given_.who.tolist():
            (intake,) = given_.intakes
            found[i].append((intake.time_h / 24 + 1, intake.amount, given_.reason))

    begin = 0.0
    for day, action, amount, own, spacing, holds in decisions:
        stop = 24.0 * (day - 1)
        for one in ledger.planned(begin, stop):
            enter(one)
        own_amount = amount if action == "set-dose" or (action == "give" and own) else None
        for one in ledger.decide(decision(action, day, own_amount, 24.0 * spacing), np.array(holds)):
            enter(one)
        begin = stop
    for one in ledger.planned(begin, 24.0 * DAYS):
        enter(one)
    for i in range(N):
        assert found[i] == [(d, a, r) for d, a, r in alone(i, days, decisions)]
