"""Event tables: values of each record, covariates, ties, resets, files, and what is refused."""

import re

import numpy as np
import pandas as pd
import pytest

from afterglow.engine.dosing import Compartments
from afterglow.engine.records import read_events
from afterglow.errors import EngineError, InputError
from afterglow.event_run import EventModel
from afterglow.lang import Output, Param, Route, State, System
from afterglow.library.textbook import OneCompartment, ParallelAbsorption
from dosing_scenarios import Declared
from event_tables import dose, expected, look, ready, simulate, table

TIMES = np.array([0.5, 1.7, 2.9, 4.3, 8.8, 9.9, 10.5, 11.2, 12.1, 13.6, 20.7, 31.0])


@pytest.fixture(scope="module")
def models():
    return {system: ready(system) for system in (OneCompartment,)}


# ---- values frozen on the dose's own record, people, covariates ------------------------------------------------------


def test_f_and_lag_are_those_of_the_doses_own_record(models):
    frame = table([dose(100, 2, ii=10, addl=1, FF=0.5, LL=2.0), dose(100, 2, 11.0, FF=1.0, LL=0.5)], TIMES)
    frame = frame.assign(FF=frame["FF"].fillna(9.0), LL=frame["LL"].fillna(9.0))
    plan = [(2, "central", 50, 0), (12, "central", 50, 0), (11.5, "central", 100, 0)]
    right = expected(OneCompartment, plan, TIMES)
    for f in ("FF", lambda rows: rows["FF"], frame["FF"].to_numpy()):
        seen = simulate(models[OneCompartment], frame, f={"central": f}, lag={"central": "LL"})[2:, 0]
        assert seen == pytest.approx(right, rel=1e-6, abs=1e-8)


def test_values_by_person_and_ids_as_they_are(models):
    frame = pd.concat([table([dose(100, 2)], [1.0, 5.0]).assign(id=who) for who in ("b", "a")]).drop(columns="ID")
    seen = simulate(models[OneCompartment], frame, f={"central": [0.2, 0.7]})[:, 0].reshape(2, 3)[:, 1:]
    right = [expected(OneCompartment, [(0, "central", a, 0)], [1.0, 5.0]) for a in (20, 70)]
    assert seen == pytest.approx(np.array(right), rel=1e-6)
    assert read_events(frame.rename(columns={"id": "ID"})).ids == ("b", "a")


@pytest.mark.parametrize(("carry", "levels"), [("nocb", [2.0, 6.0, 6.0]), ("locf", [2.0, 2.0, 6.0])])
def test_covariates_between_rows(models, carry, levels):
    """CL is 2 at 0 h, not given at 3 h, 6 at 5 h: which counts from 0 to 3, 3 to 5 and after 5 h."""
    rows = [dose(100, 2, CL=2.0), {"TIME": 3, "EVID": 0}, {"TIME": 5, "EVID": 0, "CL": 6}, {"TIME": 9, "EVID": 0}]
    seen = simulate(models[OneCompartment], table(rows), carry=carry)[1:, 0]
    levels = [6.0, 6.0, 6.0] if carry == "nocb" else levels
    right = 5 * np.exp(-np.cumsum(np.array(levels) / 20 * [3, 2, 4]))
    assert seen == pytest.approx(right, rel=1e-7)


def test_a_covariate_that_names_no_parameter_is_left_alone(models):
    frame = table([dose(100, 2, WT=70, SEX="f")], [1.0])
    events = read_events(frame)
    assert events.covariates == ("WT", "SEX")
    assert events.schedule(models[OneCompartment][1]).used == {}
    with pytest.raises(InputError, match=r"covariate 'SEX': not all of its values are numbers"):
        events.schedule(models[OneCompartment][1], covariates={"SEX": "CL"})


# ---- ties -----------------------------------------------------------------------------------------------------------


def test_rows_of_one_time_keep_their_order(models):
    rows = [look(0.0), dose(20, 2), look(0.0), dose(40, 2), dose(60, 2), look(0.0), look(0.0), {"TIME": 0, "EVID": 3}]
    seen = simulate(models[OneCompartment], table([*rows, look(0.0), look(1.0)]))[:, 0]
    expect = [0.0, np.nan, 1.0, np.nan, np.nan, 6.0, 6.0, np.nan, 0.0, 0.0]
    assert seen == pytest.approx(expect, abs=1e-7, nan_ok=True)


@pytest.mark.parametrize(("first", "there"), [(False, 1.0), (True, 2.0)])
@pytest.mark.parametrize("lag", [0.0, 0.3])
def test_additional_doses_come_after_the_observations_of_their_time_unless_asked(models, first, there, lag):
    rows = [dose(20, 2, ii=0.1, addl=3), look(0.1 * 3 + lag - 0.2), look(9.0)]
    frame = table(rows).assign(CL=0.0)
    seen = simulate(models[OneCompartment], frame, lag={"central": lag}, doses_first=first)[:, 0]
    assert seen[1] == pytest.approx(there, rel=1e-9)
    assert seen[2] == pytest.approx(4.0, rel=1e-9)


def test_an_observation_between_an_explicit_and_an_additional_dose_of_its_time(models):
    rows = [dose(20, 2, ii=5, addl=1), dose(40, 2, 5.0), look(5.0), look(6.0)]
    seen = simulate(models[OneCompartment], table(rows).assign(CL=0.0))[:, 0]
    assert seen[2:] == pytest.approx([3.0, 4.0], rel=1e-9)


# ---- resets and baselines -------------------------------------------------------------------------------------------


class Turnover(System):
    """A drug and a substance that the body makes: untreated it is not zero."""

    made = State("mg", "made by the body and given", init=0.0, size=10.0)
    memory = State("mg", "what was there", size=10.0)
    k = Param(0.2, "1/h", "loss", source="assumed")
    base = Param(30.0, "mg", "untreated", source="assumed")
    made.init = base * 1.0
    made.dot = -k * (made - base)
    memory.dot = k * made
    level = Output(made, "mg", "level")
    sum_ = Output(memory, "mg", "sum")
    iv = Route("into a vein", {made: 1.0})


def test_reset_goes_to_untreated_values_and_spares_other_states():
    model, all_of_it = ready(Turnover)
    part = Compartments.of(model.program, ["made"], all_of_it.rates, all_of_it.initial)
    rows = [dose(50, "made"), {"TIME": 4, "EVID": 3}, look(4.0), look(9.0), dose(50, 1, 9.0, ss=1, ii=6), look(9.0)]
    seen = simulate((model, part), table(rows), {"base": 20.0})
    assert seen[2:4, 0] == pytest.approx([20.0, 20.0], rel=1e-9)
    assert seen[3, 1] == pytest.approx(0.2 * 20 * 9 + 50 * (1 - np.exp(-0.2 * 4)), rel=1e-6)
    assert seen[5, 0] == pytest.approx(20 + 50 / (1 - np.exp(-0.2 * 6)), rel=1e-9)
    with pytest.raises(InputError, match=r"is not linear, or moves untreated .*give the compartments an `engine`"):
        simulate((model, all_of_it), table(rows))
    with pytest.raises(InputError, match="doses pile up without end"):
        EventModel(Turnover).run(table(rows))


# ---- files ----------------------------------------------------------------------------------------------------------


def test_there_and_back(tmp_path, models):
    file = tmp_path / "doses.csv"
    file.write_text(
        "id,time,Evid,amt,rate,cmt,dv,WT\n7,0,1,100,.,central,.,70\n\n7,2,0,.,,.,1.5,\n007x,0,1,5,0,2,,80\n"
    )
    events = read_events(file)
    assert events.ids == ("7", "007x")
    assert events.places == ("doses.csv:2", "doses.csv:4", "doses.csv:5")
    assert events.frame["AMT"].tolist() == [100.0, 0.0, 5.0]
    assert np.isnan(events.frame["WT"][1])
    events.to_csv(tmp_path / "again.csv")
    again = read_events(tmp_path / "again.csv")
    pd.testing.assert_frame_equal(again.frame, events.frame)
    assert again.ids == events.ids
    for one_of in (events, again):
        table = one_of.actions(models[OneCompartment][1]).table(2)
        assert table.value.tolist() == [100.0, 5.0]


def test_evid_may_be_left_out():
    assert read_events(pd.DataFrame({"ID": 1, "TIME": [0, 1], "AMT": [10, "."]})).frame["EVID"].tolist() == [1.0, 0.0]


REFUSED = {
    "ADDL = 2, II = 0: repeat a dose without an interval": {"ADDL": 2},
    "RATE = 5, DUR = 2: are both given": {"RATE": 5, "DUR": 2},
    "EVID = 7: is unknown": {"EVID": 7},
    "EVID = 8, RATE = 5, .*: replace an amount and want more": {"EVID": 8, "RATE": 5},
    "AMT = -5: is below zero": {"AMT": -5},
    "AMT = 0, RATE = 0: are both zero in a dose": {"AMT": 0},
    "AMT = 0, RATE = 5, II = 0, SS = 0: give an infusion without an amount": {"AMT": 0, "RATE": 5},
    "RATE = -3: is unknown": {"RATE": -3},
    "SS = 3: is unknown": {"SS": 3, "II": 4},
    "SS = 1, II = 0: ask for a steady state without an interval": {"SS": 1},
    "ADDL = 1.5: is not a count": {"ADDL": 1.5, "II": 2},
    "II = -1: is below zero": {"II": -1},
    "DUR = -1: is below zero": {"DUR": -1},
    "EVID = 0, AMT = 10, .*: give a dose in a row that is none": {"EVID": 0},
    "CMT = -1: compartments cannot be switched off": {"EVID": 2, "AMT": 0, "CMT": -1},
    "TIME is missing": {"TIME": None},
    "AMT = 'ten' is not a number": {"AMT": "ten"},
    "ID is missing": {"ID": "."},
}


@pytest.mark.parametrize("problem", REFUSED)
def test_what_nonmem_refuses_is_refused_with_row_and_remedy(problem):
    row = {"ID": 1, "TIME": 0, "EVID": 1, "AMT": 10, "RATE": 0} | REFUSED[problem]
    with pytest.raises(InputError, match=f"row 0: {problem}") as caught:
        read_events(pd.DataFrame([row], dtype=object))
    assert all(f.remedy for f in caught.value.faults)


def test_all_faults_come_at_once_by_line(tmp_path):
    file = tmp_path / "bad.csv"
    file.write_text("ID,TIME,EVID,AMT,ADDL\n1,0,9,1,0\n1,0,1,-3,2\n")
    with pytest.raises(InputError) as caught:
        read_events(file)
    assert [f.place for f in caught.value.faults] == ["bad.csv:2", "bad.csv:3", "bad.csv:3"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("ID,EVID\n1,0\n", "there is no column TIME"),
        ("ID,TIME,time\n1,0,0\n", "there are two columns TIME"),
        ("ID,TIME\n", "there are no rows"),
        ("", "is not a comma-separated table"),
        ("ID,TIME\n1,0,5\n1,1,6\n", "more fields than the header"),
        ("ID,TIME,EVID\n1,9,0\n1,0,3\n", "goes back to before 9 at a reset"),
    ],
)
def test_files_that_are_no_event_tables(tmp_path, text, problem):
    file = tmp_path / "f.csv"
    file.write_text(text)
    with pytest.raises(InputError, match=problem):
        read_events(file)
    with pytest.raises(InputError, match="cannot be read"):
        read_events(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("row", "options", "problem"),
    [
        (dose(1, "centre"), {}, "CMT = centre: there is no such compartment"),
        (dose(1, 3), {}, r"CMT = 3: there is no such compartment \(one of: 1 toy.depot, 2 toy.central\)"),
        (dose(1, -2), {}, "CMT = -2: compartments cannot be switched off"),
        (dose(1, rate=-1), {}, "RATE = -1, but 'toy.depot' has no rate"),
        (dose(1, rate=-2), {"duration": {"depot": 0.0}}, "the duration of 'toy.depot' is 0"),
        (dose(1), {"f": {"depot": -1.0}}, "F of 'toy.depot' is -1"),
        (dose(1), {"lag": {"depot": np.nan}}, "the lag of 'toy.depot' is nan"),
        (dose(1, ss=1, ii=3), {"lag": {"depot": 3.0}}, "the lag 3 is not below II = 3"),
        (dose(1), {"f": {"gut": 1.0}}, "F of 'gut': there is no such compartment"),
        (dose(1), {"f": {"depot": "FF"}}, "there is no column 'FF'"),
        (dose(1), {"f": {"depot": [1.0, 2.0, 3.0]}}, r"has the shape \(3,\)"),
        (dose(1), {"covariates": {"WT": "CL"}}, "covariate 'WT': there is no such column"),
        (dose(1, WT=1), {"covariates": {"WT": "CLX"}}, "the model has no parameter 'CLX'"),
        (dose(1), {"carry": "back"}, "carry: 'back' is unknown"),
    ],
)
def test_what_the_model_cannot_do_is_refused(models, row, options, problem):
    with pytest.raises(InputError, match=problem):
        read_events(table([row])).schedule(models[OneCompartment][1], **options)


def test_impossible_steady_states_are_refused(models):
    model, compartments = models[OneCompartment]
    events = read_events(table([dose(100, 2, ss=1, ii=12)]))
    for values, problem in (
        ({"CL": 0.0}, r"row 0: SS = 1: .*amounts never leave.* \(ID 1, status 3\) \(give elimination"),
        ({"CL": np.nan}, "not finite"),
    ):
        with pytest.raises(InputError, match=problem):
            events.schedule(compartments, model.slots(1, **values))
    with pytest.raises(InputError, match=re.escape("give `rates` and `parameters`")):
        events.schedule(Compartments.of(model.program), model.slots(1))
    with pytest.raises(EngineError, match="must have the shape"):
        events.schedule(compartments, model.slots(2))


def test_what_delivers_nothing_warns(models):
    with pytest.warns(UserWarning, match="row 0: F of 'toy.depot' is 0: this dose delivers nothing"):
        schedule = read_events(table([dose(1)])).schedule(models[OneCompartment][1], f={"depot": 0.0})
    assert len(schedule.actions.table(1).time) == 0
    with pytest.warns(UserWarning, match="row 0: II = 12 without ADDL or SS does nothing"):
        read_events(table([dose(1, ii=12)]))


# ---- dates and clock times ------------------------------------------------------------------------------------------


def test_dates_and_clock_times_become_hours(tmp_path):
    file = tmp_path / "clock.csv"
    file.write_text(
        "ID,DATE,TIME,EVID,AMT\na,2024-02-28,21:30,1,10\na,2024-03-01,09:00:36,0,.\nb,2024-05-05,8,1,10\n"
        "b,2024-05-05,9.5,0,.\n"
    )
    events = read_events(file)
    assert events.column("TIME") == pytest.approx([0.0, 2.5 + 24 + 9.01, 0.0, 1.5])
    assert events.note == "DATE and TIME became hours since each person's first row"
    assert "DATE" not in events.frame
    days = read_events(pd.DataFrame({"ID": 1, "date": [3, 4], "TIME": ["12:00", "13:00"], "EVID": 0}))
    assert days.column("TIME").tolist() == [0.0, 25.0]
    stamps = pd.DataFrame(
        {"ID": 1, "DATE": pd.to_datetime(["2024-03-01", "2024-03-02"]), "TIME": [8.0, 9.0], "EVID": 0}
    )
    assert read_events(stamps).column("TIME").tolist() == [0.0, 25.0]
    one_day = read_events(pd.DataFrame({"ID": [1, 1, 2], "TIME": ["8:15", "9:00", "10:30"], "EVID": 0}))
    assert one_day.column("TIME").tolist() == [0.0, 0.75, 0.0]
    assert "clock times of one day" in one_day.note
    assert read_events(pd.DataFrame({"ID": 1, "TIME": [5.0], "EVID": 0})).note == ""


def test_what_is_no_clock_or_day_is_refused_by_row():
    frame = pd.DataFrame({"ID": 1, "DATE": ["2024-02-30", "28/02/2024", "7"], "TIME": ["8:00", "8:75", ""], "EVID": 0})
    with pytest.raises(InputError) as caught:
        read_events(frame)
    said = str(caught.value)
    assert "row 0: DATE = '2024-02-30' is no day (use yyyy-mm-dd" in said
    assert "row 1: DATE = '28/02/2024' is no day" in said
    assert "row 1: TIME = '8:75' is no clock time (use hh:mm" in said
    assert "row 2: TIME = '' is no clock time" in said
    with pytest.raises(InputError, match=r"row 1: TIME = 1:00 goes back \(give the days in a column DATE\)"):
        read_events(pd.DataFrame({"ID": 1, "TIME": ["23:00", "1:00"], "EVID": 0}))
    with pytest.raises(InputError, match=r"DAT2: days in this order are not read"):
        read_events(pd.DataFrame({"ID": 1, "DAT2": "2024/03/01", "TIME": ["1:00"], "EVID": 0}))


# ---- what routes say, frozen on the dose's own record ---------------------------------------------------------------


def test_what_routes_say_needs_parameters_and_agreement():
    model = EventModel(Declared)
    events = read_events(table([dose(100, 1, rate=-2)], [1.0]))
    with pytest.raises(InputError, match=r"F of 'Declared.central': is an equation of the model \(give `parameters`\)"):
        events.schedule(model.compartments)
    parallel = EventModel(ParallelAbsorption)
    with pytest.raises(InputError, match=r"F of '.*depot': routes differ: .*oral, .*first_order \(say what counts"):
        parallel.run(table([dose(100)], [1.0]))


def test_each_person_and_record_has_a_fraction_of_its_own():
    """Two people, weights that change: what arrived in all, long after, without elimination."""
    model = EventModel(Declared)
    rows = [dose(100, 1, rate=-2, WT=70.0, ii=5, addl=1), dose(50, 1, 20.0, rate=-2, WT=140.0), look(90.0)]
    frame = pd.concat([table(rows).assign(ID=who) for who in "ab"])
    seen = model.run(frame, {"share": [0.2, 0.8], "k": 0.0}, carry="locf").frame["amount"].to_numpy()
    right = [share * (2 * 100 + 50 * np.exp(-1.0)) for share in (0.2, 0.8)]
    assert seen[[2, 5]] == pytest.approx(right, rel=1e-9)
    own = model.run(frame, {"k": 0.0}, carry="locf", f={"central": 1.0}).frame["amount"].to_numpy()
    assert own[2] == pytest.approx(250, rel=1e-9)
