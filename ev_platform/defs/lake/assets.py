"""The daily chain of the lake: compressed → cleaned → segments. Tasks write the files, the assets return receipts."""

import dagster as dg
from dagster import DagsterEventType

from ev_platform.defs.automation import LATE_DATA, UPDATED_DEPS
from ev_platform.defs.metadata import table_schema
from ev_platform.defs.partitions import BATCH, DAYS
from ev_platform.defs.platform import Platform
from ev_platform.defs.raw.assets import RAW_TESLA
from ev_platform.defs.raw.files import RAW_FILES
from ev_platform.defs.ref.assets import VEHICLES_KEY
from ev_platform.engine.tasks import DayReceipt, clean_day, compact_day, segment_day
from ev_platform.lake.schemas import COMPRESSED, SEGMENTS
from ev_platform.providers.connect import PROVIDERS
from ev_platform.signals import cleaned_schema

COMPRESSED_KEY = dg.AssetKey(["lake", "compressed"])
CLEANED_KEY = dg.AssetKey(["lake", "cleaned"])
SEGMENTS_KEY = dg.AssetKey(["lake", "segments"])
RAW_ASSETS = [RAW_TESLA, RAW_FILES, *(dg.AssetKey(["raw", provider]) for provider in PROVIDERS)]
RAW_SEEN = "raw_seen"
"""Metadata of a compaction: storage id of the newest raw materialization that it knew of before it listed files."""

DAILY = {
    "partitions_def": DAYS,
    "backfill_policy": BATCH,
    "group_name": "lake",
    "kinds": {"parquet", "polars"},
    "owners": ["team:data-engineering"],
}


def newest_raw(instance: dg.DagsterInstance) -> dict[str, int]:
    """Storage id of the newest raw materialization of each event day, over all raw assets."""
    newest: dict[str, int] = {}
    for key in RAW_ASSETS:
        for day, storage_id in instance.get_latest_storage_id_by_partition(
            key, DagsterEventType.ASSET_MATERIALIZATION
        ).items():
            newest[day] = max(storage_id, newest.get(day, 0))
    return newest


@dg.asset(
    key=COMPRESSED_KEY,
    deps=RAW_ASSETS,
    automation_condition=LATE_DATA,
    metadata={"dagster/column_schema": table_schema(COMPRESSED)},
    **{**DAILY, "kinds": {"parquet"}},
)
def compressed(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dict[str, DayReceipt]:
    """One lossless Parquet file per vehicle and UTC day; raw buffers are deleted only after it was read back."""
    known = newest_raw(context.instance)  # before any file is listed: what comes later is seen as newer
    receipts = {day: compact_day(platform.settings, platform.store, day) for day in context.partition_keys}
    for day in receipts:
        context.add_asset_metadata({RAW_SEEN: known.get(day, 0)}, partition_key=day)
    return receipts


@dg.asset(
    key=CLEANED_KEY,
    deps=[COMPRESSED_KEY, VEHICLES_KEY],
    automation_condition=UPDATED_DEPS,
    metadata={
        "dagster/column_schema": table_schema(cleaned_schema()),
        "dagster/column_lineage": dg.TableColumnLineage(
            {
                name: [dg.TableColumnDep(COMPRESSED_KEY, column) for column in ("signal", "number", "text", "status")]
                for name in cleaned_schema().names
                if name not in ("vin", "time", "provider")
            }
        ),
    },
    **DAILY,
)
def cleaned(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dict[str, DayReceipt]:
    """Wide, canonical, SI units: what was changed, nulled or dropped is counted by rule."""
    return {day: clean_day(platform.settings, platform.store, day) for day in context.partition_keys}


SEGMENT_LINEAGE = {
    "soc_start": ["soc_percent"],
    "soc_end": ["soc_percent"],
    "distance_km": ["odometer_km"],
    "kind": ["charge_state", "gear", "speed_kmh", "odometer_km", "soc_percent"],
    "energy_kwh": ["charge_energy_kwh", "pack_voltage_v", "pack_current_a", "soc_percent"],
    "power_mean_kw": ["pack_voltage_v", "pack_current_a"],
    "outside_temp_mean_c": ["outside_temp_c"],
    "battery_temp_mean_c": ["battery_temp_min_c", "battery_temp_max_c"],
}
"""Which cleaned columns each segment column is computed from."""


@dg.asset(
    key=SEGMENTS_KEY,
    deps=[CLEANED_KEY, VEHICLES_KEY],
    automation_condition=UPDATED_DEPS,
    metadata={
        "dagster/column_schema": table_schema(SEGMENTS),
        "dagster/column_lineage": dg.TableColumnLineage(
            {name: [dg.TableColumnDep(CLEANED_KEY, c) for c in columns] for name, columns in SEGMENT_LINEAGE.items()}
        ),
    },
    **DAILY,
)
def segments(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dict[str, DayReceipt]:
    """Charge, drive and idle pieces of one UTC day, from that day alone."""
    return {day: segment_day(platform.settings, platform.store, day) for day in context.partition_keys}
