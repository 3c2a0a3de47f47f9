"""Regions by polygon and by prefecture, places of charges, pressure of regions, one row per vehicle."""

import json
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from ev_platform.errors import UserError
from ev_platform.insights.places import charges_with_region
from ev_platform.insights.region_pressure import FleetUse, fleet_use, region_ev_pressure
from ev_platform.insights.regions import Region, prefectures, read_regions, region_of
from ev_platform.insights.vehicle_360 import vehicle_360
from ev_platform.lake import schemas, schemas_insights
from ev_platform.lake.schemas_insights import CARS, METERED, REGION_EV_PRESSURE, VEHICLE_360

SQUARE = np.array([[0.0, 45.0], [2.0, 45.0], [2.0, 47.0], [0.0, 47.0], [0.0, 45.0]])
HOLE = np.array([[0.5, 45.5], [1.0, 45.5], [1.0, 46.0], [0.5, 46.0], [0.5, 45.5]])
NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


def frame(schema, rows=()):
    empty = pl.DataFrame(pl.from_arrow(schema.empty_table()))
    return pl.DataFrame([{name: row.get(name) for name in schema.names} for row in rows], schema=empty.schema)


def test_inside_outside_and_in_a_hole():
    regions = (Region("24", (SQUARE, HOLE)),)
    latitude, longitude = np.array([46.5, 45.7, 44.0, np.nan]), np.array([1.0, 0.7, 1.0, 1.0])
    codes, methods = region_of(latitude, longitude, regions)
    assert codes == ["24", None, None, None]
    assert methods == ["polygon", "polygon", "polygon", "unknown"]


def test_polygons_against_the_sum_of_angles():
    """Two ways: crossings of a ray, and the angle that a ring winds around the place."""
    draw = np.random.default_rng(2)
    corners = np.sort(draw.uniform(0, 2 * np.pi, 40))
    radius = draw.uniform(0.3, 1.5, 40)
    ring = np.stack([3 + radius * np.cos(corners), 46 + radius * np.sin(corners)], axis=1)
    places = np.stack([46 + draw.uniform(-1.6, 1.6, 500), 3 + draw.uniform(-1.6, 1.6, 500)], axis=1).round(4)
    codes, _ = region_of(places[:, 0], places[:, 1], (Region("1", (ring,)),))
    for (latitude, longitude), code in zip(places, codes, strict=True):
        angle = np.arctan2(ring[:, 1] - latitude, ring[:, 0] - longitude)
        turns = np.diff(angle, append=angle[:1])
        winding = np.sum((turns + np.pi) % (2 * np.pi) - np.pi) / (2 * np.pi)
        assert (code is not None) == (abs(winding) > 0.5)


def test_the_nearest_prefecture():
    latitude = np.array([48.86, 45.77, 42.0, 40.4, 51.5, np.nan])
    longitude = np.array([2.35, 4.83, 8.9, -3.7, -0.13, np.nan])
    codes, methods = region_of(latitude, longitude)
    assert codes == ["11", "84", "94", None, None, None], "Paris, Lyon, Corse; Madrid and London are abroad"
    assert methods == ["nearest_prefecture"] * 5 + ["unknown"]
    assert len(prefectures()[0]) == 96
    assert len(set(prefectures()[0])) == 13


def test_regions_of_a_file(tmp_path):
    feature = {"properties": {"reg_code": ["24"]}, "geometry": {"type": "Polygon", "coordinates": [SQUARE.tolist()]}}
    file = tmp_path / "regions.geojson"
    file.write_text(json.dumps({"features": [feature]}))
    (region,) = read_regions(str(file))
    assert region.code == "24"
    for text in ("", "[]", '{"features": []}', '{"features": [{"properties": {}}]}'):
        file.write_text(text)
        with pytest.raises(UserError, match="EV_REGIONS_FILE"):
            read_regions(str(file))


def session(vin, kind, start, hours, **more):
    more = {"energy_kwh": 20.0, "asleep": False, **more}
    return {
        "session_id": f"{vin}{start}",
        "vin": vin,
        "kind": kind,
        "start": start,
        "end": start + timedelta(hours=hours),
        **more,
    }


def test_a_charge_is_where_the_car_was_last_seen():
    sessions = frame(
        schemas.SESSIONS,
        [
            session("A", "charge", NOON, 1),
            session("B", "charge", NOON, 1),
            session("C", "charge", NOON, 1),
            session("A", "drive", NOON - timedelta(hours=2), 1),
            session("A", "charge", NOON + timedelta(hours=5), 1, energy_kwh=None),
        ],
    )
    positions = pl.DataFrame(
        {
            "vin": ["A", "A", "A", "B"],
            "time": [
                NOON - timedelta(hours=3),
                NOON - timedelta(hours=1),
                NOON + timedelta(hours=3),
                NOON - timedelta(days=3),
            ],
            "latitude": [45.76, 48.85, 45.76, 48.85],
            "longitude": [4.83, 2.35, 4.83, 2.35],
        },
        schema_overrides={"time": pl.Datetime("us", "UTC")},
    )
    made = charges_with_region(sessions, positions)
    assert made.select("vin", "region_code", "region_method").rows() == [
        ("A", "11", "nearest_prefecture"),
        ("B", None, "unknown"),
        ("C", None, "unknown"),
    ]


# -- pressure ---------------------------------------------------------------------------------------------------------


def test_energy_per_car_and_year():
    days = [NOON + timedelta(days=k) for k in range(11)]
    rows = [session("A", "charge", day, 0, energy_kwh=6.0) for day in days]
    rows += [session("B", "charge", day, 0, energy_kwh=12.0) for day in days]
    rows += [session("B", "drive", days[3], 1, energy_kwh=-500.0), session("C", "charge", days[0], 1, energy_kwh=99.0)]
    use = fleet_use(frame(schemas.SESSIONS, rows))
    each = [66.0 / 10 * 365.25, 132.0 / 10 * 365.25]
    assert use.cars == 2
    assert use.kwh_per_car_year == pytest.approx(np.mean(each))
    assert use.sd == pytest.approx(np.std(each, ddof=1) / np.sqrt(2))
    assert fleet_use(frame(schemas.SESSIONS, rows[-1:])) is None


def test_pressure_now_and_with_more_cars():
    cars = frame(
        CARS,
        [
            {"commune_code": "37261", "date": date(2025, 1, 1), "electric_cars": 100},
            {"commune_code": "37261", "date": date(2025, 4, 1), "electric_cars": 200},
            {"commune_code": "37001", "date": date(2025, 4, 1), "electric_cars": 10},
            {"commune_code": "99999", "date": date(2025, 4, 1), "electric_cars": 10},
        ],
    )

    def metered(code, mwh, year=2024, energy="electricity", withheld=False):
        return {
            "year": year,
            "energy": energy,
            "place_code": code,
            "region_code": "24",
            "total_mwh": mwh,
            "withheld": withheld,
        }

    power = frame(
        METERED,
        [
            metered("37261", 900.0),
            metered("37261", 100.0),
            metered("37261", None, withheld=True),
            metered("37261", 5e6, energy="gas"),
            metered("37261", 7e6, year=2023),
            metered("37001", 50.0),
        ],
    )
    use = FleetUse(2000.0, 200.0, 9)
    table = region_ev_pressure(cars, power, use)
    assert table.schema.equals(REGION_EV_PRESSURE)
    rows = {(row["level"], row["code"], row["adoption"]): row for row in table.to_pylist()}
    assert len(rows) == 9
    for times in (1.0, 2.0, 5.0):
        row = rows["commune", "37261", times]
        share = 400.0 * times / (1000.0 + 400.0 * (times - 1))
        assert row["ev_share"] == pytest.approx(share)
        assert (row["withheld_rows"], row["counted_on"]) == (1, date(2025, 4, 1))
        more = 440.0 * times / (1000.0 + 440.0 * (times - 1))
        less = 360.0 * times / (1000.0 + 360.0 * (times - 1))
        assert row["ev_share_sd"] == pytest.approx((more - less) / 2, rel=0.02)
    region = rows["region", "24", 1.0]
    assert (region["electric_cars"], region["metered_mwh"]) == (210, 1050.0)
    assert region["ev_mwh"] == pytest.approx(sum(rows["commune", c, 1.0]["ev_mwh"] for c in ("37261", "37001")))


# -- one row per vehicle ----------------------------------------------------------------------------------------------


def test_vehicle_360_joins_what_is_known_and_leaves_the_rest_null():
    vehicles = frame(schemas.VEHICLES, [{"vin": "A", "make": "Tesla", "model": "Model 3"}, {"vin": "B"}])
    sessions = frame(
        schemas.SESSIONS,
        [
            session("A", "charge", NOON, 1, energy_kwh=30.0, charge_type="dc"),
            session("A", "charge", NOON + timedelta(hours=2), 1, energy_kwh=10.0, charge_type="ac"),
            session(
                "A", "drive", NOON + timedelta(hours=4), 1, energy_kwh=-8.0, distance_km=50.0, odometer_end_km=1050.0
            ),
            session("A", "drive", NOON + timedelta(hours=6), 1, energy_kwh=None, distance_km=7.0),
            session("A", "idle", NOON + timedelta(hours=8), 3, energy_kwh=None, asleep=True),
            session("A", "idle", NOON + timedelta(hours=12), 1, energy_kwh=None, asleep=False),
            session("C", "drive", NOON, 1),
        ],
    )
    health = frame(
        schemas.BATTERY_HEALTH,
        [
            {"vin": "A", "month": "2026-10", "method": "pooled", "soh_percent": 92.0, "soh_sd": 1.0},
            {"vin": "A", "month": "2026-11", "method": "pooled", "soh_percent": None},
            {"vin": "A", "month": "2026-11", "method": "charge_energy", "soh_percent": 50.0},
        ],
    )
    flexibility = frame(
        schemas_insights.CHARGING_FLEXIBILITY,
        [
            {"vin": "A", "energy_kwh": 30.0, "known_share": 1.0, "low_third_share": 1.0, "co2_g": 600.0},
            {"vin": "A", "energy_kwh": 10.0, "known_share": 0.0, "low_third_share": None, "co2_g": None},
        ],
    )
    values = frame(
        schemas_insights.RESIDUAL_VALUE,
        [
            {"vin": "A", "month": "2026-10", "value_ratio": 0.9},
            {"vin": "A", "month": "2026-11", "value_ratio": 0.8, "value": 8.0, "value_low": 7.0, "value_high": 9.0},
        ],
    )
    devices = pl.DataFrame({"vin": ["A"], "alarms": [3], "idling_share": [0.25]})
    table = vehicle_360(vehicles, sessions, health, flexibility, values, devices)
    assert table.schema.equals(VEHICLE_360)
    rows = {row["vin"]: row for row in table.to_pylist()}
    a = rows["A"]
    assert list(rows) == ["A", "B", "C"]
    assert (a["soh_percent"], a["soh_month"]) == (92.0, "2026-10")
    assert (a["drives"], a["drive_km"], a["charges"], a["charged_kwh"]) == (2, 57.0, 2, 40.0)
    assert (a["dc_share"], a["kwh_per_100km"], a["odometer_km"]) == (0.75, pytest.approx(16.0), 1050.0)
    assert (a["off_peak_share"], a["co2_kg"], a["idle_awake_share"]) == (1.0, 0.6, 0.25)
    assert (a["value"], a["value_ratio"], a["alarms"], a["idling_share"]) == (8.0, 0.8, 3, 0.25)
    assert {rows["B"][name] for name in VEHICLE_360.names if name != "vin"} == {None}
    assert rows["C"]["make"] is None
    assert rows["C"]["drives"] == 1
