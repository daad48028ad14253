"""Psychotherapy: practice outlasts sessions, and a shut window knows of no drug."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from small import DAY, YEAR, Small, unsourced

from afterglow.lang import Model, Output, Param, State, System
from afterglow.systems.psychotherapy import Psychotherapy

SESSION = 50 / 60


@pytest.fixture(scope="module")
def small() -> Small:
    return Small.of(Psychotherapy, "therapy")


def sessions(days: list[float], hours: float = SESSION) -> list[tuple[float, str, float]]:
    starts = [(d * DAY, "therapy.session", 1.0) for d in days]
    return starts + [(d * DAY + hours, "therapy.session", 0.0) for d in days]


def test_numbers_are_those_of_their_records() -> None:
    assert unsourced(Psychotherapy) == []


def test_without_sessions_there_is_no_drive_for_a_year(small: Small) -> None:
    for window in (0.0, 1.0):
        run = small.run([0.0, DAY, YEAR], values={"therapy.window": window})
        assert (run["therapy.drive"] == 0.0).all()
        assert small.out_of_bounds(run) == []
    assert (small.run([0.0, YEAR])["therapy.defences"] == 1.0).all()


def test_practice_outlasts_a_session_by_a_day_or_two(small: Small) -> None:
    run = small.run(np.array([SESSION, SESSION + DAY, SESSION + 5 * DAY]), signals=sessions([0.0]))
    end, next_day, later = run["therapy.practice"][0]
    assert 0.7 < end < 1
    assert 0.4 < next_day / end < 0.7
    assert later / end < 0.05
    tau = small.flat.values["therapy.tau_practice"]
    assert next_day / end == pytest.approx(np.exp(-1 / tau), rel=1e-5)


def test_alliance_grows_from_session_to_session(small: Small) -> None:
    days = [7.0 * k for k in range(8)]
    run = small.run(np.array(days) * DAY + SESSION, signals=sessions(days))
    engagement = run["therapy.engagement"][0]
    assert (np.diff(engagement) > 0).all()
    assert 0.65 < engagement[-1] < 0.95


def test_a_shut_window_knows_nothing_of_belief(small: Small) -> None:
    times = np.linspace(0, 10 * DAY, 81)
    values = {"therapy.negative_belief": np.array([1.0, 0.3, 1.6])}
    drive = small.run(times, signals=sessions([1.0, 4.0]), values=values)["therapy.drive"]
    assert (drive[1] == drive[0]).all()
    assert (drive[2] == drive[0]).all()


def test_an_open_window_softens_defences_and_strengthens_the_drive(small: Small) -> None:
    values = {"therapy.window": np.array([0.0, 0.1, 0.5, 0.5]), "therapy.negative_belief": np.array([1, 1, 1, 0.6])}
    run = small.run([2 * DAY + SESSION], signals=sessions([2.0]), values=values)
    shut, ajar, wide, lighter = run["therapy.drive"][:, 0]
    assert shut < ajar < wide < lighter
    assert wide > 1.7 * shut
    assert run["therapy.defences"][2, 0] < 0.4


class Closing(System):
    """A plasticity window that closes with a time constant of two days."""

    left = State("1", "window", bounds=(0, 1), size=0.1)
    tau = Param(2.0, "d", "closing", source="assumed")
    left.dot = -left / tau
    window = Output(left, "1", "window")


def test_therapy_gains_in_the_first_days_and_nothing_at_days_15_to_19() -> None:
    model = Model("closing")
    closing, therapy = model.add(Closing, "closing"), model.add(Psychotherapy, "therapy")
    model.wire(closing.window, therapy.window)
    small = Small(model)

    def total(days: list[float], window: float) -> float:
        times = np.linspace(0, 30 * DAY, 2881)
        run = small.run(times, signals=sessions(days), start={"closing.left": window})
        return float(np.trapezoid(run["therapy.drive"][0], times))

    early, late = [1.0, 2.0, 3.0, 4.0], [14.0, 15.0, 16.0, 17.0, 18.0]
    assert total(early, 0.6) > 1.2 * total(early, 0.0)
    assert total(late, 0.6) == pytest.approx(total(late, 0.0), rel=1e-3)


@settings(max_examples=20, deadline=None)
@given(
    window=some.floats(0, 1),
    belief=some.floats(0, 2),
    alliance=some.floats(0.05, 0.95),
    days=some.lists(some.integers(0, 20), min_size=1, max_size=6, unique=True),
)
def test_drive_stays_within_reason(
    small: Small, window: float, belief: float, alliance: float, days: list[int]
) -> None:
    values = {"therapy.window": window, "therapy.negative_belief": belief, "therapy.first_alliance": alliance}
    run = small.run(np.linspace(0, 22 * DAY, 89), signals=sessions([float(d) for d in days]), values=values)
    most = 1 + small.flat.values["therapy.in_window"]
    assert ((run["therapy.drive"] >= -1e-9) & (run["therapy.drive"] < most)).all()
    assert small.out_of_bounds(run) == []
