"""What can be said of the running service at any moment: lag, buffers, rebalances. Numbers; metrics.py shows them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaException, TopicPartition

from ev_platform.ingest.buffer import VehicleBuffer
from ev_platform.ingest.offsets import Place
from ev_platform.ingest.report import DrainReport


@dataclass
class Figures:
    """Written by the service's thread; a reader in another thread sees numbers at most a second old."""

    committed: dict[Place, int] = field(default_factory=dict)
    """Next offset of the group, per partition that is ours."""
    lag_messages: dict[Place, int] = field(default_factory=dict)
    """Messages that are not committed, as the last fetch saw the end of the log."""
    lag_seconds: dict[Place, float] = field(default_factory=dict)
    """Age of the oldest of them, by the broker's timestamp."""
    open_buffers: int = 0
    buffered_bytes: int = 0
    in_flight_bytes: int = 0
    oldest_seconds: float = 0.0
    paused: bool = False
    paused_seconds: float = 0.0
    pauses: int = 0
    rebalances: int = 0
    lost_assignments: int = 0
    errors: int = 0
    _samples: dict[Place, list[tuple[int, int]]] = field(default_factory=dict)
    _updated: float = field(default_factory=time.monotonic)

    def read(self, batch: Sequence[Any]) -> None:
        """Remember offset and timestamp of one message of a batch."""
        for message in batch[:1]:
            if message.error() is None:
                samples = self._samples.setdefault((message.topic(), message.partition()), [])
                samples.append((message.offset(), message.timestamp()[1]))

    def drop(self, place: Place) -> None:
        """The partition is somebody else's."""
        for known in (self.committed, self.lag_messages, self.lag_seconds, self._samples):
            known.pop(place, None)

    def update(self, client: Any, buffer: VehicleBuffer, report: DrainReport, *, paused: bool) -> None:  # noqa: ANN401
        """Figures of this moment; asks the broker nothing."""
        lag_messages: dict[Place, int] = {}
        lag_seconds: dict[Place, float] = {}
        for place, committed in list(self.committed.items()):
            lag_messages[place] = max(0, _high(client, place) - committed)
            lag_seconds[place] = self._age(place, committed) if lag_messages[place] else 0.0
        self.lag_messages, self.lag_seconds = lag_messages, lag_seconds
        report.lag_messages = sum(lag_messages.values())
        report.lag_seconds = max(lag_seconds.values(), default=0.0)
        self.open_buffers = buffer.open_buffers()
        self.buffered_bytes, self.in_flight_bytes = buffer.open_bytes, buffer.in_flight_bytes
        self.oldest_seconds = buffer.oldest_seconds()
        now = time.monotonic()
        self.paused_seconds += now - self._updated if paused else 0.0
        self.paused, self._updated = paused, now

    def _age(self, place: Place, committed: int) -> float:
        """Seconds since the newest sample at or below the committed offset: an upper bound of the true age."""
        samples = self._samples.get(place, [])
        below = [sample for sample in samples if sample[0] <= committed]
        if below:
            del samples[: len(below) - 1]
        return max(0.0, time.time() - samples[0][1] / 1000) if samples else 0.0


def _high(client: Any, place: Place) -> int:  # noqa: ANN401
    """End of the log as the last fetch saw it, without asking."""
    try:
        found = client.get_watermark_offsets(TopicPartition(*place), cached=True)
    except KafkaException:
        return 0
    return max(0, int(found[1])) if found else 0
