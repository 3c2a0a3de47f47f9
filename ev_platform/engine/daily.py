"""Cleaning and segmentation of a day: a task owns whole shards, reads batches of vehicles, writes one part each.

Belongs here: which objects a day's task reads and writes. Not here: the kernels (transform/clean.py, segment.py), the
form of a part (parts.py).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import pyarrow as pa

from ev_platform.engine.adapter import run_items
from ev_platform.engine.items import TaskError, WorkItem, absolute_url, batches, open_lake
from ev_platform.engine.parts import PartWriter, read_part, replace_part
from ev_platform.engine.receipts import TableReceipt
from ev_platform.lake.layout import (
    compressed_key,
    compressed_prefix,
    part_key,
    partition_prefix,
    table_key,
    vin_of_compressed,
)
from ev_platform.lake.schemas import COMPRESSED, SEGMENTS, VEHICLES
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet, lake_shards, shard_of
from ev_platform.settings import Settings
from ev_platform.signals import cleaned_schema
from ev_platform.transform.clean_tables import COUNTS

CLEANING_TABLE = "results/cleaning"
"""What cleaning changed, nulled, dropped or flagged, per vehicle, rule and signal of a day."""
CLEAN_COLUMNS = [n for n in COMPRESSED.names if n not in ("txid", "extra", "is_resend", "kind", "source")]
"""Columns of compressed that cleaning reads."""
CODED_COLUMNS = ("vin", "signal", "unit", "status", "provider", "text", "record_hash")
"""Of these the strings with few distinct values, as a rule."""


def clean_day(settings: Settings, store: ObjectStore, day: str) -> TableReceipt:
    """Bring `cleaned/date={day}` to what the compressed files of the day say.

    Raises:
        TaskError: a compressed file cannot be read; its shard is left as it was.
    """
    shards = lake_shards(store, settings.shards)
    vehicles: dict[int, list[str]] = {shard: [] for shard in range(shards)}
    for key in store.keys(compressed_prefix(day)):
        if key.endswith(".parquet"):
            vin = vin_of_compressed(key)
            vehicles[shard_of(vin, shards)].append(vin)
    return _run(settings, store, day, "cleaned", clean_shard, vehicles)


def segment_day(settings: Settings, store: ObjectStore, day: str) -> TableReceipt:
    """Bring `segments/date={day}` to what the cleaned parts of the day say.

    Raises:
        TaskError: a cleaned part cannot be read; its shard is left as it was.
    """
    cleaned = set(store.keys(partition_prefix("cleaned", day)))
    shards = range(lake_shards(store, settings.shards))
    present: dict[int, list[str]] = {s: ["*"] if part_key("cleaned", day, s) in cleaned else [] for s in shards}
    return _run(settings, store, day, "segments", segment_shard, present)


def _run(
    settings: Settings,
    store: ObjectStore,
    day: str,
    table: str,
    task: Callable[..., TableReceipt],
    vehicles: dict[int, list[str]],
) -> TableReceipt:
    """Run a task for every shard that has something to read, or an old part that may have to go."""
    begin = time.perf_counter()
    old = set(store.keys(partition_prefix(table, day)))
    items = [
        WorkItem(absolute_url(store), day, tuple(vins), shard=shard, batch_vehicles=settings.batch_vehicles)
        for shard, vins in vehicles.items()
        if vins or part_key(table, day, shard) in old
    ]
    parts = list(run_items(task, items, store, settings))
    return TableReceipt.merged(day, parts, time.perf_counter() - begin)


def read_vehicles(store: ObjectStore) -> pa.Table:
    """The vehicle registry; empty when the lake has none yet."""
    data = store.read(table_key("ref/vehicles")).data
    return VEHICLES.empty_table() if data is None else from_parquet(data)


def clean_shard(item: WorkItem, store: ObjectStore | None = None) -> TableReceipt:
    """Clean the vehicles of one shard, a batch at a time, into its part; what each rule did goes into another."""
    from ev_platform.transform.clean import clean  # at first use: a process that compacts needs no Polars

    store = store or open_lake(item.lake_url)
    registry = read_vehicles(store)
    writer = PartWriter(cleaned_schema())
    counts: Counter[str] = Counter()
    by_rule = PartWriter(COUNTS)
    for batch in batches(item.vehicles, item.batch_vehicles):
        cleaned = clean(_compressed(store, item.day, batch), registry)
        for rule, n in zip(cleaned.counts["rule"].to_pylist(), cleaned.counts["n"].to_pylist(), strict=True):
            counts[rule] += n
        by_rule.add(cleaned.counts)
        writer.add(cleaned.table)
        _give_back()
    replace_part(store, part_key(CLEANING_TABLE, item.day, item.shard), by_rule.close())
    return _store_part(store, "cleaned", item, writer, len(item.vehicles), counts)


def _give_back() -> None:
    """Return to the system what the allocator keeps between the pieces in use.

    Without it a process grows slowly with the fleet (237 MB at 500 vehicles, not 207); it costs a sixth of the CPU.
    """
    pa.default_memory_pool().release_unused()


def _compressed(store: ObjectStore, day: str, vins: tuple[str, ...]) -> pa.Table:
    tables = []
    for key, data in store.get_many([compressed_key(day, vin) for vin in vins]):
        if data is None:  # gone since it was listed: as if it had never been
            continue
        try:
            tables.append(from_parquet(data, CLEAN_COLUMNS, CODED_COLUMNS))
        except (pa.ArrowException, OSError) as error:
            raise TaskError(f"{day}: {key} cannot be read: {error}") from error
    return pa.concat_tables(tables) if tables else COMPRESSED.empty_table().select(CLEAN_COLUMNS)


def segment_shard(item: WorkItem, store: ObjectStore | None = None) -> TableReceipt:
    """Cut the vehicles of one shard's cleaned part into segments, a batch at a time, into its part."""
    from ev_platform.transform.segment import segment
    from ev_platform.transform.segment_frame import SEGMENT_COLUMNS

    store = store or open_lake(item.lake_url)
    registry = read_vehicles(store)
    writer = PartWriter(SEGMENTS)
    counts: Counter[str] = Counter()
    vehicles = 0
    for cleaned in read_part(store, part_key("cleaned", item.day, item.shard), item.batch_vehicles, SEGMENT_COLUMNS):
        segments = segment(cleaned, item.day, registry)
        counts.update(segments["kind"].to_pylist())
        vehicles += len(cleaned["vin"].unique())
        writer.add(segments)
        _give_back()
    return _store_part(store, "segments", item, writer, vehicles, counts)


def _store_part(
    store: ObjectStore, table: str, item: WorkItem, writer: PartWriter, vehicles: int, counts: Counter[str]
) -> TableReceipt:
    data = writer.close()
    written, deleted = replace_part(store, part_key(table, item.day, item.shard), data)
    return TableReceipt(
        item.day,
        vehicles=vehicles,
        rows=writer.rows,
        bytes=len(data or b""),
        objects_written=written,
        objects_deleted=deleted,
        counts=dict(sorted(counts.items())),
    )
