"""Has the market changed, or the file? A snapshot's figures beside those of the snapshot before it.

Pure: figures in, one row per measure out. Not here: who is told (defs/market/).
"""

from __future__ import annotations

import json
from typing import NamedTuple

import polars as pl
import pyarrow as pa

from ev_platform.lake.schemas_market import DRIFT
from ev_platform.market.names import known
from ev_platform.market.refine import Refined

MIN_BRAND_SALES = 20
"""Price levels are compared for makes with at least so many sales in both snapshots."""


class Limit(NamedTuple):
    """Largest accepted change of one measure: relative, or as a difference when `absolute`."""

    most: float
    absolute: bool = False


LIMITS: dict[str, Limit] = {
    "rows": Limit(0.20),
    "median_price_usd": Limit(0.15),
    "price_over_mmr": Limit(0.05),
    "quarantined_share": Limit(0.01, absolute=True),
    "missing_make_share": Limit(0.02, absolute=True),
    "makes_gone": Limit(0.0, absolute=True),
    "unknown_makes": Limit(0.0, absolute=True),
    "brand_price_shift": Limit(0.30),
}
"""What is watched. A file that grows, loses a brand, brings a brand no table knows or changes its prices is told."""


def figures(refined: Refined) -> dict[str, object]:
    """What is remembered of a snapshot: counts, price level, makes with their median prices."""
    sales = pl.DataFrame(pl.from_arrow(refined.sales.select(["make", "selling_price_usd", "mmr_usd"])))
    rows = sales.height + refined.quarantine.num_rows
    brands = sales.drop_nulls("make").group_by("make").agg(pl.len(), pl.col("selling_price_usd").median()).sort("make")
    ratio = (sales["selling_price_usd"] / sales["mmr_usd"]).median()
    return {
        "rows": rows,
        "median_price_usd": sales["selling_price_usd"].median(),
        "price_over_mmr": ratio,
        "quarantined_share": refined.quarantine.num_rows / max(rows, 1),
        "missing_make_share": sales["make"].null_count() / max(sales.height, 1),
        "brands": {make: [n, price] for make, n, price in brands.iter_rows()},
    }


def compare(snapshot: str, now: dict[str, object], before: dict[str, object] | None) -> pa.Table:
    """`DRIFT` rows of a snapshot against the one before; of the first one only unknown makes can be told."""
    brands = _brands(now)
    earlier = None if before is None else _brands(before)
    unknown = sorted(set(brands) - known("makes") - set(earlier or {}))
    gone = sorted(set(earlier or {}) - set(brands))
    shifts = {
        make: brands[make][1] / old[1] - 1.0
        for make, old in (earlier or {}).items()
        if make in brands and min(brands[make][0], old[0]) >= MIN_BRAND_SALES and old[1]
    }
    worst = max(shifts, key=lambda make: abs(shifts[make]), default=None)
    measured: dict[str, tuple[float | None, float | None, str]] = {
        "unknown_makes": (float(len(unknown)), 0.0, ", ".join(unknown)),
        "makes_gone": (float(len(gone)), 0.0, ", ".join(gone)),
        "brand_price_shift": (
            1.0 + (shifts[worst] if worst else 0.0),
            1.0,
            f"{worst} {shifts[worst]:+.1%}" if worst else "",
        ),
    }
    for name in LIMITS.keys() - measured.keys():
        value, old = now[name], None if before is None else before[name]
        measured[name] = (_float(value), _float(old), "")
    return pa.Table.from_pylist([_row(snapshot, name, *measured[name]) for name in LIMITS], schema=DRIFT)


def drifted(table: pa.Table) -> list[str]:
    """One line per measure of a `DRIFT` table that is above its limit."""
    rows = [row for row in table.to_pylist() if row["drifted"]]
    return [f"{r['measure']} {_shown(r['baseline'])} → {_shown(r['value'])} {r['detail']}".strip() for r in rows]


def dump(now: dict[str, object]) -> bytes:
    """Figures as bytes, the same for the same figures."""
    return json.dumps(now, sort_keys=True, ensure_ascii=False).encode()


def _row(snapshot: str, name: str, value: float | None, baseline: float | None, detail: str) -> dict[str, object]:
    limit = LIMITS[name]
    change = None
    if value is not None and baseline is not None:
        change = value - baseline if limit.absolute or baseline == 0 else value / baseline - 1.0
    # a figure that vanished (no price at all, for example) is a drift, whatever its limit
    out = abs(change) > limit.most if change is not None else (value is None and baseline is not None)
    return {
        "snapshot": snapshot,
        "measure": name,
        "value": value,
        "baseline": baseline,
        "change": change,
        "limit": limit.most,
        "drifted": out,
        "detail": detail,
    }


def _brands(of: dict[str, object]) -> dict[str, list[float]]:
    found = of["brands"]
    assert isinstance(found, dict)
    return found


def _shown(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
