"""What every kernel of this room reads: a day's sessions and cleaned rows as Polars frames, whatever columns they have.

Belongs here: columns, types, the join of rows to the session they fall in. Not here: any figure.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pyarrow as pa

TIME = pl.Datetime("us", "UTC")
HOUR = 1 / 3.6e9
"""Microseconds to hours, to be multiplied with: Polars divides a column of one row and of many rows by different means,
so that the last digit of a quotient with a constant would depend on a vehicle's company."""

CLEANED: dict[str, pl.DataType] = {
    "vin": pl.String(),
    "time": TIME,
    "provider": pl.String(),
    "quality": pl.List(pl.String()),
} | dict.fromkeys(
    (
        "soc_percent",
        "odometer_km",
        "pack_voltage_v",
        "pack_current_a",
        "charge_energy_charger_kwh",
        "charger_ac_power_kw",
        "charger_dc_power_kw",
        "battery_temp_min_c",
        "battery_temp_max_c",
        "cell_voltage_max_v",
        "cell_voltage_min_v",
        "rated_range_km",
        "estimated_range_km",
        "latitude",
        "speed_kmh",
    ),
    pl.Float64(),
)
"""Columns of `cleaned` that this room reads; one that a lake does not have counts as never observed."""
CHARGE_COLUMNS = (
    "vin",
    "time",
    "soc_percent",
    "pack_voltage_v",
    "pack_current_a",
    "charge_energy_charger_kwh",
    "charger_ac_power_kw",
    "charger_dc_power_kw",
    "battery_temp_min_c",
    "battery_temp_max_c",
)
"""What charges need of the next day, when they run over midnight."""

SESSIONS: dict[str, pl.DataType] = (
    {"session_id": pl.String(), "vin": pl.String(), "kind": pl.String(), "asleep": pl.Boolean()}
    | {"start": TIME, "end": TIME}
    | dict.fromkeys(("soc_start", "soc_end", "energy_kwh"), pl.Float64())
    | {"energy_method": pl.String()}
    | dict.fromkeys(
        (
            "distance_km",
            "odometer_end_km",
            "outside_temp_mean_c",
            "battery_temp_mean_c",
            "power_mean_kw",
            "power_max_kw",
        ),
        pl.Float64(),
    )
    | {"charge_type": pl.String(), "inferred": pl.Boolean(), "truncated": pl.Boolean(), "confidence": pl.Float64()}
    | {"reasons": pl.List(pl.String())}
)
VEHICLES: dict[str, pl.DataType] = {
    "vin": pl.String(),
    "make": pl.String(),
    "model": pl.String(),
    "usable_new_kwh": pl.Float64(),
    "rated_range_new_km": pl.Float64(),
    "first_registration": pl.Date(),
}


def frame(table: pa.Table, types: dict[str, pl.DataType]) -> pl.DataFrame:
    """Columns of an Arrow table as a Polars frame; missing columns are null."""
    present = [name for name in types if name in table.column_names]
    data = pl.DataFrame(pl.from_arrow(table.select(present)))
    return data.select(
        (pl.col(name).cast(kind) if name in present else pl.lit(None, kind).alias(name)) for name, kind in types.items()
    )


def sorted_sessions(sessions: pa.Table) -> pl.DataFrame:
    """Sessions in order, one per vehicle and start."""
    data = frame(sessions, SESSIONS).drop_nulls(["vin", "start", "end"]).sort("vin", "start", "end")
    return data.unique(["vin", "start"], keep="last", maintain_order=True)


def bounds(day: str) -> tuple[datetime, datetime]:
    """[00:00, 24:00) of a UTC day.

    Raises:
        ValueError: not a day.
    """
    start = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
    return start, start + timedelta(days=1)


def starting_on(sessions: pl.DataFrame, day: str) -> pl.DataFrame:
    """Sessions that start on a day."""
    return sessions.filter(pl.col("start").is_between(*bounds(day), closed="left"))


def in_session(rows: pl.DataFrame, sessions: pl.DataFrame, margin: timedelta = timedelta(0)) -> pl.DataFrame:
    """Rows with `session_id` and `start` of the session that they fall in; others are dropped.

    Args:
        rows: vin, time, …
        sessions: session_id, vin, start, end; must not overlap.
        margin: how long before and after a session rows still belong to it.
    """
    keys = sessions.select("session_id", "vin", "start", "end").with_columns(at=pl.col("start") - margin)
    found = rows.sort("time", "vin").join_asof(
        keys.sort("at", "vin"), left_on="time", right_on="at", by="vin", strategy="backward", check_sortedness=False
    )
    return found.filter(pl.col("time") <= pl.col("end") + margin).drop("end", "at").sort("vin", "time")


def to_arrow(data: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    """The frame as a table of that schema: its columns, types, metadata."""
    return pl.DataFrame(data).select(schema.names).to_arrow().cast(schema)


def listed(**conditions: pl.Expr) -> pl.Expr:
    """A list of the names whose condition is true."""
    named = [pl.when(when.fill_null(value=False)).then(pl.lit(name)) for name, when in conditions.items()]
    return pl.concat_list(named).list.drop_nulls()
