"""One trial as tables: who is in them, what was seen, and what was given."""

from typing import Any

import numpy as np
import pytest
from pandas.testing import assert_frame_equal

from afterglow.clinic.conduct import missed_sessions
from afterglow.clinic.files import parse
from afterglow.clinic.scenarios import scenarios
from afterglow.study import trial_example, trial_tables
from afterglow.study.columns import column
from afterglow.study.virtual_trial import VirtualTrial
from afterglow.study.worlds import world
from example_trials import COMPOSITE, INDUCTION, LEAVING, MISSED, WAITING, example

DESIGNS = [INDUCTION, LEAVING, COMPOSITE, WAITING, "full", "sustain1"]


@pytest.mark.parametrize("design", DESIGNS)
def test_every_enrolled_person_has_one_row_and_every_column_a_meaning(design):
    one = example(design)
    table = trial_example.patients(one)
    assert table["patient"].tolist() == list(range(len(one.found.people)))
    assert (table["arm"] != "").tolist() == table["randomised"].tolist()
    assert table["arm"].value_counts().drop("", errors="ignore").sum() == one.found.randomised.sum()
    made = [table, trial_example.scores(one), trial_example.sessions(one)]
    assert [name for some in made for name in some if name not in ("session", "reason") and not column(name)[1]] == []


@pytest.mark.parametrize("design", DESIGNS)
def test_scores_of_the_randomised_are_those_the_analysis_starts_from(design):
    one = example(design)
    data = one.analysis.data
    table: Any = trial_example.scores(one)
    for scale in one.found.arms[0].scores:
        mine = table[(table["scale"] == scale) & table["patient"].isin(data.chosen)]
        wide = mine.pivot_table(index="patient", columns="time_h", values="value").to_numpy()
        np.testing.assert_array_equal(wide, np.where(data.attended, data.full(scale), np.nan))


def test_people_who_left_have_no_later_scores_and_no_later_sessions():
    one = example(LEAVING)
    people: Any = trial_example.patients(one).set_index("patient")
    left = people["left_h"].dropna()
    assert set(people["left_reason"]) == {"", "at random", "lack of effect", "side effects"}
    assert (people["left_reason"] != "").tolist() == people["left_h"].notna().tolist()
    made: list[Any] = [trial_example.scores(one), trial_example.sessions(one)]
    for table in made:
        mine = table[table["patient"].isin(left.index)]
        assert (mine["time_h"].to_numpy() <= left[mine["patient"]].to_numpy()).all()
    sessions: Any = made[1].groupby("patient")["time_h"].max()
    driven = people.index[people["left_reason"] == "side effects"]
    np.testing.assert_array_equal(sessions[driven], people.loc[driven, "left_h"])  # that session was given
    poor = people.index[people["left_reason"] == "lack of effect"]
    assert (sessions[poor].to_numpy() < people.loc[poor, "left_h"].to_numpy()).all()  # a visit comes before its dose


def test_people_who_stop_but_are_followed_are_still_rated():
    one = example("full")
    people, scores = trial_example.patients(one).set_index("patient"), trial_example.scores(one)
    stopped = people["left_h"].dropna()
    last = scores.groupby("patient")["time_h"].max()[stopped.index]
    assert len(stopped) > 0
    assert (last > stopped).any()


def test_before_a_late_randomisation_everybody_is_seen_and_afterwards_the_randomised():
    one = example("sustain1")
    people, scores = trial_example.patients(one), trial_example.scores(one)
    out = people.loc[~people["randomised"], "patient"]
    theirs = scores[scores["patient"].isin(out)]
    assert 0 < len(out) < len(people)
    assert theirs["time_h"].max() == 112 * 24
    assert set(theirs["arm"]) == {""}
    assert set(theirs["patient"]) == set(out)
    assert (people.loc[~people["randomised"], "sessions"] == 20).all()  # the open sessions, none of day 113
    assert set(people.loc[people["randomised"], "sessions"]) == {42, 63}


def test_sessions_are_the_planned_ones_without_the_missed_ones():
    one = example(MISSED)
    people = trial_example.patients(one)
    gone = missed_sessions(range(2, 7), range(len(people)), one.of.seed, 0, chance=0.2).sum(axis=1)
    assert (people["sessions_planned"] == 6).all()
    np.testing.assert_array_equal(people["sessions"], 6 - gone)
    assert gone.sum() > 0


def test_sessions_hold_the_dose_of_the_course():
    one = example(INDUCTION)
    given, weight = trial_example.sessions(one), one.found.people["WT"].to_numpy()
    ketamine = given[given["drug"] == "ketamine"]
    np.testing.assert_allclose(ketamine["mg"], 0.5 * weight[ketamine["patient"]])
    assert set(ketamine["patient"]) == set(np.flatnonzero(one.found.arm == 0))
    assert (given.loc[given["drug"] == "saline", "mg"] == 0).all()
    spray = trial_example.sessions(example("sustain1"))
    first = spray["session"] == 1
    assert set(spray.loc[first, "mg"]) == {56.0}
    assert set(spray.loc[~first, "mg"]) == {0.0, 84.0}


def test_checks_and_rescue_show_in_what_was_given():
    one = example("step-up")
    given, weight = trial_example.sessions(one), one.found.people["WT"].to_numpy()
    per_kg = given["mg"] / weight[given["patient"]]
    assert set(given["reason"]) == {"planned", "check"}
    np.testing.assert_allclose(per_kg, np.where(given["reason"] == "check", 0.75, 0.5))
    assert (given.loc[given["reason"] == "check", "session"] > 2).all()
    one = example("full")
    people: Any = trial_example.patients(one).set_index("patient")
    rescued = people["rescued_h"].dropna()
    extra = trial_example.sessions(one).query("reason == 'rescue'")
    assert set(extra["patient"]) == set(rescued.index)
    assert (extra["time_h"].to_numpy() >= rescued[extra["patient"]].to_numpy()).all()


def test_daily_drugs_are_stretches_of_one_dose():
    table = trial_example.daily(example("sustain1"))
    randomised = example("sustain1").found.randomised[table["patient"]]
    assert (table["drug"] == "escitalopram").all()
    assert not table["patient"].duplicated().any()
    np.testing.assert_array_equal(table["intakes"], np.where(randomised, 413, 112))
    np.testing.assert_array_equal(table["last_h"], (table["intakes"] - 1) * 24.0)
    assert trial_example.daily(example(INDUCTION)).empty


def test_what_people_guess_adds_up_to_the_table_of_guesses():
    one = example("full")
    people = trial_example.patients(one)
    table = trial_tables.tables(one.of.trial, [one.found], 0, "mean")["guesses"]
    for _, row in table.iterrows():
        name = str(row["visit"]).replace(" ", "")
        mine = people[(people["arm"] == row["arm"]) & (people[f"guessed_{name}"] != "")]
        assert len(mine) == row["asked"]
        assert mine[f"believed_{name}"].mean() == pytest.approx(row["believed"])
        assert (mine[f"guessed_{name}"] == "active").mean() == pytest.approx(row["guessed_active"])


def test_any_replicate_gives_the_same_tables_without_what_was_given():
    one = example(LEAVING, replicate=3)
    plain = VirtualTrial(scenarios(parse(LEAVING, "t.yaml"))[0], world("mean"), 1)
    beside = list(plain.run(range(2, 4)))[1]
    assert_frame_equal(
        trial_example.patients_of(plain.courses, plain.trial, beside),
        trial_example.patients(one).drop(columns="sessions"),
    )
    assert_frame_equal(trial_example.scores_of(plain.trial, beside), trial_example.scores(one))


def test_an_example_whose_arms_were_run_again_is_refused():
    one = example(WAITING, replicate=1)
    list(one.of.run([2, 3]))
    with pytest.raises(ValueError, match=r"the arm holds replicates \[2, 3\], not 1 alone"):
        trial_example.sessions(one)


def test_a_waiting_list_is_given_nothing():
    one = example(WAITING)
    given = trial_example.sessions(one)
    assert set(given["patient"]) == set(np.flatnonzero(one.found.arm == 0))
    assert list(trial_example.daily(one)) == [
        "patient",
        "drug",
        "route",
        "mg",
        "first_h",
        "last_h",
        "intakes",
        "reason",
    ]
