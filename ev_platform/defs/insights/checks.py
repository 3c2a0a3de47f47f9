"""Checks of the joins: no energy is lost between a charge and its half-hours; values lie inside their range."""

import dagster as dg

from ev_platform.defs.insights.assets import GRID_LOAD_KEY, VEHICLE_360_KEY
from ev_platform.defs.partitions import DAYS
from ev_platform.defs.platform import Platform
from ev_platform.insights import tasks
from ev_platform.insights.inspection import impossible


@dg.asset_check(
    asset=GRID_LOAD_KEY,
    partitions_def=DAYS,
    description="The half-hours of each charge sum up to its energy; none is left out.",
)
def energy_kept(context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """A lost half-hour (a missing slot, an hour that clocks skip) would show here."""
    failing = {day: found for day in context.partition_keys if (found := tasks.energy_kept(platform.store, day))}
    return dg.AssetCheckResult(passed=not failing, metadata={"failing_days": dg.MetadataValue.json(failing)})


@dg.asset_check(
    asset=VEHICLE_360_KEY,
    description="Shares lie between 0 and 1, ranges hold their value, every vehicle has one row.",
)
def possible(platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """What cannot be must not be shown."""
    found = impossible(platform.store)
    return dg.AssetCheckResult(passed=not found, metadata={"impossible": dg.MetadataValue.json(found)})
