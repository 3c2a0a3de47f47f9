"""Consumption by temperature and peers, worked out on paper."""

import pyarrow as pa
import pytest

from ev_platform.lake.schemas_results import TRIPS
from ev_platform.usage.peers import peer_percentiles
from ev_platform.usage.trips import consumption_by_temperature


def trip(number, temperature, net, km, gross=None):
    row = dict.fromkeys(TRIPS.names) | {
        "session_id": str(number),
        "vin": "A",
        "distance_km": km,
        "outside_temp_mean_c": temperature,
        "kwh_per_100km": net,
        "kwh_per_100km_gross": gross,
        "energy_method": "power_integral",
        "confidence": 1.0,
    }
    return row


def test_consumption_is_weighted_by_distance_in_bins_of_five_degrees():
    rows = [
        trip(1, 3.0, 20.0, 10.0, 25.0),
        trip(2, 4.9, 16.0, 30.0),
        trip(3, 5.0, 14.0, 10.0),
        trip(4, -0.1, 22.0, 5.0),
    ]
    rows += [trip(5, 3.0, 50.0, 1.0), trip(1, 3.0, 20.0, 10.0, 25.0)]  # too short; a repeat
    found = consumption_by_temperature(pa.Table.from_pylist(rows, schema=TRIPS)).to_pylist()
    assert [(row["temp_bin_c"], row["n_trips"]) for row in found] == [(-5.0, 1), (0.0, 2), (5.0, 1)]
    assert found[1]["kwh_per_100km"] == pytest.approx(17.0)
    assert found[1]["kwh_per_100km_gross"] == pytest.approx(25.0)
    assert found[0]["kwh_per_100km_gross"] is None
    assert found[1]["reasons"] == ["few_trips"]


def car(vin, soh, age=3.0, km=50_000.0, model="M", consumption=18.0, drain=1.0):
    return {
        "vin": vin,
        "model": model,
        "age_years": age,
        "odometer_km": km,
        "soh_percent": soh,
        "consumption": consumption,
        "drain": drain,
    }


def rows_of(cars):
    return {row["vin"]: row for row in peer_percentiles(cars).to_pylist()}


def test_percentiles_among_cars_of_the_same_age_and_mileage():
    cars = [car(f"P{k}", 90.0 + k, consumption=15.0 + k) for k in range(10)]
    old = [car(f"O{k}", 70.0, age=9.0, km=250_000.0) for k in range(10)]
    found = rows_of([*cars, *old])
    assert found["P9"]["n_peers"] == 9
    assert found["P9"]["soh_percentile"] == pytest.approx(100.0)
    assert found["P0"]["soh_percentile"] == pytest.approx(0.0)
    assert found["P0"]["consumption_percentile"] == pytest.approx(100.0)  # all the others use more
    assert found["P5"]["soh_expected_percent"] == pytest.approx(94.0, abs=0.6)


def test_too_few_peers_have_no_percentile_and_say_so():
    found = rows_of([car("A", 90.0), car("B", 91.0), car("C", 92.0, model=None)])
    assert found["A"]["soh_percentile"] is None
    assert {"few_peers", "widened"} <= set(found["A"]["reasons"])
    assert found["C"]["n_peers"] == 0


def test_a_car_without_health_has_no_percentile():
    found = rows_of([car("X", None), *(car(f"P{k}", 90.0 + k) for k in range(6))])
    assert found["X"]["soh_percentile"] is None
    assert "no_soh" in found["X"]["reasons"]
    assert found["X"]["soh_expected_percent"] is not None
