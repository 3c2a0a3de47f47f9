"""All daily results of any set of whole vehicles in one pass: the entry of this room.

Belongs here: which kernel gets which rows. Not here: where the rows come from (engine/), figures (the other modules).
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from ev_platform.lake.frames import in_order
from ev_platform.lake.schemas_results import (
    CELL_IMBALANCE,
    CHARGE_CURVES,
    CHARGING,
    DATA_QUALITY,
    RANGE_ESTIMATES,
    SOC_HISTOGRAM,
    TRIPS,
    VAMPIRE_DRAIN,
)
from ev_platform.usage.charging import charge_curves, charging
from ev_platform.usage.frames import CHARGE_COLUMNS, CLEANED, bounds, frame, sorted_sessions, starting_on
from ev_platform.usage.parking import soc_histogram, vampire_drain
from ev_platform.usage.readings import cell_imbalance, data_quality, range_estimates
from ev_platform.usage.trips import trips

DAILY_TABLES = {
    "trips": TRIPS,
    "charging": CHARGING,
    "charge_curves": CHARGE_CURVES,
    "vampire_drain": VAMPIRE_DRAIN,
    "soc_histogram": SOC_HISTOGRAM,
    "range_estimates": RANGE_ESTIMATES,
    "data_quality": DATA_QUALITY,
    "cell_imbalance": CELL_IMBALANCE,
}
"""Tables that `daily_results` makes, by name."""


def daily_results(
    cleaned: pa.Table, sessions: pa.Table, vehicles: pa.Table, day: str, tariffs: pa.Table | None = None
) -> dict[str, pa.Table]:
    """Every table of DAILY_TABLES for one day.

    Args:
        cleaned: rows of the day, and of the next one for charges that run over midnight; missing columns count as
            never observed.
        sessions: SESSIONS that start on this day or the one before.
        vehicles: VEHICLES.
        day: "YYYY-MM-DD".
        tariffs: TARIFFS, for the cost of charges.

    Returns:
        Tables sorted by vehicle; neither the order nor repeats of input rows change them, nor does other vehicles'
        presence.
    """
    stitched = sorted_sessions(sessions)
    rows = frame(cleaned, CLEANED).drop_nulls(["vin", "time"])
    today = _ordered(rows.filter(pl.col("time").is_between(*bounds(day), closed="left")))
    rows = _of_charges(today, rows.filter(pl.col("time") >= bounds(day)[1]), stitched, day)
    charges = charging(stitched, rows, vehicles, day, tariffs)
    return {
        "trips": trips(stitched, day),
        "charging": charges,
        "charge_curves": charge_curves(stitched, rows, charges, day),
        "vampire_drain": vampire_drain(stitched, vehicles, day),
        "soc_histogram": soc_histogram(stitched, day),
        "range_estimates": range_estimates(stitched, today, vehicles, day),
        "data_quality": data_quality(stitched, today, day),
        "cell_imbalance": cell_imbalance(today, day),
    }


def _ordered(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows by vehicle and time, each once."""
    if in_order(rows, "vin", "time", "provider"):
        return rows
    return rows.unique(["vin", "time", "provider"]).sort("vin", "time", "provider")


def _of_charges(today: pl.DataFrame, later: pl.DataFrame, sessions: pl.DataFrame, day: str) -> pl.DataFrame:
    """Rows that can belong to a charge of the day: of the vehicles that have one, this day's and the next one's."""
    vins = starting_on(sessions.filter(pl.col("kind") == "charge"), day)["vin"].unique()
    both = pl.concat([rows.select(CHARGE_COLUMNS) for rows in (today, _ordered(later))])
    return both.filter(pl.col("vin").is_in(vins.implode())).sort("vin", "time", maintain_order=True)


def over_midnight(sessions: pa.Table, day: str) -> list[str]:
    """Vehicles with a charge that starts on the day and ends after it: their next day's rows are needed too."""
    charges = starting_on(sorted_sessions(sessions).filter(pl.col("kind") == "charge"), day)
    return sorted(charges.filter(pl.col("end") >= bounds(day)[1])["vin"].unique().to_list())
