"""Conduct: closed forms, direction and invariance of visits, leaving and raters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from afterglow.clinic.conduct import (
    WEEK_H,
    Occasions,
    Reason,
    actual_visits,
    candidates,
    leaving,
    missed,
    missed_sessions,
    rater_error,
)
from afterglow.errors import InputError

VISITS = [0.0, 24.0, 168.0, 336.0, 672.0]
MANY = range(20_000)


# ------------------------------------------------------------------------------------------------ visits


WINDOWS = st.just(0.0) | st.floats(0.01, 1.0)


@given(st.lists(st.tuples(st.floats(1.0, 500.0), WINDOWS), min_size=1, max_size=8))
def test_visits_stay_in_their_window_and_never_cross(steps: list[tuple[float, float]]):
    nominal = np.cumsum([gap for gap, _ in steps])
    gaps = np.diff(nominal, prepend=0.0, append=2 * nominal[-1])
    window = np.array([0.49 * share for _, share in steps]) * np.minimum(gaps[:-1], gaps[1:])
    grid = candidates(nominal.tolist(), window.tolist())
    assert (np.diff(grid.time_h) > 0).all()
    assert (grid.count <= 5).all()
    chosen = grid.time_h[actual_visits(grid, range(50), seed=1)]
    assert (np.abs(chosen - nominal) <= window + 1e-9).all()
    assert (np.diff(chosen, axis=1) > 0).all()


def test_visits_are_spread_evenly_over_the_window():
    grid = candidates([0.0, 168.0], [0.0, 48.0])
    assert grid.time_h.tolist() == pytest.approx([0.0, 129.6, 148.8, 168.0, 187.2, 206.4])
    place = actual_visits(grid, MANY, seed=3)
    assert (place[:, 0] == 0).all()
    share = np.bincount(place[:, 1] - 1) / len(MANY)
    assert share == pytest.approx(np.full(5, 0.2), abs=0.013)  # 4.6 SD
    assert grid.time_h[place[:, 1]].std() == pytest.approx(48.0 / np.sqrt(3), rel=0.04)  # a uniform time


def test_without_windows_everybody_comes_on_schedule():
    grid = candidates(VISITS, [0.0] * 5)
    assert np.array_equal(grid.time_h[actual_visits(grid, range(9), seed=1)], np.tile(VISITS, (9, 1)))


def test_impossible_windows_are_refused_all_at_once():
    with pytest.raises(InputError) as caught:
        candidates([10.0, 24.0, 48.0, 40.0], [12.0, 3.0, 22.0, -1.0], where="trial.yaml:4")
    told = str(caught.value)
    assert len(caught.value.faults) == 5
    assert {fault.place for fault in caught.value.faults} == {"trial.yaml:4"}
    for words in ("begins before the first dose", "10 and 24 h overlap", "24 and 48 h overlap", "-1 h", "sort them"):
        assert words in told


def test_no_visits_are_no_fault():
    grid = candidates([], [])
    assert actual_visits(grid, range(3), seed=1).shape == (3, 0)
    assert missed([], range(3), seed=1, chance=0.5).shape == (3, 0)
    assert missed_sessions([], range(3), seed=1, chance=0.5).shape == (3, 0)


def test_the_baseline_is_never_missed_and_other_visits_by_chance():
    gone = missed(VISITS, MANY, seed=2, chance=0.2)
    assert not gone[:, 0].any()
    assert gone[:, 1:].mean(axis=0) == pytest.approx(np.full(4, 0.2), abs=0.013)
    assert np.corrcoef(gone[:, 1:].T) == pytest.approx(np.eye(4), abs=0.035)
    assert not missed(VISITS, MANY, seed=2, chance=0.0).any()
    assert missed(VISITS, range(9), seed=2, chance=1.0)[:, 1:].all()


def test_sessions_are_missed_by_chance():
    gone = missed_sessions([2, 3, 7], MANY, seed=2, chance=0.1)
    assert gone.mean(axis=0) == pytest.approx(np.full(3, 0.1), abs=0.01)
    assert not missed_sessions([2, 3], MANY, seed=2, chance=0.0).any()


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_higher_chance_keeps_the_events_of_a_lower_one(a: float, b: float):
    low, high = sorted((a, b))
    assert (missed(VISITS, range(40), 1, chance=low) <= missed(VISITS, range(40), 1, chance=high)).all()
    assert (
        missed_sessions([1, 2], range(40), 1, chance=low) <= missed_sessions([1, 2], range(40), 1, chance=high)
    ).all()


def test_further_visits_sessions_and_patients_move_nobodys_luck():
    some, who = [0.0, 168.0, 672.0], range(10, 20)
    place = [VISITS.index(hour) for hour in some]
    assert np.array_equal(missed(some, who, 5, chance=0.4), missed(VISITS, range(30), 5, chance=0.4)[10:20, place])
    windows = [0.0, 6.0, 24.0, 48.0, 72.0]
    few, full = candidates(some, [windows[k] for k in place]), candidates(VISITS, windows)
    found = few.time_h[actual_visits(few, who, 5)]
    assert np.array_equal(found, full.time_h[actual_visits(full, range(30), 5)][10:20, place])
    all_sessions = missed_sessions([1, 2, 3, 4], range(30), 5, chance=0.4)
    assert np.array_equal(missed_sessions([2, 4], who, 5, chance=0.4), all_sessions[10:20, [1, 3]])


# ------------------------------------------------------------------------------------------------ leaving


def flags(hours: list[float], holds: bool, chance: float, people: range = MANY) -> Occasions:
    return Occasions(hours, np.full((len(people), len(hours)), holds), chance)


def test_a_constant_hazard_has_its_survival():
    gone = leaving(VISITS, MANY, seed=1, hazard_per_week=0.15)
    for visit, hour in enumerate(VISITS):
        still = np.mean(gone.visit > visit)
        expected = np.exp(-0.15 * hour / WEEK_H)
        assert still == pytest.approx(expected, abs=4.5 * np.sqrt(expected * (1 - expected) / len(MANY)) + 1e-12)
    assert (gone.reason[gone.visit < 5] == Reason.AT_RANDOM).all()


def test_independent_reasons_share_the_leavers_as_competing_risks():
    """At each of n visits the person leaves with chance c unless the hazard was first: a closed form by visit."""
    hazard, chance, hours = 0.2, 0.3, [0.0, 168.0, 336.0, 504.0]
    gone = leaving(hours, MANY, seed=4, hazard_per_week=hazard, lack_of_effect=flags(hours[1:], True, chance))
    stay_week, at_last = np.exp(-hazard), 3
    survive = stay_week**at_last * (1 - chance) ** 2  # those who leave after the last visit are completers
    assert np.mean(gone.visit == 4) == pytest.approx(survive, abs=0.016)
    by_effect = sum(stay_week**k * (1 - chance) ** (k - 1) * chance for k in (1, 2))
    assert np.mean(gone.reason == Reason.LACK_OF_EFFECT) == pytest.approx(by_effect, abs=0.016)


def test_nobody_leaves_without_a_reason():
    gone = leaving(
        VISITS, MANY, 1, lack_of_effect=flags(VISITS, True, 0.0), side_effects=flags([0.0, 72.0], False, 1.0)
    )
    assert (gone.visit == 5).all()
    assert (gone.reason == Reason.NONE).all()
    assert np.isinf(gone.time_h).all()


def test_people_attend_the_visit_that_shows_no_effect_and_the_one_before_the_dose():
    at_visit = leaving(VISITS, range(4), 1, lack_of_effect=flags([168.0], True, 1.0, range(4)))
    assert at_visit.visit.tolist() == [3] * 4
    assert at_visit.time_h.tolist() == [168.0] * 4
    assert (at_visit.reason == Reason.LACK_OF_EFFECT).all()
    at_dose = leaving(VISITS, range(4), 1, side_effects=flags([168.0], True, 1.0, range(4)))
    assert at_dose.visit.tolist() == [3] * 4
    first_dose = leaving(VISITS, range(4), 1, side_effects=flags([0.0], True, 1.0, range(4)))
    assert first_dose.visit.tolist() == [1] * 4
    assert (first_dose.reason == Reason.SIDE_EFFECTS).all()


def test_the_earliest_reason_wins():
    effect, side = flags([168.0], True, 1.0, range(3)), flags([72.0, 200.0], True, 1.0, range(3))
    assert (leaving(VISITS, range(3), 1, lack_of_effect=effect, side_effects=side).reason == Reason.SIDE_EFFECTS).all()
    side.holds[:, 0] = False
    gone = leaving(VISITS, range(3), 1, lack_of_effect=effect, side_effects=side)
    assert (gone.reason == Reason.LACK_OF_EFFECT).all()


def test_leaving_after_the_last_visit_is_completing():
    gone = leaving(VISITS, range(3), 1, lack_of_effect=flags([672.0], True, 1.0, range(3)))
    assert (gone.visit == 5).all()
    assert (gone.reason == Reason.NONE).all()


def test_only_those_with_the_reason_leave():
    holds = np.zeros((2000, 2), dtype=bool)
    holds[::2] = True
    gone = leaving(VISITS, range(2000), 1, lack_of_effect=Occasions([24.0, 168.0], holds, 0.3))
    assert (gone.visit[1::2] == 5).all()
    assert np.mean(gone.visit[::2] < 5) == pytest.approx(1 - 0.7**2, abs=0.073)  # 4.6 SD


@given(st.floats(0, 1), st.floats(0, 1), st.sampled_from(["hazard", "effect", "side"]))
def test_more_reason_to_leave_never_keeps_anybody(a: float, b: float, what: str):
    def visit(size: float) -> np.ndarray:
        who = range(60)
        return leaving(
            VISITS,
            who,
            1,
            hazard_per_week=size if what == "hazard" else 0.1,
            lack_of_effect=flags(VISITS[1:], True, size if what == "effect" else 0.1, who),
            side_effects=flags([0.0, 72.0], True, size if what == "side" else 0.1, who),
        ).visit

    assert (visit(max(a, b)) <= visit(min(a, b))).all()


def test_later_visits_and_other_patients_do_not_change_who_has_left_before():
    def gone(hours: list[float], who: range) -> np.ndarray:
        return leaving(
            hours,
            who,
            6,
            hazard_per_week=0.1,
            lack_of_effect=flags(hours[1:], True, 0.1, who),
            side_effects=flags([0.0, 72.0], True, 0.1, who),
        ).visit

    full = gone(VISITS, range(300))
    assert np.array_equal(gone(VISITS[:3], range(300)), np.minimum(full, 3))
    assert np.array_equal(gone(VISITS, range(100, 150)), full[100:150])


def test_occasions_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="shape"):
        leaving(VISITS, range(3), 1, lack_of_effect=flags(VISITS, True, 0.1, range(2)))


# ------------------------------------------------------------------------------------------------ raters


def test_raters_keep_their_bias_and_drift_in_time():
    found = rater_error(VISITS, range(12), 3, raters=4, bias_sd=2.0, drift_per_week=-0.5, drift_sd=0.3)
    assert found == pytest.approx(np.tile(found[:4], (3, 1)))
    slope = (found[:, 1:] - found[:, :1]) / (np.array(VISITS[1:]) / WEEK_H)
    assert slope == pytest.approx(np.tile(slope[:, :1], (1, 4)))
    assert len(np.unique(np.round(found[:, 0], 9))) == 4


def test_a_patient_keeps_the_rater_in_any_part_of_the_trial():
    kinds = {"raters": 5, "bias_sd": 1.0, "drift_sd": 1.0}
    whole = rater_error(VISITS, range(40), 3, **kinds)
    assert np.array_equal(rater_error(VISITS, range(13, 21), 3, **kinds), whole[13:21])
    assert np.array_equal(rater_error(VISITS[2:], range(40), 3, **kinds), whole[:, 2:])
    each = np.tile(VISITS, (40, 1))
    assert np.array_equal(rater_error(each, range(40), 3, **kinds), whole)


def test_raters_differ_by_the_given_spread():
    found = rater_error([0.0, WEEK_H], MANY, 5, raters=len(MANY), bias_sd=2.0, drift_per_week=-0.4, drift_sd=0.7)
    drift = found[:, 1] - found[:, 0]
    assert found[:, 0].mean() == pytest.approx(0.0, abs=0.064)  # 4.5 SD
    assert found[:, 0].std() == pytest.approx(2.0, rel=0.025)
    assert drift.mean() == pytest.approx(-0.4, abs=0.023)
    assert drift.std() == pytest.approx(0.7, rel=0.025)
    assert np.corrcoef(found[:, 0], drift)[0, 1] == pytest.approx(0.0, abs=0.035)


def test_perfect_raters_add_nothing():
    assert (rater_error(VISITS, range(5), 1, raters=2) == 0).all()
    only_drift = rater_error([-24.0, 0.0, WEEK_H], range(5), 1, raters=2, drift_per_week=1.0)
    assert only_drift.tolist() == [[0.0, 0.0, 1.0]] * 5
