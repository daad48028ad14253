"""Scales: published points, monotone and bounded conversion, measurement."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from afterglow.clinic import scale
from afterglow.clinic.files import model_from_data
from afterglow.errors import InputError

RANGES = {
    "MADRS": (0, 60),
    "HAM-D17": (0, 52),
    "QIDS-SR16": (0, 27),
    "PHQ-9": (0, 27),
    "BDI": (0, 63),
    "SI": (0, 6),
    "GAD-7": (0, 21),
    "HAM-A": (0, 56),
    "PCL-5": (0, 80),
    "NRS-PAIN": (0, 10),
}
PUBLISHED = ("MADRS", "HAM-D17", "QIDS-SR16", "BDI")


def test_all_scales_with_their_bounds():
    assert {name: (scale.get(name).low, scale.get(name).high) for name in scale.names()} == RANGES


def test_what_is_assumed_is_marked():
    assumed = {name for name in scale.names() if scale.get(name).assumed}
    assert assumed == set(RANGES) - set(PUBLISHED)


@pytest.mark.parametrize(
    ("name", "madrs", "score"),
    [
        ("HAM-D17", 13, 10),  # Leucht 2018
        ("HAM-D17", 26, 20),
        ("HAM-D17", 39, 30),
        ("HAM-D17", 52.5, 40),
        ("HAM-D17", 8.5, 7),  # remission anchor
        ("QIDS-SR16", 8.5, 5),  # HRSD17 7 = QIDS 5
        ("QIDS-SR16", 26, 16),  # HRSD17 20 = QIDS 16
        ("QIDS-SR16", 39, 23 + 2 / 3),  # HRSD17 30-31 = QIDS 24
        ("BDI", 26, -3.86 + 1.51 * 20),
    ],
)
def test_published_points(name: str, madrs: float, score: float):
    assert float(scale.convert(madrs, 35.0, name)) == pytest.approx(score, abs=1e-9)
    assert float(scale.to_madrs(score, name)) == pytest.approx(madrs, abs=1e-9)


@pytest.mark.parametrize(("low", "high", "qids"), [(9, 17, (6, 10)), (18, 24, (11, 15)), (25, 33, (16, 20))])
def test_severity_bands_agree_with_an_independent_study(low: float, high: float, qids: tuple[int, int]):
    """Bands of MADRS and QIDS-SR16 in 1164 people (J Affect Disord, PMID 24144585), not used for the tables."""
    middle = float(scale.convert((low + high) / 2, 35.0, "QIDS-SR16"))
    assert qids[0] - 1 <= middle <= qids[1] + 1


@given(st.sampled_from(sorted(RANGES)), st.lists(st.floats(0, 60), min_size=2, max_size=20), st.floats(1, 60))
def test_conversion_rises_and_stays_inside(name: str, madrs: list[float], base: float):
    found = scale.convert(np.sort(np.array(madrs)), base, name)
    assert (np.diff(found) >= -1e-12).all()
    low, high = RANGES[name]
    assert ((found >= low) & (found <= high)).all()


@given(st.sampled_from(PUBLISHED), st.floats(5, 46))
def test_round_trip_where_the_tables_rise(name: str, madrs: float):
    assert float(scale.to_madrs(scale.convert(madrs, 35.0, name), name)) == pytest.approx(madrs, abs=1e-6)


def test_shapes_broadcast_and_missing_stays_missing():
    madrs = np.array([[30.0, np.nan], [20.0, 10.0]])
    base = np.array([[30.0], [20.0]])
    for name in scale.names():
        found = scale.convert(madrs, base, name)
        assert found.shape == (2, 2)
        assert np.isnan(found).tolist() == np.isnan(madrs).tolist()


@given(st.floats(10, 60), st.floats(0, 1))
def test_relative_scales_keep_the_relative_change(base: float, left: float):
    start, now = scale.convert(base, base, "GAD-7"), scale.convert(base * left, base, "GAD-7")
    assert float(now) == pytest.approx(left * float(start), abs=1e-9)


def test_faults():
    with pytest.raises(InputError, match=r"no scale 'MADR'.*did you mean 'MADRS'\?"):
        scale.get("MADR")
    with pytest.raises(InputError, match="cannot be converted"):
        scale.to_madrs(10.0, "GAD-7")
    assert scale.remission_cut("MADRS") == 10
    assert scale.remission_cut("MADRS", 12) == 12
    with pytest.raises(InputError, match="not a published rule"):
        scale.remission_cut("MADRS", 11)
    with pytest.raises(InputError, match="no published remission rule"):
        scale.remission_cut("GAD-7")
    with pytest.raises(InputError, match="do not rise"):
        model_from_data(
            scale.Relation,
            {"kind": "table", "points": [[0, 0], [2, 2], [1, 3]], "source": {"citation": "x", "grade": "page"}},
            "x",
        )


# ------------------------------------------------------------------------------------------------ measurement


def test_fluctuation_has_the_variance_of_its_process():
    times, sd, tau = np.array([0.0, 24.0, 7 * 24.0, 28 * 24.0]), 9.6, 6.4
    found = scale.fluctuation(times, range(20_000), seed=1, sd=sd, tau_d=tau)
    expected = sd**2 * (1 - np.exp(-2 * times / (24 * tau)))
    assert (found[:, 0] == 0).all()
    assert found.var(axis=0)[1:] == pytest.approx(expected[1:], rel=0.04)
    assert found.mean(axis=0) == pytest.approx(np.zeros(4), abs=0.3)


def test_fluctuation_is_correlated_over_its_time():
    found = scale.fluctuation([40 * 24.0, 46.4 * 24.0], range(20_000), seed=2, sd=9.6, tau_d=6.4)
    assert np.corrcoef(found.T)[0, 1] == pytest.approx(np.exp(-1.0), abs=0.03)


def test_a_patient_has_one_path_for_any_visits_and_number_of_patients():
    times = np.array([0.0, 4.0, 24.0, 100.0, 168.0, 900.0])
    found = scale.fluctuation(times, range(30), seed=5)
    assert np.array_equal(scale.fluctuation(times[[2, 4]], range(30), seed=5), found[:, [2, 4]])
    assert np.array_equal(scale.fluctuation(times[::-1], range(30), seed=5), found[:, ::-1])
    assert np.array_equal(scale.fluctuation(times, range(10, 20), seed=5), found[10:20])
    assert not np.array_equal(scale.fluctuation(times, range(30), seed=5, replicate=1), found)
    assert (scale.fluctuation([-5.0, 0.0], range(3), seed=5) == 0).all()


def test_between_grid_points_the_path_is_straight():
    found = scale.fluctuation([6.0, 7.5, 9.0, 12.0], range(50), seed=3)
    assert found[:, 1] == pytest.approx(0.75 * found[:, 0] + 0.25 * found[:, 3])
    assert found[:, 2] == pytest.approx(0.5 * found[:, 0] + 0.5 * found[:, 3])


def test_measured_scores_are_whole_bounded_and_unbiased_in_the_middle():
    true = np.full((5000, 3), 30.0)
    times = [0.0, 24.0, 672.0]
    found = scale.measure(true, times, range(5000), seed=1)
    assert (found == np.rint(found)).all()
    assert ((found >= 0) & (found <= 60)).all()
    assert found.mean(axis=0) == pytest.approx([30.0] * 3, abs=0.5)
    rounding = 1 / 12
    assert found[:, 0].var() == pytest.approx(3.5**2 + rounding, rel=0.06)
    assert found[:, 2].var() == pytest.approx(3.5**2 + 9.6**2 + rounding, rel=0.06)


def test_without_noise_measuring_is_rounding():
    true = np.array([[30.4, 12.6, 61.0, -1.0]])
    found = scale.measure(true, [0, 1, 2, 3], range(1), seed=1, rater_sd=0.0, fluctuation_sd=0.0)
    assert found.tolist() == [[30.0, 13.0, 60.0, 0.0]]


def test_visits_and_arms_do_not_disturb_each_other():
    times = np.array([0.0, 24.0, 168.0, 336.0])
    low, high = np.full((20, 4), 10.0), np.full((20, 4), 40.0)
    a = scale.measure(low, times, range(20), seed=9, fluctuation_sd=2.0)
    b = scale.measure(high, times, range(20), seed=9, fluctuation_sd=2.0)
    inside = (a > 0) & (b < 60)
    assert inside.any()
    assert ((b - a)[inside] == 30.0).all()
    part = scale.measure(low[:, [1, 3]], times[[1, 3]], range(20), seed=9, fluctuation_sd=2.0)
    assert np.array_equal(part, a[:, [1, 3]])
    assert np.array_equal(scale.measure(low[5:9], times, range(5, 9), seed=9, fluctuation_sd=2.0), a[5:9])


def test_noise_of_other_scales_is_in_their_points():
    assert scale.noise_ratio("MADRS") == 1.0
    assert scale.noise_ratio("HAM-D17") == pytest.approx(20 / 26)
    found = scale.measure(np.full((4000, 1), 15.0), [0.0], range(4000), seed=1, scale="QIDS-SR16")
    assert found.std() == pytest.approx(np.hypot(3.5 * scale.noise_ratio("QIDS-SR16"), 12**-0.5), rel=0.06)


def noise_by_hand(madrs, times, power, name="MADRS", **sizes):
    """Fluctuation by true MADRS and rater noise of a scale, MADRS points."""
    people = range(len(madrs))
    path = scale.fluctuation(times, people, 4, 2, sizes["fluctuation_sd"], sizes["fluctuation_tau_d"])
    return path * (madrs / 30.0) ** power + scale.rater_noise(times, people, 4, 2, name, sizes["rater_sd"])


SIZES = {"rater_sd": 2.0, "fluctuation_sd": 5.0, "fluctuation_tau_d": 9.0}


def test_a_power_of_zero_lets_everybody_swing_the_same():
    madrs, times = np.linspace(0, 60, 150).reshape(50, 3), [0.0, 100.0, 700.0]
    assert (scale.swing(madrs, 0.0) == 1.0).all()
    plain = scale.measure(madrs, times, range(50), 4, 2, **SIZES)
    assert np.array_equal(scale.measure(madrs, times, range(50), 4, 2, **SIZES, fluctuation_power=0.0), plain)
    assert np.array_equal(plain, np.clip(np.rint(madrs + noise_by_hand(madrs, times, 0.0, **SIZES)), 0, 60))


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_people_at_a_quarter_of_the_score_swing_less_by_the_power_of_it(power: float):
    def spread(score: float) -> float:
        true = np.full((20_000, 1), score)
        found = scale.measure(
            true, [672.0], range(20_000), 1, rater_sd=0.0, fluctuation_sd=4.0, fluctuation_power=power
        )
        return float(np.sqrt(found.var() - 1 / 12))  # rounding to whole points

    assert spread(30.0) == pytest.approx(4.0, rel=0.03)
    assert spread(7.5) / spread(30.0) == pytest.approx(0.25**power, rel=0.02)


def test_the_baseline_and_the_rater_do_not_swing():
    true = np.tile([[7.5], [30.0]], (500, 2))
    found = scale.measure(true, [0.0, 672.0], range(1000), 1, fluctuation_power=0.7)
    assert np.array_equal(found[:, 0], scale.measure(true[:, :1], [0.0], range(1000), 1, fluctuation_sd=0.0)[:, 0])
    still = {"fluctuation_sd": 0.0}
    assert np.array_equal(
        scale.measure(true, [0.0, 672.0], range(1000), 1, **still, fluctuation_power=0.7),
        scale.measure(true, [0.0, 672.0], range(1000), 1, **still),
    )


@given(st.floats(0.0, 2.0), st.lists(st.floats(0, 60), min_size=2, max_size=9))
def test_the_swing_rises_with_the_score_and_is_one_at_thirty(power: float, scores: list[float]):
    assert (np.diff(scale.swing(np.sort(np.array(scores)), power)) >= 0).all()
    assert float(scale.swing(30.0, power)) == 1.0
    assert float(scale.swing(-1.0, power)) == float(scale.swing(0.0, power))


@pytest.mark.parametrize("name", sorted(RANGES))
def test_other_scales_are_the_conversion_with_noise_in_their_points(name: str):
    """The fluctuation goes by true MADRS also where the score is read on another scale."""
    times = [0.0, 100.0, 700.0]
    madrs = np.linspace(3, 45, 150).reshape(50, 3)[:, ::-1]
    base = madrs[:, :1]
    found = scale.measure(madrs, times, range(50), 4, 2, name, base, **SIZES, fluctuation_power=0.7)
    noise = scale.noise_ratio(name) * noise_by_hand(madrs, times, 0.7, name, **SIZES)
    wanted = np.clip(np.rint(scale.convert(madrs, base, name) + noise), *RANGES[name])
    assert np.array_equal(found, wanted)
    assert len(np.unique(found)) > 3


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="shape"):
        scale.measure(np.zeros((3, 2)), [0.0], range(3), seed=1)
