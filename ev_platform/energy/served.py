"""What is served of the grid: settled half-hours from the lake, and after the last of them the live quarter-hours.

Reads the lake and the live store, writes nothing. The two are also compared where both know the same half-hours: that
shows whether the live values can be trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from ev_platform.energy.live_rows import TABLE
from ev_platform.energy.tasks import read_partition
from ev_platform.lake.live_rows import Since
from ev_platform.lake.live_store import LiveStore
from ev_platform.lake.schemas_energy import KINDS
from ev_platform.lake.store import ObjectStore

GRID = "energy/grid_load_regional"
SETTLED_RANK = 2
LOOK_BACK_DAYS = 120
"""Consolidated data come weeks late; older partitions are not searched."""

POWER = [f"{name}_mw" for name in ("consumption", *KINDS, "pumping", "exchange", "production")]
MOST_DIFFERENCE = 0.10
"""A settled half-hour may differ from the mean of its live quarter-hours by this share of the consumption …"""

MOST_DIFFERING = 0.05
"""… and more than this share of the half-hours may not differ by more."""


def last_settled(store: ObjectStore) -> datetime | None:
    """Begin of the newest half-hour that is consolidated or definitive; None if there is none."""
    for day in _newest_days(store):
        settled = read_partition(store, GRID, day).filter(pl.col("rank") >= SETTLED_RANK)
        if not settled.is_empty():
            found = settled["instant"].max()
            assert isinstance(found, datetime)
            return found
    return None


def _newest_days(store: ObjectStore) -> list[str]:
    days = sorted((name.partition("=")[2] for name in store.list_folders(GRID)), reverse=True)
    return days[:LOOK_BACK_DAYS]


def served_view(store: ObjectStore, live: LiveStore, days: int = 7) -> pl.DataFrame:
    """Rows of the last `days` days of settled data, and every live row after it, oldest first.

    Columns: region_code, region, instant, slot_minutes (30 settled, 15 live), the powers, difference_mw (consumption −
    production), nature, source (batch | live).
    """
    until = last_settled(store)
    batch = _batch(store, until, days).with_columns(
        pl.lit(30, pl.Int32).alias("slot_minutes"), pl.lit("batch").alias("source")
    )
    current = _live(live, until).with_columns(
        pl.lit(15, pl.Int32).alias("slot_minutes"), pl.lit("live").alias("source")
    )
    columns = ["region_code", "region", "instant", "slot_minutes", *POWER, "nature", "source"]
    together = pl.concat([batch.select(columns), current.select(columns)])
    difference = (pl.col("consumption_mw") - pl.col("production_mw")).alias("difference_mw")
    return together.with_columns(difference).sort("instant", "region_code")


def _batch(store: ObjectStore, until: datetime | None, days: int) -> pl.DataFrame:
    wanted = (
        [] if until is None else [(until - timedelta(days=n)).date().isoformat() for n in reversed(range(days + 1))]
    )
    parts = [read_partition(store, GRID, day) for day in wanted or ["1900-01-01"]]
    settled = pl.concat(parts).filter(pl.col("rank") >= SETTLED_RANK)
    return settled if until is None else settled.filter(pl.col("instant") > until - timedelta(days=days))


def _live(live: LiveStore, after: datetime | None) -> pl.DataFrame:
    texts = ("region_code", "region", "instant", "nature")
    schema: dict[str, Any] = dict.fromkeys(texts, pl.String) | dict.fromkeys(POWER, pl.Float64)
    rows = live.rows(TABLE, since=None if after is None else Since("instant", after))
    frame = pl.DataFrame(rows, schema=schema) if rows else pl.DataFrame(schema=schema)
    frame = frame.with_columns(
        pl.col("instant").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_zone="UTC", time_unit="us")
    )
    return frame if after is None else frame.filter(pl.col("instant") >= after + timedelta(minutes=30))


@dataclass(frozen=True)
class Overlap:
    """Half-hours that both know, and how far apart they are."""

    compared: int
    differing: int
    largest_percent: float
    worst: str

    @property
    def ok(self) -> bool:
        """Whether the two agree; nothing to compare is no disagreement."""
        return self.differing <= MOST_DIFFERING * self.compared


def overlap(store: ObjectStore, live: LiveStore) -> Overlap:
    """Settled consumption against the mean of the two live quarter-hours, where both are known."""
    rows = _live(live, None).with_columns(pl.col("instant").dt.truncate("30m"))
    means = rows.group_by("region_code", "instant").agg(pl.col("consumption_mw").mean(), pl.len().alias("quarters"))
    means = means.filter(pl.col("quarters") == 2)
    days = sorted({instant.date().isoformat() for instant in means["instant"]})
    parts = [read_partition(store, GRID, day) for day in days or ["1900-01-01"]]
    settled = pl.concat(parts).filter(pl.col("rank") >= SETTLED_RANK)
    both = settled.join(means, on=["region_code", "instant"], suffix="_live")
    apart = both.select(
        "region_code",
        "instant",
        ((pl.col("consumption_mw") - pl.col("consumption_mw_live")).abs() / pl.col("consumption_mw")).alias("apart"),
    ).drop_nulls()
    if apart.is_empty():
        return Overlap(0, 0, 0.0, "")
    worst = apart.sort("apart", "instant", "region_code", descending=[True, False, False]).row(0, named=True)
    place = f"region {worst['region_code']} at {worst['instant']:%Y-%m-%dT%H:%MZ}"
    differing = int((apart["apart"] > MOST_DIFFERENCE).sum())
    return Overlap(apart.height, differing, round(100 * worst["apart"], 2), place)
