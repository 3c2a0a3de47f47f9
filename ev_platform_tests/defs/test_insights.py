"""The joins as assets: what the sensor asks for and in which order, real tables, checks that can fail."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import dagster as dg
import numpy as np
import polars as pl
import pytest

from ev_platform.commands.requests import Requests
from ev_platform.definitions import defs as load_definitions
from ev_platform.defs.insights.assets import GRID_KEYS, GRID_LOAD_KEY
from ev_platform.defs.insights.checks import energy_kept, possible
from ev_platform.defs.insights.sensors import TAG, next_requests, stale_days
from ev_platform.defs.market.assets import MARKET_MODELS
from ev_platform.defs.results.assets import SESSIONS_KEY
from ev_platform.insights.tasks import CARS_TABLE, CO2_TABLE, LOAD_TABLE, METERED_TABLE, STYLE, STYLE_TABLE, days_of
from ev_platform.lake import schemas, schemas_insights
from ev_platform.lake.layout import part_key, table_key
from ev_platform.lake.tables import from_parquet, to_parquet
from ev_platform.market.depreciation import fit
from ev_platform.market.refine import refine
from ev_platform.simulate.sales import Market
from ev_platform.simulate.sales_file import write_sales
from ev_platform_tests.defs.runs import add_run

DAY = "2026-11-02"
DAYS = [(date(2026, 10, 31) + timedelta(days=k)).isoformat() for k in range(6)]
FIRST = datetime(2026, 10, 31, tzinfo=UTC)
MORNING = datetime(2026, 11, 2, 6, tzinfo=UTC)
VIN = "5YJ3E7EA1KF000316"


def rows(schema, *values):
    table = pl.DataFrame(pl.from_arrow(schema.empty_table()))
    return (
        pl.DataFrame([{n: v.get(n) for n in schema.names} for v in values], schema=table.schema).to_arrow().cast(schema)
    )


def sessions():
    charge = {"session_id": "c", "vin": VIN, "kind": "charge", "start": MORNING, "end": MORNING + timedelta(hours=2)}
    drive = {"session_id": "d", "vin": VIN, "kind": "drive", "start": MORNING - timedelta(hours=3)}
    drive |= {"end": MORNING - timedelta(hours=2), "energy_kwh": -9.0, "distance_km": 60.0, "odometer_end_km": 30_000.0}
    return rows(schemas.SESSIONS, {**charge, "energy_kwh": 20.0, "charge_type": "ac"}, drive)


@pytest.fixture
def lake(platform):
    """A day of one car, its health, registry, market, grid, cars of its commune and device."""
    store = platform.store
    store.put(part_key("results/sessions", DAY), to_parquet(sessions()))
    where = {"vin": [VIN], "time": [MORNING - timedelta(hours=2)], "latitude": [48.85], "longitude": [2.35]}
    store.put(part_key("cleaned", DAY), to_parquet(pl.DataFrame(where).to_arrow()))
    health = {"vin": VIN, "month": "2026-11", "method": "pooled", "soh_percent": 91.0, "soh_sd": 1.5}
    store.put(part_key("results/battery_health", "2026-11"), to_parquet(rows(schemas.BATTERY_HEALTH, health)))
    car = {"vin": VIN, "make": "Tesla", "model": "Model 3 LR", "first_registration": date(2021, 11, 2)}
    store.put(table_key("ref/vehicles"), to_parquet(rows(schemas.VEHICLES, car)))
    store.put(
        table_key("market/depreciation_models"), to_parquet(fit(refine(write_sales(Market(sales=1500)).data).sales))
    )
    grid(store)
    cars = rows(schemas_insights.CARS, {"commune_code": "75056", "date": date(2026, 1, 1), "electric_cars": 100})
    store.put(f"{CARS_TABLE}/year=2026/part-0000.parquet", to_parquet(cars))
    metered = {"year": 2024, "energy": "electricity", "place_code": "75056", "region_code": "11", "total_mwh": 5e3}
    metered = rows(schemas_insights.METERED, {**metered, "withheld": False})
    store.put(f"{METERED_TABLE}/year=2024/part-0000.parquet", to_parquet(metered))
    style = rows(STYLE, {"vin": VIN, "alarms": 4, "idling_s": 100.0, "driving_s": 300.0})
    store.put(part_key(STYLE_TABLE, DAY), to_parquet(style))
    return platform


def grid(store, grams=50.0):
    for k, day in enumerate(DAYS):
        instants = [FIRST + timedelta(days=k, minutes=30 * j) for j in range(48)]
        load = [{"region_code": "11", "instant": i, "consumption_mw": 5000.0 + j} for j, i in enumerate(instants)]
        co2 = [{"instant": i, "co2_g_per_kwh": grams + j} for j, i in enumerate(instants)]
        store.put(part_key(LOAD_TABLE, day), to_parquet(rows(schemas_insights.LOAD, *load)))
        store.put(part_key(CO2_TABLE, day), to_parquet(rows(schemas_insights.CO2, *co2)))


@pytest.fixture
def requests(lake, instance, tmp_path):
    definitions = load_definitions()
    loaded = definitions.resources["platform"]
    before = loaded.settings
    loaded.settings = lake.settings
    loaded.__dict__.pop("store", None)
    yield Requests(definitions, instance, lake, tmp_path / "cursor.json")
    loaded.settings = before
    loaded.__dict__.pop("store", None)


def report(instance, key, partition=None):
    instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=partition))


def table(platform, key):
    return from_parquet(platform.store.get(key)).to_pylist()


def test_from_a_day_to_one_row_per_vehicle(requests, lake, instance):
    assert requests.sensor("insights") == 0, "nothing was made yet"
    report(instance, SESSIONS_KEY, DAY)
    asked = [requests.sensor("insights") for _ in range(4)]
    assert asked == [1, 1, 1, 0], "the day, then its month, then the whole, then nothing"
    assert requests.tally.failed_runs == requests.tally.checks_failed == []
    slots = table(lake, part_key("insights/charging_grid_load", DAY))
    assert sum(row["energy_kwh"] for row in slots) == pytest.approx(20.0)
    assert {row["region_code"] for row in slots} == {"11"}
    rate = np.mean([50.0 + j for j in range(12, 16)])
    (row,) = table(lake, table_key("insights/vehicle_360"))
    assert row["co2_kg"] == pytest.approx(20.0 * rate / 1000)
    assert (row["soh_percent"], row["odometer_km"], row["alarms"], row["idling_share"]) == (91.0, 30_000.0, 4, 0.25)
    assert 0.2 < row["value_ratio"] < 0.9
    assert row["off_peak_share"] is not None
    (window,) = table(lake, part_key("insights/charge_windows", "2026-11"))
    assert window["best_window_start"] == "01:00", "00:00 UTC, where the rate begins to rise"
    assert window["saved_co2_kg"] > 0
    (value,) = table(lake, part_key("insights/residual_value", "2026-11"))
    assert value["curve_level"] == "all", "too few cars of that make were sold"
    assert "no_new_price" in value["reasons"]
    assert table(lake, table_key("insights/region_ev_pressure")) == [], "a car seen for a day says nothing of its year"


def test_what_is_made_again_only_when_something_moved(requests, lake, instance):
    report(instance, SESSIONS_KEY, DAY)
    while requests.sensor("insights"):
        pass
    before = {key: lake.store.get(key) for key in lake.store.keys("insights")}
    report(instance, GRID_KEYS[1], "2026-11-04")
    assert stale_days(instance) == [DAY], "the grid of two days later can touch it"
    report(instance, GRID_KEYS[1], "2026-11-20")
    grid(lake.store, grams=80.0)
    while requests.sensor("insights"):
        pass
    after = {key: lake.store.get(key) for key in lake.store.keys("insights")}
    changed = {key.split("/")[1] for key in after if after[key] != before[key]}
    assert changed == {"charging_grid_load", "charging_flexibility", "charge_windows", "vehicle_360"}
    report(instance, MARKET_MODELS)
    assert [r.tags[TAG] for r in next_requests(instance, datetime.now(UTC))] == ["2026-11"]


def test_what_failed_too_often_is_left_alone(instance):
    report(instance, SESSIONS_KEY, DAY)
    assert [r.partition_key for r in next_requests(instance, datetime.now(UTC))] == [DAY]
    for _ in range(3):
        run_id = add_run(instance, dg.DagsterRunStatus.FAILURE, 5, job="__ASSET_JOB")
        instance.add_run_tags(run_id, {TAG: DAY})
    assert DAY not in [r.partition_key for r in next_requests(instance, datetime.now(UTC))]


def test_days_that_the_partitions_do_not_have_are_not_asked_for(instance):
    report(instance, SESSIONS_KEY, "1999-01-01")
    assert stale_days(instance) == []


def test_the_energy_check_can_fail(requests, lake, instance):
    report(instance, SESSIONS_KEY, DAY)
    requests.sensor("insights")
    key = part_key("insights/charging_grid_load", DAY)
    whole = from_parquet(lake.store.get(key))
    assert checked(lake)
    lake.store.put(key, to_parquet(whole.slice(1)))
    assert not checked(lake), "a lost half-hour"
    lake.store.delete([key])
    assert not checked(lake), "a lost day"


def checked(platform):
    """Whether the check passes on the day; called past Dagster, whose context for checks takes no partition."""
    context = SimpleNamespace(partition_keys=[DAY])
    return energy_kept.op.compute_fn.decorated_fn(context, platform).passed


def test_the_check_of_possible_figures_can_fail(lake):
    schema = schemas_insights.VEHICLE_360
    assert possible(lake).passed
    for wrong in (
        {"off_peak_share": 1.5},
        {"value": 5.0, "value_low": 6.0, "value_high": 9.0},
        {"kwh_per_100km": -3.0},
    ):
        lake.store.put(table_key("insights/vehicle_360"), to_parquet(rows(schema, {"vin": "V", **wrong})))
        assert not possible(lake).passed, wrong
    lake.store.put(table_key("insights/vehicle_360"), to_parquet(rows(schema, {"vin": "V"}, {"vin": "V"})))
    assert not possible(lake).passed


def test_keys_are_those_of_the_tables():
    assert [key.to_user_string() for key in GRID_KEYS] == [LOAD_TABLE, CO2_TABLE]
    assert GRID_LOAD_KEY.to_user_string() == "insights/charging_grid_load"
    assert (len(days_of("2028-02")), days_of("2026-11")[-1]) == (29, "2026-11-30")
