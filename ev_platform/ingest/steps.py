"""The steps that a bounded drain and the long-running service share: take a message, start an upload, settle, receipt.

One engine, two fronts (drain.py, service.py): whatever decides what is stored, and what counts as durable, stands here
once. Each step is a method, so that tests can crash between any two. Not here: which messages are read, and commits.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ev_platform.ingest.breaker import Breaker
from ev_platform.ingest.buffer import DEAD, Flush, VehicleBuffer
from ev_platform.ingest.dead_letters import dead_line
from ev_platform.ingest.event_time import DAY_MS, broker_day
from ev_platform.ingest.gaps import encode_gap
from ev_platform.ingest.offsets import Gap
from ev_platform.ingest.readable import plain
from ev_platform.ingest.receipts import Ledger
from ev_platform.ingest.record import Message, Record, Router
from ev_platform.ingest.report import DrainReport
from ev_platform.ingest.uploads import Uploads
from ev_platform.lake.layout import SEGMENTS
from ev_platform.lake.segment_lines import marked
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings


@contextmanager
def garbage_collector_off() -> Iterator[None]:
    """Messages hold no cycles; looking for some in every batch costs a third of the time of a drain."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class Steps:
    """Message → buffer and receipt → object → durable, and the figures of it."""

    def __init__(self, settings: Settings, store: ObjectStore, *, only_day: str | None = None) -> None:
        self.settings = settings
        self.store = store
        self.report = DrainReport()
        self._only_day = only_day
        self._segments = settings.buffer_layout == "segment"
        self.breaker = Breaker(settings)
        self._broker_day = (0, broker_day(0))
        self._router = Router(settings.start_day, settings.message_max_bytes)

    def look(self, batch: Sequence[Any]) -> Iterator[tuple[Any, bool]]:
        """Messages of a batch, and what `take` must be told of each."""
        return zip(batch, plain([message.value() or b"" for message in batch]), strict=True)

    def take(self, message: Message, buffer: VehicleBuffer, ledger: Ledger, *, plain: bool = False) -> Sequence[Flush]:
        """Route one message into the buffer and the receipt; `plain` as `look` says it."""
        place, offset, timestamp = (message.topic(), message.partition()), message.offset(), message.timestamp()[1]
        receipt = ledger.partitions[place]
        routed = self._router.route(message, plain=plain)
        report = self.report
        report.messages += 1
        if self._only_day is not None and (not isinstance(routed, Record) or routed.day != self._only_day):
            return ()
        ledger.saw(timestamp)
        if isinstance(routed, Record):
            receipt.record(offset, routed.day)
            if timestamp // DAY_MS != self._broker_day[0]:  # nearly never: this is done for every message
                self._broker_day = timestamp // DAY_MS, broker_day(timestamp)
            if self._segments:
                report.vins.add(routed.vin)
                line = marked(routed.vin, routed.line)
                return buffer.add(place, offset, SEGMENTS, routed.day, line, self._broker_day[1])
            return buffer.add(place, offset, routed.vin, routed.day, routed.line, self._broker_day[1])
        if routed is None:
            report.tombstones += 1
            receipt.tombstone(offset)
            buffer.advance(place, offset + 1)
            return ()
        report.dead_letters[routed.reason.value] += 1
        self.breaker.dead(report.messages, place, offset, routed)
        receipt.dead_letter(offset)
        return buffer.add(place, offset, DEAD, broker_day(timestamp), dead_line(message, routed))

    def start(self, flush: Flush, uploads: Uploads) -> None:
        """Hand one flush to the upload threads."""
        if not flush.dead:
            self.report.records += flush.n
            self.report.days[flush.day] += flush.n
            if flush.vin != SEGMENTS:
                self.report.vins.add(flush.vin)
        uploads.submit(flush)

    def settle(self, buffer: VehicleBuffer, uploads: Uploads, below: int) -> None:
        """Tell the buffer what became durable; wait while more than `below` bytes are in flight."""
        self.durable(uploads.collect(), buffer)
        while uploads.running and buffer.in_flight_bytes > below:
            self.durable(uploads.collect(block=True), buffer)

    def durable(self, flushes: Sequence[Flush], buffer: VehicleBuffer) -> None:
        """These objects are stored for good."""
        for flush in flushes:
            buffer.done(flush)
            self.report.stored_after(time.monotonic() - flush.opened)

    def put(self, key: str, data: bytes) -> None:
        """Store one object."""
        self.store.put(key, data)

    def write_gaps(self, gaps: Sequence[Gap]) -> None:
        """Store what can never be read, before a commit passes it."""
        for gap in gaps:
            self.put(*encode_gap(gap))

    def write_receipt(self, ledger: Ledger) -> str | None:
        """Store the receipt of what is durable; returns its key, None when there is nothing to say."""
        receipt = ledger.encode()
        if receipt is None:
            return None
        self.put(*receipt)
        return receipt[0]
