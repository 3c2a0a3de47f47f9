"""Raw lines and objects of what was asked for, not streamed: polled payloads and imported rows.

Belongs here: the envelope `{"_h","_t","h","d"}`, content identity, names of raw objects. Not here: what a payload
means (providers/), Kafka's lines (record.py).

A line is known by `_h`, the hash of its content: asked twice, imported twice, it is the same record. `_t` (ms) is part
of the identity, so leave it out unless the source itself gives a time of sending that never changes. An object is named
after the hash of its lines: the same lines give the same key, and writing them again changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import orjson

from ev_platform.ingest.readable import unreadable
from ev_platform.ingest.record import encode_headers
from ev_platform.lake.layout import polled_object_name, temp_key, valid_vin


class PayloadError(ValueError):
    """A payload that could not be read again if it were stored: not JSON, too deep, or for no vehicle."""


def content_hash(*parts: bytes | str) -> str:
    """SHA-256 (hex) of the parts; each is preceded by its length, so that no two lists of parts look alike."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return digest.hexdigest()


def polled_line(
    payload: bytes, digest: str | None = None, headers: Mapping[str, str] | None = None, source_ts: int | None = None
) -> bytes:
    """One raw line; the payload stays byte for byte (only line breaks become blanks).

    Args:
        payload: a JSON object, as received.
        digest: its content hash; without it, the hash of the payload's bytes.
        headers: what is known besides (`receivedat` in ms as text becomes the column received_at).
        source_ts: see the module's text.

    Raises:
        PayloadError: the payload is no JSON that can be read again.
    """
    payload = payload.strip().replace(b"\r", b" ").replace(b"\n", b" ")
    problem = unreadable(payload)
    try:
        if problem is None and type(orjson.loads(payload)) is not dict:
            problem = "not a JSON object"
    except orjson.JSONDecodeError as error:
        problem = f"not JSON: {error}"
    if problem is not None:
        raise PayloadError(problem)
    sent = b"" if source_ts is None else b'"_t":%d,' % source_ts
    shown = encode_headers([(name, value.encode()) for name, value in sorted((headers or {}).items())])
    return b'{"_h":"%b",%b"h":%b,"d":%b}\n' % ((digest or content_hash(payload)).encode(), sent, shown, payload)


def polled_object(source: str, lines: Sequence[bytes]) -> tuple[str, bytes]:
    """(name, bytes) of the raw object of some lines, each with its line break."""
    data = b"".join(lines)
    return polled_object_name(source, hashlib.sha256(data).hexdigest(), len(lines)), data


def polled_objects(source: str, vin: str, days: Mapping[str, Iterable[bytes]]) -> list[tuple[str, bytes]]:
    """(key, bytes) of one vehicle's lines, one object per event day; days without lines make none.

    Raises:
        PayloadError: the VIN cannot become a path.
    """
    if not valid_vin(vin):
        raise PayloadError(f"{vin[:40]!r} is not a VIN")
    objects = []
    for day, found in sorted(days.items()):
        lines = list(found)
        if lines:
            name, data = polled_object(source, lines)
            objects.append((temp_key(vin, day, name), data))
    return objects
