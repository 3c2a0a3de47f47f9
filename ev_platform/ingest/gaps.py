"""Known gaps: offsets that can never be read any more, written down so that the audit and people know why they miss."""

from __future__ import annotations

import json

from ev_platform.ingest.intervals import Intervals, union
from ev_platform.ingest.offsets import Gap, Place
from ev_platform.lake.layout import known_gap_key
from ev_platform.lake.store import ObjectStore

GAPS_PREFIX = "ops/gaps"


def encode_gap(gap: Gap) -> tuple[str, bytes]:
    """Key and bytes of one gap; the same gap twice is the same object."""
    body = {
        "source": gap.topic,
        "partition": gap.partition,
        "first": gap.first,
        "last": gap.last,
        "reason": gap.reason,
    }
    return known_gap_key(gap.topic, gap.partition, gap.first, gap.last), json.dumps(body).encode()


def known_gaps(store: ObjectStore) -> list[Gap]:
    """All gaps, sorted."""
    found = []
    for _, data in store.get_many(store.keys(GAPS_PREFIX)):
        if data is not None:
            body = json.loads(data)
            found.append(Gap(body["source"], body["partition"], body["first"], body["last"], body["reason"]))
    return sorted(found)


def gap_intervals(store: ObjectStore) -> dict[Place, Intervals]:
    """Offsets in known gaps per partition."""
    found: dict[Place, Intervals] = {}
    for gap in known_gaps(store):
        place = (gap.topic, gap.partition)
        found[place] = union(found.get(place, []), [[gap.first, gap.last]])
    return found
