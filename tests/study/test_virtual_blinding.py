"""What people feel, believe and guess in a virtual trial, and what raters make of it."""

import numpy as np
import pytest

from small_trials import arms, conducted


def differences(name, **changes):
    """Drug minus control for the same people, [people, visits]."""
    found = conducted(name, arms=arms(60, **changes))
    return found.arms[0].scores["MADRS"] - found.arms[1].scores["MADRS"]


def test_without_an_effect_of_the_drug_masking_makes_the_arms_equal():
    told, masked = differences("inert"), differences("inert-masked")
    assert np.mean(told[:, 1]) < -3
    assert np.abs(masked).max() <= 1  # a true difference within the solver's error may move a rounded score
    assert np.mean(masked != 0) < 0.01


def test_masking_leaves_the_midazolam_arm_as_it_was():
    """Its infusion raises the expectation that any infusion raises under masking."""
    told, masked = (conducted(name, arms=arms(12, control="midazolam")).arms[1] for name in ("posterior", "masked"))
    assert np.abs(told.scores["MADRS"] - masked.scores["MADRS"]).max() <= 1


def test_saline_gives_more_away_than_midazolam_and_masking_nothing():
    world = "posterior"
    saline, midazolam = (np.mean(differences(world, control=kind)[:, 1]) for kind in ("saline", "midazolam"))
    assert saline < midazolam < -2


def test_more_promise_more_improvement():
    scores = [
        conducted(blinding={"promised": share}, arms=arms(40)).arms[0].scores["MADRS"][:, 1].mean()
        for share in (0.2, 0.5, 0.9)
    ]
    assert scores[0] > scores[1] + 0.3
    assert scores[1] > scores[2] + 0.3
    untold = conducted(arms=arms(40)).arms[0].scores["MADRS"][:, 1].mean()
    assert untold == scores[1]  # the trials of the calibration are taken to have promised one half


def test_guesses_follow_what_is_felt():
    asked = {"asked": ["24 h"]}
    found = conducted(arms=arms(100), blinding=asked)
    assert found.believed[found.arm == 0].mean() > 0.5 + found.believed[found.arm == 1].mean() / 2
    assert found.guessed[found.arm == 0].mean() == pytest.approx(found.believed[found.arm == 0].mean(), abs=0.15)
    told = conducted(arms=arms(100), blinding={"patients": "open", **asked})
    assert np.array_equal(told.guessed[:, 0], told.arm == 0)
    masked = conducted(arms=arms(100), blinding={"patients": "masked", **asked})
    gap = masked.believed[masked.arm == 0].mean() - masked.believed[masked.arm == 1].mean()
    assert 0 < gap < 0.15  # benefit alone tells


# ------------------------------------------------------------------------------------------------ raters


def test_drift_moves_all_arms_alike():
    weeks = {"visits": ["7 d", "14 d"], "endpoints": [{"at": "14 d"}]}
    steady, drifting = (conducted(ratings={"drift": drift}, **weeks) for drift in (0.0, 1.0))
    for a, b in zip(steady.arms, drifting.arms, strict=True):
        before = a.scores["MADRS"]
        assert np.array_equal(b.scores["MADRS"][:, 0], before[:, 0])
        inside = (before > 0) & (before < 58)
        moved = b.scores["MADRS"] - before
        assert np.array_equal(moved[inside], np.tile([0.0, 1.0, 2.0], (24, 1))[inside])


def test_raters_of_one_patient_stay_and_noise_widens_the_scores():
    def spread(**ratings):
        return conducted(ratings=ratings, arms=arms(100)).arms[1].scores["MADRS"][:, 0].std()

    quiet = spread(noise=0.0)
    assert spread(noise=8.0) ** 2 - quiet**2 == pytest.approx(64.0, rel=0.4)
    biased = conducted(ratings={"noise": 0.0, "raters": 2, "between": 9.0}, arms=arms(20)).arms[1].scores["MADRS"]
    fair = conducted(ratings={"noise": 0.0}, arms=arms(20)).arms[1].scores["MADRS"]
    shift = biased - fair
    inside = (biased > 0) & (biased < 60) & (fair > 0)
    for rater in (0, 1):
        mine = inside[rater::2]
        assert np.ptp(shift[rater::2][mine]) <= 1  # whole points
