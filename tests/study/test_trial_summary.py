"""Summaries of replicates, from tables made by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr, ndtri

from afterglow.study import trial_summary as summary
from afterglow.study.trial_tables import TABLES, better, tables
from small_trials import arms, virtual

CONTRAST = {
    "scenario": 0, "world": "posterior", "replicate": 0, "endpoint": 1, "measure": "change", "scale": "MADRS",
    "analysis": "ancova", "arm": "drug", "control": "control", "visit": "1 d", "time_h": 24.0, "estimate": -4.0,
    "se": 2.0, "df": 50.0, "p": 0.05, "lo95": -8.0, "hi95": 0.0, "significant": True, "confirmed": True,
    "favours": True, "truth": -4.0, "n_arm": 30, "n_control": 30, "problem": "",
}  # fmt: skip
FLOW = {
    "scenario": 0, "world": "posterior", "replicate": 0, "arm": "drug", "rated": 80, "enrolled": 60, "randomised": 30,
    "left_at_random": 1, "left_lack_of_effect": 0, "left_side_effects": 0, "rescued": 0, "completed": 29,
    "missed_visits": 2, "failed": 0, "with_event": 0.5,
}  # fmt: skip


def estimates(*rows):
    """Estimates of replicates 0, 1, ... that differ from the one above in these fields."""
    return pd.DataFrame([CONTRAST | {"replicate": k} | row for k, row in enumerate(rows)])


def flow(*rows):
    return pd.DataFrame([FLOW | row for row in rows])


def characteristics(*rows, margin=2.0, varied=({},)):
    margins = dict.fromkeys(range(len(varied)), margin)
    found = summary.operating_characteristics(
        estimates(*rows), flow({}, {"arm": "control"}), margins, dict(enumerate(varied))
    )
    return found.to_dict("records")


def wilson(hits, n, level=0.9):
    z = ndtri(0.5 + level / 2)
    p = hits / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


# ------------------------------------------------------------------------------------------------ directions


@pytest.mark.parametrize(
    ("measure", "analysis", "sign"),
    [
        ("change", "ancova", -1), ("change", "mmrm", -1), ("change", "jump-to-reference", -1),
        ("response", "risk-difference", 1), ("response", "logistic", 1), ("remission", "risk-difference", 1),
        ("relapse", "cox", -1), ("relapse", "rmst", 1), ("time-to-response", "cox", 1),
        ("time-to-response", "rmst", -1),
    ],
)  # fmt: skip
def test_what_favours_the_arm(measure, analysis, sign):
    assert better(measure, analysis, 0.3 * sign)
    assert not better(measure, analysis, -0.3 * sign)
    assert not better(measure, analysis, math.nan)


def test_a_test_without_direction_always_counts():
    assert better("relapse", "log-rank", math.nan)


# ------------------------------------------------------------------------------------------------ characteristics


def test_power_counts_what_is_significant_in_favour_of_the_arm():
    no, wrong = {"significant": False}, {"favours": False}
    (row,) = characteristics({}, {}, no, wrong, {})
    assert row["assurance"] == pytest.approx(3 / 5)
    assert (row["assurance_lo90"], row["assurance_hi90"]) == pytest.approx(wilson(3, 5))
    assert row["replicates"] == 5


def test_each_world_has_a_power_of_its_own_and_the_null_both_directions():
    no = {"significant": False, "confirmed": False}
    null = [{"world": "null"} | one for one in ({}, {"favours": False}, no, no)]
    masked = [{"world": "masked"} | one for one in ({}, no)]
    (row,) = characteristics({}, {"world": "mean"}, *null, *masked)
    assert (row["assurance"], row["power_at_mean"], row["power_masked"]) == (1.0, 1.0, 0.5)
    assert row["type_1_error"] == 0.5
    assert row["confirmed"] == 1.0  # in the posterior world
    assert "power_inert" not in row


def test_bias_coverage_and_nearness():
    rows = [
        {"estimate": -4.0, "truth": -4.0},
        {"estimate": -7.0, "truth": -4.0, "lo95": -11.0, "hi95": -3.0},
        {"estimate": -1.0, "truth": -6.0, "lo95": -5.0, "hi95": 3.0},
        {"estimate": -2.0, "truth": -4.0, "lo95": -6.0, "hi95": 2.0},
    ]
    (row,) = characteristics(*rows)
    miss = np.array([0.0, -3.0, 5.0, 2.0])
    assert row["bias"] == pytest.approx(miss.mean())
    assert row["bias_se"] == pytest.approx(miss.std(ddof=1) / 2)
    assert row["coverage95"] == 0.75
    assert row["near"] == 0.5
    assert (row["estimate"], row["truth"]) == (-3.5, -4.5)


def test_replicates_without_an_estimate_do_not_succeed_and_are_left_out_of_means():
    none = {"estimate": math.nan, "se": math.nan, "p": math.nan, "lo95": math.nan, "hi95": math.nan, "favours": False}
    missing = none | {"significant": False, "problem": "an arm is empty", "confirmed": False}
    (row,) = characteristics({}, missing)
    assert row["assurance"] == 0.5
    assert (row["estimate"], row["bias"], row["coverage95"]) == (-4.0, 0.0, 1.0)
    found = summary.contrasts(estimates({}, missing)).to_dict("records")[0]
    assert (found["without_estimate"], found["replicates"], found["difference"]) == (1, 2, -4.0)


def test_ratios_have_no_truth_and_no_bias():
    (row,) = characteristics({"measure": "relapse", "analysis": "cox", "truth": math.nan, "time_h": math.nan})
    assert math.isnan(row["bias"])
    assert math.isnan(row["coverage95"])
    assert row["assurance"] == 1.0


def test_nearness_is_told_in_points_only():
    (row,) = characteristics({"measure": "response", "analysis": "risk-difference", "estimate": 0.2, "truth": 0.1})
    assert math.isnan(row.get("near", math.nan))


def test_people_are_counted_over_replicates_of_the_first_world():
    people = flow(
        {}, {"arm": "control", "randomised": 28, "completed": 20},
        {"replicate": 1, "rated": 100}, {"replicate": 1, "arm": "control", "rated": 100},
        {"world": "mean", "rated": 9999},
    )  # fmt: skip
    (row,) = summary.operating_characteristics(estimates({}), people, {0: 2.0}, {0: {}}).to_dict("records")
    assert (row["n_rated"], row["n_randomised"], row["n_completed"]) == (90, 59, 53.5)


def test_scenarios_stand_apart_with_what_they_vary():
    rows = [{}, {"scenario": 1, "significant": False}]
    found = characteristics(*rows, varied=({"arms[0].n": "30"}, {"arms[0].n": "60"}))
    assert [(row["arms[0].n"], row["assurance"]) for row in found] == [("30", 1.0), ("60", 0.0)]


# ------------------------------------------------------------------------------------------------ spreads


def test_contrasts_hold_the_middle_ninety_percent_of_replicates():
    values = np.linspace(-10, 0, 41)
    (row,) = summary.contrasts(estimates(*({"estimate": v} for v in values))).to_dict("records")
    assert (row["difference"], row["lo90"], row["hi90"]) == pytest.approx((-5.0, -9.5, -0.5))


def test_arms_guesses_and_flow_are_means_over_replicates():
    visit = dict.fromkeys(TABLES["visits"], 1.0) | {"arm": "drug", "visit": "1 d", "scale": "MADRS", "world": "mean"}
    seen = pd.DataFrame([visit | {"n": n, "mean": m, "lsmean": math.nan} for n, m in ((10, 20.0), (20, 30.0))])
    (row,) = summary.arms(seen).to_dict("records")
    assert (row["n"], row["mean"], row["mean_lo90"], row["mean_hi90"]) == pytest.approx((15, 25, 20.5, 29.5))
    assert math.isnan(row["lsmean"])
    guess = dict.fromkeys(TABLES["guesses"], 1.0) | {"arm": "drug", "visit": "1 d", "world": "mean"}
    told = pd.DataFrame([guess | {"believed": b} for b in (0.2, 0.6)])
    assert summary.guesses(told)["believed"].tolist() == pytest.approx([0.4])
    (row,) = summary.flow(flow({}, {"replicate": 1, "randomised": 20, "with_event": 0.7})).to_dict("records")
    assert (row["randomised"], row["with_event"]) == pytest.approx((25.0, 0.6))
    assert (row["with_event_lo90"], row["with_event_hi90"]) == pytest.approx((0.51, 0.69))


# ------------------------------------------------------------------------------------------------ power curve


def curve(*rows, sizes=(30, 60, 240), alpha=0.05):
    found = summary.power_curve(estimates(*rows), alpha, list(sizes))
    return found["power"].to_numpy()


def test_the_power_curve_is_that_of_a_normal_estimate():
    z = ndtri(0.975)
    expected = [ndtr(4.0 / (2.0 * math.sqrt(60 / n)) - z) for n in (30, 60, 240)]
    assert curve({}) == pytest.approx(expected)
    assert curve({}, alpha=0.01)[1] == pytest.approx(ndtr(2.0 - ndtri(0.995)))


def test_the_power_curve_averages_over_replicates_and_not_over_effects():
    low, high = curve({"truth": -8.0}), curve({"truth": 0.0})
    assert curve({"truth": -8.0}, {"truth": 0.0}) == pytest.approx((low + high) / 2)
    assert curve({"truth": 0.0}) == pytest.approx([0.025] * 3)


@pytest.mark.parametrize(
    ("measure", "analysis", "sign"),
    [
        ("change", "mmrm", -1), ("response", "risk-difference", 1), ("relapse", "cox", -1), ("relapse", "rmst", 1),
        ("time-to-response", "cox", 1), ("time-to-response", "rmst", -1),
    ],
)  # fmt: skip
def test_a_good_effect_has_more_power_in_a_larger_trial(measure, analysis, sign):
    of = {"measure": measure, "analysis": analysis}
    good = curve(of | {"truth": sign * 4.0, "estimate": sign * 4.0})
    bad = curve(of | {"truth": -sign * 4.0, "estimate": -sign * 4.0})
    assert np.all(np.diff(good) > 0)
    assert np.all(np.diff(bad) < 0)


def test_without_a_truth_the_mean_estimate_stands_for_it():
    ratios = {"measure": "relapse", "analysis": "cox", "truth": math.nan}
    rows = [ratios | {"estimate": e} for e in (-3.0, -5.0)]
    assert curve(*rows) == pytest.approx(curve({"truth": -4.0}))
    ranks = {"measure": "relapse", "analysis": "log-rank", "truth": math.nan, "estimate": math.nan, "se": math.nan}
    assert np.isnan(curve(ranks)).all()


def test_the_power_curve_is_of_the_first_contrast():
    first, second = {"truth": -4.0}, {"truth": -40.0, "endpoint": 2}
    sensitive = {"truth": -40.0, "analysis": "jump-to-reference"}
    assert curve(first, second, sensitive) == pytest.approx(curve(first))


# ------------------------------------------------------------------------------------------------ from a real trial


def test_tables_of_a_trial_have_their_columns_and_are_consistent():
    design = {
        "arms": arms(20),
        "missed_visits": 0.1,
        "leaving": {"at_random": 0.2},
        "blinding": {"asked": ["24 h"]},
        "endpoints": [
            {"measure": "change", "at": "24 h", "analysis": "ancova"},
            {"measure": "change", "scale": "HAM-D17", "at": "7 d", "analysis": "mmrm"},
        ],
    }
    of = virtual("posterior", **design)
    replicates = list(of.run(range(3)))
    found = tables(of.trial, replicates, 4, "posterior")
    assert {name: tuple(table.columns) for name, table in found.items()} == TABLES
    assert all((table["scenario"] == 4).all() for table in found.values())
    flow, visits = found["flow"], found["visits"]
    left = flow[["left_at_random", "left_lack_of_effect", "left_side_effects"]].sum(axis=1)
    assert (flow["completed"] + left == flow["randomised"]).all()
    assert flow.groupby("replicate")["randomised"].sum().tolist() == [40] * 3
    baseline = visits[(visits["visit"] == "baseline") & (visits["scale"] == "MADRS")]
    assert baseline["n"].tolist() == flow["randomised"].tolist()
    assert (baseline["change"] == 0).all()
    last = visits[(visits["time_h"] == 168) & (visits["scale"] == "MADRS")]
    assert (last["n"].to_numpy() <= flow["completed"].to_numpy()).all()
    seen = visits[visits["scale"] == "MADRS"].groupby(["replicate", "arm"], sort=False)["n"].sum().to_numpy()
    gone = [int((one.visit_h > one.arms[k].left_h[:, None])[one.arm == k].sum()) for one in replicates for k in (0, 1)]
    assert flow["missed_visits"].sum() > 0
    assert sum(gone) > 0
    assert (seen + flow["missed_visits"].to_numpy() + gone == 3 * flow["randomised"].to_numpy()).all()
    assert visits[visits["scale"] == "HAM-D17"]["lsmean"].notna().sum() == 3 * 2 * 2
    assert visits[visits["scale"] == "MADRS"]["lsmean"].isna().all()
    assert found["guesses"]["asked"].le(20).all()
