"""Protobuf payloads on the hot path: recognised by their first byte, parsed once, only VIN and createdAt looked at.

Belongs here: what routing needs of a binary record. The whole payload is parsed (in C, about a microsecond), so what
is stored can be read later; what it says is read at compaction (transform/tesla_protobuf.py). Not here: the schema
(signals/tesla_schema.py), validation shared with JSON (record.py).
"""

from __future__ import annotations

from typing import NamedTuple

from google.protobuf.message import DecodeError

from ev_platform.ingest.event_time import EventTime
from ev_platform.signals.tesla_schema import MOST_ENTRIES, entries, record_classes, record_type, timestamp_text

_FIRST_TAGS = frozenset((b"\x0a", b"\x12", b"\x1a"))
"""Fields 1 to 3, length-delimited: writers keep the order of fields, and each record has its VIN among these."""

_NEVER_IN_JSON = b"\x08"
"""Tag of a Timestamp's seconds; JSON allows it nowhere, not even in strings. Tells "\\n{…" from a record."""


class Binary(NamedTuple):
    """What routing needs; `created_at` is empty where there is none, `event` None where it cannot be a time."""

    vin: str
    created_at: str
    event: EventTime | None


class NotProtobufError(ValueError):
    """The payload cannot be read as the record that its topic or header names."""


def is_protobuf(value: bytes) -> bool:
    """Whether a payload that does not begin with `{` is meant to be protobuf; no JSON object is taken for one."""
    if value[:1] not in _FIRST_TAGS:
        return False
    return _NEVER_IN_JSON in value or value.lstrip()[:1] != b"{"


def read_binary(value: bytes, source: str, txtype: bytes | None) -> Binary:
    """VIN and time of a record.

    Raises:
        NotProtobufError: not a record of that type, or one with more than `MOST_ENTRIES` entries.
    """
    kind = record_type(source, None if txtype is None else txtype.decode("ascii", "replace"))
    try:
        message = record_classes()[kind].FromString(value)
    except DecodeError:
        raise NotProtobufError(f"not a protobuf record of type {kind}") from None
    if entries(kind, message) > MOST_ENTRIES:
        raise NotProtobufError(f"{entries(kind, message)} entries, at most {MOST_ENTRIES}")
    if not message.HasField("created_at"):
        return Binary(message.vin, "", None)
    seconds, nanos = message.created_at.seconds, message.created_at.nanos
    text = timestamp_text(seconds, nanos)
    if text is None:
        return Binary(message.vin, f"{seconds} s {nanos} ns", None)
    return Binary(message.vin, text, EventTime(seconds * 1000 + nanos // 1_000_000, text[:10]))
