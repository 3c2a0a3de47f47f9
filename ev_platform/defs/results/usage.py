"""Daily results in one step: trips, charges and what else a day's sessions and cleaned rows say.

One step, because all of them read the same parts. See https://docs.dagster.io/guides/build/assets/multi-asset.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from ev_platform.defs.automation import SETTLED_DEPS
from ev_platform.defs.lake.assets import CLEANED_KEY
from ev_platform.defs.metadata import table_schema
from ev_platform.defs.partitions import BATCH, DAY_AND_NEXT, DAY_AND_PREVIOUS, DAYS
from ev_platform.defs.platform import Platform
from ev_platform.defs.ref.assets import VEHICLES_KEY
from ev_platform.defs.ref.tariffs import TARIFFS_KEY
from ev_platform.defs.results.assets import SESSIONS_KEY
from ev_platform.defs.results.checks import check_specs, check_tables
from ev_platform.engine.tasks import usage_days
from ev_platform.usage.day import DAILY_TABLES

DESCRIPTIONS = {
    "trips": "One row per drive: distance, energy net and gross, kWh/100 km, temperatures.",
    "charging": "One row per charge: energy, power class, AC or DC, efficiency from charger to battery, cost.",
    "charge_curves": "Median power per 2 % of SoC of every charge that was seen.",
    "vampire_drain": "What a standing car loses, in percent per day and watts, per parking of an hour or more.",
    "soc_histogram": "Hours per vehicle and day in each window of 10 % SoC.",
    "range_estimates": "Range at 100 %: rated, the vehicle's own estimate, and what the day's drives really gave.",
    "data_quality": "Coverage, readings, values nulled by rule and unexplained SoC, per vehicle and day.",
    "cell_imbalance": "Spread between the highest and the lowest cell, at rest and overall, where cells are sent.",
}
"""What each table is, as the UI shows it."""
DAILY_KEYS = {name: dg.AssetKey(["results", name]) for name in DAILY_TABLES}


@dg.multi_asset(
    name="daily_results",
    outs={
        name: dg.AssetOut(
            key=key,
            description=DESCRIPTIONS[name],
            automation_condition=SETTLED_DEPS,
            kinds={"parquet", "polars"},
            owners=["team:battery-science"],
            metadata={"dagster/column_schema": table_schema(DAILY_TABLES[name])},
        )
        for name, key in DAILY_KEYS.items()
    },
    deps=[
        dg.AssetDep(SESSIONS_KEY, partition_mapping=DAY_AND_PREVIOUS),  # a night's charge began the day before
        dg.AssetDep(CLEANED_KEY, partition_mapping=DAY_AND_NEXT),  # and ends the day after
        VEHICLES_KEY,
        TARIFFS_KEY,
    ],
    partitions_def=DAYS,
    backfill_policy=BATCH,
    group_name="results",
    check_specs=[spec for key in DAILY_KEYS.values() for spec in check_specs(key, DAYS)],
)
def daily_results(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> Iterator[Any]:
    """All daily tables of the run's days."""
    made = usage_days(platform.settings, platform.store, list(context.partition_keys))
    for name, tables in made.items():
        yield dg.Output(tables, output_name=name)
        yield from check_tables(DAILY_KEYS[name], tables)
