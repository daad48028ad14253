"""What a statistician is given: holes, intercurrent events, times to events."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from afterglow.clinic.trial_parts import Endpoint
from afterglow.study.trial_data import Observed, events, hits
from small_trials import by_arm, made_up, trial

NAN = np.nan
VISITS = [0.0, 24.0, 72.0, 168.0, 336.0]
DAYS = np.array(VISITS) / 24.0
TIMES = ["24 h", "3 d", "7 d", "14 d"]
RELAPSE = {"measure": "relapse", "rule": "score-22"}
RUN_IN = {"day": 4, "if": "MADRS <= 12", "at": ["3 d"]}


def design(**changes):
    """A trial with these visits; the names of its arms do not matter here."""
    return trial(visits=TIMES, endpoints=[{"measure": "change", "at": "14 d"}], **changes)


def found(rows, measure="relapse", rule="score-22", **changes):
    """Events of people with these scores."""
    never = np.full(len(rows), np.inf)
    return events(
        design(**changes), Endpoint(measure=measure, rule=rule), np.array(rows, float), np.array(VISITS), never
    )


# ------------------------------------------------------------------------------------------------ events by hand


@pytest.mark.parametrize(
    ("scores", "at_risk", "days", "happened"),
    [
        ([40, 15, 15, 15, 15], True, 13, False),  # responds on day 1 and stays well
        ([40, 15, 30, 30, 15], True, 2, True),  # ill on days 3 and 7: the first of the two counts
        ([40, 15, 30, 15, 30], True, 13, False),  # never twice in a row
        ([40, 15, 15, 15, 30], True, 13, False),  # ill at the last visit only
        ([40, 15, 30, NAN, 30], True, 2, True),  # a visit in between was missed
        ([40, 15, 30, NAN, NAN], True, 2, False),  # left when ill once
        ([40, NAN, 15, 30, NAN], True, 4, False),  # responds on day 3, ill once on day 7, then lost
        ([40, 30, 30, 30, 30], False, NAN, False),  # never responds
        ([40, 30, 30, 30, 15], False, 0, False),  # responds at the end: nothing is seen of it
        ([40, NAN, NAN, NAN, NAN], False, NAN, False),
    ],
)
def test_relapse_by_hand(scores, at_risk, days, happened):
    one = found([scores])
    assert one.at_risk[0] == at_risk
    assert one.happened[0] == happened
    if at_risk:
        assert one.days[0] == pytest.approx(days)


@pytest.mark.parametrize(
    ("scores", "at_risk", "days", "happened"),
    [
        ([40, 30, 10, 30, 30], True, 4, True),  # counts from day 3; ill on days 7 and 14
        ([40, 30, 30, 30, 10], True, 11, False),  # ill on day 3 is before the risk begins, day 7 alone is not enough
        ([40, 10, 10, 30, NAN], True, 4, False),
        ([40, 10, 10, NAN, NAN], False, 0, False),  # lost at once
    ],
)
def test_relapse_after_a_run_in_counts_from_the_randomisation(scores, at_risk, days, happened):
    one = found([scores], randomised=RUN_IN)
    assert (one.at_risk[0], one.happened[0]) == (at_risk, happened)
    assert one.days[0] == pytest.approx(days)


@pytest.mark.parametrize(
    ("scores", "days", "happened"),
    [
        ([40, 30, 20, 30, 30], 3, True),  # half is a response
        ([40, 30, 21, 21, 21], 14, False),
        ([40, NAN, NAN, 10, NAN], 7, True),
        ([40, 30, NAN, 30, NAN], 7, False),
        ([40, NAN, NAN, NAN, NAN], 0, False),
    ],
)
def test_time_to_response_by_hand(scores, days, happened):
    one = found([scores], measure="time-to-response")
    assert one.at_risk[0]
    assert (one.days[0], one.happened[0]) == (days, happened)


# ------------------------------------------------------------------------------------------------ against a slow loop


def slow(scores, measure, run_in):
    """The same rules person by person and visit by visit: at risk, days, event."""
    base, attended = scores[0], [v for v in range(len(scores)) if not np.isnan(scores[v])]
    responses = [v for v in attended if v > 0 and scores[v] <= base / 2]
    if measure == "time-to-response":
        return (True, DAYS[responses[0]], True) if responses else (True, DAYS[attended[-1]], False)
    if run_in:
        start = 3.0
    elif responses:
        start = DAYS[responses[0]]
    else:
        return False, 0.0, False
    after = [v for v in attended if DAYS[v] > start]
    for this, following in pairwise(after):
        if scores[this] >= 22 and scores[following] >= 22:
            return True, DAYS[this] - start, True
    left = DAYS[attended[-1]] - start
    return left > 0, left, False


score = st.one_of(st.just(NAN), st.integers(0, 60).map(float))
person = st.tuples(st.integers(10, 60).map(float), score, score, score, score)


@given(st.lists(person, min_size=1, max_size=6), st.sampled_from(["relapse", "time-to-response"]), st.booleans())
def test_events_are_those_of_a_slow_loop(rows, measure, run_in):
    one = found(rows, measure, **({"randomised": RUN_IN} if run_in else {}))
    for k, row in enumerate(rows):
        at_risk, days, happened = slow(row, measure, run_in)
        assert one.at_risk[k] == at_risk
        if at_risk:
            assert one.days[k] == pytest.approx(days)
            assert one.happened[k] == happened


# ------------------------------------------------------------------------------------------------ hits


def test_response_remission_and_their_rules():
    scores = np.array([[40.0, 20.0], [40.0, 21.0], [30.0, 12.0], [30.0, 10.0], [30.0, NAN]])
    assert hits(Endpoint(measure="response"), scores, 1)[:4].tolist() == [1, 0, 1, 1]
    assert hits(Endpoint(measure="remission"), scores, 1)[:4].tolist() == [0, 0, 0, 1]
    assert hits(Endpoint(measure="remission", at_most=12), scores, 1)[:4].tolist() == [0, 0, 1, 1]
    assert np.isnan(hits(Endpoint(measure="remission"), scores, 1)[4])


# ------------------------------------------------------------------------------------------------ holes and estimands

SCORES = np.array([[40.0, 30, 20, 10, 5]] * 4)
NEVER = np.full(4, np.inf)
LEFT = np.array([np.inf, 100.0, np.inf, np.inf])  # the second stops between days 3 and 7
RESCUED = np.array([np.inf, np.inf, 72.0, np.inf])  # the third is rescued on day 3
KEPT = np.array([[True] * 5, [True] * 5, [True] * 5, [True, False, True, True, True]])


def observed(followed=False, **changes):
    plan = design(leaving={"at_random": 0.1, "followed": followed}, **changes)
    one = by_arm(SCORES, left_h=LEFT, rescued_h=RESCUED)
    return Observed(plan, made_up(VISITS, [0, 0, 1, 1], one, one, kept=KEPT))


def test_visits_that_were_missed_or_come_after_leaving_are_missing():
    holes = np.isnan(observed().scores("MADRS"))
    assert holes.tolist() == [[False] * 5, [False] * 3 + [True] * 2, [False] * 5, [False, True] + [False] * 3]


def test_the_treatment_policy_takes_what_is_seen():
    scores = observed(followed=True).scores("MADRS")
    assert np.array_equal(scores[:3], SCORES[:3])


def test_under_the_hypothetical_estimand_scores_after_an_event_are_missing():
    scores = observed(followed=True, estimand="hypothetical").scores("MADRS")
    assert np.isnan(scores[1]).tolist() == [False, False, False, True, True]
    assert np.isnan(scores[2]).tolist() == [False, False, False, True, True]  # at the rescue itself they are not
    assert np.isnan(scores[3]).tolist() == [False, True, False, False, False]


@pytest.mark.parametrize("followed", [False, True])
def test_under_the_composite_estimand_there_is_no_change_after_an_event(followed):
    scores = observed(followed=followed, estimand="composite").scores("MADRS")
    assert scores[1].tolist() == [40, 30, 20, 40, 40]
    assert scores[2].tolist() == [40, 30, 20, 40, 40]
    assert np.array_equal(scores[0], SCORES[0])
    assert np.isnan(scores[3, 1])


def test_rescue_is_a_relapse_under_the_composite_estimand():
    endpoint = Endpoint(measure="relapse")
    well = np.array([[40.0, 10, 10, 10, 10]] * 4)
    plan = design(estimand="composite", leaving={"followed": True})
    one = by_arm(well, rescued_h=RESCUED)
    relapse = Observed(plan, made_up(VISITS, [0, 0, 1, 1], one, one)).events(endpoint)
    assert relapse.happened.tolist() == [False, False, True, False]
    assert relapse.days.tolist() == [13, 13, 2, 13]  # from the response on day 1 to the rescue on day 3


def test_rescue_before_the_randomisation_is_no_relapse_but_its_scores_count():
    """Nothing changed after it, under the composite estimand, so that the first visits show a relapse."""
    plan = design(estimand="composite", randomised=RUN_IN)
    one = by_arm(np.array([[40.0, 10, 10, 10, 10]] * 2), rescued_h=np.array([24.0, np.inf]))
    relapse = Observed(plan, made_up(VISITS, [0, 1], one, one)).events(Endpoint(measure="relapse"))
    assert relapse.at_risk.tolist() == [True, True]
    assert relapse.happened.tolist() == [True, False]
    assert relapse.days.tolist() == [4, 11]


def test_everybody_is_seen_in_their_own_arm_and_only_the_randomised():
    first, second = by_arm(SCORES), by_arm(SCORES + 10)
    data = Observed(design(), made_up(VISITS, [1, -1, 0, 1], first, second))
    assert data.chosen.tolist() == [0, 2, 3]
    assert data.scores("MADRS")[:, 0].tolist() == [50, 40, 50]


def test_nothing_is_expected_of_those_who_left():
    data = observed()
    assert data.expected[1].tolist() == [True, True, True, False, False]
    assert (data.expected & ~data.attended).sum() == 1  # the visit that the fourth missed
