"""From a month of cleaned rows and sessions to the few numbers per vehicle that the estimators need.

Belongs here: which rows and sessions can be evidence, matching of two signals in time, thinning. The only step that
touches every row; it looks at one vehicle at a time, so it can run on any batch of whole vehicles and the results be
concatenated. Not here: any estimate, anything that compares vehicles.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import polars as pl
import polars.selectors as cs
import pyarrow as pa

from ev_platform.battery.estimate import PLAUSIBLE_KWH
from ev_platform.battery.evidence_current import current_windows
from ev_platform.battery.evidence_given import full_ranges, maker_values
from ev_platform.lake.frames import in_order

CLEANED_TYPES: dict[str, pl.DataType] = {
    "vin": pl.String(),
    "time": pl.Datetime("us", "UTC"),
    "provider": pl.String(),
    "soc_percent": pl.Float64(),
    "battery_energy_kwh": pl.Float64(),
    "battery_temp_min_c": pl.Float64(),
    "battery_temp_max_c": pl.Float64(),
    "pack_current_a": pl.Float64(),
    "pack_voltage_v": pl.Float64(),
    "rated_range_km": pl.Float64(),
    "soh_oem_percent": pl.Float64(),
    "battery_capacity_ah": pl.Float64(),
    "battery_capacity_kwh": pl.Float64(),
}
CLEANED_COLUMNS = tuple(CLEANED_TYPES)
"""Columns of `cleaned` that battery health reads; one that a lake does not have counts as never observed."""

SESSION_TYPES: dict[str, pl.DataType] = {
    "session_id": pl.String(),
    "vin": pl.String(),
    "kind": pl.String(),
    "start": pl.Datetime("us", "UTC"),
    "end": pl.Datetime("us", "UTC"),
    "soc_start": pl.Float64(),
    "soc_end": pl.Float64(),
    "energy_kwh": pl.Float64(),
    "energy_method": pl.String(),
    "battery_temp_mean_c": pl.Float64(),
    "power_mean_kw": pl.Float64(),
    "inferred": pl.Boolean(),
    "truncated": pl.Boolean(),
    "confidence": pl.Float64(),
}

LIMITS = {
    "soc_percent": (0.0, 100.0),
    "soc_start": (0.0, 100.0),
    "soc_end": (0.0, 100.0),
    "battery_energy_kwh": (0.0, PLAUSIBLE_KWH[1]),
    "battery_temp_min_c": (-60.0, 100.0),
    "battery_temp_max_c": (-60.0, 100.0),
    "battery_temp_mean_c": (-60.0, 100.0),
    "pack_current_a": (-2000.0, 2000.0),
    "pack_voltage_v": (10.0, 1500.0),
    "rated_range_km": (0.0, 1500.0),
    "soh_oem_percent": (1.0, 130.0),
    "battery_capacity_ah": (1.0, 1500.0),
    "battery_capacity_kwh": (1.0, PLAUSIBLE_KWH[1]),
}
"""Values outside are no observations. Cleaning nulls them already; a table from elsewhere may not have been cleaned."""

MATCH_SECONDS = 30.0
"""Largest time between an energy reading and the SoC reading it is paired with."""
MATCH_SOC_STEP = 1.0
"""Largest SoC step between the two readings around an energy reading, if one of them is further away than that."""
TEMPERATURE_MINUTES = 60
"""A pack's temperature changes slowly: a reading this old (or this early) still describes it."""
FULL_SOC = 99.0
"""SoC from which a charge counts as full: the anchor of an iron phosphate pack's SoC."""
WHOLE_SHARE = 0.95
"""Share of whole numbers from which a SoC feed is taken to be an integer feed."""


class Evidence(NamedTuple):
    """What a month says about its vehicles, per vehicle, before anything is estimated.

    points: vin, day, soc_percent, battery_energy_kwh, battery_temp_c: medians per vehicle, UTC day and SoC percent.
    charges: the charge sessions of the month, columns of `SESSION_TYPES`, and battery_temp_start_c, battery_temp_end_c.
    coverage: vin, soc_is_whole, soc_max, days_since_full: one row per vehicle seen.
    windows: charge moved between two steps of SoC (evidence_current.py).
    ranges, given: what the vehicle says of itself, per day (evidence_given.py).
    """

    points: pl.DataFrame
    charges: pl.DataFrame
    coverage: pl.DataFrame
    windows: pl.DataFrame
    ranges: pl.DataFrame
    given: pl.DataFrame


def month_bounds(month: str) -> tuple[datetime, datetime]:
    """First instant of a month "YYYY-MM" and of the next one, UTC.

    Raises:
        ValueError: not a month.
    """
    if not re.fullmatch(r"\d{4}-\d{2}", month):
        raise ValueError(f"month must look like 2026-11, got {month!r}")
    first = datetime(int(month[:4]), int(month[5:]), 1, tzinfo=UTC)
    years, following = divmod(first.month, 12)
    return first, first.replace(year=first.year + years, month=following + 1)


def frame(table: pa.Table, types: dict[str, pl.DataType]) -> pl.DataFrame:
    """Columns of an Arrow table as a Polars frame; missing columns and impossible numbers are null."""
    present = [name for name in types if name in table.column_names]
    data = pl.DataFrame(pl.from_arrow(table.select(present)))
    data = data.select(
        (pl.col(name).cast(kind) if name in present else pl.lit(None, kind).alias(name)) for name, kind in types.items()
    )
    limited = [pl.when(pl.col(n).is_between(*LIMITS[n])).then(pl.col(n)).name.keep() for n in types if n in LIMITS]
    return data.with_columns(pl.when(cs.float().is_finite()).then(cs.float()).name.keep()).with_columns(limited)


def collect_evidence(cleaned: pa.Table, sessions: pa.Table, vehicles: pa.Table, month: str) -> Evidence:
    """Evidence of one month from any set of whole vehicles.

    Args:
        cleaned: rows of `cleaned`, at least `CLEANED_COLUMNS` where observed; rows of other months are ignored.
        sessions: SESSIONS; those that start in the month and are charges count.
        vehicles: VEHICLES; names the preferred provider.
        month: "YYYY-MM", UTC.

    Returns:
        Evidence. Neither the order of rows nor repeated rows change it.
    """
    first, after = month_bounds(month)
    rows = frame(cleaned, CLEANED_TYPES).filter(pl.col("time").is_between(first, after, closed="left"))
    all_sessions = frame(sessions, SESSION_TYPES).filter(pl.col("start").is_between(first, after, closed="left"))
    seen = pl.concat([rows.select("vin"), all_sessions.select("vin")]).unique().drop_nulls()
    known = rows.filter(pl.col("vin").is_not_null())
    if not in_order(known, "vin", "time", "provider"):
        known = known.sort("vin", "time", "provider")  # parts of several days; once, for all that follows
    if not in_order(known, "vin", "time", "provider"):  # repeats: the order of equal keys must not matter either
        known = known.unique().sort(list(CLEANED_TYPES))
    rows, chosen = _one_provider(_paired(known), vehicles)
    own = known.join(chosen, on=["vin", "provider"], how="semi", nulls_equal=True)
    temperature = pl.mean_horizontal("battery_temp_min_c", "battery_temp_max_c")
    # One session per vehicle and start, so that a repeat cannot count twice; of two versions the longer one.
    charges = (
        all_sessions.filter(pl.col("kind") == "charge", pl.col("vin").is_not_null())
        .sort(list(SESSION_TYPES))
        .sort("vin", "start", "end", maintain_order=True)
        .unique(subset=["vin", "start"], keep="last", maintain_order=True)
    )
    charges = _with_temperature(_with_temperature(charges, rows, "start"), rows, "end")
    coverage = seen.join(_coverage(rows), on="vin", how="left").sort("vin")
    windows = current_windows(own.with_columns(battery_temp_c=temperature))
    return Evidence(_points(rows), charges, coverage, windows, full_ranges(rows), maker_values(known))


def concat_evidence(parts: Iterable[Evidence]) -> Evidence:
    """Evidence of several batches of whole vehicles as one: equal to the evidence of all of them at once."""
    keys = (
        ["vin", "day", "soc_percent", "battery_energy_kwh"],
        ["vin", "start"],
        ["vin"],
        ["vin", "time", "delta_soc", "charge_ah"],
        ["vin", "day"],
        ["vin", "day"],
    )
    tables = zip(*parts, strict=True)
    return Evidence(*(pl.concat(found).sort(key) for found, key in zip(tables, keys, strict=True)))


def _paired(rows: pl.DataFrame) -> pl.DataFrame:
    """Adds `soc_matched`: SoC at the instant of an energy reading, and the pack temperature around it.

    A change-only feed sends two signals in one record or seconds apart. SoC of the same row is taken as it is. Else it
    is interpolated in time between the readings before and after: the nearer one at most MATCH_SECONDS away, the other
    too unless SoC hardly moved between them (a parked car). One-sided readings are no pair.
    """
    key = ["vin", "provider"]
    rows = (
        rows.with_columns(
            battery_temp_c=pl.mean_horizontal("battery_temp_min_c", "battery_temp_max_c"),
        )
        .select(*key, "time", "soc_percent", "battery_energy_kwh", "battery_temp_c", "rated_range_km")
        .filter(
            pl.any_horizontal(
                pl.col("soc_percent", "battery_energy_kwh", "battery_temp_c", "rated_range_km").is_not_null()
            )
        )
    )
    if not in_order(rows, *key, "time"):
        rows = rows.unique().sort(*key, "time", "soc_percent", "battery_energy_kwh", "battery_temp_c", "rated_range_km")
    soc, temp = pl.col("soc_percent"), pl.col("battery_temp_c")
    soc_time = pl.when(soc.is_not_null()).then(pl.col("time"))
    temp_time = pl.when(temp.is_not_null()).then(pl.col("time"))
    rows = rows.with_columns(
        soc_before=soc.forward_fill().over(key),
        soc_after=soc.backward_fill().over(key),
        before=((pl.col("time") - soc_time.forward_fill().over(key)).dt.total_microseconds() * 1e-6),
        after=((soc_time.backward_fill().over(key) - pl.col("time")).dt.total_microseconds() * 1e-6),
        temp_before=temp.forward_fill().over(key),
        temp_after=temp.backward_fill().over(key),
        temp_age=pl.col("time") - temp_time.forward_fill().over(key),
        temp_lead=temp_time.backward_fill().over(key) - pl.col("time"),
    )
    step = pl.col("soc_after") - pl.col("soc_before")
    span = pl.col("before") + pl.col("after")
    near = pl.min_horizontal("before", "after") <= MATCH_SECONDS
    steady = (pl.max_horizontal("before", "after") <= MATCH_SECONDS) | (step.abs() <= MATCH_SOC_STEP)
    limit = pl.duration(minutes=TEMPERATURE_MINUTES)
    return rows.with_columns(
        soc_matched=pl.when(soc.is_not_null() | (span == 0))
        .then(soc)
        .when(near & steady)
        .then(pl.col("soc_before") + step * pl.col("before") / span),
        battery_temp_c=pl.when(pl.col("temp_age") <= limit)
        .then(pl.col("temp_before"))
        .when(pl.col("temp_lead") <= limit)
        .then(pl.col("temp_after")),
    )


def _one_provider(rows: pl.DataFrame, vehicles: pa.Table) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of one provider per vehicle, since the same name may mean different energies; and (vin, provider).

    The registry's preferred provider if it has pairs, else the one with most pairs, then most SoC, ties by name.
    """
    registry = frame(vehicles, {"vin": pl.String(), "provider": pl.String()})
    registry = registry.sort("vin", "provider").unique(subset="vin", keep="first", maintain_order=True)
    registry = registry.drop_nulls().with_columns(preferred=pl.lit(True))
    pair = pl.col("soc_matched").is_not_null() & pl.col("battery_energy_kwh").is_not_null()
    chosen = (
        rows.group_by("vin", "provider")
        .agg(pairs=pair.sum(), n=pl.col("soc_percent").count())
        .join(registry, on=["vin", "provider"], how="left", nulls_equal=True)
        .with_columns(preferred=pl.col("preferred").fill_null(value=False) & (pl.col("pairs") > 0))
        .sort(
            ["vin", "preferred", "pairs", "n", "provider"],
            descending=[False, True, True, True, False],
        )
        .unique(subset="vin", keep="first", maintain_order=True)
        .select("vin", "provider")
    )
    return rows.join(chosen, on=["vin", "provider"], how="semi", nulls_equal=True), chosen


def _points(rows: pl.DataFrame) -> pl.DataFrame:
    """Medians per vehicle, UTC day and SoC percent of the pairs.

    A parked or polled car repeats one state thousands of times; binning gives every part of the SoC scale its say, and
    a median keeps an affine relation exactly, ignores single bad readings and does not depend on the order of rows.
    """
    return (
        rows.filter(pl.col("soc_matched").is_not_null() & pl.col("battery_energy_kwh").is_not_null())
        .with_columns(soc_percent=pl.col("soc_matched"), day=pl.col("time").dt.date())
        .group_by("vin", "day", bin=pl.col("soc_percent").floor())
        .agg(pl.col("soc_percent", "battery_energy_kwh", "battery_temp_c").median())
        .select("vin", "day", "soc_percent", "battery_energy_kwh", "battery_temp_c")
        .sort("vin", "day", "soc_percent", "battery_energy_kwh")
    )


def _with_temperature(charges: pl.DataFrame, rows: pl.DataFrame, at: str) -> pl.DataFrame:
    """Adds battery_temp_{at}_c: the battery temperature nearest to the session's `at`, null if further than an hour."""
    name = f"battery_temp_{at}_c"
    readings = rows.filter(pl.col("battery_temp_c").is_not_null()).select(
        "vin", "time", pl.col("battery_temp_c").alias(name)
    )
    readings = readings.unique(["vin", "time"], keep="first", maintain_order=True).sort("time", "vin")
    joined = charges.sort(at, "vin").join_asof(
        readings,
        left_on=at,
        right_on="time",
        by="vin",
        strategy="nearest",
        tolerance=timedelta(minutes=TEMPERATURE_MINUTES),
        check_sortedness=False,
    )
    return joined.select(*charges.columns, name).sort("vin", "start")


def _coverage(rows: pl.DataFrame) -> pl.DataFrame:
    """Per vehicle: whether its SoC comes in whole percents, the highest one seen, days since it was full; or null."""
    soc, time = pl.col("soc_percent"), pl.col("time")
    full = time.filter(soc >= FULL_SOC).max()
    return rows.group_by("vin").agg(
        soc_is_whole=(soc == soc.round()).mean() >= WHOLE_SHARE,
        soc_max=soc.max(),
        days_since_full=(time.filter(soc.is_not_null()).max() - full).dt.total_seconds() * (1 / 86_400),
    )
