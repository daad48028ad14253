"""The batch engine against SciPy, and the order of its method."""

import numpy as np
import pytest

from afterglow.compile.vector import LANES
from afterglow.engine.actions import Actions
from machine import Machine
from toys import Stiff, TwoCompartments, toy

PEOPLE = 10


@pytest.fixture(scope="module")
def stiff():
    return toy(Stiff)


def course(model):
    """Infusions, a bolus, a change of input and a reset, at times that differ between people."""
    rng = np.random.default_rng(4)
    who, doses = np.arange(PEOPLE), Actions()
    for day in (0.0, 2.0, 4.0):
        doses.infusion(who, 24 * day + rng.uniform(0, 3, PEOPLE), model.place("rate:toy.drug"), 3.0, 40 / 60)
    doses.bolus(who, 30.0 + who, model.place("drug"), 1.0)
    doses.set(who, 50.0, model.place("tone"), rng.uniform(0.5, 2.0, PEOPLE))
    doses.set(who[::2], 80.0, model.place("tone"), 0.0)
    slots = model.slots(PEOPLE, half=rng.uniform(0.4, 1.2, PEOPLE), n=rng.uniform(1.0, 3.0, PEOPLE))
    return slots, doses


def test_a_stiff_nonlinear_model(stiff):
    slots, doses = course(stiff)
    times = np.sort(np.concatenate([np.linspace(0.0, 144.0, 60), [0.05, 0.3, 0.7, 1.1, 24.6]]))
    result = stiff.run(slots, doses, times)
    assert (result.status == 0).all()
    table = doses.table(PEOPLE)
    for patient in (0, 7):
        judged = stiff.judged(slots, table, patient, times)
        assert result.values[patient] == pytest.approx(judged, rel=1e-6, abs=1e-7)


def test_hill_exponents_below_one_start_from_zero(stiff):
    """The slope at zero is infinite there; the solver must get away from it, and to the right place."""
    doses = Actions()
    doses.infusion(np.arange(LANES), 1.0, stiff.place("rate:toy.drug"), 3.0, 40 / 60)
    times = np.array([1.1, 1.5, 2.0, 5.0, 20.0])
    slots = stiff.slots(LANES, n=np.linspace(0.6, 1.3, LANES))
    result = stiff.run(slots, doses, times, rtol=1e-6)
    assert (result.status == 0).all()
    for patient in (0, 5):
        judged = stiff.judged(slots, doses.table(LANES), patient, times, rtol=1e-9)
        assert result.values[patient] == pytest.approx(judged, rel=1e-4, abs=1e-5)


def test_the_judge_itself_against_a_closed_form():
    model = toy(TwoCompartments)
    doses = Actions()
    doses.infusion([0], 1.0, model.place("rate:toy.central"), 10.0, 2.0)
    times = np.array([0.0, 1.0, 2.0, 3.0, 10.0])
    judged = model.judged(model.slots(1, k12=0.0), doses.table(1), 0, times)
    inside = np.clip(times - 1, 0, 2)
    expected = 5 / 0.3 * (1 - np.exp(-0.3 * inside)) * np.exp(-0.3 * np.maximum(times - 3, 0))
    assert judged[:, 0] == pytest.approx(expected, rel=1e-9, abs=1e-9)


# ---- order of the method


def fixed_steps(machine, slots, start, end, count):
    """States after `count` equal steps, and half-way through the last step by dense output."""
    n = machine.code.states
    y, z, v = start.copy(), np.empty_like(start), np.empty_like(start)
    u, f, w = np.empty((6 * n, LANES)), np.empty((n, LANES)), np.empty((machine.code.factors, LANES))
    h, tol, e = np.array([end / count]), np.ones(n + 1), np.empty(LANES)
    held = machine.prepared(slots)
    for k in range(count):
        machine("step", y, held, h, tol, u, f, w, z, e)
        if k == count - 1:
            machine("dense", y, z, u, np.array([0.5]), v)
        y, z = z, y
    return y, v


@pytest.fixture
def nonlinear(stiff):
    """The stiff toy without its fastest part, so that halving the step stays in the range where theory speaks."""
    machine = Machine(stiff.program)
    slots = np.repeat(np.array(stiff.program.defaults)[:, None], LANES, axis=1)
    slots[stiff.place("fast")] = 4.0
    slots[stiff.place("n")] = 2.0
    start = np.zeros((machine.code.states, LANES))
    machine("init", slots, start)
    start[stiff.place("drug")] = np.linspace(0.5, 3.0, LANES)
    start[stiff.place("site")] = np.linspace(0.2, 2.0, LANES)
    return machine, slots, start


def test_order_four(nonlinear):
    machine, slots, start = nonlinear
    exact, _ = fixed_steps(machine, slots, start, 2.0, 4096)
    errors = [abs(fixed_steps(machine, slots, start, 2.0, n)[0] - exact).max() for n in (32, 64, 128, 256)]
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert (orders > 3.7).all(), (errors, orders)
    assert errors[-1] < 1e-8


def test_dense_output_of_order_three(nonlinear):
    """Half-way through one step the local error falls with the fourth power of the step."""
    machine, slots, start = nonlinear
    errors = []
    for h in (0.1, 0.05, 0.025):
        exact, _ = fixed_steps(machine, slots, start, h / 2, 512)
        errors.append(abs(fixed_steps(machine, slots, start, h, 1)[1] - exact).max())
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert (orders > 3.6).all(), (errors, orders)


def test_dense_output_meets_both_ends(nonlinear):
    machine, slots, start = nonlinear
    n = machine.code.states
    z, v = np.empty_like(start), np.empty_like(start)
    u, f, w = np.empty((6 * n, LANES)), np.empty((n, LANES)), np.empty((machine.code.factors, LANES))
    machine("step", start, machine.prepared(slots), np.array([0.1]), np.ones(n + 1), u, f, w, z, np.empty(LANES))
    for theta, expected in ((0.0, start), (1.0, z)):
        machine("dense", start, z, u, np.array([theta]), v)
        assert v == pytest.approx(expected, rel=1e-14, abs=1e-14)


def test_the_error_estimate_follows_the_step(nonlinear):
    """The embedded method has order three: its squared error falls with the eighth power of the step."""
    machine, slots, start = nonlinear
    n = machine.code.states
    z, e = np.empty_like(start), np.empty(LANES)
    u, f, w = np.empty((6 * n, LANES)), np.empty((n, LANES)), np.empty((machine.code.factors, LANES))
    squared = []
    for h in (0.1, 0.05, 0.025):
        machine("step", start, machine.prepared(slots), np.array([h]), np.ones(n + 1), u, f, w, z, e)
        squared.append(e.max())
    assert (np.log2(np.divide(squared[:-1], squared[1:])) > 7.0).all()


def test_every_entry_of_the_jacobian_against_differences(stiff):
    from afterglow.compile.numpy_code import numpy_function

    p, rng = stiff.program, np.random.default_rng(1)
    f, j = numpy_function(p.rhs, p.y, p.p), numpy_function(list(p.jacobian.values()), p.y, p.p)
    slots = np.array(p.defaults)
    for _ in range(5):
        y = rng.uniform(0.1, 2.0, len(p.y))
        dense = np.zeros((len(y), len(y)))
        for place, value in zip(p.jacobian, j(y, slots), strict=True):
            dense[place] = value
        for k in range(len(y)):
            step = np.eye(len(y))[k] * 1e-6
            slope = np.subtract(f(y + step, slots), f(y - step, slots)) / 2e-6
            assert dense[:, k] == pytest.approx(slope, rel=1e-5, abs=1e-6)
