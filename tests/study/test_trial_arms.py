"""Arms of real trial records: times, people, what is run again and what is not."""

import numpy as np
import pytest

from afterglow import data
from afterglow.study.published import Noise, predict
from afterglow.study.trials import LONG_WEEKS, Laboratory, TrialArm

NOISE = Noise(3.5, 9.0, 6.4, 0.5)
QUIET = Noise(1e-6, 0.0, 6.4, 0.0)
ONE_DAY = "murrough2013_ajp"


@pytest.fixture(scope="module")
def one_day():
    trial = data.trial(ONE_DAY)
    return TrialArm(trial, trial.simulated_arm("ket"), 16, 1, None)


def test_an_arm_looks_at_every_time_that_its_rows_need():
    for name in ("murrough2013_bp", "transform2", "phillips2019"):
        trial = data.trial(name)
        for design in trial.simulate.arms:
            built = TrialArm(trial, design, 8, 1, None)
            rows = [r for r in trial.answered() if design.arm in (r.arm, r.versus)]
            needed = {t for r in rows for t in (r.time_h, r.from_h) if t is not None}
            needed |= {t for r in rows for c in r.among or [] for t in c.times_h}
            assert needed <= set(built.times.tolist())
            assert built.times[0] == 0
            assert (np.diff(built.times) > 0).all()


def test_long_arms_have_half_of_the_patients_and_no_other():
    for name in ("sustain1", "transform2"):
        trial = data.trial(name)
        for design in trial.simulate.arms:
            built = TrialArm(trial, design, 32, 1, None)
            long = built.times[-1] > 168 * LONG_WEEKS
            assert long == (name == "sustain1")
            assert len(built.arm.who) == (16 if long else 32)


def test_the_virtual_patients_are_those_of_the_trial():
    trial = data.trial("transform2")
    asked = trial.simulate.population
    baseline = TrialArm(trial, trial.simulate.arms[0], 2000, 1, None).arm.baseline
    assert baseline.mean() == pytest.approx(asked.madrs_mean, abs=1.0)
    assert baseline.std() == pytest.approx(asked.madrs_sd, rel=0.15)


def test_runs_are_kept_and_other_values_run_again(one_day, monkeypatch):
    calls, run = [], one_day.arm.trajectories
    monkeypatch.setattr(one_day.arm, "trajectories", lambda typical: calls.append(typical) or run(typical))
    monkeypatch.setattr(one_day, "_kept", {})
    plain, again = one_day.simulate({}, NOISE), one_day.simulate(None, QUIET)
    assert len(calls) == 1
    assert again.madrs is plain.madrs
    weaker = one_day.simulate({"mood.weight_fast": 0.0}, NOISE)
    other = one_day.simulate({"mood.weight_spines": 0.0}, NOISE)
    assert len(calls) == 3
    assert weaker.madrs[:, -1].mean() > plain.madrs[:, -1].mean()
    assert not np.array_equal(weaker.madrs, other.madrs)


def test_an_arm_learns_what_changes_nothing_in_it_and_only_that(one_day, monkeypatch):
    monkeypatch.setattr(one_day, "_kept", {})
    monkeypatch.setattr(one_day, "inert", set())
    base = {"monoamines.tau": 20.0, "mood.weight_fast": 0.4}
    for name in base:
        moved = base | {name: base[name] * 1.3}
        one_day.simulate(base, NOISE)
        one_day.simulate(moved, NOISE)
        one_day.learn_inert(name, base, moved)
    assert one_day.inert == {"monoamines.tau"}  # no antidepressant is given in this trial
    kept = one_day.simulate(base, NOISE).madrs
    assert one_day.simulate(base | {"monoamines.tau": 99.0}, NOISE).madrs is kept


def test_the_chance_of_an_event_in_any_of_several_sessions():
    trial = data.trial("esk_ae_course_pooled")
    built = TrialArm(trial, trial.simulated_arm("esk_ad"), 8, 1, None)
    assert len(built.sessions) >= 2
    risk = np.full((8, len(built.arm.time_h)), 0.2)
    seen = sum(((built.arm.time_h >= s) & (built.arm.time_h <= s + 1.5)).any() for s in built.sessions)
    assert np.allclose(built._ever(risk), 1 - 0.8**seen)


def test_a_laboratory_builds_only_the_arms_that_rows_need():
    trials = [data.trial(ONE_DAY), data.trial("lapidus2014")]
    difference = next(r for r in trials[0].answered() if r.versus)
    assert set(Laboratory(trials, 8).arms) == {(t.id, d.arm) for t in trials for d in t.simulate.arms}
    few = Laboratory(trials, 8, rows=[(ONE_DAY, difference)])
    assert set(few.arms) == {(ONE_DAY, difference.arm), (ONE_DAY, difference.versus)}
    found = few.run({}, NOISE)
    assert set(found) == {ONE_DAY}
    number = predict(difference, found[ONE_DAY])
    assert number is not None
    assert number < 0  # ketamine beats midazolam
