"""Tables over the whole history, without partitions: each follows whatever of its upstream tables changed.

One row of a table per asset: what it reads, who makes it. See https://docs.dagster.io/guides/build/assets.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import dagster as dg
import pyarrow as pa

from ev_platform.defs.automation import UPDATED_DEPS
from ev_platform.defs.metadata import table_schema
from ev_platform.defs.platform import Platform
from ev_platform.defs.ref.assets import VEHICLES_KEY
from ev_platform.defs.results.assets import BATTERY_HEALTH_KEY
from ev_platform.defs.results.checks import check_specs, check_tables
from ev_platform.defs.results.usage import DAILY_KEYS
from ev_platform.engine.tasks import among_peers, consumption, health_ahead, health_filtered, newest_battery
from ev_platform.lake import schemas_results as schemas
from ev_platform.lake.store import ObjectStore


class HistoryTable(NamedTuple):
    """One whole-history asset."""

    name: str
    deps: tuple[dg.AssetKey, ...]
    make: Callable[[ObjectStore], pa.Table]
    schema: pa.Schema
    description: str


def _key(name: str) -> dg.AssetKey:
    return dg.AssetKey(["results", name])


TABLES = (
    HistoryTable(
        "battery_health_filtered",
        (BATTERY_HEALTH_KEY,),
        health_filtered,
        schemas.BATTERY_HEALTH_FILTERED,
        "Battery health over months by a causal state-space filter, with trend and a calibrated interval.",
    ),
    HistoryTable(
        "battery_degradation",
        (_key("battery_health_filtered"), VEHICLES_KEY),
        health_ahead,
        schemas.BATTERY_DEGRADATION,
        "Degradation curve drawn to the model's fleet, and the forecast in 1, 3 and 12 months with interval.",
    ),
    HistoryTable(
        "consumption_by_temperature",
        (DAILY_KEYS["trips"],),
        consumption,
        schemas.CONSUMPTION_BY_TEMPERATURE,
        "kWh/100 km net and gross per vehicle and 5 °C of outside temperature.",
    ),
    HistoryTable(
        "vehicle_battery",
        (
            BATTERY_HEALTH_KEY,
            _key("battery_health_filtered"),
            _key("battery_degradation"),
            _key("consumption_by_temperature"),
            DAILY_KEYS["charging"],
            DAILY_KEYS["data_quality"],
            VEHICLES_KEY,
        ),
        newest_battery,
        schemas.VEHICLE_BATTERY,
        "The newest row per vehicle: health with interval, capacity, cycles, DC share, completeness.",
    ),
    HistoryTable(
        "peer_percentiles",
        (_key("vehicle_battery"), _key("consumption_by_temperature"), DAILY_KEYS["vampire_drain"]),
        among_peers,
        schemas.PEER_PERCENTILES,
        "Each vehicle among cars of its model, age and mileage: health, consumption, drain.",
    ),
)


def build(row: HistoryTable) -> dg.AssetsDefinition:
    """The Dagster asset of one row."""

    @dg.asset(
        key=_key(row.name),
        deps=list(row.deps),
        automation_condition=UPDATED_DEPS,
        group_name="results",
        kinds={"parquet", "numpy"},
        owners=["team:battery-science"],
        description=row.description,
        metadata={"dagster/column_schema": table_schema(row.schema)},
        check_specs=check_specs(_key(row.name), None),
    )
    def made(platform: dg.ResourceParam[Platform]) -> Iterator[Any]:
        table = row.make(platform.store)
        yield dg.Output(table)
        yield from check_tables(_key(row.name), {"": table})

    return made


history_tables = [build(row) for row in TABLES]
HISTORY_KEYS = [_key(row.name) for row in TABLES]
