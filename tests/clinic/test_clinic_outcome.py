"""Response, remission, relapse and Kaplan-Meier by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from afterglow.clinic import outcome
from afterglow.errors import InputError

BASE = np.array([40.0, 40.0, 30.0])
TIME = np.array([0.0, 24.0, 168.0, 336.0])
SCORES = np.array([[40, 20, 21, 10], [40, 30, 30, 30], [30, 9, np.nan, 12.0]])


def test_response_is_half_of_the_baseline_gone():
    assert outcome.response(SCORES, BASE).tolist() == [
        [False, True, False, True],
        [False, False, False, False],
        [False, True, False, True],
    ]


def test_remission_by_rule():
    assert outcome.remission(SCORES).sum() == 2
    assert outcome.remission(SCORES, "MADRS", 12).sum() == 3
    assert outcome.remission(np.array([[4.0, 5.0]]), "PHQ-9").tolist() == [[True, False]]


def test_time_to_response():
    assert outcome.time_to_response(SCORES, BASE, TIME).tolist() == [24.0, np.inf, 24.0]
    already = np.array([[5.0, 40.0]])
    assert outcome.time_to_response(already, [40.0], [0.0, 24.0]).tolist() == [np.inf]


@given(st.lists(st.floats(0, 60), min_size=1, max_size=6), st.floats(1, 60))
def test_more_improvement_never_loses_response(scores: list[float], base: float):
    better = np.array([scores]) * 0.9
    assert (outcome.response(better, [base]) >= outcome.response(np.array([scores]), [base])).all()


def weekly(*scores: float) -> tuple[np.ndarray, np.ndarray]:
    return np.array([scores], dtype=float), np.arange(len(scores)) * 168.0


@pytest.mark.parametrize(
    ("scores", "rule", "event", "weeks"),
    [
        ((40, 10, 22, 22, 10), "score-22", True, 1),
        ((40, 10, 22, 21, 22), "score-22", False, 3),
        ((40, 10, 12, 15, 22), "score-22", False, 3),  # once at the end is not yet a relapse
        ((40, 10, 21, 21, 21), "score-22", False, 3),
        ((40, 10, 21, 21, 21), "half-baseline", True, 1),
        ((30, 10, 15, 16, 17), "half-baseline", True, 1),
        ((30, 10, 15, 16, 17), "half-baseline-18", False, 3),
        ((40, 10, 19, 20, 20), "half-baseline-18", True, 2),
        ((40, 10, np.nan, 30, 30), "score-22", True, 2),
        ((40, 10, 30, np.nan, 30), "score-22", False, 3),
    ],
)
def test_relapse_rules(scores: tuple, rule: outcome.RelapseRule, event: bool, weeks: float):
    values, time = weekly(*scores)
    found = outcome.relapse(values, [scores[0]], time, rule)
    assert found.at_risk.tolist() == [True]
    assert found.event.tolist() == [event]
    assert found.time_h.tolist() == [weeks * 168.0]


def test_only_responders_are_at_risk():
    values, time = weekly(40, 30, 30, 30)
    found = outcome.relapse(values, [40.0], time)
    assert not found.at_risk[0]
    assert not found.event[0]
    assert np.isnan(found.time_h[0])
    assert np.isnan(found.median_h())


def test_risk_can_begin_at_the_end_of_the_sessions():
    values = np.array([[40, 10, 30, 30, 10, 30, 30], [40, 10, 30, 30, 30, 10, 10.0]])
    time = np.arange(7) * 168.0
    found = outcome.relapse(values, [40.0, 40.0], time, start_h=4 * 168.0 - 1)
    assert found.at_risk.tolist() == [True, False]
    assert found.event.tolist() == [True, False]
    assert found.time_h[0] == 168.0
    assert not outcome.relapse(values, [40.0, 40.0], time, start_h=1e6).at_risk.any()


def test_other_scales_use_the_corresponding_score():
    values, time = weekly(30, 8, 17, 17, 17)
    assert outcome.relapse(values, [30.0], time, "score-22", scale="HAM-D17").event[0]
    values, time = weekly(30, 8, 16, 16, 16)
    assert not outcome.relapse(values, [30.0], time, "score-22", scale="HAM-D17").event[0]


def test_unknown_rule():
    values, time = weekly(40, 10)
    with pytest.raises(InputError, match="did you mean 'score-22'"):
        outcome.relapse(values, [40.0], time, "score-2")  # pyright: ignore[reportArgumentType]


def test_kaplan_meier_of_a_worked_example():
    """Six people: events at 1, 3, 3 and 7; one leaves at 2, one at 5."""
    times, free = outcome.kaplan_meier([1, 2, 3, 3, 5, 7], [1, 0, 1, 1, 0, 1])
    assert times.tolist() == [1, 3, 7]
    assert free == pytest.approx([5 / 6, 5 / 6 * 2 / 4, 0.0])
    assert outcome.kaplan_meier_median([1, 2, 3, 3, 5, 7], [1, 0, 1, 1, 0, 1]) == 3


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40))
def test_without_censoring_it_is_the_share_left(times: list[int]):
    at, free = outcome.kaplan_meier(times, np.ones(len(times), dtype=bool))
    for time, share in zip(at, free, strict=True):
        assert share == pytest.approx(np.mean(np.array(times) > time))


def test_a_median_that_is_never_reached():
    assert outcome.kaplan_meier_median([5.0, 5.0, 5.0], [True, False, False]) == np.inf
    assert np.isnan(outcome.kaplan_meier_median([], []))
