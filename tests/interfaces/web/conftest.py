from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import served

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from browser import Visitor


@pytest.fixture(scope="session")
def client() -> Iterator[httpx.Client]:
    with served.serving(served.settings()) as client:
        yield client


@pytest.fixture(scope="session")
def scenario(client: httpx.Client) -> dict:
    return client.get("/api/about").json()["default"]


@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    import browser

    with browser.chromium() as one:
        yield one


@pytest.fixture
def visit(chromium: "Browser", client: httpx.Client) -> Iterator[Callable[..., "Visitor"]]:
    """Opens the page in a new window, with so much of its state in the address; nobody complains in the end."""
    from browser import WIDE, Visitor

    visitors = []

    def visit(size: tuple[int, int] = WIDE, dark: bool = False, **state: Any) -> Visitor:
        visitors.append(Visitor(chromium, str(client.base_url), size, dark))
        return visitors[-1].open(**state)

    yield visit
    for one in visitors:
        one.close()
