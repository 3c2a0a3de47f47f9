"""Raw lines for the compaction tests, spelled by hand so that every character counts, and an independent reader."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Sequence

from hypothesis import strategies as st

from ev_platform.lake.layout import kafka_object_name, temp_key

VIN = "5YJ3E1EA7KF317000"
DAY = "2026-11-02"
T0 = 1_793_577_600_000
"""2026-11-02T00:00:00Z in ms."""
HEADERS = (
    '{"device_client_version":"1.2.0","receivedat":"1793577600123","timestamp":"0","txid":"ab-000000001",'
    f'"txtype":"V","version":"0","vin":"{VIN}"}}'
)


def record(data: str, created: str = "10:00:00.123456789Z", vin: str = VIN, more: str = ',"isResend":false') -> str:
    return f'{{"data":{data},"createdAt":"{DAY}T{created}","vin":"{vin}"{more}}}'


def datum(key: str, value: str) -> str:
    return f'{{"key":"{key}","value":{value}}}'


def line(text: str, offset: int = 0, partition: int = 3, ts: int = T0, headers: str = HEADERS) -> bytes:
    return f'{{"_p":{partition},"_o":{offset},"_t":{ts},"h":{headers},"d":{text}}}'.encode()


def buffer(lines: Sequence[bytes], source: str = "tesla_V", first: int = 0) -> tuple[str, bytes]:
    """One raw object; offsets in its name are made up, its checksum is right."""
    data = b"".join(text + b"\n" for text in lines)
    name = kafka_object_name(source, 3, first, first + max(len(lines) - 1, 0), len(lines), zlib.crc32(data))
    return temp_key(VIN, DAY, name), data


def one(text: str, **more: object) -> tuple[str, bytes]:
    return buffer([line(text, **more)])  # type: ignore[arg-type]


# -- values of every kind, as they may be written ---------------------------------------------------------------------

NUMBERS = st.one_of(
    st.floats(-1e3, 1e3).map(repr),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(2**70), 2**70).map(str),
    st.decimals(-1000, 1000, places=3).map(str),
    st.sampled_from(["9.10", "80", "80.0", "-0", "-0.0", "0.0", "1E5", "1e-5", "0.00001", "1e22", "1e+22", "1e-7"]),
)
WORDS = st.one_of(
    st.sampled_from(["ShiftStateP", "true", "false", "", "71.8261", "9.10", "NaN", "Infinity", "1e5", " 5", "7"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
).map(lambda text: json.dumps(text, ensure_ascii=False))
SCALARS = st.one_of(NUMBERS, WORDS, st.sampled_from(["true", "false", "null"]))
KINDS = st.sampled_from(
    ["doubleValue", "intValue", "longValue", "floatValue", "stringValue", "booleanValue", "shiftStateValue", "newValue"]
)
_STRUCTS = st.one_of(
    st.builds('{{"latitude":{},"longitude":{}}}'.format, SCALARS, SCALARS).map('{{"locationValue":{}}}'.format),
    st.builds('{{"DriverFront":{},"x":{}}}'.format, SCALARS, SCALARS).map('{{"doorValue":{}}}'.format),
    st.builds('{{"newValue":{{"a":{},"b":[1.50,{}]}}}}'.format, SCALARS, SCALARS),
    st.builds('{{"newValue":[{}]}}'.format, SCALARS),
    st.builds('{{"doubleValue":{},"intValue":{}}}'.format, NUMBERS, NUMBERS),
)
VALUES = st.one_of(
    st.builds('{{"{}":{}}}'.format, KINDS, SCALARS),
    st.builds('{{"{}":{}}}'.format, KINDS, SCALARS),
    _STRUCTS,
    st.sampled_from(['{"invalid":true}', '{"invalid":false}', "{}", "null", "5", "[1]", '{"locationValue":{}}']),
)
_KEYS = st.sampled_from(["Soc", "Gear", "Location", "VehicleSpeed"])
DATA = st.one_of(
    st.builds(datum, _KEYS, VALUES),
    st.builds(datum, _KEYS, VALUES),
    st.builds('{{"key":{},"value":{}}}'.format, st.integers(0, 999), VALUES),
    st.builds('{{"value":{},"key":"{}"}}'.format, VALUES, _KEYS),
    st.builds('{{"key":"{}","value":{},"unit":"km","q":{}}}'.format, _KEYS, VALUES, SCALARS),
    st.sampled_from(['{"key":"Soc"}', "{}", "7", "null", '{"key":null,"value":{}}', "[]"]),
)
USUAL_DATA = st.one_of(
    st.builds(datum, _KEYS, st.builds('{{"doubleValue":{}}}'.format, NUMBERS)),
    st.builds(datum, _KEYS, st.builds('{{"{}":{}}}'.format, KINDS, SCALARS)),
    st.builds(datum, _KEYS, _STRUCTS),
    st.sampled_from([datum("Gear", '{"invalid":true}'), datum("Gear", '{"shiftStateValue":"ShiftStateD"}')]),
)
_CLOCKS = st.sampled_from(["00:00:00Z", "10:00:00.5Z", "10:00:00.123456789Z", "23:59:59.999999999Z", "12:00:00+01:00"])


def records(data: st.SearchStrategy[str] = DATA) -> st.SearchStrategy[str]:
    items = st.lists(data, max_size=4).map(lambda parts: "[" + ",".join(parts) + "]")
    more = st.sampled_from([',"isResend":false', ',"isResend":true', "", ',"new":{"x":[1.50]},"isResend":null'])
    return st.builds(record, items, _CLOCKS, more=more)


# -- an independent reader ---------------------------------------------------------------------------------------------


class Number(str):
    """A JSON number, as written."""


def read(text: str) -> object:
    return json.loads(text, parse_float=Number, parse_int=Number)


def tokens(kind: str | None, value: object) -> object:
    """What a value says: a number and a string of digits are the same thing to proto3 JSON, where a number is due."""
    if isinstance(value, Number):
        return ("number", str(value))
    if isinstance(value, str):
        due = kind in ("doubleValue", "floatValue", "intValue", "longValue", "stringValue")
        return ("number" if due and _is_number(value) else "word", value)
    return (type(value).__name__, json.dumps(value))


def _is_number(text: str) -> bool:
    try:
        return isinstance(json.loads(text, parse_float=Number, parse_int=Number), Number) and text == text.strip()
    except ValueError:
        return False


def expected(text: str) -> list[tuple[object, ...]]:
    """(signal, kind, what it says) of each datum of a record, straight from its JSON."""
    found: list[tuple[object, ...]] = []
    for item in read(text)["data"]:  # type: ignore[index]
        key = item.get("key") if isinstance(item, dict) else None
        if not isinstance(item, dict) or key is None:
            found.append((None, None, ("json", item)))
            continue
        value = item.get("value", "absent") if "value" in item else "absent"
        if value == "absent" and "value" not in item:
            found.append((key, None, "absent"))
        elif value is None:
            found.append((key, None, "null"))
        elif value == {}:
            found.append((key, None, "nothing"))
        elif not isinstance(value, dict) or len(value) > 1:
            found.append((key, None, ("json", value)))
        else:
            ((kind, inner),) = value.items()
            found += _member(key, kind, inner)
    return found


def _member(key: str, kind: str, inner: object) -> Iterable[tuple[object, ...]]:
    if kind == "invalid":
        yield (key, kind, "invalid" if inner is True else ("json", inner))
    elif isinstance(inner, dict) and inner and kind in ("locationValue", "doorValue", "tireLocationValue", "timeValue"):
        for part, value in inner.items():
            yield from _member(f"{key}.{part}", kind, value)
    elif isinstance(inner, dict | list):
        yield (key, kind, ("json", inner))
    elif inner is None:
        yield (key, kind, "null")
    else:
        yield (key, kind, tokens(kind, inner))
