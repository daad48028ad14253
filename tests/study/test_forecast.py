"""Forecasts for one person: the population without scores, and what scores change."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

from afterglow import streams
from afterglow.clinic import scale
from afterglow.clinic.course import load_course
from afterglow.clinic.decision import Check, Maintenance
from afterglow.clinic.population import load_population
from afterglow.study.cloud import live, prior
from afterglow.study.forecast import (
    BANDS,
    FUTURES,
    Future,
    Person,
    Seen,
    baseline,
    before,
    foresee,
    oddness,
    relapse,
    update,
)
from afterglow.study.rating import Ratings, ratings

SEED = 6
COURSE = load_course("iv-induction").model_copy(update={"blinding": "open"})
AHEAD = 24.0 * np.array([16.0, 22.0, 29.0, 36.0, 50.0])
HISTORY = ((0.0, 35.0), (24.0, 24.0), (120.0, 19.0), (192.0, 20.0), (360.0, 14.0))


@pytest.fixture(scope="module")
def population():
    return prior(load_population().draw(SEED, 0, range(1024)), SEED)


def person(population, history=HISTORY, name="MADRS"):
    """Somebody with these scores, given as MADRS points and written down on a scale."""
    points = [np.rint(scale.convert(score, HISTORY[0][1], name)).item() for _, score in history]
    seen = [Seen(hour, name, score) for (hour, _), score in zip(history, points, strict=True)]
    return Person(population, COURSE, seen, SEED)


def forecast(population, history=HISTORY, name="MADRS", course=COURSE, time_h=AHEAD):
    return foresee(update(person(population, history, name)), "as it is", course, time_h)


# ------------------------------------------------------------------------------------------------ no scores, and scores


def test_without_scores_the_forecast_is_the_populations(population):
    updated = update(person(population, ()))
    assert (updated.effective, updated.refined, updated.odd, updated.warnings) == (1024, False, 1.0, [])
    assert updated.cloud is population
    found = foresee(updated, "as it is", COURSE, AHEAD).scores
    true, _ = live(population, COURSE, AHEAD, SEED)
    rated = [
        scale.measure(true[[i]], AHEAD, range(i, i + 1), SEED, **{k: v[i] for k, v in population.noise.items()})[0]
        for i in range(1024)
    ]
    error = np.std(rated, axis=0) / np.sqrt(1024)
    assert np.all(np.abs(found.mean(axis=0) - np.mean(rated, axis=0)) < 4 * error)  # the same people, other noise
    assert found.std(axis=0) == pytest.approx(np.std(rated, axis=0), rel=0.1)


def test_more_scores_narrow_the_bands(population):
    """On average over people of the population, the day after the last score."""
    table = load_population().draw(SEED + 1, 0, range(16))
    others = prior(table, SEED + 1)
    hours = np.array([hour for hour, _ in HISTORY])
    true, _ = live(others, COURSE, hours, SEED)
    of = ratings(true, baseline(others), hours, ["MADRS"] * 5, others.noise)
    scores = np.clip(np.rint(of.sample(streams.generator(1, "test").standard_normal((16, 5)))), 0, 60)
    widths = [
        np.mean([
            forecast(population, tuple(zip(hours[:k], mine[:k], strict=True)), time_h=np.array([384.0])).scores.std()
            for mine in scores[:4]
        ])
        for k in (0, 2, 5)
    ]  # fmt: skip
    assert widths[0] > widths[1] > widths[2]
    assert widths[2] < 0.75 * widths[0]


def test_a_better_history_gives_a_better_forecast(population):
    worse = tuple((hour, min(score + 8.0 * (hour > 0), 60.0)) for hour, score in HISTORY)
    better, other = (forecast(population, history).table() for history in (HISTORY, worse))
    assert np.all(better["mean"] < other["mean"])
    assert np.all(better["p_response"] > other["p_response"])


@pytest.mark.parametrize("name", ["PHQ-9", "QIDS-SR16", "HAM-D17"])
def test_the_same_history_on_another_scale_gives_a_forecast_that_agrees(population, name):
    """Within one point of the coarser scale, in MADRS points: its rounding is the information that is lost."""
    one, other = (forecast(population, name=scale_name).scores for scale_name in ("MADRS", name))
    assert np.abs(one.mean(axis=0) - other.mean(axis=0)).max() < 1 / scale.noise_ratio(name)
    assert other.std(axis=0) == pytest.approx(one.std(axis=0), rel=0.1)


def test_scales_may_be_mixed_in_one_history(population):
    whole = person(population).seen
    part = person(population, name="PHQ-9").seen
    mixed = Person(population, COURSE, [whole[0], part[1], whole[2], part[3], whole[4]], SEED)
    found = foresee(update(mixed), "as it is", COURSE, AHEAD).scores.mean(axis=0)
    assert np.abs(found - forecast(population).scores.mean(axis=0)).max() < 1 / scale.noise_ratio("PHQ-9")


@pytest.mark.parametrize("name", ["MADRS", "PHQ-9"])
def test_scores_to_come_are_whole_points_of_the_scale(population, name):
    found = foresee(update(person(population)), "as it is", COURSE, AHEAD, name)
    assert found.scores.min() >= scale.get(name).low
    assert found.scores.max() <= scale.get(name).high
    assert np.array_equal(found.scores, np.rint(found.scores))
    assert found.scores.shape == (FUTURES, len(AHEAD))


def test_a_forecast_is_deterministic(population):
    one, same = (forecast(population).table() for _ in range(2))
    assert one.equals(same)


def test_a_further_dose_lowers_the_forecast(population):
    (dose,) = COURSE.doses
    assert dose.days
    longer = COURSE.model_copy(update={"doses": (dose.model_copy(update={"days": (*dose.days, 16)}),)})
    hours = np.array([361.0, 384.0, 408.0])
    without, given = (forecast(population, course=course, time_h=hours).scores for course in (COURSE, longer))
    assert np.all(given.mean(axis=0)[1:] < without.mean(axis=0)[1:] - 1.0)
    assert np.mean(given[:, 1] <= without[:, 1] + 1) > 0.99  # the same people with the same noise


# ------------------------------------------------------------------------------------------------ tables


def test_the_table_nests_its_bands_and_counts_its_people(population):
    found = forecast(population)
    table = found.table()
    ladder = table[["lo90", "lo80", "lo50", "hi50", "hi80", "hi90"]].to_numpy()
    assert np.all(np.diff(ladder, axis=1) >= 0)
    assert found.drawn is not None
    for level, tail in BANDS.items():
        low, high = table[f"lo{level}"].to_numpy(), table[f"hi{level}"].to_numpy()
        below, above = (found.drawn < low).mean(axis=0), (found.drawn > high).mean(axis=0)
        assert np.all(np.abs(above - tail) < 2 / FUTURES)
        assert np.all((np.abs(below - tail) < 2 / FUTURES) | (low == 0))  # no tail below the floor
    assert table["p_remission"].to_numpy() == pytest.approx((found.scores <= 10).mean(axis=0))
    assert table["p_response"].to_numpy() == pytest.approx((found.scores <= 17.5).mean(axis=0))  # half of 35
    assert np.all(np.diff(table["p_relapse"]) >= 0)


def test_relapse_needs_a_stable_response_and_two_bad_visits():
    """W: well, b: bad, -: between. Weekly visits; the hour is that of the first of the two bad ones."""
    cases = {
        "WWbb": 2, "WWWb": None, "WbWbb": None, "WW-bb": 3, "WWb-bb": 4, "bbWW": None, "WWbbWWbb": 2, "-WWbb-": 3,
    }  # fmt: skip
    points = {"W": 10.0, "b": 25.0, "-": 21.0}
    for course, week in cases.items():
        times = np.arange(24.0, 24.0 + 168.0 * len(course), 168.0)
        scores = np.array([[points[visit] for visit in course]])
        expected = np.inf if week is None else times[week]
        assert relapse(scores, np.array([40.0]), times)[0] == expected, course


def test_a_response_is_stable_when_it_lasts_a_week_however_often_it_is_seen():
    scores, base = np.array([[10.0, 10.0, 10.0, 25.0, 25.0]]), np.array([40.0])
    assert relapse(scores, base, np.array([24.0, 48.0, 72.0, 240.0, 408.0]))[0] == np.inf
    assert relapse(scores, base, np.array([24.0, 96.0, 168.0, 240.0, 408.0]))[0] == 240.0


def test_what_has_been_counts_but_a_relapse_that_has_been_is_no_news():
    ahead, base, hours = 168.0 * np.array([5.0, 6.0, 7.0]), np.full(3, 40.0), np.arange(168.0, 800.0, 168.0)
    scores = np.array([[25.0, 25.0, 25.0], [10.0, 25.0, 25.0], [10.0, 10.0, 25.0]])

    def relapsed(*seen):
        return Future("p", "MADRS", ahead, scores, base, (np.array(seen), hours)).relapsed().tolist()

    assert relapsed(25.0, 10.0, 10.0, 10.0) == [[True] * 3, [False, True, True], [False] * 3]
    assert relapsed(10.0, 10.0, 10.0, 25.0)[0] == [True] * 3  # the first of two bad visits has been
    assert relapsed(10.0, 10.0, 25.0, 25.0)[0] == [False] * 3  # that relapse is known
    assert relapsed(25.0, 25.0, 25.0, 10.0)[1] == [False, True, True]
    assert relapsed(25.0, 25.0, 25.0, 25.0) == [[False] * 3] * 3


def test_past_scores_on_other_scales_count_for_relapse(population):
    """The same history in PHQ-9, and in both: what has been seen is the same within a point of the coarser scale."""
    points, hours = before(person(population), "MADRS")
    other, same_hours = before(person(population, name="PHQ-9"), "MADRS")
    assert hours.tolist() == same_hours.tolist() == [24.0, 120.0, 192.0, 360.0]
    assert np.abs(points - other).max() < 1 / scale.noise_ratio("PHQ-9")
    both = sorted([*person(population).seen, *person(population, name="PHQ-9").seen], key=lambda one: one.time_h)
    found, hours = before(Person(population, COURSE, both, SEED), "MADRS")
    assert found == pytest.approx((points + other) / 2)
    assert hours.tolist() == same_hours.tolist()


# ------------------------------------------------------------------------------------------------ decisions


def test_decisions_are_taken_on_the_scores_of_the_forecast(population):
    """After six sessions one a week for whom the table shows at 22 points or more, and for nobody else."""
    rule = Maintenance.model_validate({"when": "MADRS >= 22", "at_most": "1 per 7 d"})
    course = COURSE.model_copy(update={"maintenance": (rule,)})
    hours = np.array([one.time_h for one in course.decisions(7.0)])
    found, never = (forecast(population, course=one, time_h=hours) for one in (course, COURSE))
    assert found.given is not None
    assert never.given is None
    sessions, mg = found.given
    assert sessions.tolist() == (found.scores >= 22).sum(axis=1).tolist()
    assert np.all((mg > 0) == (sessions > 0))
    assert np.array_equal(found.scores[:, 0], never.scores[:, 0])  # nothing is decided before the first visit
    ill = found.scores[:, 0] >= 22
    assert found.drawn is not None
    assert never.drawn is not None
    less = (never.drawn - found.drawn)[:, 1]
    assert less[ill].mean() > 1.0
    assert np.abs(less[~ill]).max() < 0.1  # the same luck
    weekly = forecast(population, course=course, time_h=hours[::2])  # other visits of the same futures
    assert np.array_equal(weekly.scores, found.scores[:, ::2])
    assert weekly.given is not None
    assert weekly.given[0].tolist() == sessions.tolist()


def test_a_check_that_ends_treatment_ends_it(population):
    """Nobody is above 61 points and everybody below: one check stops nobody, and the other everybody."""
    hours = np.array([384.0, 552.0])
    line = COURSE.doses[0].model_copy(update={"days": (*(COURSE.doses[0].days or ()), 17.0)})
    longer = COURSE.model_copy(update={"doses": (line,)})
    rules = [{"after_dose": 6, "if": f"MADRS {sign} 61", "then": "stop", "after": "5 d"} for sign in (">", "<")]
    stops = [longer.model_copy(update={"checks": (Check.model_validate(rule),)}) for rule in rules]
    wanted = [forecast(population, course=one, time_h=hours).drawn for one in (longer, COURSE)]
    found = [forecast(population, course=one, time_h=hours).drawn for one in stops]
    for one, other in zip(found, wanted, strict=True):
        assert np.abs(np.asarray(one) - np.asarray(other)).max() < 0.1
    assert np.asarray(wanted[0])[:, 1].mean() < np.asarray(wanted[1])[:, 1].mean() - 1.0


def test_the_last_score_up_to_the_first_dose_is_the_baseline(population):
    screened = Person(population, COURSE, [Seen(-336.0, "MADRS", 44.0), Seen(0.0, "MADRS", 36.0)], SEED)
    assert np.all(foresee(update(screened), "as it is", COURSE, AHEAD).baseline == 36.0)


# ------------------------------------------------------------------------------------------------ who does not fit


def test_oddness_of_a_normal_population_is_a_chi_squared_probability():
    """People differ in the first score only; the ratings of each spread in all three."""
    mean = np.full((2000, 3), 30.0)
    mean[:, 0] += 6.0 * streams.generator(1, "test").standard_normal(2000)
    found = Ratings(mean, np.tile(np.diag([4.0, 36.0, 49.0]), (2000, 1, 1)))
    for miss in (np.array([1.0, 1.0, -1.0]), np.array([6.0, -6.0, 7.0]), np.array([3.0, 12.0, 0.0])):
        p = float(chi2.sf(np.sum(miss**2 / np.array([40.0, 36.0, 49.0])), 3))
        found_p = oddness(found, 30.0 + miss, ["MADRS"] * 3, 1)
        assert found_p == pytest.approx(p, abs=4.5 * np.sqrt(p * (1 - p) / 2000) + 0.005)


def test_oddness_is_fair_where_the_scale_ends():
    """Nearly half of the scores would lie beyond the bound: 5 % of what is written down is below 5 %, not less."""
    found = Ratings(np.full((2000, 2), 2.0), np.tile(np.diag([100.0, 100.0]), (2000, 1, 1)))
    normal = streams.generator(2, "test").standard_normal((2000, 2))
    written = np.clip(np.rint(found.sample(normal)), 0, 60)
    low = np.mean([oddness(found, scores, ["MADRS"] * 2, 1) < 0.05 for scores in written[:1000]])
    assert low == pytest.approx(0.05, abs=0.02)


def test_oddness_ignores_whom_the_solver_gave_up():
    mean = np.full((800, 2), 30.0)
    mean[::4] = np.nan
    some = Ratings(mean, np.tile(64.0 * np.eye(2), (800, 1, 1)))
    assert oddness(some, np.array([38.0, 38.0]), ["MADRS"] * 2, 1) == pytest.approx(np.exp(-1.0), abs=0.09)


def test_a_wild_history_is_warned_of_and_a_usual_one_is_not(population):
    wild = tuple(zip([0.0, 24.0, 120.0, 192.0, 360.0], [30.0, 2.0, 55.0, 1.0, 58.0], strict=True))
    found = update(person(population, wild))
    assert found.odd < 0.01
    assert "odd" in found.warnings[0]
    assert found.refined
    assert update(person(population)).warnings == []


def test_refinement_that_ends_early_is_told(population):
    found = replace(update(person(population)), refined=True, reached=0.4)
    assert "at 40 %" in found.warnings[-1]


@pytest.mark.slow
def test_refined_people_agree_with_a_much_larger_cloud():
    """A score that few of the people explain, against the weights of 32 times as many."""
    history = ((0.0, 47.0), (24.0, 6.0), (192.0, 8.0), (360.0, 3.0), (384.0, 5.0))
    hours = np.array([408.0, 528.0, 696.0])
    small, large = (prior(load_population().draw(SEED, 0, range(n)), SEED) for n in (1024, 32768))
    updated, exact = (update(person(cloud, history)) for cloud in (small, large))
    assert updated.refined
    assert not exact.refined
    one, other = (foresee(found, "as it is", COURSE, hours).scores for found in (updated, exact))
    assert np.abs(one.mean(axis=0) - other.mean(axis=0)).max() < 1.5
    assert one.std(axis=0) == pytest.approx(other.std(axis=0), rel=0.15)
