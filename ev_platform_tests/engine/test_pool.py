"""The adapter: order, names of what failed, worker processes that die."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ev_platform.engine import pool
from ev_platform.engine.items import TaskError, WorkItem
from ev_platform.engine.pool import map_items
from ev_platform.engine.receipts import CompactionReceipt, TableReceipt


def items(*vins):
    return [WorkItem("lake", "2026-11-02", (vin,)) for vin in vins]


def name_of(item):
    time.sleep(0.05 if item.vehicles == ("A",) else 0)
    return item.vehicles[0]


def fail_at_b(item):
    if item.vehicles == ("B",):
        raise ValueError("no good")
    return item.vehicles[0]


def die_at_b(item):
    if item.vehicles == ("B",) and not Path(item.lake_url).exists():
        Path(item.lake_url).touch()
        os._exit(1)
    return item.vehicles[0]


def where(item):
    import polars
    import pyarrow

    return os.getpid(), polars.thread_pool_size(), pyarrow.cpu_count()


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_items(workers):
    assert list(map_items(name_of, items(*"ABCDEF"), workers)) == list("ABCDEF")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failed_item_names_its_vehicles(workers):
    results = map_items(fail_at_b, items(*"ABC"), workers)
    assert next(results) == "A"
    with pytest.raises(TaskError, match="2026-11-02, B: ValueError: no good"):
        list(results)


def test_one_item_or_one_worker_starts_no_process(monkeypatch):
    monkeypatch.setattr(pool, "_pool", lambda workers: pytest.fail("a pool was started"))
    assert [result[0] for result in map_items(where, items("A"), 4)] == [os.getpid()]
    assert [result[0] for result in map_items(where, items("A", "B"), 1)] == [os.getpid()] * 2
    assert list(map_items(where, [], 4)) == []


def test_workers_are_kept_and_use_one_thread_each():
    """In a process of its own: another test may have told the fork server to load Polars, which counts CPUs once."""
    code = (
        "import os; from ev_platform_tests.engine.test_pool import items, where;"
        "from ev_platform.engine.pool import map_items;"
        "seen = [*map_items(where, items(*'ABCD'), 2), *map_items(where, items(*'ABCD'), 2)];"
        "workers = {process for process, _, _ in seen};"
        "assert os.getpid() not in workers and len(workers) <= 2, seen;"
        "assert {(polars, arrow) for _, polars, arrow in seen} == {(1, 1)}, seen"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_worker_that_dies_is_reported_and_the_next_call_works(tmp_path):
    marked = [WorkItem(str(tmp_path / "died"), "2026-11-02", (vin,)) for vin in "ABC"]
    with pytest.raises(TaskError, match="worker process died"):
        list(map_items(die_at_b, marked, 2))
    assert list(map_items(die_at_b, marked, 2)) == list("ABC")


PARENT = """
import sys
from ev_platform.engine.items import WorkItem
from ev_platform.engine.pool import map_items
from ev_platform_tests.engine.test_pool import sleep_long

if __name__ == "__main__":
    list(map_items(sleep_long, [WorkItem(sys.argv[1], "d", (name,)) for name in "AB"], 2))
"""


def sleep_long(item):
    Path(item.lake_url, str(os.getpid())).touch()
    time.sleep(60)


def test_workers_of_a_killed_parent_die_too(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    (tmp_path / "seen").mkdir()
    parent = subprocess.Popen([sys.executable, script, tmp_path / "seen"], env=os.environ | {"PYTHONPATH": os.getcwd()})
    try:
        wait_until(lambda: len(list((tmp_path / "seen").iterdir())) == 2)
    finally:
        parent.kill()
        parent.wait()
    workers = [int(path.name) for path in (tmp_path / "seen").iterdir()]
    wait_until(lambda: not any(map(alive, workers)))


def wait_until(happened):
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process}/stat")
    return not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_receipts_of_parts_add_up():
    parts = [
        CompactionReceipt("d", vehicles=1, rows=5, failed=("A: x",), seconds=9.0),
        CompactionReceipt("d", vehicles=2, rows=6, failed=("B: y",), late=1),
    ]
    total = CompactionReceipt.merged("d", parts, 1.23456)
    assert total == CompactionReceipt("d", vehicles=3, rows=11, failed=("A: x", "B: y"), late=1, seconds=1.235)
    counted = TableReceipt.merged(
        "d", [TableReceipt("d", counts={"b": 1, "a": 2}), TableReceipt("d", counts={"b": 3})], 0
    )
    assert list(counted.counts.items()) == [("a", 2), ("b", 4)]
    assert TableReceipt.merged("d", [], 0).as_dict()["counts"] == {}
