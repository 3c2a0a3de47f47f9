"""How old the joins may become. A module of its own: one with `@dg.definitions` shows nothing else it holds.

See https://docs.dagster.io/guides/test/data-freshness-testing.
"""

from datetime import timedelta

import dagster as dg

from ev_platform.defs.insights.assets import VEHICLE_360_KEY

LONGEST = timedelta(hours=26)
"""Every night brings new sessions, and the sensor of the joins follows within the hour."""


@dg.definitions
def freshness() -> dg.Definitions:
    """The last of the joins: when it is late, one of those before it is, too."""
    checks = dg.build_last_update_freshness_checks(
        assets=[VEHICLE_360_KEY], lower_bound_delta=LONGEST, severity=dg.AssetCheckSeverity.WARN
    )
    sensor = dg.build_sensor_for_freshness_checks(
        freshness_checks=checks, name="insights_freshness", default_status=dg.DefaultSensorStatus.RUNNING
    )
    return dg.Definitions(asset_checks=checks, sensors=[sensor])
