"""When energy data are fetched. Off until somebody switches them on, or EV_ENERGY_SCHEDULES is true.

See https://docs.dagster.io/guides/automate/schedules.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from ev_platform.defs.energy import partitions as axes
from ev_platform.defs.energy.assets import CUT, SOURCES, key, raw_key
from ev_platform.energy.tasks import ANNUAL, GRID, HALF_HOURLY, STAR
from ev_platform.settings import load_settings

STATUS = dg.DefaultScheduleStatus.RUNNING if load_settings().energy_schedules else dg.DefaultScheduleStatus.STOPPED
REVISED_DAYS = 35
"""Every night that many days are made again: consolidated rows replace real-time ones late."""

REVISED_MONTHS = 18
"""Every month that many months are harvested again, if their dataset was updated: definitive rows come a year late."""

ANNUAL_BACK = 2
MONTHLY_RAW = dg.AssetSelection.assets(*(raw_key(name) for name in SOURCES if CUT[SOURCES[name].cut] is axes.MONTHS))
YEARLY_RAW = dg.AssetSelection.assets(*(raw_key(name) for name in SOURCES if CUT[SOURCES[name].cut] is axes.YEARS))

months_job = dg.define_asset_job(
    "energy_months",
    selection=MONTHLY_RAW | dg.AssetSelection.assets(*(key(name) for name in HALF_HOURLY)),
    description="Harvests months of half-hours and refines electricity and gas.",
)
days_job = dg.define_asset_job(
    "energy_days",
    selection=dg.AssetSelection.assets(*(key(name) for name in GRID)),
    description="Makes days of the grid from their months.",
)
star_job = dg.define_asset_job(
    "energy_star",
    selection=dg.AssetSelection.assets(*(key(name) for name in STAR)),
    description="Makes months of the star schema.",
)
years_job = dg.define_asset_job(
    "energy_years",
    selection=YEARLY_RAW | dg.AssetSelection.assets(*(key(name) for name in (*ANNUAL, "consumption_total_mean"))),
    description="Harvests, refines and sums years.",
)
warehouse_job = dg.define_asset_job(
    "energy_warehouse", selection=[key("warehouse")], description="Loads the warehouse."
)
live_job = dg.define_asset_job("energy_live", selection=[key("live")], description="One tick of the live production.")


def months_before(at: datetime, count: int) -> list[str]:
    """The running month and those before it, oldest first, none before the first partition."""
    first = axes.MONTHS.get_first_partition_key() or ""
    numbers = [at.year * 12 + at.month - 1 - back for back in reversed(range(count))]
    return [name for n in numbers if (name := f"{n // 12}-{n % 12 + 1:02d}") >= first]


def _each(at: datetime, partitions: list[str]) -> Iterator[dg.RunRequest]:
    """A run per partition; Dagster wants a key of each when a tick asks for several."""
    yield from (dg.RunRequest(run_key=f"{at:%Y-%m-%dT%H:%M} {name}", partition_key=name) for name in partitions)


def _at(context: dg.ScheduleEvaluationContext) -> datetime:
    return context.scheduled_execution_time.astimezone(UTC)


@dg.schedule(job=months_job, cron_schedule="40 4 * * *", execution_timezone="UTC", default_status=STATUS)
def energy_months_schedule(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
    """Every night: the running month and the one before."""
    yield from _each(_at(context), months_before(_at(context), 2))


@dg.schedule(job=months_job, cron_schedule="0 6 5 * *", execution_timezone="UTC", default_status=STATUS)
def energy_revisions_schedule(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
    """Every month: the last 18 months, for what was revised; their days are made by hand or by the nightly range."""
    yield from _each(_at(context), months_before(_at(context), REVISED_MONTHS))


@dg.schedule(job=days_job, cron_schedule="15 5 * * *", execution_timezone="UTC", default_status=STATUS)
def energy_days_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Every night: the last 35 closed days, in one run; on the 6th of a month the 18 months that were revised."""
    at = _at(context)
    back = REVISED_DAYS if at.day != 6 else REVISED_MONTHS * 31
    first = max((at - timedelta(days=back)).date().isoformat(), axes.DAYS.get_first_partition_key() or "")
    last = (at - timedelta(days=1)).date().isoformat()
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    return dg.RunRequest(tags=tags)


@dg.schedule(job=star_job, cron_schedule="30 5 * * *", execution_timezone="UTC", default_status=STATUS)
def energy_star_schedule(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
    """Every night: the running month and the one before; on the 6th all that were revised."""
    at = _at(context)
    yield from _each(at, months_before(at, 2 if at.day != 6 else REVISED_MONTHS))


@dg.schedule(job=years_job, cron_schedule="0 7 2 * *", execution_timezone="UTC", default_status=STATUS)
def energy_years_schedule(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
    """Every month: the last two closed years, if their datasets were updated."""
    at = _at(context)
    first = axes.YEARS.get_first_partition_key() or ""
    years = [str(at.year - back) for back in range(ANNUAL_BACK, 0, -1)]
    yield from _each(at, [year for year in years if year >= first])


energy_warehouse_schedule = dg.ScheduleDefinition(
    job=warehouse_job, cron_schedule="0 8 * * *", execution_timezone="UTC", default_status=STATUS
)
energy_live_schedule = dg.ScheduleDefinition(
    job=live_job, cron_schedule="*/15 * * * *", execution_timezone="UTC", default_status=STATUS
)
