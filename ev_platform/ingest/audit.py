"""The audit: does the lake hold every offset that was committed, each exactly once? Reads only, trusts nothing.

What the receipts claim is compared with what the objects really hold: distinct identities in temp/, compressed/ and
quarantine/ + dead letters + known gaps + tombstones = max − min + 1 below the committed offset of every partition.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from ev_platform.ingest import intervals
from ev_platform.ingest.dead_letters import read_dead_letters
from ev_platform.ingest.found import Found, scan
from ev_platform.ingest.gaps import gap_intervals
from ev_platform.ingest.intervals import Intervals
from ev_platform.ingest.offsets import Place
from ev_platform.ingest.receipts import PartitionReceipt, expected_offsets, read_receipts
from ev_platform.ingest.retention import expired_offsets
from ev_platform.lake.store import ObjectStore


@dataclass(frozen=True)
class PartitionAudit:
    """One partition's sum; offsets [first, end) were audited."""

    source: str
    partition: int
    first: int
    end: int
    stored: int
    """Offsets with a record in the lake."""
    dead: int
    """Offsets with a dead letter."""
    tombstones: int
    """Offsets without a value."""
    gaps: int
    """Offsets in known gaps."""
    markers: int
    """Offsets of transaction markers and aborted records, in topics named as transactional."""
    quarantined: Intervals
    """Offsets that only a corrupt, quarantined object held."""
    missing: Intervals
    """Offsets committed but nowhere: lost."""
    unreceipted: Intervals
    """Offsets committed without a receipt."""
    doubled: Intervals
    """Offsets with one identity twice in compressed/."""
    reused: int
    """Offsets seen with more than one timestamp: the topic was created again. No fault."""

    @property
    def ok(self) -> bool:
        """Whether every offset is accounted for, once."""
        return not (self.missing or self.doubled or self.unreceipted)


@dataclass(frozen=True)
class AuditReport:
    """The sums of all partitions."""

    partitions: list[PartitionAudit] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is lost, doubled or without a receipt."""
        return all(part.ok for part in self.partitions)

    @property
    def lost(self) -> int:
        """Messages committed but nowhere."""
        return sum(intervals.count(part.missing) for part in self.partitions)

    @property
    def doubled(self) -> int:
        """Messages stored twice in compressed/."""
        return sum(intervals.count(part.doubled) for part in self.partitions)

    @property
    def stored(self) -> int:
        """Messages with a record in the lake."""
        return sum(part.stored for part in self.partitions)

    def __str__(self) -> str:
        """The line people look for, and the offsets of whatever is wrong."""
        lines = [f"{self.lost} lost, {self.doubled} doubled"]
        for part in self.partitions:
            for word in ("missing", "doubled", "unreceipted", "quarantined"):
                offsets: Intervals = getattr(part, word)
                if offsets:
                    lines.append(f"{part.source}-{part.partition}: {word} {_shown(offsets)}")
        return "\n".join(lines)


@dataclass(frozen=True)
class DayAudit:
    """What receipts promise for one event day against what the day's objects hold."""

    expected: int
    missing: dict[Place, Intervals]
    doubled: dict[Place, Intervals]
    quarantined: dict[Place, Intervals]

    @property
    def ok(self) -> bool:
        """Whether the day holds every promised record, once."""
        return not (self.missing or self.doubled)


def audit(
    store: ObjectStore, committed: Mapping[Place, int | None] | None = None, *, transactional: Collection[str] = ()
) -> AuditReport:
    """Audit the whole lake.

    Args:
        store: the lake.
        committed: next offset of the group per (topic, partition), from `lag.probe`. A partition without one is audited
            up to the end of its receipts, and all are when nothing is given (the broker may be gone).
        transactional: topics written in transactions, where offsets that the broker never delivers are no loss.
    """
    receipts: dict[Place, list[PartitionReceipt]] = {}
    for receipt in read_receipts(store):
        receipts.setdefault(receipt.place, []).append(receipt)
    found, gaps = scan(store), gap_intervals(store)
    dead: dict[Place, list[int]] = {}
    for letter in read_dead_letters(store):
        if letter.partition < 0:  # polled, not from Kafka
            continue
        dead.setdefault((letter.source, letter.partition), []).append(letter.offset)
    for place, offsets in expired_offsets(store).items():
        dead.setdefault(place, []).extend(offset for a, b in offsets for offset in range(a, b + 1))
    places = sorted({*receipts, *found, *gaps, *dead, *(committed or {})})
    parts = [
        _audit_partition(
            place,
            (committed or {}).get(place),
            receipts.get(place, []),
            found.get(place, Found()),
            intervals.of_offsets(dead.get(place, [])),
            gaps.get(place, []),
            place[0] in transactional,
        )
        for place in places
    ]
    return AuditReport(parts)


def audit_day(store: ObjectStore, day: str) -> DayAudit:
    """Audit one event day: its receipts against its objects in temp/, compressed/ and quarantine/."""
    expected = expected_offsets(store, day)
    found = scan(store, day)
    missing: dict[Place, Intervals] = {}
    quarantined: dict[Place, Intervals] = {}
    for place, offsets in expected.items():
        here = found.get(place, Found())
        lacking = intervals.difference(offsets, here.intervals())
        explained = here.explained(lacking)
        _put(quarantined, place, explained)
        _put(missing, place, intervals.difference(lacking, explained))
    doubled: dict[Place, Intervals] = {}
    for place, here in found.items():
        _put(doubled, place, here.doubled())
    return DayAudit(sum(map(intervals.count, expected.values())), missing, doubled, quarantined)


def _audit_partition(
    place: Place,
    committed: int | None,
    receipts: list[PartitionReceipt],
    found: Found,
    dead: Intervals,
    gaps: Intervals,
    transactional: bool,
) -> PartitionAudit:
    ranges = [[one.start, one.end - 1] for one in receipts if one.end > one.start]
    stored = found.intervals()
    end = max((last + 1 for _, last in ranges), default=0) if committed is None else committed
    known = intervals.union(ranges, gaps, stored, dead)
    whole = [[min(known[0][0], end), end - 1]] if known else [[0, end - 1]]
    tombstones = intervals.union(*(one.tombstones for one in receipts))
    silent = intervals.difference(
        intervals.union(*(one.undelivered() for one in receipts if one.end > one.start)), stored
    )
    markers = silent if transactional else []
    lacking = intervals.difference(whole, intervals.union(stored, dead, tombstones, gaps, markers))
    explained = found.explained(lacking)

    def inside(offsets: Intervals) -> int:
        return intervals.count(intervals.intersection(offsets, whole))

    return PartitionAudit(
        *place,
        first=whole[0][0],
        end=end,
        stored=inside(stored),
        dead=inside(dead),
        tombstones=inside(tombstones),
        gaps=inside(gaps),
        markers=inside(markers),
        quarantined=explained,
        missing=intervals.difference(lacking, explained),
        unreceipted=intervals.difference(whole, intervals.union(ranges, gaps)),
        doubled=found.doubled(),
        reused=found.reused(),
    )


def _put(into: dict[Place, Intervals], place: Place, offsets: Intervals) -> None:
    if offsets:
        into[place] = offsets


def _shown(offsets: Intervals, limit: int = 5) -> str:
    text = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in offsets[:limit])
    more = len(offsets) - limit
    return f"{text} and {more} more" if more > 0 else text
