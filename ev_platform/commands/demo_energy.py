"""The energy part of `ev demo`: stand-in portals → raw → refined → marts, star schema, warehouse; and the live path.

The portals are generated and their truth is known, so the last table says how far what was made is from it. The live
path is shown as it happens: real time first, then the portal settles those half-hours, then both are compared.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import perf_counter

import dagster as dg
import polars as pl
from rich.console import Console
from rich.table import Table

from ev_platform.commands.requests import Requests
from ev_platform.energy.served import overlap, served_view
from ev_platform.energy.tasks import STAR, read_partition
from ev_platform.lake.live_store import open_live_store
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings
from ev_platform.simulate.open_data import annual, grid
from ev_platform.simulate.open_data.server import OpenDataServer
from ev_platform.simulate.open_data.world import World

YEAR = 2025
AUTUMN = tuple(date(2026, 10, day) for day in (24, 25, 26))
"""The clock goes back on the 25th: a local day of 50 half-hours, of which two are never published."""

WEEK = tuple(date(2026, 11, day) for day in range(1, 8))
MONTHS = ("2026-10", "2026-11")
SETTLED_FIRST = datetime(2026, 11, 6, tzinfo=UTC)
SETTLED_LATER = datetime(2026, 11, 7, tzinfo=UTC)
YEARLY = (
    "annual_address",
    "annual_commune",
    "annual_department",
    "annual_national",
    "annual_region",
    "vehicles_commune",
)
MONTHLY = ("eco2mix_regional", "eco2mix_regional_tr", "eco2mix_national", "eco2mix_national_tr", "half_hour_national",
           "half_hour_regional")  # fmt: skip
DAILY = ("grid_load_regional", "grid_mix_national")


def demo_energy(console: Console, settings: Settings, requests: Requests) -> list[str]:
    """Run it and print a table; returns the problems."""
    begin = perf_counter()
    world = World(
        seed=1,
        years=(YEAR,),
        days=(*AUTUMN, *WEEK),
        definitive_until=datetime(2026, 11, 1, tzinfo=UTC),
        consolidated_until=SETTLED_FIRST,
    )
    store = ObjectStore(settings.lake)
    with OpenDataServer(world, requests_per_minute=10_000) as server:
        Path(settings.energy_sources).write_text(server.sources())
        _years(requests)
        _months(requests)
        requests.materialize([_key("live")])
        world.consolidated_until, world.revision = SETTLED_LATER, world.revision + 1
        world.forget()
        _settled(requests)
        requests.materialize([_key("live")])
    requests.materialize([_key("warehouse")])
    rows, problems = _against_truth(settings, store, world)
    table = Table(title="Energy: refined tables against the generated truth", title_justify="left")
    for column in ("table", "rows", "withheld or never published", "wrong"):
        table.add_column(column, justify="left" if column == "table" else "right")
    for row in rows:
        table.add_row(*map(str, row))
    console.print(table)
    tally = requests.tally
    console.print(
        f"energy     runs {tally.runs}   checks passed {tally.checks_passed}, failed {len(tally.checks_failed)}"
        f"   in {perf_counter() - begin:.0f} s"
    )
    return problems


def _key(name: str) -> dg.AssetKey:
    return dg.AssetKey(["energy", *name.split("/")])


def _years(requests: Requests) -> None:
    names = [*(f"raw/{name}" for name in YEARLY), *YEARLY, "consumption_total_mean"]
    requests.materialize([_key(name) for name in names], str(YEAR))


def _settled(requests: Requests) -> None:
    """Another day was settled: only what it changes is made again."""
    requests.materialize([_key(f"raw/{name}") for name in ("eco2mix_regional", "eco2mix_national")], MONTHS[1])
    requests.materialize([_key(name) for name in DAILY], SETTLED_FIRST.date().isoformat())
    requests.materialize([_key(name) for name in STAR], MONTHS[1])


def _months(requests: Requests) -> None:
    """Harvest months, make their days, then their star schema."""
    harvested = [*(f"raw/{name}" for name in MONTHLY), "half_hour_national", "half_hour_regional"]
    for month in MONTHS:
        requests.materialize([_key(name) for name in harvested], month)
        days = [day.isoformat() for day in (*AUTUMN, *WEEK) if day.isoformat().startswith(month)]
        requests.materialize_range([_key(name) for name in DAILY], days[0], days[-1])
        requests.materialize([_key(name) for name in STAR], month)


def _against_truth(
    settings: Settings, store: ObjectStore, world: World
) -> tuple[list[tuple[str, int, int, int]], list[str]]:
    """(table, rows, rows without a true value, rows that differ from the truth), and what is wrong."""
    rows = []
    commune = read_partition(store, "energy/annual_commune", str(YEAR))
    truth = [row for row in annual.place_truth(world.seed, YEAR) if not row["withheld"]]
    place = ["place_code", "energy", "operator", "category", "sector", "naf2"]
    wrong = _different(commune.filter(~pl.col("withheld")), truth, place, ["sites", "total_mwh", "mean_mwh"])
    rows.append(("annual_commune", commune.height, int(commune["withheld"].sum()), wrong))
    load = pl.concat([read_partition(store, "energy/grid_load_regional", day.isoformat()) for day in (*AUTUMN, *WEEK)])
    settled = [r for r in grid.regional_truth(world.grid) if r["rank"] >= 2 and not grid.in_autumn_hole(r["instant"])]
    power = ["consumption_mw", "production_mw", "hydro_mw", "pumping_mw"]
    wrong = _different(load.filter(pl.col("rank") >= 2), settled, ["region_code", "instant"], power)
    rows.append(("grid_load_regional", load.height, int((load["quality"] == "gap").sum()), wrong))
    live = open_live_store(settings)
    try:
        view, both = served_view(store, live), overlap(store, live)
    finally:
        live.close()
    rows.append(("served view", view.height, 0, _holes(view)))
    rows.append(("live against batch", both.compared, 0, both.differing))
    problems = [f"energy {name}: {wrong} rows are wrong" for name, *_, wrong in rows if wrong]
    if not both.compared:
        problems.append("energy: live and batch have no half-hour in common")
    return rows, problems


def _different(found: pl.DataFrame, truth: list[dict[str, object]], key: list[str], values: list[str]) -> int:
    """Rows that are missing, too many, or have another value than the truth."""
    schema = {name: found.schema[name] for name in (*key, *values)}
    true = pl.DataFrame([{name: row[name] for name in schema} for row in truth], schema=schema, strict=False)
    same = found.select(list(schema)).join(true, on=list(schema), how="inner", nulls_equal=True)
    return max(found.height, true.height) - same.height


def _holes(view: pl.DataFrame) -> int:
    """Half-hours of the last day and a half of the served view, batch or live, that some region lacks."""
    newest = view["instant"].max()
    assert isinstance(newest, datetime)
    recent = view.filter(pl.col("instant") > newest - timedelta(hours=36))
    slots = recent.select("region_code", pl.col("instant").dt.truncate("30m")).unique()
    return recent["region_code"].n_unique() * slots["instant"].n_unique() - slots.height
