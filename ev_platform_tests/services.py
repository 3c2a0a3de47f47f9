"""The real Kafka and S3 server of `make services`: used when they run, skipped with one line, required in CI."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from ev_platform_tests.moto_server import s3_environment
from services import s3
from services.process import alive, read_state


def service(name: str) -> dict[str, Any]:
    """Facts of a running service; without it the test is skipped, and fails where CI is set."""
    facts: dict[str, Any] = read_state().get(name, {})
    if alive(facts):
        return facts
    line = f"{name} does not run: `make services`"
    if os.environ.get("CI"):
        pytest.fail(line)
    pytest.skip(line)


class RealKafka:
    """The same handle as `MockCluster`, as far as a real broker can do it."""

    real = True

    def __init__(self) -> None:
        self.bootstrap = service("kafka")["bootstrap"]
        self._admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def create_topic(self, topic: str, partitions: int, **config: str) -> None:
        self._admin.create_topics([NewTopic(topic, partitions, 1, config=config)])[topic].result(30)
        while len(self._admin.list_topics(topic, timeout=10).topics[topic].partitions) < partitions:
            pass  # the broker has said yes, and tells everybody a moment later

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        asked = self._admin.delete_records([TopicPartition(topic, partition, before)])
        for future in asked.values():
            future.result(30)


@contextmanager
def s3_bucket() -> Iterator[str]:
    """URL of a new bucket on the real server, with the environment pointing to it."""
    facts = service("s3")
    bucket = f"lake-{uuid.uuid4().hex}"
    s3.client(facts).create_bucket(Bucket=bucket)
    with s3_environment(facts["endpoint"], facts["access_key"], facts["secret_key"]):
        yield f"s3://{bucket}"
