"""Reading a month: one sorted file per day (cleaned) against one file per vehicle and day, the same rows in both."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench import fleet_day
from bench.harness import Measured, Section, Target, measure

VEHICLES, DAYS = 200, 30
REPEATS = 3


def make_month(folder: Path) -> int:
    """Cleaned rows of one day, moved to 30 days, in both layouts; returns the rows of the month."""
    import polars as pl

    from ev_platform.lake.schemas import VEHICLES as REGISTRY
    from ev_platform.lake.tables import to_parquet
    from ev_platform.transform.clean import clean
    from ev_platform.transform.compact import compact

    parts = []
    for number in range(VEHICLES):
        vin = fleet_day.vin(number)
        table = compact(list(fleet_day.objects(number)), None, vin, fleet_day.DAY).table
        parts.append(pl.DataFrame(clean(table, REGISTRY.empty_table()).table))
    day = pl.concat(parts).sort("vin", "time")
    for number in range(DAYS):
        moved = day.with_columns(pl.col("time") + pl.duration(days=number))
        name = f"2026-11-{number + 1:02d}"
        daily = folder / "daily" / f"date={name}"
        daily.mkdir(parents=True)
        (daily / "part-0000.parquet").write_bytes(to_parquet(moved.to_arrow().cast(_schema())))
        own = folder / "own" / name
        own.mkdir(parents=True)
        for (vin,), rows in moved.partition_by("vin", as_dict=True).items():
            (own / f"{vin}.parquet").write_bytes(to_parquet(rows.to_arrow().cast(_schema())))
    return day.height * DAYS


def _schema():  # noqa: ANN202 - pa.Schema
    from ev_platform.signals import cleaned_schema

    return cleaned_schema()


def _fleet(pattern: str) -> tuple[float, float]:
    """Mean SoC and highest speed of the fleet over the month."""
    import polars as pl

    frame = pl.scan_parquet(pattern, hive_partitioning=False)
    found = frame.select(pl.col("soc_percent").mean(), pl.col("speed_kmh").max()).collect(engine="streaming")
    return round(found.item(0, 0), 6), found.item(0, 1)


def _vehicle(pattern: str) -> tuple[float, float]:
    """The same of one vehicle; per-vehicle files need not be searched for it."""
    import polars as pl

    frame = pl.scan_parquet(pattern, hive_partitioning=False).filter(pl.col("vin") == fleet_day.vin(VEHICLES // 2))
    found = frame.select(pl.col("soc_percent").mean(), pl.col("speed_kmh").max()).collect()
    return round(found.item(0, 0), 6), found.item(0, 1)


def _warm(*_: object) -> None:
    import polars as pl

    pl.DataFrame({"a": [1]}).lazy().select(pl.col("a").mean()).collect(engine="streaming")


def _middle(query: Callable[[str], tuple[float, float]], pattern: str) -> Measured:
    runs = [measure(query, pattern, warm=_warm) for _ in range(REPEATS)]
    return min(runs, key=lambda run: abs(run.cpu_seconds - statistics.median(r.cpu_seconds for r in runs)))


def sections() -> list[Section]:
    """The bench."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = measure(make_month, folder).value
        vin = fleet_day.vin(VEHICLES // 2)
        queries = {
            "fleet, mean and maximum": (_fleet, f"{folder}/daily/*/*.parquet", f"{folder}/own/*/*.parquet"),
            "one vehicle": (_vehicle, f"{folder}/daily/*/*.parquet", f"{folder}/own/*/{vin}.parquet"),
        }
        found = {label: (_middle(q, a), _middle(q, b)) for label, (q, a, b) in queries.items()}
    if any(daily.value != own.value for daily, own in found.values()):
        raise RuntimeError("the two layouts gave different answers")
    table = [
        {
            "query": label,
            "30 daily files, CPU-s": f"{daily.cpu_seconds:.3f}",
            f"{VEHICLES * DAYS:,} files, CPU-s": f"{own.cpu_seconds:.3f}",
            "wall s": f"{daily.wall_seconds:.3f} / {own.wall_seconds:.3f}",
        }
        for label, (daily, own) in found.items()
    ]
    (fleet_daily, fleet_own), (one_daily, one_own) = found.values()
    faster = fleet_own.wall_seconds / fleet_daily.wall_seconds
    slower = one_daily.wall_seconds / one_own.wall_seconds
    return [
        Section(
            "Reading a month of cleaned",
            f"{VEHICLES} vehicles, {rows:,} rows, Polars, page cache; both layouts give the same answer.",
            table,
            [
                Target("fleet query, daily over per-vehicle files", f"{faster:.1f} x faster", "≥ 3.5 x", faster >= 3.5),
                Target("one vehicle, daily over per-vehicle files", f"{slower:.2f} x", "≤ 2 x", slower <= 2),
            ],
        )
    ]
