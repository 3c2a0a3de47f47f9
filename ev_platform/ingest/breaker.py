"""The circuit breaker: when most recent messages cannot be read, stop, and leave the topic where it is.

A producer that changed its format must not drain a whole topic into dead letters. Belongs here: counting, the memory
that outlives one drain (a small object in `state/`), the one error. Used by every reader: `dead` for each dead letter,
`save` when what was read is durable, `trip` when it stops. Good messages cost nothing.
"""

from __future__ import annotations

import json
import time
from collections import deque
from typing import Any

from ev_platform.errors import UserError
from ev_platform.ingest.offsets import Place
from ev_platform.ingest.record import Dead
from ev_platform.lake.layout import breaker_key
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings

WINDOW = 1000
"""Messages looked back on."""

RETRY_SECONDS = 600.0
"""How long automatic readers stay away after a stop; whoever reads by hand need not wait."""


class PoisonedTopicError(UserError):
    """Most recent messages cannot be read; nothing of the running round was committed."""


class Breaker:
    """Remembers which of the last messages were dead, over all topics of one consumer group.

    Between drains only two figures are kept, how many messages and how many of them dead: the order in which partitions
    were read is chance, and what is stored must not depend on it.
    """

    def __init__(self, settings: Settings) -> None:
        self._most = settings.dead_letter_max_share * WINDOW
        self._key = breaker_key(settings.kafka_group)
        self._window: deque[int] = deque()
        self._stored = b""
        self._kept = (0, 0)
        self._saved_at = 0
        self._new_dead = 0

    def load(self, store: ObjectStore) -> None:
        """Go on where the last reader of this group stopped: its dead letters are taken as evenly spread."""
        self._stored = store.read(self._key).data or b""
        state = _parse(self._stored)
        messages, dead = self._kept = state.get("messages", 0), state.get("dead", 0)
        self._window = deque(-(number * messages // dead) for number in reversed(range(dead)))
        self._saved_at = self._new_dead = 0

    def dead(self, seen: int, place: Place, offset: int, dead: Dead) -> None:
        """Note a dead letter.

        Args:
            seen: messages this reader has seen so far, this one included; must rise.
            place: topic and partition of the message.
            offset: its offset.
            dead: why it cannot be read.

        Raises:
            PoisonedTopicError: more than EV_DEAD_LETTER_MAX_SHARE of the last messages are dead.
        """
        self._new_dead += 1
        self._window.append(seen)
        while self._window[0] <= seen - WINDOW:
            self._window.popleft()
        if len(self._window) > self._most:
            raise PoisonedTopicError(
                f"{len(self._window)} of the last {WINDOW} messages cannot be read, the last one {place[0]}-{place[1]} "
                f"offset {offset}: {dead.reason.value}, {dead.detail}; nothing more was committed. Repair the producer "
                "(or this reader), skip them with `ev offsets set`, or let them all become dead letters with "
                "EV_DEAD_LETTER_MAX_SHARE=1"
            )

    def save(self, store: ObjectStore, seen: int) -> None:
        """Remember the last messages, once they are durable; written only when something changed."""
        self._kept = _recent(*self._kept, seen - self._saved_at, self._new_dead)
        self._saved_at, self._new_dead = seen, 0
        messages, dead = self._kept
        data = json.dumps({"messages": messages, "dead": dead}).encode() if dead else b""
        if data != self._stored:
            if data:
                store.put(self._key, data)
            else:
                store.delete([self._key])
            self._stored = data

    def trip(self, store: ObjectStore, error: PoisonedTopicError) -> None:
        """Tell automatic readers to stay away for a while; what is remembered of the messages stays as it was."""
        state = _parse(self._stored) | {"stopped_at": time.time(), "why": str(error)}
        store.put(self._key, json.dumps(state).encode())


def stopped(store: ObjectStore, settings: Settings, now: float) -> str | None:
    """Why automatic readers should not start now; None when they may.

    Args:
        store: the lake.
        settings: names the consumer group.
        now: seconds since 1970.
    """
    state = _parse(store.read(breaker_key(settings.kafka_group)).data or b"")
    at = state.get("stopped_at")
    return str(state.get("why")) if at is not None and 0 <= now - at < RETRY_SECONDS else None


def _recent(messages: int, dead: int, new_messages: int, new_dead: int) -> tuple[int, int]:
    """The last messages, at most `WINDOW`, and how many of them are dead, after some new ones."""
    if new_messages >= WINDOW:
        return WINDOW, -(-new_dead * WINDOW // new_messages)
    kept = min(messages, WINDOW - new_messages)
    return kept + new_messages, (dead * kept // messages if messages else 0) + new_dead


def _parse(data: bytes) -> dict[str, Any]:
    try:
        state = json.loads(data) if data else {}
        messages, dead = state.get("messages", 0), state.get("dead", 0)
        good = type(messages) is int and type(dead) is int and 0 <= dead <= messages <= WINDOW
        return state if good and isinstance(state.get("stopped_at", 0.0), int | float) else {}
    except (ValueError, AttributeError):
        return {}
