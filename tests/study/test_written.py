"""Scores drawn along a path: against the Gaussian process that they come from, and the same whatever is asked for."""

from dataclasses import replace

import numpy as np
import pytest

from afterglow.clinic.course import load_course
from afterglow.clinic.decision import Maintenance
from afterglow.clinic.population import load_population
from afterglow.study.cloud import Cloud, prior
from afterglow.study.rating import ROUNDING, ratings
from afterglow.study.written import Writer, undecided, written_down

SEEN_H = np.array([0.0, 24.0, 24.0, 192.0])
SCALES = ["MADRS", "MADRS", "PHQ-9", "MADRS"]
SCORES = np.array([35.0, 24.0, 12.0, 31.0])
AHEAD_H = np.array([216.0, 360.0, 1002.0])
TRUE_SEEN, TRUE = np.array([34.0, 26.0, 26.0, 28.0]), np.array([28.0, 30.0, 33.0])


@pytest.fixture(scope="module")
def alike() -> Cloud:
    """Many people who are all the same but for their luck."""
    n, one = 40_000, prior(load_population().draw(3, 0, range(8)), 3)
    noise = {"rater_sd": 3.0, "fluctuation_sd": 6.0, "fluctuation_tau_d": 6.0, "fluctuation_power": 0.5}
    many = one.take(np.zeros(n, dtype=np.int64))
    people = many.people.assign(baseline_madrs=34.0)
    return replace(many, people=people, noise={name: np.full(n, value) for name, value in noise.items()})


def rows(true, cloud):
    return np.tile(true, (len(cloud), 1))


def drawn(cloud, name="MADRS", known=4, hours=AHEAD_H, seed=1):
    writer = Writer(cloud, SEEN_H[:known], SCALES[:known], SCORES[:known], 1010.0, seed)
    true = np.interp(hours, AHEAD_H, TRUE)
    return writer.drawn(name, hours, rows(true, cloud), rows(TRUE_SEEN[:known], cloud))


@pytest.mark.parametrize("name", ["MADRS", "QIDS-SR16"])
@pytest.mark.parametrize("known", [0, 4])
def test_paths_have_the_mean_and_covariance_of_the_process(alike, name, known):
    found = drawn(alike, name, known)
    joint = ratings(
        np.concatenate([TRUE_SEEN[:known], TRUE])[None], np.array([34.0]), np.concatenate([SEEN_H[:known], AHEAD_H]),
        [*SCALES[:known], *[name] * 3], {key: values[:1] for key, values in alike.noise.items()},
    )  # fmt: skip
    expected = joint.given(range(known), SCORES[:known], range(known, known + 3))
    covariance = expected.covariance[0] - ROUNDING * np.eye(3)
    sizes, n = np.diag(covariance), len(alike)
    assert found.mean(axis=0) == pytest.approx(expected.mean[0], abs=4.5 * np.sqrt(sizes.max() / n))
    error = np.sqrt((np.outer(sizes, sizes) + covariance**2) / n)
    assert np.all(np.abs(np.cov(found, rowvar=False) - covariance) < 4.5 * error)


def test_a_visit_has_one_score_whichever_others_are_asked_for(alike):
    few = alike.take(np.arange(500))
    together = drawn(few)
    for k, hour in enumerate(AHEAD_H):
        assert drawn(few, hours=np.array([hour]))[:, 0] == pytest.approx(together[:, k], abs=1e-9)
    writer = Writer(few, SEEN_H, SCALES, SCORES, 5000.0, 1)  # a longer horizon
    assert writer.drawn("MADRS", AHEAD_H, rows(TRUE, few), rows(TRUE_SEEN, few)) == pytest.approx(together, abs=1e-9)
    assert np.abs(drawn(few, seed=2) - together).mean() > 1.0


def test_scales_share_the_fluctuation_and_not_the_rater(alike):
    few = alike.take(np.arange(5000))
    two, other = drawn(few, "MADRS"), drawn(few, "QIDS-SR16")
    between = np.corrcoef(two[:, 2], other[:, 2])[0, 1]
    swing, rater = 36.0 * (33.0 / 30.0), 9.0  # late enough to have forgotten the scores
    assert between == pytest.approx(swing / (swing + rater), abs=0.03)


def test_the_baseline_is_the_last_that_was_written_down_or_drawn(alike):
    few = alike.take(np.arange(2000))
    writer = Writer(few, np.array([-48.0, 0.0]), ["MADRS", "MADRS"], np.array([40.0, 36.0]), 100.0, 1)
    true = rows(np.array([34.0, 34.0]), few)
    assert np.all(writer.baseline("MADRS", true) == 36.0)
    other = writer.baseline("PHQ-9", true)
    assert np.array_equal(other, np.rint(other))
    assert other.std() > 1.0


def test_what_is_written_down_is_whole_points_of_the_scale():
    assert written_down(np.array([-3.0, 12.4, 99.0]), "PHQ-9").tolist() == [0.0, 12.0, 27.0]


def test_a_course_without_its_decisions_plans_the_same():
    rules = ({"when": "MADRS >= 22", "at_most": "1 per 7 d"}, {"every": "14 d"})
    lines = tuple(Maintenance.model_validate(rule) for rule in rules)
    course = load_course("iv-induction").model_copy(update={"maintenance": lines})
    assert course.decisions(12.0)
    assert undecided(course).decisions(12.0) == []
    when = [(one.time_h, one.amount) for one in course.regimen(12.0).administrations]
    assert [(one.time_h, one.amount) for one in undecided(course).regimen(12.0).administrations] == when
