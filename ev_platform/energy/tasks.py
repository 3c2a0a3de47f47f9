"""What the energy assets do, one function each: read raw pieces or tables of the lake, call a pure transform.

Belongs here: reading and writing through lake/. Not here: rules (refine_*.py, marts.py, star.py), Dagster (defs/).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta

import polars as pl
import pyarrow as pa

from ev_platform.energy import marts, refine_annual, refine_grid, star
from ev_platform.energy.harvest import HarvestReceipt, harvest, read_manifest
from ev_platform.energy.http import open_session
from ev_platform.energy.parse import parse
from ev_platform.energy.portal import open_portal
from ev_platform.energy.sources import Source, load_sources, partition_bounds
from ev_platform.errors import UserError
from ev_platform.lake import schemas_energy
from ev_platform.lake.layout import energy_csv_key, partition_prefix
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet
from ev_platform.settings import Settings

ANNUAL: dict[str, Callable[[pl.DataFrame], pa.Table]] = {
    "annual_address": refine_annual.refine_address,
    "annual_commune": refine_annual.refine_place,
    "annual_department": refine_annual.refine_place,
    "annual_national": refine_annual.refine_energy,
    "annual_region": refine_annual.refine_energy,
    "vehicles_commune": refine_annual.refine_vehicles,
}
"""Yearly tables, each made from the source of the same name."""

HALF_HOURLY = ("half_hour_national", "half_hour_regional")

GRID = {
    "grid_load_regional": ("eco2mix_regional", "eco2mix_regional_tr", refine_grid.refine_regional),
    "grid_mix_national": ("eco2mix_national", "eco2mix_national_tr", refine_grid.refine_national),
}
"""Daily tables: settled source, real-time source, rule."""


STAR: dict[str, Callable[[pl.DataFrame], pa.Table]] = {
    "region": star.regions,
    "consumption": star.consumption,
    "coverage_rate": star.coverage_rate,
}
"""Monthly tables of the star schema."""

SCHEMAS: dict[str, pa.Schema] = {
    "annual_address": schemas_energy.ANNUAL_ADDRESS,
    "annual_commune": schemas_energy.ANNUAL_PLACE,
    "annual_department": schemas_energy.ANNUAL_PLACE,
    "annual_national": schemas_energy.ANNUAL_ENERGY,
    "annual_region": schemas_energy.ANNUAL_ENERGY,
    "vehicles_commune": schemas_energy.VEHICLES_COMMUNE,
    "half_hour_national": schemas_energy.HALF_HOUR,
    "half_hour_regional": schemas_energy.HALF_HOUR,
    "grid_load_regional": schemas_energy.GRID_LOAD_REGIONAL,
    "grid_mix_national": schemas_energy.GRID_MIX_NATIONAL,
    "consumption_total_mean": schemas_energy.CONSUMPTION_TOTAL_MEAN,
    "region": star.REGION,
    "consumption": star.CONSUMPTION,
    "coverage_rate": star.COVERAGE_RATE,
}
"""Schema of every energy table that has partitions."""


def harvest_partition(settings: Settings, store: ObjectStore, name: str, partition: str) -> HarvestReceipt:
    """Fetch one partition of one source into the raw zone, complete or not at all."""
    source = source_named(settings, name)
    with open_session() as session:
        return harvest(store, source, open_portal(session, source), partition)


def source_named(settings: Settings, name: str) -> Source:
    """One source of the sources file.

    Raises:
        UserError: the file does not have it.
    """
    sources = load_sources(settings.energy_sources)
    if name not in sources:
        raise UserError(f"EV_ENERGY_SOURCES has no source [{name}]; it has {', '.join(sorted(sources))}")
    return sources[name]


def raw_rows(store: ObjectStore, source: Source, partition: str, *, needed: bool = True) -> pl.DataFrame:
    """The rows of one raw partition; none, if it was never harvested and is not needed.

    Raises:
        UserError: there is no complete harvest, or one of its pieces is gone.
    """
    manifest = read_manifest(store, source.name, partition)
    if manifest is None:
        if needed:
            raise UserError(f"energy/raw/{source.name} has no complete harvest of {partition}: materialize it first")
        return parse(source, [])
    return parse(source, _pieces(store, source, [str(piece["key"]) for piece in manifest.pieces]))


def _pieces(store: ObjectStore, source: Source, keys: list[str]) -> Iterable[bytes]:
    for key, data in store.get_many(keys):
        if data is None:
            raise UserError(f"{key} is gone: materialize energy/raw/{source.name} again")
        yield data


def annual_table(settings: Settings, store: ObjectStore, table: str, year: str) -> pa.Table:
    """One year of one yearly table."""
    return ANNUAL[table](raw_rows(store, source_named(settings, table), year))


def half_hour_table(settings: Settings, store: ObjectStore, table: str, month: str) -> pa.Table:
    """One month of a half-hourly consumption table."""
    return refine_grid.refine_half_hour(raw_rows(store, source_named(settings, table), month), *partition_bounds(month))


def grid_table(settings: Settings, store: ObjectStore, table: str, days: list[str]) -> dict[str, pa.Table]:
    """Days of a grid table; a month's raw rows are read once for all its days."""
    settled_name, real_time_name, rule = GRID[table]
    settled, real_time = source_named(settings, settled_name), source_named(settings, real_time_name)
    made: dict[str, pa.Table] = {}
    for month in sorted({day[:7] for day in days}):
        first = raw_rows(store, settled, month, needed=False)
        second = raw_rows(store, real_time, month, needed=False)
        if read_manifest(store, settled_name, month) is None and read_manifest(store, real_time_name, month) is None:
            raise UserError(f"no harvest of {month}: materialize energy/raw/{settled_name} first")
        for day in (day for day in days if day.startswith(month)):
            start, end = partition_bounds(day)
            made[day] = rule(_near(first, day), _near(second, day), start, end)
    return made


def _near(rows: pl.DataFrame, day: str) -> pl.DataFrame:
    """Rows whose text begins with that date or one beside it, whatever zone the portal wrote them in."""
    start, _ = partition_bounds(day)
    near = [(start + timedelta(days=shift)).date().isoformat() for shift in (-1, 0, 1)]
    return rows.filter(pl.col("date_heure").str.slice(0, 10).is_in(near))


def total_mean_table(store: ObjectStore, year: str) -> pa.Table:
    """One year of the mart; its CSV is written beside it."""
    names = ("annual_address", "annual_commune", "annual_department", "annual_region", "annual_national")
    table = marts.consumption_total_mean(*(read_partition(store, f"energy/{name}", year) for name in names))
    put_csv(store, "consumption_total_mean", year, table)
    return table


def star_table(store: ObjectStore, name: str, month: str) -> pa.Table:
    """One month of one table of the star schema."""
    days = [f"{month}-{day:02d}" for day in range(1, 32)]
    return STAR[name](pl.concat([read_partition(store, "energy/grid_load_regional", day) for day in days]))


def read_partition(store: ObjectStore, table: str, partition: str) -> pl.DataFrame:
    """One partition of an energy table; no rows if it was never made."""
    keys = [key for key in store.keys(partition_prefix(table, partition)) if key.endswith(".parquet")]
    tables = [from_parquet(data) for _, data in store.get_many(keys) if data is not None]
    frame = pl.from_arrow(pa.concat_tables([SCHEMAS[table.removeprefix("energy/")].empty_table(), *tables]))
    assert isinstance(frame, pl.DataFrame)
    return frame


def put_csv(store: ObjectStore, table: str, partition: str, rows: pa.Table) -> None:
    """A partition as CSV: UTF-8 with a mark that spreadsheets need for accents, same rows, same bytes."""
    frame = pl.from_arrow(rows)
    assert isinstance(frame, pl.DataFrame)
    data = frame.write_csv(include_bom=True).encode()
    key = energy_csv_key(table, partition)
    if store.read(key).data != data:
        store.put(key, data)
