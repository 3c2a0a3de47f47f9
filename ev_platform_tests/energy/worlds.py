"""A world, a server of it, and settings and a lake that use them."""

from contextlib import contextmanager
from datetime import UTC, date, datetime

import polars as pl

from ev_platform.energy import tasks
from ev_platform.energy.http import open_session
from ev_platform.energy.portal import open_portal
from ev_platform.energy.sources import load_sources
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import to_parquet
from ev_platform.settings import load_settings
from ev_platform.simulate.open_data.server import OpenDataServer
from ev_platform.simulate.open_data.world import World

SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
DAYS = (date(2026, 3, 28), SPRING, AUTUMN, date(2026, 10, 26), date(2026, 11, 1), date(2026, 11, 2))
YEAR = 2025


def small_world(**changes):
    """Both clock changes, two days that are not settled; real time ends on the last evening."""
    given = {
        "days": DAYS,
        "definitive_until": datetime(2026, 10, 26, tzinfo=UTC),
        "consolidated_until": datetime(2026, 11, 1, 12, tzinfo=UTC),
        "now": datetime(2026, 11, 2, 18, tzinfo=UTC),
    }
    return World(**{**given, **changes})


class Place:
    """Settings, lake and server of one test."""

    def __init__(self, server, folder):
        self.server, self.folder = server, folder
        (folder / "sources.toml").write_text(server.sources())
        self.settings = load_settings(
            lake_url=str(folder / "lake"), state_dir=folder / "state", energy_sources=str(folder / "sources.toml")
        )
        self.store = ObjectStore(self.settings.lake)
        self.session = open_session(backoff_seconds=0.0)

    def source(self, name):
        return load_sources(self.settings.energy_sources)[name]

    def portal(self, name):
        return open_portal(self.session, self.source(name))

    def harvest(self, name, partition):
        return tasks.harvest_partition(self.settings, self.store, name, partition)

    def write(self, table, partition, made):
        self.store.put(f"energy/{table}/{column(partition)}={partition}/part-0000.parquet", to_parquet(made))
        return pl.from_arrow(made)

    def annual(self, table, year=str(YEAR)):
        self.harvest(table, year)
        return self.write(table, year, tasks.annual_table(self.settings, self.store, table, year))

    def grid(self, table, days=DAYS):
        settled, real_time, _ = tasks.GRID[table]
        for month in sorted({day.isoformat()[:7] for day in days}):
            self.harvest(settled, month)
            self.harvest(real_time, month)
        made = tasks.grid_table(self.settings, self.store, table, [day.isoformat() for day in days])
        return pl.concat([self.write(table, day, part) for day, part in made.items()])


def column(partition):
    return {10: "date", 7: "month", 4: "year"}[len(partition)]


@contextmanager
def place(folder, world=None, **options):
    with OpenDataServer(world or small_world(), **options) as server:
        yield Place(server, folder)
