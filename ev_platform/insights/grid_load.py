"""Charges beside the load of their region: share of the half-hour's load, percentile in the local day, emissions.

Pure. A half-hour that the grid's data lack is a gap: its energy stays, its load and share are null.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from ev_platform.insights.slots import local_day, slots_of_local_day, split
from ev_platform.lake.schemas_insights import CHARGING_GRID_LOAD

SLOT_HOURS = 0.5
PPM = 1e6


def charging_grid_load(charges: pl.DataFrame, load: pl.DataFrame, co2: pl.DataFrame) -> pa.Table:
    """`CHARGING_GRID_LOAD` rows of charges.

    Args:
        charges: session_id, vin, start, end, energy_kwh, region_code, region_method.
        load: by `schemas_insights.LOAD`, of whole local days, or the percentiles are among what is there.
        co2: by `schemas_insights.CO2`.
    """
    rows = split(charges.select("session_id", "vin", "region_code", "region_method", "start", "end", "energy_kwh"))
    rows = rows.join(ranked(load), on=["region_code", "instant"], how="left")
    rates = co2.select("instant", "co2_g_per_kwh").unique("instant", keep="first", maintain_order=True)
    rows = rows.join(rates, on="instant", how="left").with_columns(local_day(pl.col("instant")).alias("local_day"))
    rows = rows.with_columns(
        slots_of_local_day(pl.col("local_day")).alias("slots_in_local_day"),
        (pl.col("energy_kwh") / 1000.0 / pl.col("load_mwh") * PPM).alias("share_ppm"),
        (pl.col("energy_kwh") * pl.col("co2_g_per_kwh")).alias("co2_g"),
    )
    rows = rows.sort("vin", "instant", "session_id")
    return rows.select(CHARGING_GRID_LOAD.names).to_arrow().cast(CHARGING_GRID_LOAD)


def ranked(load: pl.DataFrame) -> pl.DataFrame:
    """Load of each half-hour in MWh with its percentile in its region's local day: 0 the lowest, 1 the highest.

    Equal loads share the mean of their places; a day with one known half-hour only has no percentile.
    """
    rows = load.select("region_code", "instant", "consumption_mw").filter(pl.col("consumption_mw").is_not_null())
    rows = rows.unique(["region_code", "instant"], keep="first", maintain_order=True)
    day = local_day(pl.col("instant")).alias("load_day")
    rows = rows.with_columns(day, pl.when(pl.col("consumption_mw") > 0).then("consumption_mw").alias("positive"))
    place = pl.col("consumption_mw").rank("average").over("region_code", "load_day") - 1.0
    others = pl.len().over("region_code", "load_day") - 1
    return rows.select(
        "region_code",
        "instant",
        (pl.col("positive") * SLOT_HOURS).alias("load_mwh"),
        pl.when(others > 0).then(place / others).alias("load_percentile"),
    )
