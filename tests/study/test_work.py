"""Independent work: the same results in this process, in worker processes and on a cluster, whatever dies."""

import contextlib
import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from afterglow import streams
from afterglow.errors import AfterglowError, Fault, InputError
from afterglow.study import work
from afterglow.study.work import Task, each

TASKS = [Task(f"block-{k}", k) for k in range(12)]


def draws(block):
    """What a task of a trial is like: numbers by a keyed stream."""
    return streams.normal(7, 0, range(8 * block, 8 * block + 8), "work")


def draws_slowly(block):
    time.sleep(0.1)
    return draws(block)


def process(_):
    return os.getpid()


def environment(_):
    return {name: os.environ.get(name) for name in work.ONE_THREAD}


def dies_the_first_time(marker):
    if marker and not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return marker


def dies(argument):
    if argument == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.01)
    return argument


def refuses(_):
    raise InputError([Fault("a", "is wrong", "leave it"), Fault("b", "is wrong too")])


def divides(number):
    return 1 / number


class Stubborn(Exception):
    """Does not survive pickling."""

    def __init__(self, number, text):
        super().__init__(f"{text} {number}")


def stubborn(number):
    raise Stubborn(number, "the answer is")


def slow(seconds):
    time.sleep(seconds)
    return os.getpid()


def tasks_held(dask_scheduler):
    return len(dask_scheduler.tasks)


def note_process():
    with Path(os.environ["NOTES"]).open("a") as notes:
        notes.write(f"{os.getpid()}\n")


def results(function, tasks=TASKS, **how):
    found = {task.key: result for task, result in each(function, tasks, **how)}
    assert set(found) == {task.key for task in tasks}
    return found


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)


def alive(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[1].split()[0] != "Z"
    return False


def wait_until_dead(pids, seconds=20.0):
    end = time.monotonic() + seconds
    while any(map(alive, pids)) and time.monotonic() < end:
        time.sleep(0.05)
    return not any(map(alive, pids))


def test_worker_processes_give_the_same_numbers_as_this_process():
    assert same(results(draws, workers=1), results(draws, workers=2))


def test_one_worker_is_this_process_and_two_are_others():
    assert set(results(process).values()) == {os.getpid()}
    others = set(results(process, workers=2).values())
    assert os.getpid() not in others
    assert 1 <= len(others) <= 2


def test_worker_processes_have_one_thread_and_this_process_keeps_its_environment(monkeypatch):
    monkeypatch.setenv("AFTERGLOW_THREADS", "5")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = dict(os.environ)
    found = results(environment, TASKS[:2], workers=2)
    assert all(one == work.ONE_THREAD for one in found.values())
    assert dict(os.environ) == before


def test_a_killed_worker_costs_its_task_only_a_second_try(tmp_path):
    marker = str(tmp_path / "was-killed")
    tasks = [Task(f"t{k}", marker if k == 2 else "") for k in range(6)]
    found = results(dies_the_first_time, tasks, workers=2)
    assert Path(marker).exists()
    assert found == {task.key: task.argument for task in tasks}


def running_children() -> set[int | None]:
    """Other tests of this process may have a server with workers of its own."""
    return {child.pid for child in multiprocessing.active_children()}


def test_the_task_that_kills_every_worker_is_named():
    tasks = [Task(f"t{k}", "deadly" if k == 3 else "") for k in range(40)]
    before = running_children()
    with pytest.raises(AfterglowError, match=r"task 't3'.*-9"):
        results(dies, tasks, workers=2)
    assert running_children() == before


@pytest.mark.parametrize("workers", [1, 2])
def test_faults_of_a_user_come_back_whole(workers):
    with pytest.raises(InputError) as caught:
        results(refuses, workers=workers)
    assert [fault.place for fault in caught.value.faults] == ["a", "b"]
    assert str(caught.value) == "a: is wrong (leave it)\nb: is wrong too"


def test_an_exception_stops_the_run_and_says_where_it_arose():
    before = running_children()
    with pytest.raises(ZeroDivisionError) as caught:
        results(divides, TASKS, workers=2)
    assert "return 1 / number" in "".join(caught.value.__notes__)
    assert running_children() == before


def test_an_exception_that_cannot_travel_is_put_into_words():
    with pytest.raises(AfterglowError, match="the answer is 0"):
        results(stubborn, TASKS[:1], workers=2)


def test_tasks_are_taken_when_there_is_room_for_them():
    taken = itertools.count()
    endless = (Task(str(k), k) for k in taken)
    running = each(process, endless, workers=2)
    for _ in itertools.islice(running, 20):
        pass
    running.close()
    assert next(taken) <= 20 + 2 * 2


def test_closing_early_ends_the_workers():
    before = running_children()
    running = each(process, TASKS, workers=2)
    next(running)
    children = running_children() - before
    assert len(children) == 2
    running.close()
    assert running_children() == before
    assert not any(map(alive, children))


def test_workers_are_warmed_once_each(tmp_path, monkeypatch):
    notes = tmp_path / "notes"
    monkeypatch.setenv("NOTES", str(notes))
    used = set(results(process, workers=2, warm=note_process).values())
    assert sorted(map(int, notes.read_text().split())) == sorted(used)


def test_no_workers_is_refused():
    with pytest.raises(InputError, match="--workers"):
        results(process, workers=0)


# A program that is stopped from outside; it says which processes work for it.
PROGRAM = """
import multiprocessing
from afterglow.study.work import Task, each
from test_work import slow

if __name__ == "__main__":
    tasks = [Task(str(k), SECONDS if k > 1 else 0.0) for k in range(8)]
    for count, _ in enumerate(each(slow, tasks, HOW)):
        if count == 1:
            print(*[child.pid for child in multiprocessing.active_children()], flush=True)
"""
reads_proc = pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads the state of processes from /proc")


def start(tmp_path, seconds, how):
    script = tmp_path / "program.py"
    script.write_text(PROGRAM.replace("SECONDS", str(seconds)).replace("HOW", how))
    program = subprocess.Popen(
        [sys.executable, script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert program.stdout is not None
    children = [int(word) for word in program.stdout.readline().split()]
    assert len(children) == 2
    return program, children


@reads_proc
@pytest.mark.parametrize("how", ["workers=2", pytest.param("workers=2, cluster='local'", marks=pytest.mark.slow)])
def test_ctrl_c_ends_everything_quickly_and_quietly(tmp_path, how):
    program, children = start(tmp_path, 600.0, how)
    os.killpg(program.pid, signal.SIGINT)  # as a terminal does: to all processes
    _, said = program.communicate(timeout=60)
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert said.count("Traceback") == 1
    assert wait_until_dead(children)


@reads_proc
def test_workers_end_when_their_parent_is_killed(tmp_path):
    program, children = start(tmp_path, 0.5, "workers=2")
    program.kill()
    assert wait_until_dead(children)
    _, said = program.communicate()
    assert said == ""


# Dask


def test_without_dask_the_remedy_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r'pip install "afterglow\[cluster\]"'):
        results(draws, cluster="local")


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "somewhere", "smoke://127.0.0.1:9"])
def test_an_address_that_does_not_answer_is_a_fault_of_the_user(address, monkeypatch, capfd):
    pytest.importorskip("distributed")
    monkeypatch.setattr(work, "ANSWERS_WITHIN", 0.3)
    with pytest.raises(InputError, match=f"--cluster: no Dask scheduler answers at '{address}'"):
        results(draws, cluster=address)
    assert capfd.readouterr() == ("", "")


@pytest.fixture(scope="module")
def three_workers():
    """A Dask cluster that somebody else has started."""
    distributed = pytest.importorskip("distributed")
    settings = {
        "n_workers": 3,
        "threads_per_worker": 1,
        "dashboard_address": "127.0.0.1:0",
        "silence_logs": work.SILENT,
    }
    with distributed.LocalCluster(**settings) as cluster:
        yield cluster


@pytest.mark.slow
def test_a_cluster_gives_the_same_numbers_though_a_worker_is_killed(three_workers, capfd):
    tasks = [Task(str(k), k) for k in range(40)]
    running = each(draws_slowly, tasks, cluster=three_workers.scheduler_address)
    found = {}
    with three_workers.get_client() as client:
        before = set(client.run(os.getpid).values())
        for task, result in running:
            found[task.key] = result
            if len(found) == 5:
                os.kill(min(before), signal.SIGKILL)
        after = set(client.run(os.getpid).values())
    assert len(before) == 3
    assert min(before) not in after
    assert same(found, results(draws, tasks))
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_cluster_brings_exceptions_back_and_goes_on_working(three_workers):
    with pytest.raises(InputError) as caught:
        results(refuses, cluster=three_workers.scheduler_address)
    assert [fault.place for fault in caught.value.faults] == ["a", "b"]
    assert same(results(draws), results(draws, cluster=three_workers.scheduler_address))


@pytest.mark.slow
def test_closing_early_leaves_a_strangers_cluster_empty_and_running(three_workers):
    running = each(slow, [Task(str(k), 0.05) for k in range(400)], cluster=three_workers.scheduler_address)
    next(running)
    running.close()
    with three_workers.get_client() as client:
        wait = time.monotonic() + 10
        while client.run_on_scheduler(tasks_held) and time.monotonic() < wait:
            time.sleep(0.05)
        assert client.run_on_scheduler(tasks_held) == 0
        assert len(client.nthreads()) == 3


@pytest.mark.slow
def test_a_local_cluster_is_closed_and_names_the_task_that_kills_every_worker(capfd):
    pytest.importorskip("distributed")
    before = running_children()
    tasks = [Task(f"t{k}", "deadly" if k == 3 else "") for k in range(4)]
    with pytest.raises(AfterglowError, match=r"task 't\d'.*died"):
        results(dies, tasks, workers=2, cluster="local")
    assert running_children() == before
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_cluster_that_goes_away_ends_the_run():
    distributed, dask = pytest.importorskip("distributed"), pytest.importorskip("dask")
    settings = {
        "n_workers": 1,
        "threads_per_worker": 1,
        "dashboard_address": "127.0.0.1:0",
        "silence_logs": work.SILENT,
    }
    with dask.config.set({"distributed.comm.timeouts.connect": "2s"}):
        with distributed.LocalCluster(**settings) as cluster:
            running = each(slow, [Task(str(k), 0.05) for k in range(400)], cluster=cluster.scheduler_address)
            next(running)
        with pytest.raises(AfterglowError, match="cluster was lost"):
            list(running)
