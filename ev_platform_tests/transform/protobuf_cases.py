"""Tesla's records as protobuf messages, and their JSON as Go's protojson writes it: a second, independent writer."""

from __future__ import annotations

import base64
import json
import math
import struct
from decimal import Decimal
from typing import Any

from google.protobuf.descriptor import FieldDescriptor as F
from hypothesis import strategies as st

from ev_platform.signals.tesla_schema import record_classes
from ev_platform_tests.transform.compact_cases import DAY, HEADERS, T0, VIN, line

CLASSES = record_classes()
VALUE = CLASSES["V"].DESCRIPTOR.file.message_types_by_name["Value"]
DAY_S = T0 // 1000


def binary_line(payload: bytes, offset: int = 0, headers: str = HEADERS) -> bytes:
    return b'{"_p":3,"_o":%d,"_t":%d,"h":%s,"b":"%s"}' % (offset, T0, headers.encode(), base64.b64encode(payload))


def json_line(message: Any, offset: int = 0, headers: str = HEADERS) -> bytes:
    return line(go(message), offset=offset, headers=headers)


def headers_for(kind: str) -> str:
    return HEADERS.replace('"txtype":"V"', f'"txtype":"{kind}"')


# -- the second writer --


def go(message: Any) -> str:
    """A message as protojson with EmitUnpopulated writes it (https://protobuf.dev/programming-guides/json)."""
    parts = []
    for field in message.DESCRIPTOR.fields:
        if field.containing_oneof is not None and not message.HasField(field.name):
            continue
        parts.append(f'"{field.json_name}":{_field(message, field)}')
    return "{" + ",".join(parts) + "}"


def _field(message: Any, field: Any) -> str:
    value = getattr(message, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return "{" + ",".join(f"{_word(name)}:{_word(value[name])}" for name in sorted(value)) + "}"
    if field.is_repeated:
        return "[" + ",".join(_one(field, item) for item in value) + "]"
    if field.message_type is not None and not message.HasField(field.name):
        return "null"
    return _one(field, value)


def _one(field: Any, value: Any) -> str:
    if field.message_type is not None:
        if field.message_type.full_name.endswith("Timestamp"):
            return f'"{value.ToJsonString()}"'
        return go(value)
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return str(value) if known is None else f'"{known.name}"'
    if field.type == F.TYPE_INT64:
        return f'"{value}"'
    if field.type == F.TYPE_DOUBLE:
        return go_number(value, repr(value))
    if field.type == F.TYPE_FLOAT:
        return go_number(value, shortest_float32(value))
    return _word(value) if isinstance(value, str) else json.dumps(value)


def _word(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def shortest_float32(value: float) -> str:
    """Fewest digits that read back as the same 32-bit float."""
    if not math.isfinite(value):
        return repr(value)
    packed = struct.pack("f", value)
    for digits in range(1, 18):
        text = f"{value:.{digits - 1}e}"
        try:
            if struct.pack("f", float(text)) == packed:
                return text
        except OverflowError:
            continue
    raise AssertionError(value)


def go_number(value: float, digits: str) -> str:
    """strconv.AppendFloat(…, -1, …) with the formats that protojson chooses."""
    if not math.isfinite(value):
        return '"NaN"' if value != value else '"Infinity"' if value > 0 else '"-Infinity"'
    sign, found, exponent = Decimal(digits).as_tuple()
    text = "".join(map(str, found)).lstrip("0").rstrip("0")
    minus = "-" if sign else ""
    if not text:
        return f"{minus}0"
    point = len(found) - (len(found) - len("".join(map(str, found)).lstrip("0"))) + int(exponent)
    if value != 0 and not 1e-6 <= abs(float(digits)) < 1e21:
        power = point - 1
        rest = f".{text[1:]}" if len(text) > 1 else ""
        return f"{minus}{text[0]}{rest}e{'-' if power < 0 else '+'}{abs(power) if power < 0 else f'{power:02d}'}"
    if point <= 0:
        return f"{minus}0.{'0' * -point}{text}"
    if point >= len(text):
        return f"{minus}{text}{'0' * (point - len(text))}"
    return f"{minus}{text[:point]}.{text[point:]}"


# -- records of every kind --

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(["71.8", "NaN", "", "true"])
_DOUBLES = (
    st.floats(-1e3, 1e3)
    | st.floats()
    | st.integers(-(10**6), 10**6).map(float)
    | st.sampled_from([0.0, -0.0, 80.0, 1e-6, 9.9e-7, 1e21, 1e20, 2.0**53, 2.0**53 + 2, 5e-324, 1e300, 123456.789])
)
_SCALARS = {
    F.TYPE_STRING: WORDS,
    F.TYPE_BOOL: st.booleans(),
    F.TYPE_INT32: st.integers(-(2**31), 2**31 - 1) | st.integers(-3, 100),
    F.TYPE_INT64: st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 100),
    F.TYPE_DOUBLE: _DOUBLES,
    F.TYPE_FLOAT: st.floats(width=32)
    | st.sampled_from([struct.unpack("f", struct.pack("f", x))[0] for x in (0.1, 1e-7, 1e22)]),
    F.TYPE_ENUM: st.integers(0, 12) | st.integers(400, 402) | st.just(-1),
}
_NANOS = st.sampled_from([0, 5 * 10**8, 123_456_000, 999_999_999]) | st.integers(0, 10**9 - 1)


def _moments(seconds: st.SearchStrategy[int]) -> st.SearchStrategy[dict[str, int]]:
    return st.fixed_dictionaries({"seconds": seconds, "nanos": _NANOS})


ON_DAY = _moments(st.integers(DAY_S, DAY_S + 86_399))
_ANY_TIME = _moments(st.integers(-62_135_596_800, 253_402_300_799))


def _content(field: Any) -> st.SearchStrategy[Any]:
    if field.message_type is None:
        return _SCALARS[field.type]
    if field.message_type.full_name.endswith("Timestamp"):
        return _ANY_TIME
    return messages(field.message_type)


def messages(descriptor: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Arguments of a message: any of its fields set, of a oneof at most one."""
    if descriptor.oneofs:
        return st.just({}) | st.one_of([_content(f).map(lambda value, n=f.name: {n: value}) for f in descriptor.fields])
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for field in descriptor.fields:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            optional[field.name] = st.dictionaries(WORDS, WORDS, max_size=3)
        elif field.is_repeated:
            optional[field.name] = st.lists(_content(field), max_size=4)
        else:
            optional[field.name] = _content(field)
    return st.fixed_dictionaries({}, optional=optional)


def records(kind: str) -> st.SearchStrategy[Any]:
    """Messages of one type, of the test's vehicle and day."""
    return st.builds(
        lambda rest, moment: CLASSES[kind](**{**rest, "vin": VIN, "created_at": moment}),
        messages(CLASSES[kind].DESCRIPTOR),
        ON_DAY,
    )


def example(**value: Any) -> Any:
    """A vehicle record with one datum."""
    return CLASSES["V"](data=[{"key": 8, "value": value}], vin=VIN, created_at={"seconds": DAY_S + 36_000})


__all__ = ["CLASSES", "DAY", "VALUE", "VIN", "binary_line", "example", "go", "headers_for", "json_line", "records"]
