from collections.abc import Iterator

import httpx
import pytest

import served


@pytest.fixture(scope="session")
def client() -> Iterator[httpx.Client]:
    with served.serving(served.settings()) as client:
        yield client


@pytest.fixture(scope="session")
def scenario(client: httpx.Client) -> dict:
    return client.get("/api/about").json()["default"]
