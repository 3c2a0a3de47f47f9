"""How long what was set aside is kept: dead letters of old days go, and leave behind which offsets they were.

The audit asks where every offset is, so a day of dead letters is first written down (`ops/expired/`: offsets and
reasons, no payloads), and deleted when that is durable. Raw objects in `temp/` are never deleted here, whatever their
age: compaction alone may, when they are in `compressed/`; those that wait too long are only named.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from ev_platform.ingest import intervals
from ev_platform.ingest.dead_letters import PREFIX, dead_letter_keys, read_dead_letters
from ev_platform.ingest.intervals import Intervals
from ev_platform.ingest.offsets import Place
from ev_platform.lake.layout import EXPIRED_PREFIX, expired_key
from ev_platform.lake.store import ObjectStore


@dataclass(frozen=True)
class OldDay:
    """A day of dead letters that is older than they are kept."""

    day: str
    objects: int
    reasons: dict[str, int]
    """Letters by reason, without those that were redriven."""


def old_days(store: ObjectStore, today: date, keep_days: int) -> list[str]:
    """Days of dead letters, by the broker's timestamp, that ended more than `keep_days` days ago; 0 keeps all."""
    if keep_days == 0:
        return []
    limit = (today - timedelta(days=keep_days)).isoformat()
    return [day for day in _days(store) if day < limit]


def _days(store: ObjectStore) -> Iterator[str]:
    for year in sorted(store.list_folders(PREFIX)):
        for month in sorted(store.list_folders(f"{PREFIX}/{year}")):
            for day in sorted(store.list_folders(f"{PREFIX}/{year}/{month}")):
                yield f"{year}-{month}-{day}"


def look(store: ObjectStore, day: str) -> OldDay:
    """What would be deleted."""
    return OldDay(
        day, len(dead_letter_keys(store, day)), dict(Counter(one.reason for one in read_dead_letters(store, day)))
    )


def expire(store: ObjectStore, day: str) -> OldDay:
    """Write down and delete a day's dead letters; safe to repeat after a crash at any step."""
    keys, offsets, reasons = dead_letter_keys(store, day), defaultdict(list), Counter[str]()
    for letter in read_dead_letters(store, day):
        reasons[letter.reason] += 1
        if letter.partition >= 0:  # else polled: the audit of offsets does not know it
            offsets[letter.source, letter.partition].append(letter.offset)
    partitions = [[*place, intervals.of_offsets(found)] for place, found in sorted(offsets.items())]
    note = {"day": day, "objects": len(keys), "reasons": dict(sorted(reasons.items())), "partitions": partitions}
    data = json.dumps(note, sort_keys=True).encode()
    store.put(expired_key(day, hashlib.sha256(data).hexdigest()[:32]), data)
    store.barrier()
    store.delete(keys)
    return OldDay(day, len(keys), dict(reasons))


def expired_offsets(store: ObjectStore) -> dict[Place, Intervals]:
    """Offsets of dead letters that were kept as long as the settings say, per (topic, partition)."""
    found: dict[Place, list[Intervals]] = defaultdict(list)
    for _, data in store.get_many(store.keys(EXPIRED_PREFIX)):
        for source, partition, offsets in json.loads(data)["partitions"] if data is not None else []:
            found[source, partition].append(offsets)
    return {place: intervals.union(*parts) for place, parts in found.items()}


def late_raw_days(store: ObjectStore, today: date, late_days: int) -> dict[str, int]:
    """Event days whose raw objects still wait after `late_days` days, and in how many folders of vehicles."""
    limit = (today - timedelta(days=late_days)).isoformat()
    found = Counter(day for folder in store.list_folders("temp") for day in store.list_folders(f"temp/{folder}"))
    return {day: found[day] for day in sorted(found) if day < limit}
