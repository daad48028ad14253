"""Published against simulated: two small trials, and the line of a row by hand."""

from collections import defaultdict

import numpy as np
import pandas as pd
import pytest

from afterglow import data
from afterglow.data.outcome_schema import MEASURES
from afterglow.errors import InputError
from afterglow.study import validate as study
from afterglow.study.validate import COLUMNS, score, validate

TRIALS = ("murrough2013_ajp", "wilkinson2019_control")  # one day each; both kinds of role
FAR = 1.645  # half of a 90 % interval, in standard errors


@pytest.fixture(scope="module")
def table():
    return validate(TRIALS, patients=16, seed=1)


def answered(names=TRIALS):
    return [(name, row) for name in names for row in data.trial(name).answered()]


# ------------------------------------------------------------------------------------ two trials


def test_every_answered_row_has_its_line(table):
    assert list(table.columns) == COLUMNS
    rows = answered()
    assert table["trial"].tolist() == [name for name, _ in rows]
    assert table["observed"].tolist() == [row.value for _, row in rows]
    assert table["observed_se"].to_numpy() == pytest.approx([row.se or np.nan for _, row in rows], nan_ok=True)
    for line, (_, row) in zip(table.itertuples(), rows, strict=True):
        assert line.measure.split(":")[0] == row.measure
        assert line.arm == (row.arm if row.versus is None else f"{row.arm} v {row.versus}")


def test_roles_are_those_of_the_list_of_rows(table):
    listed = {(r.trial, r.row): r.role for r in data.fit_rows()}
    assert table["role"].tolist() == [listed.get((name, row.key), "unused") for name, row in answered()]
    assert {"fit", "check"} <= set(table["role"])


def test_predictions_lie_within_their_intervals_and_rates_within_percent(table):
    known = table.dropna(subset=["predicted"])
    assert len(known) == len(table)
    assert (known["lo90"] <= known["predicted"]).all()
    assert (known["predicted"] <= known["hi90"]).all()
    rates = known[[MEASURES[m].percent for m in known["measure"]]]
    assert len(rates)
    assert rates[["lo90", "hi90"]].to_numpy().min() >= 0
    assert rates[["lo90", "hi90"]].to_numpy().max() <= 100


def test_z_counts_standard_errors(table):
    plain = table[[not MEASURES[m].logarithmic for m in table["measure"]]]
    assert plain["z"].to_numpy() == pytest.approx((plain["predicted"] - plain["observed"]) / plain["observed_se"])


def test_draws_widen_intervals_and_move_no_prediction(table, monkeypatch):
    draws = [({"mood.weight_fast": w}, {"fluctuation_sd": s}) for w, s in ((0.2, 5.0), (0.5, 9.0), (0.8, 13.0))]
    monkeypatch.setattr(study, "split_draws", lambda *_: draws)
    told = []
    wide = validate(TRIALS, patients=16, seed=1, draws=3, progress=told.append)
    assert wide["predicted"].tolist() == table["predicted"].tolist()
    inside = (wide["lo90"] <= table["lo90"]) & (wide["hi90"] >= table["hi90"])
    assert inside.all()
    changes = [m in ("difference", "smd") for m in table["measure"]]
    width = [(t["hi90"] - t["lo90"])[changes] for t in (table, wide)]
    assert (width[1] > width[0]).all()
    assert (width[1] > 1.1 * width[0]).any()
    assert told == pytest.approx([0.25, 0.5, 0.75, 1.0])


def test_another_seed_is_other_people(table):
    assert not np.allclose(validate(TRIALS, patients=16, seed=2)["predicted"], table["predicted"])


def test_an_unknown_trial_is_refused():
    with pytest.raises(InputError, match="murrough2013_aj"):
        validate(["murrough2013_aj"])


# ------------------------------------------------------------------------------------ one line, by hand


@pytest.fixture
def told(monkeypatch):
    """Lines of the rows of a trial when the model says a given number for each of them."""

    class Nothing:
        def __init__(self, *_args, **_more):
            pass

        def run(self, *_args):
            return defaultdict(dict)

    def lines(name, number):
        monkeypatch.setattr(study, "Laboratory", Nothing)
        monkeypatch.setattr(study, "predict", lambda *_: number)
        return validate([name]), data.trial(name).answered()

    return lines


@pytest.mark.parametrize("number", [0.5, 50.0, 99.5])
def test_the_interval_of_a_rate_stops_at_0_and_100(told, number):
    table, rows = told("turkoz2021_transform_pooled", number)
    for line, row in zip(table.itertuples(), rows, strict=True):
        assert MEASURES[row.measure].percent
        assert line.lo90 == pytest.approx(max(number - FAR * row.se, 0))
        assert line.hi90 == pytest.approx(min(number + FAR * row.se, 100))
        assert line.z == pytest.approx((number - row.value) / row.se)


def test_ratios_have_intervals_and_misses_on_the_log_scale(told):
    table, rows = told("taylor2006_ssri_onset", 1.3)
    found = [(line, row) for line, row in zip(table.itertuples(), rows, strict=True) if row.measure == "response_rr"]
    assert found
    for line, row in found:
        assert (line.lo90, line.hi90) == pytest.approx((1.3 * np.exp(-FAR * row.se), 1.3 * np.exp(FAR * row.se)))
        assert line.z == pytest.approx(np.log(1.3 / row.value) / row.se)


def test_draws_widen_ratios_on_the_log_scale(told, monkeypatch):
    told("taylor2006_ssri_onset", 1.3)
    rows = data.trial("taylor2006_ssri_onset").answered()
    numbers = iter([1.3] * len(rows) + [1.0] * len(rows) + [np.e] * len(rows))
    monkeypatch.setattr(study, "predict", lambda *_: next(numbers))
    monkeypatch.setattr(study, "split_draws", lambda *_: [({}, {})] * 2)
    table = validate(["taylor2006_ssri_onset"], draws=2)
    for line, row in zip(table.itertuples(), rows, strict=True):
        if row.measure == "response_rr":
            assert line.hi90 == pytest.approx(1.3 * np.exp(FAR * np.hypot(row.se, 0.5)))


@pytest.mark.parametrize("draws", [-5, 1])
def test_too_few_draws_are_refused(draws):
    with pytest.raises(InputError, match="--draws"):
        validate(TRIALS, draws=draws)


def test_trials_without_a_simulation_are_told_with_the_reason():
    found = study.not_simulated()
    assert found
    assert set(found) == {name for name, one in data.trials().items() if one.simulate is None}
    assert all(found.values())
    assert study.not_simulated(TRIALS) == {}


def test_what_the_model_does_not_speak_of_stays_in_the_table_as_missing(told):
    table, rows = told("turkoz2021_transform_pooled", None)
    assert len(table) == len(rows)
    assert table[["predicted", "lo90", "hi90", "z"]].isna().to_numpy().all()
    assert score(table).empty


def test_visits_are_named_in_hours_then_days_then_words(told):
    shown = dict(zip(told("murrough2013_bp", 1.0)[0]["measure"], told("murrough2013_bp", 1.0)[0]["visit"], strict=True))
    assert shown["change"] == "2 h"
    assert shown["response"] == "12 d"
    assert shown["relapse_median_days"].startswith("days after")


# ------------------------------------------------------------------------------------ the summary


def test_the_score_counts_by_role():
    lines = [
        # measure, observed, its SE, predicted, lo, hi, role, z
        ("change", -10.0, 1.0, -11.0, -13.0, -9.0, "fit", -1.0),
        ("change", -10.0, 1.0, -16.0, -18.0, -14.0, "fit", -6.0),
        ("response", 50.0, 2.0, 54.0, 49.0, 59.0, "fit", 2.0),
        ("difference", -4.0, 2.0, -3.0, -6.0, 0.0, "check", 0.5),
        ("difference", -4.0, np.nan, -9.0, -9.0, -9.0, "check", np.nan),
        ("change", -4.0, np.nan, -9.0, -9.0, -9.0, "unused", np.nan),
        ("difference", -4.0, 2.0, np.nan, np.nan, np.nan, "check", np.nan),
    ]
    table = pd.DataFrame(
        lines, columns=["measure", "observed", "observed_se", "predicted", "lo90", "hi90", "role", "z"]
    )
    found = score(table).set_index("role")
    assert found.loc["fit", "rows"] == 3
    assert found.loc["fit", "within_2_se"] == pytest.approx(2 / 3)
    assert found.loc["fit", "coverage_90"] == pytest.approx(2 / 3)
    assert found.loc["fit", "mae_change"] == pytest.approx(3.5)
    assert found.loc["fit", "mae_response"] == pytest.approx(4.0)
    assert np.isnan(found.loc["fit", "mae_difference"])
    assert found.loc["check", "rows"] == 1
    assert found.loc["check", "coverage_90"] == 1
    assert found["without_se"].to_dict() == {"check": 1, "fit": 0, "unused": 1}
    assert found.loc["unused", "rows"] == 0
    assert np.isnan(found.loc["unused", "coverage_90"])
    assert found.loc["check", "mae_difference"] == pytest.approx(1.0)
