"""Finished tasks on disk: they count only when whole, and come out in the order asked for."""

import random
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from afterglow.interfaces import parts as module
from afterglow.interfaces import unfinished
from afterglow.interfaces.parts import Parts
from afterglow.study.work import Task, each

KEYS = [f"low/dose: {k}" for k in range(10)]


def tables_of(k, rows=5):
    at = np.arange(rows) + rows * k
    return {
        "scores": pd.DataFrame({"patient": at, "value": at / 3, "arm": f"arm {k}"}),
        "events": pd.DataFrame({"patient": at[:1], "kind": ["drop-out"]}),
    }


def counted(argument):
    """A task that leaves a trace each time it is done."""
    k, folder = argument
    with (Path(folder) / f"{k}.count").open("a") as trace:
        trace.write("x")
    return tables_of(k)


def filled(folder, order=tuple(range(10))):
    parts = Parts(folder)
    for k in order:
        parts.keep(KEYS[k], tables_of(k))
    return parts


def test_what_is_kept_is_read_back_in_the_order_asked_for(tmp_path):
    parts = filled(tmp_path / "parts", order=random.Random(1).sample(range(10), 10))
    expected = pd.concat([tables_of(k)["scores"] for k in range(10)], ignore_index=True)
    pd.testing.assert_frame_equal(parts.read("scores", KEYS), expected)
    turned = [table["patient"][0].as_py() for table in parts.tables("scores", KEYS[::-1])]
    assert turned == sorted(turned, reverse=True)
    assert parts.done() == set(KEYS)


def test_keys_need_not_be_file_names(tmp_path):
    keys = ["a/b", "a_b", "A_B", "..", "", "x" * 300, "a\nb", "é", "con"]
    parts = Parts(tmp_path / "parts")
    for k, key in enumerate(keys):
        parts.keep(key, tables_of(k))
    assert parts.done() == set(keys)
    for k, key in enumerate(keys):
        pd.testing.assert_frame_equal(parts.read("scores", [key]), tables_of(k)["scores"])
    assert [path.name for path in tmp_path.iterdir()] == ["parts"]
    names = [path.name.lower() for path in (tmp_path / "parts").iterdir()]
    assert len(names) == len(set(names)) == 3 * len(keys)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-5])


def flip(path):
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(bytes(body))


@pytest.mark.parametrize("damage", [truncate, flip, Path.unlink])
@pytest.mark.parametrize("kind", ["*.scores.parquet", "*.events.parquet", "*.done"])
def test_a_damaged_part_does_not_count(tmp_path, damage, kind):
    folder = tmp_path / "parts"
    parts = filled(folder, order=(0, 1))
    victim = next(path for path in folder.glob(kind) if path.name.startswith("low_dose_0"))
    if kind == "*.done" and damage is flip:
        victim.write_text("{}")
    else:
        damage(victim)
    assert parts.done() == {KEYS[1]}
    parts.keep(KEYS[0], tables_of(0))
    assert parts.done() == {KEYS[0], KEYS[1]}


def test_a_task_stopped_while_it_is_written_does_not_count(tmp_path, monkeypatch):
    parts = filled(tmp_path / "parts", order=(0,))
    write = pq.write_table

    def stops(table, where, **how):
        if "events" in str(where):
            raise KeyboardInterrupt
        write(table, where, **how)

    monkeypatch.setattr(pq, "write_table", stops)
    with pytest.raises(KeyboardInterrupt):
        parts.keep(KEYS[1], tables_of(1))
    assert parts.done() == {KEYS[0]}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_resumed_run_does_only_what_is_missing_and_gives_the_same_bytes(tmp_path, workers):
    tasks = [Task(KEYS[k], (k, str(tmp_path))) for k in range(10)]
    out, settings = tmp_path / "result", {"seed": 1}

    def run(*, resume, stop_after=None):
        assert unfinished.faults(out, settings, force=False, resume=resume) == []
        parts = Parts(unfinished.begin(out, settings, resume=resume) / "parts")
        done = parts.done()
        running = each(counted, (task for task in tasks if task.key not in done), workers=workers)
        for count, (task, tables) in enumerate(running, start=1):
            parts.keep(task.key, tables)
            if count == stop_after:
                running.close()
        return parts, done

    run(resume=False, stop_after=4)
    for trace in tmp_path.glob("*.count"):
        trace.unlink()
    parts, done = run(resume=True)
    assert len(done) == 4
    again = {int(trace.stem): trace.read_text() for trace in tmp_path.glob("*.count")}
    assert again == {k: "x" for k in range(10) if KEYS[k] not in done}
    straight = filled(tmp_path / "straight")
    for one in (parts, straight):
        one.write_partitioned("scores", KEYS, one.folder / "out")
    assert bytes_below(parts.folder / "out") == bytes_below(straight.folder / "out")


def bytes_below(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_files_and_row_groups_are_cut_by_rows_and_hold_every_row_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "GROUP_ROWS", 12)
    monkeypatch.setattr(module, "FILE_ROWS", 30)
    parts = filled(tmp_path / "parts")
    files = parts.write_partitioned("scores", KEYS, tmp_path / "out")
    assert [path.relative_to(tmp_path).as_posix() for path in files] == [
        "out/scores/part-000000.parquet",
        "out/scores/part-000001.parquet",
    ]
    made = [pq.ParquetFile(path).metadata for path in files]
    assert [[one.row_group(k).num_rows for k in range(one.num_row_groups)] for one in made] == [[15, 15], [15, 5]]
    whole = pq.read_table(tmp_path / "out" / "scores").to_pandas()
    pd.testing.assert_frame_equal(whole, parts.read("scores", KEYS))


def test_types_are_those_that_hold_the_values_of_all_tasks(tmp_path):
    parts = Parts(tmp_path / "parts")
    nothing = pd.DataFrame({"patient": [], "visit": pd.Series([], dtype=object), "n": []})
    whole = pd.DataFrame({"patient": [1, 2], "visit": ["day 1", None], "n": [3, 4]})
    halves = pd.DataFrame({"patient": [3], "visit": [None], "n": [0.5], "extra": ["late"]})
    for key, table in zip("abc", (nothing, whole, halves), strict=True):
        parts.keep(key, {"one": table})
    [file] = parts.write_partitioned("one", "abc", tmp_path / "out")
    for found in (pq.read_table(file).to_pandas(), parts.read("one", "abc")):
        assert found["patient"].tolist() == [1, 2, 3]
        assert found["visit"].tolist() == ["day 1", None, None]
        assert found["n"].tolist() == [3.0, 4.0, 0.5]
        assert found["extra"].tolist() == [None, None, "late"]


def test_known_columns_carry_their_units_and_unknown_ones_pass(tmp_path):
    parts = Parts(tmp_path / "parts")
    parts.keep("a", {"one": pd.DataFrame({"time_h": [24.0], "never_heard_of": [1]})})
    [file] = parts.write_partitioned("one", ["a"], tmp_path / "out")
    for schema in (next(parts.tables("one", ["a"])).schema, pq.read_schema(file)):
        assert schema.field("time_h").metadata[b"unit"] == b"h"
        assert schema.field("never_heard_of").metadata[b"unit"] == b""


def test_without_tasks_there_are_no_files(tmp_path):
    parts = Parts(tmp_path / "parts")
    assert parts.done() == set()
    assert parts.read("scores", []).empty
    assert parts.write_partitioned("scores", [], tmp_path / "out") == []


def test_a_task_that_is_not_done_cannot_be_read(tmp_path):
    parts = filled(tmp_path / "parts", order=(0,))
    with pytest.raises(FileNotFoundError):
        parts.read("scores", KEYS[:2])
    with pytest.raises(FileNotFoundError):
        parts.write_partitioned("scores", KEYS[:2], tmp_path / "out")
