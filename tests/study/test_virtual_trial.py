"""Conduct of a virtual trial: what must hold whatever the drug does."""

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from afterglow.clinic.conduct import Reason
from afterglow.errors import InputError
from afterglow.study.trial_data import Observed
from small_trials import ONE_INFUSION, arms, conducted, virtual

SERIES: dict[str, Any] = {
    "doses": [{"drug": "ketamine", "route": "iv", "dose": "0.5 mg/kg", "over": "40 min", "days": [1, 4, 8, 11]}]
}


def same(a, b):
    """Whether two replicates are equal, bit for bit."""
    return (
        a.people.equals(b.people)
        and a.rated == b.rated
        and all(
            np.array_equal(getattr(a, name), getattr(b, name), equal_nan=True)
            for name in ("kept", "actual_h", "randomised", "arm", "believed", "guessed", "failed")
        )
        and all(alike(x, y) for x, y in zip(a.arms, b.arms, strict=True))
    )


def alike(a, b):
    """Whether two arms are equal, bit for bit."""
    for field in fields(a):
        one, other = getattr(a, field.name), getattr(b, field.name)
        if isinstance(one, dict):
            if one.keys() != other.keys() or not all(np.array_equal(one[k], other[k]) for k in one):
                return False
        elif one is not None and not np.array_equal(one, other):
            return False
    return True


# ------------------------------------------------------------------------------------------------ arms


def test_in_the_null_world_both_arms_have_what_the_reference_has_in_the_true_one():
    true, null = conducted("posterior", 2), conducted("null", 2)
    for arm in null.arms:
        assert alike(arm, true.arms[1])
    assert np.array_equal(null.arm, true.arm)
    assert not alike(true.arms[0], true.arms[1])


def test_two_arms_with_the_same_course_give_the_same_scores():
    twins = [{"name": name, "course": SERIES, "n": 8} for name in "ab"]
    more: dict[str, Any] = {
        "missed_sessions": 0.3,
        "leaving": {"lack_of_effect": {"if": "improvement(MADRS) < 40 %", "chance": 0.5}},
    }
    found = conducted("posterior", arms=twins, visits=["24 h", "7 d", "14 d"], **more)
    assert alike(*found.arms)
    assert np.isfinite(found.arms[0].left_h).any()


def test_in_the_null_world_people_are_promised_what_the_design_promises():
    asked: dict[str, Any] = {"blinding": {"patients": "masked", "asked": ["24 h"]}}
    told = conducted("null", **asked, arms=arms(18, 6)).believed
    assert 0.4 < told.mean() < 0.9


def test_a_replicate_does_not_depend_on_those_beside_it_nor_on_threads():
    design: dict[str, Any] = {
        "population": {"from": "trd", "entry": "MADRS >= 30"},
        "missed_visits": 0.1,
        "missed_sessions": 0.2,
        "arms": arms(6, course=SERIES),
        "visits": ["24 h", {"at": "7 d", "window": "12 h"}, "14 d"],
        "blinding": {"asked": ["24 h"]},
        "rescue": {"if": "MADRS >= 20", "after": "7 d", "course": ONE_INFUSION},
        "leaving": {"at_random": 0.2, "followed": True},
        "estimand": "hypothetical",
    }
    together = list(virtual("posterior", threads=2, **design).run(range(10)))
    assert [one.setting.replicate for one in together] == list(range(10))
    assert same(next(virtual("posterior", threads=1, **design).run([3])), together[3])
    assert not same(together[3], together[4])


def test_a_large_trial_in_parts_is_the_same_as_at_once(monkeypatch):
    design: dict[str, Any] = {
        "arms": arms(30, 20),
        "rescue": {"if": "MADRS >= 20", "after": "24 h", "course": ONE_INFUSION},
    }
    whole = conducted("posterior", visits=["24 h", "3 d", "7 d"], **design)
    monkeypatch.setattr("afterglow.study.virtual_trial.PART", 16)
    assert same(conducted("posterior", visits=["24 h", "3 d", "7 d"], **design), whole)


@pytest.mark.parametrize("kind", [{"kind": "simple"}, {"kind": "blocked", "block": 4}])
def test_more_patients_change_nobody(kind):
    design: dict[str, Any] = {"population": {"from": "trd", "entry": "MADRS >= 28"}, "allocation": kind}
    few, more = (conducted("posterior", arms=arms(n), **design) for n in (10, 12))
    assert len(more.people) == 24
    assert few.people.equals(more.people[:20])
    assert np.array_equal(few.arm, more.arm[:20])
    assert more.rated > few.rated
    for a, b in zip(few.arms, more.arms, strict=True):
        assert alike(a, b.first(20))


# ------------------------------------------------------------------------------------------------ who takes part


def test_those_who_enter_are_the_first_candidates_who_meet_the_rule():
    """Without the rule all candidates enter, with the same luck and the same raters."""
    ratings = {"raters": 3, "between": 6.0, "drift": 0.5, "drift_sd": 1.0}
    everybody = conducted("posterior", arms=arms(60), ratings=ratings)
    population = {"from": "trd", "madrs": {"mean": 33, "sd": 5.5}, "entry": "MADRS > 33"}
    chosen = conducted("posterior", population=population, ratings=ratings)
    fits = np.flatnonzero(everybody.arms[0].scores["MADRS"][:, 0] > 33)[:24]
    assert len(fits) == 24
    assert everybody.rated == 120
    assert chosen.rated == fits[-1] + 1
    assert chosen.people.reset_index(drop=True).equals(everybody.people.iloc[fits].reset_index(drop=True))
    for k in (0, 1):
        apart = chosen.arms[k].scores["MADRS"] - everybody.arms[k].scores["MADRS"][fits]
        assert not apart[:, 0].any()
        # people who are solved together share their steps, whose error may move a rounded score
        assert np.abs(apart).max() <= 1
        assert np.mean(apart != 0) < 0.03


def test_an_entry_rule_on_another_scale_holds_for_everybody():
    found = conducted(
        population={"from": "trd", "entry": "MADRS >= 30 and HAM-D17 < 25"},
        endpoints=[{"measure": "change", "scale": "HAM-D17", "at": "24 h"}],
    )
    for arm in found.arms:
        assert (arm.scores["MADRS"][:, 0] >= 30).all()
        assert (arm.scores["HAM-D17"][:, 0] < 25).all()


def test_a_rule_that_nobody_meets_is_refused_with_how_many_were_rated():
    trial = virtual(population={"from": "trd", "entry": "MADRS < 3"})
    with pytest.raises(InputError) as caught:
        next(trial.run([0]))
    (fault,) = caught.value.faults
    assert "0 of " in fault.problem
    assert "small.yaml" in fault.place


# ------------------------------------------------------------------------------------------------ allocation


def test_exact_allocation_gives_the_sizes_of_the_file():
    for found in virtual("mean", arms=arms(7, 17)).run(range(5)):
        assert np.bincount(found.arm).tolist() == [7, 17]


def test_simple_allocation_varies_around_the_ratio():
    plan: dict[str, Any] = {"arms": arms(24, 8), "allocation": {"kind": "simple"}}
    share = np.array([np.mean(found.arm == 0) for found in virtual("mean", **plan).run(range(40))])
    assert share.std() > 0
    assert share.mean() == pytest.approx(0.75, abs=4 * np.sqrt(0.75 * 0.25 / (40 * 32)))


def test_every_block_holds_the_ratio():
    found = conducted(arms=arms(12, 24), allocation={"kind": "blocked", "block": 6})
    assert [np.bincount(found.arm[k : k + 6]).tolist() for k in range(0, 36, 6)] == [[2, 4]] * 6


def test_stratified_blocks_are_kept_within_each_stratum():
    plan: dict[str, Any] = {
        "arms": arms(30),
        "allocation": {"kind": "stratified", "block": 2, "by": ["SEXF", "AGE >= 45"]},
    }
    found = conducted(**plan)
    level = found.people["SEXF"].to_numpy() * 2 + (found.people["AGE"].to_numpy() >= 45)
    assert len(np.unique(level)) == 4
    for one in np.unique(level):
        mine = found.arm[level == one]
        assert all(set(mine[k : k + 2]) == {0, 1} for k in range(0, len(mine) - 1, 2))


def test_strata_are_those_of_the_randomised():
    rule = {"day": 2, "if": "MADRS <= 20", "at": ["24 h"]}
    twins = [{"name": name, "course": ONE_INFUSION, "n": 40} for name in "ab"]
    found = conducted(arms=twins, randomised=rule, allocation={"kind": "stratified", "block": 2, "by": ["SEXF"]})
    assert 0 < found.randomised.sum() < 80
    for female in (0, 1):
        arm = found.arm[found.randomised & (found.people["SEXF"].to_numpy() == female)]
        assert all(set(arm[k : k + 2]) == {0, 1} for k in range(0, len(arm) - 1, 2))


def test_a_copy_of_a_trial_with_more_patients_has_larger_arms():
    plan = virtual(arms=[{"name": "a", "course": SERIES}, {"name": "b", "control": "saline"}], n=8).trial
    assert plan.sizes == (4, 4)
    assert plan.model_copy(update={"n": 12}).sizes == (6, 6)


def test_minimisation_balances_its_covariates_better_than_chance():
    def imbalance(plan):
        found = list(virtual("mean", arms=arms(20), allocation=plan).run(range(15)))
        return np.mean([abs(np.sum(1 - 2 * one.arm[one.people["SEXF"].to_numpy() > 0.5])) for one in found])

    assert imbalance({"kind": "minimisation", "by": ["SEXF", "AGE >= 45"], "follow": 0.9}) < 0.5 * imbalance(
        {"kind": "simple"}
    )


# ------------------------------------------------------------------------------------------------ run-in

WITHDRAWAL: dict[str, Any] = {
    "arms": [
        {"name": "stay", "course": SERIES, "n": 20},
        {
            "name": "stop",
            "course": SERIES,
            "then": [
                {"day": 8, "course": {"doses": [{"drug": "saline", "route": "iv", "over": "40 min", "days": [1, 4]}]}}
            ],
            "n": 20,
        },
    ],
    "visits": ["24 h", "5 d", "6 d", "14 d"],
    "randomised": {"day": 8, "if": "MADRS <= 20", "at": ["24 h", "5 d", "6 d"], "at_least": 2},
}


def test_only_people_who_qualify_are_randomised():
    found = conducted(**WITHDRAWAL)
    scores = [arm.scores["MADRS"] for arm in found.arms]
    assert np.array_equal(scores[0][:, :4], scores[1][:, :4])
    assert np.array_equal(found.randomised, (scores[0][:, 1:4] <= 20).sum(axis=1) >= 2)
    assert np.array_equal(found.arm >= 0, found.randomised)
    numbers = np.bincount(found.arm[found.randomised], minlength=2)
    assert 0 < numbers.sum() < 40
    assert abs(numbers[0] - numbers[1]) <= 1
    assert not np.array_equal(scores[0][:, 4], scores[1][:, 4])


def test_a_visit_that_was_missed_does_not_qualify():
    found = conducted(**WITHDRAWAL, missed_visits=0.4)
    good = (found.arms[0].scores["MADRS"][:, 1:4] <= 20) & found.kept[:, 1:4]
    assert np.array_equal(found.randomised, good.sum(axis=1) >= 2)
    assert not found.kept[:, 1:4].all()


def test_people_who_left_are_not_randomised():
    found = conducted(**WITHDRAWAL, leaving={"at_random": 0.5})
    left = found.arms[0].left_h < 7 * 24
    assert left.any()
    assert not (found.randomised & left).any()


@pytest.mark.parametrize(
    "other",
    [
        {"control": "saline"},
        {"course": SERIES | {"therapy": [{"kind": "cbt", "days": [2], "minutes": 50}]}},
        {"course": SERIES, "blinding": "open"},
        {"course": SERIES | {"checks": [{"after_dose": 1, "if": "MADRS > 30", "then": "stop"}]}},
    ],
)
def test_arms_that_differ_before_the_randomisation_are_refused(other):
    pair = [{"name": "drug", "course": SERIES, "n": 8}, {"name": "other", "n": 8, **other}]
    with pytest.raises(InputError, match="'other' differs from 'drug' before the randomisation"):
        virtual(arms=pair, randomised={"day": 6, "if": "MADRS <= 20", "at": ["24 h"]})


# ------------------------------------------------------------------------------------------------ leaving and rescue


def given_after(trial, arm, left_h):
    """Sessions that people got after they had left."""
    return sum(
        int((left_h[who[who < len(left_h)]] <= one.time_h).sum())
        for who, one, _, _ in trial.arms[arm].given
        if one.session is not None
    )


LEAVING: dict[str, Any] = {
    "arms": arms(40, course=SERIES),
    "visits": ["24 h", "7 d", "14 d"],
    "leaving": {
        "at_random": 0.3,
        "lack_of_effect": {"if": "improvement(MADRS) < 30 %", "chance": 0.3},
    },
}


def test_who_leaves_is_seen_no_more():
    trial = virtual(**LEAVING)
    found = next(trial.run([0]))
    data = Observed(trial.trial, found)
    gone = data.visit_h[None, :] > data.left_h[:, None]
    assert gone.any()
    assert np.array_equal(np.isnan(data.scores("MADRS")), gone)
    assert set(data.reason[gone.any(axis=1)]) == {Reason.AT_RANDOM, Reason.LACK_OF_EFFECT}


def test_nobody_leaves_for_lack_of_effect_at_a_visit_that_was_missed():
    found = conducted(**LEAVING, missed_visits=0.5)
    for arm in found.arms:
        for person in np.flatnonzero(arm.reason == Reason.LACK_OF_EFFECT):
            visit = found.visit_h.tolist().index(arm.left_h[person])
            assert found.kept[person, visit]
            assert arm.scores["MADRS"][person, visit] > 0.7 * arm.scores["MADRS"][person, 0]
        assert (arm.reason == Reason.LACK_OF_EFFECT).any()


def test_who_is_followed_is_still_seen_and_gets_no_further_session():
    plan = LEAVING | {"leaving": LEAVING["leaving"] | {"followed": True}}
    trial = virtual(**plan)
    found = next(trial.run([0]))
    data = Observed(trial.trial, found)
    assert not np.isnan(data.scores("MADRS")).any()
    assert data.after.any()
    for k, arm in enumerate(found.arms):
        assert np.isfinite(arm.left_h).any()
        assert given_after(trial, k, arm.left_h) == 0
    # the same people leave, at random, whether or not they are followed
    lost = conducted(**LEAVING)
    at_random = [arm.reason == Reason.AT_RANDOM for arm in (found.arms[0], lost.arms[0])]
    both = at_random[0] & at_random[1]
    assert np.array_equal(found.arms[0].left_h[both], lost.arms[0].left_h[both])
    assert both.sum() >= 0.8 * at_random[1].sum() > 0


def test_people_who_never_leave_have_the_same_scores_whether_others_are_followed_or_not():
    followed = conducted(**LEAVING | {"leaving": LEAVING["leaving"] | {"followed": True}}).arms[0]
    lost = conducted(**LEAVING).arms[0]
    stay = np.isinf(followed.left_h) & np.isinf(lost.left_h)
    assert 10 < stay.sum() < 80
    assert np.abs(followed.scores["MADRS"] - lost.scores["MADRS"])[stay].max() <= 1  # steps of the solver differ


def test_side_effects_drive_people_away_where_the_drug_is_felt():
    plan: dict[str, Any] = {"leaving": {"side_effects": {"cadss": 15, "chance": 1.0}}, "arms": arms(30)}
    drug, control = conducted(**plan).arms
    assert (drug.reason == Reason.SIDE_EFFECTS).sum() > 5
    assert not (control.reason == Reason.SIDE_EFFECTS).any()
    assert set(drug.left_h[drug.reason == Reason.SIDE_EFFECTS]) == {0.0}


def test_side_effects_end_the_treatment_of_those_who_are_followed():
    leaving = {"side_effects": {"cadss": 15, "chance": 1.0}, "followed": True}
    after_each_session = ["24 h", "4 d", "8 d", "9 d", "14 d"]
    trial = virtual(arms=arms(30, course=SERIES), visits=after_each_session, leaving=leaving)
    found = next(trial.run([0]))
    left_h, reason = found.arms[0].left_h, found.arms[0].reason
    assert (reason == Reason.SIDE_EFFECTS).sum() > 5
    for who, one, _, _ in trial.arms[0].given:
        mine = who[who < len(left_h)]
        assert not (left_h[mine] < one.time_h).any()
    assert not np.isnan(Observed(trial.trial, found).scores("MADRS")).any()


RESCUE: dict[str, Any] = {
    "arms": arms(40),
    "visits": ["24 h", "3 d", "4 d", "7 d"],
    "rescue": {"if": "MADRS >= 25", "after": "3 d", "course": ONE_INFUSION},
}


def test_rescue_helps_those_who_need_it_and_nobody_else():
    with_rescue = conducted(**RESCUE).arms[1]
    without = conducted(**{name: value for name, value in RESCUE.items() if name != "rescue"}).arms[1]
    scores, before = with_rescue.scores["MADRS"], without.scores["MADRS"]
    needs = scores[:, 2] >= 25
    assert np.array_equal(with_rescue.rescued_h == 72.0, needs)
    later = np.isfinite(with_rescue.rescued_h) & ~needs
    assert set(with_rescue.rescued_h[later]) <= {96.0}
    assert np.abs(scores - before)[np.isinf(with_rescue.rescued_h)].max() <= 1
    assert np.abs(scores - before)[:, :3].max() <= 1
    assert np.mean((before - scores)[needs, 3]) > 5  # the day after an infusion


def test_nobody_is_rescued_after_leaving():
    plan = RESCUE | {"leaving": {"at_random": 0.9}}
    for arm in conducted(**plan).arms:
        rescued = np.isfinite(arm.rescued_h)
        assert rescued.any()
        assert (arm.rescued_h[rescued] <= arm.left_h[rescued]).all()


def test_nobody_is_rescued_at_a_visit_that_was_missed():
    found = conducted(**RESCUE | {"missed_visits": 0.5})
    for arm in found.arms:
        for visit in (2, 3):
            at = arm.rescued_h == found.visit_h[visit]
            assert at.any()
            assert found.kept[at, visit].all()


def test_the_hypothetical_estimand_looks_for_scores_without_rescue():
    found = conducted(**RESCUE, estimand="hypothetical").arms
    without = conducted(**{name: value for name, value in RESCUE.items() if name != "rescue"}).arms
    for one, other in zip(found, without, strict=True):
        assert one.undisturbed is not None
        assert np.array_equal(one.undisturbed["MADRS"], other.scores["MADRS"])
        assert not np.array_equal(one.undisturbed["MADRS"], one.scores["MADRS"])


def test_missed_sessions_are_not_given_and_the_first_is_never_missed():
    trial = virtual(arms=arms(20, course=SERIES), visits=["14 d"], missed_sessions=0.5, endpoints=[{"at": "14 d"}])
    next(trial.run([0]))
    got = {}
    for who, one, _, _ in trial.arms[0].given:
        got.setdefault(one.session, set()).update(who.tolist())
    assert len(got[1]) == 40
    assert all(8 < len(got[session]) < 32 for session in (2, 3, 4))
    assert got[2] != got[3]
