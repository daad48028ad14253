"""Processes that compute: what nobody waits for is not begun, what is stopped is replaced, what breaks is told."""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import time

import psutil
import pytest

from afterglow.interfaces.web.pool import Busy, Pool, Stopped, prepare
from afterglow.study.live_facts import default

BODY = json.dumps({"scenario": default(), "people": 8, "coarse": True}).encode()
SLOW = json.dumps({"population": "trd", "weeks": 26}).encode()  # of a plan: many seconds


def _with(pool, work):
    async def main():
        prepare()
        pool.start()
        try:
            return await asyncio.wait_for(work(pool), 60)
        finally:
            pool.close()

    return asyncio.run(main())


def test_what_is_cancelled_while_it_waits_is_never_begun():
    async def work(pool):
        assert (await pool.ask("systems", b"")).status == 200
        told = []
        first = asyncio.create_task(pool.ask("plan", SLOW, lambda *one: told.append(one)))
        while not told:
            await asyncio.sleep(0.01)
        second = asyncio.create_task(pool.ask("run", BODY))
        await asyncio.sleep(0.05)
        assert pool.waiting == 1
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        assert pool.waiting == 0
        worker = next(iter(pool.workers))
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert (await pool.ask("systems", b"")).status == 200
        assert worker not in pool.workers  # it was stopped in the middle of the plan, and another took its place
        assert not worker.process.is_alive()

    _with(Pool(1, 60.0, 4, stops=True), work)


def test_without_stopping_work_is_done_to_its_end():
    async def work(pool):
        await pool.ask("systems", b"")
        worker = next(iter(pool.workers))
        task = asyncio.create_task(pool.ask("run", BODY))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (await pool.ask("run", BODY)).status == 200
        assert pool.workers == {worker}

    _with(Pool(1, 60.0, 4), work)


def test_more_than_may_wait_are_refused():
    async def work(pool):
        tasks = [asyncio.create_task(pool.ask("run", BODY)) for _ in range(8)]
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert any(isinstance(one, Busy) for one in found)
        assert any(not isinstance(one, BaseException) and one.status == 200 for one in found)

    _with(Pool(1, 60.0, 2), work)


def test_a_process_that_dies_is_told_and_replaced():
    async def work(pool):
        await pool.ask("systems", b"")
        running = asyncio.create_task(pool.ask("plan", SLOW))
        await asyncio.sleep(0.2)
        psutil.Process(next(iter(pool.workers)).process.pid).send_signal(signal.SIGKILL)
        with pytest.raises(Stopped):
            await running
        assert (await pool.ask("systems", b"")).status == 200

    _with(Pool(1, 60.0, 4), work)


def test_work_that_takes_too_long_is_stopped():
    async def work(pool):
        await pool.ask("systems", b"")
        with pytest.raises(Stopped):
            await pool.ask("plan", SLOW)
        assert (await pool.ask("systems", b"")).status == 200

    _with(Pool(1, 2.0, 4), work)


@pytest.mark.slow
def test_ctrl_c_ends_the_command_and_all_its_processes():
    command = [sys.executable, "-c", "from afterglow.interfaces.cli import main; main()", "serve", "--no-browser"]
    with contextlib.ExitStack() as stack:
        import socket

        free = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = free.getsockname()[1]
        free.close()
        running = subprocess.Popen([*command, "--port", str(port)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert running.stdout is not None
        assert f"http://127.0.0.1:{port}/" in running.stdout.readline().decode()
        time.sleep(3.0)
        everybody = psutil.Process(running.pid).children(recursive=True)
        assert everybody
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=20)
        assert b"Traceback" not in errors
        _, alive = psutil.wait_procs(everybody, timeout=10)
        assert not alive
