"""Runs that failed are told, and told again when a later run made good what they left. Wiring of ev_platform.alerts.

An alert is about a step and its partition, not about a run: the same step failing for the same day again is the same
trouble, and any run in which it succeeds ends it, whichever job that was.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import dagster as dg
from dagster import DagsterEventType

from ev_platform.alerts import Alert, Alerts
from ev_platform.defs.platform import Platform
from ev_platform.ingest.offsets import Gap
from ev_platform.settings import Settings

START_TAG, END_TAG = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
DAY_LENGTH = len("2026-11-01")


def run_link(settings: Settings, run_id: str) -> str:
    """Address of a run in the Dagster UI."""
    return f"{settings.ui}/runs/{run_id}"


def partitions_of(run: dg.DagsterRun) -> list[str]:
    """Partitions of a run: one, every day of a range, or [""] for a run without."""
    first, last = run.tags.get(START_TAG), run.tags.get(END_TAG)
    if first and last and len(first) == DAY_LENGTH:
        span = (date.fromisoformat(last) - date.fromisoformat(first)).days
        return [(date.fromisoformat(first) + timedelta(days=n)).isoformat() for n in range(span + 1)]
    return [first or run.tags.get("dagster/partition", "")]


def alert_lost(platform: Platform, gaps: Sequence[Gap]) -> None:
    """Tell the operators of messages that the broker deleted before they were read: nothing can bring them back."""
    total = sum(gap.last - gap.first + 1 for gap in gaps)
    places = "\n".join(f"{gap.topic}-{gap.partition} offsets {gap.first} to {gap.last}: {gap.reason}" for gap in gaps)
    advice = "Kafka's retention must be longer than the longest time without a drain (docs/ingest-formats.md)."
    text = f"{places}\n\nRecorded as known gaps. {advice}"
    lost = Alert(f"lost:{places}", f"{total} messages lost: expired in Kafka", text)
    Alerts(platform.settings, platform.store).announce(lost)


@dg.run_failure_sensor(default_status=dg.DefaultSensorStatus.RUNNING, monitor_all_code_locations=False)
def run_failure(context: dg.RunFailureSensorContext, platform: dg.ResourceParam[Platform]) -> None:
    """Reports every failed run with its job, partition, failed step, first line of the error, and a link."""
    run = context.dagster_run
    step, reason = _failure(context)
    partitions = partitions_of(run)
    shown = partitions[0] if len(partitions) == 1 else f"{partitions[0]} to {partitions[-1]}"
    alert = Alert(
        f"run:{step or run.job_name}:{partitions[0]}",
        f"run of {run.job_name} failed {shown}".strip(),
        f"{step + ': ' if step else ''}{reason}",
        run_link(platform.settings, run.run_id),
    )
    Alerts(platform.settings, platform.store).tell(alert)


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    monitor_all_code_locations=False,
)
def run_recovery(context: dg.RunStatusSensorContext, platform: dg.ResourceParam[Platform]) -> None:
    """Says that a failure is over once the same step, or job, succeeded for the same partition."""
    alerts = Alerts(platform.settings, platform.store)
    still_open = alerts.open_keys()
    if still_open:  # nearly always empty: then no event of the run is read
        for key in set(still_open).intersection(_made_good(context.instance, context.dagster_run)):
            alerts.recovered(key)


def _made_good(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[str]:
    events = instance.all_logs(run.run_id, of_type=DagsterEventType.STEP_SUCCESS)
    steps = [entry.step_key for entry in events if entry.step_key]
    for partition in partitions_of(run):
        yield from (f"run:{name}:{partition}" for name in [run.job_name, *steps])


def _failure(context: dg.RunFailureSensorContext) -> tuple[str, str]:
    """First failed step and first line of its innermost error, else what the run itself says."""
    for event in context.get_step_failure_events():
        error = event.step_failure_data.error
        while error is not None and error.cause is not None:
            error = error.cause
        if error is not None:
            return event.step_key or "", error.message.strip().splitlines()[0]
    return "", (context.failure_event.message or "unknown").splitlines()[0]
