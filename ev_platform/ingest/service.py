"""`ev ingest`: the long-running consumer. Subscribes, buffers per vehicle, uploads, and commits only what is durable.

Belongs here: what only a member of the group has to do: partitions that come and go, timers, back-pressure, checkpoints
(data durable → known gaps → receipt → tell → commit), leaving in order. What is stored and how stands in steps.py, the
same as for a drain. One thread does everything but the uploads, so no state is shared.

A commit is refused when the group moved on without us (a pause beyond the session): then somebody else reads the same
messages again, under the same identity. A lake that is down is waited for: reading stops at the memory limit.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from confluent_kafka import KafkaError, TopicPartition

from ev_platform.errors import UserError
from ev_platform.ingest import kafka
from ev_platform.ingest.breaker import PoisonedTopicError
from ev_platform.ingest.buffer import FlushReason, Limits, VehicleBuffer
from ev_platform.ingest.figures import Figures
from ev_platform.ingest.group import open_member
from ev_platform.ingest.lag import PartitionLag, lags
from ev_platform.ingest.offsets import Gap, Place
from ev_platform.ingest.reader import BATCH, BATCH_BYTES, WAIT_SECONDS
from ev_platform.ingest.receipts import RunningLedger
from ev_platform.ingest.steps import Steps, garbage_collector_off
from ev_platform.ingest.uploads import FOR_EVER, Uploads, lake_errors
from ev_platform.lake.requests import cost_usd
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings

log = logging.getLogger(__name__)

REVOKE_SECONDS = 20.0
"""Longest wait for uploads of partitions that are taken away; below every usual session timeout."""

STOP_SECONDS = 25.0
"""Longest wait for uploads after SIGTERM."""

_TICK_SECONDS = 1.0
_WAITED_FOR = (
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TIMED_OUT,
    KafkaError._RESOLVE,
    KafkaError._MAX_POLL_EXCEEDED,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
)
_MINE_TO_FIX = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError._AUTHENTICATION,
    KafkaError.SASL_AUTHENTICATION_FAILED,
)


class Service(Steps):
    """A member of the consumer group; each step is a method, so that tests can crash between any two."""

    def __init__(
        self,
        settings: Settings,
        store: ObjectStore,
        *,
        stop: Callable[[], bool] = lambda: False,
        stored: Callable[[Counter[str]], None] = lambda _: None,
        lost: Callable[[list[Gap]], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; nothing is opened before `run`.

        Args:
            settings: broker, group, limits.
            store: the lake.
            stop: asked several times a second; once true, all is stored, committed, and the group is left.
            stored: called with the records of each event day once they are durable and before they are committed.
            lost: called with offsets that expired unread, once they are recorded and before the commit.
            clock: seconds, for the ages of buffers.
        """
        super().__init__(settings, store)
        self._stop = stop
        self._stored = stored
        self._tell_lost = lost
        self._clock = clock
        self.buffer = VehicleBuffer(Limits.of(settings), clock=clock)
        self.ledger = RunningLedger()
        self.figures = Figures()
        self._uploads = Uploads(self.put, store.url, threads=settings.upload_threads, attempts=FOR_EVER)
        self._client: Any = None
        self._questions: Any = None  # of its own: the member answers none while it runs a rebalance callback
        self._gaps: list[Gap] = []
        self._seen: dict[Place, int] = {}
        self._paused = False
        self._closing = False
        self._mean_bytes = 0.0
        self._began = self._last_checkpoint = self._last_tick = clock()

    def run(self) -> None:
        """Read until `stop` says so, then store and commit everything and leave the group.

        Raises:
            UserError: the broker or the lake cannot be used at all; nothing undurable was committed.
        """
        self._client, self._questions = open_member(self.settings), kafka.open_consumer(self.settings)
        with self._uploads, kafka.kafka_errors(self.settings), garbage_collector_off():
            try:
                with lake_errors(self.store.url):
                    self.breaker.load(self.store)
                kafka.partitions(self._questions, self.settings, self.settings.kafka_topics)  # is it there?
                self._client.subscribe(
                    list(self.settings.kafka_topics),
                    on_assign=self.on_assign,
                    on_revoke=self.on_revoke,
                    on_lost=self.on_lost,
                )
                while not self._stop():
                    self.turn()
                self.leave()
            except PoisonedTopicError as error:
                self.breaker.trip(self.store, error)
                raise
            finally:
                self._closing = True
                self._uploads.abandon()
                kafka.close(self._client)
                kafka.close(self._questions)

    # -- one turn of the loop -----------------------------------------------------------------------------------------

    def turn(self) -> None:
        """Read a batch, start what is due, note what is durable, and now and then commit."""
        fitting = int(BATCH_BYTES / max(self._mean_bytes, 1.0))
        batch = self._client.consume(max(1, min(BATCH, fitting)), WAIT_SECONDS)
        self._mean_bytes = sum(map(len, batch)) / len(batch) if batch else self._mean_bytes
        for message, plain in self.look(batch):
            if message.error() is not None:
                self._on_error(message)
                continue
            place = (message.topic(), message.partition())
            if place in self.ledger.partitions and message.offset() >= self.buffer.next_position(place):
                for flush in self.take(message, self.buffer, self.ledger, plain=plain):
                    self.start(flush, self._uploads)
        self.figures.read(batch)
        for flush in self.buffer.due():
            self.start(flush, self._uploads)  # cheap to ask: it looks at the oldest buffers only
        self.durable(self._uploads.collect(), self.buffer)
        self._press_back()
        now = self._clock()
        if now - self._last_checkpoint >= self.settings.commit_seconds:
            self.checkpoint(list(self.ledger.partitions))
            self._last_checkpoint = now
        if now - self._last_tick >= _TICK_SECONDS:
            self.tick(now)

    def _press_back(self) -> None:
        """Stop reading at the memory limit, go on below half of it; what waits, waits in Kafka."""
        held = self.buffer.open_bytes + self.buffer.in_flight_bytes
        if not self._paused and held >= self.settings.buffer_memory_bytes:
            self._paused = True
            self.figures.pauses += 1
            self._client.pause(self._client.assignment())
        elif self._paused and held <= self.settings.buffer_memory_bytes // 2:
            self._paused = False
            self._client.resume(self._client.assignment())

    def _on_error(self, message: Any) -> None:  # noqa: ANN401
        error, place = message.error(), (message.topic(), message.partition())
        if error.code() == KafkaError._PARTITION_EOF:
            if place in self.ledger.partitions:
                self.buffer.advance(place, message.offset())  # over transaction markers: there is nothing below
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:
            self._reposition(place)
        elif error.fatal() or error.code() in _MINE_TO_FIX:
            raise UserError(kafka.unreachable(self.settings, error))
        elif error.code() in _WAITED_FOR or error.retriable():
            log.info("waiting for the broker: %s", error.str())
        else:
            log.warning("Kafka says: %s", error.str())
            self.figures.errors += 1

    # -- partitions come and go ---------------------------------------------------------------------------------------

    def on_assign(self, client: Any, partitions: Sequence[TopicPartition]) -> None:  # noqa: ANN401
        """Go on where the group stands; what expired meanwhile becomes a known gap."""
        places = [(one.topic, one.partition) for one in partitions]
        found = {(lag.topic, lag.partition): lag for lag in lags(self._questions, self.settings, places)}
        starts = [self._begin(found[place]) for place in places if place in found]
        client.incremental_assign([TopicPartition(*place, start) for place, start in starts])
        if self._paused:
            client.pause([TopicPartition(*place) for place, _ in starts])
        self.figures.rebalances += 1
        log.info("reading %s", ", ".join(f"{topic}-{partition} from {at}" for (topic, partition), at in starts))

    def _begin(self, lag: PartitionLag) -> tuple[Place, int]:
        place, start = (lag.topic, lag.partition), lag.start
        if lag.expired:
            self._lost(Gap(*place, lag.expired[0], lag.expired[1] - 1, "expired before it was read"))
        self.report.replayed += max(0, self._seen.get(place, start) - start)
        self.buffer.forget(place)
        self.buffer.advance(place, start)
        self.ledger.open(place, start)
        self.figures.committed[place] = start if lag.committed == start else start - 1  # then `start` is news itself
        return place, start

    def on_revoke(self, client: Any, partitions: Sequence[TopicPartition]) -> None:  # noqa: ANN401
        """Store and commit what is open of these partitions, as far as the time allows; the rest is read again."""
        places = [(one.topic, one.partition) for one in partitions]
        mine = [place for place in places if place in self.ledger.partitions]
        if mine and not self._closing:
            self._store_open(FlushReason.REVOKE, REVOKE_SECONDS, mine)
            self.checkpoint(mine)
        self._forget(places)
        client.incremental_unassign(list(partitions))
        self.figures.rebalances += 1

    def on_lost(self, client: Any, partitions: Sequence[TopicPartition]) -> None:  # noqa: ANN401
        """The group took them away long ago: somebody else reads them, and no commit of ours would be accepted."""
        log.warning("partitions lost (a pause longer than the session): %d", len(partitions))
        self._forget([(one.topic, one.partition) for one in partitions])
        client.incremental_unassign(list(partitions))
        self.figures.lost_assignments += 1

    def _forget(self, places: Iterable[Place]) -> None:
        for place in places:
            if place in self.ledger.partitions:
                self._seen[place] = max(self._seen.get(place, 0), self.buffer.next_position(place))
            self.buffer.forget(place)
            self.ledger.drop(place)
            self.figures.drop(place)

    def _lost(self, gap: Gap) -> None:
        log.error("%s-%d: offsets %d to %d are lost: %s", gap.topic, gap.partition, gap.first, gap.last, gap.reason)
        self._gaps.append(gap)
        self.report.gaps.append(gap)

    def _reposition(self, place: Place) -> None:
        """The broker no longer has the next offset: retention was faster, or the log is a new and shorter one."""
        if place not in self.ledger.partitions:
            return
        low, high = kafka.watermarks(self._questions, self.settings, [place]).get(place, (0, 0))
        position = self.buffer.next_position(place)
        if position < low:
            self._lost(Gap(*place, position, low - 1, "expired while it was read"))
            self.buffer.advance(place, low)
        elif position > high:
            log.warning("%s-%d was created again: reading it from offset %d", *place, low)
            self._store_open(FlushReason.REVOKE, REVOKE_SECONDS, [place])
            self.checkpoint([place])
            self._forget([place])
            self._begin(PartitionLag(*place, low, low, high))
        start = self.buffer.next_position(place)
        self._client.incremental_unassign([TopicPartition(*place)])
        self._client.incremental_assign([TopicPartition(*place, start)])

    # -- durable, then committed --------------------------------------------------------------------------------------

    def safe(self, place: Place) -> int:
        """The offset that may be committed."""
        return self.buffer.safe_offset(place)

    def checkpoint(self, places: Sequence[Place]) -> None:
        """Known gaps, receipt, barrier, tell, commit; whatever fails is tried again at the next checkpoint."""
        self.ledger.mark({place: self.buffer.next_position(place) for place in self.ledger.partitions})
        positions = {place: self.safe(place) for place in places}
        positions = {place: at for place, at in positions.items() if at > self.figures.committed[place]}
        if not positions:
            return
        part = self.ledger.below(positions)
        try:
            with lake_errors(self.store.url):
                self.write_gaps(self._gaps)
                self.write_receipt(part)
                self.breaker.save(self.store, self.report.messages)
                self.store.barrier()
            if self._gaps:
                self._tell_lost(self._gaps)
            self._gaps = []
            self._stored(part.records())
        except Exception as error:
            log.error("nothing is committed yet: %s", str(error).splitlines()[0] if str(error) else repr(error))
            self.report.commit_errors += 1
            return
        self.commit(self._client, positions)

    def commit(self, client: Any, positions: dict[Place, int]) -> None:  # noqa: ANN401
        """Commit as a member; a refusal does no harm: the data are durable and will be read again."""
        refusal = kafka.commit(client, self.settings, positions)
        if refusal is not None:
            log.warning("the commit was refused (%s): the data are durable and will be read again", refusal)
            self.report.commit_errors += 1
            self.report.not_committed |= dict.fromkeys(positions, refusal)
            return
        self.ledger.forget_below(positions)
        self.figures.committed |= positions
        self.report.committed |= positions

    def _store_open(self, reason: FlushReason, seconds: float, places: Sequence[Place] | None = None) -> None:
        """Start what is open and wait for what is in flight of these partitions, but no longer than that."""
        for flush in self.buffer.flush_all(reason, places):
            self.start(flush, self._uploads)
        chosen = self.buffer.places() if places is None else list(places)
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and self._undurable(chosen):
            self.durable(self._uploads.collect(block=True, seconds=left), self.buffer)

    def _undurable(self, places: Iterable[Place]) -> int:
        """Offsets that were read and may not be committed yet."""
        return sum(self.buffer.next_position(place) - self.buffer.safe_offset(place) for place in places)

    def leave(self) -> None:
        """Store everything, commit, and say what had to be left behind."""
        self._store_open(FlushReason.STOP, STOP_SECONDS)
        self.checkpoint(list(self.ledger.partitions))
        self.tick(self._clock())
        if left := self._undurable(self.ledger.partitions):
            raise UserError(
                f"{left} messages could not be stored within {STOP_SECONDS:.0f} s: they are not committed and will be "
                "read again; check the lake"
            )

    # -- figures ------------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Bring the figures up to date."""
        self._last_tick = now
        report, uploads = self.report, self._uploads
        report.objects, report.bytes, report.retries = uploads.objects, uploads.bytes, uploads.retries
        report.flushes = Counter({reason.value: n for reason, n in self.buffer.reasons.items()})
        report.requests = self.store.requests.counts()
        report.requests_usd = cost_usd(report.requests)
        report.seconds = now - self._began
        self.figures.update(self._client, self.buffer, report, paused=self._paused)
