"""Where operators are told: the log always, Amazon SNS when `EV_SNS_TOPIC_ARN` is set."""

import logging
from collections.abc import Sequence

import boto3
import dagster as dg

from ev_platform.defs.platform import Platform
from ev_platform.ingest.offsets import Gap
from ev_platform.settings import Settings

LOG = logging.getLogger("ev_platform.alerts")
SUBJECT_MOST = 100  # limit of SNS


def alert(settings: Settings, title: str, message: str) -> None:
    """Tell the operators; an unreachable SNS is logged and does not stop what was going on."""
    title, message = settings.masked(title), settings.masked(message)
    LOG.error("%s: %s", title, message)
    if not settings.sns_topic_arn:
        return
    subject = title.encode("ascii", "replace").decode()[:SUBJECT_MOST]  # SNS refuses other characters in a subject
    try:
        region = settings.sns_topic_arn.split(":")[3]
        boto3.client("sns", region_name=region).publish(
            TopicArn=settings.sns_topic_arn, Subject=subject, Message=f"{title}\n\n{message}"
        )
    except Exception as error:
        LOG.error("SNS did not take the alert: %s", str(error).splitlines()[0])


def alert_lost(settings: Settings, gaps: Sequence[Gap]) -> None:
    """Tell the operators of messages that the broker deleted before they were read: nothing can bring them back."""
    total = sum(gap.last - gap.first + 1 for gap in gaps)
    places = "\n".join(f"{gap.topic}-{gap.partition} offsets {gap.first} to {gap.last}: {gap.reason}" for gap in gaps)
    advice = "Kafka's retention must be longer than the longest time without a drain (docs/ingest-formats.md)."
    alert(settings, f"{total} messages lost: expired in Kafka", f"{places}\n\nRecorded as known gaps. {advice}")


@dg.run_failure_sensor(default_status=dg.DefaultSensorStatus.RUNNING, monitor_all_code_locations=False)
def run_failure(context: dg.RunFailureSensorContext, platform: dg.ResourceParam[Platform]) -> None:
    """Reports every failed run with its job, partition and first line of the error."""
    run = context.dagster_run
    day = run.tags.get("dagster/partition", "")
    reason = _reason(context)
    alert(
        platform.settings,
        f"run of {run.job_name} failed {day}".strip(),
        f"run {run.run_id}: {reason}",
    )


def _reason(context: dg.RunFailureSensorContext) -> str:
    """First line of the innermost error of the first failed step, else what the run itself says."""
    for event in context.get_step_failure_events():
        error = event.step_failure_data.error
        while error is not None and error.cause is not None:
            error = error.cause
        if error is not None:
            return error.message.strip().splitlines()[0]
    return (context.failure_event.message or "unknown").splitlines()[0]
