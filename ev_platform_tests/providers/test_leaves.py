"""Payloads to leaves: every value once, with its own time and unit, whatever the shape; poller and compaction agree."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ev_platform.ingest.lexeme import loads_lexemes
from ev_platform.ingest.polled import polled_line, polled_objects
from ev_platform.providers.base import Fetched
from ev_platform.providers.leaves import dated, day_of
from ev_platform.providers.payload import news
from ev_platform.providers.shapes import LEAVES
from ev_platform.transform.compact import compact
from ev_platform_tests.providers.conftest import DAY, NOW, VINS

VIN = VINS[0]
T1, T2 = "2026-11-02T10:00:00.000Z", "2026-11-01T09:00:00Z"


def leaves(provider, payload):
    text = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return {
        leaf.signal: (str(leaf.value), leaf.unit, leaf.time) for leaf in dated(LEAVES[provider](loads_lexemes(text)))
    }


def test_high_mobility_units_lists_structs_and_failures():
    found = leaves(
        "high_mobility",
        {
            "vin": VIN,
            "charging": {
                "battery_level": {"data": 0.62, "timestamp": T1},
                "battery_energy": {"data": {"unit": "kilowatt_hours", "value": 31.40}, "timestamp": T2},
                "battery_temperature_extremes": {
                    "data": {"highest": {"unit": "celsius", "value": 9}, "lowest": {"unit": "celsius", "value": 7}},
                    "timestamp": T1,
                },
                "departure_times": [{"data": {"state": "active"}, "timestamp": T1}, {"data": {"state": "inactive"}}],
            },
            "diagnostics": {"battery_voltage": {"failure": {"reason": "oem_error", "description": "n/a"}}},
        },
    )
    assert found["charging.battery_level"] == ("0.62", None, T1)
    assert found["charging.battery_energy"] == ("31.4", "kilowatt_hours", T2)
    assert found["charging.battery_temperature_extremes.lowest"] == ("7", "celsius", T1)
    assert found["charging.departure_times.1.state"] == ("inactive", None, T1), "undated: the payload's latest time"
    assert found["diagnostics.battery_voltage.failure.reason"] == ("oem_error", None, T1)


SOC = {"value": "64", "unit": "percent", "timestamp": T1}


@pytest.mark.parametrize(
    "payload",
    [
        {"telematicData": {"k": SOC}},
        {"telematicData": [{"name": "k", **SOC}]},
        {"data": [{"key": "k", "value": "64", "unit": "percent", "info": "", "date_of_value": T1}]},
        {"vehiclePushKeyValues": [{"vin": VIN, "pushKeyValues": [{"key": "k", "info": "", **SOC}]}]},
        {"vin": VIN, "entityId": "e", "topic": "t", "timestamp": T2, "data": {"k": SOC}},
    ],
    ids=["map", "list of names", "list of keys", "push", "stream"],
)
def test_every_shape_of_bmw_gives_the_same_leaf(payload):
    assert leaves("bmw", payload)["k"] == ("64", "percent", T1)


@pytest.mark.parametrize("percentage", ['"57"', "57"])
@pytest.mark.parametrize("rate", ["28", '{"value":28,"unit":"km/h"}'])
def test_mobilisights_text_or_number_with_or_without_unit(percentage, rate):
    text = (
        f'{{"vin":"{VIN}","electricity":{{"level":{{"percentage":{percentage},"datetime":"{T1}"}},"charging":'
        f'{{"plugged":true,"rate":{rate},"remainingTime":{{}},"datetime":"{T2}"}}}}}}'
    )
    found = leaves("mobilisights", text.encode())
    assert found["electricity.level.percentage"] == ("57", None, T1)
    assert found["electricity.charging.rate"] == ("28", "km/h" if "km/h" in rate else None, T2)
    assert found["electricity.charging.remainingTime"] == ("{}", None, T2)


def test_tesla_times_of_blocks_and_of_the_gps_fix():
    block = {"latitude": 48.1, "speed": None, "gps_as_of": 1793620000, "timestamp": 1793620800000}
    payload = {"vin": VIN, "drive_state": block, "vehicle_config": {"car_type": "model3"}}
    for body in (payload, {"response": payload}):
        found = leaves("tesla_rest", body)
        assert found["drive_state.latitude"][2] == "2026-11-02T11:46:40.000Z"
        assert found["drive_state.speed"] == ("None", None, "2026-11-02T12:00:00.000Z")
        assert found["vehicle_config.car_type"][2] == "2026-11-02T12:00:00.000Z"


SCALARS = (
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(-1e6, 1e6) | st.text('aé"\\{}', max_size=4)
)
TIMES = st.sampled_from(
    [
        "2026-11-02T10:00:00Z",
        "2026-11-02T23:59:59.999999Z",
        "2026-11-01T23:00:00-01:00",
        "2026-11-01T01:00:00Z",
        "never",
        5,
    ]
)
NODES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2)
    | st.fixed_dictionaries({}, optional={name: inner for name in ("a", "b", "value", "data", "percentage")})
    | st.builds(
        lambda node, time, name, unit: {"value": node, name: time, "unit": unit},
        inner, TIMES, st.sampled_from(["timestamp", "datetime"]), st.sampled_from(["km", None, 5]),
    ),
    max_leaves=10,
)  # fmt: skip


@settings(deadline=None)
@given(st.sampled_from(sorted(LEAVES)), st.dictionaries(st.sampled_from("abcde"), NODES, max_size=4))
def test_whatever_the_payload_poller_and_compaction_agree_and_nothing_raises(provider, payload):
    text = json.dumps({**payload, "anchor": {"value": 1, "timestamp": T1, "datetime": T1}}).encode()
    item = news(provider, Fetched(VIN, text, NOW + 86_400_000), set(), frozenset(), "2026-10-01", NOW)
    stored = {}
    for key, data in polled_objects(provider, VIN, {day: [item.line] for day in item.days}):
        day = key.split("/")[2]
        result = compact([(key, data)], None, VIN, day)
        assert result.bad_lines == []
        stored[day] = sorted(result.table["record_hash"].to_pylist())
    assert stored == item.days, "every new leaf of every day, each once"
    again = news(provider, Fetched(VIN, text, NOW + 86_400_000), item.seen, frozenset(), "2026-10-01", NOW)
    assert again.days == {}


@settings(deadline=None)
@given(st.sampled_from(sorted(LEAVES)), st.dictionaries(st.sampled_from("abcde"), NODES, max_size=4))
def test_every_scalar_of_a_payload_is_in_a_leaf(provider, payload):
    def scalars(node):
        if isinstance(node, dict):
            return [one for part in node.values() for one in scalars(part)]
        return [one for part in node for one in scalars(part)] if isinstance(node, list) else [node]

    document = loads_lexemes(json.dumps(payload).encode())
    held = [leaf for leaf in LEAVES[provider](document)]
    texts = [str(leaf.value) for leaf in held] + [
        str(x) for leaf in held for x in (leaf.unit, leaf.time) if x is not None
    ]
    for one in scalars(document):
        known_time = str(one) in {"5"} and provider == "tesla_rest"
        absent_unit = one is None  # a null unit says the same as none
        assert str(one) in texts or known_time or absent_unit or str(one).isdigit()


def test_spelling_of_numbers_survives():
    text = f'{{"vin":"{VIN}","odometer":{{"value":20446.00,"unit":"km","datetime":"{T1}"}}}}'.encode()
    ((key, data),) = polled_objects("mobilisights", VIN, {DAY: [polled_line(text)]})
    rows = compact([(key, data)], None, VIN, DAY).table.to_pylist()
    odometer = next(row for row in rows if row["signal"] == "odometer")
    assert (odometer["number"], odometer["text"], odometer["unit"]) == (20446.0, "20446.00", "km")


def test_a_line_without_a_leaf_of_the_day_is_a_bad_line_not_lost():
    text = f'{{"vin":"{VIN}","odometer":{{"value":1,"datetime":"{T2}"}}}}'.encode()
    ((key, data),) = polled_objects("mobilisights", VIN, {DAY: [polled_line(text)]})
    result = compact([(key, data)], None, VIN, DAY)
    assert [bad.raw for bad in result.bad_lines] == [data.rstrip(b"\n")]


def test_days_are_utc_days_of_the_leaves():
    found = dated(LEAVES["mobilisights"](loads_lexemes(b'{"a":{"value":1,"datetime":"2026-11-02T00:30:00+01:00"}}')))
    assert [day_of(leaf) for leaf in found] == ["2026-11-01"]
