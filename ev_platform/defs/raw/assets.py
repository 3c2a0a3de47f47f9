"""raw/tesla: a bounded drain of the vehicle topics into per-vehicle buffers. One partition per event day.

A drain runs under today's key and logs a materialization for every other event day it wrote, so that late data
re-open exactly their day. Materialized by hand, it drains to the high watermark and, where the broker looks up times,
reads the partition's day again.
"""

from collections.abc import Mapping
from functools import partial

import dagster as dg
from pydantic import Field

from ev_platform.defs.metadata import mapping_table, receipt_metadata
from ev_platform.defs.ops.alerts import alert_lost
from ev_platform.defs.partitions import BATCH, RAW_DAYS
from ev_platform.defs.platform import Platform
from ev_platform.ingest.drain import DrainReport, OffsetRange, drain
from ev_platform.ingest.lag import offsets_for_time, probe
from ev_platform.lake.layout import day_bounds

RAW_TESLA = dg.AssetKey(["raw", "tesla"])
KAFKA_TESLA = dg.AssetKey(["kafka", "tesla"])
DRAIN_MAX_RUNTIME_SECONDS = 600

kafka_tesla = dg.AssetSpec(
    KAFKA_TESLA,
    description="The topics of Tesla Fleet Telemetry; observed by the sensor (lag per partition).",
    group_name="raw",
    kinds={"kafka"},
    owners=["team:data-engineering"],
)


class DrainConfig(dg.Config):
    """What one drain reads: `topic:partition` → [start, end). Empty: everything up to the high watermarks."""

    ranges: dict[str, list[int]] = Field(default={}, description="topic:partition → [start, end)")

    def offset_ranges(self) -> list[OffsetRange] | None:
        """The ranges as the drain wants them."""
        named = [(name.rpartition(":"), bounds) for name, bounds in self.ranges.items()]
        return [OffsetRange(topic, int(number), *bounds) for (topic, _, number), bounds in named] or None


@dg.asset(
    key=RAW_TESLA,
    deps=[KAFKA_TESLA],
    partitions_def=RAW_DAYS,
    backfill_policy=BATCH,
    group_name="raw",
    kinds={"kafka", "json"},
    owners=["team:data-engineering"],
    pool="kafka",
    retry_policy=dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS),
)
def raw_tesla(context: dg.AssetExecutionContext, config: DrainConfig, platform: dg.ResourceParam[Platform]) -> None:
    """Raw Tesla messages, buffered per vehicle and event day in `temp/{VIN}/{day}/`; offsets are committed last."""
    own = set(context.partition_keys)
    tell = partial(report_other_days, context, own)
    lost = partial(alert_lost, platform)
    report = drain(platform.settings, platform.store, config.offset_ranges(), stored=tell, lost=lost)
    replayed = {} if config.ranges else replay(platform, sorted(own))
    for day in own:
        own_figures = {"records": report.days.get(day, 0), "replayed": replayed.get(day, 0)}
        own_figures["dead"] = report.dead_letters.total()
        context.add_asset_metadata({**receipt_metadata(report), **own_figures}, partition_key=day)
    log_drain(context, report)


def report_other_days(
    context: dg.AssetExecutionContext, own: set[str], days: Mapping[str, int], *, key: dg.AssetKey = RAW_TESLA
) -> None:
    """Log a materialization for every event day beyond the run's own, at once: the commit comes after this.

    An event of the step would be stored when the step ends, and a kill before that would leave a committed day that
    nobody compacts. The run's own day is today: every later drain logs it again.
    """
    tags = {"ev/run_id": context.run.run_id}
    for day in sorted(set(days) - own):
        metadata = {"records": days[day], "run_partition": context.partition_keys[0]}
        made = dg.AssetMaterialization(key, partition=day, metadata=metadata, tags=tags)
        context.instance.report_runless_asset_event(made)


def replay(platform: Platform, days: list[str]) -> dict[str, int]:
    """Read event days again from Kafka where the broker looks up times; commits nothing, repeats are harmless."""
    read: dict[str, int] = {}
    ends = {(lag.topic, lag.partition): lag.high for lag in probe(platform.settings)}
    for day in days:
        milliseconds = int(day_bounds(day)[0].timestamp() * 1000)
        found = offsets_for_time(platform.settings, milliseconds)
        ranges = [OffsetRange(*tp, start, ends[tp]) for tp, start in found.items() if start is not None and tp in ends]
        if ranges:
            read[day] = drain(platform.settings, platform.store, ranges, commit=False, only_day=day).records
    return read


def log_drain(context: dg.AssetExecutionContext, report: DrainReport) -> None:
    """One line of what was drained; dead letters and gaps as warnings, which the UI shows apart."""
    if report.refused:
        context.log.warning(f"nothing drained: {report.refused}")
    context.log.info(f"{report.messages} messages: {report.records} records of {len(report.vins)} vehicles")
    if report.dead_letters:
        context.log.warning(f"dead letters\n{mapping_table(report.dead_letters)}")
    if report.gaps:
        context.log.error(f"messages expired before they were read, recorded as known gaps: {report.gaps}")


drain_job = dg.define_asset_job(
    "drain",
    selection=[RAW_TESLA],
    description="One bounded drain of Kafka, requested by the sensor `kafka_lag`.",
    tags={"dagster/max_runtime": str(DRAIN_MAX_RUNTIME_SECONDS)},
)
