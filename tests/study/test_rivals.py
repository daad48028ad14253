"""Rivals: what no difference is scored as, what tells two models apart, and a refit that is done once."""

import numpy as np
import pytest
from scipy.stats import norm

from afterglow.data import answered_rows
from afterglow.study import calibrate, rivals, surface
from afterglow.study.calibrate import Free
from afterglow.study.rivals import BASE, RIVALS, Budget
from afterglow.study.scoring import Predictive, Published
from afterglow.systems.variants import VARIANTS

OBSERVED = [
    Published("a", ("r0", "r1"), ("change", "change"), np.array([0.0, 1.0]), np.ones(2)),
    Published("b", ("r0",), ("difference",), np.array([-2.0]), np.ones(1)),
    Published("c", ("r0", "r1", "r2"), ("change", "response", "mean"), np.array([1.0, 40.0, 20.0]), np.ones(3)),
]
MEANS = {"a": [0.5, 0.5], "b": [-1.5], "c": [0.0, 41.0, 19.0]}
BUDGET = Budget(patients=16, rounds=1, design=16, draws=8, steps=60)
TRIALS = ("wilkinson2019_control", "han2016_meta", "lapidus2014")
FREE = [
    Free("synapses.fast_rate", 20.0, 0.8, (1.0, 200.0)),
    Free("expectancy.k_saline", 0.06, 0.7),
    Free("measurement.fluctuation_sd", 9.0, 0.25),
    Free("measurement.fluctuation_power", 0.5, 0.5),
    Free("measurement.fluctuation_tau_d", 6.4, 0.4),
]


def said(shift=0.0, sd=1.0, only=("a", "b", "c")):
    return [
        Predictive(t, tuple(f"r{k}" for k in range(len(m))), np.array(m) + shift, sd**2 * np.eye(len(m)))
        for t, m in MEANS.items()
        if t in only
    ]


# ------------------------------------------------------------------------------------ scores


def test_an_identical_rival_differs_by_nothing():
    found = rivals.score({"twin": said(), BASE: said()}, OBSERVED)
    assert found["name"].tolist() == [BASE, "twin"]
    for column in ("minus_base", "minus_base_se", "rows_minus_base", "rows_minus_base_se"):
        assert found[column].tolist() == [0.0, 0.0]
    kept = ["log_score", "log_score_rows", "mae_change", "mae_difference", "mae_response", "inside_90"]
    assert found[kept].iloc[0].equals(found[kept].iloc[1])
    assert rivals.speaks_against({BASE: said(), "twin": said()}, OBSERVED).empty


def test_a_rival_that_is_off_loses_what_the_normal_density_says():
    found = rivals.score({BASE: said(), "off": said(shift=3.0)}, OBSERVED).set_index("name")
    apart = [
        sum(norm.logpdf(y, m + 3) - norm.logpdf(y, m) for y, m in zip(of.value, MEANS[of.trial], strict=True))
        for of in OBSERVED
    ]
    assert found.loc["off", "minus_base"] == pytest.approx(np.mean(apart))
    assert found.loc["off", "minus_base_se"] == pytest.approx(np.std(apart, ddof=1) / 3**0.5)
    assert found.loc["off", "minus_base"] < 0
    assert found.loc["off", "log_score"] - found.loc[BASE, "log_score"] == pytest.approx(np.mean(apart))
    assert found.loc["off", "mae_difference"] == pytest.approx(3.5)
    assert (found["trials"] == 3).all()


def test_all_are_scored_on_the_rows_that_all_speak_of():
    found = rivals.score({BASE: said(), "silent": said(only=("a", "b")), "third": said()}, OBSERVED)
    assert (found["trials"] == 2).all()
    assert (found["rows"] == 3).all()
    assert (found["minus_base"] == 0).all()


def test_the_observation_that_speaks_against_a_rival_is_named():
    """The rival is right where the base model is, but for one row of c; the base model is worse at b."""
    wrong = said()
    wrong[1] = Predictive("b", ("r0",), np.array([-2.0]), np.eye(1))
    wrong[2] = Predictive("c", ("r0", "r1", "r2"), np.array([0.0, 50.0, 19.0]), np.eye(3))
    found = rivals.speaks_against({BASE: said(), "wrong": wrong}, OBSERVED)
    rows = found[found["kind"] == "row"].set_index("against")
    assert len(rows) == 2
    against, base = rows.loc["wrong"], rows.loc[BASE]
    assert (against["trial"], against["row"]) == ("c", "r1")
    assert against["nats"] == pytest.approx(norm.logpdf(40, 41) - norm.logpdf(40, 50))
    assert (against["observed"], against["base"], against["predicted"]) == pytest.approx((40, 41, 50))
    assert (base["trial"], base["nats"]) == ("b", pytest.approx(norm.logpdf(0) - norm.logpdf(0.5)))
    trials = found[found["kind"] == "trial"].set_index("against")["trial"]
    assert trials.to_dict() == {"wrong": "c", BASE: "b"}


def test_no_more_than_the_top_is_named():
    found = rivals.speaks_against({BASE: said(), "off": said(shift=3.0)}, OBSERVED)
    assert found.groupby(["against", "kind"]).size().max() <= rivals.TOP
    assert (found["nats"] > 0).all()


def test_every_rival_is_a_variant_and_no_rival_is_forgotten():
    others = {"disinhibition", "rapamycin"}  # the base model itself, and an interaction of two drugs
    assert set(RIVALS) == set(VARIANTS) - others
    assert rivals.variant_of(BASE) is None
    assert rivals.variant_of("inert") == "inert"


def test_inert_may_use_unblinding_as_freely_as_the_base_model_its_drug():
    model = calibrate.compiled("inert").program.model
    prior = {f.name: f.prior_sd for f in calibrate.free_parameters(model, "inert")}
    base = {f.name: f.prior_sd for f in calibrate.free_parameters(calibrate.compiled(None).program.model)}
    assert prior["expectancy.k_unblind"] > 2 * base["expectancy.k_unblind"]
    assert prior["expectancy.k_unblind"] == base["synapses.fast_rate"]


# ------------------------------------------------------------------------------------ a refit


@pytest.fixture(scope="module")
def small():
    """Few rows and few free numbers."""
    rows = tuple(r for r in answered_rows() if r.trial in TRIALS)
    with pytest.MonkeyPatch.context() as patch:
        for module in (calibrate, surface):
            patch.setattr(module, "answered_rows", lambda: rows)
            patch.setattr(module, "free_parameters", lambda _model, _variant: FREE)
        yield rows


@pytest.fixture(scope="module")
def done(small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("refit")
    return folder, rivals.refit("no-spines", BUDGET, 1, folder), small


def test_a_refit_speaks_of_the_trials_it_was_given(done):
    _, found, rows = done
    assert {one.trial for one in found.said} == {r.trial for r in rows if calibrate.standard_error(r) is not None}
    assert np.isfinite(found.data_loss)
    assert found.surface.x.shape == (BUDGET.design + BUDGET.draws, len(FREE))
    numbers = rivals.in_sample(found, BUDGET, 1)
    assert set(numbers) == {"data_loss", "prior_loss", "log_likelihood", "emulator_error"}
    assert np.isfinite(list(numbers.values())).all()


def test_a_stopped_refit_runs_nothing_twice(done, monkeypatch):
    folder, found, _ = done

    def never(*_given, **_named):
        raise AssertionError("the model was run again")

    monkeypatch.setattr(calibrate, "Problem", never)
    monkeypatch.setattr("afterglow.study.loo.leave_one_out", never)
    again = rivals.refit("no-spines", BUDGET, 1, folder)
    assert again.data_loss == found.data_loss
    for one, other in zip(again.said, found.said, strict=True):
        assert (one.trial, one.rows) == (other.trial, other.rows)
        assert np.array_equal(one.mean, other.mean)
        assert np.array_equal(one.covariance, other.covariance)


def test_shipped_draws_are_positive_and_named_as_in_the_file(done):
    table = rivals.draws(done[1].surface, 20, 1, 60)
    assert list(table.columns) == [*(f.name for f in FREE), "tau_u", "tau_v", "tau_e"]
    assert table.shape == (20, len(FREE) + 3)
    assert (table.to_numpy() > 0).all()


def test_what_decides_a_refit_is_in_its_settings():
    one = rivals.settings(BUDGET, 1)
    assert "sustain1" in one["without"]
    assert one["rows_version"] == calibrate.fit_version()
    assert rivals.settings(Budget(), 1) != one
