"""Numbers, bands and times of the page: against independent libraries and closed forms."""

import numpy as np
import pytest

from afterglow import streams
from afterglow.clinic import outcome
from afterglow.clinic.course import load_course, parse_course
from afterglow.study.live import run, scenario_from_data
from afterglow.study.live_bands import QUANTILES, band, plain
from afterglow.study.live_clock import COARSE, FIRST_H, FULL, clock
from afterglow.study.live_facts import presets
from afterglow.study.live_numbers import median_wait
from afterglow.study.live_people import Crowd, Order, lived
from afterglow.study.live_scenario import Who

OFTEN = {"drug": "ketamine", "route": "oral", "dose": "30 mg", "every": "36 h"}


def ask(course="iv-induction", weeks=6, people=200, coarse=False, **more):
    data = next(one for one in presets() if one["course"] == course)
    return run(scenario_from_data({"course": data, "weeks": weeks, **more}), people, coarse)


def by_key(answer):
    return {one.key: one for one in answer.numbers}


# ------------------------------------------------------------------------------------------------ bands and times


@pytest.mark.parametrize("people", [1, 2, 8, 97])
def test_bands_are_quantiles(people):
    values = streams.generator(1, "test").standard_normal((5, people))
    found = band(values)
    for name, share in QUANTILES.items():
        assert getattr(found, name) == pytest.approx(np.quantile(values, share, axis=1))
    assert found.mean == pytest.approx(values.mean(axis=1))


def test_plain_numbers_have_six_digits_and_no_nan():
    values = np.array([0.0, 5 / 60, 1344 + 2 / 3, -1.23456789e-9, 1e-300, np.nan, -np.inf])
    assert plain({"a": values, "b": (np.array([1, 0]), float("nan"))}) == {
        "a": [0.0, 0.0833333, 1344.67, -1.23457e-9, 0.0, None, None],
        "b": [[1, 0], None],
    }


@pytest.mark.parametrize("most", [COARSE, FULL])
@pytest.mark.parametrize("weeks", [1.0, 2.5, 8.0, 26.0])
@pytest.mark.parametrize("course", ["iv-induction", "iv-boosters", "nasal-esketamine", "ssri", "usual-care", OFTEN])
def test_the_clock_is_smooth_and_short(course, weeks, most):
    found = parse_course({"course": "often", "doses": [course]}) if course is OFTEN else load_course(course)
    times = clock([found], weeks, most)
    assert times[0] == 0
    assert times[-1] == weeks * 168
    assert (np.diff(times) > 1e-6).all()
    assert len(times) <= most
    assert set(np.round(FIRST_H, 9)) <= set(times)
    assert {168.0 * k for k in range(int(weeks) + 1)} <= set(times)


def test_every_later_dose_is_as_near_as_the_first():
    course = load_course("iv-boosters")
    times = clock([course], 26)
    later = [one.time_h for one in course.decisions(26) if one.action == "give" and one.time_h < 25 * 168]
    starts = [start for start, _ in course.sessions(26)] + later
    assert len(starts) > 25
    for start in starts:
        inside = times[(times >= start - 1e-6) & (times <= start + 24.0 + 1e-6)] - start
        assert np.diff(inside[inside <= 2.0]).max() <= 1.0
        assert len(inside) >= 6


def test_the_clock_starts_with_the_first_dose():
    late = parse_course({"course": "a", "doses": [{**OFTEN, "from": 3}]})
    assert {round(48 + h, 9) for h in FIRST_H} <= set(clock([late], 8, COARSE))


# ------------------------------------------------------------------------------------------------ outcomes


def test_shares_are_counts_of_scores_as_written_down():
    answer, crowd = ask(), Crowd(Who(), 1, None)
    times = tuple(answer.time_h.tolist())
    scores = lived(Order(load_course("iv-induction"), crowd, range(200), 6.0, times)).rated.T
    at = np.searchsorted(answer.time_h, [24.0, 672.0])
    responded = outcome.response(scores[:, at], scores[:, 0])[:, 0]
    found = by_key(answer)
    assert found["response"].value == pytest.approx(100 * responded.mean())
    assert found["remission"].value == pytest.approx(100 * (scores[:, at[1]] <= 10).mean())
    for one in answer.numbers[:2]:
        assert 0 <= one.lo90 < one.value < one.hi90 <= 100


def test_the_calibration_widens_an_interval():
    course = scenario_from_data({"course": {"course": "a", "doses": [
        {"drug": "ketamine", "route": "iv", "dose": "0.5 mg/kg", "over": "40 min", "days": [1]}]}})  # fmt: skip
    wide, narrow = (run(course, 800, coarse).numbers[0] for coarse in (False, True))
    assert wide.value == narrow.value
    assert wide.hi90 - wide.lo90 > 1.1 * (narrow.hi90 - narrow.lo90)


def test_remission_is_that_of_the_last_week_where_the_fourth_is_not_reached():
    found = by_key(ask(weeks=2.5, people=64))["remission"]
    assert found.label == "Remission at week 2"
    assert "week 4 lies after" in found.help


def test_without_half_relapsing_there_is_no_median():
    found = by_key(ask(weeks=2, people=64))["relapse"]
    assert found.value is None
    assert "fewer than half" in found.help


def waits(scale, end, people=80, seed=2):
    wait = np.round(streams.generator(seed, "test").exponential(scale, people)) + 1
    return np.minimum(wait, end), wait <= end


@pytest.mark.parametrize(("scale", "end"), [(30.0, 60.0), (90.0, 60.0), (300.0, 60.0)])
def test_the_median_wait_is_that_of_another_library(scale, end):
    from statsmodels.duration.survfunc import SurvfuncRight

    wait, event = waits(scale, end)
    other = SurvfuncRight(wait, event)
    expected = (other.quantile(0.5), *other.quantile_ci(0.5, alpha=0.10, method="linear"))
    found = [np.inf if one is None else one for one in median_wait(wait, event)]
    assert found == pytest.approx([np.inf if np.isnan(one) else one for one in expected])


def test_draws_that_agree_add_nothing_but_the_quantile_of_t_and_others_widen():
    wait, event = waits(30.0, 60.0)
    middle, low, high = median_wait(wait, event, [(wait, event)] * 1000)
    assert (middle, low, high) == median_wait(wait, event)
    fast, slow = waits(15.0, 60.0), waits(60.0, 60.0)
    same, lower, higher = median_wait(wait, event, [fast, slow] * 8)
    assert same == middle
    assert 0 < lower < low
    assert high < (higher or np.inf)


def test_a_relapse_is_known_to_the_week():
    """Ratings are weekly: the interval reaches back to the rating before, however many people there are."""
    for coarse in (False, True):
        found = by_key(ask(weeks=12, people=200, coarse=coarse))["relapse"]
        assert 0 <= found.lo90 <= found.value - 6
        assert found.hi90 >= found.value


def test_a_median_of_nobody_who_relapses_is_not_reached():
    assert median_wait(np.array([5.0, 6.0]), np.array([False, False])) == (None, None, None)


# ------------------------------------------------------------------------------------------------ sessions


def test_a_session_without_drug_has_the_risks_of_placebo():
    found = {one.key: one for one in ask("saline-single", weeks=1, people=64).safety}
    assert found["cadss"].value == found["systolic"].value == found["sedation"].value == 0
    assert found["nausea"].value == pytest.approx(100 * (1 - np.exp(-0.0137)), rel=1e-3)


def test_sessions_add_up_for_nausea():
    """Without drug every session has the same chance, and sessions are independent."""
    days = [1, 3, 5, 8]
    course = {"course": "a", "doses": [{"drug": "saline", "route": "iv", "over": "40 min", "days": days}]}
    found = run(scenario_from_data({"course": course, "weeks": 2}), 8).safety[2]
    assert found.value == pytest.approx(100 * (1 - np.exp(-0.0137 * len(days))), rel=1e-3)
