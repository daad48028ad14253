"""Many patients at once: who influences whom, pauses, failures, ties, and calls that are refused."""

import numpy as np
import pytest

from afterglow.engine import driver
from afterglow.engine.actions import ADD_SLOT, SET_STATE, Actions
from afterglow.engine.batch import LANES
from afterglow.errors import EngineError
from toys import BlowsUp, Jump, Stiff, TwoCompartments, toy

TIMES = np.linspace(0.0, 96.0, 49)


@pytest.fixture(scope="module")
def stiff():
    return toy(Stiff)


@pytest.fixture(scope="module")
def compartments():
    return toy(TwoCompartments)


def population(model, n, seed=3):
    """The same first patients whatever `n` is."""
    draws = np.random.default_rng(seed).uniform(0.5, 1.5, (400, 2))[:n]
    slots = model.slots(n, half=draws[:, 0], gain=3.0 * draws[:, 1])
    doses = Actions()
    doses.infusion(np.arange(n), draws[:, 0], model.place("rate:toy.drug"), 2.0, 2 / 3)
    doses.infusion(np.arange(n), 48.0 + draws[:, 1], model.place("rate:toy.drug"), 2.0 * draws[:, 0], 2 / 3)
    return slots, doses


def same(a, b):
    return np.array_equal(a.values, b.values, equal_nan=True) and np.array_equal(a.steps, b.steps)


# ---- who influences whom


def test_threads_change_nothing(stiff):
    slots, doses = population(stiff, 80)
    one, two, four = (stiff.run(slots, doses, TIMES, rtol=1e-5, threads=k) for k in (1, 2, 4))
    assert same(one, two)
    assert same(one, four)


def test_the_environment_sets_the_threads(stiff, monkeypatch):
    monkeypatch.setenv("AFTERGLOW_THREADS", "3")
    assert stiff.engine(threads=0).threads == 3


def test_a_run_repeats_bit_by_bit(stiff):
    slots, doses = population(stiff, 24)
    assert same(stiff.run(slots, doses, TIMES, rtol=1e-5), stiff.run(slots, doses, TIMES, rtol=1e-5))


def test_whole_groups_do_not_see_each_other(stiff):
    """Why `simulate` always draws whole groups: then one patient more changes nobody, bit by bit."""

    def simulated(wanted):
        drawn = -(-wanted // LANES) * LANES
        return stiff.run(*population(stiff, drawn), TIMES, rtol=1e-5).values[:wanted]

    few = simulated(20)
    assert np.array_equal(few, simulated(21)[:20])
    assert np.array_equal(few, simulated(50)[:20])


def test_members_of_a_group_agree_within_the_tolerance_with_being_alone(stiff):
    slots, doses = population(stiff, LANES)
    together = stiff.run(slots, doses, TIMES, rtol=1e-7).values
    table = doses.table(LANES)
    for k in (0, 5):
        alone = Actions()
        rows = slice(table.start[k], table.start[k + 1])
        for time, kind, place, value in zip(
            table.time[rows], table.kind[rows], table.place[rows], table.value[rows], strict=True
        ):
            alone.add(kind, [0], time, place, value)
        assert stiff.run(slots[:, [k]], alone, TIMES, rtol=1e-7).values[0] == pytest.approx(
            together[k], rel=1e-5, abs=1e-6
        )


@pytest.mark.parametrize("n", [1, 7, 8, 9, 17])
def test_any_number_of_patients(compartments, n):
    doses = Actions()
    doses.bolus(np.arange(n), 0.0, compartments.place("central"), 10.0 + np.arange(n))
    values = compartments.run(compartments.slots(n, k12=0.0), doses, [1.0]).values[:, 0, 0]
    assert values == pytest.approx((10 + np.arange(n)) * np.exp(-0.3), rel=1e-6)


# ---- pause and resume


@pytest.mark.parametrize("pauses", [(33.0,), (24.0, 48.0, 72.0), (1.0, 1.0, 95.999)])
def test_pause_and_resume_equal_a_straight_run(stiff, pauses):
    slots, doses = population(stiff, 12)
    straight = stiff.run(slots, doses, TIMES, rtol=1e-9).values
    pause, seen = None, np.full_like(straight, np.nan)
    for until in (*pauses, 96.0):
        leg = stiff.run(slots, doses, TIMES, rtol=1e-9, start=pause, until=until)
        seen = np.where(np.isnan(seen), leg.values, seen)
        pause = leg.end
        assert pause.time == until
    assert seen == pytest.approx(straight, rel=1e-6, abs=1e-8)


def test_an_action_at_the_pause_happens_once_and_is_seen_after_it(compartments):
    slots = compartments.slots(2, k10=0.0, k12=0.0)
    doses = Actions()
    doses.bolus([0, 1], 5.0, compartments.place("central"), 10.0)
    first = compartments.run(slots, doses, [5.0])
    assert (first.values[:, 0, 0] == 0.0).all()
    second = compartments.run(slots, doses, [5.0, 6.0], start=first.end)
    assert second.values[:, :, 0] == pytest.approx(np.array([[0.0, 10.0]] * 2))


def test_a_pause_can_be_continued_twice(compartments):
    """A decision at a visit: the same pause under two plans, and the pause itself stays as it was."""
    slots = compartments.slots(3)
    doses = Actions()
    doses.bolus([0, 1, 2], 0.0, compartments.place("central"), 10.0)
    pause = compartments.run(slots, doses, [5.0]).end
    kept = pause.states.copy()
    more = Actions()
    more.bolus([1], 6.0, compartments.place("central"), 10.0)
    with_dose = compartments.run(slots, more, [7.0], start=pause).values[:, 0, 0]
    without = compartments.run(slots, Actions(), [7.0], start=pause).values[:, 0, 0]
    assert with_dose[1] > without[1] + 1
    assert with_dose[[0, 2]] == pytest.approx(without[[0, 2]], rel=1e-6)
    assert np.array_equal(kept, pause.states)


# ---- failures


def test_a_patient_with_nan_leaves_the_others_alone(stiff):
    slots, doses = population(stiff, 16)
    good = stiff.run(slots, doses, TIMES, rtol=1e-7)
    broken = slots.copy()
    broken[stiff.place("tau"), 3] = np.nan
    result = stiff.run(broken, doses, TIMES, rtol=1e-7)
    others = np.arange(16) != 3
    assert result.status.tolist() == [driver.NOT_FINITE if k == 3 else 0 for k in range(16)]
    assert np.isnan(result.values[3]).all()
    assert result.failed_at[3] == 0.0
    assert result.values[others] == pytest.approx(good.values[others], rel=1e-4, abs=1e-6)
    assert np.array_equal(result.values[8:], good.values[8:])
    (line,) = result.failures()
    assert line == (
        "patient 3: stopped at 0 h by parameter toy.tau: "
        "a parameter, covariate or state is not a finite number: look at this patient's row"
    )


def test_a_whole_group_of_nan(stiff):
    slots, doses = population(stiff, 16)
    slots[stiff.place("tau"), :8] = np.nan
    result = stiff.run(slots, doses, TIMES, rtol=1e-5)
    assert (result.status[:8] == driver.NOT_FINITE).all()
    assert np.isfinite(result.values[8:]).all()


def test_a_patient_who_blows_up_is_dropped_when_it_happens():
    """y' = y^2 / 5 reaches infinity at 5 h; the neighbours' y' = 0.02 y^2 would only do so at 50 h."""
    model = toy(BlowsUp)
    speed = np.full(LANES, 0.02)
    speed[5] = 0.2
    times = np.linspace(0.0, 20.0, 41)
    result = model.run(model.slots(LANES, r=speed), times=times, rtol=1e-7)
    assert result.status[5] in (driver.NOT_FINITE, driver.STEP_TOO_SMALL)
    assert result.failed_at[5] == pytest.approx(5.0, abs=1e-3)
    assert np.isfinite(result.values[5, times < 4.99]).all()
    assert np.isnan(result.values[5, times > 5.01]).all()
    fine = np.arange(LANES) != 5
    assert (result.status[fine] == 0).all()
    assert result.values[fine, :, 0] == pytest.approx(np.tile(1 / (1 - 0.02 * times), (LANES - 1, 1)), rel=1e-5)
    assert "patient 5: stopped at" in result.failures()[0]


def test_a_failed_patient_stays_failed_after_a_pause():
    model = toy(BlowsUp)
    speed = np.full(LANES, 0.02)
    speed[5] = 0.2
    slots = model.slots(LANES, r=speed)
    first = model.run(slots, times=[8.0], rtol=1e-7)
    second = model.run(slots, times=[9.0], rtol=1e-7, start=first.end)
    assert second.status.tolist() == [driver.NOT_FINITE if k == 5 else 0 for k in range(LANES)]
    assert np.isnan(second.values[5]).all()
    assert second.values[0, 0, 0] == pytest.approx(1 / (1 - 0.02 * 9), rel=1e-5)


def test_the_step_limit(stiff):
    slots, doses = population(stiff, 9)
    result = stiff.run(slots, doses, TIMES, rtol=1e-7, max_steps=20)
    assert (result.status == driver.TOO_MANY_STEPS).all()
    assert (result.failed_at < 96).all()
    assert np.isnan(result.values[:, -1]).all()
    assert "raise max_steps or loosen rtol" in result.failures()[0]


# ---- observing, acting, ties


def test_at_one_time_things_are_observed_before_they_are_changed(compartments):
    doses = Actions()
    doses.bolus([0], 5.0, compartments.place("central"), 10.0)
    times = np.array([0.0, 5.0, 5.0, np.nextafter(5.0, 6.0), 5.000001])
    seen = compartments.run(compartments.slots(1, k10=0.0, k12=0.0), doses, times).values[0, :, 0]
    assert seen == pytest.approx([0.0, 0.0, 0.0, 10.0, 10.0])


@pytest.mark.parametrize(("first", "expected"), [("reset", 10.0), ("dose", 0.0)])
def test_actions_at_one_time_keep_their_order(compartments, first, expected):
    doses, central = Actions(), compartments.place("central")
    doses.bolus([0], 0.0, central, 7.0)
    steps = [lambda: doses.add(SET_STATE, [0], 5.0, central, 0.0), lambda: doses.bolus([0], 5.0, central, 10.0)]
    for step in steps if first == "reset" else reversed(steps):
        step()
    seen = compartments.run(compartments.slots(1, k10=0.0, k12=0.0), doses, [6.0]).values[0, 0, 0]
    assert seen == pytest.approx(expected, abs=1e-9)


def test_order_of_entry_does_not_matter_at_different_times(compartments):
    one, two, central = Actions(), Actions(), compartments.place("central")
    plan = [(3.0, 5.0), (1.0, 2.0), (2.0, 9.0)]
    for time, amount in plan:
        one.bolus([0, 1], time, central, amount)
    for time, amount in sorted(plan):
        two.bolus([1, 0], time, central, amount)
    slots = compartments.slots(2)
    assert np.array_equal(compartments.run(slots, one, TIMES).values, compartments.run(slots, two, TIMES).values)


def test_an_input_is_constant_between_its_changes():
    model = toy(Jump)
    doses = Actions()
    for time, value in ((2.0, 1.0), (5.0, 0.0), (5.0, 1.0), (7.5, 0.0)):
        doses.set([0], time, model.place("on"), value)
    times = np.array([0.0, 1.0, 2.0, 3.0, 5.0, 7.5, 8.0, 20.0])
    result = model.run(model.slots(1), doses, times)
    assert result.values[0, :, 0] == pytest.approx(np.clip(times - 2, 0, 5.5), abs=1e-9)
    assert result.values[0, :, 1].tolist() == [0, 0, 0, 1, 1, 1, 0, 0]


def test_actions_before_the_start_are_past(compartments):
    doses = Actions()
    doses.bolus([0], -1.0, compartments.place("central"), 10.0)
    doses.bolus([0], 100.0, compartments.place("central"), 10.0)
    result = compartments.run(compartments.slots(1), doses, [0.0, 5.0])
    assert (result.values[:, :, 0] == 0.0).all()
    table = doses.table(1)
    assert (compartments.judged(compartments.slots(1), table, 0, [0.0, 5.0])[:, 0] == 0.0).all()


def test_someone_else_doses_do_not_reach_me(compartments):
    doses = Actions()
    doses.bolus([1], 1.0, compartments.place("central"), 10.0)
    seen = compartments.run(compartments.slots(3), doses, TIMES).values[:, :, 0]
    assert (seen[[0, 2]] == 0.0).all()
    assert seen[1].max() > 0


# ---- calls that are refused


def unsorted(model):
    return model.run(model.slots(1), times=[1.0, 0.0])


def backwards(model):
    return model.run(model.slots(1), times=[1.0], start=model.run(model.slots(1), times=[5.0]).end)


def foreign_pause(model):
    return model.run(model.slots(30), times=[6.0], start=model.run(model.slots(1), times=[5.0]).end)


def wrong_place(model):
    doses = Actions()
    doses.bolus([0], 0.0, 99, 1.0)
    return model.run(model.slots(1), doses)


def wrong_slot(model):
    doses = Actions()
    doses.add(ADD_SLOT, [0], 0.0, -1, 1.0)
    return model.run(model.slots(1), doses)


def wrong_output(model):
    return model.engine().run(model.slots(1), Actions(), np.array([1.0]), [99])


def wrong_table(model):
    return model.run(model.slots(3), Actions().table(2))


def no_duration(model):
    Actions().infusion([0], 0.0, model.place("rate:toy.central"), 1.0, 0.0)


def wrong_patient(model):
    doses = Actions()
    doses.bolus([5], 0.0, 0, 1.0)
    return model.run(model.slots(1), doses)


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda m: m.engine(rtol=0.5), "rtol must lie between 0 and 0.1"),
        (lambda m: m.engine(rtol=np.nan), "rtol must lie"),
        (lambda m: m.run(m.slots(1)[:-1]), "the model has 6 parameter slots, not 5"),
        (lambda m: m.run(m.slots(0)), "no patient to simulate"),
        (lambda m: m.run(m.slots(1), times=[0.0, np.nan]), "times must be a sorted list of finite numbers"),
        (unsorted, "times must be a sorted list"),
        (backwards, "cannot run backwards from 5.0 h to 1.0 h"),
        (foreign_pause, "the pause belongs to another model"),
        (wrong_place, "a state or slot that the model does not have"),
        (wrong_slot, "a state or slot that the model does not have"),
        (wrong_output, r"outputs 0 to 2, not \[99\]"),
        (wrong_table, "the actions are for 2 patients, not 3"),
        (wrong_patient, "names patient 5, but there are 1"),
        (no_duration, "duration above zero"),
        (lambda m: Actions().bolus([0], np.nan, m.place("central"), 1.0), "not a finite number"),
        (lambda m: Actions().bolus([0], 0.0, m.place("central"), np.inf), "not a finite number"),
        (lambda m: Actions().bolus([0, 1], [1.0, 2.0, 3.0], m.place("central"), 1.0), "do not fit its 2 patients"),
    ],
)
def test_calls_that_do_not_fit(compartments, call, problem):
    with pytest.raises(EngineError, match=problem):
        call(compartments)
