"""What drives the telematics chain: a sensor that looks at the topic, and a nightly schedule for the closed day.

Late readings re-open their day by the sensor `late_data`, as everywhere.
"""

from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster import DagsterEventType

from ev_platform.defs.platform import Platform
from ev_platform.defs.raw.sensors import bounded_ranges, drain_in_flight
from ev_platform.defs.telematics.assets import (
    EVENTS_KEY,
    KAFKA_TELEMATICS,
    RAW_TELEMATICS,
    drain_telematics_job,
    telematics_nightly_job,
)
from ev_platform.ingest.lag import probe
from ev_platform.ingest.telematics import telematics_settings


def request_telematics_drain(
    context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]
) -> dg.SensorResult:
    """Requests one bounded drain with explicit offset ranges when readings wait and no drain is under way."""
    settings = telematics_settings(platform.settings)
    if not settings.kafka_bootstrap:
        return dg.SensorResult(skip_reason="EV_KAFKA_BOOTSTRAP is not set: no broker to read from")
    lags, now = probe(settings), datetime.now(UTC)
    total = sum(lag.behind for lag in lags)
    if total < settings.drain_min_messages:
        return dg.SensorResult(skip_reason=f"lag {total} on {len(lags)} partitions of {settings.telematics_topic}")
    seen = {f"{lag.topic}:{lag.partition}": lag.behind for lag in lags}
    metadata = {"lag_messages": total, "lag": dg.MetadataValue.json(seen)}
    events = [dg.AssetObservation(KAFKA_TELEMATICS, metadata=metadata)]
    if drain_in_flight(context.instance, now, drain_telematics_job.name):
        return dg.SensorResult(skip_reason=f"lag {total}, a drain is under way", asset_events=events)
    ranges = bounded_ranges(lags, settings.drain_max_messages)
    config = {"ops": {"__".join(RAW_TELEMATICS.path): {"config": {"ranges": ranges}}}}
    request = dg.RunRequest(partition_key=now.date().isoformat(), run_config=config)
    return dg.SensorResult(run_requests=[request], asset_events=events)


telematics_lag = dg.sensor(
    name="telematics_lag",
    job=drain_telematics_job,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
)(request_telematics_drain)


NIGHT_CRON = "15,45 0-5 * * *"
LOOK_BACK = timedelta(days=14)


def unmade_days(instance: dg.DagsterInstance, tick: datetime) -> list[str]:
    """Closed days of the last two weeks whose raw readings are newer than their events."""
    raw, made = (
        instance.get_latest_storage_id_by_partition(key, DagsterEventType.ASSET_MATERIALIZATION)
        for key in (RAW_TELEMATICS, EVENTS_KEY)
    )
    first, today = (tick - LOOK_BACK).date().isoformat(), tick.date().isoformat()
    return sorted(day for day in raw if first <= day < today and raw[day] > made.get(day, 0))


def telematics_night(
    context: dg.ScheduleEvaluationContext, platform: dg.ResourceParam[Platform]
) -> list[dg.RunRequest] | dg.SkipReason:
    """Requests each closed day whose readings are not in its events yet; a run in progress is not asked for twice."""
    tick = context.scheduled_execution_time
    if drain_in_flight(context.instance, tick, telematics_nightly_job.name):
        return dg.SkipReason("a night's run is under way")
    requests = [
        dg.RunRequest(run_key=f"{day}@{tick.isoformat()}", partition_key=day)
        for day in unmade_days(context.instance, tick)
    ]
    return requests or dg.SkipReason("every closed day with raw readings is made")


telematics_nightly = dg.schedule(
    name="telematics_nightly",
    job=telematics_nightly_job,
    cron_schedule=NIGHT_CRON,
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)(telematics_night)
