"""The ADaM-named tables: consistent in themselves, with each other, and with the analysis."""

import math
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from afterglow.clinic import scale
from afterglow.clinic.outcome import RELAPSE_RULES
from afterglow.study import adam
from afterglow.study.columns import column
from afterglow.study.virtual_trial import ACUTE
from example_trials import COMPOSITE, INDUCTION, LEAVING, WAITING, example

DESIGNS = [INDUCTION, LEAVING, COMPOSITE, WAITING, "full", "sustain1"]
SALINE = """\
trial: saline
arms:
  - {name: ketamine, course: iv-single, n: 60}
  - {name: saline, control: saline, n: 240}
visits: [24 h]
endpoints: [{measure: change}]
"""


@cache
def tables(design: str) -> dict[str, Any]:
    return adam.adam(example(design))


@pytest.fixture(params=DESIGNS, ids=lambda one: one.split("\n")[0])
def design(request):
    return request.param


def patient(table):
    return table["USUBJID"].str.rsplit("-", n=1).str[1].astype(int).to_numpy()


# ------------------------------------------------------------------------------------------------ all tables


def test_every_row_says_that_nobody_exists_and_every_column_has_a_meaning(design):
    made = tables(design)
    assert list(made) == ["ADSL", "ADQS", "ADTTE", "ADAE", "ADEX"]
    for table in made.values():
        assert (table["SIMULATED"] == "Y").all()
        assert [name for name in table if not column(name)[1]] == []
        assert all(name.isupper() and len(name) <= 9 for name in table)  # ADaM allows 8; SIMULATED has 9 and is ours
        assert [name for name in table if len(name) > 8] == ["SIMULATED"]


def test_everybody_is_in_adsl_once_and_nobody_else_is_anywhere(design):
    made = tables(design)
    subjects = made["ADSL"]["USUBJID"]
    assert not subjects.duplicated().any()
    assert len(subjects) == len(example(design).found.people)
    for table in made.values():
        assert set(table["USUBJID"]) <= set(subjects)
        assert table["USUBJID"].is_monotonic_increasing or "PARAMCD" in table
    assert set(made["ADQS"]["USUBJID"]) == set(subjects)
    randomised = set(made["ADSL"].query("RANDFL == 'Y'")["USUBJID"])
    assert set(made["ADTTE"].query("PARAMCD == 'TTDISC'")["USUBJID"]) == randomised


def test_treatments_agree_between_tables(design):
    made = tables(design)
    planned = made["ADSL"].set_index("USUBJID")["TRT01P"]
    for name in ("ADQS", "ADTTE", "ADAE", "ADEX"):
        assert made[name]["TRTP"].tolist() == planned[made[name]["USUBJID"]].tolist()
    assert ((planned != "") == (made["ADSL"].set_index("USUBJID")["RANDFL"] == "Y")).all()


def test_there_is_no_day_0(design):
    for table in tables(design).values():
        for name in {"ADY", "STARTDY", "AESTDY", "EXSTDY", "EXENDY"} & set(table):
            assert (table[name] >= 1).all()


def test_the_same_seed_gives_the_same_tables():
    again = adam.adam(example.__wrapped__(LEAVING))
    for name, table in tables(LEAVING).items():
        assert_frame_equal(again[name], table)


# ------------------------------------------------------------------------------------------------ scores


def test_codes_are_short_and_mean_one_thing(design):
    for name in ("ADQS", "ADTTE"):
        pairs = tables(design)[name][["PARAMCD", "PARAM"]].drop_duplicates()
        assert not pairs["PARAMCD"].duplicated().any()
        assert not pairs["PARAM"].duplicated().any()
        assert (pairs["PARAMCD"].str.len() <= 8).all()


def test_every_scale_and_relapse_rule_has_its_code():
    assert set(adam.CODES) == set(scale.names())
    assert set(adam.RELAPSE_CODES) == set(RELAPSE_RULES)
    total, prefix = zip(*adam.CODES.values(), strict=True)
    assert len(set(total)) == len(set(prefix)) == len(adam.CODES)
    assert all(len(one) <= 8 for one in total)
    assert all(len(one) <= 3 for one in prefix)


def test_base_is_the_baseline_record_and_change_the_difference(design):
    table = tables(design)["ADQS"]
    scores = table[table["AVALC"] == ""]
    first = scores[scores["ABLFL"] == "Y"]
    keys = ["USUBJID", "PARAMCD"]
    assert not first.duplicated(keys).any()
    base = first.set_index(keys)["AVAL"]
    assert scores["BASE"].tolist() == base[pd.MultiIndex.from_frame(scores[keys])].tolist()
    later = scores[scores["ABLFL"] == ""]
    np.testing.assert_allclose(later["CHG"], later["AVAL"] - later["BASE"])
    np.testing.assert_allclose(later["PCHG"], 100 * later["CHG"] / later["BASE"])
    assert first["CHG"].isna().all()
    subjects = tables(design)["ADSL"].set_index("USUBJID")
    for code, some in first.groupby("PARAMCD"):
        (name,) = [one for one, (total, _) in adam.CODES.items() if total == code]
        assert some["AVAL"].tolist() == subjects.loc[some["USUBJID"], adam.baseline_column(name)].tolist()


def test_a_visit_is_there_once_and_in_order(design):
    table = tables(design)["ADQS"]
    keys = ["USUBJID", "PARAMCD", "AVISITN", "ATPTN"]
    assert not table[table["ANL01FL"] == "Y"].duplicated(keys).any()
    assert not table[table["DTYPE"] == ""].duplicated(keys).any()
    for _, some in table.groupby(["USUBJID", "PARAMCD"]):
        moments = some["AVISITN"] * 24 + some["ATPTN"].fillna(0)
        assert moments.is_monotonic_increasing


def test_flagged_records_are_the_data_of_the_analysis(design):
    one, table = example(design), tables(design)["ADQS"]
    hours = one.found.visit_h
    day = np.where(hours > 0, np.floor(hours / 24 + 1e-9) + 1, 0)
    for name in one.found.arms[0].scores:
        mine = table[(table["PARAMCD"] == adam.CODES[name][0]) & (table["ANL01FL"] == "Y")]
        found = np.full(one.found.kept.shape, np.nan)
        hour = mine["ATPTN"].fillna(0).to_numpy()
        visit = [int(np.flatnonzero((day == d) & np.isclose((hours % 24) * (day > 0), h))[0])
                 for d, h in zip(mine["AVISITN"], hour, strict=True)]  # fmt: skip
        found[patient(mine), visit] = mine["AVAL"]
        expected = np.full(found.shape, np.nan)
        expected[one.analysis.data.chosen] = one.analysis.data.scores(name)
        np.testing.assert_array_equal(found, expected)


def test_only_the_composite_estimand_derives_records():
    assert {name: set(tables(name)["ADQS"]["DTYPE"]) for name in (LEAVING, "full")} == {LEAVING: {""}, "full": {""}}
    derived = tables(COMPOSITE)["ADQS"].query("DTYPE == 'BOCF' and AVALC == ''")
    assert (derived["CHG"] == 0).all()
    assert (derived["ICEFL"] == "Y").all()
    assert len(derived) > 0


def test_records_after_an_intercurrent_event_are_marked():
    table, one = tables("full")["ADQS"], example("full")
    marked = table[(table["ICEFL"] == "Y") & (table["PARAMCD"] == "MADRSTOT")]
    data = one.analysis.data
    assert len(marked) == (data.after & data.attended).sum() > 0
    assert (marked["ANL01FL"] == "").all()  # the hypothetical estimand leaves them out


def test_response_and_remission_follow_from_the_scores():
    table = tables("full")["ADQS"]
    keys = ["USUBJID", "AVISITN"]
    wide = table[table["AVISITN"] > 0].pivot_table(index=keys, columns="PARAMCD", values="AVAL")
    base = table[table["PARAMCD"] == "MADRSTOT"].groupby("USUBJID")["BASE"].first()
    half = 0.5 * base[wide.index.get_level_values("USUBJID")].to_numpy()
    np.testing.assert_array_equal(wide["MADRESP"], wide["MADRSTOT"] <= half)
    np.testing.assert_array_equal(wide["MADREM"], wide["MADRSTOT"] <= 10)
    np.testing.assert_array_equal(wide["MADREM12"], wide["MADRSTOT"] <= 12)  # asked for by an endpoint
    answers = table[table["PARAMCD"] == "MADRESP"]
    assert ((answers["AVALC"] == "Y") == (answers["AVAL"] == 1)).all()
    assert set(answers["AVALC"]) == {"Y", "N"}


def test_visits_come_off_schedule_in_ady_only():
    table = tables("full")["ADQS"].query("PARAMCD == 'MADRSTOT' and AVISITN > 0")
    off = table["ADY"] - table["AVISITN"]
    assert (off[table["AVISITN"] == 2] == 0).all()  # no window at 24 h
    assert set(off[table["AVISITN"] == 41]) == {-3, -2, 0, 1, 2}  # five times spread over 3 d either way


def test_hours_tell_visits_of_one_day_apart():
    table = tables(WAITING)["ADQS"].query("PARAMCD == 'MADRSTOT'")
    mine = table[table["USUBJID"] == "waiting-0000"]
    assert mine["AVISIT"].tolist() == ["Baseline", "Day 1", "Day 8"]
    assert mine["ATPT"].tolist() == ["", "4 h", ""]
    assert mine["ADY"].tolist() == [1, 1, 8]


# ------------------------------------------------------------------------------------------------ people, times


def test_the_end_of_study_agrees_with_who_left():
    subjects, times = tables(LEAVING)["ADSL"], tables(LEAVING)["ADTTE"].set_index("USUBJID")
    assert ((subjects["EOSSTT"] == "COMPLETED") == (subjects["COMPLFL"] == "Y")).all()
    assert ((subjects["DCSREAS"] == "") == (subjects["COMPLFL"] == "Y")).all()
    assert set(subjects["DCSREAS"]) == {"", "OTHER", "LACK OF EFFICACY", "ADVERSE EVENT"}
    censored = times.loc[subjects["USUBJID"], "CNSR"].to_numpy()
    np.testing.assert_array_equal(censored == 0, subjects["EOSSTT"] == "DISCONTINUED")
    last = tables(LEAVING)["ADQS"].groupby("USUBJID")["AVISITN"].max()
    assert (last <= times.loc[last.index, "ADY"]).all()
    assert (times.loc[times["CNSR"] == 1, "AVAL"] == 26).all()


def test_those_who_only_stop_treatment_complete_the_study():
    subjects = tables("full")["ADSL"]
    stopped = subjects["EOTSTT"] == "DISCONTINUED"
    assert (subjects["EOSSTT"] == "COMPLETED").all()
    assert ((subjects["DCTREAS"] != "") == stopped).all()
    assert stopped.any()


def test_people_without_randomisation_have_no_treatment_but_are_in_the_safety_population():
    subjects = tables("sustain1")["ADSL"]
    out = subjects["RANDFL"] == "N"
    assert ((subjects["ARMCD"] == "") == out).all()
    assert (subjects.loc[out, "DCSREAS"] == "NOT RANDOMISED").all()
    assert (subjects["SAFFL"] == "Y").all()
    assert (subjects.loc[out, "TRTEDY"] == 112).all()
    waiting = tables(WAITING)["ADSL"].set_index("ARMCD")["SAFFL"]
    assert set(waiting["waiting"]) == {"N"}
    assert set(waiting["ketamine"]) == {"Y"}


def test_strata_are_those_of_the_allocation():
    subjects = tables("full")["ADSL"]
    assert ((subjects["STRAT1R"] == "1") == (subjects["SEX"] == "F")).all()
    assert ((subjects["STRAT2R"] == ">= 50") == (subjects["AGE"] >= 50)).all()
    assert set(subjects["STRAT2D"]) == {"AGE"}


@pytest.mark.parametrize("name", [COMPOSITE, "full", "sustain1"])
def test_times_and_censoring_are_those_of_the_analysis(name):
    one, table = example(name), tables(name)["ADTTE"]
    codes = {adam.time_code(end): end for end in one.of.trial.endpoints if end.measure in adam.AT_ALL_VISITS}
    assert set(table["PARAMCD"]) == {*codes, "TTDISC"}
    for code, endpoint in codes.items():
        mine, events = table[table["PARAMCD"] == code], one.analysis.data.events(endpoint)
        np.testing.assert_array_equal(patient(mine), one.analysis.data.chosen[events.at_risk])
        np.testing.assert_array_equal(mine["AVAL"], events.days[events.at_risk])
        np.testing.assert_array_equal(mine["CNSR"] == 0, events.happened[events.at_risk])
        assert set(mine["CNSR"]) == {0, 1}
        assert (mine["ADY"] >= mine["STARTDY"]).all()
        start = (mine["STARTDY"] - 1) * 24  # all starts are at the beginning of a day here
        ends = start + mine["AVAL"] * 24
        plain = mine["EVNTDESC"] != "RELAPSE OR INTERCURRENT EVENT"  # leaving may fall between visits
        assert np.isin(ends[plain].round(6), one.found.visit_h).all()


# ------------------------------------------------------------------------------------------------ doses, events


def test_doses_add_up_to_the_regimen():
    one, table = example(INDUCTION), tables(INDUCTION)["ADEX"]
    for k, course in enumerate(one.of.courses):
        planned = course.regimen(26 / 7).administrations
        for who in np.flatnonzero(one.found.arm == k):
            mine = table[patient(table) == who]
            weight = one.found.people["WT"].iloc[who]
            assert mine["EXDOSE"].sum() == pytest.approx(sum(a.mg(weight) for a in planned))
            assert mine["EXSTDY"].tolist() == [1, 3, 5, 8, 10, 12]
            assert mine["SESSION"].tolist() == mine["EXSEQ"].tolist() == [1, 2, 3, 4, 5, 6]
    assert set(table["EXTRT"]) == {"KETAMINE", "SALINE"}
    assert set(table["EXROUTE"]) == {"INTRAVENOUS"}


def test_daily_drugs_are_one_record_and_sprays_one_each():
    table = tables("sustain1")["ADEX"]
    tablets = table[table["EXTRT"] == "ESCITALOPRAM"]
    assert set(tablets["EXDOSFRQ"]) == {"QD"}
    assert tablets["SESSION"].isna().all()
    assert set(tablets["EXENDY"]) == {112, 413}
    assert len(tablets) == tablets["USUBJID"].nunique()
    sprays = table[table["EXTRT"] != "ESCITALOPRAM"]
    assert set(sprays["EXDOSFRQ"]) == {"ONCE"}
    assert set(sprays["EXROUTE"]) == {"NASAL"}


def test_changed_doses_say_why():
    table = tables("step-up")["ADEX"]
    assert set(table["EXADJ"]) == {"", "CHECK"}
    assert set(tables("full")["ADEX"]["EXADJ"]) == {"", "RESCUE"}


def test_adverse_events_belong_to_sessions_that_were_given(design):
    made = tables(design)
    given = made["ADEX"].dropna(subset="SESSION")[["USUBJID", "SESSION", "EXSTDY"]].drop_duplicates()
    keys = given.rename(columns={"EXSTDY": "AESTDY"})
    events = made["ADAE"]
    assert len(events.merge(keys, on=["USUBJID", "SESSION", "AESTDY"])) == len(events)
    assert not events.duplicated(["USUBJID", "SESSION", "AEDECOD"]).any()
    assert events.groupby("USUBJID")["AESEQ"].max().sum() == len(events)
    assert len(events) > 0


def test_limits_decide_dissociation_and_blood_pressure():
    one, events = example(INDUCTION), tables(INDUCTION)["ADAE"]
    assert {effect for effect, _ in adam.BY_LIMIT.values()} | set(adam.BY_CHANCE.values()) == set(ACUTE)
    arm, everybody = one.found.arm, np.arange(len(one.found.arm))
    for name, reached in {
        "Dissociation": ("CADSS", 4.0, np.greater),
        "Blood pressure increased": ("systolic", 40.0, np.greater_equal),
    }.items():
        effect, limit, holds = reached
        worst = np.array([found.acute[effect] for found in one.found.arms])[arm, everybody]
        mine = events[events["AEDECOD"] == name]
        assert sorted(zip(patient(mine), mine["SESSION"] - 1, strict=True)) == [
            *map(tuple, np.argwhere(holds(worst, limit)))
        ]


def test_events_by_chance_come_as_often_as_the_model_says():
    one, events = example("sustain1"), tables("sustain1")["ADAE"]
    arm, everybody = one.found.arm, np.flatnonzero(one.found.arm >= 0)
    for name, effect in adam.BY_CHANCE.items():
        risk = np.concatenate([one.found.arms[arm[who]].acute[effect][who] for who in everybody])
        count = ((events["AEDECOD"] == name) & (events["TRTA"] != "")).sum()
        assert abs(count - risk.sum()) < 4 * math.sqrt((risk * (1 - risk)).sum())


def test_saline_brings_no_more_than_placebo_does():
    events = tables(SALINE)["ADAE"]
    by = events.groupby(["TRTA", "AEDECOD"])["USUBJID"].nunique()
    assert set(by["saline"].index) <= {"Nausea", "Dizziness"}
    assert by["saline"].max() / 240 < 0.05  # 1.4 % a session, from the placebo arms of nine trials
    assert by["ketamine"]["Dissociation"] / 60 > 0.3
