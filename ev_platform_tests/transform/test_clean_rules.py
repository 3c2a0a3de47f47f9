"""Each cleaning rule on its own defect. Every case is also cleaned by the oracle, which must agree."""

import shutil

import pyarrow as pa
import pytest

from ev_platform.lake.schemas import COMPRESSED, VEHICLES
from ev_platform.signals import cleaned_schema, load_catalogue
from ev_platform.signals.catalogue import DIRECTORY
from ev_platform.transform import clean_widen
from ev_platform.transform.clean import COUNTS, clean
from ev_platform_tests.transform import oracle_clean
from ev_platform_tests.transform.fleet import (
    HOUR,
    INVALID,
    MIDNIGHT,
    MILE,
    SECOND,
    Life,
    Message,
    compressed,
    datum,
    vehicles,
    vin_of,
)
from ev_platform_tests.transform.test_clean_oracle import assert_equal

NOON = MIDNIGHT + 12 * HOUR


def life_of(*steps, usable_kwh=60.0):
    """A life of (seconds after noon, data) steps."""
    life = Life(vin_of(1), usable_kwh=usable_kwh)
    life.messages = [Message(NOON + int(s * SECOND), data, offset=i) for i, (s, data) in enumerate(steps)]
    return life


def cleaned(*steps, **keywords):
    """Rows and counts {(rule, signal): n} of one vehicle; the oracle agrees."""
    life = life_of(*steps, **keywords)
    table, registry = compressed([life]), vehicles([life])
    result = clean(table, registry)
    wanted, counts = oracle_clean.clean(table, registry)
    assert_equal(result.table, wanted)
    found = {(r["vin"], r["rule"], r["signal"]): r["n"] for r in result.counts.to_pylist()}
    assert found == counts
    return result.table.to_pylist(), {key[1:]: n for key, n in found.items()}


def values(rows, name):
    return [row[name] for row in rows]


def test_units_become_si():
    rows, counts = cleaned((0, {"Odometer": 100.0, "VehicleSpeed": 50.0, "RatedRange": 10.0, "Soc": 71.5}))
    assert rows[0]["odometer_km"] == pytest.approx(100 * MILE, abs=1e-12)
    assert rows[0]["speed_kmh"] == pytest.approx(50 * MILE)
    assert rows[0]["rated_range_km"] == pytest.approx(10 * MILE)
    assert rows[0]["soc_percent"] == 71.5
    assert counts == {}


def test_unit_sent_with_the_value_wins_over_the_declared_one():
    life = life_of((0, {}))
    row = datum(life.vin, life.messages[0], "Odometer", 100.0)
    table = pa.Table.from_pylist([row | {"unit": "kilometers"}], schema=COMPRESSED)
    assert clean(table, vehicles([life])).table["odometer_km"].to_pylist() == [100.0]
    table = pa.Table.from_pylist([row | {"unit": "parsec"}], schema=COMPRESSED)
    result = clean(table, vehicles([life]))
    assert result.table["odometer_km"].to_pylist() == [None]
    assert result.counts["rule"].to_pylist() == ["unknown_unit"]


def test_typed_and_old_string_form_mean_the_same():
    new, _ = cleaned(
        (
            0,
            {
                "Soc": 71.8261,
                "Gear": "ShiftStateP",
                "FastChargerPresent": True,
                "DetailedChargeState": "DetailedChargeStateCharging",
            },
        )
    )
    old, _ = cleaned(
        (
            0,
            {"Soc": "71.8261", "Gear": "P", "FastChargerPresent": "true", "DetailedChargeState": "Charging"},
        )
    )
    assert new == old
    assert (new[0]["soc_percent"], new[0]["gear"]) == (71.8261, "P")
    assert (new[0]["fast_charger_present"], new[0]["charge_state"]) == (True, "charging")


def test_unknown_word_ends_a_fill_and_is_counted():
    rows, counts = cleaned((0, {"Gear": "ShiftStateD"}), (5, {"Gear": "ShiftStateWarp"}), (9, {"Gear": 7}))
    assert values(rows, "gear") == ["D", None, None]
    assert values(rows, "quality") == [[], ["invalid:gear"], ["invalid:gear"]]
    assert counts == {("unknown_word", "gear"): 2}


def test_sentinel_999():
    rows, counts = cleaned(
        (0, {"IdealBatteryRange": 999.0}), (5, {"IdealBatteryRange": 250.0}), (9, {"RatedRange": 999.0})
    )
    assert values(rows, "ideal_range_km") == [None, pytest.approx(250 * MILE), None]
    assert counts[("sentinel", "ideal_range_km")] == 1
    assert ("range", "rated_range_km") in counts  # 999 mi is no sentinel there, but no range of a car either


def test_invalid_ends_a_fill():
    rows, counts = cleaned((0, {"VehicleSpeed": 30.0}), (5, {"VehicleSpeed": INVALID, "Soc": 70.0}))
    assert values(rows, "speed_kmh") == [pytest.approx(30 * MILE), None]
    assert rows[1]["quality"] == ["invalid:speed_kmh"]
    assert counts == {("invalid", "speed_kmh"): 1}


@pytest.mark.parametrize(
    ("signal", "column", "value"),
    [
        ("Soc", "soc_percent", 100.01),
        ("Soc", "soc_percent", -0.5),
        ("Odometer", "odometer_km", 0.0),
        ("Odometer", "odometer_km", 1_300_000.0),
        ("VehicleSpeed", "speed_kmh", 160.0),
        ("PackCurrent", "pack_current_a", -1000.5),
        ("PackVoltage", "pack_voltage_v", 20.0),
        ("ModuleTempMax", "battery_temp_max_c", 86.0),
        ("OutsideTemp", "outside_temp_c", -51.0),
    ],
)
def test_physical_range(signal, column, value):
    rows, counts = cleaned((0, {signal: value, "InsideTemp": 20.0}))
    assert rows[0][column] is None
    assert rows[0]["quality"] == [f"range:{column}"]
    assert rows[0]["inside_temp_c"] == 20.0
    assert counts == {("range", column): 1}


def test_power_no_pack_can_give():
    rows, counts = cleaned(
        (0, {"PackVoltage": 400.0, "PackCurrent": 900.0}), (5, {"PackVoltage": 400.0, "PackCurrent": -900.0})
    )
    assert values(rows, "pack_current_a") == [None, -900.0]
    assert counts == {("power_range", "pack_current_a"): 1}


def test_energy_above_the_capacity_of_the_registry():
    rows, counts = cleaned((0, {"EnergyRemaining": 68.0}), (60, {"EnergyRemaining": 70.0}), usable_kwh=60.0)
    assert values(rows, "battery_energy_kwh") == [68.0, None]
    assert counts == {("energy_above_capacity", "battery_energy_kwh"): 1}


def test_soc_zero_at_mid_pack_is_missing():
    rows, counts = cleaned(
        (0, {"Soc": 55.0, "PackVoltage": 360.0}),
        (30, {"Soc": 0.0, "PackVoltage": 360.0}),
        (60, {"Soc": 54.9, "PackVoltage": 360.0}),
    )
    assert values(rows, "soc_percent") == [55.0, None, 54.9]
    assert counts == {("soc_zero", "soc_percent"): 1}


def test_soc_zero_near_empty_is_real():
    rows, _ = cleaned((0, {"Soc": 1.2}), (600, {"Soc": 0.0}), (900, {"Soc": 0.4}))
    assert values(rows, "soc_percent") == [1.2, 0.0, 0.4]


def test_soc_zero_with_the_voltage_of_a_full_pack_is_missing_even_next_to_a_low_soc():
    rows, counts = cleaned(
        (0, {"Soc": 60.0, "PackVoltage": 370.0}),
        (7200, {"Soc": 4.0, "PackVoltage": 320.0}),
        (7230, {"Soc": 0.0, "PackVoltage": 369.0}),
        (7260, {"Soc": 4.0, "PackVoltage": 320.0}),
    )
    assert values(rows, "soc_percent") == [60.0, 4.0, None, 4.0]
    assert counts == {("soc_zero", "soc_percent"): 1}


def test_stale_head_is_dropped():
    steps = [(0, {"Soc": 33.9, "Odometer": 100.0}), (36_000, {"Soc": 33.9, "Odometer": 100.0, "OutsideTemp": 5.0})]
    steps += [(36_008, {"Soc": 97.1, "Odometer": 100.0}), (36_020, {"Soc": 97.0})]
    rows, counts = cleaned(*steps)
    assert values(rows, "soc_percent") == [33.9, 97.1, 97.0]
    assert counts == {("stale_head", "row"): 1}


def test_two_stale_records_are_dropped_and_the_odometer_tells_too():
    steps = [(0, {"Soc": 33.9, "Odometer": 100.0}), (3600, {"Soc": 33.9, "Odometer": 100.0})]
    steps += [(3610, {"Soc": 33.9, "Odometer": 100.0}), (3620, {"Soc": 33.9, "Odometer": 130.0})]
    rows, counts = cleaned(*steps, (3630, {"Odometer": 130.1}))
    assert counts[("stale_head", "row")] == 2
    assert values(rows, "odometer_km")[1] == pytest.approx(130 * MILE)


def test_stale_head_at_the_start_of_the_day():
    rows, counts = cleaned((0, {"Soc": 33.9}), (8, {"Soc": 97.1}), (20, {"Soc": 97.0}))
    assert values(rows, "soc_percent") == [97.1, 97.0]
    assert counts == {("stale_head", "row"): 1}


def test_a_charge_in_a_gap_is_no_stale_head():
    rows, counts = cleaned((0, {"Soc": 33.9}), (36_000, {"Soc": 97.1}), (36_010, {"Soc": 97.0}))
    assert values(rows, "soc_percent") == [33.9, 97.1, 97.0]
    assert counts == {}


def test_spike_is_nulled_jump_is_flagged():
    rows, counts = cleaned((0, {"Soc": 70.1}), (10, {"Soc": 20.2}), (20, {"Soc": 70.0}), (30, {"Soc": 69.95}))
    assert values(rows, "soc_percent") == [70.1, None, 70.0, 69.95]
    assert counts == {("spike", "soc_percent"): 1}
    steps = [(i * 10, {"Soc": 70.1 - i / 100}) for i in range(5)] + [(50 + i * 10, {"Soc": 60.3}) for i in range(5)]
    rows, counts = cleaned(*steps)
    assert values(rows, "quality")[5] == ["jump:soc_percent"]
    assert counts == {("jump", "soc_percent"): 1}
    assert rows[5]["soc_percent"] == 60.3


def test_steps_of_whole_numbers_are_no_jumps():
    _, counts = cleaned((0, {"Soc": 70}), (2, {"Soc": 69}), (600, {"Soc": 68}))
    assert counts == {}
    _, counts = cleaned((0, {"Soc": 70.5}), (2, {"Soc": 69.5}), (600, {"Soc": 68.5}), (610, {"Soc": 68.4}))
    assert ("stale_head", "row") in counts or ("jump", "soc_percent") in counts


def test_odometer_step_back_is_nulled_and_one_wrong_high_value_costs_only_itself():
    rows, counts = cleaned(
        (0, {"Odometer": 100.0}), (60, {"Odometer": 100.5}), (120, {"Odometer": 100.2}), (180, {"Odometer": 101.0})
    )
    assert [round(v / MILE, 6) if v else None for v in values(rows, "odometer_km")] == [100.0, 100.5, None, 101.0]
    assert counts == {("odometer_decrease", "odometer_km"): 1}
    readings = [100.0, 100.1, 900.0, 900.1, 100.2, 100.3, 100.4]
    rows, counts = cleaned(*[(60 * i, {"Odometer": x}) for i, x in enumerate(readings)])
    assert sum(v is None for v in values(rows, "odometer_km")) == 2
    assert counts == {("odometer_decrease", "odometer_km"): 2}


def test_stuck_soc():
    steps = [(30 * i, {"Soc": 70.3, "PackVoltage": 360.0, "PackCurrent": -20.0}) for i in range(70)]
    rows, counts = cleaned(*steps)
    assert counts == {("stuck", "soc_percent"): 70}
    assert rows[3]["soc_percent"] == 70.3
    _, counts = cleaned(*[(s, d | {"PackCurrent": -2.0}) for s, d in steps])
    assert counts == {}


def test_stuck_odometer():
    steps = [(20 * i, {"Odometer": 100.0, "VehicleSpeed": 50.0 + i % 2}) for i in range(25)]
    _, counts = cleaned(*steps)
    assert counts == {("stuck", "odometer_km"): 25}
    _, counts = cleaned(*[(s, d | {"VehicleSpeed": 2.0}) for s, d in steps])
    assert counts == {}


def test_source_repeats_are_dropped_and_the_last_arrival_wins():
    life = life_of((0, {"Soc": 70.0, "Odometer": 10.0}))
    again = Message(NOON, {"Soc": 70.0}, offset=9, source_ts=NOON // 1000 + 60_000)
    other = Message(NOON, {"Odometer": 10.5}, offset=8, source_ts=NOON // 1000 + 90_000)
    life.messages += [again, other]
    result = clean(compressed([life]), vehicles([life]))
    assert result.table.num_rows == 1
    assert result.table["odometer_km"].to_pylist() == [pytest.approx(10.5 * MILE)]
    assert {(r["rule"], r["signal"], r["n"]) for r in result.counts.to_pylist()} == {
        ("repeat", "soc_percent", 1),
        ("superseded", "odometer_km", 1),
    }


def test_the_first_line_of_the_mapping_wins_over_later_ones(tmp_path, monkeypatch):
    copy = tmp_path / "signals"
    shutil.copytree(DIRECTORY, copy, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    tesla = copy / "providers" / "tesla.csv"
    tesla.write_text(tesla.read_text() + "OtherSoc,soc_percent,fraction,,,\n")
    monkeypatch.setattr(clean_widen, "catalogue", lambda: load_catalogue(copy))
    life = life_of((0, {"Soc": 70.0}), (10, {"OtherSoc": 0.69}))
    life.messages.append(Message(NOON, {"OtherSoc": 0.1}, offset=7, source_ts=NOON // 1000 + 60_000))
    assert clean(compressed([life]), vehicles([life])).table["soc_percent"].to_pylist() == [70.0, 69.0]


def test_contradicting_values_of_one_record_are_decided_alike_in_any_company():
    life, other = life_of((0, {"Gear": "P"})), Life(vin_of(2))
    life.messages.append(Message(NOON, {"Gear": "ShiftStateD"}))
    other.messages = [Message(NOON, {"Gear": "D"})]
    alone, together = (clean(compressed(lives), vehicles(lives)).table for lives in ([life], [life, other]))
    assert alone.equals(together.slice(0, 1))


def test_two_providers_of_one_vehicle_stay_apart():
    life = life_of((0, {"Soc": 70.0}), (10, {"Soc": 69.9}))
    table = pa.concat_tables([compressed([life]), compressed([life], provider="unknown_feed")])
    result = clean(table, vehicles([life]))
    assert result.table["provider"].to_pylist() == ["tesla", "tesla"]
    assert {r["rule"] for r in result.counts.to_pylist()} == {"unmapped"}


def test_empty_inputs():
    nothing = clean(COMPRESSED.empty_table(), VEHICLES.empty_table())
    assert nothing.table.schema == cleaned_schema()
    assert nothing.counts.schema == COUNTS
    life = life_of((0, {"Unknown": 1.0, "Other": "x"}))
    only_unknown = clean(compressed([life]), VEHICLES.empty_table())
    assert only_unknown.table.num_rows == 0
    assert only_unknown.table.schema == cleaned_schema()
    assert only_unknown.counts["n"].to_pylist() == [1, 1]
    empty_record = datum(life.vin, life.messages[0], "Soc", 1.0) | {"signal": None, "number": None, "status": "empty"}
    table = pa.Table.from_pylist([empty_record], schema=COMPRESSED)
    assert clean(table, VEHICLES.empty_table()).table.num_rows == 0


def test_schema_carries_units_and_vss_paths():
    field = cleaned_schema().field("soc_percent")
    assert field.metadata[b"vss"] == b"Vehicle.Powertrain.TractionBattery.StateOfCharge.Displayed"
    assert field.metadata[b"unit"] == b"percent"
    life = life_of((0, {"Soc": 70.0}))
    assert clean(compressed([life]), vehicles([life])).table.schema.equals(cleaned_schema(), check_metadata=True)
