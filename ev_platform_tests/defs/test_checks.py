"""Every blocking check passes on a true lake and fails on the fault it is there for; a failure stops what follows."""

import json
import shutil
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ev_platform.defs.lake.assets import CLEANED_KEY, COMPRESSED_KEY, cleaned, compressed, segments
from ev_platform.defs.lake.checks import CHECKS, lake_checks
from ev_platform.defs.platform import Platform
from ev_platform.defs.resources import resources_for
from ev_platform.defs.results.assets import SESSIONS_KEY, sessions
from ev_platform.engine.tasks import clean_day, compact_day
from ev_platform.ingest.drain import drain
from ev_platform.ingest.embedded_broker import EmbeddedBroker
from ev_platform.ingest.import_receipts import FileReceipt
from ev_platform.lake.layout import compressed_prefix, part_key
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet, to_parquet
from ev_platform.settings import load_settings
from ev_platform.simulate.feed import Feed
from ev_platform.simulate.scenario import Scenario

DAY = "2026-11-01"


@pytest.fixture(scope="module")
def drained(tmp_path_factory):
    """A lake with one drained day of three vehicles, in two drains, not compacted yet."""
    folder = tmp_path_factory.mktemp("drained")
    scenario = Scenario(seed=7, vehicles=3, first_day=date.fromisoformat(DAY))
    with EmbeddedBroker() as broker:
        settings = load_settings(
            lake_url=str(folder), kafka_bootstrap=broker.bootstrap, kafka_topics=(scenario.topic,), start_day=DAY
        )
        feed = Feed(broker.bootstrap, scenario, settings.kafka_group, {})
        for hours in (15, 16, 24):
            feed.advance(datetime.fromisoformat(DAY).replace(tzinfo=UTC) + timedelta(hours=hours))
            drain(settings, ObjectStore(str(folder)), None)
    return folder


@pytest.fixture(scope="module")
def whole(drained, tmp_path_factory):
    """The same lake, compacted and cleaned."""
    folder = tmp_path_factory.mktemp("whole") / "lake"
    shutil.copytree(drained, folder)
    settings = load_settings(lake_url=str(folder))
    compact_day(settings, ObjectStore(str(folder)), DAY)
    clean_day(settings, ObjectStore(str(folder)), DAY)
    return folder


@pytest.fixture
def lake(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "lake")
    return ObjectStore(str(tmp_path / "lake"))


def first_file(lake):
    return lake.keys(compressed_prefix(DAY))[0]


def rewrite(lake, key, change):
    lake.put(key, to_parquet(change(from_parquet(lake.get(key)))))


def lose_a_vehicle(lake):
    lake.delete([first_file(lake)])


def lose_a_record(lake):
    def drop(table):
        offset = table["offset"][len(table) // 2]
        return table.filter(pc.not_equal(table["offset"], offset))

    rewrite(lake, first_file(lake), drop)


def store_twice(lake):
    rewrite(lake, first_file(lake), lambda table: pa.concat_tables([table, table.slice(0, 40)]).combine_chunks())


def forget_a_drain(lake):
    """Delete the second receipt of the partition that has records in the most of them."""
    starts = {}
    for key in lake.keys("ops/offsets"):
        for part in json.loads(lake.get(key))["partitions"]:
            if part["days"].get(DAY):
                starts.setdefault(part["partition"], []).append((part["start"], key))
    receipts = sorted(max(starts.values(), key=len))
    assert len(receipts) >= 3
    lake.delete([receipts[1][1]])


def drop_a_column(lake):
    rewrite(lake, first_file(lake), lambda table: table.drop_columns(["extra"]))


def drop_a_cleaned_column(lake):
    rewrite(lake, part_key("cleaned", DAY), lambda table: table.drop_columns(["quality"]))


def set_column(name, value):
    def change(table):
        index = table.column_names.index(name)
        values = table[name].to_pylist()
        values[len(values) // 2] = value
        return table.set_column(index, table.schema.field(name), pa.array(values, table.schema.field(name).type))

    return lambda lake: rewrite(lake, part_key("cleaned", DAY), change)


def no_parquet(lake):
    lake.put(first_file(lake), b"PAR1 truncated")


def import_more(lake):
    """A receipt of a file of which nothing is there, as after a lost object."""
    receipt = FileReceipt("a.csv", "0" * 64, "generic", "generic")
    receipt.holds(DAY, "EVPLEAF0000000001", 7)
    lake.put(*receipt.encode())


FAULTS = [
    ("lake/compressed", "row_conservation", lose_a_vehicle),
    ("lake/compressed", "row_conservation", lose_a_record),
    ("lake/compressed", "row_conservation", no_parquet),
    ("lake/compressed", "imports_kept", import_more),
    ("lake/compressed", "unique_identity", store_twice),
    ("lake/compressed", "offsets_contiguous", forget_a_drain),
    ("lake/compressed", "schema", drop_a_column),
    ("lake/compressed", "schema", no_parquet),
    ("lake/cleaned", "schema", drop_a_cleaned_column),
    ("lake/cleaned", "physical_ranges", set_column("soc_percent", 150.0)),
    ("lake/cleaned", "physical_ranges", set_column("pack_voltage_v", float("nan"))),
    ("lake/cleaned", "monotone_odometer", set_column("odometer_km", 1.0)),
]


def find(asset, name):
    (row,) = [row for row in CHECKS if (row.asset.to_user_string(), row.name) == (asset, name)]
    return row.find


@pytest.mark.parametrize("row", CHECKS, ids=lambda row: f"{row.asset.to_user_string()}:{row.name}")
def test_a_true_lake_passes(lake, row):
    assert row.find(lake, DAY) == {}


@pytest.mark.parametrize(("asset", "name", "fault"), FAULTS, ids=lambda value: getattr(value, "__name__", str(value)))
def test_each_check_sees_its_fault(lake, asset, name, fault):
    fault(lake)
    assert find(asset, name)(lake, DAY)


def test_every_check_has_a_fault_here():
    assert {(row.asset.to_user_string(), row.name) for row in CHECKS} == {(asset, name) for asset, name, _ in FAULTS}


def promise_more(lake):
    """A receipt for records that nobody stored, as after a lost object."""
    key = lake.keys("ops/offsets")[0]
    receipt = json.loads(lake.get(key))
    receipt["partitions"][0]["days"][DAY].append([10**6, 10**6 + 4])
    lake.put(key, json.dumps(receipt).encode())


def run_day(folder, instance, **how):
    platform = Platform(load_settings(lake_url=str(folder)))
    assets = [compressed, cleaned, segments, sessions, *lake_checks]
    return dg.materialize(assets, instance=instance, resources=resources_for(platform), raise_on_error=False, **how)


def test_the_chain_passes_its_checks_and_a_failing_one_stops_what_follows(drained, tmp_path, instance):
    shutil.copytree(drained, tmp_path / "lake")
    lake = ObjectStore(str(tmp_path / "lake"))
    promise_more(lake)
    broken = run_day(tmp_path / "lake", instance, partition_key=DAY)
    failed = [check for check in broken.get_asset_check_evaluations() if not check.passed]
    names = {(check.check_name, check.partition) for check in failed}
    assert names == {("row_conservation", DAY), ("offsets_contiguous", DAY)}
    assert DAY in instance.get_materialized_partitions(COMPRESSED_KEY)
    assert DAY not in instance.get_materialized_partitions(CLEANED_KEY)

    shutil.rmtree(tmp_path / "lake")
    shutil.copytree(drained, tmp_path / "lake")
    assert run_day(tmp_path / "lake", instance, partition_key=DAY).success
    assert DAY in instance.get_materialized_partitions(SESSIONS_KEY)


def test_a_run_over_a_range_names_the_failing_day(drained, tmp_path, instance):
    shutil.copytree(drained, tmp_path / "lake")
    promise_more(ObjectStore(str(tmp_path / "lake")))
    tags = {"dagster/asset_partition_range_start": "2026-10-31", "dagster/asset_partition_range_end": DAY}
    result = run_day(tmp_path / "lake", instance, tags=tags)
    failed = [check for check in result.get_asset_check_evaluations() if not check.passed]
    assert {check.check_name for check in failed} == {"row_conservation", "offsets_contiguous"}
    for check in failed:
        assert check.metadata["failing_days"].value == [DAY]
        assert check.metadata["days"].value == 2
