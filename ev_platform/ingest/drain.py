"""One bounded drain: read explicit offset ranges, store every message, write the receipt, then commit. In this order.

Belongs here: the order of steps that makes ingest safe. A crash between any two of them loses nothing, because the
commit comes last; what is read twice has the same identity and is dropped by compaction. Committed offsets never move
back and never jump over offsets that were not read. Not here: routing (record.py), buffering (buffer.py), reading.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ev_platform.ingest import kafka
from ev_platform.ingest.breaker import PoisonedTopicError
from ev_platform.ingest.buffer import FlushReason, Limits, VehicleBuffer
from ev_platform.ingest.group import members
from ev_platform.ingest.lag import PartitionLag, lags
from ev_platform.ingest.offsets import Gap, OffsetRange, Place, rounds
from ev_platform.ingest.reader import ConfluentReader, TopicReader
from ev_platform.ingest.receipts import Ledger
from ev_platform.ingest.report import DrainReport
from ev_platform.ingest.steps import Steps, garbage_collector_off
from ev_platform.ingest.uploads import Uploads, lake_errors
from ev_platform.lake.requests import cost_usd
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings

__all__ = ["Drain", "DrainReport", "OffsetRange", "drain"]

log = logging.getLogger(__name__)


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


class Drain(Steps):
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
        super().__init__(settings, store, only_day=only_day)
        self._commits = commit
        self._stop = stop
        self._progress = progress
        self._stored = stored
        self._lost = lost

    def run(self, ranges: Sequence[OffsetRange] | None) -> DrainReport:
        """Read all ranges, round by round; each round is durable and committed before the next starts."""
        began, asked_before = time.monotonic(), Counter(self.store.requests.counts())
        client = kafka.open_consumer(self.settings)
        try:
            with kafka.kafka_errors(self.settings):
                with lake_errors(self.store.url):
                    self.breaker.load(self.store)
                if self._commits and (alive := members(self.settings)):
                    self.report.refused = f"the ingest service reads these topics: {alive} in the group"
                    log.warning("no drain: %s %s", self.report.refused, self.settings.kafka_group)
                    return self.report
                if ranges is None:
                    ranges = self._everything(client)
                for part in rounds(ranges, self.settings.drain_max_messages):
                    if self._stop():
                        break
                    self.run_round(client, part)
        except PoisonedTopicError as error:
            self.breaker.trip(self.store, error)
            raise
        finally:
            kafka.close(client)
            self.report.seconds = time.monotonic() - began
            self.report.requests = dict(Counter(self.store.requests.counts()) - asked_before)
            self.report.requests_usd = cost_usd(self.report.requests)
        return self.report

    def run_round(self, client: Any, ranges: Sequence[OffsetRange]) -> None:  # noqa: ANN401
        """Read, store, receipt, barrier, tell, commit."""
        before = Counter(self.report.days)
        state = self.state(client, ranges)
        readable, gaps = self.readable(ranges, state)
        self.report.lag_messages = self.report.lag_messages or sum(lag.behind for lag in state.values())
        reader = ConfluentReader(client, self.settings)
        buffer = VehicleBuffer(Limits.of(self.settings), clock=time.monotonic)
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
            self.write_gaps(gaps + reader.expired if self._commits else [])
            receipt = self.write_receipt(ledger)
            if self._commits:
                self.breaker.save(self.store, self.report.messages)
            self.store.barrier()
        self.report.receipts += [receipt] if receipt else []
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
        with garbage_collector_off():
            while not reader.done and not self._stop():
                batch = reader.read()
                if batch and not self.report.messages:
                    self.report.lag_seconds = max(0.0, time.time() - batch[0].timestamp()[1] / 1000)
                for message, plain in self.look(batch):
                    for flush in self.take(message, buffer, ledger, plain=plain):
                        self.start(flush, uploads)
                self.settle(buffer, uploads, below=half)
                self._progress(self.report.messages)
        for flush in buffer.flush_all(FlushReason.END if reader.done else FlushReason.STOP):
            self.start(flush, uploads)
        for place in ledger.partitions:
            buffer.advance(place, reader.position(place))
            if self._only_day is None:
                ledger.close(place, reader.position(place))

    # -- commit ------------------------------------------------------------------------------------------------------

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
            self.report.commit_errors += 1
        else:
            self.report.committed |= wanted
