"""Segments: raw objects of many vehicles, divided into the vehicles' own before a day is compacted.

Belongs here: the order of reads, writes and deletes that loses nothing, in bounded memory. Not here: what a line looks
like (lake/segment_lines.py), and what becomes of the vehicles' objects (compaction.py): after this, a lake in the
segment layout is a lake in the vehicle layout.

The order, per topic partition: read segments one after the other and gather their lines per vehicle; when enough are
held, write each vehicle's as an object of its own, named by its content; wait until all are durable; delete exactly the
segments read so far. A crash leaves lines in both places, and a record's identity tells that it is one.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ev_platform.engine.adapter import run_items
from ev_platform.engine.items import WorkItem, absolute_url, open_lake
from ev_platform.engine.quarantine import keep_bad_lines, mismatch, move_aside
from ev_platform.engine.receipts import CompactionReceipt
from ev_platform.lake.layout import SEGMENTS, KafkaName, kafka_object_name, parse_temp_key, temp_key, temp_prefix
from ev_platform.lake.segment_lines import unmarked
from ev_platform.lake.store import IO_THREADS, ObjectStore
from ev_platform.settings import Settings
from ev_platform.transform.compact import BadLine

HELD_BYTES = 64 * 2**20
"""Lines that one task holds before it writes them; a segment more may come on top."""

NOT_MARKED = "the line does not say whose it is"


def split_day(settings: Settings, store: ObjectStore, day: str) -> CompactionReceipt:
    """Divide all segments of one UTC event day into `temp/{VIN}/{day}/`, and delete them. Safe at any time, and twice.

    Raises:
        TaskError: the lake failed; the segments that were not divided stay.
    """
    by_partition: dict[str, list[str]] = defaultdict(list)
    strangers = []
    for key in store.keys(temp_prefix(SEGMENTS, day)):
        named = parse_temp_key(key)
        if named is None or not isinstance(named[2], KafkaName):
            strangers.append(key)
        else:
            by_partition[f"{named[2].source}-{named[2].partition}"].append(key)
    for key in strangers:
        move_aside(store, key, "not a segment that ingest wrote")
    items = [WorkItem(absolute_url(store), day, (place,), tuple(sorted(by_partition[place]))) for place in by_partition]
    parts = list(run_items(split_segments, items, store, settings))
    parts.append(CompactionReceipt(day, quarantined_files=len(strangers)))
    return CompactionReceipt.merged(day, parts, 0.0)


def split_segments(item: WorkItem, store: ObjectStore | None = None) -> CompactionReceipt:
    """Divide the segments `item.keys` of one topic partition."""
    store = store or open_lake(item.lake_url)
    source, _, partition = item.vehicles[0].rpartition("-")
    held: dict[str, list[tuple[int, bytes]]] = defaultdict(list)
    done: list[str] = []
    size = split = written = aside = bad = 0

    def write_out() -> int:
        objects = [_vehicle_object(source, int(partition), vin, item.day, lines) for vin, lines in held.items()]
        with ThreadPoolExecutor(IO_THREADS) as pool:
            list(pool.map(lambda one: store.put(*one), objects))
        store.barrier()  # what was written must outlive the segments, even through a power cut
        store.delete(done)
        held.clear()
        done.clear()
        return len(objects)

    for key in item.keys:
        data = store.read(key).data
        if data is None:  # another task finished with it
            continue
        reason = mismatch(key, data)
        if reason is not None:
            move_aside(store, key, reason)
            aside += 1
            continue
        nobodys = _gather(key, data, held)
        keep_bad_lines(store, nobodys)
        done.append(key)
        size, split, bad = size + len(data), split + 1, bad + len(nobodys)
        if size >= HELD_BYTES:
            written, size = written + write_out(), 0
    if done:
        written += write_out()
    return CompactionReceipt(
        item.day, segments_split=split, split_written=written, quarantined_files=aside, quarantined_lines=bad
    )


def _gather(key: str, data: bytes, held: dict[str, list[tuple[int, bytes]]]) -> list[BadLine]:
    """Put each line to its vehicle's; returns those of nobody."""
    nobodys = []
    for number, text in enumerate(data.removesuffix(b"\n").split(b"\n"), 1):
        found = unmarked(text + b"\n")
        if found is None:
            nobodys.append(BadLine(key, number, NOT_MARKED, text))
        else:
            held[found[0]].append(found[1:])
    return nobodys


def _vehicle_object(
    source: str, partition: int, vin: str, day: str, lines: Sequence[tuple[int, bytes]]
) -> tuple[str, bytes]:
    """Key and bytes of one vehicle's lines."""
    offsets, texts = zip(*lines, strict=True)
    data = b"".join(texts)
    name = kafka_object_name(source, partition, min(offsets), max(offsets), len(texts), zlib.crc32(data))
    return temp_key(vin, day, name), data
