"""Ask the page's server what nobody meant it to be asked: schemathesis, from its own OpenAPI description.

    python bench/page_fuzz.py --cases 2000 --json FILE.json

Half of the cases of an operation with a body are made by schemathesis from the description; the other half are right
bodies in which one value was replaced, which come further. No answer may be of the kind 5xx, none may differ from its
description, and none may take longer than `PATIENCE_S`. Two 5xx are meant: 503 of /api/claims until they are computed,
and 503 of the pool when too much waits; both say so in `faults`.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

PATIENCE_S = 30.0
ACCEPTED, TOO_MANY, NOT_YET = 202, 429, 503
# Not among them: that whatever fits the description is accepted. No description says what the model knows of courses.
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
QUIET = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)
JOBS = tuple(f"/api/jobs/{kind}" for kind in ("forecast", "plan", "trial"))
Path_ = tuple[str | int, ...]

PERSON = {
    "person": "A", "age": 44, "scores": [{"day": 0, "scale": "MADRS", "score": 34}],
    "doses": [{"day": 1, "drug": "ketamine", "route": "iv", "dose": "0.5 mg/kg", "over": "40 min"}],
}  # fmt: skip
TRIAL = {
    "trial": "small", "visits": ["4 h", "24 h"],
    "arms": [{"name": "a", "course": "iv-single", "n": 8}, {"name": "b", "control": "midazolam", "n": 8}],
    "endpoints": [{"measure": "change", "at": "24 h", "analysis": "ancova"}],
}  # fmt: skip


@dataclass
class Outcome:
    """Answers by operation and status, the slowest of each operation (s), and what was wrong."""

    cases: int = 0
    statuses: dict[str, Counter[int]] = field(default_factory=dict)
    slowest_s: dict[str, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def right(scenario: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A right body of each operation that takes one, by path."""
    return {
        "/api/run": {"scenario": scenario, "people": 8, "coarse": True},
        "/api/why": {"scenario": scenario},
        "/api/code": {"scenario": scenario, "view": "explore"},
        "/api/jobs/forecast": {"person": PERSON, "courses": [], "weeks": 4, "scale": "MADRS"},
        "/api/jobs/plan": {"person": PERSON, "weeks": 4},
        "/api/jobs/trial": {"trial": TRIAL, "replicates": 1},
    }


def places(body: Any, at: Path_ = ()) -> list[Path_]:
    """Where every value of a body stands."""
    inner = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    return [at] * bool(at) + [place for key, value in inner for place in places(value, (*at, key))]


def nearly(body: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """The body with one value replaced: a number by another usual one, or anything by anything."""
    plain = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False)
    lists = st.lists(plain, max_size=3) | st.dictionaries(st.text(max_size=5), plain, max_size=2)
    usual = st.integers(0, 60) | st.floats(0, 60, width=16)

    def replaced(place: Path_, value: Any) -> dict[str, Any]:
        found = copy.deepcopy(body)
        end: Any = found
        for key in place[:-1]:
            end = end[key]
        end[place[-1]] = value
        return found

    numbers = [place for place in places(body) if isinstance(value_at(body, place), int | float)]
    any_way = st.builds(replaced, st.sampled_from(places(body)), plain | st.text(max_size=20) | lists)
    return any_way | st.builds(replaced, st.sampled_from(numbers), usual)


def value_at(body: Any, place: Path_) -> Any:
    """What stands at a place."""
    for key in place:
        body = body[key]
    return body


def ask(case: schemathesis.Case, outcome: Outcome) -> None:
    """Send a case, politely waiting where too much was asked, and check the answer against its description."""
    name = f"{case.method.upper()} {case.path}"
    while True:
        start = time.perf_counter()
        try:
            response = case.call(timeout=PATIENCE_S)
        except Exception as error:
            outcome.wrong.append(f"{name}: {type(error).__name__}: {error}")
            return
        spent = time.perf_counter() - start
        if response.status_code != TOO_MANY:
            break
        time.sleep(min(2.0, float(response.headers["retry-after"][0])))
    outcome.cases += 1
    outcome.statuses.setdefault(name, Counter())[response.status_code] += 1
    outcome.slowest_s[name] = round(max(outcome.slowest_s.get(name, 0.0), spent), 3)
    if response.status_code == NOT_YET and response.json()["faults"]:
        return
    if response.status_code == ACCEPTED and case.path in JOBS:
        httpx.delete(f"{case.operation.base_url}/api/jobs/{response.json()['id']}")
    if response.status_code >= 500:
        outcome.wrong.append(f"{name}: {response.status_code}: {case.as_curl_command()}")
        return
    try:
        case.validate_response(response, checks=CHECKS)
    except (FailureGroup, AssertionError) as error:
        outcome.wrong.append(f"{name}: {error}")


def run_all(strategy: st.SearchStrategy[schemathesis.Case], cases: int, seed: int, outcome: Outcome) -> None:
    """Ask so many cases of a strategy."""

    @seeded(seed)
    @settings(max_examples=cases, deadline=None, database=None, phases=[Phase.generate],
              suppress_health_check=QUIET)  # fmt: skip
    @given(case=strategy)
    def one(case: schemathesis.Case) -> None:
        ask(case, outcome)

    with contextlib.suppress(Unsatisfiable):  # some operations have nothing that can be wrong
        one()


def fuzz(address: str, cases: int, seed: int = 1) -> Outcome:
    """Ask a server: so many cases of the operations with a body, fewer of others, one where nothing is chosen."""
    about = httpx.get(f"{address.rstrip('/')}/api/about", timeout=60).json()  # the first answer may compile the model
    bodies = right(about["default"])
    schema = schemathesis.openapi.from_url(f"{address.rstrip('/')}/openapi.json")
    outcome, operations = Outcome(), [one.ok() for one in schema.get_all_operations() if isinstance(one, Ok)]
    fixed = [one for one in operations if one.path not in bodies and "{" not in one.path]
    free = [one for one in operations if one not in fixed]
    for operation in fixed:
        run_all(operation.as_strategy(), 1, seed, outcome)
    for operation in free:
        share = -(-cases // len(bodies))
        body = bodies.get(operation.path)
        if body is not None:
            make = operation.Case
            near = nearly(body).map(lambda data, make=make: make(body=data, media_type="application/json"))
            run_all(near, share // 2, seed, outcome)
            share -= share // 2
        modes = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
        for k, mode in enumerate(modes):
            run_all(operation.as_strategy(generation_mode=mode), (share + k) // 2, seed, outcome)
    return outcome


@contextlib.contextmanager
def without_limits() -> Iterator[str]:
    """Address of a server that takes as many requests as are sent, in a thread; all else as `afterglow serve`."""
    import uvicorn

    from afterglow.interfaces.web import pool
    from afterglow.interfaces.web.app import RATES, Settings, create
    from afterglow.interfaces.web.guard import Door

    pool.prepare()
    app = create(Settings(Door(frozenset({"127.0.0.1"})), rates=dict.fromkeys(RATES, (1e6, 1e6))))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def main() -> None:
    from page_server import machine

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    about, start = machine(), time.perf_counter()
    with without_limits() as address:
        found = fuzz(address, asked.cases, asked.seed)
        alive = httpx.get(f"{address}/healthz").status_code == 200
    text = json.dumps(
        {"machine": about, "seconds": round(time.perf_counter() - start), "alive": alive, **vars(found)}, indent=1
    )
    print(text)
    if asked.json:
        asked.json.write_text(text + "\n")
    if found.wrong or not alive:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
