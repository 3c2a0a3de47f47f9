"""The truth as files: complete, readable again, and the registry in the form the platform takes."""

import csv
from datetime import timedelta
from itertools import pairwise

import pyarrow.compute as pc
import pyarrow.parquet
import pytest

from ev_platform.lake.layout import valid_vin
from ev_platform.lake.schemas import VEHICLES
from ev_platform.simulate.models import MODELS
from ev_platform.simulate.truth import CHARGES, HEALTH, TRIPS
from ev_platform_tests.simulate.cases import DAYS
from ev_platform_tests.simulate.cases import VEHICLES as FLEET


def test_written_truth_reads_back(scenario, tmp_path):
    path = scenario.write_truth(tmp_path / "truth", DAYS[-1])
    truth = scenario.truth(DAYS[-1])
    for name, schema in (("health", HEALTH), ("trips", TRIPS), ("charges", CHARGES), ("vehicles", VEHICLES)):
        table = pyarrow.parquet.read_table(tmp_path / "truth" / f"{name}.parquet")
        assert table.schema.equals(schema)
        assert table.equals(getattr(truth, name))
        assert table.num_rows
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == VEHICLES.names
    assert [row["vin"] for row in rows] == truth.vehicles["vin"].to_pylist()


def test_registry_has_every_vehicle_once_and_at_least_six_models(scenario):
    vehicles = scenario.truth(DAYS[0]).vehicles.to_pylist()
    assert len({row["vin"] for row in vehicles}) == len(vehicles) == FLEET
    assert all(valid_vin(row["vin"]) and row["vin"].startswith("EVPTESLA") for row in vehicles)
    assert len({row["model"] for row in vehicles}) >= 6
    assert {row["chemistry"] for row in vehicles} == {"LFP", "NMC", "NCA"}
    assert {(row["model"], row["usable_new_kwh"]) for row in vehicles} == {(m.name, m.usable_new_kwh) for m in MODELS}


def test_a_longer_truth_begins_with_the_shorter(scenario):
    short, long = scenario.truth(DAYS[1]), scenario.truth(DAYS[2])
    for name in ("trips", "charges"):
        table = getattr(long, name)
        kept = [row for row in table.to_pylist() if row["start"].date() < DAYS[2]]
        assert kept == [row for row in getattr(short, name).to_pylist() if row["start"].date() < DAYS[2]]
    assert long.health.num_rows == short.health.num_rows + FLEET


def test_sessions_of_one_car_do_not_overlap(scenario):
    truth = scenario.truth(DAYS[-1])
    for car in scenario.fleet.cars:
        spans = sorted(
            (row["start"], row["end"])
            for table in (truth.trips, truth.charges)
            for row in table.to_pylist()
            if row["vin"] == car.vin
        )
        assert all(start < end for start, end in spans)
        assert all(one[1] <= two[0] for one, two in pairwise(spans))


def test_over_midnight_says_what_start_and_end_say(scenario):
    for row in scenario.truth(DAYS[-1]).charges.to_pylist():
        last = row["end"] - timedelta(microseconds=1)
        assert row["over_midnight"] == (row["start"].date() != last.date())


def test_reserves_and_health_differ_between_cars_of_one_model(scenario):
    rows = [(car.model.name, car.reserve_kwh) for car in scenario.fleet.cars]
    for model in {name for name, _ in rows}:
        reserves = [reserve for name, reserve in rows if name == model]
        assert len(set(reserves)) == len(reserves)
    health = scenario.truth(DAYS[0]).health
    assert pc.min(health["soh_percent"]).as_py() > 70
    assert pc.stddev(health["soh_percent"]).as_py() == pytest.approx(5, abs=4)
