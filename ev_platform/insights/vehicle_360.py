"""One row per vehicle: health, use, charging, emissions, alarms, value. Pure: tables in, one table out.

A figure whose source has nothing about a vehicle is null, never zero.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from ev_platform.lake.schemas_insights import VEHICLE_360


def vehicle_360(
    vehicles: pl.DataFrame,
    sessions: pl.DataFrame,
    health: pl.DataFrame,
    flexibility: pl.DataFrame,
    values: pl.DataFrame,
    devices: pl.DataFrame,
) -> pa.Table:
    """`VEHICLE_360` rows.

    Args:
        vehicles: by `schemas.VEHICLES`.
        sessions: by `schemas.SESSIONS`.
        health: by `schemas.BATTERY_HEALTH`.
        flexibility: by `CHARGING_FLEXIBILITY`.
        values: by `RESIDUAL_VALUE`.
        devices: vin, alarms, idling_share of vehicles that have a telematics device.
    """
    known = vehicles.select("vin", "make", "model", "first_registration").unique("vin", keep="last")
    vins = pl.concat([known.select("vin"), sessions.select("vin")]).unique().sort("vin")
    newest_health = (
        health.filter((pl.col("method") == "pooled") & pl.col("soh_percent").is_not_null())
        .sort("vin", "month")
        .group_by("vin", maintain_order=True)
        .last()
        .select("vin", "soh_percent", "soh_sd", pl.col("month").alias("soh_month"))
    )
    newest_value = (
        values.filter(pl.col("value_ratio").is_not_null())
        .sort("vin", "month")
        .group_by("vin", maintain_order=True)
        .last()
        .select("vin", "value", "value_low", "value_high", "value_ratio", "currency")
    )
    made = vins
    for part in (known, _use(sessions), newest_health, _grid(flexibility), newest_value, devices):
        made = made.join(part, on="vin", how="left")
    return made.sort("vin").select(VEHICLE_360.names).to_arrow().cast(VEHICLE_360)


def _use(sessions: pl.DataFrame) -> pl.DataFrame:
    charge, drive, idle = (pl.col("kind") == kind for kind in ("charge", "drive", "idle"))
    energy, distance = pl.col("energy_kwh"), pl.col("distance_km")
    seconds = (pl.col("end") - pl.col("start")).dt.total_seconds()
    measured = drive & energy.is_not_null() & (distance > 0)
    km, kwh = distance.filter(measured).sum(), -energy.filter(measured).sum()
    charged = energy.filter(charge).sum()
    standing = seconds.filter(idle).sum()
    return sessions.group_by("vin").agg(
        pl.col("end").max().alias("last_seen"),
        pl.max_horizontal("odometer_start_km", "odometer_end_km").max().alias("odometer_km"),
        drive.sum().cast(pl.Int64).alias("drives"),
        distance.filter(drive).sum().alias("drive_km"),
        charge.sum().cast(pl.Int64).alias("charges"),
        charged.alias("charged_kwh"),
        pl.when(charged > 0)
        .then(energy.filter(charge & (pl.col("charge_type") == "dc")).sum() / charged)
        .alias("dc_share"),
        pl.when(km > 0).then(kwh / km * 100.0).alias("kwh_per_100km"),
        pl.when(standing > 0)
        .then(seconds.filter(idle & ~pl.col("asleep").fill_null(False)).sum() / standing)
        .alias("idle_awake_share"),
    )


def _grid(flexibility: pl.DataFrame) -> pl.DataFrame:
    """Off-peak share (weighted by the energy whose load is known) and emissions per vehicle."""
    known = pl.col("energy_kwh") * pl.col("known_share")
    rated = pl.col("co2_g").is_not_null()
    return flexibility.group_by("vin").agg(
        pl.when(known.sum() > 0).then((pl.col("low_third_share") * known).sum() / known.sum()).alias("off_peak_share"),
        pl.when(rated.any()).then(pl.col("co2_g").sum() / 1000.0).alias("co2_kg"),
    )
