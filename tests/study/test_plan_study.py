"""A plan as a whole: what is compared, what is never run, and what is said when nothing may be given."""

import numpy as np
import pytest

from afterglow.clinic.person import person_from_data
from afterglow.errors import InputError
from afterglow.study import boosters, plan_columns, plan_study

WEEKS = 6


def person(**facts):
    seen = [{"day": 1, "scale": "MADRS", "score": 34}, {"day": 8, "scale": "PHQ-9", "score": 12}]
    given = [{"day": 1, "drug": "ketamine", "route": "iv", "dose": "0.5 mg/kg", "over": "40 min"}]
    return person_from_data({"person": "A", "age": 44, "weight": "80 kg", "scores": seen, "doses": given, **facts})


@pytest.fixture(scope="module")
def few():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan_study, "PEOPLE", 128)
        patch.setattr(plan_study, "WAITING_PEOPLE", 128)
        yield patch


@pytest.fixture(scope="module")
def found(few):
    del few
    return plan_study.plan(person(), weeks=WEEKS, seed=3)


def row(found, plan):
    return found.rules.set_index("plan").loc[plan]


def test_every_plan_has_a_row_everywhere(found):
    plans = found.rules["plan"].tolist()
    assert len(plans) == len(set(plans))
    assert found.table.groupby("plan", sort=False).size().to_dict() == dict.fromkeys(plans, WEEKS)
    assert found.front["plan"].tolist() == [plan for plan in plans for _ in found.objectives]


def test_nothing_more_costs_nothing(found):
    nothing = row(found, "nothing more")
    assert not nothing[["doses", "visits", "ketamine_mg", "cadss", "cautions"]].any()
    assert row(found, "nothing more, CBT now")["visits"] == WEEKS  # six sessions, a week apart


def test_doses_are_those_of_the_schedule(found):
    for plan, doses in (("every 7 days", 6), ("tapering", 5), ("every 14 days, CBT now", 3)):
        mine = row(found, plan)
        assert mine["doses"] == mine["doses_p05"] == mine["doses_p95"] == doses
        assert mine["ketamine_mg"] == pytest.approx(0.5 * 80 * doses)
    assert row(found, "every 7 days, esketamine nasal-device")["ketamine_mg"] == pytest.approx(6 * 84)


def test_who_attends_for_doses_only_has_fewer_visits_than_who_is_scored(found):
    assert row(found, "every 14 days")["visits"] == 3
    assert row(found, "when MADRS >= 22")["visits"] == WEEKS
    assert row(found, "when MADRS >= 22")["doses"] < WEEKS


def test_doses_and_therapy_help(found):
    days = found.rules.set_index("plan")["days_in_remission"]
    assert days["nothing more"] < days["every 14 days"] < days["every 7 days"]
    assert days["nothing more"] < days["nothing more, CBT in 4 weeks"] <= days["nothing more, CBT now"] + 1e-9


def test_the_front_is_that_of_the_means(found):
    best = found.rules[found.rules["front"]].sort_values("doses")
    assert best["days_in_remission"].is_monotonic_increasing
    assert found.rules["front_share"].between(0, 1).all()
    assert (found.rules["front_alike"] >= found.rules["front"]).all()
    for name in ("days_in_remission", "doses", "cadss"):
        assert (found.rules[f"{name}_lo90"] <= found.rules[name] + 1e-9).all()
        assert (found.rules[name] <= found.rules[f"{name}_hi90"] + 1e-9).all()


def test_every_column_is_explained(found):
    tables = {
        "plans": found.table, "rules": found.rules, "front": found.front, "waiting": found.waiting,
        "little": found.little, "screening": found.screening, "excluded": found.excluded,
    }  # fmt: skip
    units = plan_columns.units(tables, ("people",))["tables"]
    assert all(one["meaning"] for table in units.values() for one in table.values())
    with pytest.raises(KeyError):
        plan_columns.column("rules", "colour")


def doses_run(patch, facts):
    """The plan of a person, and every dose that was simulated on the way."""
    seen, run = set(), boosters.run

    def watched(person, cloud, name, rule, dose, times_h, acute=False):
        seen.add(None if dose is None else f"{dose.drug} {dose.route}")
        return run(person, cloud, name, rule, dose, times_h, acute)

    patch.setattr(boosters, "run", watched)
    found = plan_study.plan(person(**facts), weeks=4)
    patch.setattr(boosters, "run", run)
    return found, seen


def test_what_is_excluded_never_runs(few):
    found, seen = doses_run(few, {"conditions": ["cerebrovascular-disease"]})
    assert seen == {None, "esketamine nasal-device"}
    assert found.doses == ["esketamine nasal-device 84 mg"]
    assert "every 7 days" in found.rules["plan"].to_list()
    assert not len(found.little)  # the usual infusion is excluded too
    assert any("excluded by screening or a limit" in one for one in found.warnings)


def test_where_everything_is_excluded_nothing_more_stays(few):
    found, seen = doses_run(few, {"conditions": ["ketamine-hypersensitivity"]})
    assert seen == {None}
    assert found.rules["rule"].unique().tolist() == ["nothing more"]
    assert found.doses == []
    assert not len(found.waiting)
    assert found.front["vs_weekly"].isna().all()
    assert any("every dose is excluded" in one for one in found.warnings)


def test_other_objectives_make_another_front(few):
    del few
    asked = ("days-in-remission", "cadss", "days-in-remission", "visits")
    found = plan_study.plan(person(), weeks=4, objectives=asked)
    assert [one.name for one in found.objectives] == ["days_in_remission", "cadss", "visits"]
    assert row(found, "nothing more")["front"]  # no plan has fewer visits


@pytest.mark.slow
def test_a_population_is_planned_for_too(few):
    del few
    found = plan_study.plan(None, "trd", weeks=4)
    assert found.who == "population trd, after iv-induction"
    assert not len(found.screening)
    assert len(found.rules) == 23
    assert np.isfinite(found.rules["days_in_remission"]).all()


def test_one_seed_makes_one_plan(found, few):
    del few
    again = plan_study.plan(person(), weeks=WEEKS, seed=3)
    assert again.rules.equals(found.rules)
    assert again.waiting.equals(found.waiting)


def test_bad_numbers_are_told_together():
    with pytest.raises(InputError) as caught:
        plan_study.plan(person(), weeks=2.0, objectives=("days-in-remision", "doses"))
    assert [one.place for one in caught.value.faults] == ["--weeks", "--objective"]
    assert "days-in-remission" in caught.value.faults[1].remedy
    assert plan_study.objective_faults(("doses", "doses"))[0].problem == "'doses' alone hides what it costs"


def test_somebody_of_whom_next_to_nothing_is_known_gets_the_usual_dose(few):
    del few
    found = plan_study.plan(person_from_data({"person": "B", "age_band": "30-39", "scale": "MADRS"}), weeks=4)
    assert found.doses[0] == "ketamine iv 0.5 mg/kg"
    assert found.table.groupby("plan", sort=False)["time_h"].first().eq(168.0).all()
    assert row(found, "nothing more")["front_alike"]
    assert len(found.waiting) == len(found.waiting.drop_duplicates(["choice", "price_d"]))
