"""Result tables: fixed columns, and intervals against closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from afterglow.study import intervals, tables
from drawn_runs import fake_run, fake_runs


@pytest.fixture(scope="module")
def runs():
    return list(fake_runs("iv-induction", "ssri", "usual-care", patients=40).values())


def with_scores(run, scores):
    """The run with these measured MADRS scores [patients, visits], on as many visits."""
    scores = np.asarray(scores, dtype=float)
    n, v = scores.shape
    return replace(
        run,
        visit=run.visit[:v],
        visit_index=run.visit_index[:v],
        measured={"MADRS": scores},
        status=np.zeros(n, dtype=int),
        population=pd.DataFrame({"AGE": np.zeros(n)}, index=pd.RangeIndex(n, name="patient")),
    )


class TestColumns:
    def test_they_are_fixed(self, runs):
        ends = ("", "_lo90", "_hi90")
        estimates = [f"{n}{e}" for n in ("mean", "sd", "change", "change_sd", "response", "remission") for e in ends]
        assert list(tables.scores(runs)) == ["patient", "arm", "visit", "time_h", "scale", "value"]
        assert list(tables.arms(runs)) == ["arm", "visit", "time_h", "scale", "n", *estimates]
        assert list(tables.contrasts(runs)) == [
            "arm", "control", "visit", "time_h", "scale", "difference", "lo90", "hi90", "power",
        ]  # fmt: skip
        assert next(iter(tables.patients(runs))) == "patient"

    def test_one_row_for_each_patient_arm_visit_and_scale(self, runs):
        found = tables.scores(runs, ("MADRS", "PHQ-9"))
        assert len(found) == 40 * len(runs) * len(runs[0].visit) * 2
        assert not found.duplicated(["patient", "arm", "visit", "scale"]).any()

    def test_a_course_without_control_has_no_contrast(self, runs):
        assert set(tables.contrasts(runs)["arm"]) == {"iv-induction", "ssri"}
        assert tables.contrasts([runs[-1]]).empty

    def test_every_column_has_a_meaning(self, runs):
        from afterglow.study.columns import column

        made = [tables.scores(runs), tables.arms(runs), tables.contrasts(runs), tables.summary(runs)]
        made += [tables.doses(runs), tables.trajectories(runs), tables.patients(runs).drop(columns="MADRS")]
        assert [name for table in made for name in table if not column(name)[1]] == []


class TestIntervals:
    def test_mean_is_students(self):
        x = np.random.default_rng(1).normal(20, 6, size=(30, 1))
        low, high = intervals.interval("mean", intervals.mean(x))
        expected = stats.t.interval(0.9, 29, x.mean(), stats.sem(x[:, 0]))
        assert (low[0], high[0]) == pytest.approx(expected)

    @pytest.mark.parametrize("hits", [0, 3, 20])
    def test_fraction_without_draws_is_wilsons(self, hits):
        x = np.array([1.0] * hits + [0.0] * (20 - hits))[:, None]
        low, high = intervals.interval("fraction", intervals.fraction(x))
        expected = stats.binomtest(hits, 20).proportion_ci(0.9, method="wilson")
        assert (low[0], high[0]) == pytest.approx((expected.low, expected.high), abs=1e-12)

    def test_spread_covers_at_about_ninety_percent(self):
        x = np.random.default_rng(2).normal(0, 5, size=(60, 2000))
        low, high = intervals.interval("spread", intervals.spread(x))
        assert np.mean((low < 5) & (high > 5)) == pytest.approx(0.9, abs=0.02)

    def test_parameter_draws_add_their_variance(self):
        main = intervals.Estimate(np.array([10.0]), np.array([0.04]), np.array([1000.0]))
        draws = [replace(main, value=np.array([10.0 + d])) for d in (-1.0, 0.0, 1.0)]
        low, high = intervals.interval("mean", main, draws)
        df = (0.04 + 1.0) ** 2 / (0.04**2 / 999 + 1.0**2 / 2)
        half = stats.t.ppf(0.95, df) * np.sqrt(1.04)
        assert (low[0], high[0]) == pytest.approx((10 - half, 10 + half))

    def test_draws_from_fewer_patients_do_not_widen_by_that(self):
        main = intervals.Estimate(np.array([10.0]), np.array([0.01]), np.array([1000.0]))
        small = intervals.Estimate(np.array([10.0]), np.array([0.1]), np.array([100.0]))
        with_draws, alone = intervals.interval("mean", main, [small] * 3), intervals.interval("mean", main)
        assert np.ravel(with_draws) == pytest.approx(np.ravel(alone))

    def test_fractions_stay_between_zero_and_one_with_draws(self):
        main = intervals.fraction(np.ones((50, 1)))
        draws = [replace(main, value=np.array([p])) for p in (0.2, 0.6, 1.0)]
        low, high = intervals.interval("fraction", main, draws)
        alone, _ = intervals.interval("fraction", main)
        assert 0 <= low[0] < alone[0]
        assert high[0] <= 1

    def test_fractions_with_few_draws_are_as_wide_as_students(self):
        n = np.array([1e6])
        main = intervals.Estimate(np.array([0.5]), 0.25 / n, n)
        draws = [replace(main, value=np.array([p])) for p in (0.45, 0.5, 0.55)]
        low, high = intervals.interval("fraction", main, draws)
        t, variance = stats.t.ppf(0.95, 2), 0.05**2
        n_effective = 0.25 / variance
        half = t / (1 + t**2 / n_effective) * np.sqrt(variance + t**2 / (4 * n_effective**2))
        assert (high - low)[0] / 2 == pytest.approx(half, rel=0.01)

    def test_power_against_a_simulated_trial(self):
        rng = np.random.default_rng(3)
        a, b = rng.normal(0, 10, (4000, 50)), rng.normal(-5, 10, (4000, 50))
        simulated = np.mean(stats.ttest_ind(a, b, axis=1).pvalue < 0.05)
        assert intervals.power(np.array([-5.0]), np.array([10.0]))[0] == pytest.approx(simulated, abs=0.02)
        assert intervals.power(np.array([0.0]), np.array([10.0]))[0] == pytest.approx(0.05)

    def test_power_of_a_very_large_difference_is_one(self):
        assert intervals.power(np.array([23.8, 24.0, -60.0]), np.full(3, 10.0)).tolist() == [1.0, 1.0, 1.0]

    def test_one_patient_has_no_interval(self):
        low, high = intervals.interval("mean", intervals.mean(np.array([[12.0]])))
        assert np.isnan(low[0])
        assert np.isnan(high[0])


class TestNumbers:
    def test_contrast_is_paired_by_patient(self, runs):
        drug, control = runs[0], runs[1]
        row = tables.contrasts(runs).set_index(["arm", "visit"]).loc[("iv-induction", "7 d")]
        pairs = (drug.measured["MADRS"] - control.measured["MADRS"])[:, drug.visit.index("7 d")]
        low, high = stats.t.interval(0.9, len(pairs) - 1, pairs.mean(), stats.sem(pairs))
        assert row["difference"] == pytest.approx(pairs.mean())
        assert (row["lo90"], row["hi90"]) == pytest.approx((low, high))

    def test_failed_patients_are_left_out_everywhere(self, runs):
        status = np.zeros(40, dtype=int)
        status[[3, 8]] = 1
        run = replace(runs[0], status=status)
        kept = np.flatnonzero(status == 0)
        table = tables.arms([run])
        assert set(table["n"]) == {38}
        assert table["mean"].iloc[-1] == pytest.approx(run.measured["MADRS"][kept, -1].mean())
        assert set(tables.scores([run])["patient"]) == set(kept)

    def test_nobody_left_gives_empty_numbers_not_errors(self, runs):
        run = replace(runs[0], status=np.ones(40, dtype=int))
        assert tables.summary([run])["n"].iloc[0] == 0
        assert tables.arms([run])["mean"].isna().all()

    def test_a_scale_without_a_remission_rule_has_none(self, runs):
        found = tables.arms([runs[0]], ("GAD-7",))
        assert found["remission"].isna().all()
        assert found["response"].notna().all()

    def test_several_parts_of_a_session_are_one_dose(self, runs):
        run = runs[0]
        twice = pd.concat([run.doses, run.doses.assign(time_h=run.doses["time_h"] + 0.1)])
        once, both = tables.doses([run]), tables.doses([replace(run, doses=twice)])
        assert both["doses_mean"].iloc[0] == once["doses_mean"].iloc[0] == 6
        assert both["mg"].iloc[0] == pytest.approx(2 * once["mg"].iloc[0])

    def test_amounts_and_reasons_count_doses_not_dose_times(self, runs):
        run = runs[0]
        one = run.doses[run.doses["patient"] == 0].iloc[[0]]
        late = [one.assign(session=90 + k, time_h=900.0 + k, mg=1.0, reason="booster") for k in range(7)]
        found = tables.doses([replace(run, doses=pd.concat([run.doses, *late]))]).iloc[0]
        assert found["planned"] == pytest.approx(240 / 247)
        assert found["mg"] == pytest.approx(run.doses["mg"].median(), rel=0.05)

    def test_tablets_that_sedate_are_not_free_of_acute_effects(self):
        found = tables.summary(list(fake_runs("benzodiazepine", "usual-care", patients=20).values()))
        found = found.set_index("arm")["sedated"]
        assert 0 < found["benzodiazepine"] <= 1
        assert found["usual-care"] < found["benzodiazepine"]

    def test_daily_drugs_are_among_the_doses(self, runs):
        found = tables.doses([runs[2]]).iloc[0]
        assert (found["drug"], found["doses_mean"], found["mg"]) == ("escitalopram", 56, 10)


class TestCourseOfIllness:
    ill, well = [30.0] * 10, [30, 30, 30, 10, 10, 10, 10, 10, 10, 10]  # baseline, 2 h, 4 h, 1 d ... 7 d

    def summary(self, *scores):
        return tables.summary([with_scores(fake_run("iv-single", len(scores)), scores)]).iloc[0]

    def test_time_to_response_is_when_half_have_responded(self):
        found = self.summary(self.well, self.well, self.ill)
        assert found["time_to_response_d"] == 1
        assert found["responded_ever"] == pytest.approx(2 / 3)
        assert found["relapse"] == 0

    def test_never_is_empty(self):
        found = self.summary(self.well, self.ill, self.ill)
        assert np.isnan(found["time_to_response_d"])

    def test_a_response_must_be_confirmed(self):
        once = [30, 30, 30, 10, *[30] * 6]  # in response at one rating only
        assert self.summary(once)["responded_ever"] == 0

    def test_relapse_after_a_response(self):
        days = [15.0] * 57
        weeks = {0: 30.0, 14: 28.0, 21: 28.0}
        scores = [30, 30, 15, *[weeks.get(day, days[day]) for day in range(1, 57)]]
        found = self.summary(scores, scores)
        assert found["relapse"] == 1
        assert found["time_to_relapse_d"] == pytest.approx(14 - 4 / 24)
