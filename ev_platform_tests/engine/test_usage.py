"""Daily results and history tables from a lake: any batches, shards and workers, folder or memory, same tables."""

import pytest

from ev_platform.engine.items import TaskError
from ev_platform.engine.tasks import (
    among_peers,
    clean_day,
    compact_day,
    consumption,
    health_ahead,
    health_filtered,
    health_month,
    newest_battery,
    segment_day,
    stitch_days,
    usage_days,
)
from ev_platform.lake.layout import part_key, table_key
from ev_platform.lake.schemas_results import TARIFFS
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import to_parquet
from ev_platform.usage.day import DAILY_TABLES, daily_results
from ev_platform_tests.engine.fleet_lake import DAYS, fill_fleet, vehicles
from ev_platform_tests.engine.lakes import small_settings
from ev_platform_tests.usage.scene import tariffs

MONTH = "2026-11"


def built(store, **more):
    """A lake with everything up to sessions; returns its settings."""
    fill_fleet(store)
    settings = small_settings(store, **more)
    for day in DAYS:
        compact_day(settings, store, day)
        clean_day(settings, store, day)
        segment_day(settings, store, day)
    stitch_days(settings, store, DAYS)
    return settings


def file_results(settings, store):
    """What the I/O manager does with the tables."""
    for name, by_day in usage_days(settings, store, DAYS).items():
        for day, table in by_day.items():
            store.put(part_key(f"results/{name}", day), to_parquet(table))
    store.put(part_key("results/battery_health", MONTH), to_parquet(health_month(settings, store, MONTH)))
    made = {}
    for name, make in (
        ("battery_health_filtered", health_filtered),
        ("battery_degradation", health_ahead),
        ("consumption_by_temperature", consumption),
        ("vehicle_battery", newest_battery),
        ("peer_percentiles", among_peers),
    ):
        made[name] = make(store)
        store.put(table_key(f"results/{name}"), to_parquet(made[name]))
    return made


@pytest.fixture(scope="module")
def lake():
    store = ObjectStore("memory://")
    return built(store), store


def test_tables_are_those_of_the_kernel_over_the_whole_fleet(lake):
    import pyarrow as pa

    from ev_platform.lake.tables import from_parquet

    settings, store = lake
    found = usage_days(settings, store, DAYS[1:2])

    def part(table, day):
        data = store.read(part_key(table, day)).data
        return [] if data is None else [from_parquet(data)]

    sessions = pa.concat_tables([t for day in DAYS[:2] for t in part("results/sessions", day)])
    rows = pa.concat_tables([t for day in DAYS[1:3] for t in part("cleaned", day)])
    wanted = daily_results(rows, sessions, vehicles(), DAYS[1])
    for name, by_day in found.items():
        assert by_day[DAYS[1]].schema == DAILY_TABLES[name]
        assert by_day[DAYS[1]].equals(wanted[name]), name
    assert found["trips"][DAYS[1]].num_rows > 2


@pytest.mark.parametrize("other", [{"batch_vehicles": 1}, {"batch_vehicles": 50}, {"shards": 3}])
def test_batches_and_shards_do_not_matter(lake, other):
    settings, store = lake
    second = ObjectStore("memory://")
    again = built(second, **other)
    for name, by_day in usage_days(again, second, DAYS).items():
        for day, table in usage_days(settings, store, DAYS)[name].items():
            assert by_day[day].equals(table), (name, day)


def test_worker_processes_and_a_folder_give_the_same_bytes(lake, tmp_path):
    settings, store = lake
    folder = ObjectStore(str(tmp_path))
    spread = built(folder, workers=2, shards=2)
    ours, theirs = usage_days(settings, store, DAYS[:2]), usage_days(spread, folder, DAYS[:2])
    for name, by_day in ours.items():
        for day, table in by_day.items():
            assert to_parquet(table) == to_parquet(theirs[name][day]), (name, day)


def test_history_tables_follow_from_the_filed_ones(lake):
    settings, store = lake
    first = file_results(settings, store)
    again = file_results(settings, store)
    assert {name: to_parquet(table) for name, table in first.items()} == {
        name: to_parquet(table) for name, table in again.items()
    }
    newest = {row["vin"]: row for row in first["vehicle_battery"].to_pylist()}
    assert set(newest) == set(vehicles()["vin"].to_pylist())
    for row in newest.values():
        assert row["odometer_km"] > 0
        assert 0 < row["completeness_percent"] <= 100
        assert row["equivalent_full_cycles"] > 0


def test_an_empty_lake_has_empty_tables():
    store = ObjectStore("memory://")
    settings = small_settings(store)
    assert all(
        table.num_rows == 0 for by_day in usage_days(settings, store, DAYS).values() for table in by_day.values()
    )
    for make in (health_filtered, health_ahead, consumption, newest_battery, among_peers):
        assert make(store).num_rows == 0


def test_tariffs_of_the_lake_give_charges_a_cost(lake):
    settings, store = lake
    line = {"tariff": "flat", "charge_type": "any", "price_per_kwh": 0.25, "currency": "EUR"}
    store.put(table_key("ref/tariffs"), to_parquet(tariffs(line).cast(TARIFFS)))
    costs = [
        row["cost"] for table in usage_days(settings, store, DAYS)["charging"].values() for row in table.to_pylist()
    ]
    store.delete([table_key("ref/tariffs")])
    assert costs
    assert all(cost is None or cost > 0 for cost in costs)
    assert any(cost is not None for cost in costs)


@pytest.mark.parametrize("table", ["cleaned", "results/sessions"])
def test_an_unreadable_part_is_named(table):
    store = ObjectStore("memory://")
    settings = small_settings(store)
    store.put(part_key(table, DAYS[0]), b"no parquet")
    with pytest.raises(TaskError, match="cannot be read"):
        usage_days(settings, store, DAYS[:1])


def test_an_unreadable_result_is_named():
    store = ObjectStore("memory://")
    store.put(part_key("results/battery_health", MONTH), b"no parquet")
    with pytest.raises(TaskError, match="battery_health"):
        health_filtered(store)
