"""market/raw → market/sales (by month of sale) → marts of the whole history."""

from typing import Any

import dagster as dg
import pyarrow as pa

from ev_platform.defs.metadata import plot_of, table_schema
from ev_platform.defs.partitions import BATCH
from ev_platform.defs.platform import Platform
from ev_platform.lake.schemas_market import (
    BRAND_PEERS,
    BY_MODEL_YEAR,
    BY_STATE,
    CURVES,
    DEPRECIATION,
    DRIFT,
    MONTHLY_TRENDS,
    QUARANTINE,
    SALES,
)
from ev_platform.market import depreciation, marts, tasks
from ev_platform.market.raw_zone import newest, take
from ev_platform.settings import load_settings

SALE_MONTHS = dg.MonthlyPartitionsDefinition(
    start_date=load_settings().market_first_month, fmt="%Y-%m", timezone="UTC", end_offset=1
)
"""Months of sale, the running one included: an axis of its own, since sales are older than the fleet."""

MARKET_RAW = dg.AssetKey(["market", "raw"])
MARKET_SALES = dg.AssetKey(["market", "sales"])
MARKET_QUARANTINE = dg.AssetKey(["market", "quarantine"])
MARKET_DRIFT = dg.AssetKey(["market", "drift"])
MARKET_MODELS = dg.AssetKey(["market", "depreciation_models"])
SNAPSHOT = "snapshot"
"""Metadata of what was made from a raw file: its key."""


PLOTS = {
    "sales": plot_of("make", "vin", "count"),
    "quarantine": plot_of("reason", "reason", "count"),
    "drift": plot_of("measure", "value", "max"),
    "brand_peers": plot_of("make", "median_price_usd"),
    "monthly_brand_trends": plot_of("month", "n_sales", "sum"),
    "sales_by_state": plot_of("state", "n_sales", "sum"),
    "price_by_model_year": plot_of("release_year", "price_over_mmr"),
    "depreciation_models": plot_of("level", "cv_median_error"),
}
"""Which picture of itself each table shows in the UI."""


def mart(name: str, schema: pa.Schema, deps: list[dg.AssetKey], **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """Arguments of one asset of this group."""
    return {
        "key": dg.AssetKey(["market", name]),
        "deps": deps,
        "group_name": "market",
        "kinds": {"parquet", "polars"},
        "owners": ["team:market"],
        "metadata": {"dagster/column_schema": table_schema(schema), **PLOTS.get(name, {})},
        **more,
    }


@dg.asset(
    key=MARKET_RAW,
    group_name="market",
    kinds={"csv", "http"},
    owners=["team:market"],
)
def raw(platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
    """The newest sales file as received, from Kaggle or a local copy; an unchanged one is not stored again."""
    made = take(platform.settings, platform.store)
    return dg.MaterializeResult(
        metadata={
            "dagster/uri": f"{platform.store.url}/{made.key}",
            "stored": made.stored,
            "version": made.version,
            "sha256": made.sha256,
            "size_bytes": made.size_bytes,
            "source": made.source,
            "licence": made.licence or "not stated",
        }
    )


@dg.asset(**mart("sales", SALES, [MARKET_RAW], partitions_def=SALE_MONTHS, backfill_policy=BATCH))
def sales(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dict[str, pa.Table]:
    """Sales of a month: exact dates, canonical names, grades with their decimal point, resales; repairs are noted."""
    for month in context.partition_keys:
        context.add_asset_metadata({SNAPSHOT: newest(platform.store)}, partition_key=month)
    return tasks.sales_of_months(platform.store, context.partition_keys)


@dg.asset(**mart("quarantine", QUARANTINE, [MARKET_RAW]))
def quarantine(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> pa.Table:
    """Rows of the newest file that are no sales, with reason and original; shifted ones as far as repaired."""
    context.add_output_metadata({SNAPSHOT: newest(platform.store)})
    return tasks.refined(platform.store).quarantine


@dg.asset(**mart("drift", DRIFT, [MARKET_RAW]))
def market_drift(platform: dg.ResourceParam[Platform]) -> pa.Table:
    """Row count, brands and price level of the newest file beside those of the one before."""
    return tasks.drift_of_newest(platform.store)


@dg.asset(**mart("brand_peers", BRAND_PEERS, [MARKET_SALES]))
def brand_peers(platform: dg.ResourceParam[Platform]) -> pa.Table:
    """Makes by mean price (ends cut off per model year) with their neighbours; top makes are rank 1 to 10."""
    return marts.brand_peers(tasks.all_sales(platform.store))


@dg.asset(**mart("monthly_brand_trends", MONTHLY_TRENDS, [MARKET_SALES]))
def monthly_brand_trends(platform: dg.ResourceParam[Platform]) -> pa.Table:
    """Sales, prices, age and grade per make, year and month of sale."""
    return marts.monthly_trends(tasks.all_sales(platform.store))


@dg.asset(**mart("sales_by_state", BY_STATE, [MARKET_SALES]))
def sales_by_state(platform: dg.ResourceParam[Platform]) -> pa.Table:
    """Sales, prices and the make sold most, per state."""
    return marts.by_state(tasks.all_sales(platform.store))


@dg.asset(**mart("price_by_model_year", BY_MODEL_YEAR, [MARKET_SALES]))
def price_by_model_year(platform: dg.ResourceParam[Platform]) -> pa.Table:
    """Price against the auction house's estimate per make, model and model year; lowest ranks are the best value."""
    return marts.price_by_model_year(tasks.all_sales(platform.store))


@dg.asset(**mart("depreciation_models", DEPRECIATION, [MARKET_SALES], kinds={"parquet", "numpy"}))
def depreciation_models(platform: dg.ResourceParam[Platform]) -> pa.Table:
    """Loss of value by age, mileage and grade, with the error on sales that were left out of the fit."""
    return depreciation.fit(tasks.all_sales(platform.store))


@dg.asset(**mart("depreciation_curves", CURVES, [MARKET_MODELS], kinds={"parquet", "numpy"}))
def depreciation_curves(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> pa.Table:
    """Expected price and its range per year of age, for all, each make and each model with enough sales."""
    made = depreciation.curves(tasks.read_table(platform.store, "market/depreciation_models", DEPRECIATION))
    context.add_output_metadata({"all_makes": dg.MetadataValue.md(depreciation.sketch(made))})
    return made
