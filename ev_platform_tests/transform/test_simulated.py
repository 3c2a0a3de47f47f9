"""The whole room on simulated telemetry with all faults on: trips and charges found against the truth.

The seed is not one that any threshold was chosen on. Limits here are floors, not the figures reached.
"""

import itertools
from datetime import date, timedelta
from functools import cache

import pyarrow as pa
import pytest

from ev_platform.eda.lab import compressed_days
from ev_platform.simulate.scenario import Scenario
from ev_platform.transform.clean import clean
from ev_platform.transform.segment import segment
from ev_platform.transform.stitch import stitch

SEED, VEHICLES, FIRST, DAYS = 4711, 6, date(2026, 11, 1), 4


@cache
def result():
    """(sessions, cleaned of all days, truth) as row lists."""
    scenario = Scenario(SEED, VEHICLES, FIRST)
    truth = scenario.truth(FIRST + timedelta(days=DAYS - 1))
    cleaned = {day: clean(table, truth.vehicles) for day, table in compressed_days(scenario, DAYS).items()}
    pieces = [segment(found.table, day, truth.vehicles) for day, found in cleaned.items()]
    sessions = stitch(pa.concat_tables(pieces), truth.vehicles)
    return sessions.to_pylist(), cleaned, truth


def inside_window(row) -> bool:
    """Ends before the last midnight: the next day is not there to complete it."""
    return row["end"] < max(session["end"] for session in result()[0]) - timedelta(minutes=30)


def overlap(a, b) -> float:
    """Intersection over union in time."""
    both = (min(a["end"], b["end"]) - max(a["start"], b["start"])).total_seconds()
    return max(both, 0.0) / (max(a["end"], b["end"]) - min(a["start"], b["start"])).total_seconds()


def matched(truth, found):
    """Pairs with an overlap of at least one half, greedily by time; what is left of the truth and of the found."""
    pairs, missed, extra = [], [], list(found)
    for row in truth:
        best = max((f for f in extra if f["vin"] == row["vin"]), key=lambda f: overlap(row, f), default=None)
        if best is not None and overlap(row, best) >= 0.5:
            pairs.append((row, best))
            extra.remove(best)
        else:
            missed.append(row)
    return pairs, missed, extra


def f1(truth, found):
    pairs, missed, extra = matched(truth, found)
    return 2 * len(pairs) / (2 * len(pairs) + len(missed) + len(extra))


def charges():
    sessions, _, truth = result()
    true = [row for row in truth.charges.to_pylist() if row["observed"] and row["soc_end"] - row["soc_start"] >= 3]
    found = [row for row in sessions if row["kind"] == "charge" and row["soc_end"] - row["soc_start"] >= 3]
    return list(filter(inside_window, true)), list(filter(inside_window, found))


def drives():
    sessions, _, truth = result()
    true = [row for row in truth.trips.to_pylist() if row["observed"] and row["distance_km"] >= 1]
    found = [row for row in sessions if row["kind"] == "drive" and (row["distance_km"] or 0) >= 1]
    return list(filter(inside_window, true)), list(filter(inside_window, found))


def test_charges_are_found():
    true, found = charges()
    assert len(true) >= 8
    assert f1(true, [row for row in found if not row["inferred"]]) >= 0.95


def test_charges_whose_telemetry_was_lost_are_inferred():
    sessions, _, truth = result()
    lost = [row for row in truth.charges.to_pylist() if not row["observed"] and row["soc_end"] - row["soc_start"] >= 5]
    inferred = [row for row in sessions if row["inferred"] and row["kind"] == "charge"]
    for row in filter(inside_window, lost):
        around = [
            f for f in inferred if f["vin"] == row["vin"] and f["start"] <= row["start"] and row["end"] <= f["end"]
        ]
        assert len(around) == 1
        assert around[0]["soc_end"] - around[0]["soc_start"] == pytest.approx(row["soc_end"] - row["soc_start"], abs=3)


def test_drives_are_found():
    true, found = drives()
    assert len(true) >= 30
    assert f1(true, found) >= 0.95


def test_energies():
    pairs, _, _ = matched(*charges())
    errors = [abs(f["energy_kwh"] / t["energy_kwh"] - 1) for t, f in pairs if f["energy_method"] == "counter"]
    assert len(errors) >= 8
    assert max(errors) < 0.03
    pairs, _, _ = matched(*drives())
    errors = sorted(abs(f["energy_kwh"] / -t["energy_kwh"] - 1) for t, f in pairs)
    assert sum(errors) / len(errors) < 0.05
    errors = [abs(f["distance_km"] - t["distance_km"]) for t, f in pairs if not f["truncated"]]
    assert max(errors) < 0.5


def test_the_score_can_fail():
    true, found = drives()
    assert f1(true, found[: len(found) // 2]) < 0.8
    late = [row | {"start": row["start"] + timedelta(hours=2), "end": row["end"] + timedelta(hours=2)} for row in found]
    assert f1(true, late) < 0.5


def test_sessions_tile_each_vehicles_time():
    sessions, cleaned, _ = result()
    for vin in {row["vin"] for row in sessions}:
        rows = [row for row in sessions if row["vin"] == vin]
        assert all(a["end"] == b["start"] for a, b in itertools.pairwise(rows))
        times = [t for found in cleaned.values() for t in _times(found.table, vin)]
        assert (rows[0]["start"], rows[-1]["end"]) == (min(times), max(times))


def _times(table, vin):
    return table.filter(pa.compute.equal(table["vin"], vin))["time"].to_pylist()


def test_cleaned_values_are_physical_and_the_odometer_never_falls():
    for found in result()[1].values():
        frame = found.table.to_pandas()
        assert frame["soc_percent"].dropna().between(0, 100).all()
        assert (frame["ideal_range_km"].dropna() < 1000).all()
        for _, rows in frame.groupby("vin"):
            assert rows["odometer_km"].dropna().is_monotonic_increasing
            assert rows["time"].is_monotonic_increasing
            assert rows["time"].is_unique
