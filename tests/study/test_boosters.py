"""Rules for boosters: who is dosed when, on what is known."""

import numpy as np
import pytest
from scipy.special import expit

from afterglow.clinic.course import load_course
from afterglow.clinic.population import load_population
from afterglow.study import boosters, forecast
from afterglow.study.cloud import prior

WEEKS = 8
COURSE = load_course("iv-induction").model_copy(update={"blinding": "open"})
DOSE = COURSE.doses[0]
TIMES = 19 * 24.0 + 168.0 * np.arange(WEEKS)


@pytest.fixture(scope="module")
def cloud():
    return prior(load_population().draw(1, 0, range(192)), 1)


@pytest.fixture(scope="module")
def person(cloud):
    return forecast.Person(cloud, COURSE, [])


def ran(person, cloud, rule, dose=DOSE, **options):
    return boosters.run(person, cloud, "rule", rule, dose, TIMES, **options)


def played(rule, scores, first_since_d=7.0):
    """What a rule does to people whose weekly scores are given, whatever it does, [people, visits]."""
    scores = np.atleast_2d(np.asarray(scores, dtype=float))
    doses = np.zeros((len(scores), 0), dtype=bool)
    since = np.full(len(scores), first_since_d)
    for k in range(scores.shape[1]):
        before = scores[:, max(k - 1, 0)]
        visit = boosters.Visit(7.0 * k, scores[:, : k + 1], doses, before, np.full(len(scores), 30.0), since)
        given = rule(visit)
        doses = np.column_stack([doses, given])
        since = np.where(given, 7.0, since + 7.0)
    return doses


def weeks_of(doses):
    return np.flatnonzero(doses[0]).tolist()


def test_a_fixed_rule_doses_everybody_on_its_days(person, cloud):
    weekly, fortnightly = (ran(person, cloud, boosters.fixed(days)) for days in (7.0, 14.0))
    assert weekly.doses.all()
    assert fortnightly.doses[:, 1::2].all()  # the last infusion is 8 days old at the first visit
    assert not fortnightly.doses[:, ::2].any()


def test_never_gives_no_dose_and_needs_none(person, cloud):
    never = ran(person, cloud, boosters.never, acute=True)
    without = ran(person, cloud, boosters.never, dose=None)
    assert not never.doses.any()
    assert not never.cadss.any()
    assert np.abs(never.scores - without.scores).max() <= 1.0  # steps of the solver differ


def test_a_symptom_rule_doses_those_who_are_ill_and_nobody_else(person, cloud):
    found = ran(person, cloud, boosters.symptom(22.0))
    assert np.array_equal(found.doses, found.scores >= 22.0)
    assert 0.1 < found.doses.mean() < 0.9


def test_scores_are_the_same_until_a_dose_makes_them_differ(person, cloud):
    never, symptom = (ran(person, cloud, rule) for rule in (boosters.never, boosters.symptom(22.0)))
    same = np.cumsum(symptom.doses, axis=1) - symptom.doses == 0  # no dose before this visit
    assert np.abs(never.scores - symptom.scores)[same].max() <= 1.0  # steps of the solver differ
    assert (symptom.scores - never.scores)[~same].mean() < -1.0


def test_without_doses_the_scores_are_those_of_the_forecast(person, cloud):
    never = ran(person, cloud, boosters.never)
    future = forecast.foresee(forecast.update(person), "nothing", COURSE, TIMES, count=192)
    spread = np.hypot(never.scores.std(axis=0), future.scores.std(axis=0)) / np.sqrt(192)
    assert (np.abs(never.scores.mean(axis=0) - future.scores.mean(axis=0)) < 4 * spread).all()


def test_what_has_been_written_down_moves_the_rule(cloud):
    well = [forecast.Seen(0.0, "MADRS", 33.0), forecast.Seen(18 * 24.0, "MADRS", 4.0)]
    ill = [well[0], forecast.Seen(18 * 24.0, "MADRS", 34.0)]
    doses = []
    for seen in (well, ill):
        one = forecast.Person(cloud, COURSE, seen)
        some = forecast.update(one).cloud.resampled(192, 1, "test")
        found = ran(one, some, boosters.symptom(22.0))
        assert (found.baseline == 33.0).all()
        doses.append(found.doses.mean())
    assert doses[0] < doses[1] - 0.1


def test_a_baseline_that_nobody_wrote_down_is_not_the_first_score(cloud):
    one = forecast.Person(cloud, COURSE, [forecast.Seen(18 * 24.0, "MADRS", 4.0)])
    some = forecast.update(one).cloud.resampled(192, 1, "test")
    assert ran(one, some, boosters.never).baseline.mean() > 20.0


def test_dissociation_follows_doses_only(person, cloud):
    found = ran(person, cloud, boosters.symptom(30.0), acute=True)
    dosed = found.doses.any(axis=1)
    assert 0 < dosed.sum() < len(dosed)
    assert not found.cadss[~dosed].any()
    assert (found.cadss[dosed] > 0).all()


def test_the_regression_is_calibrated_on_other_people(person, cloud):
    beta = boosters.regression(person, cloud, DOSE, TIMES)
    others = prior(load_population().draw(2, 0, range(192)), 2)
    other = forecast.Person(others, COURSE, [], seed=2)
    seen = []

    def watch(visit):
        seen.append(visit)
        return boosters.never(visit)

    found = ran(other, others, watch)
    p = np.concatenate([expit(visit.features() @ beta) for visit in seen[:-1]])
    ill = (found.scores[:, 1:] >= boosters.RELAPSE).T.ravel()
    assert abs(p.mean() - ill.mean()) < 0.08
    high, low = ill[p > np.median(p)].mean(), ill[p <= np.median(p)].mean()
    assert high > low + 0.1


def test_logistic_regression_finds_known_coefficients():
    rng = np.random.Generator(np.random.Philox(1))
    x = np.column_stack([np.ones(20_000), rng.standard_normal((20_000, 2))])
    beta = np.array([-0.5, 1.0, -2.0])
    y = (rng.random(20_000) < expit(x @ beta)).astype(float)
    assert boosters._logistic(x, y) == pytest.approx(beta, abs=0.1)


# ---------------------------------------------------------------------------------------- the rules by themselves


def test_a_taper_keeps_its_schedule_whatever_the_score():
    ill, well = played(boosters.taper, [[40.0] * 24]), played(boosters.taper, [[0.0] * 24])
    assert weeks_of(ill) == weeks_of(well) == [0, 1, 2, 3, 5, 7, 11, 15, 19, 23]
    assert len(weeks_of(ill)) == len(boosters.TAPER_D) + 4


def test_a_series_begins_on_its_day_and_keeps_its_interval():
    scores = [[20.0] * 8]
    assert weeks_of(played(boosters.begun(7.0), scores)) == [1]
    assert weeks_of(played(boosters.begun(7.0, 14.0), scores)) == [1, 3, 5, 7]
    assert weeks_of(played(boosters.begun(0.0, 14.0), scores)) == [0, 2, 4, 6]


def test_intervals_stretch_while_well_up_to_their_longest():
    assert weeks_of(played(boosters.stretch, [[5.0] * 40])) == [0, 2, 5, 9, 14, 20, 26, 32, 38]


def test_intervals_stay_a_week_while_ill_and_shrink_after_a_relapse():
    assert played(boosters.stretch, [[30.0] * 10]).all()
    # Well at 0 and 2 (intervals of 2 and 3 weeks), then a relapse at week 4: 2 weeks are over, so a dose.
    assert weeks_of(played(boosters.stretch, [[5, 15, 5, 15, 30, 15, 15, 15]])) == [0, 2, 4, 6]


def test_between_remission_and_relapse_the_interval_stays():
    assert weeks_of(played(boosters.stretch, [[5, *[15] * 9]])) == [0, 2, 4, 6, 8]


def test_after_so_many_well_visits_there_is_no_dose_ever_again():
    rule = boosters.until_well(boosters.fixed(7.0), 3)
    assert weeks_of(played(rule, [[30, 5, 5, 5, 40, 40, 40, 40]])) == [0, 1, 2]
    assert weeks_of(played(rule, [[5, 5, 30, 5, 5, 30, 5, 5]])) == list(range(8))  # never three running


def test_doses_that_bring_no_response_end():
    rule = boosters.while_useful(boosters.fixed(7.0), 2)
    assert weeks_of(played(rule, [[30] * 8])) == [0, 1]
    assert weeks_of(played(rule, [[30, 15, *[30] * 6]])) == list(range(8))  # half of 30 is gone once: a response
    # A good score before the first dose is not its work.
    assert weeks_of(played(rule, [[14, 30, 30, 14, 14, 14]])) == [0, 1]


def test_a_stop_rule_never_adds_doses(person, cloud):
    weekly = ran(person, cloud, boosters.fixed(7.0))
    for rule in (boosters.until_well(boosters.fixed(7.0), 2), boosters.while_useful(boosters.fixed(7.0), 3)):
        stopped = ran(person, cloud, rule)
        assert (stopped.doses <= weekly.doses).all()
        assert stopped.doses.sum() < weekly.doses.sum()
        for doses in stopped.doses:  # once it has stopped it stays so
            given = np.flatnonzero(doses)
            assert (np.diff(given) == 1).all()
