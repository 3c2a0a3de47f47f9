"""How far the shared group is behind: the only thing the sensor's tick asks. Reads no message, changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from confluent_kafka import TopicPartition

from ev_platform.ingest import kafka
from ev_platform.ingest.offsets import Place
from ev_platform.settings import Settings


@dataclass(frozen=True)
class PartitionLag:
    """Offsets of one partition: `low` ≤ readable < `high`; `committed` is the next offset the group wants."""

    topic: str
    partition: int
    committed: int | None
    low: int
    high: int

    @property
    def start(self) -> int:
        """Where reading goes on: the committed offset, or the first offset still kept.

        A committed offset above the high watermark belongs to a log that no longer exists (topic created again, broker
        lost its data): then everything the new log holds is unread.
        """
        if self.committed is None or self.committed < self.low or self.restarted:
            return self.low
        return self.committed

    @property
    def restarted(self) -> bool:
        """Whether the log behind the committed offset is gone: it was created again and is shorter now."""
        return self.committed is not None and self.committed > self.high

    @property
    def behind(self) -> int:
        """Offsets not read yet (transaction markers count, so this is an upper bound of messages)."""
        return max(0, self.high - self.start)

    @property
    def expired(self) -> tuple[int, int] | None:
        """[first, end) that the broker deleted before the group read it; None when there is nothing of that kind."""
        first = 0 if self.committed is None else self.committed
        return (first, self.low) if first < self.low else None


def probe(settings: Settings, topics: Sequence[str] | None = None) -> list[PartitionLag]:
    """Lag of every partition of the configured topics, sorted; a topic that does not exist yet has no partitions.

    Raises:
        UserError: the broker does not answer within EV_KAFKA_TIMEOUT_SECONDS.
    """
    with kafka.consumer(settings) as client:
        places = kafka.partitions(client, settings, settings.kafka_topics if topics is None else topics)
        return lags(client, settings, places)


def lags(client: object, settings: Settings, places: Sequence[Place]) -> list[PartitionLag]:
    """Lag of these partitions, asked through an open consumer."""
    marks = kafka.watermarks(client, settings, places)
    known = sorted(marks)
    done = kafka.committed(client, settings, known)
    return [PartitionLag(*place, done[place], *marks[place]) for place in known]


def offsets_for_time(settings: Settings, milliseconds: int) -> dict[Place, int | None]:
    """First offset at or after a broker timestamp, per partition of the configured topics.

    Args:
        settings: where and what to ask.
        milliseconds: Unix time in ms.

    Returns:
        None where the broker can't say (the embedded one never can) or has no message that late.

    Raises:
        UserError: the broker does not answer within EV_KAFKA_TIMEOUT_SECONDS.
    """
    with kafka.consumer(settings) as client:
        places = kafka.partitions(client, settings, settings.kafka_topics)
        if not places:
            return {}
        asked = [TopicPartition(topic, partition, milliseconds) for topic, partition in places]
        answer = client.offsets_for_times(asked, timeout=settings.kafka_timeout_seconds)
        return {(e.topic, e.partition): int(e.offset) if e.offset >= 0 and e.error is None else None for e in answer}
