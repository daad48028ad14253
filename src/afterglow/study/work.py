"""Many independent pieces of work: in this process, in worker processes, or on a Dask cluster.

A piece is a pure function of a small argument. Where it runs, in what order, and whether it had to be done twice does
therefore not show in its result.

Worker processes are started afresh ("spawn"): a script that asks for them keeps its own calls under
`if __name__ == "__main__":`. Each has one thread. Dask workers that somebody else starts should too
(`dask worker ADDRESS --nthreads 1`), and need the same version of afterglow as this process.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import pickle
import signal
import traceback
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import islice
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any, TypeVar, cast

from afterglow.errors import AfterglowError, Fault, InputError

if TYPE_CHECKING:
    from distributed import Client, Future

R = TypeVar("R")
TRIES = 3  # deaths of workers that one task may cause
ANSWERS_WITHIN = 5  # seconds for a scheduler to answer
AHEAD = 2  # tasks on a cluster for each thread there, so that none waits for the next task
AT_LEAST = 64  # tasks on a cluster; its workers may still be on their way
ONE_THREAD = {"AFTERGLOW_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
SILENT = logging.CRITICAL + 1


@dataclass(frozen=True)
class Task:
    """One piece of work: the name by which its result is kept, and what the function gets. Both travel by pickle."""

    key: str
    argument: Any


def each(
    function: Callable[[Any], R],
    tasks: Iterable[Task],
    *,
    workers: int = 1,
    cluster: str | None = None,
    warm: Callable[[], object] | None = None,
) -> Generator[tuple[Task, R], None, None]:
    """Do all tasks and yield each with its result as it is finished, in any order.

    Tasks are taken from the iterable when there is room for them, and a result is held only until it is yielded.
    Closing the generator early, an exception and Ctrl-C all stop the workers.

    Args:
        function: A pure function that workers can import.
        tasks: May be an iterator of any length.
        workers: Processes on this machine; 1 is this process itself.
        cluster: Address of a Dask scheduler such as `tcp://10.0.0.1:8786`, whose workers are then used whatever
            `workers` says; or "local" for a Dask cluster of `workers` processes on this machine.
        warm: Called once in every process before its first task.

    Raises:
        InputError: `workers` or `cluster` is wrong, Dask is not installed, or the scheduler does not answer.
        AfterglowError: A task cost the lives of three worker processes (of as many as the scheduler allows, on a
            cluster that somebody else started), or the cluster was lost.
        Exception: What `function` raised.
    """
    if workers < 1:
        raise InputError(Fault("--workers", f"{workers} workers", "at least 1"))
    if cluster is not None:
        yield from _on_cluster(function, tasks, workers, cluster, warm)
    elif workers > 1:
        yield from _in_processes(function, tasks, workers, warm)
    else:
        for task in tasks:
            yield task, _do(function, warm, task)


def _do(function: Callable[[Any], R], warm: Callable[[], object] | None, task: Task) -> R:
    if warm is not None:
        _once(warm)
    return function(task.argument)


@cache
def _once(warm: Callable[[], object]) -> None:
    warm()


# Processes of this machine. One pipe to each, so that a death is laid to the task that was being done, and so that a
# worker whose parent is gone finds its pipe closed and ends.


def _in_processes(
    function: Callable[[Any], R], tasks: Iterable[Task], workers: int, warm: Callable[[], object] | None
) -> Iterator[tuple[Task, R]]:
    waiting = iter(tasks)
    pool: list[_Worker] = []
    try:
        for task in islice(waiting, workers):
            pool.append(_Worker(function, warm))
            pool[-1].give(task)
        while busy := [worker for worker in pool if worker.task]:
            ready = wait([worker.pipe for worker in busy])
            finished = []
            for worker in busy:
                if worker.pipe in ready and (answer := worker.answer()) is not None:
                    finished.append(answer)
                    worker.give(next(waiting, None))  # before the results are looked at, which may take a while
            for task, good, result in finished:
                if not good:
                    raise result
                yield task, result
    finally:
        for worker in pool:
            worker.stop()


class _Worker:
    """A process that does one task after another, and is made anew when it dies."""

    def __init__(self, function: Callable[[Any], Any], warm: Callable[[], object] | None) -> None:
        self.function, self.warm = function, warm
        self.task: Task | None = None
        self.deaths = 0
        self._start()

    def give(self, task: Task | None) -> None:
        self.task, self.deaths = task, 0
        if task is not None:
            self._send()

    def answer(self) -> tuple[Task, bool, Any] | None:
        """The task, whether it went well, and its result or exception; None when it has to be done again."""
        assert self.task is not None
        try:
            answer = self.pipe.recv_bytes()
        except (EOFError, OSError):
            return self._again(self.task)
        return (self.task, *pickle.loads(answer))

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()

    def _again(self, task: Task) -> None:
        self.stop()
        self.deaths += 1
        if self.deaths == TRIES:
            raise AfterglowError(
                f"task '{task.key}': {TRIES} worker processes died of it, the last with exit code "
                f"{self.process.exitcode} (-9: killed, often because memory ran out; fewer workers need less)"
            )
        self._start()
        self._send()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self.function, self.warm), daemon=True)
        with _environment(ONE_THREAD):  # inherited, as libraries read it when they are loaded
            process.start()
        theirs.close()
        self.pipe, self.process = ours, process

    def _send(self) -> None:
        with suppress(OSError):  # it has died already: `answer` will find out
            self.pipe.send(self.task)


def _serve(pipe: Connection, function: Callable[[Any], Any], warm: Callable[[], object] | None) -> None:
    """What a worker process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the parent ends this one
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        try:
            answer = pickle.dumps((True, _do(function, warm, task)))
        except Exception as error:
            answer = pickle.dumps((False, _portable(error)))
        try:
            pipe.send_bytes(answer)
        except OSError:  # the parent is gone
            return


def _portable(error: Exception) -> Exception:
    """The exception with the place where it arose; one that does not survive pickling is put into words."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return AfterglowError("".join(traceback.format_exception(error)))
    error.add_note("In a worker process:\n" + "".join(traceback.format_exception(error)))
    return error


@contextmanager
def _environment(more: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in more}
    os.environ.update(more)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


# Dask


def _on_cluster(
    function: Callable[[Any], R],
    tasks: Iterable[Task],
    workers: int,
    address: str,
    warm: Callable[[], object] | None,
) -> Iterator[tuple[Task, R]]:
    with _client(address, workers) as client:
        from distributed import as_completed

        waiting = iter(tasks)
        running: dict[Hashable, Task] = {}
        futures = as_completed()

        def submit() -> None:
            for task in islice(waiting, max(0, _room(client) - len(running))):
                # not `pure`: equal names would be given the result of an earlier run
                future = client.submit(_on_worker, function, warm, task, pure=False)
                running[future.key] = task
                futures.add(future)

        submit()
        for future in futures:
            task = running.pop(future.key)
            submit()
            yield task, _result(future, task)


def _room(client: Client) -> int:
    """How many tasks the cluster takes at present; workers come and go."""
    try:
        threads = cast("dict[str, int]", client.nthreads())
    except OSError as error:
        raise AfterglowError(f"the Dask cluster was lost: {error}") from error
    return max(AT_LEAST, AHEAD * sum(threads.values()))


def _on_worker(function: Callable[[Any], R], warm: Callable[[], object] | None, task: Task) -> R:
    os.environ.setdefault("AFTERGLOW_THREADS", "1")
    return _do(function, warm, task)


def _result(future: Future, task: Task) -> Any:
    from distributed import KilledWorker
    from distributed.client import FutureCancelledError

    try:
        return future.result()
    except KilledWorker as error:
        raise AfterglowError(f"task '{task.key}': the workers that tried it died ({error})") from error
    except FutureCancelledError as error:
        raise AfterglowError(f"the Dask cluster was lost: {error}") from error
    finally:
        future.release()


@contextmanager
def _client(address: str, workers: int) -> Iterator[Client]:
    """A connection to a cluster, which is started first where it is a local one; both are closed at the end."""
    try:
        from distributed import Client, LocalCluster
        from distributed.utils import LoopRunner, silence_logging_cmgr
    except ModuleNotFoundError as error:
        remedy = 'pip install "afterglow[cluster]"'
        raise InputError(Fault("--cluster", f"this needs {error.name}, which is not installed", remedy)) from error
    with ExitStack() as stack:
        stack.enter_context(silence_logging_cmgr(SILENT))
        if address == "local":
            settings: dict[str, Any] = {
                "n_workers": workers,
                "threads_per_worker": 1,
                "env": ONE_THREAD,
                "scheduler_kwargs": {"allowed_failures": TRIES - 1},
                "dashboard_address": "127.0.0.1:0",  # else a port that may be taken
                "silence_logs": SILENT,
            }
            yield stack.enter_context(Client(stack.enter_context(LocalCluster(**settings))))
            return
        try:
            LoopRunner().run_sync(_knock, address)
        except Exception as error:  # of any kind: something else may listen there and answer anything
            problem = f"no Dask scheduler answers at '{address}' ({type(error).__name__}: {error})"
            remedy = "an address like tcp://10.0.0.1:8786 of a running `dask scheduler`, or local"
            raise InputError(Fault("--cluster", problem, remedy)) from error
        yield stack.enter_context(Client(address))


async def _knock(address: str) -> None:
    """Connect and leave again: a `Client` that finds nobody complains when Python collects it."""
    from distributed.comm.core import connect

    async with asyncio.timeout(ANSWERS_WITHIN + 1):  # `connect` waits for ever for one that says nothing
        comm = await connect(address, timeout=ANSWERS_WITHIN)
    await comm.close()
