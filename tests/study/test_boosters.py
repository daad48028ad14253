"""Rules for boosters: who is dosed when, on what is known, and which rules no other beats."""

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


def ran(person, cloud, rule):
    return boosters.run(person, cloud, "rule", rule, DOSE, TIMES)


def test_a_fixed_rule_doses_everybody_on_its_days(person, cloud):
    weekly, fortnightly = (ran(person, cloud, boosters.fixed(days)) for days in (7.0, 14.0))
    assert weekly.doses.all()
    assert fortnightly.doses[:, 1::2].all()  # the last infusion is 8 days old at the first visit
    assert not fortnightly.doses[:, ::2].any()
    assert not ran(person, cloud, boosters.never).doses.any()


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
        doses.append(ran(one, some, boosters.symptom(22.0)).doses.mean())
    assert doses[0] < doses[1] - 0.1


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


def test_the_front_holds_what_nothing_beats():
    rows = [
        {"days_in_remission": 10.0, "doses": 0.0},
        {"days_in_remission": 20.0, "doses": 4.0},
        {"days_in_remission": 19.0, "doses": 5.0},
        {"days_in_remission": 20.0, "doses": 6.0},
        {"days_in_remission": 30.0, "doses": 8.0},
    ]
    assert boosters.pareto(rows) == [True, True, False, False, True]


def test_logistic_regression_finds_known_coefficients():
    rng = np.random.Generator(np.random.Philox(1))
    x = np.column_stack([np.ones(20_000), rng.standard_normal((20_000, 2))])
    beta = np.array([-0.5, 1.0, -2.0])
    y = (rng.random(20_000) < expit(x @ beta)).astype(float)
    assert boosters._logistic(x, y) == pytest.approx(beta, abs=0.1)
