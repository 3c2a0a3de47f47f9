from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ev_platform.battery.evidence import (
    MATCH_SECONDS,
    collect_evidence,
    concat_evidence,
    month_bounds,
)
from ev_platform.lake.schemas import SESSIONS, TIME, VEHICLES

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
NO_SESSIONS, NO_VEHICLES = SESSIONS.empty_table(), VEHICLES.empty_table()


def rows(*readings, vin="EVPTEST0000000001", provider="tesla"):
    """Cleaned rows of (seconds after noon, soc, energy[, temperature])."""
    padded = [(*r, None)[:4] for r in readings]
    return pa.table(
        {
            "vin": pa.array([vin] * len(padded), pa.string()),
            "time": pa.array([NOON + timedelta(seconds=r[0]) for r in padded], TIME),
            "provider": pa.array([provider] * len(padded), pa.string()),
            "soc_percent": pa.array([r[1] for r in padded], pa.float64()),
            "battery_energy_kwh": pa.array([r[2] for r in padded], pa.float64()),
            "battery_temp_max_c": pa.array([r[3] for r in padded], pa.float64()),
        }
    )


def points(table, vehicles=NO_VEHICLES):
    found = collect_evidence(table, NO_SESSIONS, vehicles, "2026-11").points
    return [(row["soc_percent"], row["battery_energy_kwh"]) for row in found.iter_rows(named=True)]


def test_readings_of_one_row_are_a_pair_however_far_the_next_one_is():
    assert points(rows((0, 50.0, 40.0))) == [(50.0, 40.0)]


def test_soc_is_interpolated_between_close_readings():
    assert points(rows((0, 50.0, None), (10, None, 40.0), (20, 48.0, None))) == [(49.0, 40.0)]


def test_a_distant_reading_is_no_pair_while_soc_moves():
    far = 10 * MATCH_SECONDS
    assert points(rows((0, 50.0, None), (10, None, 40.0), (far, 45.0, None))) == []


def test_a_distant_reading_may_close_the_pair_of_a_parked_car():
    assert points(rows((0, 50.0, None), (10, None, 40.0), (100_000 / 10, 49.5, None)))[0][0] == pytest.approx(
        50, abs=0.01
    )


def test_one_sided_and_late_readings_are_no_pair():
    assert points(rows((0, 50.0, None), (10, None, 40.0))) == []
    late = MATCH_SECONDS + 1
    assert points(rows((0, 50.0, None), (late, None, 40.0), (2 * late, 49.9, None))) == []


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.integers(0, 600), min_size=2, max_size=30, unique=True),
    st.floats(-0.05, 0.05),
    st.randoms(use_true_random=False),
)
def test_pairs_of_an_affine_battery_lie_on_its_line_whatever_the_timing(seconds, rate, random):
    readings = []
    for second in sorted(seconds):
        soc = 50 + rate * second
        shows_soc = random.random() < 0.6
        readings.append((second, soc if shows_soc else None, None if shows_soc else 4 + 0.7 * soc))
    for soc, energy in points(rows(*readings)):
        # Median of a bin keeps the line; only the interpolation's own rounding is left.
        assert energy == pytest.approx(4 + 0.7 * soc, abs=1e-9)


def test_a_bin_takes_the_median_so_that_one_bad_reading_does_not_count():
    table = rows((0, 50.1, 40.0), (60, 50.2, 90.0), (120, 50.1, 40.0))
    assert points(table) == [(50.1, 40.0)]


def test_a_repeated_row_does_not_shift_the_median():
    table = rows((0, 50.1, 40.0), (60, 50.2, 40.1), (120, 50.3, 40.2))
    repeated = pa.concat_tables([table, table.slice(2), table.slice(2)])
    assert points(repeated) == points(table) == [(50.2, 40.1)]


def test_impossible_values_are_no_evidence():
    assert points(rows((0, 101.0, 40.0), (60, 50.0, 40_000.0), (120, -1.0, 40.0), (180, 50.0, -1.0))) == []


def test_temperature_is_carried_an_hour_and_no_further():
    near = rows((0, None, None, 9.0), (3000, 50.0, 40.0))
    far = rows((0, None, None, 9.0), (3700, 50.0, 40.0))
    after = rows((0, 50.0, 40.0), (3000, None, None, 9.0))
    temperatures = [
        collect_evidence(t, NO_SESSIONS, NO_VEHICLES, "2026-11").points["battery_temp_c"][0] for t in (near, far, after)
    ]
    assert temperatures == [9.0, None, 9.0]


def test_providers_are_not_mixed_and_the_preferred_one_wins_if_it_has_pairs():
    vehicle = {"vin": "EVPTEST0000000001", "provider": "b"}
    preferred = pa.Table.from_pylist([vehicle], schema=VEHICLES)
    a = rows((0, 50.0, 40.0), (60, 51.0, 41.0), provider="a")
    b = rows((0, 60.0, 60.0), provider="b")
    both = pa.concat_tables([a, b])
    assert points(both) == [(50.0, 40.0), (51.0, 41.0)]
    assert points(both, preferred) == [(60.0, 60.0)]
    without_pairs = pa.concat_tables([a, rows((0, 60.0, None), provider="b")])
    assert points(without_pairs, preferred) == [(50.0, 40.0), (51.0, 41.0)]


def test_values_that_are_not_finite_and_other_months_are_no_evidence():
    assert points(rows((0, float("nan"), 40.0), (60, 50.0, float("inf")))) == []
    assert points(rows((-3 * 86_400, 50.0, 40.0))) == []
    assert points(rows((28 * 86_400, 50.0, 40.0))) == []


def test_a_day_is_a_utc_day():
    found = collect_evidence(rows((0, 50.0, 40.0), (12 * 3600, 50.0, 40.0)), NO_SESSIONS, NO_VEHICLES, "2026-11").points
    assert found["day"].to_list() == [date(2026, 11, 3), date(2026, 11, 4)]


@pytest.mark.parametrize("month", ["2026-13", "2026", "2026-1", "november", "2026-11-01"])
def test_a_month_is_checked(month):
    with pytest.raises(ValueError):
        month_bounds(month)


def test_december_ends_with_the_year():
    assert month_bounds("2026-12")[1] == datetime(2027, 1, 1, tzinfo=UTC)


def test_batches_of_whole_vehicles_give_the_evidence_of_all(fleet):
    f = fleet(cars=5, days=6)
    vins = np.array(f.cleaned["vin"])
    parts = []
    for chosen in (vins == vins[-1], vins != vins[-1]):
        batch = f.cleaned.filter(pa.array(chosen))
        own = pa.array(np.isin(np.array(f.sessions["vin"]), np.unique(vins[chosen])))
        parts.append(collect_evidence(batch, f.sessions.filter(own), f.vehicles, "2026-11"))
    joined, whole = concat_evidence(parts), collect_evidence(f.cleaned, f.sessions, f.vehicles, "2026-11")
    for one, other in zip(joined, whole, strict=True):
        assert one.equals(other)
