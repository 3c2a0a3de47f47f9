"""Charges split over half-hours: the same energy, in the half-hours in which it flowed.

Pure. Power is taken as constant over the charge, which is right for AC; a DC charge lies in one or two half-hours.
"""

from __future__ import annotations

import polars as pl

SLOT = "30m"
SLOT_US = 30 * 60 * 1_000_000
PARIS = "Europe/Paris"
"""The local day of the French grid."""


def split(charges: pl.DataFrame) -> pl.DataFrame:
    """One row per charge and half-hour.

    Args:
        charges: with `start`, `end` (UTC) and `energy_kwh`; other columns are carried along. A charge without energy
            has no rows; one that ends when it begins lies whole in the half-hour of its start.

    Returns:
        The columns of `charges` with `instant` (begin of the half-hour, UTC) and `energy_kwh` of that half-hour. The
        energies of a charge sum up to its energy.
    """
    rows = charges.filter(pl.col("energy_kwh").is_not_null() & (pl.col("end") >= pl.col("start")))
    start, end = (pl.col(name).dt.timestamp("us") for name in ("start", "end"))
    first = start // SLOT_US
    last = pl.max_horizontal((end - 1) // SLOT_US, first)
    rows = rows.with_columns(
        start.alias("from"), end.alias("to"), pl.int_ranges(first, last + 1).alias("slot"), pl.col("energy_kwh")
    ).explode("slot", empty_as_null=True)
    begin = pl.col("slot") * SLOT_US
    inside = pl.min_horizontal("to", begin + SLOT_US) - pl.max_horizontal("from", begin)
    length = pl.col("to") - pl.col("from")
    share = pl.when(length > 0).then(inside / length).otherwise(1.0)
    instant = begin.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return rows.with_columns((pl.col("energy_kwh") * share).alias("energy_kwh"), instant.alias("instant")).drop(
        "from", "to", "slot"
    )


def local_day(instant: pl.Expr) -> pl.Expr:
    """Day of an instant in Europe/Paris."""
    return instant.dt.convert_time_zone(PARIS).dt.date()


def slots_of_local_day(day: pl.Expr) -> pl.Expr:
    """Half-hours of a local day: 48, or 46 and 50 when clocks change."""
    midnight = day.cast(pl.Datetime("us")).dt.replace_time_zone(PARIS).dt.timestamp("us")
    following = day.dt.offset_by("1d").cast(pl.Datetime("us")).dt.replace_time_zone(PARIS).dt.timestamp("us")
    return ((following - midnight) // SLOT_US).cast(pl.Int32)
