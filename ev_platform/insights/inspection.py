"""What the checks of the joins look for, from outside: rows that cannot be."""

from __future__ import annotations

import polars as pl

from ev_platform.lake.schemas_insights import VEHICLE_360
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet

SHARES = ("off_peak_share", "dc_share", "idle_awake_share", "idling_share", "value_ratio")


def impossible(store: ObjectStore) -> dict[str, list[str]]:
    """VINs per broken rule of insights/vehicle_360; {} when there is none."""
    parts = [from_parquet(store.get(key)) for key in store.keys("insights/vehicle_360") if key.endswith(".parquet")]
    rows = pl.concat([pl.DataFrame(pl.from_arrow(part)) for part in [VEHICLE_360.empty_table(), *parts]])
    rules = {name: pl.col(name).is_between(0.0, 1.0 + 1e-9) for name in SHARES}
    rules |= {
        "value_range": (pl.col("value_low") <= pl.col("value")) & (pl.col("value") <= pl.col("value_high")),
        "one_row": ~pl.col("vin").is_duplicated(),
        "kwh_per_100km": pl.col("kwh_per_100km").is_between(0.0, 100.0),
    }
    found = {name: rows.filter(~rule.fill_null(True))["vin"].to_list() for name, rule in rules.items()}
    return {name: vins for name, vins in found.items() if vins}
