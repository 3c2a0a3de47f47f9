"""The nightly schedule: makes each closed, uncompacted day once Kafka is drained past its midnight.

A schedule and not `on_cron`, which waits for an upstream update after its tick and never fires for a silent fleet.
See https://docs.dagster.io/guides/automate/schedules.
"""

from datetime import timedelta

import dagster as dg

from ev_platform.alerts import Alert, Alerts
from ev_platform.defs.lake.assets import CLEANED_KEY, COMPRESSED_KEY, SEGMENTS_KEY
from ev_platform.defs.lake.gate import days_in_progress, drained_past, failures, leftover_days, uncompacted_days
from ev_platform.defs.partitions import DAYS
from ev_platform.defs.platform import Platform
from ev_platform.defs.results.assets import SESSIONS_KEY
from ev_platform.errors import UserError

LAST_CALL_HOUR = 6
MOST_FAILURES = 3
NIGHT = timedelta(hours=12)

nightly_job = dg.define_asset_job(
    "nightly",
    selection=[COMPRESSED_KEY, CLEANED_KEY, SEGMENTS_KEY, SESSIONS_KEY],
    description="One closed day: compaction, cleaning, segmentation, sessions, with the blocking checks between them.",
    tags={"dagster/max_runtime": "7200"},
)


NIGHT_CRON = ("10-50/10 0 * * *", "*/10 1-5 * * *", f"0 {LAST_CALL_HOUR} * * *")
"""Every 10 minutes from 00:10 to 05:50 UTC, and the last call at 06:00."""


def night_requests(
    context: dg.ScheduleEvaluationContext, platform: dg.ResourceParam[Platform]
) -> list[dg.RunRequest] | dg.SkipReason:
    """Requests each closed, uncompacted day once drained; at 06:00 UTC it requests anyway and alerts."""
    tick = context.scheduled_execution_time
    days = uncompacted_days(context.instance, tick.date(), tick)
    if tick.hour >= LAST_CALL_HOUR:
        days = sorted({*days, *leftover_days(platform.store, tick.date())} & set(DAYS.get_partition_keys()))
    busy = days_in_progress(context.instance)
    requests: list[dg.RunRequest] = []
    reasons = [] if days else ["every closed day with raw data is compacted"]
    for day in days:
        if day in busy:
            reasons.append(f"{day} is in progress")
        elif failures(context.instance, nightly_job.name, day, tick - NIGHT) >= MOST_FAILURES:
            reasons.append(f"{day} failed {MOST_FAILURES} times, see its runs")
        elif _ready(context, platform, day):
            requests.append(dg.RunRequest(run_key=f"{day}@{tick.isoformat()}", partition_key=day))
        else:
            reasons.append(f"{day} is not drained yet")
    if requests and reasons:
        context.log.info("; ".join(reasons))  # a tick either requests or skips, Dagster takes no mixture
    return requests or dg.SkipReason("; ".join(reasons))


nightly = dg.schedule(
    name="nightly",
    job=nightly_job,
    cron_schedule=NIGHT_CRON,
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)(night_requests)


def _ready(context: dg.ScheduleEvaluationContext, platform: Platform, day: str) -> bool:
    """Whether the day is drained, or it is so late that it must be made as it is."""
    tick = context.scheduled_execution_time
    try:
        drained = drained_past(context.instance, platform.settings, day, tick)
    except UserError as error:
        context.log.warning(str(error))
        drained = False
    if not drained and tick.hour >= LAST_CALL_HOUR:
        title = f"{day} compacted before it was drained"
        text = "Kafka lag or an unreachable broker; late messages re-open the day."
        Alerts(platform.settings, platform.store).announce(Alert(f"undrained:{day}", title, text))
        return True
    return drained
