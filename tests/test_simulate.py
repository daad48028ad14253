"""Where clinic and engine meet: luck that stays with its patient, doses that arrive, decisions that act."""

import numpy as np
import pytest

from afterglow.clinic import scale
from afterglow.clinic.course import load_course, parse_course
from afterglow.data.fitted import measurement
from afterglow.engine.actions import SET_SLOT
from afterglow.errors import InputError
from afterglow.simulate import Arm, simulate_course

INFUSION = {"drug": "ketamine", "route": "iv", "dose": "0.5 mg/kg", "over": "40 min"}


def course(**parts):
    return parse_course({"course": "mine", **parts}, "mine")


def small(c, patients=16, weeks=1, **options):
    return simulate_course(c, patients=patients, weeks=weeks, seed=5, **options)


@pytest.mark.parametrize("more", [17, 24, 40])
def test_one_more_patient_changes_nobody(more):
    c = course(doses=[{**INFUSION, "days": [1, 3]}])
    few, many = small(c, 16), small(c, more)
    for name, values in few.values.items():
        assert np.array_equal(values, many.values[name][:16]), name
    assert np.array_equal(few.measured["MADRS"], many.measured["MADRS"][:16])
    assert few.population.equals(many.population.iloc[:16])


def test_same_seed_same_numbers_other_seed_other_people():
    c = load_course("iv-single")
    assert np.array_equal(small(c).measured["MADRS"], small(c).measured["MADRS"])
    assert not np.array_equal(
        small(c).measured["MADRS"], simulate_course(c, patients=16, weeks=1, seed=6).measured["MADRS"]
    )


def test_a_null_arm_reproduces_the_other_patient_by_patient():
    dose = {"drug": "saline", "route": "iv", "over": "40 min", "days": [1, 3]}
    one, other = (parse_course({"course": n, "doses": [dose]}, n) for n in ("one", "other"))
    assert np.array_equal(small(one).measured["MADRS"], small(other).measured["MADRS"])


def test_a_drug_without_effect_is_its_placebo_where_feeling_it_counts_for_nothing():
    ketamine = course(doses=[{**INFUSION, "days": [1, 3]}])
    placebo = course(doses=[{**INFUSION, "drug": "midazolam", "dose": "0.02 mg/kg", "days": [1, 3]}])
    chain = {"glutamate.disinhibition": 0.0, "mood.by_inflammation": 0.0, "synapses.inflammation_weight": 0.0}
    alike = {
        "expectancy.k_unblind": 0.0,
        "expectancy.k_active": 0.1,
        "expectancy.k_saline": 0.1,
    }  # feeling counts for nothing
    quiet = {"benzodiazepine.gain": 0.0, **alike, **chain}
    a, b = (small(c, typical=quiet).true["MADRS"] for c in (ketamine, placebo))
    assert np.abs(a - b).max() < 0.01


def test_a_dose_of_nothing_leaves_the_drug_chain_at_rest():
    idle = small(course(doses=[{"drug": "saline", "route": "iv", "over": "40 min", "days": [1]}]))
    assert np.abs(idle.values["mood.drug_part"]).max() < 1e-9
    assert idle.values["ketamine_s.plasma"].max() == 0


def test_draws_run_together_are_those_run_alone():
    check = {"after_dose": 2, "if": "improvement(MADRS) < 20 %", "then": {"dose": "0.75 mg/kg"}}
    draws = [{"synapses.tau_fast": days} for days in (2.0, 3.0, 6.0)]
    arm = Arm(course(doses=[{**INFUSION, "days": [1, 3, 8]}], checks=[check]), patients=12, weeks=2, seed=5)
    assert arm.decisions
    for together, values in zip(arm.run_each(draws), draws, strict=True):
        alone = arm.run(values)
        assert np.array_equal(together.values["mood.madrs"], alone.values["mood.madrs"])
        assert np.array_equal(together.measured["MADRS"], alone.measured["MADRS"])
        assert together.doses.equals(alone.doses)
        assert 0 < (alone.doses["reason"] == "check").sum() < 12


def test_both_enantiomers_share_a_persons_luck():
    arm = Arm(load_course("iv-single"), patients=64, weeks=1, seed=5)
    slots, at = arm.parameters(), arm.model.program.slot
    s, r = np.log(slots[at["ketamine_s.CL"]]), np.log(slots[at["ketamine_r.CL"]])
    assert np.allclose(s - r, (s - r)[0])
    assert s.std() > 0.05


def test_spread_of_parameters_is_the_declared_one():
    arm = Arm(load_course("iv-single"), patients=4000, weeks=1, seed=5)
    slots, at = arm.parameters(), arm.model.program.slot
    for name, (_, spread) in arm.model.etas.items():
        x, typical = slots[at[name]], arm.model.program.defaults[at[name]]
        if spread.kind == "lognormal":
            assert np.median(x) == pytest.approx(typical, rel=0.07), name
            assert np.log(x).std() == pytest.approx(spread.size, rel=0.06), name
        if spread.kind == "logitnormal":
            assert ((x > 0) & (x < 1)).all(), name


def logit(p):
    return np.log(p / (1 - p))


@pytest.mark.parametrize(("name", "shown"), [("expectancy.care", np.log), ("psychotherapy.first_alliance", logit)])
def test_another_omega_is_the_same_luck_times_a_factor(name, shown):
    arm = Arm(load_course("iv-single"), patients=64, weeks=1, seed=5)
    row, size = arm.model.program.slot[name], arm.model.etas[name][1].size
    typical = arm.model.program.defaults[row]
    plain, wide = arm.parameters(), arm.parameters({f"omega.{name}": 1.7 * size})
    away = shown(plain[row]) - shown(typical)
    assert away.std() > 0.5 * size
    assert shown(wide[row]) - shown(typical) == pytest.approx(1.7 * away)
    assert np.array_equal(np.delete(wide, row, axis=0), np.delete(plain, row, axis=0))
    assert np.array_equal(arm.parameters({f"omega.{name}": size}), plain)
    assert arm.parameters({f"omega.{name}": 0.0})[row] == pytest.approx(np.full(64, typical))
    moved = arm.parameters({name: 0.9 * typical, f"omega.{name}": 1.7 * size})[row]
    assert shown(moved) - shown(0.9 * typical) == pytest.approx(1.7 * away)


def test_a_wider_spread_of_people_is_a_wider_spread_of_scores():
    def spread(omega):
        arm = Arm(load_course("iv-single"), patients=64, weeks=1, seed=5, outputs=["mood.madrs"])
        return arm.run({"omega.expectancy.care": omega}).values["mood.madrs"][:, -1].std()

    assert spread(0.1) < spread(1.0) < spread(2.0)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"omega.expectancy.car": 1.0}, r"omega\.expectancy\.car: .*'omega\.expectancy\.care'"),
        ({"omega.mood.weight_fast": 1.0}, r"omega\.mood\.weight_fast: no parameter of this name"),  # has no spread
        ({"omega.expectancy.care": np.nan}, r"omega\.expectancy\.care: .*not a finite number"),
    ],
)
def test_an_omega_that_is_not_there_or_no_number_is_refused(asked, said):
    with pytest.raises(InputError, match=said):
        Arm(load_course("iv-single"), patients=8, weeks=1, seed=5).parameters(asked)


def test_the_dose_given_is_the_dose_recorded():
    run = small(course(doses=[{**INFUSION, "days": [1, 3]}]))
    weight = run.population["WT"].to_numpy()
    first = run.doses[run.doses["session"] == 1].sort_values("patient")["mg"].to_numpy()
    assert np.allclose(first, 0.5 * weight)
    assert len(run.doses) == 2 * 16


def test_a_check_raises_the_dose_of_those_who_did_not_improve_and_of_nobody_else():
    check = {"after_dose": 2, "if": "improvement(MADRS) < 20 %", "then": {"dose": "0.75 mg/kg"}}
    c = course(doses=[{**INFUSION, "days": [1, 3, 5, 8]}], checks=[check])
    run = small(c, 64, 2)
    visit = run.visit.index("3 d")
    scores = run.measured["MADRS"]
    poor = 1 - scores[:, visit] / scores[:, 0] < 0.2
    assert 0 < poor.sum() < 64
    later = run.doses[run.doses["session"] >= 3]
    per_kg = later["mg"] / run.population["WT"].to_numpy()[later["patient"]]
    assert np.allclose(per_kg, np.where(poor[later["patient"]], 0.75, 0.5))
    plain = small(course(doses=[{**INFUSION, "days": [1, 3, 5, 8]}]), 64, 2)
    assert np.allclose(run.true["MADRS"][~poor], plain.true["MADRS"][~poor], atol=2e-3)


def test_stop_ends_the_remaining_sessions():
    check = {"after_dose": 1, "if": "MADRS >= 0", "then": "stop"}
    run = small(course(doses=[{**INFUSION, "days": [1, 3, 5]}], checks=[check]))
    assert (run.doses["session"] == 1).all()


def test_boosters_follow_the_rule_and_its_spacing():
    rule = {"when": "MADRS >= 0.5 * baseline", "dose": "0.5 mg/kg", "at_most": "1 per 7 d", "until": "8 weeks"}
    run = small(course(doses=[{**INFUSION, "days": [1, 3]}], maintenance=[rule]), 32, 8)
    boosters = run.doses[run.doses["reason"] == "maintenance"]
    assert len(boosters) > 0
    for patient, rows in run.doses.groupby("patient"):
        extra = rows[rows["reason"] == "maintenance"]
        gaps = np.diff(rows["time_h"].to_numpy())
        assert (gaps[-len(extra) :] >= 7 * 24 - 1e-6).all() if len(extra) else True, patient
    for row in boosters.itertuples():
        visit = int(np.searchsorted(run.visit_h, row.time_h - 1e-6))
        scores = run.measured["MADRS"][row.patient]
        assert scores[visit] >= 0.5 * scores[0]


def test_pausing_at_decisions_does_not_disturb_the_solution():
    never = {"when": "MADRS >= 61", "dose": "0.5 mg/kg", "at_most": "1 per 7 d", "until": "8 weeks"}
    doses = [{**INFUSION, "days": [1, 3, 5]}]
    plain, paused = small(course(doses=doses), weeks=6), small(course(doses=doses, maintenance=[never]), weeks=6)
    shared = np.searchsorted(paused.time_h, plain.time_h)
    for name in ("mood.madrs", "synapses.fast", "ketamine_s.plasma"):
        span = np.ptp(plain.values[name])
        assert np.abs(plain.values[name] - paused.values[name][:, shared]).max() < 1e-4 * span, name


@pytest.mark.parametrize(("patients", "weeks"), [(0, 8), (-3, 8), (10, 0), (10, float("nan"))])
def test_empty_requests_are_refused(patients, weeks):
    with pytest.raises(InputError) as caught:
        simulate_course(load_course("ssri"), patients=patients, weeks=weeks)
    assert caught.value.faults


def test_a_parameter_that_is_not_a_number_is_refused_before_anything_runs():
    with pytest.raises(InputError, match=r"synapses\.tau_fast"):
        small(load_course("iv-single"), typical={"synapses.tau_fast": float("nan")})


def test_a_check_between_visits_is_taken_on_the_score_of_its_own_time():
    check = {"after_dose": 2, "after": "4 h", "if": "improvement(MADRS) < 20 %", "then": {"dose": "0.75 mg/kg"}}
    doses = [{**INFUSION, "days": [1, 3, 5]}]
    run, plain = small(course(doses=doses, checks=[check]), 64), small(course(doses=doses), 64)
    assert run.visit == plain.visit
    at = int(np.searchsorted(run.time_h, 52.0))
    assert run.time_h[at] == 52.0
    true = scale.convert(
        run.values["mood.madrs"][:, [0, at]], run.population["baseline_madrs"].to_numpy()[:, None], "MADRS"
    )
    scores = scale.measure(true, [0.0, 52.0], range(64), 5, 0, "MADRS", **measurement(None))
    poor = 1 - scores[:, 1] / scores[:, 0] < 0.2
    third = run.doses[run.doses["session"] == 3].sort_values("patient")["mg"].to_numpy()
    assert 0 < poor.sum() < 64
    assert np.allclose(third / run.population["WT"], np.where(poor, 0.75, 0.5))
    before = run.visit_h <= 96
    assert np.array_equal(run.measured["MADRS"][:, before], plain.measured["MADRS"][:, before])


def test_the_end_of_a_session_does_not_end_another_that_overlaps_it():
    doses = [{**INFUSION, "days": [1, 1 + 1 / 24]}]  # from 0 h and from 1 h
    arm = Arm(course(doses=doses), patients=8, weeks=1, seed=5)
    arm.trajectories()
    slot = arm.model.program.slot["expectancy.iv_session"]
    actions = arm.actions.table(8)
    mine = slice(actions.start[0], actions.start[1])
    chosen = (actions.kind[mine] == SET_SLOT) & (actions.place[mine] == slot)
    times, values = actions.time[mine][chosen], actions.value[mine][chosen]
    on = [values[times <= t][-1] for t in (0.5, 1.5, 2.5, 3.5)]
    assert on == [1, 1, 1, 0]


def test_a_ready_table_is_exact_in_whole_groups_and_padded_with_its_last_row():
    people = Arm(course(), patients=24, weeks=1, seed=5).people
    few, many = (Arm(course(), patients=n, weeks=1, population=people.iloc[:n]).people for n in (10, 24))
    assert few.iloc[:10].equals(many.iloc[:10])
    assert few.iloc[10:]["WT"].eq(people["WT"][9]).all()
    repeated = Arm(course(), patients=10, weeks=1, population=people.iloc[:4]).people
    assert repeated["WT"].tolist()[:10] == [people["WT"][i % 4] for i in range(10)]
    infusion = course(doses=[{**INFUSION, "days": [1]}])
    one, other = (small(infusion, n, population=people).measured["MADRS"] for n in (10, 24))
    assert np.array_equal(one, other[:10])
