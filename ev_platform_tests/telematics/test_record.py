"""The id rule: which readings are stored where, and why others are dead letters."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ev_platform.ingest.record import Dead, Record
from ev_platform.ingest.telematics import moved
from ev_platform.ingest.telematics_record import FIELDS, reading_ms
from ev_platform_tests.telematics.cases import DAY_MS, DEVICE, T0, reading, route


def test_a_reading_is_filed_by_device_and_its_own_day():
    found = route(reading(T0 + DAY_MS - 1), offset=7)
    assert (found.vin, found.day) == (DEVICE, "2026-11-01")
    line = json.loads(found.line)
    assert (line["_p"], line["_o"], line["d"]) == (0, 7, reading(T0 + DAY_MS - 1))
    assert route(reading(T0 + DAY_MS)).day == "2026-11-02"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "not_json"),
        (b"[]", "not_an_object"),
        (b"\xff", "not_json"),
        (reading(deviceId=None), "no_device"),
        (reading(deviceId=""), "no_device"),
        (reading(deviceId=7), "bad_device"),
        (reading(deviceId="../etc"), "bad_device"),
        (reading(deviceId="a" * 65), "bad_device"),
        (reading(variable=None), "no_variable"),
        (reading(variable=" "), "no_variable"),
        (reading(timeMili=None, timestamp=None), "no_time"),
        (reading(timeMili="1.5976E+12", timestamp="30:02.5"), "no_time"),
        (reading(timeMili=1597600000000.0, timestamp="30:02.5"), "no_time"),
        (reading(timeMili=-5, timestamp="soon"), "no_time"),
        (reading(T0 + 5 * DAY_MS + 300_001), "clock_ahead"),
        (reading(1_500_000_000_000), "before_start"),
        (b'"' + b"x" * 2**20 + b'"', "too_large"),
    ],
)
def test_reasons(body, reason):
    found = route(body)
    assert isinstance(found, Dead)
    assert found.reason.value == reason


def test_the_key_must_be_the_device():
    assert route(reading(), key=b"other").reason.value == "device_not_key"
    assert isinstance(route(reading(), key=DEVICE.encode()), Record)
    assert route(None) is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"timeMili": 1597602602123, "timestamp": "1999-01-01 00:00:00"}, 1597602602123),
        ({"timeMili": "1597602602123"}, 1597602602123),
        ({"timeMili": 1597602602123.0}, 1597602602123),
        ({"timeMili": "1.5976E+12", "timestamp": "2020-08-16 18:30:02.123000"}, 1597602602123),
        ({"timestamp": "2020-08-16 18:30:02"}, 1597602602000),
        ({"timestamp": "2020-08-16 18:30:02.1239999"}, None),
        ({"timestamp": "2020-02-30 18:30:02"}, None),
        ({"timeMili": True}, None),
        ({"timeMili": 10**15}, None),
    ],
)
def test_damaged_times(fields, expected):
    assert reading_ms(fields) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON, st.sampled_from(FIELDS))
def test_whatever_stands_in_a_field_nothing_raises(value, name):
    body = reading(**{name: value})
    try:
        data = json.dumps(body).encode()
    except ValueError:
        return
    assert isinstance(route(data), Record | Dead)


def test_the_engines_folders():
    assert moved("temp/a/b.json") == "temp_telematics/a/b.json"
    assert moved("ops/offsets/2026-11-01/x.json") == "ops/telematics/offsets/2026-11-01/x.json"
    assert moved("dead_letter/2026/11/01/x.json") == "dead_letter/2026/11/01/x.json"
