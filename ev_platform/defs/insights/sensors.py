"""The sensor that keeps the joins up to date: what is older than what it is made from is asked for again.

Not automation conditions: a join reads several rooms that move at their own pace (today's grid every quarter of an
hour), and once an hour, days first, then months, then the whole, is often enough for all of them.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import dagster as dg
from dagster import DagsterEventType

from ev_platform.defs.insights.assets import (
    FLEXIBILITY_KEY,
    GRID_KEYS,
    GRID_LOAD_KEY,
    PLACE_KEYS,
    PRESSURE_KEY,
    STYLE_KEY,
    VALUE_KEY,
    VEHICLE_360_KEY,
    WINDOWS_KEY,
)
from ev_platform.defs.market.assets import MARKET_MODELS
from ev_platform.defs.partitions import DAYS, MONTHS
from ev_platform.defs.raw.sensors import QUEUED, RUNNING
from ev_platform.defs.ref.assets import VEHICLES_KEY
from ev_platform.defs.results.assets import BATTERY_HEALTH_KEY, SESSIONS_KEY
from ev_platform.insights.tasks import GRID_DAYS

TAG = "insights/partition"
WHOLE = "whole"
MOST_RUNS = 10
MOST_FAILURES = 3
FAILURE_WINDOW = timedelta(hours=12)

MONTHLY = (FLEXIBILITY_KEY, WINDOWS_KEY, VALUE_KEY)
WHOLE_KEYS = (PRESSURE_KEY, VEHICLE_360_KEY)

Made = dict[str, int]
"""Partition → storage id of its newest materialization; '' stands for an asset without partitions."""


def made(instance: dg.DagsterInstance, key: dg.AssetKey) -> Made:
    """Newest materialization of each partition of an asset."""
    ids = instance.get_latest_storage_id_by_partition(key, DagsterEventType.ASSET_MATERIALIZATION)
    event = instance.get_latest_materialization_event(key)
    whole = instance.fetch_materializations(key, limit=1).records[0].storage_id if event else 0
    return {**ids, "": whole}


def stale_days(instance: dg.DagsterInstance) -> list[str]:
    """Days with sessions whose join is older than they are, or than the grid of the days around."""
    own, sessions = made(instance, GRID_LOAD_KEY), made(instance, SESSIONS_KEY)
    grids = [made(instance, key) for key in GRID_KEYS]
    known = set(DAYS.get_partition_keys())
    return sorted(
        day for day in sessions.keys() & known if own.get(day, 0) < max(sessions[day], _newest_around(grids, day))
    )


def _newest_around(grids: Iterable[Made], day: str) -> int:
    first = date.fromisoformat(day)
    days = [(first + timedelta(days=n)).isoformat() for n in range(GRID_DAYS[0], GRID_DAYS[1] + 1)]
    return max((grid.get(other, 0) for grid in grids for other in days), default=0)


def stale_months(instance: dg.DagsterInstance) -> list[str]:
    """Months whose flexibility, windows or values are older than what they are made from."""
    days = made(instance, GRID_LOAD_KEY)
    by_month: Made = {}
    for day, storage_id in days.items():
        if day:
            by_month[day[:7]] = max(by_month.get(day[:7], 0), storage_id)
    health, models = made(instance, BATTERY_HEALTH_KEY), made(instance, MARKET_MODELS)[""]
    own = [made(instance, key) for key in MONTHLY]
    known = set(MONTHS.get_partition_keys())
    return sorted(
        month
        for month in by_month.keys() & known
        if min(mine.get(month, 0) for mine in own) < max(by_month[month], health.get(month, 0), models)
    )


def stale_whole(instance: dg.DagsterInstance) -> bool:
    """Whether the tables without partitions are older than any of theirs."""
    sources = (SESSIONS_KEY, BATTERY_HEALTH_KEY, VEHICLES_KEY, *MONTHLY, *PLACE_KEYS, STYLE_KEY)
    newest = max(max(made(instance, key).values()) for key in sources)
    has_sessions = len(made(instance, SESSIONS_KEY)) > 1
    return has_sessions and min(made(instance, key)[""] for key in WHOLE_KEYS) < newest


def next_requests(instance: dg.DagsterInstance, now: datetime) -> list[dg.RunRequest]:
    """What is stale at the first level that is: days, else months, else the whole; without what failed too often."""
    days = _request(instance, stale_days(instance), [GRID_LOAD_KEY], now)
    if days:
        return days
    months = _request(instance, stale_months(instance), list(MONTHLY), now)
    if months:
        return months
    return _request(instance, [WHOLE] if stale_whole(instance) else [], list(WHOLE_KEYS), now)


def _request(
    instance: dg.DagsterInstance, partitions: list[str], keys: list[dg.AssetKey], now: datetime
) -> list[dg.RunRequest]:
    return [
        dg.RunRequest(
            partition_key=None if partition == WHOLE else partition, asset_selection=keys, tags={TAG: partition}
        )
        for partition in partitions
        if not _failed_too_often(instance, partition, now)
    ][:MOST_RUNS]


def _failed_too_often(instance: dg.DagsterInstance, partition: str, now: datetime) -> bool:
    failed = dg.RunsFilter(
        tags={TAG: partition}, statuses=[dg.DagsterRunStatus.FAILURE], created_after=now - FAILURE_WINDOW
    )
    return len(instance.get_run_records(failed, limit=MOST_FAILURES)) >= MOST_FAILURES


@dg.sensor(
    asset_selection=dg.AssetSelection.groups("insights"),
    minimum_interval_seconds=3600,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def insights(context: dg.SensorEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
    """Requests the joins that are older than what they are made from: days, then months, then the whole."""
    busy = [
        record
        for record in context.instance.get_run_records(dg.RunsFilter(statuses=[*QUEUED, *RUNNING]), limit=50)
        if TAG in record.dagster_run.tags
    ]
    if busy:
        return dg.SkipReason("joins are being made")
    return next_requests(context.instance, datetime.now(UTC)) or dg.SkipReason("everything is up to date")
