"""The sensor that drives the Kafka consumer: it only looks (committed offsets, watermarks) and never consumes.

No run_key: the committed offsets are the truth, so a failed drain is simply requested again at the next tick, while a
run_key of a failed run would never be launched again. See https://docs.dagster.io/guides/automate/sensors.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster import DagsterRunStatus

from ev_platform.defs.platform import Platform
from ev_platform.defs.raw.assets import DRAIN_MAX_RUNTIME_SECONDS, KAFKA_TESLA, RAW_TESLA, drain_job
from ev_platform.ingest.breaker import stopped
from ev_platform.ingest.group import members
from ev_platform.ingest.lag import PartitionLag, probe

HIGH_WATERMARKS = "high_watermarks"
OBSERVED_EVERY_SECONDS = 300.0
"""Longest time without an observation; the nightly gate wants one in the quarter of an hour after midnight."""

QUEUED = [DagsterRunStatus.QUEUED]
RUNNING = [
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


def bounded_ranges(lags: Sequence[PartitionLag], most: int) -> dict[str, list[int]]:
    """Explicit ranges for one drain of at most `most` messages, shared fairly between the partitions that lag."""
    lagging = sorted((lag for lag in lags if lag.behind), key=lambda lag: lag.behind)
    ranges: dict[str, list[int]] = {}
    left = most
    for done, lag in enumerate(lagging):
        count = min(lag.behind, max(left // (len(lagging) - done), 1))
        # a committed offset that has expired stays the start: the drain records what is missing as a known gap
        start = lag.committed if lag.committed is not None and lag.expired else lag.start
        ranges[f"{lag.topic}:{lag.partition}"] = [start, lag.start + count]
        left -= count
    return dict(sorted(ranges.items()))


def drain_in_flight(instance: dg.DagsterInstance, now: datetime, job_name: str = drain_job.name) -> bool:
    """Whether a drain is queued or under way; one older than its max_runtime is dead and must not block for ever."""
    alive = now - timedelta(seconds=DRAIN_MAX_RUNTIME_SECONDS)
    queued = dg.RunsFilter(job_name=job_name, statuses=QUEUED)
    running = dg.RunsFilter(job_name=job_name, statuses=RUNNING, updated_after=alive)
    return any(instance.get_run_records(filters, limit=1) for filters in (queued, running))


def observe(cursor: str | None, lags: Sequence[PartitionLag], now: datetime) -> tuple[list[dg.AssetObservation], str]:
    """An observation when something moved, or the last one is old; and the cursor that remembers it.

    One at every tick would be a million rows a year in the event log of a fleet that stands still.
    """
    state = [[lag.topic, lag.partition, lag.start, lag.high] for lag in lags]
    last = json.loads(cursor) if cursor else {"state": None, "at": 0.0}
    if state == last["state"] and now.timestamp() - last["at"] < OBSERVED_EVERY_SECONDS:
        return [], json.dumps(last)
    return [observation(lags)], json.dumps({"state": state, "at": now.timestamp()})


def observation(lags: Sequence[PartitionLag]) -> dg.AssetObservation:
    """Lag and high watermark per partition; the nightly gate reads the watermarks of the first probe after midnight."""
    metadata = {
        "lag_messages": sum(lag.behind for lag in lags),
        "lag": dg.MetadataValue.json({f"{lag.topic}:{lag.partition}": lag.behind for lag in lags}),
        HIGH_WATERMARKS: dg.MetadataValue.json({f"{lag.topic}:{lag.partition}": lag.high for lag in lags}),
    }
    return dg.AssetObservation(KAFKA_TESLA, metadata=metadata)


def request_drain(context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]) -> dg.SensorResult:
    """Requests one bounded drain with explicit offset ranges when messages wait and nobody reads them yet."""
    settings = platform.settings
    if not settings.kafka_bootstrap:
        return dg.SensorResult(skip_reason="EV_KAFKA_BOOTSTRAP is not set: no broker to read from")
    lags = probe(settings)
    total = sum(lag.behind for lag in lags)
    now = datetime.now(UTC)
    events, cursor = observe(context.cursor, lags, now)
    if total < settings.drain_min_messages:
        return dg.SensorResult(skip_reason=f"lag {total} on {len(lags)} partitions", asset_events=events, cursor=cursor)
    if alive := members(settings):
        waits = f"lag {total}, the ingest service reads it ({alive} in the group)"
        return dg.SensorResult(skip_reason=waits, asset_events=events, cursor=cursor)
    if drain_in_flight(context.instance, now):
        return dg.SensorResult(skip_reason=f"lag {total}, a drain is under way", asset_events=events, cursor=cursor)
    why = stopped(platform.store, settings, now.timestamp())
    if why is not None:
        return dg.SensorResult(skip_reason=f"lag {total}, {why}", asset_events=events, cursor=cursor)
    ranges = bounded_ranges(lags, settings.drain_max_messages)
    config = {"ops": {"__".join(RAW_TESLA.path): {"config": {"ranges": ranges}}}}
    request = dg.RunRequest(partition_key=now.date().isoformat(), run_config=config)
    return dg.SensorResult(run_requests=[request], asset_events=events, cursor=cursor)


kafka_lag = dg.sensor(
    name="kafka_lag",
    job=drain_job,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
)(request_drain)
