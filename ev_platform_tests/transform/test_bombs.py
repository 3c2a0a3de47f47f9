"""Lines made to break a reader: each costs one bad line, whatever stands beside it is read, and rows stay bounded."""

import pytest

from ev_platform.transform import compact_lines
from ev_platform.transform.compact import compact
from ev_platform.transform.compact_lines import MAX_LINE_BYTES
from ev_platform_tests.transform.compact_cases import DAY, VIN, buffer, datum, line, record
from ev_platform_tests.transform.protobuf_cases import CLASSES, binary_line, example


def soc(value: str) -> str:
    return record("[" + datum("Soc", '{"doubleValue":' + value + "}") + "]")


def nested(depth: int, opening: str = "[", closing: str = "]") -> str:
    return opening * depth + closing * depth


def group(depth: int) -> bytes:
    return b"\xfb\x3f" * depth + b"\xfc\x3f" * depth


BOMBS = {
    "deep list": line(soc(nested(100_000))),
    "deep object": line(soc('{"a":' * 5000 + "1" + "}" * 5000)),
    "deep headers": line(soc("1"), headers=nested(50_000, '{"a":', "}").replace(":}", ":1}", 1)),
    "deep bare line": nested(200_000).encode(),
    "millions of empty data": line(record("[" + ",".join(["{}"] * 400_000) + "]")),
    "millions of keys": line(record("[]", more="," + ",".join(f'"k{n}":1' for n in range(150_000)))),
    "a longer line than any": line(soc('"' + "x" * MAX_LINE_BYTES + '"')),
    "deep groups": binary_line(example(double_value=1).SerializeToString() + group(50_000)),
    "a flood of entries": binary_line(b"\x0a\x00" * 1_000_000 + example().SerializeToString()),
    "a flood of alerts": binary_line(
        b"\x0a\x00" * 100_000 + CLASSES["alerts"](vin=VIN, created_at=example().created_at).SerializeToString(),
        headers='{"txtype":"alerts"}',
    ),
}
HARMLESS = {
    "a number of a million digits": line(soc("9" * 1_000_000)),
    "an exponent beyond every number": line(soc("1e999999999")),
    "a string of four megabytes": line(record("[" + datum("S", '{"stringValue":"' + "9" * 2**22 + '"}') + "]")),
    "nested as deep as ingest lets pass": line(soc(nested(60))),
}


def read(bomb: bytes):
    return compact([buffer([bomb, line(soc("5.5"), offset=1)])], None, VIN, DAY)


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_one_line(name):
    found = read(BOMBS[name])
    assert [bad.number for bad in found.bad_lines] == [1]
    assert len(found.bad_lines[0].reason) < 200
    assert found.table["offset"].to_pylist() == [1]


@pytest.mark.parametrize("name", HARMLESS)
def test_what_looks_like_a_bomb_and_is_none(name):
    found = read(HARMLESS[name])
    assert found.records_in + len(found.bad_lines) == 2
    assert 1 in found.table["offset"].to_pylist()
    assert len(found.table) < 10


def test_without_the_limit_a_line_becomes_hundreds_of_thousands_of_rows(monkeypatch):
    """The control."""
    monkeypatch.setattr(compact_lines, "MAX_COMMAS", 10**9)
    assert len(read(BOMBS["millions of empty data"]).table) == 400_001


def test_what_ingest_accepts_at_its_limit_is_read():
    data = "[" + ",".join(["{}"] * 100_000) + "]"
    assert len(read(line(record(data))).table) == 100_001
