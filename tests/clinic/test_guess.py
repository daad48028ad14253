"""Belief in the allocation: Bayes in log odds, guesses by chance, and Bang's index."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from afterglow.clinic.guess import ASSUMED, Evidence, believed, blinding, guess

chances = st.floats(0.01, 0.99)
shares = st.floats(0, 1)


@given(chances)
def test_without_evidence_people_believe_what_was_promised(promised: float):
    assert float(believed(promised, ASSUMED.felt_neutral, ASSUMED.benefit_neutral)) == pytest.approx(promised)
    blank = Evidence(weight_dissociation=0.0, weight_benefit=0.0)
    assert float(believed(promised, 1.0, -1.0, evidence=blank)) == pytest.approx(promised)


@given(chances, shares, shares, st.floats(-1, 1), st.floats(-1, 1))
def test_belief_rises_with_feeling_benefit_and_promise(promised, felt, more_felt, better, more_better):
    low = believed(promised, min(felt, more_felt), min(better, more_better))
    high = believed(promised, max(felt, more_felt), max(better, more_better))
    assert low <= high
    assert believed(0.5 * promised, felt, better) <= believed(promised, felt, better)
    assert 0 <= low <= high <= 1


@given(chances, shares, st.floats(-1, 1))
def test_evidence_multiplies_the_odds_whatever_was_promised(promised: float, felt: float, better: float):
    weight = logit(believed(promised, felt, better)) - logit(promised)
    assert float(weight) == pytest.approx(float(logit(believed(0.5, felt, better))), abs=1e-9)


def test_open_treatment_leaves_no_doubt():
    assert believed([1.0, 0.0], 0.0, -1.0).tolist() == [1.0, 0.0]


def test_under_anaesthesia_feeling_nothing_tells_nothing():
    masked = believed(0.5, [0.0, 0.9], ASSUMED.benefit_neutral, masked=True)
    assert masked == pytest.approx([0.5, 0.5])
    assert believed(0.5, 0.0, ASSUMED.benefit_neutral) < 0.5


def test_unmeasured_benefit_tells_nothing_and_wild_benefit_is_bounded():
    assert float(believed(0.5, 0.4, np.nan)) == float(believed(0.5, 0.4, ASSUMED.benefit_neutral))
    assert float(believed(0.5, 0.4, -7.0)) == float(believed(0.5, 0.4, -1.0))


def test_people_guess_as_often_as_they_believe():
    people = range(40_000)
    for belief in (0.1, 0.5, 0.8):
        share = guess(np.full(len(people), belief), 24.0, people, seed=1).mean()
        assert share == pytest.approx(belief, abs=4.5 * np.sqrt(belief * (1 - belief) / len(people)))


def test_a_guess_is_the_persons_own_and_changes_only_with_belief():
    belief = np.linspace(0, 1, 200)
    found = guess(belief, 24.0, range(200), seed=1)
    assert np.array_equal(guess(belief[50:60], 24.0, range(50, 60), seed=1), found[50:60])
    assert not np.array_equal(guess(belief, 48.0, range(200), seed=1), found)
    assert (found <= guess(np.sqrt(belief), 24.0, range(200), seed=1)).all()


def test_the_index_of_a_table_done_by_hand():
    """30 of 40 right in the active arm: 0.75 - 0.25 = 0.5; 12 of 40 right in the control: 0.3 - 0.7 = -0.4."""
    arm = np.repeat([0, 1], 40)
    guessed = np.concatenate([np.arange(40) < 30, np.arange(40) >= 12])
    found = blinding(guessed, arm, [True, False])
    assert found.asked.tolist() == [40, 40]
    assert found.correct == pytest.approx([0.75, 0.3])
    assert found.bang == pytest.approx([0.5, -0.4])
    # Bang's variance (p_right (1 - p_right) + p_wrong (1 - p_wrong) + 2 p_right p_wrong) / n
    right = np.array([0.75, 0.3])
    variance = (right * (1 - right) + (1 - right) * right + 2 * right * (1 - right)) / 40
    assert found.bang_se == pytest.approx(np.sqrt(variance))


def test_the_index_at_its_ends_and_without_anybody():
    arm = [0, 0, 1, 1]
    assert blinding([True, True, False, False], arm, [True, False]).bang.tolist() == [1.0, 1.0]
    assert blinding([False, False, True, True], arm, [True, False]).bang.tolist() == [-1.0, -1.0]
    empty = blinding([True, True], [0, 0], [True, False])
    assert empty.asked.tolist() == [2, 0]
    assert np.isnan([empty.correct[1], empty.bang[1], empty.bang_se[1]]).all()


def test_two_active_arms_count_the_same_guess_as_correct():
    found = blinding([True, True, True], [0, 1, 2], [True, True, False])
    assert found.correct.tolist() == [1.0, 1.0, 0.0]


def test_the_weights_tell_apart_two_sessions_as_published():
    """Sumner 2020: 88 % told ketamine from an inactive session.

    Recognition and improvement a day after 0.5 mg/kg and after saline are those of the model, given as typical values;
    the better of two sessions is chosen with the odds of one against the other.
    """
    felt, better, better_by_saline = 0.54, 0.48, 0.07
    odds = logit(believed(0.5, felt, better)) - logit(believed(0.5, 0.0, better_by_saline))
    assert float(expit(odds)) == pytest.approx(0.88, abs=0.02)


def test_people_who_feel_the_drug_unblind_a_trial_and_masked_ones_do_not():
    people, arm = range(4000), np.repeat([0, 1], 2000)
    felt, better = np.where(arm == 0, 0.54, 0.0), np.where(arm == 0, 0.5, 0.4)
    seen = blinding(guess(believed(0.5, felt, better), 24.0, people, 1), arm, [True, False])
    masked = blinding(guess(believed(0.5, felt, better, masked=True), 24.0, people, 1), arm, [True, False])
    assert (seen.bang > 0.2).all()
    assert abs(masked.bang.sum()) < 0.2  # what one arm guesses right the other guesses wrong
