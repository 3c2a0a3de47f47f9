"""What one payload brings: new leaves, the raw lines of their days, or the reason why it cannot be kept. Pure.

Belongs here: the comparison with what was seen before, days, dead letters. Not here: asking (a provider's module),
writing (pull.py).
"""

from __future__ import annotations

import base64
import zlib
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field, replace

import orjson

from ev_platform.ingest.event_time import broker_day
from ev_platform.ingest.lexeme import loads_lexemes
from ev_platform.ingest.polled import PayloadError, content_hash, polled_line
from ev_platform.lake.layout import dead_letter_key, kafka_object_name, valid_vin
from ev_platform.providers.base import Fetched
from ev_platform.providers.leaves import Leaf, dated, day_of, is_ahead
from ev_platform.providers.shapes import LEAVES

NOT_KAFKA = -1
"""Partition of a dead letter that came from no topic: the audit of offsets passes over it."""


@dataclass(frozen=True)
class News:
    """What a payload brings."""

    vin: str
    seen: frozenset[str] = frozenset()
    """Digests of all its leaves."""
    days: dict[str, list[str]] = field(default_factory=dict)
    """Event day → digests of its new leaves, sorted."""
    line: bytes = b""
    """The raw line, the same in every day's folder."""
    dead: list[tuple[str, bytes]] = field(default_factory=list)
    """(key, bytes) of dead letters."""
    reasons: tuple[str, ...] = ()
    """Why there are dead letters, or would be if the same payload had not been one before."""
    refused: str = ""
    """Hash of a payload that cannot be kept at all."""


def news(
    provider: str,
    fetched: Fetched,
    seen: Collection[str],
    volatile: frozenset[str],
    start_day: str,
    now_ms: int,
    refused_before: str = "",
) -> News:
    """Compare a payload with the leaves seen before.

    Args:
        provider: a name of `LEAVES`.
        fetched: a payload as received.
        seen: digests of the leaves of the vehicle's last payload.
        volatile: signals that are no news by themselves.
        start_day: leaves before it become a dead letter.
        now_ms: when it was received.
        refused_before: hash of the vehicle's last payload that could not be kept.
    """
    assert fetched.payload is not None
    headers = {"receivedat": str(now_ms)} | ({} if fetched.date_ms is None else {"date": str(fetched.date_ms)})
    try:
        raw = _leaves(provider, fetched)
        polled_line(fetched.payload)
    except (PayloadError, ValueError, RecursionError) as error:
        return _refused(provider, fetched, now_ms, refused_before, content_hash(fetched.payload), _reason(error), error)
    leaves = dated(raw)
    steady = sorted(leaf.digest for leaf in leaves or raw if leaf.signal not in volatile)
    digest = content_hash(*steady)
    if not leaves:
        return _refused(provider, fetched, now_ms, refused_before, digest, "no_time", "no value has a readable time")
    line = polled_line(fetched.payload, digest, headers)
    changed = [leaf for leaf in leaves if leaf.digest not in seen and leaf.signal not in volatile]
    clock = now_ms if fetched.date_ms is None else fetched.date_ms
    days: dict[str, set[str]] = defaultdict(set)
    refused: dict[str, str] = {}
    for leaf in changed:
        if is_ahead(leaf, clock):
            refused["clock_ahead"] = f"{leaf.signal} at {leaf.time}"
        elif day_of(leaf) < start_day:
            refused["before_start"] = f"{leaf.signal} at {leaf.time}"
        else:
            days[day_of(leaf)].add(leaf.digest)
    seen_now = frozenset(leaf.digest for leaf in leaves)
    found = News(fetched.vin, seen_now, {day: sorted(names) for day, names in sorted(days.items())}, line)
    return _dead(provider, fetched, now_ms, found, refused) if refused else found


def _leaves(provider: str, fetched: Fetched) -> list[Leaf]:
    payload = loads_lexemes(fetched.payload or b"")
    if type(payload) is not dict:
        raise PayloadError("not a JSON object")
    inner = payload.get("response")
    named = payload.get("vin") or (inner.get("vin") if isinstance(inner, dict) else None)
    if named not in (None, fetched.vin) or not valid_vin(fetched.vin):
        raise PayloadError(f"vin differs from the one asked for, or is none: {str(named)[:40]!r}")
    return list(LEAVES[provider](payload))


def _reason(error: Exception) -> str:
    if isinstance(error, PayloadError):
        return "bad_vin" if "vin" in str(error) else "not_json"
    return "nested_too_deeply" if isinstance(error, RecursionError) else "not_json"


def _refused(
    provider: str, fetched: Fetched, now_ms: int, refused_before: str, digest: str, reason: str, why: object
) -> News:
    """A payload that cannot be kept: a dead letter, unless it is the very one that was refused before."""
    if digest == refused_before:
        return News(fetched.vin, reasons=(reason,), refused=digest)
    found = _dead(provider, fetched, now_ms, News(fetched.vin), {reason: str(why)})
    return replace(found, refused=digest)


def _dead(provider: str, fetched: Fetched, now_ms: int, found: News, refused: dict[str, str]) -> News:
    """The payload as dead letters, in the form of ingest/dead_letters.py."""
    letters = []
    payload = fetched.payload or b""
    for reason, detail in sorted(refused.items()):
        number = int(content_hash(provider, payload, reason)[:15], 16)  # stands where a Kafka message has its offset
        body = {
            "p": NOT_KAFKA,
            "o": number,
            "t": now_ms,
            "key_b64": base64.b64encode(fetched.vin.encode()).decode(),
            "value_b64": base64.b64encode(payload).decode(),
            "headers": {},
            "reason": reason,
            "detail": detail[:200],
        }
        data = orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE)
        name = kafka_object_name(provider, 0, number, number, 1, zlib.crc32(data))
        letters.append((dead_letter_key(broker_day(now_ms), name), data))
    return News(found.vin, found.seen, found.days, found.line, letters, tuple(sorted(refused)))
