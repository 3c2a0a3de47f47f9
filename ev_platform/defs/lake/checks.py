"""Blocking checks of the daily chain, one row of a table each: they gate what follows inside the same run.

Partitioned by day. A run over a range records one evaluation for all its days, so the failing days stand in its
metadata. See https://docs.dagster.io/guides/test/asset-checks.
"""

from collections.abc import Callable
from typing import NamedTuple

import dagster as dg

from ev_platform.defs.lake.assets import CLEANED_KEY, COMPRESSED_KEY
from ev_platform.defs.partitions import DAYS
from ev_platform.defs.platform import Platform
from ev_platform.engine.inspection import (
    Problems,
    falling_odometers,
    out_of_range,
    repeated_records,
    wrong_cleaned_schema,
    wrong_compressed_schema,
)
from ev_platform.engine.leaf_audit import lost_leaves
from ev_platform.ingest.audit import audit_day
from ev_platform.ingest.contiguity import holes
from ev_platform.ingest.import_audit import fallen_short
from ev_platform.ingest.offsets import Place
from ev_platform.lake.store import ObjectStore

MOST_SHOWN = 20


class DayCheck(NamedTuple):
    """A check of one asset: what it looks for, and the function that finds it in a day."""

    asset: dg.AssetKey
    name: str
    find: Callable[[ObjectStore, str], Problems]
    description: str
    blocking: bool = True


def lost_records(store: ObjectStore, day: str) -> Problems:
    """Offsets that a drain stored for the day, and values that a poll stored for it, that no object holds."""
    return {**_by_place(audit_day(store, day).missing), **lost_leaves(store, day)}


def offset_holes(store: ObjectStore, day: str) -> Problems:
    """Offsets between the day's records that nobody read."""
    return _by_place(holes(store, day))


def _by_place(found: dict[Place, list[list[int]]]) -> Problems:
    return {f"{topic}:{partition}": f"offsets {offsets}" for (topic, partition), offsets in found.items()}


CHECKS = (
    DayCheck(COMPRESSED_KEY, "row_conservation", lost_records, "Every record drained or polled for the day is there."),
    DayCheck(COMPRESSED_KEY, "imports_kept", fallen_short, "Every vehicle has as many imported rows as it ever had."),
    DayCheck(COMPRESSED_KEY, "unique_identity", repeated_records, "No record is stored twice."),
    DayCheck(COMPRESSED_KEY, "offsets_contiguous", offset_holes, "No offset between the day's records was skipped."),
    DayCheck(COMPRESSED_KEY, "schema", wrong_compressed_schema, "Every file has the columns of the contract."),
    DayCheck(CLEANED_KEY, "schema", wrong_cleaned_schema, "Every part has the columns of the signal catalogue."),
    DayCheck(CLEANED_KEY, "physical_ranges", out_of_range, "Every value is physically possible."),
    DayCheck(CLEANED_KEY, "monotone_odometer", falling_odometers, "No odometer falls within the day."),
)


def build(row: DayCheck) -> dg.AssetChecksDefinition:
    """The Dagster check of one row."""

    @dg.asset_check(
        asset=row.asset, name=row.name, partitions_def=DAYS, blocking=row.blocking, description=row.description
    )
    def check(context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
        failing = {day: found for day in context.partition_keys if (found := row.find(platform.store, day))}
        shown = {day: dict(list(found.items())[:MOST_SHOWN]) for day, found in failing.items()}
        counts = {"days": len(context.partition_keys), "failing_days": dg.MetadataValue.json(sorted(failing))}
        return dg.AssetCheckResult(passed=not failing, metadata={**counts, "problems": dg.MetadataValue.json(shown)})

    return check


lake_checks = [build(row) for row in CHECKS]
