"""Messages, topics and small lakes for the ingest tests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from ev_platform.ingest.lag import probe
from ev_platform.ingest.offsets import Place
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings
from ev_platform_tests.mock_control import MockCluster

DAY_MS = 86_400_000
T0 = 1_793_491_200_000
"""2026-11-01T00:00:00Z in ms."""


def vin(number: int) -> str:
    return f"EVPTESLA{number:09d}"


def payload(number: int, day: str = "2026-11-01", clock: str = "10:00:00.123456789Z", **more: Any) -> bytes:
    body = {"data": [{"key": "Soc", "value": {"doubleValue": 70.5}}], "createdAt": f"{day}T{clock}", "vin": vin(number)}
    return json.dumps(body | more).encode()


@dataclass
class FakeMessage:
    """A Kafka message as confluent_kafka hands it out."""

    _value: bytes | None
    _key: bytes | None = None
    _offset: int = 0
    _timestamp: tuple[int, int] = (1, T0 + DAY_MS)
    _headers: list[tuple[str, bytes | None]] | None = None
    _partition: int = 0
    _topic: str = "tesla_V"

    def topic(self) -> str:
        return self._topic

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        return self._timestamp

    def key(self) -> bytes | None:
        return self._key

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return self._headers


@dataclass
class Sent:
    """One message to produce."""

    value: bytes | None
    partition: int = 0
    key: bytes | None = None
    timestamp: int = T0 + 12 * 3_600_000
    headers: list[tuple[str, bytes]] = field(default_factory=list)


def send(bootstrap: str, topic: str, messages: Iterable[Sent], **options: Any) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, "log_level": 0, **options})
    for number, one in enumerate(messages):
        producer.produce(
            topic,
            value=one.value,
            key=one.key,
            partition=one.partition,
            timestamp=one.timestamp,
            headers=list(one.headers),
        )
        if number % 5000 == 4999:
            producer.flush()
    assert producer.flush(20) == 0


def fleet(count: int, partitions: int = 3, vehicles: int = 10, days: int = 2) -> list[Sent]:
    """Readable messages of several vehicles over several days; a vehicle keeps its partition."""
    found = []
    for number in range(count):
        day = f"2026-11-{1 + number * days // count:02d}"
        car = number % vehicles
        timestamp = T0 + (number * days // count) * DAY_MS + 12 * 3_600_000 + number
        found.append(Sent(payload(car, day, n=number), car % partitions, vin(car).encode(), timestamp))
    return found


def commit(bootstrap: str, group: str, positions: dict[Place, int]) -> None:
    client = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False, "log_level": 0})
    client.commit(offsets=[TopicPartition(*place, offset) for place, offset in positions.items()], asynchronous=False)
    client.close()


def lake_objects(store: ObjectStore) -> dict[str, bytes]:
    """Every object of a lake."""
    tops = ("temp", "dead_letter", "ops", "compressed", "quarantine")
    return {key: store.get(key) for top in tops for key in store.keys(top)}


def identities(store: ObjectStore, prefix: str = "temp") -> list[tuple[str, int, int, int]]:
    """(source, partition, offset, timestamp) of every raw line, repeats included."""
    found = []
    for key in store.keys(prefix):
        source = key.rsplit("/", 1)[-1].split("-")[0]
        for line in store.get(key).splitlines():
            body = json.loads(line)
            found.append((source, body["_p"], body["_o"], body["_t"]))
    return found


def offsets_of(found: Sequence[tuple[str, int, int, int]]) -> dict[Place, list[int]]:
    result: dict[Place, list[int]] = {}
    for source, partition, offset, _ in found:
        result.setdefault((source, partition), []).append(offset)
    return {place: sorted(offsets) for place, offsets in result.items()}


def committed(settings: Settings) -> dict[Place, int | None]:
    """Committed offsets of the group, as the broker has them."""
    return {(lag.topic, lag.partition): lag.committed for lag in probe(settings)}


def filled(cluster: MockCluster, topic: str, messages: list[Sent], partitions: int = 3) -> list[Sent]:
    """A new topic with these messages."""
    cluster.create_topic(topic, partitions)
    send(cluster.bootstrap, topic, messages)
    return messages
