"""Every kind of value: what row it becomes, and that it can be read back from the row exactly."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ev_platform.transform import compact_lexeme
from ev_platform.transform.compact import compact
from ev_platform.transform.compact_lexeme import EXACT_INTEGER, spell, spelled_alike, split_number
from ev_platform.transform.tesla_json import BOOL_KINDS
from ev_platform_tests.transform.compact_cases import (
    DATA,
    DAY,
    NUMBERS,
    USUAL_DATA,
    VIN,
    Number,
    buffer,
    datum,
    expected,
    line,
    one,
    read,
    record,
    records,
    tokens,
)

EXAMPLES = {
    '{"doubleValue":71.8261}': [("S", 71.8261, None, "doubleValue", "ok")],
    '{"doubleValue":9.10}': [("S", 9.1, "9.10", "doubleValue", "ok")],
    '{"doubleValue":80}': [("S", 80.0, None, "doubleValue", "ok")],
    '{"doubleValue":80.0}': [("S", 80.0, "80.0", "doubleValue", "ok")],
    '{"doubleValue":"NaN"}': [("S", None, "NaN", "doubleValue", "invalid")],
    '{"doubleValue":"-Infinity"}': [("S", None, "-Infinity", "doubleValue", "invalid")],
    '{"longValue":"1739811600"}': [("S", 1739811600.0, "1739811600", "longValue", "ok")],
    '{"longValue":"9007199254740993"}': [("S", 9007199254740992.0, "9007199254740993", "longValue", "ok")],
    '{"intValue":18446744073709551617}': [("S", 1.8446744073709552e19, "18446744073709551617", "intValue", "ok")],
    '{"booleanValue":true}': [("S", 1.0, None, "booleanValue", "ok")],
    '{"booleanValue":false}': [("S", 0.0, None, "booleanValue", "ok")],
    '{"booleanValue":-0.0}': [("S", -0.0, "-0.0", "booleanValue", "ok")],
    '{"doubleValue":-0.0}': [("S", -0.0, None, "doubleValue", "ok")],
    '{"booleanValue":1}': [("S", 1.0, "1", "booleanValue", "ok")],
    '{"stringValue":"true"}': [("S", None, "true", "stringValue", "ok")],
    '{"stringValue":"71.8"}': [("S", 71.8, "71.8", "stringValue", "ok")],
    '{"stringValue":"1_000"}': [("S", None, "1_000", "stringValue", "ok")],
    '{"stringValue":""}': [("S", None, "", "stringValue", "ok")],
    '{"shiftStateValue":"ShiftStateP"}': [("S", None, "ShiftStateP", "shiftStateValue", "ok")],
    '{"shiftStateValue":9}': [("S", 9.0, None, "shiftStateValue", "ok")],
    '{"brandNewValue":12.5}': [("S", 12.5, None, "brandNewValue", "ok")],
    '{"brandNewValue":true}': [("S", 1.0, "true", "brandNewValue", "ok")],
    '{"brandNewValue":{"a":[9.10]}}': [("S", None, '{"a":[9.10]}', "brandNewValue", "unparsed")],
    '{"doubleValue":1,"intValue":2}': [("S", None, '{"doubleValue":1,"intValue":2}', None, "unparsed")],
    '{"invalid":true}': [("S", None, None, "invalid", "invalid")],
    '{"invalid":false}': [("S", None, "false", "invalid", "unparsed")],
    "{}": [("S", None, None, None, "missing")],
    "null": [("S", None, None, "null", "missing")],
    "7.50": [("S", None, "7.50", None, "unparsed")],
    '{"doubleValue":null}': [("S", None, None, "doubleValue", "missing")],
    '{"locationValue":{"latitude":48.8566,"longitude":2}}': [
        ("S.latitude", 48.8566, None, "locationValue", "ok"),
        ("S.longitude", 2.0, None, "locationValue", "ok"),
    ],
    '{"doorValue":{"DriverFront":false,"TrunkRear":true}}': [
        ("S.DriverFront", 0.0, None, "doorValue", "ok"),
        ("S.TrunkRear", 1.0, None, "doorValue", "ok"),
    ],
    '{"tireLocationValue":{"frontLeft":true}}': [("S.frontLeft", 1.0, None, "tireLocationValue", "ok")],
    '{"timeValue":{"hour":7,"minute":30,"second":0}}': [
        ("S.hour", 7.0, None, "timeValue", "ok"),
        ("S.minute", 30.0, None, "timeValue", "ok"),
        ("S.second", 0.0, None, "timeValue", "ok"),
    ],
}


SOC = datum("Soc", '{"doubleValue":5.5}')


def rows(*texts: str, **more):
    table = compact([one(*texts, **more)], None, VIN, DAY).table
    return list(zip(*(table[name].to_pylist() for name in ("signal", "number", "text", "kind", "status")), strict=True))


@pytest.mark.parametrize("value", EXAMPLES)
def test_a_value_becomes_these_rows(value):
    assert rows(record(f"[{datum('S', value)}]")) == EXAMPLES[value]


def test_a_datum_of_any_shape_is_kept():
    data = (
        '[{"key":259,"value":{"intValue":1}},{"key":"A"},5.50,{"value":{}},'
        '{"key":"B","value":{"intValue":2},"unit":"km","t":1.50}]'
    )
    table = compact([one(record(data))], None, VIN, DAY).table
    assert table["signal"].to_pylist() == ["259", "A", None, None, "B"]
    assert table["status"].to_pylist() == ["ok", "missing", "unparsed", "unparsed", "ok"]
    assert table["kind"].to_pylist() == ["intValue", "absent", None, None, "intValue"]
    assert table["text"].to_pylist() == [None, None, "5.50", '{"value":{}}', None]
    assert table["unit"].to_pylist() == [None, None, None, None, "km"]
    assert json.loads(table["extra"][4].as_py())["datum"] == {"t": 1.5}
    assert '"t":1.50' in table["extra"][4].as_py()


@pytest.mark.parametrize("data", ["[]", "null"])
def test_a_record_without_data_leaves_one_empty_row(data):
    assert rows(record(data)) == [(None, None, None, None, "empty")]


def test_alerts_errors_and_connectivity():
    alert = (
        '{"alerts":[{"name":"BMS_a066","audiences":["Customer"],"startedAt":"2026-11-02T09:00:00Z","endedAt":null},'
        f'{{"name":"lone"}},7],"createdAt":"{DAY}T10:00:00Z","vin":"{VIN}"}}'
    )
    assert rows(alert) == [
        ("alert.BMS_a066.audiences", None, '["Customer"]', "alert", "ok"),
        ("alert.BMS_a066.startedAt", None, "2026-11-02T09:00:00Z", "alert", "ok"),
        ("alert.BMS_a066.endedAt", None, None, "alert", "missing"),
        ("alert.lone", None, "{}", "alert", "ok"),
        (None, None, "7", "alert", "unparsed"),
    ]
    when = f'"createdAt":"{DAY}T10:00:00Z","vin":"{VIN}"'
    error = f'{{"errors":[{{"createdAt":"x","name":"e1","tags":{{"k":"v"}},"body":9.10}}],{when}}}'
    assert rows(error) == [
        ("error.e1.createdAt", None, "x", "error", "ok"),
        ("error.e1.tags.k", None, "v", "error", "ok"),
        ("error.e1.body", 9.1, "9.10", "error", "ok"),
    ]
    connected = f'{{"connectionId":"9b2f","status":"CONNECTED",{when},"networkInterface":"wifi","z":1}}'
    assert rows(connected) == [
        ("connectivity.connectionId", None, "9b2f", "connectivity", "ok"),
        ("connectivity.status", None, "CONNECTED", "connectivity", "ok"),
        ("connectivity.networkInterface", None, "wifi", "connectivity", "ok"),
    ]
    extra = compact([one(connected, headers="{}")], None, VIN, DAY).table["extra"].to_pylist()
    assert extra == ['{"record":{"z":1}}'] * 3


def test_columns_of_a_record():
    headers = '{"receivedat":"1793577600123","txid":"ab-1","version":"7","vin":"other","new":"x"}'
    text = record(f"[{SOC}]", more=',"isResend":true,"later":{"a":9.10}')
    row = compact([one(text, offset=42, headers=headers)], None, VIN, DAY).table.to_pylist()[0]
    assert (row["vin"], row["event_time"].isoformat(), row["event_time_ns"]) == (
        VIN,
        f"{DAY}T10:00:00.123456+00:00",
        789,
    )
    assert (row["provider"], row["source"], row["partition"], row["offset"]) == ("tesla", "tesla_V", 3, 42)
    assert (row["received_at"].timestamp(), row["txid"], row["is_resend"]) == (1793577600.123, "ab-1", True)
    assert json.loads(row["extra"]) == {
        "headers": {"new": "x", "version": "7", "vin": "other"},
        "record": {"later": {"a": 9.1}},
    }
    assert "9.10" in row["extra"]


def test_an_unreadable_received_time_is_kept_as_text():
    for text in ('"soon"', '"99999999999999999999"', "null", '"١٢"'):
        headers = f'{{"receivedat":{text},"txid":"t"}}'
        row = compact([one(record("[]"), headers=headers)], None, VIN, DAY).table.to_pylist()[0]
        assert row["received_at"] is None
        assert json.loads(row["extra"])["headers"] == {"receivedat": json.loads(text)}


# -- read back ---------------------------------------------------------------------------------------------------------


def said(row):
    """What a row says, by the rules in the docstring of tesla_json.py."""
    kind, number, text, status = row["kind"], row["number"], row["text"], row["status"]
    if status == "unparsed":
        return None if kind not in ("invalid",) and row["signal"] is None else kind, ("json", read(text))
    if status == "missing":
        if kind in (None, "null", "absent"):
            return None, {None: "nothing", "null": "null", "absent": "absent"}[kind]
        return kind, "null"
    if kind == "invalid":
        return kind, "invalid"
    if text is None:
        if kind in BOOL_KINDS and number in (0.0, 1.0):
            return kind, ("bool", "true" if number else "false")
        return kind, ("number", spell(number))
    if text in ("true", "false") and number is not None:
        return kind, ("bool", text)
    return kind, tokens(kind, text if number is None else Number(text))


def tokens_of(table):
    found = []
    for row in table.to_pylist():
        if row["status"] != "empty":
            kind, value = said(row)
            found.append((row["signal"], kind, value))
    return found


def strip_kind(found):
    """The kind of a value that is kept as JSON text stands in that text or in the column; compare it where it is."""
    return [(signal, None if isinstance(v, tuple) and v[0] == "json" else kind, v) for signal, kind, v in found]


@settings(max_examples=120, deadline=None)
@given(st.lists(records(DATA), min_size=1, max_size=3))
def test_every_value_can_be_read_back_exactly(texts):
    lines = [line(text, offset) for offset, text in enumerate(texts)]
    table = compact([buffer(lines)], None, VIN, DAY).table
    by_offset = {}
    for row in table.to_pylist():
        by_offset.setdefault(row["offset"], []).append(row)
    for offset, text in enumerate(texts):
        here = [(r["signal"], *said(r)) for r in by_offset[offset] if r["status"] != "empty"]
        assert strip_kind(here) == strip_kind(expected(text))


@settings(max_examples=120, deadline=None)
@given(st.lists(records(USUAL_DATA), min_size=1, max_size=6), st.booleans())
def test_the_fast_way_reads_as_the_slow_one(texts, spaced):
    if spaced:
        texts = [text.replace('":', '": ').replace(',"', ', "') for text in texts]
    lines = [line(text, offset) for offset, text in enumerate(texts)]
    fast = compact([buffer(lines)], None, VIN, DAY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ev_platform.transform.compact_lines.add_chunk", lambda *args: None)
        slow = compact([buffer(lines)], None, VIN, DAY)
    assert fast.table.equals(slow.table)
    assert fast.bad_lines == slow.bad_lines


def test_the_usual_lines_do_take_the_fast_way(monkeypatch):
    seen = []
    from ev_platform.transform import compact_lines

    real = compact_lines.add_chunk
    monkeypatch.setattr(compact_lines, "add_chunk", lambda *args: seen.append(real(*args)) or seen[-1])
    usual = [SOC, datum("Location", '{"locationValue":{"latitude":1.5,"longitude":2.5}}')]
    compact([buffer([line(record(f"[{','.join(usual)}]"), offset) for offset in range(100)])], None, VIN, DAY)
    assert len(seen) == 2
    assert None not in seen


@given(NUMBERS)
def test_a_number_and_its_text_reproduce_what_was_written(lexeme):
    number, text = split_number(compact_lexeme.Lexeme(lexeme))
    assert (text if text is not None else spell(number)) == lexeme
    if number is not None:
        assert number == float(lexeme)


@given(
    st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-EXACT_INTEGER, EXACT_INTEGER).map(float))
)
def test_every_double_is_spelled_so_that_it_can_be_read_back(number):
    assert float(spell(number)) == number


@settings(max_examples=100)
@given(records(DATA))
def test_only_lines_that_orjson_reproduces_pass_the_spelling_test(text):
    import orjson

    whole = line(text)
    parsed = orjson.loads(whole)["d"]
    if spelled_alike(whole, parsed, b'"d":', b"}"):
        written = read(orjson.dumps(parsed).decode())
        assert written == read(text)  # numbers compared as they are written


def test_the_spelling_test_can_fail():
    import orjson

    for lexeme in ("9.10", "1E5", "-0", "1e5", "123456789012345678901"):
        whole = line(record('[{"key":"Soc","value":{"doubleValue":' + lexeme + "}}]"))
        assert not spelled_alike(whole, orjson.loads(whole)["d"], b'"d":', b"}")
