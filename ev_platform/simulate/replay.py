"""Plays a static file of readings into a topic: at a rate or with the file's own spacing, also doubled and disordered.

Belongs here: reading the file, the order and pace of messages, delivery. Not here: what is done with them. At least
once: every message's delivery is asked for, a failure ends the replay with one line.
"""

from __future__ import annotations

import csv
import gzip
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import KafkaException, Producer

from ev_platform.errors import UserError
from ev_platform.ingest.telematics_record import FIELDS, reading_ms
from ev_platform.settings import Settings

_EXCEL = re.compile(r"\d{1,2}:\d{2}\.\d")
_WINDOW = 200
"""Messages that disorder moves within."""

_SEND_SECONDS = 30.0


@dataclass(frozen=True)
class Pace:
    """How a file is played. `rate` messages a second (0: as fast as possible); with `speed`, the file's own spacing."""

    rate: float = 1.0
    speed: float = 0.0
    duplicates: float = 0.0
    """Share of messages that are sent twice."""
    disorder: float = 0.0
    """Share of messages that come late, by up to `_WINDOW` messages."""
    rebase: bool = False
    """Shift all event times so that the first one is now."""
    limit: int = 0
    loop: bool = False
    seed: int = 1
    event_stamps: bool = False
    """Give messages their event time as Kafka timestamp, so that a replay is the same bytes each time. Only for a
    broker without retention by time: an old file would expire at once."""


@dataclass
class Played:
    """What a replay did."""

    rows: int = 0
    """Rows read."""
    sent: int = 0
    """Messages delivered."""
    doubled: int = 0
    late: int = 0
    rebuilt: int = 0
    """Rows whose timestamp a spreadsheet had damaged and whose timeMili still had its digits."""
    refused: int = 0
    """Rows whose time is lost; not sent."""
    first_refused: str = ""


@dataclass(frozen=True)
class _Send:
    key: str
    milliseconds: int
    row: dict[str, Any] = field(hash=False)


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a CSV file (also .gz) with the message's fields, numbers as numbers, the value as text.

    Raises:
        UserError: the file cannot be read, or lacks a column.
    """
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            names = {name.strip().lower(): name for name in reader.fieldnames or []}
            if missing := [name for name in FIELDS if name.lower() not in names]:
                raise UserError(f"{path}: no column {missing[0]}; a readings file has {', '.join(FIELDS)}")
            for row in reader:
                yield {name: _cell(name, row[names[name.lower()]] or "") for name in FIELDS}
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not a CSV file in UTF-8: {error}") from error


def _cell(name: str, text: str) -> Any:  # noqa: ANN401 - a JSON value
    whole = name in ("timeMili", "alarmClass") and text.strip().lstrip("-").isdigit()
    return int(text) if whole else text


def replay(
    settings: Settings,
    path: Path,
    pace: Pace,
    *,
    topic: str = "",
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[int], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Played:
    """Play a file into the telematics topic; ends when every message was acknowledged.

    Args:
        settings: broker and topic.
        path: the file.
        pace: rate, speed-up, duplicates, disorder.
        topic: another topic.
        stop: asked between messages.
        progress: called with the number of messages sent.
        sleep: how to wait.

    Raises:
        UserError: no broker, an unreadable file, a file whose times are lost, or a message that was not delivered.
    """
    if not settings.kafka_bootstrap:
        raise UserError("no Kafka broker is set: set EV_KAFKA_BOOTSTRAP=host:port, or use `ev up`")
    played, failures = Played(), []

    def delivered(error: object, _: object) -> None:
        if error is not None:
            failures.append(str(error))

    options = {**settings.kafka_options, "bootstrap.servers": settings.kafka_bootstrap, "enable.idempotence": True}
    producer = Producer({**options, "linger.ms": 20, "message.timeout.ms": int(_SEND_SECONDS * 1000), "log_level": 0})
    target = topic or settings.telematics_topic
    for message in _paced(_messages(path, pace, played), pace, sleep):
        if stop() or failures:
            break
        _produce(producer, target, message, pace, delivered, sleep)
        played.sent += 1
        progress(played.sent)
    if producer.flush(_SEND_SECONDS) or failures:
        reason = failures[0] if failures else "not acknowledged in time"
        raise UserError(f"{target} at {settings.kafka_bootstrap}: {reason}; play the file again, readings count once")
    return played


def _produce(
    producer: Any,  # noqa: ANN401
    topic: str,
    message: _Send,
    pace: Pace,
    delivered: Callable[[object, object], None],
    sleep: Callable[[float], None],
) -> None:
    body, stamp = orjson.dumps(message.row), message.milliseconds if pace.event_stamps else 0
    while True:
        try:
            producer.produce(topic, body, message.key.encode(), timestamp=stamp, on_delivery=delivered)
            producer.poll(0)
            return
        except BufferError:
            producer.poll(0.05)
            sleep(0.01)
        except KafkaException as error:
            raise UserError(f"{topic}: {error.args[0].str()}") from error


def _messages(path: Path, pace: Pace, played: Played) -> Iterator[_Send]:
    """Messages of the file in the order in which they are sent."""
    chance = random.Random(pace.seed)  # noqa: S311 - no secret
    while True:
        before = played.sent
        yield from _disordered(_doubled(_rows(path, pace, played), pace, played, chance), pace, played, chance)
        if not pace.loop or played.sent == before:
            return


def _rows(path: Path, pace: Pace, played: Played) -> Iterator[_Send]:
    shift: int | None = None if pace.rebase else 0
    for number, row in enumerate(read_rows(path), start=2):
        if pace.limit and number - 1 > pace.limit:
            return
        played.rows += 1
        milliseconds = reading_ms(row)
        if milliseconds is None:
            played.refused += 1
            played.first_refused = played.first_refused or (
                f"row {number}: timeMili {row['timeMili']!r}, timestamp {row['timestamp']!r}"
            )
            continue
        if shift is None:
            shift = int(datetime.now(UTC).timestamp() * 1000) - milliseconds
        if _EXCEL.fullmatch(str(row["timestamp"])):
            played.rebuilt += 1
            row["timestamp"] = _stamp(milliseconds)
        if shift:
            milliseconds += shift
            row |= {"timeMili": milliseconds, "timestamp": _stamp(milliseconds)}
        yield _Send(str(row["deviceId"]), milliseconds, row)
    if played.rows and played.refused == played.rows:
        raise UserError(f"{path}: no row has a time any more ({played.first_refused}): take an undamaged copy")


def _stamp(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{milliseconds % 1000:03d}000"


def _doubled(messages: Iterable[_Send], pace: Pace, played: Played, chance: random.Random) -> Iterator[_Send]:
    for message in messages:
        yield message
        if pace.duplicates and chance.random() < pace.duplicates:
            played.doubled += 1
            yield message


def _disordered(messages: Iterable[_Send], pace: Pace, played: Played, chance: random.Random) -> Iterator[_Send]:
    """Holds some messages back for a random number of others."""
    held: list[tuple[int, _Send]] = []
    for number, message in enumerate(messages):
        if pace.disorder and chance.random() < pace.disorder:
            played.late += 1
            held.append((number + chance.randrange(1, _WINDOW), message))
        else:
            yield message
        due = [one for until, one in held if until <= number]
        held = [(until, one) for until, one in held if until > number]
        yield from due
    yield from (one for _, one in held)


def _paced(messages: Iterable[_Send], pace: Pace, sleep: Callable[[float], None]) -> Iterator[_Send]:
    """Waits before each message, by the rate, or by its event time with the speed-up."""
    began, first = time.monotonic(), None
    for number, message in enumerate(messages):
        first = message.milliseconds if first is None else first
        if pace.speed:
            due = (message.milliseconds - first) / 1000 / pace.speed
        else:
            due = number / pace.rate if pace.rate else 0.0
        wait = began + due - time.monotonic()
        if wait > 0:
            sleep(wait)
        yield message
