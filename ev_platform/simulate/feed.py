"""Sends a scenario's sequence to a Kafka broker, and always knows where it is: the broker's high watermarks say it.

Belongs here: producing in order, continuing, waiting for the reader. Not here: what is sent (scenario.py), offsets and
chunks (sequence.py). A partition's n-th message always has offset n, so a broker that lost everything gets the
identical (topic, partition, offset, timestamp) again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka import Message as Delivered
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from ev_platform.errors import UserError
from ev_platform.simulate.pacing import Ahead, Pace, batches, wait
from ev_platform.simulate.scenario import Scenario
from ev_platform.simulate.sequence import Numbered, Walk, numbered_days
from ev_platform.simulate.streams import day_start_ms

MAX_BYTES_AHEAD = 3 * 2**20
"""Default bytes per partition that may wait for the reader: librdkafka's mock broker forgets beyond 5 MiB."""

_TIMEOUT_SECONDS = 10.0
_SEND_SECONDS = 60.0
_POLL_SECONDS = 0.1
_PRODUCER: dict[str, Any] = {
    "acks": "all",
    "enable.idempotence": True,
    # A message that could not be sent must stop the producer, or the ones behind it would take its offset.
    "enable.gapless.guarantee": True,
    "compression.type": "lz4",
    "linger.ms": 20,
    "queue.buffering.max.messages": 1_000_000,
    "queue.buffering.max.kbytes": 256 * 1024,
    "delivery.timeout.ms": round(_SEND_SECONDS * 1000),
}


@dataclass(frozen=True)
class Advance:
    """What one step of the feed did; `reached`: everything before the asked instant is on the broker."""

    messages: int
    bytes: int
    reached: bool


class Feed:
    """Produces one scenario to its topic. `options` are passed to librdkafka (security, …)."""

    def __init__(self, bootstrap: str, scenario: Scenario, group: str, options: dict[str, str] | None = None) -> None:
        """Connect and make sure of the topic; `group` is the reader that `run` waits for.

        Raises:
            UserError: the broker cannot be reached, or the topic has too few partitions.
        """
        self.scenario, self.topic = scenario, scenario.topic
        self._bootstrap = bootstrap
        self._options: dict[str, Any] = {"bootstrap.servers": bootstrap, "log_level": 0, **(options or {})}
        self._expected = [0] * scenario.partitions
        self._failure: str | None = None
        self._walk: Walk | None = None
        try:
            self._producer = Producer({**self._options, **_PRODUCER})
            self._reader = Consumer({**self._options, "group.id": group, "enable.auto.commit": False})
        except KafkaException:
            raise UserError("EV_KAFKA_OPTIONS cannot be used: librdkafka refuses an option, see `ev doctor`") from None
        try:
            self._ensure_topic()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the broker."""
        self._reader.close()

    def __enter__(self) -> Feed:
        """Itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Let go of the broker."""
        self.close()

    # -- what the broker has -------------------------------------------------------------------------------------

    def _ensure_topic(self) -> None:
        wanted = self.scenario.partitions
        try:
            cluster = self._producer.list_topics(timeout=_TIMEOUT_SECONDS)
            if self.topic not in cluster.topics and cluster.controller_id in cluster.brokers:
                self._create_topic(wanted)
            partitions = self._count_partitions()
        except KafkaException as error:
            raise self._unreachable(error) from None
        if partitions < wanted:
            raise UserError(
                f"topic {self.topic} has {partitions} partitions, the scenario needs {wanted}: "
                f"add partitions or simulate with {partitions}"
            )

    def _create_topic(self, partitions: int) -> None:
        """Only asked of brokers with a controller: librdkafka's mock cluster has none and would never answer."""
        admin = AdminClient(self._options)
        created = admin.create_topics([NewTopic(self.topic, partitions)], request_timeout=_TIMEOUT_SECONDS)
        try:
            created[self.topic].result(timeout=_TIMEOUT_SECONDS)
        except KafkaException as error:
            if error.args[0].name() != "TOPIC_ALREADY_EXISTS":
                raise UserError(f"topic {self.topic} cannot be created: {error.args[0].str()}") from None

    def _count_partitions(self) -> int:
        """Partitions of the topic; a mock broker creates it when it is asked for."""
        deadline = time.monotonic() + _TIMEOUT_SECONDS / 2
        while time.monotonic() < deadline:
            found = self._producer.list_topics(self.topic, timeout=_TIMEOUT_SECONDS).topics[self.topic]
            if found.error is None and found.partitions:
                return len(found.partitions)
            time.sleep(_POLL_SECONDS)
        raise UserError(f"topic {self.topic} does not exist on {self._bootstrap}: create it, or allow its creation")

    def high_watermarks(self) -> list[int]:
        """The next offset of each partition of the scenario.

        Raises:
            UserError: the broker does not answer.
        """
        try:
            return [
                self._reader.get_watermark_offsets(TopicPartition(self.topic, p), timeout=_TIMEOUT_SECONDS)[1]
                for p in range(self.scenario.partitions)
            ]
        except KafkaException as error:
            raise self._unreachable(error) from None

    def committed(self) -> list[int]:
        """The group's committed offset in each partition; 0 where it has none.

        Raises:
            UserError: the broker does not answer.
        """
        wanted = [TopicPartition(self.topic, p) for p in range(self.scenario.partitions)]
        try:
            answer = self._reader.committed(wanted, timeout=_TIMEOUT_SECONDS)
        except KafkaException as error:
            raise self._unreachable(error) from None
        by_partition = {found.partition: max(found.offset, 0) for found in answer}
        return [by_partition[p] for p in range(self.scenario.partitions)]

    def _unreachable(self, error: KafkaException) -> UserError:
        reason = error.args[0].str()
        return UserError(
            f"no Kafka broker answers at {self._bootstrap} ({reason}): check EV_KAFKA_BOOTSTRAP and that it runs"
        )

    # -- step by step --------------------------------------------------------------------------------------------

    def advance(self, until: datetime, max_bytes_ahead: int = MAX_BYTES_AHEAD) -> Advance:
        """Send the rest of the current chunk, as far as it lies before `until` (broker time).

        Chunks end where a day ends or a partition would exceed `max_bytes_ahead`, whatever was sent before: a feed
        that starts again in the middle of a chunk ends at the same message.

        Raises:
            UserError: the broker cannot be reached, or refuses messages.
        """
        limit = _to_ms(until)
        high = self.high_watermarks()
        walk = self._walk_to(high, max_bytes_ahead)
        while walk.day_start_ms < limit:
            waiting = [(o, m) for o, m in walk.chunk.messages if o >= high[m.partition]]
            due = [(o, m) for o, m in waiting if m.timestamp_ms < limit]
            if due:
                self._send(due, high)
            if due or waiting:
                whole = len(due) == len(waiting)
                size = sum(message.size for _, message in due)
                return Advance(len(due), size, not (whole and walk.more_before(limit)))
            walk.move()
        return Advance(0, 0, True)

    def _walk_to(self, high: list[int], budget: int) -> Walk:
        """The walk, from the beginning again when the broker has less than was sent (it lost everything)."""
        walk = self._walk
        if walk is None or walk.budget != budget or any(h < f for h, f in zip(high, walk.chunk.first, strict=True)):
            walk = self._walk = Walk(self.scenario, budget)
        return walk

    def _send(self, messages: Sequence[Numbered], high: list[int]) -> None:
        """Produce in order and wait for the broker's receipts, which must give each message its own offset."""
        first = {message.partition: offset for offset, message in reversed(messages)}
        if any(offset > high[p] for p, offset in first.items()):
            raise _BrokerLostData
        if any(offset < high[p] for p, offset in first.items()):
            raise UserError(f"another producer writes to {self.topic}: stop it and start again")
        self._expected = list(high)
        for number, (_, message) in enumerate(messages):
            while True:
                try:
                    self._producer.produce(
                        self.topic,
                        value=message.value,
                        key=message.key,
                        partition=message.partition,
                        timestamp=message.timestamp_ms,
                        headers=list(message.headers),
                        on_delivery=self._receipt,
                    )
                    break
                except BufferError:
                    self._producer.poll(0.05)
                except KafkaException as error:
                    raise UserError(
                        f"the broker at {self._bootstrap} refuses messages: {error.args[0].str()}"
                    ) from None
            if number % 500 == 0:
                self._producer.poll(0)
        left = self._producer.flush(_SEND_SECONDS)
        if left or self._failure:
            raise UserError(
                f"the broker at {self._bootstrap} did not take all messages ({self._failure or 'no answer'}): "
                "start again when it runs, the feed continues where the broker stands"
            )

    def _receipt(self, error: object, message: Delivered) -> None:
        if error is not None:
            self._failure = self._failure or str(error)
            return
        partition, offset = int(message.partition() or 0), int(message.offset() or 0)
        if offset != self._expected[partition] and self._failure is None:
            wanted = self._expected[partition]
            self._failure = f"partition {partition}: offset {offset} instead of {wanted}, another producer writes here"
        self._expected[partition] = offset + 1

    # -- the long-running form -----------------------------------------------------------------------------------

    def run(
        self,
        until: datetime,
        real_time: bool,
        speed: float = 1.0,
        stop: Callable[[], bool] = lambda: False,
        max_bytes_ahead: int = MAX_BYTES_AHEAD,
        progress: Callable[[Advance], None] = lambda _: None,
    ) -> int:
        """Send everything before `until`; returns the number of messages sent, ends early when `stop()` is true.

        Waits while the group has more than `max_bytes_ahead` bytes of any partition unread. With `real_time` the
        sequence is paced by its own timestamps, `speed` times as fast, from the first message that is not sent yet.

        Raises:
            UserError: the broker cannot be reached, or refuses messages.
        """
        limit, total = _to_ms(until), 0
        pace = Pace(speed if real_time else 0.0)
        while True:
            try:
                for batch in self._duebatches(limit, pace, stop, max_bytes_ahead):
                    total += len(batch)
                    progress(Advance(len(batch), sum(message.size for _, message in batch), False))
                return total
            except _BrokerLostData:
                pace = Pace(pace.speed)

    def _duebatches(
        self, limit_ms: int, pace: Pace, stop: Callable[[], bool], max_bytes_ahead: int
    ) -> Iterator[list[Numbered]]:
        """Send batch after batch, each when its time has come and the reader has room for it."""
        high, ahead = self.high_watermarks(), Ahead(self.committed(), max_bytes_ahead)
        for day, messages in numbered_days(self.scenario):
            if day_start_ms(day) >= limit_ms:
                return
            ahead.add([(o, m) for o, m in messages if o < high[m.partition]])
            waiting = [(o, m) for o, m in messages if o >= high[m.partition] and m.timestamp_ms < limit_ms]
            for batch in batches(waiting, pace.span_ms, max_bytes_ahead // 4):
                if not wait(partial(pace.reached, batch[-1][1].timestamp_ms), stop):
                    return
                if not wait(partial(ahead.fits, batch, self.committed), stop):
                    return
                self._send(batch, self.high_watermarks())
                ahead.add(batch)
                yield batch


class _BrokerLostData(Exception):
    """The broker has less than was sent."""


def _to_ms(instant: datetime) -> int:
    return round(instant.astimezone(UTC).timestamp() * 1000)
