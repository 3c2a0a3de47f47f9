"""Charges joined with the grid: 100,000 sessions over half-hours and regions, next to pandas doing the same."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import numpy as np
import pandas as pd
import polars as pl

from bench.harness import Measured, Section, Target, measure

SESSIONS = 100_000
DAYS = 366
REGIONS = ("11", "24", "27", "28", "32", "44", "52", "53", "75", "76", "84", "93")
MOST_SECONDS = 3.0
START = datetime(2025, 1, 1, tzinfo=UTC)


@cache
def inputs(sessions: int) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Sessions of a year (as `charges` of the join), positions, half-hourly load of 12 regions, national rate."""
    draw = np.random.default_rng(1)
    start = np.datetime64(START.replace(tzinfo=None), "us") + draw.integers(0, (DAYS - 3) * 86_400, sessions).astype(
        "m8[s]"
    )
    length = draw.gamma(4.0, 1.4 * 3600, sessions).astype("m8[s]")
    charges = pl.DataFrame(
        {
            "session_id": [f"s{k}" for k in range(sessions)],
            "vin": [f"V{k % 2_000:05d}" for k in range(sessions)],
            "start": pl.Series(start).dt.replace_time_zone("UTC"),
            "end": pl.Series(start + length).dt.replace_time_zone("UTC"),
            "energy_kwh": draw.gamma(3.0, 8.0, sessions),
            "region_code": draw.choice(REGIONS, sessions),
            "region_method": ["polygon"] * sessions,
        }
    )
    instants = pl.datetime_range(START, START.replace(year=2026), "30m", eager=True, time_unit="us").alias("instant")
    grid = pl.DataFrame({"region_code": REGIONS}).join(instants.to_frame(), how="cross")
    load = grid.with_columns(pl.Series("consumption_mw", draw.uniform(1500, 9000, grid.height)))
    co2 = instants.to_frame().with_columns(pl.Series("co2_g_per_kwh", draw.uniform(10, 90, len(instants))))
    places = pl.DataFrame({"latitude": draw.uniform(43, 50, sessions), "longitude": draw.uniform(-1, 7, sessions)})
    return charges, load, co2, places


def joined(sessions: int) -> int:
    """Ours: half-hours, load and its percentile in the local day, share, emissions."""
    from ev_platform.insights.grid_load import charging_grid_load

    charges, load, co2, _ = inputs(sessions)
    return charging_grid_load(charges, load, co2).num_rows


def placed(sessions: int) -> int:
    """Ours: the region of each place (nearest prefecture; every place another one, the worst case)."""
    from ev_platform.insights.regions import region_of

    places = inputs(sessions)[3]
    return len(region_of(places["latitude"].to_numpy(), places["longitude"].to_numpy())[0])


def pandas_joined(sessions: int) -> int:
    """pandas: the same join, vectorised (repeat, merge, rank)."""
    charges, load, co2, _ = (frame.to_pandas() for frame in inputs(sessions))
    slot = pd.Timedelta(minutes=30)
    first = charges.start.dt.floor("30min")
    count = np.ceil((charges.end - first) / slot).astype(int).clip(lower=1)
    rows = charges.loc[charges.index.repeat(count)]
    number = rows.groupby(level=0).cumcount()
    rows = rows.assign(instant=rows.start.dt.floor("30min") + number.to_numpy() * slot)
    inside = np.minimum(rows.end, rows.instant + slot) - np.maximum(rows.start, rows.instant)
    rows["energy_kwh"] *= inside / (rows.end - rows.start)
    load = load.assign(load_day=load.instant.dt.tz_convert("Europe/Paris").dt.date)
    by_day = load.groupby(["region_code", "load_day"]).consumption_mw
    load["load_percentile"] = (by_day.rank() - 1) / (by_day.transform("size") - 1)
    rows = rows.merge(load, on=["region_code", "instant"], how="left").merge(co2, on="instant", how="left")
    rows["local_day"] = rows.instant.dt.tz_convert("Europe/Paris").dt.date
    rows["share_ppm"] = rows.energy_kwh / 1000 / (rows.consumption_mw / 2) * 1e6
    rows["co2_g"] = rows.energy_kwh * rows.co2_g_per_kwh
    return len(rows.sort_values(["vin", "instant", "session_id"]))


def warm(sessions: int) -> None:
    """Inputs and imports."""
    inputs(sessions)
    inputs.cache_info()
    joined(200)
    pandas_joined(200)
    placed(200)


def _row(name: str, measured: Measured, base: Measured, slots: int) -> dict[str, str]:
    return {
        "what": name,
        "CPU s": f"{measured.cpu_seconds:.2f}",
        "wall s": f"{measured.wall_seconds:.2f}",
        "rows/s (CPU)": f"{slots / measured.cpu_seconds:,.0f}",
        "peak MB": f"{measured.peak_mb:.0f}",
        "ratio": f"{measured.cpu_seconds / base.cpu_seconds:.1f}",
    }


def sections() -> list[Section]:
    """The join at 1× and a quarter, pandas, and the regions alone."""
    ours, theirs = measure(joined, SESSIONS, warm=warm), measure(pandas_joined, SESSIONS, warm=warm)
    small, places = measure(joined, SESSIONS // 4, warm=warm), measure(placed, SESSIONS, warm=warm)
    assert ours.value == theirs.value
    text = (
        f"{SESSIONS:,} sessions become {ours.value:,} half-hour rows, joined with {len(REGIONS)} regions, "
        f"{DAYS - 1} days and 48 half-hours of load. Four times the sessions cost "
        f"{ours.cpu_seconds / small.cpu_seconds:.1f} times the CPU (the load is ranked once)."
    )
    ratio = theirs.cpu_seconds / ours.cpu_seconds
    rows = [
        _row("half-hours and regions (polars)", ours, ours, ours.value),
        _row("pandas, vectorised", theirs, ours, ours.value),
        _row("region of 100,000 different places (nearest prefecture)", places, ours, SESSIONS),
    ]
    targets = [
        Target("join", f"{ours.cpu_seconds:.2f} CPU s", f"< {MOST_SECONDS:.0f} s", ours.cpu_seconds < MOST_SECONDS),
        Target("against pandas", f"{ratio:.1f} times", "> 2 times", ratio > 2),
    ]  # fmt: skip
    return [Section("Insights: charges over half-hours and regions", text, rows, targets)]
