"""All generated datasets of one world, by the name of their source, and the sources file that points at a server."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from typing import Any

from ev_platform.simulate.open_data import annual
from ev_platform.simulate.open_data import grid as half_hours
from ev_platform.simulate.open_data.grid import Grid

Rows = list[dict[str, Any]]


@dataclass
class World:
    """What is true, and what is published of it; a dataset is made when it is first asked for."""

    seed: int = 1
    years: tuple[int, ...] = (2025,)
    days: tuple[date, ...] = (date(2026, 10, 25),)
    definitive_until: datetime | None = None
    consolidated_until: datetime | None = None
    now: datetime | None = None
    revision: int = 1
    """Goes up when a portal publishes again: its "last update" changes."""
    _made: dict[str, Rows] = field(default_factory=dict)

    @property
    def grid(self) -> Grid:
        """The grid's days; by default all are settled."""
        end = datetime(*self.days[-1].timetuple()[:3], tzinfo=UTC) + timedelta(days=1)
        consolidated = self.consolidated_until or end
        return Grid(self.seed, self.days, self.definitive_until or consolidated, consolidated, self.now or end)

    @property
    def updated(self) -> str:
        """The portals' "last update"."""
        return f"2026-11-{self.revision:02d}T06:00:00+00:00"

    def rows(self, source: str) -> Rows:
        """Published rows of a source."""
        if source not in self._made:
            self._made[source] = self._publish(source)
        return self._made[source]

    def forget(self) -> None:
        """Publish anew: after a change of what is settled."""
        self._made.clear()

    def _publish(self, source: str) -> Rows:
        grid, seed = self.grid, self.seed
        by_year: dict[str, Callable[[int], Rows]] = {
            "annual_address": lambda year: annual.publish_address(annual.address_truth(seed, year)),
            "annual_commune": lambda year: annual.publish_place(annual.place_truth(seed, year), "commune"),
            "annual_department": lambda year: annual.publish_place(annual.department_truth(seed, year), "departement"),
            "annual_national": lambda year: annual.publish_energy(annual.energy_truth(seed, year)[0]),
            "annual_region": lambda year: annual.publish_energy(annual.energy_truth(seed, year)[1]),
            "vehicles_commune": lambda year: annual.vehicle_truth(seed, year),
        }
        by_grid: dict[str, Callable[[], Rows]] = {
            "half_hour_national": lambda: half_hours.publish_half_hourly(grid, regional=False),
            "half_hour_regional": lambda: half_hours.publish_half_hourly(grid, regional=True),
            "eco2mix_regional": lambda: half_hours.publish_regional(grid),
            "eco2mix_regional_tr": lambda: half_hours.publish_real_time(grid),
            "eco2mix_national": lambda: half_hours.publish_national(grid),
            "eco2mix_national_tr": lambda: half_hours.publish_national_real_time(grid),
        }
        if source in by_grid:
            return by_grid[source]()
        return [row for year in self.years for row in by_year[source](year)]


BOUNDS = {"communes": "[60, 90]", "electricity_mwh": "[3.8e8, 4.6e8]"}
"""Of this small country; the real one has 34,000 communes."""


def sources_text(explore_url: str, data_fair_url: str) -> str:
    """The product's own sources file, pointed at stand-in servers."""
    text = resources.files("ev_platform.energy").joinpath("sources.toml").read_text()
    urls = {"explore": explore_url, "data_fair": data_fair_url}
    for values in tomllib.loads(text).values():
        text = text.replace(f'"{values["base_url"]}"', f'"{urls[values["protocol"]]}"')
    lines = [
        f"communes = {BOUNDS['communes']}" if line.startswith("communes = ") else line for line in text.splitlines()
    ]
    return "\n".join(lines) + "\n"
