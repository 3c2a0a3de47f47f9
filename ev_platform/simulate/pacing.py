"""When the next messages may be sent: paced by their own timestamps, and never further ahead of the reader than agreed.

Belongs here: counting unread bytes, keeping time. Not here: talking to the broker (feed.py).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from ev_platform.simulate.sequence import Numbered
from ev_platform.simulate.streams import DAY_MS

PACE_MS = 250
"""Messages of so much time are sent together."""
_POLL_SECONDS = 0.1


class Pace:
    """The sequence's own clock, `speed` times as fast as it was made; 0 = as fast as possible."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self.span_ms = max(1, round(PACE_MS * speed)) if speed else DAY_MS
        self._start: tuple[float, int] | None = None

    def reached(self, timestamp_ms: int) -> bool:
        """Whether it is time for `timestamp_ms`; the first call starts the clock there."""
        if not self.speed:
            return True
        if self._start is None:
            self._start = (time.monotonic(), timestamp_ms)
        begin, first_ms = self._start
        return (time.monotonic() - begin) * 1000 * self.speed >= timestamp_ms - first_ms


class Ahead:
    """Bytes that are on the broker and that the group has not committed yet, per partition."""

    def __init__(self, committed: list[int], budget: int) -> None:
        self._budget = budget
        self._committed = committed
        self._sent: list[deque[tuple[int, int]]] = [deque() for _ in committed]
        self._bytes = [0] * len(committed)

    def add(self, messages: Sequence[Numbered]) -> None:
        """Note messages that the broker has."""
        for offset, message in messages:
            if offset >= self._committed[message.partition]:
                self._sent[message.partition].append((offset, message.size))
                self._bytes[message.partition] += message.size

    def fits(self, batch: Sequence[Numbered], committed: Callable[[], list[int]]) -> bool:
        """Whether the batch may be sent now; asks the broker for committed offsets only when it must.

        A partition with nothing unread takes any batch, so a message larger than the budget does not stop the feed.
        """
        needed = [0] * len(self._bytes)
        for _, message in batch:
            needed[message.partition] += message.size
        if self._within(needed):
            return True
        self._committed = committed()
        for partition, offset in enumerate(self._committed):
            sent = self._sent[partition]
            while sent and sent[0][0] < offset:
                self._bytes[partition] -= sent.popleft()[1]
        return self._within(needed)

    def _within(self, needed: list[int]) -> bool:
        return all(
            not more or not held or held + more <= self._budget for held, more in zip(self._bytes, needed, strict=True)
        )


def batches(messages: list[Numbered], span_ms: int, budget: int) -> list[list[Numbered]]:
    """Cut where a batch would span more than `span_ms` or hold more than `budget` bytes of one partition."""
    batches: list[list[Numbered]] = []
    used: dict[int, int] = {}
    for numbered in messages:
        message = numbered[1]
        size = used.get(message.partition, 0) + message.size
        if not batches or size > budget or message.timestamp_ms - batches[-1][0][1].timestamp_ms > span_ms:
            batches.append([])
            used, size = {}, message.size
        used[message.partition] = size
        batches[-1].append(numbered)
    return batches


def wait(ready: Callable[[], bool], stop: Callable[[], bool]) -> bool:
    """Poll until `ready`; False when `stop` came first."""
    while not stop():
        if ready():
            return True
        time.sleep(_POLL_SECONDS)
    return False
