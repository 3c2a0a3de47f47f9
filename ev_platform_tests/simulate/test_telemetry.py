"""Records look as Tesla's: change-only, sparse, typed or in the older string form."""

from collections import Counter, defaultdict

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ev_platform.ingest.event_time import parse_event_time
from ev_platform.simulate.fields import FIELD, FIELDS
from ev_platform.simulate.telemetry import Speller
from ev_platform.simulate.wire import created_at
from ev_platform_tests.simulate.cases import value_of

MEMBERS = {
    "doubleValue": float,
    "intValue": int,
    "longValue": str,
    "stringValue": str,
    "booleanValue": bool,
    "locationValue": dict,
    "doorValue": dict,
}
ENUMS = {
    "detailedChargeStateValue": "DetailedChargeState",
    "shiftStateValue": "ShiftState",
    "bmsStateValue": "BMSState",
    "fastChargerValue": "FastCharger",
    "cableTypeValue": "CableType",
    "hvacPowerValue": "HvacPowerState",
    "sentryModeStateValue": "SentryModeState",
    "climateKeeperModeValue": "ClimateKeeperModeState",
    "carTypeValue": "CarType",
}


def old_vins(scenario):
    return {car.vin for car in scenario.fleet.cars if car.old_firmware}


def test_members_and_types_of_new_firmware(scenario, seen):
    old, found = old_vins(scenario), Counter()
    for message in seen:
        if message.vin in old:
            continue
        for name, value in message.data.items():
            (member, content), *more = value.items()
            assert not more
            found[member] += 1
            if member == "invalid":
                assert content is True
            elif member in ENUMS:
                assert content.startswith(ENUMS[member])
                assert len(content) > len(ENUMS[member])
            elif content != "NaN":
                assert isinstance(content, MEMBERS[member]), (name, value)
            if member != "invalid" and name in FIELD:
                assert member == FIELD[name].member
    assert set(found) == {*MEMBERS, *ENUMS, "invalid"}


def test_old_firmware_sends_strings_and_empty_values(scenario, seen):
    old, found = old_vins(scenario), Counter()
    assert old
    for message in seen:
        if message.vin in old:
            for value in message.data.values():
                found[next(iter(value), "{}")] += 1
                assert "invalid" not in value
    assert {"stringValue", "{}", "locationValue", "detailedChargeStateValue"} <= set(found)
    assert found["stringValue"] > 10 * found["doubleValue"]


def test_parked_cars_have_no_speed_and_no_gear(scenario, seen):
    invalid = Counter()
    for message in seen:
        for name in ("VehicleSpeed", "Gear", "TimeToFullCharge", "FastChargerType"):
            if name in message.data:
                invalid[name, value_of(message.data[name]) is None] += 1
    for name in ("VehicleSpeed", "Gear", "TimeToFullCharge", "FastChargerType"):
        assert invalid[name, True] > 10
        assert invalid[name, False] > (5 if name != "FastChargerType" else 0)


def test_only_changes_are_sent(clean_seen):
    """Within a connection a field never repeats its value, except the two that are resent every 300 s."""
    last, repeats, values = {}, Counter(), 0
    for message in clean_seen:
        for name, value in message.data.items():
            key = (message.connection, name)
            values += 1
            if last.get(key) == value:
                repeats[name] += 1
            last[key] = value
    assert set(repeats) <= {"Soc", "DetailedChargeState"}
    assert repeats["DetailedChargeState"] > 100
    assert values > 100_000


def test_unchanged_soc_and_state_are_resent_every_300_s_and_nothing_more_often(clean_seen):
    last = {}
    for message in clean_seen:
        if "DetailedChargeState" in message.data:
            key = (message.connection, str(message.data["DetailedChargeState"]))
            assert message.event_ms - last.get(key, 0) > 290_000 or key not in last
            last = {k: v for k, v in last.items() if k[0] != key[0]} | {key: message.event_ms}


def test_records_are_sparse_and_a_connection_starts_with_everything(clean_seen):
    sizes = Counter(len(message.data) for message in clean_seen)
    assert sizes[1] > 1000
    assert sum(count for size, count in sizes.items() if size <= 8) > 0.9 * len(clean_seen)
    snapshot = defaultdict(set)
    for message in clean_seen:
        if message.number <= 3:
            snapshot[message.connection] |= set(message.data)
    for names in snapshot.values():
        assert {field.name for field in FIELDS} <= names | {"Location"}


def test_events_lie_in_distinct_half_seconds_of_a_car(clean_seen):
    buckets = Counter((message.vin, message.event_ms // 500) for message in clean_seen)
    assert max(buckets.values()) == 1


def test_rare_spellings_are_there(messages, seen):
    """A field number instead of a name, NaN as a string, a spaced JSON, long integers as strings."""
    names = {name for message in seen for name in message.data}
    assert any(not isinstance(name, str) for name in names)
    whole = b"".join(message.value or b"" for message in messages)
    assert b'{"doubleValue":"NaN"}' in whole
    assert b'"createdAt": "' in whole
    assert b'"longValue":"' in whole


def test_preconditioning_shows_power_without_charging(seen, scenario):
    """The trap: kilowatts on the line, the car says Complete or Stopped, the pack gets nothing."""
    state, trapped = {}, set()
    for message in sorted((m for m in seen if not m.is_resend), key=lambda m: m.event_ms):
        if "DetailedChargeState" in message.data:
            state[message.vin] = value_of(message.data["DetailedChargeState"])
        power = value_of(message.data.get("ACChargingPower", {}))
        if power is not None and float(power) > 3 and state.get(message.vin) != "DetailedChargeStateCharging":
            trapped.add(message.vin)
    assert len(trapped) >= 2


def test_all_lengths_of_fractions_occur(messages):
    found = Counter()
    for message in messages:
        if not message.expected:
            text = orjson.loads(message.value)["createdAt"]
            assert text.endswith("Z")
            found[len(text.partition(".")[2].rstrip("Z"))] += 1
    assert set(found) <= {0, 3, 6, 9}
    assert min(found[0], found[3], found[9]) > 100


@given(st.lists(st.integers(0, 4_000_000_000 * 10**9), min_size=1, max_size=20))
def test_created_at_keeps_every_nanosecond(moments):
    for moment, text in zip(moments, created_at(np.array(moments)), strict=True):
        assert int(np.datetime64(text[:-1], "ns").astype("int64")) == moment
        assert len(text.partition(".")[2].rstrip("Z")) in (0, 3, 6, 9)
        assert parse_event_time(text).milliseconds == moment // 10**6


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_every_field_is_spelled_as_json_of_its_name(field, old):
    sample = {"doubleValue": 1.5, "intValue": 3, "booleanValue": True, "locationValue": (1.5, -2.25)}
    speller = Speller(old)
    for value in (sample.get(field.member, "Word"), None):
        datum = orjson.loads(speller.one(field, value))
        assert datum["key"] == field.name
        assert len(datum["value"]) == (0 if old and value is None else 1)
