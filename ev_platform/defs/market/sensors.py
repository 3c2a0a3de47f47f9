"""What starts the market: a monthly look at the source, and a sensor on new raw files.

The state is the truth, not a run key: a file is refined when the newest quarantine table was made from it, so a failed
run is requested again (a few times), and a file that somebody else puts into market/raw is found, too.
"""

import dagster as dg

from ev_platform.defs.market.assets import MARKET_QUARANTINE, MARKET_RAW, SALE_MONTHS, SNAPSHOT
from ev_platform.defs.platform import Platform
from ev_platform.defs.raw.sensors import QUEUED, RUNNING
from ev_platform.errors import UserError
from ev_platform.market.raw_zone import snapshots
from ev_platform.market.tasks import months_to_make
from ev_platform.settings import Settings

SNAPSHOT_TAG = "market/snapshot"
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
MOST_FAILURES = 3

market_raw_job = dg.define_asset_job(
    "market_raw", selection=[MARKET_RAW], description="Looks for a new version of the sales file."
)
market_refine_job = dg.define_asset_job(
    "market_refine",
    selection=dg.AssetSelection.groups("market") - dg.AssetSelection.assets(MARKET_RAW),
    description="The newest sales file: all its months, quarantine, drift, marts.",
    tags={"dagster/max_runtime": "3600"},
)


def has_source(settings: Settings) -> bool:
    """Whether there is anything to fetch sales from: a local copy or a key."""
    return bool(
        settings.market_csv
        or settings.kaggle_api_token.get_secret_value()
        or (settings.kaggle_username and settings.kaggle_key.get_secret_value())
    )


@dg.schedule(
    job=market_raw_job,
    cron_schedule="20 3 2 * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def market_monthly(platform: dg.ResourceParam[Platform]) -> dg.RunRequest | dg.SkipReason:
    """Once a month: an unchanged file costs one small request."""
    if not has_source(platform.settings):
        return dg.SkipReason("no source of sales: set KAGGLE_API_TOKEN or EV_MARKET_CSV")
    return dg.RunRequest()


@dg.sensor(
    job=market_refine_job,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def market_new_raw(
    context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]
) -> dg.RunRequest | dg.SkipReason:
    """Requests the refinement of the newest raw file unless it is refined, under way, or has failed too often."""
    keys = snapshots(platform.store)
    if not keys:
        return dg.SkipReason("no sales file in market/raw")
    key = keys[-1]
    if refined_snapshot(context.instance) == key:
        return dg.SkipReason(f"{key} is refined")
    reason = _hindrance(context.instance, key)
    if reason:
        return dg.SkipReason(reason)
    try:
        months = months_to_make(platform.store)
    except UserError as error:
        return dg.SkipReason(str(error))
    known = [month for month in months if month in set(SALE_MONTHS.get_partition_keys())]
    if not known or len(known) != len(months):
        outside = sorted(set(months) - set(known))
        return dg.SkipReason(
            f"{key} has sales outside of EV_MARKET_FIRST_MONTH to today: {outside or 'no sale at all'}"
        )
    return dg.RunRequest(tags={RANGE_START: known[0], RANGE_END: known[-1], SNAPSHOT_TAG: key})


def refined_snapshot(instance: dg.DagsterInstance) -> str:
    """Key of the raw file that the newest tables were made from; '' before the first."""
    event = instance.get_latest_materialization_event(MARKET_QUARANTINE)
    made = event.asset_materialization if event else None
    value = made.metadata.get(SNAPSHOT) if made else None
    return str(value.value) if value is not None else ""


def _hindrance(instance: dg.DagsterInstance, key: str) -> str:
    """Why the refinement of a file should not be requested now; '' if nothing stands against it."""
    name = market_refine_job.name
    if instance.get_run_records(dg.RunsFilter(job_name=name, statuses=[*QUEUED, *RUNNING]), limit=1):
        return "a refinement is under way"
    failed = dg.RunsFilter(job_name=name, statuses=[dg.DagsterRunStatus.FAILURE], tags={SNAPSHOT_TAG: key})
    if len(instance.get_run_records(failed, limit=MOST_FAILURES)) >= MOST_FAILURES:
        return f"{key} failed {MOST_FAILURES} times, see its runs"
    return ""
