"""The time rules of half-hourly data: which row of an instant is the true one, and which instants are missing.

Everything is keyed by the UTC instant. A local day has 48 rows in these files although it has 46, 48 or 50 half-hours:
in spring the hour that does not exist carries the instants of the next one, in autumn one of the two equal hours is
missing, and some rows are shifted. So of several rows of one instant the one is kept whose own local date and hour
agree with the instant; a difference is marked, never averaged away.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

PARIS = "Europe/Paris"
SLOT = "30m"
RANKS = (("défini", 3), ("consolid", 2), ("temps r", 1))
NATURES = {3: "definitive", 2: "consolidated", 1: "real_time"}


def with_instant(frame: pl.DataFrame, column: str = "date_heure") -> pl.DataFrame:
    """Adds `instant` (UTC) and `fits`: 2 the row's own local date and hour agree with it, 1 it has none, 0 they differ.

    Rows whose time cannot be read are left out: they have no place. `unreadable_times` counts them for a check.
    """
    text = pl.col(column).str.replace("Z$", "+00:00")
    out = frame.with_columns(text.str.to_datetime("%Y-%m-%dT%H:%M:%S%z", time_unit="us", strict=False).alias("instant"))
    out = out.with_columns(pl.col("instant").dt.convert_time_zone("UTC")).filter(pl.col("instant").is_not_null())
    local = pl.col("instant").dt.convert_time_zone(PARIS)
    agrees = (local.dt.strftime("%Y-%m-%d") == pl.col("date")) & (local.dt.strftime("%H:%M") == pl.col("heure"))
    return out.with_columns(
        pl.when(agrees.is_null()).then(1).when(agrees).then(2).otherwise(0).cast(pl.Int8).alias("fits")
    )


def unreadable_times(frame: pl.DataFrame) -> int:
    """Rows whose time cannot be read."""
    return frame.height - with_instant(frame).height


def with_rank(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds `rank` from `nature`: definitive 3, consolidated 2, real time 1; anything else 0."""
    nature = pl.col("nature").str.to_lowercase()
    rank = pl.lit(0)
    for word, value in reversed(RANKS):
        rank = pl.when(nature.str.contains(word, literal=True)).then(value).otherwise(rank)
    return frame.with_columns(rank.cast(pl.Int8).alias("rank"))


def one_per_instant(frame: pl.DataFrame, place: Sequence[str], values: Sequence[str]) -> pl.DataFrame:
    """One row per place and instant: best rank first, then the row that fits its instant; `conflict` if rows differed.

    Needs `instant`, `fits` and `rank`. Rows that do not fit and stand alone are kept: the instant is what counts.
    """
    key = [*place, "instant"]
    best = frame.filter(pl.col("rank") == pl.col("rank").max().over(key))
    order = best.sort(
        [*key, "fits", *values], descending=[False] * len(key) + [True] * (1 + len(values)), nulls_last=True
    )
    return order.group_by(key, maintain_order=True).agg(
        pl.all().first(), (pl.struct(*values).n_unique() > 1).alias("conflict")
    )


def half_hours(frame: pl.DataFrame, place: Sequence[str], values: Sequence[str]) -> pl.DataFrame:
    """Means of quarter-hours per half-hour: nulls are left out of a mean, a mean of nulls is null.

    `partial` marks a half-hour that only one quarter-hour was published of.
    """
    slot = frame.with_columns(pl.col("instant").dt.truncate(SLOT))
    key = [*place, "instant"]
    others = [name for name in frame.columns if name not in {*key, *values}]
    return (
        slot.sort([*key])
        .group_by(key, maintain_order=True)
        .agg(pl.col(values).mean(), pl.col(others).first(), (pl.len() < 2).alias("partial"))
        .select(*frame.columns, "partial")
    )


def slots(start: datetime, end: datetime) -> pl.Series:
    """The half-hours of [start, end)."""
    return pl.datetime_range(start, end, SLOT, closed="left", time_unit="us", time_zone="UTC", eager=True).alias(
        "instant"
    )


def with_gaps(frame: pl.DataFrame, start: datetime, end: datetime, place: Sequence[str]) -> pl.DataFrame:
    """One row per place and half-hour of [start, end): what was not published is there as a row of nulls.

    A session that charges in a lost half-hour would otherwise silently drop out of a join.
    """
    window = frame.filter((pl.col("instant") >= start) & (pl.col("instant") < end))
    if window.is_empty():
        return window
    every = slots(start, end).to_frame()
    if place:
        places = window.select(
            pl.col(place[0]), pl.col(place[1:]).first().over(place[0]) if len(place) > 1 else pl.lit(0)
        )
        every = places.select(place).unique(place[0]).join(every, how="cross")
    key = [*place[:1], "instant"]
    kept = window.drop(place[1:]) if place else window
    return every.join(kept, on=key, how="left").sort(key)
