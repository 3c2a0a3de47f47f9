"""insights/*: the fleet joined with the grid, the market and its region.

The energy and telematics rooms may be left out of a deployment: their assets are depended on when they are there.
"""

from importlib.util import find_spec
from typing import Any

import dagster as dg
import pyarrow as pa

from ev_platform.defs.lake.assets import CLEANED_KEY
from ev_platform.defs.market.assets import MARKET_MODELS
from ev_platform.defs.metadata import plot_of, table_schema
from ev_platform.defs.partitions import BATCH, DAYS, DAYS_OF_MONTH, MONTHS
from ev_platform.defs.platform import Platform
from ev_platform.defs.ref.assets import VEHICLES_KEY
from ev_platform.defs.results.assets import BATTERY_HEALTH_KEY, SESSIONS_KEY
from ev_platform.insights import tasks
from ev_platform.lake.schemas_insights import (
    CHARGE_WINDOWS,
    CHARGING_FLEXIBILITY,
    CHARGING_GRID_LOAD,
    REGION_EV_PRESSURE,
    RESIDUAL_VALUE,
    VEHICLE_360,
)


def table_key(table: str) -> dg.AssetKey:
    """Asset of a table of the lake."""
    return dg.AssetKey(table.split("/"))


GRID_LOAD_KEY = dg.AssetKey(["insights", "charging_grid_load"])
FLEXIBILITY_KEY = dg.AssetKey(["insights", "charging_flexibility"])
WINDOWS_KEY = dg.AssetKey(["insights", "charge_windows"])
VALUE_KEY = dg.AssetKey(["insights", "residual_value"])
PRESSURE_KEY = dg.AssetKey(["insights", "region_ev_pressure"])
VEHICLE_360_KEY = dg.AssetKey(["insights", "vehicle_360"])

GRID_KEYS = (table_key(tasks.LOAD_TABLE), table_key(tasks.CO2_TABLE))
PLACE_KEYS = (table_key(tasks.CARS_TABLE), table_key(tasks.METERED_TABLE))
STYLE_KEY = table_key(tasks.STYLE_TABLE)
AROUND = dg.TimeWindowPartitionMapping(
    start_offset=tasks.GRID_DAYS[0], end_offset=tasks.GRID_DAYS[1], allow_nonexistent_upstream_partitions=True
)


def deployed(room: str) -> bool:
    """Whether the assets of another room are part of this code location."""
    return find_spec(f"ev_platform.defs.{room}") is not None


GRID_DEPS = [dg.AssetDep(key, partition_mapping=AROUND) for key in GRID_KEYS] if deployed("energy") else []
GRID_OF_MONTH = [dg.AssetDep(key, partition_mapping=DAYS_OF_MONTH) for key in GRID_KEYS] if deployed("energy") else []
PLACE_DEPS = list(PLACE_KEYS) if deployed("energy") else []
STYLE_DEPS = [STYLE_KEY] if deployed("telematics") else []
SLOTS_OF_MONTH = dg.AssetDep(GRID_LOAD_KEY, partition_mapping=DAYS_OF_MONTH)


PLOTS = {
    GRID_LOAD_KEY: plot_of("region_code", "energy_kwh", "sum"),
    FLEXIBILITY_KEY: plot_of("vin", "low_third_share"),
    WINDOWS_KEY: plot_of("vin", "saved_co2_kg", "sum"),
    VALUE_KEY: plot_of("vin", "value_ratio"),
    PRESSURE_KEY: plot_of("adoption", "ev_share"),
    VEHICLE_360_KEY: plot_of("vin", "soh_percent"),
}
"""Which picture of itself each table shows in the UI."""


def insight(key: dg.AssetKey, schema: pa.Schema, deps: list[Any], **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """Arguments of one asset of this group."""
    partitioned = {"backfill_policy": BATCH} if "partitions_def" in more else {}
    return {
        "key": key,
        "deps": deps,
        "group_name": "insights",
        "kinds": {"parquet", "polars"},
        "owners": ["team:insights"],
        "metadata": {"dagster/column_schema": table_schema(schema), **PLOTS[key]},
        **partitioned,
        **more,
    }


@dg.asset(**insight(GRID_LOAD_KEY, CHARGING_GRID_LOAD, [SESSIONS_KEY, CLEANED_KEY, *GRID_DEPS], partitions_def=DAYS))
def charging_grid_load(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dict[str, pa.Table]:
    """Charges over half-hours and regions: MWh, share of the regional load, percentile in the local day, emissions."""
    return {day: tasks.grid_load_day(platform.settings, platform.store, day) for day in context.partition_keys}


SESSIONS_OF_MONTH = dg.AssetDep(SESSIONS_KEY, partition_mapping=DAYS_OF_MONTH)


@dg.asset(**insight(FLEXIBILITY_KEY, CHARGING_FLEXIBILITY, [SLOTS_OF_MONTH, SESSIONS_OF_MONTH], partitions_def=MONTHS))
def flexibility(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dict[str, pa.Table]:
    """Share of kWh in the lowest third of the local day, and g CO2, per charge."""
    return {month: tasks.flexibility_month(platform.store, month) for month in context.partition_keys}


@dg.asset(**insight(WINDOWS_KEY, CHARGE_WINDOWS, [SLOTS_OF_MONTH, *GRID_OF_MONTH], partitions_def=MONTHS))
def windows(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dict[str, pa.Table]:
    """The three hours of the day in which each vehicle's energy would have emitted least, and what that saves."""
    return {month: tasks.windows_month(platform.store, month) for month in context.partition_keys}


@dg.asset(
    **insight(
        VALUE_KEY,
        RESIDUAL_VALUE,
        [BATTERY_HEALTH_KEY, SESSIONS_OF_MONTH, VEHICLES_KEY, MARKET_MODELS],
        partitions_def=MONTHS,
    )
)
def value(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dict[str, pa.Table]:
    """Depreciation by age and mileage times a factor for battery health, with low and high; sales: US auctions."""
    return {m: tasks.residual_value_month(platform.settings, platform.store, m) for m in context.partition_keys}


@dg.asset(**insight(PRESSURE_KEY, REGION_EV_PRESSURE, [SESSIONS_KEY, *PLACE_DEPS]))
def pressure(platform: dg.ResourceParam[Platform]) -> pa.Table:
    """Share of a commune's or region's metered electricity that its rechargeable cars use: now, at 2 and 5 times."""
    return tasks.pressure(platform.store)


@dg.asset(
    **insight(
        VEHICLE_360_KEY,
        VEHICLE_360,
        [SESSIONS_KEY, BATTERY_HEALTH_KEY, VEHICLES_KEY, FLEXIBILITY_KEY, VALUE_KEY, *STYLE_DEPS],
    )
)
def vehicle(platform: dg.ResourceParam[Platform]) -> pa.Table:
    """One row per vehicle: health, km, charging, off-peak share, CO2, alarms, idling, value and its range."""
    return tasks.everything_about_vehicles(platform.store)
