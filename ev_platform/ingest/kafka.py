"""One place for the Kafka client: its configuration, bounded questions and commits, and errors as one clear line.

Belongs here: everything that must be the same for probe, drain and service. Every call has a deadline; no option value
is ever shown in an error. Not here: what is read or decided (lag.py, reader.py, drain.py).
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, TopicPartition

from ev_platform.errors import SettingError, UserError
from ev_platform.ingest.offsets import Place
from ev_platform.settings import Settings

log = logging.getLogger(__name__)
_client_log = logging.getLogger("ev_platform.librdkafka")
_client_log.addHandler(logging.NullHandler())
_client_log.propagate = False  # reconnect attempts come every 50 ms; what matters is raised as UserError

_TUNING = {
    "client.id": "ev_platform",
    "fetch.wait.max.ms": "100",
    "queued.max.messages.kbytes": "65536",
    "reconnect.backoff.max.ms": "1000",
    "socket.keepalive.enable": "true",
}
_REQUIRED = {
    "enable.auto.commit": False,  # the commit rule is ours: nothing is committed before it is durable
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "isolation.level": "read_committed",
    "auto.offset.reset": "error",  # `earliest` would skip expired data without a word
    "allow.auto.create.topics": False,
}
_COORDINATOR_MOVES = (
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
)
_REFUSALS = (KafkaError._AUTHENTICATION, KafkaError._SSL)
_PAUSE_SECONDS = 0.2
_QUERY_THREADS = 8
_CLOSE_SECONDS = 2.0
_OPTION_NAME = re.compile(r'property:? "([a-z0-9._]+)"|consumer: ([a-z0-9.]+) (?:failed|and|must)')


def client_config(settings: Settings) -> dict[str, Any]:
    """Configuration of a consumer: our tuning, then the user's options, then what correctness needs.

    Raises:
        UserError: no broker is set.
    """
    if not settings.kafka_bootstrap:
        raise UserError("no Kafka broker is set: set EV_KAFKA_BOOTSTRAP=host:port, or use `ev demo` or `ev up`")
    return {
        **_TUNING,
        **settings.kafka_options,
        **_REQUIRED,
        "bootstrap.servers": settings.kafka_bootstrap,
        "group.id": settings.kafka_group,
    }


def open_consumer(settings: Settings) -> Any:  # noqa: ANN401
    """A consumer that joins no group by itself; connects lazily.

    Raises:
        SettingError: librdkafka refuses an option of EV_KAFKA_OPTIONS; the message names it, never its value.
    """
    return open_client(Consumer, client_config(settings))


def open_client(kind: Callable[..., Any], config: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """A client of librdkafka (consumer, admin) with this configuration.

    Raises:
        SettingError: librdkafka refuses an option; the message names it, never its value.
    """
    try:
        return kind(dict(config), logger=_client_log)
    except KafkaException as error:
        found = _OPTION_NAME.search(str(error.args[0]))
        named = f" ({found[1] or found[2]})" if found else ""
        raise SettingError(f"EV_KAFKA_OPTIONS cannot be used: librdkafka refuses an option{named}") from None


@contextmanager
def consumer(settings: Settings) -> Iterator[Any]:
    """A consumer for questions only; Kafka's exceptions leave as `UserError`.

    A question that a refused password or certificate leaves unanswered ends as a timeout; why, is told separately, at
    the next poll. Polling is harmless here and only here: this client has nothing assigned, so it loses no message.
    """
    refusals: list[KafkaError] = []

    def refused(error: KafkaError) -> None:
        if error.code() in _REFUSALS:
            refusals.append(error)

    client = open_client(Consumer, {**client_config(settings), "error_cb": refused})
    try:
        yield client
    except KafkaException as error:
        client.poll(0)
        raise UserError(unreachable(settings, refusals[-1] if refusals else error.args[0])) from error
    finally:
        close(client)


def close(client: Any) -> None:  # noqa: ANN401
    """Close a consumer in bounded time, also with a commit that was never answered."""
    _within(_CLOSE_SECONDS, client.close)


@contextmanager
def kafka_errors(settings: Settings) -> Iterator[None]:
    """Turn Kafka's exceptions into one clear line that says what to do."""
    try:
        yield
    except KafkaException as error:
        raise UserError(unreachable(settings, error.args[0])) from error


def unreachable(settings: Settings, error: object) -> str:
    """The line shown when the broker does not answer or refuses."""
    reason = error.str() if isinstance(error, KafkaError) else str(error)
    return settings.masked(
        f"Kafka at {settings.kafka_bootstrap} does not answer as expected ({reason}): "
        "check EV_KAFKA_BOOTSTRAP and EV_KAFKA_OPTIONS; nothing more was committed"
    )


def partitions(client: Any, settings: Settings, topics: Sequence[str]) -> list[Place]:  # noqa: ANN401
    """Existing partitions of the topics, sorted; a topic that does not exist yet has none and is not created."""
    found: list[Place] = []
    deadline = time.monotonic() + settings.kafka_timeout_seconds
    for topic in topics:
        metadata = client.list_topics(topic, timeout=_left(deadline)).topics[topic]
        if metadata.error is not None and metadata.error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise KafkaException(metadata.error)
        found += [(topic, partition) for partition in metadata.partitions]
    return sorted(found)


def committed(client: Any, settings: Settings, places: Sequence[Place]) -> dict[Place, int | None]:  # noqa: ANN401
    """Committed offset of the shared group per partition, None where there is none."""
    if not places:
        return {}
    deadline = time.monotonic() + settings.kafka_timeout_seconds
    while True:
        try:
            answer = client.committed([TopicPartition(*place) for place in places], timeout=_left(deadline))
            for entry in answer:
                if entry.error is not None:
                    raise KafkaException(entry.error)
            break
        except KafkaException as error:
            # a fresh broker makes its offsets topic on the first question, and answers this until it stands
            if error.args[0].code() not in _COORDINATOR_MOVES or time.monotonic() + _PAUSE_SECONDS > deadline:
                raise
            time.sleep(_PAUSE_SECONDS)
    return {(e.topic, e.partition): None if e.offset == OFFSET_INVALID else int(e.offset) for e in answer}


def watermarks(client: Any, settings: Settings, places: Sequence[Place]) -> dict[Place, tuple[int, int]]:  # noqa: ANN401
    """(low, high) per partition, asked in parallel; a partition that does not exist is left out."""
    deadline = time.monotonic() + settings.kafka_timeout_seconds

    def ask(place: Place) -> tuple[int, int] | None:
        try:
            answer = client.get_watermark_offsets(TopicPartition(*place), timeout=_left(deadline), cached=False)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                return None
            raise
        if answer is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return int(answer[0]), int(answer[1])

    if not places:
        return {}
    with ThreadPoolExecutor(min(_QUERY_THREADS, len(places))) as pool:
        return {place: found for place, found in zip(places, pool.map(ask, places), strict=True) if found is not None}


def commit(client: Any, settings: Settings, positions: Mapping[Place, int]) -> str | None:  # noqa: ANN401
    """Commit next positions for the group; returns within EV_KAFKA_TIMEOUT_SECONDS whatever the broker does.

    Returns:
        None when the broker accepted all of them, else the reason (group alive, broker gone, no answer in time).
    """
    offsets = [TopicPartition(*place, offset) for place, offset in sorted(positions.items())]
    answers: list[str | None] = []

    def ask() -> None:
        try:
            found = client.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            answers.append(str(error.args[0].str()))
        else:
            answers.append(next((str(one.error.str()) for one in found if one.error is not None), None))

    _within(settings.kafka_timeout_seconds, ask)
    return answers[0] if answers else "the broker did not answer in time"


def _within(seconds: float, call: Callable[[], object]) -> None:
    """Wait for a call, but no longer: librdkafka itself waits 45 s for a broker that is down."""
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)


def _left(deadline: float) -> float:
    """Seconds left, never so few that librdkafka would take them as "for ever" or "do not ask"."""
    return max(0.05, deadline - time.monotonic())
