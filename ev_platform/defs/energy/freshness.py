"""How old the energy tables may become. A module of its own: one with `@dg.definitions` shows nothing else it holds.

See https://docs.dagster.io/guides/test/data-freshness-testing.
"""

from datetime import timedelta

import dagster as dg

from ev_platform.defs.energy.assets import key
from ev_platform.energy.tasks import GRID
from ev_platform.settings import load_settings


@dg.definitions
def freshness() -> dg.Definitions:
    """Freshness is watched where the schedules run (EV_ENERGY_SCHEDULES): nobody waits for data that nobody fetches."""
    if not load_settings().energy_schedules:
        return dg.Definitions()
    checks = [
        *dg.build_last_update_freshness_checks(
            assets=[key("live")], lower_bound_delta=timedelta(hours=1), severity=dg.AssetCheckSeverity.WARN
        ),
        *dg.build_time_partition_freshness_checks(
            assets=[key(name) for name in GRID], deadline_cron="0 6 * * *", severity=dg.AssetCheckSeverity.WARN
        ),
    ]
    sensor = dg.build_sensor_for_freshness_checks(
        freshness_checks=checks, name="energy_freshness", default_status=dg.DefaultSensorStatus.RUNNING
    )
    return dg.Definitions(asset_checks=checks, sensors=[sensor])
