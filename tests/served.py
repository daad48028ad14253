"""The page's server on a free port, in a thread, for tests that ask it as a browser does."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn

from afterglow.interfaces.serve_command import _listen
from afterglow.interfaces.web import pool
from afterglow.interfaces.web.app import Settings, create
from afterglow.interfaces.web.guard import Door

HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
ENDLESS = (1e6, 1e6)
RATES = dict.fromkeys(("all", "run", "other", "job"), ENDLESS)


def settings(**changed: Any) -> Settings:
    """Settings of a server that takes as many requests as a test sends."""
    known: dict[str, Any] = {"door": Door(HOSTS), "workers": 1, "rates": dict(RATES)}
    return Settings(**(known | changed))


@contextmanager
def serving(asked: Settings) -> Iterator[httpx.Client]:
    """A client of a running server."""
    pool.prepare()
    listening = _listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(create(asked), log_level="warning", ws="none", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
