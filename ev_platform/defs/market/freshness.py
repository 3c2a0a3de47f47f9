"""How old the sales file may become. A module of its own: one with `@dg.definitions` shows nothing else it holds.

See https://docs.dagster.io/guides/test/data-freshness-testing.
"""

from datetime import timedelta

import dagster as dg

from ev_platform.defs.market.assets import MARKET_RAW
from ev_platform.defs.market.sensors import has_source
from ev_platform.settings import load_settings

LONGEST = timedelta(days=35)
"""The source is looked at once a month; an unchanged file counts as looked at."""


@dg.definitions
def freshness() -> dg.Definitions:
    """Freshness is watched where there is a source of sales: nobody waits for data that nobody fetches."""
    if not has_source(load_settings()):
        return dg.Definitions()
    checks = dg.build_last_update_freshness_checks(
        assets=[MARKET_RAW], lower_bound_delta=LONGEST, severity=dg.AssetCheckSeverity.WARN
    )
    sensor = dg.build_sensor_for_freshness_checks(
        freshness_checks=checks, name="market_freshness", default_status=dg.DefaultSensorStatus.RUNNING
    )
    return dg.Definitions(asset_checks=checks, sensors=[sensor])
