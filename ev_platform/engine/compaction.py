"""Compaction of a day: raw objects of each vehicle merged into its lossless file, then deleted.

Belongs here: the order of reads, swaps and deletes that loses nothing. Not here: reading lines and merging
(transform/compact.py), quarantine (quarantine.py), objects of many vehicles (split.py).

The order, per vehicle: fetch the raw objects and compare each with what its name promises; read the stored file and its
version; merge; write unreadable lines to quarantine; replace the file only if it still has that version, else merge
again with what is there now; read it back and look up every identity that was fetched. Then, once per batch, wait until
everything is durable, and delete exactly the raw objects that were read. A crash at any point leaves the raw objects
or the finished file, and the next run comes to the same bytes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from ev_platform.engine.adapter import run_items
from ev_platform.engine.items import TaskError, WorkItem, absolute_url, batches, open_lake
from ev_platform.engine.quarantine import keep_bad_lines, keep_copy, mismatch, move_aside
from ev_platform.engine.receipts import CompactionReceipt
from ev_platform.engine.split import split_day
from ev_platform.lake.layout import SEGMENTS, compressed_key, temp_prefix, valid_vin
from ev_platform.lake.schemas import IDENTITY
from ev_platform.lake.store import IO_THREADS, ObjectStore, Versioned
from ev_platform.lake.tables import from_parquet, to_parquet
from ev_platform.settings import Settings
from ev_platform.transform.compact import Batch, merge_batch, read_batch
from ev_platform.transform.compact_merge import SchemaError, conform, missing, records_of
from ev_platform.transform.txid import count_missing

MOST_SWAPS = 20
"""Attempts to replace a file while others replace it too, before the vehicle counts as failed."""


class VehicleError(Exception):
    """One vehicle cannot be compacted; its raw files stay where they are."""


def compact_day(settings: Settings, store: ObjectStore, day: str) -> CompactionReceipt:
    """Merge all raw objects of one UTC event day into `compressed/`, and delete them.

    Safe to run at any time, twice at once, and again after a crash: repeats are dropped by identity, files are replaced
    by compare-and-swap.

    Raises:
        TaskError: some vehicles failed (their raw files are untouched, the others are done); names them.
    """
    begin = time.perf_counter()
    parts = [split_day(settings, store, day)]
    found = raw_keys(store, day)
    strangers = {vin: keys for vin, keys in found.items() if not valid_vin(vin)}
    for keys in strangers.values():
        for key in keys:
            move_aside(store, key, "the folder is not a VIN")
    items = [
        WorkItem(absolute_url(store), day, vins, tuple(key for vin in vins for key in found[vin]))
        for vins in batches(sorted(found.keys() - strangers.keys()), settings.batch_vehicles)
    ]
    parts += run_items(compact_vehicles, items, store, settings)
    moved = sum(map(len, strangers.values()))
    parts.append(CompactionReceipt(day, quarantined_files=moved, files_read=moved))
    receipt = CompactionReceipt.merged(day, parts, time.perf_counter() - begin)
    if receipt.failed:
        error = TaskError(f"{day}: {len(receipt.failed)} vehicle(s) not compacted: {'; '.join(receipt.failed)}")
        error.add_note(str(receipt.as_dict()))
        raise error
    return receipt


def raw_keys(store: ObjectStore, day: str) -> dict[str, list[str]]:
    """Vehicle folder → keys of its raw objects of one day; only that day is listed."""
    folders = [folder for folder in store.list_folders("temp") if folder != SEGMENTS]
    with ThreadPoolExecutor(IO_THREADS) as pool:
        listed = pool.map(lambda vin: store.keys(temp_prefix(vin, day)), folders)
        return {vin: keys for vin, keys in zip(folders, listed, strict=True) if keys}


def compact_vehicles(item: WorkItem, store: ObjectStore | None = None) -> CompactionReceipt:
    """Compact the raw objects `item.keys` of a batch of vehicles, one vehicle in memory at a time."""
    store = store or open_lake(item.lake_url)
    accounts, failed, done = [], [], []
    keys: dict[str, list[str]] = {vin: [] for vin in item.vehicles}
    for key in item.keys:
        keys[key.split("/", 2)[1]].append(key)
    for vin in item.vehicles:
        try:
            account = _compact_vehicle(store, vin, item.day, keys[vin])
        except VehicleError as error:
            failed.append(f"{vin}: {error}")
            continue
        accounts.append(account.receipt)
        done += account.keys
    if done:
        store.barrier()  # files written must outlive the raw objects, even through a power cut
        store.delete(done)
    accounts.append(CompactionReceipt(item.day, failed=tuple(failed)))
    return CompactionReceipt.merged(item.day, accounts, 0.0)


@dataclass(frozen=True)
class _Vehicle:
    """One vehicle-day that is stored: the raw objects that may be deleted now, and its figures."""

    keys: list[str]
    receipt: CompactionReceipt


def _compact_vehicle(store: ObjectStore, vin: str, day: str, keys: Sequence[str]) -> _Vehicle:
    buffers, aside = _fetch(store, keys)
    if not buffers:
        return _Vehicle([], CompactionReceipt(day, quarantined_files=aside, files_read=aside))
    batch = read_batch(buffers, vin, day)
    keep_bad_lines(store, batch.bad_lines)
    key = compressed_key(day, vin)
    read = CompactionReceipt(
        day,
        vehicles=1,
        files_read=len(buffers) + aside,
        bytes_read=sum(len(data) for _, data in buffers),
        records_in=batch.records_in,
        quarantined_files=aside,
        quarantined_lines=len(batch.bad_lines),
    )
    stored = [_merge_and_swap(store, key, day, batch)] if batch.records_in else []
    return _Vehicle([key for key, _ in buffers], CompactionReceipt.merged(day, [read, *stored], 0.0))


def _fetch(store: ObjectStore, keys: Sequence[str]) -> tuple[list[tuple[str, bytes]], int]:
    """Raw objects that are what their names promise; the others are moved to quarantine and counted."""
    buffers, aside = [], 0
    for key, data in store.get_many(keys):
        if data is None:  # another compaction finished with it
            continue
        reason = mismatch(key, data)
        if reason is None:
            buffers.append((key, data))
        else:
            move_aside(store, key, reason)
            aside += 1
    return buffers, aside


def _merge_and_swap(store: ObjectStore, key: str, day: str, batch: Batch) -> CompactionReceipt:
    """Bring the batch into the stored file; returns the figures that only the merge knows."""
    late = written = lost = 0
    for _ in range(MOST_SWAPS):
        before = store.read(key)
        late = max(late, int(before.data is not None and not lost))
        merged = merge_batch(batch, _stored(store, key, before))
        data = to_parquet(merged.table)
        if data == before.data:
            break
        if store.swap(key, data, before.version):
            written = 1
            break
        lost += 1
    else:
        raise VehicleError(f"{key} was replaced by others {MOST_SWAPS} times in a row: run the day again")
    _read_back(store, key, batch)
    return CompactionReceipt(
        day,
        rows=len(merged.table),
        bytes=len(data),
        objects_written=written,
        repeats=merged.repeats,
        records_before=merged.records - merged.records_in + merged.repeats,
        records_stored=merged.records,
        late=late,
        txid_missing=count_missing(merged.table),
        swaps_lost=lost,
    )


def _stored(store: ObjectStore, key: str, before: Versioned) -> pa.Table | None:
    """The stored table. One that cannot be read is copied to quarantine and never replaced."""
    if before.data is None:
        return None
    try:
        return conform(from_parquet(before.data))
    except (pa.ArrowException, OSError, SchemaError) as error:
        kept = keep_copy(store, key, before.data, f"unreadable: {error}")
        raise VehicleError(f"{key} is unreadable (copied to {kept}): restore or delete it, then run again") from error


def _read_back(store: ObjectStore, key: str, batch: Batch) -> None:
    """Look up every identity that was read in the file as it is stored now.

    Raises:
        VehicleError: the file cannot be read, or lacks a record; nothing may be deleted then.
    """
    data = store.read(key).data
    if data is None:
        raise VehicleError(f"{key} is gone right after it was written")
    try:
        file = pq.ParquetFile(pa.BufferReader(data), read_dictionary=["source", "record_hash"])
        stored = file.read(IDENTITY, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise VehicleError(f"{key} cannot be read back: {error}") from error
    absent = missing(batch.identities, records_of(stored))
    if absent:
        raise VehicleError(f"{key} lacks {absent} of {batch.records_in} records after it was written")
