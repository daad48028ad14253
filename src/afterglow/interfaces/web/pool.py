"""Processes that compute: each is warm, takes one question at a time, and can be stopped in the middle of it.

The libraries for this either cannot stop a piece of work (concurrent.futures) or have no way for its progress
(pebble); with one pipe to each process both are simple. Processes are forked from a server that has imported the
simulator and compiled the model, so that one that was stopped is replaced in some hundredths of a second.
"""

from __future__ import annotations

import asyncio
import gzip
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

WARM = "afterglow.interfaces.web.warm"

RETRY_S = 1.0
START_S = 120.0  # until the first process is there: machine code may have to be made first
LEAST_BYTES = 2048  # of an answer that is worth compressing

Tell = Callable[[str, float], None]


class Busy(Exception):
    """Too much is waiting already."""


class Stopped(Exception):
    """The work took too long, or its process ended."""


@dataclass(frozen=True)
class Answer:
    """Status and JSON of an answer; `packed` is the same compressed, made where the answer was made."""

    status: int
    body: bytes
    packed: bytes | None = None


def context() -> Any:
    """How processes are started: from a warm server where the system has that, else from nothing."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload([WARM])
    return found


def prepare() -> None:
    """Start the server of processes, which imports and compiles while this process goes on."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # inherited: matrices are small, and cores are shared
    if context().get_start_method() == "forkserver":
        from multiprocessing import forkserver

        forkserver.ensure_running()


def _serve(pipe: Connection, nice: int) -> None:
    """The life of a process: answer until the other end is closed."""
    from afterglow.interfaces.web import work

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends us
    if nice and hasattr(os, "nice"):
        os.nice(nice)

    def tell(what: str, share: float) -> None:
        pipe.send((what, share))

    while True:
        try:
            kind, body = pipe.recv()
        except EOFError:
            return
        status, found = work.answer(kind, body, tell)
        packed = gzip.compress(found, 1, mtime=0) if len(found) >= LEAST_BYTES else None
        pipe.send(Answer(status, found, packed))


class Worker:
    """One process and the pipe to it."""

    def __init__(self, nice: int) -> None:
        """Starts the process, which may wait for the server to be warm."""
        self.pipe, theirs = multiprocessing.Pipe()
        self.process: BaseProcess = context().Process(target=_serve, args=(theirs, nice), daemon=True)
        self.process.start()
        theirs.close()
        self.asked = False

    def ask(self, kind: str, body: bytes, tell: Tell) -> Answer:
        """Ask and wait; `tell` is called from this thread. An end of the process is an `EOFError` or `OSError`."""
        self.asked = True
        self.pipe.send((kind, body))
        while True:
            found = self.pipe.recv()
            if isinstance(found, Answer):
                self.asked = False
                return found
            tell(*found)

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


class Pool:
    """Some processes of one kind.

    Args:
        workers: how many.
        limit_s: longest time for one piece of work.
        most: how many may wait.
        nice: how much the processes step back behind others.
        stops: whether work that nobody waits for any more is stopped; else it is done to its end.
    """

    def __init__(self, workers: int, limit_s: float, most: int, *, nice: int = 0, stops: bool = False) -> None:
        self.count, self.limit_s, self.most, self.nice, self.stops = workers, limit_s, most, nice, stops
        self.waiting = 0
        self.workers: set[Worker] = set()
        self._free: asyncio.Queue[Worker] = asyncio.Queue()
        self._threads = ThreadPoolExecutor(2 * workers + 1)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    def start(self) -> None:
        """Start the processes; returns at once."""
        for _ in range(self.count):
            self._keep(asyncio.create_task(self._begin()))

    async def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                worker = await loop.run_in_executor(self._threads, Worker, self.nice)
                break
            except (EOFError, OSError):  # the server of processes has ended, and is started again
                await asyncio.sleep(RETRY_S)
        if self._closed:
            worker.stop()
            return
        self.workers.add(worker)
        self._free.put_nowait(worker)

    def _keep(self, task: asyncio.Task[Any]) -> asyncio.Task[Any]:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def ask(self, kind: str, body: bytes, tell: Tell | None = None) -> Answer:
        """Have a piece of work done. Cancelled while it waits, it is never begun.

        Raises:
            Busy: too many wait.
            Stopped: it took longer than the limit, or its process died.
        """
        if self.waiting >= self.most:
            raise Busy
        self.waiting += 1
        try:
            async with asyncio.timeout(self.limit_s if self.workers else START_S):
                worker = await self._free.get()
        except TimeoutError:
            raise Stopped from None
        finally:
            self.waiting -= 1
        running = self._keep(asyncio.create_task(self._run(worker, kind, body, tell)))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            if self.stops:
                running.cancel()
            raise

    async def _run(self, worker: Worker, kind: str, body: bytes, tell: Tell | None) -> Answer:
        loop = asyncio.get_running_loop()

        def heard(what: str, share: float) -> None:
            if tell is not None:
                loop.call_soon_threadsafe(tell, what, share)

        try:
            async with asyncio.timeout(self.limit_s):
                return await loop.run_in_executor(self._threads, worker.ask, kind, body, heard)
        except (TimeoutError, EOFError, OSError) as error:
            raise Stopped from error
        finally:
            if worker.asked:  # it never finished: another takes its place
                self.workers.discard(worker)
                worker.process.kill()
                if not self._closed:
                    self._keep(asyncio.create_task(self._begin()))
            else:
                self._free.put_nowait(worker)

    def close(self) -> None:
        """End all processes."""
        self._closed = True
        for worker in self.workers:
            worker.stop()
        self._threads.shutdown(wait=False)
