"""The CUDA source against the CPU engine: everywhere through a C++ compiler, and on a GPU where there is one.

Where a group of the CPU engine holds copies of one patient both take the same steps, and agree to rounding; otherwise
they agree as far as the tolerance goes, so that a tight one must bring them together.
"""

import inspect
from dataclasses import replace

import numpy as np
import pytest

from afterglow.clinic.course import load_course
from afterglow.compile.cuda import cuda_code
from afterglow.compile.numpy_code import numpy_function
from afterglow.engine import driver, nvidia
from afterglow.engine.actions import SET_SLOT, SET_STATE, Actions
from afterglow.engine.batch import LANES, Engine
from afterglow.engine.cuda import CudaEngine, source
from afterglow.errors import EngineError
from afterglow.lang import (
    Output,
    Param,
    State,
    Symbol,
    System,
    differentiate,
    exp,
    hill,
    log,
    maximum,
    minimum,
    tanh,
    where,
)
from afterglow.lang.expr import const
from afterglow.machine_cuda import CudaMachine
from afterglow.simulate import Arm
from host_kernel import COMPILER, HostKernel
from machine import bare_program
from toys import BlowsUp, Jump, Stiff, TwoCompartments, toy

TIMES = np.linspace(0.0, 96.0, 49)


@pytest.fixture(scope="module", params=["c++", "cuda"])
def build(request):
    if request.param == "c++":
        if COMPILER is None:
            pytest.skip("no C++ compiler here: the CUDA source cannot be run without a GPU")
        return HostKernel
    if (why := nvidia.problem()) is not None:
        pytest.skip(f"NOT RUN ON A GPU: {why}")
    return nvidia.CudaKernel


def cuda_engine(model, build, rtol=1e-5) -> CudaEngine:
    return CudaEngine(cuda_code(model.program), model.program.sizes, rtol, build)


def run(engine, slots, doses, times=TIMES, **options):
    return engine.run(slots, doses, np.asarray(times, float), range(engine.code.outputs), **options)


def stiff_patients(n):
    """Patients who differ, with infusions at times of their own."""
    model = toy(Stiff)
    draws = np.random.default_rng(3).uniform(0.5, 1.5, (n, 2))
    doses = Actions()
    doses.infusion(np.arange(n), draws[:, 0], model.place("rate:toy.drug"), 2.0, 2 / 3)
    doses.infusion(np.arange(n), 48.0 + draws[:, 1], model.place("rate:toy.drug"), 2.0 * draws[:, 0], 2 / 3)
    return model, model.slots(n, half=draws[:, 0], gain=3.0 * draws[:, 1]), doses


def compartment_patients(n):
    """Boluses, oral doses and infusions, the textbook way."""
    model = toy(TwoCompartments)
    size = 1.0 + 0.1 * np.arange(n)
    doses = Actions()
    doses.bolus(np.arange(n), 0.0, model.place("central"), 10.0 * size)
    doses.bolus(np.arange(n), 12.0 + size, model.place("depot"), 20.0)
    doses.infusion(np.arange(n), 24.5, model.place("rate:toy.central"), 30.0, size)
    return model, model.slots(n, k10=0.3 * size), doses


def only(table, patient, copies):
    """Actions of one patient, for so many copies."""
    doses = Actions()
    for q in range(table.start[patient], table.start[patient + 1]):
        doses.add(int(table.kind[q]), np.arange(copies), table.time[q], int(table.place[q]), table.value[q])
    return doses


def worst(a, b):
    """Largest difference between values, relative to each output's range."""
    span = np.nanmax(b, axis=(0, 1)) - np.nanmin(b, axis=(0, 1))
    assert np.array_equal(np.isnan(a), np.isnan(b))
    return np.nanmax(np.abs(a - b) / span)


# ---- equal to the CPU


@pytest.mark.parametrize("patients", [compartment_patients, stiff_patients])
def test_the_same_steps_and_numbers_as_the_cpu(build, patients):
    model, slots, doses = patients(11)
    ours, theirs = cuda_engine(model, build), model.engine(1e-5)
    found, table = run(ours, slots, doses), doses.table(11)
    for k in (0, 5, 10):
        expected = run(theirs, np.repeat(slots[:, [k]], LANES, axis=1), only(table, k, LANES))
        assert found.steps[k] == expected.steps[0]
        assert worst(found.values[[k]], expected.values[:1]) < 1e-8


@pytest.mark.parametrize("patients", [compartment_patients, stiff_patients])
def test_equal_to_groups_of_the_cpu_as_far_as_the_tolerance_goes(build, patients):
    model, slots, doses = patients(19)
    found = run(cuda_engine(model, build, 1e-9), slots, doses)
    assert worst(found.values, run(model.engine(1e-9), slots, doses).values) < 1e-6
    assert not found.status.any()


@pytest.mark.parametrize("course", ["iv-induction", "nasal-esketamine"])
def test_the_whole_model_through_a_course(build, course):
    """All of it: drawn people, a part of the model, pauses, decisions at visits."""
    arms = [Arm(load_course(course), patients=8, weeks=3, seed=2, rtol=1e-8) for _ in range(2)]
    arms[1].model = replace(arms[1].model, engine=CudaMachine(arms[1].model.program, 1e-8, build))
    cpu, cuda = (arm.trajectories() for arm in arms)
    assert np.isfinite(cuda).all()
    span = np.maximum(np.ptp(cpu, axis=(0, 1)), 1e-9)
    assert (np.abs(cpu - cuda).max(axis=(0, 1)) / span).max() < 1e-6
    madrs = arms[0].outputs.index("mood.madrs")
    assert np.abs(cpu - cuda)[..., madrs].max() < 1e-5


A, B, C, D = (Symbol(name, None) for name in "abcd")
EVERY = [
    A + B, A - B, A * B, A / C, A**3, A**0.5, A**1.5, A**1.7, A**C, exp(A), log(A + 1), tanh(A), maximum(A, B),
    minimum(A, B), where(A > B, A, C), where(A < B, A, C), A**70, C**-2, hill(A, C), hill(A, C, 2), hill(A, C, D),
    *(differentiate(hill(A, C, n), s) for n, s in ((1, A), (2, A), (0.6, A), (D, A), (D, C), (D, D))),
]  # fmt: skip


@pytest.mark.parametrize("where_to", ["states", "slots"])
def test_every_operation_with_ties_and_zeros(build, where_to):
    """Of the states: printed in `outputs`; of the slots: in `prepare`."""
    values = np.array(
        [
            [0.0, 0.0, 1.0, 1.0, 2.0, 0.5, 1e-9, 40.0, -1.0],
            [0.0, 1.0, 1.0, 0.5, 2.0, 0.5, 1e-9, 3.0, 1.0],
            [1.0, 2.0, 0.7, 1.0, 1.0, 3.0, 1.0, 1.0, 2.0],
            [1.0, 2.0, 2.5, 1.0, 3.0, 1.5, 2.5, 2.0, 0.6],
        ]
    )
    still = [Symbol("still", None)]
    y, p = ([A, B, C, D], still) if where_to == "states" else (still, [A, B, C, D])
    made = bare_program(y, p, [const(0.0, None)] * len(y), [*EVERY, *still])
    doses, n = Actions(), values.shape[1]
    for k in range(4):
        doses.add(SET_STATE if where_to == "states" else SET_SLOT, np.arange(n), 0.5, k, values[k])
    slots = np.ones((len(p), n))
    found = run(CudaEngine(cuda_code(made), made.sizes, build=build), slots, doses, [1.0]).values[:, 0, :-1]
    with np.errstate(all="ignore"):
        expected = np.array([np.broadcast_to(x, n) for x in numpy_function(EVERY, [A, B, C, D], [])(values, values)]).T
    assert found == pytest.approx(expected, rel=1e-11, abs=1e-300, nan_ok=True)
    assert np.isfinite(found).mean() > 0.9


# ---- acting and observing


def test_at_one_time_things_are_observed_and_then_changed_in_order(build):
    model = toy(TwoCompartments)
    doses, central = Actions(), model.place("central")
    doses.bolus([0], -1.0, central, 99.0)  # past
    doses.bolus([0], 5.0, central, 7.0)
    doses.add(SET_STATE, [0], 5.0, central, 1.0)
    doses.bolus([0], 5.0 + 0.5e-9, central, 10.0)  # the same time, as near as that
    times = [-1.0, 0.0, 5.0, 5.0, np.nextafter(5.0, 6.0), 6.0]
    found = run(cuda_engine(model, build), model.slots(1, k10=0.0, k12=0.0), doses, times).values[0, :, 0]
    assert found == pytest.approx([np.nan, 0.0, 0.0, 0.0, 11.0, 11.0], nan_ok=True)


def test_an_input_is_constant_between_its_changes(build):
    model = toy(Jump)
    doses = Actions()
    for time, value in ((2.0, 1.0), (5.0, 0.0), (5.0, 1.0), (7.5, 0.0)):
        doses.set([0], time, model.place("on"), value)
    times = np.array([0.0, 1.0, 2.0, 3.0, 5.0, 7.5, 8.0, 20.0])
    found = run(cuda_engine(model, build), model.slots(1), doses, times).values
    assert found[0, :, 0] == pytest.approx(np.clip(times - 2, 0, 5.5), abs=1e-9)
    assert found[0, :, 1].tolist() == [0, 0, 0, 1, 1, 1, 0, 0]


def test_pieces_of_a_batch_are_as_the_whole(build):
    model, slots, doses = stiff_patients(13)
    engine = cuda_engine(model, build)
    whole = run(engine, slots, doses)
    engine.most = 5
    pieces = run(engine, slots, doses)
    for name in ("values", "status", "failed_at", "steps"):
        assert np.array_equal(getattr(whole, name), getattr(pieces, name), equal_nan=True), name
    assert np.array_equal(whole.end.states, pieces.end.states)


def test_a_change_to_the_same_value_costs_no_step_size(build):
    """Inputs set again and again: steps end there, but go on as large as they were."""
    model = toy(Jump)
    doses = Actions()
    for time in (1.0, *np.arange(20.0, 90.0, 0.37)):
        doses.set(np.arange(LANES), time, model.place("on"), 1.0)
    found, expected = (run(e, model.slots(LANES), doses) for e in (cuda_engine(model, build), model.engine(1e-5)))
    assert np.array_equal(found.steps, expected.steps)
    assert worst(found.values[..., :1], expected.values[..., :1]) < 1e-10


@pytest.mark.parametrize("until", [0.0, 5e-13, 2e-12])
def test_next_to_no_time(build, until):
    model, slots, doses = compartment_patients(LANES)
    found, expected = (
        run(e, slots, doses, [0.0], until=until) for e in (cuda_engine(model, build), model.engine(1e-5))
    )
    assert np.array_equal(found.steps, expected.steps)
    assert found.end.states == pytest.approx(expected.end.states, rel=1e-12)


# ---- pause and resume


@pytest.mark.parametrize("who", ["cuda then cuda", "cuda then cpu", "cpu then cuda"])
def test_a_pause_can_be_continued_by_either(build, who):
    model, slots, doses = stiff_patients(11)
    engines = {"cuda": cuda_engine(model, build, 1e-9), "cpu": model.engine(1e-9)}
    first, second = (engines[name] for name in who.split(" then "))
    straight = run(engines["cpu"], slots, doses).values
    begun = run(first, slots, doses, until=49.5)
    kept = begun.end.states.copy()
    ended = run(second, slots, doses, start=begun.end)
    seen = np.where(np.isnan(begun.values), ended.values, begun.values)
    assert begun.end.time == 49.5
    assert worst(seen, straight) < 1e-6
    assert np.array_equal(kept, begun.end.states)


def test_an_action_at_the_pause_happens_once(build):
    model = toy(TwoCompartments)
    engine, slots, doses = cuda_engine(model, build), model.slots(2, k10=0.0, k12=0.0), Actions()
    doses.bolus([0, 1], 5.0, model.place("central"), 10.0)
    first = run(engine, slots, doses, [5.0])
    assert (first.end.states == 0.0).all()
    assert run(engine, slots, doses, [5.0, 6.0], start=first.end).values[0, :, 0] == pytest.approx([0.0, 10.0])


def test_initial_states_alone(build):
    model, slots, _ = stiff_patients(LANES)
    groups = np.ascontiguousarray(slots[None])
    assert np.array_equal(cuda_engine(model, build).begin(groups), model.engine().begin(groups))


# ---- failures


def test_a_patient_with_nan_leaves_the_others_alone(build):
    model, slots, doses = stiff_patients(9)
    engine = cuda_engine(model, build)
    good = run(engine, slots, doses)
    slots[model.place("tau"), 3] = np.nan
    found = run(engine, slots, doses)
    assert found.status.tolist() == [driver.NOT_FINITE if k == 3 else driver.FINE for k in range(9)]
    assert found.failed_at[3] == 0.0
    assert "at 0 h by parameter toy.tau: " in found.failures()[0]
    assert np.isnan(found.values[3]).all()
    assert np.isnan(_lane(found.end.states, 3)).all()
    others = np.arange(9) != 3
    assert np.array_equal(found.values[others], good.values[others])
    again = run(engine, slots, Actions(), [100.0], start=found.end)
    assert again.status[3] == driver.NOT_FINITE
    assert again.failed_at[3] == 96.0


def _lane(groups, patient):
    return groups[patient // LANES, :, patient % LANES]


@pytest.mark.parametrize("limit", [20, 1_000_000])
def test_failures_are_those_of_the_cpu(build, limit):
    """y' = r y^2 reaches infinity at 1/r; or the steps run out before."""
    model = toy(BlowsUp)
    times = np.linspace(0.0, 20.0, 41)
    speed = np.array([0.2, 0.02, 0.4])
    found = run(cuda_engine(model, build, 1e-7), model.slots(3, r=speed), Actions(), times, max_steps=limit)
    for k in range(3):
        slots = model.slots(LANES, r=speed[k])
        expected = run(model.engine(1e-7), slots, Actions(), times, max_steps=limit)
        for name in ("status", "steps", "failed_in"):
            assert getattr(found, name)[k] == getattr(expected, name)[0], name
        assert found.failed_at[k] == pytest.approx(expected.failed_at[0], rel=1e-9, nan_ok=True)
        assert found.values[k] == pytest.approx(expected.values[0], rel=1e-6, nan_ok=True)
    assert set(found.status) == {driver.FINE, driver.TOO_MANY_STEPS if limit == 20 else driver.NOT_FINITE}
    assert "h in state toy.y: " in found.failures()[0]


class OneOfTwo(System):
    """The rate of the second state is no number, the first has an error of its own."""

    calm = State("1", "calm", init=1.0)
    wild = State("1", "wild", init=1e100)
    r = Param(1.0, "1/h", "speed", source="assumed")
    calm.dot = -r * calm
    wild.dot = r * wild * wild * wild * wild
    out = Output(calm, "1", "y")


def test_the_state_that_fails_is_named(build):
    model = toy(OneOfTwo)
    found, expected = (
        run(e, model.slots(LANES), Actions(), [0.0, 2.0]) for e in (cuda_engine(model, build), model.engine(1e-5))
    )
    assert (found.failed_in == 1).all()
    assert found.failures() == expected.failures()


class Sliding(System):
    """Held at y = 1 by a rate that jumps there: no step is small enough."""

    y = State("1", "y")
    fast = Param(1e12, "1/h", "speed", source="assumed")
    y.dot = fast * where(y > 1.0, -1.0, 1.0)
    out = Output(y, "1", "y")


def test_a_step_that_becomes_too_small(build):
    model = toy(Sliding)
    found, expected = (
        run(e, model.slots(LANES), Actions(), [0.0, 1.0]) for e in (cuda_engine(model, build), model.engine(1e-5))
    )
    assert (found.status == driver.STEP_TOO_SMALL).all()
    for name in ("status", "steps", "failed_at", "values"):
        assert np.array_equal(getattr(found, name), getattr(expected, name), equal_nan=True), name


# ---- calls that are refused


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda e, m: run(e, m.slots(1)[:-1], Actions()), "the model has 6 parameter slots, not 5"),
        (lambda e, m: run(e, m.slots(0), Actions()), "no patient to simulate"),
        (lambda e, m: run(e, m.slots(1), Actions(), [1.0, 0.0]), "times must be a sorted list"),
        (lambda e, m: run(e, m.slots(1), Actions(), [-1.0]), "cannot run backwards"),
        (lambda e, m: run(e, m.slots(30), Actions(), start=run(e, m.slots(1), Actions()).end), "another model"),
        (lambda e, m: run(e, m.slots(3), Actions().table(2)), "the actions are for 2 patients, not 3"),
        (lambda e, m: e.run(m.slots(1), Actions(), np.ones(1), [99]), "outputs 0 to 2"),
        (lambda _, m: cuda_engine(m, None, rtol=0.5), "rtol must lie between 0 and 0.1"),
    ],
)
def test_calls_that_do_not_fit(call, problem):
    model = toy(TwoCompartments)
    engine = cuda_engine(model, lambda _: lambda *_: None)
    engine.kernel.room = lambda: 1 << 20
    with pytest.raises(EngineError, match=problem):
        call(engine, model)


def test_what_does_not_fit_into_the_memory_is_said():
    model = toy(TwoCompartments)
    engine = cuda_engine(model, lambda _: lambda *_: None)
    engine.kernel.room = lambda: 100
    with pytest.raises(EngineError, match="does not fit into the free memory"):
        run(engine, model.slots(1), Actions())


def test_it_is_called_like_the_cpu_engine():
    assert inspect.signature(CudaEngine.run) == inspect.signature(Engine.run)


def test_the_source_is_whole_and_readable():
    text = source(cuda_code(toy(TwoCompartments).program))
    assert "__global__ void run(" in text
    assert "#include" not in text.replace("#include <math.h>", "")
    assert f"#define STEP_TOO_SMALL {driver.STEP_TOO_SMALL}\n" in text
