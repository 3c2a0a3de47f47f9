"""What a standing car does: energy it loses (vampire drain), and the state of charge it lives at.

Belongs here: results/vampire_drain and results/soc_histogram, both from sessions alone.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from ev_platform.lake.schemas_results import SOC_HISTOGRAM, VAMPIRE_DRAIN
from ev_platform.usage.frames import HOUR, VEHICLES, bounds, frame, listed, starting_on, to_arrow

MIN_HOURS = 1.0
MOVED_KM = 1.0
SMALL_PERCENT = 1.0
"""Change of SoC below the step of an integer feed: the rate is not wrong, but says little."""
BIN_PERCENT = 10.0


def vampire_drain(sessions: pl.DataFrame, vehicles: pa.Table, day: str) -> pa.Table:
    """results/vampire_drain of a day: idle sessions that follow each other are one parking.

    Args:
        sessions: of this day, sorted (`sorted_sessions`).
        vehicles: VEHICLES; its usable capacity turns percent into watts.
        day: "YYYY-MM-DD".
    """
    registry = frame(vehicles, VEHICLES).unique("vin", keep="first").select("vin", "usable_new_kwh")
    rows = starting_on(sessions, day)
    goes_on = (
        (pl.col("kind") == "idle") & (pl.col("kind").shift(1) == "idle") & (pl.col("start") == pl.col("end").shift(1))
    )
    stay = (~goes_on.fill_null(value=False)).cast(pl.Int32).cum_sum().over("vin")
    hours = (pl.col("end") - pl.col("start")).dt.total_microseconds() * HOUR
    parked = (
        rows.with_columns(stay=stay, hours=hours)
        .filter(pl.col("kind") == "idle")
        .group_by("vin", "stay", maintain_order=True)
        .agg(
            pl.col("start").first(),
            pl.col("end").last(),
            pl.col("hours").sum(),
            soc_start=pl.col("soc_start").drop_nulls().first(),
            soc_end=pl.col("soc_end").drop_nulls().last(),
            asleep_share=pl.col("hours").filter(pl.col("asleep").fill_null(value=False)).sum() / pl.col("hours").sum(),
            outside_temp_mean_c=pl.col("outside_temp_mean_c").mean(),
            km=pl.col("distance_km").sum(),
        )
        .filter(pl.col("hours") >= MIN_HOURS, pl.col("soc_start").is_not_null(), pl.col("soc_end").is_not_null())
        .join(registry, on="vin", how="left", maintain_order="left")
    )
    lost = pl.col("soc_start") - pl.col("soc_end")
    moved = pl.col("km") > MOVED_KM
    known = pl.col("usable_new_kwh").is_not_null()
    found = parked.with_columns(
        drain_percent_per_day=pl.when(~moved).then(24 * lost / pl.col("hours")),
        power_w=pl.when(~moved).then(10 * lost * pl.col("usable_new_kwh") / pl.col("hours")),
        method=pl.when(known).then(pl.lit("soc_capacity")).otherwise(pl.lit("soc")),
        reasons=listed(small_change=lost.abs() < SMALL_PERCENT, moved=moved, gained=lost < -SMALL_PERCENT),
    )
    return to_arrow(found.sort("vin", "start"), VAMPIRE_DRAIN)


def soc_histogram(sessions: pl.DataFrame, day: str) -> pa.Table:
    """results/soc_histogram of a day: hours per window of 10 % SoC.

    Within a session SoC is taken to move evenly from its start to its end; sessions are clipped to the day.

    Args:
        sessions: of this day and the one before, sorted (`sorted_sessions`).
        day: "YYYY-MM-DD".
    """
    first, after = bounds(day)
    rows = sessions.filter(pl.col("soc_start").is_not_null() & pl.col("soc_end").is_not_null())
    rows = rows.filter(pl.col("end") > first, pl.col("start") < after, pl.col("end") > pl.col("start"))
    length = (pl.col("end") - pl.col("start")).dt.total_microseconds()
    share = {
        "a": (pl.max_horizontal(pl.col("start"), pl.lit(first)) - pl.col("start")).dt.total_microseconds() / length,
        "b": (pl.min_horizontal(pl.col("end"), pl.lit(after)) - pl.col("start")).dt.total_microseconds() / length,
    }
    change = pl.col("soc_end") - pl.col("soc_start")
    rows = rows.with_columns(
        hours=length * HOUR * (share["b"] - share["a"]),
        soc_a=pl.col("soc_start") + change * share["a"],
        soc_b=pl.col("soc_start") + change * share["b"],
    )
    low, high = pl.min_horizontal("soc_a", "soc_b"), pl.max_horizontal("soc_a", "soc_b")
    bins = pl.DataFrame({"soc_bin": [BIN_PERCENT * n for n in range(int(100 / BIN_PERCENT))]})
    top = pl.col("soc_bin") + BIN_PERCENT
    last = pl.col("soc_bin") == 100 - BIN_PERCENT
    overlap = (pl.min_horizontal(high, top) - pl.max_horizontal(low, pl.col("soc_bin"))).clip(lower_bound=0)
    inside = (low >= pl.col("soc_bin")) & ((low < top) | last)
    part = pl.when(high > low).then(overlap / (high - low)).otherwise(inside.cast(pl.Float64))
    found = (
        rows.select("vin", "start", "hours", "soc_a", "soc_b")
        .join(bins, how="cross")
        .with_columns(hours=pl.col("hours") * part)
        .filter(pl.col("hours") > 0)
        .sort("vin", "soc_bin", "start")
        .group_by("vin", "soc_bin", maintain_order=True)
        .agg(pl.col("hours").sum())
        .with_columns(date=pl.lit(first.date()), share=pl.col("hours") / pl.col("hours").sum().over("vin"))
    )
    return to_arrow(found, SOC_HISTOGRAM)
