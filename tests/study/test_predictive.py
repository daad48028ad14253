"""What trials would show if the model were right: settings, curves, replicates and relapse."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.special import ndtri

from afterglow import data
from afterglow.data.fitted import measurement
from afterglow.study import predictive as study
from afterglow.study import validate
from afterglow.study.draws import split_draws, tau_draws
from afterglow.study.published import Noise, predict
from afterglow.study.trials import Laboratory

DAY = data.trial("lapidus2014")  # one day, two arms: change, difference, response
SPREAD = data.trial("correia_melo2020")  # mean and SD of two arms after a day
FOLLOWED = data.trial("murrough2013_bp")  # responders until relapse
FEW = {"patients": 16, "seed": 3}


@pytest.fixture(scope="module")
def curves():
    return study.curves(DAY, draws=6, **FEW)


@pytest.fixture
def no_trial_effects(monkeypatch):
    """Trials have nothing of their own."""

    def none(draws, *_):
        return np.zeros((draws, 3))

    monkeypatch.setattr(study, "tau_draws", none)
    monkeypatch.setattr(validate, "tau_draws", none)


# ------------------------------------------------------------------------------------ settings


def test_trial_effects_are_normal_with_the_spread_of_their_draw():
    found = study.settings(5, 3, "a", effects=8)
    assert [one.number for one in found] == list(range(40))
    tau = np.repeat(tau_draws(5, 3), 8, axis=0)
    assert [one.tau_e for one in found] == pytest.approx(tau[:, 2])
    for k in range(2):
        z = np.sort(np.array([one.own[k] for one in found]) / tau[:, k])
        assert z == pytest.approx(ndtri((np.arange(40) + 0.5) / 40))
    values = [one.values for one in found]
    assert all(values[i] == values[i - i % 8] for i in range(40))
    assert [values[8 * i] for i in range(5)] == [v for v, _ in split_draws(5, 3)]


def test_every_trial_has_luck_of_its_own_and_the_same_again():
    first, again, other = (study.settings(3, 3, name) for name in ("a", "a", "b"))
    assert first == again
    assert [one.own for one in first] != [one.own for one in other]


# ------------------------------------------------------------------------------------ curves


@pytest.mark.parametrize("end", [4.0, 24.0, 100.0, 672.0, 3096.0])
def test_the_grid_of_times_is_close_at_first_and_never_too_long(end):
    grid = study.time_grid(end)
    assert grid[0] == 0
    assert grid[-1] == end
    assert (np.diff(grid) > 0).all()
    assert len(grid) <= len(study.FIRST_DAY_H) + study.MOST_POINTS + 1
    assert np.diff(grid[grid <= 24]).max() <= 4


def test_every_group_of_published_points_has_its_curve(curves):
    drawn = [(c.rows[0].measure, c.rows[0].arm, c.rows[0].versus) for c in curves]
    asked = {(r.measure, r.arm, r.versus) for r in DAY.answered() if r.measure in study.LEVELS and r.time_h}
    assert set(drawn) == asked
    assert len(drawn) == len(asked)
    for curve in curves:
        assert {row.time_h for row in curve.rows} <= set(curve.time_h.tolist())


def test_bands_hold_the_median_and_the_wider_the_narrower(curves):
    for c in curves:
        ordered = [c.bands[name] for name in ("p05", "p25", "median", "p75", "p95")]
        assert all((low <= high).all() for low, high in pairwise(ordered))
        assert c.scatter is not None
        assert (c.scatter[0] <= c.bands["median"] + 1e-9).all()
        assert (c.scatter[1] >= c.bands["median"] - 1e-9).all()
        last = [band[-1] for band in (*c.scatter, c.bands["p05"], c.bands["p95"])]
        assert last[1] - last[0] > last[3] - last[2]


def test_changes_differences_and_response_start_at_nothing(curves):
    for c in curves:
        assert np.abs(c.bands["median"][0]) < 1.0


def test_more_draws_move_medians_no_further_than_chance(curves):
    for few, many in zip(curves, study.curves(DAY, draws=24, **FEW), strict=True):
        room = (many.bands["p95"] - many.bands["p05"])[-1]
        assert abs(few.bands["median"][-1] - many.bands["median"][-1]) < 0.35 * room


@pytest.mark.usefixtures("no_trial_effects")
def test_curves_pass_through_the_predictions_of_the_rows():
    laboratory = Laboratory([DAY], 16, 3)
    held = measurement()
    runs = [laboratory.run(values, Noise(**(held | noise)))[DAY.id] for values, noise in split_draws(3, 3)]
    for curve in study.curves(DAY, draws=3, **FEW):
        for row in curve.rows:
            expected = np.median([predict(row, arms) for arms in runs])
            at = int(np.flatnonzero(curve.time_h == row.time_h)[0])
            assert curve.bands["median"][at] == pytest.approx(expected, abs=1e-6)


@pytest.mark.usefixtures("no_trial_effects")
def test_at_its_visit_the_scatter_is_the_interval_of_the_validation():
    table = validate.validate([DAY.id], draws=3, **FEW)
    for curve in study.curves(DAY, draws=3, **FEW):
        row = curve.rows[-1]
        arm = row.arm if row.versus is None else f"{row.arm} v {row.versus}"
        line = table[(table["arm"] == arm) & (table["measure"] == row.measure)].iloc[0]
        assert curve.scatter[:, -1] == pytest.approx([line["lo90"], line["hi90"]], abs=0.01)


# ------------------------------------------------------------------------------------ replicates


def test_statistics_by_hand():
    scores = np.array([[30.0, 15.0, 10.0], [30.0, 16.0, 11.0], [40.0, 10.0, 40.0], [20.0, 20.0, np.nan]])
    found = study.statistics(scores, DAY)
    assert DAY.simulate is not None
    assert found["mean"][0] == 15.25
    assert found["change"][0] == -14.75
    assert found["sd"][0] == pytest.approx(np.std([15, 16, 10, 20], ddof=1))
    assert found["change_sd"][0] == pytest.approx(np.std([-15, -14, -30, 0], ddof=1))
    assert found["response"][0] == 50
    cut = DAY.simulate.rules.remission.at_most if DAY.simulate.rules.remission else 10
    assert found["remission"][0] == 100 * np.mean(np.array([15, 16, 10, 20]) <= cut)
    assert all(np.isnan(value[1]) for value in found.values())


def test_replicates_stand_beside_what_was_published():
    lines = study.replicates(SPREAD, draws=4, **FEW)
    found = {(one.arm, one.measure): one for one in lines}
    for row in SPREAD.answered():
        if row.measure in ("mean", "sd") and row.time_h:
            one = found[row.arm, row.measure]
            assert one.value == row.value
            assert one.se == pytest.approx(row.se, rel=1e-3)
            assert one.n == row.n
    for one in lines:
        ordered = [one.bands[name] for name in ("p05", "p25", "median", "p75", "p95")]
        assert ordered == sorted(ordered)


def test_an_sd_published_beside_a_mean_counts_with_the_error_of_an_sd():
    record = data.trial("lii2023_masked")
    found = {(one.arm, one.time_h): one for one in study.replicates(record, draws=2, **FEW) if one.measure == "sd"}
    means = [row for row in record.answered() if row.measure == "mean" and row.time_h]
    assert len(found) == len(means)
    for row in means:
        one = found[row.arm, row.time_h]
        assert (one.value, one.se) == pytest.approx((row.sd, row.sd / np.sqrt(2 * row.n - 2)))


def test_larger_trials_scatter_less(monkeypatch):
    widths = []
    for n in (6, 600):
        monkeypatch.setattr(study, "_patients", lambda *_, n=n: n)
        lines = study.replicates(SPREAD, draws=4, **FEW)
        widths.append([one.bands["p95"] - one.bands["p05"] for one in lines if one.measure == "sd"])
    small, large = np.array(widths)
    assert (large < 0.6 * small).all()


# ------------------------------------------------------------------------------------ relapse


def test_the_curve_is_the_empirical_survival_of_the_sampled_times():
    days = np.array([7.0, 7.0, 14.0, np.inf])
    assert study.still_well(days, np.array([0.0, 7.0, 13.0, 14.0, 99.0])).tolist() == [100, 50, 50, 25, 25]
    arm = Laboratory([FOLLOWED], 16, 3).run({}, Noise(**measurement()))[FOLLOWED.id]["ket6"]
    rule = arm.of.rules.relapse
    times = arm.relapse_times(rule, np.ones((4, 16), bool))
    for day in (0.0, 7.0, 21.0, 84.0):
        assert study.still_well(times, np.array([day]))[0] == pytest.approx(100 * np.mean(times > day))


@pytest.fixture(scope="module")
def relapse():
    return study.relapses(FOLLOWED, draws=3, **FEW)


def test_nobody_has_relapsed_at_first_and_nobody_recovers(relapse):
    (one,), ratios = relapse
    assert not ratios
    assert one.n == 17
    for band in (*one.bands.values(), *one.scatter):
        assert band[0] == 100
        assert (np.diff(band) <= 1e-9).all()
    assert (one.scatter[0] <= one.bands["median"]).all()
    assert (one.scatter[1] >= one.bands["median"]).all()


def test_the_published_points_of_relapse_are_all_there(relapse):
    (one,), _ = relapse
    assert {row.measure for row in one.rows} == {"relapse", "relapse_median_days"}


def test_trials_without_such_numbers_have_no_such_pictures():
    assert study.relapses(DAY, draws=2, **FEW) == ([], [])
    assert study.replicates(data.trial("jakobsen2017_ssri_meta"), draws=2, **FEW) == []
    assert study.curves(data.trial("yale_bp_2024"), draws=2, **FEW) == []
