"""Trips: what a drive used, net of recuperation and gross of what was lost while parked before it.

Belongs here: results/trips and consumption by temperature. Not here: where a drive begins and ends (transform/).
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from ev_platform.lake.schemas_results import CONSUMPTION_BY_TEMPERATURE, TRIPS
from ev_platform.usage.frames import HOUR, frame, listed, starting_on, to_arrow

MIN_KM = 1.0
"""Consumption over less is mostly the odometer's step."""
PLAUSIBLE = (0.0, 100.0)
"""kWh/100 km; outside it the figure is left out, with a reason (a long descent may be negative)."""
BIN_C = 5.0
MIN_BIN_KM = 2.0
FEW_TRIPS = 5


def trips(sessions: pl.DataFrame, day: str) -> pa.Table:
    """results/trips of a day.

    Args:
        sessions: of this day and the one before, sorted (`sorted_sessions`).
        day: "YYYY-MM-DD".
    """
    drives = starting_on(_with_parked_loss(sessions).filter(pl.col("kind") == "drive"), day)
    km, used = pl.col("distance_km"), pl.col("energy_used")
    hours = (pl.col("end") - pl.col("start")).dt.total_microseconds() * HOUR
    net, gross = 100 * used / km, 100 * (used + pl.col("parked_loss_kwh")) / km
    long = km >= MIN_KM
    rows = drives.with_columns(energy_used=-pl.col("energy_kwh")).with_columns(
        duration_min=60 * hours,
        kwh_per_100km=pl.when(long & net.is_between(*PLAUSIBLE)).then(net),
        kwh_per_100km_gross=pl.when(long & net.is_between(*PLAUSIBLE) & gross.is_between(*PLAUSIBLE)).then(gross),
        speed_mean_kmh=pl.when(hours > 0).then(km / hours),
        reasons=pl.concat_list(
            pl.col("reasons").fill_null([]),
            listed(
                energy_unknown=used.is_null(),
                distance_unknown=km.is_null(),
                short=km < MIN_KM,
                implausible_consumption=long & ~net.is_between(*PLAUSIBLE),
            ),
        ),
    )
    return to_arrow(rows.with_columns(energy_kwh=pl.col("energy_used")), TRIPS)


def _with_parked_loss(sessions: pl.DataFrame) -> pl.DataFrame:
    """Adds parked_loss_kwh: energy lost in idle sessions since the last drive or charge."""
    idle = pl.col("kind") == "idle"
    loss = pl.when(idle).then((-pl.col("energy_kwh")).clip(lower_bound=0).fill_null(0.0)).otherwise(0.0)
    trip = (~idle).cast(pl.Int32).cum_sum().shift(1, fill_value=0).over("vin")
    return sessions.with_columns(loss=loss, stay=trip).with_columns(
        parked_loss_kwh=pl.col("loss").sum().over("vin", "stay")
    )


def consumption_by_temperature(all_trips: pa.Table) -> pa.Table:
    """results/consumption_by_temperature from results/trips of any days.

    Weighted by distance: a median of short trips would say what heating up costs, not what driving does.
    """
    types: dict[str, pl.DataType] = {
        "session_id": pl.String(),
        "vin": pl.String(),
        "distance_km": pl.Float64(),
        "outside_temp_mean_c": pl.Float64(),
        "kwh_per_100km": pl.Float64(),
        "kwh_per_100km_gross": pl.Float64(),
        "energy_method": pl.String(),
        "confidence": pl.Float64(),
    }
    rows = frame(all_trips, types).unique("session_id", keep="first", maintain_order=True)
    rows = rows.drop_nulls(["vin", "distance_km", "outside_temp_mean_c", "kwh_per_100km"]).filter(
        pl.col("distance_km") >= MIN_BIN_KM, pl.col("confidence").fill_null(1.0) >= 0.5
    )
    km, net, gross = pl.col("distance_km"), pl.col("kwh_per_100km"), pl.col("kwh_per_100km_gross")
    known = km.filter(gross.is_not_null())
    by_method = rows.group_by(
        "vin", bin=(pl.col("outside_temp_mean_c") * (1 / BIN_C)).floor() * BIN_C, m="energy_method"
    ).agg(km.sum())
    method = by_method.sort("vin", "bin", "distance_km", "m", descending=[False, False, True, False]).unique(
        ["vin", "bin"], keep="first", maintain_order=True
    )
    found = (
        rows.sort("vin", "session_id")
        .group_by("vin", bin=(pl.col("outside_temp_mean_c") * (1 / BIN_C)).floor() * BIN_C, maintain_order=True)
        .agg(
            n_trips=pl.len().cast(pl.Int64),
            distance_km=km.sum(),
            kwh_per_100km=(net * km).sum() / km.sum(),
            kwh_per_100km_gross=(gross * km).sum() / known.sum(),
            p10_kwh_per_100km=net.quantile(0.1, "linear"),
            p90_kwh_per_100km=net.quantile(0.9, "linear"),
        )
        .join(method.select("vin", "bin", method="m"), on=["vin", "bin"], how="left")
        .with_columns(
            temp_bin_c=pl.col("bin"),
            kwh_per_100km_gross=pl.when(pl.col("kwh_per_100km_gross").is_finite()).then("kwh_per_100km_gross"),
            reasons=listed(few_trips=pl.col("n_trips") < FEW_TRIPS),
        )
        .sort("vin", "bin")
    )
    return to_arrow(found, CONSUMPTION_BY_TEMPERATURE)
