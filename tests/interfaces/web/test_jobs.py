"""Long work: told about while it runs, stopped when nobody wants it, refused when there is too much."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

import served
from afterglow.interfaces.web import app, jobs

PERSON = {"person": "A", "age": 44, "scores": [{"day": 0, "scale": "MADRS", "score": 34}],
          "doses": [{"day": 1, "drug": "ketamine", "route": "iv", "dose": "0.5 mg/kg", "over": "40 min"}]}  # fmt: skip
TRIAL = {
    "trial": "small",
    "arms": [{"name": "ketamine", "course": "iv-single", "n": 12},
             {"name": "midazolam", "control": "midazolam", "n": 12}],
    "visits": ["4 h", "24 h"],
    "blinding": {"asked": ["24 h"]},
    "endpoints": [{"measure": "change", "at": "24 h", "analysis": "ancova"}],
}  # fmt: skip
LARGE = TRIAL | {"n": None, "arms": [{"name": "a", "course": "iv-induction", "n": 400},
                                     {"name": "b", "control": "matched", "n": 400}]}  # fmt: skip


def _begin(client, kind, **body):
    answer = client.post(f"/api/jobs/{kind}", json=body)
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def _events(client, name):
    found = []
    with client.stream("GET", f"/api/jobs/{name}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            if line.startswith("event: "):
                found.append([line.removeprefix("event: "), None])
            elif line.startswith("data: "):
                found[-1][1] = json.loads(line.removeprefix("data: "))
    return found


def _busy():
    """Processes of this one that compute at low priority."""
    mine = psutil.Process().children(recursive=True)
    return [one.pid for one in mine if one.is_running() and one.nice() >= app.LONG_NICE]


def _until(holds, seconds=20.0):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_trial_tells_its_progress_and_its_result(client):
    events = _events(client, _begin(client, "trial", trial=TRIAL, replicates=4))
    shares = [data["share"] for name, data in events if name == "progress"]
    assert shares == sorted(shares)
    name, data = events[-1]
    assert name == "done", data
    result = data["result"]
    assert {one["arm"] for one in result["arms"]} == {"ketamine", "midazolam"}
    first = result["estimates"][0]
    assert first["lo95"] < first["estimate"] < first["hi95"]
    assert 0 <= first["power_lo"] <= first["power"] <= first["power_hi"] <= 1
    assert {one["world"] for one in result["worlds"]} >= {"posterior", "masked"}
    assert {one["arm"] for one in result["blinding"]} == {"ketamine", "midazolam"}
    assert result["flow"]


@pytest.mark.slow
def test_a_forecast_gives_plans_and_the_population(client):
    name, data = _events(client, _begin(client, "forecast", person=PERSON, courses=["ssri"], weeks=4))[-1]
    assert name == "done", data
    assert {"forecast", "fitted", "population", "warnings"} <= set(data["result"])
    assert len(data["result"]["population"]["mean"]) == 4
    rule = data["result"]["screening"][0]
    assert {"dose", "rule", "severity", "reason", "source", "what_would_change_it"} <= set(rule)


@pytest.mark.slow
def test_a_plan_for_a_population_gives_tables(client):
    name, data = _events(client, _begin(client, "plan", population="trd", weeks=4))[-1]
    assert name == "done", data
    assert {"plan", "doses"} <= set(data["result"]["rules"][0])
    assert data["result"]["little"]
    assert data["result"]["excluded"] == []
    assert data["result"]["waiting"]
    assert data["result"]["waiting_in_words"]
    assert isinstance(data["result"]["warnings"], list)


def test_bad_input_is_refused_before_anything_begins(client):
    for kind, body in (
        ("trial", {"trial": TRIAL | {"visits": []}}),
        ("trial", {"trial": TRIAL, "replicates": 201}),
        ("trial", {"trial": LARGE | {"arms": [LARGE["arms"][0] | {"n": 5000}, LARGE["arms"][1]]}}),
        ("plan", {}),
        ("plan", {"population": "trd", "person": PERSON}),
        ("forecast", {"person": PERSON, "courses": ["ssri"] * 5}),
        ("forecast", {"person": PERSON | {"doses": [{"day": 1}]}}),
        ("forecast", {"person": {}, "scale": "XX"}),
    ):
        answer = client.post(f"/api/jobs/{kind}", json=body)
        assert answer.status_code == 422, (kind, body)
        assert answer.json()["faults"]


def test_what_tells_who_somebody_is_is_refused(client):
    answer = client.post("/api/jobs/forecast", json={"person": PERSON | {"name": "Jane Doe"}})
    assert answer.status_code == 422
    assert any("no identity is needed" in one["remedy"] for one in answer.json()["faults"])


def test_nothing_that_is_sent_can_name_a_file(client, tmp_path):
    file = tmp_path / "course.yaml"
    file.write_text("course: [secret")
    arms = [{"name": "a", "course": str(file), "n": 9}, TRIAL["arms"][1]]
    population = {"from": str(file)}
    for trial in (
        TRIAL | {"arms": arms},
        TRIAL | {"population": population},
        TRIAL | {"rescue": {"course": str(file)}},
    ):
        answer = client.post("/api/jobs/trial", json={"trial": trial})
        assert answer.status_code == 422
        assert "secret" not in answer.text
    assert client.post("/api/jobs/forecast", json={"person": PERSON, "courses": [str(file)]}).status_code == 422
    person = PERSON | {"doses": "doses.csv"}
    assert client.post("/api/jobs/forecast", json={"person": person}).status_code == 422


def test_cancelling_stops_the_process(client):
    name = _begin(client, "trial", trial=LARGE, replicates=200)
    with ThreadPoolExecutor(1) as beside:
        heard = beside.submit(_events, client, name)
        _until(lambda: client.get("/healthz").status_code == 200 and _busy())
        time.sleep(0.5)
        before = _busy()
        assert client.delete(f"/api/jobs/{name}").status_code == 204
        assert heard.result(timeout=20)[-1][0] == "cancelled"
    _until(lambda: not set(before) & set(_busy()))
    assert client.delete(f"/api/jobs/{name}").status_code == 404
    assert client.get(f"/api/jobs/{name}/events").status_code == 404
    assert _events(client, _begin(client, "trial", trial=TRIAL, replicates=2))[-1][0] == "done"


def test_a_job_without_a_listener_is_stopped(client, monkeypatch):
    monkeypatch.setattr(jobs, "ALONE_S", 0.5)
    name = _begin(client, "trial", trial=LARGE, replicates=200)
    _until(_busy)
    before = _busy()
    with client.stream("GET", f"/api/jobs/{name}/events") as stream:
        lines = stream.iter_lines()
        next(lines)
        time.sleep(1.5)
        assert set(before) & set(_busy())  # somebody listens
    _until(lambda: not set(before) & set(_busy()))
    assert client.delete(f"/api/jobs/{name}").status_code == 404


def test_too_many_jobs_are_refused(client, monkeypatch):
    monkeypatch.setattr(jobs, "ALONE_S", 60.0)
    names = []
    for _ in range(app.LONG_WAIT + 1):
        answer = client.post("/api/jobs/trial", json={"trial": LARGE, "replicates": 200})
        if answer.status_code == 429:
            break
        names.append(answer.json()["id"])
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    for name in names:
        assert client.delete(f"/api/jobs/{name}").status_code == 204


def test_a_job_that_takes_too_long_fails_with_a_fault():
    with served.serving(served.settings(long_s=1.0)) as client:
        name, data = _events(client, _begin(client, "trial", trial=LARGE, replicates=200))[-1]
        assert name == "failed"
        assert "longer than 1 s" in data["faults"][0]["problem"]


def test_the_page_answers_while_jobs_run(client, scenario):
    name = _begin(client, "trial", trial=LARGE, replicates=200)
    body = {"scenario": scenario | {"seed": 1234}, "people": 8, "coarse": True}
    assert client.post("/api/run", json=body).status_code == 200
    assert client.delete(f"/api/jobs/{name}").status_code == 204
