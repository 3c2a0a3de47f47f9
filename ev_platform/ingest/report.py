"""What ingest did, in figures: the same for a drain and for the long-running service. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from ev_platform.ingest.offsets import Gap, Place

LATENCY_SECONDS = (0.1, 0.5, 1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Upper bounds of the buckets of `DrainReport.latency`; one more bucket holds what took longer."""


@dataclass
class DrainReport:
    """What one drain did, or the service since it started."""

    messages: int = 0
    """Messages read."""
    records: int = 0
    """Messages stored under a vehicle and day."""
    tombstones: int = 0
    """Messages without a value."""
    replayed: int = 0
    """Messages read again, because they were read before and never committed."""
    dead_letters: Counter[str] = field(default_factory=Counter)
    """Messages that could not be read, by reason."""
    days: Counter[str] = field(default_factory=Counter)
    """Records by event day."""
    vins: set[str] = field(default_factory=set)
    """Vehicles that records were stored for."""
    objects: int = 0
    """Objects written to temp/ and dead_letter/."""
    bytes: int = 0
    """Their bytes."""
    retries: int = 0
    """Uploads that had to be repeated."""
    flushes: Counter[str] = field(default_factory=Counter)
    """Objects by the reason of their flush."""
    latency: Counter[str] = field(default_factory=Counter)
    """Objects by the seconds from their first message to durable, as "≤ 30 s"."""
    latency_seconds: float = 0.0
    """Sum of those seconds."""
    lag_messages: int = 0
    """Messages that waited when it began (the service: that wait now)."""
    lag_seconds: float = 0.0
    """Age of the oldest message that was not committed, by the broker's timestamp."""
    gaps: list[Gap] = field(default_factory=list)
    """Offsets that expired before they were read."""
    committed: dict[Place, int] = field(default_factory=dict)
    """Next offsets the broker accepted."""
    not_committed: dict[Place, str] = field(default_factory=dict)
    """Partitions whose offset stayed, and why; their data are durable all the same."""
    commit_errors: int = 0
    """Commits that the broker refused or did not answer."""
    receipts: list[str] = field(default_factory=list)
    """Keys of the offset receipts (a drain's; the service writes too many to keep)."""
    requests: dict[str, int] = field(default_factory=dict)
    """Requests to the object store by kind."""
    requests_usd: float = 0.0
    """What they cost at the list price of S3."""
    refused: str = ""
    """Why nothing was read: the service is alive in the same group."""
    seconds: float = 0.0
    """Wall time."""

    def stored_after(self, seconds: float) -> None:
        """Note how long an object's first message waited until it was durable."""
        self.latency[latency_bucket(seconds)] += 1
        self.latency_seconds += seconds


def latency_bucket(seconds: float) -> str:
    """Name of the bucket."""
    at = bisect_left(LATENCY_SECONDS, seconds)
    return f"≤ {LATENCY_SECONDS[at]:g} s" if at < len(LATENCY_SECONDS) else f"> {LATENCY_SECONDS[-1]:g} s"
