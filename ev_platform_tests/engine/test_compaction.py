"""compact_day on every kind of lake: nothing lost, nothing doubled, nothing deleted that was not read."""

from __future__ import annotations

import json
import random

import pytest

from ev_platform.engine.compaction import compact_day
from ev_platform.engine.items import TaskError
from ev_platform.lake.layout import compressed_key, quarantine_key, temp_key
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet
from ev_platform_tests.engine.lakes import (
    DAY,
    DAYS,
    Watched,
    contents,
    fill,
    raw,
    raw_object,
    small_settings,
    vin,
)


def offsets_of(store, number, day=DAY):
    """Stored offsets of one vehicle, one per record."""
    table = from_parquet(store.get(compressed_key(day, vin(number))))
    assert table["signal"].to_pylist() == ["Soc", "Odometer"] * (len(table) // 2)
    return table["offset"].to_pylist()[::2]


def test_a_day_is_compacted_and_only_that_day(store):
    fill(store, range(5), range(20))
    other = fill(store, range(5), range(20), day="2026-11-03")
    receipt = compact_day(small_settings(store), store, DAY)
    assert store.keys("temp") == sorted(other)
    assert store.keys("compressed") == [compressed_key(DAY, vin(number)) for number in range(5)]
    assert all(offsets_of(store, number) == list(range(20)) for number in range(5))
    assert (receipt.vehicles, receipt.records_in, receipt.records_stored, receipt.repeats) == (5, 100, 100, 0)
    assert (receipt.files_read, receipt.rows, receipt.objects_written, receipt.late) == (15, 200, 5, 0)
    assert receipt.bytes == sum(map(len, contents(store, "compressed").values()))
    json.dumps(receipt.as_dict())


def test_a_day_twice_changes_no_byte_and_late_data_are_merged(store):
    settings = small_settings(store)
    fill(store, range(3), range(0, 40, 2))
    compact_day(settings, store, DAY)
    before = contents(store, "compressed")
    again = compact_day(settings, store, DAY)
    assert (again.vehicles, again.objects_written) == (0, 0)
    fill(store, range(3), range(0, 40, 2), per=11)
    repeated = compact_day(settings, store, DAY)
    assert (repeated.repeats, repeated.objects_written, repeated.records_stored) == (60, 0, 60)
    assert contents(store, "compressed") == before
    fill(store, [1], range(1, 40, 2))
    late = compact_day(settings, store, DAY)
    assert (late.late, late.records_before, late.records_in, late.records_stored) == (1, 20, 20, 40)
    assert offsets_of(store, 1) == list(range(40))
    assert offsets_of(store, 2) == list(range(0, 40, 2))


def test_bytes_are_equal_in_any_order_of_arrival_and_days(tmp_path):
    wanted = None
    for seed in range(4):
        order = random.Random(seed)
        store = ObjectStore(str(tmp_path / str(seed)))
        settings = small_settings(store, batch_vehicles=order.randint(1, 4))
        todo = [(number, day, offset) for number in range(3) for day in DAYS for offset in range(30)]
        order.shuffle(todo)
        while todo:
            some, todo = todo[:100], todo[order.choice([70, 100]) :]
            for number, day, offset in some:
                key, data = raw_object(number, [offset], day)
                store.put(key, data)
            for day in order.sample(DAYS, len(DAYS)):
                compact_day(settings, store, day)
        found = contents(store, "compressed", "temp", "quarantine")
        wanted = wanted or found
        assert found == wanted
    assert len(wanted) == 9


def test_every_kind_of_lake_holds_the_same_bytes(store, tmp_path):
    folder = ObjectStore(str(tmp_path / "other"))
    for lake in (store, folder):
        fill(lake, range(3), range(25))
        compact_day(small_settings(lake), lake, DAY)
        fill(lake, range(3), range(20, 30))
        compact_day(small_settings(lake), lake, DAY)
    assert contents(store, "") == contents(folder, "")


def test_a_pool_of_processes_gives_the_same_bytes(tmp_path, monkeypatch):
    lakes = [ObjectStore(str(tmp_path / name)) for name in ("one", "two")]
    receipts = []
    for lake, workers in zip(lakes, (1, 2), strict=True):
        fill(lake, range(6), range(15))
        receipts.append(compact_day(small_settings(lake, workers=workers), lake, DAY).as_dict() | {"seconds": 0})
    assert contents(lakes[0], "") == contents(lakes[1], "")
    assert receipts[0] == receipts[1]


def test_a_relative_lake_is_found_by_workers_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lake = ObjectStore("./lake")
    fill(lake, range(4), range(3))
    assert compact_day(small_settings(lake, workers=2), lake, DAY).vehicles == 4


# -- what cannot be read -----------------------------------------------------------------------------------------------


def broken(kind):
    key, data = raw_object(0, range(100, 110))
    if kind == "truncated":
        return key, data[: len(data) // 2]
    if kind == "one byte":
        return key, data.replace(b"Soc", b"Sod", 1)
    if kind == "empty":
        return key, b""
    return key.replace("-10-", "-11-"), data  # promises a line more


@pytest.mark.parametrize("kind", ["truncated", "one byte", "empty", "count"])
def test_an_object_that_is_not_what_its_name_promises_is_set_aside(store, kind):
    key, data = broken(kind)
    store.put(key, data)
    fill(store, range(2), range(10))
    receipt = compact_day(small_settings(store), store, DAY)
    assert receipt.quarantined_files == 1
    assert receipt.records_stored == 20
    assert store.get(quarantine_key(key)) == data
    reason = json.loads(store.get(quarantine_key(key) + ".reason.json"))
    assert reason["key"] == key
    assert (reason["source"], reason["partition"], reason["first"], reason["last"]) == ("tesla_V", 0, 100, 109)
    assert store.keys("temp") == []


def test_two_broken_objects_of_one_name_are_both_kept(store):
    key, data = broken("truncated")
    for part in (data, data[:-5], data):
        store.put(key, part)
        compact_day(small_settings(store), store, DAY)
    kept = [store.get(name) for name in store.keys("quarantine") if not name.endswith(".reason.json")]
    assert sorted(kept) == sorted([data, data[:-5]])


def test_bad_lines_are_set_aside_before_their_object_is_deleted(tmp_path):
    store = Watched(str(tmp_path / "lake"))
    key = temp_key(vin(1), DAY, "by-hand.json")
    bad = [b'{"data":[', b"\xff\xfe"]
    store.put(key, b"\n".join([bad[0], raw(1, 5).strip(), bad[1]]))
    receipt = compact_day(small_settings(store), store, DAY)
    assert (receipt.quarantined_lines, receipt.records_stored) == (2, 1)
    [aside] = [name for name in store.keys("quarantine")]
    lines = [json.loads(text) for text in store.get(aside).splitlines()]
    assert [line["line"] for line in lines] == [1, 3]
    assert lines[0]["raw"] == bad[0].decode()
    assert lines[1]["raw_base64"] == "//4="
    assert store.puts.index(aside) < len(store.puts)
    assert store.deleted == [key]


def test_a_vehicle_with_nothing_but_bad_lines_leaves_no_file(store):
    store.put(temp_key(vin(1), DAY, "by-hand.json"), b"oops\n")
    receipt = compact_day(small_settings(store), store, DAY)
    assert (receipt.quarantined_lines, receipt.records_stored) == (1, 0)
    assert store.keys("compressed") == []
    assert store.keys("temp") == []


def test_a_folder_that_is_no_vin_is_set_aside(store):
    stranger = f"temp/not-a-vin/{DAY}/x.json"
    store.put(stranger, raw(1, 1))
    fill(store, [1], range(3))
    receipt = compact_day(small_settings(store), store, DAY)
    assert receipt.quarantined_files == 1
    assert store.get(quarantine_key(stranger)) == raw(1, 1)
    assert offsets_of(store, 1) == [0, 1, 2]


@pytest.mark.parametrize("content", [b"not parquet", b"", "other columns"])
def test_an_unreadable_stored_file_fails_its_vehicle_and_no_other(store, content):
    if content == "other columns":
        import pyarrow as pa

        from ev_platform.lake.tables import to_parquet

        content = to_parquet(pa.table({"vin": ["x"]}))
    key = compressed_key(DAY, vin(1))
    store.put(key, content)
    raws = fill(store, range(4), range(10))
    with pytest.raises(TaskError, match=rf"1 vehicle\(s\) not compacted: {vin(1)}: .*unreadable"):
        compact_day(small_settings(store), store, DAY)
    assert store.get(key) == content, "never overwritten"
    assert store.get(quarantine_key(key)) == content
    assert store.keys("temp") == [name for name in raws if vin(1) in name], "its raw objects stay"
    assert [offsets_of(store, number) for number in (0, 2, 3)] == [list(range(10))] * 3
    store.delete([key])
    compact_day(small_settings(store), store, DAY)
    assert offsets_of(store, 1) == list(range(10))
