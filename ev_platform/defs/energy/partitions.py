"""Time axes of the energy assets: years and months as they are published, half-hours by the day (UTC)."""

from datetime import date

import dagster as dg

from ev_platform.settings import load_settings

START = load_settings().energy_start_day
GRID_START = max(START, date(2012, 1, 1))
"""The grid's half-hours begin in 2012 (regions: 2013)."""

YEARS = dg.TimeWindowPartitionsDefinition(
    start=START.strftime("%Y"), fmt="%Y", cron_schedule="0 0 1 1 *", timezone="UTC"
)
"""Closed years."""

MONTHS = dg.MonthlyPartitionsDefinition(
    start_date=GRID_START.strftime("%Y-%m"), fmt="%Y-%m", timezone="UTC", end_offset=1
)
"""The running month included: it is harvested again as it grows."""

DAYS = dg.DailyPartitionsDefinition(start_date=GRID_START.replace(day=1).isoformat(), timezone="UTC")
"""Closed days; each is made from its month's harvest."""

MONTH_OF_DAY = dg.TimeWindowPartitionMapping(allow_nonexistent_upstream_partitions=True)
"""A day reads its month's harvest, a month those of its days that exist: by overlap of the windows."""
