"""A part of a model is the model: same numbers, fewer states."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from afterglow.clinic.course import load_course
from afterglow.compile.program import program
from afterglow.compile.resting import still_slots, without_resting
from afterglow.compile.vector import vector_code
from afterglow.compiled import compiled
from afterglow.engine import native
from afterglow.engine.actions import Actions
from afterglow.engine.batch import Engine
from afterglow.lang import Model
from afterglow.machine import Machine
from afterglow.simulate import Arm
from toys import Stiff, TwoCompartments, toy

COURSES = ["iv-induction", "nasal-esketamine", "ssri", "benzodiazepine", "iv-psychotherapy", "usual-care"]


@pytest.fixture(scope="module")
def whole_engine():
    prog = compiled().program
    return Engine(vector_code(prog), prog.sizes, 1e-5)


@pytest.mark.parametrize("name", COURSES)
def test_a_part_takes_the_steps_of_the_whole_and_gives_its_numbers(name, whole_engine):
    arm = Arm(load_course(name), patients=8, weeks=4, outputs=("all",))
    values = arm.trajectories()
    table = arm.actions.table(8)
    found = arm.model.engine.run(arm.slots, table, arm.time_h, range(len(arm.outputs)))
    whole = whole_engine.run(arm.slots, table, arm.time_h, range(len(arm.outputs)))
    assert np.array_equal(found.steps, whole.steps)
    size = np.maximum(abs(whole.values).max((0, 1)), 1e-3)
    assert (abs(found.values - whole.values) / size).max() < 1e-8
    assert np.array_equal(values, found.values)
    assert len(found.names) < len(arm.model.program.states) - 30


def test_a_drug_that_nobody_gets_rests():
    prog = compiled().program
    moved = [prog.slot["rate:ketamine_s.central"], prog.slot["expectancy.contact"]]
    left = without_resting(prog, moved, ())
    assert "ketamine_s.central" in left.states
    assert not [s for s in left.states if s.startswith(("sertraline", "benzodiazepine.diazepam", "ketamine_r"))]
    assert left.slots == prog.slots
    everything = without_resting(prog, still_slots(prog), range(len(prog.states)))
    assert everything.states == prog.states


def test_only_what_leaves_its_start_is_left():
    """Undosed, the toy's drug, site, surge and brake stay at zero; its memory starts off its resting value."""
    assert without_resting(toy(Stiff).program, (), ()).states == ("toy.memory",)


def test_where_everything_rests_one_state_is_kept():
    """A vein into which nobody has put anything: nothing moves, and the outputs are there all the same."""
    model = toy(TwoCompartments)
    left = without_resting(model.program, (), ())
    assert len(left.states) == 1
    found = Machine(model.program, 1e-8, 1).run(model.slots(3), Actions(), np.array([0.0, 10.0]), [0, 1, 2])
    assert not found.status.any()
    assert (found.values == 0).all()


def test_a_later_dose_wakes_what_has_rested():
    """Paused with one drug on board and resumed with a second: as if both had been known from the start."""
    model = toy(TwoCompartments)
    times = np.array([0.0, 2.0, 4.0, 6.0, 8.0])
    machine = Machine(model.program, 1e-8, 1)
    slots = model.slots(3, k10=[0.1, 0.2, 0.3])
    early, late = Actions(), Actions()
    for one in (early, late):
        one.bolus([0, 1, 2], 0.5, model.place("central"), 5.0)
    late.bolus([0, 2], 4.0, model.place("depot"), 3.0)
    first = machine.run(slots, early, times[:3], [0])
    second = machine.run(slots, late, times[3:], [0], start=first.end, until=8.0)
    straight = machine.run(slots, late, times, [0])
    joined = np.concatenate([first.values, second.values], axis=1)
    assert joined == pytest.approx(straight.values, rel=1e-6, abs=1e-9)
    assert len(first.names) < len(second.names)


def test_a_known_part_is_not_written_again(tmp_path, monkeypatch):
    monkeypatch.setenv("AFTERGLOW_CACHE", str(tmp_path))
    model = toy(TwoCompartments)
    slots, doses = model.slots(3, k10=[0.1, 0.2, 0.3]), Actions()
    doses.bolus([0, 1, 2], 1.0, model.place("central"), 4.0)

    def answer():
        native._loaded.clear()
        return Machine(model.program, 1e-8, 1).run(slots, doses, np.array([0.0, 4.0]), [0]).values

    first = answer()
    monkeypatch.setattr("afterglow.machine.vector_code", lambda _: pytest.fail("emitted again"))
    assert np.array_equal(answer(), first)
    monkeypatch.undo()
    monkeypatch.setenv("AFTERGLOW_CACHE", str(tmp_path))
    for file in tmp_path.iterdir():
        file.write_bytes(b"damaged")
    assert np.array_equal(answer(), first)


def test_engines_and_machines_travel_to_other_processes():
    model = toy(Stiff)
    slots, doses = model.slots(8), Actions()
    doses.infusion(range(8), 1.0, model.place("rate:toy.drug"), 2.0, 0.5)
    for one in (model.engine(), Machine(model.program, 1e-8, 1)):
        other = pickle.loads(pickle.dumps(one))
        times = np.array([0.0, 5.0, 24.0])
        assert np.array_equal(other.run(slots, doses, times, [0]).values, one.run(slots, doses, times, [0]).values)


WIDTHS = """
import sys, numpy as np
from afterglow.clinic.course import load_course
from afterglow.simulate import Arm
arm = Arm(load_course("iv-induction"), patients=16, weeks=2, outputs=("mood.madrs", "ketamine_s.plasma"))
np.save(sys.argv[1], arm.trajectories())
"""


@pytest.mark.slow
def test_the_width_of_the_processors_registers_changes_rounding_only(tmp_path):
    """Eight patients step together on any processor; how many fit into a register is the compiler's business."""
    import platform

    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("names of x86 processors")
    found = {}
    for cpu in ("", "x86-64", "x86-64-v3"):  # this machine; two lanes, no fused arithmetic; four lanes
        file = tmp_path / f"{cpu or 'native'}.npy"
        setting = {**os.environ, "AFTERGLOW_CPU": cpu, "AFTERGLOW_CACHE": str(tmp_path / "cache")}
        subprocess.run([sys.executable, "-c", WIDTHS, str(file)], env=setting, check=True)
        found[cpu] = np.load(file)
    size = abs(found[""]).max((0, 1))
    for cpu, values in found.items():
        assert (abs(values - found[""]) / size).max() < 1e-6, cpu


def test_one_bad_patient_in_ten_thousand():
    """A number that is none, a blow-up and a step limit: each is named, nobody outside their groups moves a bit."""
    model = toy(Stiff)
    n = 10_000
    slots = model.slots(n, half=np.linspace(0.5, 1.5, n))
    doses = Actions()
    doses.infusion(np.arange(n), 1.0, model.place("rate:toy.drug"), 2.0, 0.5)
    times = np.array([0.0, 6.0, 24.0])
    good = model.run(slots, doses, times, rtol=1e-5)
    bad = slots.copy()
    bad[model.place("tau"), 4321] = np.nan
    found = model.run(bad, doses, times, rtol=1e-5)
    others = np.arange(n) // 8 != 4321 // 8
    assert np.array_equal(found.values[others], good.values[others])
    mates = ~others & (np.arange(n) != 4321)
    scale = abs(good.values).max((0, 1))
    assert (abs(found.values[mates] - good.values[mates]) / scale).max() < 1e-4
    assert np.flatnonzero(found.status).tolist() == [4321]
    (line,) = found.failures()
    assert line.startswith("patient 4321: stopped at 0 h by parameter toy.tau")
    limited = model.run(slots, doses, times, rtol=1e-5, max_steps=int(np.median(good.steps)))
    slow = limited.status != 0
    assert 0 < slow.sum() < n
    assert all("in state toy." in line and "max_steps" in line for line in limited.failures())


def test_a_users_own_system_runs():
    """`Model` and `Machine` are all that it needs."""
    model = Model("mine")
    model.add(TwoCompartments, "toy")
    machine = Machine(program(model.flatten()), 1e-8, 1)
    slots = np.array(machine.program.defaults)[:, None]
    doses = Actions()
    doses.bolus([0], 0.0, machine.program.state["toy.central"], 10.0)
    values = machine.run(slots, doses, np.array([0.0, 1.0, 2.0]), [0]).values
    assert np.isfinite(values).all()
