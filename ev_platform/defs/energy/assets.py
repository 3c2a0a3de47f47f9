"""The energy assets. Raw: what portals sent, complete. Then refined tables, marts, star schema, warehouse, live.

Most differ in name and rule only, so they are rows of tables; the work is in energy/tasks.py.
"""

from collections.abc import Mapping

import dagster as dg
import pyarrow as pa

from ev_platform.defs.energy import partitions as axes
from ev_platform.defs.metadata import mapping_table, receipt_metadata, table_schema
from ev_platform.defs.partitions import BATCH
from ev_platform.defs.platform import Platform
from ev_platform.energy import plots, tasks
from ev_platform.energy.harvest import HarvestReceipt
from ev_platform.energy.live import tick
from ev_platform.energy.sources import load_sources
from ev_platform.energy.warehouse import lake_parts, open_warehouse

COMMON = {"group_name": "energy", "owners": ["team:data-engineering"]}
SOURCES = load_sources()
"""Names and cuts as shipped; addresses are read from EV_ENERGY_SOURCES when an asset runs."""

CUT = {"year": axes.YEARS, "month": axes.MONTHS}
API = dg.RetryPolicy(max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
QUALITY = {"annual_commune": "withheld", "annual_department": "withheld", "consumption_total_mean": "level"}


def raw_key(source: str) -> dg.AssetKey:
    """Key of a source's raw asset."""
    return dg.AssetKey(["energy", "raw", source])


def key(table: str) -> dg.AssetKey:
    """Key of a refined table."""
    return dg.AssetKey(["energy", table])


def shown(context: dg.AssetExecutionContext, made: Mapping[str, pa.Table], table: str) -> Mapping[str, pa.Table]:
    """The tables themselves, after each partition got its small plot."""
    for partition, rows in made.items():
        column = QUALITY.get(table, "quality")
        text = mapping_table(plots.counts(rows, column)) if column in rows.column_names else ""
        text += f"\n\n{plots.day_plot(rows)}" if table in tasks.GRID else ""
        if text:
            context.add_asset_metadata({"plot": dg.MetadataValue.md(text)}, partition_key=partition)
    return made


def raw_asset(name: str) -> dg.AssetsDefinition:
    """What one source sent, as received."""
    source = SOURCES[name]

    @dg.asset(
        key=raw_key(name), partitions_def=CUT[source.cut], backfill_policy=BATCH, kinds={"api", source.protocol},
        description=f"{source.dataset} as received, complete. {source.producer}, {source.licence}.",
        retry_policy=API, pool=f"api_{source.protocol}", **COMMON,
    )  # fmt: skip
    def raw(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dict[str, HarvestReceipt]:
        return {p: tasks.harvest_partition(platform.settings, platform.store, name, p) for p in context.partition_keys}

    return raw


def annual_asset(name: str) -> dg.AssetsDefinition:
    """One yearly table."""

    @dg.asset(
        key=key(name), deps=[raw_key(name)], partitions_def=axes.YEARS, backfill_policy=BATCH,
        kinds={"parquet", "polars"},
        description=f"Yearly consumption, {name}: codes as text, withheld rows marked, nothing invented.",
        metadata={"dagster/column_schema": table_schema(tasks.SCHEMAS[name])}, **COMMON,
    )  # fmt: skip
    def annual(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dict[str, pa.Table]:
        made = {y: tasks.annual_table(platform.settings, platform.store, name, y) for y in context.partition_keys}
        return dict(shown(context, made, name))

    return annual


def half_hour_asset(name: str) -> dg.AssetsDefinition:
    """One half-hourly table of electricity and gas."""

    @dg.asset(
        key=key(name), deps=[raw_key(name)], partitions_def=axes.MONTHS, backfill_policy=BATCH,
        kinds={"parquet", "polars"},
        description="Electricity and hourly gas per half-hour (UTC); doubled and shifted rows are marked.",
        metadata={"dagster/column_schema": table_schema(tasks.SCHEMAS[name])}, **COMMON,
    )  # fmt: skip
    def half_hour(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dict[str, pa.Table]:
        made = {m: tasks.half_hour_table(platform.settings, platform.store, name, m) for m in context.partition_keys}
        return dict(shown(context, made, name))

    return half_hour


def grid_asset(name: str) -> dg.AssetsDefinition:
    """One daily table of the grid: settled rows, real time where there are none yet."""
    settled, real_time, _ = tasks.GRID[name]
    deps = [dg.AssetDep(raw_key(source), partition_mapping=axes.MONTH_OF_DAY) for source in (settled, real_time)]

    @dg.asset(
        key=key(name), deps=deps, partitions_def=axes.DAYS, backfill_policy=BATCH,
        kinds={"parquet", "polars"},
        description=f"Half-hours (UTC) of {settled}: definitive > consolidated > real time; gaps are marked.",
        metadata={"dagster/column_schema": table_schema(tasks.SCHEMAS[name])}, **COMMON,
    )  # fmt: skip
    def grid(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dict[str, pa.Table]:
        made = tasks.grid_table(platform.settings, platform.store, name, list(context.partition_keys))
        return dict(shown(context, made, name))

    return grid


raw_assets = [raw_asset(name) for name in SOURCES]
annual_assets = [annual_asset(name) for name in tasks.ANNUAL]
half_hour_assets = [half_hour_asset(name) for name in tasks.HALF_HOURLY]
grid_assets = [grid_asset(name) for name in tasks.GRID]
MART_INPUTS = ("annual_address", "annual_commune", "annual_department", "annual_region", "annual_national")


@dg.asset(
    key=key("consumption_total_mean"),
    deps=[key(name) for name in MART_INPUTS],
    partitions_def=axes.YEARS,
    backfill_policy=BATCH,
    kinds={"parquet", "csv"},
    metadata={"dagster/column_schema": table_schema(tasks.SCHEMAS["consumption_total_mean"])},
    **COMMON,
)
def consumption_total_mean(
    context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
) -> dict[str, pa.Table]:
    """Total and mean yearly consumption by address, place, sector, category and activity; CSV too."""
    made = {year: tasks.total_mean_table(platform.store, year) for year in context.partition_keys}
    return dict(shown(context, made, "consumption_total_mean"))


def star_asset(name: str) -> dg.AssetsDefinition:
    """One table of the star schema."""

    @dg.asset(
        key=key(name), deps=[dg.AssetDep(key("grid_load_regional"), partition_mapping=axes.MONTH_OF_DAY)],
        partitions_def=axes.MONTHS, backfill_policy=BATCH,
        kinds={"parquet", "polars"},
        description=f"Star schema, table {name.upper()}: a month of regional half-hours, French names, real keys.",
        metadata={"dagster/column_schema": table_schema(tasks.SCHEMAS[name])}, **COMMON,
    )  # fmt: skip
    def star(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dict[str, pa.Table]:
        return {month: tasks.star_table(platform.store, name, month) for month in context.partition_keys}

    return star


star_assets = [star_asset(name) for name in tasks.STAR]


@dg.asset(
    key=key("warehouse"),
    deps=[
        dg.AssetDep(key(name), partition_mapping=dg.AllPartitionMapping())
        for name in ("region", "consumption", "coverage_rate", "grid_mix_national", "annual_national", "annual_region",
                     "consumption_total_mean")
    ],
    kinds={"sql", "duckdb", "postgres"},
    **COMMON,
)  # fmt: skip
def warehouse(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """The SQL warehouse: DuckDB file swapped in one step, or PostgreSQL with upserts (EV_WAREHOUSE)."""
    receipt = open_warehouse(platform.settings).load(lake_parts(platform.store))
    context.add_output_metadata(receipt_metadata(receipt))


@dg.asset(key=key("live"), deps=[key("grid_load_regional")], kinds={"api", "kafka"}, retry_policy=API, **COMMON)
def live(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """One tick: what is newer than the watermark goes to the topic, and from there into the live store."""
    context.add_output_metadata(receipt_metadata(tick(platform.settings, platform.store)))
