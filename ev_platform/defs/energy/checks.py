"""Checks of the energy assets, one row of a table each. Blocking ones keep a wrong partition from what is made of it.

The functions that look are in energy/inspection.py. A run over a range records one evaluation for all its partitions,
so the failing ones stand in its metadata.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import dagster as dg

from ev_platform.defs.energy import partitions as axes
from ev_platform.defs.energy.assets import CUT, SOURCES, key, raw_key
from ev_platform.defs.platform import Platform
from ev_platform.energy import inspection
from ev_platform.energy.tasks import ANNUAL, GRID, HALF_HOURLY

MOST_SHOWN = 20
Find = Callable[..., inspection.Problems]


class EnergyCheck(NamedTuple):
    """A check of one asset: what it looks for in a partition, and whether it stops what follows."""

    asset: dg.AssetKey
    subject: str
    axis: dg.PartitionsDefinition
    name: str
    find: Find
    description: str
    blocking: bool = True


def raw_checks() -> list[EnergyCheck]:
    """Of every source: is it all there, and can its times be read."""
    rows = []
    for name, source in SOURCES.items():
        make = partial(EnergyCheck, raw_key(name), name, CUT[source.cut])
        rows.append(
            make(
                "complete",
                inspection.raw_incomplete,
                "Every piece is there and the rows are as many as the portal counts.",
            )
        )
        if "date_heure" in source.text:
            rows.append(make("times_readable", inspection.unreadable, "Every row has a time that can be read."))
    return rows


def annual_checks() -> list[EnergyCheck]:
    """Of the yearly tables."""
    rows = []
    for name in ANNUAL:
        make = partial(EnergyCheck, key(name), name, axes.YEARS)
        rows.append(make("keys_unique", inspection.repeated_keys, "No row is there twice."))
        if name in ("annual_address", "annual_commune", "annual_department"):
            rows.append(make("mean_fits_total", inspection.wrong_means, "Published means are total / sites."))
        if name in ("annual_commune", "annual_department"):
            rows.append(make("no_secrecy_zero", inspection.secrecy_zeros, "What was withheld is unknown, not zero."))
            rows.append(make("national_bounds", inspection.out_of_bounds, "The country's sum lies within its bounds."))
    region = partial(EnergyCheck, key("annual_region"), "annual_region", axes.YEARS)
    rows.append(
        region("sums_to_country", inspection.regions_against_country, "Regions sum to the country within 10 GWh.")
    )
    return rows


def slot_checks() -> list[EnergyCheck]:
    """Of the half-hourly tables."""
    rows = []
    for name in (*GRID, *HALF_HOURLY):
        make = partial(EnergyCheck, key(name), name, axes.DAYS if name in GRID else axes.MONTHS)
        rows.append(make("instants_unique", inspection.repeated_keys, "One row per place and half-hour."))
        if name in GRID:
            rows.append(
                make("slots", inspection.wrong_slots, "Every place has every half-hour of the day, gaps included.")
            )
            rows.append(make("gaps", inspection.gaps, "Something was published for every half-hour.", blocking=False))
            rows.append(make("balance", inspection.unbalanced, "Consumption = production + pumping + exchange."))
            rows.append(make("pumping_is_a_load", inspection.producing_pumps, "Pumping is never above zero."))
    grid = partial(EnergyCheck, key("grid_load_regional"), "grid_load_regional", axes.DAYS)
    rows.append(grid("coverage", inspection.wrong_coverage, "Published shares are kind / consumption.", blocking=False))
    return rows


MART = EnergyCheck(
    key("consumption_total_mean"), "consumption_total_mean", axes.YEARS, "adds_up", inspection.mart_does_not_add_up,
    "Departments, regions, sectors and categories sum to the country.",
)  # fmt: skip
MART_KEYS = MART._replace(name="keys_unique", find=inspection.repeated_keys, description="No row is there twice.")
CHECKS = (*raw_checks(), *annual_checks(), *slot_checks(), MART, MART_KEYS)


def build(row: EnergyCheck) -> dg.AssetChecksDefinition:
    """The Dagster check of one row."""
    severity = dg.AssetCheckSeverity.ERROR if row.blocking else dg.AssetCheckSeverity.WARN

    @dg.asset_check(
        asset=row.asset, name=row.name, partitions_def=row.axis, blocking=row.blocking, description=row.description
    )
    def check(context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
        where = (platform.settings, platform.store, row.subject)
        failing = {p: found for p in context.partition_keys if (found := row.find(*where, p))}
        shown = {p: dict(list(found.items())[:MOST_SHOWN]) for p, found in failing.items()}
        counts = {"partitions": len(context.partition_keys), "failing": dg.MetadataValue.json(sorted(failing))}
        metadata = {**counts, "problems": dg.MetadataValue.json(shown)}
        return dg.AssetCheckResult(passed=not failing, severity=severity, metadata=metadata)

    return check


energy_checks = [build(row) for row in CHECKS]


@dg.asset_check(asset=key("live"), name="agrees_with_batch")
def agrees_with_batch(platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """Where settled half-hours and live quarter-hours overlap, they say the same within 10 % (all but 5 % of them)."""
    problems, figures = inspection.live_disagrees(platform.settings, platform.store)
    metadata = {**figures, "problems": dg.MetadataValue.json(problems)}
    return dg.AssetCheckResult(passed=not problems, severity=dg.AssetCheckSeverity.WARN, metadata=metadata)
