"""Messages that could not be read: kept whole, with the reason, so that nothing is lost and all can be redriven.

One line per message: {p, o, t, key_b64, value_b64, headers, reason, detail}. The topic stands in the object's name.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from ev_platform.ingest.record import Dead, Message, encode_headers
from ev_platform.lake.layout import day_path
from ev_platform.lake.store import ObjectStore

PREFIX = "dead_letter"


@dataclass(frozen=True)
class DeadLetter:
    """One dead letter as it was stored."""

    source: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes
    headers: dict[str, str | None]
    reason: str
    detail: str


def dead_line(message: Message, dead: Dead) -> bytes:
    """The stored line of a message that could not be read."""
    key = message.key()
    body: dict[str, Any] = {
        "p": message.partition(),
        "o": message.offset(),
        "t": message.timestamp()[1],
        "key_b64": None if key is None else base64.b64encode(key).decode(),
        "value_b64": base64.b64encode(message.value() or b"").decode(),
        "headers": orjson.Fragment(encode_headers(message.headers() or [])),
        "reason": dead.reason.value,
        "detail": dead.detail,
    }
    return orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE)


def dead_letter_keys(store: ObjectStore, day: str | None = None) -> list[str]:
    """Keys of the dead-letter objects, of one UTC day of the broker's timestamp or of all."""
    return store.keys(PREFIX if day is None else f"{PREFIX}/{day_path(day)}")


def read_dead_letters(store: ObjectStore, day: str | None = None) -> Iterator[DeadLetter]:
    """Dead letters of one day or of all, by object and offset; repeats of a replayed message are dropped."""
    seen: set[tuple[str, int, int, int]] = set()
    for key, data in store.get_many(dead_letter_keys(store, day)):
        source = key.rsplit("/", 1)[-1].rsplit("-", 5)[0]
        for line in (data or b"").splitlines():
            body = orjson.loads(line)
            identity = (source, body["p"], body["o"], body["t"])
            if identity not in seen:
                seen.add(identity)
                yield DeadLetter(
                    *identity,
                    None if body["key_b64"] is None else base64.b64decode(body["key_b64"]),
                    base64.b64decode(body["value_b64"]),
                    body["headers"],
                    body["reason"],
                    body["detail"],
                )


def count_dead_letters(store: ObjectStore, day: str | None = None) -> Counter[str]:
    """Dead letters by reason, of one day or of all."""
    return Counter(letter.reason for letter in read_dead_letters(store, day))
