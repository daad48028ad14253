"""Where the width of the score comes from."""

import numpy as np
import pytest

from afterglow import streams
from afterglow.clinic.course import parse_course
from afterglow.study.live import run, scenario_from_data, why
from afterglow.study.live_people import Crowd, Order, go
from afterglow.study.live_scenario import Who
from afterglow.study.live_why import DRAWS, SAME_PEOPLE, median_range

COURSE = {
    "course": "mine",
    "doses": [{"drug": "ketamine", "route": "iv", "dose": "0.5 mg/kg", "over": "40 min", "days": [1, 3, 5]}],
}


@pytest.fixture(scope="module")
def found():
    return why(scenario_from_data({"course": COURSE, "weeks": 4}), 400)


def parts(answer):
    return {one.source: one for one in answer.parts}


def test_the_whole_is_about_as_wide_as_any_part(found):
    total = found.total.width_mean
    assert list(parts(found)) == ["people", "parameters", "ratings", "sample"]
    for one in found.parts:
        assert 0 < one.width_mean < 1.05 * total, one.source
        assert (one.hi90 >= one.lo90).all()


def test_mean_width_is_the_area_between_the_ends(found):
    for one in (found.total, found.parts[0]):
        steps, width = np.diff(found.time_h), one.hi90 - one.lo90
        assert one.width_mean == pytest.approx(np.sum(steps * (width[1:] + width[:-1]) / 2) / found.time_h[-1])


def test_what_leaves_no_trace_has_no_width():
    """Untreated people of one severity have one true course under every draw; only their ratings differ."""
    who = {"kind": "person", "severity": 30}
    found = parts(why(scenario_from_data({"course": {"course": "a", "in_care": False}, "who": who, "weeks": 2}), 64))
    for source in ("people", "parameters", "sample"):
        assert found[source].width_mean == pytest.approx(0, abs=1e-3), source
    assert found["ratings"].width_mean > 5


def test_only_the_sample_shrinks_with_more_people(found):
    few = parts(why(scenario_from_data({"course": COURSE, "weeks": 4}), 104))
    many = parts(found)
    assert few["sample"].width_mean > 1.4 * many["sample"].width_mean
    for source in ("people", "parameters", "ratings"):
        assert few[source].width_mean == pytest.approx(many[source].width_mean, rel=0.25), source


def test_the_interval_of_the_median_covers_it():
    values = streams.generator(3, "test").standard_normal((101, 400))  # 400 samples of a known median
    low, high = median_range(values)
    assert np.mean((low <= 0) & (high >= 0)) == pytest.approx(0.90, abs=0.04)


def test_people_all_have_the_medians_and_draws_share_their_people(found):
    course, crowd, times = parse_course(COURSE), Crowd(Who(), 1, None), tuple(found.time_h.tolist())
    order = Order(course, crowd, range(400), 4.0, times)
    _, medians = go(order, [crowd.at_medians(range(400))])
    assert parts(found)["people"].hi90 == pytest.approx(np.quantile(medians[:, :, 0], 0.95, axis=0), abs=1e-3)
    _, drawn = go(order, [crowd.under_draws(SAME_PEOPLE, DRAWS)])
    means = drawn[:, :, 0].reshape(DRAWS, SAME_PEOPLE, -1).mean(axis=1)
    assert parts(found)["parameters"].lo90 == pytest.approx(np.quantile(means, 0.05, axis=0), abs=1e-3)


def test_a_horizon_between_two_hours_has_scores_to_its_end():
    scenario = scenario_from_data({"course": {"course": "nothing"}, "weeks": 22.016634114194986, "seed": 672})
    found = why(scenario, people=16)
    assert np.isfinite([found.total.hi90, *(part.hi90 for part in found.parts)]).all()
    assert np.isfinite(run(scenario, people=16).panels["madrs"].hi90).all()
