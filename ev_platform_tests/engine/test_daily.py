"""clean_day, segment_day and health_month: the same result as the kernels on the whole fleet at once."""

from __future__ import annotations

import pyarrow as pa
import pytest

from ev_platform.battery.health import battery_health
from ev_platform.engine.items import TaskError
from ev_platform.engine.tasks import clean_day, compact_day, health_month, segment_day, stitch_days
from ev_platform.lake.layout import compressed_key, part_key
from ev_platform.lake.schemas import BATTERY_HEALTH, SEGMENTS
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet, shard_of, to_parquet
from ev_platform.signals import cleaned_schema
from ev_platform.transform.clean import clean
from ev_platform.transform.segment import segment
from ev_platform_tests.engine.fleet_lake import DAYS, VEHICLES, fill_fleet, vehicles
from ev_platform_tests.engine.lakes import contents, small_settings


@pytest.fixture(scope="module")
def compacted(tmp_path_factory):
    """Bytes of a lake whose days are compacted."""
    store = ObjectStore(str(tmp_path_factory.mktemp("fleet")))
    fill_fleet(store)
    for day in DAYS:
        compact_day(small_settings(store), store, day)
    return contents(store, "")


@pytest.fixture
def lake(compacted, tmp_path):
    store = ObjectStore(str(tmp_path / "lake"))
    store.put_many(compacted.items())
    return store


def whole(compacted, prefix):
    tables = [from_parquet(data) for key, data in sorted(compacted.items()) if key.startswith(prefix)]
    return pa.concat_tables(tables)


def read(store, table, day):
    tables = [from_parquet(data) for data in contents(store, f"{table}/date={day}").values()]
    return pa.concat_tables(tables).sort_by([("vin", "ascending"), (tables[0].column_names[1], "ascending")])


@pytest.mark.parametrize(("batch", "shards", "workers"), [(50, 1, 1), (1, 1, 1), (2, 3, 1), (1, 2, 2)])
def test_a_day_is_what_the_kernels_say_whatever_the_batches(lake, compacted, batch, shards, workers):
    settings = small_settings(lake, batch_vehicles=batch, shards=shards, workers=workers)
    day = DAYS[1]
    cleaned = clean(whole(compacted, f"compressed/{day.replace('-', '/')}"), vehicles())
    receipt = clean_day(settings, lake, day)
    assert read(lake, "cleaned", day).equals(cleaned.table.sort_by([("vin", "ascending"), ("time", "ascending")]))
    assert (receipt.rows, receipt.vehicles) == (len(cleaned.table), VEHICLES)
    assert sum(receipt.counts.values()) == sum(cleaned.counts["n"].to_pylist()) > 0
    segments = segment(cleaned.table, day, vehicles())
    receipt = segment_day(settings, lake, day)
    wanted = segments.sort_by([("vin", "ascending"), ("kind", "ascending"), ("start", "ascending")])
    found = read(lake, "segments", day).sort_by([("vin", "ascending"), ("kind", "ascending"), ("start", "ascending")])
    assert found.equals(wanted)
    assert sum(receipt.counts.values()) == receipt.rows == len(segments)
    for table in ("cleaned", "segments"):
        for shard in range(shards):
            key = part_key(table, day, shard)
            if lake.exists(key):
                assert {shard_of(vin, shards) for vin in from_parquet(lake.get(key))["vin"].to_pylist()} == {shard}


def test_bytes_do_not_depend_on_batches_and_a_second_run_writes_nothing(lake):
    day, first = DAYS[0], None
    for batch in (1, 2, 50):
        settings = small_settings(lake, batch_vehicles=batch)
        receipts = [clean_day(settings, lake, day), segment_day(settings, lake, day)]
        assert [receipt.objects_written for receipt in receipts] == ([1, 1] if first is None else [0, 0])
        first = first or contents(lake, "cleaned", "segments")
        assert contents(lake, "cleaned", "segments") == first
    [part, _] = first.values()
    assert from_parquet(part).schema.equals(cleaned_schema())
    assert from_parquet(first[part_key("segments", day)]).schema.equals(SEGMENTS)


def test_parts_shrink_and_go_with_what_they_are_made_from(lake):
    settings, day = small_settings(lake), DAYS[0]
    clean_day(settings, lake, day)
    segment_day(settings, lake, day)
    keys = lake.keys(compressed_key(day, "x").rsplit("/", 1)[0])
    lake.delete(keys[:1])
    assert clean_day(settings, lake, day).vehicles == VEHICLES - 1
    assert segment_day(settings, lake, day).vehicles == VEHICLES - 1
    lake.delete(keys)
    assert (clean_day(settings, lake, day).objects_deleted, segment_day(settings, lake, day).objects_deleted) == (1, 1)
    assert lake.keys("cleaned") == lake.keys("segments") == []
    assert clean_day(settings, lake, day).rows == segment_day(settings, lake, day).rows == 0


def test_an_unreadable_file_is_named_and_its_part_stays(lake):
    settings, day = small_settings(lake), DAYS[0]
    clean_day(settings, lake, day)
    segment_day(settings, lake, day)
    before = contents(lake, "cleaned", "segments")
    key = lake.keys("compressed")[0]
    lake.put(key, b"no parquet")
    with pytest.raises(TaskError, match=f"{key} cannot be read"):
        clean_day(settings, lake, day)
    assert contents(lake, "cleaned", "segments") == before
    lake.put(part_key("cleaned", day), b"no parquet")
    with pytest.raises(TaskError, match=r"cleaned/date=2026-11-01/part-0000\.parquet cannot be read"):
        segment_day(settings, lake, day)
    assert contents(lake, "segments") == {key: before[key] for key in before if key.startswith("segments")}


def test_every_kind_of_lake_comes_to_the_same_results(store, compacted, tmp_path):
    other = ObjectStore(str(tmp_path / "other"))
    for lake in (store, other):
        lake.put_many((key, data) for key, data in compacted.items())
        settings = small_settings(lake)
        for day in DAYS[:2]:
            clean_day(settings, lake, day)
            segment_day(settings, lake, day)
        stitch_days(settings, lake, DAYS[:2])
    assert contents(store, "") == contents(other, "")
    assert len(store.keys("results/sessions")) == 2


@pytest.mark.parametrize(("batch", "shards"), [(1, 1), (50, 1), (2, 3)])
def test_battery_health_is_that_of_the_whole_fleet(lake, batch, shards):
    settings = small_settings(lake, batch_vehicles=batch, shards=shards)
    for day in DAYS:
        clean_day(settings, lake, day)
        segment_day(settings, lake, day)
    stitch_days(settings, lake, DAYS)
    cleaned = pa.concat_tables([read(lake, "cleaned", day) for day in DAYS])
    sessions = pa.concat_tables([from_parquet(data) for data in contents(lake, "results/sessions").values()])
    wanted = battery_health(cleaned, sessions, vehicles(), "2026-11")
    found = health_month(settings, lake, "2026-11")
    assert found.schema.equals(BATTERY_HEALTH)
    assert to_parquet(found) == to_parquet(wanted)
    assert len(found) > 0
    assert health_month(settings, lake, "2026-10").num_rows == 0
