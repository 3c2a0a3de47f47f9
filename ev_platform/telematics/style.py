"""Driving style per device and day: how long it drove and idled, how hard, how often towed. Pure.

Durations come from the readings of one variable: a value holds until the next reading of that variable, at most
`HOLD`, and never past midnight, so gaps are left out and days add up.
"""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pyarrow as pa

from ev_platform.lake.schemas_telematics import DRIVING_STYLE

HOLD = timedelta(minutes=5)
"""Longest time that a reading stands for."""

ACCELERATIONS = ("ACCELERATION X", "ACCELERATION Y", "ACCELERATION Z")
SPEED, RPM, IDLING, TOWING, IGNITION = "Vehicle speed", "ENGINE RPM", "IDLING", "TOWING", "IGNITION_STATUS"
_COUNTS = ("harsh_accelerations", "harsh_brakings", "speed_alarms", "rpm_alarms", "alarms")


def driving_style(events: pa.Table, alarms: pa.Table, day: str) -> pa.Table:
    """One row per device that sent something on the day, in `DRIVING_STYLE`, sorted by device.

    Args:
        events: the day's `TELEMATICS_EVENTS`.
        alarms: `TELEMATICS_ALARMS` that began on the day.
        day: UTC day.
    """
    frame = pl.from_arrow(events)
    assert isinstance(frame, pl.DataFrame)
    frame = frame.filter(~pl.col("repeat")).sort("device_id", "variable", "time", "event_id")
    style = frame.group_by("device_id", maintain_order=True).agg(
        pl.col("vin").first(),
        pl.len().cast(pl.Int64).alias("readings"),
        pl.col("number").filter(pl.col("variable") == SPEED).max().alias("speed_max_kmh"),
        _no_fix().alias("no_fix_share"),
    )
    for part in (_durations(frame), _changes(frame), _alarm_counts(alarms)):
        style = style.join(part, on="device_id", how="left")
    counts = [pl.col(name).fill_null(0).cast(pl.Int64) for name in (*_COUNTS, "towing_events", "ignition_offs")]
    style = style.with_columns(*counts, pl.lit(date.fromisoformat(day)).alias("date")).sort("device_id")
    moving = pl.col("driving_s").fill_null(0.0) + pl.col("idling_s").fill_null(0.0)
    share = pl.when(moving > 0).then(pl.col("idling_s").fill_null(0.0) / moving)
    return style.with_columns(share.alias("idling_share")).select(DRIVING_STYLE.names).to_arrow().cast(DRIVING_STYLE)


def _no_fix() -> pl.Expr:
    position = pl.col("variable") == "POSITION"
    return pl.col("latitude").filter(position).is_null().mean()


def _durations(frame: pl.DataFrame) -> pl.DataFrame:
    """Seconds of driving and idling, and the time-weighted mean speed while driving."""
    midnight = pl.col("time").dt.truncate("1d") + pl.duration(days=1)
    until = pl.min_horizontal(pl.col("time").shift(-1).over("device_id", "variable").fill_null(midnight), midnight)
    held = pl.min_horizontal((until - pl.col("time")).dt.total_microseconds(), HOLD // timedelta(microseconds=1)) / 1e6
    driving = (pl.col("variable") == SPEED) & (pl.col("number") > 0)
    idling = (pl.col("variable") == IDLING) & pl.col("flag")
    return (
        frame.with_columns(held.alias("held"))
        .group_by("device_id", maintain_order=True)
        .agg(
            pl.col("held").filter(driving).sum().alias("driving_s"),
            pl.col("held").filter(idling).sum().alias("idling_s"),
            ((pl.col("number") * pl.col("held")).filter(driving).sum() / pl.col("held").filter(driving).sum()).alias(
                "speed_mean_kmh"
            ),
        )
        .with_columns(pl.col("speed_mean_kmh").fill_nan(None))
    )


def _changes(frame: pl.DataFrame) -> pl.DataFrame:
    """How often TOWING went on and IGNITION_STATUS went off; a first reading of the day in that state counts."""
    before = pl.col("flag").shift().over("device_id", "variable")
    on = (pl.col("variable") == TOWING) & pl.col("flag") & ~before.fill_null(False)
    off = (pl.col("variable") == IGNITION) & ~pl.col("flag") & before.fill_null(True)
    changed = frame.filter(pl.col("flag").is_not_null()).with_columns(on.alias("on"), off.alias("off"))
    sums = [pl.col("on").sum().alias("towing_events"), pl.col("off").sum().alias("ignition_offs")]
    return changed.group_by("device_id", maintain_order=True).agg(sums)


def _alarm_counts(alarms: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(alarms)
    assert isinstance(frame, pl.DataFrame)
    high, low = pl.col("band") == "very_high", pl.col("band") == "very_low"
    harsh = pl.col("variable").is_in(ACCELERATIONS)
    return frame.group_by("device_id", maintain_order=True).agg(
        (harsh & high).sum().alias("harsh_accelerations"),
        (harsh & low).sum().alias("harsh_brakings"),
        ((pl.col("variable") == SPEED) & high).sum().alias("speed_alarms"),
        ((pl.col("variable") == RPM) & high).sum().alias("rpm_alarms"),
        pl.len().alias("alarms"),
    )
