"""The catalogue that ships is consistent; a wrong line is refused with file, line and what to do."""

import shutil

import pyarrow as pa
import pytest

from ev_platform.errors import UserError
from ev_platform.signals import INVALID_WORD, catalogue, cleaned_schema, load_catalogue
from ev_platform.signals.catalogue import DIRECTORY

PROMISED = {
    *("vin", "time", "provider", "soc_percent", "battery_level_percent", "pack_voltage_v", "pack_current_a"),
    *("battery_energy_kwh", "charge_energy_kwh", "charge_energy_charger_kwh", "charger_ac_power_kw"),
    *("charger_dc_power_kw", "odometer_km", "speed_kmh", "outside_temp_c", "inside_temp_c", "battery_temp_max_c"),
    *("battery_temp_min_c", "rated_range_km", "charge_limit_percent", "charger_phases", "charge_state", "gear"),
    *("bms_state", "fast_charger_present", "hvac_power", "latitude", "longitude", "quality"),
}
"""Columns that other rooms rely on."""


@pytest.fixture
def folder(tmp_path):
    """A copy of the shipped catalogue, and a function that changes one of its files."""
    copy = tmp_path / "signals"
    shutil.copytree(DIRECTORY, copy, ignore=shutil.ignore_patterns("*.py", "__pycache__"))

    def change(name, old, new):
        path = copy / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return copy

    return change


def test_what_ships_loads_and_agrees_with_itself():
    known = catalogue()
    for mapped in known.mapping.values():
        signal = known.signals[mapped.canonical]
        if signal.kind == "double":
            assert known.conversion(mapped, None) is not None
    for (canonical, word), value in known.words.items():
        assert word == word.lower()
        values = {v for (c, _), v in known.words.items() if c == canonical}
        assert value in values
        assert known.signals[canonical].kind == "word"
    units_in_names = {"percent", "kwh", "kw", "v", "a", "ah", "km", "kmh", "c", "h", "deg"}
    for signal in known.signals.values():
        if signal.kind == "double" and signal.unit != "1":
            name = {"latitude": "latitude_deg", "longitude": "longitude_deg"}.get(signal.name, signal.name)
            assert name.rsplit("_", 1)[1] in units_in_names, signal.name


def test_conversions():
    known = catalogue()
    odometer = known.mapping[("tesla", "Odometer")]
    assert known.conversion(odometer, None) == (1.609344, 0.0)
    assert known.conversion(odometer, "km") == (1.0, 0.0)
    assert known.conversion(odometer, "kWh") is None
    outside = known.mapping[("tesla", "OutsideTemp")]
    factor, offset = known.conversion(outside, "fahrenheit")
    assert 212 * factor + offset == pytest.approx(100)
    assert -40 * factor + offset == pytest.approx(-40)


def test_words():
    known = catalogue()
    state, gear = known.mapping[("tesla", "DetailedChargeState")], known.mapping[("tesla", "Gear")]
    assert known.word(state, "DetailedChargeStateCharging") == "charging"
    assert known.word(state, "Charging") == "charging"
    assert known.word(state, "DetailedChargeState") is None
    assert [known.word(gear, raw) for raw in ("ShiftStateD", "P", " r ", "ShiftStateSNA")] == [
        "D",
        "P",
        "R",
        INVALID_WORD,
    ]


def test_schema():
    schema = cleaned_schema()
    assert set(schema.names) >= PROMISED
    assert schema.names[:3] == ["vin", "time", "provider"]
    assert schema.field("time").type == pa.timestamp("us", tz="UTC")
    assert schema.field("quality").type == pa.list_(pa.string())
    assert schema.field("pack_current_a").metadata[b"vss"] == b"Vehicle.Powertrain.TractionBattery.CurrentCurrent"
    assert schema.field("odometer_km").metadata[b"unit"] == b"km"
    assert all(b"description" in field.metadata for field in schema)


def test_one_line_adds_a_provider_signal(folder):
    copy = folder(
        "providers/tesla.csv", "WheelType,wheel_type,,,,", "WheelType,wheel_type,,,,\nRange2,rated_range_km,m,2,,-1 0"
    )
    mapped = load_catalogue(copy).mapping[("tesla", "Range2")]
    assert mapped.canonical == "rated_range_km"
    assert mapped.sentinels == {"-1", "0"}
    assert load_catalogue(copy).conversion(mapped, None) == (0.002, 0.0)


def test_one_file_adds_a_provider(folder):
    copy = folder(
        "words.csv",
        "charge_state,unknown,invalid",
        "charge_state,unknown,invalid\ncharge_state,ladevorgang,charging",
    )
    lines = (
        "signal,canonical,unit,factor,prefix,sentinels\nheader,soc_percent,fraction,,,\nstatus,charge_state,,,,-NA-\n"
    )
    (copy / "providers" / "newcomer.csv").write_text(lines, encoding="utf-8")
    known = load_catalogue(copy)
    assert known.conversion(known.mapping[("newcomer", "header")], None) == (100.0, 0.0)
    assert known.word(known.mapping[("newcomer", "status")], "LADEVORGANG") == "charging"
    assert ("tesla", "Soc") in known.mapping


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("canonical.csv", "soc_percent,double,percent,[0 100]", "soc_percent,double,percent,0..100", "interval"),
        ("canonical.csv", "soc_percent,double,percent,[0 100]", "soc_percent,double,percent,[100 0]", "empty"),
        ("canonical.csv", "soc_percent,double", "soc_percent,float", "kind"),
        ("canonical.csv", "soc_percent,double", "SoC,double", "cannot be the name"),
        ("canonical.csv", "battery_level_percent,double", "soc_percent,double", "stands twice"),
        ("canonical.csv", "[0 100],3600,300,600", "[0 100],3600,x,600", "wanted a number"),
        ("canonical.csv", "gear,word,,", "gear,word,km,", "kind double"),
        ("canonical.csv", "Vehicle.Speed", "Speed", "starts with Vehicle."),
        ("canonical.csv", "wheel_type,text", "wheel_type,word", "no words for wheel_type"),
        ("canonical.csv", "name,kind", "kind,name", "first line must be"),
        ("units.csv", "mi,km,1.609344,0", "mi,km,0,0", "must not be 0"),
        ("units.csv", "mi,km,1.609344,0", "mi,km,1.609344,0,", "5 cells, wanted 4"),
        ("units.csv", "mi,km,1.609344,0", "mi,km,nan,0", "finite"),
        ("units.csv", "mi,km,1.609344,0", "mile,km,1.609344,0", "mi becomes km"),
        ("words.csv", "gear,p,P", "gearbox,p,P", "no canonical signal"),
        ("words.csv", "gear,r,R", "gear,P,R", "twice"),
        ("providers/tesla.csv", "Soc,soc_percent", "Soc,soc", "not in canonical.csv"),
        ("providers/tesla.csv", "Gear,gear,,", "Gear,gear,mi,", "has no unit"),
        ("providers/tesla.csv", "BatteryLevel,battery", "Soc,battery", "stands twice"),
    ],
)
def test_wrong_lines_are_refused(folder, name, old, new, message):
    copy = folder(name, old, new)
    with pytest.raises(UserError, match=message) as error:
        load_catalogue(copy)
    assert ".csv" in str(error.value)


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match=r"canonical\.csv"):
        load_catalogue(tmp_path)
