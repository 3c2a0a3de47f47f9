"""Crashes at every step, two compactions at once, and the proof that compare-and-swap is what saves the records."""

from __future__ import annotations

import contextlib
import threading

import orjson
import pytest

from ev_platform.engine import compaction
from ev_platform.engine.compaction import compact_day
from ev_platform.engine.items import TaskError, WorkItem
from ev_platform.engine.pool import map_items
from ev_platform.lake.layout import compressed_key
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet
from ev_platform_tests.engine.lakes import DAY, Crash, Overwriting, Watched, contents, fill, small_settings, vin

KEY = compressed_key(DAY, vin(1))


def stored_offsets(store, number=1):
    data = store.read(compressed_key(DAY, vin(number))).data
    return [] if data is None else from_parquet(data)["offset"].to_pylist()[::2]


def changes(tmp_path):
    """Every (operation, key) that a compaction of two vehicles with old files goes through, in order."""
    store = Watched(str(tmp_path / "dry"))
    prepare(store)
    seen = []
    store.before = lambda operation, key: seen.append((operation, key))
    compact_day(small_settings(store), store, DAY)
    return seen, contents(store, "compressed", "quarantine", "temp")


def prepare(store):
    fill(store, [1, 2], range(5))
    compact_day(small_settings(store), store, DAY)
    fill(store, [1, 2], range(3, 12), per=3)
    broken = store.keys("temp")[0]
    store.put(broken, store.get(broken)[:-9])
    fill(store, [1], range(3, 6), per=2)


def test_a_crash_at_any_step_and_a_second_run_come_to_the_same_bytes(tmp_path):
    seen, wanted = changes(tmp_path)
    assert {operation for operation, _ in seen} == {"read", "put", "swap", "barrier", "delete"}
    assert any(key.startswith("quarantine/") for key in wanted)
    for step in range(len(seen)):
        for moment in ("before", "after"):
            store = Watched(str(tmp_path / f"{moment}{step}"))
            prepare(store)
            crash_at(store, step, moment)
            with pytest.raises(Crash):
                compact_day(small_settings(store), store, DAY)
            store.before = store.after = lambda operation, key: None
            held = {offset for offset in stored_offsets(store)} | raw_offsets(store)
            assert held >= set(range(12)), f"lost after a crash {moment} step {step} {seen[step]}"
            compact_day(small_settings(store), store, DAY)
            assert contents(store, "compressed", "quarantine", "temp") == wanted, (moment, step, seen[step])


def crash_at(store, step, moment):
    """Kill the process before or after the step-th change; a barrier has only a "before"."""
    count = iter(range(10_000))

    def hook(operation, key):
        if next(count) == step:
            raise Crash

    if moment == "before":
        store.before = hook
    else:
        store.before = lambda operation, key: hook(operation, key) if operation == "barrier" else None
        store.after = hook


def raw_offsets(store):
    """Offsets of vehicle 1 that can still be read from raw objects, set aside or not."""
    found = set()
    for key in [*store.keys(f"temp/{vin(1)}"), *(k for k in store.keys("quarantine") if vin(1) in k)]:
        for line in store.get(key).splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError):
                found.add(orjson.loads(line)["_o"])
    return found


def test_only_what_was_read_is_deleted(tmp_path):
    store = Watched(str(tmp_path / "lake"))
    first = fill(store, [1], range(10))
    arrived = []

    def late(operation, key):
        if operation == "swap" and not arrived:
            arrived.extend(fill(store, [1], range(10, 20)))

    store.before = late
    compact_day(small_settings(store), store, DAY)
    assert sorted(store.deleted) == sorted(first)
    assert store.keys("temp") == sorted(arrived)
    compact_day(small_settings(store), store, DAY)
    assert stored_offsets(store) == list(range(20))


def test_nothing_is_deleted_before_everything_is_durable(tmp_path):
    store = Watched(str(tmp_path / "lake"))
    fill(store, [1, 2, 3], range(10))
    order = []
    store.before = lambda operation, key: order.append(operation)
    compact_day(small_settings(store, batch_vehicles=3), store, DAY)
    assert order.index("delete") > order.index("barrier") > max(n for n, what in enumerate(order) if what == "swap")
    assert order.count("barrier") == 1, "one for the whole batch"


def test_nothing_is_deleted_when_the_file_does_not_hold_what_was_read(tmp_path):
    """A store that loses what it was given: read-back must see it."""
    store = Watched(str(tmp_path / "lake"))
    fill(store, [1], range(5))
    compact_day(small_settings(store), store, DAY)
    old = store.get(KEY)
    raws = fill(store, [1], range(5, 10))
    store.after = lambda operation, key: ObjectStore.put(store, KEY, old) if operation == "swap" else None
    with pytest.raises(TaskError, match="lacks 5 of 5 records"):
        compact_day(small_settings(store), store, DAY)
    assert store.keys("temp") == sorted(raws)


@pytest.mark.parametrize("after_swap", [b"garbage", None])
def test_nothing_is_deleted_when_the_file_cannot_be_read_back(tmp_path, after_swap):
    store = Watched(str(tmp_path / "lake"))
    raws = fill(store, [1], range(5))

    def spoil(operation, key):
        if operation == "swap":
            ObjectStore.delete(store, [KEY]) if after_swap is None else ObjectStore.put(store, KEY, after_swap)

    store.after = spoil
    with pytest.raises(TaskError, match=r"cannot be read back|is gone"):
        compact_day(small_settings(store), store, DAY)
    assert store.keys("temp") == sorted(raws)


# -- two at once -------------------------------------------------------------------------------------------------------


def two_at_once(first, second):
    """The first compaction is held between its read of the stored file and its swap. Meanwhile a late file arrives and
    the second compaction takes it in."""
    fill(first, [1], range(5))
    compact_day(small_settings(first), first, DAY)
    fill(first, [1], range(5, 10))
    held = []

    def meanwhile(operation, key):
        if operation == "swap" and not held:
            held.append(key)
            fill(second, [1], range(10, 15))
            compact_day(small_settings(second), second, DAY)

    first.before = meanwhile
    receipt = compact_day(small_settings(first), first, DAY)
    assert held == [KEY]
    return receipt


@pytest.mark.parametrize("kind", ["folder", "moto", "s3"])
def test_two_compactions_at_once_with_a_late_file_lose_nothing(kind, tmp_path, request):
    url = str(tmp_path / "lake") if kind == "folder" else request.getfixturevalue(f"{kind}_url")
    receipt = two_at_once(Watched(url), ObjectStore(url))
    store = ObjectStore(url)
    assert stored_offsets(store) == list(range(15))
    assert receipt.swaps_lost == 1
    assert store.keys("temp") == []


def test_without_compare_and_swap_the_same_two_lose_records(tmp_path):
    url = str(tmp_path / "lake")
    try:
        two_at_once(Overwriting(url), ObjectStore(url))
    except TaskError:
        pytest.fail("the loss must go unnoticed: that is why compare-and-swap is needed")
    store = ObjectStore(url)
    assert stored_offsets(store) == list(range(10)), "the late file is gone from the lake"
    assert store.keys("temp") == []


def test_many_threads_on_one_day_lose_nothing(tmp_path):
    url = str(tmp_path / "lake")
    start = threading.Barrier(4)
    failures = []

    def work(mine):
        store = ObjectStore(url)
        start.wait()
        for n in range(4):
            fill(store, [1], range(mine * 100 + n * 10, mine * 100 + n * 10 + 10))
            try:
                compact_day(small_settings(store), store, DAY)
            except BaseException as error:
                failures.append(error)
                raise

    threads = [threading.Thread(target=work, args=(mine,)) for mine in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    store = ObjectStore(url)
    compact_day(small_settings(store), store, DAY)
    assert sorted(stored_offsets(store)) == sorted(mine * 100 + n for mine in range(4) for n in range(40))
    assert store.keys("temp") == []


def compact_again_and_again(item):
    """Runs in a worker process: new records arrive, and the day is compacted, while another process does the same."""
    store = ObjectStore(item.lake_url)
    lost = 0
    for n in range(6):
        start = item.shard * 1000 + n * 10
        fill(store, [1], range(start, start + 10), per=5)
        lost += compact_day(small_settings(store), store, DAY).swaps_lost
    return lost


def test_two_processes_on_one_day_lose_nothing(tmp_path):
    url = str(tmp_path / "lake")
    items = [WorkItem(url, DAY, (vin(1),), shard=shard) for shard in range(2)]
    list(map_items(compact_again_and_again, items, 2))
    store = ObjectStore(url)
    compact_day(small_settings(store), store, DAY)
    assert sorted(stored_offsets(store)) == sorted(shard * 1000 + n for shard in range(2) for n in range(60))
    assert store.keys("temp") == []


def test_a_file_that_others_replace_without_end_fails_and_keeps_its_raw_objects(tmp_path, monkeypatch):
    monkeypatch.setattr(compaction, "MOST_SWAPS", 3)
    url = str(tmp_path / "lake")
    store, other = Watched(url), ObjectStore(url)
    raws = fill(store, [1], range(5))
    count = iter(range(100))

    def disturb(operation, key):
        if operation == "swap":
            n = next(count)
            fill(other, [1], [1000 + n])
            keys = [k for k in other.keys("temp") if k not in raws]
            inner = ObjectStore(str(tmp_path / f"inner{n}"))
            for key in keys:
                inner.put(key, other.get(key))
            compact_day(small_settings(inner), inner, DAY)
            other.put(KEY, inner.get(KEY))
            other.delete(keys)

    store.before = disturb
    with pytest.raises(TaskError, match="replaced by others 3 times"):
        compact_day(small_settings(store), store, DAY)
    assert store.keys("temp") == sorted(raws)
