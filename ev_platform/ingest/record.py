"""From one Kafka message to one raw line: who sent it, on which day, spliced without decoding the payload.

A payload is JSON or protobuf, told apart by its first byte; both are checked so far that it can be read again later.

Belongs here: validation that guarantees that every stored line can be read again, routing by VIN and event day, and the
reasons why a message becomes a dead letter. Not here: what the payload means (transform/), where lines are kept
(buffer.py). Nothing here compares with the wall clock: everything follows from the message alone.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

import msgspec
import orjson

from ev_platform.ingest.event_time import EventTime, parse_event_time
from ev_platform.ingest.protobuf import Binary, NotProtobufError, is_protobuf, read_binary
from ev_platform.ingest.readable import unreadable
from ev_platform.lake.layout import valid_vin

CLOCK_AHEAD_MS = 5 * 60_000
"""An event may be this much later than the broker's timestamp; beyond it the vehicle's clock is wrong."""

MAX_ITEMS = 100_000
"""Most commas of a JSON payload, that is most values: some bytes of input must not become millions of rows."""

_CACHE_LIMIT = 100_000


class Reason(StrEnum):
    """Why a message is a dead letter."""

    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    NOT_PROTOBUF = "not_protobuf"
    NO_VIN = "no_vin"
    BAD_VIN = "bad_vin"
    VIN_NOT_KEY = "vin_not_key"
    NO_CREATED_AT = "no_created_at"
    BAD_CREATED_AT = "bad_created_at"
    CLOCK_AHEAD = "clock_ahead"
    BEFORE_START = "before_start"
    TOO_LARGE = "too_large"


class Message(Protocol):
    """What ingest needs of a Kafka message; confluent_kafka.Message has this shape."""

    def topic(self) -> str:
        """Topic."""

    def partition(self) -> int:
        """Partition."""

    def offset(self) -> int:
        """Offset."""

    def timestamp(self) -> tuple[int, int]:
        """(kind, milliseconds); kind 0: the broker gave none."""

    def key(self) -> bytes | None:
        """Key."""

    def value(self) -> bytes | None:
        """Payload; None is a tombstone."""

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        """Headers in the producer's order."""


class Record(msgspec.Struct, frozen=True, gc=False):  # made for every message: a third of what a tuple class takes
    """A readable message: where it belongs, and its raw line."""

    vin: str
    day: str
    line: bytes


class Dead(NamedTuple):
    """A message that cannot be stored under a vehicle and day."""

    reason: StrEnum
    detail: str


class _Routing(msgspec.Struct):
    vin: str = ""
    createdAt: str = ""


_decode = msgspec.json.Decoder(_Routing).decode
_encode = msgspec.json.Encoder(order="sorted").encode  # a tenth of what orjson takes for so small an object


class Router:
    """Routes messages; keeps only caches of VINs and minutes it has seen, so any two routers agree."""

    def __init__(self, start_day: date, max_bytes: int) -> None:
        self._start_day = start_day.isoformat()
        self._max_bytes = max_bytes
        self._vins: dict[str, bytes] = {}

    def route(self, message: Message, *, plain: bool = False) -> Record | Dead | None:
        """Route one message.

        Args:
            message: the message.
            plain: what `readable.plain` says of its payload.

        Returns:
            Record, or Dead with the reason, or None for a tombstone (a message without a value).
        """
        value = message.value()
        if value is None:
            return None
        if len(value) > self._max_bytes:
            return Dead(Reason.TOO_LARGE, f"{len(value)} bytes, at most {self._max_bytes}")
        binary = value[:1] != b"{" and is_protobuf(value)
        found = _read_protobuf(message, value) if binary else _read_json(value, plain=plain)
        if isinstance(found, Dead):
            return found
        vin, created_at, event = found
        if not vin:
            return Dead(Reason.NO_VIN, "vin is missing or empty")
        key = self._vins.get(vin) or self._remember(vin)
        if key is None:
            return Dead(Reason.BAD_VIN, f"{vin[:40]!r} is not a VIN")
        message_key = message.key()
        if message_key is not None and message_key != key:
            return Dead(Reason.VIN_NOT_KEY, f"vin {vin}, key {message_key[:40]!r}")
        if not created_at:
            return Dead(Reason.NO_CREATED_AT, "createdAt is missing or empty")
        if event is None:
            return Dead(Reason.BAD_CREATED_AT, f"{created_at[:40]!r} is not an RFC 3339 time")
        kind, timestamp = message.timestamp()
        if kind and event.milliseconds > timestamp + CLOCK_AHEAD_MS:
            ahead = event.milliseconds - timestamp
            return Dead(Reason.CLOCK_AHEAD, f"{created_at} is {ahead} ms after the broker's timestamp")
        if event.day < self._start_day:
            return Dead(Reason.BEFORE_START, f"{created_at} is before {self._start_day}")
        return Record(vin, event.day, raw_line(message, timestamp, value, binary=binary))

    def _remember(self, vin: str) -> bytes | None:
        if not valid_vin(vin):
            return None
        if len(self._vins) >= _CACHE_LIMIT:  # a flood of invented VINs must not fill the memory
            self._vins.clear()
        return self._vins.setdefault(vin, vin.encode())


def _read_json(value: bytes, *, plain: bool) -> tuple[str, str, EventTime | None] | Dead:
    """(vin, createdAt, event time) of a JSON payload, or why it cannot be read."""
    if not plain and (problem := unreadable(value)) is not None:
        return Dead(Reason.NOT_JSON, problem)
    if len(value) > MAX_ITEMS and value.count(b",") > MAX_ITEMS:
        return Dead(Reason.TOO_LARGE, f"{value.count(b',')} commas, at most {MAX_ITEMS}")
    try:
        routing = _decode(value)
    except (msgspec.MsgspecError, ValueError) as error:
        return _why_dead(value, str(error))
    created_at = routing.createdAt
    return routing.vin, created_at, parse_event_time(created_at) if created_at else None


def _read_protobuf(message: Message, value: bytes) -> Binary | Dead:
    """The same of a protobuf payload."""
    txtype = next((text for name, text in message.headers() or () if name == "txtype"), None)
    try:
        return read_binary(value, message.topic(), txtype)
    except NotProtobufError as error:
        return Dead(Reason.NOT_PROTOBUF, str(error))


def raw_line(message: Message, timestamp: int, value: bytes, *, binary: bool = False) -> bytes:
    """The stored line: identity, sorted headers, and the payload byte for byte (`"b"`: in base64).

    Only the line breaks of a pretty-printed payload become spaces (inside strings JSON forbids them).
    """
    headers = message.headers()
    shown = encode_headers(headers) if headers else b"{}"
    identity = (message.partition(), message.offset(), timestamp)
    if binary:
        payload = binascii.b2a_base64(value, newline=False)
        return b'{"_p":%d,"_o":%d,"_t":%d,"h":%b,"b":"%b"}\n' % (*identity, shown, payload)
    if b"\n" in value or b"\r" in value:
        value = value.replace(b"\n", b" ").replace(b"\r", b" ")
    return b'{"_p":%d,"_o":%d,"_t":%d,"h":%b,"d":%b}\n' % (*identity, shown, value)


def encode_headers(headers: Sequence[tuple[str, bytes | None]]) -> bytes:
    """Headers as a JSON object with sorted keys and string values.

    A value that is not UTF-8 is stored in base64 under `name;base64`; a repeated name as `name#2`, `name#3`, … in the
    producer's order; a header without a value as null.
    """
    try:
        plain = {name: value.decode() for name, value in headers}  # type: ignore[union-attr]
        if len(plain) == len(headers):
            return _encode(plain)
    except (UnicodeDecodeError, AttributeError):
        pass
    return _encode(_rare_headers(headers))


def _rare_headers(headers: Sequence[tuple[str, bytes | None]]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name, value in headers:
        unique, n = name, 1
        while unique in found or f"{unique};base64" in found:
            n += 1
            unique = f"{name}#{n}"
        try:
            found[unique] = None if value is None else value.decode()
        except UnicodeDecodeError:
            found[f"{unique};base64"] = base64.b64encode(value or b"").decode()
    return found


def _why_dead(value: bytes, error: str) -> Dead:
    """Name what the routing decoder refused."""
    try:
        document: Any = orjson.loads(value)
    except orjson.JSONDecodeError as failure:
        return Dead(Reason.NOT_JSON, str(failure)[:200])
    if not isinstance(document, dict):
        return Dead(Reason.NOT_AN_OBJECT, f"a JSON {type(document).__name__}")
    for name, absent, wrong in (
        ("vin", Reason.NO_VIN, Reason.BAD_VIN),
        ("createdAt", Reason.NO_CREATED_AT, Reason.BAD_CREATED_AT),
    ):
        found = document.get(name)
        if found is None:
            return Dead(absent, f"{name} is missing or null")
        if not isinstance(found, str):
            return Dead(wrong, f"{name} is a {type(found).__name__}, not a string")
    return Dead(Reason.NOT_JSON, error[:200])
