"""Tesla's protobuf records as the JSON that Tesla's server would have made of them, so that both become the same rows.

Belongs here: proto3's JSON form (every field present, words of enumerations, 64-bit integers as strings, numbers
spelled as Go spells them) and what goes beyond it: fields and words without a line in the schema are kept under their
numbers. Not here: the schema (signals/tesla_schema.py), rows (tesla_json.py).

An unknown field stands under its number as a string, `"55"`: a varint as an integer, anything else as an object that
names its wire type, `{"base64": …}`, `{"fixed64": …}`, `{"fixed32": …}`, `{"group": {…}}`; several of one number as a
list. A word of an enumeration that has no name is its number, as in Tesla's own JSON.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from typing import Any

import numpy as np
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from ev_platform.ingest.lexeme import Lexeme
from ev_platform.signals.tesla_schema import MOST_ENTRIES, RECORDS, entries, record_classes, record_type, timestamp_text
from ev_platform.transform.compact_lexeme import EXACT_INTEGER

_PLAIN = (1e-4, 1e15)
"""Fractions of this size are spelled alike by Go, Python and orjson."""

_VARINT, _FIXED64, _BYTES, _GROUP, _FIXED32 = 0, 1, 2, 3, 5
_Convert = Callable[[Any], Any]


class NotReadableError(ValueError):
    """The stored text is not base64, or not a record of the type that its topic or header names."""


def read_record(text: object, source: str, headers: object) -> dict[str, Any]:
    """One stored record.

    Args:
        text: base64 of the payload.
        source: its topic.
        headers: its Kafka headers; `txtype` names the kind of record, else the topic does.

    Raises:
        NotReadableError: it cannot be read.
    """
    txtype = headers.get("txtype") if isinstance(headers, dict) else None
    kind = record_type(source, txtype if isinstance(txtype, str) else None)
    if not isinstance(text, str):
        raise NotReadableError("b is not base64")
    message_class = record_classes()[kind]
    try:
        payload = base64.b64decode(text, validate=True)
        message = message_class.FromString(payload)
    except binascii.Error:
        raise NotReadableError("b is not base64") from None
    except DecodeError:
        raise NotReadableError(f"not a protobuf record of type {kind}") from None
    if entries(kind, message) > MOST_ENTRIES:
        raise NotReadableError(f"more than {MOST_ENTRIES} entries in one record")
    message.DiscardUnknownFields()
    usual = message.SerializeToString() == payload  # nothing unknown in it, or the bytes would differ
    found: dict[str, Any] = _reader(kind, not usual)(message if usual else message_class.FromString(payload))
    return found


@lru_cache(maxsize=2 * len(RECORDS))
def _reader(kind: str, unknown: bool) -> _Convert:
    """The function that reads records of one type, with or without a look for unknown fields."""
    return _message_reader(record_classes()[kind].DESCRIPTOR, unknown)


def _message_reader(descriptor: Any, unknown: bool) -> _Convert:  # noqa: ANN401 - generated class
    """A function that makes one message a JSON object, fields in the order of their numbers."""
    if descriptor.oneofs:
        return _oneof_reader(descriptor, unknown)
    fields = [_field_reader(field, unknown) for field in descriptor.fields]

    def read(message: Any) -> dict[str, Any]:  # noqa: ANN401 - generated class
        found = {name: convert(message) for name, convert in fields}
        return found | _unknown(UnknownFieldSet(message)) if unknown else found

    return read


def _oneof_reader(descriptor: Any, unknown: bool) -> _Convert:  # noqa: ANN401 - generated class
    """The same for a message whose only fields are the members of one oneof: the member that is set, or nothing."""
    (oneof,) = descriptor.oneofs
    members = {field.name: (field.json_name, _value_reader(field, unknown)) for field in descriptor.fields}

    def read(message: Any) -> dict[str, Any]:  # noqa: ANN401 - generated class
        member = message.WhichOneof(oneof.name)
        found: dict[str, Any] = {}
        if member is not None:
            name, convert = members[member]
            found[name] = convert(getattr(message, member))
        return found | _unknown(UnknownFieldSet(message)) if unknown else found

    return read


def _field_reader(field: Any, unknown: bool) -> tuple[str, _Convert]:  # noqa: ANN401 - generated class
    """(JSON name, function that reads the field of a message)."""
    get = attrgetter(field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return field.json_name, lambda message: dict(sorted(get(message).items()))
    convert = _value_reader(field, unknown)
    if field.is_repeated:
        return field.json_name, lambda message: list(map(convert, get(message)))
    if field.message_type is None:
        return field.json_name, lambda message: convert(get(message))
    name = field.name
    return field.json_name, lambda message: convert(get(message)) if message.HasField(name) else None


def _value_reader(field: Any, unknown: bool) -> _Convert:  # noqa: ANN401 - generated class
    """How one value of a field becomes JSON."""
    if field.type == FieldDescriptor.TYPE_ENUM:
        words = {value.number: value.name for value in field.enum_type.values}
        return lambda number: words.get(number, number)
    if field.message_type is not None:
        of_time = field.message_type.full_name == "google.protobuf.Timestamp"
        return _timestamp if of_time else _message_reader(field.message_type, unknown)
    conversions: dict[Any, _Convert] = {
        FieldDescriptor.TYPE_DOUBLE: _double,
        FieldDescriptor.TYPE_FLOAT: _float,
        FieldDescriptor.TYPE_INT64: str,
    }
    return conversions.get(field.type, _same)


def _same(value: object) -> object:
    return value


def _timestamp(value: Any) -> str | dict[str, int]:  # noqa: ANN401 - generated class
    text = timestamp_text(value.seconds, value.nanos)
    return {"seconds": value.seconds, "nanos": value.nanos} if text is None else text


def _double(value: float) -> object:
    size = abs(value)
    return value if value % 1 and _PLAIN[0] < size < _PLAIN[1] else _spelled(value, repr(value))


def _float(value: float) -> object:
    return _spelled(value, str(np.float32(value)))


def _spelled(value: float, shortest: str) -> object:
    """A number as Go's protojson spells it, given the shortest digits that stand for it."""
    if value != value or value in (float("inf"), float("-inf")):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    exact = Decimal(shortest)
    size = abs(exact)
    if size == 0:
        return Lexeme("-0") if exact.is_signed() else 0
    if exact == exact.to_integral_value() and size <= EXACT_INTEGER:
        return int(exact)
    if Decimal("1e-6") <= size < Decimal("1e21"):
        text = format(exact, "f")
        return Lexeme(text.rstrip("0").rstrip(".") if "." in text else text)
    digits, _, exponent = format(exact.normalize(), "e").partition("e")
    power = int(exponent)
    return Lexeme(f"{digits}e-{-power}" if power < 0 else f"{digits}e+{power:02d}")


def _unknown(fields: Any) -> dict[str, Any]:  # noqa: ANN401 - generated class
    """Fields that the schema has no line for, by number."""
    found: dict[str, list[Any]] = {}
    for field in fields:
        data: Any = field.data
        if field.wire_type == _BYTES:
            data = {"base64": base64.b64encode(data).decode()}
        elif field.wire_type == _GROUP:
            data = {"group": _unknown(data)}
        elif field.wire_type != _VARINT:
            data = {"fixed64" if field.wire_type == _FIXED64 else "fixed32": data}
        found.setdefault(str(field.field_number), []).append(data)
    return {number: data[0] if len(data) == 1 else data for number, data in sorted(found.items())}
