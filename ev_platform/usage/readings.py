"""What a day's cleaned rows say about the vehicle and about themselves: ranges, cell imbalance, data quality.

Belongs here: results/range_estimates, results/cell_imbalance and results/data_quality.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from ev_platform.lake.schemas_results import CELL_IMBALANCE, DATA_QUALITY, RANGE_ESTIMATES
from ev_platform.usage.frames import VEHICLES, bounds, frame, listed, starting_on, to_arrow

MIN_RANGE_SOC = 30.0
REAL_MIN_SOC, REAL_MIN_KM = 5.0, 5.0
REAL_LARGEST = 1.3
"""A real range beyond this share of the rated range when new is a jump of SoC."""
REST_A = 5.0
SLOT_MINUTES = 10
SLOTS = 24 * 60 // SLOT_MINUTES
LOW_COVERAGE, FEW_ROWS, BAD_SHARE = 50.0, 20, 0.05


def range_estimates(sessions: pl.DataFrame, cleaned: pl.DataFrame, vehicles: pa.Table, day: str) -> pa.Table:
    """results/range_estimates of a day: ranges that the vehicle states, and the one that its drives really gave."""
    soc = pl.col("soc_percent")
    stated = cleaned.filter(soc >= MIN_RANGE_SOC).with_columns(
        rated=100 * pl.col("rated_range_km") / soc, estimated=100 * pl.col("estimated_range_km") / soc
    )
    stated = stated.filter(pl.any_horizontal(pl.col("rated", "estimated").is_not_null()))
    by_reading = stated.group_by("vin").agg(
        rated_full_km=pl.col("rated").median(), estimated_full_km=pl.col("estimated").median(), n_readings=pl.len()
    )
    lost = pl.col("soc_start") - pl.col("soc_end")
    drives = starting_on(sessions.filter(pl.col("kind") == "drive"), day)
    drives = drives.filter(lost > REAL_MIN_SOC, pl.col("distance_km") > REAL_MIN_KM)
    by_drive = drives.group_by("vin").agg(
        real_km=pl.col("distance_km").sum(),
        real_delta_soc=lost.sum(),
        outside_temp_mean_c=(pl.col("outside_temp_mean_c") * pl.col("distance_km")).sum()
        / pl.col("distance_km").filter(pl.col("outside_temp_mean_c").is_not_null()).sum(),
    )
    registry = frame(vehicles, VEHICLES).unique("vin", keep="first").select("vin", "rated_range_new_km")
    rows = by_reading.join(by_drive, on="vin", how="full", coalesce=True).join(registry, on="vin", how="left")
    real = 100 * pl.col("real_km") / pl.col("real_delta_soc")
    limit = REAL_LARGEST * pl.max_horizontal("rated_range_new_km", "rated_full_km")
    too_long = (real > limit).fill_null(value=False)
    rows = rows.with_columns(
        date=pl.lit(bounds(day)[0].date()),
        real_full_km=pl.when(~too_long).then(real),
        n_readings=pl.col("n_readings").fill_null(0).cast(pl.Int64),
        outside_temp_mean_c=pl.when(pl.col("outside_temp_mean_c").is_finite()).then("outside_temp_mean_c"),
        reasons=listed(
            no_range_reading=pl.col("n_readings").is_null(),
            no_long_drive=pl.col("real_km").is_null(),
            implausible_real_range=too_long,
        ),
    )
    return to_arrow(rows.sort("vin"), RANGE_ESTIMATES)


def cell_imbalance(cleaned: pl.DataFrame, day: str) -> pa.Table:
    """results/cell_imbalance of a day, for the vehicles that send cell voltages.

    Under load cells differ by their resistances, so the imbalance at rest is the one to compare.
    """
    high, low = pl.col("cell_voltage_max_v"), pl.col("cell_voltage_min_v")
    rows = cleaned.filter(high.is_not_null() & low.is_not_null() & (high >= low)).with_columns(mv=1000 * (high - low))
    rest = (pl.col("pack_current_a").abs() < REST_A).fill_null(value=False)
    found = (
        rows.sort("vin", "time", "provider")
        .group_by("vin", maintain_order=True)
        .agg(
            n=pl.len().cast(pl.Int64),
            imbalance_median_mv=pl.col("mv").median(),
            imbalance_p95_mv=pl.col("mv").quantile(0.95, "linear"),
            imbalance_rest_mv=pl.col("mv").filter(rest).median(),
            cell_voltage_min_v=low.min(),
            soc_at_min_percent=pl.col("soc_percent").filter(low == low.min()).drop_nulls().first(),
        )
        .with_columns(
            date=pl.lit(bounds(day)[0].date()),
            reasons=listed(
                no_reading_at_rest=pl.col("imbalance_rest_mv").is_null(), few_readings=pl.col("n") < FEW_ROWS
            ),
        )
    )
    return to_arrow(found, CELL_IMBALANCE)


def data_quality(sessions: pl.DataFrame, cleaned: pl.DataFrame, day: str) -> pa.Table:
    """results/data_quality of a day: what was seen, what cleaning had to null, what nothing explains.

    Args:
        sessions: of this day and the one before, sorted (`sorted_sessions`).
        cleaned: rows of this day only.
        day: "YYYY-MM-DD".
    """
    rows = cleaned.sort("vin", "time", "provider")
    gap = pl.col("time").diff().over("vin").dt.total_seconds() * (1 / 60)
    seen = (
        rows.with_columns(gap=gap)
        .group_by("vin", maintain_order=True)
        .agg(
            rows=pl.len().cast(pl.Int64),
            first_seen=pl.col("time").min(),
            last_seen=pl.col("time").max(),
            longest_gap_min=pl.col("gap").max(),
            soc_readings=pl.col("soc_percent").count().cast(pl.Int64),
            odometer_readings=pl.col("odometer_km").count().cast(pl.Int64),
            current_readings=pl.col("pack_current_a").count().cast(pl.Int64),
            odometer_km=pl.col("odometer_km").drop_nulls().last(),
            position_readings=pl.col("latitude").count().cast(pl.Int64),
            values=pl.sum_horizontal(pl.col("soc_percent", "odometer_km", "pack_current_a", "latitude").count()),
        )
    )
    found = (
        seen.join(_by_rule(rows), on="vin", how="left")
        .join(_coverage(sessions, rows, day), on="vin", how="left")
        .join(_unexplained(sessions, day), on="vin", how="left")
        .with_columns(
            date=pl.lit(bounds(day)[0].date()),
            values_nulled=pl.col("values_nulled").fill_null(0),
            by_rule=pl.col("by_rule").fill_null([]),
            coverage_percent=pl.col("coverage_percent").fill_null(0.0),
            unexplained_soc_percent=pl.col("unexplained_soc_percent").fill_null(0.0),
        )
    )
    bad = pl.col("values_nulled") / (pl.col("values") + pl.col("values_nulled") + 1)
    present = (pl.col("soc_readings") > 0).cast(pl.Float64) + (pl.col("odometer_readings") > 0).cast(pl.Float64)
    explained = (1 - 0.05 * pl.col("unexplained_soc_percent")).clip(0, 1)
    score = (
        0.5 * pl.col("coverage_percent") + 15 * present + 10 * (1 - bad * (1 / BAD_SHARE)).clip(0, 1) + 10 * explained
    )
    found = found.with_columns(
        score=score.clip(0, 100),
        reasons=listed(
            low_coverage=pl.col("coverage_percent") < LOW_COVERAGE,
            no_soc=pl.col("soc_readings") == 0,
            no_odometer=pl.col("odometer_readings") == 0,
            many_bad_values=bad > BAD_SHARE,
            unexplained_soc=pl.col("unexplained_soc_percent") > 3,
        ),
    )
    return to_arrow(found.sort("vin"), DATA_QUALITY)


def _by_rule(rows: pl.DataFrame) -> pl.DataFrame:
    """vin, values_nulled, by_rule. A provider's own "not known now" (`invalid:`) is no fault and is not counted."""
    marks = rows.select("vin", mark=pl.col("quality")).explode("mark").drop_nulls("mark")
    counted = (
        marks.filter(~pl.col("mark").str.starts_with("invalid:")).group_by("vin", "mark").len().sort("vin", "mark")
    )
    return counted.group_by("vin", maintain_order=True).agg(
        values_nulled=pl.col("len").sum().cast(pl.Int64),
        by_rule=pl.concat_str([pl.col("mark"), pl.col("len").cast(pl.String)], separator=":"),
    )


def _coverage(sessions: pl.DataFrame, rows: pl.DataFrame, day: str) -> pl.DataFrame:
    """vin, coverage_percent: slots with a row, and slots that a sleeping car passed (sleep ends with a message)."""
    first, after = bounds(day)

    def slot(time: pl.Expr) -> pl.Expr:
        return ((time - pl.lit(first)).dt.total_minutes() // SLOT_MINUTES).clip(0, SLOTS - 1)

    with_rows = rows.select("vin", slot=slot(pl.col("time")))
    asleep = sessions.filter(
        pl.col("kind") == "idle", pl.col("asleep"), pl.col("end") > first, pl.col("start") < after
    ).select("vin", slot=pl.int_ranges(slot(pl.col("start")), slot(pl.col("end")) + 1))
    both = pl.concat([with_rows, asleep.explode("slot").cast(with_rows.schema)]).unique()
    return both.group_by("vin").agg(coverage_percent=pl.len() * (100 / SLOTS))


def _unexplained(sessions: pl.DataFrame, day: str) -> pl.DataFrame:
    """vin, unexplained_soc_percent: SoC that changed between sessions, or in an idle one that says it jumped."""
    step = (pl.col("soc_start") - pl.col("soc_end").shift(1).over("vin")).abs().fill_null(0.0)
    jump = (pl.col("kind") == "idle") & pl.col("reasons").list.contains("soc_jump").fill_null(value=False)
    inside = pl.when(jump).then((pl.col("soc_end") - pl.col("soc_start")).abs()).otherwise(0.0).fill_null(0.0)
    rows = starting_on(sessions.with_columns(unexplained=step + inside), day)
    return rows.group_by("vin").agg(unexplained_soc_percent=pl.col("unexplained").sum())
