"""The same messages as Tesla's server sends them without `transmit_decoded_records`: protobuf instead of JSON.

Belongs here: one JSON payload of the simulator to the bytes of the same record. Not here: which records exist.
"""

from __future__ import annotations

from typing import Any

import orjson
from google.protobuf import json_format

from ev_platform.signals.tesla_schema import record_classes
from ev_platform.simulate.wire import Message

NOT_JSON, NOT_PROTOBUF = "not_json", "not_protobuf"
"""A payload cut short, in the words of ingest, in either format."""


def as_protobuf(message: Message) -> Message:
    """The message with a binary payload; a truncated one stays truncated, a tombstone stays empty."""
    if message.value is None:
        return message
    if message.expected == NOT_JSON:
        whole = _payload({"vin": (message.key or b"").decode(), "createdAt": "2026-01-01T00:00:00Z"})
        return message._replace(value=whole[:-1], expected=NOT_PROTOBUF)
    return message._replace(value=_payload(orjson.loads(message.value)))


def _payload(record: dict[str, Any]) -> bytes:
    payload = record_classes()["V"](vin=record["vin"], is_resend=record.get("isResend", False))
    if record.get("createdAt"):
        payload.created_at.FromJsonString(record["createdAt"])
    numbers = payload.DESCRIPTOR.file.enum_types_by_name["Field"].values_by_name
    for datum in record.get("data", ()):
        key, value = datum["key"], datum["value"]
        added = payload.data.add(key=key if isinstance(key, int) else numbers[key].number)
        number = value.get("doubleValue")
        if type(number) is float:  # most of them; the general way costs twenty times as much
            added.value.double_value = number
        else:
            json_format.ParseDict(value, added.value)
            added.value.SetInParent()  # `{}` is a value with no member, not the absence of one
    return bytes(payload.SerializeToString())
