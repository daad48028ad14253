"""Analyses of a replicate: each is the statistic it is named after, on the right people, beside the right truth."""

import math

import numpy as np
import pytest

from afterglow.study.statistics.ancova import ancova
from afterglow.study.statistics.binary import logistic, risk_difference
from afterglow.study.statistics.crossover import crossover
from afterglow.study.statistics.imputation import imputed_ancova
from afterglow.study.statistics.mmrm import trial_mmrm
from afterglow.study.statistics.result import Estimate
from afterglow.study.statistics.sequential_parallel import combined
from afterglow.study.statistics.survival import cox, log_rank, rmst_difference
from afterglow.study.trial_analysis import Analysis, Contrast, decided
from afterglow.study.trial_data import Observed
from small_trials import by_arm, made_up, trial, virtual

VISITS = [0.0, 24.0, 72.0, 168.0, 336.0]
TIMES = ["24 h", "3 d", "7 d", "14 d"]
PEOPLE = 60
ARM = np.arange(PEOPLE) % 2
LEFT = np.where(np.arange(PEOPLE) % 7 == 0, 100.0, np.inf)


def scores(shift, seed=5):
    """Made-up MADRS scores that fall, drug by `shift` points more; whole points, with a memory."""
    rng = np.random.default_rng(seed)
    base = rng.normal(34, 4, (PEOPLE, 1))
    course = np.array([0.0, 8, 10, 12, 14]) + np.array([0, 1, 1, 1, 1]) * shift
    walk = np.cumsum(rng.normal(0, 4, (PEOPLE, 5)), axis=1)
    walk[:, 0] = 0
    return np.clip(np.rint(base - course + walk), 0, 60)


def both(shift=6.0, **changes):
    """Drug and control, the same luck in both."""
    return by_arm(scores(shift), left_h=LEFT, **changes), by_arm(scores(0), left_h=LEFT, **changes)


def analysed(*endpoints, of=None, allocated=ARM, **design):
    """The analysis of a replicate whose scores, `of` each arm, are made up."""
    plan = trial(visits=TIMES, endpoints=list(endpoints), **{"leaving": {"at_random": 0.1}} | design)
    return Analysis(plan, made_up(VISITS, allocated, *(both() if of is None else of)))


def equal(a, b):
    """Whether two estimates say the same."""
    return (a.estimate, a.se, a.df, a.p) == pytest.approx((b.estimate, b.se, b.df, b.p), nan_ok=True)


def with_holes():
    own = np.where(ARM[:, None] == 0, scores(6.0), scores(0))
    return np.where(np.array(VISITS) <= LEFT[:, None], own, np.nan)


def one(found):
    (contrast,) = found.contrasts()
    return contrast


# ------------------------------------------------------------------------------------------------ each analysis


def test_ancova_is_the_change_on_arm_and_baseline():
    y = with_holes()
    found = one(analysed({"measure": "change", "at": "7 d", "analysis": "ancova"}))
    assert equal(found.estimate, ancova(y[:, 3] - y[:, 0], ARM, y[:, :1]).contrast(0, 1))
    assert found.n == tuple(int((~np.isnan(y[:, 3]) & (k == ARM)).sum()) for k in (0, 1))
    assert found.truth == pytest.approx(np.mean(scores(6.0)[:, 3] - scores(0)[:, 3]))


def test_the_mixed_model_is_read_at_the_endpoints_visit():
    y = with_holes()
    model = trial_mmrm(y[:, 1:] - y[:, :1], ARM, y[:, 0])
    for visit, at in enumerate(TIMES):
        found = one(analysed({"measure": "change", "at": at, "analysis": "mmrm"}))
        assert equal(found.estimate, model.contrast(0, 1, visit))
        assert found.n == (int(np.sum(ARM == 0)), int(np.sum(ARM == 1)))  # whoever has any visit


@pytest.mark.parametrize("measure", ["response", "remission"])
def test_shares_are_compared_by_the_score_test_or_with_the_baseline_as_covariate(measure):
    y = with_holes()
    hit = y[:, 4] <= (y[:, 0] / 2 if measure == "response" else 10)
    hit = np.where(np.isnan(y[:, 4]), np.nan, hit.astype(float))
    found = one(analysed({"measure": measure, "analysis": "risk-difference"}))
    assert equal(found.estimate, risk_difference(hit, ARM, 0, 1))
    every = [scores(shift) for shift in (6.0, 0.0)]
    shares = [np.mean(s[:, 4] <= (s[:, 0] / 2 if measure == "response" else 10)) for s in every]
    assert found.truth == pytest.approx(shares[0] - shares[1])
    odds = one(analysed({"measure": measure, "analysis": "logistic"}))
    assert equal(odds.estimate, logistic(hit, ARM, 0, 1, y[:, :1]))
    assert math.isnan(odds.truth)


def in_time():
    """Days to the first response, or to the last visit that was kept."""
    y, days = with_holes(), np.array(VISITS) / 24
    hit = y[:, 1:] <= y[:, :1] / 2
    last = (~np.isnan(y)).sum(axis=1) - 1
    return np.where(hit.any(axis=1), days[1:][np.argmax(hit, axis=1)], days[last]), hit.any(axis=1)


def test_times_are_compared_by_hazards_ranks_and_restricted_means():
    days, happened = in_time()
    found = {
        name: one(analysed({"measure": "time-to-response", "analysis": name})) for name in ("cox", "log-rank", "rmst")
    }
    assert equal(found["cox"].estimate, cox(days, happened, ARM, 0, 1))
    assert found["log-rank"].estimate.p == pytest.approx(log_rank(days, happened, ARM))
    assert math.isnan(found["log-rank"].estimate.estimate)
    assert equal(found["rmst"].estimate, rmst_difference(days, happened, ARM, 0, 1, 14.0))
    assert found["cox"].estimate.estimate > 0  # drug responds faster
    assert found["rmst"].estimate.estimate < 0  # and so is without a response for less long
    assert found["rmst"].truth < 0
    assert math.isnan(found["cox"].truth)


def test_the_truth_of_restricted_means_is_what_the_analysis_finds_without_holes():
    """With everybody followed and the arms as large as everybody, estimate and truth are the same number."""
    arms = by_arm(np.tile(scores(6.0), (2, 1))), by_arm(np.tile(scores(0), (2, 1)))
    allocated = np.repeat([0, 1], PEOPLE)
    for measure in ("time-to-response", "relapse"):
        endpoint = {"measure": measure, "analysis": "rmst", "rule": "half-baseline"}
        found = one(analysed(endpoint, of=arms, allocated=allocated))
        assert abs(found.truth) > 0.01
        assert found.estimate.estimate == pytest.approx(found.truth)


def test_a_relapse_counts_for_those_at_risk():
    ill = np.tile([40.0, 15, 15, 30, 30], (PEOPLE, 1))
    well = np.tile([40.0, 15, 15, 15, 15], (PEOPLE, 1))
    never = np.tile([40.0, 35, 35, 35, 35], (PEOPLE, 1))
    drug = np.where((np.arange(PEOPLE) % 3 == 0)[:, None], ill, well)
    control = np.where((np.arange(PEOPLE) % 3 == 0)[:, None], well, ill)
    drug[:10], control[:10] = never[:10], never[:10]
    found = one(analysed({"measure": "relapse", "analysis": "cox"}, of=(by_arm(drug), by_arm(control))))
    assert found.estimate.estimate < 0
    assert found.n == (25, 25)


@pytest.mark.parametrize("rule", ["jump-to-reference", "copy-increments"])
def test_reference_based_imputation_comes_last_and_is_of_the_primary_endpoint(rule):
    y = with_holes()
    found = analysed(
        {"measure": "change", "at": "14 d", "analysis": "mmrm"},
        {"measure": "response", "at": "14 d"},
        missing={"sensitivity": [rule], "imputations": 6},
    ).contrasts()
    assert [f.analysis for f in found] == ["mmrm", "risk-difference", rule]
    asked = {"jump-to-reference": "jump to reference", "copy-increments": "copy increments"}[rule]
    direct = imputed_ancova(y[:, 1:] - y[:, :1], ARM, 1, y[:, 0], asked, imputations=6, seed=0)
    assert equal(found[2].estimate, direct[0])
    assert found[2].truth == found[0].truth


def test_strata_of_the_allocation_are_covariates():
    plan = {"kind": "stratified", "block": 2, "by": ["AGE >= 45"]}
    y, found = with_holes(), one(analysed({"measure": "change", "analysis": "ancova"}, allocation=plan))
    old = np.linspace(20, 70, PEOPLE) >= 45
    assert equal(found.estimate, ancova(y[:, 4] - y[:, 0], ARM, np.column_stack([y[:, 0], old])).contrast(0, 1))


def test_every_arm_is_compared_with_the_reference():
    arms = [{"name": n, "course": "iv-single", "n": 20} for n in "abc"]
    three = [by_arm(scores(shift, seed=3)) for shift in (9.0, 5.0, 0.0)]
    plan = {"arms": arms, "reference": "b", "leaving": {}}
    endpoint = {"measure": "change", "analysis": "ancova"}
    found = analysed(endpoint, of=three, allocated=np.arange(PEOPLE) % 3, **plan).contrasts()
    assert [f.arm for f in found] == [0, 2]
    means = [s.scores["MADRS"][:, 4].mean() for s in three]
    assert [f.truth for f in found] == pytest.approx([means[0] - means[1], means[2] - means[1]])
    assert found[0].estimate.estimate < 0 < found[1].estimate.estimate


def test_who_was_not_randomised_counts_neither_in_estimate_nor_in_truth():
    allocated = np.where(np.arange(PEOPLE) < 20, -1, ARM)
    drug, control = both()
    found = one(analysed({"measure": "change", "analysis": "ancova"}, allocated=allocated))
    assert found.truth == pytest.approx(np.mean((drug.scores["MADRS"] - control.scores["MADRS"])[20:, 4]))
    assert sum(found.n) == int((LEFT[20:] > 336).sum())


# ------------------------------------------------------------------------------------------------ truth and estimands


def test_the_truth_follows_the_estimand():
    rescued = np.where(np.arange(PEOPLE) % 3 == 0, 72.0, np.inf)
    undisturbed = scores(2.0)
    drug = by_arm(scores(6.0), rescued_h=rescued, undisturbed={"MADRS": undisturbed})
    control = by_arm(scores(0), undisturbed={"MADRS": scores(-1.0)})
    endpoint = {"measure": "change", "analysis": "ancova"}
    found = one(analysed(endpoint, of=(drug, control), leaving={}, estimand="hypothetical"))
    assert found.truth == pytest.approx(np.mean((undisturbed - scores(-1.0))[:, 4]))
    plain = by_arm(scores(6.0), rescued_h=rescued), by_arm(scores(0))
    truth = {
        kind: one(analysed(endpoint, of=plain, leaving={}, estimand=kind)).truth
        for kind in ("treatment-policy", "composite")
    }
    assert truth["treatment-policy"] == pytest.approx(np.mean((scores(6.0) - scores(0))[:, 4]))
    last = np.where(np.isfinite(rescued), scores(6.0)[:, 0], scores(6.0)[:, 4])
    change = [last - scores(6.0)[:, 0], (scores(0)[:, 4] - scores(0)[:, 0])]
    assert truth["composite"] == pytest.approx(np.mean(change[0] - change[1]))


# ------------------------------------------------------------------------------------------------ designs


def test_a_crossover_compares_the_periods_within_people():
    plan = {
        "crossover": {"period": "7 d", "first": "drug", "second": "control"},
        "visits": ["24 h", "7 d", "8 d"],
        "endpoints": [{"measure": "change", "at": "24 h", "analysis": "crossover"}],
    }
    rng = np.random.default_rng(1)
    base = rng.normal(33, 4, (PEOPLE, 1))
    drug, none = -9.0, -2.0
    y = {
        "drug": base + np.array([0.0, drug, 0, none]) + rng.normal(0, 3, (PEOPLE, 4)),
        "control": base + np.array([0.0, none, 0, drug]) + rng.normal(0, 3, (PEOPLE, 4)),
    }
    found = Analysis(trial(**plan), made_up([0, 24, 168, 192], ARM, by_arm(y["drug"]), by_arm(y["control"])))
    own = np.where(ARM[:, None] == 0, y["drug"], y["control"])
    periods = np.column_stack([own[:, 1] - own[:, 0], own[:, 3] - own[:, 2]])
    contrast = one(found)
    assert equal(contrast.estimate, crossover(periods, ARM == 0).treatment)
    assert contrast.estimate.estimate == pytest.approx(drug - none, abs=4 * contrast.estimate.se)


def test_the_second_stage_is_of_those_on_placebo_who_did_not_respond():
    arms = [{"name": n, "course": "iv-single", "n": 20} for n in ("drug", "delayed", "placebo")]
    plan = {
        "arms": arms,
        "visits": ["7 d", "14 d"],
        "second_stage": {
            "at": "7 d", "if": "improvement(MADRS) < 50 %", "drug": "drug", "delayed": "delayed",
            "placebo": "placebo", "weight": 0.6,
        },
        "endpoints": [{"measure": "change", "at": "14 d", "analysis": "sequential-parallel"}],
    }  # fmt: skip
    rng = np.random.default_rng(2)
    y = np.clip(
        rng.normal(34, 4, (PEOPLE, 1)) - np.cumsum(rng.normal([0, 12, 0], [0, 7, 3], (PEOPLE, 3)), axis=1), 0, 60
    )
    late = y - np.array([0, 0, 6.0])
    first = y - np.array([0, 8.0, 8.0])
    allocated = np.arange(PEOPLE) % 3
    found = one(Analysis(trial(**plan), made_up([0, 168, 336], allocated, by_arm(first), by_arm(late), by_arm(y))))
    own = np.select([allocated[:, None] == k for k in (0, 1, 2)], [first, late, y])
    ill = 100 * (1 - own[:, 1] / own[:, 0]) < 50
    again = ill & (allocated > 0)
    stages = (
        ancova(own[:, 1] - own[:, 0], (allocated == 0).astype(int), own[:, :1]).contrast(1, 0),
        ancova(
            (own[:, 2] - own[:, 1])[again], (allocated[again] == 1).astype(int), own[again][:, 1:2]
        ).contrast(1, 0),
    )  # fmt: skip
    assert 0 < again.sum() < 40
    assert equal(found.estimate, combined(*stages, 0.6))
    assert found.truth == pytest.approx(0.6 * -8.0 + 0.4 * -6.0, abs=0.3)  # scores end at 0


# ------------------------------------------------------------------------------------------------ decisions


def contrast(number, analysis, p):
    return Contrast(number, analysis, 0, Estimate(1.0, 1.0, p_value=p), 0.0, (1, 1))


@pytest.mark.parametrize(
    ("kind", "confirmed"),
    [("fixed-sequence", [True, False, False]), ("holm", [True, False, True]), ("none", [True, False, True])],
)
def test_decisions_follow_the_order_of_the_file_and_leave_sensitivity_analyses_out(kind, confirmed):
    plan = trial(
        visits=TIMES,
        multiplicity=kind,
        endpoints=[
            {"measure": "change", "analysis": "ancova"},
            {"measure": "response"},
            {"measure": "remission"},
        ],
    )
    p = [0.01, 0.2, 0.02]
    found = [contrast(0, "ancova", p[0]), contrast(1, "risk-difference", p[1]), contrast(2, "risk-difference", p[2])]
    found.append(contrast(0, "jump-to-reference", 1e-9))
    assert decided(plan, found) == dict(enumerate(confirmed))


def test_a_missing_test_stops_a_fixed_sequence():
    plan = trial(visits=TIMES, endpoints=[{"measure": "relapse", "analysis": "cox"}, {"measure": "response"}])
    missing = Contrast(0, "cox", 0, Estimate.missing("no event"), math.nan, (1, 1))
    assert decided(plan, [missing, contrast(1, "risk-difference", 1e-6)]) == {0: False, 1: False}


# ------------------------------------------------------------------------------------------------ nothing to analyse

EVERY = [
    {"measure": "change", "analysis": "mmrm"},
    {"measure": "change", "analysis": "ancova"},
    {"measure": "response", "analysis": "risk-difference"},
    {"measure": "remission", "analysis": "logistic"},
    {"measure": "relapse", "analysis": "cox"},
    {"measure": "relapse", "analysis": "log-rank"},
    {"measure": "time-to-response", "analysis": "rmst"},
]


@pytest.mark.parametrize("allocated", [np.zeros(PEOPLE), np.ones(PEOPLE), np.full(PEOPLE, -1)])
def test_an_empty_arm_is_a_problem_and_no_exception(allocated):
    more = {"missing": {"sensitivity": ["jump-to-reference"], "imputations": 5}}
    for found in analysed(*EVERY, allocated=allocated, **more).contrasts():
        assert found.estimate.problem
        assert math.isnan(found.estimate.p)


@pytest.mark.parametrize("level", [40.0, 5.0])
def test_arms_without_any_difference_between_people_are_a_problem_and_no_exception(level):
    same = by_arm(np.tile([40.0, *[level] * 4], (PEOPLE, 1)))
    for found in analysed(*EVERY, of=(same, same), leaving={}).contrasts():
        assert found.estimate.problem or found.estimate.p > 0.9


def test_everybody_leaving_at_once_is_a_problem_and_no_exception():
    gone = by_arm(scores(0), left_h=np.full(PEOPLE, 1.0))
    for found in analysed(*EVERY, of=(gone, gone)).contrasts():
        assert found.estimate.problem


# ------------------------------------------------------------------------------------------------ in a real replicate


def test_estimates_scatter_around_their_truth():
    """Sixty replicates: the mean miss is within four standard errors of none, and intervals hold the truth."""
    from small_trials import arms

    of = virtual(
        "posterior",
        arms=arms(30),
        visits=["24 h", "7 d"],
        leaving={"at_random": 0.05},
        missed_visits=0.05,
        endpoints=[
            {"measure": "change", "at": "7 d", "analysis": "mmrm"},
            {"measure": "change", "at": "24 h", "analysis": "ancova"},
            {"measure": "response", "at": "24 h"},
        ],
    )
    found = [Analysis(of.trial, one).contrasts() for one in of.run(range(60))]
    for k in range(3):
        miss = np.array([row[k].estimate.estimate - row[k].truth for row in found])
        assert abs(miss.mean()) < 4 * miss.std() / np.sqrt(len(miss))
        ends = [(*row[k].estimate.interval(0.95), row[k].truth) for row in found]
        assert np.mean([low <= truth <= high for low, high, truth in ends]) > 0.8


def test_what_is_seen_is_a_part_of_what_would_have_been():
    of = virtual(leaving={"at_random": 0.3}, missed_visits=0.2)
    data = Observed(of.trial, next(of.run([0])))
    seen, full = data.scores("MADRS"), data.full("MADRS")
    assert np.array_equal(seen[~np.isnan(seen)], full[~np.isnan(seen)])
    assert np.isnan(seen[:, 1:]).any()
