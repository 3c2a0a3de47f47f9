"""What shifting would save: how much is charged off-peak, what a charge emits, and each vehicle's best three hours.

Pure. Emissions use the national rate of the half-hour (France publishes no regional one), so they are those of the mean
kilowatt-hour, not of the marginal one: what one car saves, not what a million would.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from ev_platform.insights.slots import PARIS, local_day
from ev_platform.lake.schemas_insights import CHARGE_WINDOWS, CHARGING_FLEXIBILITY

LOW_THIRD = 1.0 / 3.0
WINDOW_SLOTS = 6
"""Three hours."""
KNOWN_SHARE = 0.8
"""A window counts if its rate is known on days with this share of the vehicle's energy."""

_SLOT = pl.duration(minutes=30)


def charging_flexibility(slots: pl.DataFrame, charges: pl.DataFrame) -> pa.Table:
    """`CHARGING_FLEXIBILITY` rows.

    Args:
        slots: by `CHARGING_GRID_LOAD`.
        charges: session_id, start, end of the same charges.
    """
    energy, percentile = pl.col("energy_kwh"), pl.col("load_percentile")
    known, rated = energy.filter(percentile.is_not_null()).sum(), energy.filter(pl.col("co2_g").is_not_null()).sum()
    low = energy.filter(percentile < LOW_THIRD).sum()
    total = energy.sum()
    made = slots.group_by("session_id", "vin", maintain_order=True).agg(
        pl.col("region_code").first(),
        total.alias("energy_kwh"),
        pl.when(total > 0).then(known / total).alias("known_share"),
        pl.when(known > 0).then(low / known).alias("low_third_share"),
        pl.when(pl.col("co2_g").is_not_null().any()).then(pl.col("co2_g").sum()).alias("co2_g"),
        pl.when(total > 0).then(rated / total).alias("co2_known_share"),
        pl.when(rated > 0).then(pl.col("co2_g").sum() / rated).alias("co2_g_per_kwh"),
    )
    made = made.join(charges.select("session_id", "start", "end").unique("session_id"), on="session_id", how="left")
    return made.sort("vin", "start").select(CHARGING_FLEXIBILITY.names).to_arrow().cast(CHARGING_FLEXIBILITY)


def charge_windows(slots: pl.DataFrame, co2: pl.DataFrame, load: pl.DataFrame, month: str) -> pa.Table:
    """`CHARGE_WINDOWS` rows of the charges of a month: the three hours with the lowest rate on the days it charged.

    Args:
        slots: by `CHARGING_GRID_LOAD`.
        co2: by `schemas_insights.CO2`, of those days and three hours more.
        load: of `grid_load.ranked`, for the percentile in that window.
        month: YYYY-MM, for the column.
    """
    days = slots.group_by("vin", "region_code", "local_day").agg(pl.col("energy_kwh").sum().alias("weight"))
    windows = _windows(co2)
    lows = _window_loads(load)
    options = days.join(windows, on="local_day").join(lows, on=["region_code", "instant"], how="left")
    rate, weight = pl.col("rate"), pl.col("weight")
    everything = slots.group_by("vin").agg(pl.col("energy_kwh").sum().alias("all_energy"))
    at = options.group_by("vin", "time_of_day").agg(
        ((rate * weight).sum() / weight.sum()).alias("best_co2_g_per_kwh"),
        (weight * pl.col("percentile")).sum().truediv(weight.filter(pl.col("percentile").is_not_null()).sum())
        .fill_nan(None).alias("best_load_percentile"),
        weight.sum().alias("covered"),
    )  # fmt: skip
    at = at.join(everything, on="vin").filter(pl.col("covered") >= KNOWN_SHARE * pl.col("all_energy"))
    best = at.sort("vin", "best_co2_g_per_kwh", "time_of_day").group_by("vin", maintain_order=True).first()
    rated = pl.col("co2_g").is_not_null()
    actual = slots.group_by("vin").agg(
        pl.col("session_id").n_unique().alias("sessions"),
        pl.col("energy_kwh").sum(),
        (pl.col("co2_g").sum() / pl.col("energy_kwh").filter(rated).sum()).fill_nan(None).alias("actual_co2_g_per_kwh"),
    )
    made = actual.join(best.drop("covered", "all_energy"), on="vin", how="left").sort("vin")
    saved = pl.col("energy_kwh") * (pl.col("actual_co2_g_per_kwh") - pl.col("best_co2_g_per_kwh")) / 1000.0
    made = made.with_columns(
        pl.lit(month).alias("month"),
        pl.col("time_of_day").alias("best_window_start"),
        saved.alias("saved_co2_kg"),
        (1.0 - pl.col("best_co2_g_per_kwh") / pl.col("actual_co2_g_per_kwh")).alias("saved_share"),
    )
    return made.select(CHARGE_WINDOWS.names).to_arrow().cast(CHARGE_WINDOWS)


def _windows(co2: pl.DataFrame) -> pl.DataFrame:
    """Mean rate of the three hours that begin at each half-hour; only where all six half-hours are known."""
    rows = co2.filter(pl.col("co2_g_per_kwh").is_not_null()).unique("instant", maintain_order=True).sort("instant")
    local = pl.col("instant").dt.convert_time_zone(PARIS)
    return _rolled(rows, pl.col("co2_g_per_kwh"), "rate", None).select(
        "instant",
        "rate",
        local_day(pl.col("instant")).alias("local_day"),
        local.dt.strftime("%H:%M").alias("time_of_day"),
    )


def _window_loads(load: pl.DataFrame) -> pl.DataFrame:
    rows = load.filter(pl.col("load_percentile").is_not_null()).sort("region_code", "instant")
    return _rolled(rows, pl.col("load_percentile"), "percentile", "region_code").select(
        "region_code", "instant", "percentile"
    )


def _rolled(rows: pl.DataFrame, value: pl.Expr, name: str, group: str | None) -> pl.DataFrame:
    """Mean of each row and the five that follow it without a gap; rows in order of `group` and `instant`."""
    ahead = WINDOW_SLOTS - 1
    mean = pl.sum_horizontal(*(value.shift(-k) for k in range(WINDOW_SLOTS)), ignore_nulls=False) / WINDOW_SLOTS
    last = pl.col("instant").shift(-ahead)
    if group:
        mean, last = mean.over(group), last.over(group)
    whole = last - pl.col("instant") == ahead * _SLOT
    return rows.with_columns(mean.alias(name), whole.alias("whole")).filter(pl.col("whole").fill_null(False))
