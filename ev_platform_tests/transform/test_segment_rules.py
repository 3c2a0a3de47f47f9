"""Segmentation rules, each on a scene made for it."""

import itertools

import pyarrow as pa
import pytest

from ev_platform.lake.schemas import SEGMENTS, VEHICLES
from ev_platform.signals import cleaned_schema
from ev_platform.transform.clean import clean
from ev_platform.transform.segment import segment
from ev_platform_tests.transform.faults import damage
from ev_platform_tests.transform.fleet import DAY, INVALID, commuter, compressed, vehicles
from ev_platform_tests.transform.scenes import (
    CHARGING,
    DRIVING,
    PARKED,
    every,
    kinds,
    minutes,
    odometer,
    pieces,
    scene,
    soc,
)

STEP = 1 / 6


def drive(first, last, km=1000.0, level=71.0, step=STEP):
    return every(step, first, last, DRIVING | {"Odometer": odometer(km, 50), "Soc": soc(level, -15)})


def park(first, last, **more):
    return every(1, first, last, PARKED | {"Soc": 66.0} | more)


def charge(first, last, start_soc=50.0, step=0.5, **more):
    return every(step, first, last, CHARGING | {"Soc": soc(start_soc, 17)} | more)


def test_pieces_tile_the_observed_time():
    lives = [damage(commuter(i, seed=5, period_s=60), 5, 0.05) for i in range(6)]
    registry = vehicles(lives)
    cleaned = clean(compressed(lives, DAY), registry).table
    found = segment(cleaned, DAY, registry)
    assert found.schema.equals(SEGMENTS, check_metadata=True)
    for life in lives:
        rows = [row for row in found.to_pylist() if row["vin"] == life.vin]
        times = cleaned.filter(pa.compute.equal(cleaned["vin"], life.vin))["time"].to_pylist()
        assert (rows[0]["start"], rows[-1]["end"]) == (min(times), max(times))
        assert all(a["end"] == b["start"] for a, b in itertools.pairwise(rows))
        assert all(row["end"] > row["start"] for row in rows[:-1])
        assert sum(row["n_samples"] for row in rows) == len(times)
        assert [row["open_start"] for row in rows[1:]] == [False] * (len(rows) - 1)
        assert [row["open_end"] for row in rows[:-1]] == [False] * (len(rows) - 1)
        assert rows[-1]["open_end"]
        assert all(0 <= row["confidence"] <= 1 for row in rows)


def test_drive_by_gear():
    found = pieces(scene(*park(0, 9), *drive(10, 30), *park(31, 40)))
    assert kinds(found) == ["idle", "drive", "idle"]
    assert minutes(found[1]) == (10.0, 31.0)
    assert found[1]["distance_km"] == pytest.approx(50 / 3, rel=1e-3)
    assert found[1]["energy_method"] == "power_integral"
    assert found[1]["energy_kwh"] == pytest.approx(-350 * 30 / 1000 * 21 / 60, rel=0.03)
    assert not found[1]["truncated"]
    assert found[1]["confidence"] == 1.0


def test_drive_by_speed_and_odometer_without_gear_at_one_minute():
    still = {"VehicleSpeed": 0.0, "Soc": 60.0, "Odometer": 621.0}
    moving = {"VehicleSpeed": 30.0, "Soc": soc(60, -10), "Odometer": odometer(1000, 48)}
    found = pieces(
        scene(*every(1, 0, 10, still), *every(1, 11, 25, moving), *every(1, 26, 40, still | {"Odometer": 628.0}))
    )
    assert kinds(found) == ["idle", "drive", "idle"]
    start, end = minutes(found[1])
    assert abs(start - 11) <= 1
    assert abs(end - 26) <= 1


def test_drive_by_odometer_alone():
    still = {"Soc": 60.0, "Odometer": 621.5}
    moving = {"Soc": soc(60, -10), "Odometer": odometer(1000.2, 48)}
    found = pieces(scene(*every(5, 0, 20, still), *every(5, 25, 45, moving), *every(5, 50, 90, {"Odometer": 640.0})))
    assert kinds(found)[:2] == ["idle", "drive"]
    assert found[1]["distance_km"] > 15


@pytest.mark.parametrize(("stop", "wanted"), [(4, ["drive"]), (6, ["drive", "idle", "drive"])])
def test_short_stops_belong_to_the_drive(stop, wanted):
    steps = [*drive(0, 20), *park(20 + STEP, 20 + stop), *drive(20 + STEP + stop, 40, km=1016.7, level=66.0)]
    assert kinds(pieces(scene(*steps)))[: len(wanted)] == wanted


@pytest.mark.parametrize(("gap", "wanted"), [(12, ["drive"]), (17, ["drive", "idle", "drive"])])
def test_a_drive_is_bridged_over_fifteen_minutes_without_contact(gap, wanted):
    steps = [*park(-5, -1, Soc=71.0), *drive(0, 20), *drive(20 + gap, 40 + gap, km=1016.7 + gap * 50 / 60, level=62.0)]
    steps += park(41 + gap, 50 + gap, Soc=57.0)
    found = pieces(scene(*steps))[1:-1]
    assert kinds(found) == ["drive"]  # the odometer tells that it went on
    assert found[0]["reasons"] == ["telemetry_gap", "energy_from_soc"]
    without = pieces(scene(*[(m, {k: v for k, v in d.items() if k != "Odometer"}) for m, d in steps]))[1:-1]
    assert kinds(without) == wanted
    assert without[0]["truncated"] == (len(wanted) == 3)


def test_a_pause_without_messages_is_no_drive_when_the_odometer_stood():
    steps = [*drive(0, 20), *drive(30, 50, km=1000 + 50 / 3, level=66.0)]
    assert kinds(pieces(scene(*steps))) == ["drive", "idle", "drive"]


def test_lost_park_record_ends_the_drive_after_five_minutes_at_speed_zero():
    still = {"VehicleSpeed": 0.0, "Soc": 66.0, "Odometer": 631.5}
    found = pieces(scene(*drive(0, 20), *every(1, 21, 60, still)))
    assert kinds(found) == ["drive", "idle"]
    assert minutes(found[0])[1] <= 22
    invalid = {"VehicleSpeed": INVALID, "Soc": 66.0, "Odometer": 631.5}
    assert kinds(pieces(scene(*drive(0, 20), *every(1, 21, 60, invalid)))) == ["drive", "idle"]


def test_invalid_gear_ends_the_drive():
    after = {"Gear": INVALID, "VehicleSpeed": INVALID, "Soc": 66.0}
    found = pieces(scene(*drive(0, 20), *every(1, 21, 40, after)))
    assert minutes(found[0]) == (0.0, 21.0)


def test_charge_with_counter():
    energy = {"DCChargingEnergyIn": lambda m: 10.4 * m / 60}
    found = pieces(scene(*park(0, 9), *charge(10, 130, **energy), *park(131, 140, DetailedChargeState="Complete")))
    assert kinds(found) == ["idle", "charge", "idle"]
    assert found[1]["energy_method"] == "counter"
    assert found[1]["energy_kwh"] == pytest.approx(10.4 * 2, abs=0.2)
    assert found[1]["charge_type"] == "ac"
    assert found[1]["soc_end"] - found[1]["soc_start"] == pytest.approx(34, abs=0.2)


def test_counter_steps_back_resets_and_keeps_its_last_value():
    counter = [25.3, 25.3, 0.0, 0.2, 1.5, 3.74, 3.72, 4.9, 6.1, 6.05, 7.2]
    steps = [(m, PARKED | {"Soc": 40.0, "DCChargingEnergyIn": 25.3}) for m in range(3)]
    steps += [
        (3 + 4 * i, CHARGING | {"Soc": 40 + 1.2 * i, "DCChargingEnergyIn": value})
        for i, value in enumerate(counter[1:])
    ]
    end = steps[-1][0]
    steps += [(end + 1 + m, PARKED | {"DetailedChargeState": "Complete", "DCChargingEnergyIn": 7.2}) for m in range(5)]
    found = pieces(scene(*steps))
    assert kinds(found) == ["idle", "charge", "idle"]
    assert found[1]["energy_kwh"] == pytest.approx(7.2, abs=1e-9)
    # the last reading of the counter comes after the end of the charge and still counts
    late = [(m, d | ({"DCChargingEnergyIn": 7.6} if m > end else {})) for m, d in steps]
    assert pieces(scene(*late))[1]["energy_kwh"] == pytest.approx(7.6, abs=1e-9)


def test_energy_methods_in_order_and_their_reasons():
    full = charge(0, 60, step=0.25, DCChargingEnergyIn=lambda m: 0.1 + 10.4 * m / 60)
    without_counter = [(m, {k: v for k, v in d.items() if k != "DCChargingEnergyIn"}) for m, d in full]
    slow = without_counter[::8]
    only_state = [(m, {"DetailedChargeState": "Charging"}) for m, _ in full]
    rows = [pieces(scene(*steps))[0] for steps in (full, without_counter, slow, only_state)]
    assert [row["energy_method"] for row in rows] == ["counter", "power_integral", "soc_capacity", "none"]
    assert rows[1]["energy_kwh"] == pytest.approx(370 * 28 / 1000, rel=1e-6)
    assert rows[2]["energy_kwh"] == pytest.approx(60 * 17 / 100, rel=0.01)
    assert rows[3]["energy_kwh"] is None
    assert len({row["energy_method_reason"] for row in rows}) == 4
    assert "energy_from_soc" in rows[2]["reasons"]
    no_registry = pieces(scene(*slow), registry=VEHICLES.empty_table())[0]
    assert no_registry["energy_method"] == "none"
    assert "registry" in no_registry["energy_method_reason"]


def test_preconditioning_on_mains_is_no_charge():
    mains = PARKED | {"DetailedChargeState": "Complete", "ACChargingPower": 4.2, "Soc": 80.0, "PackCurrent": -0.4}
    assert kinds(pieces(scene(*every(0.5, 0, 40, mains)))) == ["idle"]
    # also when the car claims to charge, or says nothing of its charge state
    assert kinds(pieces(scene(*every(0.5, 0, 40, mains | {"DetailedChargeState": "Charging"})))) == ["idle"]
    silent = {k: v for k, v in mains.items() if k not in ("DetailedChargeState", "PackCurrent")}
    assert kinds(pieces(scene(*every(0.5, 0, 40, silent)))) == ["idle"]
    # and a charge it is as soon as the battery takes something
    assert kinds(pieces(scene(*every(0.5, 0, 40, mains | {"PackCurrent": 25.0, "Soc": soc(60, 15)})))) == ["charge"]


def test_missing_charging_ended_record():
    after = PARKED | {"Soc": 67.0, "PackCurrent": -0.6}
    found = pieces(scene(*charge(0, 60), *every(1, 61, 120, after)))
    assert kinds(found) == ["charge", "idle"]
    assert minutes(found[0])[1] == pytest.approx(61, abs=1)
    found = pieces(scene(*charge(0, 60), *drive(60.5, 80)))
    assert kinds(found) == ["charge", "drive"]


def test_charge_without_any_charge_state_by_power_into_the_pack():
    steps = [(m, {k: v for k, v in d.items() if k != "DetailedChargeState"}) for m, d in charge(10, 70, step=0.25)]
    assert kinds(pieces(scene(*park(0, 9), *steps, *park(71, 80)))) == ["idle", "charge", "idle"]


@pytest.mark.parametrize(
    ("pause", "state", "wanted"),
    [
        (4, None, ["charge"]),
        (12, "Stopped", ["charge"]),
        (18, "Stopped", ["charge", "idle", "charge"]),
        (4, "Disconnected", ["charge", "idle", "charge"]),
    ],
)
def test_pauses_of_a_charge(pause, state, wanted):
    waiting = PARKED | {"Soc": 67.0, "PackCurrent": -0.5} | ({"DetailedChargeState": state} if state else {})
    steps = [*charge(0, 60), *every(0.5, 60.5, 60 + pause, waiting), *charge(60.5 + pause, 100 + pause, start_soc=67.0)]
    assert kinds(pieces(scene(*steps))) == wanted


def test_charge_inferred_in_a_gap():
    found = pieces(scene(*park(0, 20), *[(m, d | {"Soc": 90.0}) for m, d in park(200, 220)]))
    assert kinds(found) == ["idle", "charge", "idle"]
    assert found[1]["inferred"]
    assert found[1]["energy_kwh"] == pytest.approx(0.24 * 60)
    assert found[1]["confidence"] < 0.6
    assert (found[1]["soc_start"], found[1]["soc_end"]) == (66.0, 90.0)


def test_a_charge_inferred_in_a_long_gap_stands_alone():
    """Its true begin is unknown: it must not give the observed charge beside it a begin hours too early."""
    steps = [*park(0, 20), *charge(200, 260, start_soc=72.0), *park(261, 270, Soc=89.0)]
    found = pieces(scene(*steps))
    assert [(row["kind"], row["inferred"]) for row in found[1:3]] == [("charge", True), ("charge", False)]
    assert minutes(found[2])[0] == 200.0
    # under way on both sides of the gap it is one charge
    steps = [*charge(0, 60), *charge(90, 150, start_soc=75.5), *park(151, 160, Soc=92.5)]
    assert kinds(pieces(scene(*steps))) == ["charge", "idle"]


def test_a_rise_over_two_gaps_is_one_charge():
    brief = every(0.5, 60, 61, {"InsideTemp": 12.0})
    found = pieces(scene(*park(0, 20), *brief, *park(100, 110, Soc=80.0)))
    assert kinds(found) == ["idle", "asleep", "idle", "charge", "idle"]
    assert found[3]["inferred"]
    assert (found[3]["soc_start"], found[3]["soc_end"]) == (66.0, 80.0)


def test_soc_that_comes_minutes_after_waking_still_tells_of_the_charge():
    waking = every(0.5, 200, 203, {"InsideTemp": 12.0})
    found = pieces(scene(*park(0, 20), *waking, *park(203.5, 220, Soc=90.0)))
    assert kinds(found) == ["idle", "charge", "idle"]
    assert (found[1]["soc_start"], found[1]["soc_end"]) == (66.0, 90.0)


def test_a_rising_counter_is_believed_rather_than_an_old_current():
    start = {"DetailedChargeState": "Charging", "PackVoltage": 370.0, "PackCurrent": -0.5, "Soc": 60.0}
    rising = every(1, 1, 60, {"DCChargingEnergyIn": lambda m: 0.1 * m})
    end = every(1, 61, 70, {"DetailedChargeState": "Complete", "PackCurrent": -0.5, "Soc": 70.0})
    found = pieces(scene((0, start), *rising, *end))
    assert kinds(found)[0] == "idle"
    assert kinds(found)[1] == "charge"
    assert minutes(found[1])[0] <= 3


def test_no_charge_is_inferred_when_the_car_moved_or_the_rise_is_small():
    def after(soc_value, miles):
        return [(m, d | {"Soc": soc_value, "Odometer": miles}) for m, d in park(200, 220)]

    before = [(m, d | {"Odometer": 1000.0}) for m, d in park(0, 20)]
    assert kinds(pieces(scene(*before, *after(68.5, 1000.0)))) == ["idle", "asleep", "idle"]
    assert kinds(pieces(scene(*before, *after(90.0, 1001.1)))) == ["idle", "charge", "idle"]
    moved = pieces(scene(*before, *after(90.0, 1001.5)))
    assert kinds(moved) == ["idle", "asleep", "idle"]
    assert moved[1]["reasons"] == ["moved_in_gap", *moved[1]["reasons"][1:]]
    assert kinds(pieces(scene(*before, *after(55.0, 1050.0)))) == ["idle", "drive", "idle"]


def test_soc_jump_is_cut_and_never_bridged():
    steps = [(m, d | {"Soc": 66.3 if m < 60 else 50.9}) for m, d in every(0.5, 0, 120, PARKED)]
    found = pieces(scene(*steps))
    assert kinds(found) == ["idle", "idle"]
    assert minutes(found[0])[1] == 60.0
    assert [(row["soc_start"], row["soc_end"]) for row in found] == [(66.3, 66.3), (50.9, 50.9)]
    assert all("soc_jump" in row["reasons"] for row in found)
    # a pause is not merged across the cut
    steps = [*charge(0, 60), *[(m, d | {"Soc": 67.05}) for m, d in park(60.5, 62.5)]]
    steps += charge(63, 100, start_soc=80.05)
    assert kinds(pieces(scene(*steps))) == ["charge", "idle", "charge"]


def test_asleep_after_thirty_minutes_without_a_message():
    assert kinds(pieces(scene(*park(0, 10), *park(39, 50)))) == ["idle"]
    found = pieces(scene(*park(0, 10), *park(41, 50)))
    assert kinds(found) == ["idle", "asleep", "idle"]
    assert minutes(found[1]) == (10.0, 41.0)
    assert found[1]["gap_seconds"] == 31 * 60


def test_small_drives_and_charges_are_idle():
    assert kinds(pieces(scene(*park(0, 9), *drive(10, 10.3, level=66.0), *park(10.5, 30)))) == ["idle"]
    creeping = [(m, d | {"VehicleSpeed": 1.5}) for m, d in every(STEP, 10, 13, DRIVING | {"Soc": 66.0})]
    assert kinds(pieces(scene(*park(0, 9), *creeping, *park(13.5, 30)))) == ["idle", "drive", "idle"]
    assert kinds(pieces(scene(*park(0, 9), *charge(10, 12, start_soc=66.0), *park(12.5, 30)))) == ["idle"]
    weak = every(0.5, 10, 40, CHARGING | {"PackCurrent": 1.5, "Soc": soc(66, 0.9)})
    assert kinds(pieces(scene(*park(0, 9), *weak, *park(41, 60)))) == ["idle"]


@pytest.mark.parametrize(
    ("whole", "rise", "wanted"), [(False, 0.7, 0), (False, 2.4, 1), (True, 2.0, 0), (True, 6.0, 1)]
)
def test_feed_with_nothing_but_soc(whole, rise, wanted):
    level = [60 + rise * max(0, min(1, (i - 4) / 8)) for i in range(20)]
    steps = [(5 * i, {"Soc": float(int(x)) if whole else round(x, 1)}) for i, x in enumerate(level)]
    found = pieces(scene(*steps))
    assert kinds(found).count("charge") == wanted
    if wanted:
        assert any("soc_rise_only" in row["reasons"] for row in found)


def test_fast_charge_is_dc():
    fast = every(0.25, 0, 20, CHARGING | {"PackCurrent": 300.0, "Soc": soc(20, 150), "FastChargerPresent": True})
    assert pieces(scene(*fast))[0]["charge_type"] == "dc"
    by_power = every(0.25, 0, 20, CHARGING | {"PackCurrent": 300.0, "Soc": soc(20, 150)})
    assert pieces(scene(*by_power))[0]["charge_type"] == "dc"


def test_one_provider_per_vehicle():
    life = scene(*park(0, 30))
    few = scene(*park(0, 5))
    registry = vehicles([life])
    cleaned = clean(compressed([life]), registry).table
    other = clean(compressed([few]), registry).table
    other = other.set_column(2, "provider", pa.array(["tesla_rest"] * other.num_rows))
    both = pa.concat_tables([cleaned, other])
    assert segment(both, DAY, registry).equals(segment(cleaned, DAY, registry))
    prefers = registry.set_column(1, "provider", pa.array(["tesla_rest"])).cast(VEHICLES)
    assert segment(both, DAY, prefers).equals(segment(other, DAY, prefers))
    assert segment(both, DAY, VEHICLES.empty_table())["n_samples"].to_pylist() == [31]
    absent = registry.set_column(1, "provider", pa.array(["bmw"])).cast(VEHICLES)
    assert segment(both, DAY, absent)["n_samples"].to_pylist() == [31]


def test_one_row_other_days_and_nothing():
    found = pieces(scene((0, {"Soc": 50.0})))
    assert [(row["kind"], row["n_samples"], row["soc_start"]) for row in found] == [("idle", 1, 50.0)]
    assert found[0]["start"] == found[0]["end"]
    assert segment(cleaned_schema().empty_table(), DAY, VEHICLES.empty_table()).equals(SEGMENTS.empty_table())
    life = scene(*park(0, 30))
    cleaned = clean(compressed([life]), vehicles([life])).table
    assert segment(cleaned, "2026-11-04", vehicles([life])).num_rows == 0
    no_signal_of_use = scene(*every(1, 0, 30, {"InsideTemp": 20.0}))
    found = pieces(no_signal_of_use)
    assert kinds(found) == ["idle"]
    assert found[0]["soc_start"] is None
    assert found[0]["energy_method"] == "none"


def test_begin_and_end_not_seen():
    found = pieces(scene(*park(0, 10), *charge(100, 160, start_soc=66.0), *park(161, 170, Soc=83.0)))
    assert [row["reasons"] for row in found if row["kind"] == "charge"] == [[]]  # SoC stood still: nothing was missed
    found = pieces(scene(*park(0, 10), *charge(100, 160, start_soc=68.0), *park(161, 170, Soc=85.0)))
    assert [row["reasons"] for row in found if row["kind"] == "charge"] == [["begin_not_seen"]]
    found = pieces(scene(*charge(0, 60), *[(m, d | {"Soc": 69.5}) for m, d in park(120, 130)]))
    assert "end_not_seen" in found[0]["reasons"]
    assert found[0]["truncated"]
