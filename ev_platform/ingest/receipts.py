"""Offset receipts: which offset went where, exactly, written after the data are durable and before the commit.

One object per drain round. Its name and bytes follow from the messages alone (no clock, no cuts of buffers), so a
repeated drain writes the same receipt. Filed under the newest UTC day among broker timestamps and event days: whatever
concerns event day D lies under a day ≥ D.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ev_platform.ingest import intervals
from ev_platform.ingest.event_time import broker_day
from ev_platform.ingest.intervals import Intervals
from ev_platform.ingest.offsets import OffsetRange, Place
from ev_platform.lake.layout import offsets_receipt_key
from ev_platform.lake.store import ObjectStore

RECEIPTS_PREFIX = "ops/offsets"
_NO_END = 2**62


@dataclass
class PartitionReceipt:
    """What became of the offsets [start, end) of one partition; `end` is 0 for a replay, which claims no range."""

    source: str
    partition: int
    start: int
    end: int
    days: dict[str, Intervals] = field(default_factory=dict)
    dead: Intervals = field(default_factory=list)
    tombstones: Intervals = field(default_factory=list)

    @property
    def place(self) -> Place:
        """Topic and partition."""
        return self.source, self.partition

    def record(self, offset: int, day: str) -> None:
        """An offset that was stored under an event day."""
        runs = self.days.get(day)
        if runs and runs[-1][1] + 1 == offset:  # nearly always: this is called for every message
            runs[-1][1] = offset
        else:
            intervals.append(self.days.setdefault(day, []), offset)

    def dead_letter(self, offset: int) -> None:
        """An offset that became a dead letter."""
        intervals.append(self.dead, offset)

    def tombstone(self, offset: int) -> None:
        """An offset without a value."""
        intervals.append(self.tombstones, offset)

    def covered(self) -> Intervals:
        """Offsets whose whereabouts are known: stored, dead, or tombstone."""
        return intervals.union(*self.days.values(), self.dead, self.tombstones)

    def undelivered(self) -> Intervals:
        """Offsets of the range that the broker never delivered: transaction markers, aborted or compacted records."""
        return intervals.difference([[self.start, self.end - 1]], self.covered())

    def split(self, position: int) -> tuple[PartitionReceipt, PartitionReceipt]:
        """What concerns offsets below `position`, as a finished range, and the rest, which goes on from there."""

        def clip(first: int, end: int) -> PartitionReceipt:
            days = {day: intervals.clip(offsets, first, end) for day, offsets in self.days.items()}
            return PartitionReceipt(
                *self.place,
                first,
                end,
                {day: offsets for day, offsets in days.items() if offsets},
                intervals.clip(self.dead, first, end),
                intervals.clip(self.tombstones, first, end),
            )

        rest = clip(position, _NO_END)
        rest.end = rest.start
        return clip(self.start, position), rest

    def to_json(self) -> dict[str, Any]:
        """The stored form."""
        return {
            "source": self.source,
            "partition": self.partition,
            "start": self.start,
            "end": self.end,
            "days": {day: self.days[day] for day in sorted(self.days)},
            "dead": self.dead,
            "tombstones": self.tombstones,
        }


class Ledger:
    """Collects the receipts of one drain round."""

    def __init__(self, ranges: Iterable[OffsetRange]) -> None:
        self.partitions = {one.place: PartitionReceipt(*one.place, one.start, one.start) for one in ranges}
        self._newest = -1

    def saw(self, timestamp: int) -> None:
        """Note a broker timestamp in milliseconds."""
        if timestamp > self._newest:
            self._newest = timestamp

    def close(self, place: Place, end: int) -> None:
        """The range of this partition ends here: everything below is accounted for."""
        self.partitions[place].end = end

    def records(self) -> Counter[str]:
        """Records per event day."""
        found: Counter[str] = Counter()
        for part in self.partitions.values():
            found.update({day: intervals.count(offsets) for day, offsets in part.days.items()})
        return found

    def encode(self) -> tuple[str, bytes] | None:
        """Key and bytes of the receipt; None when nothing was read."""
        parts = [part for _, part in sorted(self.partitions.items()) if part.days or part.end > part.start]
        if not parts:
            return None
        data = json.dumps({"partitions": [part.to_json() for part in parts]}, separators=(",", ":")).encode()
        days = [day for part in parts for day in part.days]
        newest = max([broker_day(self._newest), *days])
        return offsets_receipt_key(newest, hashlib.sha256(data).hexdigest()[:32]), data


class RunningLedger(Ledger):
    """Receipts of a consumer that never ends: partitions come and go, and what is committed is split off."""

    def __init__(self) -> None:
        super().__init__([])
        self._windows: list[tuple[int, dict[Place, int]]] = []

    def open(self, place: Place, start: int) -> None:
        """From here on offsets of this partition are read."""
        self.partitions[place] = PartitionReceipt(*place, start, start)

    def drop(self, place: Place) -> None:
        """The partition belongs to somebody else: what has no receipt yet will get one there."""
        self.partitions.pop(place, None)

    def mark(self, positions: Mapping[Place, int]) -> None:
        """Remember the newest timestamp of all that was read up to these positions since the last mark."""
        if self._newest >= 0:
            self._windows.append((self._newest, dict(positions)))
            self._newest = -1

    def below(self, positions: Mapping[Place, int]) -> Ledger:
        """The receipts of everything below these positions; changes nothing."""
        found = Ledger([])
        for place, position in positions.items():
            if position > self.partitions[place].start:
                found.partitions[place] = self.partitions[place].split(position)[0]
        found.saw(max([self._newest, *(newest for newest, _ in self._windows)]))
        return found

    def forget_below(self, positions: Mapping[Place, int]) -> None:
        """These positions are committed: their receipts are done with."""
        for place, position in positions.items():
            if position > self.partitions[place].start:
                self.partitions[place] = self.partitions[place].split(position)[1]
        self._windows = [
            (newest, ends)
            for newest, ends in self._windows
            if any(place in self.partitions and end > self.partitions[place].start for place, end in ends.items())
        ]


def read_receipts(store: ObjectStore, since_day: str = "") -> Iterator[PartitionReceipt]:
    """Receipts filed under `since_day` or later; all of them without it."""
    days = [day for day in store.list_folders(RECEIPTS_PREFIX) if day >= since_day]
    keys = [key for day in days for key in store.keys(f"{RECEIPTS_PREFIX}/{day}")]
    for _, data in store.get_many(keys):
        if data is not None:
            for part in json.loads(data)["partitions"]:
                yield PartitionReceipt(**part)


def expected_offsets(store: ObjectStore, day: str | None = None) -> dict[Place, Intervals]:
    """Offsets that must be stored under an event day, per (source, partition); under any day without it.

    This is what drains made durable, so a file of that day that lacks one of them has lost a record.
    """
    found: dict[Place, list[Intervals]] = {}
    for receipt in read_receipts(store, day or ""):
        chosen = list(receipt.days.values()) if day is None else [receipt.days.get(day, [])]
        found.setdefault(receipt.place, []).extend(chosen)
    merged = {place: intervals.union(*parts) for place, parts in found.items()}
    return {place: offsets for place, offsets in sorted(merged.items()) if offsets}


def event_days(store: ObjectStore) -> dict[str, int]:
    """Number of offsets stored per event day, over all receipts."""
    per_day: dict[str, dict[Place, list[Intervals]]] = {}
    for receipt in read_receipts(store):
        for day, offsets in receipt.days.items():
            per_day.setdefault(day, {}).setdefault(receipt.place, []).append(offsets)
    return {
        day: sum(intervals.count(intervals.union(*parts)) for parts in places.values())
        for day, places in sorted(per_day.items())
    }
