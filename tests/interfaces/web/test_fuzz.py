"""The server asked what nobody meant it to be asked; the long run is `bench/page_fuzz.py` itself."""

import importlib
from pathlib import Path

import pytest

import served

BENCH = Path(__file__).parents[3] / "bench"
CASES = 150


@pytest.fixture
def client():
    """A server of its own: what odd cases leave in its queue keeps no other test waiting."""
    with served.serving(served.settings()) as one:
        yield one


@pytest.mark.slow
def test_no_case_breaks_the_server(client, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    found = importlib.import_module("page_fuzz").fuzz(str(client.base_url), CASES)
    assert not found.wrong
    assert found.cases >= CASES
    seen = {status for statuses in found.statuses.values() for status in statuses}
    assert {200, 202, 404, 422} <= seen
    assert client.get("/healthz").status_code == 200
