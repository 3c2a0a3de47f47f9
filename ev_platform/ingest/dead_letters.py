"""Messages that could not be read: kept whole, with the reason, so that nothing is lost and all can be redriven.

One line per message: {p, o, t, key_b64, value_b64, headers, reason, detail}. The topic stands in the object's name.
Objects are never changed; what was redriven (redrive.py) is listed in `ops/redriven/` and left out here.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from ev_platform.ingest.record import Dead, Message, encode_headers
from ev_platform.lake.layout import day_path, valid_source
from ev_platform.lake.store import ObjectStore

log = logging.getLogger(__name__)

PREFIX = "dead_letter"
REDRIVEN_PREFIX = "ops/redriven"
_BASE64 = ";base64"
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

Identity = tuple[str, int, int, int]
"""(source, partition, offset, timestamp)."""


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
    day: str = ""
    """UTC day it is filed under."""

    @property
    def identity(self) -> Identity:
        """What names the message."""
        return self.source, self.partition, self.offset, self.timestamp

    def mentions(self, vin: str) -> bool:
        """Whether key or payload name this vehicle."""
        wanted = vin.encode()
        return self.key == wanted or wanted in self.value


class DeadMessage:
    """A dead letter in the shape of the Kafka message it was, so that it can be routed again."""

    def __init__(self, letter: DeadLetter) -> None:
        self.letter = letter

    def topic(self) -> str:
        """Topic."""
        return self.letter.source

    def partition(self) -> int:
        """Partition."""
        return self.letter.partition

    def offset(self) -> int:
        """Offset."""
        return self.letter.offset

    def timestamp(self) -> tuple[int, int]:
        """(kind, milliseconds); kind 0: the broker gave none."""
        return (0 if self.letter.timestamp < 0 else 1), self.letter.timestamp

    def key(self) -> bytes | None:
        """Key."""
        return self.letter.key

    def value(self) -> bytes:
        """Payload."""
        return self.letter.value

    def headers(self) -> list[tuple[str, bytes | None]]:
        """Headers that are encoded as they were the first time."""
        literal = [(name, None if text is None else text.encode()) for name, text in self.letter.headers.items()]
        try:
            binary = [
                (name.removesuffix(_BASE64), base64.b64decode(text, validate=True))
                if name.endswith(_BASE64) and text is not None
                else (name, None if text is None else text.encode())
                for name, text in self.letter.headers.items()
            ]
        except binascii.Error:
            return literal
        return binary if orjson.loads(encode_headers(binary)) == self.letter.headers else literal


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


def read_dead_letters(store: ObjectStore, day: str | None = None, *, redriven: bool = False) -> Iterator[DeadLetter]:
    """Dead letters of one day or of all, by object and offset; repeats of a replayed message are dropped.

    Args:
        store: the lake.
        day: UTC day of the broker's timestamp.
        redriven: those that were redriven too.
    """
    seen: set[Identity] = set() if redriven else read_redriven(store, day)
    for key, data in store.get_many(dead_letter_keys(store, day)):
        folder, _, name = key.rpartition("/")
        source = name.rsplit("-", 5)[0]
        for number, line in enumerate((data or b"").splitlines(), 1):
            letter = _letter(source, folder.removeprefix(f"{PREFIX}/").replace("/", "-"), line)
            if letter is None:
                log.warning("line %d of %s is no dead letter: left out", number, key)
            elif letter.identity not in seen:
                seen.add(letter.identity)
                yield letter


def read_redriven(store: ObjectStore, day: str | None = None) -> set[Identity]:
    """Identities of the dead letters that were redriven, of one day or of all."""
    found: set[Identity] = set()
    for _, data in store.get_many(store.keys(REDRIVEN_PREFIX if day is None else f"{REDRIVEN_PREFIX}/{day}")):
        found.update((s, p, o, t) for s, p, o, t in json.loads(data or b"[]"))
    return found


def count_dead_letters(store: ObjectStore, day: str | None = None) -> Counter[str]:
    """Dead letters by reason, of one day or of all."""
    return Counter(letter.reason for letter in read_dead_letters(store, day))


def _letter(source: str, day: str, line: bytes) -> DeadLetter | None:
    """One stored line; None for what ingest has not written."""
    try:
        body = orjson.loads(line)
        partition, offset, timestamp = body["p"], body["o"], body["t"]
        if (
            not valid_source(source)
            or _DAY.fullmatch(day) is None
            or any(type(x) is not int for x in (partition, offset, timestamp))
        ):
            return None
        if not -1 <= partition < 2**31 or offset < 0 or not isinstance(body["headers"], dict):
            return None
        return DeadLetter(
            source,
            partition,
            offset,
            timestamp,
            None if body["key_b64"] is None else base64.b64decode(body["key_b64"]),
            base64.b64decode(body["value_b64"]),
            body["headers"],
            str(body["reason"]),
            str(body["detail"]),
            day,
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
