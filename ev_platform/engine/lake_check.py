"""What a lake holds against what it should: raw objects by checksum, files in their place, days without followers.

Reads only. Belongs here: the rules, one function each, and the findings. Not here: how they are shown (commands/).
What a record count must be is the audit's question (ingest/audit.py), what a table must say the asset checks'.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ev_platform.engine.quarantine import mismatch
from ev_platform.lake.layout import PREFIXES, SEGMENTS, compressed_prefix, parse_temp_key, valid_vin, vin_of_compressed
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import shard_of

SHARDED = ("cleaned", "segments", "results/sessions")
"""Tables whose parts belong to shards of vehicles."""
FOLLOWERS = {"cleaned": "lake/cleaned", "segments": "lake/segments", "results/sessions": "results/sessions"}
"""Table that every compacted day must have → the asset that makes it."""
DAY_COLUMN = {"cleaned": "time", "segments": "start", "results/sessions": "start"}


class Finding(NamedTuple):
    """Something that should not be: which rule, where, and what to do."""

    rule: str
    key: str
    says: str


def check_lake(store: ObjectStore, first: str, last: str, shards: int) -> Iterator[Finding]:
    """All findings of the days [first, last] (YYYY-MM-DD) and of what belongs to no day.

    Args:
        store: the lake.
        first: first day looked at.
        last: last day looked at.
        shards: number of shards of this lake.
    """
    yield from orphans(store)
    yield from raw_objects(store, first, last)
    for day in compacted_days(store, first, last):
        yield from compressed_files(store, day)
        yield from followers(store, day)
        for table in SHARDED:
            yield from parts(store, table, day, shards)


def compacted_days(store: ObjectStore, first: str, last: str) -> list[str]:
    """Days in the range that have compressed files."""
    found = []
    for year in store.list_folders("compressed"):
        for month in store.list_folders(f"compressed/{year}"):
            if first[:7] <= f"{year}-{month}" <= last[:7]:
                days = store.list_folders(f"compressed/{year}/{month}")
                found += [f"{year}-{month}-{day}" for day in days if first <= f"{year}-{month}-{day}" <= last]
    return sorted(found)


def orphans(store: ObjectStore) -> Iterator[Finding]:
    """Top-level folders that no part of the platform writes."""
    for folder in store.list_folders(""):
        if folder not in PREFIXES and not folder.startswith("."):
            yield Finding("orphan", folder, "no part of the platform writes here: move it elsewhere")


def raw_objects(store: ObjectStore, first: str, last: str) -> Iterator[Finding]:
    """Raw objects whose name is not ingest's, or whose bytes are not what their name promises."""
    for vin in store.list_folders("temp"):
        for day in store.list_folders(f"temp/{vin}"):
            if not (valid_vin(vin) or vin == SEGMENTS) or not first <= day <= last:
                continue
            for key, data in store.get_many(store.keys(f"temp/{vin}/{day}")):
                if parse_temp_key(key) is None:
                    yield Finding("foreign_name", key, "not written by ingest: it is compacted as a file of lines")
                elif data is not None and (why := mismatch(key, data)):
                    yield Finding("checksum", key, f"{why}; compaction will set it aside")


def compressed_files(store: ObjectStore, day: str) -> Iterator[Finding]:
    """Compressed files that cannot be read, or hold another vehicle or day than their place says."""
    for key, data in store.get_many(store.keys(compressed_prefix(day))):
        if not key.endswith(".parquet"):
            yield Finding("misplaced", key, "only {VIN}.parquet belongs here")
            continue
        table = _columns(data, ["vin", "event_time"])
        if table is None:
            yield Finding("unreadable", key, f"restore it, or compact {day} again from Kafka: docs/operations.md")
            continue
        if set(pc.unique(table["vin"]).to_pylist()) - {vin_of_compressed(key)}:
            yield Finding("misplaced", key, "holds rows of another vehicle")
        if _days(table["event_time"]) - {day}:
            yield Finding("misplaced", key, f"holds rows of {', '.join(sorted(_days(table['event_time']) - {day}))}")


def followers(store: ObjectStore, day: str) -> Iterator[Finding]:
    """Tables that a compacted day lacks."""
    for table, asset in FOLLOWERS.items():
        if not store.keys(f"{table}/date={day}"):
            yield Finding("missing_day", f"{table}/date={day}", f"materialize {asset} for {day}")


def parts(store: ObjectStore, table: str, day: str, shards: int) -> Iterator[Finding]:
    """Parts of a day that cannot be read, or hold vehicles of another shard or rows of another day."""
    for key, data in store.get_many(store.keys(f"{table}/date={day}")):
        found = _columns(data, ["vin", DAY_COLUMN[table]])
        if found is None:
            yield Finding("unreadable", key, f"materialize {FOLLOWERS[table]} for {day}")
            continue
        shard = int(key.rsplit("-", 1)[1].removesuffix(".parquet"))
        wrong = [vin for vin in pc.unique(found["vin"]).to_pylist() if shard_of(vin, shards) != shard]
        if shard >= shards or wrong:
            yield Finding("misplaced", key, f"not a part of {shards} shards: materialize {FOLLOWERS[table]} for {day}")
        elif _days(found[DAY_COLUMN[table]]) - {day}:
            yield Finding("misplaced", key, f"holds rows of another day: materialize {FOLLOWERS[table]} for {day}")


def _columns(data: bytes | None, columns: list[str]) -> pa.Table | None:
    if data is None:
        return pa.table({name: [] for name in columns})
    try:
        found = pq.ParquetFile(pa.BufferReader(data)).read(columns=columns, use_threads=False)
    except (pa.ArrowException, OSError):
        return None
    return found if found.num_columns == len(columns) else None


def _days(times: pa.ChunkedArray) -> set[str]:
    return set(pc.unique(pc.strftime(times, format="%Y-%m-%d")).to_pylist()) - {None}
