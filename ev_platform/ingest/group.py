"""The consumer group as a whole: who is in it, and how the service joins it.

Belongs here: everything that only a member of the group has to do with. A drain never joins; while somebody has joined,
the broker refuses its commits, so it does not even begin.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from ev_platform.ingest import kafka
from ev_platform.settings import Settings

log = logging.getLogger(__name__)

_NO_PARTITION = 2**20
"""No topic has that many partitions: a commit there changes nothing, whatever the broker answers."""

_NOT_THERE = (KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.GROUP_ID_NOT_FOUND)
_SESSION_MS = "45000"
_BROKER_DECIDES = ("partition.assignment.strategy", "session.timeout.ms", "heartbeat.interval.ms")


def member_config(settings: Settings) -> dict[str, Any]:
    """Configuration of a consumer that joins the group.

    Classic groups are cooperative-sticky, whatever else EV_KAFKA_OPTIONS says: only then do partitions that stay go on
    while others move. `group.protocol=consumer` (KIP-848, Kafka 4) is incremental by itself and knows no such options.
    """
    config = {"session.timeout.ms": _SESSION_MS, **kafka.client_config(settings)}
    if config.get("group.protocol", "classic").lower() == "consumer":
        return {name: value for name, value in config.items() if name not in _BROKER_DECIDES}
    return {**config, "partition.assignment.strategy": "cooperative-sticky"}


def open_member(settings: Settings) -> Any:  # noqa: ANN401
    """A consumer that will join the group by `subscribe`.

    Raises:
        SettingError: librdkafka refuses an option of EV_KAFKA_OPTIONS; the message names it, never its value.
    """
    return kafka.open_client(Consumer, member_config(settings))


def members(settings: Settings) -> int:
    """Live members of the group: 0 when no service runs; at least 1 when one does.

    Raises:
        UserError: the broker does not answer within EV_KAFKA_TIMEOUT_SECONDS.
    """
    with kafka.kafka_errors(settings):
        options = {**settings.kafka_options, "bootstrap.servers": settings.kafka_bootstrap}
        admin = kafka.open_client(AdminClient, {k: v for k, v in options.items() if k not in _CONSUMER_ONLY})
        seconds = settings.kafka_timeout_seconds
        try:
            asked = admin.describe_consumer_groups([settings.kafka_group], request_timeout=seconds)
            return len(asked[settings.kafka_group].result(seconds + 1).members)
        except KafkaException as error:
            code = error.args[0].code()
            if code in _NOT_THERE:
                return 0  # nobody has ever used the group, or its coordinator is just being made
            if code != KafkaError._UNSUPPORTED_FEATURE:
                raise
        return 1 if _refused(settings) else 0


_CONSUMER_ONLY = frozenset({"group.protocol", "group.remote.assignor", "group.instance.id", *_BROKER_DECIDES})


def _refused(settings: Settings) -> bool:
    """Whether the embedded broker, which describes no groups, refuses commits of those who did not join."""
    client = kafka.open_consumer(settings)
    try:
        refusal: KafkaError | None = None
        with suppress(KafkaException):
            topics = client.list_topics(timeout=settings.kafka_timeout_seconds).topics
            known = next((topic for topic in settings.kafka_topics if topic in topics), None)
            if known is None:
                return False
            try:
                asked = [TopicPartition(known, _NO_PARTITION, 0)]
                answer = client.commit(offsets=asked, asynchronous=False)
                refusal = answer[0].error
            except KafkaException as error:
                refusal = error.args[0]
        return refusal is not None and refusal.code() in (KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION)
    finally:
        kafka.close(client)
