"""Daily results worked out on paper, and what must not change them."""

import numpy as np
import pyarrow as pa
import pytest

from ev_platform.lake.schemas import SESSIONS
from ev_platform.usage.day import DAILY_TABLES, daily_results, over_midnight
from ev_platform_tests.usage.scene import (
    CAR,
    DAY,
    NEXT,
    OTHER,
    at,
    cleaned,
    session,
    sessions,
    tariffs,
    vehicles,
)


def results(rows=None, stitched=None, day=DAY, tariff=None, registry=None):
    rows = cleaned({"time": at(0), "soc_percent": 50.0}).slice(0, 0) if rows is None else rows
    stitched = SESSIONS.empty_table() if stitched is None else stitched
    found = daily_results(rows, stitched, registry or vehicles(), day, tariff)
    return {name: table.to_pylist() for name, table in found.items()}


def test_every_table_has_its_schema_even_when_empty():
    found = daily_results(cleaned({"time": at(0)}).slice(0, 0), SESSIONS.empty_table(), vehicles(), DAY)
    assert {name: table.schema for name, table in found.items()} == DAILY_TABLES
    assert all(table.num_rows == 0 for table in found.values())


def test_a_trip_net_and_gross():
    stitched = sessions(
        session("drive", at(7, day=1), at(8, day=1), (80, 70), -6.0, 40.0),
        session("idle", at(8, day=1), at(6), (70, 68), -1.2),
        session("drive", at(6), at(7), (68, 58), -6.0, 40.0),
        session("idle", at(7), at(9), (58, 58), 0.3),
        session("drive", at(9), at(10), (58, 53), -3.0, 20.0),
    )
    first, second = results(stitched=stitched)["trips"]
    assert first["energy_kwh"] == 6.0
    assert first["kwh_per_100km"] == pytest.approx(15.0)
    assert first["parked_loss_kwh"] == pytest.approx(1.2)
    assert first["kwh_per_100km_gross"] == pytest.approx(18.0)
    assert first["speed_mean_kmh"] == pytest.approx(40.0)
    assert second["kwh_per_100km_gross"] == second["kwh_per_100km"]  # what was gained while parked is no loss


@pytest.mark.parametrize(
    ("energy", "km", "reason"),
    [
        (None, 20.0, "energy_unknown"),
        (-3.0, 0.4, "short"),
        (-3.0, None, "distance_unknown"),
        (-90.0, 20.0, "implausible_consumption"),
    ],
)
def test_a_trip_without_a_figure_says_why(energy, km, reason):
    (row,) = results(stitched=sessions(session("drive", at(6), at(7), (68, 58), energy, km)))["trips"]
    assert row["kwh_per_100km"] is None
    assert reason in row["reasons"]


def ac_charge(**more):
    return session("charge", at(20), at(23), (40, 75), 21.0, charge_type="ac", energy_method="counter", **more)


def counter(*values, start=20):
    return [
        {"time": at(start) + (at(23) - at(20)) * k / (len(values) - 1), "charge_energy_charger_kwh": value}
        for k, value in enumerate(values)
    ]


def test_a_charge_with_efficiency_class_and_cost():
    rows = cleaned(*counter(0.0, 12.0, 24.0))
    stitched = sessions(ac_charge(power_max_kw=7.4, power_mean_kw=7.0))
    prices = tariffs(
        {"tariff": "fast", "charge_type": "dc", "price_per_kwh": 0.79, "currency": "EUR"},
        {
            "tariff": "night",
            "charge_type": "any",
            "price_per_kwh": 0.20,
            "currency": "EUR",
            "start_hour": 22,
            "end_hour": 6,
        },
        {"tariff": "day", "charge_type": "any", "price_per_kwh": 0.30, "currency": "EUR", "session_fee": 1.0},
    )
    (row,) = results(rows, stitched, tariff=prices)["charging"]
    assert row["energy_charger_kwh"] == pytest.approx(24.0)
    assert row["efficiency_percent"] == pytest.approx(87.5)
    assert row["power_class"] == "slow"
    assert row["c_rate"] == pytest.approx(7 / 60)
    assert (row["cost"], row["currency"], row["tariff"]) == (pytest.approx(24 * 0.3 + 1), "EUR", "day")


def test_a_night_tariff_runs_over_midnight():
    prices = tariffs(
        {
            "tariff": "night",
            "charge_type": "any",
            "price_per_kwh": 0.2,
            "currency": "EUR",
            "start_hour": 22,
            "end_hour": 6,
        }
    )
    late = session("charge", at(23), at(23, 30), (40, 50), 6.0, charge_type="dc")
    early = session("charge", at(5), at(5, 30), (40, 50), 6.0, charge_type="dc")
    noon = session("charge", at(12), at(12, 30), (40, 50), 6.0, charge_type="dc")
    found = results(stitched=sessions(early, noon, late), tariff=prices)["charging"]
    assert [row["cost"] for row in found] == [pytest.approx(1.2), None, pytest.approx(1.2)]
    assert "cost_of_battery_energy" in found[0]["reasons"]


def test_a_counter_that_begins_anew_within_a_charge_is_summed():
    rows = cleaned(*counter(30.0, 42.0, 3.0, 12.0))
    (row,) = results(rows, sessions(ac_charge()))["charging"]
    assert row["energy_charger_kwh"] == pytest.approx(12 + 3 + 9)


def test_an_impossible_efficiency_is_left_out_and_named():
    (row,) = results(cleaned(*counter(0.0, 12.0)), sessions(ac_charge()))["charging"]
    assert row["efficiency_percent"] is None
    assert "implausible_efficiency" in row["reasons"]


def test_the_curve_is_the_median_power_per_two_percent():
    rows = [
        {"time": at(20, minute), "soc_percent": 40.0 + minute / 2, "pack_voltage_v": 400.0, "pack_current_a": amp}
        for minute, amp in enumerate([100, 100, 110, 900, 50, 50])
    ]
    stitched = sessions(session("charge", at(20), at(20, 6), (40, 43), 4.0, charge_type="dc", power_max_kw=60.0))
    curve = results(cleaned(*rows), stitched)["charge_curves"]
    assert [(row["soc_bin"], row["power_kw"], row["n_samples"]) for row in curve] == [(40.0, 42.0, 4), (42.0, 20.0, 2)]
    assert {row["power_class"] for row in curve} == {"fast"}
    inferred = sessions(session("charge", at(20), at(20, 6), (40, 43), 4.0, inferred=True))
    assert results(cleaned(*rows), inferred)["charge_curves"] == []


def test_vampire_drain_of_one_parking_in_pieces():
    stitched = sessions(
        session("drive", at(6), at(7), (70, 60), -6.0, 40.0),
        session("idle", at(7), at(7, 30), (60, 60), 0.0),
        session("idle", at(7, 30), at(19), (60, 58), -1.2, asleep=True),
        session("drive", at(19), at(20), (58, 50), -5.0, 30.0),
        session("idle", at(20), at(20, 30), (50, 50), 0.0),
    )
    (row,) = results(stitched=stitched)["vampire_drain"]
    assert row["hours"] == pytest.approx(12)
    assert row["drain_percent_per_day"] == pytest.approx(4.0)
    assert row["power_w"] == pytest.approx(100.0)
    assert row["asleep_share"] == pytest.approx(11.5 / 12)


def test_a_car_that_was_moved_has_no_drain():
    (row,) = results(stitched=sessions(session("idle", at(1), at(9), (60, 50), -6.0, 3.0)))["vampire_drain"]
    assert row["drain_percent_per_day"] is None
    assert "moved" in row["reasons"]


def test_soc_windows_are_clipped_to_the_day_and_shared_by_time():
    stitched = sessions(
        session("idle", at(12, day=1), at(12), (65, 65), 0.0),
        session("drive", at(12), at(18), (65, 45), -12.0, 80.0),
        session("idle", at(18), at(12, day=3), (45, 45), 0.0),
    )
    found = {row["soc_bin"]: row["hours"] for row in results(stitched=stitched)["soc_histogram"]}
    assert found == {60.0: pytest.approx(13.5), 50.0: pytest.approx(3.0), 40.0: pytest.approx(7.5)}
    assert sum(found.values()) == pytest.approx(24)


def test_ranges_stated_and_driven():
    rows = cleaned(
        {"time": at(6), "soc_percent": 80.0, "rated_range_km": 320.0, "estimated_range_km": 280.0},
        {"time": at(7), "soc_percent": 10.0, "rated_range_km": 90.0},
    )
    stitched = sessions(
        session("drive", at(8), at(9), (80, 70), -6.0, 33.0), session("drive", at(9), at(10), (70, 66), -2.0, 4.0)
    )
    (row,) = results(rows, stitched)["range_estimates"]
    assert (row["rated_full_km"], row["estimated_full_km"], row["n_readings"]) == (400.0, 350.0, 1)
    assert (row["real_full_km"], row["real_km"]) == (pytest.approx(330.0), 33.0)
    jump = sessions(session("drive", at(8), at(9), (80, 74), -6.0, 50.0))
    (row,) = results(rows, jump)["range_estimates"]
    assert row["real_full_km"] is None
    assert "implausible_real_range" in row["reasons"]


def test_cell_imbalance_at_rest_and_under_load():
    rows = cleaned(
        {"time": at(6), "cell_voltage_max_v": 3.70, "cell_voltage_min_v": 3.69, "pack_current_a": 1.0},
        {"time": at(7), "cell_voltage_max_v": 3.60, "cell_voltage_min_v": 3.55, "pack_current_a": -200.0},
    )
    (row,) = results(rows)["cell_imbalance"]
    assert row["imbalance_rest_mv"] == pytest.approx(10)
    assert row["imbalance_median_mv"] == pytest.approx(30)
    assert "few_readings" in row["reasons"]


def test_quality_counts_rules_coverage_and_unexplained_changes():
    rows = cleaned(
        *({"time": at(0, 10 * k), "soc_percent": 60.0, "odometer_km": 10.0} for k in range(36)),
        {"time": at(5, 55), "quality": ["range:soc_percent", "invalid:gear"]},
    )
    stitched = sessions(
        session("idle", at(0), at(6), (60, 60)),
        session("idle", at(6), at(18), (60, 60), asleep=True),
        session("idle", at(18), at(19), (52, 52)),
    )
    (row,) = results(rows, stitched)["data_quality"]
    assert row["rows"] == 37
    assert row["by_rule"] == ["range:soc_percent:1"]
    assert row["coverage_percent"] == pytest.approx(100 * (36 + 73) / 144)
    assert row["unexplained_soc_percent"] == pytest.approx(8.0)
    assert "unexplained_soc" in row["reasons"]
    assert 0 < row["score"] < 100


def test_a_charge_over_midnight_is_filed_on_its_start_day_with_all_of_its_curve():
    stitched = sessions(
        session("charge", at(23), at(1, day=3), (40, 60), 12.0, charge_type="ac", energy_method="counter")
    )
    rows = cleaned(
        {"time": at(23, 30), "soc_percent": 45.0, "pack_voltage_v": 400.0, "pack_current_a": 15.0},
        {"time": at(0, 30, day=3), "soc_percent": 55.0, "pack_voltage_v": 400.0, "pack_current_a": 15.0},
    )
    assert over_midnight(stitched, DAY) == [CAR]
    found = results(rows, stitched)
    assert [row["soc_bin"] for row in found["charge_curves"]] == [44.0, 54.0]
    assert results(rows, stitched, day=NEXT)["charging"] == []
    assert found["data_quality"][0]["rows"] == 1  # the next day's row is the next day's


def test_order_repeats_and_company_change_nothing():
    from ev_platform.transform.clean import clean
    from ev_platform.transform.segment import segment
    from ev_platform.transform.stitch import stitch
    from ev_platform_tests.transform.simulated import simulated_day

    day, compressed, registry = simulated_day()
    rows = clean(compressed, registry).table
    stitched = stitch(segment(rows, day, registry), registry)
    whole = daily_results(rows, stitched, registry, day)
    assert all(whole[name].num_rows for name in ("trips", "vampire_drain", "soc_histogram", "data_quality"))
    rng = np.random.default_rng(3)
    messy = pa.concat_tables([rows, rows.slice(0, 500)]).take(pa.array(rng.permutation(rows.num_rows + 500)))
    twice = pa.concat_tables([stitched, stitched]).take(pa.array(rng.permutation(2 * stitched.num_rows)))
    again = daily_results(messy, twice, registry, day)
    for vin in registry["vin"].to_pylist():
        own = [table.filter(pa.compute.equal(table["vin"], vin)) for table in (rows, stitched)]
        alone = daily_results(*own, registry, day)
        for name, table in whole.items():
            assert alone[name].equals(table.filter(pa.compute.equal(table["vin"], vin)).combine_chunks()), name
    for name, table in whole.items():
        assert again[name].equals(table), name


def test_another_vehicle_is_another_row():
    stitched = sessions(*(session("drive", at(6), at(7), (68, 58), -6.0, 40.0, vin=vin) for vin in (CAR, OTHER)))
    assert [row["vin"] for row in results(stitched=stitched)["trips"]] == [CAR, OTHER]
