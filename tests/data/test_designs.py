"""The shipped trial files: every record of a trial has one or a reason, and they say what the records say."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from afterglow import data
from afterglow.clinic import scale
from afterglow.clinic.course import Course, parse_course
from afterglow.clinic.drugs import DRUGS
from afterglow.clinic.files import Strict, parse, shipped_text
from afterglow.clinic.json_schema import trial_schema
from afterglow.clinic.phases import arm_courses, rescue_course
from afterglow.clinic.regimen import Administration
from afterglow.clinic.scenarios import Scenario, load_scenarios
from afterglow.clinic.trial import Trial, shipped_trials
from afterglow.clinic.trial_parts import TrialArm
from afterglow.data.trial_schema import TrialRecord

ROOT = Path(__file__).parents[2]
RECORDS = data.trials()
NOT_DESIGNED = {
    "esk_ae_course_pooled": "its results are side effects, which are no endpoint of a trial file",
    "glue2017_anxiety": "its patients were not depressed, and anxiety follows depression in the model",
    "glue2024_bedroc": "an extended-release tablet is not among the routes",
    "hieronymus2016_ssri_fixed_dose": "holds baselines only",
    "nasal_esketamine_teae": "its results are side effects, which are no endpoint of a trial file",
    "sigtermans2009_crps": "an infusion of days for pain is outside the model",
    "stard_cumulative": "switching between antidepressants for want of remission is not simulated",
    "sustain3_reinduction": "its patients had relapsed in an earlier trial, which no table of a population says",
    "vanschalkwyk2018_cadss": "its result is dissociation, which is no endpoint of a trial file",
    "yale_bp_2024": "its result is blood pressure, which is no endpoint of a trial file",
}
OF_RECORD = {"sustain1_responders": "sustain1"}  # a second design of the same record
ON_VISITS = {"mean", "change", "difference", "response", "remission"}
CAP = 400  # patients an arm of a meta-analysis
LONG_WEEKS = 60.0  # no shipped trial is longer
# nothing is the control: two drugs or doses, or the same treatments in another order or with something beside them
HEAD_TO_HEAD = {
    "correia_melo2020",
    "step-up",
    "crossover",
    "feder2014_ptsd",
    "lapidus2014",
    "delayed-start",
    "price2022_asat",
}


@cache
def design(name: str) -> tuple[Scenario, list[Course]]:
    (one,) = load_scenarios(name)
    return one, arm_courses(one.trial, one.document.place)


def designed() -> list[tuple[str, TrialRecord]]:
    """Shipped files that belong to a record."""
    named = {**{id: id for id in RECORDS}, **OF_RECORD}
    return [(name, RECORDS[named[name]]) for name in shipped_trials() if name in named]


def intakes(course: Course) -> tuple[Administration, ...]:
    return course.regimen(LONG_WEEKS).administrations


def first_change(arm: TrialArm) -> float:
    """When an arm goes over to another course, h."""
    return min([(phase.day - 1) * 24.0 for phase in arm.then], default=float("inf"))


def test_every_record_has_a_trial_file_or_a_reason():
    names = {name for name, _ in designed()} - OF_RECORD.keys()
    assert names | NOT_DESIGNED.keys() == RECORDS.keys()
    assert not names & NOT_DESIGNED.keys()


@pytest.mark.parametrize("name", shipped_trials())
def test_shipped_trials_can_be_run(name: str):
    scenario, courses = design(name)
    trial = scenario.trial
    assert trial.name == name
    assert trial.title
    assert [one.name for one in courses] == [arm.name for arm in trial.arms]
    assert min(trial.sizes) >= 1
    assert trial.assumed or trial.population.source
    assert max(one.at for one in trial.visits) <= LONG_WEEKS * 168.0
    assert min((one.time_h for course in courses for one in intakes(course)), default=0.0) == 0.0
    if (rescue := rescue_course(trial, scenario.document.place)) is not None:
        assert rescue.blinding == "open"


@pytest.mark.parametrize("name", [name for name in shipped_trials() if design(name)[0].trial.randomised])
def test_arms_are_alike_before_a_later_randomisation(name: str):
    scenario, courses = design(name)
    run_in = scenario.trial.randomised
    assert run_in is not None
    first, *others = ([one for one in intakes(c) if one.time_h < (run_in.day - 1) * 24.0] for c in courses)
    assert first
    assert all(one == first for one in others)
    assert scenario.trial.blinding.open_until == run_in.day


@pytest.mark.parametrize(("name", "record"), [pair for pair in designed() if pair[1].simulate is not None])
def test_arms_get_what_the_simulated_arms_of_the_record_get(name: str, record: TrialRecord):
    scenario, courses = design(name)
    for arm, course in zip(scenario.trial.arms, courses, strict=True):
        until = first_change(arm)
        simulated = parse_course(record.course_data(arm.name), arm.name)
        assert [one for one in intakes(course) if one.time_h < until] == [
            one for one in intakes(simulated) if one.time_h < until
        ]
        assert course.therapy == simulated.therapy
        assert (course.blinding, course.raters) == (simulated.blinding, simulated.raters)


@pytest.mark.parametrize(("name", "record"), [pair for pair in designed() if pair[1].simulate is None])
def test_arms_get_what_the_arms_of_a_record_that_is_not_simulated_got(name: str, record: TrialRecord):
    scenario, courses = design(name)
    for arm, course in zip(scenario.trial.arms, courses, strict=True):
        published = record.arm(arm.name)
        given = [one for one in intakes(course) if one.time_h < first_change(arm) and one.session is not None]
        assert {(one.drug, one.route) for one in given} == {(published.drug, published.route)}
        assert {one.time_h // 24.0 + 1.0 for one in given} == set(published.days or ())
        assert sum(one.amount for one in given if one.session == 1) == (published.dose or 0.0)


@pytest.mark.parametrize(("name", "record"), designed())
def test_people_and_sizes_are_those_of_the_record(name: str, record: TrialRecord):
    trial = design(name)[0].trial
    if record.simulate is not None:
        people, asked = record.simulate.population, trial.population
        assert asked.base == ("trd" if people.trd else "mdd")
        assert asked.madrs is not None
        assert (asked.madrs.mean, asked.madrs.sd) == (people.madrs_mean, people.madrs_sd)
        assert (asked.age.mean if asked.age else None) == people.age_mean
        assert asked.female == (None if people.pct_female is None else pytest.approx(people.pct_female / 100))
    if trial.randomised is not None or trial.crossover is not None:
        return  # arms are counted otherwise
    for arm, size in zip(trial.arms, trial.sizes, strict=True):
        published = record.arm(arm.name).n
        assert published is None or size == published or size == CAP < published
    if record.population.n is not None:
        # numbers by arm of one pooled analysis add up to a few more than its total
        assert sum(trial.sizes) <= record.population.n + (3 if name == "turkoz2021_transform_pooled" else 0)


@pytest.mark.parametrize(("name", "record"), designed())
def test_people_are_seen_when_the_record_has_results(name: str, record: TrialRecord):
    trial = design(name)[0].trial
    times = [0.0, *(one.at for one in trial.visits)]
    arms = {arm.name for arm in trial.arms}
    rows = record.answered() if record.simulate else record.outcomes
    wanted = {row.time_h for row in rows if row.arm in arms and row.measure in ON_VISITS and row.scale in scale.names()}
    missing = [one for one in wanted if one is not None and min(abs(one - time) for time in times) > 0.01]
    assert not missing


@pytest.mark.parametrize("name", [n for n in shipped_trials() if len(design(n)[1]) > 1 and n not in HEAD_TO_HEAD])
def test_the_reference_gives_nothing_that_is_studied(name: str):
    """The arm that the others are compared with has inert sessions or midazolam, and no therapy."""
    scenario, courses = design(name)
    control, run_in = courses[scenario.trial.reference_arm], scenario.trial.randomised
    start = 0.0 if run_in is None else (run_in.day - 1) * 24.0
    given = [one for one in intakes(control) if one.time_h >= start and one.session is not None]
    assert all(DRUGS[one.drug].kind in ("inert", "benzodiazepine") for one in given)
    assert not control.therapy


# ------------------------------------------------------------------------------------------------ the files as files


def fields(model: type[Strict], where: str = "") -> Iterator[str]:
    """Every key of a trial file, as population.madrs.mean; lists are left out of the path."""
    for name, field in model.model_fields.items():
        key = f"{where}{field.alias or name}"
        yield key
        for inner in set(_models(field.annotation)):
            yield from fields(inner, f"{key}.")


def _models(annotation: Any) -> Iterator[type[Strict]]:
    if isinstance(annotation, type) and issubclass(annotation, Strict):
        yield annotation
    for one in getattr(annotation, "__args__", ()):
        yield from _models(one)


def written(value: Any, where: str = "") -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from written(one, where)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield f"{where}{key}"
            if key != "course":  # a course is a file of its own kind
                yield from written(one, f"{where}{key}.")


def test_shipped_files_show_every_field_and_full_shows_most():
    shown = {name: set(written(parse(shipped_text(f"designs/{name}.yaml"), name).data)) for name in shipped_trials()}
    # strata are written as text, 'AGE >= 50'
    every = {one for one in fields(Trial) if not one.startswith("allocation.by.")}
    assert every <= set().union(*shown.values())
    missing = every - shown["full"]
    outermost = {one.rpartition(".")[2] for one in missing if one.rpartition(".")[0] not in missing}
    comment = shipped_text("designs/full.yaml").split("\ntrial:")[0]
    assert all(f"`{key}`" in comment for key in outermost)


@pytest.mark.parametrize("name", shipped_trials())
def test_lines_are_short(name: str):
    assert max(map(len, shipped_text(f"designs/{name}.yaml").splitlines())) <= 120


def test_the_json_schema_in_the_docs_is_that_of_the_program():
    shipped = json.loads((ROOT / "docs" / "schema" / "trial_design.schema.json").read_text(encoding="utf-8"))
    assert shipped == trial_schema()


def test_the_page_lists_every_file_and_every_reason():
    page = (ROOT / "docs" / "trials.md").read_text(encoding="utf-8")
    for name in shipped_trials():
        assert f"| `{name}` | {design(name)[0].trial.title} |" in page
    for name, reason in NOT_DESIGNED.items():
        assert f"| `{name}` | {reason} |" in page
