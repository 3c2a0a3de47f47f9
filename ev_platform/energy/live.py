"""One tick of the live production: what is newer than the watermark → topic → live store.

Belongs here: polling, producing, consuming, each bounded. The watermark moves only after the broker has everything,
the group's position only after the store has it: a tick that dies anywhere is simply repeated, and the store takes no
row twice. Not here: what a row means (live_rows.py), what is served (served.py).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from ev_platform.energy.explore import ExplorePortal
from ev_platform.energy.http import open_session
from ev_platform.energy.live_rows import KEY, NEWEST, TABLE, UnreadableMessage, live_row, messages
from ev_platform.energy.parse import parse
from ev_platform.energy.served import last_settled
from ev_platform.energy.tasks import source_named
from ev_platform.errors import UserError
from ev_platform.ingest import kafka
from ev_platform.ingest.offsets import OffsetRange
from ev_platform.ingest.reader import ConfluentReader
from ev_platform.lake.layout import dead_letter_key, kafka_object_name, utc_day
from ev_platform.lake.live_store import LiveStore, open_live_store
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings

SOURCE = "eco2mix_regional_tr"
MARKS = "energy_watermark"
BACKLOG = timedelta(hours=24)
"""How far a first tick looks back without settled data, and how long a silent region holds back the question."""

PARTITIONS = 3
"""Of a topic that is made here: twelve regions, a message each per quarter-hour."""

KEPT = timedelta(days=45)
"""Live rows are kept until they have long been settled, so that both can be compared."""


@dataclass(frozen=True)
class TickReceipt:
    """What a tick did."""

    polled: int
    sent: int
    read: int
    stored: int
    unreadable: int
    forgotten: int
    newest: str


def tick(settings: Settings, store: ObjectStore, now: datetime | None = None) -> TickReceipt:
    """Poll, produce, consume, store: everything that is there now, then return.

    Raises:
        UserError: portal, broker or live store cannot be used.
    """
    at = now or datetime.now(UTC)
    live = open_live_store(settings)
    try:
        polled, sent = _poll(settings, store, live, at)
        read, stored, unreadable = consume(settings, store, live)
        newest = max((str(row["instant"]) for row in live.rows(MARKS)), default="")
        forgotten = live.delete_before(TABLE, "instant", datetime.fromisoformat(newest) - KEPT) if newest else 0
    finally:
        live.close()
    return TickReceipt(polled, sent, read, stored, unreadable, forgotten, newest)


def _poll(settings: Settings, store: ObjectStore, live: LiveStore, at: datetime) -> tuple[int, int]:
    """Ask the portal for what is newer than the watermarks and send it; returns rows polled and sent."""
    source = source_named(settings, SOURCE)
    marks = {str(row["region_code"]): datetime.fromisoformat(str(row["instant"])) for row in live.rows(MARKS)}
    after = max(min(marks.values()), max(marks.values()) - BACKLOG) if marks else first_after(store, at)
    with open_session() as session:
        data = ExplorePortal(session, source).newer_than(after.strftime("%Y-%m-%dT%H:%M:%SZ"))
    rows = parse(source, [data])
    fresh = messages(rows, marks, after, at)
    produce(settings, settings.energy_topic, [(region.encode(), body) for region, _, body in fresh])
    newest = [{"region_code": region, "instant": instant} for region, instant, _ in fresh]
    live.upsert(MARKS, ["region_code"], newest, ["instant"])
    return rows.height, len(fresh)


def first_after(store: ObjectStore, at: datetime) -> datetime:
    """Where a first tick begins: after what is settled already, else a day ago."""
    return last_settled(store) or at - BACKLOG


def produce(settings: Settings, topic: str, pairs: Sequence[tuple[bytes, bytes]]) -> None:
    """Send (key, value) and wait until the broker has them all.

    Raises:
        UserError: it does not have them all in time.
    """
    if not settings.kafka_bootstrap:
        raise UserError("no Kafka broker is set: set EV_KAFKA_BOOTSTRAP=host:port, or use `ev demo` or `ev up`")
    failed: list[str] = []
    options = {**settings.kafka_options, "bootstrap.servers": settings.kafka_bootstrap}
    producer = Producer({"acks": "all", "enable.idempotence": True, "linger.ms": 20, "log_level": 0, **options})

    def delivered(error: Any, message: object) -> None:  # noqa: ANN401 - librdkafka's own types
        if error is not None:
            failed.append(str(error.str()))

    try:
        _ensure_topic(producer, options, topic, settings.kafka_timeout_seconds)
        for key, value in pairs:
            producer.produce(topic, value, key, on_delivery=delivered)
        left = producer.flush(settings.kafka_timeout_seconds)
    except (KafkaException, BufferError) as error:
        raise UserError(kafka.unreachable(settings, error)) from error
    if left or failed:
        producer.purge()
        raise UserError(kafka.unreachable(settings, failed[0] if failed else "messages were not taken in time"))


def _ensure_topic(producer: Any, options: dict[str, Any], topic: str, seconds: float) -> None:  # noqa: ANN401
    """Create the topic where it does not exist; the embedded broker, which has no controller, makes it by itself."""
    found = producer.list_topics(topic, timeout=seconds)
    if found.topics[topic].error is None or found.controller_id < 0:
        return
    created = AdminClient(options).create_topics([NewTopic(topic, PARTITIONS)], request_timeout=seconds)
    try:
        created[topic].result(timeout=seconds)
    except KafkaException as error:
        if error.args[0].name() != "TOPIC_ALREADY_EXISTS":
            raise


def consume(settings: Settings, store: ObjectStore, live: LiveStore) -> tuple[int, int, int]:
    """Everything the topic has now, into the live store; returns messages read, rows stored, messages unreadable.

    The group is one of its own; its position moves when the store has the rows.
    """
    own = settings.with_changes(kafka_group=f"{settings.kafka_group}-energy", kafka_topics=(settings.energy_topic,))
    read, stored, dead = 0, 0, 0
    with kafka.consumer(own) as client:
        places = kafka.partitions(client, own, own.kafka_topics)
        marks = kafka.watermarks(client, own, places)
        position = kafka.committed(client, own, places)
        ranges = [OffsetRange(*place, max(position[place] or low, low), high) for place, (low, high) in marks.items()]
        reader = ConfluentReader(client, own)
        reader.assign([one for one in ranges if one.start < one.end])
        while not reader.done:
            batch = reader.read()
            rows, unreadable = _split(batch)
            stored += live.upsert(TABLE, KEY, rows, NEWEST)
            _keep(store, unreadable)
            read, dead = read + len(batch), dead + len(unreadable)
        if reached := {one.place: reader.position(one.place) for one in ranges if one.start < one.end}:
            problem = kafka.commit(client, own, reached)
            if problem:
                raise UserError(kafka.unreachable(own, problem))
    return read, stored, dead


def _split(batch: Sequence[Any]) -> tuple[list[dict[str, Any]], list[tuple[Any, str]]]:
    rows, unreadable = [], []
    for message in batch:
        try:
            rows.append(live_row(message.value() or b""))
        except UnreadableMessage as error:
            unreadable.append((message, str(error)))
    return rows, unreadable


def _keep(store: ObjectStore, unreadable: Sequence[tuple[Any, str]]) -> None:
    """Dead letters, in the form of all others: whole, with the reason; the same message has the same key."""
    for message, reason in unreadable:
        line = dead_letter_line(message, reason)
        name = kafka_object_name(
            message.topic(), message.partition(), message.offset(), message.offset(), 1, zlib.crc32(line)
        )
        store.put(dead_letter_key(utc_day(message.timestamp()[1]), name), line)


def dead_letter_line(message: Any, reason: str) -> bytes:  # noqa: ANN401 - a message of the client
    """The stored line of a message that is no row."""
    from ev_platform.ingest.dead_letters import dead_line
    from ev_platform.ingest.record import Dead, Reason

    kind = Reason.NOT_AN_OBJECT if reason == "not a JSON object" else Reason.NOT_JSON
    return dead_line(message, Dead(kind if not reason.startswith("no ") else Reason.NO_CREATED_AT, reason))
