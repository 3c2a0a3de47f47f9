"""Protobuf and JSON of the same record become the same rows, whatever the record; nothing unknown is lost."""

from __future__ import annotations

import base64
import json

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st

from ev_platform.signals.tesla_schema import RECORDS, record_type, timestamp_text
from ev_platform.transform import tesla_protobuf
from ev_platform.transform.compact import compact
from ev_platform_tests.transform.compact_cases import HEADERS, buffer
from ev_platform_tests.transform.protobuf_cases import (
    CLASSES,
    DAY,
    VALUE,
    VIN,
    binary_line,
    example,
    go,
    headers_for,
    json_line,
    records,
)

KINDS = pytest.mark.parametrize("kind", RECORDS)


def rows_of(*lines, source="tesla_V"):
    found = compact([buffer(list(lines), source)], None, VIN, DAY)
    assert not found.bad_lines, found.bad_lines
    return found.table


def same(message, kind):
    headers = headers_for(kind)
    binary = rows_of(binary_line(message.SerializeToString(), headers=headers))
    decoded = rows_of(json_line(message, headers=headers))
    assert binary.to_pylist() == decoded.to_pylist()
    assert binary.equals(decoded, check_metadata=True)
    return binary


@KINDS
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_protobuf_to_json_gives_the_same_rows(kind, data):
    same(data.draw(records(kind)), kind)


@KINDS
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_json_to_protobuf_gives_the_same_rows(kind, data):
    """The other direction: the runtime's own JSON reader makes the message, so that the oracle is checked as well."""
    message = data.draw(records(kind))
    text = go(message)
    again = json_format.Parse(text, CLASSES[kind]())
    headers = headers_for(kind)
    assert go(again) == text
    assert rows_of(binary_line(again.SerializeToString(), headers=headers)).to_pylist() == (
        rows_of(json_line(message, headers=headers)).to_pylist()
    )


@pytest.mark.parametrize("member", [field.name for field in VALUE.fields])
def test_every_member_and_every_word(member):
    field = VALUE.fields_by_name[member]
    if field.enum_type is not None:
        values = [*field.enum_type.values_by_number, 99]
    elif field.message_type is not None:
        values = [{}, {field.message_type.fields[0].name: 1}]
    else:
        values = {"string_value": ["", "x"], "boolean_value": [True, False], "invalid": [True, False]}.get(
            member, [0, 7]
        )
    for value in values:
        found = same(example(**{member: value}), "V")
        assert set(found["kind"].to_pylist()) == {field.json_name}
        if value == 99 and field.enum_type is not None:
            assert (found["number"][0].as_py(), found["text"][0].as_py()) == (99.0, None)


def test_numbers_are_spelled_as_tesla_s_server_spells_them():
    for value, text in [
        (80.0, None),
        (1e21, None),
        (1e-7, None),
        (-0.0, "-0"),
        (0.1, None),
        (2.0**53 + 2, "9007199254740994"),
    ]:
        found = same(example(double_value=value), "V")
        assert (found["number"][0].as_py(), found["text"][0].as_py()) == (value, text), value
    assert same(example(float_value=0.1), "V")["number"][0].as_py() == 0.1
    assert same(example(double_value=float("nan")), "V")["status"][0].as_py() == "invalid"
    assert same(example(long_value=2**63 - 1), "V")["text"][0].as_py() == str(2**63 - 1)


def test_both_formats_in_one_object():
    message = example(double_value=71.8261)
    lines = [json_line(message, offset=0), binary_line(message.SerializeToString(), offset=1)] * 40
    table = compact([buffer(lines)], None, VIN, DAY)
    assert (table.records, table.repeats, table.records_in) == (2, 78, 80)
    columns = [name for name in table.table.column_names if name != "offset"]
    assert table.table.slice(0, 1).select(columns).equals(table.table.slice(1, 1).select(columns))


# -- what the schema does not know --

VARINT, BYTES, FIXED64, FIXED32, GROUP = (
    b"\xf8\x3f\x07",
    b"\xfa\x3f\x02hi",
    b"\xf9\x3f" + b"\1" * 8,
    b"\xfd\x3f" + b"\2" * 4,
    b"\xfb\x3f\x08\x05\xfc\x3f",
)
"""Field 1023 in every wire type."""
SPELLED = {
    VARINT: 7,
    BYTES: {"base64": base64.b64encode(b"hi").decode()},
    FIXED64: {"fixed64": int.from_bytes(b"\1" * 8, "little")},
    FIXED32: {"fixed32": int.from_bytes(b"\2" * 4, "little")},
    GROUP: {"group": {"1": 5}},
}


def sized(tag: bytes, content: bytes) -> bytes:
    return tag + bytes([len(content)]) + content


def payload(value: bytes, in_datum: bytes = b"", in_record: bytes = b"") -> bytes:
    datum = b"\x08\x08" + sized(b"\x12", value) + in_datum
    moment = example().created_at.SerializeToString()
    return sized(b"\x0a", datum) + sized(b"\x12", moment) + sized(b"\x1a", VIN.encode()) + in_record


@pytest.mark.parametrize("extra", SPELLED, ids=["varint", "bytes", "fixed64", "fixed32", "group"])
def test_unknown_fields_are_kept_at_every_level(extra):
    wanted = SPELLED[extra]
    (row,) = rows_of(binary_line(payload(extra))).to_pylist()  # a member of Value newer than the schema
    assert (row["signal"], row["kind"]) == ("Soc", "1023")
    kept = row["number"] if row["text"] is None else json.loads(row["text"])
    assert kept == wanted
    known = b"\x29" + b"\0" * 6 + b"\x54\x40"  # double_value 80
    (row,) = rows_of(binary_line(payload(known, in_datum=extra))).to_pylist()
    assert (row["number"], json.loads(row["extra"])["datum"]) == (80.0, {"1023": wanted})
    (row,) = rows_of(binary_line(payload(known, in_record=extra + extra))).to_pylist()
    assert (row["number"], json.loads(row["extra"])["record"]) == (80.0, {"1023": [wanted, wanted]})
    (row,) = rows_of(binary_line(payload(known + extra))).to_pylist()  # a known and an unknown member at once
    assert (row["status"], json.loads(row["text"])) == ("unparsed", {"doubleValue": 80, "1023": wanted})
    located = rows_of(binary_line(payload(sized(b"\x3a", extra)))).to_pylist()
    assert {r["signal"] for r in located} == {
        "Location.latitude".replace("Location", "Soc"),
        "Soc.longitude",
        "Soc.1023",
    }


def test_without_the_second_look_unknown_fields_would_be_lost(monkeypatch):
    """The control: the test above sees it when the quick way is taken for every record."""
    reader = tesla_protobuf._reader
    monkeypatch.setattr(tesla_protobuf, "_reader", lambda kind, unknown: reader(kind, False))
    (row,) = rows_of(binary_line(payload(VARINT))).to_pylist()
    assert row["kind"] != "1023"


def test_a_signal_newer_than_the_schema_keeps_its_number():
    message = CLASSES["V"](data=[{"key": 999, "value": {"int_value": 3}}], vin=VIN, created_at=example().created_at)
    assert same(message, "V")["signal"].to_pylist() == ["999"]


@settings(max_examples=300, deadline=None)
@given(noise=st.binary(max_size=60), at=st.integers(0, 40))
def test_any_bytes_are_a_record_or_one_bad_line(noise, at):
    good = example(double_value=71.5).SerializeToString()
    damaged = good[:at] + noise + good[at:]
    found = compact([buffer([binary_line(damaged, 0), binary_line(good, 1)])], None, VIN, DAY)
    assert found.records_in + len(found.bad_lines) == 2
    assert 1 in found.table["offset"].to_pylist()
    for bad in found.bad_lines:
        assert bad.number == 1
        assert "\n" not in bad.reason


@pytest.mark.parametrize("text", ['"!!"', "7", "null", '"AAA"'])
def test_a_line_that_is_no_base64(text):
    line = b'{"_p":3,"_o":0,"_t":0,"h":{},"b":%s}' % text.encode()
    found = compact([buffer([line])], None, VIN, DAY)
    assert [bad.reason for bad in found.bad_lines] == ["b is not base64"]


def test_the_record_type_comes_from_the_header_or_the_topic():
    assert record_type("tesla_V", None) == record_type("tesla_alerts", "V") == record_type("vehicles", None) == "V"
    assert record_type("tesla_alerts", None) == record_type("tesla_V", "alerts") == "alerts"
    assert record_type("a_connectivity", "unheard") == "connectivity"
    alert = CLASSES["alerts"](
        alerts=[{"name": "BMS_a066", "audiences": [1, 3, 9]}], vin=VIN, created_at=example().created_at
    )
    headers = HEADERS.replace(',"txtype":"V"', "")
    found = rows_of(binary_line(alert.SerializeToString(), headers=headers), source="tesla_alerts")
    assert found["signal"].to_pylist() == [f"alert.BMS_a066.{part}" for part in ("audiences", "startedAt", "endedAt")]
    assert found["text"][0].as_py() == '["Customer","Service_fix",9]'


@settings(max_examples=200, deadline=None)
@given(seconds=st.integers(-62_135_596_800, 253_402_300_799), nanos=st.integers(0, 10**9 - 1))
def test_times_are_spelled_as_protobuf_spells_them(seconds, nanos):
    message = CLASSES["V"](created_at={"seconds": seconds, "nanos": nanos})
    assert timestamp_text(seconds, nanos) == message.created_at.ToJsonString()


@pytest.mark.parametrize(("seconds", "nanos"), [(253_402_300_800, 0), (-62_135_596_801, 0), (0, -1), (0, 10**9)])
def test_times_that_no_timestamp_can_hold(seconds, nanos):
    assert timestamp_text(seconds, nanos) is None
