"""Runs of very low or very high readings per device and variable. Pure.

A run is an unbroken row of readings of one device and variable in the same alarm band: a reading in another band ends
it, and so does a silence of that variable longer than `RUN_GAP`. Days do not cut it: `alarms` takes any stretch of
whole days, and files a run under the day of its first reading.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

import polars as pl
import pyarrow as pa

from ev_platform.lake.schemas_telematics import TELEMATICS_ALARMS
from ev_platform.telematics.variables import ALARMS

RUN_GAP = timedelta(minutes=30)
"""Longest silence of a variable inside a run: a device that slept over night starts a new one."""

KEY = ["device_id", "variable"]


def readings(events: pa.Table) -> pl.DataFrame:
    """What runs are made of: distinct readings with a band, in order."""
    frame = pl.from_arrow(
        events.select(["device_id", "vin", "variable", "time", "event_id", "band", "number", "repeat"])
    )
    assert isinstance(frame, pl.DataFrame)
    return frame.filter(~pl.col("repeat") & pl.col("band").is_not_null()).sort(*KEY, "time", "event_id")


def alarms(events: pa.Table) -> pa.Table:
    """Alarms of a stretch of whole days, in `TELEMATICS_ALARMS`, sorted by device, variable and start."""
    frame = readings(events).with_columns(_run_number())
    runs = (
        frame.filter(pl.col("band").is_in(ALARMS))
        .group_by(*KEY, "run", maintain_order=True)
        .agg(
            pl.col("vin").first(),
            pl.col("band").first(),
            pl.col("time").first().alias("start"),
            pl.col("time").last().alias("end"),
            pl.len().cast(pl.Int64).alias("count"),
            pl.col("number").min().alias("minimum"),
            pl.col("number").max().alias("maximum"),
        )
        .with_columns(((pl.col("end") - pl.col("start")).dt.total_microseconds() / 1e6).alias("duration_s"))
    )
    keys = runs.select("device_id", "variable", pl.col("start").dt.epoch("us")).iter_rows()
    ids = [hashlib.sha256(repr(key).encode()).hexdigest()[:32] for key in keys]
    named = runs.with_columns(pl.Series("alarm_id", ids, dtype=pl.String)).sort(*KEY, "start", "alarm_id")
    return named.select(TELEMATICS_ALARMS.names).to_arrow().cast(TELEMATICS_ALARMS)


def _run_number() -> pl.Expr:
    """Number of the run of each reading: a new one with each band, device or variable, and after a silence."""
    other = pl.any_horizontal(pl.col(name) != pl.col(name).shift() for name in [*KEY, "band"])
    silent = (pl.col("time") - pl.col("time").shift()) > RUN_GAP
    return (other | silent).fill_null(True).cum_sum().alias("run")


def goes_on(before: pa.Table, after: pa.Table) -> bool:
    """Whether some run of the day `before` goes on in the day `after`."""
    last = readings(before).group_by(*KEY, maintain_order=True).last()
    first = readings(after).group_by(*KEY, maintain_order=True).first()
    both = last.filter(pl.col("band").is_in(ALARMS)).join(first, on=KEY, suffix="_next")
    meets = (pl.col("band") == pl.col("band_next")) & (pl.col("time_next") - pl.col("time") <= RUN_GAP)
    return not both.filter(meets).is_empty()
