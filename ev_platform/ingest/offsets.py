"""The words ingest uses for positions in topics. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

Place = tuple[str, int]
"""(topic, partition)."""


@dataclass(frozen=True, order=True)
class OffsetRange:
    """Offsets [start, end) of one partition."""

    topic: str
    partition: int
    start: int
    end: int

    @property
    def place(self) -> Place:
        """Topic and partition."""
        return self.topic, self.partition

    @property
    def size(self) -> int:
        """Offsets in the range, 0 when it is empty."""
        return max(0, self.end - self.start)


@dataclass(frozen=True, order=True)
class Gap:
    """Offsets [first, last] that can never be read any more."""

    topic: str
    partition: int
    first: int
    last: int
    reason: str


def rounds(ranges: Sequence[OffsetRange], limit: int) -> list[list[OffsetRange]]:
    """Cut ranges into rounds of about `limit` offsets, an equal share for each unfinished partition.

    The same ranges always give the same rounds, so a repeated drain makes the same objects and receipts.

    Raises:
        ValueError: a partition is named twice.
    """
    left = {one.place: one for one in sorted(ranges) if one.size}
    if len({one.place for one in ranges}) != len(ranges):
        raise ValueError("a partition may be named only once")
    found: list[list[OffsetRange]] = []
    while left:
        share = max(1, limit // len(left))
        found.append([replace(one, end=min(one.end, one.start + share)) for one in left.values()])
        left = {p: replace(one, start=one.start + share) for p, one in left.items() if one.start + share < one.end}
    return found
