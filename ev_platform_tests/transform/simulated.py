"""Simulated messages as the engine would hand them to this room, compacted per vehicle and day."""

from __future__ import annotations

from datetime import date
from functools import cache

import pyarrow as pa

from ev_platform.eda.lab import compressed_days
from ev_platform.simulate.scenario import Scenario


@cache
def simulated_day() -> tuple[str, pa.Table, pa.Table]:
    """One day of three vehicles with faults, and the registry."""
    scenario = Scenario(23, 3, date(2026, 11, 1))
    day = "2026-11-02"
    return day, compressed_days(scenario, 2)[day], scenario.truth(date(2026, 11, 2)).vehicles
