"""NONMEM's files: the dataset read back gives the same curve, the control stream says the same equations."""

import re
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from afterglow.clinic.course import load_course
from afterglow.compile.numpy_code import numpy_function
from afterglow.compile.program import program
from afterglow.errors import InputError
from afterglow.event_run import EventModel
from afterglow.study.export_nonmem import COLUMNS, SEEN_IN, NonmemExport

COURSES = ("iv-single", "nasal-esketamine", "sublingual-induction")


@pytest.fixture(scope="module")
def made():
    return {name: NonmemExport(load_course(name), 3, 2.0, 1) for name in COURSES}


@pytest.mark.parametrize("name", COURSES)
def test_our_reader_finds_the_same_curve(made, name, tmp_path):
    one = made[name]
    one.dataset().to_csv(tmp_path / "d.csv", index=False, na_rep=".")
    model = EventModel(one.model, one.compartments, rtol=1e-9)
    seen = model.run(
        tmp_path / "d.csv", one.parameters(), f=one.of_rows("F"), duration=one.of_rows("D")
    ).frame  # fmt: skip
    for output in one.outputs:
        part, what = output.split(".")
        here = seen[(seen.EVID == 0) & (seen.CMT.astype(int) == one.compartments.index(f"{part}.{SEEN_IN[what]}") + 1)]
        column = here[output] if output in here else here[what]
        assert here.DV.max() > 1
        assert column.to_numpy() == pytest.approx(here.DV.to_numpy(), rel=1e-6, abs=1e-6 * here.DV.max())


def test_rows_are_in_order_and_marked(made):
    table = made["nasal-esketamine"].dataset()
    assert tuple(table.columns) == COLUMNS
    assert (table.SIM == 1).all()
    assert table.ID.nunique() == 3
    for _, person in table.groupby("ID"):
        assert all(a <= b for a, b in pairwise(person.TIME))
    doses, looks = table[table.EVID == 1], table[table.EVID == 0]
    assert doses.DV.isna().all()
    assert (doses.MDV == 1).all()
    assert looks.AMT.isna().all()
    assert (looks.MDV == 0).all()


def test_all_of_the_drug_is_in_the_dataset(made):
    table = made["iv-single"].dataset()
    given = table[table.EVID == 1].groupby("ID").AMT.sum()
    weight = table.groupby("ID").WT.first()
    assert given.to_numpy() == pytest.approx(0.5 * weight.to_numpy())


def test_a_course_without_ketamine_and_other_faults_are_told_together():
    with pytest.raises(InputError) as told:
        NonmemExport(load_course("ssri"), 0, 2.0, 1)
    assert {f.place for f in told.value.faults} == {"ssri", "--patients"}


# ---- the control stream, read by a few lines of Python: assignments and IF blocks are all it has


def blocks(text):
    found, name = {}, ""
    for line in text.splitlines():
        if head := re.match(r"\$(\w+)(.*)", line):
            name = head[1]
            found.setdefault(name, []).append(head[2].strip())
        elif line.strip():
            found[name].append(line.strip())
    return found


def python(line):
    line = line.split(";")[0].strip()
    line = re.sub(r"\b(THETA|ETA|A|DADT|ERR)\((\d+)\)", r"\1[\2]", line)
    return re.sub(r"\bEXP\(", "np.exp(", re.sub(r"\bABS\(", "abs(", line))


def done(lines, scope):
    """The scope after these statements; a name that is not known raises NameError."""
    active = True
    for line in map(python, lines):
        if not line:
            continue
        if head := re.fullmatch(r"IF \((\w+)\.EQ\.(\d+)\)(.*)", line):
            holds = scope[head[1]] == int(head[2])
            if head[3].strip() == "THEN":
                active = holds
            elif holds:
                exec(head[3].strip(), scope)
        elif line == "ENDIF":
            active = True
        elif active:
            exec(line, scope)
    return scope


def scope_of(found, rte=0):
    thetas = [float(re.match(r"\(0, ([^)]+)\)|(\S+)", x)[0].split(",")[-1].strip(" )")) for x in found["THETA"]]
    return {
        "np": np, "THETA": dict(enumerate(thetas, 1)), "ETA": dict.fromkeys(range(1, len(found["OMEGA"]) + 1), 0.0),
        "WT": 83.0, "AGE": 66.0, "RTE": rte, "DADT": {}, "ERR": {1: 0.0},
    }  # fmt: skip


@pytest.mark.parametrize("name", COURSES)
def test_the_control_stream_says_our_equations(made, name):
    one = made[name]
    found = blocks(one.control("d.csv"))
    scope = done(found["PK"], scope_of(found))
    amounts = np.linspace(1.0, 9.0, len(one.compartments))
    scope = done(found["DES"], scope | {"A": dict(enumerate(amounts, 1))})

    flat = one.model.flatten()
    ours = program(flat)
    slots = np.array(ours.defaults)[:, None].copy()
    for part in one.parts:
        for what, value in (("weight", 83.0), ("age", 66.0)):
            slots[ours.slot[f"{part}.{what}"]] = value
    states = np.array([amounts[one.compartments.index(s)] for s in ours.states])[:, None]
    rates = dict(zip(ours.states, numpy_function(ours.rhs, ours.y, ours.p)(states, slots), strict=True))
    for k, state in enumerate(one.compartments, 1):
        assert scope["DADT"][k] == pytest.approx(float(np.ravel(rates[state])[0]), rel=1e-8)


@pytest.mark.parametrize("name", COURSES)
def test_availability_and_durations_follow_the_route(made, name):
    one = made[name]
    doses = one.dataset().query("EVID == 1 and ID == 1").drop_duplicates(["CMT", "RTE"]).reset_index(drop=True)
    found = blocks(one.control("d.csv"))
    own = one.parameters()
    f, d = one.of_rows("F"), one.of_rows("D")
    for _, dose in doses.iterrows():
        row = pd.DataFrame([dose])
        state = one.compartments[int(dose.CMT) - 1]
        scope = scope_of(found, rte=int(dose.RTE)) | {"WT": dose.WT, "AGE": dose.AGE}
        individual = {n.split(".")[1]: v[0] for n, v in own.items() if n.startswith(state.split(".")[0])}
        lines = [x for x in found["PK"] if x]
        several = len(one.parts) > 1
        for k, line in enumerate(lines):  # a person's own values in place of THETA and ETA
            target = line.split(" = ")[0]
            base = target.removesuffix("_S").removesuffix("_R") if several else target
            if (
                "ETA(" in line
                and base in individual
                and (base == target or target.endswith(state.split(".")[0][-2:].upper()))
            ):
                lines[k] = f"{target} = {float(individual[base])!r}"
        scope = done(lines, scope)
        assert scope[f"F{int(dose.CMT)}"] == pytest.approx(f[state](row)[0], rel=1e-8)
        if dose.RATE == -2:
            assert scope[f"D{int(dose.CMT)}"] == pytest.approx(d[state](row)[0], rel=1e-8)


@pytest.mark.parametrize("name", COURSES)
def test_the_control_stream_is_balanced_and_numbers_are_whole(made, name):
    text = made[name].control("d.csv")
    found = blocks(text)
    assert max(map(len, text.splitlines())) <= 160
    for line in text.splitlines():
        code = line.split(";")[0]
        assert code.count("(") == code.count(")")
    thetas = {int(n) for n in re.findall(r"\bTHETA\((\d+)\)", text)}
    etas = {int(n) for n in re.findall(r"\bETA\((\d+)\)", text)}
    assert thetas == set(range(1, len(found["THETA"]) + 1))
    assert etas == set(range(1, len(found["OMEGA"]) + 1))
    assert len([x for x in found["MODEL"] if x]) == len(made[name].compartments)
    names = re.findall(r"^\s+([A-Z]\w*) =", text, re.MULTILINE)
    assert max(map(len, names)) <= 20
    scope = done(found["PK"], scope_of(found))
    scope = done(found["DES"], scope | {"A": dict.fromkeys(range(1, 25), 1.0)})
    seen = done(found["ERROR"], scope | {"CMT": 7})
    assert seen["Y"] > 0
