"""The ready mappings, from an export's own text to the canonical columns of the cleaned table, by hand."""

import pytest

from ev_platform.lake.schemas import VEHICLES
from ev_platform.lake.tables import from_parquet
from ev_platform.transform.clean import clean
from ev_platform_tests.ingest.import_cases import NOW, VIN, bring, compacted, write

LEAFSPY = (
    "Date/Time,Lat,Long,Elv,Speed,Gids,SOC,AHr,Pack Volts,Pack Amps,Max CP mV,Min CP mV,Avg CP mV,CP mV Diff,"
    "Odo(km),Ambient,SOH,epoch time,Plug State,Charge Mode,Gear,VIN"
)


def cleaned(settings, store, path, mapping, **options):
    """Import, compact and clean a file; rows as dicts without what is null."""
    bring(settings, store, [path], mapping, **options)
    compacted(settings, store)
    found = []
    for key in store.keys("compressed"):
        table = clean(from_parquet(store.get(key)), VEHICLES.empty_table()).table
        found += [{name: value for name, value in row.items() if value not in (None, [])} for row in table.to_pylist()]
    return found


def test_leafspy(tmp_path, settings, store):
    row = (
        "03/25/2024 18:01:02,48.85,2.35,40,36,281,712345,632100,380.25,12.5,3920,3901,3910,19,41234,14,86.1,1711389662"
    )
    lines = [LEAFSPY, f"{row},0,0,4,{VIN}", f"{row.replace('1711389662', '1711389672')},2,2,1,{VIN}"]
    lines.append(f"{row.replace('712345', '0').replace('1711389662', '1711389682')},2,3,7,{VIN}")
    driving, charging, unknown = cleaned(settings, store, write(tmp_path / "log.csv", *lines), "leafspy")
    assert driving.pop("time").isoformat() == "2024-03-25T18:01:02+00:00"
    assert {name: pytest.approx(value) if isinstance(value, float) else value for name, value in driving.items()} == {
        "vin": VIN,
        "provider": "leafspy",
        "soc_percent": 71.2345,
        "battery_energy_kwh": 281 * 0.08,
        "battery_capacity_ah": 63.21,
        "pack_voltage_v": 380.25,
        "pack_current_a": -12.5,  # the log counts amps out of the battery
        "cell_voltage_max_v": 3.92,
        "cell_voltage_min_v": 3.901,
        "odometer_km": 41234,
        "speed_kmh": 36,
        "outside_temp_c": 14,
        "soh_oem_percent": 86.1,
        "charge_plugged": False,
        "latitude": 48.85,
        "longitude": 2.35,
        "gear": "D",
        "charge_state": "stopped",
        "fast_charger_present": False,
    }
    assert charging["charge_plugged"] is True
    assert (charging["gear"], charging["charge_state"], charging["fast_charger_present"]) == ("P", "charging", False)
    assert (unknown["gear"], unknown["charge_state"], unknown["fast_charger_present"]) == ("D", "charging", True)
    assert "soc_percent" not in unknown  # 0 with volts of a half full pack means that it was not read
    assert "invalid:soc_percent" in unknown["quality"]


def test_leafspy_without_epoch_in_local_time_and_miles(tmp_path, settings, store):
    from ev_platform.ingest.import_mapping import load_mapping

    lines = ["Date/Time,SOC,Odo(mi)", "03/25/2024 18:01:02,500000,100", "03/31/2024 02:30:00,500000,101"]
    mapping = load_mapping("leafspy").with_vin(VIN).with_zone("Europe/Paris")
    found = cleaned(settings, store, write(tmp_path / "log.csv", *lines), mapping)
    assert [row["time"].isoformat() for row in found] == ["2024-03-25T17:01:02+00:00"]
    assert found[0]["odometer_km"] == pytest.approx(160.9344)
    assert store.keys("dead_letter/2024/03/25")  # an hour that the clock jumped over


def test_leafspy_log_that_goes_on_without_a_header(tmp_path, settings, store):
    from ev_platform.ingest.import_mapping import load_mapping

    names = load_mapping("leafspy").file.names
    values = {
        "Date/Time": "03/25/2024 18:01:02",
        "SOC": "712345",
        "Gids": "281",
        "VIN": VIN,
        "epoch time": "1711389662",
    }
    row = ",".join(values.get(name, "") for name in names)
    (found,) = cleaned(settings, store, write(tmp_path / "log.csv", row), "leafspy")
    assert found["soc_percent"] == pytest.approx(71.2345)
    assert found["battery_energy_kwh"] == pytest.approx(22.48)


def test_teslamate_positions_and_charges_of_one_car(tmp_path, settings, store):
    positions = write(
        tmp_path / "positions.csv",
        "id,date,latitude,longitude,speed,power,odometer,battery_level,usable_battery_level,outside_temp,inside_temp,"
        "rated_battery_range_km,battery_heater_on,drive_id,car_id",
        "1,2024-03-25 18:01:02.5,48.85,2.35,50,12,41234.567,72,71,14.5,20,350.5,f,9,1",
        "2,2024-03-25 18:01:04,48.85,2.35,,,41234.6,72,,,,,,9,1",
    )
    charges = write(
        tmp_path / "charges.csv",
        "id,date,battery_level,usable_battery_level,charge_energy_added,charger_actual_current,charger_phases,"
        "charger_power,charger_voltage,fast_charger_present,fast_charger_type,conn_charge_cable,outside_temp,"
        "charging_process_id",
        '5,2024-03-25 20:00:00.123,73,72,1.25,16,3,11,230,f,"",IEC,12.0,3',
    )
    from ev_platform.ingest.import_mapping import load_mapping

    one_car = load_mapping("teslamate_positions").with_vin(VIN)
    bring(settings, store, [positions], one_car)
    found = cleaned(settings, store, charges, load_mapping("teslamate_charges").with_vin(VIN))
    first, second, charge = found
    assert first["time"].isoformat() == "2024-03-25T18:01:02.500000+00:00"
    assert (first["soc_percent"], second["soc_percent"]) == (71, 72)  # usable where it is known
    assert (first["odometer_km"], first["speed_kmh"], first["rated_range_km"]) == (41234.567, 50, 350.5)
    assert first["battery_heater_on"] is False
    assert first["pack_power_kw"] == -12  # the export counts power out of the battery
    assert charge["charge_power_kw"] == 11
    assert (charge["charge_state"], charge["charge_energy_kwh"], charge["charger_current_a"]) == ("charging", 1.25, 16)
    assert (charge["charger_voltage_v"], charge["charger_phases"], charge["charging_cable_type"]) == (230, 3, "iec")
    assert charge["fast_charger_present"] is False
    assert {row["provider"] for row in found} == {"teslamate"}


def test_teslamate_numbers_its_cars(tmp_path, settings, store):
    from ev_platform.errors import UserError

    path = write(tmp_path / "positions.csv", "date,odometer,car_id", "2024-03-25 18:01:02,5,1")
    with pytest.raises(UserError, match="translate it under"):
        bring(settings, store, [path], "teslamate_positions")


def test_generic_takes_canonical_names_in_canonical_units(tmp_path, settings, store):
    header = "vin,epoch_ms,soc_percent,charge_state,gear,speed_kmh,fast_charger_present,software_version"
    path = write(tmp_path / "a.csv", header, f"{VIN},1711389662123,71.5,Charging,D,50,true,2024.8")
    (row,) = cleaned(settings, store, path, "generic")
    assert row["time"].isoformat() == "2024-03-25T18:01:02.123000+00:00"
    assert (row["soc_percent"], row["charge_state"], row["gear"]) == (71.5, "charging", "D")
    assert (row["speed_kmh"], row["fast_charger_present"], row["software_version"]) == (50, True, "2024.8")
    assert row["time"] < NOW
