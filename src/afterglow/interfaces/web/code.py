"""Python and command lines that do what the page shows, with the files they need."""

from __future__ import annotations

import json
import shlex
from typing import Any

from afterglow.interfaces.web.bodies import CodeBody

PATIENTS = 1000


def code(body: CodeBody, sent: dict[str, Any]) -> dict[str, Any]:
    """Lines and files; `sent` is the body as it was sent, with courses as people write them."""
    extra = sent.get("extra") or {}
    made = {"forecast": _forecast, "plan": _plan, "trial": _trial, "claims": _claims}.get(body.view)
    course = _yaml(_in_order(sent["scenario"]["course"], type(body.scenario.course)))
    if made is not None:
        python, cli, files = made(extra)
        return {"python": python, "cli": cli, "course_yaml": course, "files": files}
    return _explore(body, sent["scenario"], course)


def _explore(body: CodeBody, sent: dict[str, Any], course: str) -> dict[str, Any]:
    scenario, files = body.scenario, {"course.yaml": course}
    names, loaded = ["course.yaml"], ['"course.yaml"']
    if scenario.versus is not None:
        versus = sent["versus"]
        if not isinstance(versus, str):
            files["versus.yaml"] = _yaml(_in_order(versus, type(scenario.course)))
        names.append(versus if isinstance(versus, str) else "versus.yaml")
        loaded.append(json.dumps(names[-1]))
    options = f"patients={PATIENTS}, weeks={scenario.weeks:g}, seed={scenario.seed}"
    line = ["--patients", str(PATIENTS), "--weeks", f"{scenario.weeks:g}", "--seed", str(scenario.seed)]
    if scenario.variant is not None:
        options += f", variant={scenario.variant!r}"
        line += ["--variant", scenario.variant]
    population = ""
    if scenario.who.kind == "person":
        files["person.yaml"] = _yaml(_person(scenario.who))
        options += ', person="person.yaml"'
        lines = [_simulate([one, "--person", "person.yaml", *line], one, len(names) > 1) for one in names]
    else:
        lines = (
            [shlex.join(["afterglow", "compare", *names, *line])]
            if len(names) > 1
            else [_simulate([*names, *line], names[0], False)]
        )
        if scenario.who.population != "trd":
            population = f'    population=afterglow.load_population("{scenario.who.population}"),\n'
            lines = ["# the command line takes the population trd only; for this one:", "python page.py"]
    files["scenario.json"] = json.dumps(sent, indent=1, ensure_ascii=False)
    python = PYTHON.format(courses=", ".join(loaded), options=options, population=population, people=PATIENTS)
    files["page.py"] = python
    return {"python": python, "cli": "\n".join(lines), "course_yaml": course, "files": files}


PYTHON = '''"""What the page shows, from Python."""

import json
from pathlib import Path

import afterglow
from afterglow.study.live import run
from afterglow.study.live_scenario import scenario_from_data

# the numbers on the page
answer = run(scenario_from_data(json.loads(Path("scenario.json").read_text())), people={people})
for one in answer.numbers:
    print(one.label, one.value, one.lo90, one.hi90, one.unit)

# the full study with its report
result = afterglow.compare(
    [{courses}],
    {options},
{population})
print(result.tables["summary"])
result.save("afterglow-page", force=True)
'''


def _simulate(words: list[str], name: str, several: bool) -> str:
    out = ["--out", f"afterglow-{name.removesuffix('.yaml')}"] if several else []
    return shlex.join(["afterglow", "simulate", *words, *out])


def _person(who: Any) -> dict[str, Any]:
    found = {"person": "A", "age": who.age, "sex": who.sex, "weight": f"{who.weight:g} kg"}
    found |= {"failed_trials": who.failed_trials, "baseline": {"MADRS": who.severity}}
    return {key: value for key, value in found.items() if value is not None}


def _forecast(extra: dict[str, Any]) -> tuple[str, str, dict[str, str]]:
    weeks, scale, courses = extra.get("weeks", 12), extra.get("scale", "MADRS"), extra.get("courses", [])
    line = ["afterglow", "forecast", "person.yaml", "--weeks", f"{weeks:g}", "--scale", scale]
    line += [word for name in courses for word in ("--course", name)]
    python = f"""import afterglow
from afterglow.study.forecast_study import forecast

person = afterglow.load_person("person.yaml")
courses = [afterglow.load_course(name) for name in {courses!r}]
result = forecast(person, courses, weeks={weeks!r}, scale={scale!r})
print(result.plans)
"""
    return python, shlex.join(line), {"person.yaml": _yaml(extra.get("person", {})), "page.py": python}


def _plan(extra: dict[str, Any]) -> tuple[str, str, dict[str, str]]:
    weeks, person = extra.get("weeks", 12), extra.get("person")
    population = extra.get("population") or "trd"
    who = ["--population", population] if person is None else ["person.yaml"]
    known = "None" if person is None else 'afterglow.load_person("person.yaml")'
    python = f"""import afterglow
from afterglow.study.plan_study import plan

result = plan({known}, {population!r}, weeks={weeks!r})
print(result.rules)
"""
    files = {"page.py": python} | ({} if person is None else {"person.yaml": _yaml(person)})
    return python, shlex.join(["afterglow", "plan", *who, "--weeks", f"{weeks:g}"]), files


def _trial(extra: dict[str, Any]) -> tuple[str, str, dict[str, str]]:
    replicates = extra.get("replicates", 100)
    python = f"""from pathlib import Path

from afterglow.clinic.scenarios import load_scenarios
from afterglow.interfaces import trial

asked = trial.plan(load_scenarios("trial.yaml"), {replicates!r}, seed=1, variant=None)
result = trial.run(asked, trial.How(Path("afterglow-trial"), force=True), "python page.py")
print(trial.summary(result))
"""
    cli = shlex.join(["afterglow", "trial", "trial.yaml", "--replicates", str(replicates)])
    return python, cli, {"trial.yaml": _yaml(extra.get("trial", {})), "page.py": python}


def _claims(_: dict[str, Any]) -> tuple[str, str, dict[str, str]]:
    python = """from afterglow.study.claims import answers

for one in answers():
    print(one.claim.id, one.verdict, one.sentence)
"""
    return python, "afterglow claims", {"page.py": python}


def _in_order(data: dict[str, Any], model: Any) -> dict[str, Any]:
    """Keys in the order in which a file has them."""
    known = [field.alias or name for name, field in model.model_fields.items()]
    return {key: data[key] for key in sorted(data, key=known.index)}


def _yaml(data: Any) -> str:
    import yaml

    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
