"""Reads explicit offset ranges of topics to their end, whatever stands at that end, in bounded time.

Belongs here: assign, consume, end-of-partition, transaction markers, offsets that expire while reading. Not here: what
a message means (record.py), and commits (kafka.py): a reader never changes the group.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from ev_platform.errors import UserError
from ev_platform.ingest import kafka
from ev_platform.ingest.offsets import Gap, OffsetRange, Place
from ev_platform.ingest.record import Message
from ev_platform.settings import Settings

log = logging.getLogger(__name__)

BATCH = 500
BATCH_BYTES = 32 * 2**20
WAIT_SECONDS = 0.2


class TopicReader(Protocol):
    """What a drain needs of a reader; tests put their own in its place."""

    expired: list[Gap]

    def assign(self, ranges: Sequence[OffsetRange]) -> None:
        """Start reading these ranges, and only these."""

    def read(self) -> list[Message]:
        """Next messages inside the ranges, in the order of each partition; empty when a wait brought none."""

    @property
    def done(self) -> bool:
        """Whether every range was read to its end."""

    def position(self, place: Place) -> int:
        """Next offset of a partition: everything below it was returned, or does not exist."""


@dataclass(slots=True)
class _Reading:
    """How far a partition was read; `active` until its end is reached."""

    position: int
    end: int
    active: bool


class ConfluentReader:
    """`TopicReader` on librdkafka; the consumer is lent, not owned."""

    def __init__(self, client: Any, settings: Settings) -> None:  # noqa: ANN401
        self._client = client
        self._settings = settings
        self._reading: dict[Place, _Reading] = {}
        self._last_event = time.monotonic()
        self._last_error = "no message arrived"
        self._mean_bytes = 0.0
        self.expired: list[Gap] = []

    @property
    def done(self) -> bool:
        """Whether every range was read to its end."""
        return not self._active()

    def position(self, place: Place) -> int:
        """Next offset of a partition: everything below it was returned, or does not exist."""
        return self._reading[place].position

    def assign(self, ranges: Sequence[OffsetRange]) -> None:
        """Start reading these ranges, and only these."""
        self._reading = {one.place: _Reading(one.start, one.end, one.size > 0) for one in ranges}
        self._last_event = time.monotonic()
        self._restart()

    def read(self) -> list[Message]:
        """Next messages inside the ranges, [] when a wait brought none.

        Raises:
            UserError: the broker sent neither message nor end-of-partition for EV_KAFKA_TIMEOUT_SECONDS.
        """
        left = sum(one.end - one.position for one in self._active().values())
        fitting = int(BATCH_BYTES / max(self._mean_bytes, 1.0))  # many large messages at once would fill the memory
        batch = self._client.consume(max(1, min(BATCH, left, fitting)), WAIT_SECONDS)  # returns early only when full
        found: list[Message] = []
        self._mean_bytes = sum(map(len, batch)) / len(batch) if batch else self._mean_bytes
        out_of_range: set[Place] = set()
        for message in batch:
            place = (message.topic(), message.partition())
            error = message.error()
            if error is not None:
                self._on_error(place, message.offset(), error, out_of_range)
            elif (one := self._reading.get(place)) and one.active and (offset := message.offset()) >= one.position:
                if offset < one.end:
                    found.append(message)
                if offset + 1 < one.end:  # nearly always: this is done for every message
                    one.position = offset + 1
                else:
                    self._move(place, offset + 1)
        for place in sorted(out_of_range & self._active().keys()):
            self._skip_expired(place)
        if out_of_range:
            self._restart()
        if batch:
            self._last_event = time.monotonic()
        elif time.monotonic() - self._last_event > self._settings.kafka_timeout_seconds:
            raise UserError(kafka.unreachable(self._settings, self._last_error))
        return found

    def _active(self) -> dict[Place, _Reading]:
        return {place: one for place, one in self._reading.items() if one.active}

    def _move(self, place: Place, position: int) -> None:
        """Everything below `position` was returned or does not exist; positions never move back."""
        one = self._reading[place]
        one.position = min(max(position, one.position), one.end)
        if position >= one.end:
            self._finish(place)

    def _finish(self, place: Place) -> None:
        if self._reading[place].active:
            self._reading[place].active = False
            self._client.incremental_unassign([TopicPartition(*place)])  # a pause would outlive the next assign

    def _on_error(self, place: Place, offset: int, error: Any, out_of_range: set[Place]) -> None:  # noqa: ANN401
        if error.code() == KafkaError._PARTITION_EOF:
            if place in self._active():
                self._move(place, offset)
                self._finish(place)  # the log may end before the range does: what is missing is still to come
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:
            out_of_range.add(place)
        elif error.fatal():
            raise KafkaException(error)
        else:
            self._last_error = error.str()

    def _skip_expired(self, place: Place) -> None:
        """The broker no longer has the next offset: retention was faster, or the log is a new and shorter one."""
        low, high = kafka.watermarks(self._client, self._settings, [place]).get(place, (0, 0))
        one = self._reading[place]
        position = one.position
        if low <= position <= high:
            return  # readable again: the log grew meanwhile
        if position < low:
            self.expired.append(Gap(*place, position, min(low, one.end) - 1, "expired while it was read"))
            log.error("offsets %d-%d of %s-%d expired while they were read", position, min(low, one.end) - 1, *place)
            one.position = min(low, one.end)
        if position > high or one.position >= one.end:
            one.active = False

    def _restart(self) -> None:
        active = sorted(self._active().items())
        self._client.assign([TopicPartition(*place, one.position) for place, one in active])
