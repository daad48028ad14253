"""Who is let in, how much they may ask, and what stands above every answer."""

import copy
import json
import socket

import httpx
import pytest
from typer.testing import CliRunner

import served
from afterglow.errors import InputError
from afterglow.interfaces import cli, serve_command
from afterglow.interfaces.web.app import Kept
from afterglow.interfaces.web.guard import BODY_BYTES, Bucket, Door, Rates, Refused
from afterglow.interfaces.web.pool import Answer

JSON = {"Content-Type": "application/json"}


def _faults(answer: httpx.Response) -> list[dict]:
    found = answer.json()["faults"]
    assert all(set(one) == {"where", "problem", "remedy"} for one in found)
    return found


@pytest.mark.parametrize("path", ["/", "/docs", "/api/about", "/static/docs/docs.js", "/nosuch", "/healthz"])
def test_every_answer_carries_the_headers(client, path):
    headers = client.get(path).headers
    assert "script-src 'self';" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers
    assert headers["cache-control"] == ("no-cache" if path in ("/", "/docs", "/static/docs/docs.js") else "no-store")


@pytest.mark.parametrize(
    ("body", "status", "headers"),
    [
        (b"", 400, JSON),
        (b"{", 400, JSON),
        (b"\xff\xfe", 400, JSON),
        (b'{"scenario": NaN}', 400, JSON),
        (b'{"people": 1e999}', 400, JSON),
        (b'{"people": ' + b"9" * 5000 + b"}", 400, JSON),
        (b'{"a": "\\ud800"}', 400, JSON),
        (b"[" * 20000, 400, JSON),
        (b"[" * 30 + b"]" * 30, 400, JSON),
        (b"[]", 422, JSON),
        (b"null", 422, JSON),
        (b"{}", 422, JSON),
        (b'{"scenario": {"course": {"course": "x"}}, "people": 99999999999999999999}', 422, JSON),
        (b'{"scenario": {"course": {"course": "x"}}, "people": 1.0e3}', 422, JSON),
        (b'{"scenario": {"course": {"course": "x"}, "weeks": 1e300}}', 422, JSON),
        (b"{}", 415, {"Content-Type": "text/plain"}),
        (b"{}", 415, {}),
        (b" " * (BODY_BYTES + 1), 413, JSON),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(client, body, status, headers):
    answer = client.post("/api/run", content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert _faults(answer)


def test_a_body_in_pieces_is_bounded_too(client):
    def pieces():
        for _ in range(BODY_BYTES // 1024 + 2):
            yield b" " * 1024

    answer = client.post("/api/run", content=pieces(), headers=JSON)
    assert answer.status_code == 413
    assert _faults(answer)


def test_all_faults_are_told_at_once_with_their_places(client, scenario):
    wrong = copy.deepcopy(scenario)
    wrong["course"]["doses"][0] |= {"dose": "9 mg/kg", "route": "ivv"}
    wrong |= {"weeks": 99, "new": 1}
    answer = client.post("/api/run", json={"scenario": wrong, "people": 9})
    assert answer.status_code == 422
    places = {one["where"] for one in _faults(answer)}
    assert {"scenario.course.doses[0].route", "scenario.weeks", "scenario.new", "people"} <= places


@pytest.mark.parametrize(
    ("doses", "place"),
    [
        ([{"drug": "ketamine", "route": "iv", "dose": "1 mg", "over": "2 min", "days": [1]}] * 61, "doses"),
        ([{"drug": "saline", "route": "iv", "over": "2 min", "days": list(range(1, 203))}], "doses[0].days"),
    ],
)
def test_small_bodies_cannot_ask_for_much_work(client, scenario, doses, place):
    asked = scenario | {"course": {"course": "much", "doses": doses}}
    answer = client.post("/api/run", json={"scenario": asked})
    assert answer.status_code == 422
    assert any(one["where"] == f"scenario.course.{place}" for one in _faults(answer))


def test_many_daily_drugs_are_refused_in_time(client, scenario):
    line = {"drug": "diazepam", "dose": "0.1 mg", "every": "1 h"}
    asked = scenario | {"course": {"course": "much", "background": [line] * 20}, "weeks": 26}
    answer = client.post("/api/run", json={"scenario": asked})
    assert answer.status_code == 422
    assert [one["where"] for one in _faults(answer)] == ["scenario.course"]


@pytest.mark.parametrize(("method", "path", "status"), [("PUT", "/api/run", 405), ("GET", "/nosuch", 404)])
def test_other_methods_and_paths_are_told_in_the_same_form(client, method, path, status):
    answer = client.request(method, path)
    assert answer.status_code == status
    assert _faults(answer)


# ------------------------------------------------------------------------------------------------ strangers


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "", "localhost.:1"])
def test_another_name_for_this_machine_is_refused(client, host):
    assert client.get("/api/about", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["localhost:99", "LOCALHOST", "[::1]:8765", "127.0.0.1"])
def test_our_own_names_are_taken(client, host):
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Origin": "null"},
                                     {"Sec-Fetch-Site": "cross-site"}])  # fmt: skip
def test_other_sites_cannot_ask_for_work(client, headers):
    assert client.post("/api/run", json={}, headers=headers).status_code == 403
    assert client.delete("/api/jobs/x", headers=headers).status_code == 403


def test_our_own_page_can(client):
    origin = str(client.base_url).rstrip("/")
    assert client.post("/api/run", json={}, headers={"Origin": origin}).status_code == 422


def test_with_a_token_nobody_else_is_let_in():
    asked = served.settings(door=Door(served.HOSTS, "a-secret-token"))
    with served.serving(asked) as client:
        assert client.get("/").status_code == 401
        assert client.get("/api/about").status_code == 401
        assert client.get("/?token=wrong").status_code == 401
        assert client.get("/healthz").status_code == 200
        assert client.get("/docs", headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert client.get("/docs", headers={"Authorization": "Bearer a-secret-token"}).status_code == 200
        assert client.get("/", headers={"Cookie": "afterglow-token=a-secret-token"}).status_code == 401
        first = client.get(f"{client.base_url}//evil.example/?token=a-secret-token&x=1")
        assert first.status_code == 303
        assert first.headers["location"] == "/evil.example/?x=1"
        cookie = first.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert "a-secret-token" not in cookie
        assert client.get("/docs").status_code == 200  # by the cookie


def test_too_many_requests_are_told_when_to_come_back():
    with served.serving(served.settings(rates=served.RATES | {"run": (3.0, 0.5)})) as client:
        found = [client.post("/api/run", json={}) for _ in range(5)]
        assert [one.status_code for one in found[:3]] == [422] * 3
        assert found[-1].status_code == 429
        assert int(found[-1].headers["retry-after"]) >= 1
        assert client.get("/healthz").status_code == 200


def test_a_bucket_fills_again():
    bucket = Bucket(2.0, 0.5)
    assert [bucket.take(0.0), bucket.take(0.0)] == [0.0, 0.0]
    assert bucket.take(0.0) == pytest.approx(2.0)
    assert bucket.take(2.0) == 0.0
    assert [bucket.take(1000.0), bucket.take(1000.0)] == [0.0, 0.0]
    assert bucket.take(1000.0) > 0.0


def test_clients_have_their_own_buckets_and_are_forgotten():
    rates = Rates({"run": (1.0, 1e-9)}, clients=2)
    rates.take("a", "run")
    rates.take("b", "run")
    with pytest.raises(Refused):
        rates.take("a", "run")
    rates.take("c", "run")  # b was not seen for longest
    assert {name for name, _ in rates.buckets} == {"a", "c"}


def test_kept_answers_are_bounded():
    kept = Kept(most=25)
    for k in range(4):
        kept.put(bytes([k]), Answer(200, b"x" * 10))
    assert kept.size <= 25
    assert kept.get(b"\x00") is None
    assert kept.get(b"\x03") is not None


# ------------------------------------------------------------------------------------------------ the command


@pytest.mark.parametrize(("host", "token", "refused"), [
    ("127.0.0.1", None, False), ("localhost", None, False), ("::1", None, False), ("0.0.0.0", None, True),
    ("192.0.2.7", None, True), ("192.0.2.7", "long-enough-secret", False), ("127.0.0.1", "short", True),
])  # fmt: skip
def test_other_addresses_need_a_token(host, token, refused):
    assert bool(serve_command._option_faults(host, token)) == refused


def test_a_port_in_use_is_a_fault(client):
    with pytest.raises(InputError, match="cannot listen"):
        serve_command._listen("127.0.0.1", client.base_url.port)


def test_the_server_answers_json_that_json_reads(client, scenario):
    text = client.post("/api/run", json={"scenario": scenario, "people": 8, "coarse": True}).text
    json.loads(text, parse_constant=pytest.fail)


@pytest.mark.parametrize("options", [["--host", "0.0.0.0"], ["--token", "short"]])
def test_the_command_refuses_what_is_not_safe(options):
    found = CliRunner().invoke(cli.app, ["serve", "--no-browser", *options])
    assert found.exit_code == 2
    assert options[0] in found.stderr


def test_answers_do_not_wait_for_more_to_send():
    with serve_command._listen("127.0.0.1", 0) as listening:
        assert listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
