"""Dead letters read again with today's rules: what is readable now becomes raw lines with the identity it always had.

Belongs here: the order of steps, per batch: raw objects, receipt, barrier, tell, and last of all the list of what was
redriven. A crash between any two leaves dead letters that are redriven again, to the same bytes; compaction drops the
repeats by identity, and the audit counts an offset once, wherever it lies. The dead letters themselves stay unchanged.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from ev_platform.ingest.dead_letters import DeadLetter, DeadMessage
from ev_platform.ingest.offsets import OffsetRange
from ev_platform.ingest.receipts import Ledger
from ev_platform.ingest.record import Record, Router
from ev_platform.ingest.uploads import lake_errors
from ev_platform.lake.layout import kafka_object_name, redriven_key, temp_key
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings

BATCH_BYTES = 32 * 2**20
"""Payload bytes in memory at once."""


@dataclass
class RedriveReport:
    """What one redrive did."""

    letters: int = 0
    """Dead letters looked at."""
    days: Counter[str] = field(default_factory=Counter)
    """Records stored by event day."""
    still_dead: Counter[str] = field(default_factory=Counter)
    """Dead letters that today's rules refuse as well, by today's reason."""

    @property
    def records(self) -> int:
        """Records stored."""
        return sum(self.days.values())


def redrive(
    settings: Settings,
    store: ObjectStore,
    letters: Iterable[DeadLetter],
    *,
    write: bool = True,
    stored: Callable[[Counter[str]], None] = lambda _: None,
) -> RedriveReport:
    """Route dead letters again, and store what is readable now.

    Args:
        settings: today's rules.
        store: the lake.
        letters: which ones, from `read_dead_letters`.
        write: False: only count.
        stored: called with the records of each event day once they are durable, before they are taken off the list, so
            that whoever has to hear of a day does, or the redrive is done again.

    Raises:
        UserError: the lake cannot be written; run it again.
    """
    report = RedriveReport()
    router = Router(settings.start_day, settings.message_max_bytes)
    for batch in _batches(letters):
        readable: list[tuple[DeadLetter, Record]] = []
        for letter in batch:
            report.letters += 1
            routed = router.route(DeadMessage(letter))
            if isinstance(routed, Record):
                readable.append((letter, routed))
            elif routed is not None:
                report.still_dead[routed.reason.value] += 1
        days = Counter(record.day for _, record in readable)
        report.days += days
        if write and readable:
            with lake_errors(store.url):
                store.put_many(_objects(readable))
                store.put_many(_receipts(readable))
                store.barrier()
            stored(days)
            with lake_errors(store.url):
                store.put_many(_lists(readable))
    return report


def _batches(letters: Iterable[DeadLetter]) -> Iterator[list[DeadLetter]]:
    batch: list[DeadLetter] = []
    size = 0
    for letter in letters:
        batch.append(letter)
        size += len(letter.value) + 500
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    yield batch


def _objects(readable: list[tuple[DeadLetter, Record]]) -> Iterator[tuple[str, bytes]]:
    """Raw objects, one per partition, vehicle and day."""
    groups: dict[tuple[str, int, str, str], list[tuple[int, int, bytes]]] = {}
    for letter, record in readable:
        place = (letter.source, letter.partition, record.vin, record.day)
        groups.setdefault(place, []).append((letter.offset, letter.timestamp, record.line))
    for (source, partition, vin, day), lines in sorted(groups.items()):
        lines.sort()
        data = b"".join(line for _, _, line in lines)
        name = kafka_object_name(source, partition, lines[0][0], lines[-1][0], len(lines), zlib.crc32(data))
        yield temp_key(vin, day, name), data


def _receipts(readable: list[tuple[DeadLetter, Record]]) -> Iterator[tuple[str, bytes]]:
    """A receipt that claims no range, as a replay's: these offsets lie under these days."""
    letters = sorted(readable, key=lambda pair: pair[0].identity)
    ledger = Ledger([OffsetRange(*place, 0, 0) for place in {(x.source, x.partition) for x, _ in letters}])
    for letter, record in letters:
        ledger.partitions[letter.source, letter.partition].record(letter.offset, record.day)
        ledger.saw(letter.timestamp)
    receipt = ledger.encode()
    if receipt is not None:
        yield receipt


def _lists(readable: list[tuple[DeadLetter, Record]]) -> Iterator[tuple[str, bytes]]:
    """The lists of what was redriven, by the day of the dead letters."""
    by_day: dict[str, list[tuple[str, int, int, int]]] = {}
    for letter, _ in readable:
        by_day.setdefault(letter.day, []).append(letter.identity)
    for day, identities in sorted(by_day.items()):
        data = json.dumps(sorted(identities), separators=(",", ":")).encode()
        yield redriven_key(day, hashlib.sha256(data).hexdigest()[:32]), data
