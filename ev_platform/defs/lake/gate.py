"""Which closed days the nightly schedule has to make, and whether Kafka has been drained past their midnight.

Reads Dagster's event log and the broker's offsets only; requests nothing (schedules.py does).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta

import dagster as dg
from dagster import DagsterEventType

from ev_platform.defs.lake.assets import COMPRESSED_KEY, RAW_SEEN, newest_raw
from ev_platform.defs.raw.assets import KAFKA_TESLA, drain_job
from ev_platform.defs.raw.sensors import HIGH_WATERMARKS, QUEUED, RUNNING
from ev_platform.ingest.lag import offsets_for_time, probe
from ev_platform.lake.layout import day_bounds
from ev_platform.lake.store import IO_THREADS, ObjectStore
from ev_platform.settings import Settings

RACE_WINDOW = timedelta(days=14)
"""How far back compactions are asked what they had seen; what is older shows by its files (`leftover_days`)."""

PROBE_AGE = timedelta(minutes=15)
"""How old the probe may be whose high watermarks stand in for midnight, where the broker looks up no times."""

START_TAG, END_TAG = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def uncompacted_days(instance: dg.DagsterInstance, today: date, now: datetime) -> list[str]:
    """Closed days (before `today`) with raw data that their newest compaction did not know of.

    Comparing the two newest events is not enough: a drain may finish while a compaction runs that has listed its files
    already. The compaction then looks newer than data it never read, so it also says what it had seen.
    """
    raw = newest_raw(instance)
    done = instance.get_latest_storage_id_by_partition(COMPRESSED_KEY, DagsterEventType.ASSET_MATERIALIZATION)
    seen = _raw_seen(instance, now - RACE_WINDOW)
    closed = [day for day in raw if day < today.isoformat()]
    return sorted(day for day in closed if raw[day] > done.get(day, 0) or raw[day] > seen.get(day, raw[day]))


def _raw_seen(instance: dg.DagsterInstance, since: datetime) -> dict[str, int]:
    """Per day, what its newest compaction after `since` had seen."""
    recent = dg.AssetRecordsFilter(asset_key=COMPRESSED_KEY, after_timestamp=since.timestamp())
    seen: dict[str, int] = {}
    for record in instance.fetch_materializations(recent, limit=10_000).records:  # newest first
        event = record.asset_materialization
        if event and event.partition and event.partition not in seen and RAW_SEEN in event.metadata:
            seen[event.partition] = int(event.metadata[RAW_SEEN].value)
    return seen


def leftover_days(store: ObjectStore, today: date) -> list[str]:
    """Closed days with raw files that still wait, whoever wrote them and whatever was or was not reported of them.

    One listing per vehicle, so it is asked once a night: the last resort for drains that died before they could tell.
    """
    vehicles = store.list_folders("temp")
    with ThreadPoolExecutor(IO_THREADS) as pool:
        found = pool.map(lambda vin: store.list_folders(f"temp/{vin}"), vehicles)
        days = {day for folders in found for day in folders}
    return sorted(day for day in days if day < today.isoformat())


def days_in_progress(instance: dg.DagsterInstance) -> set[str]:
    """Days (as first and last of a range) that some run other than a drain works on now."""
    busy: set[str] = set()
    for record in instance.get_run_records(dg.RunsFilter(statuses=[*QUEUED, *RUNNING])):
        run = record.dagster_run
        if run.job_name != drain_job.name:
            first = run.tags.get(START_TAG) or run.tags.get("dagster/partition")
            last = run.tags.get(END_TAG) or first
            if first and last and len(first) == len("2026-11-01"):
                span = (date.fromisoformat(last) - date.fromisoformat(first)).days
                busy |= {(date.fromisoformat(first) + timedelta(days=n)).isoformat() for n in range(span + 1)}
    return busy


def failures(instance: dg.DagsterInstance, job_name: str, day: str, since: datetime) -> int:
    """How often the job failed for that day since then: a permanent error must not be repeated all night."""
    failed = dg.RunsFilter(
        job_name=job_name,
        statuses=[dg.DagsterRunStatus.FAILURE],
        tags={"dagster/partition": day},
        updated_after=since,
    )
    return instance.get_runs_count(failed)


def drained_past(instance: dg.DagsterInstance, settings: Settings, day: str, tick: datetime) -> bool:
    """Whether every partition is committed past the day's end.

    Per partition: committed ≥ the offset at next midnight, where the broker looks up times; else ≥ the high watermark
    of the sensor's first probe after midnight; else ≥ the high watermark now.

    Raises:
        UserError: the broker does not answer.
    """
    if not settings.kafka_bootstrap:
        return True  # no broker, nothing to wait for
    midnight = day_bounds(day)[1]
    at_midnight = offsets_for_time(settings, int(midnight.timestamp() * 1000))
    probed = _high_watermarks_after(instance, max(midnight, tick - PROBE_AGE))
    for lag in probe(settings):
        target = at_midnight.get((lag.topic, lag.partition))
        if target is None:
            target = probed.get(f"{lag.topic}:{lag.partition}", lag.high)
        if lag.start < target:
            return False
    return True


def _high_watermarks_after(instance: dg.DagsterInstance, moment: datetime) -> dict[str, int]:
    wanted = dg.AssetRecordsFilter(asset_key=KAFKA_TESLA, after_timestamp=moment.timestamp())
    for record in instance.fetch_observations(wanted, limit=1, ascending=True).records:
        event = record.asset_observation
        if event and HIGH_WATERMARKS in event.metadata:
            return dict(event.metadata[HIGH_WATERMARKS].value)  # type: ignore[call-overload]
    return {}
