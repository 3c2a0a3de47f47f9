"""Import of files of history: batches to durable raw objects, each row once, whatever was imported before.

Belongs here: the order of steps: read, encode, leave out what the lake has, store, receipt. Not here: files
(import_files.py), rows (import_rows.py). A crash at any point is repaired by importing again: rows are known by their
content, objects are named by theirs, and rows that are stored but not compacted yet are told again.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import polars as pl

from ev_platform.errors import UserError
from ev_platform.ingest.import_audit import hashes_in_compressed, hashes_in_temp
from ev_platform.ingest.import_files import Batch, read_batches
from ev_platform.ingest.import_mapping import Mapping
from ev_platform.ingest.import_receipts import FileReceipt, dead_rows
from ev_platform.ingest.import_rows import Lines, Period, encode, unknown_columns
from ev_platform.ingest.polled import polled_objects
from ev_platform.ingest.uploads import lake_errors
from ev_platform.lake.store import IO_THREADS, ObjectStore
from ev_platform.settings import Settings

PENDING_BYTES = 96 * 2**20
"""Raw lines in memory before they are filed."""

OBJECT_LINES = 20_000
"""Lines of one raw object at most."""

_FEW = 1_000
_HINTS = {
    "before_start": "set EV_START_DAY to an earlier day",
    "ambiguous_time": 'say ambiguous = "earliest" or "latest" under [[time]]',
    "no_vin": "give --vin, or say under [vin] where it stands",
    "bad_vin": "translate it under [vin] values, or give --vin",
    "bad_time": "say its format under [[time]]",
    "wrong_cells": "look at the delimiter, and at the header",
}


@dataclass
class ImportReport:
    """What one import did: rows = stored + repeats + dead letters, always."""

    files: int = 0
    """Files read."""
    rows: int = 0
    """Rows read, unreadable ones included."""
    stored: int = 0
    """Rows that are new in the lake."""
    repeats: int = 0
    """Rows that the lake had already, or that stood in the files twice."""
    dead_letters: Counter[str] = field(default_factory=Counter)
    """Rows that could not be read, by reason."""
    days: Counter[str] = field(default_factory=Counter)
    """New rows by event day."""
    waiting: set[str] = field(default_factory=set)
    """Event days with rows, new or not, that wait for compaction."""
    vins: set[str] = field(default_factory=set)
    """Vehicles of the rows."""
    objects: int = 0
    """Raw objects written."""
    bytes: int = 0
    """Their bytes."""
    unknown_columns: list[str] = field(default_factory=list)
    """Columns that the mapping does not speak of, kept under their own names."""
    seconds: float = 0.0
    """Wall time."""


def import_files(
    settings: Settings,
    store: ObjectStore,
    files: Sequence[Path],
    mapping: Mapping,
    now: datetime,
    *,
    dry_run: bool = False,
    progress: Callable[[int, int], None] = lambda *_: None,
    stored: Callable[[Counter[str]], None] = lambda _: None,
) -> ImportReport:
    """Bring files into the raw zone; nothing changes for rows that are there.

    Args:
        settings: first day, message limit.
        store: the lake.
        files: CSV (also .gz) or Parquet.
        mapping: what the files look like.
        now: the import's own clock; rows of the future are dead letters.
        dry_run: read, judge and count, but write nothing.
        progress: called with (bytes of all files read so far, rows so far).
        stored: called with the rows of each event day that are durable and wait for compaction, before the import goes
            on, so that whoever has to hear of a day does.

    Raises:
        UserError: a file cannot be read, does not fit the mapping, or the lake cannot be written. What was stored
            before stays; import again when it is put right.
    """
    began = time.monotonic()
    report, done = ImportReport(), 0
    for path in files:
        one = _FileImport(settings, store, path, mapping, now, report, stored, dry_run=dry_run)
        one.run(lambda read, before=done: progress(before + read, report.rows))  # type: ignore[misc]
        done += path.stat().st_size
        report.files += 1
    if report.rows != report.stored + report.repeats + report.dead_letters.total():
        raise RuntimeError(f"rows do not add up: {report}")  # a fault of ours: better loud than wrong
    report.seconds = time.monotonic() - began
    return report


class _FileImport:
    """One file: what was read waits in `_pending` until it is filed by vehicle and day."""

    def __init__(
        self,
        settings: Settings,
        store: ObjectStore,
        path: Path,
        mapping: Mapping,
        now: datetime,
        report: ImportReport,
        stored: Callable[[Counter[str]], None],
        *,
        dry_run: bool,
    ) -> None:
        self._store, self._path, self._mapping, self._report = store, path, mapping, report
        self._period = Period(settings.start_day, now)
        self._stored, self._dry_run = stored, dry_run
        self._pending: list[pl.DataFrame] = []
        self._pending_bytes = 0
        self._receipt = FileReceipt(path.name, _sha256(path), mapping.name, mapping.provider)

    def run(self, progress: Callable[[int], None]) -> None:
        """All batches of the file, then the rest, then the receipt."""
        for number, batch in enumerate(read_batches(self._path, self._mapping, progress)):
            if number == 0:
                unknown = unknown_columns(batch.frame.columns, self._mapping)
                self._report.unknown_columns += [c for c in unknown if c not in self._report.unknown_columns]
            self._take(batch)
        self._file()
        if not self._dry_run:
            with lake_errors(self._store.url):
                self._store.put(*self._receipt.encode())

    def _take(self, batch: Batch) -> None:
        try:
            lines = encode(batch, self._mapping, self._path.name, self._period)
        except LookupError as error:
            raise UserError(f"{self._path}: {error.args[0]}") from error
        rows = len(batch.frame) + len(batch.bad)
        self._stop_if_it_does_not_fit(rows, lines)
        self._report.rows += rows
        self._receipt.rows += rows
        self._pending.append(lines.frame)
        self._pending_bytes += int(lines.frame.estimated_size())
        self._bury(lines)
        if self._pending_bytes > PENDING_BYTES:
            self._file()

    def _stop_if_it_does_not_fit(self, rows: int, lines: Lines) -> None:
        """Most rows unreadable means a wrong mapping, not bad rows: stop before they are all dead letters."""
        bad = len(lines.bad)
        if not bad or (bad < rows if rows < _FEW else bad <= rows // 2):
            return
        reason, count = Counter(row.reason for _, row in lines.bad).most_common(1)[0]
        first = next(row for _, row in lines.bad if row.reason == reason)
        hint = _HINTS.get(reason, "take another mapping")
        raise UserError(
            f"{self._path}: {bad} of {rows} rows do not fit mapping {self._mapping.name}, {count} of them {reason} "
            f"(row {first.number}: {first.detail}): {hint}; nothing of these rows was stored"
        )

    def _bury(self, lines: Lines) -> None:
        """Dead letters of a batch, filed under their event day; under the batch's first day where they have none."""
        self._report.dead_letters.update(row.reason for _, row in lines.bad)
        self._receipt.dead.update(row.reason for _, row in lines.bad)
        if lines.bad and not self._dry_run:
            first_day = lines.frame["day"].min() if len(lines.frame) else "1970-01-01"
            with lake_errors(self._store.url):
                self._store.put_many(dead_rows(self._receipt, lines.bad, str(first_day)))

    def _file(self) -> None:
        """Store the pending lines that the lake does not have, by vehicle and event day."""
        if not self._pending:
            return
        frame = pl.concat(self._pending)
        self._pending, self._pending_bytes = [], 0
        distinct = frame.unique(["vin", "day", "hash"], keep="any").sort("day", "vin", "hash")
        self._report.repeats += len(frame) - len(distinct)
        self._report.vins.update(distinct["vin"].unique().to_list())
        groups = distinct.partition_by(["day", "vin"], maintain_order=True)
        told: Counter[str] = Counter()
        with lake_errors(self._store.url), ThreadPoolExecutor(IO_THREADS) as pool:
            for filed in pool.map(self._file_group, groups):
                self._count(filed)
                told[filed.day] += filed.waiting
            if not self._dry_run:
                self._store.barrier()
        self._report.waiting |= set(+told)
        if not self._dry_run:
            self._stored(+told)

    def _file_group(self, group: pl.DataFrame) -> _Filed:
        """Store the new lines of one vehicle and day; called from several threads."""
        provider, day, vin = self._mapping.provider, str(group["day"][0]), str(group["vin"][0])
        temp = hashes_in_temp(self._store, provider, vin, day)  # first: a compaction moves records the other way
        compressed = hashes_in_compressed(self._store, provider, vin, day)
        new = group.filter(~pl.col("hash").is_in(list(temp | compressed)))
        lines = [line.encode() + b"\n" for line in new["line"].to_list()]
        objects = size = 0
        for at in range(0, len(lines), OBJECT_LINES):
            for key, data in polled_objects(provider, vin, {day: lines[at : at + OBJECT_LINES]}):
                if not self._dry_run:
                    self._store.put(key, data)
                objects, size = objects + 1, size + len(data)
        waiting = len(lines) + int(group["hash"].is_in(list(temp - compressed)).sum())
        return _Filed(day, vin, len(group), len(lines), waiting, len(temp | compressed) + len(lines), objects, size)

    def _count(self, filed: _Filed) -> None:
        report = self._report
        report.stored += filed.new
        report.repeats += filed.rows - filed.new
        report.days += Counter({filed.day: filed.new})
        report.objects += filed.objects
        report.bytes += filed.bytes
        self._receipt.holds(filed.day, filed.vin, filed.held)


class _Filed(NamedTuple):
    """What became of the lines of one vehicle and day."""

    day: str
    vin: str
    rows: int
    new: int
    waiting: int
    held: int
    objects: int
    bytes: int


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
