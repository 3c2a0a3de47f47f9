"""Results: sessions stitched over midnight (daily, filed under the start day) and battery health (monthly)."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from ev_platform.defs.automation import UPDATED_DEPS
from ev_platform.defs.lake.assets import CLEANED_KEY, DAILY, SEGMENTS_KEY
from ev_platform.defs.metadata import table_schema
from ev_platform.defs.partitions import BATCH, DAYS_OF_MONTH, MONTHS
from ev_platform.defs.platform import Platform
from ev_platform.defs.ref.assets import VEHICLES_KEY
from ev_platform.defs.results.checks import check_specs, check_tables
from ev_platform.engine.tasks import DayReceipt, health_month, stitch_days
from ev_platform.lake.schemas import BATTERY_HEALTH, SESSIONS

SESSIONS_KEY = dg.AssetKey(["results", "sessions"])
BATTERY_HEALTH_KEY = dg.AssetKey(["results", "battery_health"])


@dg.asset(
    key=SESSIONS_KEY,
    deps=[SEGMENTS_KEY],
    automation_condition=UPDATED_DEPS,
    metadata={"dagster/column_schema": table_schema(SESSIONS)},
    **{**DAILY, "group_name": "results"},
)
def sessions(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dict[str, DayReceipt]:
    """Charges, drives and idle times, whole: pieces joined over midnight. Re-files earlier days that run into these."""
    return stitch_days(platform.settings, platform.store, list(context.partition_keys))


@dg.asset(
    key=BATTERY_HEALTH_KEY,
    deps=[
        dg.AssetDep(CLEANED_KEY, partition_mapping=DAYS_OF_MONTH),
        dg.AssetDep(SESSIONS_KEY, partition_mapping=DAYS_OF_MONTH),
        VEHICLES_KEY,
    ],
    partitions_def=MONTHS,
    backfill_policy=BATCH,
    automation_condition=UPDATED_DEPS,
    group_name="results",
    kinds={"parquet", "numpy"},
    owners=["team:battery-science"],
    metadata={"dagster/column_schema": table_schema(BATTERY_HEALTH)},
    check_specs=check_specs(BATTERY_HEALTH_KEY, MONTHS),
)
def battery_health(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> Iterator[Any]:
    """State of health per vehicle and month: value ± sd, evidence, method; no number when the evidence is too thin."""
    tables = {month: health_month(platform.settings, platform.store, month) for month in context.partition_keys}
    yield dg.Output(tables)
    yield from check_tables(BATTERY_HEALTH_KEY, tables)
