"""Compaction of lines: order, repeats, merges, bad lines, the three forms of a line, days."""

from __future__ import annotations

import inspect
import random
import sys

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ev_platform.lake.layout import temp_key
from ev_platform.lake.schemas import COMPRESSED, IDENTITY
from ev_platform.lake.tables import from_parquet, to_parquet
from ev_platform.transform.compact import compact, read_batch
from ev_platform.transform.compact_merge import SchemaError, missing, records_of
from ev_platform_tests.transform.compact_cases import DATA, DAY, T0, USUAL_DATA, VIN, buffer, line, one, record, records

SOC = '[{"key":"Soc","value":{"doubleValue":5.5}},{"key":"Gear","value":{"shiftStateValue":"ShiftStateP"}}]'


def soc_line(offset, clock="10:00:00Z", **more):
    return line(record(SOC, clock), offset, **more)


def stored(buffers, existing=None):
    """The bytes that a lake would hold after merging these buffers into what it holds."""
    table = None if existing is None else from_parquet(existing)
    return to_parquet(compact(buffers, table, VIN, DAY).table)


@settings(max_examples=25, deadline=None)
@given(st.lists(records(st.one_of(DATA, USUAL_DATA)), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_bytes_depend_only_on_the_set_of_records(texts, shuffle: random.Random):
    sources = ["tesla_V", "tesla_alerts"]
    parts = [
        (sources[n % 2], line(text, offset=n // 3, partition=n % 3, ts=T0 + n % 2)) for n, text in enumerate(texts)
    ]
    whole = stored([buffer([raw for source, raw in parts if source == name], name) for name in sources])
    for _ in range(3):
        again = parts + shuffle.choices(parts, k=shuffle.randrange(4))
        shuffle.shuffle(again)
        held = None
        while again:
            n = shuffle.randint(1, 5)
            taken, again = again[:n], again[n:]
            buffers = [buffer([raw for source, raw in taken if source == name], name) for name in sources]
            shuffle.shuffle(buffers)
            held = stored(buffers, held)
        held = stored([buffer([raw for source, raw in parts if source == name], name) for name in sources], held)
        assert held == whole


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 150), st.randoms(use_true_random=False))
def test_each_identity_is_stored_once_whatever_was_repeated(n, shuffle: random.Random):
    lines = [soc_line(offset, f"10:{offset % 60:02d}:00Z", ts=T0 + offset % 2) for offset in range(n)]
    repeated = lines + shuffle.choices(lines, k=n)
    shuffle.shuffle(repeated)
    cut = shuffle.randrange(len(repeated))
    first = compact([buffer(repeated[:cut])], None, VIN, DAY)
    result = compact([buffer(repeated[cut:])], first.table, VIN, DAY)
    assert result.records == n
    assert records_of(result.table).num_rows == len(result.table) / 2 == n
    assert first.records + result.records_in == result.records + result.repeats
    assert missing(read_batch([buffer(lines)], VIN, DAY).identities, records_of(result.table)) == 0


def test_the_order_is_canonical():
    lines = [
        soc_line(9, "10:00:00.000000002Z", partition=1),
        soc_line(3, "10:00:00.000000001Z", partition=1),
        soc_line(2, "10:00:00.000000001Z", partition=1),
        soc_line(1, "10:00:00.000000001Z", partition=2),
        soc_line(2, "10:00:00.000000001Z", partition=1, ts=T0 - 5),
        soc_line(8, "09:00:00Z", partition=2),
    ]
    table = compact([buffer(lines)], None, VIN, DAY).table
    order = list(zip(*(table[name].to_pylist() for name in ("partition", "offset", "source_ts")), strict=True))
    assert order[::2] == [(2, 8, T0), (1, 2, T0 - 5), (1, 2, T0), (1, 3, T0), (2, 1, T0), (1, 9, T0)]
    assert table["signal"].to_pylist() == ["Soc", "Gear"] * 6, "rows of a record stay together, in their order"
    assert table.schema.equals(COMPRESSED, check_metadata=True)


@pytest.mark.parametrize(
    "different", [{"offset": 8}, {"partition": 4}, {"ts": T0 + 1}], ids=["offset", "partition", "timestamp"]
)
def test_every_part_of_the_identity_counts(different):
    place = {"offset": 7, "partition": 3, "ts": T0}
    lines = [soc_line(**place), soc_line(**(place | different)), soc_line(**place)]
    result = compact([buffer(lines)], None, VIN, DAY)
    assert (result.records, result.repeats) == (2, 1)
    other = compact([buffer([soc_line(**place)], "tesla_alerts")], result.table, VIN, DAY)
    assert (other.records, other.repeats) == (3, 0), "the topic is part of the identity"


def test_the_stored_record_wins():
    first = compact([one(record(SOC), offset=1)], None, VIN, DAY).table
    changed = one(record('[{"key":"Soc","value":{"doubleValue":99.5}}]'), offset=1)
    result = compact([changed], first, VIN, DAY)
    assert result.table.equals(first)
    assert result.repeats == 1


# -- bad lines ---------------------------------------------------------------------------------------------------------

BAD = {
    b'{"_p":3,"_o":1,"_t":5,"h":{},"d":{"data":[{"key":"So': "not JSON",
    b"[1,2]": "not a JSON object",
    b'"text"': "not a JSON object",
    line("7"): "the record is no JSON object",
    line('{"data":[]}'): "the record is no JSON object with a createdAt",
    line('{"data":[],"createdAt":null}'): "createdAt",
    line(record("[]").replace(DAY, "2026-11-03")): f"createdAt is not on {DAY}",
    line(record("[]").replace(DAY, "2026-13-03")): "createdAt is unreadable",
    line(record("[]", "10:00:00")): "createdAt is unreadable",
    line(record("[]", vin="5YJ3E1EA7KF317001")): "vin differs",
    line(record(SOC, vin="5YJ3E1EA7KF317001")): "vin differs",
    b'{"_p":3,"_o":"1","_t":5,"h":{},"d":{}}': "not a place in Kafka",
    b'{"_p":-3,"_o":1,"_t":5,"h":{},"d":{}}': "not a place in Kafka",
    b'{"_p":3,"_o":9223372036854775808,"_t":5,"h":{},"d":{}}': "not a place in Kafka",
    b'{"_p":true,"_o":1,"_t":5,"h":{},"d":{}}': "not a place in Kafka",
    line('{"data":[' * 600 + "]}" * 600): "",
    line(record('[{"key":"Soc","value":{"doubleValue":1e400}}]')): "not JSON",
    line(record("[]")).replace(b"tesla", b"\xff\xfe") + b"\xff": "not JSON",
}


@pytest.mark.parametrize("bad", BAD, ids=[str(n) for n in range(len(BAD))])
@pytest.mark.parametrize("others", [0, 1, 130])
def test_a_bad_line_costs_one_line(bad, others):
    good = [soc_line(10 + offset) for offset in range(others)]
    key, data = buffer([*good[: others // 2], bad, *good[others // 2 :]])
    result = compact([(key, data)], None, VIN, DAY)
    assert result.records == result.records_in == others
    assert [(line.key, line.number, line.raw) for line in result.bad_lines] == [(key, others // 2 + 1, bad)]
    assert BAD[bad] in result.bad_lines[0].reason
    assert result.table.equals(compact([buffer(good)], None, VIN, DAY).table)


def test_lines_are_never_read_across_their_ends():
    """Three broken lines that, joined, would read as three records: two on the first line, one over the other two."""
    whole = line(record('[{"key":"Soc","value":{"newValue":[1,2]}}]'), 3)
    start, end = whole.split(b"1,2")
    broken = [soc_line(1) + b"," + soc_line(2), start + b"1", b"2" + end]
    for n in range(3):
        result = compact([buffer([*broken, *[soc_line(9)] * n])], None, VIN, DAY)
        assert [bad.raw for bad in result.bad_lines] == broken
        assert result.records == min(n, 1)


def test_blank_lines_and_a_missing_last_newline_are_no_lines():
    key, data = buffer([soc_line(1), b"", b"  \t", soc_line(2)])
    result = compact([(key, data[:-1])], None, VIN, DAY)
    assert (result.records, result.bad_lines) == (2, [])


def test_rows_of_a_record_that_fails_half_way_are_taken_back():
    deep = '{"newValue":' + '{"a":' * 240 + "1" + "}" * 240 + "}"  # read in C, but too deep for the writer in Python
    bad = line(record(f'[{{"key":"A","value":{{"invalid":true}}}},{{"key":"B","value":{deep}}}]'), offset=5)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 200)
    try:
        result = compact([buffer([bad, soc_line(6)])], None, VIN, DAY)
    finally:
        sys.setrecursionlimit(limit)
    assert result.table["offset"].to_pylist() == [6, 6]
    assert result.table["status"].to_pylist() == ["ok", "ok"]
    assert [line.reason for line in result.bad_lines] == ["nested too deeply"]


def test_a_key_named_twice_keeps_the_whole_line():
    twice = line(record('[{"key":"Soc","value":{"doubleValue":1.5,"doubleValue":2.5}}]'))
    table = compact([buffer([twice])], None, VIN, DAY).table
    assert table["number"].to_pylist() == [2.5]
    assert "1.5" in table["extra"][0].as_py()


# -- forms of a line, days ---------------------------------------------------------------------------------------------


def test_polled_lines_are_known_by_their_content():
    raw = b'{"_h":"aa11","_t":5,"h":{},"d":' + record(SOC).encode() + b"}"
    other = raw.replace(b"aa11", b"bb22")
    key = temp_key(VIN, DAY, f"tesla-{'0' * 64}-2.json")
    result = compact([(key, raw + b"\n" + other + b"\n" + raw + b"\n")], None, VIN, DAY)
    assert (result.records, result.repeats) == (2, 1)
    assert result.table["record_hash"].to_pylist() == ["aa11", "aa11", "bb22", "bb22"]
    assert set(result.table["source"].to_pylist()) == {"tesla"}
    assert set(result.table["partition"].to_pylist()) == {None}


def test_lines_of_a_provider_without_a_parser_are_bad_lines_not_lost():
    raw = b'{"_h":"aa11","d":' + record(SOC).encode() + b"}"
    key = temp_key(VIN, DAY, f"unheard_of-{'0' * 64}-1.json")
    result = compact([(key, raw + b"\n")], None, VIN, DAY)
    assert len(result.table) == 0
    assert [(bad.raw, bad.reason) for bad in result.bad_lines] == [(raw, "no parser for this provider")]


def test_bare_objects_are_known_by_their_place():
    text = record(SOC).encode()
    buffers = [(temp_key(VIN, DAY, "by-hand.json"), text + b"\n" + text + b"\n")]
    result = compact(buffers, None, VIN, DAY)
    assert (result.records, result.repeats) == (2, 0)
    assert set(result.table["source"].to_pylist()) == {"files"}
    again = compact(buffers, result.table, VIN, DAY)
    assert (again.records, again.repeats) == (2, 2)
    other = compact([(buffers[0][0], text.replace(b"5.5", b"6.5") + b"\n")], result.table, VIN, DAY)
    assert (other.records, other.repeats) == (3, 0), "the same key used again for other lines loses none"


def test_sources_of_one_compaction_do_not_mix():
    lines = [soc_line(offset) for offset in range(5)]
    hand = (temp_key(VIN, DAY, "by-hand.json"), record(SOC).encode())
    result = compact([buffer(lines, "a_V"), hand, buffer(lines, "b_V")], None, VIN, DAY)
    assert sorted(set(result.table["source"].to_pylist())) == ["a_V", "b_V", "files"]
    assert result.records == 11


@pytest.mark.parametrize(
    ("created", "us", "ns"),
    [
        ("2026-11-02T00:00:00Z", 0, 0),
        ("2026-11-02T23:59:59.999999999Z", 86_399_999_999, 999),
        ("2026-11-02T00:00:00.000000001Z", 0, 1),
        ("2026-11-02t10:00:00.5z", 36_000_500_000, 0),
        ("2026-11-03T01:30:00+02:00", 84_600_000_000, 0),
        ("2026-11-01T23:30:00.12345678901-01:00", 1_800_123_456, 789),
    ],
)
def test_event_times_are_kept_to_the_nanosecond(created, us, ns):
    text = record(SOC).replace(f"{DAY}T10:00:00.123456789Z", created)
    table = compact([one(text)], None, VIN, DAY).table
    assert table["event_time"].cast(pa.int64()).to_pylist() == [T0 * 1000 + us] * 2
    assert table["event_time_ns"].to_pylist() == [ns] * 2


@settings(max_examples=60, deadline=None)
@given(
    st.datetimes(
        min_value=__import__("datetime").datetime(2020, 1, 1), max_value=__import__("datetime").datetime(2040, 1, 1)
    ),
    st.integers(0, 9),
    st.sampled_from(["Z", "z", "+02:00", "-11:30", "+00:00"]),
    st.sampled_from("Tt"),
)
def test_what_ingest_files_under_a_day_belongs_to_that_day(moment, digits, offset, letter):
    from ev_platform.ingest.event_time import parse_event_time

    fraction = f".{moment.microsecond:06d}789"[: digits + 1] if digits else ""
    created = f"{moment:%Y-%m-%d}{letter}{moment:%H:%M:%S}{fraction}{offset}"
    day = parse_event_time(created).day
    text = record(SOC).replace(f"{DAY}T10:00:00.123456789Z", created)
    result = compact([one(text)], None, VIN, day)
    assert (result.records, result.bad_lines) == (1, [])


def test_a_stored_table_of_another_shape_is_refused():
    with pytest.raises(SchemaError):
        compact([one(record(SOC))], pa.table({"vin": ["x"]}), VIN, DAY)


def test_nothing_makes_an_empty_table():
    result = compact([], None, VIN, DAY)
    assert len(result.table) == 0
    assert result.table.schema.equals(COMPRESSED)
    assert compact([(temp_key(VIN, DAY, "x.json"), b"")], None, VIN, DAY).records == 0


def test_missing_counts_identities_that_are_not_stored():
    held = compact([buffer([soc_line(1), soc_line(2)])], None, VIN, DAY).table
    wanted = read_batch([buffer([soc_line(2), soc_line(3), soc_line(3)]), buffer([soc_line(1)], "b_V")], VIN, DAY)
    assert missing(wanted.identities, records_of(held)) == 2
    assert wanted.identities.column_names == IDENTITY
