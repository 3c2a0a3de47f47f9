"""The time axes of the asset graph, one daily UTC axis for everything that is filed by day. Never a partition per VIN.

See https://docs.dagster.io/guides/build/partitions-and-backfills.
"""

import dagster as dg

from ev_platform.settings import load_settings

START_DAY = load_settings().start_day

RAW_DAYS = dg.DailyPartitionsDefinition(start_date=START_DAY.isoformat(), timezone="UTC", end_offset=1)
"""Event days of raw data. `end_offset=1`: today's partition exists while it fills."""

DAYS = dg.DailyPartitionsDefinition(start_date=START_DAY.isoformat(), timezone="UTC")
"""Closed UTC days: everything that is computed per day. The latest one is yesterday."""

MONTHS = dg.MonthlyPartitionsDefinition(
    start_date=START_DAY.strftime("%Y-%m"), fmt="%Y-%m", timezone="UTC", end_offset=1
)
"""UTC months, the running one included; re-opened by any of its days."""

DAYS_OF_MONTH = dg.TimeWindowPartitionMapping(allow_nonexistent_upstream_partitions=True)
"""A month reads those of its days that exist: the first month may begin late, the running one has not ended."""

DAY_AND_PREVIOUS = dg.TimeWindowPartitionMapping(start_offset=-1, allow_nonexistent_upstream_partitions=True)
"""A day reads itself and the day before."""

DAY_AND_NEXT = dg.TimeWindowPartitionMapping(end_offset=1, allow_nonexistent_upstream_partitions=True)
"""A day reads itself and the day after, once that is over."""

BATCH = dg.BackfillPolicy.multi_run(max_partitions_per_run=30)
"""A month of days per run: bounds memory and the damage of a failure, and leaves parallelism (the same on all
batch assets, since a run takes the smallest of its assets' policies)."""
