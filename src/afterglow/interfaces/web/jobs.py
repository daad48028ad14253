"""Long pieces of work: begun, told about as server-sent events, cancelled; nothing of them is kept for long.

A job that nobody listens to is stopped: whoever closed the page does not want it any more.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from afterglow.errors import Fault
from afterglow.interfaces.web.guard import told
from afterglow.interfaces.web.pool import Busy, Pool, Stopped

ALONE_S = 10.0  # without a listener until it is cancelled
KEPT_S = 300.0  # of a result nobody has fetched
MOST_KEPT = 32  # finished jobs
HEARTBEAT_S = 2.0
LOOK_S = 0.5


@dataclass(eq=False)
class Job:
    """One piece of work, and what is known of it."""

    id: str
    what: str = "waiting"
    share: float = 0.0
    end: tuple[str, bytes] | None = None  # name and data of the last event
    listeners: int = 0
    alone_since: float = field(default_factory=time.monotonic)
    version: int = 0
    task: asyncio.Task[None] | None = None
    _bell: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, what: str, share: float) -> None:
        """Progress."""
        self.what, self.share = what, min(max(share, 0.0), 1.0)
        self._ring()

    def finish(self, name: str, data: bytes) -> None:
        """The last event."""
        self.end = name, data
        self._ring()

    def _ring(self) -> None:
        self.version += 1
        self._bell.set()
        self._bell = asyncio.Event()

    async def events(self) -> AsyncIterator[bytes]:
        """The job as server-sent events, until its end."""
        self.listeners += 1
        seen = -1
        try:
            while True:
                if self.version != seen:
                    seen = self.version
                    if self.end is not None:
                        yield event(*self.end)
                        return
                    yield event("progress", json.dumps({"share": round(self.share, 4), "what": self.what}).encode())
                try:
                    async with asyncio.timeout(HEARTBEAT_S):
                        await self._bell.wait()
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            self.listeners -= 1
            self.alone_since = time.monotonic()


def event(name: str, data: bytes) -> bytes:
    """One server-sent event; `data` is JSON without line breaks."""
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


class Jobs:
    """All jobs of the server.

    Args:
        pool: where they are done; it stops work that is cancelled.
        most: how many may wait or run.
    """

    def __init__(self, pool: Pool, most: int) -> None:
        self.pool, self.most = pool, most
        self._jobs: dict[str, Job] = {}
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look after the jobs."""
        self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Cancel everything."""
        tasks = [self._watching, *(job.task for job in self._jobs.values())]
        for task in tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)

    def begin(self, kind: str, body: bytes) -> Job:
        """A new job; `Busy` where too many are waiting or running."""
        if sum(job.end is None for job in self._jobs.values()) >= self.most:
            raise Busy
        job = Job(secrets.token_urlsafe(16))
        self._jobs[job.id] = job
        job.task = asyncio.create_task(self._do(job, kind, body))
        return job

    def get(self, name: str) -> Job | None:
        """The job of this id."""
        return self._jobs.get(name)

    def cancel(self, job: Job) -> None:
        """Stop a job, whether it waits or runs, and forget it."""
        self._jobs.pop(job.id, None)
        if job.task is not None:
            job.task.cancel()

    async def _do(self, job: Job, kind: str, body: bytes) -> None:
        try:
            found = await self.pool.ask(kind, body, job.tell)
        except asyncio.CancelledError:
            job.finish("cancelled", b"{}")
        except (Busy, Stopped) as error:
            job.finish("failed", faults(stopped(error, self.pool)))
        else:
            fine = found.status == 200
            job.finish("done" if fine else "failed", b'{"result":' + found.body + b"}" if fine else found.body)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            now = time.monotonic()
            ended = [job for job in self._jobs.values() if job.end is not None]
            for job in list(self._jobs.values()):
                alone = now - job.alone_since if not job.listeners else 0.0
                if alone > (ALONE_S if job.end is None else KEPT_S):
                    self.cancel(job)
            for job in ended[: max(0, len(ended) - MOST_KEPT)]:
                self._jobs.pop(job.id, None)


def stopped(error: Exception, pool: Pool) -> Fault:
    """Why there is no answer."""
    if isinstance(error, Busy):
        return Fault("server", "too much is waiting", "ask again in a moment")
    problem = f"took longer than {pool.limit_s:g} s, or its process ended"
    return Fault("server", problem, "ask for less: fewer people, weeks or replicates")


def faults(*found: Fault) -> bytes:
    """Faults as JSON."""
    body: dict[str, Any] = {"faults": told(found)}
    return json.dumps(body).encode()
