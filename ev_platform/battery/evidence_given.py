"""What the vehicle itself says about its battery: rated range at a SoC, capacity and state of health of the maker.

Belongs here: daily medians of such statements. Not here: what they are worth (rated_range.py, manufacturer.py).
"""

from __future__ import annotations

import polars as pl

MIN_SOC = 30.0
"""Range at a low SoC is mostly rounding, and range models hold back a reserve there."""
RANGES: dict[str, pl.DataType] = {"vin": pl.String(), "day": pl.Date(), "full_range_km": pl.Float64(), "n": pl.UInt32()}
GIVEN: dict[str, pl.DataType] = {
    "vin": pl.String(),
    "day": pl.Date(),
    "soh_oem_percent": pl.Float64(),
    "battery_capacity_ah": pl.Float64(),
    "battery_capacity_kwh": pl.Float64(),
}


def full_ranges(rows: pl.DataFrame) -> pl.DataFrame:
    """Rated range at 100 % per vehicle and day: the median of range/SoC over readings in one row.

    Args:
        rows: vin, time, soc_percent, soc_matched (SoC at the instant of a range reading), rated_range_km.
    """
    soc = pl.coalesce("soc_percent", "soc_matched")
    usable = rows.filter(pl.col("rated_range_km").is_not_null(), soc >= MIN_SOC, pl.col("rated_range_km") > 0)
    return (
        usable.with_columns(day=pl.col("time").dt.date(), full_range_km=100 * pl.col("rated_range_km") / soc)
        .group_by("vin", "day")
        .agg(pl.col("full_range_km").median(), n=pl.len())
        .select(pl.col(name).cast(kind) for name, kind in RANGES.items())
        .sort("vin", "day")
    )


def maker_values(rows: pl.DataFrame) -> pl.DataFrame:
    """The maker's own figures per vehicle and day, medians; days without any are left out."""
    names = [name for name in GIVEN if name not in ("vin", "day")]
    usable = rows.filter(pl.any_horizontal(pl.col(names).is_not_null()))
    return (
        usable.with_columns(day=pl.col("time").dt.date())
        .group_by("vin", "day")
        .agg(pl.col(names).median())
        .select(pl.col(name).cast(kind) for name, kind in GIVEN.items())
        .sort("vin", "day")
    )
