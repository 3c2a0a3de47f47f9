"""A car that two providers report at the same instants: results do not depend on the order of the rows."""

import random

import pyarrow as pa

from ev_platform.lake.schemas import SESSIONS, VEHICLES
from ev_platform.lake.schemas_results import TARIFFS
from ev_platform.signals import cleaned_schema
from ev_platform.usage.day import daily_results

START_US, MINUTE_US = 1_793_491_200_000_000, 60_000_000
"""2026-11-01T00:00:00Z."""


def test_rows_at_the_same_time_are_ordered_by_provider():
    rows = [
        {
            "vin": "EVPBMWXX000000001",
            "time": START_US + minute * 10 * MINUTE_US,
            "provider": provider,
            "odometer_km": 100.0 + minute + shift,
            "soc_percent": 50.0 + shift,
            "quality": [],
        }
        for minute in range(40)
        for provider, shift in (("bmw", 0.0), ("high_mobility", 0.4))
    ]
    found = []
    for seed in range(8):
        random.Random(seed).shuffle(rows)
        cleaned = pa.Table.from_pylist(rows, cleaned_schema())
        empty = (SESSIONS.empty_table(), VEHICLES.empty_table())
        found.append(daily_results(cleaned, *empty, "2026-11-01", TARIFFS.empty_table()))
    assert found[0]["data_quality"]["odometer_km"].to_pylist() == [139.4]
    assert all(other == found[0] for other in found)
