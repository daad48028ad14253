"""Published against simulated: two small trials, and the line of a row by hand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from afterglow import data
from afterglow.data.fitted import between_trials
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


def test_draws_move_predictions_and_widen_intervals(table, monkeypatch):
    draws = [({"mood.weight_fast": w}, {"fluctuation_sd": s}) for w, s in ((0.2, 5.0), (0.5, 9.0), (0.8, 13.0))]
    monkeypatch.setattr(study, "split_draws", lambda *_: draws)
    monkeypatch.setattr(study, "tau_draws", lambda *_: np.array([list(between_trials().values())] * 3))
    told = []
    wide = validate(TRIALS, patients=16, seed=1, draws=3, progress=told.append)
    changes = [m in ("difference", "smd") for m in table["measure"]]
    width = [(t["hi90"] - t["lo90"])[changes] for t in (table, wide)]
    assert (width[1] > width[0]).all()
    assert (width[1] > 1.1 * width[0]).any()
    assert told == pytest.approx([1 / 3, 2 / 3, 1.0])


def test_another_seed_is_other_people(table):
    assert not np.allclose(validate(TRIALS, patients=16, seed=2)["predicted"], table["predicted"])


def test_an_unknown_trial_is_refused():
    with pytest.raises(InputError, match="murrough2013_aj"):
        validate(["murrough2013_aj"])


# ------------------------------------------------------------------------------------ one line, by hand


@pytest.fixture
def told(monkeypatch):
    """Lines of the rows of a trial when the model says given numbers for each of them, draw by draw.

    Trials have nothing of their own here: intervals hold sampling error and what the draws leave open.
    """

    class Nothing:
        def __init__(self, *_args, **_more):
            self.runs = 0

        def run(self, *_args):
            self.runs += 1
            return SimpleNamespace(get=lambda *_, run=self.runs: {"run": run})

    def lines(name, *numbers):
        # the first four runs look at what trial effects do
        monkeypatch.setattr(study, "Laboratory", Nothing)
        monkeypatch.setattr(study, "predict", lambda _, arms: numbers[max(arms["run"] - 5, 0)])
        monkeypatch.setattr(study, "split_draws", lambda *_: [({}, {})] * len(numbers))
        monkeypatch.setattr(study, "tau_draws", lambda *_: np.zeros((len(numbers), 3)))
        return validate([name], draws=len(numbers) if len(numbers) > 1 else 0), data.trial(name).answered()

    return lines


@pytest.mark.parametrize("number", [0.5, 50.0, 99.5])
def test_the_interval_of_a_rate_stops_at_0_and_100(told, number):
    table, rows = told("turkoz2021_transform_pooled", number)
    known = {row.value: row for row in rows}
    for line in table.itertuples():
        row = known[line.observed]
        assert MEASURES[row.measure].percent
        assert line.lo90 == pytest.approx(max(number - FAR * row.se, 0), rel=1e-3)
        assert line.hi90 == pytest.approx(min(number + FAR * row.se, 100), rel=1e-3)
        assert line.z == pytest.approx((number - row.value) / row.se)


def test_ratios_have_intervals_and_misses_on_the_log_scale(told):
    table, rows = told("taylor2006_ssri_onset", 1.3)
    row = next(row for row in rows if row.measure == "response_rr")
    line = next(table[table["measure"] == "response_rr"].itertuples())
    ends = 1.3 * np.exp(-FAR * row.se), 1.3 * np.exp(FAR * row.se)
    assert (line.lo90, line.hi90) == pytest.approx(ends, rel=1e-3)
    assert line.z == pytest.approx(np.log(1.3 / row.value) / row.se)


def test_two_draws_make_a_mixture_on_the_log_scale(told):
    table, rows = told("taylor2006_ssri_onset", 1.0, np.e)
    row = next(row for row in rows if row.measure == "response_rr")
    line = next(table[table["measure"] == "response_rr"].itertuples())
    assert line.predicted == pytest.approx(np.exp(0.5))
    for end, share in ((line.lo90, 0.05), (line.hi90, 0.95)):
        assert norm.cdf(np.log(end), [0.0, 1.0], row.se).mean() == pytest.approx(share)


def test_what_trials_have_of_their_own_widens_the_interval():
    rows = [r for r in data.answered_rows() if r.trial == "murrough2013_ajp"]
    predicted, ones = np.zeros((1, len(rows))), np.ones(len(rows))
    said = [study._predictives(rows, predicted, np.array([tau]), [ones, ones]) for tau in ([0, 0, 0], [0.3, 0.4, 0.1])]
    plain, wide = (one[0].marginal_sd() for one in said)
    assert wide**2 == pytest.approx(plain**2 + 0.3**2 + 0.4**2 + (2 * 0.1) ** 2)


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
