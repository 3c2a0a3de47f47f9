"""raw/telematics → telematics/events → telematics/alarms → telematics/driving_style_daily.

The stream shares the ingest engine, the partitions and the repair of late data with the vehicles' chain, and nothing
else: own topic, own group, own job. The readings come from whatever device sends them; see docs/telematics.md.
"""

from collections.abc import Mapping
from functools import partial

import dagster as dg
import pyarrow as pa

from ev_platform.defs.automation import LATE_DATA, UPDATED_DEPS
from ev_platform.defs.metadata import receipt_metadata, table_schema
from ev_platform.defs.partitions import BATCH, DAYS, RAW_DAYS
from ev_platform.defs.platform import Platform
from ev_platform.defs.raw.assets import DRAIN_MAX_RUNTIME_SECONDS, DrainConfig, log_drain
from ev_platform.defs.ref.assets import VEHICLES_KEY
from ev_platform.engine.receipts import DayReceipt
from ev_platform.engine.telematics import EventsReceipt, alarms_days, events_day, style_day
from ev_platform.ingest.telematics import drain_telematics
from ev_platform.lake.schemas_telematics import DRIVING_STYLE, TELEMATICS_ALARMS, TELEMATICS_EVENTS

RAW_TELEMATICS = dg.AssetKey(["raw", "telematics"])
KAFKA_TELEMATICS = dg.AssetKey(["kafka", "telematics"])
EVENTS_KEY = dg.AssetKey(["telematics", "events"])
ALARMS_KEY = dg.AssetKey(["telematics", "alarms"])
STYLE_KEY = dg.AssetKey(["telematics", "driving_style_daily"])

DAILY = {
    "partitions_def": DAYS,
    "backfill_policy": BATCH,
    "group_name": "telematics",
    "kinds": {"parquet", "polars"},
    "owners": ["team:data-engineering"],
}

kafka_telematics = dg.AssetSpec(
    KAFKA_TELEMATICS,
    description="The topic of the telematics devices; observed by the sensor (lag per partition).",
    group_name="telematics",
    kinds={"kafka"},
    owners=["team:data-engineering"],
)


@dg.asset(
    key=RAW_TELEMATICS,
    deps=[KAFKA_TELEMATICS],
    partitions_def=RAW_DAYS,
    backfill_policy=BATCH,
    group_name="telematics",
    kinds={"kafka", "json"},
    owners=["team:data-engineering"],
    pool="kafka_telematics",
    retry_policy=dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS),
)
def raw_telematics(
    context: dg.AssetExecutionContext, config: DrainConfig, platform: dg.ResourceParam[Platform]
) -> None:
    """Raw readings, buffered per device and event day in `temp_telematics/{device}/{day}/`; committed last."""
    own = set(context.partition_keys)
    tell = partial(report_other_days, context, own)
    report = drain_telematics(platform.settings, platform.store, config.offset_ranges(), stored=tell)
    for day in own:
        metadata = {**receipt_metadata(report), "records": report.days.get(day, 0)}
        context.add_asset_metadata(metadata, partition_key=day)
    log_drain(context, report)


def report_other_days(context: dg.AssetExecutionContext, own: set[str], days: Mapping[str, int]) -> None:
    """Log a materialization for every event day beyond the run's own, at once: the commit comes after this."""
    for day in sorted(set(days) - own):
        metadata = {"records": days[day], "run_partition": context.partition_keys[0]}
        made = dg.AssetMaterialization(RAW_TELEMATICS, partition=day, metadata=metadata)
        context.instance.report_runless_asset_event(made)


@dg.asset(
    key=EVENTS_KEY,
    deps=[RAW_TELEMATICS, VEHICLES_KEY],
    automation_condition=LATE_DATA,
    metadata={"dagster/column_schema": table_schema(TELEMATICS_EVENTS)},
    **DAILY,
)
def events(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dict[str, EventsReceipt]:
    """Typed readings: numbers, flags, positions, bands; every message once, repeated readings marked."""
    return {day: events_day(platform.store, day) for day in context.partition_keys}


@dg.asset(
    key=ALARMS_KEY,
    deps=[EVENTS_KEY],
    automation_condition=UPDATED_DEPS,
    metadata={"dagster/column_schema": table_schema(TELEMATICS_ALARMS)},
    **DAILY,
)
def alarms(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dict[str, DayReceipt]:
    """Runs of very low and very high readings per device and variable; re-files earlier days that run into these."""
    return alarms_days(platform.store, list(context.partition_keys))


@dg.asset(
    key=STYLE_KEY,
    deps=[EVENTS_KEY, ALARMS_KEY],
    automation_condition=UPDATED_DEPS,
    metadata={"dagster/column_schema": table_schema(DRIVING_STYLE)},
    **DAILY,
)
def driving_style_daily(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dict[str, pa.Table]:
    """Driving, idling, harsh accelerations and brakings, towing and alarms per device and day."""
    return {day: style_day(platform.store, day) for day in context.partition_keys}


drain_telematics_job = dg.define_asset_job(
    "drain_telematics",
    selection=[RAW_TELEMATICS],
    description="One bounded drain of the telematics topic, requested by the sensor `telematics_lag`.",
    tags={"dagster/max_runtime": str(DRAIN_MAX_RUNTIME_SECONDS)},
)

telematics_nightly_job = dg.define_asset_job(
    "telematics_nightly",
    selection=[EVENTS_KEY, ALARMS_KEY, STYLE_KEY],
    description="One closed day of telematics: events, alarms, driving style, with the checks between them.",
)
