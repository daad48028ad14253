"""What the page asks and gets: every answer has the form that OpenAPI describes, and the numbers of the Python API."""

import copy
import json
import runpy
import subprocess
import sys

import pytest

from afterglow.clinic.course import shipped_courses
from afterglow.interfaces.web import models
from afterglow.study import live
from afterglow.study.live_scenario import scenario_from_data


def test_the_facts_of_the_model_have_their_form(client):
    found = models.About.model_validate(client.get("/api/about").json())
    assert {one["course"] for one in found.presets} == set(shipped_courses())
    assert found.limits["people"] == 1000
    assert "Not a medical device" in found.notice
    assert "is not known" in found.drug_share
    assert found.drug_share.endswith("choose the mechanism 'inert'.")
    assert "inert" in {one["name"] for one in found.variants}


@pytest.mark.parametrize("versus", [None, "ssri"])
def test_curves_are_those_of_the_python_api(client, scenario, versus):
    asked = scenario | {"versus": versus}
    answer = client.post("/api/run", json={"scenario": asked, "people": 16, "coarse": True})
    assert answer.status_code == 200
    found = models.Run.model_validate(answer.json())
    same = live.run(scenario_from_data(asked), people=16, coarse=True)
    assert found.panels["madrs"].median == pytest.approx(same.panels["madrs"].median.tolist(), rel=1e-4)
    assert found.scenario_sha256 == same.scenario_sha256
    assert (found.versus is None) == (versus is None)


def test_a_person_has_a_line_of_their_own(client, scenario):
    who = {"kind": "person", "weight": 60, "age": 30, "sex": "female", "failed_trials": 4, "severity": 30, "number": 3}
    answer = client.post("/api/run", json={"scenario": scenario | {"who": who}, "people": 8, "coarse": True}).json()
    found = models.Run.model_validate(answer).panels["madrs"].one
    assert found is not None
    assert len(found) == len(answer["time_h"])


def test_the_same_question_is_answered_from_memory(client, scenario):
    body = {"scenario": scenario | {"seed": 77}, "people": 8, "coarse": True}
    first, second = (client.post("/api/run", json=body) for _ in range(2))
    assert first.json()["milliseconds"] == second.json()["milliseconds"]


def test_why_names_every_source(client, scenario):
    found = models.Why.model_validate(client.post("/api/why", json={"scenario": scenario}).json())
    assert {part.source for part in found.parts} == {"people", "parameters", "ratings", "sample"}


def test_systems_are_listed_and_shown_with_their_sources(client):
    listed = [models.System.model_validate(one) for one in client.get("/api/systems").json()]
    about = client.get("/api/about").json()
    assert sum(one.parameters for one in listed) == about["parameters"]["total"]
    named = {name for link in about["chain"] for name in link["systems"]}
    assert named <= {one.name for one in listed}
    for name in sorted(named):
        shown = models.SystemDetail.model_validate(client.get(f"/api/systems/{name}").json())
        assert any("dt" in line or "=" in line for line in shown.equations)
        assert all(row.link is None or row.link.startswith("https://") for row in shown.parameters)
    assert client.get("/api/systems/nosuch").status_code == 404


def test_the_page_and_its_files_are_served(client):
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    for path, kind in (("/static/docs/docs.js", "text/javascript"), ("/docs/assets/swagger-ui.css", "text/css")):
        file = client.get(path)
        assert file.headers["content-type"].startswith(kind)
        assert file.headers["cache-control"] == "no-cache"
        assert client.get(path, headers={"If-None-Match": file.headers["etag"]}).status_code == 304
    assert client.get("/static/../app.py").status_code == 404
    assert client.get("/static/%2e%2e/app.py").status_code == 404


def test_openapi_describes_bodies_and_answers(client):
    document = client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    assert {"RunBody", "Scenario", "Course", "Run", "Faults"} <= set(schemas)
    text = json.dumps(document)
    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in schemas
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert "429" in operation["responses"], path


def _code(client, scenario, **more):
    answer = client.post("/api/code", json={"scenario": scenario, **more})
    assert answer.status_code == 200, answer.text
    return models.Code.model_validate(answer.json())


def _written(folder, found):
    for name, text in found.files.items():
        (folder / name).write_text(text, encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(
    "changed",
    [
        {"versus": {"course": "mine", "in_care": False}, "weeks": 2},
        {"who": {"kind": "person", "sex": "male"}, "weeks": 2},
        {"who": {"kind": "population", "population": "mdd"}, "weeks": 2},
    ],
)
def test_the_code_of_the_page_runs(client, scenario, changed, tmp_path, monkeypatch, capsys):
    found = _code(client, scenario | changed)
    small = {name: text.replace("patients=1000", "patients=8").replace("people=1000", "people=8") for name, text in
             found.files.items()}  # fmt: skip
    _written(tmp_path, models.Code(**found.model_dump() | {"files": small}))
    monkeypatch.chdir(tmp_path)
    runpy.run_path("page.py", run_name="__main__")
    assert "Remission" in capsys.readouterr().out
    for line in found.cli.splitlines():
        if line.startswith("afterglow"):
            words = line.replace("--patients 1000", "--patients 8").split()[1:]
            command = [sys.executable, "-c", "from afterglow.interfaces.cli import main; main()", *words]
            assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_the_course_in_the_code_is_the_one_on_screen(client, scenario, tmp_path):
    from afterglow.clinic.course import load_course, parse_course

    changed = copy.deepcopy(scenario)
    changed["course"]["doses"][0]["days"] = [1, 4.5]
    found = _code(client, changed)
    (tmp_path / "course.yaml").write_text(found.course_yaml, encoding="utf-8")
    assert load_course(tmp_path / "course.yaml") == parse_course(changed["course"])


@pytest.mark.parametrize(
    ("view", "extra", "file", "command"),
    [
        ("forecast", {"person": {"person": "A", "age": 40}, "weeks": 6, "courses": ["ssri"]}, "person.yaml",
         "afterglow forecast person.yaml --weeks 6 --scale MADRS --course ssri"),
        ("plan", {"population": "mdd", "weeks": 8}, None, "afterglow plan --population mdd --weeks 8"),
        ("trial", {"trial": {"trial": "a"}, "replicates": 9}, "trial.yaml",
         "afterglow trial trial.yaml --replicates 9"),
    ],
)  # fmt: skip
def test_other_views_have_code_too(client, scenario, view, extra, file, command):
    found = _code(client, scenario, view=view, extra=extra)
    assert found.cli == command
    assert file is None or file in found.files
    compile(found.python, "page.py", "exec")


@pytest.mark.slow
def test_claims_have_verdicts_or_are_not_ready_yet(client):
    answer = client.get("/api/claims")
    if answer.status_code == 202:
        assert int(answer.headers["retry-after"]) > 0
        assert 0 <= models.Working.model_validate(answer.json()).share <= 1
    else:
        found = [models.Claim.model_validate(one) for one in answer.json()]
        assert len({one.id for one in found}) == len(found) > 10
        assert all(one.sentence and one.verdict for one in found)
