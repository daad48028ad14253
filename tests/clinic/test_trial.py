"""The trial file: what it says, what is wrong with it, and its JSON Schema."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from afterglow.clinic import trial_parts as parts
from afterglow.clinic.files import Strict, parse
from afterglow.clinic.json_schema import trial_schema, write_schema
from afterglow.clinic.phases import arm_courses
from afterglow.clinic.scenarios import scenarios
from afterglow.clinic.trial import Trial
from afterglow.errors import InputError

TRIAL = """\
trial: t
population: {from: trd}
arms:
  - {name: a, course: iv-single, n: 20}
  - {name: b, control: midazolam, n: 20}
visits: [24 h, 7 d]
endpoints:
  - {measure: change, at: 7 d}
"""
A, B = "{name: a, course: iv-single, n: 20}", "{name: b, control: midazolam, n: 20}"
VISITS, POPULATION, ENDPOINT = "[24 h, 7 d]", "{from: trd}", "{measure: change, at: 7 d}"


def read(text: str) -> Trial:
    (one,) = scenarios(parse(text, "t.yaml"))
    return one.trial


def faults(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        read(text)
    return [str(fault) for fault in caught.value.faults]


def test_the_good_file_is_good():
    trial = read(TRIAL)
    assert trial.sizes == (20, 20)
    assert [one.at for one in trial.visits] == [24.0, 168.0]
    assert trial.primary.method == "mmrm"
    assert trial.reference_arm == 1


@pytest.mark.parametrize(
    ("old", "new", "line", "problem", "remedy"),
    [
        # arms
        (B, "{name: b, n: 20}", 5, "arm 'b' has no course", "write `course: iv-single` or `control: saline`"),
        (B, "{name: b, course: ssri, control: saline, n: 20}", 5, "arm 'b' has a course and a control", "write"),
        (B, "{name: a, control: midazolam, n: 20}", 5, "two arms are called 'a'", "give each its own name"),
        (B, "{name: b b, control: midazolam, n: 20}", 5, "name 'b b' is not allowed", "a short name"),
        (B, "{name: b, control: midazolan, n: 20}", 5, "control 'midazolan' is not known", "did you mean 'midazolam'?"),
        (B, "{name: b, control: saline, of: c, n: 20}", 5, "there is no arm 'c' with a course", "one of: a"),
        (B, "{name: b, course: ssri, of: a, n: 20}", 5, "`of` belongs to `control`", "leave it out"),
        (B, "{name: b, control: saline, dose: 5, n: 20}", 5, "'5' has no unit", "0.5 mg/kg"),
        (A, "{name: a, control: saline, n: 20}", 4, "no arm has a course to be the control of", "give one arm"),
        (A, "{name: a, course: ssri, n: 20, then: [{course: ndri, day: 1}]}", 4, "day is 1", "greater than 1"),
        ("trial: t", "trial: t\nreference: c", 2, "there is no arm 'c'", "one of: a, b"),
        # sizes
        (B, "{name: b, control: saline}", 1, "arm 'b' has no size", "give every arm `n`"),
        (B, "{name: b, control: saline, n: 20, ratio: 2}", 5, "the arm has its own", "leave one of them out"),
        (B, "{name: b, control: saline, n: 0}", 5, "n is 0", "greater than or equal to 1"),
        ("trial: t", "trial: t\nn: 40", 2, "the trial and its arms both have `n`", "leave one of them out"),
        # allocation
        (
            "trial: t",
            "trial: t\nallocation: {kind: stratified}",
            2,
            "stratified allocation has no covariates",
            "`by: [SEXF, 'AGE >= 50']`",
        ),
        ("trial: t", "trial: t\nallocation: {by: [SEXF]}", 2, "exact allocation has no covariates", "leave `by` out"),
        ("trial: t", "trial: t\nallocation: {block: 4}", 2, "exact allocation has no blocks", "leave `block` out"),
        (
            "trial: t",
            "trial: t\nallocation: {kind: minimisation, by: [age >= 50]}",
            2,
            "'age' is not a column of the population",
            "as 'AGE >= 50'",
        ),
        # visits
        (VISITS, "[24 h, 7 d, 1 d]", 6, "the visit at 24 h is listed twice", "list it once"),
        (
            VISITS,
            "[{at: 6 d, window: 13 h}, {at: 7 d, window: 12 h}]",
            6,
            "the windows of 6 d and 7 d overlap",
            "make them smaller",
        ),
        (
            VISITS,
            "[{at: 24 h, window: 24 h}, 7 d]",
            6,
            "a visit at 24 h may fall before the first dose",
            "make its window smaller",
        ),
        (VISITS, "[24, 7 d]", 6, "'24' has no unit", "write for instance"),
        (VISITS, "[0 h, 7 d]", 6, "the duration '0 h' is zero", "above 0"),
        (
            "trial: t",
            "trial: t\nblinding: {asked: [2 d]}",
            2,
            "there is no visit at 2 d",
            "24 h, 7 d",
        ),
        # conditions and scales
        (POPULATION, "{from: trd, entry: MADRS > }", 2, "found the end", "MADRS >= 22"),
        (POPULATION, "{from: trd, entry: MADRES >= 22}", 2, "scale 'MADRES' is not known", "did you mean 'MADRS'?"),
        (POPULATION, "{from: trd, female: 60}", 2, "female is 60", "less than or equal to 1"),
        (POPULATION, "{from: trd, madrs: {mean: 33}}", 2, "'sd' is missing", ""),
        (ENDPOINT, "{measure: change, scale: HAMD, at: 7 d}", 8, "there is no scale 'HAMD'", "HAM-D17"),
        (ENDPOINT, "{measure: remission, scale: BDI}", 8, "BDI has no published remission rule", "use MADRS"),
        (
            ENDPOINT,
            "{measure: remission, at_most: 11}",
            8,
            "MADRS <= 11 is not a published rule of remission",
            "cut-offs of MADRS: 10, 12",
        ),
        # endpoints
        (ENDPOINT, "{measure: change, at: 8 d}", 8, "nothing is measured at 8 d", "name one of 24 h, 7 d"),
        (ENDPOINT, "{measure: response, analysis: mmrm}", 8, "response is not analysed by mmrm", "risk-difference"),
        (ENDPOINT, "{measure: relapse, at: 7 d}", 8, "relapse is read at all visits", "leave `at` out"),
        (ENDPOINT, "{measure: response, at_most: 12}", 8, "`at_most` belongs to remission", "leave it out"),
        (ENDPOINT, "{measure: chnge}", 8, "measure 'chnge' is not known", "did you mean 'change'?"),
        (ENDPOINT, "{analysis: crossover}", 8, "analysis crossover needs `crossover`", "add `crossover:`"),
        (ENDPOINT, "{analysis: sequential-parallel}", 8, "needs `second_stage`", "add `second_stage:`"),
        # stages
        (
            "trial: t",
            "trial: t\ncrossover: {period: 7 d, first: a, second: c}",
            2,
            "there is no arm 'c'",
            "one of: a, b",
        ),
        (
            "trial: t",
            "trial: t\nsecond_stage: {at: 3 d, if: MADRS >= 20, drug: a, delayed: a, placebo: b}",
            2,
            "there is no visit at 3 d",
            "24 h, 7 d",
        ),
        (
            "trial: t",
            "trial: t\nrandomised: {day: 8, if: MADRS <= 12, at: [24 h, 7 d], at_least: 3}",
            2,
            "3 of 2 visits cannot hold",
            "at most 2",
        ),
        # the file
        ("visits:", "visit:", 6, "unknown key 'visit'", "did you mean 'visits'?"),
        (ENDPOINT, "7 d", 8, "must be a block of keys", "keys: measure"),
        (VISITS, "[]", 6, "visits is []", "at least 1 item"),
        ("trial: t", "title: x", 1, "'trial' is missing", "a-short-name"),
    ],
)
def test_each_fault_has_place_value_and_remedy(old: str, new: str, line: int, problem: str, remedy: str):
    found = faults(TRIAL.replace(old, new, 1))
    match = [one for one in found if problem in one]
    assert match, found
    assert match[0].startswith(f"t.yaml:{line}: ")
    assert remedy in match[0]


def test_a_block_that_does_not_hold_the_ratio():
    text = TRIAL.replace(A, "{name: a, course: iv-single, ratio: 2}").replace(B, "{name: b, control: saline}")
    shared = text.replace("trial: t", "trial: t\nn: 60\nallocation: {kind: blocked, block: 4}")
    assert faults(shared) == ["t.yaml:3: a block of 4 does not hold the ratio 2:1 (write a multiple of 3)"]
    assert read(shared.replace("block: 4", "block: 6")).sizes == (40, 20)
    assert faults(shared.replace("n: 60", "n: 3").replace("block: 4", "block: 3")) == [
        "t.yaml:2: 3 patients for 2 arms (at least 4)"
    ]


def test_a_crossover_is_seen_in_both_periods():
    text = TRIAL.replace(ENDPOINT, "{measure: change, at: 24 h, analysis: crossover}")
    text = text.replace("trial: t", "trial: t\ncrossover: {period: 7 d, first: a, second: b}")
    remedy = "(add it; visits are those of the first period, later by `period`)"
    assert faults(text) == [f"t.yaml:9: the second period has no visit at 8 d {remedy}"]
    assert faults(text.replace(VISITS, "[24 h, 8 d]")) == [f"t.yaml:9: the second period has no visit at 7 d {remedy}"]
    assert read(text.replace(VISITS, "[24 h, 7 d, 8 d]")).primary.method == "crossover"


def test_all_faults_are_told_at_once():
    text = (
        TRIAL.replace(B, "{name: b, n: 20}")
        .replace(VISITS, "[24 h, 24 h]")
        .replace(POPULATION, "{from: trd, entry: MADRES >= 1}")
        .replace(ENDPOINT, "{measure: relapse, at: 9 d}")
    )
    found = faults(text)
    assert [one.split(":")[1] for one in found] == ["2", "5", "6", "8"]
    problems = ("scale 'MADRES' is not known", "arm 'b' has no course", "24 h is listed twice", "leave `at` out")
    assert all(problem in one for problem, one in zip(problems, found, strict=True))


def test_the_reference_is_the_last_arm_unless_it_is_named():
    assert read(TRIAL.replace("trial: t", "trial: t\nreference: a")).reference_arm == 0


def test_visits_are_sorted_and_found_by_their_time():
    trial = read(TRIAL.replace(VISITS, "[7 d, {at: 24 h, window: 2 h}, 2 weeks]"))
    assert [one.at for one in trial.ordered_visits] == [24.0, 168.0, 336.0]
    assert [trial.visit_number(at) for at in (24.0, 168.0, 336.0, None)] == [0, 1, 2, 2]


@pytest.mark.parametrize(
    ("measure", "usual"),
    [
        ("change", "mmrm"),
        ("response", "risk-difference"),
        ("remission", "risk-difference"),
        ("relapse", "cox"),
        ("time-to-response", "cox"),
    ],
)
def test_the_usual_analysis_of_a_measure(measure: str, usual: str):
    assert read(TRIAL.replace(ENDPOINT, f"{{measure: {measure}}}")).primary.method == usual


@given(n=st.integers(10, 5000), ratios=st.lists(st.integers(1, 20), min_size=1, max_size=5))
def test_sizes_share_n_to_the_last_patient(n: int, ratios: list[int]):
    arms = [{"name": f"a{k}", "course": "iv-single", "ratio": ratio} for k, ratio in enumerate(ratios)]
    trial = Trial.model_validate(
        {"trial": "t", "n": n, "arms": arms, "visits": ["24 h"], "endpoints": [{"measure": "change"}]}
    )
    assert sum(trial.sizes) == n
    exact = [n * ratio / sum(ratios) for ratio in ratios]
    assert all(abs(size - one) < 1 for size, one in zip(trial.sizes, exact, strict=True))
    up = [one % 1 for one, size in zip(exact, trial.sizes, strict=True) if size > one]
    down = [one % 1 for one, size in zip(exact, trial.sizes, strict=True) if size < one]
    assert not up or not down or min(up) >= max(down) - 1e-9


# ------------------------------------------------------------------------------------------------ JSON Schema


def accepts(schema: dict[str, Any], rule: dict[str, Any], value: Any) -> bool:
    """Whether a value fits the part of JSON Schema that pydantic writes for trial files."""
    if "$ref" in rule:
        return accepts(schema, schema["$defs"][rule["$ref"].removeprefix("#/$defs/")], value)
    if "anyOf" in rule:
        return any(accepts(schema, one, value) for one in rule["anyOf"])
    if "enum" in rule and value not in rule["enum"]:
        return False
    numbers = isinstance(value, int | float) and not isinstance(value, bool)
    kinds = {
        "object": isinstance(value, dict),
        "array": isinstance(value, list),
        "string": isinstance(value, str),
        "number": numbers,
        "integer": numbers and value == int(value),
        "boolean": isinstance(value, bool),
        "null": value is None,
    }
    if not kinds[rule["type"]]:
        return False
    if isinstance(value, dict) and "properties" in rule:
        fields = rule["properties"]
        fits = set(rule.get("required", [])) <= set(value) <= set(fields)  # every block refuses unknown keys
        return fits and all(accepts(schema, fields[key], one) for key, one in value.items())
    if isinstance(value, list):
        return len(value) >= rule.get("minItems", 0) and all(accepts(schema, rule["items"], one) for one in value)
    return True


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("trial: t", "trial: t"),
        (VISITS, "[24 h, {at: 7 d, window: 2 h}]"),
        (POPULATION, "{from: trd, female: 60 %, entry: MADRS >= 22}"),
        (POPULATION, "{from: [trd, mdd], madrs: {mean: [30, 35], sd: 5.5}}"),
        ("trial: t", "trial: t\nallocation: {kind: minimisation, by: [SEXF, AGE >= 50]}"),
        ("trial: t", "trial: t\nallocation: {kind: minimisation, by: [{column: AGE, cut: 50}]}"),
        ("trial: t", "trial: t\nrescue: {if: MADRS >= 30, after: 7 d, course: {doses: []}}"),
        (A, "{name: a, course: [iv-single, iv-induction], dose: 0.2 mg/kg, n: [20, 40]}"),
        (VISITS, "[[24 h, 7 d], [24 h, 3 d, 7 d]]"),
    ],
)
def test_an_editor_accepts_what_afterglow_accepts(old: str, new: str):
    document = parse(TRIAL.replace(old, new), "t.yaml")
    assert scenarios(document)
    schema = trial_schema()
    assert accepts(schema, schema, document.data)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (VISITS, "[24, 7]"),
        (B, "{name: b, control: 5, n: 20}"),
        (B, "{name: b, control: saline, n: twenty}"),
        ("visits:", "visit:"),
        (ENDPOINT, "{measure: chnge}"),
        (POPULATION, "{from: trd, entry: 22}"),
    ],
)
def test_an_editor_refuses_what_afterglow_refuses(old: str, new: str):
    document = parse(TRIAL.replace(old, new), "t.yaml")
    with pytest.raises(InputError):
        scenarios(document)
    schema = trial_schema()
    assert not accepts(schema, schema, document.data)


def test_the_json_schema_is_written(tmp_path):
    path = write_schema("trial_design", tmp_path / "new")
    assert path.name == "trial_design.schema.json"
    assert json.loads(path.read_text(encoding="utf-8")) == trial_schema()


# ------------------------------------------------------------------------------------------------ documentation

BLOCKS: dict[str, type[Strict]] = {
    "The file": Trial,
    "`population`": parts.TrialPopulation,
    "`population.age`, `weight`, `madrs`": parts.Moments,
    "`population.failed_trials`": parts.Failed,
    "`arms`": parts.TrialArm,
    "`arms.then`": parts.Then,
    "`allocation`": parts.Allocation,
    "`allocation.by`": parts.Stratum,
    "`blinding`": parts.BlindingPlan,
    "`visits`": parts.Visit,
    "`ratings`": parts.Ratings,
    "`leaving`": parts.Leaving,
    "`leaving.lack_of_effect`": parts.LackOfEffect,
    "`leaving.side_effects`": parts.SideEffects,
    "`rescue`": parts.Rescue,
    "`randomised`": parts.Randomised,
    "`second_stage`": parts.SecondStage,
    "`crossover`": parts.Crossover,
    "`endpoints`": parts.Endpoint,
    "`missing`": parts.Missing,
}
PAGE = (Path(__file__).parents[2] / "docs" / "trials.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """Cells of the first table under a heading of the page."""
    text = PAGE.split(f"\n### {heading}\n")[1].split("\n### ")[0]
    table = text[text.index("| field |") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table]


def default_of(field: FieldInfo) -> str:
    """A field's default as the page shows it."""
    value = field.default
    if field.is_required():
        return "required"
    if value in (None, (), ""):
        return "none"
    if isinstance(value, Strict):
        return "as below"
    return str(value).lower() if isinstance(value, bool) else f"`{value}`" if isinstance(value, str) else f"{value:g}"


def reachable(model: type[Strict]) -> set[type[Strict]]:
    def inside(annotation: Any) -> Iterator[type[Strict]]:
        if isinstance(annotation, type) and issubclass(annotation, Strict):
            yield annotation
        for one in get_args(annotation):
            yield from inside(one)

    found = {inner for field in model.model_fields.values() for inner in inside(field.annotation)}
    return {model}.union(*(reachable(one) for one in found))


def test_every_block_is_documented():
    assert reachable(Trial) == set(BLOCKS.values())


@pytest.mark.parametrize("heading", BLOCKS)
def test_every_field_is_documented_with_its_default_and_a_good_example(heading: str):
    fields = BLOCKS[heading].model_fields
    table = rows(heading)
    assert [row[0] for row in table] == [f"`{field.alias or name}`" for name, field in fields.items()]
    for (key, kind, default, meaning, example), (name, field) in zip(table, fields.items(), strict=True):
        assert kind
        assert meaning
        assert default == default_of(field), name
        written = yaml.safe_load(example.strip("`"))
        assert list(written) == [key.strip("`")]
        TypeAdapter(field.rebuild_annotation()).validate_python(written[key.strip("`")])


def test_the_files_on_the_page_can_be_run():
    files = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    found = [scenarios(parse(text, "page.yaml")) for text in files]
    assert [len(one) for one in found] == [1, 6]
    assert all(arm_courses(one[0].trial, one[0].document.place) for one in found)


def test_the_analyses_on_the_page_are_those_of_the_program():
    for measure, analyses in parts.ANALYSES.items():
        assert f"| `{measure}` | " + ", ".join(f"`{one}`" for one in analyses) + " |\n" in PAGE
