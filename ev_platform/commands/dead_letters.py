"""What `ev dead-letters` does: lists, shows and redrives the messages that could not be read."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ev_platform.commands.drain import open_instance, report_days
from ev_platform.errors import UserError
from ev_platform.ingest.dead_letters import DeadLetter, read_dead_letters, read_redriven
from ev_platform.ingest.record import Reason
from ev_platform.ingest.redrive import redrive
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings

MOST_SHOWN = 4000
"""Characters of a payload that `show` prints."""


@dataclass(frozen=True)
class Filter:
    """Which dead letters are meant."""

    day: str | None = None
    reason: str | None = None
    vin: str | None = None

    @classmethod
    def of(cls, day: datetime | None, reason: str | None, vin: str | None) -> Filter:
        """The filter of command-line options.

        Raises:
            UserError: there is no such reason.
        """
        if reason is not None and reason not in set(Reason):
            raise UserError(f"--reason {reason}: write one of {', '.join(Reason)}")
        return cls(None if day is None else day.date().isoformat(), reason, vin)

    def read(self, store: ObjectStore, *, redriven: bool = False) -> Iterator[DeadLetter]:
        """The dead letters that fit."""
        for letter in read_dead_letters(store, self.day, redriven=redriven):
            if (self.reason is None or letter.reason == self.reason) and (
                self.vin is None or letter.mentions(self.vin)
            ):
                yield letter


def run_list(settings: Settings, which: Filter, limit: int, *, redriven: bool) -> None:
    """Print counts by reason and the first `limit` dead letters."""
    store = ObjectStore(settings.lake)
    done = read_redriven(store, which.day) if redriven else set()
    reasons: Counter[str] = Counter()
    table = Table("day", "topic", "partition", "offset", "reason", "key", "detail", box=None, pad_edge=False)
    for letter in which.read(store, redriven=redriven):
        reasons[letter.reason] += 1
        if sum(reasons.values()) <= limit:
            detail = f"{letter.detail} (redriven)" if letter.identity in done else letter.detail
            cells = (letter.day, letter.source, letter.partition, letter.offset, letter.reason, _key(letter), detail)
            table.add_row(*(escape(str(cell)) for cell in cells))
    console = _console()
    console.print(
        f"{sum(reasons.values())} dead letters" + "".join(f", {n} {reason}" for reason, n in sorted(reasons.items()))
    )
    if reasons:
        console.print(table)
    if sum(reasons.values()) > limit:
        console.print(f"… {sum(reasons.values()) - limit} more: --limit, --day, --reason, --vin")


def run_show(settings: Settings, topic: str, partition: int, offset: int) -> None:
    """Print one dead letter, or several when the topic was created again and its offsets were used twice.

    Raises:
        UserError: there is none.
    """
    store = ObjectStore(settings.lake)
    done = read_redriven(store)
    console = _console()
    found = False
    for letter in read_dead_letters(store, redriven=True):
        if (letter.source, letter.partition, letter.offset) != (topic, partition, offset):
            continue
        found = True
        state = " (redriven)" if letter.identity in done else ""
        console.print(f"{topic}-{partition} offset {offset}, timestamp {letter.timestamp} ms, {letter.day}{state}")
        console.print(escape(f"{letter.reason}: {letter.detail}"))
        console.print(escape(f"key {_key(letter)}, {len(letter.value)} bytes, headers {letter.headers}"))
        console.print(escape(_payload(letter.value)))
    if not found:
        raise UserError(f"{topic}-{partition} offset {offset} is no dead letter: see `ev dead-letters list`")


def run_redrive(settings: Settings, which: Filter, *, dry_run: bool) -> None:
    """Redrive the dead letters that fit, and tell Dagster which days have got records."""
    store = ObjectStore(settings.lake)
    with ExitStack() as stack:
        instance = None if dry_run else open_instance(settings, stack)
        tell = partial(report_days, instance) if instance is not None else (lambda _: None)
        report = redrive(settings, store, which.read(store), write=not dry_run, stored=tell)
    console = _console()
    verb = "would be redriven" if dry_run else "redriven"
    console.print(
        f"{report.letters} dead letters, {report.records} {verb}, {sum(report.still_dead.values())} still dead"
    )
    for name, counts in (("day", report.days), ("still dead", report.still_dead)):
        for what, n in sorted(counts.items()):
            console.print(f"  {name} {what}: {n}")


def _console() -> Console:
    console = Console(soft_wrap=True)
    return console if console.is_terminal else Console(width=200, soft_wrap=True)


def _key(letter: DeadLetter) -> str:
    return "" if letter.key is None else letter.key.decode("utf-8", "backslashreplace")[:40]


def _payload(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = ""
    if not text.isprintable() and not text.isspace() and "\n" not in text:
        text = ""
    shown = text or f"base64 {base64.b64encode(value).decode()}"
    return shown if len(shown) <= MOST_SHOWN else f"{shown[:MOST_SHOWN]} … {len(shown) - MOST_SHOWN} characters more"
