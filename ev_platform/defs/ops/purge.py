"""Purge of old drain runs: one drain every 30 seconds is a million runs a year, which no run database likes.

Deleting a run deletes its materializations too, so a run that holds the newest one of any raw day is kept.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster import DagsterEventType

from ev_platform.defs.platform import Platform
from ev_platform.defs.raw.assets import RAW_TESLA, drain_job
from ev_platform.defs.telematics.assets import RAW_TELEMATICS, drain_telematics_job

FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
PURGE_BATCH = 500
DRAINS = ((drain_job.name, RAW_TESLA), (drain_telematics_job.name, RAW_TELEMATICS))
"""Jobs that drain, and the raw asset that each of them makes."""


def purge_drain_runs(instance: dg.DagsterInstance, before: datetime, most: int = PURGE_BATCH) -> int:
    """Delete finished drain runs created before `before`, except those that hold a raw day's newest materialization.

    Returns:
        The number of runs deleted, at most `most` of each drain job.
    """
    return sum(_purge(instance, before, most, *drain) for drain in DRAINS)


def _purge(instance: dg.DagsterInstance, before: datetime, most: int, job_name: str, raw: dg.AssetKey) -> int:
    kept = set(_runs_of_newest_materializations(instance, raw))
    filters = dg.RunsFilter(job_name=job_name, statuses=FINISHED, created_before=before)
    old = instance.get_run_records(filters, limit=most + len(kept), ascending=True)
    doomed = [record.dagster_run.run_id for record in old if record.dagster_run.run_id not in kept][:most]
    for run_id in doomed:
        instance.delete_run(run_id)
    return len(doomed)


def _runs_of_newest_materializations(instance: dg.DagsterInstance, raw: dg.AssetKey) -> Iterator[str]:
    newest = instance.get_latest_storage_id_by_partition(raw, DagsterEventType.ASSET_MATERIALIZATION)
    ids = sorted(newest.values())
    for start in range(0, len(ids), PURGE_BATCH):
        wanted = dg.AssetRecordsFilter(asset_key=raw, storage_ids=ids[start : start + PURGE_BATCH])
        for record in instance.fetch_materializations(wanted, limit=PURGE_BATCH).records:
            yield record.run_id


@dg.op
def purge_old_drains(context: dg.OpExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Purges finished drain runs older than `EV_DRAIN_RUNS_KEPT_HOURS`."""
    before = datetime.now(UTC) - timedelta(hours=platform.settings.drain_runs_kept_hours)
    context.log.info(f"purged {purge_drain_runs(context.instance, before)} old drain runs")


@dg.job(description="Deletes old drain runs, keeps every raw day's newest.")
def purge() -> None:
    """House-keeping of the run database."""
    purge_old_drains()


purge_schedule = dg.ScheduleDefinition(
    name="purge_drain_runs",
    job=purge,
    cron_schedule="40 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
