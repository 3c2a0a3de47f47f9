"""Whether receipts leave no hole: every offset between two records of a day was read and accounted for by some drain.

Needs only receipts and known gaps, so it is cheap enough for every night; the audit (audit.py) also opens the objects.
"""

from __future__ import annotations

from datetime import date, timedelta

from ev_platform.ingest import intervals
from ev_platform.ingest.gaps import gap_intervals
from ev_platform.ingest.intervals import Intervals
from ev_platform.ingest.offsets import Place
from ev_platform.ingest.receipts import PartitionReceipt, read_receipts
from ev_platform.lake.store import ObjectStore


def _day_before(day: str) -> str:
    """A drain between two records of a day is filed under that day or, minutes before midnight, the one before."""
    return (date.fromisoformat(day) - timedelta(days=1)).isoformat()


def holes(store: ObjectStore, day: str) -> dict[Place, Intervals]:
    """Per partition, offsets between the day's first and last record that no receipt and no known gap accounts for.

    A range that a drain read to its end counts as accounted for: what the broker did not deliver in it are transaction
    markers. A hole therefore means that a commit jumped over offsets.
    """
    receipts: dict[Place, list[PartitionReceipt]] = {}
    for receipt in read_receipts(store, _day_before(day)):
        receipts.setdefault(receipt.place, []).append(receipt)
    gaps = gap_intervals(store)
    found: dict[Place, Intervals] = {}
    for place, parts in sorted(receipts.items()):
        records = intervals.union(*(part.days.get(day, []) for part in parts))
        if not records:
            continue
        read = [[part.start, part.end - 1] for part in parts]
        known = intervals.union(read, gaps.get(place, []), *(part.covered() for part in parts))
        hole = intervals.difference([[records[0][0], records[-1][1]]], known)
        if hole:
            found[place] = hole
    return found
