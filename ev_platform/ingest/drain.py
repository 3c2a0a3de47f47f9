"""One bounded drain: read explicit offset ranges, store every message, write the receipt, then commit. In this order.

Belongs here: the order of steps that makes ingest safe. A crash between any two of them loses nothing, because the
commit comes last; what is read twice has the same identity and is dropped by compaction. Committed offsets never move
back and never jump over offsets that were not read. Not here: routing (record.py), buffering (buffer.py), reading.
"""

from __future__ import annotations

import gc
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from ev_platform.ingest import kafka
from ev_platform.ingest.breaker import Breaker, PoisonedTopicError
from ev_platform.ingest.buffer import DEAD, Flush, FlushReason, Limits, VehicleBuffer
from ev_platform.ingest.dead_letters import dead_line
from ev_platform.ingest.event_time import broker_day
from ev_platform.ingest.gaps import encode_gap
from ev_platform.ingest.lag import PartitionLag, lags
from ev_platform.ingest.offsets import Gap, OffsetRange, Place, rounds
from ev_platform.ingest.reader import ConfluentReader, TopicReader
from ev_platform.ingest.receipts import Ledger
from ev_platform.ingest.record import Message, Record, Router
from ev_platform.ingest.uploads import Uploads, lake_errors
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings

__all__ = ["Drain", "DrainReport", "OffsetRange", "drain"]

log = logging.getLogger(__name__)


@contextmanager
def _garbage_collector_off() -> Iterator[None]:
    """Messages hold no cycles; looking for some in every batch costs a third of the time of a drain."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@dataclass
class DrainReport:
    """What one drain did."""

    messages: int = 0
    """Messages read."""
    records: int = 0
    """Messages stored under a vehicle and day."""
    tombstones: int = 0
    """Messages without a value."""
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
    gaps: list[Gap] = field(default_factory=list)
    """Offsets that expired before they were read."""
    committed: dict[Place, int] = field(default_factory=dict)
    """Next offsets the broker accepted."""
    not_committed: dict[Place, str] = field(default_factory=dict)
    """Partitions whose offset stayed, and why; their data are durable all the same."""
    receipts: list[str] = field(default_factory=list)
    """Keys of the offset receipts."""
    seconds: float = 0.0
    """Wall time."""


def drain(
    settings: Settings,
    store: ObjectStore,
    ranges: Sequence[OffsetRange] | None,
    *,
    commit: bool = True,
    only_day: str | None = None,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[int], None] = lambda _: None,
    stored: Callable[[Counter[str]], None] = lambda _: None,
    lost: Callable[[list[Gap]], None] = lambda _: None,
) -> DrainReport:
    """Read ranges to their end and make every message durable.

    Args:
        settings: broker, group, limits.
        store: the lake.
        ranges: what to read, a partition at most once; None: everything the group has not read yet.
        commit: whether to commit; without it nothing about the group or the known gaps changes.
        only_day: keep only records of this event day (a replay; takes `commit=False`).
        stop: asked between batches; once true, what was read is stored and committed, and the drain ends.
        progress: called with the number of messages read so far.
        stored: called with the records of each event day once they are durable and before they are committed, so that
            whoever has to hear of a day does, or reads it again.
        lost: called with offsets that expired before they were read, once they are recorded and before the commit.

    Raises:
        UserError: the broker or the lake failed; nothing of the running round was committed.
        ValueError: a replay of one day that wants to commit.
    """
    one = Drain(
        settings, store, commit=commit, only_day=only_day, stop=stop, progress=progress, stored=stored, lost=lost
    )
    return one.run(ranges)


class Drain:
    """The steps of a drain; each one a method, so that tests can crash between any two."""

    def __init__(
        self,
        settings: Settings,
        store: ObjectStore,
        *,
        commit: bool = True,
        only_day: str | None = None,
        stop: Callable[[], bool] = lambda: False,
        progress: Callable[[int], None] = lambda _: None,
        stored: Callable[[Counter[str]], None] = lambda _: None,
        lost: Callable[[list[Gap]], None] = lambda _: None,
    ) -> None:
        if only_day is not None and commit:
            raise ValueError("a replay of one day leaves messages of other days unread: it must not commit")
        self.settings = settings
        self.store = store
        self.report = DrainReport()
        self._commits = commit
        self._only_day = only_day
        self._stop = stop
        self._progress = progress
        self._stored = stored
        self._lost = lost
        self._router = Router(settings.start_day, settings.message_max_bytes)
        self._breaker = Breaker(settings)

    def run(self, ranges: Sequence[OffsetRange] | None) -> DrainReport:
        """Read all ranges, round by round; each round is durable and committed before the next starts."""
        began = time.monotonic()
        client = kafka.open_consumer(self.settings)
        try:
            with kafka.kafka_errors(self.settings):
                with lake_errors(self.store.url):
                    self._breaker.load(self.store)
                if ranges is None:
                    ranges = self._everything(client)
                for part in rounds(ranges, self.settings.drain_max_messages):
                    if self._stop():
                        break
                    self.run_round(client, part)
        except PoisonedTopicError as error:
            self._breaker.trip(self.store, error)
            raise
        finally:
            kafka.close(client)
            self.report.seconds = time.monotonic() - began
        return self.report

    def run_round(self, client: Any, ranges: Sequence[OffsetRange]) -> None:  # noqa: ANN401
        """Read, store, receipt, barrier, tell, commit."""
        before = Counter(self.report.days)
        state = self.state(client, ranges)
        readable, gaps = self.readable(ranges, state)
        reader = ConfluentReader(client, self.settings)
        buffer = VehicleBuffer(Limits.of(self.settings), clock=lambda: 0.0)  # ends by itself, so it needs no timer
        ledger = Ledger(readable)
        reader.assign(readable)
        with Uploads(self.put, self.store.url) as uploads:
            self.read(reader, buffer, ledger, uploads)
            self.settle(buffer, uploads, below=0)
            self.report.retries += uploads.retries
            self.report.objects += uploads.objects
            self.report.bytes += uploads.bytes
        self.report.flushes.update({reason.value: n for reason, n in buffer.reasons.items()})
        self.report.gaps += gaps + reader.expired
        with lake_errors(self.store.url):
            for gap in gaps + reader.expired if self._commits else []:
                self.put(*encode_gap(gap))
            self.write_receipt(ledger)
            if self._commits:
                self._breaker.save(self.store, self.report.messages)
            self.store.barrier()
        self._stored(self.report.days - before)
        if self._commits and (gaps or reader.expired):
            self._lost(gaps + reader.expired)
        if self._commits:
            self.commit(client, self.positions(buffer, readable), readable, state)

    # -- before reading -----------------------------------------------------------------------------------------------

    def _everything(self, client: Any) -> list[OffsetRange]:  # noqa: ANN401
        places = kafka.partitions(client, self.settings, self.settings.kafka_topics)
        found = lags(client, self.settings, places)
        return [OffsetRange(lag.topic, lag.partition, lag.start, lag.high) for lag in found]

    def state(self, client: Any, ranges: Sequence[OffsetRange]) -> dict[Place, PartitionLag]:  # noqa: ANN401
        """Lag of the partitions named in the ranges; one that does not exist has none."""
        wanted = {one.place for one in ranges}
        existing = kafka.partitions(client, self.settings, sorted({topic for topic, _ in wanted}))
        found = lags(client, self.settings, sorted(wanted.intersection(existing)))
        return {(lag.topic, lag.partition): lag for lag in found}

    def readable(
        self, ranges: Sequence[OffsetRange], state: dict[Place, PartitionLag]
    ) -> tuple[list[OffsetRange], list[Gap]]:
        """Ranges without what the broker no longer has, and the gaps of what was lost by that."""
        found: list[OffsetRange] = []
        gaps: list[Gap] = []
        for one in ranges:
            lag = state.get(one.place)
            if lag is None or one.start > lag.high:
                log.warning("%s-%d has no offset %d (any more): nothing to read", *one.place, one.start)
                continue
            if lag.expired and one.start <= lag.low:
                gap = Gap(*one.place, lag.expired[0], lag.expired[1] - 1, "expired before it was read")
                log.error("%s-%d: offsets %d to %d are lost: %s", *one.place, gap.first, gap.last, gap.reason)
                gaps.append(gap)
            start = max(one.start, lag.low)
            found.append(replace(one, start=start, end=max(start, one.end)))
        return found, gaps

    # -- reading and storing ------------------------------------------------------------------------------------------

    def read(self, reader: TopicReader, buffer: VehicleBuffer, ledger: Ledger, uploads: Uploads) -> None:
        """Read until every range ends or `stop` says so, then flush what is open."""
        half = self.settings.buffer_memory_bytes // 2
        with _garbage_collector_off():
            while not reader.done and not self._stop():
                for message in reader.read():
                    for flush in self.take(message, buffer, ledger):
                        self.start(flush, uploads)
                self.settle(buffer, uploads, below=half)
                self._progress(self.report.messages)
        for flush in buffer.flush_all(FlushReason.END if reader.done else FlushReason.STOP):
            self.start(flush, uploads)
        for place in ledger.partitions:
            buffer.advance(place, reader.position(place))
            if self._only_day is None:
                ledger.close(place, reader.position(place))

    def take(self, message: Message, buffer: VehicleBuffer, ledger: Ledger) -> list[Flush]:
        """Route one message into the buffer and the receipt."""
        place, offset = (message.topic(), message.partition()), message.offset()
        receipt = ledger.partitions[place]
        timestamp = message.timestamp()[1]
        routed = self._router.route(message)
        self.report.messages += 1
        if self._only_day is not None and (not isinstance(routed, Record) or routed.day != self._only_day):
            return []
        ledger.saw(timestamp)
        if isinstance(routed, Record):
            receipt.record(offset, routed.day)
            return buffer.add(place, offset, routed.vin, routed.day, routed.line, broker_day(timestamp))
        if routed is None:
            self.report.tombstones += 1
            receipt.tombstone(offset)
            return []
        self.report.dead_letters[routed.reason.value] += 1
        self._breaker.dead(self.report.messages, place, offset, routed)
        receipt.dead_letter(offset)
        return buffer.add(place, offset, DEAD, broker_day(timestamp), dead_line(message, routed))

    def start(self, flush: Flush, uploads: Uploads) -> None:
        """Hand one flush to the upload threads."""
        if not flush.dead:
            self.report.records += flush.n
            self.report.days[flush.day] += flush.n
            self.report.vins.add(flush.vin)
        uploads.submit(flush)

    def settle(self, buffer: VehicleBuffer, uploads: Uploads, below: int) -> None:
        """Tell the buffer what became durable; wait while more than `below` bytes are in flight."""
        for flush in uploads.collect():
            buffer.done(flush)
        while uploads.running and buffer.in_flight_bytes > below:
            for flush in uploads.collect(block=True):
                buffer.done(flush)

    def put(self, key: str, data: bytes) -> None:
        """Store one object."""
        self.store.put(key, data)

    # -- receipt and commit -------------------------------------------------------------------------------------------

    def write_receipt(self, ledger: Ledger) -> None:
        """Store the receipt of a round; everything it names is durable."""
        receipt = ledger.encode()
        if receipt is not None:
            self.put(*receipt)
            self.report.receipts.append(receipt[0])

    def positions(self, buffer: VehicleBuffer, ranges: Sequence[OffsetRange]) -> dict[Place, int]:
        """The offset that may be committed for each partition."""
        return {one.place: buffer.safe_offset(one.place) for one in ranges}

    def commit(
        self,
        client: Any,  # noqa: ANN401
        positions: dict[Place, int],
        ranges: Sequence[OffsetRange],
        state: dict[Place, PartitionLag],
    ) -> None:
        """Commit forward, without jumping over anything unread; a refusal is reported and does no harm."""
        starts = {one.place: one.start for one in ranges}
        now = kafka.committed(client, self.settings, list(positions))
        wanted: dict[Place, int] = {}
        for place, position in positions.items():
            lag = replace(state[place], committed=now[place])
            if position < lag.start or (position == lag.start and lag.committed == position):
                continue  # somebody else got further, or nothing new
            if starts[place] > lag.start:
                reason = f"offsets {lag.start} to {starts[place] - 1} were not read"
                log.warning("%s-%d is not committed: %s", *place, reason)
                self.report.not_committed[place] = reason
            else:
                wanted[place] = position
        refusal = kafka.commit(client, self.settings, wanted) if wanted else None
        if refusal is not None:
            log.warning("the commit was refused (%s): the data are durable and will be read again", refusal)
            self.report.not_committed |= dict.fromkeys(wanted, refusal)
        else:
            self.report.committed |= wanted
