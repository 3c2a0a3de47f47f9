"""Payloads taken apart into leaves: one value, its own time, its own unit. Pure.

Belongs here: what all providers' payloads have in common. Not here: where a provider keeps its times (its module), the
rows that leaves become (transform/compact_polled.py).

A polled payload is the *last known state*: most of it was there in the payload before. So the unit of identity is the
leaf, not the payload: (name, time, value, unit). Both the poller (what is new, which days does it fall in) and
compaction (what belongs to this day) take payloads apart with the same function, and so agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, NamedTuple

from ev_platform.ingest.event_time import parse_event_time
from ev_platform.ingest.lexeme import Lexeme, to_json

CLOCK_AHEAD_MS = 5 * 60_000
"""A leaf may be this much later than the provider's own clock (its `Date` header), as in the stream."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Leaf(NamedTuple):
    """One value of a payload. Numbers are `Lexeme`; an empty object or list is a value like any other."""

    signal: str
    value: Any
    unit: str | None = None
    time: str | None = None
    """RFC 3339; None where the payload gives this value no time that can be read."""
    extra: dict[str, Any] | None = None

    @property
    def digest(self) -> str:
        """Identity of the leaf: 128 bits over name, time, value and unit."""
        text = to_json([self.signal, self.time, self.value, self.unit, self.extra])
        return blake2b(text.encode(), digest_size=16).hexdigest()


Leaves = Callable[[Mapping[str, Any]], Iterator[Leaf]]
"""A provider's function from a parsed payload (numbers as `Lexeme`) to its leaves."""


def walk(signal: str, node: Any, time_key: str, time: str | None = None, unit: str | None = None) -> Iterator[Leaf]:  # noqa: ANN401 - any JSON value
    """Leaves of a tree in which an object may carry the time of all below it, and `value` (or `data`) stands for it.

    `{"value": 5, "unit": "km", time_key: …}` is one leaf with the name of the object; every other part is named with
    a dot, items of a list with their number.
    """
    if isinstance(node, dict) and node:
        time = _later_key(node, time_key, time)
        sent_unit = node.get("unit") if _plain(node.get("value", [0])) else None
        known_unit = sent_unit if type(sent_unit) is str else None
        for name, part in node.items():
            if name == time_key and time is not None and as_time(part) is not None:
                continue
            if name == "unit" and (known_unit is not None or (part is None and "value" in node)):
                continue
            same = name in ("value", "data")
            path = signal if same and signal else f"{signal}.{name}" if signal else name
            yield from walk(path, part, time_key, time, known_unit if name == "value" else None)
    elif isinstance(node, list) and node:
        for number, item in enumerate(node):
            yield from walk(f"{signal}.{number}", item, time_key, time)
    else:
        yield Leaf(signal, node, unit, time)


def _plain(value: object) -> bool:
    """Whether a value is one leaf."""
    return not (isinstance(value, dict | list) and value)


def _later_key(node: Mapping[str, Any], time_key: str, time: str | None) -> str | None:
    own = as_time(node.get(time_key))
    return time if own is None else own


def as_time(value: object) -> str | None:
    """RFC 3339 text of a time as it was sent: such a text, or milliseconds since 1970; else None."""
    if isinstance(value, Lexeme):
        return from_epoch(value, 1)
    return value if isinstance(value, str) and parse_event_time(value) is not None else None


def from_epoch(value: object, milliseconds: int) -> str | None:
    """RFC 3339 text of a whole number of units of so many milliseconds since 1970."""
    if not isinstance(value, Lexeme) or not value.isdigit() or len(value) > 13:
        return None
    try:
        moment = _EPOCH + timedelta(milliseconds=int(value) * milliseconds)
    except OverflowError:
        return None
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def milliseconds(time: str) -> int:
    """Milliseconds since 1970 of a leaf's time."""
    event = parse_event_time(time)
    assert event is not None
    return event.milliseconds


def day_of(leaf: Leaf) -> str:
    """UTC event day of a dated leaf."""
    event = parse_event_time(leaf.time or "")
    assert event is not None
    return event.day


def dated(leaves: Iterable[Leaf]) -> list[Leaf]:
    """All leaves with a time: those that have none get the latest time of the payload; none if no leaf has one."""
    found = list(leaves)
    times = [leaf.time for leaf in found if leaf.time is not None]
    if not times:
        return []
    latest = max(times, key=lambda time: (milliseconds(time), time))
    return [leaf if leaf.time is not None else leaf._replace(time=latest) for leaf in found]


def is_ahead(leaf: Leaf, provider_ms: int) -> bool:
    """Whether a leaf's time is later than the provider's clock allows."""
    return milliseconds(leaf.time or "") > provider_ms + CLOCK_AHEAD_MS
