"""How much of a place's electricity its rechargeable cars use, now and with more of them. Pure.

    share = cars · adoption · kWh per car / (metered + cars · (adoption - 1) · kWh per car)

Today's cars are in the metered consumption already, so only the cars beyond today's are added to it. The metered sum is
a lower bound where rows are withheld (statistical secrecy), so the share is an upper one there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from ev_platform.lake.schemas_insights import REGION_EV_PRESSURE

ADOPTIONS = (1.0, 2.0, 5.0)
YEAR_DAYS = 365.25
FEWEST_DAYS = 7.0
"""A car seen for less says nothing about its year."""


@dataclass(frozen=True)
class FleetUse:
    """Energy per car and year of a fleet: mean over cars and the standard deviation of that mean."""

    kwh_per_car_year: float
    sd: float
    cars: int


def fleet_use(sessions: pl.DataFrame) -> FleetUse | None:
    """Mean charged energy per car and year; None when no car was seen long enough.

    Each car counts once, with its own time under observation, first to last session.
    """
    span = (pl.col("end").max() - pl.col("start").min()).dt.total_seconds() / 86_400.0
    charged = pl.col("energy_kwh").filter(pl.col("kind") == "charge").sum()
    cars = sessions.group_by("vin").agg(span.alias("days"), charged.alias("kwh")).filter(pl.col("days") >= FEWEST_DAYS)
    if cars.height == 0:
        return None
    yearly = (cars["kwh"] / cars["days"] * YEAR_DAYS).to_list()
    mean = math.fsum(yearly) / len(yearly)
    if len(yearly) == 1:
        return FleetUse(mean, math.nan, 1)
    variance = math.fsum((value - mean) ** 2 for value in yearly) / (len(yearly) - 1)
    return FleetUse(mean, math.sqrt(variance / len(yearly)), len(yearly))


def region_ev_pressure(cars: pl.DataFrame, metered: pl.DataFrame, use: FleetUse) -> pa.Table:
    """`REGION_EV_PRESSURE` rows for communes and for their regions.

    Args:
        cars: by `schemas_insights.CARS`; the newest count of each commune is used.
        metered: by `schemas_insights.METERED`; the newest year is used.
        use: energy per car.
    """
    newest = cars.sort("commune_code", "date").group_by("commune_code", maintain_order=True).last()
    power = metered.filter(pl.col("energy") == "electricity")
    power = power.filter(pl.col("year") == pl.col("year").max())
    communes = power.group_by("place_code", "year").agg(
        pl.col("region_code").drop_nulls().first(),
        pl.col("total_mwh").sum(),
        pl.col("withheld").sum().cast(pl.Int64),
    )
    joined = communes.join(newest, left_on="place_code", right_on="commune_code", how="inner")
    places = joined.select(
        pl.lit("commune").alias("level"),
        pl.col("place_code").alias("code"),
        pl.col("date").alias("counted_on"),
        "electric_cars",
        pl.col("year").alias("metered_year"),
        pl.col("total_mwh").alias("metered_mwh"),
        pl.col("withheld").alias("withheld_rows"),
    )
    regions = (
        joined.filter(pl.col("region_code").is_not_null())
        .group_by("region_code", "year")
        .agg(pl.col("date").min(), pl.col("electric_cars").sum(), pl.col("total_mwh").sum(), pl.col("withheld").sum())
        .select(
            pl.lit("region").alias("level"),
            pl.col("region_code").alias("code"),
            pl.col("date").alias("counted_on"),
            "electric_cars",
            pl.col("year").alias("metered_year"),
            pl.col("total_mwh").alias("metered_mwh"),
            pl.col("withheld").alias("withheld_rows"),
        )
    )
    rows = pl.concat([places, regions]).join(pl.DataFrame({"adoption": ADOPTIONS}), how="cross")
    mwh = pl.col("electric_cars") * use.kwh_per_car_year / 1000.0
    base = pl.col("metered_mwh") + mwh * (pl.col("adoption") - 1.0)
    share = pl.when(base > 0).then(mwh * pl.col("adoption") / base)
    # d share / share = d kwh / kwh · (metered / base): what is added to the base moves with the energy per car
    relative = use.sd / use.kwh_per_car_year if use.kwh_per_car_year else math.nan
    rows = rows.with_columns(
        pl.lit(use.kwh_per_car_year).alias("kwh_per_car_year"),
        pl.lit(None if math.isnan(use.sd) else use.sd, pl.Float64).alias("kwh_per_car_year_sd"),
        pl.lit(use.cars, pl.Int64).alias("fleet_cars"),
        (mwh * pl.col("adoption")).alias("ev_mwh"),
        share.alias("ev_share"),
        (share * relative * pl.col("metered_mwh") / base).fill_nan(None).alias("ev_share_sd"),
    )
    made = rows.sort("level", "code", "adoption").select(REGION_EV_PRESSURE.names)
    return made.to_arrow().cast(REGION_EV_PRESSURE)
