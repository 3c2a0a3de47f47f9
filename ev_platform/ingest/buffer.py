"""Raw lines gathered per partition, vehicle and event day, and the number that must never be wrong: the safe offset.

Pure: no Kafka, no object store, an injected clock. One thread owns a buffer; only it moves lines from "open" to
"in flight" (`Flush`) to durable (`done`). A partition may be committed up to `safe_offset`: the smallest first offset
of everything not durable yet, or the next position when all is. Never the last offset read or the highest flushed.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from ev_platform.ingest.offsets import Place
from ev_platform.lake.layout import dead_letter_key, kafka_object_name, temp_key
from ev_platform.settings import Settings

DEAD = ""
"""Stands in place of a VIN for the buffer of a partition's dead letters."""


VEHICLE_BYTES, SEGMENT_BYTES = 2**20, 2**24
"""Size at which an object of one vehicle, of many vehicles is flushed."""


class FlushReason(StrEnum):
    """Why a buffer became an object."""

    COUNT = "count"
    BYTES = "bytes"
    AGE = "age"
    DAY = "day"
    MEMORY = "memory"
    REVOKE = "revoke"
    STOP = "stop"
    END = "end"


@dataclass(frozen=True)
class Limits:
    """When an open buffer is flushed."""

    max_messages: int
    flush_seconds: float
    min_bytes: int
    max_seconds: float
    memory_bytes: int
    max_bytes: int = VEHICLE_BYTES

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """The limits of EV_BUFFER_*."""
        many = settings.buffer_layout == "segment"
        return cls(
            settings.buffer_segment_messages if many else settings.buffer_max_messages,
            settings.buffer_flush_seconds,
            settings.buffer_min_bytes,
            settings.buffer_max_seconds,
            settings.buffer_memory_bytes,
            SEGMENT_BYTES if many else VEHICLE_BYTES,
        )


@dataclass(slots=True)
class _Open:
    """Lines of one vehicle and event day that are in memory only."""

    first: int
    opened: float
    lines: list[bytes] = field(default_factory=list)
    size: int = 0
    last: int = -1


@dataclass(frozen=True, eq=False)
class Flush:
    """Lines on their way to the store: an object whose name and bytes follow from its lines alone."""

    source: str
    partition: int
    vin: str
    day: str
    first: int
    last: int
    n: int
    data: bytes = field(repr=False)
    reason: FlushReason
    opened: float = 0.0
    """When its first line came, by the buffer's clock."""

    @property
    def dead(self) -> bool:
        """Whether these are dead letters."""
        return self.vin == DEAD

    def key(self) -> str:
        """Key of the object; computed by whoever uploads, because the checksum costs time."""
        crc = zlib.crc32(self.data)
        name = kafka_object_name(self.source, self.partition, self.first, self.last, self.n, crc)
        return dead_letter_key(self.day, name) if self.dead else temp_key(self.vin, self.day, name)


@dataclass
class _Partition:
    next_position: int = 0
    newest_day: str = ""
    open: dict[tuple[str, str], _Open] = field(default_factory=dict)
    in_flight: set[Flush] = field(default_factory=set)


class VehicleBuffer:
    """Open and in-flight lines of all partitions of one reader."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._partitions: dict[Place, _Partition] = {}
        self.reasons: Counter[FlushReason] = Counter()
        self.open_bytes = 0
        self.in_flight_bytes = 0

    # -- what was read ------------------------------------------------------------------------------------------------

    def add(self, place: Place, offset: int, vin: str, day: str, line: bytes, broker_day: str = "") -> list[Flush]:
        """Take one line; offsets of a partition must rise.

        Args:
            place: topic and partition.
            offset: offset of the message.
            vin: the vehicle, `SEGMENTS` for lines of many vehicles, or `DEAD`.
            day: event day; for dead letters the day of the broker's timestamp.
            line: one JSON line with its newline.
            broker_day: UTC day of the broker's timestamp. The first message of a new day closes the buffers of days
                before: the stream's own clock, so that the cuts are the same whenever the messages are read.

        Returns:
            Buffers to upload now; each must be given back by `done` when it is durable.
        """
        partition = self._partitions.get(place) or self._partitions.setdefault(place, _Partition())
        flushes: list[Flush] = []
        if broker_day > partition.newest_day:
            partition.newest_day = broker_day
            over = [key for key in partition.open if key[1] < broker_day and key[0] != DEAD]
            flushes = [self._flush(place, key, FlushReason.DAY) for key in over]
        buffer = partition.open.get((vin, day))
        if buffer is None:
            buffer = partition.open[vin, day] = _Open(offset, self._clock())
        lines, size, limits = buffer.lines, len(line), self._limits
        lines.append(line)
        buffer.last = offset
        buffer.size += size
        self.open_bytes += size
        partition.next_position = offset + 1
        if len(lines) >= limits.max_messages:
            flushes.append(self._flush(place, (vin, day), FlushReason.COUNT))
        elif buffer.size >= limits.max_bytes:
            flushes.append(self._flush(place, (vin, day), FlushReason.BYTES))
        elif self.open_bytes + self.in_flight_bytes > limits.memory_bytes:
            flushes += self._relieve()
        return flushes

    def advance(self, place: Place, position: int) -> None:
        """Move the next position over what leaves no line: tombstones, transaction markers, compacted offsets."""
        partition = self._partitions.setdefault(place, _Partition())
        partition.next_position = max(partition.next_position, position)

    # -- what must be uploaded ----------------------------------------------------------------------------------------

    def due(self) -> list[Flush]:
        """Buffers whose age, counted from their first message, asks for a flush.

        A buffer of at least `min_bytes` goes after `flush_seconds`, any other, and dead letters, after `max_seconds`.
        """
        now, limits = self._clock(), self._limits
        soonest = min(limits.flush_seconds, limits.max_seconds)
        late = []
        for place, partition in self._partitions.items():
            for key, buffer in partition.open.items():  # in the order of their first messages
                age = now - buffer.opened
                if age < soonest:
                    break
                small = key[0] == DEAD or buffer.size < limits.min_bytes
                if age >= (limits.max_seconds if small else limits.flush_seconds):
                    late.append((place, key))
        return [self._flush(place, key, FlushReason.AGE) for place, key in late]

    def flush_all(self, reason: FlushReason, places: Iterable[Place] | None = None) -> list[Flush]:
        """Everything open, of all partitions or of these."""
        chosen = list(self._partitions if places is None else places)
        return [
            self._flush(place, key, reason)
            for place in chosen
            if place in self._partitions
            for key in list(self._partitions[place].open)
        ]

    # -- what is durable ----------------------------------------------------------------------------------------------

    def done(self, flush: Flush) -> None:
        """The upload is durable. Ignored for a partition that was forgotten meanwhile."""
        partition = self._partitions.get((flush.source, flush.partition))
        if partition is not None and flush in partition.in_flight:
            partition.in_flight.remove(flush)
            self.in_flight_bytes -= len(flush.data)

    def safe_offset(self, place: Place) -> int:
        """The offset that may be committed: nothing below it exists in memory only."""
        partition = self._partitions[place]
        undurable = [buffer.first for buffer in partition.open.values()]
        undurable += [flush.first for flush in partition.in_flight]
        return min(undurable, default=partition.next_position)

    def next_position(self, place: Place) -> int:
        """The offset after the last one read; never commit this."""
        return self._partitions[place].next_position

    def places(self) -> list[Place]:
        """Partitions seen, sorted."""
        return sorted(self._partitions)

    def oldest_seconds(self) -> float:
        """Age of the oldest line that is in memory only."""
        parts = self._partitions.values()
        opened = [buffer.opened for part in parts for buffer in part.open.values()]
        opened += [flush.opened for part in parts for flush in part.in_flight]
        return self._clock() - min(opened) if opened else 0.0

    def open_buffers(self) -> int:
        """Buffers that hold lines."""
        return sum(len(partition.open) for partition in self._partitions.values())

    def forget(self, place: Place) -> None:
        """Drop a partition that belongs to somebody else now: what was not durable will be read again there."""
        partition = self._partitions.pop(place, None)
        if partition is not None:
            self.open_bytes -= sum(buffer.size for buffer in partition.open.values())
            self.in_flight_bytes -= sum(len(flush.data) for flush in partition.in_flight)

    # -- internals ----------------------------------------------------------------------------------------------------

    def _relieve(self) -> list[Flush]:
        """Flush the largest buffers, oldest first among equals, until half of the memory limit is left open."""
        if self.open_bytes <= self._limits.memory_bytes // 2:
            return []  # what is in flight weighs more; its end is waited for elsewhere
        candidates = [
            (-buffer.size, buffer.opened, place, key)
            for place, partition in self._partitions.items()
            for key, buffer in partition.open.items()
        ]
        flushes: list[Flush] = []
        for _, _, place, key in sorted(candidates):
            if self.open_bytes <= self._limits.memory_bytes // 2:
                break
            flushes.append(self._flush(place, key, FlushReason.MEMORY))
        return flushes

    def _flush(self, place: Place, key: tuple[str, str], reason: FlushReason) -> Flush:
        partition = self._partitions[place]
        buffer = partition.open.pop(key)
        data = b"".join(buffer.lines)
        flush = Flush(*place, *key, buffer.first, buffer.last, len(buffer.lines), data, reason, buffer.opened)
        partition.in_flight.add(flush)
        self.open_bytes -= buffer.size
        self.in_flight_bytes += buffer.size
        self.reasons[reason] += 1
        return flush
