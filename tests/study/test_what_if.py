"""What if: the forecast's own numbers without a change, and the direction of every change."""

from datetime import date

import numpy as np
import pytest

from afterglow.clinic.course import Course
from afterglow.clinic.decision import Check
from afterglow.clinic.person import person_from_data
from afterglow.errors import InputError
from afterglow.study.forecast_study import Forecast, forecast

DOSE = {"drug": "ketamine", "route": "iv", "dose": "0.5 mg/kg", "over": "40 min"}
PERSON = {
    "person": "A",
    "age": 44,
    "start": date(2026, 3, 2),
    "doses": [{"day": 1, **DOSE}, {"day": 4, **DOSE}],
    "scores": [
        {"day": 1, "scale": "MADRS", "score": 34},
        {"day": 2, "scale": "MADRS", "score": 20},
        {"day": 8, "scale": "MADRS", "score": 18},
    ],
}


@pytest.fixture(scope="module")
def result() -> Forecast:
    return forecast(person_from_data(PERSON), weeks=6.0)


def less(result, changed, plan=0):
    """How much lower scores are than under the plan of the forecast, [futures, visits]."""
    return result.outlooks[plan].future.drawn - changed.outlook.future.drawn


def test_nothing_changed_gives_the_numbers_of_the_forecast(result):
    for one in result.outlooks:
        same = result.what_if(one.plan.name).outlook
        assert same.future.table().equals(one.future.table())
        assert same.burden.mg == one.burden.mg


def test_a_dose_lowers_scores_after_it_and_not_before(result):
    found = less(result, result.what_if().dose(*DOSE.values(), day=27))
    assert np.abs(found[:, :2]).max() < 0.1  # days 15 and 22
    assert found[:, 2].mean() > 1.0  # day 29
    assert np.mean(found[:, 2] > -0.1) > 0.99  # the same people with the same luck


def test_stress_raises_scores_and_more_stress_more(result):
    mild, severe = (less(result, result.what_if().stress(14, size, day=20)) for size in (0.5, 1.0))
    assert np.abs(severe[:, 0]).max() < 0.1
    assert severe[:, 3].mean() < mild[:, 3].mean() < -0.5


def test_therapy_helps_in_the_end(result):
    several = result.what_if()
    for day in (12, 19, 26, 33, 40):
        several = several.therapy(day=day)
    assert less(result, several)[:, -1].mean() > 0.0


def test_a_missed_booster_is_missed_and_given_again_is_none_missed(result):
    plan = result.what_if("every-7-d")
    sessions = [start for start, _ in plan.plan.course.sessions(8.0) if start > result.history.last_h]
    day = 1 + sessions[1] / 24.0
    missed = plan.missed(day)
    assert missed.outlook.burden.sessions == plan.outlook.burden.sessions - 1
    assert less(result, missed, 1)[:, 1].mean() < 0.0
    again = missed.dose(*DOSE.values(), day=day)
    assert np.abs(less(result, again, 1)).max() < 0.1
    assert again.outlook.burden.sessions == plan.outlook.burden.sessions


def test_changes_add_up_and_leave_the_first_as_it_was(result):
    plan = result.what_if()
    one = plan.dose(*DOSE.values(), day=27)
    both = one.stress(7, day=30)
    assert (len(plan.plan.course.doses), len(one.plan.course.doses), len(one.plan.course.stress)) == (2, 3, 0)
    assert len(both.plan.course.stress) == 1
    assert both.plan.name == "nothing-more, ketamine iv on day 27, 7 d of stress from day 30"


def test_dates_stand_for_days(result):
    by_date = result.what_if().dose(*DOSE.values(), day=date(2026, 3, 28))
    assert by_date.plan.course == result.what_if().dose(*DOSE.values(), day=27).plan.course


def test_checks_keep_to_their_session(result):
    check = Check.model_validate({"after_dose": 3, "if": "MADRS > 30", "then": "stop"})
    course = Course.model_validate({"course": "more", "doses": [{**DOSE, "days": [10, 17, 24]}]})
    found = forecast(result.person, [course.model_copy(update={"checks": (check,)})], weeks=6.0).what_if("more")

    def at(changed):
        """Hours of the checked sessions."""
        course = changed.plan.course
        return [course.sessions(10.0)[one.after_dose - 1][0] for one in course.checks]

    third = at(found)
    assert third == [course_day * 24.0 for course_day in (8 + 23,)]
    assert at(found.dose(*DOSE.values(), day=12)) == third
    assert at(found.dose(*DOSE.values(), day=40)) == third
    assert at(found.missed(18)) == third
    assert at(found.missed(1 + third[0] / 24.0)) == []


def test_what_cannot_be_is_refused(result):
    plan = result.what_if()
    with pytest.raises(InputError, match="day 3 does not lie ahead"):
        plan.dose(*DOSE.values(), day=3)
    with pytest.raises(InputError, match="day 300 does not lie ahead"):
        plan.stress(3, day=300)
    with pytest.raises(InputError, match="nothing is planned on day 30"):
        plan.missed(30)
    with pytest.raises(InputError, match="does not begin with a number"):
        plan.dose("ketamine", "iv", "much", "40 min", day=30)
    much = ("ketamine", "iv", "9 mg/kg", "40 min")
    with pytest.raises(InputError, match="24 h"):
        plan.dose(*much, day=30).dose(*much, day=30.5)
    with pytest.raises(InputError, match="no plan 'nothing-mor'"):
        result.what_if("nothing-mor")
