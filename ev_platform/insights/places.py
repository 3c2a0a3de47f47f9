"""Where a charge happened: the car's last known position up to its end. Pure."""

from __future__ import annotations

import numpy as np
import polars as pl

from ev_platform.insights.regions import Region, region_of

OLDEST_POSITION = "36h"
"""A parked car may report no position for a night and a day; an older one says nothing about this charge."""


def charges_with_region(
    sessions: pl.DataFrame, positions: pl.DataFrame, regions: tuple[Region, ...] = ()
) -> pl.DataFrame:
    """Charges of sessions with `region_code` and `region_method`.

    Args:
        sessions: by `schemas.SESSIONS`.
        positions: vin, time, latitude, longitude; nulls allowed.
        regions: polygons; without them the nearest prefecture decides.
    """
    charges = sessions.filter((pl.col("kind") == "charge") & pl.col("energy_kwh").is_not_null())
    charges = charges.filter(pl.col("energy_kwh") > 0).sort("end")
    known = positions.drop_nulls(["latitude", "longitude"]).sort("time")
    placed = charges.join_asof(
        known.select("vin", "time", "latitude", "longitude"),
        left_on="end",
        right_on="time",
        by="vin",
        strategy="backward",
        tolerance=OLDEST_POSITION,
        check_sortedness=False,
    )
    where = placed.select(pl.col("latitude", "longitude").cast(pl.Float64).fill_null(np.nan))
    codes, methods = region_of(where["latitude"].to_numpy(), where["longitude"].to_numpy(), regions)
    return placed.with_columns(
        pl.Series("region_code", codes, dtype=pl.String), pl.Series("region_method", methods, dtype=pl.String)
    ).sort("vin", "start")
