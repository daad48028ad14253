"""A visitor of the page in Debian's Chromium, who also sees what the page asks, says and complains about."""

from __future__ import annotations

import base64
import json
import os
import shutil
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Request, Response, expect, sync_playwright

WIDE, PHONE = (1440, 900), (390, 844)
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
MANY = "1,000 virtual people"
REFUSED = "Failed to load resource: the server responded with a status of 4"  # Chromium's own line for any 4xx
PATIENCE_MS = 30_000
CLAIMS: list[dict[str, Any]] = [  # as the server would give them; its own take long
    {"id": "one", "says": "Ketamine works within a day.", "group": "effect", "verdict": "supported",
     "sentence": "Several trials say so.", "model": None,
     "records": [{"citation": "Somebody 2001", "link": "https://doi.org/10.1000/1",
                  "says": "less", "direction": "supports"}]},
    {"id": "two", "says": "It cures for good.", "group": "duration", "verdict": "contradicted",
     "sentence": "Half relapse.", "model": None, "records": []},
    {"id": "three", "says": "It works by one receptor.", "group": "mechanism", "verdict": "open",
     "sentence": "Nobody knows.", "records": [],
     "model": {"value": 5.0, "lo90": 1.0, "hi90": 9.0, "unit": "points", "asked": "difference after a day",
               "scenario": None}},
]  # fmt: skip


def program() -> str:
    """Where Chromium is; without one a test is skipped, or fails where the environment says that it needs one."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if found:
        return found
    why = "no Chromium: apt-get install chromium, or set CHROMIUM to its path"
    if os.environ.get("AFTERGLOW_NEEDS_BROWSER") == "1":
        pytest.fail(why)
    pytest.skip(why)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser. Ends before other tests begin: Playwright keeps an event loop running in this thread meanwhile."""
    path = program()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """One window with no history; `address` is that of the page."""

    def __init__(self, browser: Browser, address: str, size: tuple[int, int] = WIDE, dark: bool = False) -> None:
        self.address = address
        self.phone = size[0] < 600
        self.context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            has_touch=self.phone,
            is_mobile=self.phone,
            accept_downloads=True,
        )
        self.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address.rstrip("/"))
        self.context.set_default_timeout(PATIENCE_MS)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[Request] = []
        self.answers: list[Response] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request))
        self.page.on("response", self._answered)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(REFUSED):
            self.complaints.append(f"{message.type}: {message.text}")

    def _answered(self, response: Response) -> None:
        if response.url.endswith("/api/run") and response.ok:
            self.answers.append(response)

    def open(self, **state: Any) -> Visitor:
        """Open the page, with some of its shared state in the address, and wait for it."""
        self.page.goto(self.address + (f"#{fragment(state)}" if state else ""))
        if state.get("view", "explore") == "explore":
            self.rested()
        else:
            expect(self.page.locator("#view")).to_have_attribute("data-view", state["view"], timeout=PATIENCE_MS)
        return self

    def at(self, testid: str, **data: str) -> Locator:
        """Elements by their data-testid, and further data."""
        more = "".join(f'[data-{key}="{value}"]' for key, value in data.items())
        return self.page.locator(f'[data-testid="{testid}"]{more}')

    def rested(self) -> None:
        """Until the screen shows the last answer, in full."""
        status = self.at("status")
        expect(status).to_have_attribute("data-busy", "false", timeout=PATIENCE_MS)
        expect(status).to_contain_text(MANY, timeout=PATIENCE_MS)

    def answer(self) -> dict[str, Any]:
        """The newest answer of POST /api/run."""
        return self.answers[-1].json()

    def asked(self) -> list[dict[str, Any]]:
        """What was asked of POST /api/run."""
        return [json.loads(one.post_data or "") for one in self.requests if one.url.endswith("/api/run")]

    def state(self, holds: Callable[[dict[str, Any]], bool] = bool) -> dict[str, Any]:
        """The shared state in the address, once it is as wanted."""
        found: dict[str, Any] = {}

        def fits() -> bool:
            nonlocal found
            found = held(self.page.url)
            return bool(found) and holds(found)

        until(fits, self)
        return found

    def rows(self) -> list[tuple[float, float, float]]:
        """Day, dose and minutes of each row of the course table."""
        values = self.at("course-row").evaluate_all(
            "rows => rows.map(r => [...r.querySelectorAll('input')].map(i => +i.value))"
        )
        return [(day, dose, minutes) for day, dose, minutes in values]

    def panel(self, name: str) -> dict[str, float]:
        """Median and 90 % interval that the head of a panel says."""
        text = self.at("panel", name=name).locator(".panel-value").inner_text()
        head, interval = text.split("90 %:")
        lo, hi = interval.split(" to ")
        return {"median": numeral(head.split()[0]), "lo90": numeral(lo), "hi90": numeral(hi.split(",")[0])}

    def chain(self) -> dict[str, int]:
        """How far each part is lit, percent."""
        parts = self.at("chain-part").evaluate_all(
            "all => all.map(one => [one.dataset.key, one.querySelector('.chain-share').textContent])"
        )
        return {key: int(text.split("\u202f")[0]) for key, text in parts}

    def close(self) -> None:
        """Leave, and say what the page complained about and what it asked of others."""
        self.context.close()
        assert not self.complaints, self.complaints
        ours = (self.address, "data:", f"blob:{self.address}")
        assert not [one.url for one in self.requests if not one.url.startswith(ours)]


def until(holds: Callable[[], bool], visitor: Visitor, seconds: float = PATIENCE_MS / 1000) -> None:
    """Wait while the page works."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come"
        visitor.page.wait_for_timeout(30)


def fragment(state: dict[str, Any]) -> str:
    """The address's fragment that holds this state: compressed JSON in base64url."""
    squeezed = zlib.compressobj(wbits=-15)
    data = squeezed.compress(json.dumps(state).encode()) + squeezed.flush()
    return "s=" + base64.urlsafe_b64encode(data).decode().rstrip("=")


def held(address: str) -> dict[str, Any]:
    """The state that an address holds."""
    _, _, text = address.partition("#s=")
    if not text:
        return {}
    return json.loads(zlib.decompress(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), wbits=-15))


def numeral(text: str) -> float:
    """A number as the page writes it."""
    return float(text.strip().replace("−", "-").replace(",", "").replace("\u202f", ""))


def same(shown: float, value: float, digits: int = 3) -> bool:
    """Whether what is shown is the value, rounded to so many significant digits (or six places)."""
    size = 0 if value == 0 else int(np.floor(np.log10(abs(value))))
    places = min(6, max(0, digits - 1 - size))
    return abs(shown - value) <= 0.5 * 10.0**-places * (1 + 1e-6)


def at_time(answer: dict[str, Any], values: list[float], hours: float) -> float:
    """A curve of an answer at a moment, straight between its times."""
    return float(np.interp(hours, answer["time_h"], values))
