"""Trials predicted by a posterior that has not seen them, on a surface whose posterior is known."""

import numpy as np
import pytest

from afterglow.study.loo import COMPONENTS, leave_one_out, observed, predictives
from afterglow.study.surface import Surface
from linear_surface import ROWS, SLOPES, exact, surface

STEPS = 600
KNOWN = {"one": (0, 4, 5), "two": (1, 2), "three": (3,), "four": (7,)}  # rows with a standard error, by trial


@pytest.fixture(scope="module")
def made():
    return surface()


def by_trial(found):
    assert len({one.trial for one in found}) == len(found)
    return {one.trial: one for one in found}


@pytest.fixture(scope="module")
def left_out(made):
    return by_trial(leave_one_out(made, steps=STEPS))


def with_values(made, moved):
    """The same surface where some rows were published with other values."""
    value = made.rows.observed + moved
    return Surface(made.free, surface(observed=value).listed, made.rows.seen(value), made.x, made.y)


# ------------------------------------------------------------------------------------ what is predicted


def test_every_row_with_a_standard_error_is_predicted_once_and_no_other(left_out):
    assert {t: one.rows for t, one in left_out.items()} == {t: tuple(f"row {k}" for k in v) for t, v in KNOWN.items()}
    assert {k for rows in KNOWN.values() for k in rows} == {k for k, r in enumerate(ROWS) if r[3] is not None}


def test_published_rows_stand_as_the_predictions_do(made, left_out):
    seen = by_trial(observed(made))
    assert set(seen) == set(left_out)
    for trial, rows in KNOWN.items():
        assert seen[trial].rows == left_out[trial].rows
        assert seen[trial].value == pytest.approx(made.rows.observed[list(rows)])
        assert seen[trial].se == pytest.approx([ROWS[k][3] for k in rows])  # a weight in the fit changes nothing
        assert seen[trial].measure == ("change",) * len(rows)


def test_the_progress_names_each_cohort_once(made):
    told = []
    leave_one_out(made, steps=40, progress=lambda *line: told.append(line))
    assert told == [("a", 0.25), ("b", 0.5), ("c", 0.75), ("d", 1.0)]


# ------------------------------------------------------------------------------------ by whom


@pytest.mark.parametrize("cohort", ["a", "b"])
def test_a_cohort_is_predicted_without_its_own_values_and_the_others_with_them(made, cohort):
    moved = np.where(made.cohort == cohort, 1.0, 0.0)
    plain, other = (by_trial(leave_one_out(s, steps=120)) for s in (made, with_values(made, moved)))
    inside = {"a": {"one"}, "b": {"two", "three"}}[cohort]
    for trial in inside:
        assert np.array_equal(plain[trial].mean, other[trial].mean)
        assert np.array_equal(plain[trial].covariance, other[trial].covariance)
    for trial in set(KNOWN) - inside:
        assert np.abs(plain[trial].point() - other[trial].point()).max() > 0.05


def test_rows_that_are_not_fitted_teach_nothing(made):
    moved = np.where(made.fitted, 0.0, 1.0)
    plain, other = (by_trial(leave_one_out(s, steps=60)) for s in (made, with_values(made, moved)))
    for trial in KNOWN:
        assert np.array_equal(plain[trial].mean, other[trial].mean)


def test_predictions_are_those_of_quadrature_on_the_other_cohorts(made, left_out):
    for trial, cohort in (("one", "a"), ("two", "b"), ("three", "b"), ("four", "c")):
        chosen, rows = made.fitted & (made.cohort != cohort), list(KNOWN[trial])
        mean, sd, _, _ = exact(made.rows.only(chosen), SLOPES[chosen])
        slack = np.abs(SLOPES[rows]) @ sd / 5  # a fifth of an SD of the parameters
        assert (np.abs(left_out[trial].point() - SLOPES[rows] @ mean) < slack).all()


def test_a_cohort_without_fitted_rows_gets_the_whole_posterior(made, left_out):
    x, tau = made.posterior(made.fitted, 1, STEPS)
    (whole,) = predictives(made, x, tau, [7])
    assert np.array_equal(left_out["four"].mean, whole.mean)
    assert np.array_equal(left_out["four"].covariance, whole.covariance)


# ------------------------------------------------------------------------------------ how far


def test_a_prediction_is_a_normal_a_draw_with_trial_effects_and_sampling_error(made):
    x = np.array([[0.1, -0.2], [0.4, 0.3]])
    tau = np.array([[0.2, 0.5, 0.1], [0.0, 0.0, 0.0]])
    two, one = predictives(made, x, tau, [2, 5, 1, 6, 0])
    assert (two.trial, two.rows) == ("two", ("row 2", "row 1"))  # the row without a standard error is left out
    assert two.mean == pytest.approx(x @ SLOPES[[2, 1]].T, abs=1e-5)
    a, b = made.rows.by_u[[2, 1]], made.rows.by_v[[2, 1]]
    sampling = np.diag([0.4**2, 0.3**2])  # not widened by the weight
    effects = 0.2**2 * np.outer(a, a) + 0.5**2 * np.outer(b, b) + 0.1**2 * np.diag((a + b) ** 2)
    assert two.covariance[0] == pytest.approx(sampling + effects, rel=1e-6, abs=1e-9)
    assert two.covariance[1] == pytest.approx(sampling, rel=1e-6, abs=1e-9)
    assert two.weight == pytest.approx([0.5, 0.5])
    assert (one.trial, one.rows) == ("one", ("row 5", "row 0"))


def test_the_error_of_the_emulator_widens_a_prediction(made):
    rng = np.random.default_rng(2)
    rough = Surface(made.free, made.listed, made.rows, made.x, made.y + rng.normal(0, 0.5, made.y.shape))
    (found,) = predictives(rough, np.zeros((1, 2)), np.zeros((1, 3)), [0])
    assert found.covariance[0, 0, 0] == pytest.approx(0.2**2 + rough.emulator.error[0] ** 2)
    assert rough.emulator.error[0] == pytest.approx(0.5, rel=0.3)


def test_many_draws_are_thinned_evenly(made):
    x = np.stack([np.linspace(-1, 1, 1001), np.zeros(1001)], axis=1)
    (found,) = predictives(made, x, np.ones((1001, 3)), [0])
    assert found.mean.shape == (COMPONENTS, 1)
    assert found.mean[[0, -1], 0] == pytest.approx([-1.0, 1.0], abs=1e-5)
    assert np.diff(found.mean[:, 0]) == pytest.approx(np.full(COMPONENTS - 1, 2 / (COMPONENTS - 1)), rel=0.3)


def test_baselines_are_not_scored_and_later_means_count_as_changes():
    from types import SimpleNamespace

    from afterglow.study.loo import _counts, _kind

    def row(measure, time_h, scale="MADRS", se=1.0):
        return SimpleNamespace(outcome=SimpleNamespace(measure=measure, time_h=time_h, scale=scale, se=se))

    assert [_counts(row("mean", t)) for t in (0, 24.0, None)] == [False, True, True]
    assert not _counts(row("mean", 24.0, se=None))
    assert _kind(row("mean", 24.0).outcome) == _kind(row("change", 24.0).outcome) == "change"
    assert _kind(row("change", 0.7, "systolic mmHg").outcome) == "change of systolic mmHg"
    assert _kind(row("response", 24.0).outcome) == "response"
