"""A scenario's messages with their offsets, day after day, and cut into chunks.

Belongs here: which offset a message has (its number in its partition) and where a chunk ends. Both follow from the
sequence alone, never from a broker or the time. Not here: sending (feed.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from ev_platform.simulate.scenario import Scenario
from ev_platform.simulate.streams import day_start_ms
from ev_platform.simulate.wire import Message

Numbered = tuple[int, Message]
"""(offset, message)."""


@dataclass(frozen=True)
class Chunk:
    """Consecutive messages of one day: at most a budget of bytes per partition. `first` = next offsets at its start."""

    first: tuple[int, ...]
    messages: list[Numbered]


def cut(messages: list[Message], first: tuple[int, ...], budget: int) -> list[Chunk]:
    """Cut one day's messages before the message that would exceed `budget` bytes in its partition; ≥ 1 chunk."""
    chunks: list[Chunk] = []
    offsets, used = list(first), [0] * len(first)
    begin, current = first, list[Numbered]()
    for message in messages:
        p, size = message.partition, message.size
        if current and used[p] + size > budget:
            chunks.append(Chunk(begin, current))
            begin, current, used = tuple(offsets), [], [0] * len(first)
        current.append((offsets[p], message))
        offsets[p] += 1
        used[p] += size
    chunks.append(Chunk(begin, current))
    return chunks


def numbered_days(scenario: Scenario) -> Iterator[tuple[date, list[Numbered]]]:
    """Each day with its messages and their offsets, from the first day on, without end."""
    first, day = (0,) * scenario.partitions, scenario.first_day
    while True:
        whole = cut(scenario.day_messages(day), first, budget=2**62)[0]
        yield day, whole.messages
        first = _after(whole)
        day += timedelta(days=1)


def _after(chunk: Chunk) -> tuple[int, ...]:
    offsets = list(chunk.first)
    for offset, message in chunk.messages:
        offsets[message.partition] = offset + 1
    return tuple(offsets)


class Walk:
    """Walks through the chunks of a scenario."""

    def __init__(self, scenario: Scenario, budget: int) -> None:
        self.budget = budget
        self._scenario = scenario
        self._open(scenario.first_day, (0,) * scenario.partitions)

    def _open(self, day: date, first: tuple[int, ...]) -> None:
        self.day = day
        self._number = 0
        self._today = cut(self._scenario.day_messages(day), first, self.budget)

    @property
    def day_start_ms(self) -> int:
        """00:00 UTC of the current day."""
        return day_start_ms(self.day)

    @property
    def chunk(self) -> Chunk:
        """The current chunk."""
        return self._today[self._number]

    def move(self) -> None:
        """On to the next chunk."""
        if self._number + 1 < len(self._today):
            self._number += 1
        else:
            self._open(self.day + timedelta(days=1), _after(self._today[-1]))

    def more_before(self, limit_ms: int) -> bool:
        """Whether messages before `limit_ms` may follow after the current chunk."""
        later = self._today[self._number + 1 :]
        if later:
            return later[0].messages[0][1].timestamp_ms < limit_ms
        return day_start_ms(self.day + timedelta(days=1)) < limit_ms
