"""`ProviderPull`: a polled provider as one YAML file: its raw asset, its job and its schedule.

Belongs here: wiring. Asking and storing is `ev_platform.providers`. See https://docs.dagster.io/guides/build/components.
"""

from functools import partial
from typing import Any

import dagster as dg
from pydantic import Field

from ev_platform.defs.metadata import mapping_table, receipt_metadata
from ev_platform.defs.partitions import BATCH, RAW_DAYS
from ev_platform.defs.platform import Platform
from ev_platform.defs.raw.assets import report_other_days
from ev_platform.defs.raw.sensors import QUEUED, RUNNING
from ev_platform.errors import UserError
from ev_platform.providers.connect import PROVIDERS, connect, missing_settings
from ev_platform.providers.pull import PullReport, pull
from ev_platform.settings import load_settings

MAX_RUNTIME_SECONDS = 1800


class ProviderPull(dg.Component, dg.Model, dg.Resolvable):
    """One polled provider: what is asked, how often and how fast."""

    provider: str
    """A name of ev_platform/providers/connect.py; the asset is raw/{provider}."""
    cron: str = "*/5 * * * *"
    """When it is asked, UTC."""
    pool: str | None = None
    """Pool of the asset; by default one of its own, so that no two polls of a provider overlap."""
    requests_per_minute: float = 60
    """Spacing of requests, whatever the number of vehicles."""
    vehicles: list[str] = Field(default_factory=list)
    """VINs; none named: all that the provider lists."""

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Asset, job and schedule."""
        if self.provider not in PROVIDERS:
            raise UserError(f"{context.path}: provider is {self.provider!r}, wanted one of {', '.join(PROVIDERS)}")
        if self.requests_per_minute <= 0:
            raise UserError(f"{context.path}: requests_per_minute must be above 0")
        job = dg.define_asset_job(
            f"pull_{self.provider}",
            selection=[dg.AssetKey(["raw", self.provider])],
            description=f"One poll of {self.provider}.",
            tags={"dagster/max_runtime": str(MAX_RUNTIME_SECONDS)},
        )
        return dg.Definitions(assets=[self.asset()], jobs=[job], schedules=[self.schedule(job)])

    def asset(self) -> dg.AssetsDefinition:
        """raw/{provider}, by event day: a poll runs under today's key and tells the other days it wrote."""
        key = dg.AssetKey(["raw", self.provider])

        @dg.asset(
            key=key,
            partitions_def=RAW_DAYS,
            backfill_policy=BATCH,
            group_name="raw",
            kinds={"rest", "json"},
            owners=["team:data-engineering"],
            pool=self.pool or f"api_{self.provider}",
            description=f"Payloads of {self.provider} with new values, per vehicle and event day in temp/.",
        )
        def raw(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
            own = set(context.partition_keys)
            report = poll(self, platform, partial(report_other_days, context, own, key=key))
            for day in sorted(own):
                context.add_asset_metadata(poll_metadata(report, day), partition_key=day)
            log_poll(context, report)

        return raw

    def schedule(self, job: Any) -> dg.ScheduleDefinition:  # noqa: ANN401 - Dagster's unresolved job is not exported
        """Asks while no earlier poll is still at it. Runs by default only where the provider is configured."""
        configured = not missing_settings(load_settings(), self.provider)

        def tick(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
            unfinished = dg.RunsFilter(job_name=job.name, statuses=[*QUEUED, *RUNNING])
            if context.instance.get_runs_count(unfinished):
                return dg.SkipReason("the poll before is still running")
            return dg.RunRequest(partition_key=context.scheduled_execution_time.strftime("%Y-%m-%d"))

        return dg.ScheduleDefinition(
            name=f"pull_{self.provider}",
            job=job,
            cron_schedule=self.cron,
            execution_timezone="UTC",
            execution_fn=tick,
            default_status=dg.DefaultScheduleStatus.RUNNING if configured else dg.DefaultScheduleStatus.STOPPED,
            description=f"Polls {self.provider}; off until its settings are there.",
        )


def poll(component: ProviderPull, platform: Platform, stored: Any) -> PullReport:  # noqa: ANN401 - Callable
    """One poll with the component's figures; refused credentials are no matter of retries."""
    try:
        client, access = connect(
            platform.settings, platform.store, component.provider, platform.clock, component.requests_per_minute
        )
        start = platform.settings.start_day.isoformat()
        return pull(client, access, platform.store, start, only=component.vehicles, stored=stored)
    except UserError as error:
        raise dg.Failure(str(error), allow_retries=False) from None


def poll_metadata(report: PullReport, day: str) -> dict[str, Any]:
    """The report as metadata: figures, and which vehicles failed, are parked or not active, with their reasons."""
    reasons = {name: getattr(report, name) for name in ("failed", "parked", "not_active")}
    shown = {name: dg.MetadataValue.json(dict(sorted(found.items()))) for name, found in reasons.items() if found}
    figures = {name: value for name, value in receipt_metadata(report).items() if name not in reasons}
    return {**figures, **shown, "records": report.days.get(day, 0)}


def log_poll(context: dg.AssetExecutionContext, report: PullReport) -> None:
    """One line of what was polled; what failed as warnings, which the UI shows apart."""
    context.log.info(f"{report.asked} vehicles asked, {report.changed} with news, {report.leaves} new values")
    for what, found in (("failed", report.failed), ("parked", report.parked)):
        if found:
            context.log.warning(f"{what}: " + "; ".join(f"{vin}: {why}" for vin, why in sorted(found.items())))
    if report.dead_letters:
        context.log.warning(f"dead letters\n{mapping_table(report.dead_letters)}")
    if report.stopped:
        context.log.warning(report.stopped)
