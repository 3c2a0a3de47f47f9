"""Science steps (sessions, trips, battery health; beside them all daily results and history tables) against cleaning.

A simulated fleet's days are compacted once; then both sides read and write the same lake on a folder through the same
engine tasks, one process each.
"""

from __future__ import annotations

import tempfile
from datetime import date, timedelta

import polars as pl
import pyarrow.compute as pc

from bench.harness import Section, Target, measure
from ev_platform.eda.lab import compressed_days
from ev_platform.engine.tasks import (
    among_peers,
    clean_day,
    consumption,
    health_ahead,
    health_filtered,
    health_month,
    newest_battery,
    segment_day,
    stitch_days,
    usage_days,
)
from ev_platform.lake.layout import compressed_key, part_key, table_key
from ev_platform.lake.schemas import SESSIONS
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet, to_parquet
from ev_platform.settings import Settings
from ev_platform.simulate.scenario import Scenario
from ev_platform.usage.trips import trips as kernel

FIRST, DAYS, VEHICLES = date(2026, 11, 2), 15, 8
"""Many days of few vehicles: a month of health reads all its days, and its estimates cost once per vehicle."""
NAMES = [(FIRST + timedelta(days=n)).isoformat() for n in range(DAYS)]
MONTH = f"{FIRST:%Y-%m}"


def settings_of(folder: str) -> Settings:
    """One process, the folder as lake."""
    return Settings(_env_file=None, lake_url=folder, workers=1)


def fill(folder: str) -> int:
    """Compressed files of the fleet's days and its registry; returns the records' rows."""
    scenario = Scenario(seed=501, vehicles=VEHICLES, first_day=FIRST)
    store, rows = ObjectStore(folder), 0
    store.put(table_key("ref/vehicles"), to_parquet(scenario.truth(FIRST).vehicles))
    for day, table in compressed_days(scenario, DAYS).items():
        rows += table.num_rows
        for vin in pc.unique(table["vin"]).to_pylist():
            store.put(compressed_key(day, vin), to_parquet(table.filter(pc.equal(table["vin"], vin))))
    return rows


def clean_and_segment(folder: str) -> None:
    """The baseline."""
    for day in NAMES:
        clean_day(settings_of(folder), ObjectStore(folder), day)
        segment_day(settings_of(folder), ObjectStore(folder), day)


def sessions(folder: str) -> None:
    """Stitching over midnight."""
    stitch_days(settings_of(folder), ObjectStore(folder), NAMES)


def daily(folder: str) -> None:
    """Trips, charges and the other daily tables, written as the I/O manager writes them."""
    store = ObjectStore(folder)
    for name, by_day in usage_days(settings_of(folder), store, NAMES).items():
        for day, table in by_day.items():
            store.put(part_key(f"results/{name}", day), to_parquet(table))


def trips(folder: str) -> None:
    """The table of trips alone."""
    store = ObjectStore(folder)
    for day in NAMES:
        data = store.read(part_key("results/sessions", day)).data
        table = SESSIONS.empty_table() if data is None else from_parquet(data)
        store.put(part_key("results/trips", day), to_parquet(kernel(pl.DataFrame(pl.from_arrow(table)), day)))


def health(folder: str) -> None:
    """The month."""
    store = ObjectStore(folder)
    store.put(part_key("results/battery_health", MONTH), to_parquet(health_month(settings_of(folder), store, MONTH)))


def history(folder: str) -> None:
    """The tables over the whole history, one after another."""
    store = ObjectStore(folder)
    for name, make in (
        ("battery_health_filtered", health_filtered),
        ("battery_degradation", health_ahead),
        ("consumption_by_temperature", consumption),
        ("vehicle_battery", newest_battery),
        ("peer_percentiles", among_peers),
    ):
        store.put(table_key(f"results/{name}"), to_parquet(make(store)))


def sections() -> list[Section]:
    """Figures of one run."""
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(fill, folder).value
        base = measure(clean_and_segment, folder, warm=clean_and_segment)
        steps = {work.__name__: measure(work, folder, warm=work) for work in (sessions, trips, health, daily, history)}
    total = sum(steps[name].cpu_seconds for name in ("sessions", "trips", "health"))
    shown = [
        {
            "step": name,
            "CPU s": f"{step.cpu_seconds:.2f}",
            "of clean + segment": f"{step.cpu_seconds / base.cpu_seconds:.2f}",
            "peak MB": f"{step.peak_mb:.0f}",
        }
        for name, step in {"clean + segment": base, **steps}.items()
    ]
    target = Target(
        "sessions, trips and health together",
        f"{total / base.cpu_seconds:.2f} x clean + segment",
        "<= 1.0 x",
        total <= base.cpu_seconds,
    )
    text = (
        f"{VEHICLES} vehicles, {DAYS} days, {rows:,} rows of compressed; warm, one process, lake on a folder. "
        "`daily` are all eight daily tables, trips among them; `history` those over the whole history."
    )
    return [Section("Science steps", text, shown, [target])]
