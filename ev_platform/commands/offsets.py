"""What `ev offsets` does: shows where the consumer group stands, and moves it deliberately, dry run by default."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from ev_platform.errors import UserError
from ev_platform.ingest.gaps import known_gaps
from ev_platform.ingest.lag import PartitionLag, offsets_for_time, probe
from ev_platform.ingest.offsets import Place
from ev_platform.ingest.positions import Move, apply, plan
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings


def run_show(settings: Settings) -> None:
    """Print one line per partition, then the known gaps."""
    table = Table("topic", "partition", "committed", "first kept", "next new", "lag", "note", box=None, pad_edge=False)
    for lag in probe(settings):
        committed = "-" if lag.committed is None else str(lag.committed)
        cells = (lag.topic, lag.partition, committed, lag.low, lag.high, lag.behind, _note(lag))
        table.add_row(*map(str, cells))
    console = _console()
    console.print(f"group {settings.kafka_group}")
    console.print(table)
    for gap in known_gaps(ObjectStore(settings.lake)):
        console.print(f"known gap {gap.topic}-{gap.partition} {gap.first} to {gap.last}: {gap.reason}")


def run_set(settings: Settings, targets: dict[Place, int], *, yes: bool, why: str) -> None:
    """Move partitions to offsets, or show what that would do.

    Raises:
        UserError: an offset is not there, the broker refuses, something does not answer.
    """
    _move(settings, plan(probe(settings), targets), yes=yes, why=why)


def run_reset(settings: Settings, to: str, topic: str | None, *, yes: bool, why: str) -> None:
    """Move all partitions (of one topic) to their first or last offset, or to a time.

    Raises:
        UserError: as `run_set`; the time cannot be read; the broker does not look up times.
    """
    if topic is not None and topic not in settings.kafka_topics:
        raise UserError(f"--topic {topic} is not in EV_KAFKA_TOPICS ({', '.join(settings.kafka_topics)})")
    lags = [lag for lag in probe(settings) if topic in (None, lag.topic)]
    if to in ("earliest", "latest"):
        targets = {(lag.topic, lag.partition): lag.low if to == "earliest" else lag.high for lag in lags}
    else:
        targets = _at_time(settings, to, lags)
    _move(settings, plan(lags, targets), yes=yes, why=why)


def _at_time(settings: Settings, text: str, lags: list[PartitionLag]) -> dict[Place, int]:
    """First offset at or after a time; the end of partitions that have no message that late."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(f"--to {text}: write earliest, latest, 2026-11-01 or 2026-11-01T06:00:00Z") from None
    moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    found = offsets_for_time(settings, int(moment.timestamp() * 1000))
    if lags and all(found.get((lag.topic, lag.partition)) is None for lag in lags):
        raise UserError(f"no partition has a message at or after {moment:%Y-%m-%dT%H:%M:%SZ}, or the broker cannot say")
    ends = {(lag.topic, lag.partition): lag.high for lag in lags}
    return {place: high if found.get(place) is None else int(found[place] or 0) for place, high in ends.items()}


def _move(settings: Settings, moves: list[Move], *, yes: bool, why: str) -> None:
    console = _console()
    for move in moves:
        lag = move.lag
        console.print(f"{lag.topic}-{lag.partition}: {'-' if lag.committed is None else lag.committed} → {move.to}")
        for gap in move.gaps:
            console.print(f"  known gap {gap.first} to {gap.last} ({gap.last - gap.first + 1} messages): {gap.reason}")
        if move.again:
            console.print(f"  {move.again} messages will be read again; compaction drops repeats")
    if not moves:
        console.print("every partition stands there already")
    elif not yes:
        console.print("nothing was moved: add --yes to do it")
    else:
        apply(settings, ObjectStore(settings.lake), moves, round(time.time() * 1000), why)
        console.print(f"moved {len(moves)} partitions of group {settings.kafka_group}")


def _note(lag: PartitionLag) -> str:
    if lag.restarted:
        return "the topic was created again: the group stands behind its end"
    if lag.expired is not None:
        first, end = lag.expired
        return f"{end - first} expired before they were read (offsets {first} to {end - 1})"
    return ""


def _console() -> Console:
    console = Console(soft_wrap=True)
    return console if console.is_terminal else Console(width=200, soft_wrap=True)
