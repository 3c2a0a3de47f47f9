"""The real code location with impatient instigators: a sensor tick every second, a schedule tick every minute."""

import dagster as dg

from ev_platform import definitions
from ev_platform.defs.lake import schedules
from ev_platform.defs.raw import sensors

FAST = {"nightly", "kafka_lag"}


@dg.definitions
def defs() -> dg.Definitions:
    real = definitions.defs()
    nightly = dg.schedule(
        name="nightly",
        job=schedules.nightly_job,
        cron_schedule="* * * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )(schedules.night_requests)
    lag = dg.sensor(
        name="kafka_lag",
        job=sensors.drain_job,
        minimum_interval_seconds=1,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )(sensors.request_drain)
    return dg.Definitions(
        assets=real.assets,
        asset_checks=real.asset_checks,
        jobs=real.jobs,
        resources=real.resources,
        schedules=[nightly, *(s for s in real.schedules if s.name not in FAST)],
        executor=real.executor,
        sensors=[lag, *(s for s in real.sensors if s.name not in FAST)],
    )
